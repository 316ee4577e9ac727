//! How an event is split: tiles are fitted and decoded independently of each other.

use crate::error::{Error, Result};
use crate::event::{Event, Samples};

/// The largest number of voxels in a tile of the default grid: 192 x 256 x 16, one wedge and a little more.
pub const MAX_DEFAULT_TILE_VOXELS: u64 = 786_432;

/// A box of voxels: where it starts and how far it extends along each axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    /// Index of the first voxel along each axis.
    pub start: [usize; 3],
    /// Extent of each axis, voxels.
    pub shape: [usize; 3],
}

impl Tile {
    /// Number of voxels.
    pub fn n_voxels(&self) -> usize {
        self.shape.iter().product()
    }

    /// What this box and `other` have in common; `None` where that is nothing.
    pub fn intersection(&self, other: &Tile) -> Option<Tile> {
        let start = [0, 1, 2].map(|a| self.start[a].max(other.start[a]));
        let end = |t: &Tile, a: usize| t.start[a].saturating_add(t.shape[a]);
        let shape = [0, 1, 2].map(|a| end(self, a).min(end(other, a)).saturating_sub(start[a]));
        (!shape.contains(&0)).then_some(Tile { start, shape })
    }

    /// This box counted from `origin`, which no index of it is below.
    ///
    /// # Panics
    /// In debug builds, where an index is.
    pub fn relative_to(&self, origin: [usize; 3]) -> Tile {
        Tile { start: [0, 1, 2].map(|a| self.start[a] - origin[a]), shape: self.shape }
    }

    /// An error unless the tile has voxels and lies inside an array of `shape`.
    ///
    /// # Errors
    /// `Argument`.
    pub fn check_inside(&self, shape: [usize; 3]) -> Result<()> {
        let inside = |a: usize| {
            self.shape[a] > 0 && self.start[a].checked_add(self.shape[a]).is_some_and(|end| end <= shape[a])
        };
        if (0..3).all(inside) {
            return Ok(());
        }
        Err(Error::argument(format!(
            "a tile of shape {:?} at {:?} does not lie inside an event of shape {shape:?}",
            self.shape, self.start
        )))
    }

    /// Calls `copy(whole, part, n)` for every run of `n` voxels that is contiguous both in an array of `shape`
    /// (from position `whole`) and in the tile (from position `part`). The tile must lie inside.
    fn for_each_run(&self, shape: [usize; 3], mut copy: impl FnMut(usize, usize, usize)) {
        let [n0, n1, n2] = self.shape;
        // A tile as wide as the last axis is contiguous over its two last axes.
        let (rows, run) = if n2 == shape[2] { (1, n1 * n2) } else { (n1, n2) };
        for i in 0..n0 {
            for j in 0..rows {
                let whole = ((self.start[0] + i) * shape[1] + self.start[1] + j) * shape[2] + self.start[2];
                copy(whole, (i * rows + j) * run, run);
            }
        }
    }
}

/// A regular split of an event: axis `a` of extent n is cut into c parts at floor(i n / c), i = 0 ..= c.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TileGrid {
    shape: [usize; 3],
    counts: [usize; 3],
}

impl TileGrid {
    /// The grid for an event of `shape`.
    ///
    /// With `extents`, every axis is cut into the fewest parts of at most that many voxels. Without, into the
    /// fewest tiles of at most [`MAX_DEFAULT_TILE_VOXELS`]; among the grids of that many tiles the one whose
    /// largest tile has the smallest sum of extents, then the one that cuts the first axis (then the second)
    /// into most parts.
    ///
    /// # Errors
    /// `Argument` if an axis or a tile extent is zero, an axis is longer than `u32::MAX`, or the number of
    /// voxels overflows.
    pub fn new(shape: [usize; 3], extents: Option<[usize; 3]>) -> Result<Self> {
        check_shape(shape).map_err(Error::argument)?;
        let counts = match extents {
            Some(extents) if extents.contains(&0) => {
                return Err(Error::argument(format!("a tile extent is zero: {extents:?}")));
            }
            Some(extents) => [0, 1, 2].map(|a| shape[a].div_ceil(extents[a])),
            None => default_counts(shape),
        };
        Ok(TileGrid { shape, counts })
    }

