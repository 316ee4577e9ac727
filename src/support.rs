//! The exact occupancy of a tile: which voxels are not zero, by mixed adaptive contexts.
//!
//! Voxels are coded line by line along one axis. A voxel's contexts are how far it lies within the current run of
//! occupied voxels, and what the lines coded before look like around it: the lines next to it in the same slice, and
//! those around it in the slice before. Where all of those are empty, whole stretches are coded at once, so that
//! empty space costs next to nothing. Axes and the length of the runs are chosen from the data and stored.

use crate::error::{Error, Result};
use inrfit_entropy::{AdaptiveBit, Coder, Contexts, Decoder, Encoder, Gates, Mixer, Rates, hash};

/// Axes from slowest to fastest, by the number that stands for them in the stream.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A tile as its layers walk it: slices of lines of voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    order: u8,
    /// Slices, lines a slice, voxels a line.
    pub n: [usize; 3],
    /// Distance in C order between neighbours along each.
    pub stride: [usize; 3],
    /// Length of a window: runs are taken as made of such; 0 = of no particular length.
    pub window: usize,
}

/// Longest window.
const MAX_WINDOW: usize = 250;

impl Walk {
    /// The walk of a tile of `shape` in the order `order`.
    fn new(shape: [usize; 3], order: u8, window: u8) -> Option<Walk> {
        let axes = ORDERS.get(usize::from(order))?;
        let strides = [shape[1] * shape[2], shape[2], 1];
        let (n, stride) = (axes.map(|a| shape[a]), axes.map(|a| strides[a]));
        (usize::from(window) <= MAX_WINDOW).then_some(Walk { order, n, stride, window: usize::from(window) })
    }

    /// The walk that suits `occupied` (C order): lines along the axis with the fewest changes between occupied and
    /// empty, slices across the one with the most; the window is the commonest length of a run.
    pub fn choose(shape: [usize; 3], occupied: &[bool]) -> Walk {
        let strides = [shape[1] * shape[2], shape[2], 1];
        let changes = [0, 1, 2].map(|axis| {
            let (n, stride) = (shape[axis], strides[axis]);
            let block = n * stride;
            // Where an axis has one voxel there is nothing to follow along it.
            let changed: usize = occupied
                .chunks_exact(block)
                .map(|b| b.iter().zip(&b[stride..]).filter(|(a, b)| a != b).count())
                .sum();
            if n < 2 { f64::INFINITY } else { changed as f64 / (n - 1) as f64 * n as f64 }
        });
        let rank = |order: &[usize; 3]| order.map(|a| changes[a]);
        let order = (0..6u8)
            .max_by(|a, b| {
                let (a, b) = (rank(&ORDERS[usize::from(*a)]), rank(&ORDERS[usize::from(*b)]));
                a.iter()
                    .zip(b)
                    .map(|(x, y)| x.total_cmp(&y))
                    .find(|o| o.is_ne())
                    .unwrap_or(std::cmp::Ordering::Equal)
            })
            .unwrap_or(0);
        let plain =
            Walk::new(shape, order, 0).unwrap_or(Walk { order: 0, n: shape, stride: strides, window: 0 });
        let mut lengths = [0usize; MAX_WINDOW + 1];
        for line in plain.lines() {
            let mut run = 0;
            for k in 0..=plain.n[2] {
                if k < plain.n[2] && occupied[line + k * plain.stride[2]] {
                    run += 1;
                } else if run > 0 {
                    lengths[run.min(MAX_WINDOW)] += 1;
                    run = 0;
                }
            }
        }
        let n_runs: usize = lengths.iter().sum();
        let window = (2..MAX_WINDOW).max_by_key(|&l| (lengths[l], MAX_WINDOW - l)).unwrap_or(0);
        let clear = 3 * lengths[window] > n_runs;
        Walk { window: if clear { window } else { 0 }, ..plain }
    }

    /// The first voxel of each line, in C order of the tile.
    pub fn lines(&self) -> impl Iterator<Item = usize> + use<> {
        let Walk { n, stride, .. } = *self;
        (0..n[0]).flat_map(move |i| (0..n[1]).map(move |j| i * stride[0] + j * stride[1]))
    }

    /// Place within a window of the `run`-th occupied voxel of a run (from 1), at most 15.
    #[inline(always)]
    pub fn phase(&self, run: usize) -> usize {
        if self.window > 0 { ((run - 1) % self.window + 1).min(15) } else { run.min(15) }
    }
}

