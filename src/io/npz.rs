//! NumPy's `.npz` archives: zip files of `.npy` files.
//!
//! The directory is read by the `zip` crate; the members by their place in the file, so that a member is a reader of
//! its own that lives as long as its events are wanted.

use super::Source;
use crate::error::{Error, ErrorKind, Result};
use flate2::read::DeflateDecoder;
use std::io::{Read, Seek, SeekFrom};
use zip::{CompressionMethod, ZipArchive};

/// First bytes of an archive that is not empty.
pub const MAGIC: &[u8; 4] = b"PK\x03\x04";
/// First bytes of an empty one.
pub const EMPTY: &[u8; 4] = b"PK\x05\x06";

/// An array of an archive: where its bytes lie.
#[derive(Debug, Clone)]
pub struct Member {
    /// The array's name: that of the file without `.npy`.
    pub name: String,
    start: u64,
    packed_bytes: u64,
    crc: u32,
    deflated: bool,
}

/// The arrays of an archive, in order.
///
/// # Errors
/// `Corrupt` for a damaged directory, `Unsupported` for members that NumPy does not write, `Argument` for an archive
/// without arrays, `Io`.
pub fn members(source: &Source) -> Result<Vec<Member>> {
    let mut archive = ZipArchive::new(source.open()?).map_err(zip_error)?;
    let mut members = Vec::new();
    for i in 0..archive.len() {
        // Raw: what lies in the file is read later and elsewhere.
        let file = archive.by_index_raw(i).map_err(zip_error)?;
        let Some(name) = file.name().map_err(zip_error)?.strip_suffix(".npy").map(str::to_owned) else {
            continue;
        };
        let unsupported = |what: &str| {
            Error::new(ErrorKind::Unsupported, format!("{name}.npy is {what}; save it by numpy.savez"))
        };
        if file.encrypted() {
            return Err(unsupported("encrypted"));
        }
        let deflated = match file.compression() {
            CompressionMethod::Stored => false,
            CompressionMethod::Deflated => true,
            _ => return Err(unsupported("packed by another method than deflate")),
        };
        let start = file.data_start().ok_or_else(|| Error::corrupt(format!("{name}.npy has no place")))?;
        members.push(Member {
            start,
            packed_bytes: file.compressed_size(),
            crc: file.crc32(),
            deflated,
            name,
        });
    }
    match members.is_empty() {
        true => Err(Error::argument("an archive without .npy files")),
        false => Ok(members),
    }
}

fn zip_error(error: zip::result::ZipError) -> Error {
    match error {
        zip::result::ZipError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io("reading the archive", e)
        }
        other => Error::corrupt(format!("the archive cannot be read: {other}")),
    }
}

impl Member {
    /// The bytes of the array's file, their checksum verified at their end.
    ///
    /// # Errors
    /// `Io`.
    pub fn open(&self, source: &Source) -> Result<Box<dyn Read + Send>> {
        let mut file = source.open()?;
        file.seek(SeekFrom::Start(self.start)).map_err(|e| Error::io("reading the archive", e))?;
        let packed = file.take(self.packed_bytes);
        Ok(match self.deflated {
            true => Box::new(Checked::new(DeflateDecoder::new(packed), self.crc)),
            false => Box::new(Checked::new(packed, self.crc)),
        })
    }
}

/// Fails at the end of bytes whose CRC-32 is another than said.
struct Checked<R> {
    inner: R,
    hasher: crc32fast::Hasher,
    crc: u32,
}

impl<R> Checked<R> {
    fn new(inner: R, crc: u32) -> Checked<R> {
        Checked { inner, hasher: crc32fast::Hasher::new(), crc }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        if n == 0 && !buf.is_empty() && self.hasher.clone().finalize() != self.crc {
            return Err(std::io::Error::new(
                std::io::ErrorKind::InvalidData,
                "the checksum of an array is wrong",
            ));
        }
        Ok(n)
    }
}
