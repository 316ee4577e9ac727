//! Learning a context network from past events.

use super::bins::{Bins, Bound, UNIT};
use super::neighbourhood::{Features, N_FEATURES, N_SLICES, Neighbourhood, widths};
use super::network::{BLOCK, ContextNetwork, MAX_UNITS, N_OUTPUTS, N_PARTS};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::lane::{Kernel, Level, Scalar, Simd, dispatch};
use crate::support::Walk;
use inrfit_sampling::rng::Stream;
use rayon::prelude::*;

/// How a context network is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// Steps of the optimiser.
    pub n_steps: u64,
    /// Units of the hidden layers, multiples of 16 up to 256.
    pub units: [usize; 2],
    /// Of the weights at the start and of the voxels drawn.
    pub seed: u64,
}

impl Default for Learning {
    fn default() -> Self {
        Learning { n_steps: 60_000, units: [128, 64], seed: 0 }
    }
}

/// Voxels a step.
const BATCH: usize = 1024;
/// Voxels whose gradients are summed one after the other.
const CHUNK: usize = 64;
/// Lessons in hand at a time, and the steps they are kept for.
const HAND: usize = 24;
const STEPS_A_HAND: u64 = 100;
/// Highest learning rate, the part of the steps that leads up to it, and what the first and last are of it.
const RATE: f32 = 4e-3;
const RISING: f32 = 0.3;
const FIRST: f32 = 1.0 / 25.0;
const DECAY: f32 = 1e-2;
/// What a bin may cost at most: no probability is below this share of an even one.
const FLOOR: f32 = 1e-4;
/// Limits of the finenesses, in octaves; those of the network.
const FINENESS: (f32, f32) = (-3.0, 9.0);

/// The bounds that lessons are about, for integers (`true` = of the logarithm) and how often.
const BOUNDS: [(bool, f64, f64); 12] = [
    (false, 0.0, 0.30),
    (false, 1.0, 0.04),
    (false, 2.0, 0.04),
    (false, 5.0, 0.05),
    (false, 8.0, 0.10),
    (false, 20.0, 0.05),
    (true, 0.02, 0.04),
    (true, 0.05, 0.05),
    (true, 0.1, 0.13),
    (true, 0.2, 0.07),
    (true, 0.4, 0.09),
    (true, 0.8, 0.04),
];

/// An event, mirrored or not, below one bound: what a decoder would have seen of it, and the bins it should have said.
struct Lesson {
    around: Neighbourhood,
    widths: [i16; 3],
    /// Slice, line and place of each occupied voxel, and its bin.
    voxels: Vec<([u32; 3], u16)>,
    /// Edges of the bins, as heights in log2 units; the outer ones lie beyond everything.
    edges: Vec<f32>,
}

impl Lesson {
    /// `None` where there is nothing to learn.
    fn new(event: &Event, mirrored: bool, bound: (bool, f64, f64)) -> Option<Lesson> {
        let samples = event.samples();
        let bins = bins(event, bound)?;
        let n = event.n_voxels();
        let occupied: Vec<bool> = (0..n).map(|i| samples.get(i) != 0.0).collect();
        let walk = Walk::choose(event.shape(), &occupied);
        // Mirrored, lines are walked from the last to the first.
        let from = |i: usize, j: usize, k: usize| {
            let j = if mirrored { walk.n[1] - 1 - j } else { j };
            i * walk.stride[0] + j * walk.stride[1] + k * walk.stride[2]
        };
        let occupied = match mirrored {
            false => occupied,
            true => {
                let mut out = vec![false; n];
                for_each(&walk, |i, j, k| {
                    let at = i * walk.stride[0] + j * walk.stride[1] + k * walk.stride[2];
                    out[at] = occupied[from(i, j, k)];
                });
                out
            }
        };
        let beyond = N_SLICES / 2;
        let mut around = Neighbourhood::new(&walk, walk.n[0] + 2 * beyond);
        for i in 0..walk.n[0] {
            around.load(&walk, &occupied, i, i + beyond);
        }
        let base = bins.edges[0] + UNIT / 10;
        let mut voxels = vec![];
        for_each(&walk, |i, j, k| {
            let sample = samples.get(from(i, j, k));
            if sample != 0.0 {
                let bin = bins.of(sample);
                around.set(around.at(i + beyond, j, k), bins.positions[bin] - base);
                voxels.push(([i as u32, j as u32, k as u32], bin as u16));
            }
        });
        let mut edges: Vec<f32> = bins.edges.iter().map(|e| (e - base) as f32 / UNIT as f32).collect();
        edges[0] = -1e3;
        edges[bins.len()] = 1e3;
        Some(Lesson { around, widths: widths(&bins), voxels, edges })
    }

