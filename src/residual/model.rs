//! The values of the occupied voxels by mixed contexts, once the whole support is known.

use super::bins::{Bins, UNIT};
use super::least_squares::LeastSquares;
use super::neighbourhood::{N_SLICES, Neighbourhood, widths};
use super::network::{ContextNetwork, Mixture};
use crate::lane::{Kernel, Simd};
use crate::support::Walk;
use inrfit_entropy::{Coder, Contexts, Counter, Gates, Mixer, Rates, cdf, hash, stretch};

const N_CONTEXTS: usize = 8;
/// Predictions of the value itself that enter as distributions: three least squares, their means, a field. Where there
/// is a context network, its mixture takes the place of one mean and its own mean that of the field.
const N_CENTRES: usize = 7;
const MIXTURE: usize = 5;
const N_INPUTS: usize = 16;
const TABLE_BITS: u32 = 12;
const GATES: Gates<3> = Gates { sets: [16 * 128, 16 * 64, 16 * 16 * 16], last: 16 * 16, map: 1024 };
const RATES: Rates = Rates { first: 6, last: 2 };
const BIAS: i32 = 102;
/// What inputs weigh at first: contexts, centres, bias.
const WEIGHTS: [i32; 3] = [5000, 6500, 3500];
/// The same beside a context network, then what its mixture weighs.
const WEIGHTS_BESIDE: [i32; 4] = [2500, 3250, 3500, 20_000];

/// What is known of a voxel.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Position of its value above the base; 0 while unknown or empty.
    height: i32,
    /// Its bin.
    bin: u16,
    /// Place within its window, 0 = empty.
    phase: u8,
    /// Occupied voxels of its run from here on, at most 255.
    left: u8,
    /// Voxels of its run up to here, at most 255.
    run: u8,
    /// Class of its height, 0 while unknown or empty.
    level: u8,
}

const LINES_AROUND: usize = 4;
const CELLS_AROUND: usize = 8;

/// Features of the three predictors, padded to whole vectors.
const WIDE: usize = 40;
const MIDDLE: usize = 24;
const NARROW: usize = 16;

/// How far below the lowest bin the base of all heights lies... predictions may fall as far below it again.
const BELOW: i32 = UNIT * 3 / 10;

/// One direction of coding a tile's values.
pub struct Values<'a, C> {
    /// Reads or writes decisions.
    pub coder: &'a mut C,
    /// How voxels are walked.
    pub walk: Walk,
    /// Which are occupied, C order.
    pub occupied: &'a [bool],
    /// What a value can be.
    pub bins: &'a Bins,
    /// Positions that a field predicts for the occupied voxels in C order of the tile, where there is one.
    pub field: Option<&'a [i32]>,
    /// What past events tell.
    pub network: Option<&'a ContextNetwork>,
    /// Bin of each voxel, C order: read when encoding, written when decoding.
    pub symbols: &'a mut [u16],
    /// Whether it is no use to go on.
    pub over: fn(&C) -> bool,
}

impl<C: Coder> Kernel for Values<'_, C> {
    type Output = ();

    /// Plain integers and f64, in vectors of whatever width the compiler finds.
    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Values { coder, walk, occupied, bins, field, network, symbols, over } = self;
        let mut model = Model::new(walk, bins, network);
        model.load(occupied, 0);
        if let Some(learned) = &mut model.learned {
            learned.around.load(&walk, occupied, 0, learned.rooms[2]);
            learned.around.load(&walk, occupied, 1, learned.rooms[3]);
        }
        for i in 0..walk.n[0] {
            model.load(occupied, i + 1);
            if let Some(learned) = &mut model.learned {
                learned.around.load(&walk, occupied, i + 2, learned.rooms[4]);
            }
            for j in 0..walk.n[1] {
                let first = i * walk.stride[0] + j * walk.stride[1];
                let start = model.line_start(1, j);
                for k in 0..walk.n[2] {
                    if model.cells[start + k].phase > 0 {
                        let at = first + k * walk.stride[2];
                        let predicted = field.map(|f| f[at]);
                        let symbol = model.code_value(coder, j, k, predicted, symbols[at]);
                        symbols[at] = symbol;
                    }
                }
            }
            if over(coder) {
                return;
            }
            model.slices.rotate_right(1);
            if let Some(learned) = &mut model.learned {
                learned.rooms.rotate_left(1);
            }
        }
    }
}

