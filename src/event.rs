//! A detector event in memory: shape, sample type, samples.

use crate::error::{Error, Result};

/// The type of an event's samples, as in the input file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DType {
    /// Unsigned, 8 bits.
    U8,
    /// Unsigned, 16 bits: ADC counts as most readouts store them.
    U16,
    /// Signed, 16 bits.
    I16,
    /// Signed, 32 bits.
    I32,
    /// IEEE 754 single precision.
    F32,
}

impl DType {
    /// Bytes of one sample.
    pub fn n_bytes(self) -> usize {
        match self {
            DType::U8 => 1,
            DType::U16 | DType::I16 => 2,
            DType::I32 | DType::F32 => 4,
        }
    }

    /// Whether samples are whole numbers.
    pub fn is_integer(self) -> bool {
        self != DType::F32
    }

    /// The name NumPy gives it: `uint8`, `uint16`, `int16`, `int32`, `float32`.
    pub fn name(self) -> &'static str {
        match self {
            DType::U8 => "uint8",
            DType::U16 => "uint16",
            DType::I16 => "int16",
            DType::I32 => "int32",
            DType::F32 => "float32",
        }
    }
}

/// The samples of an event, one vector whatever the type.
#[derive(Debug, Clone, PartialEq)]
pub enum Samples {
    /// `uint8`
    U8(Vec<u8>),
    /// `uint16`
    U16(Vec<u16>),
    /// `int16`
    I16(Vec<i16>),
    /// `int32`
    I32(Vec<i32>),
    /// `float32`
    F32(Vec<f32>),
}

/// Runs `$body` with `$v` bound to the typed sample vector, whatever the type.
#[macro_export]
macro_rules! with_samples {
    ($samples:expr, $v:ident => $body:expr) => {
        match $samples {
            $crate::event::Samples::U8($v) => $body,
            $crate::event::Samples::U16($v) => $body,
            $crate::event::Samples::I16($v) => $body,
            $crate::event::Samples::I32($v) => $body,
            $crate::event::Samples::F32($v) => $body,
        }
    };
}

impl Samples {
    /// Lowest and highest sample that is not zero; `None` where all are.
    pub fn occupied_range(&self) -> Option<(f64, f64)> {
        let (lo, hi) = with_samples!(self, v => {
            let values = v.iter().map(|v| f64::from(*v)).filter(|v| *v != 0.0);
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)))
        });
        (lo <= hi).then_some((lo, hi))
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        with_samples!(self, v => v.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Their type.
    pub fn dtype(&self) -> DType {
        match self {
            Samples::U8(_) => DType::U8,
            Samples::U16(_) => DType::U16,
            Samples::I16(_) => DType::I16,
            Samples::I32(_) => DType::I32,
            Samples::F32(_) => DType::F32,
        }
    }

    /// `n` zeros of type `dtype`.
    pub fn zeros(dtype: DType, n: usize) -> Self {
        match dtype {
            DType::U8 => Samples::U8(vec![0; n]),
            DType::U16 => Samples::U16(vec![0; n]),
            DType::I16 => Samples::I16(vec![0; n]),
            DType::I32 => Samples::I32(vec![0; n]),
            DType::F32 => Samples::F32(vec![0.0; n]),
        }
    }

    /// Sample `i` as f64 (exact for every type).
    pub fn get(&self, i: usize) -> f64 {
        with_samples!(self, v => f64::from(v[i]))
    }

    /// Sets sample `i` to `v`, converted as by `as` (whole values in range are exact).
    pub fn set(&mut self, i: usize, v: f64) {
        match self {
            Samples::U8(s) => s[i] = v as u8,
            Samples::U16(s) => s[i] = v as u16,
            Samples::I16(s) => s[i] = v as i16,
            Samples::I32(s) => s[i] = v as i32,
            Samples::F32(s) => s[i] = v as f32,
        }
    }

    /// The samples as little-endian bytes, in order.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() * self.dtype().n_bytes());
        with_samples!(self, v => for s in v { out.extend_from_slice(&s.to_le_bytes()) });
        out
    }

    /// The inverse of [`Samples::to_le_bytes`]; `None` if the length is no multiple of the sample size.
    pub fn from_le_bytes(dtype: DType, bytes: &[u8]) -> Option<Self> {
        if !bytes.len().is_multiple_of(dtype.n_bytes()) {
            return None;
        }
        Some(match dtype {
            DType::U8 => Samples::U8(bytes.to_vec()),
            DType::U16 => Samples::U16(chunks(bytes, u16::from_le_bytes)),
            DType::I16 => Samples::I16(chunks(bytes, i16::from_le_bytes)),
            DType::I32 => Samples::I32(chunks(bytes, i32::from_le_bytes)),
            DType::F32 => Samples::F32(chunks(bytes, f32::from_le_bytes)),
        })
    }
}

