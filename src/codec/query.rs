//! Continuous queries of a compressed event: only the tiles that they touch.

use super::region::check_operations;
use super::tile::{decode_tile, net_field};
use super::{InrCodec, Observer, Progress, Stage, Told, on};
use crate::backend::{Backend, cpu::Cpu};
use crate::container::{Contents, FieldLayer, Header, Limits, RawTile, SupportLayer};
use crate::error::{Error, ErrorKind, Result};
use crate::event::Samples;
use crate::field::blocks;
use crate::prior::{Priors, StartPrior};
use crate::query::{Answer, Asked, Asking, Grid, Piece, exceeds, no_field, voxel_of};
use crate::tile::{Tile, TileGrid, place};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Points between two looks at whether to stop.
const POINTS_AT_ONCE: usize = 1 << 16;

impl InrCodec {
    /// What the event that `bytes` hold says at `points`, in the order of the points; see [`crate::query`]. Only tiles
    /// that hold a point are decoded, one after the other.
    ///
    /// # Errors
    /// `Argument` for points that are not finite or, unless asked for, lie outside, and for a file without a network;
    /// otherwise as [`InrCodec::decompress`].
    pub fn query(
        &self,
        bytes: &[u8],
        points: &[[f64; 3]],
        asked: &Asked,
        observer: &dyn Observer,
    ) -> Result<Vec<Answer>> {
        let contents = Contents::read(bytes, &self.unlimited())?;
        let indices = asked.indices(points, contents.header.shape)?;
        let mut by_tile: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (i, x) in indices.iter().enumerate() {
            by_tile.entry(tile_of(&contents.grid, *x)).or_default().push(i);
        }
        // Derivatives take three further rows.
        let times = if asked.gradient { 4 } else { 1 };
        let sites = by_tile.iter().map(|(tile, points)| (*tile, (points.len() * times) as u128));
        check_operations(&contents, sites, &self.limits)?;
        let (cpu, cuda) = (self.cpu()?, self.decoder()?);
        let opened = Opened::new(&cpu, on(&cpu, cuda.as_deref()), &contents, &self.priors)?;
        let nothing = Answer { value: 0.0, gradient: None };
        let mut out = vec![nothing; points.len()];
        let n_tiles = by_tile.len();
        for (n, (tile, points)) in by_tile.into_iter().enumerate() {
            let told = Told { observer, tile: n, n_tiles };
            told.check()?;
            observer.progress(&told.at(Stage::Decode));
            let is_voxel = |i: &usize| indices[*i].iter().all(|x| x.fract() == 0.0);
            let piece = opened.piece(tile, points.iter().any(is_voxel) && !asked.field_only)?;
            for points in points.chunks(POINTS_AT_ONCE) {
                told.check()?;
                let these: Vec<[f64; 3]> = points.iter().map(|&i| indices[i]).collect();
                let answers = piece.answers(&opened.asking, asked, &these);
                for (&i, answer) in points.iter().zip(answers.map_err(|e| opened.named(tile, e))?) {
                    out[i] = answer;
                }
            }
        }
        if asked.normalised {
            let rates = contents.header.shape.map(|n| (n - 1) as f32 / 2.0);
            for gradient in out.iter_mut().filter_map(|a| a.gradient.as_mut()) {
                *gradient = [0, 1, 2].map(|a| gradient[a] * rates[a]);
            }
        }
        Ok(out)
    }

    /// The samples of `grid`, of the type of the event that `bytes` hold, handed to `sink` in C order, a part at a time:
    /// the memory it takes does not grow with the grid. See [`crate::query`].
    ///
    /// # Errors
    /// `Argument` where the grid's region does not lie inside the event, and for a file without a network; `Limit` where
    /// the grid's samples exceed the limits; otherwise as [`InrCodec::decompress`], and those of `sink`.
    pub fn resample(
        &self,
        bytes: &[u8],
        grid: &Grid,
        observer: &dyn Observer,
        sink: &mut dyn FnMut(&Samples) -> Result<()>,
    ) -> Result<()> {
        let contents = Contents::read(bytes, &self.unlimited())?;
        let Header { shape, dtype, .. } = contents.header;
        grid.region().check_inside(shape)?;
        if exceeds(grid.n_points(), dtype, self.limits.max_event_bytes) {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "a grid of {:?} takes more than the limit of {} bytes",
                    grid.shape(),
                    self.limits.max_event_bytes
                ),
            ));
        }
        let region = grid.region();
        let touched = (0..contents.grid.n_tiles())
            .filter_map(|i| Some((i, contents.grid.tile(i).intersection(&region)?.n_voxels() as u128)));
        let points_per_voxel = grid.n_points().div_ceil(region.n_voxels() as u128);
        check_operations(&contents, touched.map(|(i, n)| (i, n * points_per_voxel)), &self.limits)?;
        let (cpu, cuda) = (self.cpu()?, self.decoder()?);
        let opened = Opened::new(&cpu, on(&cpu, cuda.as_deref()), &contents, &self.priors)?;
        let is_voxel = |a: usize| (0..grid.shape()[a]).any(|i| grid.at(a, i).fract() == 0.0);
        let has_voxels = (0..3).all(is_voxel);
        let mut pieces: BTreeMap<usize, Piece> = BTreeMap::new();
        let blocks = blocks(grid.shape());
        let n_tiles = contents.grid.n_tiles();
        for (n, block) in blocks.iter().enumerate() {
            let told = Told { observer, tile: 0, n_tiles };
            told.check()?;
            observer.progress(&Progress {
                step: n as u64,
                n_steps: blocks.len() as u64,
                ..told.at(Stage::Sample)
            });
            let axes = [0, 1, 2].map(|a| runs(&contents.grid, grid, a, block[a].clone()));
            // Blocks go up the first axis: what they have passed is not needed again.
            let first = voxel_of(grid.at(0, block[0].start), shape[0]);
            pieces.retain(|_, piece| piece.tile.start[0] + piece.tile.shape[0] > first);
            let block_shape = [0, 1, 2].map(|a| block[a].len());
            let mut samples = Samples::zeros(dtype, block_shape.iter().product());
            for (i, from_i) in &axes[0] {
                for (j, from_j) in &axes[1] {
                    for (k, from_k) in &axes[2] {
                        let [_, c1, c2] = contents.grid.counts();
                        let tile = (i * c1 + j) * c2 + k;
                        let piece = match pieces.entry(tile) {
                            std::collections::btree_map::Entry::Occupied(piece) => piece.into_mut(),
                            std::collections::btree_map::Entry::Vacant(free) => {
                                observer.progress(&Told { observer, tile, n_tiles }.at(Stage::Decode));
                                free.insert(opened.piece(tile, has_voxels)?)
                            }
                        };
                        let froms = [from_i, from_j, from_k];
                        let points = [0, 1, 2].map(|a| froms[a].clone().map(|p| grid.at(a, p)).collect());
                        let part =
                            piece.grid_samples(&opened.asking, &points).map_err(|e| opened.named(tile, e))?;
                        let at = Tile {
                            start: [0, 1, 2].map(|a| froms[a].start - block[a].start),
                            shape: froms.map(Range::len),
                        };
                        place(&mut samples, block_shape, &at, &part)?;
                    }
                }
            }
            sink(&samples)?;
        }
        Ok(())
    }

    /// Limits of the file alone: what is asked of it is checked apart.
    fn unlimited(&self) -> Limits {
        Limits { max_event_bytes: u64::MAX, max_operations: u64::MAX, ..self.limits }
    }
}

