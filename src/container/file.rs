//! Records: type, length, payload, checksum.

use super::kind;
use crate::error::{Error, ErrorKind, Result};

/// First bytes of every file: a byte that no text has, the name, and line ends that a text transfer would change.
pub const MAGIC: [u8; 8] = *b"\x89INRF\r\n\x1a";
/// Version of the record layer. New kinds of records do not change it.
pub const VERSION: u8 = 1;

/// One record of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its type, critical bit included.
    pub kind: u8,
    /// Its payload.
    pub payload: &'a [u8],
    /// Where the record starts, bytes from the start of the file.
    pub offset: u64,
    /// Where its payload starts.
    pub payload_offset: u64,
}

/// Builds a file record by record.
pub struct Writer {
    bytes: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Writer::new()
    }
}

impl Writer {
    /// A file with magic and version and no record yet.
    pub fn new() -> Writer {
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        Writer { bytes }
    }

    /// Appends a record.
    pub fn record(&mut self, kind: u8, payload: &[u8]) {
        self.bytes.extend_from_slice(&frame(kind, payload));
    }

    /// Appends a record that [`frame`] made.
    pub fn framed(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
    }

    /// Appends the end record and returns the file.
    pub fn finish(mut self) -> Vec<u8> {
        self.record(kind::END, &[]);
        self.bytes
    }
}

/// A record's bytes.
pub fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    write_varint(&mut out, payload.len() as u64);
    out.extend_from_slice(payload);
    let sum = crc32fast::hash(&out);
    out.extend_from_slice(&sum.to_le_bytes());
    out
}

/// Appends `n` in base 128, low digits first, all digits but the last with bit 7 set.
pub fn write_varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Reads a number written by [`write_varint`] from the front of `bytes`: value and length. `None` where the bytes
/// end early; an error where the number does not fit 64 bits.
pub fn read_varint(bytes: &[u8], offset: u64) -> Result<Option<(u64, usize)>> {
    let mut n = 0u64;
    for (i, &b) in bytes.iter().enumerate().take(10) {
        let digit = u64::from(b & 0x7f);
        if i == 9 && digit > 1 {
            break;
        }
        n |= digit << (7 * i);
        if b & 0x80 == 0 {
            return Ok(Some((n, i + 1)));
        }
    }
    if bytes.len() < 10 {
        return Ok(None);
    }
    Err(Error::corrupt_at(offset, "a length does not fit 64 bits"))
}

/// Reads records in order and checks them.
#[derive(Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    ended: bool,
}

impl<'a> Reader<'a> {
    /// Checks magic and version.
    ///
    /// # Errors
    /// `Corrupt` where the bytes are no such file, `Truncated` where they end within the first nine,
    /// `Unsupported` for another version.
    pub fn new(bytes: &'a [u8]) -> Result<Reader<'a>> {
        let n = bytes.len().min(MAGIC.len());
        if bytes[..n] != MAGIC[..n] {
            return Err(Error::corrupt("not an inrfit file: its first bytes are others"));
        }
        match bytes.get(MAGIC.len()) {
            None => Err(Error::truncated_at(bytes.len() as u64, "the file ends before its first record")),
            Some(&VERSION) => Ok(Reader { bytes, at: MAGIC.len() + 1, ended: false }),
            Some(&v) => Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "format version {v}; this program reads version {VERSION}: a newer one may be needed"
                ),
            )),
        }
    }

    /// The next record, known or not; `None` after the end record, if nothing follows it.
    ///
    /// # Errors
    /// `Truncated` where the bytes end inside a record or before the end record, `Corrupt` where a checksum does
    /// not match or bytes follow the end.
    #[allow(clippy::should_implement_trait, reason = "it is fallible")]
    pub fn next(&mut self) -> Result<Option<Record<'a>>> {
        let (start, rest) = (self.at, &self.bytes[self.at..]);
        let offset = start as u64;
        if self.ended {
            return if rest.is_empty() {
                Ok(None)
            } else {
                Err(Error::corrupt_at(offset, format!("{} bytes follow the end record", rest.len())))
            };
        }
        let cut = || Error::truncated_at(self.bytes.len() as u64, "the file ends inside a record");
        let Some((&kind, after)) = rest.split_first() else {
            return Err(Error::truncated_at(offset, "the file ends before its end record"));
        };
        let (length, n_digits) = read_varint(after, offset + 1)?.ok_or_else(cut)?;
        let head = 1 + n_digits;
        // A length that cannot be is a cut file or a damaged length: the bytes at hand cannot tell which.
        let length = usize::try_from(length).map_err(|_| cut())?;
        let end = head.checked_add(length).and_then(|n| n.checked_add(4)).ok_or_else(cut)?;
        let record = rest.get(..end).ok_or_else(cut)?;
        let (body, sum) = record.split_at(head + length);
        let stored = u32::from_le_bytes([sum[0], sum[1], sum[2], sum[3]]);
        if crc32fast::hash(body) != stored {
            return Err(Error::corrupt_at(
                offset,
                format!("the checksum of a record (type {kind:#04x}) is wrong"),
            ));
        }
        self.at = start + end;
        self.ended = kind == kind::END;
        Ok(Some(Record { kind, payload: &body[head..], offset, payload_offset: offset + head as u64 }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_round_trip() {
        for n in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = vec![];
            write_varint(&mut out, n);
            assert_eq!(read_varint(&out, 0).unwrap(), Some((n, out.len())));
            assert_eq!(read_varint(&out[..out.len() - 1], 0).unwrap(), None);
        }
        assert!(read_varint(&[0xff; 10], 0).is_err());
    }

    #[test]
    fn records_come_back_and_damage_is_named() {
        let mut w = Writer::new();
        w.record(0x81, b"head");
        w.record(0x07, &[9; 300]);
        let bytes = w.finish();
        let mut r = Reader::new(&bytes).unwrap();
        assert_eq!(r.next().unwrap().unwrap().payload, b"head");
        let second = r.next().unwrap().unwrap();
        assert_eq!((second.kind, second.payload.len(), second.offset), (0x07, 300, 19));
        assert_eq!(r.next().unwrap().unwrap().kind, kind::END);
        assert!(r.next().unwrap().is_none());

        let read_all = |bytes: &[u8]| -> Result<()> {
            let mut r = Reader::new(bytes)?;
            while r.next()?.is_some() {}
            Ok(())
        };
        for n in 0..bytes.len() {
            assert_eq!(read_all(&bytes[..n]).unwrap_err().kind(), ErrorKind::Truncated, "{n} bytes");
        }
        for i in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[i / 8] ^= 1 << (i % 8);
            assert!(read_all(&bad).is_err(), "bit {i}");
        }
        let mut long = bytes;
        long.push(0);
        assert_eq!(read_all(&long).unwrap_err().kind(), ErrorKind::Corrupt);
    }
}
