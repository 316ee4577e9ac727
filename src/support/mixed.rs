//! Occupancy by mixed contexts.

use super::stretch::Stretches;
use super::{Model, Walk};
use inrfit_entropy::{Coder, Contexts, Gates, Mixer, Rates, hash};

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
pub(super) struct Mixed {
    walk: Walk,
    contexts: Contexts<N_CONTEXTS>,
    mixer: Mixer<N_INPUTS, 3>,
    stretches: Stretches,
    /// Three slices of cells, `LINES_AROUND` and `CELLS_AROUND` wider on each side: this one and the two before.
    cells: Vec<Cell>,
    slices: [usize; 3],
    line_length: usize,
    /// What the lines around the present one have near each of its voxels.
    near: Vec<u8>,
}

impl Mixed {
    pub(super) fn new(walk: Walk) -> Mixed {
        let line_length = walk.n[2] + 2 * CELLS_AROUND;
        let slice = (walk.n[1] + 2 * LINES_AROUND) * line_length;
        Mixed {
            walk,
            contexts: Contexts::new(TABLE_BITS),
            mixer: Mixer::new(&GATES, &[WEIGHT; N_INPUTS], RATES),
            stretches: Stretches::default(),
            cells: vec![EMPTY; 3 * slice],
            slices: [0, slice, 2 * slice],
            line_length,
            near: vec![0; walk.n[2]],
        }
    }

    /// The cell at the start of line `j` of the slice `back` slices before this one.
    fn line_start(&self, back: usize, j: usize) -> usize {
        self.slices[back] + (j + LINES_AROUND) * self.line_length + CELLS_AROUND
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

        let place = self.walk.place(run);
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
        // The sixteen places within a run share a block.
        let mut inputs = [0; N_INPUTS];
        let mut places = [0; N_CONTEXTS];
        for q in 0..N_CONTEXTS {
            places[q] = self.contexts.find(q, hash(hashes[q], 0));
            inputs[q] = self.contexts.counter(places[q], place).input();
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
        for block in places {
            self.contexts.counter(block, place).update(bit);
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
}

impl Model for Mixed {
    fn code_line<C: Coder>(&mut self, coder: &mut C, i: usize, j: usize, line: &mut [bool]) {
        let n = line.len();
        let step = self.line_length;
        let (c, u, v) = (self.line_start(0, j), self.line_start(1, j), self.line_start(2, j));
        self.near.fill(0);
        for start in
            [c - step, c - 2 * step, c - 3 * step].into_iter().chain((0..7).map(|d| u + d * step - 3 * step))
        {
            for (near, cell) in self.near.iter_mut().zip(&self.cells[start..]) {
                *near |= cell.pattern;
            }
        }
        let edge = 2 * usize::from(i > 0) + usize::from(j > 0);
        let (mut run, mut gap, mut k) = (0, 31, 0);
        while k < n {
            if run == 0 && gap >= QUIET_GAP && self.near[k] == 0 {
                let end = k + self.near[k..].iter().take_while(|x| **x == 0).count();
                let found = self.stretches.code(coder, &mut line[k..end], edge);
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
        self.finish_line(j, line);
    }

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