    fn features(&self, [i, j, k]: [u32; 3]) -> Features {
        let i = i as usize;
        self.around.features(&std::array::from_fn(|s| i + s), j as usize, k as usize, &self.widths)
    }
}

/// The bins of an event below a bound of [`BOUNDS`]; `None` where there is nothing to learn: no value but one, too many
/// bins, or a bound that does not suit such samples.
fn bins(event: &Event, (logarithmic, size, _): (bool, f64, f64)) -> Option<Bins> {
    let range = event.samples().occupied_range()?;
    let bound = match (logarithmic, event.dtype().is_integer()) {
        (true, _) => Bound::Log2(size),
        (false, true) if size == 0.0 => Bound::Exact,
        (false, true) => Bound::Absolute(size),
        // Floats have no unit: thousandths of their range.
        (false, false) => Bound::Absolute((range.1 - range.0) / 1000.0 * size.max(0.5)),
    };
    let rule = bound.rule(event.dtype(), range).ok()??;
    Bins::new(rule, event.dtype(), range).filter(|bins| bins.len() > 1)
}

/// Whether there is anything to learn from `event`.
pub fn teaches(event: &Event) -> bool {
    BOUNDS.iter().any(|bound| bins(event, *bound).is_some())
}

/// An event, and which of [`BOUNDS`] there is something to learn about.
struct Teacher<'a> {
    event: &'a Event,
    suits: [bool; BOUNDS.len()],
}

fn for_each(walk: &Walk, mut f: impl FnMut(usize, usize, usize)) {
    for i in 0..walk.n[0] {
        for j in 0..walk.n[1] {
            for k in 0..walk.n[2] {
                f(i, j, k);
            }
        }
    }
}

/// Where each layer's weights (by input, then output) and biases lie among the parameters.
#[derive(Clone, Copy)]
struct Layout {
    n_in: [usize; 3],
    n_out: [usize; 3],
    weights: [usize; 3],
    biases: [usize; 3],
    n: usize,
}

impl Layout {
    fn new(units: [usize; 2]) -> Layout {
        let (n_in, n_out) = ([N_FEATURES, units[0], units[1]], [units[0], units[1], BLOCK]);
        let (mut weights, mut biases, mut n) = ([0; 3], [0; 3], 0);
        for l in 0..3 {
            weights[l] = n;
            biases[l] = n + n_in[l] * n_out[l];
            n = biases[l] + n_out[l];
        }
        Layout { n_in, n_out, weights, biases, n }
    }

    fn row(&self, l: usize, i: usize) -> std::ops::Range<usize> {
        let start = self.weights[l] + i * self.n_out[l];
        start..start + self.n_out[l]
    }

    fn bias(&self, l: usize) -> std::ops::Range<usize> {
        self.biases[l]..self.biases[l] + self.n_out[l]
    }
}

/// A matrix within a slice: element (i, j) is at `i * rows + j * columns`.
#[derive(Clone, Copy)]
struct View<'a> {
    values: &'a [f32],
    rows: usize,
    columns: usize,
}

/// `c += a b` for `a` of shape (`m`, `k`) and `c` of shape (`m`, `n`), row after row; `n` is a multiple of [`BLOCK`].
#[inline(always)]
fn multiply<S: Simd>(s: S, [m, n, k]: [usize; 3], a: View<'_>, b: &[f32], c: &mut [f32]) {
    assert!(n.is_multiple_of(BLOCK) && b.len() >= k * n && c.len() >= m * n);
    let mut i = 0;
    while i < m {
        let left = m - i;
        let mut j = 0;
        while j < n {
            match (left >= 4, n - j >= 2 * S::N) {
                (true, true) => multiply_tile::<S, 4, 2>(s, [i, j, n, k], a, b, c),
                (true, false) => multiply_tile::<S, 4, 1>(s, [i, j, n, k], a, b, c),
                (false, true) => multiply_tile::<S, 1, 2>(s, [i, j, n, k], a, b, c),
                (false, false) => multiply_tile::<S, 1, 1>(s, [i, j, n, k], a, b, c),
            }
            j += if n - j >= 2 * S::N { 2 * S::N } else { S::N };
        }
        i += if left >= 4 { 4 } else { 1 };
    }
}

