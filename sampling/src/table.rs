//! The table that draws are made from.

use crate::alias::{TWO_POW_64, column_of, fill_columns, pick, probabilities, shares};
use crate::rng;
use crate::{Permutation, SamplingError};
use std::sync::Arc;

/// Blocks of random numbers computed side by side by [`DrawTable::draw_into`].
const LANES: usize = 8;

/// Sites with their probabilities, ready for drawing.
///
/// # Definition, with replacement
///
/// The alias method (A. J. Walker, *Electronics Letters* 10 (1974) 127, doi:10.1049/el:19740097; M. D. Vose,
/// *IEEE Trans. Softw. Eng.* 17 (1991) 972, doi:10.1109/32.92917) in integers. Column c of n belongs to site
/// c up to a threshold T(c) of 2^32 and to the site A(c) above it. With the 64 bits r of
/// [`rng::bits`]`(seed, step, i)`:
///
/// ```text
/// m = floor(r n / 2^32)      c = m >> 32      site = (m mod 2^32 < T(c)) ? c : A(c)
/// ```
///
/// The product needs no 128-bit arithmetic: m = (r >> 32) n + (((r mod 2^32) n) >> 32). The uniform table has
/// no thresholds: site = c.
///
/// # Definition, without replacement
///
/// An epoch has L = n_first + n_taken draws: every one of n_first sites, and n_taken of the n_rest others. With D draws a
/// step, draw i of step s is number (s D + i) mod L of epoch (s D + i) div L (the latter modulo 2^64), at position j of
/// [`Permutation`] (L, seed, epoch, false): j below n_first is the site `first[j]`, another `rest[k]` with k at
/// j - n_first of [`Permutation`] (n_rest, seed, epoch, true). `first` and `rest` are in the order of the sites. D is L
/// until [`DrawTable::with_draws_per_step`]: a step is then an epoch.
///
/// Memory: 20 bytes a site with weights, of which a draw reads 8; 4 bytes a site where only a share of the sites is
/// in an epoch; else nothing.
///
/// A clone shares the memory.
#[derive(Debug, Clone, PartialEq)]
pub struct DrawTable {
    n_sites: u32,
    law: Arc<Law>,
}

/// What a device needs to draw without replacement by itself; names are those of the definition of [`DrawTable`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochLayout<'a> {
    /// Sites that are in every epoch.
    pub n_first: u32,
    /// All others.
    pub n_rest: u32,
    /// How many of those are in an epoch.
    pub n_taken: u32,
    /// `first`, then `rest`; nothing where all sites are in `first`.
    pub order: &'a [u32],
    /// Draws a step.
    pub draws_per_step: u64,
}

#[derive(Debug, Clone, PartialEq)]
enum Law {
    Uniform,
    Alias {
        /// A(c) << 32 | T(c): both in one word, so that a draw touches one cache line.
        cells: Vec<u64>,
        probabilities: Vec<f64>,
        inverse_weights: Vec<f32>,
    },
    Epochs(Epochs),
}

/// Draws without replacement.
#[derive(Debug, Clone, PartialEq)]
struct Epochs {
    n_first: u32,
    n_rest: u32,
    n_taken: u32,
    /// `first`, then `rest`; nothing where all sites are in `first`.
    order: Vec<u32>,
    draws_per_step: u64,
}

impl Epochs {
    /// Draws of an epoch: at least 1, at most 2^32 - 1.
    fn len(&self) -> u32 {
        self.n_first + self.n_taken
    }

    /// The epoch that draw `i` of `step` is in, and its number there.
    fn locate(&self, step: u64, i: u64) -> (u64, u32) {
        let all = u128::from(step) * u128::from(self.draws_per_step) + u128::from(i);
        let len = u128::from(self.len());
        ((all / len) as u64, (all % len) as u32)
    }

