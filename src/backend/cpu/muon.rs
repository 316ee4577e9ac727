//! Muon: matrices between hidden layers move along the orthogonal factors of their averaged gradients.

use super::plan::Plan;
use crate::backend::Muon;
use crate::lane::matrix::{BLOCK, View, multiply};
use crate::lane::{Kernel, Level, Simd, dispatch};
use crate::net::{Source, tensors};
use rayon::prelude::*;

/// Of the polynomial that draws singular values towards 1 (Jordan et al. 2024), and how often it is taken.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];
const N_ITERATIONS: usize = 5;

/// A matrix between hidden layers.
struct Matrix {
    n_rows: usize,
    n_cols: usize,
    /// Where each weight lies in the panels, row after row; where again, and whether negated there.
    places: Vec<(u32, Option<(u32, bool)>)>,
    /// Of the gradients.
    average: Vec<f32>,
    /// What a step makes of the weights.
    moved: Vec<f32>,
}

/// All of a network's. A complex layer's matrix is taken as it is stored: real beside imaginary parts.
pub struct HiddenMatrices {
    matrices: Vec<Matrix>,
}

impl HiddenMatrices {
    pub fn new(plan: &Plan) -> HiddenMatrices {
        let (layers, positions) = (plan.spec.layers(), plan.positions());
        let is_hidden = |layer: usize| {
            let reads_layers = |source: &Source| matches!(source, Source::Layer(_));
            layer + 1 < layers.len() && layers[layer].sources.iter().all(reads_layers)
        };
        let matrices = tensors(&plan.spec).into_iter().filter(|t| !t.is_bias && is_hidden(t.layer));
        let matrices = matrices.map(|t| Matrix {
            n_rows: t.n_rows,
            n_cols: t.n_cols,
            places: positions[t.range()].to_vec(),
            average: vec![0.0; t.n_rows * t.n_cols],
            moved: vec![0.0; t.n_rows * t.n_cols],
        });
        HiddenMatrices { matrices: matrices.collect() }
    }

    /// Where a step of learning rate `rate` takes the weights; [`HiddenMatrices::place`] puts them there.
    pub fn step(
        &mut self,
        level: Level,
        muon: &Muon,
        rate: f32,
        gradient: &[f32],
        clip: f32,
        params: &[f32],
    ) {
        self.matrices.par_iter_mut().for_each(|matrix| {
            let Matrix { n_rows, n_cols, places, average, moved } = matrix;
            for ((ahead, average), &(at, _)) in moved.iter_mut().zip(average.iter_mut()).zip(places.iter()) {
                let g = gradient[at as usize] * clip;
                *average = muon.momentum * *average + (1.0 - muon.momentum) * g;
                *ahead = muon.momentum * *average + (1.0 - muon.momentum) * g;
            }
            let factor = dispatch(level, Orthogonal { values: moved, n_rows: *n_rows, n_cols: *n_cols });
            // The factor's root mean square is 1 / sqrt(longer extent).
            let step = rate * muon.step * ((*n_rows).max(*n_cols) as f32).sqrt();
            for ((moved, factor), &(at, _)) in moved.iter_mut().zip(factor).zip(places.iter()) {
                *moved = params[at as usize] - step * factor;
            }
        });
    }

    /// Puts the weights of the last [`HiddenMatrices::step`] into the panels.
    pub fn place(&self, params: &mut [f32]) {
        for matrix in &self.matrices {
            for (&(at, again), &w) in matrix.places.iter().zip(&matrix.moved) {
                params[at as usize] = w;
                if let Some((at, negated)) = again {
                    params[at as usize] = if negated { -w } else { w };
                }
            }
        }
    }
}

/// The orthogonal factor of a matrix, nearly: singular values end between about 0.7 and 1.2.
struct Orthogonal<'a> {
    values: &'a [f32],
    n_rows: usize,
    n_cols: usize,
}

