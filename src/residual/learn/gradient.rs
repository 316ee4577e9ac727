//! The code length of values under a context network in training, and its gradient.

use crate::lane::matrix::{View, multiply};
use crate::lane::{Kernel, Scalar, Simd};
use crate::residual::neighbourhood::{Features, N_FEATURES};
use crate::residual::network::{BLOCK, N_OUTPUTS, N_PARTS};

/// What a bin may cost at most: no probability is below this share of an even one.
const FLOOR: f32 = 1e-4;
/// Limits of the finenesses, in octaves; those of the network.
const FINENESS: (f32, f32) = (-3.0, 9.0);

/// Where each layer's weights (by input, then output) and biases lie among the parameters.
#[derive(Clone, Copy)]
pub struct Layout {
    pub n_in: [usize; 3],
    pub n_out: [usize; 3],
    pub weights: [usize; 3],
    pub biases: [usize; 3],
    pub n: usize,
}

impl Layout {
    pub fn new(units: [usize; 2]) -> Layout {
        let (n_in, n_out) = ([N_FEATURES, units[0], units[1]], [units[0], units[1], BLOCK]);
        let (mut weights, mut biases, mut n) = ([0; 3], [0; 3], 0);
        for l in 0..3 {
            weights[l] = n;
            biases[l] = n + n_in[l] * n_out[l];
            n = biases[l] + n_out[l];
        }
        Layout { n_in, n_out, weights, biases, n }
    }

    pub fn row(&self, l: usize, i: usize) -> std::ops::Range<usize> {
        let start = self.weights[l] + i * self.n_out[l];
        start..start + self.n_out[l]
    }

    pub fn bias(&self, l: usize) -> std::ops::Range<usize> {
        self.biases[l]..self.biases[l] + self.n_out[l]
    }
}

/// Adds the gradients of some voxels' code lengths, in bits, to `gradient`.
pub struct Gradients<'a> {
    pub layout: Layout,
    pub parameters: &'a [f32],
    /// Weights of the upper two layers by output, then input.
    pub transposed: &'a [Vec<f32>; 2],
    pub voxels: &'a [(Features, usize, &'a [f32])],
    pub gradient: &'a mut [f32],
}

impl Kernel for Gradients<'_> {
    /// The sum of the code lengths.
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, s: S) -> f64 {
        let Gradients { layout, parameters: p, transposed, voxels, gradient } = self;
        let n = voxels.len();
        let features = voxels.iter().flat_map(|v| v.0).map(|f| f32::from(f) / 256.0);
        let mut values = [features.collect::<Vec<f32>>(), vec![], vec![]];
        let mut outputs = vec![];
        for l in 0..3 {
            let [n_in, n_out] = [layout.n_in[l], layout.n_out[l]];
            let mut sums = p[layout.bias(l)].repeat(n);
            let x = View { values: &values[l], rows: n_in, columns: 1 };
            multiply(s, [n, n_out, n_in], x, &p[layout.weights[l]..], &mut sums);
            match values.get_mut(l + 1) {
                Some(values) => *values = sums.into_iter().map(|x| x.max(0.0)).collect(),
                None => outputs = sums,
            }
        }
        let mut bits = 0.0;
        let mut slopes = vec![0.0; n * BLOCK];
        for ((outputs, slopes), (_, bin, edges)) in
            outputs.chunks_exact(BLOCK).zip(slopes.chunks_exact_mut(BLOCK)).zip(voxels)
        {
            let (cost, slope) = code_length(&outputs[..N_OUTPUTS], *bin, edges);
            bits += f64::from(cost);
            slopes[..N_OUTPUTS].copy_from_slice(&slope);
        }
        for l in (0..3).rev() {
            let [n_in, n_out] = [layout.n_in[l], layout.n_out[l]];
            let x = View { values: &values[l], rows: 1, columns: n_in };
            multiply(s, [n_in, n_out, n], x, &slopes, &mut gradient[layout.weights[l]..]);
            for slopes in slopes.chunks_exact(n_out) {
                gradient[layout.bias(l)].iter_mut().zip(slopes).for_each(|(g, s)| *g += s);
            }
            if l > 0 {
                let mut below = vec![0.0; n * n_in];
                let above = View { values: &slopes, rows: n_out, columns: 1 };
                multiply(s, [n, n_in, n_out], above, &transposed[l - 1], &mut below);
                // Units at rest pass nothing on.
                below.iter_mut().zip(&values[l]).filter(|(_, x)| **x == 0.0).for_each(|(b, _)| *b = 0.0);
                slopes = below;
            }
        }
        bits
    }
}

/// Bits that bin `bin` costs under the mixture of `outputs` (centres, finenesses in octaves, logits in octaves), and
/// how they change with each output.
fn code_length(outputs: &[f32], bin: usize, edges: &[f32]) -> (f32, [f32; N_OUTPUTS]) {
    use std::f32::consts::{LN_2, LOG2_E};
    let s = Scalar::new();
    let logistic = |z: f32| 1.0 / (1.0 + s.exp2(-z * LOG2_E));
    let logits = &outputs[2 * N_PARTS..];
    let top = logits.iter().fold(f32::MIN, |a, b| a.max(*b));
    let weights: [f32; N_PARTS] = std::array::from_fn(|r| s.exp2(logits[r] - top));
    let sum: f32 = weights.iter().sum();
    let mut parts = [0.0; N_PARTS];
    let mut slopes = [0.0; N_OUTPUTS];
    let mut p = 0.0;
    for r in 0..N_PARTS {
        let octaves = outputs[N_PARTS + r];
        let fineness = s.exp2(octaves.clamp(FINENESS.0, FINENESS.1));
        let share = weights[r] / sum;
        let (low, high) = (edges[bin] - outputs[r], edges[bin + 1] - outputs[r]);
        let (below, to) = (logistic(low * fineness), logistic(high * fineness));
        let (steep_low, steep_high) = (below * (1.0 - below), to * (1.0 - to));
        parts[r] = to - below;
        p += share * parts[r];
        slopes[r] = share * fineness * (steep_low - steep_high);
        if octaves > FINENESS.0 && octaves < FINENESS.1 {
            slopes[N_PARTS + r] = share * fineness * LN_2 * (high * steep_high - low * steep_low);
        }
    }
    for r in 0..N_PARTS {
        slopes[2 * N_PARTS + r] = LN_2 * weights[r] / sum * (parts[r] - p);
    }
    let n_bins = (edges.len() - 1) as f32;
    let kept = p * (1.0 - FLOOR) + FLOOR / n_bins;
    let slope = -(1.0 - FLOOR) / (kept * LN_2);
    (-s.log2(kept), slopes.map(|x| x * slope))
}

/// The weights of the upper two layers by output, then input.
pub fn transposed(layout: &Layout, parameters: &[f32]) -> [Vec<f32>; 2] {
    [1, 2].map(|l| {
        let row = |o| (0..layout.n_in[l]).map(move |i| parameters[layout.row(l, i)][o]);
        (0..layout.n_out[l]).flat_map(row).collect()
    })
}
