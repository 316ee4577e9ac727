//! Payloads: each field declared once, read and written by the same code.

use super::Limits;
use super::file::{read_varint, write_varint};
use crate::domain::{CoordMap, Transform};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Samples};
use crate::net::{Model, NetSpec, tensors};
use crate::quant;
use inrfit_entropy::{Coder, Decoder, Encoder, code_matrix};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the event is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Header {
    /// Extent of each axis.
    pub shape: [usize; 3],
    /// Type of the samples.
    pub dtype: DType,
    /// Tiles along each axis.
    pub tile_counts: [usize; 3],
    /// Lowest and highest nonzero sample; decoded values are held between them. (0, 0) where there is none.
    pub range: (f64, f64),
    /// Full scale of the readout: what PSNR refers to.
    pub peak: f64,
    /// What fitted the fields: 0 = CPU, 1 = CUDA, 2 = CPU with bf16 products.
    pub device: u8,
}

/// The network that all fields of a file share, and what its inputs and outputs mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkHeader {
    /// Architecture.
    pub spec: NetSpec,
    /// Coordinates of the voxels of a tile.
    pub coords: CoordMap,
    /// Meaning of the value head.
    pub transform: Transform,
}

#[derive(Serialize, Deserialize)]
struct HeaderOnDisk {
    shape: [u32; 3],
    dtype: DTypeOnDisk,
    tile_counts: [u32; 3],
    lowest: i64,
    highest: i64,
    peak: i64,
    device: u8,
}

#[derive(Serialize, Deserialize)]
enum DTypeOnDisk {
    U8,
    U16,
    I16,
    I32,
    F32,
}

#[derive(Serialize, Deserialize)]
struct NetworkOnDisk {
    model: ModelOnDisk,
    features: FeaturesOnDisk,
    hidden: u32,
    n_layers: u32,
    n_heads: u32,
    coords: CoordsOnDisk,
    transform: TransformOnDisk,
}

#[derive(Serialize, Deserialize)]
enum ModelOnDisk {
    Siren { omega_first: f32, omega_hidden: f32 },
}

/// The provider of a site's features.
#[derive(Serialize, Deserialize)]
enum FeaturesOnDisk {
    None,
}

#[derive(Serialize, Deserialize)]
enum CoordsOnDisk {
    Cube { lo: f32, hi: f32 },
    Symmetric { half: [f32; 3] },
    Any { lo: [f32; 3], hi: [f32; 3] },
}

#[derive(Serialize, Deserialize)]
enum TransformOnDisk {
    Log2 { unit: f32, center: f32, scale: f32 },
    Ln { offset: f32, scale: f32, cut: f32 },
}

/// Samples in a header: whole numbers as they are, floats by the bits of their f32.
fn to_disk(dtype: DType, v: f64) -> i64 {
    if dtype.is_integer() { v as i64 } else { i64::from((v as f32).to_bits()) }
}

fn from_disk(dtype: DType, v: i64, offset: u64) -> Result<f64> {
    let (lo, hi) = match dtype {
        DType::U8 => (0, i64::from(u8::MAX)),
        DType::U16 => (0, i64::from(u16::MAX)),
        DType::I16 => (i64::from(i16::MIN), i64::from(i16::MAX)),
        DType::I32 => (i64::from(i32::MIN), i64::from(i32::MAX)),
        DType::F32 => (0, i64::from(u32::MAX)),
    };
    if !(lo..=hi).contains(&v) {
        return Err(Error::corrupt_at(offset, format!("{v} is no {} sample", dtype.name())));
    }
    let value = if dtype.is_integer() { v as f64 } else { f64::from(f32::from_bits(v as u32)) };
    if value.is_finite() { Ok(value) } else { Err(Error::corrupt_at(offset, "a sample that is not finite")) }
}

fn parse<T: DeserializeOwned>(payload: &[u8], offset: u64, what: &str) -> Result<T> {
    match postcard::take_from_bytes(payload) {
        Ok((value, [])) => Ok(value),
        Ok((_, rest)) => {
            Err(Error::corrupt_at(offset, format!("{} bytes too many in the {what}", rest.len())))
        }
        Err(postcard::Error::DeserializeBadEnum | postcard::Error::SerdeDeCustom) => Err(Error::new(
            ErrorKind::Unsupported,
            format!("the {what} (at byte {offset}) uses something that this program does not know"),
        )),
        Err(e) => Err(Error::corrupt_at(offset, format!("the {what} cannot be read: {e}"))),
    }
}

fn serialise<T: Serialize>(value: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(value).map_err(|e| Error::argument(format!("a header that cannot be written: {e}")))
}

