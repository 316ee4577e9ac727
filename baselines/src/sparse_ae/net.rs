//! The network: sizes, weights, loss and gradient.

use super::product::{Matrix, Real, multiply};
use crate::error::{Error, Result};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

/// No network has as many weights: 2^28, a gigabyte.
const MAX_WEIGHTS: usize = 1 << 28;

/// What is kept sparse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Penalty {
    /// The latents: f(z) = z.
    Latent,
    /// Their differences: f(z)_i = z_i - z_(i-1), with 0 before the first.
    Gradient,
}

impl fmt::Display for Penalty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Penalty::Latent => "z",
            Penalty::Gradient => "grad-z",
        })
    }
}

impl FromStr for Penalty {
    type Err = Error;

    fn from_str(text: &str) -> Result<Penalty> {
        match text {
            "z" => Ok(Penalty::Latent),
            "grad-z" => Ok(Penalty::Gradient),
            _ => Err(Error::Argument(format!("'{text}' is none of: z, grad-z"))),
        }
    }
}

/// Extents of the layers: n -> m -> l -> m -> n.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Pixels of an image.
    pub n: usize,
    /// Units of the hidden layers.
    pub m: usize,
    /// Latents.
    pub l: usize,
}

impl Sizes {
    /// Checks them.
    ///
    /// # Errors
    /// `Argument` for an empty layer and for more than 2^28 weights.
    pub fn check(self) -> Result<()> {
        let Sizes { n, m, l } = self;
        if n == 0 || m == 0 || l == 0 {
            return Err(Error::Argument(format!("an empty layer: {n}, {m}, {l}")));
        }
        let n_weights = n.saturating_add(l).saturating_mul(m).saturating_mul(2);
        let fits = n_weights.saturating_add(n).saturating_add(2 * m.min(MAX_WEIGHTS)).saturating_add(l)
            <= MAX_WEIGHTS;
        let why =
            format!("layers of {n}, {m} and {l} units have more than {MAX_WEIGHTS} weights: choose fewer");
        if fits { Ok(()) } else { Err(Error::Argument(why)) }
    }

    /// Inputs and outputs of the four layers.
    pub fn layers(self) -> [[usize; 2]; 4] {
        [[self.n, self.m], [self.m, self.l], [self.l, self.m], [self.m, self.n]]
    }

    /// Where the weights and the biases of the layers lie among all.
    pub fn places(self) -> [[Range<usize>; 2]; 4] {
        let mut at = 0;
        self.layers().map(|[inputs, outputs]| {
            let weights = at..at + inputs * outputs;
            at = weights.end + outputs;
            [weights.clone(), weights.end..at]
        })
    }

    /// Weights and biases.
    pub fn n_weights(self) -> usize {
        self.layers().iter().map(|[inputs, outputs]| (inputs + 1) * outputs).sum()
    }

    /// The largest norm of what leaves a unit, for latents and for units of the last hidden layer.
    fn caps(self) -> [f64; 2] {
        [1.0, 2.0 * (self.n as f64 / self.m as f64).sqrt()]
    }

    /// Scales what leaves a latent or a unit of the last hidden layer down to the largest norm allowed.
    pub fn cap<T: Real>(self, weights: &mut [T]) {
        for (layer, cap) in [2, 3].into_iter().zip(self.caps()) {
            let place = self.places()[layer][0].clone();
            weights[place].par_chunks_mut(self.layers()[layer][1]).for_each(|row| {
                let norm = row.iter().map(|w| w.to() * w.to()).sum::<f64>().sqrt();
                if norm > cap {
                    let scale = T::of(cap / norm);
                    row.iter_mut().for_each(|w| *w = *w * scale);
                }
            });
        }
    }

    /// Starting weights: uniform within 1 / sqrt(inputs); biases zero. (Larger ones, of variance 2 / inputs, left the
    /// network at the mean image for hundreds of steps.)
    pub fn start(self, seed: u64) -> Vec<f32> {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let mut weights = vec![0.0; self.n_weights()];
        for (layer, [place, _]) in self.places().into_iter().enumerate() {
            let bound = (self.layers()[layer][0] as f32).sqrt().recip();
            weights[place].fill_with(|| (2.0 * generator.random::<f32>() - 1.0) * bound);
        }
        self.cap(&mut weights);
        weights
    }
}

/// Buffers of a batch: nothing is allocated within a step.
#[derive(Debug)]
pub struct Batch<T> {
    sizes: Sizes,
    /// Images, and what each layer gives (after ReLU).
    pub values: [Vec<T>; 5],
    /// Gradients at those of `values` past the first.
    slopes: [Vec<T>; 4],
}