/// Everything that learns.
struct Model<'a> {
    walk: Walk,
    bins: &'a Bins,
    base: i32,
    /// Places of the predictions' classes in the range, as a factor in units of 2^-16.
    per_height: i64,
    n_levels: usize,
    contexts: Contexts<N_CONTEXTS>,
    mixer: Mixer<N_INPUTS, 3>,
    wide: LeastSquares<WIDE>,
    middle: LeastSquares<MIDDLE>,
    narrow: LeastSquares<NARROW>,
    /// Decisions of which the least squares are sure, by level, place, outcome and how sure.
    sure: Vec<Counter>,
    /// Mean distances of the centres from the truth, by context.
    spreads: [Vec<i32>; N_CENTRES],
    cells: Vec<Cell>,
    /// The next slice, this one, and the two before.
    slices: [usize; 4],
    line_length: usize,
    learned: Option<Learned<'a>>,
}

/// A context network and what it sees.
struct Learned<'a> {
    network: &'a ContextNetwork,
    around: Neighbourhood,
    /// Where the slices around the current one are kept, in order.
    rooms: [usize; N_SLICES],
    widths: [i16; 3],
}

/// The logit from which on a prediction counts as sure; no logit exceeds it by 512.
const SURE: i32 = 1792;

/// Contexts of a centre's spread.
const N_SPREADS: usize = 4096;