/// The tile whose cells hold `x`.
fn tile_of(grid: &TileGrid, x: [f64; 3]) -> usize {
    let [_, c1, c2] = grid.counts();
    let at = [0, 1, 2].map(|a| grid.part_of(a, voxel_of(x[a], grid.shape()[a])));
    (at[0] * c1 + at[1]) * c2 + at[2]
}

/// The points `range` of an axis by the parts that the tiles cut it into: (number of the part, points).
fn runs(tiles: &TileGrid, grid: &Grid, axis: usize, range: Range<usize>) -> Vec<(usize, Range<usize>)> {
    let mut out: Vec<(usize, Range<usize>)> = Vec::new();
    for p in range {
        let part = tiles.part_of(axis, voxel_of(grid.at(axis, p), tiles.shape()[axis]));
        match out.last_mut() {
            Some((last, points)) if *last == part => points.end = p + 1,
            _ => out.push((part, p..p + 1)),
        }
    }
    out
}

/// A file whose tiles can be asked.
struct Opened<'a> {
    contents: &'a Contents<'a>,
    priors: &'a Priors,
    start: Option<Arc<StartPrior>>,
    asking: Asking<'a>,
}

impl<'a> Opened<'a> {
    fn new(
        cpu: &'a Cpu,
        evaluator: &'a dyn Backend,
        contents: &'a Contents<'a>,
        priors: &'a Priors,
    ) -> Result<Opened<'a>> {
        let has_field = contents.tiles.iter().any(|layers| layers.field.is_some());
        if !has_field && contents.tiles.iter().any(|layers| layers.residual.is_some()) {
            return Err(no_field());
        }
        let asking = Asking { cpu, evaluator, header: &contents.header, voxels_will_do: has_field };
        Ok(Opened { contents, priors, start: priors.needed_start(contents)?, asking })
    }

    /// Tile `i`; with its decoded voxels, where they are not what its field says and `with_voxels` are asked for.
    fn piece(&self, i: usize, with_voxels: bool) -> Result<Piece> {
        let (contents, layers) = (self.contents, &self.contents.tiles[i]);
        let tile = contents.grid.tile(i);
        let mut piece = Piece { tile, field: None, support: None, samples: None };
        if let Some(record) = layers.raw {
            let (dtype, n) = (contents.header.dtype, tile.n_voxels());
            let raw = RawTile::from_payload(record.payload, record.payload_offset, dtype, n)?;
            piece.samples = Some(raw.samples);
            return Ok(piece);
        }
        if let Some(record) = layers.support {
            let layer = SupportLayer::from_payload(record.payload, record.payload_offset, tile.shape)?;
            piece.support = Some(layer.occupied);
        }
        if let (Some(record), Some(network)) = (layers.field, &contents.network) {
            let layer = FieldLayer::from_payload(record.payload, record.payload_offset, &network.spec)?;
            piece.field = Some(net_field(&layer, network, self.start.as_deref().map(StartPrior::weights))?);
        }
        if layers.residual.is_some() && (with_voxels || piece.field.is_none()) {
            // A network alone can be asked without the prior of the values beside it.
            let priors = self.priors.needed(contents)?;
            piece.samples = Some(decode_tile(self.asking.evaluator, contents, &priors, layers, tile.shape)?);
        }
        Ok(piece)
    }

    /// An error of a tile, with its number where there are several.
    fn named(&self, tile: usize, error: Error) -> Error {
        match self.contents.tiles.len() {
            1 => error,
            _ => error.context(format!("tile {tile}")),
        }
    }
}
