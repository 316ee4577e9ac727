//! The arithmetic of a tile of points: sums, their gradients, and the loss.
//!
//! Every sum is accumulated in index order by fused multiply-adds, one accumulator a value, whatever the lane
//! width: forward sums over inputs (contract of the format), gradients over outputs and over points.

use super::plan::{BLOCK, FirstInputs, LayerPlan, Plan};
use crate::backend::{Loss, ValueLoss};
use crate::lane::Simd;
use crate::net::Activation;

/// Points of a tile. The activations, slopes and gradients of a tile of a 128-wide network and one layer's
/// panels stay in a megabyte of second-level cache.
pub const TILE: usize = 96;

/// Values of a block of a tile.
pub const STRIDE: usize = TILE * BLOCK;

/// Buffers of one tile.
pub struct Scratch {
    /// Activations, `[block][point][16]`.
    pub values: Vec<f32>,
    /// Slopes of the activations, same layout; later the gradients of the sums.
    slopes: Vec<f32>,
}

impl Scratch {
    /// Pointers to the values and the slopes, which have the sizes of `plan`.
    pub fn buffers(&mut self, plan: &Plan) -> (*mut f32, *mut f32) {
        assert!(self.values.len() == plan.n_blocks * STRIDE && self.slopes.len() == plan.n_blocks * STRIDE);
        (self.values.as_mut_ptr(), self.slopes.as_mut_ptr())
    }

    pub fn new(plan: &Plan) -> Scratch {
        Scratch { values: vec![0.0; plan.n_blocks * STRIDE], slopes: vec![0.0; plan.n_blocks * STRIDE] }
    }

    /// Sets the inputs of point `p`.
    #[inline]
    pub fn set_inputs(&mut self, p: usize, coords: [f32; 3], features: &[f32]) {
        self.values[p * BLOCK..p * BLOCK + 3].copy_from_slice(&coords);
        for (b, chunk) in features.chunks(BLOCK).enumerate() {
            let at = (1 + b) * STRIDE + p * BLOCK;
            self.values[at..at + chunk.len()].copy_from_slice(chunk);
        }
    }

    /// Head `h` of point `p`.
    #[inline]
    pub fn head(&self, plan: &Plan, p: usize, h: usize) -> f32 {
        self.values[plan.head_block() * STRIDE + p * BLOCK + h]
    }
}

/// `acc[r][v] += a[r, k] * b[k, v]` for `k` in order: `a` is read one value at a time, `b` along the lanes.
///
/// # Safety
/// `a + r * ROW + k * K` is readable for `r < MR`, `k < n`, and `N` values at each `b[v] + k * BLOCK`.
#[inline(always)]
pub unsafe fn accumulate<S: Simd, const MR: usize, const NV: usize, const ROW: usize, const K: usize>(
    s: S,
    n: usize,
    a: *const f32,
    b: [*const f32; NV],
    acc: &mut [[S::V; NV]; MR],
) {
    // A copy, so that sums stay in registers whatever the caller does with its array.
    let mut sums = *acc;
    for k in 0..n {
        // SAFETY: the caller's promise.
        unsafe {
            let w = b.map(|b| s.load(b.add(k * BLOCK)));
            for (r, sums) in sums.iter_mut().enumerate() {
                let x = s.splat(*a.add(r * ROW + k * K));
                for v in 0..NV {
                    sums[v] = s.fma(x, w[v], sums[v]);
                }
            }
        }
    }
    *acc = sums;
}

/// Runs `$body` with `$MR` and `$NV` constants: rows and vectors of the register tile, as many as fit.
macro_rules! register_tiles {
    ($s:ident, $S:ident, $n_rows:expr, $n_vectors:expr, |$row:ident, $vector:ident| $call:ident ($($arg:expr),*)) => {{
        let (n_rows, n_vectors) = ($n_rows, $n_vectors);
        let mut $vector = 0;
        while $vector < n_vectors {
            let two = $vector + 2 <= n_vectors;
            let mut $row = 0;
            while $row < n_rows {
                macro_rules! rows { ($mr:literal) => {{
                    if two { $call::<$S, $mr, 2>($s, $($arg),*) } else { $call::<$S, $mr, 1>($s, $($arg),*) }
                    $row += $mr;
                }}; }
                match (n_rows - $row, $S::N) {
                    (12.., 16) => rows!(12),
                    (8.., 16) => rows!(8),
                    (4.., _) => rows!(4),
                    (3, _) => rows!(3),
                    (2, _) => rows!(2),
                    _ => rows!(1),
                }
            }
            $vector += 2;
        }
    }};
}

