//! Derivatives of a network's outputs with respect to its inputs, in forward mode.
//!
//! A point takes four rows of a tile: its values, and their derivatives in three directions. Sums are linear, so all
//! four go through the same matrix; an activation multiplies the derivatives by its slope at the sum (a rectifier at its
//! kink takes the side that the direction points to). The arithmetic
//! is that of the lanes, so that derivatives have the same bits everywhere, and the first row is what
//! [`Backend::evaluate`](crate::backend::Backend::evaluate) gives.

use super::kernel::{STRIDE, Scratch, TILE, accumulate, activate, paired_vector, wavelet};
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
            let n_vectors = layer.n_out_blocks * BLOCK / S::N;
            // All vectors of a complex layer come in twos.
            let step = if layer.out_half > 0 { 2 } else { 1 };
            for point in 0..n_rows / ROWS {
                for v in (0..n_vectors).step_by(step) {
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

/// Sums of one vector of outputs, in `block` from `lane`, of the point whose rows start at `row`: of its values, and of
/// their derivatives.
///
/// # Safety
/// `layer`, `params` and `values` belong to one plan; `row` and the rows after it lie in a tile, the vector in the layer.
#[inline(always)]
unsafe fn sums<S: Simd>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    values: *const f32,
    row: usize,
    (block, lane): (usize, usize),
) -> [S::V; ROWS] {
    // SAFETY: the caller's promise.
    unsafe {
        let mut w = [params.add(layer.matrix + block * layer.n_in * BLOCK + lane)];
        let zero = [s.splat(0.0)];
        // A bias is a constant.
        let mut sums = [[s.load(params.add(layer.bias + block * BLOCK + lane))], zero, zero, zero];
        for &(from, n) in &layer.inputs {
            let a = values.add(from * STRIDE + row * BLOCK);
            accumulate::<S, ROWS, 1, BLOCK, 1>(s, n, a, w, &mut sums);
            w = [w[0].add(n * BLOCK)];
        }
        sums.map(|[sum]| sum)
    }
}

/// One vector of outputs of the point whose rows start at `row`, or, of a complex layer, those two that are the real and
/// imaginary parts of the same units.
///
/// # Safety
/// `layer`, `params` and `values` belong to one plan; `row` and the rows after it lie in a tile, `v` in the layer.
#[inline(always)]
unsafe fn layer_tile<S: Simd>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    values: *mut f32,
    row: usize,
    v: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let place = paired_vector::<S>(v, layer.out_half);
        let at = |(block, lane): (usize, usize)| (layer.out_block + block) * STRIDE + row * BLOCK + lane;
        let [a, d @ ..] = sums(s, layer, params, values, row, place);
        let to = values.add(at(place));
        match layer.activation {
            Activation::ComplexGabor { omega, scale } => {
                let other = paired_vector::<S>(v + 1, layer.out_half);
                let [b, e @ ..] = sums(s, layer, params, values, row, other);
                let ([re, im], [by_re, by_im]) =
                    wavelet::<S, true>(s, (omega, scale), layer.sums_are_real, a, b);
                let to_im = values.add(at(other));
                s.store(to, re);
                s.store(to_im, im);
                for (r, (d, e)) in d.into_iter().zip(e).enumerate() {
                    // The derivative of the exponent, real and imaginary part.
                    let p = s.fma(by_re, d, s.mul(by_im, e));
                    let q = s.mul(s.splat(omega), d);
                    s.store(to.add((r + 1) * BLOCK), s.sub(s.mul(re, p), s.mul(im, q)));
                    s.store(to_im.add((r + 1) * BLOCK), s.fma(re, q, s.mul(im, p)));
                }
            }
            Activation::Product { .. } => {
                let factor = to.sub((layer.out_block - layer.factor) * STRIDE);
                let f = s.load(factor);
                s.store(to, s.mul(a, f));
                for (r, d) in d.into_iter().enumerate() {
                    let rise = s.load(factor.add((r + 1) * BLOCK));
                    s.store(to.add((r + 1) * BLOCK), s.fma(d, f, s.mul(a, rise)));
                }
            }
            // At the kink, which quantised weights reach, the derivative depends on the direction.
            Activation::Relu => {
                let zero = s.splat(0.0);
                s.store(to, s.max(a, zero));
                for (r, d) in d.into_iter().enumerate() {
                    let at_kink = s.select_gt(zero, a, zero, s.max(d, zero));
                    s.store(to.add((r + 1) * BLOCK), s.select_gt(a, zero, d, at_kink));
                }
            }
            activation => {
                let (value, slope) = activate::<S, true>(s, activation, a);
                s.store(to, value);
                for (r, d) in d.into_iter().enumerate() {
                    s.store(to.add((r + 1) * BLOCK), s.mul(slope, d));
                }
            }
        }
    }
}