/// Contexts of a voxel, and with them predictions.
const N_CONTEXTS: usize = 15;
const N_INPUTS: usize = 16;
const TABLE_BITS: u32 = 10;
const GATES: Gates<3> = Gates { sets: [16 * 64, 16 * 32, 32 * 16], last: 256, map: 1024 };
const RATES: Rates = Rates { first: 6, last: 2 };
/// What a mixer is told besides its contexts.
const BIAS: i32 = 102;
/// What each input weighs at first.
const WEIGHT: i32 = 7000;

/// What a line looks like around one of its voxels, seen from its neighbours.
#[derive(Debug, Clone, Copy, Default)]
struct Cell {
    /// Place within its window, 0 = empty.
    phase: u8,
    /// Occupancy from 2 before to 5 after, first voxel in the highest bit.
    pattern: u8,
    /// Occupied among this and the next four.
    count: u8,
    /// Distance to the next start of a window within 7, else 9.
    next: u8,
    /// Where the nearest window is: distance to its start within 7, 13 = none, 14 + its phase - 1 (at most 4) inside.
    near: u8,
    /// Lines in a row, up to this one, that have something here (at most 7); and from this one on.
    left: u8,
    right: u8,
}

const EMPTY: Cell = Cell { phase: 0, pattern: 0, count: 0, next: 9, near: 13, left: 0, right: 0 };
/// Empty lines around a slice, and empty cells around a line.
const LINES_AROUND: usize = 4;
const CELLS_AROUND: usize = 8;
/// Voxels that must be empty before one for the place to be quiet.
const QUIET_GAP: usize = 8;

/// One direction of coding a tile.
struct Model {
    walk: Walk,
    contexts: Contexts<N_CONTEXTS>,
    mixer: Mixer<N_INPUTS, 3>,
    /// Whether a stretch of quiet voxels is empty, by its length; and which half of it is.
    stretch: [[AdaptiveBit; 4]; 17],
    half: [AdaptiveBit; 17],
    /// Three slices of cells, `LINES_AROUND` and `CELLS_AROUND` wider on each side: this one and the two before.
    cells: Vec<Cell>,
    slices: [usize; 3],
    line_length: usize,
}

impl Model {
    fn new(walk: Walk) -> Model {
        let line_length = walk.n[2] + 2 * CELLS_AROUND;
        let slice = (walk.n[1] + 2 * LINES_AROUND) * line_length;
        Model {
            walk,
            contexts: Contexts::new(TABLE_BITS),
            mixer: Mixer::new(&GATES, &[WEIGHT; N_INPUTS], RATES),
            stretch: [[AdaptiveBit::new(); 4]; 17],
            half: [AdaptiveBit::new(); 17],
            cells: vec![EMPTY; 3 * slice],
            slices: [0, slice, 2 * slice],
            line_length,
        }
    }

    /// Codes the whole tile; `occupied` is read when encoding and written when decoding. `over` tells that it is no
    /// use to go on.
    fn code<C: Coder>(&mut self, coder: &mut C, occupied: &mut [bool], over: impl Fn(&C) -> bool) {
        let Walk { n, stride, .. } = self.walk;
        let mut line = vec![false; n[2]];
        let mut near = vec![0u8; n[2]];
        for i in 0..n[0] {
            for j in 0..n[1] {
                let first = i * stride[0] + j * stride[1];
                for (k, v) in line.iter_mut().enumerate() {
                    *v = occupied[first + k * stride[2]];
                }
                self.code_line(coder, i, j, &mut line, &mut near);
                for (k, v) in line.iter().enumerate() {
                    occupied[first + k * stride[2]] = *v;
                }
                self.finish_line(j, &line);
            }
            if over(coder) {
                return;
            }
            self.finish_slice();
        }
    }

    /// The cell at the start of line `j` of the slice `back` slices before this one.
    fn line_start(&self, back: usize, j: usize) -> usize {
        self.slices[back] + (j + LINES_AROUND) * self.line_length + CELLS_AROUND
    }

    #[inline(always)]
    fn code_line<C: Coder>(&mut self, coder: &mut C, i: usize, j: usize, line: &mut [bool], near: &mut [u8]) {
        let n = line.len();
        let step = self.line_length;
        let (c, u, v) = (self.line_start(0, j), self.line_start(1, j), self.line_start(2, j));
        near.fill(0);
        for start in
            [c - step, c - 2 * step, c - 3 * step].into_iter().chain((0..7).map(|d| u + d * step - 3 * step))
        {
            for (near, cell) in near.iter_mut().zip(&self.cells[start..]) {
                *near |= cell.pattern;
            }
        }
        let edge = 2 * usize::from(i > 0) + usize::from(j > 0);
        let (mut run, mut gap, mut k) = (0, 31, 0);
        while k < n {
            if run == 0 && gap >= QUIET_GAP && near[k] == 0 {
                let end = k + near[k..].iter().take_while(|x| **x == 0).count();
                let found = self.code_stretch(coder, &mut line[k..end], edge);
                k += found;
                gap += found;
                if k < end {
                    line[k] = true;
                    (run, gap, k) = (1, 0, k + 1);
                }
                continue;
            }
            let bit = self.code_voxel(coder, [c + k, u + k, v + k], [i, k], run, gap, line[k]);
            line[k] = bit;
            (run, gap) = if bit { (run + 1, 0) } else { (0, gap + 1) };
            k += 1;
        }
    }