pub(super) use register_tiles;

/// Where vector `v` of a layer's outputs lies: (block, lane).
#[inline(always)]
fn vector<S: Simd>(v: usize) -> (usize, usize) {
    (v * S::N / BLOCK, v * S::N % BLOCK)
}

/// Where vector `v` lies among blocks of which the first come in two parts of `half` blocks: those vectors alternate
/// between the parts, so that real and imaginary parts of a unit are in one register tile.
#[inline(always)]
fn paired_vector<S: Simd>(v: usize, half: usize) -> (usize, usize) {
    if v * S::N < 2 * half * BLOCK {
        let (block, lane) = vector::<S>(v / 2);
        (block + v % 2 * half, lane)
    } else {
        vector::<S>(v)
    }
}

/// `-log2 e`: powers of e are powers of 2 of so many times the exponent.
const MINUS_LOG2_E: f32 = -std::f32::consts::LOG2_E;

/// An activation that is a function of its own sum and, where `TRAIN`, its slope.
#[inline(always)]
pub fn activate<S: Simd, const TRAIN: bool>(s: S, activation: Activation, a: S::V) -> (S::V, S::V) {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    match activation {
        Activation::Sine { omega } if TRAIN => {
            let omega = s.splat(omega);
            let (sin, cos) = s.sin_cos(s.mul(omega, a));
            (sin, s.mul(omega, cos))
        }
        Activation::Sine { omega } => (s.sin(s.mul(s.splat(omega), a)), zero),
        Activation::Relu => (s.max(a, zero), s.select_gt(a, zero, one, zero)),
        Activation::Gabor { omega, scale } => {
            let (omega, scale) = (s.splat(omega), s.splat(scale));
            let x = s.mul(scale, a);
            let envelope = s.exp2(s.mul(s.mul(x, x), s.splat(MINUS_LOG2_E)));
            if !TRAIN {
                return (s.mul(s.sin(s.mul(omega, a)), envelope), zero);
            }
            let (sin, cos) = s.sin_cos(s.mul(omega, a));
            let inner = s.mul(s.mul(s.splat(-2.0), scale), x);
            let value = s.mul(sin, envelope);
            (value, s.fma(inner, value, s.mul(s.mul(omega, cos), envelope)))
        }
        // Those of two sums are made where both are at hand.
        Activation::Linear | Activation::ComplexGabor { .. } | Activation::Product { .. } => (a, one),
    }
}

/// The complex wavelet of sums `re` + i `im`, real and imaginary part, by one exponent; and, where `TRAIN`, what its
/// derivatives need: those of the logarithm of its envelope by both.
#[inline(always)]
pub fn wavelet<S: Simd, const TRAIN: bool>(
    s: S,
    (omega, scale): (f32, f32),
    sums_are_real: bool,
    re: S::V,
    im: S::V,
) -> ([S::V; 2], [S::V; 2]) {
    let zero = s.splat(0.0);
    let (omega, square) = (s.splat(omega), s.splat(scale * scale));
    let norm = s.fma(im, im, s.mul(re, re));
    let exponent = s.fma(omega, im, s.mul(square, norm));
    let envelope = s.exp2(s.mul(exponent, s.splat(MINUS_LOG2_E)));
    let (sin, cos) = s.sin_cos(s.mul(omega, re));
    let value = [s.mul(envelope, cos), s.mul(envelope, sin)];
    if !TRAIN {
        return (value, [zero; 2]);
    }
    let twice = s.mul(s.splat(-2.0), square);
    // Imaginary parts that are 0 by definition have no gradient.
    let by_im = if sums_are_real { zero } else { s.sub(s.mul(twice, im), omega) };
    (value, [s.mul(twice, re), by_im])
}