/// [`multiply`] for `R` rows from `i` and `C` vectors of columns from `j`.
#[inline(always)]
fn multiply_tile<S: Simd, const R: usize, const C: usize>(
    s: S,
    [i, j, n, k]: [usize; 4],
    a: View<'_>,
    b: &[f32],
    c: &mut [f32],
) {
    let mut sums = [[s.splat(0.0); C]; R];
    for l in 0..k {
        let row = &b[l * n + j..][..C * S::N];
        for v in 0..C {
            // SAFETY: `row` has C vectors of N values.
            let b = unsafe { s.load(row.as_ptr().add(v * S::N)) };
            for r in 0..R {
                let a = s.splat(a.values[(i + r) * a.rows + l * a.columns]);
                sums[r][v] = s.fma(a, b, sums[r][v]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        let row = &mut c[(i + r) * n + j..][..C * S::N];
        for (v, sum) in sums.iter().enumerate() {
            // SAFETY: `row` has C vectors of N values.
            unsafe {
                let at = row.as_mut_ptr().add(v * S::N);
                s.store(at, s.add(s.load(at), *sum));
            }
        }
    }
}

/// Adds the gradients of some voxels' code lengths, in bits, to `gradient`.
struct Gradients<'a> {
    layout: Layout,
    parameters: &'a [f32],
    /// Weights of the upper two layers by output, then input.
    transposed: &'a [Vec<f32>; 2],
    voxels: &'a [(Features, usize, &'a [f32])],
    gradient: &'a mut [f32],
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

/// Learns a context network from `events`, on the threads of the current rayon pool. `told` hears of every hundred
/// steps: how many are done, and the bits a voxel of the last of them; its error ends the work.
///
/// # Errors
/// `Argument` where no event has anything to learn from, or for sizes that no network has; what `told` returns.
pub fn learn(
    events: &[Event],
    learning: &Learning,
    told: &mut (dyn FnMut(u64, f64) -> Result<()> + Send),
) -> Result<ContextNetwork> {
    let suits = |event| BOUNDS.map(|bound| bins(event, bound).is_some());
    let teachers: Vec<Teacher<'_>> = events
        .iter()
        .map(|event| Teacher { event, suits: suits(event) })
        .filter(|teacher| teacher.suits.contains(&true))
        .collect();
    if teachers.is_empty() {
        return Err(Error::argument(
            "nothing to learn from: events are needed whose occupied voxels have more than one value, and few enough of \
             them for bins",
        ));
    }
    let layout = Layout::new(learning.units);
    // Refuses bad sizes before anything is done.
    let mut parameters = start(&layout, learning.seed);
    network(&layout, learning.units, &parameters)
        .map_err(|e| Error::argument(format!("{e}; units come in multiples of {BLOCK} up to {MAX_UNITS}")))?;
    let mut draws = Stream::new(learning.seed, 1);
    let (mut first, mut second) = (vec![0.0f32; layout.n], vec![0.0f32; layout.n]);
    let mut gradients = vec![vec![0.0f32; layout.n]; BATCH / CHUNK];
    let (mut step, mut hand) = (0, vec![]);
    while step < learning.n_steps {
        if step % STEPS_A_HAND == 0 {
            hand = deal(&teachers, &mut draws);
        }
        let voxels: Vec<_> = (0..BATCH)
            .map(|_| {
                let lesson: &Lesson = &hand[below(&mut draws, hand.len())];
                let (place, bin) = lesson.voxels[below(&mut draws, lesson.voxels.len())];
                (lesson, place, bin)
            })
            .collect();
        let transposed = transposed(&layout, &parameters);
        let parts = gradients.par_iter_mut().zip(voxels.par_chunks(CHUNK));
        let costs: Vec<f64> = parts
            .map(|(gradient, voxels)| {
                gradient.fill(0.0);
                let voxels: Vec<_> = voxels
                    .iter()
                    .map(|(lesson, place, bin)| {
                        (lesson.features(*place), usize::from(*bin), &lesson.edges[..])
                    })
                    .collect();
                let (parameters, transposed) = (&parameters[..], &transposed);
                let kernel = Gradients { layout, parameters, transposed, voxels: &voxels, gradient };
                dispatch(Level::detect(), kernel)
            })
            .collect();
        let rate = rate(step, learning.n_steps);
        let t = (step + 1).min(1 << 20) as i32;
        let unbias = [1.0 - 0.9f32.powi(t), 1.0 - 0.999f32.powi(t)];
        let moments = first.par_chunks_mut(4096).zip(second.par_chunks_mut(4096));
        parameters.par_chunks_mut(4096).zip(moments).enumerate().for_each(|(c, (parameters, (m, v)))| {
            for i in 0..parameters.len() {
                // In this order whatever the threads.
                let sum: f32 = gradients.iter().map(|g| g[c * 4096 + i]).sum();
                let g = sum / BATCH as f32;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let towards = m[i] / unbias[0] / ((v[i] / unbias[1]).sqrt() + 1e-8);
                parameters[i] -= rate * (towards + DECAY * parameters[i]);
            }
        });
        step += 1;
        if step % STEPS_A_HAND == 0 || step == learning.n_steps {
            told(step, costs.iter().sum::<f64>() / BATCH as f64)?;
        }
    }
    network(&layout, learning.units, &parameters)
}

/// The weights of the upper two layers by output, then input.
fn transposed(layout: &Layout, parameters: &[f32]) -> [Vec<f32>; 2] {
    [1, 2].map(|l| {
        let row = |o| (0..layout.n_in[l]).map(move |i| parameters[layout.row(l, i)][o]);
        (0..layout.n_out[l]).flat_map(row).collect()
    })
}

/// A number below `n`.
fn below(draws: &mut Stream, n: usize) -> usize {
    ((draws.unit() * n as f64) as usize).min(n - 1)
}

/// Lessons to learn from for a while.
fn deal(teachers: &[Teacher<'_>], draws: &mut Stream) -> Vec<Lesson> {
    let choices: Vec<_> = (0..HAND)
        .map(|_| {
            let teacher = &teachers[below(draws, teachers.len())];
            let (mirrored, mut which) = (draws.unit() < 0.5, draws.unit());
            let drawn = BOUNDS.iter().position(|(.., share)| {
                which -= share;
                which < 0.0
            });
            // Of a bound that does not suit the event, the next one that does.
            let from = drawn.unwrap_or(0);
            let suiting = (from..from + BOUNDS.len()).map(|b| b % BOUNDS.len()).find(|b| teacher.suits[*b]);
            (teacher.event, mirrored, BOUNDS[suiting.unwrap_or(from)])
        })
        .collect();
    choices
        .into_par_iter()
        .filter_map(|(event, mirrored, bound)| Lesson::new(event, mirrored, bound))
        .collect()
}

/// The learning rate: up and down again, each along half a cosine.
fn rate(step: u64, n_steps: u64) -> f32 {
    let done = step as f32 / n_steps as f32;
    let (from, to, part) = match done < RISING {
        true => (FIRST, 1.0, done / RISING),
        false => (1.0, 0.0, (done - RISING) / (1.0 - RISING)),
    };
    let (_, cos) = Scalar::new().sin_cos(part * std::f32::consts::PI);
    RATE * (to + (from - to) * 0.5 * (1.0 + cos))
}

/// Parameters to start from: even ones of the size that keeps signals as they are.
fn start(layout: &Layout, seed: u64) -> Vec<f32> {
    let mut draws = Stream::new(seed, 0);
    let mut parameters = vec![0.0; layout.n];
    for l in 0..3 {
        let size = (layout.n_in[l] as f32).sqrt().recip() * if l == 2 { 0.3 } else { 1.0 };
        for i in 0..layout.n_in[l] {
            for w in &mut parameters[layout.row(l, i)] {
                *w = size * (2.0 * draws.unit() as f32 - 1.0);
            }
        }
    }
    // Three parts side by side, each a third of a unit wide.
    let outputs = &mut parameters[layout.bias(2)];
    outputs[..2 * N_PARTS].copy_from_slice(&[0.2, 1.0, 1.9, 1.5, 1.5, 1.5]);
    parameters
}

/// The network in whole numbers.
fn network(layout: &Layout, units: [usize; 2], parameters: &[f32]) -> Result<ContextNetwork> {
    let whole = |x: f32| (x * 256.0).round_ties_even() as i32;
    let n_out = [units[0], units[1], N_OUTPUTS];
    let weights: [Vec<i32>; 3] = std::array::from_fn(|l| {
        let by_output = (0..n_out[l]).flat_map(|o| (0..layout.n_in[l]).map(move |i| (o, i)));
        by_output.map(|(o, i)| whole(parameters[layout.row(l, i)][o])).collect()
    });
    let biases: [Vec<i32>; 3] =
        std::array::from_fn(|l| parameters[layout.bias(l)][..n_out[l]].iter().map(|b| whole(*b)).collect());
    ContextNetwork::new(units, [&weights[0], &weights[1], &weights[2]], [&biases[0], &biases[1], &biases[2]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    /// Tracks of a few samples, brighter in the middle, with neighbours alike.
    fn event(seed: usize) -> Event {
        let shape = [6, 24, 40];
        let samples: Vec<u16> = (0..shape.iter().product())
            .map(|at: usize| {
                let (i, j, k) = (at / 40 / 24, at / 40 % 24, at % 40);
                let along = (k + 40 - (3 * j + seed) % 40) % 40;
                let noise = (at.wrapping_mul(2_654_435_761) >> 7) % 5;
                if along < 5 && i % 2 == 0 {
                    (80 + 30 * (2 - along.abs_diff(2)) + 4 * i + noise) as u16
                } else {
                    0
                }
            })
            .collect();
        Event::new(shape, Samples::U16(samples)).unwrap()
    }

    fn lesson() -> Lesson {
        Lesson::new(&event(0), false, (true, 0.1, 1.0)).unwrap()
    }

    #[test]
    fn the_gradient_is_that_of_the_code_length() {
        let lesson = lesson();
        let layout = Layout::new([16, 16]);
        let parameters = start(&layout, 3);
        let voxels: Vec<_> = lesson.voxels[40..47]
            .iter()
            .map(|(place, bin)| (lesson.features(*place), usize::from(*bin), &lesson.edges[..]))
            .collect();
        let cost = |parameters: &[f32], gradient: &mut [f32]| {
            let transposed = transposed(&layout, parameters);
            let kernel = Gradients { layout, parameters, transposed: &transposed, voxels: &voxels, gradient };
            dispatch(Level::detect(), kernel)
        };
        let mut gradient = vec![0.0; layout.n];
        let before = cost(&parameters, &mut gradient);
        assert!(before > 0.0);
        let mut n_checked = 0;
        for l in 0..3 {
            for at in
                [layout.weights[l] + 5, layout.weights[l] + 7 * layout.n_out[l] + 2, layout.biases[l] + 4]
            {
                let step = 2e-3;
                let moved = |by: f32| {
                    let mut p = parameters.clone();
                    p[at] += by;
                    cost(&p, &mut vec![0.0; layout.n])
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let ours = f64::from(gradient[at]);
                assert!((slope - ours).abs() < 1e-3 + 0.02 * slope.abs(), "{l} {at}: {ours} for {slope}");
                n_checked += usize::from(slope.abs() > 1e-3);
            }
        }
        assert!(n_checked > 4, "only {n_checked} slopes are more than nothing");
    }

    #[test]
    fn a_mirrored_lesson_has_the_same_voxels_in_another_order() {
        let of = |mirrored| {
            let mut bins: Vec<u16> = Lesson::new(&event(5), mirrored, (false, 0.0, 1.0))
                .unwrap()
                .voxels
                .into_iter()
                .map(|(_, bin)| bin)
                .collect();
            let in_order = bins.clone();
            bins.sort_unstable();
            (in_order, bins)
        };
        let ((a, sorted_a), (b, sorted_b)) = (of(false), of(true));
        assert!(sorted_a == sorted_b && a != b && !a.is_empty());
    }

    #[test]
    fn what_is_learned_is_the_same_on_any_threads() {
        let events = [event(1), event(2)];
        let learning = Learning { n_steps: 3, units: [16, 16], seed: 1 };
        let on = |n: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| learn(&events, &learning, &mut |_, _| Ok(())).unwrap())
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn events_that_teach_nothing_do_no_harm() {
        let empty = Event::new([2, 2, 2], Samples::U16(vec![0; 8])).unwrap();
        let wide = Samples::I32((0..8).map(|i| i * 100_000_000 - 300_000_000).collect());
        let wide = Event::new([2, 2, 2], wide).unwrap();
        let mut events = vec![empty; 60];
        events.extend([wide, event(1)]);
        assert_eq!(events.iter().filter(|e| teaches(e)).count(), 1);
        let learning = Learning { n_steps: 2 * STEPS_A_HAND, units: [16, 16], seed: 1 };
        let from = |events: &[Event]| learn(events, &learning, &mut |_, _| Ok(())).unwrap();
        assert_eq!(from(&events), from(&events[61..]));
    }

    #[test]
    fn nothing_to_learn_from_is_said() {
        let empty = Event::new([2, 2, 2], Samples::U16(vec![0; 8])).unwrap();
        let constant = Event::new([2, 2, 2], Samples::U16(vec![7; 8])).unwrap();
        for events in [&[][..], &[empty], &[constant]] {
            let learning = Learning { n_steps: 2, ..Learning::default() };
            assert!(learn(events, &learning, &mut |_, _| Ok(())).is_err());
        }
        for units in [[0, 16], [16, 17], [16, 272]] {
            let learning = Learning { n_steps: 1, units, seed: 0 };
            assert!(learn(&[event(0)], &learning, &mut |_, _| Ok(())).is_err(), "{units:?}");
        }
    }
}