    /// Codes how many voxels of a quiet stretch are empty before the first occupied one, or all; sets those.
    fn code_stretch<C: Coder>(&mut self, coder: &mut C, line: &mut [bool], edge: usize) -> usize {
        let mut at = 0;
        while at < line.len() {
            let mut log = (line.len() - at).ilog2().min(16) as usize;
            let is_empty = |line: &[bool]| !line.contains(&true);
            let empty = self.stretch[log][edge].code(coder, is_empty(&line[at..at + (1 << log)]));
            if empty {
                line[at..at + (1 << log)].fill(false);
                at += 1 << log;
                continue;
            }
            while log > 0 {
                log -= 1;
                if self.half[log].code(coder, is_empty(&line[at..at + (1 << log)])) {
                    line[at..at + (1 << log)].fill(false);
                    at += 1 << log;
                }
            }
            return at;
        }
        at
    }

    #[inline(always)]
    fn code_voxel<C: Coder>(
        &mut self,
        coder: &mut C,
        [c, u, v]: [usize; 3],
        [i, k]: [usize; 2],
        run: usize,
        gap: usize,
        bit: bool,
    ) -> bool {
        let step = self.line_length;
        let cell = |at: usize| self.cells[at];
        let (c1, c2, c3) = (cell(c - step), cell(c - 2 * step), cell(c - 3 * step));
        let (u0, um, up) = (cell(u), cell(u - step), cell(u + step));
        let v0 = cell(v);
        let far = |a: usize| u64::from(self.cells[a].count);
        let ph = |c: Cell| u64::from(c.phase);
        let (n1, n2, n3, p0, pm, pp) = (ph(c1), ph(c2), ph(c3), ph(u0), ph(um), ph(up));
        let pat = |c: Cell| u64::from(c.pattern);
        let (s1, s2, s0) = (u64::from(c1.next), u64::from(c2.next), u64::from(u0.next));
        let near = |c: Cell| u64::from(c.near);
        let (ra, rb, rc, ru) = (near(c1), near(c2), near(c3), near(u0));
        let rp = near(up);
        let (left, ul, ur) = (u64::from(c1.left), u64::from(u0.left), u64::from(u0.right));
        let count = |c: Cell| u64::from(c.count);
        let cn = count(c1) + count(c2) + count(c3);
        let cp = count(u0)
            + count(um)
            + count(up)
            + far(u - 2 * step)
            + far(u + 2 * step)
            + far(u - 3 * step)
            + far(u + 3 * step);

        let place = if run < 16 {
            run
        } else if self.walk.window > 0 {
            // Late in a long run only the place within the window counts.
            let phase = run % self.walk.window;
            if phase == 0 { 15 } else { 1 + (phase - 1).min(13) }
        } else {
            15
        };
        let h = place as u64;
        let g = gap.min(15) as u64;
        let hashes: [u64; N_CONTEXTS] = [
            pat(c1),
            hash(n1 * 16 + n2, p0 * 16 + n3),
            pat(u0),
            hash(pat(c1), pat(c2)),
            hash(i as u64, (k / 4) as u64),
            hash(g, pat(c1) * 10 + s2),
            (s1 * 10 + s2) * 16 + s0,
            ((pm * 16 + p0) * 16 + pp) * 16 + ph(v0),
            hash(n1 * 16 + n2, (s1 * 10 + s2) * 256 + s0 * 10),
            hash(pat(um), pat(up)),
            hash(pat(c1), pat(u0)),
            (ra * 32 + rp) * 32 + ru,
            (ra * 32 + rb) * 32 + rc,
            ((ra * 8 + left) * 8 + ul) * 8 + ur,
            hash(ra * 32 + ru, (left.min(3) * 4 + ul.min(3)) * 4 + ur.min(3)),
        ];
        // Four decisions share a block where only the place within the run differs.
        let (block, entry) = (h >> 4, (h & 15) as usize);
        let mut inputs = [0; N_INPUTS];
        let mut places = [0; N_CONTEXTS];
        for q in 0..N_CONTEXTS {
            places[q] = self.contexts.find(q, hash(hashes[q], block));
            inputs[q] = self.contexts.counter(places[q], entry).input();
        }
        inputs[N_CONTEXTS] = BIAS;
        let gates = Gates {
            sets: [
                place * 64 + n1.min(7) as usize * 8 + p0.min(7) as usize,
                (cn.min(15) * 32 + cp.min(31)) as usize,
                k * 32 / self.walk.n[2] * 16 + place,
            ],
            last: place * 16 + n1.min(3) as usize * 4 + p0.min(3) as usize,
            map: place * 64 + n1.min(7) as usize * 8 + p0.min(7) as usize,
        };
        let bit = self.mixer.code(coder, &inputs, &gates, bit);
        for place in places {
            self.contexts.counter(place, entry).update(bit);
        }
        bit
    }