    /// The grid that a file describes: an event of `shape` in `counts` tiles along each axis.
    ///
    /// # Errors
    /// `Corrupt` if the shape is not that of an event, or an axis has no tile or more tiles than voxels.
    pub fn from_counts(shape: [usize; 3], counts: [usize; 3]) -> Result<Self> {
        check_shape(shape).map_err(Error::corrupt)?;
        if (0..3).any(|a| counts[a] == 0 || counts[a] > shape[a]) {
            return Err(Error::corrupt(format!("an event of shape {shape:?} cannot have {counts:?} tiles")));
        }
        Ok(TileGrid { shape, counts })
    }

    /// Extent of each axis of the whole event.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of tiles along each axis.
    pub fn counts(&self) -> [usize; 3] {
        self.counts
    }

    /// Number of tiles.
    pub fn n_tiles(&self) -> usize {
        self.counts.iter().product()
    }

    /// Tile `i`: tiles are numbered in C order (last axis fastest).
    ///
    /// # Panics
    /// Like a slice, where `i` is not below [`TileGrid::n_tiles`].
    pub fn tile(&self, i: usize) -> Tile {
        assert!(i < self.n_tiles(), "there is no tile {i} in a grid of {:?}", self.counts);
        let [_, c1, c2] = self.counts;
        let at = [i / (c1 * c2), i / c2 % c1, i % c2];
        let cut = |a: usize, k: usize| {
            // Below 2^64: axes are no longer than u32::MAX. The quotient is at most the axis.
            (k as u64 * self.shape[a] as u64 / self.counts[a] as u64) as usize
        };
        let start = [0, 1, 2].map(|a| cut(a, at[a]));
        let shape = [0, 1, 2].map(|a| cut(a, at[a] + 1) - start[a]);
        Tile { start, shape }
    }

    /// Which of the parts of `axis` voxel `index` lies in.
    pub fn part_of(&self, axis: usize, index: usize) -> usize {
        let (n, c) = (self.shape[axis] as u64, self.counts[axis] as u64);
        // Part k starts at floor(k n / c), so it is the last k with k n < (index + 1) c.
        (((index as u64 + 1) * c - 1) / n) as usize
    }

    /// The largest extent of a tile along each axis.
    pub fn max_tile_shape(&self) -> [usize; 3] {
        [0, 1, 2].map(|a| self.shape[a].div_ceil(self.counts[a]))
    }

    /// The samples of `tile`, as an event of its own.
    ///
    /// # Errors
    /// `Argument` if the event is not of the grid's shape or the tile does not lie inside it.
    pub fn extract(&self, event: &Event, tile: &Tile) -> Result<Event> {
        if event.shape() != self.shape {
            return Err(Error::argument(format!(
                "a grid for shape {:?} does not fit an event of shape {:?}",
                self.shape,
                event.shape()
            )));
        }
        tile.check_inside(self.shape)?;
        let mut part = Samples::zeros(event.dtype(), tile.n_voxels());
        copy_runs(tile, self.shape, event.samples(), &mut part, Direction::Extract)?;
        Event::new(tile.shape, part)
    }

    /// Writes `part`, the decoded samples of `tile`, to their place in `whole`, those of the whole event; both in C
    /// order.
    ///
    /// # Errors
    /// `Argument` if the tile does not lie inside the event, or if a number of samples or a type does not fit.
    pub fn insert(&self, whole: &mut Samples, tile: &Tile, part: &Samples) -> Result<()> {
        place(whole, self.shape, tile, part)
    }
}

/// The samples of the box `tile` of an array of `shape`.
///
/// # Errors
/// `Argument` if the box does not lie inside the array, or the array does not hold the samples.
pub fn crop(samples: &Samples, shape: [usize; 3], tile: &Tile) -> Result<Samples> {
    let mut part = Samples::zeros(samples.dtype(), tile.n_voxels());
    transfer(samples, shape, &mut part, tile.shape, tile, Direction::Extract)?;
    Ok(part)
}

/// Writes `part`, the samples of the box `tile`, to their place in those of an array of `shape`.
///
/// # Errors
/// `Argument` if the box does not lie inside the array, or a number of samples or a type does not fit.
pub fn place(whole: &mut Samples, shape: [usize; 3], tile: &Tile, part: &Samples) -> Result<()> {
    transfer(part, tile.shape, whole, shape, tile, Direction::Insert)
}