/// Parts of a loss, means over a batch.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Loss {
    /// |y' - y|^2 / n.
    pub error: f64,
    /// |f(z)|_1.
    pub penalty: f64,
}

impl<T: Real> Batch<T> {
    /// Buffers for `n_images` at once.
    pub fn new(sizes: Sizes, n_images: usize) -> Batch<T> {
        let buffer = |n: usize| vec![T::default(); n * n_images];
        let Sizes { n, m, l } = sizes;
        Batch { sizes, values: [n, m, l, m, n].map(buffer), slopes: [m, l, m, n].map(buffer) }
    }

    /// Evaluates the network on `values[0]`.
    pub fn forward(&mut self, weights: &[T]) {
        for (layer, [weight, bias]) in self.sizes.places().into_iter().enumerate() {
            let [n_inputs, n_outputs] = self.sizes.layers()[layer];
            let (inputs, outputs) = self.values.split_at_mut(layer + 1);
            let outputs = &mut outputs[0];
            multiply(
                outputs,
                Matrix::new(&inputs[layer], n_inputs),
                Matrix::new(&weights[weight], n_outputs),
            );
            let bias = &weights[bias];
            outputs.par_chunks_mut(n_outputs).for_each(|row| {
                for (x, &b) in row.iter_mut().zip(bias) {
                    *x += b;
                    // The last layer is linear.
                    if layer < 3 && *x <= T::default() {
                        *x = T::default();
                    }
                }
            });
        }
    }

    /// The loss of the batch in `values[0]`, and its gradient by all weights.
    pub fn gradient(&mut self, weights: &[T], penalty: Penalty, lambda: f64, gradient: &mut [T]) -> Loss {
        self.forward(weights);
        let n_images = self.values[0].len() / self.sizes.n;
        let loss = self.loss(penalty);
        let scale = T::of(2.0 / (n_images * self.sizes.n) as f64);
        for ((slope, &y), &x) in self.slopes[3].iter_mut().zip(&self.values[4]).zip(&self.values[0]) {
            *slope = (y - x) * scale;
        }
        let places = self.sizes.places();
        for layer in (0..4).rev() {
            let [n_inputs, n_outputs] = self.sizes.layers()[layer];
            let [weight, bias] = places[layer].clone();
            let (inner, outer) = self.slopes.split_at_mut(layer);
            let slopes = &outer[0];
            let columns = Matrix::new(slopes, n_outputs);
            multiply(
                &mut gradient[weight.clone()],
                Matrix::new(&self.values[layer], n_inputs).transposed(),
                columns,
            );
            let sums = &mut gradient[bias];
            sums.fill(T::default());
            for row in slopes.chunks_exact(n_outputs) {
                sums.iter_mut().zip(row).for_each(|(sum, &s)| *sum += s);
            }
            let Some(below) = inner.last_mut() else { break };
            multiply(below, columns, Matrix::new(&weights[weight], n_outputs).transposed());
            let values = &self.values[layer];
            if layer == 2 {
                penalise(below, values, self.sizes.l, penalty, T::of(lambda / n_images as f64));
            }
            for (slope, &value) in below.iter_mut().zip(values) {
                if value == T::default() {
                    *slope = T::default();
                }
            }
        }
        loss
    }

    /// The loss of what was evaluated last.
    pub fn loss(&self, penalty: Penalty) -> Loss {
        let n_images = (self.values[0].len() / self.sizes.n) as f64;
        let pairs = self.values[0].par_chunks(self.sizes.n).zip(self.values[4].par_chunks(self.sizes.n));
        let squares =
            pairs.map(|(x, y)| x.iter().zip(y).map(|(&x, &y)| ((y - x) * (y - x)).to()).sum::<f64>());
        // Collected first: a parallel sum has no order.
        let error = squares.collect::<Vec<_>>().iter().sum::<f64>() / (n_images * self.sizes.n as f64);
        let penalties = self.values[2].par_chunks(self.sizes.l).map(|z| {
            let before = |i: usize| match (penalty, i) {
                (Penalty::Latent, _) | (_, 0) => 0.0,
                (Penalty::Gradient, _) => z[i - 1].to(),
            };
            z.iter().enumerate().map(|(i, z)| (z.to() - before(i)).abs()).sum::<f64>()
        });
        Loss { error, penalty: penalties.collect::<Vec<_>>().iter().sum::<f64>() / n_images }
    }
}

