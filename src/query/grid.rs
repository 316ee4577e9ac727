//! Grids of points over an event or a box of it.

use crate::error::{Error, Result};
use crate::tile::Tile;

/// Where the points of a grid lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Alignment {
    /// In the middle of `m` cells of equal size that fill those of the voxels: point `i` at
    /// `(i + 1/2) n / m - 1/2`. As many points as voxels are the voxels.
    #[default]
    Cells,
    /// From the first voxel to the last: point `i` at `i (n - 1) / (m - 1)`; one point alone at the first.
    Ends,
}

/// Points in rows, in C order, over a box of voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grid {
    region: Tile,
    shape: [usize; 3],
    alignment: Alignment,
}

impl Grid {
    /// `shape` points along the axes of `region`, a box of voxels.
    ///
    /// # Errors
    /// `Argument` for an axis of no points or more than `u32::MAX`, or a region without voxels.
    pub fn new(region: Tile, shape: [usize; 3], alignment: Alignment) -> Result<Grid> {
        if let Some(n) = shape.iter().find(|n| **n == 0 || u32::try_from(**n).is_err()) {
            return Err(Error::argument(format!("{n} points along an axis; a grid has 1 to {}", u32::MAX)));
        }
        if region.shape.contains(&0) {
            return Err(Error::argument("a region without voxels"));
        }
        Ok(Grid { region, shape, alignment })
    }

    /// As many points along each axis as `scale` times its voxels, rounded.
    ///
    /// # Errors
    /// As [`Grid::new`], and `Argument` for a scale that is not positive.
    pub fn scaled(region: Tile, scale: [f64; 3], alignment: Alignment) -> Result<Grid> {
        let mut shape = [0; 3];
        for a in 0..3 {
            if !(scale[a].is_finite() && scale[a] > 0.0) {
                return Err(Error::argument(format!("a scale is a positive number, not {}", scale[a])));
            }
            let n = (region.shape[a] as f64 * scale[a]).round_ties_even();
            if !(1.0..=f64::from(u32::MAX)).contains(&n) {
                return Err(Error::argument(format!(
                    "a scale of {} makes {n} points of the {} voxels of axis {a}; a grid has 1 to {}",
                    scale[a],
                    region.shape[a],
                    u32::MAX
                )));
            }
            shape[a] = n as usize;
        }
        Grid::new(region, shape, alignment)
    }

    /// Points along each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// The box of voxels that it fills.
    pub fn region(&self) -> Tile {
        self.region
    }

    /// Points in all.
    pub fn n_points(&self) -> u128 {
        self.shape.iter().map(|n| *n as u128).product()
    }

    /// Where point `i` of `axis` lies, in voxel indices of the event. Each operation is rounded once to f64, in the
    /// order of the formulas of [`Alignment`].
    pub fn at(&self, axis: usize, i: usize) -> f64 {
        let (n, m) = (self.region.shape[axis] as f64, self.shape[axis] as f64);
        let within = match self.alignment {
            Alignment::Cells => (i as f64 + 0.5) * n / m - 0.5,
            Alignment::Ends if m == 1.0 => 0.0,
            Alignment::Ends => i as f64 * (n - 1.0) / (m - 1.0),
        };
        self.region.start[axis] as f64 + within
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(n: usize, m: usize, alignment: Alignment) -> Vec<f64> {
        let grid = Grid::new(Tile { start: [10, 0, 0], shape: [n, 1, 1] }, [m, 1, 1], alignment).unwrap();
        (0..m).map(|i| grid.at(0, i) - 10.0).collect()
    }

    #[test]
    fn points_lie_in_cells_or_between_ends() {
        assert_eq!(axis(3, 3, Alignment::Cells), [0.0, 1.0, 2.0]);
        assert_eq!(axis(2, 4, Alignment::Cells), [-0.25, 0.25, 0.75, 1.25]);
        assert_eq!(axis(4, 2, Alignment::Cells), [0.5, 2.5]);
        assert_eq!(axis(3, 5, Alignment::Ends), [0.0, 0.5, 1.0, 1.5, 2.0]);
        assert_eq!(axis(3, 1, Alignment::Ends), [0.0]);
        assert_eq!(axis(3, 1, Alignment::Cells), [1.0]);
        // Every odd scale has the voxels among its points, exactly.
        for n in [1, 16, 192, 249, 2304] {
            for s in [1, 3, 5, 7, 9, 21] {
                let points = axis(n, s * n, Alignment::Cells);
                assert!((0..n).all(|i| points[s * i + s / 2] == i as f64), "{n} times {s}");
            }
        }
    }

    #[test]
    fn absurd_grids_are_refused() {
        let region = Tile { start: [0; 3], shape: [192, 249, 16] };
        let scaled = |s: f64| Grid::scaled(region, [s; 3], Alignment::Cells);
        for s in [0.0, -1.0, 1e9, f64::NAN, f64::INFINITY, 1e-9] {
            assert!(scaled(s).is_err(), "{s}");
        }
        assert_eq!(scaled(0.5).unwrap().shape(), [96, 124, 8]);
        assert_eq!(scaled(8.0).unwrap().shape(), [1536, 1992, 128]);
        assert!(Grid::new(region, [1, 0, 1], Alignment::Cells).is_err());
        assert!(Grid::new(region, [1, 1 << 33, 1], Alignment::Cells).is_err());
    }
}