/// Checks that everything fits, and copies.
fn transfer(
    from: &Samples,
    from_shape: [usize; 3],
    to: &mut Samples,
    to_shape: [usize; 3],
    tile: &Tile,
    direction: Direction,
) -> Result<()> {
    let whole = if direction == Direction::Extract { from_shape } else { to_shape };
    tile.check_inside(whole)?;
    for (shape, n) in [(from_shape, from.len()), (to_shape, to.len())] {
        if shape.iter().product::<usize>() != n {
            return Err(Error::argument(format!("shape {shape:?} does not hold {n} samples")));
        }
    }
    copy_runs(tile, whole, from, to, direction)
}

#[derive(Clone, Copy, PartialEq)]
enum Direction {
    Extract,
    Insert,
}

/// Copies between a whole array of `shape` and a tile of it, whichever of `from` and `to` is the whole.
fn copy_runs(
    tile: &Tile,
    shape: [usize; 3],
    from: &Samples,
    to: &mut Samples,
    direction: Direction,
) -> Result<()> {
    fn copy<T: Copy>(tile: &Tile, shape: [usize; 3], from: &[T], to: &mut [T], direction: Direction) {
        tile.for_each_run(shape, |whole, part, n| {
            let (i, o) = if direction == Direction::Extract { (whole, part) } else { (part, whole) };
            to[o..o + n].copy_from_slice(&from[i..i + n]);
        });
    }
    match (from, to) {
        (Samples::U8(from), Samples::U8(to)) => copy(tile, shape, from, to, direction),
        (Samples::U16(from), Samples::U16(to)) => copy(tile, shape, from, to, direction),
        (Samples::I16(from), Samples::I16(to)) => copy(tile, shape, from, to, direction),
        (Samples::I32(from), Samples::I32(to)) => copy(tile, shape, from, to, direction),
        (Samples::F32(from), Samples::F32(to)) => copy(tile, shape, from, to, direction),
        (from, to) => {
            return Err(Error::argument(format!(
                "a tile of type {} does not fit an event of type {}",
                from.dtype().name(),
                to.dtype().name()
            )));
        }
    }
    Ok(())
}

fn check_shape(shape: [usize; 3]) -> std::result::Result<(), String> {
    if shape.contains(&0) {
        return Err(format!("an axis is empty: shape {shape:?}"));
    }
    if shape.iter().any(|&n| u32::try_from(n).is_err()) {
        return Err(format!("an axis is longer than {}: shape {shape:?}", u32::MAX));
    }
    if shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent)).is_none() {
        return Err(format!("shape {shape:?} has more voxels than can be counted"));
    }
    Ok(())
}

/// The tile counts of the default grid.
///
/// Only the largest tile of a grid matters, and for a given largest tile only the smallest counts can be
/// optimal, so it is enough to go through the distinct extents ceil(n / c) of two axes: at most
/// L ln L pairs with product <= L = [`MAX_DEFAULT_TILE_VOXELS`], however large the event.
fn default_counts(shape: [usize; 3]) -> [usize; 3] {
    let n = shape.map(|n| n as u64);
    let plane = n[1] * n[2];
    // (number of tiles, sum of extents, the counts); replaced only by something smaller. Counts of the first
    // axes are tried from many to few, so that the first found of equals has the most of them.
    let mut best: Option<(u64, u64, [u64; 3])> = None;
    for (c0, e0) in DistinctExtents::new(n[0], MAX_DEFAULT_TILE_VOXELS) {
        let left = MAX_DEFAULT_TILE_VOXELS / e0;
        if best.is_some_and(|b| c0.saturating_mul(plane.div_ceil(left)) > b.0) {
            continue;
        }
        for (c1, e1) in DistinctExtents::new(n[1], left) {
            let c2 = n[2].div_ceil(left / e1);
            let n_tiles = c0.saturating_mul(c1).saturating_mul(c2);
            let extents = e0 + e1 + n[2].div_ceil(c2);
            if best.is_none_or(|b| (n_tiles, extents) < (b.0, b.1)) {
                best = Some((n_tiles, extents, [c0, c1, c2]));
            }
        }
    }
    // The finest grid (extents of one voxel) always qualifies, so there is always a best.
    best.map_or(shape, |b| b.2.map(|c| c as usize))
}

/// The distinct values e = ceil(n / c) <= limit with the smallest count c of each, by increasing e.
struct DistinctExtents {
    n: u64,
    limit: u64,
    extent: u64,
}

impl DistinctExtents {
    fn new(n: u64, limit: u64) -> Self {
        DistinctExtents { n, limit, extent: 0 }
    }
}

impl Iterator for DistinctExtents {
    type Item = (u64, u64);

