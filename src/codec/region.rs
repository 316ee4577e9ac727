//! Decoding a box of an event: only the tiles that it meets.

use super::tile::{decode_tile, net_field};
use super::{InrCodec, Observer, Stage, Told, on};
use crate::backend::Backend;
use crate::container::{Contents, FieldLayer, Header, Limits, TileRecords};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Samples};
use crate::prior::Needed;
use crate::tile::{Tile, crop, place};

impl InrCodec {
    /// The samples of `region`, a box of the event that `bytes` hold: the same as in the whole event. Only tiles that
    /// the region meets are decoded, and of a field only the voxels of the region are evaluated.
    ///
    /// The limits hold for the region, not for the event around it.
    ///
    /// # Errors
    /// `Argument` where the region does not lie inside the event; otherwise as [`InrCodec::decompress`].
    pub fn decompress_region(&self, bytes: &[u8], region: &Tile, observer: &dyn Observer) -> Result<Event> {
        let (cpu, cuda) = (self.cpu()?, self.decoder()?);
        let evaluator = on(&cpu, cuda.as_deref());
        let anything = Limits { max_event_bytes: u64::MAX, max_operations: u64::MAX, ..self.limits };
        let contents = Contents::read(bytes, &anything)?;
        let priors = self.priors.needed(&contents)?;
        let Header { shape, dtype, .. } = contents.header;
        region.check_inside(shape)?;
        let parts: Vec<(usize, Tile, Tile)> = (0..contents.tiles.len())
            .map(|i| (i, contents.grid.tile(i)))
            .filter_map(|(i, tile)| Some((i, tile, tile.intersection(region)?)))
            .collect();
        check_region(&contents, region, &parts, &self.limits)?;
        let mut samples = Samples::zeros(dtype, region.n_voxels());
        for (n, (i, tile, part)) in parts.iter().enumerate() {
            if observer.cancelled() {
                return Err(Error::new(ErrorKind::Interrupted, "stopped on request"));
            }
            observer.progress(&Told { observer, tile: n, n_tiles: parts.len() }.at(Stage::Decode));
            let within = part.relative_to(tile.start);
            let decoded =
                decode_box(evaluator, &contents, &priors, &contents.tiles[*i], tile.shape, &within)?;
            place(&mut samples, region.shape, &part.relative_to(region.start), &decoded)?;
        }
        // Raw float samples could still hold NaN.
        Event::new(region.shape, samples)
            .map_err(|_| Error::corrupt("the decoded samples are not all finite"))
    }
}

/// The limits of decoding, for a region that takes `parts` (number of the tile, tile, common box).
fn check_region(
    contents: &Contents<'_>,
    region: &Tile,
    parts: &[(usize, Tile, Tile)],
    limits: &Limits,
) -> Result<()> {
    let dtype = contents.header.dtype;
    // A tile that is not a field alone is decoded whole before the region is cut out of it.
    let whole = |i: usize| contents.tiles[i].only_field().is_none();
    let bytes_of = |tile: &Tile| tile.n_voxels() as u64 * dtype.n_bytes() as u64;
    let largest = parts.iter().filter(|(i, ..)| whole(*i)).map(|(_, tile, _)| bytes_of(tile)).max();
    let n_bytes = bytes_of(region).max(largest.unwrap_or(0));
    if n_bytes > limits.max_event_bytes {
        return Err(Error::new(
            ErrorKind::Limit,
            format!(
                "this region takes {n_bytes} bytes of samples, more than the limit of {}",
                limits.max_event_bytes
            ),
        ));
    }
    let n_sites =
        |(i, tile, part): &(usize, Tile, Tile)| if whole(*i) { tile.n_voxels() } else { part.n_voxels() };
    let operations: u128 =
        parts.iter().map(|p| contents.operations(&contents.tiles[p.0], p.1.n_voxels(), n_sites(p))).sum();
    within(operations, limits)
}

/// The limits of asking for so many points of the fields of tiles: (number of the tile, points).
pub fn check_operations(
    contents: &Contents<'_>,
    asked: impl Iterator<Item = (usize, u128)>,
    limits: &Limits,
) -> Result<()> {
    let mut operations = 0u128;
    for (i, n_points) in asked {
        let (layers, n_voxels) = (&contents.tiles[i], contents.grid.tile(i).n_voxels());
        let n_bytes = n_voxels as u64 * contents.header.dtype.n_bytes() as u64;
        if layers.only_field().is_none() && n_bytes > limits.max_event_bytes {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "tile {i} has {n_bytes} bytes of samples, more than the limit of {}",
                    limits.max_event_bytes
                ),
            ));
        }
        let n_points = usize::try_from(n_points).unwrap_or(usize::MAX);
        operations = operations.saturating_add(contents.operations(layers, n_voxels, n_points));
    }
    within(operations, limits)
}

fn within(operations: u128, limits: &Limits) -> Result<()> {
    if operations > u128::from(limits.max_operations) {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("decoding takes {operations} operations; the limit is {}", limits.max_operations),
        ));
    }
    Ok(())
}

/// The samples of `part`, a box within a tile of `shape`.
fn decode_box(
    evaluator: &dyn Backend,
    contents: &Contents<'_>,
    priors: &Needed,
    layers: &TileRecords<'_>,
    shape: [usize; 3],
    part: &Tile,
) -> Result<Samples> {
    let Header { dtype, range, .. } = contents.header;
    let (Some(record), Some(network)) = (layers.only_field(), &contents.network) else {
        return crop(&decode_tile(evaluator, contents, priors, layers, shape)?, shape, part);
    };
    let layer = FieldLayer::from_payload(record.payload, record.payload_offset, &network.spec)?;
    net_field(&layer, network, priors.start())
        .and_then(|field| field.decode_box(evaluator, shape, part, dtype, range))
        .map_err(|e| e.context(format!("the field at byte {}", record.payload_offset)))
}