impl Header {
    /// The record's payload.
    ///
    /// # Errors
    /// `Argument` where an extent does not fit.
    pub fn to_payload(&self) -> Result<Vec<u8>> {
        let narrow = |n: [usize; 3]| {
            let [a, b, c] = n.map(u32::try_from);
            match (a, b, c) {
                (Ok(a), Ok(b), Ok(c)) => Ok([a, b, c]),
                _ => Err(Error::argument(format!("an axis is too long: {n:?}"))),
            }
        };
        let dtype = match self.dtype {
            DType::U8 => DTypeOnDisk::U8,
            DType::U16 => DTypeOnDisk::U16,
            DType::I16 => DTypeOnDisk::I16,
            DType::I32 => DTypeOnDisk::I32,
            DType::F32 => DTypeOnDisk::F32,
        };
        serialise(&HeaderOnDisk {
            shape: narrow(self.shape)?,
            dtype,
            tile_counts: narrow(self.tile_counts)?,
            lowest: to_disk(self.dtype, self.range.0),
            highest: to_disk(self.dtype, self.range.1),
            peak: to_disk(self.dtype, self.peak),
            device: self.device,
        })
    }

    /// Reads and checks the payload of a header record.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`; `Limit` where the samples would exceed `limits`.
    pub fn from_payload(payload: &[u8], offset: u64, limits: &Limits) -> Result<Header> {
        let disk: HeaderOnDisk = parse(payload, offset, "header")?;
        let dtype = match disk.dtype {
            DTypeOnDisk::U8 => DType::U8,
            DTypeOnDisk::U16 => DType::U16,
            DTypeOnDisk::I16 => DType::I16,
            DTypeOnDisk::I32 => DType::I32,
            DTypeOnDisk::F32 => DType::F32,
        };
        let widen = |n: [u32; 3]| n.map(|n| n as usize);
        let bad = |what: &str| Error::corrupt_at(offset, what);
        let n_bytes = disk
            .shape
            .iter()
            .try_fold(dtype.n_bytes() as u64, |n, &s| n.checked_mul(u64::from(s)))
            .unwrap_or(u64::MAX);
        if n_bytes == 0 {
            return Err(bad("an axis of the event is empty"));
        }
        if n_bytes > limits.max_event_bytes {
            return Err(Error::new(
                ErrorKind::Limit,
                format!(
                    "an event of shape {:?} has {n_bytes} bytes of samples, more than the limit of {}",
                    disk.shape, limits.max_event_bytes
                ),
            ));
        }
        let range = (from_disk(dtype, disk.lowest, offset)?, from_disk(dtype, disk.highest, offset)?);
        if range.0 > range.1 {
            return Err(bad("the lowest sample is above the highest"));
        }
        let peak = from_disk(dtype, disk.peak, offset)?;
        Ok(Header {
            shape: widen(disk.shape),
            dtype,
            tile_counts: widen(disk.tile_counts),
            range,
            peak,
            device: disk.device,
        })
    }
}

impl NetworkHeader {
    /// The record's payload.
    ///
    /// # Errors
    /// `Argument` for parameters that no network has.
    pub fn to_payload(&self) -> Result<Vec<u8>> {
        self.spec.validate()?;
        let Model::Siren { omega_first, omega_hidden } = self.spec.model;
        let CoordMap { lo, hi } = self.coords;
        let coords = if lo == [lo[0]; 3] && hi == [hi[0]; 3] {
            CoordsOnDisk::Cube { lo: lo[0], hi: hi[0] }
        } else if lo == hi.map(|h| -h) {
            CoordsOnDisk::Symmetric { half: hi }
        } else {
            CoordsOnDisk::Any { lo, hi }
        };
        let transform = match self.transform {
            Transform::Log2 { unit, center, scale } => TransformOnDisk::Log2 { unit, center, scale },
            Transform::Ln { offset, scale, cut } => TransformOnDisk::Ln { offset, scale, cut },
        };
        serialise(&NetworkOnDisk {
            model: ModelOnDisk::Siren { omega_first, omega_hidden },
            features: FeaturesOnDisk::None,
            hidden: self.spec.hidden as u32,
            n_layers: self.spec.n_layers as u32,
            n_heads: self.spec.n_heads as u32,
            coords,
            transform,
        })
    }