/// Sums and activations of `MR` points from `row` and `NV` vectors of outputs from `first`.
#[inline(always)]
unsafe fn forward_tile<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    layer: &LayerPlan,
    params: *const f32,
    values: *mut f32,
    slopes: *mut f32,
    row: usize,
    first: usize,
) {
    // SAFETY: `layer`, `params` and the buffers belong to one plan, and rows and vectors stay inside a tile.
    unsafe {
        let at = |v: usize| paired_vector::<S>(first + v, layer.out_half);
        let mut w = [params; NV];
        let mut bias = [s.splat(0.0); NV];
        for v in 0..NV {
            let (block, lane) = at(v);
            w[v] = params.add(layer.matrix + block * layer.n_in * BLOCK + lane);
            bias[v] = s.load(params.add(layer.bias + block * BLOCK + lane));
        }
        let mut acc = [bias; MR];
        for &(block, n) in &layer.inputs {
            let a = values.add(block * STRIDE + row * BLOCK);
            accumulate::<S, MR, NV, BLOCK, 1>(s, n, a, w, &mut acc);
            w = w.map(|w| w.add(n * BLOCK));
        }
        let place = |r: usize, v: usize| {
            let (block, lane) = at(v);
            (layer.out_block + block) * STRIDE + (row + r) * BLOCK + lane
        };
        match layer.activation {
            // All vectors of a complex layer come in twos.
            Activation::ComplexGabor { omega, scale } => {
                for (r, acc) in acc.iter().enumerate() {
                    let (re, im) = (acc[0], acc[NV - 1]);
                    let (values_to, slopes_to) = ([0, NV - 1].map(|v| place(r, v)), !slopes.is_null());
                    let real = layer.sums_are_real;
                    let (value, slope) = match slopes_to {
                        true => wavelet::<S, true>(s, (omega, scale), real, re, im),
                        false => wavelet::<S, false>(s, (omega, scale), real, re, im),
                    };
                    for (i, at) in values_to.into_iter().enumerate() {
                        s.store(values.add(at), value[i]);
                        if slopes_to {
                            s.store(slopes.add(at), slope[i]);
                        }
                    }
                }
            }
            Activation::Product { .. } => {
                let back = (layer.out_block - layer.factor) * STRIDE;
                for r in 0..MR {
                    for v in 0..NV {
                        let (at, sum) = (place(r, v), acc[r][v]);
                        let factor = s.load(values.add(at - back));
                        s.store(values.add(at), s.mul(sum, factor));
                        if !slopes.is_null() {
                            s.store(slopes.add(at), factor);
                            let inner = slopes.add(at - back);
                            s.store(inner, s.mul(sum, s.load(inner)));
                        }
                    }
                }
            }
            activation => {
                for r in 0..MR {
                    for v in 0..NV {
                        let (value, slope) = match slopes.is_null() {
                            true => activate::<S, false>(s, activation, acc[r][v]),
                            false => activate::<S, true>(s, activation, acc[r][v]),
                        };
                        s.store(values.add(place(r, v)), value);
                        if !slopes.is_null() {
                            s.store(slopes.add(place(r, v)), slope);
                        }
                    }
                }
            }
        }
    }
}

/// Evaluates the network at the first `n` points of the tile; `slopes` too where `TRAIN`.
#[inline(always)]
pub fn forward<S: Simd, const TRAIN: bool>(
    s: S,
    plan: &Plan,
    params: &[f32],
    scratch: &mut Scratch,
    n: usize,
) {
    assert!(n <= TILE && params.len() == plan.n_params);
    assert!(scratch.values.len() == plan.n_blocks * STRIDE && scratch.slopes.len() == plan.n_blocks * STRIDE);
    let values = scratch.values.as_mut_ptr();
    let slopes = if TRAIN { scratch.slopes.as_mut_ptr() } else { std::ptr::null_mut() };
    let params = params.as_ptr();
    for layer in &plan.layers {
        // SAFETY: the buffers have the plan's sizes, asserted above.
        unsafe {
            register_tiles!(s, S, n, layer.n_out_blocks * BLOCK / S::N, |row, v| forward_tile(
                layer, params, values, slopes, row, v
            ));
        }
    }
}

