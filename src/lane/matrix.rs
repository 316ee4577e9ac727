//! Products of small matrices, for training: sums run over the inner extent in order, so that lanes and threads change
//! nothing.

use super::Simd;

/// Columns come in whole blocks of so many.
pub const BLOCK: usize = 16;

/// A matrix within a slice: element (i, j) is at `i * rows + j * columns`.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// The slice.
    pub values: &'a [f32],
    /// From one row to the next.
    pub rows: usize,
    /// From one column to the next.
    pub columns: usize,
}

/// `c += a b` for `a` of shape (`m`, `k`) and `c` of shape (`m`, `n`), row after row; `n` is a multiple of [`BLOCK`].
///
/// # Panics
/// Where the slices are too short, or `n` is no such multiple.
#[inline(always)]
pub fn multiply<S: Simd>(s: S, [m, n, k]: [usize; 3], a: View<'_>, b: &[f32], c: &mut [f32]) {
    assert!(n.is_multiple_of(BLOCK) && b.len() >= k * n && c.len() >= m * n);
    let mut i = 0;
    while i < m {
        let left = m - i;
        let mut j = 0;
        while j < n {
            match (left >= 4, n - j >= 2 * S::N) {
                (true, true) => multiply_tile::<S, 4, 2>(s, [i, j, n, k], a, b, c),
                (true, false) => multiply_tile::<S, 4, 1>(s, [i, j, n, k], a, b, c),
                (false, true) => multiply_tile::<S, 1, 2>(s, [i, j, n, k], a, b, c),
                (false, false) => multiply_tile::<S, 1, 1>(s, [i, j, n, k], a, b, c),
            }
            j += if n - j >= 2 * S::N { 2 * S::N } else { S::N };
        }
        i += if left >= 4 { 4 } else { 1 };
    }
}

/// [`multiply`] for `R` rows from `i` and `C` vectors of columns from `j`.
#[inline(always)]
fn multiply_tile<S: Simd, const R: usize, const C: usize>(
    s: S,
    [i, j, n, k]: [usize; 4],
    a: View<'_>,
    b: &[f32],
    c: &mut [f32],
) {
    let mut sums = [[s.splat(0.0); C]; R];
    for l in 0..k {
        let row = &b[l * n + j..][..C * S::N];
        for v in 0..C {
            // SAFETY: `row` has C vectors of N values.
            let b = unsafe { s.load(row.as_ptr().add(v * S::N)) };
            for r in 0..R {
                let a = s.splat(a.values[(i + r) * a.rows + l * a.columns]);
                sums[r][v] = s.fma(a, b, sums[r][v]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let row = &mut c[(i + r) * n + j..][..C * S::N];
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: `row` has C vectors of N values.
            unsafe {
                let at = row.as_mut_ptr().add(v * S::N);
                s.store(at, s.add(s.load(at), *sum));
            }
        }
    }
}