    fn next(&mut self) -> Option<(u64, u64)> {
        if self.extent >= self.n {
            return None;
        }
        // The next larger extent comes from the largest count whose parts exceed the last one.
        let count =
            if self.extent == 0 { self.n } else { self.n.div_ceil(self.extent).saturating_sub(1).max(1) };
        let extent = self.n.div_ceil(count);
        if extent > self.limit {
            return None;
        }
        self.extent = extent;
        Some((self.n.div_ceil(extent), extent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn default_of(shape: [usize; 3]) -> [usize; 3] {
        TileGrid::new(shape, None).unwrap().counts()
    }

    fn numbered(shape: [usize; 3]) -> Event {
        let n = shape.iter().product::<usize>() as i32;
        Event::new(shape, Samples::I32((0..n).collect())).unwrap()
    }

    #[test]
    fn one_wedge_is_one_tile_and_a_layer_group_is_24() {
        assert_eq!(default_of([192, 249, 16]), [1, 1, 1]);
        assert_eq!(default_of([192, 256, 16]), [1, 1, 1]);
        assert_eq!(default_of([192, 256, 17]), [1, 2, 1]);
        assert_eq!(default_of([256, 256, 17]), [2, 1, 1]);
        let grid = TileGrid::new([2304, 498, 16], None).unwrap();
        assert_eq!((grid.counts(), grid.n_tiles()), ([12, 2, 1], 24));
        assert!((0..24).all(|i| grid.tile(i).shape == [192, 249, 16]));
        assert_eq!(grid.tile(3).start, [192, 249, 0]);
    }

    #[test]
    fn the_search_finds_what_trying_every_count_finds() {
        // Extents that divide badly, so that rounding up decides which grids are allowed.
        for shape in [[331, 977, 13], [4001, 251, 7], [97, 89, 1009], [1, 3_000_000, 1], [1_200_000, 1, 3]] {
            let n = shape.map(|n| n as u64);
            let mut best = None;
            'all: for n_tiles in 1..200u64 {
                for c0 in (1..=n_tiles.min(n[0])).rev().filter(|c| n_tiles % c == 0) {
                    for c1 in (1..=(n_tiles / c0).min(n[1])).rev().filter(|c| n_tiles / c0 % c == 0) {
                        let c = [c0, c1, n_tiles / c0 / c1];
                        let e = [0, 1, 2].map(|a| n[a].div_ceil(c[a]));
                        let sum = e.iter().sum::<u64>();
                        if c[2] <= n[2]
                            && e.iter().product::<u64>() <= MAX_DEFAULT_TILE_VOXELS
                            && best.is_none_or(|(s, _)| sum < s)
                        {
                            best = Some((sum, c));
                        }
                    }
                }
                if best.is_some() {
                    break 'all;
                }
            }
            assert_eq!(default_of(shape).map(|c| c as u64), best.unwrap().1, "{shape:?}");
        }
    }

    #[test]
    fn huge_shapes_are_split_quickly() {
        let start = std::time::Instant::now();
        for shape in
            [[1 << 20, 1 << 20, 1 << 20], [u32::MAX as usize, 999_983, 2003], [1, 1, u32::MAX as usize]]
        {
            let grid = TileGrid::new(shape, None).unwrap();
            let largest = grid.max_tile_shape().iter().map(|&e| e as u64).product::<u64>();
            assert!(largest <= MAX_DEFAULT_TILE_VOXELS, "{shape:?}: {largest}");
            let last = grid.tile(grid.n_tiles() - 1);
            assert_eq!([0, 1, 2].map(|a| last.start[a] + last.shape[a]), shape);
        }
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn tiles_cover_every_voxel_once_and_come_back() {
        let shape = [7, 11, 5];
        let event = numbered(shape);
        for extents in [[3, 4, 2], [7, 11, 5], [1, 1, 1], [2, 100, 5], [100, 5, 3]] {
            let grid = TileGrid::new(shape, Some(extents)).unwrap();
            let mut whole = Samples::zeros(event.dtype(), event.n_voxels());
            let mut n = 0;
            for i in 0..grid.n_tiles() {
                let tile = grid.tile(i);
                assert!((0..3).all(|a| (1..=extents[a]).contains(&tile.shape[a])), "{tile:?}");
                let part = grid.extract(&event, &tile).unwrap();
                let [i, j, k] = tile.start;
                assert_eq!(part.samples().get(0), ((i * 11 + j) * 5 + k) as f64);
                grid.insert(&mut whole, &tile, part.samples()).unwrap();
                n += tile.n_voxels();
            }
            assert_eq!((n, &whole), (event.n_voxels(), event.samples()));
        }
    }

    #[test]
    fn boxes_meet_and_move() {
        let a = Tile { start: [2, 0, 5], shape: [4, 3, 2] };
        let b = Tile { start: [4, 1, 0], shape: [9, 1, 6] };
        let both = Tile { start: [4, 1, 5], shape: [2, 1, 1] };
        assert_eq!((a.intersection(&b), b.intersection(&a)), (Some(both), Some(both)));
        assert_eq!(a.intersection(&Tile { start: [6, 0, 5], shape: [1, 1, 1] }), None);
        assert_eq!(both.relative_to(a.start), Tile { start: [2, 1, 0], shape: [2, 1, 1] });
        let event = numbered([6, 3, 7]);
        let part = crop(event.samples(), event.shape(), &both).unwrap();
        assert_eq!(part, Samples::I32(vec![(4 * 3 + 1) * 7 + 5, (5 * 3 + 1) * 7 + 5]));
        assert!(crop(&part, [2, 1, 1], &both).is_err() && crop(&part, [9, 9, 9], &both).is_err());
    }

    #[test]
    fn cuts_are_where_the_format_says() {
        let grid = TileGrid::from_counts([10, 1, 7], [4, 1, 3]).unwrap();
        let starts: Vec<_> = (0..12).step_by(3).map(|i| grid.tile(i).start[0]).collect();
        assert_eq!(starts, [0, 2, 5, 7]);
        let starts: Vec<_> = (0..3).map(|i| grid.tile(i).start[2]).collect();
        assert_eq!(starts, [0, 2, 4]);
    }

    #[test]
    fn voxels_know_their_part() {
        for (n, c) in [(10, 4), (7, 3), (5, 5), (249, 2), (100, 7), (1, 1)] {
            let grid = TileGrid::from_counts([n, 1, 1], [c, 1, 1]).unwrap();
            for i in 0..c {
                let tile = grid.tile(i);
                assert!((0..tile.shape[0]).all(|x| grid.part_of(0, tile.start[0] + x) == i), "{n} in {c}");
            }
        }
    }

    #[test]
    fn nonsense_is_named() {
        let kind = |r: Result<TileGrid>| r.unwrap_err().kind();
        assert_eq!(kind(TileGrid::new([0, 1, 1], None)), ErrorKind::Argument);
        assert_eq!(kind(TileGrid::new([1, 1, 1], Some([1, 0, 1]))), ErrorKind::Argument);
        assert_eq!(kind(TileGrid::new([u32::MAX as usize; 3], None)), ErrorKind::Argument);
        assert_eq!(kind(TileGrid::new([1 << 33, 1, 1], None)), ErrorKind::Argument);
        assert_eq!(kind(TileGrid::from_counts([4, 4, 4], [5, 1, 1])), ErrorKind::Corrupt);
        assert_eq!(kind(TileGrid::from_counts([4, 4, 4], [1, 0, 1])), ErrorKind::Corrupt);
        assert_eq!(kind(TileGrid::from_counts([usize::MAX, 4, 4], [1, 1, 1])), ErrorKind::Corrupt);

        let (event, grid) = (numbered([4, 4, 4]), TileGrid::new([4, 4, 4], Some([2, 4, 4])).unwrap());
        let outside = Tile { start: [3, 0, 0], shape: [2, 1, 1] };
        let beyond = Tile { start: [usize::MAX, 0, 0], shape: [2, 1, 1] };
        assert!(grid.extract(&event, &outside).is_err() && grid.extract(&event, &beyond).is_err());
        assert!(grid.extract(&numbered([4, 4, 5]), &grid.tile(0)).is_err());
        let part = grid.extract(&event, &grid.tile(0)).unwrap().samples().clone();
        let mut whole = Samples::zeros(event.dtype(), 64);
        assert!(grid.insert(&mut whole, &outside, &part).is_err());
        assert!(grid.insert(&mut whole, &Tile { start: [0; 3], shape: [4, 4, 4] }, &part).is_err());
        assert!(grid.insert(&mut Samples::U8(vec![0; 64]), &grid.tile(0), &part).is_err());
        assert!(grid.insert(&mut Samples::I32(vec![0; 63]), &grid.tile(0), &part).is_err());
        assert!(grid.insert(&mut whole, &grid.tile(1), &part).is_ok());
    }
}
