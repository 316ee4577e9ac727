//! A training step with products of bf16 pairs and sums in f32 (AVX512-BF16): half the time of the products, at
//! eight bits of precision in activations and weights.
//!
//! Layers that read coordinates or features stay in f32: eight bits do not tell neighbouring voxels apart. Activations
//! and gradients are kept twice, paired along units (for sums over units) and along points (for sums over points).

use super::kernel::{self, Goal, STRIDE, Scratch, TILE, register_tiles};
use super::plan::{BLOCK, LayerPlan, Plan};
use crate::backend::Loss;
use crate::lane::{Bf16, to_bf16};

/// Pairs of a block.
const PAIRS: usize = BLOCK / 2;
/// Pairs of a block of a tile, along units or along points.
const PAIR_STRIDE: usize = TILE * PAIRS;
/// The pair (1, 1).
const ONES: u32 = 0x3f80_3f80;

/// Buffers of one tile beside the f32 ones.
pub struct PairScratch {
    /// Activations, `[block][point][pair of units]` and `[block][pair of points][unit]`.
    values_by_unit: Vec<u32>,
    values_by_point: Vec<u32>,
    /// Gradients of sums, likewise.
    gradients_by_unit: Vec<u32>,
    gradients_by_point: Vec<u32>,
}

impl PairScratch {
    pub fn new(plan: &Plan) -> PairScratch {
        let zeros = || vec![0; plan.n_blocks * PAIR_STRIDE];
        PairScratch {
            values_by_unit: zeros(),
            values_by_point: zeros(),
            gradients_by_unit: zeros(),
            gradients_by_point: zeros(),
        }
    }
}

/// Weights in pairs: `[block of outputs][pair of inputs][16]`, and transposed `[block of inputs][pair of outputs][16]`.
pub struct PairPanels {
    forward: Vec<u32>,
    transposed: Vec<u32>,
    /// Where each layer's panels start.
    offsets: Vec<(usize, usize)>,
    /// Which blocks are written by a layer that reads coordinates or features: their gradients stay f32.
    is_f32: Vec<bool>,
}

/// Whether a layer's products are bf16.
fn in_pairs(layer: &LayerPlan) -> bool {
    layer.transposed.is_some()
}

/// Whether every output of a network is a function of its own sum: layers of two sums are made in f32 only.
pub fn can_train(plan: &Plan) -> bool {
    plan.layers.iter().all(|l| l.out_half == 0 && l.factor == 0)
}

impl PairPanels {
    pub fn new(plan: &Plan) -> PairPanels {
        let (mut n_forward, mut n_transposed) = (0, 0);
        let mut offsets = Vec::new();
        let mut is_f32 = vec![true; plan.n_blocks];
        for layer in &plan.layers {
            offsets.push((n_forward, n_transposed));
            if in_pairs(layer) {
                let n = layer.inputs.len() * layer.n_out_blocks * PAIRS * BLOCK;
                n_forward += n;
                n_transposed += n;
                is_f32[layer.out_block..layer.out_block + layer.n_out_blocks].fill(false);
            }
        }
        PairPanels { forward: vec![0; n_forward], transposed: vec![0; n_transposed], offsets, is_f32 }
    }

    /// Rounds `params` (panels of f32) into pairs. Units that do not exist stay 0.
    pub fn fill(&mut self, plan: &Plan, params: &[f32]) {
        for (layer, &(forward, transposed)) in plan.layers.iter().zip(&self.offsets) {
            if !in_pairs(layer) {
                continue;
            }
            let n_pairs = layer.inputs.len() * PAIRS;
            let n_out_pairs = layer.n_out_blocks * PAIRS;
            let mut col = 0;
            for (j, &(_, n)) in layer.inputs.iter().enumerate() {
                for k in 0..n {
                    for block in 0..layer.n_out_blocks {
                        let row = layer.matrix + (block * layer.n_in + col + k) * BLOCK;
                        let (pair, high) = (j * PAIRS + k / 2, k % 2 == 1);
                        let to = forward + (block * n_pairs + pair) * BLOCK;
                        for lane in 0..BLOCK {
                            let half = u32::from(to_bf16(params[row + lane]));
                            put(&mut self.forward[to + lane], half, high);
                            let to = transposed + (j * n_out_pairs + block * PAIRS + lane / 2) * BLOCK + k;
                            put(&mut self.transposed[to], half, lane % 2 == 1);
                        }
                    }
                }
                col += n;
            }
        }
    }
}

