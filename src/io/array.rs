//! The samples of an array on disk, event by event, so that a stack of any length takes the memory of one event.

use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Event, Samples, unravel};
use crate::with_samples;
use std::io::Read;
use std::str::FromStr;

/// A type that numbers may have on disk. Events have the first five; the others become one of those where every value
/// fits it exactly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberType {
    /// As an event has it.
    Event(DType),
    /// IEEE 754 double precision: becomes `float32`.
    F64,
    /// Unsigned, 32 bits: becomes `int32`.
    U32,
    /// Signed, 64 bits: becomes `int32`.
    I64,
    /// Unsigned, 64 bits: becomes `int32`.
    U64,
}

impl NumberType {
    /// Bytes of one number.
    pub fn n_bytes(self) -> usize {
        match self {
            NumberType::Event(dtype) => dtype.n_bytes(),
            NumberType::U32 => 4,
            NumberType::F64 | NumberType::I64 | NumberType::U64 => 8,
        }
    }

    /// The name NumPy gives it.
    pub fn name(self) -> &'static str {
        match self {
            NumberType::Event(dtype) => dtype.name(),
            NumberType::F64 => "float64",
            NumberType::U32 => "uint32",
            NumberType::I64 => "int64",
            NumberType::U64 => "uint64",
        }
    }
}

/// How numbers lie on disk: their type and byte order. Parsed from NumPy's names: `uint16`, `u2`, `<u2`, `>f4`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encoding {
    /// Their type.
    pub number: NumberType,
    /// Most significant byte first.
    pub big_endian: bool,
}

impl FromStr for Encoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Encoding> {
        let unsupported =
            |hint: &str| Err(Error::new(ErrorKind::Unsupported, format!("samples of type '{name}': {hint}")));
        let (big_endian, plain) = match name.as_bytes().first() {
            Some(b'>') => (true, &name[1..]),
            Some(b'<' | b'|' | b'=') => (false, &name[1..]),
            _ => (false, name),
        };
        let number = match plain {
            "u1" | "uint8" => NumberType::Event(DType::U8),
            "u2" | "uint16" => NumberType::Event(DType::U16),
            "i2" | "int16" => NumberType::Event(DType::I16),
            "i4" | "int32" => NumberType::Event(DType::I32),
            "f4" | "float32" => NumberType::Event(DType::F32),
            "f8" | "float64" => NumberType::F64,
            "u4" | "uint32" => NumberType::U32,
            "i8" | "int64" => NumberType::I64,
            "u8" | "uint64" => NumberType::U64,
            "b1" | "bool" => return unsupported("convert by .astype('uint8')"),
            "i1" | "int8" => return unsupported("convert by .astype('int16')"),
            "f2" | "float16" => return unsupported("convert by .astype('float32')"),
            "O" | "object" => return unsupported("Python objects; save numbers, as by .astype('uint16')"),
            _ => return unsupported("uint8, uint16, int16, int32 and float32 are stored as they are"),
        };
        Ok(Encoding { number, big_endian })
    }
}

/// An array on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Its numbers.
    pub encoding: Encoding,
    /// First axis fastest.
    pub fortran_order: bool,
    /// Its extents: 2 = one event of one plane, 3 = one event, 4 = a stack of events.
    pub shape: Vec<usize>,
}

/// What a reader may do and take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadSettings {
    /// Bytes of the samples of one event (of a whole stack in Fortran order, whose events lie in one another).
    pub max_event_bytes: u64,
    /// Whether `float64` numbers that `float32` does not hold exactly are rounded instead of refused.
    pub round: bool,
}

impl Default for ReadSettings {
    /// 64 GiB, no rounding.
    fn default() -> Self {
        ReadSettings { max_event_bytes: 64 << 30, round: false }
    }
}

/// The events of one array, in order.
#[derive(Debug)]
pub struct ArrayEvents<R> {
    reader: R,
    encoding: Encoding,
    shape: [usize; 3],
    n_events: usize,
    next: usize,
    is_stack: bool,
    order: Order,
    settings: ReadSettings,
}

#[derive(Debug)]
enum Order {
    C,
    /// Events of a stack lie in one another, so all bytes are read before the first.
    Fortran {
        bytes: Vec<u8>,
    },
}

