//! Derivatives of a network's outputs with respect to its inputs, in forward mode.
//!
//! A point takes four rows of a tile: its values, and their derivatives in three directions. Sums are linear, so all
//! four go through the same matrix; an activation multiplies the derivatives by its slope at the sum (a rectifier at its
//! kink takes the side that the direction points to). Products follow the product rule, and a complex wavelet is
//! multiplied by the derivative of its exponent. The arithmetic is that of the lanes, so that derivatives have the same
//! bits everywhere, and the first row is what [`Backend::evaluate`](crate::backend::Backend::evaluate) gives.

use super::kernel::{STRIDE, Scratch, TILE, accumulate, activate, wavelet};
use super::plan::{BLOCK, LayerPlan, Plan};
use crate::lane::{Kernel, Simd};
use crate::net::Activation;

/// Rows of a point.
pub const ROWS: usize = 4;

/// Points of a tile.
pub const POINTS: usize = TILE / ROWS;

/// Evaluates the points of a tile: `rows` holds [`ROWS`] rows of inputs a point, `out` as many of heads.
pub struct TangentTile<'a> {
    pub plan: &'a Plan,
    pub params: &'a [f32],
    pub rows: &'a [f32],
    pub scratch: &'a mut Scratch,
    pub out: &'a mut [f32],
}

impl Kernel for TangentTile<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let TangentTile { plan, params, rows, scratch, out } = self;
        let n_in = plan.spec.n_coords + plan.spec.n_features;
        let n_heads = plan.spec.n_heads;
        let n_rows = out.len() / n_heads;
        assert!(n_rows <= TILE && rows.len() == n_rows * n_in && params.len() == plan.n_params);
        for (row, inputs) in rows.chunks_exact(n_in).enumerate() {
            let (coords, features) = inputs.split_at(3);
            scratch.set_inputs(row, [coords[0], coords[1], coords[2]], features);
        }
        let (values, _) = scratch.buffers(plan);
        for layer in &plan.layers {
            // Real and imaginary parts are made together.
            let n_blocks = if layer.out_half > 0 { layer.out_half } else { layer.n_out_blocks };
            let n_vectors = n_blocks * BLOCK / S::N;
            for point in 0..n_rows / ROWS {
                for v in 0..n_vectors {
                    // SAFETY: the buffers have the plan's sizes, and rows and vectors stay inside a tile.
                    unsafe { layer_tile(s, layer, params.as_ptr(), values, point * ROWS, v) };
                }
            }
        }
        for (row, out) in out.chunks_exact_mut(n_heads).enumerate() {
            for (h, out) in out.iter_mut().enumerate() {
                *out = scratch.head(plan, row, h);
            }
        }
    }
}

/// One vector of outputs of the point whose rows start at `row`; in a complex layer that of the real parts, and with it
/// that of the imaginary parts.
///
/// # Safety
/// `layer`, `params` and `values` belong to one plan; `row` and the rows after it lie in a tile, `v` in the layer, or in
/// the first part of a complex one.
#[inline(always)]
unsafe fn layer_tile<S: Simd>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    values: *mut f32,
    row: usize,
    v: usize,
) {
    let (block, lane) = (v * S::N / BLOCK, v * S::N % BLOCK);
    let zero = s.splat(0.0);
    // SAFETY: the caller's promise; a factor is a layer of as many outputs, computed before.
    unsafe {
        let place = |block: usize| (layer.out_block + block) * STRIDE + row * BLOCK + lane;
        let to = values.add(place(block));
        match layer.activation {
            Activation::ComplexGabor { omega, scale } => {
                let imaginary = block + layer.out_half;
                let sums = sums(s, layer, params, values, row, [block, imaginary], lane);
                let [re, im] = sums[0];
                let real = layer.sums_are_real;
                let (value, growth) = wavelet::<S, true>(s, (omega, scale), real, re, im);
                let to = [to, values.add(place(imaginary))];
                s.store(to[0], value[0]);
                s.store(to[1], value[1]);
                let omega = s.splat(omega);
                for (r, [d_re, d_im]) in sums.into_iter().enumerate().skip(1) {
                    // The wavelet times the derivative of its exponent, `log_envelope + i phase`.
                    let log_envelope = s.fma(growth[0], d_re, s.mul(growth[1], d_im));
                    let phase = s.mul(omega, d_re);
                    let [x, y] = value;
                    s.store(to[0].add(r * BLOCK), s.sub(s.mul(x, log_envelope), s.mul(y, phase)));
                    s.store(to[1].add(r * BLOCK), s.fma(y, log_envelope, s.mul(x, phase)));
                }
            }
            Activation::Product { .. } => {
                let sums = sums(s, layer, params, values, row, [block], lane);
                let [a] = sums[0];
                let by = to.sub((layer.out_block - layer.factor) * STRIDE);
                let factor = s.load(by);
                s.store(to, s.mul(a, factor));
                for (r, [sum]) in sums.into_iter().enumerate().skip(1) {
                    let d_factor = s.load(by.add(r * BLOCK));
                    s.store(to.add(r * BLOCK), s.fma(sum, factor, s.mul(a, d_factor)));
                }
            }
            activation => {
                let sums = sums(s, layer, params, values, row, [block], lane);
                let [a] = sums[0];
                let (value, slope) = activate::<S, true>(s, activation, a);
                s.store(to, value);
                for (r, [sum]) in sums.into_iter().enumerate().skip(1) {
                    let derivative = match activation {
                        // At the kink, which quantised weights reach, the derivative depends on the direction.
                        Activation::Relu => {
                            s.select_gt(a, zero, sum, s.select_gt(zero, a, zero, s.max(sum, zero)))
                        }
                        _ => s.mul(slope, sum),
                    };
                    s.store(to.add(r * BLOCK), derivative);
                }
            }
        }
    }
}

/// The sums of a point's rows, from `lane` of each of `blocks` on.
///
/// # Safety
/// As [`layer_tile`], and `blocks` are of the layer.
#[inline(always)]
unsafe fn sums<S: Simd, const NV: usize>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    values: *const f32,
    row: usize,
    blocks: [usize; NV],
    lane: usize,
) -> [[S::V; NV]; ROWS] {
    let zero = [s.splat(0.0); NV];
    // SAFETY: the caller's promise.
    unsafe {
        let mut w = blocks.map(|block| params.add(layer.matrix + block * layer.n_in * BLOCK + lane));
        // A bias is a constant.
        let bias = blocks.map(|block| s.load(params.add(layer.bias + block * BLOCK + lane)));
        let mut sums = [bias, zero, zero, zero];
        for &(from, n) in &layer.inputs {
            let a = values.add(from * STRIDE + row * BLOCK);
            accumulate::<S, ROWS, NV, BLOCK, 1>(s, n, a, w, &mut sums);
            w = w.map(|w| w.add(n * BLOCK));
        }
        sums
    }
}