/// Sets one half of a pair.
#[inline(always)]
fn put(pair: &mut u32, half: u32, high: bool) {
    *pair = if high { *pair & 0xffff | half << 16 } else { *pair & 0xffff_0000 | half };
}

/// [`kernel::accumulate`] over pairs.
///
/// # Safety
/// `a + r * ROW + k * K` is readable for `r < MR`, `k < n`, and `N` values at each `b[v] + k * BLOCK`.
#[inline(always)]
unsafe fn accumulate<S: Bf16, const MR: usize, const NV: usize, const ROW: usize, const K: usize>(
    s: S,
    n: usize,
    a: *const u32,
    b: [*const u32; NV],
    acc: &mut [[S::V; NV]; MR],
) {
    // A copy, so that sums stay in registers whatever the caller does with its array.
    let mut sums = *acc;
    for k in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            let w = b.map(|b| s.load_pairs(b.add(k * BLOCK)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = s.splat_pair(*a.add(r * ROW + k * K));
                for v in 0..NV {
                    sums[v] = s.dot(x, w[v], sums[v]);
                }
            }
        }
    }
    *acc = sums;
}

/// Raw pointers of a tile's buffers.
#[derive(Clone, Copy)]
struct Buffers {
    values: *mut f32,
    slopes: *mut f32,
    values_by_unit: *mut u32,
    values_by_point: *mut u32,
    gradients_by_unit: *mut u32,
    gradients_by_point: *mut u32,
}

impl Buffers {
    fn of(plan: &Plan, scratch: &mut Scratch, pairs: &mut PairScratch) -> Buffers {
        assert!(pairs.values_by_unit.len() == plan.n_blocks * PAIR_STRIDE);
        let (values, slopes) = scratch.buffers(plan);
        Buffers {
            values,
            slopes,
            values_by_unit: pairs.values_by_unit.as_mut_ptr(),
            values_by_point: pairs.values_by_point.as_mut_ptr(),
            gradients_by_unit: pairs.gradients_by_unit.as_mut_ptr(),
            gradients_by_point: pairs.gradients_by_point.as_mut_ptr(),
        }
    }
}

/// Sums and activations of `MR` points (an even number) from `row` and `NV` blocks of outputs from `first`.
#[inline(always)]
unsafe fn forward_tile<S: Bf16, const MR: usize, const NV: usize>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    panels: *const u32,
    is_last: bool,
    to: Buffers,
    row: usize,
    first: usize,
) {
    // SAFETY: plan, panels and buffers belong together, and rows and blocks stay inside a tile.
    unsafe {
        let mut acc = [[s.splat(0.0); NV]; MR];
        for v in 0..NV {
            let bias = s.load(params.add(layer.bias + (first + v) * BLOCK));
            acc.iter_mut().for_each(|acc| acc[v] = bias);
        }
        if in_pairs(layer) {
            let n_pairs = layer.inputs.len() * PAIRS;
            let mut w = [panels; NV];
            for (v, w) in w.iter_mut().enumerate() {
                *w = panels.add((first + v) * n_pairs * BLOCK);
            }
            for &(block, _) in &layer.inputs {
                let a = to.values_by_unit.add(block * PAIR_STRIDE + row * PAIRS);
                accumulate::<S, MR, NV, PAIRS, 1>(s, PAIRS, a, w, &mut acc);
                w = w.map(|w| w.add(PAIRS * BLOCK));
            }
        } else {
            let mut w = [params; NV];
            for (v, w) in w.iter_mut().enumerate() {
                *w = params.add(layer.matrix + (first + v) * layer.n_in * BLOCK);
            }
            for &(block, n) in &layer.inputs {
                let a = to.values.add(block * STRIDE + row * BLOCK);
                kernel::accumulate::<S, MR, NV, BLOCK, 1>(s, n, a, w, &mut acc);
                w = w.map(|w| w.add(n * BLOCK));
            }
        }
        for v in 0..NV {
            let block = layer.out_block + first + v;
            for r in (0..MR).step_by(2) {
                let (value0, slope0) = kernel::activate::<S, true>(s, layer.activation, acc[r][v]);
                let (value1, slope1) = kernel::activate::<S, true>(s, layer.activation, acc[r + 1][v]);
                let p = row + r;
                let at = block * STRIDE + p * BLOCK;
                s.store(to.slopes.add(at), slope0);
                s.store(to.slopes.add(at + BLOCK), slope1);
                if is_last {
                    s.store(to.values.add(at), value0);
                    s.store(to.values.add(at + BLOCK), value1);
                } else {
                    store_pairs(s, to.values_by_unit, to.values_by_point, block, p, value0, value1);
                }
            }
        }
    }
}