impl<R: Read> ArrayEvents<R> {
    /// The events of an array of `layout`, whose numbers are what `reader` still has.
    ///
    /// # Errors
    /// `Unsupported` for a number of dimensions that is no event, `Corrupt` for an array that no computer holds,
    /// `Limit` beyond the settings' bytes, `Argument` for an empty axis.
    pub fn new(reader: R, layout: &Layout, settings: ReadSettings) -> Result<ArrayEvents<R>> {
        let (n_events, shape) = events_of(&layout.shape)?;
        if layout.shape.contains(&0) {
            return Err(Error::argument(format!(
                "an array without numbers: an axis of {:?} is empty",
                layout.shape
            )));
        }
        let too_large = || Error::corrupt(format!("no computer holds an array of shape {:?}", layout.shape));
        let size = layout.encoding.number.n_bytes() as u64;
        let event_bytes =
            shape.iter().try_fold(size, |n, &s| n.checked_mul(s as u64)).ok_or_else(too_large)?;
        let all_bytes = event_bytes.checked_mul(n_events as u64).ok_or_else(too_large)?;
        let at_once = if layout.fortran_order { all_bytes } else { event_bytes };
        if at_once > settings.max_event_bytes {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "an array of shape {:?} has {at_once} bytes to read at once, more than the limit of {}",
                    layout.shape, settings.max_event_bytes
                ),
            ));
        }
        let order = if layout.fortran_order { Order::Fortran { bytes: Vec::new() } } else { Order::C };
        Ok(ArrayEvents {
            reader,
            encoding: layout.encoding,
            shape,
            n_events,
            next: 0,
            is_stack: layout.shape.len() == 4,
            order,
            settings,
        })
    }

    /// Extents of each event.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Number of events.
    pub fn n_events(&self) -> usize {
        self.n_events
    }

    /// Whether the array has four axes, even if there is one event only.
    pub fn is_stack(&self) -> bool {
        self.is_stack
    }

    /// Number of the event that comes next; `None` after the last.
    pub fn next_index(&self) -> Option<usize> {
        (self.next < self.n_events).then_some(self.next)
    }

    /// Reads the next event. After an error of kind `Argument` (samples that no event has) the others can still be
    /// read; after others there are none.
    ///
    /// # Errors
    /// `Truncated` where the bytes end early, `Corrupt` where bytes follow the last event, `Io`, and `Argument` for
    /// samples that are not finite or fit no type of an event.
    pub fn read(&mut self) -> Result<Event> {
        let index = self.next;
        self.next += 1;
        let ended = self.fetch(index);
        if ended.is_err() {
            self.next = self.n_events;
        }
        let bytes = ended?;
        let samples = self.samples(bytes)?;
        let samples = match self.order {
            Order::Fortran { .. } => with_samples!(&samples, v => Samples::from(from_fortran(v, self.shape))),
            Order::C => samples,
        };
        Event::new(self.shape, samples)
    }

    /// Passes over the next event.
    ///
    /// # Errors
    /// As [`ArrayEvents::read`], but for samples that are not looked at.
    pub fn skip(&mut self) -> Result<()> {
        let index = self.next;
        self.next += 1;
        let ended = self.fetch(index);
        if ended.is_err() {
            self.next = self.n_events;
        }
        ended.map(drop)
    }

    /// The bytes of event `index`, little-endian; in Fortran order those of the event alone, its first axis fastest.
    fn fetch(&mut self, index: usize) -> Result<Vec<u8>> {
        let size = self.encoding.number.n_bytes();
        let n: usize = self.shape.iter().product();
        let is_last = index + 1 == self.n_events;
        let mut bytes = match &mut self.order {
            Order::C => {
                let bytes = exactly(&mut self.reader, n * size, index * n * size, self.n_events * n * size)?;
                if is_last {
                    nothing_more(&mut self.reader, self.n_events * n * size)?;
                }
                bytes
            }
            Order::Fortran { bytes } => {
                if index == 0 {
                    let all = self.n_events * n * size;
                    *bytes = exactly(&mut self.reader, all, 0, all)?;
                    nothing_more(&mut self.reader, all)?;
                }
                if self.n_events == 1 {
                    std::mem::take(bytes)
                } else {
                    // The number of the event is the fastest index of the stack.
                    let numbers = bytes.chunks_exact(size).skip(index).step_by(self.n_events);
                    numbers.flatten().copied().collect()
                }
            }
        };
        if self.encoding.big_endian {
            bytes.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(bytes)
    }

    fn samples(&self, bytes: Vec<u8>) -> Result<Samples> {
        let cut = || Error::corrupt("the samples do not fill whole numbers of bytes");
        match self.encoding.number {
            NumberType::Event(dtype) => Samples::from_le_bytes(dtype, &bytes).ok_or_else(cut),
            NumberType::F64 => self.narrow(&bytes, f64::from_le_bytes, |v| {
                let narrow = v as f32;
                // What is not finite is for the event to refuse.
                let fits =
                    f64::from(narrow) == v || !v.is_finite() || (self.settings.round && narrow.is_finite());
                fits.then_some(narrow)
            }),
            NumberType::U32 => self.narrow(&bytes, u32::from_le_bytes, |v| i32::try_from(v).ok()),
            NumberType::I64 => self.narrow(&bytes, i64::from_le_bytes, |v| i32::try_from(v).ok()),
            NumberType::U64 => self.narrow(&bytes, u64::from_le_bytes, |v| i32::try_from(v).ok()),
        }
    }

    /// Numbers as a type that events have, if it holds all of them.
    fn narrow<const N: usize, T: Copy + std::fmt::Debug, U: Default>(
        &self,
        bytes: &[u8],
        number: impl Fn([u8; N]) -> T,
        narrow: impl Fn(T) -> Option<U>,
    ) -> Result<Samples>
    where
        Samples: From<Vec<U>>,
    {
        let numbers = || bytes.as_chunks::<N>().0.iter().map(|b| number(*b));
        let mut out = Vec::with_capacity(bytes.len() / N);
        let mut n_lost = 0usize;
        for v in numbers() {
            let v = narrow(v);
            n_lost += usize::from(v.is_none());
            out.push(v.unwrap_or_default());
        }
        if n_lost == 0 {
            return Ok(Samples::from(out));
        }
        let first = numbers().enumerate().find(|(_, v)| narrow(*v).is_none());
        let Some((at, value)) = first else { return Ok(Samples::from(out)) };
        let at = match self.order {
            Order::C => unravel(at, self.shape),
            Order::Fortran { .. } => {
                let [c, b, a] = unravel(at, [self.shape[2], self.shape[1], self.shape[0]]);
                [a, b, c]
            }
        };
        let (becomes, way_out) = match self.encoding.number {
            NumberType::F64 => ("float32", "--round rounds those in its range, or scale them first"),
            _ => ("int32", "scale them or use a type that fits"),
        };
        Err(Error::argument(format!(
            "{n_lost} of the {} samples do not fit {becomes} exactly, the first {value:?} at {at:?}; {way_out}",
            self.encoding.number.name()
        )))
    }
}