    fn epoch(&self, seed: u64, number: u64) -> Epoch<'_> {
        Epoch {
            table: self,
            all: Permutation::new(self.len(), seed, number, false),
            rest: Permutation::new(self.n_rest, seed, number, true),
        }
    }

    fn draw_into(&self, seed: u64, step: u64, first_i: u64, out: &mut [u32]) {
        let (mut number, mut at) = self.locate(step, first_i);
        let mut epoch = self.epoch(seed, number);
        for (k, site) in out.iter_mut().enumerate() {
            // Past its largest index, a step starts again.
            let starts_again = k > 0 && first_i.wrapping_add(k as u64) == 0;
            if at == self.len() || starts_again {
                (number, at) = if starts_again { self.locate(step, 0) } else { (number.wrapping_add(1), 0) };
                epoch = self.epoch(seed, number);
            }
            *site = epoch.site(at);
            at += 1;
        }
    }

    fn is_first(&self, site: u32) -> bool {
        self.order.is_empty() || self.order[..self.n_first as usize].binary_search(&site).is_ok()
    }

    /// Of a site of the table.
    fn probability(&self, site: u32) -> f64 {
        let len = f64::from(self.len());
        match self.is_first(site) {
            true => 1.0 / len,
            false => f64::from(self.n_taken) / f64::from(self.n_rest) / len,
        }
    }
}

/// The orders of one epoch.
struct Epoch<'a> {
    table: &'a Epochs,
    all: Permutation,
    rest: Permutation,
}

impl Epoch<'_> {
    #[inline]
    fn site(&self, at: u32) -> u32 {
        let Epochs { n_first, order, .. } = self.table;
        let j = self.all.at(at);
        let place = if j < *n_first { j } else { n_first + self.rest.at(j - n_first) };
        order.get(place as usize).copied().unwrap_or(place)
    }
}

impl DrawTable {
    /// A table of `n_sites` sites, all with the same probability.
    ///
    /// # Errors
    /// [`SamplingError::NoSites`] for 0, [`SamplingError::TooManySites`] from 2^32 on.
    pub fn uniform(n_sites: usize) -> Result<Self, SamplingError> {
        Ok(DrawTable { n_sites: checked_count(n_sites)?, law: Arc::new(Law::Uniform) })
    }

    /// A table that draws each of `n_sites` sites once an epoch.
    ///
    /// # Errors
    /// [`SamplingError::NoSites`] for 0, [`SamplingError::TooManySites`] from 2^32 on.
    pub fn once(n_sites: usize) -> Result<Self, SamplingError> {
        let n = checked_count(n_sites)?;
        let draws_per_step = u64::from(n);
        let epochs = Epochs { n_first: n, n_rest: 0, n_taken: 0, order: vec![], draws_per_step };
        Ok(DrawTable { n_sites: n, law: Arc::new(Law::Epochs(epochs)) })
    }

    /// A table that draws, in an epoch, each site of which `first` says so once, and `n_taken` of the others (all of
    /// them where there are fewer).
    ///
    /// # Errors
    /// [`SamplingError::NoSites`] for none, [`SamplingError::TooManySites`] from 2^32 on, [`SamplingError::NoWeight`]
    /// where an epoch would have no draws.
    pub fn once_with_share(first: &[bool], n_taken: usize) -> Result<Self, SamplingError> {
        let n = checked_count(first.len())?;
        let sites_where = |wanted: bool| (0..n).filter(move |&site| first[site as usize] == wanted);
        let mut order: Vec<u32> = sites_where(true).collect();
        let n_first = order.len() as u32;
        let n_rest = n - n_first;
        let n_taken = u32::try_from(n_taken).unwrap_or(u32::MAX).min(n_rest);
        if n_first == 0 && n_taken == 0 {
            return Err(SamplingError::NoWeight);
        }
        if n_taken == n_rest {
            return DrawTable::once(first.len());
        }
        order.extend(sites_where(false));
        let draws_per_step = u64::from(n_first + n_taken);
        let epochs = Epochs { n_first, n_rest, n_taken, order, draws_per_step };
        Ok(DrawTable { n_sites: n, law: Arc::new(Law::Epochs(epochs)) })
    }

