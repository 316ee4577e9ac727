//! A whole file, checked: which records it has and which tile each belongs to.

use super::file::{read_varint, write_varint};
use super::header::PriorName;
use super::layer::{needs_prior, tile_of};
use super::{Header, Limits, NetworkHeader, PriorHash, Reader, Record, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::tile::TileGrid;
use std::ops::Range;

/// What decoding one voxel of these layers counts as: by the time it takes where a fifth are occupied, and so that
/// every event within the default limit of bytes is within that of operations.
const SUPPORT_OPERATIONS: u128 = 4_000;
const RESIDUAL_OPERATIONS: u128 = 40_000;
/// What a prior adds to that.
const PRIOR_OPERATIONS: u128 = 25_000;

/// Whether `bytes` start as the file of a prior does: with a network of contexts, or with a network and weights to start
/// from.
pub fn is_prior(bytes: &[u8]) -> bool {
    let Ok(mut reader) = Reader::new(bytes) else { return false };
    let mut next = || reader.next().ok().flatten().map(|record| record.kind);
    match next() {
        Some(kind::CONTEXT_NETWORK) => true,
        Some(kind::NETWORK) => next() == Some(kind::STARTING_WEIGHTS),
        _ => false,
    }
}

/// The layers of one tile.
#[derive(Debug, Clone, Copy, Default)]
pub struct TileRecords<'a> {
    /// Its occupied voxels, where they are told apart from the field.
    pub support: Option<Record<'a>>,
    /// Its field.
    pub field: Option<Record<'a>>,
    /// The values of its occupied voxels, within a bound.
    pub residual: Option<Record<'a>>,
    /// Its samples as they are.
    pub raw: Option<Record<'a>>,
}

impl<'a> TileRecords<'a> {
    fn all(&self) -> [Option<Record<'a>>; 4] {
        [self.support, self.field, self.residual, self.raw]
    }

    /// Where its records lie, bytes from the start of the file: they follow each other.
    fn span(&self) -> Range<u64> {
        let ends = |r: Record<'_>| r.payload_offset + r.payload.len() as u64 + 4;
        let start = self.all().into_iter().flatten().map(|r| r.offset).min().unwrap_or(0);
        start..self.all().into_iter().flatten().map(ends).max().unwrap_or(0)
    }

    /// The field of a tile that has no other layer: voxels of such a tile can be decoded one by one.
    pub fn only_field(&self) -> Option<Record<'a>> {
        // Named one by one, so that a new layer is decided on here.
        let TileRecords { support: None, field, residual: None, raw: None } = *self else { return None };
        field
    }
}

/// A file whose records are in order and whose headers make sense; layers are not yet decoded.
#[derive(Debug)]
pub struct Contents<'a> {
    /// What the event is.
    pub header: Header,
    /// The network of the fields, where there are any.
    pub network: Option<NetworkHeader>,
    /// The prior that values were coded with, where there is one.
    pub prior: Option<PriorHash>,
    /// The prior that the weights of fields are told from, where there is one.
    pub start: Option<PriorHash>,
    /// How the event is split.
    pub grid: TileGrid,
    /// Layers by tile.
    pub tiles: Vec<TileRecords<'a>>,
    /// Every record of the file, in order, skipped ones included.
    pub records: Vec<Record<'a>>,
}