    /// Reads and checks the payload of a network record.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`; `Limit` where the network has more weights than `limits` allow.
    pub fn from_payload(payload: &[u8], offset: u64, limits: &Limits) -> Result<NetworkHeader> {
        let disk: NetworkOnDisk = parse(payload, offset, "network record")?;
        let ModelOnDisk::Siren { omega_first, omega_hidden } = disk.model;
        let FeaturesOnDisk::None = disk.features;
        let spec = NetSpec {
            model: Model::Siren { omega_first, omega_hidden },
            n_coords: 3,
            n_features: 0,
            hidden: disk.hidden as usize,
            n_layers: disk.n_layers as usize,
            n_heads: disk.n_heads as usize,
        };
        let coords = match disk.coords {
            CoordsOnDisk::Cube { lo, hi } => CoordMap::cube(lo, hi),
            CoordsOnDisk::Symmetric { half } => CoordMap { lo: half.map(|h| -h), hi: half },
            CoordsOnDisk::Any { lo, hi } => CoordMap { lo, hi },
        };
        let transform = match disk.transform {
            TransformOnDisk::Log2 { unit, center, scale } => Transform::Log2 { unit, center, scale },
            TransformOnDisk::Ln { offset, scale, cut } => Transform::Ln { offset, scale, cut },
        };
        spec.validate()
            .and_then(|()| coords.validate())
            .and_then(|()| transform.validate())
            .map_err(|e| Error::corrupt_at(offset, e))?;
        if spec.n_weights() as u64 > limits.max_weights {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("a network of {} weights; the limit is {}", spec.n_weights(), limits.max_weights),
            ));
        }
        Ok(NetworkHeader { spec, coords, transform })
    }
}

/// How weights are written.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightCoding {
    /// As f32.
    Float(Vec<f32>),
    /// As integers, with the step of each tensor.
    Integers {
        /// Multiples of the steps, in the order of [`crate::net::Weights`].
        integers: Vec<i32>,
        /// One a tensor.
        steps: Vec<f32>,
    },
}

/// The field of one tile.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldLayer {
    /// Which tile, in C order.
    pub tile: u64,
    /// A voxel is occupied where the first head is above this.
    pub threshold: f32,
    /// The weights.
    pub weights: WeightCoding,
}

/// The samples of one tile as they are.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTile {
    /// Which tile, in C order.
    pub tile: u64,
    /// Its samples, C order.
    pub samples: Samples,
}

const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
const CONSTANT: u8 = 2;
const FLOAT_WEIGHTS: u8 = 0;
const INTEGER_WEIGHTS: u8 = 1;
/// High, since layers are small and packed once.
const ZSTD_LEVEL: i32 = 19;

/// Tile number, packing, and `body` packed by zstd where that is smaller.
fn pack(tile: u64, body: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write_varint(&mut out, tile);
    let start = out.len();
    let packed = zstd::bulk::compress(body, ZSTD_LEVEL).map_err(|e| Error::io("packing by zstd", e))?;
    out.push(ZSTD);
    write_varint(&mut out, body.len() as u64);
    if out.len() - start + packed.len() < 1 + body.len() {
        out.extend_from_slice(&packed);
    } else {
        out.truncate(start);
        out.push(PLAIN);
        out.extend_from_slice(body);
    }
    Ok(out)
}

/// The tile that a layer's payload belongs to, and where the rest starts.
pub fn tile_of(payload: &[u8], offset: u64) -> Result<(u64, usize)> {
    read_varint(payload, offset)?.ok_or_else(|| Error::corrupt_at(offset, "a tile's number is cut"))
}

/// The inverse of [`pack`]: packing byte and body; a body may not unpack to more than `max_len` bytes.
fn unpack(rest: &[u8], offset: u64, max_len: u64) -> Result<(u8, Vec<u8>)> {
    let Some((&packing, rest)) = rest.split_first() else {
        return Err(Error::corrupt_at(offset, "a tile record has no body"));
    };
    if packing != ZSTD {
        return Ok((packing, rest.to_vec()));
    }
    let Some((len, used)) = read_varint(rest, offset)? else {
        return Err(Error::corrupt_at(offset, "a body's length is cut"));
    };
    if len > max_len {
        return Err(Error::corrupt_at(offset, format!("a body of {len} bytes where {max_len} is the most")));
    }
    let body = zstd::bulk::decompress(&rest[used..], len as usize)
        .map_err(|e| Error::corrupt_at(offset, format!("zstd: {e}")))?;
    if body.len() as u64 != len {
        return Err(Error::corrupt_at(offset, format!("a body of {} bytes instead of {len}", body.len())));
    }
    Ok((PLAIN, body))
}

/// Codes all integers of a network, either way: one stream, tensor after tensor.
fn code_integers<C: Coder>(coder: &mut C, spec: &NetSpec, integers: &mut [i32]) {
    for t in tensors(spec) {
        code_matrix(coder, t.n_cols, &mut integers[t.range()]);
    }
}