    /// Works out the cells of a line that is known now.
    fn finish_line(&mut self, j: usize, line: &[bool]) {
        let start = self.line_start(0, j);
        let n = line.len();
        let cells = &mut self.cells[start - self.line_length - CELLS_AROUND..start + n + CELLS_AROUND];
        let (before, cells) = cells.split_at_mut(self.line_length);
        cells.fill(EMPTY);
        if !line.contains(&true) {
            return;
        }
        let (before, cells) = (&before[CELLS_AROUND..], &mut cells[..]);
        let mut run = 0;
        for (k, &occupied) in line.iter().enumerate() {
            run = if occupied { run + 1 } else { 0 };
            if occupied {
                cells[CELLS_AROUND + k].phase = self.walk.phase(run) as u8;
            }
        }
        // Two before the line see its first voxels too.
        for k in 0..n {
            let at = CELLS_AROUND + k;
            let phases: [u8; 10] = std::array::from_fn(|d| cells[at + d - 2].phase);
            let mut cell = cells[at];
            cell.pattern = phases[..8].iter().fold(0, |p, x| p << 1 | u8::from(*x > 0));
            cell.count = phases[2..7].iter().filter(|x| **x > 0).count() as u8;
            cell.next = phases[2..].iter().position(|x| *x == 1).map_or(9, |d| d as u8);
            cell.near = match phases[2] {
                0 if cell.next < 9 => cell.next,
                0 => 13,
                phase => 14 + (phase - 1).min(4),
            };
            if cell.count > 0 {
                cell.left = (before[k].left + 1).min(7);
            }
            cells[at] = cell;
        }
    }

    /// Works out what is known once a slice is complete, and makes it the one before.
    fn finish_slice(&mut self) {
        for j in (0..self.walk.n[1]).rev() {
            let start = self.line_start(0, j);
            for at in start..start + self.walk.n[2] {
                if self.cells[at].left > 0 {
                    self.cells[at].right = (self.cells[at + self.line_length].right + 1).min(7);
                }
            }
        }
        self.slices.rotate_right(1);
        let slice = self.cells.len() / 3;
        self.cells[self.slices[0]..self.slices[0] + slice].fill(EMPTY);
    }
}

/// Codes which voxels of a tile are occupied (C order). An empty tile has no bytes.
pub fn encode(walk: Walk, occupied: &[bool]) -> Vec<u8> {
    if !occupied.contains(&true) {
        return Vec::new();
    }
    let mut encoder = Encoder::new();
    Model::new(walk).code(&mut encoder, &mut occupied.to_vec(), |_| false);
    let mut bytes = vec![walk.order, walk.window as u8];
    bytes.extend(encoder.finish());
    bytes
}

/// The inverse of [`encode`] for a tile of `shape`: its walk and its occupied voxels.
///
/// # Errors
/// `Corrupt` where the bytes are no such code.
pub fn decode(shape: [usize; 3], bytes: &[u8]) -> Result<(Walk, Vec<bool>)> {
    let mut occupied = vec![false; shape.iter().product()];
    let [order, window, stream @ ..] = bytes else {
        return match (bytes, Walk::new(shape, 0, 0)) {
            ([], Some(walk)) => Ok((walk, occupied)),
            _ => Err(Error::corrupt("an occupancy code of one byte")),
        };
    };
    let walk = Walk::new(shape, *order, *window)
        .ok_or_else(|| Error::corrupt(format!("an occupancy code of order {order} and window {window}")))?;
    let mut decoder = Decoder::new(stream);
    // A stream that has ended says nothing more: bad ones end early, not after all their voxels.
    Model::new(walk).code(&mut decoder, &mut occupied, Decoder::overrun);
    if decoder.overrun() || decoder.n_left() > 0 {
        return Err(Error::corrupt("an occupancy code that is longer or shorter than its voxels"));
    }
    Ok((walk, occupied))
}