/// Stores two points, `p` (even) and the next, of a block, paired both ways.
#[inline(always)]
unsafe fn store_pairs<S: Bf16>(
    s: S,
    by_unit: *mut u32,
    by_point: *mut u32,
    block: usize,
    p: usize,
    a: S::V,
    b: S::V,
) {
    // SAFETY: the caller's buffers hold the block and the points.
    unsafe {
        let at = block * PAIR_STRIDE + p * PAIRS;
        s.store_lane_pairs(by_unit.add(at), a);
        s.store_lane_pairs(by_unit.add(at + PAIRS), b);
        // A pair of points takes as many values as two points of pairs.
        s.store_row_pairs(by_point.add(at), a, b);
    }
}

/// Gradients of the input blocks' sums for `MR` points (even) from `row`.
#[inline(always)]
unsafe fn input_tile<S: Bf16, const MR: usize, const NV: usize>(
    s: S,
    layer: &LayerPlan,
    transposed: *const u32,
    is_f32: &[bool],
    to: Buffers,
    row: usize,
    first: usize,
) {
    // SAFETY: as in `forward_tile`; the blocks read (this layer's) and written (its inputs') differ.
    unsafe {
        let n_pairs = layer.n_out_blocks * PAIRS;
        let mut w = [transposed; NV];
        for (v, w) in w.iter_mut().enumerate() {
            *w = transposed.add((first + v) * n_pairs * BLOCK);
        }
        let mut acc = [[s.splat(0.0); NV]; MR];
        for block in layer.out_block..layer.out_block + layer.n_out_blocks {
            let a = to.gradients_by_unit.add(block * PAIR_STRIDE + row * PAIRS);
            accumulate::<S, MR, NV, PAIRS, 1>(s, PAIRS, a, w, &mut acc);
            w = w.map(|w| w.add(PAIRS * BLOCK));
        }
        for v in 0..NV {
            let block = layer.inputs[first + v].0;
            for r in (0..MR).step_by(2) {
                let p = row + r;
                let at = to.slopes.add(block * STRIDE + p * BLOCK);
                let d0 = s.mul(acc[r][v], s.load(at));
                let d1 = s.mul(acc[r + 1][v], s.load(at.add(BLOCK)));
                if is_f32[block] {
                    s.store(at, d0);
                    s.store(at.add(BLOCK), d1);
                } else {
                    store_pairs(s, to.gradients_by_unit, to.gradients_by_point, block, p, d0, d1);
                }
            }
        }
    }
}

