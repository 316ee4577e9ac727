//! Packs: files of several events, each a complete file of its own, with an index at the end.
//!
//! Written event by event and read by place, so that neither side holds more than one event.

use super::file::{MAGIC, VERSION, read_varint, write_varint};
use super::{frame, kind};
use crate::error::{Error, ErrorKind, Result};
use std::io::{Read, Seek, SeekFrom, Write};
use std::ops::Range;

/// Bytes of an END record: type, length 0, checksum.
const END_BYTES: u64 = 6;
/// Bytes that follow an index's entries up to the end of the file: its own offset, its checksum, the END record.
const TAIL_BYTES: u64 = 8 + 4 + END_BYTES;
/// Longest name of an event, bytes of UTF-8.
pub const MAX_NAME: usize = 200;

/// Whether `name` can be an event's: not empty, short enough for every file system, and no path.
pub fn is_name(name: &str) -> bool {
    let plain = |c: char| !c.is_control() && !['/', '\\'].contains(&c);
    !name.is_empty() && name.len() <= MAX_NAME && name.chars().all(plain) && ![".", ".."].contains(&name)
}

/// Writes a pack event by event.
#[derive(Debug)]
pub struct PackWriter<W> {
    writer: W,
    at: u64,
    lengths: Vec<u64>,
}

impl<W: Write> PackWriter<W> {
    /// A pack without events.
    ///
    /// # Errors
    /// `Io`.
    pub fn new(writer: W) -> Result<PackWriter<W>> {
        let mut pack = PackWriter { writer, at: 0, lengths: Vec::new() };
        pack.write(&MAGIC)?;
        pack.write(&[VERSION])?;
        Ok(pack)
    }

    /// Adds the event whose complete file is `file`.
    ///
    /// # Errors
    /// `Argument` for a name that no event may have, `Io`.
    pub fn add(&mut self, name: &str, file: &[u8]) -> Result<()> {
        if !is_name(name) {
            return Err(Error::argument(format!("{name:?} cannot be the name of an event in a pack")));
        }
        let mut payload = Vec::with_capacity(file.len() + name.len() + 2);
        write_varint(&mut payload, name.len() as u64);
        payload.extend_from_slice(name.as_bytes());
        payload.extend_from_slice(file);
        let record = frame(kind::EVENT, &payload);
        self.write(&record)?;
        self.lengths.push(record.len() as u64);
        Ok(())
    }

    /// Events so far.
    pub fn n_events(&self) -> usize {
        self.lengths.len()
    }

    /// Writes index and end; gives the bytes of the whole pack.
    ///
    /// # Errors
    /// `Argument` for a pack without events, `Io`.
    pub fn finish(mut self) -> Result<u64> {
        if self.lengths.is_empty() {
            return Err(Error::argument("a pack needs at least one event"));
        }
        let mut payload = Vec::new();
        for &n in &self.lengths {
            write_varint(&mut payload, n);
        }
        payload.extend(self.at.to_le_bytes());
        self.write(&frame(kind::PACK_INDEX, &payload))?;
        self.write(&frame(kind::END, &[]))?;
        Ok(self.at)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes).map_err(|e| Error::io("cannot write it", e))?;
        self.at += bytes.len() as u64;
        Ok(())
    }
}

/// An event of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackedEvent {
    /// What its writer called it; no path.
    pub name: String,
    /// Its complete file.
    pub file: Vec<u8>,
}

/// Reads a pack: its index first, then the events that are asked for.
#[derive(Debug)]
pub struct PackReader<R> {
    reader: R,
    events: Vec<Range<u64>>,
}

/// Whether a file that starts with `head` (ten bytes of it) is a pack.
pub fn is_pack(head: &[u8]) -> bool {
    head.len() > MAGIC.len() + 1 && head.starts_with(&MAGIC) && head[MAGIC.len() + 1] == kind::EVENT
}

