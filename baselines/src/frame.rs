//! What surrounds the bytes of a rival: which one wrote them, the shape, a checksum.

use crate::error::{Error, Result};

/// No event is larger than this many voxels: what says so is damaged.
const MAX_VOXELS: usize = 1 << 31;

/// Bytes under construction.
#[derive(Debug, Default)]
pub(crate) struct Bytes(pub Vec<u8>);

impl Bytes {
    pub fn push(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub fn extend(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that more follow.
    pub fn varint(&mut self, mut n: usize) {
        while n >= 128 {
            self.0.push((n & 127) as u8 | 128);
            n >>= 7;
        }
        self.0.push(n as u8);
    }
}

/// Takes bytes from the front of a slice.
pub(crate) struct Reader<'a>(pub &'a [u8]);

impl<'a> Reader<'a> {
    fn short() -> Error {
        Error::Corrupt("cut short".to_owned())
    }

    pub fn take(&mut self, n: usize) -> Result<&'a [u8]> {
        let (front, rest) = self.0.split_at_checked(n).ok_or_else(Self::short)?;
        self.0 = rest;
        Ok(front)
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| Self::short())
    }

    pub fn varint(&mut self) -> Result<usize> {
        let mut n = 0;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            n |= usize::from(byte & 127) << shift;
            if byte < 128 {
                return Ok(n);
            }
        }
        Err(Error::Corrupt("a number that is too long".to_owned()))
    }
}

/// A complete compressed event. Bytes: tag, CRC-32 of what follows, extents and length of the head as varints, head,
/// payload.
///
/// The checksum is there because libraries behind rivals trust their input.
#[derive(Debug)]
pub(crate) struct Frame {
    /// Which rival.
    pub tag: u8,
    /// Shape of the event.
    pub shape: [usize; 3],
    /// The rival's own settings.
    pub head: Vec<u8>,
    /// What it wrote.
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn write(&self) -> Vec<u8> {
        let mut body = Bytes::default();
        self.shape.iter().for_each(|&extent| body.varint(extent));
        body.varint(self.head.len());
        body.extend(&self.head);
        body.extend(&self.payload);
        let mut out = Bytes(vec![self.tag]);
        out.extend(&crc32fast::hash(&body.0).to_le_bytes());
        out.extend(&body.0);
        out.0
    }

    pub fn read(tag: u8, bytes: &[u8]) -> Result<Frame> {
        let mut reader = Reader(bytes);
        let [found] = reader.array()?;
        if found != tag {
            return Err(Error::Corrupt(format!("written by rival {found}, not {tag}")));
        }
        if u32::from_le_bytes(reader.array()?) != crc32fast::hash(reader.0) {
            return Err(Error::Corrupt("the checksum is wrong".to_owned()));
        }
        let shape = [reader.varint()?, reader.varint()?, reader.varint()?];
        let n = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        if n.is_none_or(|n| n == 0 || n > MAX_VOXELS) {
            return Err(Error::Corrupt(format!("shape {shape:?}")));
        }
        let n_head = reader.varint()?;
        Ok(Frame { tag, shape, head: reader.take(n_head)?.to_vec(), payload: reader.0.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_and_damage_is_found() {
        let frame = Frame { tag: 7, shape: [192, 249, 16], head: vec![1, 2], payload: vec![3; 200] };
        let bytes = frame.write();
        let back = Frame::read(7, &bytes).unwrap();
        assert_eq!((back.shape, &back.head, &back.payload), (frame.shape, &frame.head, &frame.payload));
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 1;
            assert!(matches!(Frame::read(7, &bad), Err(Error::Corrupt(_))), "byte {i}");
            assert!(matches!(Frame::read(7, &bytes[..i]), Err(Error::Corrupt(_))), "length {i}");
        }
    }
}