    /// The table for steps of `n` draws: without replacement, an epoch then goes on from one step to the next. With
    /// replacement nothing changes.
    pub fn with_draws_per_step(mut self, n: u64) -> Self {
        if let Law::Epochs(epochs) = Arc::make_mut(&mut self.law) {
            epochs.draws_per_step = n;
        }
        self
    }

    /// Draws of an epoch; none for a table that draws with replacement.
    pub fn epoch_len(&self) -> Option<u64> {
        match &*self.law {
            Law::Epochs(epochs) => Some(epochs.len().into()),
            _ => None,
        }
    }

    /// A table whose sites have probabilities proportional to `weights` (any unit, one a site).
    ///
    /// Weights become whole numbers of units, of which there are n 2^32: a probability is off by little more
    /// than one unit. A positive weight, however small, keeps at least one unit (where there are many such
    /// weights, the heaviest site pays for them); a weight of zero is never drawn. Equal weights give the
    /// uniform table.
    ///
    /// Linear in the number of sites. The only floating-point operations are single divisions,
    /// multiplications and conversions of IEEE doubles; sums are integers: the table is the same on every
    /// machine.
    ///
    /// # Errors
    /// [`SamplingError::NoSites`] for no weights, [`SamplingError::TooManySites`] from 2^32 on,
    /// [`SamplingError::BadWeight`] for one that is negative or not finite, [`SamplingError::NoWeight`] where
    /// all are zero.
    pub fn from_weights(weights: &[f64]) -> Result<Self, SamplingError> {
        Self::from_fn(weights.len(), |site| weights[site])
    }