impl<R: Read + Seek> PackReader<R> {
    /// Reads and checks what stands around the events: magic, version, index, end.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Unsupported` with the offset; `Io`.
    pub fn open(mut reader: R) -> Result<PackReader<R>> {
        let len = reader.seek(SeekFrom::End(0)).map_err(io)?;
        let start = MAGIC.len() as u64 + 1;
        let head = bytes_at(&mut reader, 0..len.min(start))?;
        // Magic and version have the same rules as an event's file, and are told by the same reader.
        super::Reader::new(&head)?;
        let cut = || Error::truncated_at(len, "a pack does not end with its index and end: it is cut");
        if len < start + TAIL_BYTES + 2 {
            return Err(cut());
        }
        let end = len - END_BYTES;
        if bytes_at(&mut reader, end..len)? != frame(kind::END, &[]) {
            return Err(cut());
        }
        let own = bytes_at(&mut reader, len - TAIL_BYTES..len - TAIL_BYTES + 8)?;
        let index_at = u64::from_le_bytes(own.try_into().unwrap_or_default());
        if !(start..len - TAIL_BYTES).contains(&index_at) {
            return Err(Error::corrupt_at(len - TAIL_BYTES, "a pack's index lies outside the file"));
        }
        let (kind_found, payload) = record_at(&mut reader, index_at..end)?;
        if kind_found != kind::PACK_INDEX {
            return Err(Error::corrupt_at(index_at, "a pack's index is a record of another type"));
        }
        let entries = &payload[..payload.len().saturating_sub(8)];
        let bad = || Error::corrupt_at(index_at, "the index does not match the pack");
        let (mut at, mut rest, mut events) = (start, entries, Vec::new());
        while !rest.is_empty() {
            let (n, used) = read_varint(rest, index_at)?.ok_or_else(bad)?;
            let next = at.checked_add(n).filter(|next| *next <= index_at).ok_or_else(bad)?;
            events.push(at..next);
            at = next;
            rest = &rest[used..];
        }
        if events.is_empty() {
            return Err(Error::corrupt_at(index_at, "a pack without events"));
        }
        // Later versions may put other records between the events and the index.
        while at < index_at {
            let span = span_at(&mut reader, at, index_at)?;
            let (other, _) = record_at(&mut reader, span.clone())?;
            if other & kind::CRITICAL != 0 {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!(
                        "a record of type {other:#04x} (at byte {at}) that this program does not know in a pack: \
                         a newer one is needed"
                    ),
                ));
            }
            at = span.end;
        }
        Ok(PackReader { reader, events })
    }

    /// Number of events.
    pub fn n_events(&self) -> usize {
        self.events.len()
    }

    /// Where the record of event `i` lies, bytes from the start of the file.
    ///
    /// # Panics
    /// Like a slice, where `i` is not below [`PackReader::n_events`].
    pub fn span(&self, i: usize) -> Range<u64> {
        self.events[i].clone()
    }

    /// Event `i`. One that is damaged leaves the others readable.
    ///
    /// # Errors
    /// `Corrupt` with the offset, `Io`.
    ///
    /// # Panics
    /// Like a slice, where `i` is not below [`PackReader::n_events`].
    pub fn read(&mut self, i: usize) -> Result<PackedEvent> {
        let span = self.span(i);
        let (kind_found, mut payload) = record_at(&mut self.reader, span.clone())?;
        let bad = |what: &str| Error::corrupt_at(span.start, what);
        if kind_found != kind::EVENT {
            return Err(bad("a record of another type where the index has an event"));
        }
        let (n, used) =
            read_varint(&payload, span.start)?.ok_or_else(|| bad("the name of an event is cut"))?;
        let end = usize::try_from(n).ok().and_then(|n| n.checked_add(used)).filter(|e| *e <= payload.len());
        let end = end.ok_or_else(|| bad("the name of an event is cut"))?;
        let name = String::from_utf8(payload[used..end].to_vec()).ok().filter(|name| is_name(name));
        let name = name.ok_or_else(|| bad("the name of an event is no file name"))?;
        let file = payload.split_off(end);
        Ok(PackedEvent { name, file })
    }
}