/// Gradients of the input blocks' sums for `MR` points from `row`: `W^T d`, times the slope of the input.
#[inline(always)]
unsafe fn input_tile<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    layer: &LayerPlan,
    transposed: *const f32,
    values: *const f32,
    slopes: *mut f32,
    row: usize,
    first: usize,
) {
    // SAFETY: as in `forward_tile`; the blocks read (this layer's) and written (its inputs') differ.
    unsafe {
        let (half, omega) = match layer.first_inputs {
            FirstInputs::Complex { half, omega } => (half, omega),
            _ => (0, 0.0),
        };
        let at = |v: usize| paired_vector::<S>(first + v, half);
        let mut w = [transposed; NV];
        for (v, w) in w.iter_mut().enumerate() {
            let (block, lane) = at(v);
            *w = transposed.add(block * layer.n_out * BLOCK + lane);
        }
        let mut acc = [[s.splat(0.0); NV]; MR];
        for (block, &n) in layer.outputs.iter().enumerate() {
            let a = slopes.add((layer.out_block + block) * STRIDE + row * BLOCK);
            accumulate::<S, MR, NV, BLOCK, 1>(s, n, a, w, &mut acc);
            w = w.map(|w| w.add(n * BLOCK));
        }
        let place = |r: usize, v: usize| {
            let (block, lane) = at(v);
            layer.inputs[block].0 * STRIDE + (row + r) * BLOCK + lane
        };
        // Vectors come in twos here: both are complex, or none.
        if at(0).0 < half {
            let omega = s.splat(omega);
            for (r, acc) in acc.iter().enumerate() {
                let (re, im) = (place(r, 0), place(r, NV - 1));
                let (by_re, by_im) = (acc[0], acc[NV - 1]);
                let [x, y] = [re, im].map(|at| s.load(values.add(at)));
                // Along the wavelet, and across it.
                let along = s.fma(by_im, y, s.mul(by_re, x));
                let across = s.sub(s.mul(by_im, x), s.mul(by_re, y));
                s.store(slopes.add(re), s.fma(s.load(slopes.add(re)), along, s.mul(omega, across)));
                s.store(slopes.add(im), s.mul(s.load(slopes.add(im)), along));
            }
            return;
        }
        for r in 0..MR {
            for v in 0..NV {
                let to = slopes.add(place(r, v));
                if let FirstInputs::Products { n, factor } = layer.first_inputs
                    && at(v).0 < n
                {
                    let back = (layer.inputs[0].0 - factor) * STRIDE;
                    let inner = to.sub(back);
                    s.store(inner, s.mul(acc[r][v], s.load(inner)));
                }
                s.store(to, s.mul(acc[r][v], s.load(to)));
            }
        }
    }
}

