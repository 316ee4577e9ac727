//! Payloads of headers: each field declared once, read and written by the same code.

use super::Limits;
use crate::domain::{CoordMap, Transform};
use crate::error::{Error, ErrorKind, Result};
use crate::event::DType;
use crate::net::{Model, NetSpec};
use crate::pattern::Pattern;
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
    /// What fitted the fields: 0 = CPU, 1 = CUDA, 2 = CPU with bf16 products, 3 = CUDA with
    /// them.
    pub device: u8,
}

/// The network that all fields of a file share, and what its inputs and outputs mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkHeader {
    /// Architecture.
    pub spec: NetSpec,
    /// What the features of a site are; `None` = it has none. A field with features needs a support.
    pub pattern: Option<Pattern>,
    /// Coordinates of the voxels of a tile.
    pub coords: CoordMap,
    /// Meaning of the value head.
    pub transform: Transform,
}

/// The first bytes of the SHA-256 of a prior's file: what names it in compressed events.
pub type PriorHash = [u8; 8];

/// The name of a prior, and what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriorName {
    /// Contexts of values.
    Contexts(PriorHash),
    /// Where the weights of fields start.
    Start(PriorHash),
}

const CONTEXTS: u8 = 0;
const START: u8 = 1;

impl PriorName {
    /// Payload of the record that names it.
    pub fn to_payload(&self) -> Vec<u8> {
        let (kind, hash) = match self {
            PriorName::Contexts(hash) => (CONTEXTS, hash),
            PriorName::Start(hash) => (START, hash),
        };
        [&[kind][..], hash].concat()
    }

    /// The inverse of [`PriorName::to_payload`].
    pub(super) fn from_payload(payload: &[u8], offset: u64) -> Result<PriorName> {
        let hash = |hash: &[u8]| {
            hash.try_into()
                .map_err(|_| Error::corrupt_at(offset, format!("a prior's name of {} bytes", hash.len())))
        };
        match payload.split_first() {
            Some((&CONTEXTS, rest)) => hash(rest).map(PriorName::Contexts),
            Some((&START, rest)) => hash(rest).map(PriorName::Start),
            Some((other, _)) => Err(Error::new(
                ErrorKind::Unsupported,
                format!("a prior of kind {other} (at byte {offset}): a newer program is needed"),
            )),
            None => Err(Error::corrupt_at(offset, "a prior without a name")),
        }
    }
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
    Conditioned { omega_first: u32, omega_hidden: u32, coord_units: u32, feature_units: u32 },
    Fourier { scale: f32, seed: u32, n_frequencies: u32, feature_units: u32 },
    Filters { omega: f32, coord_units: u32, feature_units: u32 },
    Gabor { omega: f32, scale: f32, coord_units: u32, feature_units: u32 },
    RealGabor { omega: f32, scale: f32, coord_units: u32, feature_units: u32 },
}

impl ModelOnDisk {
    /// Units that are valid fit.
    fn new(model: Model) -> ModelOnDisk {
        match model {
            Model::Siren { omega_first, omega_hidden } => ModelOnDisk::Siren { omega_first, omega_hidden },
            Model::Conditioned { omega_first, omega_hidden, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as u32, feature_units as u32];
                ModelOnDisk::Conditioned { omega_first, omega_hidden, coord_units, feature_units }
            }
            Model::Fourier { scale, seed, n_frequencies, feature_units } => {
                let [n_frequencies, feature_units] = [n_frequencies as u32, feature_units as u32];
                ModelOnDisk::Fourier { scale, seed, n_frequencies, feature_units }
            }
            Model::Filters { omega, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as u32, feature_units as u32];
                ModelOnDisk::Filters { omega, coord_units, feature_units }
            }
            Model::Gabor { omega, scale, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as u32, feature_units as u32];
                ModelOnDisk::Gabor { omega, scale, coord_units, feature_units }
            }
            Model::RealGabor { omega, scale, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as u32, feature_units as u32];
                ModelOnDisk::RealGabor { omega, scale, coord_units, feature_units }
            }
        }
    }

    fn model(self) -> Model {
        match self {
            ModelOnDisk::Siren { omega_first, omega_hidden } => Model::Siren { omega_first, omega_hidden },
            ModelOnDisk::Conditioned { omega_first, omega_hidden, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as usize, feature_units as usize];
                Model::Conditioned { omega_first, omega_hidden, coord_units, feature_units }
            }
            ModelOnDisk::Fourier { scale, seed, n_frequencies, feature_units } => {
                let [n_frequencies, feature_units] = [n_frequencies as usize, feature_units as usize];
                Model::Fourier { scale, seed, n_frequencies, feature_units }
            }
            ModelOnDisk::Filters { omega, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as usize, feature_units as usize];
                Model::Filters { omega, coord_units, feature_units }
            }
            ModelOnDisk::Gabor { omega, scale, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as usize, feature_units as usize];
                Model::Gabor { omega, scale, coord_units, feature_units }
            }
            ModelOnDisk::RealGabor { omega, scale, coord_units, feature_units } => {
                let [coord_units, feature_units] = [coord_units as usize, feature_units as usize];
                Model::RealGabor { omega, scale, coord_units, feature_units }
            }
        }
    }
}

/// The provider of a site's features.
#[derive(Serialize, Deserialize)]
enum FeaturesOnDisk {
    None,
    Near {
        axis: u8,
    },
    Pattern {
        axis: u8,
        max_run: u8,
        reach: u8,
        spread: [u8; 2],
        distance: u8,
        fold: [bool; 2],
        window: [u8; 3],
    },
}