fn io(e: std::io::Error) -> Error {
    Error::io("reading", e)
}

fn bytes_at<R: Read + Seek>(reader: &mut R, span: Range<u64>) -> Result<Vec<u8>> {
    reader.seek(SeekFrom::Start(span.start)).map_err(io)?;
    let n = span.end - span.start;
    // Read as they come: a span is no longer than the file, but the file may shrink meanwhile.
    let mut bytes = Vec::new();
    reader.by_ref().take(n).read_to_end(&mut bytes).map_err(io)?;
    match bytes.len() as u64 == n {
        true => Ok(bytes),
        false => Err(Error::truncated_at(span.start + bytes.len() as u64, "the file ends inside a record")),
    }
}

/// The record that starts at `at`: its bytes, which end before `end`.
fn span_at<R: Read + Seek>(reader: &mut R, at: u64, end: u64) -> Result<Range<u64>> {
    let bad = || Error::corrupt_at(at, "a record between the events and the index of a pack is cut");
    let head = bytes_at(reader, at..end.min(at.saturating_add(11)))?;
    let (n, used) = read_varint(head.get(1..).unwrap_or_default(), at)?.ok_or_else(bad)?;
    let next = n.checked_add(1 + used as u64 + 4).and_then(|n| at.checked_add(n));
    next.filter(|next| *next <= end).map(|next| at..next).ok_or_else(bad)
}