impl Kernel for Orthogonal<'_> {
    /// Row after row, as the matrix; 0 where that is 0.
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> Vec<f32> {
        let Orthogonal { values, n_rows, n_cols } = self;
        let norm = values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>().sqrt();
        if norm == 0.0 {
            return vec![0.0; values.len()];
        }
        // Lying on the longer side, in whole blocks; rows and columns of zeros change nothing.
        let is_tall = n_rows > n_cols;
        let (m, n) = (n_rows.min(n_cols), n_rows.max(n_cols));
        let (wide, long) = (m.next_multiple_of(BLOCK), n.next_multiple_of(BLOCK));
        let at = |row: usize, col: usize| if is_tall { col * long + row } else { row * long + col };
        let mut x = vec![0.0; wide * long];
        for (i, &v) in values.iter().enumerate() {
            x[at(i / n_cols, i % n_cols)] = (f64::from(v) / norm) as f32;
        }
        let [a, b, c] = COEFFICIENTS;
        let mut across = vec![0.0; long * wide];
        for _ in 0..N_ITERATIONS {
            for (i, row) in x.chunks_exact(long).enumerate() {
                row.iter().enumerate().for_each(|(j, &v)| across[j * wide + i] = v);
            }
            let mut square = vec![0.0; wide * wide];
            multiply(
                s,
                [wide, wide, long],
                View { values: &x, rows: long, columns: 1 },
                &across,
                &mut square,
            );
            let mut fourth = vec![0.0; wide * wide];
            let view = View { values: &square, rows: wide, columns: 1 };
            multiply(s, [wide, wide, wide], view, &square, &mut fourth);
            let sum: Vec<f32> = square.iter().zip(&fourth).map(|(s, f)| b * s + c * f).collect();
            let mut next: Vec<f32> = x.iter().map(|v| a * v).collect();
            multiply(s, [wide, long, wide], View { values: &sum, rows: wide, columns: 1 }, &x, &mut next);
            x = next;
        }
        (0..values.len()).map(|i| x[at(i / n_cols, i % n_cols)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Eigenvalues of `x x^T` where x lies, `x^T x` where it stands, by Jacobi's rotations in double precision.
    fn squared_singular_values(x: &[f32], n_rows: usize, n_cols: usize) -> Vec<f64> {
        let at = |r: usize, c: usize| f64::from(x[r * n_cols + c]);
        let n = n_rows.min(n_cols);
        let mut a = vec![vec![0.0; n]; n];
        for i in 0..n {
            for j in 0..n {
                a[i][j] = match n_rows <= n_cols {
                    true => (0..n_cols).map(|k| at(i, k) * at(j, k)).sum(),
                    false => (0..n_rows).map(|k| at(k, i) * at(k, j)).sum(),
                };
            }
        }
        for _ in 0..30 {
            for p in 0..n {
                for q in p + 1..n {
                    let angle = 0.5 * (2.0 * a[p][q]).atan2(a[q][q] - a[p][p]);
                    let (sin, cos) = angle.sin_cos();
                    for k in 0..n {
                        let (x, y) = (a[k][p], a[k][q]);
                        (a[k][p], a[k][q]) = (cos * x - sin * y, sin * x + cos * y);
                    }
                    for k in 0..n {
                        let (x, y) = (a[p][k], a[q][k]);
                        (a[p][k], a[q][k]) = (cos * x - sin * y, sin * x + cos * y);
                    }
                }
            }
        }
        (0..n).map(|i| a[i][i]).collect()
    }

    #[test]
    fn factors_are_nearly_orthogonal_at_every_width() {
        for (n_rows, n_cols) in [(16, 16), (20, 33), (33, 20), (1, 7)] {
            let values: Vec<f32> = (0..n_rows * n_cols)
                .map(|i| ((i * 7919 + i * i * 31) % 1009) as f32 / 1009.0 - 0.5)
                .collect();
            let of = |level| dispatch(level, Orthogonal { values: &values, n_rows, n_cols });
            let factor = of(Level::Scalar);
            for level in Level::available() {
                let same = of(level).iter().zip(&factor).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{level:?}");
            }
            let squares = squared_singular_values(&factor, n_rows, n_cols);
            assert!(squares.iter().all(|v| (0.3..1.6).contains(v)), "{n_rows} x {n_cols}: {squares:?}");
            // Towards the matrix, not away from it.
            let dot: f32 = factor.iter().zip(&values).map(|(f, v)| f * v).sum();
            assert!(dot > 0.0);
        }
        let nothing = Orthogonal { values: &[0.0; 6], n_rows: 2, n_cols: 3 };
        assert_eq!(dispatch(Level::Scalar, nothing), [0.0; 6]);
    }
}