impl<'a> Contents<'a> {
    /// Reads all records of a file and checks them against each other and against `limits`.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Unsupported`, `Limit`, with the offset.
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Contents<'a>> {
        let mut reader = Reader::new(bytes)?;
        let first = reader.next()?;
        match first.map(|r| r.kind) {
            Some(kind::EVENT) => {
                return Err(Error::new(ErrorKind::Unsupported, "a pack of events where one event is wanted"));
            }
            _ if is_prior(bytes) => {
                return Err(Error::new(ErrorKind::Unsupported, "a prior where an event is wanted"));
            }
            _ => {}
        }
        let Some(first) = first.filter(|r| r.kind == kind::HEADER) else {
            return Err(Error::corrupt_at(9, "the first record is not the header"));
        };
        let header = Header::from_payload(first.payload, first.payload_offset, limits)?;
        let grid = TileGrid::from_counts(header.shape, header.tile_counts)
            .map_err(|e| Error::corrupt_at(first.payload_offset, e))?;
        // A tile takes at least one record of seven bytes: more tiles than that are a lie, and not allocated.
        if grid.n_tiles() > bytes.len() / 7 {
            return Err(Error::corrupt_at(
                first.payload_offset,
                format!("no room for {} tiles", grid.n_tiles()),
            ));
        }
        let mut contents = Contents {
            header,
            network: None,
            prior: None,
            start: None,
            tiles: vec![TileRecords::default(); grid.n_tiles()],
            grid,
            records: vec![first],
        };
        let (mut index, mut next_tile) = (None, 0);
        while let Some(record) = reader.next()? {
            contents.records.push(record);
            match record.kind {
                kind::NETWORK if contents.network.is_none() => {
                    let offset = record.payload_offset;
                    contents.network = Some(NetworkHeader::from_payload(record.payload, offset, limits)?);
                }
                kind::PRIOR => {
                    let (known, hash) = match PriorName::from_payload(record.payload, record.payload_offset)?
                    {
                        PriorName::Contexts(hash) => (&mut contents.prior, hash),
                        PriorName::Start(_) if contents.network.is_none() || next_tile > 0 => {
                            let why = "a prior for fitting that is not between the network and the tiles";
                            return Err(Error::corrupt_at(record.offset, why));
                        }
                        PriorName::Start(hash) => (&mut contents.start, hash),
                    };
                    if known.replace(hash).is_some() {
                        return Err(Error::corrupt_at(record.offset, "a second prior of one kind"));
                    }
                }
                kind::FIELD if contents.network.is_none() => {
                    return Err(Error::corrupt_at(record.offset, "a field before its network"));
                }
                kind::RESIDUAL
                    if contents.prior.is_none() && needs_prior(record.payload, record.payload_offset)? =>
                {
                    return Err(Error::corrupt_at(record.offset, "values before the prior they need"));
                }
                kind::SUPPORT | kind::FIELD | kind::RESIDUAL | kind::RAW => {
                    contents.add(record, &mut next_tile)?
                }
                kind::INDEX if index.is_none() => index = Some(record),
                kind::HEADER | kind::NETWORK | kind::INDEX => {
                    return Err(Error::corrupt_at(
                        record.offset,
                        format!("a second record of type {:#04x}", record.kind),
                    ));
                }
                kind::END if record.payload.is_empty() => {}
                kind::END => {
                    return Err(Error::corrupt_at(record.offset, "an end record that holds something"));
                }
                other if other & kind::CRITICAL != 0 => {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        format!(
                            "a record of type {other:#04x} (at byte {}) that this program does not know: \
                             a newer one is needed",
                            record.offset
                        ),
                    ));
                }
                _ => {}
            }
        }
        contents.check(index, limits)?;
        Ok(contents)
    }

    /// Adds the record of a tile: the first of the next one, or a later layer of the same tile after its support.
    fn add(&mut self, record: Record<'a>, next_tile: &mut u64) -> Result<()> {
        let (tile, _) = tile_of(record.payload, record.payload_offset)?;
        let layers = usize::try_from(tile).ok().and_then(|t| self.tiles.get_mut(t));
        let Some(layers) = layers else {
            return Err(Error::corrupt_at(record.payload_offset, format!("there is no tile {tile}")));
        };
        let first_of_kind = match record.kind {
            kind::FIELD => layers.field.is_none() && layers.residual.is_none(),
            kind::RESIDUAL => layers.residual.is_none(),
            _ => false,
        };
        let goes_on = tile + 1 == *next_tile && layers.support.is_some() && first_of_kind;
        if record.kind == kind::RESIDUAL && !goes_on {
            return Err(Error::corrupt_at(record.offset, "values without the support before them"));
        }
        match goes_on {
            true => {}
            false if tile == *next_tile => *next_tile += 1,
            false => {
                return Err(Error::corrupt_at(
                    record.offset,
                    format!("a record of tile {tile} where tile {next_tile} belongs"),
                ));
            }
        }
        match record.kind {
            kind::SUPPORT => layers.support = Some(record),
            kind::FIELD => layers.field = Some(record),
            kind::RESIDUAL => layers.residual = Some(record),
            _ => layers.raw = Some(record),
        }
        Ok(())
    }

    /// Operations of evaluating `n_sites` voxels of the layers of a tile of `n_voxels`, in units of those of a field.
    pub fn operations(&self, layers: &TileRecords<'_>, n_voxels: usize, n_sites: usize) -> u128 {
        let a_site = self.network.as_ref().map_or(0, |network| {
            (network.spec.flops() + network.pattern.map_or(0, |p| p.n_looked_at())) as u128
        });
        let field = if layers.field.is_some() { n_sites as u128 * a_site } else { 0 };
        // These are coded voxel by voxel, whatever is asked for.
        let support = if layers.support.is_some() { n_voxels as u128 * SUPPORT_OPERATIONS } else { 0 };
        let a_value = RESIDUAL_OPERATIONS + if self.prior.is_some() { PRIOR_OPERATIONS } else { 0 };
        let residual = if layers.residual.is_some() { n_voxels as u128 * a_value } else { 0 };
        field + support + residual
    }

    /// Every tile is there, evaluation is within the limits, and the index tells the truth.
    fn check(&self, index: Option<Record<'_>>, limits: &Limits) -> Result<()> {
        let mut operations = 0u128;
        let end = self.records.last().map_or(0, |r| r.offset);
        for (i, layers) in self.tiles.iter().enumerate() {
            if layers.all().iter().all(Option::is_none) {
                return Err(Error::corrupt_at(end, format!("tile {i} is missing")));
            }
            if let (Some(field), Some(network)) = (layers.field, &self.network)
                && network.pattern.is_some()
                && layers.support.is_none()
            {
                return Err(Error::corrupt_at(field.offset, "a field with features, but no support"));
            }
            let n = self.grid.tile(i).n_voxels();
            operations += self.operations(layers, n, n);
            let memory = state_bytes(layers, self.grid.tile(i).shape);
            if memory > limits.max_event_bytes.max(ALWAYS_ALLOWED) {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!(
                        "decoding tile {i} takes up to {memory} bytes; the limit is {} (smaller tiles need less)",
                        limits.max_event_bytes
                    ),
                ));
            }
        }
        if operations > u128::from(limits.max_operations) {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("decoding takes {operations} operations; the limit is {}", limits.max_operations),
            ));
        }
        let Some(index) = index else { return Ok(()) };
        let bad = || Error::corrupt_at(index.payload_offset, "the index does not match the records");
        let spans = parse_index(&index)?;
        let truth = self.tiles.iter().map(TileRecords::span);
        if truth.eq(spans) { Ok(()) } else { Err(bad()) }
    }
}