/// How many events an array of these extents is, and their shape.
fn events_of(shape: &[usize]) -> Result<(usize, [usize; 3])> {
    match *shape {
        [a, b] => Ok((1, [1, a, b])),
        [a, b, c] => Ok((1, [a, b, c])),
        [n, a, b, c] => Ok((n, [a, b, c])),
        _ => {
            let hint = match shape.len() {
                0 => "a single number is no event",
                1 => "give it the extents of its event, as in a.reshape(192, 249, 16)",
                _ => "make it a stack of events, as in a.reshape(-1, *a.shape[-3:])",
            };
            Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} dimensions; an event has 2 or 3, a stack of events 4: {hint}", shape.len()),
            ))
        }
    }
}

/// `n` bytes, read as they come, so that no header makes us allocate what is not there. `before` of `all` are read.
pub(super) fn exactly(reader: &mut impl Read, n: usize, before: usize, all: usize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(n as u64).read_to_end(&mut bytes).map_err(reading)?;
    if bytes.len() < n {
        return Err(Error::new(
            ErrorKind::Truncated,
            format!("the array has {all} bytes, but the file holds {}", before + bytes.len()),
        ));
    }
    Ok(bytes)
}

pub(super) fn nothing_more(reader: &mut impl Read, all: usize) -> Result<()> {
    let mut rest = Vec::new();
    match reader.by_ref().take(1).read_to_end(&mut rest).map_err(reading)? {
        0 => Ok(()),
        _ => Err(Error::corrupt(format!("bytes follow the {all} of the array"))),
    }
}

/// What the system refuses, or what unpacking finds wrong with the bytes.
fn reading(e: std::io::Error) -> Error {
    match e.kind() {
        std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput => {
            Error::corrupt(format!("the packed array is damaged: {e}"))
        }
        std::io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Truncated, "the packed array is cut"),
        _ => Error::io("reading", e),
    }
}

/// First axis fastest to last axis fastest.
fn from_fortran<T: Copy>(v: &[T], [a, b, c]: [usize; 3]) -> Vec<T> {
    let mut out = Vec::with_capacity(v.len());
    for i in 0..a {
        for j in 0..b {
            out.extend((0..c).map(|k| v[i + a * (j + b * k)]));
        }
    }
    out
}