impl<'a> Model<'a> {
    fn new(walk: Walk, bins: &'a Bins, network: Option<&'a ContextNetwork>) -> Model<'a> {
        let line_length = walk.n[2] + 2 * CELLS_AROUND;
        let slice = (walk.n[1] + 2 * LINES_AROUND) * line_length;
        let [context, centre, bias, mixture] = match network {
            Some(_) => WEIGHTS_BESIDE,
            None => [WEIGHTS[0], WEIGHTS[1], WEIGHTS[2], WEIGHTS[1]],
        };
        let mut weights = [context; N_INPUTS];
        weights[N_CONTEXTS..].fill(centre);
        weights[N_CONTEXTS + MIXTURE] = mixture;
        weights[N_INPUTS - 1] = bias;
        let learned = network.map(|network| Learned {
            network,
            around: Neighbourhood::new(&walk, N_SLICES),
            rooms: [0, 1, 2, 3, 4],
            widths: widths(bins),
        });
        let n = bins.len();
        let span = (bins.edges[n] - bins.edges[0]).max(UNIT / 4);
        Model {
            walk,
            bins,
            base: bins.edges[0] + UNIT / 10,
            per_height: (120 << 16) / i64::from(span),
            n_levels: (usize::BITS - (n - 1).leading_zeros()) as usize,
            contexts: Contexts::new(TABLE_BITS),
            mixer: Mixer::new(&GATES, &weights, RATES),
            wide: LeastSquares::new(16, 0.9998, 1e9),
            middle: LeastSquares::new(16, 0.9995, 0.5),
            narrow: LeastSquares::new(64, 0.999, 0.3),
            sure: vec![Counter::NEW; 16 * 16 * 2 * 4 * 2],
            spreads: std::array::from_fn(|_| vec![UNIT / 4; N_SPREADS]),
            cells: vec![Cell::default(); 4 * slice],
            slices: [0, slice, 2 * slice, 3 * slice],
            line_length,
            learned,
        }
    }

    fn line_start(&self, slice: usize, j: usize) -> usize {
        self.slices[slice] + (j + LINES_AROUND) * self.line_length + CELLS_AROUND
    }

    /// Puts the support of slice `i` where the next slice belongs, or, for `i` = 0, this one.
    fn load(&mut self, occupied: &[bool], i: usize) {
        let to = usize::from(i == 0);
        let slice = self.cells.len() / 4;
        self.cells[self.slices[to]..self.slices[to] + slice].fill(Cell::default());
        let Walk { n, stride, .. } = self.walk;
        if i >= n[0] {
            return;
        }
        for j in 0..n[1] {
            let first = i * stride[0] + j * stride[1];
            let start = self.line_start(to, j);
            let line = &mut self.cells[start..start + n[2]];
            let mut run = 0;
            for (k, cell) in line.iter_mut().enumerate() {
                run = if occupied[first + k * stride[2]] { run + 1 } else { 0 };
                if run > 0 {
                    cell.phase = self.walk.phase(run) as u8;
                    cell.run = run.min(255) as u8;
                }
            }
            let mut left = 0u8;
            for cell in line.iter_mut().rev() {
                left = if cell.phase > 0 { left.saturating_add(1) } else { 0 };
                cell.left = left;
            }
        }
    }

    #[inline(always)]
    fn code_value<C: Coder>(
        &mut self,
        coder: &mut C,
        j: usize,
        k: usize,
        predicted: Option<i32>,
        symbol: u16,
    ) -> u16 {
        let step = self.line_length;
        let c = self.line_start(1, j) + k;
        let (u, v) = (self.line_start(2, j) + k, self.line_start(3, j) + k);
        let next = self.line_start(0, j) + k;
        let (c1, c2, e1) = (c - step, c - 2 * step, c + step);
        let cells = &self.cells;
        let height = |at: usize| f64::from(cells[at].height) * (1.0 / UNIT as f64);
        let has = |at: usize| if cells[at].phase > 0 { 1.0 } else { 0.0 };
        let phase_of = |at: usize| usize::from(cells[at].phase);
        let level = |at: usize| u64::from(cells[at].level);

        let here = cells[c];
        let (phase, left, run) = (phase_of(c), usize::from(here.left), usize::from(here.run));
        let (n1, p0, ne, nd) = (phase_of(c1), phase_of(u), phase_of(e1), phase_of(next));
        let (a1, a2) = (height(c - 1), height(c - 2));
        let (b0, b1) = (height(c1), height(c1 - 1));
        let shape = if n1 > 0 && b1 > 0.0 { (a1 * b0 / (b1 + 0.15)).clamp(-3.0, 3.0) } else { 0.0 };
        let falling = if run > 2 { (a1 - a2).max(0.0) } else { 0.0 };
        let field = predicted.map_or(0.0, |p| f64::from(p - self.base) * (1.0 / UNIT as f64));
        let mixture: Option<Mixture> = self.learned.as_ref().map(|learned| {
            learned.network.predict(&learned.around.features(&learned.rooms, j, k, &learned.widths))
        });
        let learned = mixture.map_or(0.0, |m| f64::from(m.mean()) * (1.0 / UNIT as f64));
        let mut wide = [0.0; WIDE];
        wide[..38].copy_from_slice(&[
            1.0,
            a1,
            a2,
            height(c - 3),
            height(c - 4),
            height(c1 - 2),
            b1,
            b0,
            height(c1 + 1),
            height(c1 + 2),
            height(c1 + 3),
            height(c2 - 1),
            height(c2),
            height(c2 + 1),
            height(c2 + 2),
            height(u - 1),
            height(u),
            height(u + 1),
            height(u + 2),
            height(u - step),
            height(u + step),
            height(u - step + 1),
            height(u + step + 1),
            has(c1),
            has(u),
            has(e1),
            has(next),
            has(e1 + 1),
            has(e1 - 1),
            if left > 4 { 1.0 } else { 0.0 },
            if n1 == phase { 1.0 } else { 0.0 },
            shape,
            falling,
            a1 * a1,
            height(v),
            has(c1) * has(e1),
            field,
            learned,
        ]);
        let mut middle = [0.0; MIDDLE];
        middle[..22].copy_from_slice(&[
            1.0,
            a1,
            a2,
            height(c - 3),
            a1 * a1,
            a2 * a2,
            a1 * a2,
            b0,
            b1,
            height(c1 + 1),
            b0 * a1,
            b0 * b0,
            height(u),
            shape,
            falling,
            has(e1),
            has(c1),
            has(u),
            height(c2),
            if ne == phase { 1.0 } else { 0.0 },
            field,
            learned,
        ]);
        let narrow: [f64; NARROW] = [
            1.0,
            a1,
            a2,
            height(c - 3),
            height(c - 4),
            b1,
            b0,
            height(c1 + 1),
            height(c1 + 2),
            height(u),
            height(u + 1),
            height(c2),
            has(e1),
            has(next),
            height(u + step),
            height(u - step),
        ];
        let class = |flag: usize, n: usize| if flag > 0 { n } else { 0 };
        let wide_class = class(n1, phase.min(7)) + class(ne, 8);
        let middle_class = phase;
        let narrow_class = phase.min(7) * 8 + class(n1, 4) + class(p0, 2) + class(ne, 1);
        let said = [
            self.wide.predict(wide_class, &wide),
            self.middle.predict(middle_class, &middle),
            self.narrow.predict(narrow_class, &narrow),
        ];
        let lowest = -BELOW;
        let highest = self.bins.edges[self.bins.len()] - self.base + BELOW;
        // A cast from f64 saturates, and sends what is no number to 0.
        let m = said.map(|s| ((s * UNIT as f64) as i32).clamp(lowest, highest));
        let mean = (m[0] + m[1] + m[2]) / 3;
        let predicted = mixture.map(|m| m.mean()).or(predicted.map(|p| p - self.base));
        let from_field = predicted.map_or(mean, |p| p.clamp(lowest, highest));
        let centres = [m[0], m[1], m[2], mean, mean, (m[0] + m[1]) / 2, from_field];

        let per_height = self.per_height;
        let place = |p: i32| ((i64::from(p + BELOW) * per_height) >> 16).clamp(0, 127) as usize;
        let (place0, place2, place_mean) = (place(m[0]), place(m[2]), place(mean));
        let (qa, qb, qc) = (level(c - 1), level(c1), level(u));
        let (qd, qe, qg) = (level(c1 + 1), level(c - 2), level(c - 3));
        let h = (phase * 8 + left.min(7)) as u64;
        let around = (n1.min(7) * 512 + p0.min(7) * 64 + ne.min(7) * 8 + nd.min(7)) as u64;
        let bin_above = if n1 > 0 { u64::from(cells[c1].bin) + 1 } else { 0 };
        let bin_before = if cells[c - 1].phase > 0 { u64::from(cells[c - 1].bin) + 1 } else { 0 };
        let hashes: [u64; N_CONTEXTS] = [
            hash(h, place0 as u64),
            hash(h + 1000, hash(bin_above, (n1 * 16) as u64 + qd)),
            hash(h + 2000, (qa * 16 + qe) * 16 + qg),
            hash(h + 3000, h),
            hash(h + 4000, around),
            hash(h + 5000, ((qa * 16 + qe) * 16 + qb) * 16 + qd),
            hash(phase as u64 + 6000, place_mean as u64),
            hash(h + 7000, hash(bin_before, qc * 16 + qb)),
        ];
        let spread_at = [
            phase * 64 + place0 / 2,
            phase * 256 + (qb * 16 + qa) as usize,
            phase * 256 + place2 / 2 * 4 + class(n1, 2) + class(ne, 1),
            place_mean * 16 + qa as usize,
            (phase * 16 + qa as usize) * 16 + qe as usize,
            (phase * 16 + qb as usize) * 16 + qc as usize,
            phase * 128 + place(from_field),
        ];
        let mut per_spread = [0i64; N_CENTRES];
        for r in 0..N_CENTRES {
            // The scale of a logistic distribution is its mean deviation / 1.386.
            let scale = (self.spreads[r][spread_at[r]] * 46 / 64).max(16);
            per_spread[r] = (1 << 28) / i64::from(scale);
        }

        let n_bins = self.bins.len();
        let (mut node, mut low, mut high) = (1usize, 0, 1usize << self.n_levels);
        let (mut entry, mut places) = (1, [0; N_CONTEXTS]);
        let mut inputs = [0; N_INPUTS];
        inputs[N_INPUTS - 1] = BIAS;
        let edges = &self.bins.edges;
        let base = self.base;
        let n_centres = N_CENTRES - usize::from(predicted.is_none());
        // Of each centre's distribution: what lies below the bins that are left, below their middle, below their end.
        let (mut from, mut below, mut to) = ([0i64; N_CENTRES], [0i64; N_CENTRES], [1i64 << 30; N_CENTRES]);
        for b in 0..self.n_levels {
            if b % 4 == 0 {
                entry = 1;
                for q in 0..N_CONTEXTS {
                    places[q] = self.contexts.find(q, hash(hashes[q], node as u64));
                }
            }
            let middle = (low + high) / 2;
            let bit = if middle >= n_bins {
                // Nothing lies there.
                false
            } else {
                let edge = edges[middle] - base;
                let mut predict = |r: usize| {
                    below[r] = match &mixture {
                        Some(mixture) if r == MIXTURE => mixture.below(edge),
                        _ => {
                            let x = (i64::from(edge - centres[r]) * per_spread[r]) >> 20;
                            i64::from(cdf(x.clamp(-5000, 5000) as i32))
                        }
                    };
                    let one = to[r] - below[r] + 1024;
                    stretch((((one << 16) / (to[r] - from[r] + 2048)).clamp(1, 65_535)) as u32)
                };
                let (first, mean) = (predict(0), predict(3));
                let sure = first.abs().min(mean.abs());
                if sure >= SURE && (first > 0) == (mean > 0) {
                    // Where the least squares leave no doubt, nothing is mixed.
                    let at =
                        ((b * 16 + phase) * 2 + usize::from(mean > 0)) * 4 + (sure - SURE) as usize / 128;
                    let counter = &mut self.sure[at];
                    let bit = coder.bit(counter.p().clamp(1, 65_535) as u16, usize::from(symbol) >= middle);
                    counter.update(bit);
                    for r in (0..n_centres).filter(|r| *r != 0 && *r != 3) {
                        predict(r);
                    }
                    bit
                } else {
                    inputs[N_CONTEXTS] = first;
                    inputs[N_CONTEXTS + 3] = mean;
                    for r in (0..n_centres).filter(|r| *r != 0 && *r != 3) {
                        inputs[N_CONTEXTS + r] = predict(r);
                    }
                    for q in 0..N_CONTEXTS {
                        inputs[q] = self.contexts.counter(places[q], entry).input();
                    }
                    let gates = Gates {
                        sets: [
                            phase * 128 + node.min(127),
                            b * 64 + place0 / 2,
                            (b * 16 + phase) * 16 + qa as usize,
                        ],
                        last: b * 16 + phase,
                        map: (node.min(127) * 8 + phase.min(7)).min(1023),
                    };
                    let bit = self.mixer.code(coder, &inputs, &gates, usize::from(symbol) >= middle);
                    for place in places {
                        self.contexts.counter(place, entry).update(bit);
                    }
                    bit
                }
            };
            if middle < n_bins {
                // What lies below the middle is now the lower end, or the upper one.
                for r in 0..n_centres {
                    if bit {
                        from[r] = below[r];
                    } else {
                        to[r] = below[r];
                    }
                }
            }
            if bit {
                low = middle;
            } else {
                high = middle;
            }
            entry = 2 * entry + usize::from(bit);
            node = 2 * node + usize::from(bit);
        }

        let truth = self.bins.positions[low] - base;
        for r in 0..N_CENTRES {
            let spread = &mut self.spreads[r][spread_at[r]];
            *spread += (((truth - centres[r]).abs() - *spread) * 6) >> 8;
        }
        let y = f64::from(truth) * (1.0 / UNIT as f64);
        if let Some(learned) = &mut self.learned {
            let at = learned.around.at(learned.rooms[2], j, k);
            learned.around.set(at, truth);
        }
        self.wide.learn(wide_class, &wide, said[0], y);
        self.middle.learn(middle_class, &middle, said[1], y);
        self.narrow.learn(narrow_class, &narrow, said[2], y);
        let level = self.bins.levels[low];
        let cell = &mut self.cells[c];
        (cell.height, cell.bin, cell.level) = (truth, low as u16, level);
        low as u16
    }
}