/// Adds to the gradient of `MR` rows and `NV` blocks of a layer's matrix, over `n` pairs of points.
#[inline(always)]
unsafe fn matrix_tile<S: Bf16, const MR: usize, const NV: usize>(
    s: S,
    n: usize,
    x: *const u32,
    d: *const u32,
    gradient: *mut f32,
    panel: usize,
    row: usize,
    first: usize,
) {
    // SAFETY: as in `forward_tile`.
    unsafe {
        let mut b = [d; NV];
        let mut out = [gradient; NV];
        for v in 0..NV {
            b[v] = d.add((first + v) * PAIR_STRIDE);
            out[v] = gradient.add((first + v) * panel + row * BLOCK);
        }
        let mut acc = [[s.splat(0.0); NV]; MR];
        for (r, acc) in acc.iter_mut().enumerate() {
            for v in 0..NV {
                acc[v] = s.load(out[v].add(r * BLOCK));
            }
        }
        accumulate::<S, MR, NV, 1, BLOCK>(s, n, x.add(row), b, &mut acc);
        for (r, acc) in acc.iter().enumerate() {
            for v in 0..NV {
                s.store(out[v].add(r * BLOCK), acc[v]);
            }
        }
    }
}

/// A tile's share of a step: forward, loss, backward over the first `goals.len()` points; returns the loss and adds to
/// `gradient`. Inputs are in place.
#[inline(always)]
pub fn pass<S: Bf16>(
    s: S,
    plan: &Plan,
    params: &[f32],
    panels: &PairPanels,
    scratch: &mut Scratch,
    pairs: &mut PairScratch,
    loss: &Loss,
    goals: &[Goal],
    gradient: &mut [f32],
) -> f64 {
    assert!(goals.len() <= TILE && params.len() == plan.n_params && gradient.len() == plan.n_params);
    // Points go in pairs; a last one without partner gets a copy of what lies there, with gradient 0.
    let n = goals.len().next_multiple_of(2);
    let to = Buffers::of(plan, scratch, pairs);
    let last = plan.layers.len() - 1;
    for (i, layer) in plan.layers.iter().enumerate() {
        // SAFETY: all buffers have the plan's sizes, asserted here and in `Buffers::of`; TILE is even.
        unsafe {
            let params = params.as_ptr();
            let w = panels.forward.as_ptr().add(panels.offsets[i].0);
            register_tiles!(s, S, n, layer.n_out_blocks, |row, v| forward_tile(
                layer,
                params,
                w,
                i == last,
                to,
                row,
                v
            ));
        }
    }
    let total = kernel::heads(s, plan, loss, scratch, goals);
    let heads = plan.head_block();
    let to = Buffers::of(plan, scratch, pairs);
    let gradient = gradient.as_mut_ptr();
    // SAFETY: as above.
    unsafe {
        for p in (0..n).step_by(2) {
            let at = to.slopes.add(heads * STRIDE + p * BLOCK);
            let second = if p + 1 < goals.len() { s.load(at.add(BLOCK)) } else { s.splat(0.0) };
            store_pairs(s, to.gradients_by_unit, to.gradients_by_point, heads, p, s.load(at), second);
        }
        for (i, layer) in plan.layers.iter().enumerate().rev() {
            if !in_pairs(layer) {
                if !layer.is_fixed {
                    kernel::parameter_gradients(s, layer, to.values, to.slopes, goals.len(), gradient);
                }
                continue;
            }
            let d = to.gradients_by_point.add(layer.out_block * PAIR_STRIDE);
            let mut col = 0;
            for &(block, n_rows) in &layer.inputs {
                let x = to.values_by_point.add(block * PAIR_STRIDE);
                let out = gradient.add(layer.matrix + col * BLOCK);
                let panel = layer.n_in * BLOCK;
                register_tiles!(s, S, n_rows, layer.n_out_blocks, |row, v| matrix_tile(
                    n / 2,
                    x,
                    d,
                    out,
                    panel,
                    row,
                    v
                ));
                col += n_rows;
            }
            for block in 0..layer.n_out_blocks {
                let out = gradient.add(layer.bias + block * BLOCK);
                let mut sum = s.load(out);
                for p in 0..n / 2 {
                    let pair = s.load_pairs(d.add(block * PAIR_STRIDE + p * BLOCK));
                    sum = s.dot(s.splat_pair(ONES), pair, sum);
                }
                s.store(out, sum);
            }
            let w = panels.transposed.as_ptr().add(panels.offsets[i].1);
            let is_f32 = &panels.is_f32[..];
            register_tiles!(s, S, n, layer.inputs.len(), |row, v| input_tile(layer, w, is_f32, to, row, v));
        }
    }
    total
}