macro_rules! samples_from {
    ($($type:ty => $variant:ident),*) => {
        $(impl From<Vec<$type>> for Samples {
            fn from(samples: Vec<$type>) -> Self {
                Samples::$variant(samples)
            }
        })*
    };
}

samples_from!(u8 => U8, u16 => U16, i16 => I16, i32 => I32, f32 => F32);

fn chunks<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks::<N>().0.iter().map(|c| from(*c)).collect()
}

/// A 3-D array of samples in C order (last axis fastest).
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    shape: [usize; 3],
    samples: Samples,
}

impl Event {
    /// An event of `shape` with `samples` in C order.
    ///
    /// # Errors
    /// `Argument` if the shape's product is not the number of samples, if an axis is empty or longer than `u32::MAX`, or if a float sample is NaN or infinite.
    pub fn new(shape: [usize; 3], samples: Samples) -> Result<Self> {
        let n = shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b));
        if shape.contains(&0) {
            return Err(Error::argument(format!("an axis is empty: shape {shape:?}")));
        }
        if shape.iter().any(|&n| u32::try_from(n).is_err()) {
            return Err(Error::argument(format!("an axis is longer than {}: shape {shape:?}", u32::MAX)));
        }
        if n != Some(samples.len()) {
            return Err(Error::argument(format!("shape {shape:?} does not hold {} samples", samples.len())));
        }
        if let Samples::F32(v) = &samples {
            let n_bad = v.iter().filter(|s| !s.is_finite()).count();
            if let Some(first) = v.iter().position(|s| !s.is_finite()) {
                let index = unravel(first, shape);
                return Err(Error::argument(format!(
                    "{n_bad} samples are NaN or infinite, the first at {index:?}; replace them before compressing"
                )));
            }
        }
        Ok(Event { shape, samples })
    }

    /// Checks that all samples lie in `lo..=hi`, the range that the readout is said to have.
    ///
    /// # Errors
    /// `Argument` with the number of those that do not, the first one and its index.
    pub fn check_range(&self, lo: f64, hi: f64) -> Result<()> {
        let outside = || (0..self.n_voxels()).filter(|&i| !(lo..=hi).contains(&self.samples.get(i)));
        match outside().next() {
            None => Ok(()),
            Some(first) => Err(Error::argument(format!(
                "{} samples lie outside {lo} to {hi}, the first {} at {:?}",
                outside().count(),
                self.samples.get(first),
                unravel(first, self.shape)
            ))),
        }
    }

    /// Extent of each axis.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Type of the samples.
    pub fn dtype(&self) -> DType {
        self.samples.dtype()
    }

    /// The samples, C order.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// Number of voxels.
    pub fn n_voxels(&self) -> usize {
        self.samples.len()
    }

    /// Bytes of the samples alone: what every ratio is measured against.
    pub fn raw_bytes(&self) -> usize {
        self.n_voxels() * self.dtype().n_bytes()
    }
}

/// The index of C-order position `i` in an array of `shape`.
pub fn unravel(i: usize, shape: [usize; 3]) -> [usize; 3] {
    [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_outside_a_range_are_counted() {
        let event = Event::new([1, 2, 3], Samples::from(vec![0u16, 70, 1024, 1023, 4000, 1])).unwrap();
        assert!(event.check_range(0.0, 4000.0).is_ok());
        let text = event.check_range(0.0, 1023.0).unwrap_err().to_string();
        assert_eq!(text, "2 samples lie outside 0 to 1023, the first 1024 at [0, 0, 2]");
    }

    #[test]
    fn shapes_and_numbers_that_no_event_has_are_named() {
        let kind = |shape, samples: Samples| Event::new(shape, samples).unwrap_err().to_string();
        assert!(kind([0, 2, 3], Samples::U8(vec![])).contains("empty"));
        assert!(kind([1, 2, 3], Samples::U8(vec![0; 5])).contains("does not hold 5"));
        let mut wild = vec![1.0f32; 12];
        (wild[7], wild[9]) = (f32::NEG_INFINITY, f32::NAN);
        let text = kind([2, 3, 2], Samples::F32(wild));
        assert!(text.starts_with("2 samples are NaN or infinite, the first at [1, 0, 1]"), "{text}");
    }
}