/// Type and payload of the record that fills `span`.
fn record_at<R: Read + Seek>(reader: &mut R, span: Range<u64>) -> Result<(u8, Vec<u8>)> {
    let bad = |what: &str| Error::corrupt_at(span.start, what);
    let mut record = bytes_at(reader, span.clone())?;
    let Some(body) = record.len().checked_sub(4).filter(|n| *n >= 2) else {
        return Err(bad("the index of a pack has a record that is too short"));
    };
    let stored = [record[body], record[body + 1], record[body + 2], record[body + 3]];
    if crc32fast::hash(&record[..body]) != u32::from_le_bytes(stored) {
        return Err(bad(&format!("the checksum of a record (type {:#04x}) is wrong", record[0])));
    }
    let length = read_varint(&record[1..body], span.start + 1)?;
    let Some((n, used)) = length.filter(|(n, used)| *n == (body - 1 - used) as u64) else {
        return Err(bad("a record's length is not that of the index"));
    };
    let kind_found = record[0];
    record.truncate(body);
    record.drain(..1 + used);
    debug_assert_eq!(record.len() as u64, n);
    Ok((kind_found, record))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn pack(events: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer = PackWriter::new(&mut bytes).unwrap();
        for (name, file) in events {
            writer.add(name, file).unwrap();
        }
        assert_eq!(writer.n_events(), events.len());
        assert_eq!(writer.finish().unwrap(), bytes.len() as u64);
        bytes
    }

    fn read_all(bytes: &[u8]) -> Result<Vec<PackedEvent>> {
        let mut reader = PackReader::open(Cursor::new(bytes))?;
        (0..reader.n_events()).map(|i| reader.read(i)).collect()
    }

    fn two() -> Vec<u8> {
        pack(&[("a.npy", b"first file"), ("b[1].npy", &[7; 300])])
    }

    #[test]
    fn events_come_back_in_any_order() {
        let bytes = two();
        assert!(is_pack(&bytes) && !is_pack(&bytes[..9]) && !is_pack(b"\x89INRF\r\n\x1a\x01\x81"));
        let mut reader = PackReader::open(Cursor::new(&bytes)).unwrap();
        assert_eq!((reader.n_events(), reader.span(0).start), (2, 9));
        let second = reader.read(1).unwrap();
        assert_eq!((second.name.as_str(), second.file.len()), ("b[1].npy", 300));
        assert_eq!(reader.read(0).unwrap().file, b"first file");
        let empty = PackWriter::new(Vec::new()).unwrap().finish();
        assert_eq!(empty.unwrap_err().kind(), ErrorKind::Argument);
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_an_error() {
        let bytes = two();
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(read_all(&bad).is_err(), "bit {bit}");
        }
        for n in 0..bytes.len() {
            let kind = read_all(&bytes[..n]).unwrap_err().kind();
            assert!([ErrorKind::Truncated, ErrorKind::Corrupt].contains(&kind), "{n} bytes: {kind:?}");
        }
        let mut long = bytes;
        long.push(0);
        assert!(read_all(&long).is_err());
    }

    #[test]
    fn a_damaged_event_leaves_the_others() {
        let mut bytes = two();
        bytes[20] ^= 1;
        let mut reader = PackReader::open(Cursor::new(&bytes)).unwrap();
        let error = reader.read(0).unwrap_err();
        assert!(error.kind() == ErrorKind::Corrupt && error.to_string().contains("at byte 9"), "{error}");
        assert_eq!(reader.read(1).unwrap().name, "b[1].npy");
    }

    #[test]
    fn names_are_no_paths() {
        let mut writer = PackWriter::new(Vec::new()).unwrap();
        for name in ["", ".", "..", "a/b", "a\\b", "a\nb", "\0", &"n".repeat(201)] {
            assert_eq!(writer.add(name, b"").unwrap_err().kind(), ErrorKind::Argument, "{name:?}");
        }
        writer.add(&"n".repeat(200), b"").unwrap();
        // What another writer put there is refused as well.
        let mut payload = vec![5];
        payload.extend(b"../up");
        let record = frame(kind::EVENT, &payload);
        let mut bytes = MAGIC.to_vec();
        bytes.push(VERSION);
        bytes.extend(&record);
        let index_at = bytes.len() as u64;
        let mut index = vec![record.len() as u8];
        index.extend(index_at.to_le_bytes());
        bytes.extend(frame(kind::PACK_INDEX, &index));
        bytes.extend(frame(kind::END, &[]));
        assert!(read_all(&bytes).unwrap_err().to_string().contains("no file name"));
    }

    #[test]
    fn lies_of_the_index_are_found() {
        let event = frame(kind::EVENT, b"\x01afile");
        let with = |between: &[u8], entries: &[u8], own_offset: i64| {
            let mut bytes = MAGIC.to_vec();
            bytes.push(VERSION);
            bytes.extend(&event);
            bytes.extend(between);
            let mut payload = entries.to_vec();
            payload.extend((bytes.len() as i64 + own_offset).to_le_bytes());
            bytes.extend(frame(kind::PACK_INDEX, &payload));
            bytes.extend(frame(kind::END, &[]));
            read_all(&bytes)
        };
        let n = event.len() as u8;
        assert_eq!(with(&[], &[n], 0).unwrap()[0].file, b"file");
        for entries in [&[][..], &[n - 1], &[n + 1], &[n, 1], &[0x80], &[0xff; 10], &[0]] {
            assert!(with(&[], entries, 0).is_err(), "{entries:?}");
        }
        for offset in [-1, 1, 1000, -1000, i64::MIN] {
            assert!(with(&[], &[n], offset).is_err(), "{offset}");
        }
        assert_eq!(with(&frame(0x33, b"newer"), &[n], 0).unwrap().len(), 1);
        assert_eq!(with(&frame(0xb3, b"newer"), &[n], 0).unwrap_err().kind(), ErrorKind::Unsupported);
        let mut damaged = frame(0x33, b"newer");
        damaged[3] ^= 1;
        assert!(with(&damaged, &[n], 0).is_err());
        assert!(with(&[0x33, 0x7f], &[n], 0).is_err(), "a record that runs into the index");
    }
}
