//! Matrix products in parallel, the same result for any number of threads.

use gemm::{Parallelism, gemm};
use rayon::prelude::*;
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};

/// Rows of a result that one thread computes at a time; fixed, so that a result does not depend on the threads.
const TILE_ROWS: usize = 64;

/// The numbers that a network computes with: `f32`, and `f64` to check gradients by.
pub trait Real:
    Copy
    + Default
    + Send
    + Sync
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + 'static
{
    /// The nearest number.
    fn of(x: f64) -> Self;
    /// Exact in `f64`.
    fn to(self) -> f64;
    /// Square root.
    fn root(self) -> Self;
}

macro_rules! real {
    ($($t:ty),*) => {$(
        impl Real for $t {
            fn of(x: f64) -> Self {
                x as $t
            }
            fn to(self) -> f64 {
                f64::from(self)
            }
            fn root(self) -> Self {
                self.sqrt()
            }
        }
    )*};
}

real!(f32, f64);

/// A matrix as stored, row by row, or its transpose.
#[derive(Debug, Clone, Copy)]
pub struct Matrix<'a, T> {
    data: &'a [T],
    n_rows: usize,
    n_columns: usize,
    transposed: bool,
}

impl<'a, T> Matrix<'a, T> {
    /// The matrix with rows of `n_columns` elements.
    ///
    /// # Panics
    /// Where `data` is not whole rows: a mistake of this crate, never of input.
    pub fn new(data: &'a [T], n_columns: usize) -> Matrix<'a, T> {
        assert!(n_columns > 0 && data.len().is_multiple_of(n_columns), "rows of {n_columns} elements");
        Matrix { data, n_rows: data.len() / n_columns, n_columns, transposed: false }
    }

    /// Rows and columns exchanged.
    pub fn transposed(self) -> Matrix<'a, T> {
        Matrix {
            n_rows: self.n_columns,
            n_columns: self.n_rows,
            transposed: !self.transposed,
            data: self.data,
        }
    }

    /// Distances in memory between columns and between rows.
    fn strides(&self) -> (usize, usize) {
        if self.transposed { (self.n_rows, 1) } else { (1, self.n_columns) }
    }
}

/// Sets `out`, row by row, to the product of `left` and `right`.
///
/// # Panics
/// Where the sizes do not fit each other: a mistake of this crate, never of input.
pub fn multiply<T: Real>(out: &mut [T], left: Matrix<T>, right: Matrix<T>) {
    assert_eq!(left.n_columns, right.n_rows, "inner extents");
    assert_eq!(out.len(), left.n_rows * right.n_columns, "extent of the product");
    let (left_cs, left_rs) = left.strides();
    let (right_cs, right_rs) = right.strides();
    out.par_chunks_mut(TILE_ROWS * right.n_columns).enumerate().for_each(|(tile, out)| {
        let (first, n_rows) = (tile * TILE_ROWS, out.len() / right.n_columns);
        let left_rows = &left.data[first * left_rs..];
        // SAFETY: `out` holds n_rows x right.n_columns elements row by row and is this thread's alone; rows
        // first..first + n_rows of `left` and all of `right` lie within their slices by the strides (a matrix has
        // n_rows * n_columns elements, and the extents were compared above). T is f32 or f64, which gemm has kernels
        // for.
        unsafe {
            gemm(
                n_rows,
                right.n_columns,
                left.n_columns,
                out.as_mut_ptr(),
                1,
                right.n_columns as isize,
                false,
                left_rows.as_ptr(),
                left_cs as isize,
                left_rs as isize,
                right.data.as_ptr(),
                right_cs as isize,
                right_rs as isize,
                T::of(0.0),
                T::of(1.0),
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_sums_of_products() {
        let number = |i: usize| ((i * 7919 + 13) % 101) as f64 - 50.0;
        let (m, k, n) = (TILE_ROWS + 3, 5, 7);
        let a: Vec<f64> = (0..m * k).map(number).collect();
        let b: Vec<f64> = (0..k * n).map(|i| number(i + 1000)).collect();
        let expected: Vec<f64> =
            (0..m * n).map(|i| (0..k).map(|j| a[i / n * k + j] * b[j * n + i % n]).sum()).collect();
        let flip = |x: &[f64], columns: usize| -> Vec<f64> {
            let rows = x.len() / columns;
            (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
        };
        let (a_flipped, b_flipped) = (flip(&a, k), flip(&b, n));
        let lefts = [Matrix::new(&a, k), Matrix::new(&a_flipped, m).transposed()];
        let rights = [Matrix::new(&b, n), Matrix::new(&b_flipped, k).transposed()];
        for left in lefts {
            for right in rights {
                let mut out = vec![f64::NAN; m * n];
                multiply(&mut out, left, right);
                // Whole numbers below 2^53: exact in any order.
                assert_eq!(out, expected);
            }
        }
    }
}