fn f32s(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

impl FieldLayer {
    /// The record's payload.
    ///
    /// # Errors
    /// `Io` where zstd fails.
    pub fn to_payload(&self, spec: &NetSpec) -> Result<Vec<u8>> {
        let mut body = self.threshold.to_le_bytes().to_vec();
        match &self.weights {
            WeightCoding::Float(values) => {
                body.push(FLOAT_WEIGHTS);
                body.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            }
            WeightCoding::Integers { integers, steps } => {
                body.push(INTEGER_WEIGHTS);
                body.extend(steps.iter().flat_map(|v| v.to_le_bytes()));
                let mut encoder = Encoder::new();
                code_integers(&mut encoder, spec, &mut integers.clone());
                body.extend(encoder.finish());
            }
        }
        pack(self.tile, &body)
    }

    /// Reads and checks the payload of a field record.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub fn from_payload(payload: &[u8], offset: u64, spec: &NetSpec) -> Result<FieldLayer> {
        let (tile, used) = tile_of(payload, offset)?;
        let bad = |what: &str| Error::corrupt_at(offset, what);
        // Exp-Golomb codes never need more than 16 bytes a weight, so no honest body is longer.
        let max_len = 1024 + 16 * spec.n_weights() as u64;
        let (packing, body) = unpack(&payload[used..], offset, max_len)?;
        if packing != PLAIN {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("packing {packing} of a field (at byte {offset})"),
            ));
        }
        let Some((head, rest)) = body.split_at_checked(5) else {
            return Err(bad("a field's body is cut"));
        };
        let threshold = f32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        if threshold.is_nan() {
            return Err(bad("a threshold that is not a number"));
        }
        let weights = match head[4] {
            FLOAT_WEIGHTS => {
                let values = f32s(rest);
                if rest.len() != 4 * spec.n_weights() || values.iter().any(|v| !v.is_finite()) {
                    return Err(bad("weights of another network, or not finite"));
                }
                WeightCoding::Float(values)
            }
            INTEGER_WEIGHTS => {
                let n_tensors = tensors(spec).len();
                let Some((steps, stream)) = rest.split_at_checked(4 * n_tensors) else {
                    return Err(bad("the steps of a field are cut"));
                };
                let steps = f32s(steps);
                if steps.iter().any(|s| !(s.is_finite() && *s > 0.0)) {
                    return Err(bad("a quantisation step that is not positive"));
                }
                let mut integers = vec![0i32; spec.n_weights()];
                let mut decoder = Decoder::new(stream);
                code_integers(&mut decoder, spec, &mut integers);
                if decoder.overrun() {
                    return Err(bad("the weights' stream ends early"));
                }
                WeightCoding::Integers { integers, steps }
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("coding {other} of weights (at byte {offset})"),
                ));
            }
        };
        Ok(FieldLayer { tile, threshold, weights })
    }

    /// The weights that a decoder evaluates.
    ///
    /// # Errors
    /// `Argument` where they belong to another network.
    pub fn weights(&self, spec: &NetSpec) -> Result<crate::net::Weights> {
        match &self.weights {
            WeightCoding::Float(values) => crate::net::Weights::new(*spec, values.clone()),
            WeightCoding::Integers { integers, steps } => quant::dequantise(*spec, integers, steps),
        }
    }
}

impl RawTile {
    /// The record's payload: one sample where all are equal, else all, by zstd where that is smaller.
    ///
    /// # Errors
    /// `Io` where zstd fails.
    pub fn to_payload(&self) -> Result<Vec<u8>> {
        let bytes = self.samples.to_le_bytes();
        let n = self.samples.dtype().n_bytes();
        if bytes.chunks_exact(n).all(|s| s == &bytes[..n]) {
            let mut out = Vec::new();
            write_varint(&mut out, self.tile);
            out.push(CONSTANT);
            out.extend_from_slice(&bytes[..n]);
            return Ok(out);
        }
        pack(self.tile, &bytes)
    }

    /// Reads the payload of a raw record of a tile of `n` samples.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub fn from_payload(payload: &[u8], offset: u64, dtype: DType, n: usize) -> Result<RawTile> {
        let (tile, used) = tile_of(payload, offset)?;
        let (packing, mut body) = unpack(&payload[used..], offset, (n * dtype.n_bytes()) as u64)?;
        let bad = || Error::corrupt_at(offset, format!("raw samples do not fill their tile of {n}"));
        match packing {
            PLAIN => {}
            CONSTANT if body.len() == dtype.n_bytes() => body = body.repeat(n),
            CONSTANT => return Err(bad()),
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("packing {other} of raw samples (at byte {offset})"),
                ));
            }
        }
        let samples = Samples::from_le_bytes(dtype, &body).ok_or_else(bad)?;
        if samples.len() == n { Ok(RawTile { tile, samples }) } else { Err(bad()) }
    }
}
