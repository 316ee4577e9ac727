//! Occupancy by one context a voxel.

use super::stretch::Stretches;
use super::{Model, Walk};
use inrfit_entropy::{Coder, Counter};

/// Seen from a neighbouring line, a voxel is this far before the start of a window (1 to 6), has none near (13), or
/// lies inside one (14 + its place there - 1, at most 18).
const NONE: u8 = 13;
const REACH: u8 = 7;
const INSIDE: u8 = 14;
const LAST_PLACE: usize = 5;
/// Empty lines beside a slice.
const BESIDE: usize = 1;

/// One direction of coding a tile.
pub(super) struct Quick {
    walk: Walk,
    /// By place in the run (4 bits), the lines before in this slice and at the same place of the slice before (5 bits
    /// each), and whether their neighbours there are inside windows (2 bits).
    counters: Vec<Counter>,
    stretches: Stretches,
    /// Two slices of what lines look like: this one and the one before.
    near: [Vec<u8>; 2],
}

impl Quick {
    pub(super) fn new(walk: Walk) -> Quick {
        let slice = vec![NONE; (walk.n[1] + 2 * BESIDE) * walk.n[2]];
        Quick {
            walk,
            counters: vec![Counter::NEW; 1 << 16],
            stretches: Stretches::default(),
            near: [slice.clone(), slice],
        }
    }
}

impl Model for Quick {
    fn code_line<C: Coder>(&mut self, coder: &mut C, i: usize, j: usize, line: &mut [bool]) {
        let n = line.len();
        let [here, before] = &mut self.near;
        let (done, this) = here.split_at_mut((j + BESIDE) * n);
        let c1 = &done[j * n..];
        let u = |d: usize| &before[(j + d) * n..][..n];
        let (um, u0, up) = (u(0), u(1), u(2));
        let edge = 2 * usize::from(i > 0) + usize::from(j > 0);
        let quiet = |k: usize| (c1[k] == NONE) & (u0[k] == NONE) & (um[k] == NONE) & (up[k] == NONE);
        let (mut run, mut k) = (0, 0);
        while k < n {
            if run == 0 && quiet(k) {
                let end = (k + 1..n).find(|&k| !quiet(k)).unwrap_or(n);
                k += self.stretches.code(coder, &mut line[k..end], edge);
                if k < end {
                    line[k] = true;
                    (run, k) = (1, k + 1);
                }
                continue;
            }
            let place = self.walk.place(run);
            let beside = usize::from(um[k] >= INSIDE) * 2 + usize::from(up[k] >= INSIDE);
            let context = (place << 5 | usize::from(c1[k])) << 7 | usize::from(u0[k]) << 2 | beside;
            let counter = &mut self.counters[context];
            let bit = coder.bit(counter.p().clamp(1, 65_535) as u16, line[k]);
            counter.update(bit);
            line[k] = bit;
            run = if bit { run + 1 } else { 0 };
            k += 1;
        }
        let this = &mut this[..n];
        if !line.contains(&true) {
            this.fill(NONE);
            return;
        }
        let mut run = 0;
        for (near, &occupied) in this.iter_mut().zip(&*line) {
            run = if occupied { run + 1 } else { 0 };
            *near = if occupied { INSIDE + (self.walk.phase(run).min(LAST_PLACE) - 1) as u8 } else { NONE };
        }
        let mut next = NONE;
        for near in this.iter_mut().rev() {
            next = match *near {
                INSIDE => 1,
                NONE if next < REACH => next + 1,
                _ => NONE,
            };
            if *near == NONE {
                *near = if next == NONE { NONE } else { next - 1 };
            }
        }
    }

    fn finish_slice(&mut self) {
        self.near.swap(0, 1);
    }
}
