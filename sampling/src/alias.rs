//! Columns of the alias method in integers, as [`crate::DrawTable`] defines it: building them, drawing from them, and
//! what they give each site.

/// The capacity of one column: thresholds are fractions of 2^32.
pub(crate) const FULL: u64 = 1 << 32;
const TWO_POW_62: f64 = (1u64 << 62) as f64;
pub(crate) const TWO_POW_64: f64 = 18_446_744_073_709_551_616.0;

/// The column that `r` falls into and how far, in 2^-32 columns.
#[inline(always)]
pub(crate) fn column_of(n: u32, r: u64) -> (u32, u32) {
    let n = u64::from(n);
    let m = (r >> 32) * n + (((r & (FULL - 1)) * n) >> 32);
    ((m >> 32) as u32, m as u32)
}

#[inline(always)]
pub(crate) fn pick(cells: &[u64], n: u32, r: u64) -> u32 {
    let (column, within) = column_of(n, r);
    let cell = cells[column as usize];
    // Which side of the threshold is as good as random: a branch would be mispredicted.
    std::hint::select_unpredictable(within < cell as u32, column, (cell >> 32) as u32)
}

fn cell(threshold: u64, alias: usize) -> u64 {
    (alias as u64) << 32 | threshold
}

/// What each site gets of the n columns, in units of 2^-32 columns: at least 1 where the weight is positive,
/// n 2^32 in total.
///
/// The weights are first written as integers relative to the heaviest (62 bits), so that their sum is exact
/// and rounding enters only once a site. There a positive weight too small for 62 bits is 1.
pub(crate) fn shares(n_sites: u32, most: f64, weight: impl Fn(usize) -> f64) -> Vec<u64> {
    let relative = |site| match weight(site) {
        w if w > 0.0 => ((w / most * TWO_POW_62) as u64).max(1),
        _ => 0,
    };
    let mut shares: Vec<u64> = (0..n_sites as usize).map(relative).collect();
    let total: u128 = shares.iter().map(|&share| u128::from(share)).sum();
    let capacity = u64::from(n_sites) << 32;
    let scale = capacity as f64 / total as f64;
    let (mut given, mut n_positive, mut heaviest) = (0i128, 0u64, (0usize, 0u64));
    for (site, share) in shares.iter_mut().enumerate().filter(|(_, share)| **share > 0) {
        *share = ((*share as f64 * scale) as u64).max(1);
        given += i128::from(*share);
        n_positive += 1;
        if *share > heaviest.1 {
            heaviest = (site, *share);
        }
    }
    // Rounding down leaves less than one unit a site, rounding up to 1 takes less than one a site.
    let left = i128::from(capacity) - given;
    if left < 0 {
        // The heaviest site has at least a whole column, 2^32 units: more than there are sites.
        shares[heaviest.0] = heaviest.1.saturating_sub(left.unsigned_abs() as u64);
    } else {
        let (each, extra) = (left as u64 / n_positive, left as u64 % n_positive);
        let positive = shares.iter_mut().filter(|share| **share > 0);
        for (k, share) in positive.enumerate() {
            *share += each + u64::from((k as u64) < extra);
        }
    }
    shares
}

/// Distributes the shares over the columns. Light sites (less than a column) and heavy ones (more) are each
/// visited once, in order: a light site's column is topped up by the current heavy site; once that has less
/// than a column left, it is light itself and the next heavy site tops it up. As the shares sum to exactly n
/// columns, both run out together.
pub(crate) fn fill_columns(shares: &[u64]) -> Vec<u64> {
    let mut cells: Vec<u64> = (0..shares.len()).map(|site| cell(0, site)).collect();
    let mut lights = shares.iter().enumerate().filter(|&(_, &share)| share < FULL);
    let mut heavies = shares.iter().enumerate().filter(|&(_, &share)| share > FULL);
    let Some((mut heavy, &first)) = heavies.next() else { return cells };
    let mut left = first;
    loop {
        if left > FULL {
            let Some((light, &share)) = lights.next() else { break };
            cells[light] = cell(share, heavy);
            left -= FULL - share;
        } else {
            let Some((next, &share)) = heavies.next() else { break };
            if left < FULL {
                cells[heavy] = cell(left, next);
            }
            left = share - (FULL - left);
            heavy = next;
        }
    }
    cells
}

/// The exact probability of every site: the number of 64-bit values r with [`pick`] = site, over 2^64.
///
/// Column c takes the r from ceil(c 2^64 / n) on, its alias those from ceil((c 2^64 + T 2^32) / n) on. With
/// c 2^64 = q n + rest, carried from column to column, only 64-bit divisions are left.
pub(crate) fn probabilities(cells: &[u64], shares: Vec<u64>, n_sites: u32) -> Vec<f64> {
    let n = u64::from(n_sites);
    // 2^64 = whole n + part; a table that is not uniform has at least two sites, so `whole` fits.
    let whole = ((1u128 << 64) / u128::from(n)) as u64;
    let part = ((1u128 << 64) % u128::from(n)) as u64;
    // The only site with weight has all 2^64 values, one more than its counter can tell.
    let only = shares.iter().position(|&share| share == n << 32);
    // The shares are used up: their memory holds the counts, and then the probabilities.
    let mut counts = shares;
    counts.fill(0);
    let mut rest = 0;
    for (column, &cell) in cells.iter().enumerate() {
        let (threshold, alias) = (cell & (FULL - 1), (cell >> 32) as usize);
        let (next, carry) = if rest + part >= n { (rest + part - n, 1) } else { (rest + part, 0) };
        let start = u64::from(rest > 0);
        let end = whole + carry + u64::from(next > 0);
        let middle = if alias == column { start } else { (rest + (threshold << 32)).div_ceil(n) };
        counts[column] = counts[column].wrapping_add(middle - start);
        counts[alias] = counts[alias].wrapping_add(end - middle);
        rest = next;
    }
    let mut probabilities: Vec<f64> = counts.into_iter().map(|count| count as f64 / TWO_POW_64).collect();
    if let Some(site) = only {
        probabilities[site] = 1.0;
    }
    probabilities
}