/// Adds to the gradient of `MR` rows (inputs) and `NV` vectors (outputs) of a layer's matrix, over `n` points.
#[inline(always)]
unsafe fn matrix_tile<S: Simd, const MR: usize, const NV: usize>(
    s: S,
    n: usize,
    x: *const f32,
    d: *const f32,
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
            let (block, lane) = vector::<S>(first + v);
            b[v] = d.add(block * STRIDE + lane);
            out[v] = gradient.add(block * panel + row * BLOCK + lane);
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

/// Adds to the gradients of a layer's matrix and biases over `n` points.
///
/// # Safety
/// The buffers belong to the layer's plan, and `n` is at most [`TILE`].
#[inline(always)]
pub unsafe fn parameter_gradients<S: Simd>(
    s: S,
    layer: &LayerPlan,
    values: *const f32,
    slopes: *const f32,
    n: usize,
    gradient: *mut f32,
) {
    // SAFETY: the caller's promise.
    unsafe {
        let d = slopes.add(layer.out_block * STRIDE);
        let n_vectors = layer.n_out_blocks * BLOCK / S::N;
        let mut col = 0;
        for &(block, n_rows) in &layer.inputs {
            let x = values.add(block * STRIDE);
            let to = gradient.add(layer.matrix + col * BLOCK);
            let panel = layer.n_in * BLOCK;
            register_tiles!(s, S, n_rows, n_vectors, |row, v| matrix_tile(n, x, d, to, panel, row, v));
            col += n_rows;
        }
        for v in 0..n_vectors {
            let (block, lane) = vector::<S>(v);
            let to = gradient.add(layer.bias + block * BLOCK + lane);
            let mut sum = s.load(to);
            for p in 0..n {
                sum = s.add(sum, s.load(d.add(block * STRIDE + p * BLOCK + lane)));
            }
            s.store(to, sum);
        }
    }
}

/// Backward pass over the first `n` points of the tile: the heads' gradients are in place ([`heads`]); adds to
/// `gradient` (layout of the parameters).
#[inline(always)]
pub fn backward<S: Simd>(
    s: S,
    plan: &Plan,
    transposed: &[f32],
    scratch: &mut Scratch,
    n: usize,
    gradient: &mut [f32],
) {
    assert!(n <= TILE && gradient.len() == plan.n_params && transposed.len() == plan.n_transposed);
    assert!(scratch.values.len() == plan.n_blocks * STRIDE && scratch.slopes.len() == plan.n_blocks * STRIDE);
    let (values, slopes) = (scratch.values.as_ptr(), scratch.slopes.as_mut_ptr());
    let gradient = gradient.as_mut_ptr();
    for layer in plan.layers.iter().rev().filter(|l| !l.is_fixed) {
        // SAFETY: the buffers have the plan's sizes, asserted above.
        unsafe {
            parameter_gradients(s, layer, values, slopes, n, gradient);
            if let Some(at) = layer.transposed {
                let n_vectors = layer.inputs.len() * BLOCK / S::N;
                let w = transposed.as_ptr().add(at);
                register_tiles!(s, S, n, n_vectors, |row, v| input_tile(layer, w, values, slopes, row, v));
            }
        }
    }
}

/// What the loss needs to know of a point.
#[derive(Clone, Copy, Default)]
pub struct Goal {
    pub target: f32,
    pub occupied: bool,
    /// Weight over the batch: inverse-probability weight / batch size.
    pub weight: f32,
}

/// The loss of the points of a tile; leaves the heads' gradients where [`backward`] reads them.
#[inline(always)]
pub fn heads<S: Simd>(s: S, plan: &Plan, loss: &Loss, scratch: &mut Scratch, goals: &[Goal]) -> f64 {
    let n_heads = plan.spec.n_heads;
    let base = plan.head_block() * STRIDE;
    let mut total = 0.0f64;
    for (p, goal) in goals.iter().enumerate() {
        let at = base + p * BLOCK;
        let out = &scratch.values[at..at + n_heads];
        let d = &mut scratch.slopes[at..at + BLOCK];
        d.fill(0.0);
        let error = out[n_heads - 1] - goal.target;
        let scale = loss.value_scale * goal.weight;
        let (value, slope) = match loss.value {
            ValueLoss::L1 => (error.abs(), if error > 0.0 { 1.0 } else { -1.0 }),
            ValueLoss::L2 => (error * error, 2.0 * error),
        };
        if n_heads == 1 || goal.occupied {
            d[n_heads - 1] = scale * slope;
            total += f64::from(scale * value);
        }
        if n_heads == 2 {
            // Cross entropy from the logit, max(z, 0) + ln(1 + exp(-|z|)) - label z: nothing overflows.
            let z = out[0];
            let label = if goal.occupied { 1.0 } else { 0.0 };
            let (e, log) = softplus_parts(s, -z.abs());
            let sigmoid = if z >= 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
            d[0] = goal.weight * (sigmoid - label);
            total += f64::from(goal.weight * (z.max(0.0) + log - label * z));
        }
    }
    total
}

/// `exp(x)` and `ln(1 + exp(x))` for `x <= 0`, by the lane's functions.
#[inline(always)]
fn softplus_parts<S: Simd>(s: S, x: f32) -> (f32, f32) {
    let (mut e, mut log) = ([0.0f32; BLOCK], [0.0f32; BLOCK]);
    let exp = s.exp2(s.splat(x * std::f32::consts::LOG2_E));
    let ln = s.mul(s.log2(s.add(exp, s.splat(1.0))), s.splat(std::f32::consts::LN_2));
    // SAFETY: no width has more than BLOCK lanes.
    unsafe {
        s.store(e.as_mut_ptr(), exp);
        s.store(log.as_mut_ptr(), ln);
    }
    (e[0], log[0])
}