#[derive(Serialize, Deserialize)]
enum CoordsOnDisk {
    Cube { lo: f32, hi: f32 },
    Symmetric { half_64ths: [u32; 3] },
    Any { lo: [f32; 3], hi: [f32; 3] },
}

#[derive(Serialize, Deserialize)]
enum TransformOnDisk {
    Log2 { unit_exponent: i32, center: f32, scale: f32 },
    Ln { offset: f32, scale: f32, cut: f32 },
    Log2From { unit_exponent: i32, center_256ths: i32 },
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

impl FeaturesOnDisk {
    fn new(pattern: Pattern) -> FeaturesOnDisk {
        // A pattern that is valid fits.
        if pattern == Pattern::near(pattern.axis) {
            return FeaturesOnDisk::Near { axis: pattern.axis as u8 };
        }
        let byte = |n: usize| u8::try_from(n).unwrap_or(u8::MAX);
        FeaturesOnDisk::Pattern {
            axis: byte(pattern.axis),
            max_run: byte(pattern.max_run),
            reach: byte(pattern.reach),
            spread: pattern.spread.map(byte),
            distance: byte(pattern.distance),
            fold: pattern.fold,
            window: pattern.window.map(byte),
        }
    }

    fn pattern(self) -> Option<Pattern> {
        match self {
            FeaturesOnDisk::None => None,
            FeaturesOnDisk::Near { axis } => Some(Pattern::near(axis.into())),
            FeaturesOnDisk::Pattern { axis, max_run, reach, spread, distance, fold, window } => {
                Some(Pattern {
                    axis: axis.into(),
                    max_run: max_run.into(),
                    reach: reach.into(),
                    spread: spread.map(usize::from),
                    distance: distance.into(),
                    fold,
                    window: window.map(usize::from),
                })
            }
        }
    }
}

/// `x` in whole 256ths, where it is.
fn in_256ths(x: f32) -> Option<i32> {
    let n = (x * 256.0) as i32;
    (n as f32 / 256.0 == x).then_some(n)
}

/// Half extents as whole 64ths, where they are.
fn in_64ths(half: [f32; 3]) -> Option<[u32; 3]> {
    let n = half.map(|h| (h * 64.0) as u32);
    (n.map(|n| n as f32 / 64.0) == half).then_some(n)
}

impl NetworkHeader {
    /// The record's payload.
    ///
    /// # Errors
    /// `Argument` for parameters that no network has.
    pub fn to_payload(&self) -> Result<Vec<u8>> {
        self.spec.validate()?;
        if let Some(pattern) = &self.pattern {
            pattern.validate()?;
        }
        // Beside a support, bytes are dear; other files stay as they were.
        let small = self.pattern.is_some();
        let CoordMap { lo, hi } = self.coords;
        let coords = if let (true, Some(half_64ths)) = (lo == hi.map(|h| -h), in_64ths(hi)) {
            CoordsOnDisk::Symmetric { half_64ths }
        } else if lo == [lo[0]; 3] && hi == [hi[0]; 3] {
            CoordsOnDisk::Cube { lo: lo[0], hi: hi[0] }
        } else {
            CoordsOnDisk::Any { lo, hi }
        };
        let transform = match self.transform {
            Transform::Log2 { unit_exponent, center, scale } => match in_256ths(center) {
                Some(center_256ths) if small && scale == 1.0 => {
                    TransformOnDisk::Log2From { unit_exponent, center_256ths }
                }
                _ => TransformOnDisk::Log2 { unit_exponent, center, scale },
            },
            Transform::Ln { offset, scale, cut } => TransformOnDisk::Ln { offset, scale, cut },
        };
        serialise(&NetworkOnDisk {
            model: ModelOnDisk::new(self.spec.model),
            features: self.pattern.map_or(FeaturesOnDisk::None, FeaturesOnDisk::new),
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
        let pattern = disk.features.pattern();
        if let Some(pattern) = &pattern {
            pattern.validate().map_err(|e| Error::corrupt_at(offset, e))?;
        }
        let spec = NetSpec {
            model: disk.model.model(),
            n_coords: 3,
            n_features: pattern.map_or(0, |p| p.n_features()),
            hidden: disk.hidden as usize,
            n_layers: disk.n_layers as usize,
            n_heads: disk.n_heads as usize,
        };
        let coords = match disk.coords {
            CoordsOnDisk::Cube { lo, hi } => CoordMap::cube(lo, hi),
            CoordsOnDisk::Symmetric { half_64ths } => {
                let half = half_64ths.map(|n| n as f32 / 64.0);
                CoordMap { lo: half.map(|h| -h), hi: half }
            }
            CoordsOnDisk::Any { lo, hi } => CoordMap { lo, hi },
        };
        let transform = match disk.transform {
            TransformOnDisk::Log2 { unit_exponent, center, scale } => {
                Transform::Log2 { unit_exponent, center, scale }
            }
            TransformOnDisk::Ln { offset, scale, cut } => Transform::Ln { offset, scale, cut },
            TransformOnDisk::Log2From { unit_exponent, center_256ths } => {
                Transform::Log2 { unit_exponent, center: center_256ths as f32 / 256.0, scale: 1.0 }
            }
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
        Ok(NetworkHeader { spec, pattern, coords, transform })
    }
}