    /// [`DrawTable::from_weights`] without the array: `weight` of every site below `n_sites`, asked for
    /// twice.
    pub(crate) fn from_fn(n_sites: usize, weight: impl Fn(usize) -> f64) -> Result<Self, SamplingError> {
        let count = checked_count(n_sites)?;
        let (mut least, mut most) = (f64::INFINITY, 0.0f64);
        for site in 0..n_sites {
            let weight = weight(site);
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(SamplingError::BadWeight { site, weight });
            }
            least = least.min(weight);
            most = most.max(weight);
        }
        if most == 0.0 {
            return Err(SamplingError::NoWeight);
        }
        if least == most {
            return Ok(DrawTable { n_sites: count, law: Arc::new(Law::Uniform) });
        }
        let shares = shares(count, most, weight);
        let cells = fill_columns(&shares);
        let probabilities = probabilities(&cells, shares, count);
        let n = f64::from(count);
        let inverse = |&p: &f64| if p > 0.0 { (1.0 / (n * p)) as f32 } else { 0.0 };
        let inverse_weights = probabilities.iter().map(inverse).collect();
        let law = Arc::new(Law::Alias { cells, probabilities, inverse_weights });
        Ok(DrawTable { n_sites: count, law })
    }

    /// The site of draw `i` of `step`: a pure function of its arguments, always below [`DrawTable::n_sites`].
    #[inline]
    pub fn draw(&self, seed: u64, step: u64, i: u64) -> u32 {
        match &*self.law {
            Law::Uniform => column_of(self.n_sites, rng::bits(seed, step, i)).0,
            Law::Alias { cells, .. } => pick(cells, self.n_sites, rng::bits(seed, step, i)),
            Law::Epochs(epochs) => {
                let (number, at) = epochs.locate(step, i);
                epochs.epoch(seed, number).site(at)
            }
        }
    }

    /// The draws `first_i`, `first_i + 1`, ... of `step`, one for every entry of `out`; the same sites as
    /// [`DrawTable::draw`], in less time. Past 2^64 - 1 the index starts again at 0.
    pub fn draw_into(&self, seed: u64, step: u64, first_i: u64, out: &mut [u32]) {
        match &*self.law {
            Law::Uniform => self.fill(seed, step, first_i, out, |n, r| column_of(n, r).0),
            Law::Alias { cells, .. } => self.fill(seed, step, first_i, out, |n, r| pick(cells, n, r)),
            Law::Epochs(epochs) => epochs.draw_into(seed, step, first_i, out),
        }
    }

    /// The exact probability of `site`, as the generator's bits realise it: the number of 64-bit values that
    /// lead to it, over 2^64, rounded once to a double. Without replacement: the share of an epoch's draws that go to
    /// it on average. 0 for a site that the table does not have.
    pub fn probability(&self, site: u32) -> f64 {
        if site >= self.n_sites {
            return 0.0;
        }
        match &*self.law {
            Law::Uniform => {
                let start = |column: u32| (u128::from(column) << 64).div_ceil(u128::from(self.n_sites));
                // `site + 1` may be n = 2^32 - 1, which still fits.
                (start(site + 1) - start(site)) as f64 / TWO_POW_64
            }
            Law::Alias { probabilities, .. } => probabilities[site as usize],
            Law::Epochs(epochs) => epochs.probability(site),
        }
    }

    /// The factor 1 / (n p) that makes the mean over draws an unbiased estimate of the mean over sites (see
    /// the crate's documentation). 0 for a site that is never drawn, or that the table does not have.
    #[inline]
    pub fn inverse_weight(&self, site: u32) -> f32 {
        match &*self.law {
            // 1 / (n p) differs from 1 by less than n / 2^64, which no f32 shows.
            Law::Uniform if site < self.n_sites => 1.0,
            Law::Uniform => 0.0,
            Law::Alias { inverse_weights, .. } => inverse_weights.get(site as usize).copied().unwrap_or(0.0),
            Law::Epochs(_) if site >= self.n_sites => 0.0,
            Law::Epochs(epochs) if epochs.n_taken == 0 && !epochs.is_first(site) => 0.0,
            Law::Epochs(epochs) => (1.0 / (f64::from(self.n_sites) * epochs.probability(site))) as f32,
        }
    }

    /// The number of sites, 1 to 2^32 - 1.
    pub fn n_sites(&self) -> usize {
        self.n_sites as usize
    }

    /// Whether all sites have the same probability, so that every [`DrawTable::inverse_weight`] is 1.
    pub fn is_uniform(&self) -> bool {
        match &*self.law {
            Law::Uniform => true,
            Law::Alias { .. } => false,
            Law::Epochs(epochs) => epochs.order.is_empty() || epochs.n_first == 0,
        }
    }

    /// The columns, for a device that draws by itself: the alias site in the upper 32 bits, the threshold in
    /// the lower ones (see the definition above), n of them. None for a uniform table, and for one that draws without
    /// replacement.
    pub fn cells(&self) -> Option<&[u64]> {
        match &*self.law {
            Law::Alias { cells, .. } => Some(cells),
            Law::Uniform | Law::Epochs(_) => None,
        }
    }

    /// How draws without replacement are made, for a device that draws by itself; none for a table that draws with
    /// replacement.
    pub fn epochs(&self) -> Option<EpochLayout<'_>> {
        match &*self.law {
            Law::Epochs(Epochs { n_first, n_rest, n_taken, order, draws_per_step }) => Some(EpochLayout {
                n_first: *n_first,
                n_rest: *n_rest,
                n_taken: *n_taken,
                order,
                draws_per_step: *draws_per_step,
            }),
            Law::Uniform | Law::Alias { .. } => None,
        }
    }

    /// Whether `other` is a clone of this table, or this of it: told without a look at the sites.
    pub fn is_clone_of(&self, other: &DrawTable) -> bool {
        Arc::ptr_eq(&self.law, &other.law)
    }

    /// The factors of [`DrawTable::inverse_weight`] for all sites, n of them. None where there are no
    /// [`DrawTable::cells`].
    pub fn inverse_weights(&self) -> Option<&[f32]> {
        match &*self.law {
            Law::Alias { inverse_weights, .. } => Some(inverse_weights),
            Law::Uniform | Law::Epochs(_) => None,
        }
    }

    #[inline]
    fn fill(&self, seed: u64, step: u64, first_i: u64, out: &mut [u32], pick: impl Fn(u32, u64) -> u32) {
        let n = self.n_sites;
        let single = |i: u64| pick(n, rng::bits(seed, step, i));
        let mut out = out;
        let mut i = first_i;
        if i % 2 == 1
            && let Some((first, rest)) = std::mem::take(&mut out).split_first_mut()
        {
            *first = single(i);
            i = i.wrapping_add(1);
            out = rest;
        }
        let mut batches = out.chunks_exact_mut(2 * LANES);
        for batch in &mut batches {
            let pairs: [u64; LANES] = std::array::from_fn(|l| i.wrapping_add(2 * l as u64) >> 1);
            let counters = pairs.map(|pair| rng::counter(step, pair));
            let counters = std::array::from_fn(|j| counters.map(|words| u64::from(words[j])));
            let [a, b, c, d] = rng::blocks(rng::words(seed), counters);
            for (l, pair) in batch.chunks_exact_mut(2).enumerate() {
                pair[0] = pick(n, a[l] << 32 | b[l]);
                pair[1] = pick(n, c[l] << 32 | d[l]);
            }
            i = i.wrapping_add(2 * LANES as u64);
        }
        for site in batches.into_remainder() {
            *site = single(i);
            i = i.wrapping_add(1);
        }
    }
}

