//! A model as a compressor.

use super::frame::{self, Kind};
use super::halves::Halves;
use super::model::{Code, Model, check_extents};
use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::spec::Options;
use burn_tensor::Device;
use half::f16;
use inrfit_entropy::{Decoder, Encoder};

/// Level of zstd.
const LEVEL: i32 = 19;

/// An autoencoder with weights, as a compressor: [`Rival::encode`] gives the code in half precision behind 25 bytes
/// that name shape and model, and a checksum.
///
/// Decoding needs the same model; values are rounded to whole counts. Results may differ in the last bits between
/// processors and devices, as floating-point networks do.
pub struct Bcae {
    model: Model,
    hash: [u8; 8],
    device: Device,
    packed: bool,
}

impl Bcae {
    /// A compressor that works on `device`. With `packed`, codes are packed further without loss: by zstd or by our
    /// entropy coder, whichever is smaller.
    ///
    /// # Errors
    /// As [`Model::to_bytes`].
    pub fn new(model: Model, device: Device, packed: bool) -> Result<Bcae> {
        Ok(Bcae { hash: model.hash()?, model, device, packed })
    }

    /// By options: `model=FILE` as `inrfit bcae import` or `train` writes it, `packed`, `threshold=P` instead of the
    /// model's own.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read, `Corrupt` for one that is no model; `Argument` for other options.
    pub fn from_spec(options: &str) -> Result<Bcae> {
        let mut options = Options::new(options);
        let path = options.text("model").ok_or_else(|| Error::Argument("model=FILE is needed".to_owned()))?;
        let (threshold, packed) = (options.number("threshold")?, options.word("packed"));
        options.finish("model=FILE, packed, threshold=P")?;
        let bytes = std::fs::read(path).map_err(|e| Error::Io(format!("{path}: {e}")))?;
        let model = Model::from_bytes(&bytes).map_err(|e| e.in_file(path))?;
        let model = threshold.map_or(Ok(model.clone()), |threshold| model.with_threshold(threshold))?;
        Bcae::new(model, Device::flex(), packed)
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }
}

impl Rival for Bcae {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        let code = self.model.encode(event, &self.device)?;
        let plain: Vec<u8> = code.values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (kind, payload) = if self.packed { pack(&code, plain)? } else { (Kind::Plain, plain) };
        frame::write(kind, event.shape(), self.hash, &payload)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let frame = frame::read(bytes, self.hash)?;
        check_extents(frame.shape)?;
        let shape =
            self.model.architecture().code_shape(frame.shape).map_err(|e| Error::Corrupt(e.to_string()))?;
        let values = unpack(frame.kind, frame.payload, &shape)?;
        let decoded = self.model.decode(&Code { shape, values }, frame.shape, &self.device)?;
        Array::new(frame.shape, decoded.into_iter().map(to_counts).collect())
    }

    fn is_parallel(&self) -> bool {
        true
    }
}

/// The nearest count; what is no number becomes zero.
pub(super) fn to_counts(value: f32) -> u16 {
    value.round_ties_even().clamp(0.0, f32::from(u16::MAX)) as u16
}

/// The smallest of the plain bytes, zstd's and our coder's.
fn pack(code: &Code, plain: Vec<u8>) -> Result<(Kind, Vec<u8>)> {
    let (low, high): (Vec<u8>, Vec<u8>) =
        code.values.iter().map(|v| v.to_le_bytes()).map(|[l, h]| (l, h)).unzip();
    let planes = [low, high].concat();
    let zstd = zstd::bulk::compress(&planes, LEVEL).map_err(|e| Error::Failed(format!("zstd: {e}")))?;
    let mut encoder = Encoder::new();
    walk(&code.shape, |models, channel, i| {
        models.code(&mut encoder, channel, code.values[i]);
    });
    let coded = encoder.finish();
    let candidates = [(Kind::Plain, plain), (Kind::Zstd, zstd), (Kind::Coded, coded)];
    Ok(candidates.into_iter().min_by_key(|(_, bytes)| bytes.len()).unwrap_or((Kind::Plain, vec![])))
}

