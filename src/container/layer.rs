//! Payloads of layers: a tile's field, or its samples as they are.

use super::file::{read_varint, write_varint};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Samples};
use crate::net::{NetSpec, Weights, tensors};
use crate::quant;
use crate::residual::Rule;
use crate::support::{self, Coding, Walk};
use inrfit_entropy::{Coder, Decoder, Encoder, code_matrix};

/// How weights are written.
#[derive(Debug, Clone, PartialEq)]
pub enum WeightCoding {
    /// As f32.
    Float(Vec<f32>),
    /// As integers, with the step of each tensor.
    Integers {
        /// Multiples of the steps, in the order of [`Weights`].
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

/// The exact set of occupied voxels of one tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SupportLayer {
    /// Which tile, in C order.
    pub tile: u64,
    /// How it is coded.
    pub coding: Coding,
    /// The order in which the tile's layers take its voxels.
    pub walk: Walk,
    /// Occupancy of its voxels, C order.
    pub occupied: Vec<bool>,
}

/// The values of the occupied voxels of one tile.
#[derive(Debug, Clone, PartialEq)]
pub struct ResidualLayer {
    /// Which tile, in C order.
    pub tile: u64,
    /// How the bins are coded.
    pub coding: Coding,
    /// Whether with the prior that the file names.
    pub prior: bool,
    /// How samples fall into bins.
    pub rule: Rule,
    /// The code of the bins.
    pub code: Vec<u8>,
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
const COMPACT: u8 = 2;
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

/// Bytes of a layer's record that are the layer itself: its payload without the tile's number and the packing byte.
pub fn layer_bytes(payload: &[u8]) -> usize {
    let n_digits = payload.iter().take_while(|b| **b & 0x80 != 0).count() + 1;
    payload.len().saturating_sub(n_digits + 1)
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

fn encode_integers(spec: &NetSpec, integers: &[i32]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    code_integers(&mut encoder, spec, &mut integers.to_vec());
    encoder.finish()
}

fn decode_integers(spec: &NetSpec, stream: &[u8], offset: u64) -> Result<Vec<i32>> {
    let mut integers = vec![0i32; spec.n_weights()];
    let mut decoder = Decoder::new(stream);
    code_integers(&mut decoder, spec, &mut integers);
    match decoder.overrun() {
        true => Err(Error::corrupt_at(offset, "the weights' stream ends early")),
        false => Ok(integers),
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
        if let Some(compact) = self.compact(spec) {
            return Ok(compact);
        }
        let mut body = self.threshold.to_le_bytes().to_vec();
        match &self.weights {
            WeightCoding::Float(values) => {
                body.push(FLOAT_WEIGHTS);
                body.extend(values.iter().flat_map(|v| v.to_le_bytes()));
            }
            WeightCoding::Integers { integers, steps } => {
                body.push(INTEGER_WEIGHTS);
                body.extend(steps.iter().flat_map(|v| v.to_le_bytes()));
                body.extend(encode_integers(spec, integers));
            }
        }
        pack(self.tile, &body)
    }

    /// The payload without a threshold and with a byte a step, where that says all.
    fn compact(&self, spec: &NetSpec) -> Option<Vec<u8>> {
        let WeightCoding::Integers { integers, steps } = &self.weights else { return None };
        let steps: Option<Vec<u8>> = steps.iter().map(|&s| quant::quarter_of(s)).collect();
        let steps = steps.filter(|_| self.threshold == f32::NEG_INFINITY)?;
        let mut out = Vec::new();
        write_varint(&mut out, self.tile);
        out.push(COMPACT);
        out.extend(steps);
        out.extend(encode_integers(spec, integers));
        Some(out)
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
        if packing == COMPACT {
            let Some((steps, stream)) = body.split_at_checked(tensors(spec).len()) else {
                return Err(bad("the steps of a field are cut"));
            };
            let steps = steps.iter().map(|&n| quant::quarter_step(n)).collect();
            let weights = WeightCoding::Integers { integers: decode_integers(spec, stream, offset)?, steps };
            return Ok(FieldLayer { tile, threshold: f32::NEG_INFINITY, weights });
        }
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
                WeightCoding::Integers { integers: decode_integers(spec, stream, offset)?, steps }
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
    pub fn weights(&self, spec: &NetSpec, start: Option<&Weights>) -> Result<Weights> {
        match &self.weights {
            WeightCoding::Float(values) => Weights::new(*spec, values.clone()),
            WeightCoding::Integers { integers, steps } => match start {
                Some(start) => quant::dequantise(*spec, &quant::add_start(integers, start, steps), steps),
                None => quant::dequantise(*spec, integers, steps),
            },
        }
    }
}

const MIXED: u8 = 0;
const QUICK: u8 = 1;
const MIXED_WITH_PRIOR: u8 = 2;

fn coding_byte(coding: Coding) -> u8 {
    match coding {
        Coding::Mixed => MIXED,
        Coding::Quick => QUICK,
    }
}

/// Tile number and coding of a layer's payload, and where the rest starts. `others` are codings besides the usual ones.
fn coding_of(payload: &[u8], offset: u64, what: &str, others: &[u8]) -> Result<(u64, u8, usize)> {
    let (tile, used) = tile_of(payload, offset)?;
    match payload.get(used) {
        Some(coding) if [MIXED, QUICK].contains(coding) || others.contains(coding) => {
            Ok((tile, *coding, used + 1))
        }
        Some(other) => {
            Err(Error::new(ErrorKind::Unsupported, format!("coding {other} of {what} (at byte {offset})")))
        }
        None => Err(Error::corrupt_at(offset, format!("{what} without a body"))),
    }
}

/// Whether the values of a RESIDUAL's payload were coded with a prior.
pub fn needs_prior(payload: &[u8], offset: u64) -> Result<bool> {
    let (_, used) = tile_of(payload, offset)?;
    Ok(payload.get(used) == Some(&MIXED_WITH_PRIOR))
}

/// The inverse of [`coding_byte`]; with a prior, contexts are mixed too.
fn coding_from(byte: u8) -> Coding {
    if byte == QUICK { Coding::Quick } else { Coding::Mixed }
}

impl SupportLayer {
    /// The record's payload.
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_varint(&mut out, self.tile);
        out.push(coding_byte(self.coding));
        out.extend(support::encode(self.coding, self.walk, &self.occupied));
        out
    }

    /// Reads the payload of the support of a tile of `shape`.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub fn from_payload(payload: &[u8], offset: u64, shape: [usize; 3]) -> Result<SupportLayer> {
        let (tile, coding, used) = coding_of(payload, offset, "a support", &[])?;
        let coding = coding_from(coding);
        let (walk, occupied) = support::decode(coding, shape, &payload[used..])
            .map_err(|e| e.context(format!("the support at byte {offset}")))?;
        Ok(SupportLayer { tile, coding, walk, occupied })
    }
}

const INTEGER_RULE: u8 = 0;
const WIDTH_RULE: u8 = 1;
const RATIO_RULE: u8 = 2;

impl ResidualLayer {
    /// The record's payload.
    pub fn to_payload(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_varint(&mut out, self.tile);
        out.push(if self.prior { MIXED_WITH_PRIOR } else { coding_byte(self.coding) });
        match self.rule {
            Rule::Integer(bound) => {
                out.push(INTEGER_RULE);
                write_varint(&mut out, bound.into());
            }
            Rule::Width(width) => {
                out.push(WIDTH_RULE);
                out.extend(width.to_le_bytes());
            }
            Rule::Ratio(ratio) => {
                out.push(RATIO_RULE);
                out.extend(ratio.to_le_bytes());
            }
        }
        out.extend(&self.code);
        out
    }