/// `n_sites` as a number that tables can work with.
pub(crate) fn checked_count(n_sites: usize) -> Result<u32, SamplingError> {
    match u32::try_from(n_sites) {
        Ok(0) => Err(SamplingError::NoSites),
        Ok(n) => Ok(n),
        Err(_) => Err(SamplingError::TooManySites { n_sites }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alias::FULL;

    /// Weights of every kind: zero, tiny, ordinary, huge.
    fn mixed_weights(n: usize) -> Vec<f64> {
        let weight = |site: usize| match site % 7 {
            0 => 0.0,
            1 => 1e-300,
            2 => 0.1,
            3 => site as f64,
            _ => 1.0 + (site * site % 97) as f64 / 10.0,
        };
        (0..n).map(weight).collect()
    }

    fn table(weights: &[f64]) -> DrawTable {
        DrawTable::from_weights(weights).unwrap()
    }

    /// The site that the bits `r` lead to, with replacement.
    fn site_of(table: &DrawTable, r: u64) -> u32 {
        match &*table.law {
            Law::Alias { cells, .. } => pick(cells, table.n_sites, r),
            _ => column_of(table.n_sites, r).0,
        }
    }

    #[test]
    fn shares_fill_the_columns_exactly() {
        for n in [2, 3, 5, 64, 1000, 54_321] {
            let mut weights = mixed_weights(n);
            weights[n - 1] = 3.7;
            let most = weights.iter().copied().fold(0.0, f64::max);
            let shares = shares(n as u32, most, |site| weights[site]);
            assert_eq!(shares.iter().map(|&s| u128::from(s)).sum::<u128>(), (n as u128) << 32);
            assert!(weights.iter().zip(&shares).all(|(&w, &s)| (w > 0.0) == (s > 0)));

            let mut filled = vec![0u64; n];
            for (column, &cell) in fill_columns(&shares).iter().enumerate() {
                filled[column] += cell & (FULL - 1);
                filled[(cell >> 32) as usize] += FULL - (cell & (FULL - 1));
            }
            assert_eq!(filled, shares, "{n} sites");
        }
    }

    #[test]
    fn more_tiny_weights_than_the_rounding_leaves_are_paid_by_the_heaviest() {
        let mut weights = vec![f64::MIN_POSITIVE; 1000];
        weights[400] = f64::MAX;
        let shares = shares(1000, f64::MAX, |site| weights[site]);
        assert_eq!(shares[400], (1000 << 32) - 999);
        assert!(shares.iter().enumerate().all(|(site, &s)| site == 400 || s == 1));
        let table = table(&weights);
        assert!(table.probability(0) > 0.0 && table.inverse_weight(0).is_finite());
    }

    #[test]
    fn probability_counts_the_values_that_lead_to_a_site() {
        // The boundaries between sites, found by asking `pick`, must give the counts that `probability` uses.
        for n in [2usize, 3, 7, 30, 1021] {
            let mut weights = mixed_weights(n);
            weights[0] = 0.3;
            let table = table(&weights);
            let mut counts = vec![0u128; n];
            let mut start = 0u128;
            while start < 1 << 64 {
                let column = column_of(n as u32, start as u64).0;
                let site = site_of(&table, start as u64);
                let (mut inside, mut outside) = (start, 1 << 64);
                while outside - inside > 1 {
                    let middle = (inside + outside) / 2;
                    let r = middle as u64;
                    if column_of(n as u32, r).0 == column && site_of(&table, r) == site {
                        inside = middle;
                    } else {
                        outside = middle;
                    }
                }
                counts[site as usize] += outside - start;
                start = outside;
            }
            for (site, &count) in counts.iter().enumerate() {
                assert_eq!(table.probability(site as u32), count as f64 / TWO_POW_64, "site {site} of {n}");
                assert_eq!(count > 0, weights[site] > 0.0);
            }
        }
    }

    #[test]
    fn columns_agree_with_128_bit_arithmetic() {
        for n in [1, 2, 3, 764_928, u32::MAX - 1, u32::MAX] {
            for r in [0, 1, FULL - 1, FULL, u64::MAX / 3, u64::MAX - 1, u64::MAX] {
                let product = (u128::from(r) * u128::from(n)) >> 32;
                assert_eq!(column_of(n, r), ((product >> 32) as u32, product as u32));
            }
        }
    }

    #[test]
    fn equal_weights_are_the_uniform_table() {
        let uniform = DrawTable::uniform(10).unwrap();
        assert_eq!(table(&[0.3; 10]), uniform);
        assert!(uniform.is_uniform() && uniform.cells().is_none() && uniform.inverse_weights().is_none());
        assert_eq!((uniform.inverse_weight(9), uniform.inverse_weight(10)), (1.0, 0.0));
        let largest = DrawTable::uniform(u32::MAX as usize).unwrap();
        assert_eq!(largest.probability(u32::MAX - 1) as f32, 1.0 / u32::MAX as f32);
        assert_eq!(largest.probability(u32::MAX), 0.0);
    }

    #[test]
    fn single_site_with_weight_takes_all_draws() {
        let table = table(&[0.0, 0.0, 2.5, 0.0]);
        assert_eq!((table.probability(2), table.inverse_weight(2)), (1.0, 0.25));
        assert_eq!((table.probability(0), table.inverse_weight(0)), (0.0, 0.0));
        assert_eq!((table.probability(4), table.inverse_weight(4)), (0.0, 0.0));
        assert!((0..1000).all(|i| table.draw(1, 2, i) == 2));
        assert_eq!(DrawTable::from_weights(&[1e-9]).unwrap().probability(0), 1.0);
    }

    #[test]
    fn bad_weights_are_named() {
        assert_eq!(DrawTable::from_weights(&[]), Err(SamplingError::NoSites));
        assert_eq!(DrawTable::uniform(0), Err(SamplingError::NoSites));
        assert_eq!(DrawTable::from_weights(&[0.0, 0.0]), Err(SamplingError::NoWeight));
        for weight in [-1.0, f64::INFINITY, f64::NAN] {
            let error = DrawTable::from_weights(&[1.0, weight]).unwrap_err();
            assert!(matches!(error, SamplingError::BadWeight { site: 1, .. }), "{error}");
        }
        #[cfg(target_pointer_width = "64")]
        assert_eq!(DrawTable::uniform(1 << 32), Err(SamplingError::TooManySites { n_sites: 1 << 32 }));
    }
}
