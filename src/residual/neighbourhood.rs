//! What a context network sees of a voxel's surroundings.

use super::bins::{Bins, UNIT, log2};
use crate::support::Walk;

/// Slices that a voxel sees: the two before its own, its own, and the two after.
pub const N_SLICES: usize = 5;
/// Cells that surround each slice, along its lines and across them, so that no window leaves it.
const MARGIN: usize = 6;
const LINES_AROUND: usize = 3;

/// A window of neighbours: slice (2 = its own), lines away, first place along the line, number of places.
type Window = (usize, isize, isize, usize);

/// Neighbours whose values the decoder has when it comes to a voxel.
const KNOWN: [Window; 12] = [
    (0, -1, -1, 3),
    (0, 0, -1, 3),
    (0, 1, -1, 3),
    (1, -2, -3, 7),
    (1, -1, -3, 7),
    (1, 0, -3, 7),
    (1, 1, -3, 7),
    (1, 2, -3, 7),
    (2, -3, -2, 5),
    (2, -2, -4, 9),
    (2, -1, -4, 10),
    (2, 0, -5, 5),
];
/// Neighbours of which it knows only whether they are occupied.
const AHEAD: [Window; 11] = [
    (2, 0, 1, 6),
    (2, 1, -5, 11),
    (2, 2, -4, 9),
    (3, -2, -3, 7),
    (3, -1, -3, 7),
    (3, 0, -3, 7),
    (3, 1, -3, 7),
    (3, 2, -3, 7),
    (4, -1, -1, 3),
    (4, 0, -1, 3),
    (4, 1, -1, 3),
];

const fn places(windows: &[Window]) -> usize {
    let (mut n, mut i) = (0, 0);
    while i < windows.len() {
        n += windows[i].3;
        i += 1;
    }
    n
}

const N_KNOWN: usize = places(&KNOWN);
const N_WIDTHS: usize = 3;
/// Inputs of a context network: values, occupancies, widths of bins.
pub const N_FEATURES: usize = 2 * N_KNOWN + places(&AHEAD) + N_WIDTHS;
/// No input is larger, in units of 2^-8.
pub const MAX_FEATURE: i32 = 4095;
/// What stands for "occupied".
const ONE: i16 = 256;

/// The inputs for one voxel, in units of 2^-8.
pub type Features = [i16; N_FEATURES];

/// Values and occupancies of slices, each with empty cells around it.
#[derive(Debug, Clone)]
pub struct Neighbourhood {
    /// Height of each value in units of 2^-8; 0 while unknown or empty.
    heights: Vec<i16>,
    /// [`ONE`] where occupied.
    occupied: Vec<i16>,
    line_length: usize,
    slice_length: usize,
}

impl Neighbourhood {
    /// Room for `n_slices` empty slices of the tile that `walk` walks.
    pub fn new(walk: &Walk, n_slices: usize) -> Neighbourhood {
        let line_length = walk.n[2] + 2 * MARGIN;
        let slice_length = (walk.n[1] + 2 * LINES_AROUND) * line_length;
        let n = n_slices * slice_length;
        Neighbourhood { heights: vec![0; n], occupied: vec![0; n], line_length, slice_length }
    }

    /// Where voxel `k` of line `j` of the slice in room `room` is kept.
    #[inline(always)]
    pub fn at(&self, room: usize, j: usize, k: usize) -> usize {
        room * self.slice_length + (j + LINES_AROUND) * self.line_length + MARGIN + k
    }

    /// Puts the occupancy of slice `i` of a tile (C order) into `room`, or nothing where there is no such slice.
    pub fn load(&mut self, walk: &Walk, occupied: &[bool], i: usize, room: usize) {
        let all = room * self.slice_length..(room + 1) * self.slice_length;
        self.heights[all.clone()].fill(0);
        self.occupied[all].fill(0);
        if i >= walk.n[0] {
            return;
        }
        for j in 0..walk.n[1] {
            let first = i * walk.stride[0] + j * walk.stride[1];
            let start = self.at(room, j, 0);
            for k in 0..walk.n[2] {
                self.occupied[start + k] = i16::from(occupied[first + k * walk.stride[2]]) * ONE;
            }
        }
    }

    /// The value at `at` is now known: `height` above the lowest sample, in units of 2^-12.
    #[inline(always)]
    pub fn set(&mut self, at: usize, height: i32) {
        self.heights[at] = feature(height + UNIT / 10);
    }

    /// The inputs for voxel `k` of line `j` of the slice in `rooms[2]`; `rooms` are those of the slices around it.
    #[inline(always)]
    pub fn features(
        &self,
        rooms: &[usize; N_SLICES],
        j: usize,
        k: usize,
        widths: &[i16; N_WIDTHS],
    ) -> Features {
        let mut features = [0; N_FEATURES];
        let mut next = 0;
        let mut copy = |from: &[i16], &(slice, line, first, n): &Window| {
            let centre = self.at(rooms[slice], j, k) as isize;
            let start = (centre + line * self.line_length as isize + first) as usize;
            features[next..next + n].copy_from_slice(&from[start..start + n]);
            next += n;
        };
        KNOWN.iter().for_each(|window| copy(&self.heights, window));
        KNOWN.iter().chain(&AHEAD).for_each(|window| copy(&self.occupied, window));
        features[next..].copy_from_slice(widths);
        features
    }
}

/// `x` of units of 2^-12 as an input, never negative.
fn feature(x: i32) -> i16 {
    (x >> 4).clamp(0, MAX_FEATURE) as i16
}

/// Inputs that tell how wide the bins are at three heights: a quarter of the logarithm of the width.
pub fn widths(bins: &Bins) -> [i16; N_WIDTHS] {
    let edges = &bins.edges;
    [UNIT / 2, 3 * UNIT / 2, 5 * UNIT / 2].map(|height| {
        let inside = &edges[1..edges.len() - 1];
        let bin = inside.partition_point(|e| *e < edges[0] + height);
        let width = (edges[bin + 1] - edges[bin]).max(1) as u64;
        ((log2(width) - 12 * UNIT) >> 6) as i16
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_voxel_sees_only_what_the_decoder_has() {
        let shape = [7, 9, 20];
        let n: usize = shape.iter().product();
        let occupied = vec![true; n];
        let walk = Walk::choose(shape, &occupied);
        let mut all = Neighbourhood::new(&walk, walk.n[0] + 4);
        for i in 0..walk.n[0] + 4 {
            all.load(&walk, &occupied, i.wrapping_sub(2), i);
        }
        let (i, j, k) = (3, 4, 10);
        let rooms = [i, i + 1, i + 2, i + 3, i + 4];
        let before = all.features(&rooms, j, k, &[0; 3]);
        // Nothing at or after the voxel in the order of coding changes what it sees.
        for room in rooms {
            for line in 0..walk.n[1] {
                for place in 0..walk.n[2] {
                    if (room, line, place) >= (i + 2, j, k) {
                        let at = all.at(room, line, place);
                        all.set(at, 5000);
                    }
                }
            }
        }
        // Windows on the line before reach past the voxel's own place: those come from lines that are complete.
        assert_eq!(all.features(&rooms, j, k, &[0; 3]), before);
        let at = all.at(i + 2, j, k - 1);
        all.set(at, 5000);
        assert_ne!(all.features(&rooms, j, k, &[0; 3]), before);
    }
}