    /// Reads the payload of a residual record. The code is not yet decoded.
    ///
    /// # Errors
    /// `Corrupt`, `Unsupported`.
    pub fn from_payload(payload: &[u8], offset: u64) -> Result<ResidualLayer> {
        let (tile, coding, used) = coding_of(payload, offset, "the values of a tile", &[MIXED_WITH_PRIOR])?;
        let (prior, coding) = (coding == MIXED_WITH_PRIOR, coding_from(coding));
        let bad = || Error::corrupt_at(offset, "a bound that makes no sense");
        let (&tag, rest) = payload[used..].split_first().ok_or_else(bad)?;
        let eight = || rest.split_first_chunk::<8>().ok_or_else(bad);
        let (rule, code) = match tag {
            INTEGER_RULE => {
                let (bound, used) = read_varint(rest, offset)?.ok_or_else(bad)?;
                (Rule::Integer(u32::try_from(bound).map_err(|_| bad())?), &rest[used..])
            }
            WIDTH_RULE => {
                let (bytes, code) = eight()?;
                let width = f64::from_le_bytes(*bytes);
                if !(width.is_finite() && width > 0.0) {
                    return Err(bad());
                }
                (Rule::Width(width), code)
            }
            RATIO_RULE => {
                let (bytes, code) = eight()?;
                let ratio = u64::from_le_bytes(*bytes);
                if ratio < 1 << 32 {
                    return Err(bad());
                }
                (Rule::Ratio(ratio), code)
            }
            other => {
                return Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("bound {other} of the values of a tile (at byte {offset})"),
                ));
            }
        };
        Ok(ResidualLayer { tile, coding, prior, rule, code: code.to_vec() })
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
