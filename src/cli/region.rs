//! Boxes and grids as they are asked for.

use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::query::{Alignment, Grid};
use inrfit::tile::Tile;
use std::str::FromStr;

/// A box as it is asked for: ends that are left out are those of the event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region([(Option<usize>, Option<usize>); 3]);

impl FromStr for Region {
    type Err = Error;

    fn from_str(text: &str) -> Result<Region> {
        let end = |text: &str| match text.trim() {
            "" => Some(None),
            n => n.parse().ok().map(Some),
        };
        let span = |text: &str| {
            let (a, b) = text.split_once(':')?;
            Some((end(a)?, end(b)?))
        };
        let spans: Option<Vec<_>> = text.split(',').map(span).collect();
        spans
            .and_then(|s| s.try_into().ok())
            .map(Region)
            .ok_or_else(|| Error::argument("not three ranges such as 0:96,10:20,:"))
    }
}

impl Region {
    /// The box within an event of `shape`.
    ///
    /// # Errors
    /// `Argument` where it is empty or outside.
    pub fn within(self, shape: [usize; 3]) -> Result<Tile> {
        let mut tile = Tile { start: [0; 3], shape };
        for (a, (from, to)) in self.0.into_iter().enumerate() {
            let (from, to) = (from.unwrap_or(0), to.unwrap_or(shape[a]));
            if from >= to || to > shape[a] {
                return Err(Error::argument(format!(
                    "the region {from}:{to} of axis {a} is empty or outside its {} indices",
                    shape[a]
                )));
            }
            (tile.start[a], tile.shape[a]) = (from, to - from);
        }
        Ok(tile)
    }
}

/// Which voxels, or which points between them, of an event.
#[derive(Debug, Clone, Copy, Args)]
pub struct Part {
    /// Decode a box alone: first index and the one behind the last, for each axis; left out, the end of the axis
    #[arg(long, value_name = "A:B,C:D,E:F")]
    region: Option<Region>,
    /// Ask the network for S times as many points along each axis, or along each axis its own S; S need not be whole
    /// and may be below 1. The points are the middles of S cells a voxel, so that 1 gives the voxels
    #[arg(long, value_name = "S|A,B,C", conflicts_with = "shape", allow_hyphen_values = true)]
    scale: Option<Scale>,
    /// The same with so many points along each axis
    #[arg(long, value_name = "A,B,C", value_parser = shape)]
    shape: Option<[usize; 3]>,
    /// With --scale or --shape: from the first voxel's centre to the last one's instead of cell by cell
    #[arg(long)]
    end_aligned: bool,
}

/// Points a voxel along each axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale([f64; 3]);

impl FromStr for Scale {
    type Err = Error;

    fn from_str(text: &str) -> Result<Scale> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
        match numbers.as_deref() {
            Some(&[s]) => Ok(Scale([s; 3])),
            Some(&[a, b, c]) => Ok(Scale([a, b, c])),
            _ => Err(Error::argument("not a number such as 2 or three such as 2,2,1")),
        }
    }
}

fn shape(text: &str) -> Result<[usize; 3]> {
    let extents: Option<Vec<usize>> = text.split([',', 'x']).map(|n| n.trim().parse().ok()).collect();
    extents
        .and_then(|e| e.try_into().ok())
        .ok_or_else(|| Error::argument("not three numbers such as 384,498,32"))
}

/// What is asked of an event of a known shape.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    /// All voxels.
    Whole,
    /// The voxels of a box.
    Box(Tile),
    /// Points between voxels.
    Grid(Grid),
}

impl Part {
    /// Whether points between voxels are asked for.
    pub fn is_grid(&self) -> bool {
        self.scale.is_some() || self.shape.is_some()
    }

    /// What is asked of an event of `shape`.
    ///
    /// # Errors
    /// `Argument` for a region outside the event or a grid that makes no sense.
    pub fn within(&self, shape: [usize; 3]) -> Result<Wanted> {
        let region = self.region.map(|region| region.within(shape)).transpose()?;
        let all = region.unwrap_or(Tile { start: [0; 3], shape });
        let alignment = if self.end_aligned { Alignment::Ends } else { Alignment::Cells };
        match (self.scale, self.shape, region) {
            (Some(Scale(scale)), ..) => Grid::scaled(all, scale, alignment).map(Wanted::Grid),
            (None, Some(shape), _) => Grid::new(all, shape, alignment).map(Wanted::Grid),
            _ if self.end_aligned => Err(Error::argument("--end-aligned goes with --scale or --shape")),
            (None, None, Some(region)) => Ok(Wanted::Box(region)),
            (None, None, None) => Ok(Wanted::Whole),
        }
    }
}

impl Wanted {
    /// The extents of what comes of it, of an event of `shape`.
    pub fn shape(&self, shape: [usize; 3]) -> [usize; 3] {
        match self {
            Wanted::Whole => shape,
            Wanted::Box(tile) => tile.shape,
            Wanted::Grid(grid) => grid.shape(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inrfit::error::ErrorKind;

    #[test]
    fn regions_are_read() {
        let within = |text: &str| text.parse::<Region>().unwrap().within([10, 20, 30]);
        assert_eq!(within(":,:,:").unwrap(), Tile { start: [0; 3], shape: [10, 20, 30] });
        assert_eq!(within("2:5, 7: ,:1").unwrap(), Tile { start: [2, 7, 0], shape: [3, 13, 1] });
        for wrong in ["3:3,:,:", "5:2,:,:", ":,0:21,:", ":,:,99:"] {
            assert_eq!(within(wrong).unwrap_err().kind(), ErrorKind::Argument, "{wrong}");
        }
        for wrong in ["", "1:2", "1:2,3:4", "1,2,3", "a:b,:,:", "-1:2,:,:", ":,:,:,:"] {
            assert!(wrong.parse::<Region>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn scales_and_shapes_are_read() {
        assert_eq!("2".parse::<Scale>().unwrap(), Scale([2.0; 3]));
        assert_eq!("0.5, 2,1e1".parse::<Scale>().unwrap(), Scale([0.5, 2.0, 10.0]));
        for wrong in ["", "a", "1,2", "1,2,3,4"] {
            assert!(wrong.parse::<Scale>().is_err(), "{wrong}");
        }
        assert_eq!(shape("3x4,5").unwrap(), [3, 4, 5]);
        assert!(shape("3,4").is_err() && shape("3,4,-5").is_err());
    }
}