fn unpack(kind: Kind, payload: &[u8], shape: &[usize]) -> Result<Vec<f16>> {
    let n: usize = shape.iter().product();
    let damaged = |what: &str| Error::Corrupt(format!("the code is damaged: {what}"));
    match kind {
        Kind::Plain => {
            let (halves, rest) = payload.as_chunks::<2>();
            if halves.len() != n || !rest.is_empty() {
                return Err(damaged("another number of values than the shape says"));
            }
            Ok(halves.iter().map(|bytes| f16::from_le_bytes(*bytes)).collect())
        }
        Kind::Zstd => {
            let planes =
                zstd::bulk::decompress(payload, 2 * n).map_err(|e| damaged(&format!("zstd: {e}")))?;
            if planes.len() != 2 * n {
                return Err(damaged("another number of values than the shape says"));
            }
            let (low, high) = planes.split_at(n);
            Ok(low.iter().zip(high).map(|(&l, &h)| f16::from_le_bytes([l, h])).collect())
        }
        Kind::Coded => {
            let mut decoder = Decoder::new(payload);
            let mut values = vec![f16::ZERO; n];
            walk(shape, |models, channel, i| values[i] = models.code(&mut decoder, channel, f16::ZERO));
            if decoder.overrun() || decoder.n_left() > 0 {
                return Err(damaged("its stream is cut or too long"));
            }
            Ok(values)
        }
        Kind::Sparse => Err(Error::Corrupt("this is a code of BCAE-VS".into())),
    }
}

/// Every value of a code with the models and its channel.
fn walk(shape: &[usize], mut visit: impl FnMut(&mut Halves, usize, usize)) {
    let mut models = Halves::new(shape[0]);
    let per_channel: usize = shape[1..].iter().product();
    for channel in 0..shape[0] {
        for i in 0..per_channel {
            visit(&mut models, channel, channel * per_channel + i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bcae::Architecture;

    #[test]
    fn damage_is_an_error_and_packing_loses_nothing() {
        let event = Array::new([16, 25, 3], (0..1200).map(|i| if i % 7 == 0 { 64 + i } else { 0 }).collect())
            .unwrap();
        let model = Model::new(Architecture::Bcae, 1);
        let plain = Bcae::new(model.clone(), Device::flex(), false).unwrap();
        let packed = Bcae::new(model.clone(), Device::flex(), true).unwrap();
        let bytes = plain.encode(&event).unwrap();
        let n: usize = Architecture::Bcae.code_shape([16, 25, 3]).unwrap().iter().product();
        assert_eq!(bytes.len(), 2 * n + frame::OVERHEAD);
        let decoded = plain.decode(&bytes).unwrap();
        assert_eq!(decoded.shape(), event.shape());
        let small = packed.encode(&event).unwrap();
        assert!(small.len() <= bytes.len());
        assert_eq!(packed.decode(&small).unwrap(), decoded);
        for i in 0..bytes.len() {
            let mut hit = bytes.clone();
            hit[i] ^= 1 << (i % 8);
            assert!(plain.decode(&hit).is_err(), "byte {i}");
            assert!(plain.decode(&bytes[..i]).is_err(), "length {i}");
        }
        let other = Bcae::new(Model::new(Architecture::Bcae, 2), Device::flex(), false).unwrap();
        assert!(other.decode(&bytes).unwrap_err().to_string().contains("another model"));
        // A whole file that asks for too much.
        let huge = frame::write(Kind::Plain, [1 << 31, 1 << 31, 1], model.hash().unwrap(), &[]).unwrap();
        assert!(plain.decode(&huge).is_err());
    }

    #[test]
    fn each_packing_is_read_back() {
        let shape = vec![2, 3, 40];
        let values: Vec<f16> =
            (0..240).map(|i| f16::from_f32(((i * 37 % 101) as f32 - 50.0) / 20.0)).collect();
        let code = Code { shape: shape.clone(), values: values.clone() };
        let (low, high): (Vec<u8>, Vec<u8>) =
            values.iter().map(|v| v.to_le_bytes()).map(|[l, h]| (l, h)).unzip();
        let zstd = zstd::bulk::compress(&[low, high].concat(), LEVEL).unwrap();
        let plain: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let (kind, best) = pack(&code, plain.clone()).unwrap();
        assert!(best.len() <= zstd.len().min(plain.len()));
        for (kind, payload) in [(Kind::Plain, &plain), (Kind::Zstd, &zstd), (kind, &best)] {
            assert_eq!(unpack(kind, payload, &shape).unwrap(), values, "{kind:?}");
            assert!(unpack(kind, &payload[..payload.len() - 1], &shape).is_err(), "{kind:?}");
        }
        assert!(unpack(Kind::Sparse, &plain, &shape).is_err());
    }
}