/// What the exact layers keep of each voxel of a slice and of the two before, and of the one after.
const SUPPORT_STATE: u64 = 21;
const RESIDUAL_STATE: u64 = 68;
/// Bytes of such state that no limit forbids.
const ALWAYS_ALLOWED: u64 = 64 << 20;

/// Bytes that decoding the exact layers of a tile of `shape` keeps at the most, whatever the order of its axes.
fn state_bytes(layers: &TileRecords<'_>, shape: [usize; 3]) -> u64 {
    let [a, b, c] = shape.map(|n| n as u64 + 16);
    let slice = (a.saturating_mul(b)).max(a.saturating_mul(c)).max(b.saturating_mul(c));
    let a_voxel = if layers.support.is_some() { SUPPORT_STATE } else { 0 }
        + if layers.residual.is_some() { RESIDUAL_STATE } else { 0 };
    slice.saturating_mul(a_voxel)
}

/// Payload of the index: for each tile the bytes of its records; the first tile starts right after the index.
pub fn index_payload(tile_bytes: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for &n in tile_bytes {
        write_varint(&mut out, n as u64);
    }
    out
}

/// Where each tile's records lie, bytes from the start of the file.
///
/// # Errors
/// `Corrupt` where the payload is no list of lengths.
pub fn parse_index(index: &Record<'_>) -> Result<Vec<Range<u64>>> {
    let mut at = index.payload_offset + index.payload.len() as u64 + 4;
    let mut rest = index.payload;
    let mut spans = Vec::new();
    while !rest.is_empty() {
        let bad = || Error::corrupt_at(index.payload_offset, "the index is no list of lengths");
        let (n, used) = read_varint(rest, index.payload_offset)?.ok_or_else(bad)?;
        let end = at.checked_add(n).ok_or_else(bad)?;
        spans.push(at..end);
        at = end;
        rest = &rest[used..];
    }
    Ok(spans)
}
