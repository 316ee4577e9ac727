//! Derivatives of a network's outputs with respect to its inputs, in forward mode.
//!
//! A point takes four rows of a tile: its values, and their derivatives in three directions. Sums are linear, so all
//! four go through the same matrix; an activation multiplies the derivatives by its slope at the sum (a rectifier at its
//! kink takes the side that the direction points to). The arithmetic
//! is that of the lanes, so that derivatives have the same bits everywhere, and the first row is what
//! [`Backend::evaluate`](crate::backend::Backend::evaluate) gives.

use super::kernel::{STRIDE, Scratch, TILE, accumulate, activate};
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

/// One vector of outputs of the point whose rows start at `row`.
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
    let (block, lane) = (v * S::N / BLOCK, v * S::N % BLOCK);
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
        let to = values.add((layer.out_block + block) * STRIDE + row * BLOCK + lane);
        let [a] = sums[0];
        let (value, slope) = activate::<S, true>(s, layer.activation, a);
        s.store(to, value);
        for (r, [sum]) in sums.into_iter().enumerate().skip(1) {
            let derivative = match layer.activation {
                // At the kink, which quantised weights reach, the derivative depends on the direction.
                Activation::Relu => {
                    let zero = s.splat(0.0);
                    s.select_gt(a, zero, sum, s.select_gt(zero, a, zero, s.max(sum, zero)))
                }
                _ => s.mul(slope, sum),
            };
            s.store(to.add(r * BLOCK), derivative);
        }
    }
}
