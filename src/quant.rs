//! Weights as integers: how coarse each tensor may be, and its bytes.

use crate::error::{Error, Result};
use crate::lane::{Scalar, Simd};
use crate::net::{NetSpec, Weights, tensors};

/// How many bits the elements of matrices shall cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MatrixBits {
    /// This mean over the network, on disk, after entropy coding.
    Mean(f32),
    /// As many as are worth it: the steps at which one bit less a weight would cost a given share of the loss.
    Worth,
}

/// How many bits weights shall cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BitRates {
    /// Elements of matrices.
    pub matrix: MatrixBits,
    /// Mean bits of a bias.
    pub bias: f32,
    /// Whether steps are those of [`quarter_step`], which take a byte each on disk.
    pub quarters: bool,
}

/// What the loss tells of the weights' worth.
#[derive(Debug, Clone, Copy)]
pub struct Sensitivity<'a> {
    /// Mean squared gradient of each weight, over batches.
    pub curvature: &'a [f32],
    /// Sites of a batch.
    pub batch: usize,
    /// The loss now.
    pub loss: f64,
}

/// Entropy in bits of a Gaussian of deviation 1 rounded to steps of 1 (differential entropy, fine steps).
const GAUSSIAN_BITS: f32 = 2.047_095_6;

/// Step times root of the curvature times root of the batch, over the loss, in [`MatrixBits::Worth`]. At this value a
/// default fit of a dense event ends near 4.6 bits a weight; fewer cost error faster than a narrower network does.
const WORTH: f64 = 0.022;

/// Fewest and most mean bits that [`MatrixBits::Worth`] gives: beyond, the loss says nothing useful.
pub const WORTH_BITS: (f32, f32) = (3.0, 8.0);

/// Chooses the quantisation step of each tensor.
///
/// Rounding to steps of `d` costs about `f d^2 / 24` of loss a weight, `f` being the curvature of the loss (here
/// the mean squared gradient, the Fisher approximation), and saves `log2 d` bits. At equal slopes over all
/// tensors, `d` is proportional to `1 / sqrt(f)`; the factor follows from the mean rate asked for, or from what a
/// bit may cost. Arithmetic is that of [`crate::lane`], so that steps are the same on every machine.
///
/// # Errors
/// `Argument` for rates that are not positive, or a curvature of another network.
pub fn allocate(weights: &Weights, sensitivity: &Sensitivity<'_>, bits: &BitRates) -> Result<Vec<f32>> {
    let asked = match bits.matrix {
        MatrixBits::Mean(mean) => mean,
        MatrixBits::Worth => WORTH_BITS.0,
    };
    if !(asked > 0.0 && bits.bias > 0.0) || sensitivity.curvature.len() != weights.values().len() {
        return Err(Error::argument(format!("bits a weight must be positive: {bits:?}")));
    }
    let s = Scalar::new();
    let mean =
        |x: &[f32], f: fn(f64) -> f64| x.iter().map(|&x| f(f64::from(x))).sum::<f64>() / x.len() as f64;
    let tensors = weights.tensors();
    // Never flat: a tensor without gradients is a tensor that some steps did not reach.
    let sharpness: Vec<f64> =
        tensors.iter().map(|t| mean(&sensitivity.curvature[t.range()], |x| x).max(1e-30).sqrt()).collect();
    let mut steps = vec![0.0f32; tensors.len()];
    for is_bias in [false, true] {
        let these = || tensors.iter().enumerate().filter(move |(_, t)| t.is_bias == is_bias);
        let (mut n, mut bits_at_1) = (0.0, 0.0);
        for (i, t) in these() {
            let spread = mean(&weights.values()[t.range()], |x| x * x).sqrt().max(1e-12);
            let size = t.range().len() as f32;
            n += size;
            bits_at_1 += size * (GAUSSIAN_BITS + s.log2((spread * sharpness[i]).max(1e-37) as f32));
        }
        // Steps are `factor / sharpness`, which cost `bits_at_1 / n - log2 factor` bits.
        let rate = match (is_bias, bits.matrix) {
            (true, _) => bits.bias,
            (false, MatrixBits::Mean(mean)) => mean,
            (false, MatrixBits::Worth) => {
                let factor = WORTH * sensitivity.loss / (sensitivity.batch as f64).sqrt();
                (bits_at_1 / n - s.log2(factor.clamp(1e-37, 1e37) as f32)).clamp(WORTH_BITS.0, WORTH_BITS.1)
            }
        };
        let factor = f64::from(s.exp2(bits_at_1 / n - rate));
        for (i, _) in these() {
            let step = ((factor / sharpness[i]) as f32).clamp(1e-12, 1e6);
            steps[i] = match bits.quarters {
                true => quarter_step(((s.log2(step) + 40.0) * 4.0).round_ties_even() as u8),
                false => step,
            };
        }
    }
    Ok(steps)
}

/// Step `n` of those a quarter of an octave apart: `2^(n / 4 - 40)`, its mantissa rounded to seven digits.
pub fn quarter_step(n: u8) -> f32 {
    const MANTISSA: [f32; 4] = [1.0, 1.189_207_1, std::f32::consts::SQRT_2, 1.681_792_9];
    // Exponents -40 to 23: the product is exact.
    MANTISSA[usize::from(n % 4)] * f32::from_bits((u32::from(n / 4) + 127 - 40) << 23)
}

/// The number of `step` among the quarter steps, if it is one.
pub fn quarter_of(step: f32) -> Option<u8> {
    (0..=u8::MAX).find(|&n| quarter_step(n) == step)
}

/// The integers nearest to `weights / steps`, tensor by tensor (ties to even).
pub fn quantise(weights: &Weights, steps: &[f32]) -> Vec<i32> {
    let mut out = Vec::with_capacity(weights.values().len());
    for (t, &step) in weights.tensors().iter().zip(steps) {
        out.extend(weights.values()[t.range()].iter().map(|w| (w / step).round_ties_even() as i32));
    }
    out
}

/// `integers` less what the weights `start` are at the same steps: what is stored of a network whose start the decoder
/// has. Modulo 2^32, so that [`add_start`] gives them back whatever they are.
pub fn less_start(integers: &[i32], start: &Weights, steps: &[f32]) -> Vec<i32> {
    integers.iter().zip(quantise(start, steps)).map(|(i, s)| i.wrapping_sub(s)).collect()
}

/// The inverse of [`less_start`].
pub fn add_start(differences: &[i32], start: &Weights, steps: &[f32]) -> Vec<i32> {
    differences.iter().zip(quantise(start, steps)).map(|(d, s)| d.wrapping_add(s)).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quarter_steps_are_a_quarter_of_an_octave_apart() {
        for n in 0..=u8::MAX {
            let step = quarter_step(n);
            assert!((f64::from(step).log2() - (f64::from(n) / 4.0 - 40.0)).abs() < 1e-7, "{n}: {step}");
            assert_eq!(quarter_of(step), Some(n));
        }
        assert_eq!(quarter_of(0.3), None);
    }
}