/// Adds the gradient of lambda |f(z)|_1 to `slopes`. |x| has the slope 0 at 0.
fn penalise<T: Real>(slopes: &mut [T], latents: &[T], l: usize, penalty: Penalty, lambda: T) {
    let sign = |x: T| match x.partial_cmp(&T::default()) {
        Some(std::cmp::Ordering::Greater) => lambda,
        Some(std::cmp::Ordering::Less) => -lambda,
        _ => T::default(),
    };
    slopes.par_chunks_mut(l).zip(latents.par_chunks(l)).for_each(|(slopes, z)| match penalty {
        Penalty::Latent => slopes.iter_mut().zip(z).for_each(|(slope, &z)| *slope += sign(z)),
        Penalty::Gradient => {
            let mut before = T::default();
            for i in 0..l {
                let step = sign(z[i] - before);
                slopes[i] += step;
                if i > 0 {
                    slopes[i - 1] += -step;
                }
                before = z[i];
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: Sizes = Sizes { n: 6, m: 5, l: 9 };

    #[test]
    fn weights_have_places_without_gap_or_overlap() {
        let mut at = 0;
        for range in SIZES.places().into_iter().flatten() {
            assert_eq!(range.start, at);
            at = range.end;
        }
        assert_eq!(at, SIZES.n_weights());
        assert_eq!(at, 6 * 5 + 5 + 5 * 9 + 9 + 9 * 5 + 5 + 5 * 6 + 6);
    }

    #[test]
    fn sizes_are_checked() {
        assert!(SIZES.check().is_ok());
        for (n, m, l) in
            [(0, 1, 1), (1, 0, 1), (1, 1, 0), (1 << 20, 1 << 9, 1), (usize::MAX, 1, 1), (1, 2, usize::MAX)]
        {
            assert!(Sizes { n, m, l }.check().is_err(), "{n} {m} {l}");
        }
    }

    #[test]
    fn gradients_are_finite_differences() {
        for penalty in [Penalty::Latent, Penalty::Gradient] {
            let lambda = 0.3;
            let mut weights: Vec<f64> = SIZES.start(5).into_iter().map(f64::from).collect();
            // Biases too, so that no value lies at the corner of a ReLU.
            for [_, bias] in SIZES.places() {
                weights[bias].iter_mut().enumerate().for_each(|(i, b)| *b = 0.05 * (i as f64 - 1.5));
            }
            let mut batch = Batch::<f64>::new(SIZES, 4);
            let image = |i: usize| ((i * 37 + 11) % 23) as f64 / 9.0 - 1.2;
            batch.values[0].iter_mut().enumerate().for_each(|(i, x)| *x = image(i));
            let mut gradient = vec![f64::NAN; weights.len()];
            let loss = batch.gradient(&weights, penalty, lambda, &mut gradient);
            assert!(loss.error > 0.0 && loss.penalty > 0.0);
            let active = batch.values[2].iter().filter(|&&z| z > 0.0).count();
            assert!((5..31).contains(&active), "{active} of 36 latents are not zero");
            let mut at = |weights: &[f64]| {
                batch.forward(weights);
                let loss = batch.loss(penalty);
                loss.error + lambda * loss.penalty
            };
            let mut n_slopes = 0;
            for i in 0..weights.len() {
                let (w, h) = (weights[i], 1e-6);
                weights[i] = w + h;
                let above = at(&weights);
                weights[i] = w - h;
                let below = at(&weights);
                weights[i] = w;
                let slope = (above - below) / (2.0 * h);
                n_slopes += usize::from(slope.abs() > 1e-4);
                assert!((slope - gradient[i]).abs() < 1e-7, "{penalty}, {i}: {slope} {}", gradient[i]);
            }
            assert!(n_slopes > weights.len() / 2, "{n_slopes}");
        }
    }

    #[test]
    fn what_leaves_a_unit_has_a_norm_of_at_most_the_cap() {
        let mut weights = vec![3.0; SIZES.n_weights()];
        SIZES.cap(&mut weights);
        for (layer, cap) in [(2, 1.0), (3, 2.0 * (6.0f64 / 5.0).sqrt())] {
            for row in weights[SIZES.places()[layer][0].clone()].chunks_exact(SIZES.layers()[layer][1]) {
                assert!((row.iter().map(|w: &f64| w * w).sum::<f64>().sqrt() - cap).abs() < 1e-12);
            }
        }
        assert!(weights[SIZES.places()[0][0].clone()].iter().all(|&w| w == 3.0));
        let start: Vec<f32> = SIZES.start(1);
        let mut capped = start.clone();
        SIZES.cap(&mut capped);
        assert_eq!(start, capped);
    }

    #[test]
    fn names_come_back() {
        for penalty in [Penalty::Latent, Penalty::Gradient] {
            assert_eq!(penalty.to_string().parse::<Penalty>().unwrap(), penalty);
        }
        assert!("gradient".parse::<Penalty>().unwrap_err().to_string().contains("grad-z"));
    }
}
