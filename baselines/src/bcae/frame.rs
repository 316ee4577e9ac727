//! What codes have around them on disk.
//!
//! Four bytes `ibc1`, a byte for the kind of payload, the event's extents (three `u32`), eight bytes of the hash of
//! the model, the payload, and a CRC-32 of all that; little-endian.

use crate::error::{Error, Result};

const MAGIC: [u8; 4] = *b"ibc1";
/// Bytes around the payload.
pub(super) const OVERHEAD: usize = 29;

/// What the payload of a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Halves, little-endian.
    Plain,
    /// The low bytes of all halves, then the high ones, through zstd.
    Zstd,
    /// Halves through the entropy coder.
    Coded,
    /// BCAE-VS: kept voxels and their values through the entropy coder.
    Sparse,
}

const KINDS: [Kind; 4] = [Kind::Plain, Kind::Zstd, Kind::Coded, Kind::Sparse];

pub(super) struct Frame<'a> {
    pub kind: Kind,
    pub shape: [usize; 3],
    pub payload: &'a [u8],
}

/// A complete file.
pub(super) fn write(kind: Kind, shape: [usize; 3], hash: [u8; 8], payload: &[u8]) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(payload.len() + OVERHEAD);
    bytes.extend(MAGIC);
    bytes.push(kind as u8);
    for extent in shape {
        let extent = u32::try_from(extent)
            .map_err(|_| Error::Argument(format!("{shape:?} voxels are more than 2^32 on an axis")))?;
        bytes.extend(extent.to_le_bytes());
    }
    bytes.extend(hash);
    bytes.extend(payload);
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    Ok(bytes)
}

/// Takes a file apart; it must be whole and of the model with this hash.
pub(super) fn read(bytes: &[u8], hash: [u8; 8]) -> Result<Frame<'_>> {
    let corrupt =
        |what: &str| Error::Corrupt(format!("not a code of an autoencoder, or a damaged one: {what}"));
    if bytes.len() < OVERHEAD {
        return Err(corrupt("too short"));
    }
    let (body, check) = bytes.split_at(bytes.len() - 4);
    if body[..4] != MAGIC {
        return Err(corrupt("other first bytes"));
    }
    if crc32fast::hash(body).to_le_bytes() != check {
        return Err(corrupt("its checksum differs"));
    }
    let kind = *KINDS.get(usize::from(body[4])).ok_or_else(|| corrupt("an unknown kind of payload"))?;
    let mut shape = [0; 3];
    for (extent, bytes) in shape.iter_mut().zip(body[5..17].as_chunks::<4>().0) {
        *extent = u32::from_le_bytes(*bytes) as usize;
    }
    if body[17..25] != hash {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        return Err(Error::Corrupt(format!(
            "the code was made by another model ({}) than this one ({})",
            hex(&body[17..25]),
            hex(&hash)
        )));
    }
    Ok(Frame { kind, shape, payload: &body[25..] })
}
