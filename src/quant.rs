//! Weights as integers: how coarse each tensor may be, and its bytes.

use crate::error::{Error, Result};
use crate::net::{NetSpec, Weights, tensors};

/// How many bits weights shall cost, as a mean over the network, and the share that biases get.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BitRates {
    /// Mean bits of a matrix element on disk, after entropy coding.
    pub matrix: f32,
    /// Mean bits of a bias.
    pub bias: f32,
}

/// Entropy in bits of a Gaussian of deviation 1 rounded to steps of 1 (differential entropy, fine steps).
const GAUSSIAN_BITS: f64 = 2.047_095_585_180_641;

/// Chooses the quantisation step of each tensor.
///
/// Rounding to steps of `d` costs about `f d^2 / 24` of loss a weight, `f` being the curvature of the loss (here
/// the mean squared gradient, the Fisher approximation), and saves `log2 d` bits. At equal slopes over all
/// tensors, `d` is proportional to `1 / sqrt(f)`; the factor follows from the mean rate asked for.
///
/// # Errors
/// `Argument` for rates that are not positive.
pub fn allocate(weights: &Weights, curvature: &[f32], bits: &BitRates) -> Result<Vec<f32>> {
    if !(bits.matrix > 0.0 && bits.bias > 0.0) || curvature.len() != weights.values().len() {
        return Err(Error::argument(format!("bits a weight must be positive: {bits:?}")));
    }
    let tensors = weights.tensors();
    let mean =
        |x: &[f32], f: fn(f64) -> f64| x.iter().map(|&x| f(f64::from(x))).sum::<f64>() / x.len() as f64;
    let spread: Vec<f64> =
        tensors.iter().map(|t| mean(&weights.values()[t.range()], |x| x * x).sqrt().max(1e-12)).collect();
    // Never flat: a tensor without gradients is a tensor that some steps did not reach.
    let sharpness: Vec<f64> =
        tensors.iter().map(|t| mean(&curvature[t.range()], |x| x).max(1e-30).sqrt()).collect();
    let mut steps = vec![0.0f32; tensors.len()];
    for (is_bias, rate) in [(false, bits.matrix), (true, bits.bias)] {
        let (mut n, mut bits_at_1) = (0.0, 0.0);
        for (i, t) in tensors.iter().enumerate().filter(|(_, t)| t.is_bias == is_bias) {
            let size = t.range().len() as f64;
            n += size;
            bits_at_1 += size * (GAUSSIAN_BITS + (spread[i] * sharpness[i]).log2());
        }
        let factor = (bits_at_1 / n - f64::from(rate)).exp2();
        for (i, _) in tensors.iter().enumerate().filter(|(_, t)| t.is_bias == is_bias) {
            steps[i] = ((factor / sharpness[i]) as f32).clamp(1e-12, 1e6);
        }
    }
    Ok(steps)
}

/// The integers nearest to `weights / steps`, tensor by tensor (ties to even).
pub fn quantise(weights: &Weights, steps: &[f32]) -> Vec<i32> {
    let mut out = Vec::with_capacity(weights.values().len());
    for (t, &step) in weights.tensors().iter().zip(steps) {
        out.extend(weights.values()[t.range()].iter().map(|w| (w / step).round_ties_even() as i32));
    }
    out
}

/// Weights from integers: `integer * step`, one rounding.
///
/// # Errors
/// `Argument` where the numbers do not belong to a network of `spec`.
pub fn dequantise(spec: NetSpec, integers: &[i32], steps: &[f32]) -> Result<Weights> {
    let tensors = tensors(&spec);
    if integers.len() != spec.n_weights() || steps.len() != tensors.len() {
        return Err(Error::argument("integers or steps of another network"));
    }
    let mut values = Vec::with_capacity(integers.len());
    for (t, &step) in tensors.iter().zip(steps) {
        values.extend(integers[t.range()].iter().map(|&i| i as f32 * step));
    }
    Weights::new(spec, values)
}

/// The weights as a decoder will see them.
pub fn round(weights: &Weights, steps: &[f32]) -> Weights {
    let integers = quantise(weights, steps);
    dequantise(*weights.spec(), &integers, steps).unwrap_or_else(|_| weights.clone())
}
