//! A trained network with its threshold, and its file.
//!
//! The file is a safetensors file: every weight as `f32` under the name that [`Model::tensor_names`] lists, and one
//! metadata entry `inrfit-bcae`, a JSON object with `version` (1), `architecture` and `threshold`. The same model
//! gives the same bytes.

use super::arch::Architecture;
use super::net::{self, Heads};
use super::tensorfile;
use super::weights::{Named, Tensors, Weights};
use crate::array::Array;
use crate::error::{Error, Result};
use burn_tensor::{Device, Tensor, TensorData, activation};
use half::f16;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Key of the metadata entry.
pub(super) const METADATA: &str = "inrfit-bcae";
/// Version of model files and checkpoints.
pub(super) const VERSION: u32 = 1;
/// Most voxels of an event that is decoded: a header's shape is no reason to allocate more.
const MAX_VOXELS: usize = 1 << 28;
/// Below this many ADC counts there is nothing: where log2(ADC + 1) and logits live.
const BASE: f64 = 6.0;

/// A network: architecture, weights, and the threshold above which a voxel counts as occupied.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    architecture: Architecture,
    threshold: f32,
    pub(super) weights: Weights,
}

/// What a model file says beside the weights.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    architecture: String,
    threshold: f32,
}

/// A code in half precision.
#[derive(Debug, Clone, PartialEq)]
pub struct Code {
    /// Channels, then the network's own axes.
    pub shape: Vec<usize>,
    /// The values, the last axis fastest.
    pub values: Vec<f16>,
}

impl Model {
    /// A network to be trained, with weights from `seed` and threshold 0.5.
    pub fn new(architecture: Architecture, seed: u64) -> Model {
        Model { architecture, threshold: 0.5, weights: Weights::start(architecture, seed) }
    }

    pub(super) fn from_named(
        architecture: Architecture,
        threshold: f32,
        named: BTreeMap<String, Named>,
    ) -> Result<Model> {
        Model { architecture, threshold, weights: Weights::collect(architecture, named)? }
            .with_threshold(threshold)
    }

    /// The same network with another threshold of occupancy: arXiv 2111.05423 reports its Table I at 0.46 (BCAE) and
    /// 0.40 (without transform), arXiv 2310.15026 everything at 0.5.
    ///
    /// # Errors
    /// `Argument` outside of 0..=1.
    pub fn with_threshold(self, threshold: f32) -> Result<Model> {
        if !(0.0..=1.0).contains(&threshold) {
            return Err(Error::Argument(format!("a threshold is from 0 to 1, not {threshold}")));
        }
        Ok(Model { threshold, ..self })
    }

    /// The architecture.
    pub fn architecture(&self) -> Architecture {
        self.architecture
    }

    /// The threshold of occupancy.
    pub fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Names of the weights in files, with their shapes.
    pub fn tensor_names(architecture: Architecture) -> Vec<(String, Vec<usize>)> {
        architecture.specs().into_iter().map(|spec| (spec.name, spec.shape)).collect()
    }

    /// The model file.
    ///
    /// # Errors
    /// `Failed` where the writer of safetensors fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let metadata = Metadata {
            version: VERSION,
            architecture: self.architecture.to_string(),
            threshold: self.threshold,
        };
        let tensors = self.weights.specs.iter().zip(&self.weights.values);
        let tensors =
            tensors.map(|(spec, values)| (spec.name.clone(), spec.shape.as_slice(), values.as_slice()));
        tensorfile::write(METADATA, &metadata, tensors)
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// `Corrupt` for what is no model file of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        let (metadata, named) = tensorfile::read::<Metadata>(METADATA, bytes)?;
        if metadata.version != VERSION {
            return Err(Error::Corrupt(format!(
                "a model of version {}; this program reads 1",
                metadata.version
            )));
        }
        let architecture = metadata.architecture.parse().map_err(|e: Error| Error::Corrupt(e.to_string()))?;
        Model::from_named(architecture, metadata.threshold, named).map_err(|e| Error::Corrupt(e.to_string()))
    }

    /// The first eight bytes of the SHA-256 of the model file: codes name their model by it.
    ///
    /// # Errors
    /// As [`Model::to_bytes`].
    pub fn hash(&self) -> Result<[u8; 8]> {
        let digest = Sha256::digest(self.to_bytes()?);
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest[..8]);
        Ok(hash)
    }

    /// The weights on `device`, to be used for many events.
    pub(super) fn on(&self, device: &Device) -> Tensors {
        self.weights.tensors(device, false)
    }

    /// The code of an event in half precision; values beyond what it holds become the largest.
    ///
    /// # Errors
    /// `Argument` for a shape that the network does not take; `Failed` where the network gives no numbers.
    pub fn encode(&self, event: &Array, device: &Device) -> Result<Code> {
        let shape = self.architecture.code_shape(event.shape())?;
        let input = input(self.architecture, &[event], device)?;
        let codes = to_host(net::encode(self.architecture, &self.on(device), input))?;
        if codes.iter().any(|value| value.is_nan()) {
            return Err(Error::Failed("the encoder gave no numbers for this event".into()));
        }
        let limit = f16::MAX.to_f32();
        let values = codes.iter().map(|&value| f16::from_f32(value.clamp(-limit, limit))).collect();
        Ok(Code { shape, values })
    }

    /// What a code means, ADC counts of an event of `shape` before they are rounded.
    ///
    /// # Errors
    /// `Corrupt` where the code is not of that shape.
    pub fn decode(&self, code: &Code, shape: [usize; 3], device: &Device) -> Result<Vec<f32>> {
        check_extents(shape)?;
        let n: usize = code.shape.iter().product();
        if code.shape != self.architecture.code_shape(shape)? || code.values.len() != n {
            return Err(Error::Corrupt(format!(
                "a code of shape {:?} is none of an event {shape:?}",
                code.shape
            )));
        }
        let values: Vec<f32> = code.values.iter().map(|value| value.to_f32()).collect();
        let codes = Tensor::<2>::from_data(TensorData::new(values, [1, n]), device);
        let heads = net::decode(self.architecture, &self.on(device), codes, &code.shape);
        let occupied = match &heads.segmentation {
            None => None,
            Some(logits) => Some(to_host(activation::sigmoid(clip(logits.clone(), shape)))?),
        };
        let values = to_host(clip(reconstruct(self.architecture, &heads), shape))?;
        let adc = |value: f32| match self.architecture.takes_adc() {
            true => value,
            false => value.exp2() - 1.0,
        };
        Ok(match occupied {
            None => values.into_iter().map(adc).collect(),
            Some(p) => values
                .into_iter()
                .zip(p)
                .map(|(v, p)| if p > self.threshold { adc(v) } else { 0.0 })
                .collect(),
        })
    }
}

/// Whether a header may ask for an event of this shape.
pub(super) fn check_extents(shape: [usize; 3]) -> Result<usize> {
    let n = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
    n.filter(|n| (1..=MAX_VOXELS).contains(n))
        .ok_or_else(|| Error::Corrupt(format!("an event of {shape:?} voxels is empty or larger than 2^28")))
}

/// What the regression decoder says, ADC or log2(ADC + 1), before the mask.
pub(super) fn reconstruct(architecture: Architecture, heads: &Heads) -> Tensor<4> {
    let y = heads.regression.clone();
    match architecture {
        Architecture::Bcae => y.exp() * BASE + 64.0,
        Architecture::BcaeWithoutTransform | Architecture::Cae => activation::relu(y),
        _ => y.exp() * 3.0 + BASE,
    }
}

/// The voxels that the event has, without those that padding added.
pub(super) fn clip(x: Tensor<4>, [a, b, c]: [usize; 3]) -> Tensor<4> {
    let n = x.dims()[0];
    x.slice([0..n, 0..a, 0..b, 0..c])
}

/// Events as the network takes them: (event, azimuth, z, layer), padded with zeros. All have one shape.
pub(super) fn input(architecture: Architecture, events: &[&Array], device: &Device) -> Result<Tensor<4>> {
    let shape = events.first().map(|event| event.shape()).unwrap_or_default();
    let [azimuth, z, layers] = architecture.padded(shape)?;
    check_extents([azimuth, z, layers])?;
    let mut values = vec![0.0; events.len() * azimuth * z * layers];
    for (event, out) in events.iter().zip(values.chunks_exact_mut(azimuth * z * layers)) {
        if event.shape() != shape {
            return Err(Error::Argument(format!(
                "events of one batch have one shape; there are {shape:?} and {:?}",
                event.shape()
            )));
        }
        let [_, from, _] = shape;
        for (i, row) in event.counts().chunks_exact(layers).enumerate() {
            let at = ((i / from) * z + i % from) * layers;
            for (out, &count) in out[at..at + layers].iter_mut().zip(row) {
                let count = f32::from(count);
                *out = if architecture.takes_adc() { count } else { (count + 1.0).log2() };
            }
        }
    }
    Ok(Tensor::from_data(TensorData::new(values, [events.len(), azimuth, z, layers]), device))
}

/// A tensor's values.
pub(super) fn to_host<const D: usize>(x: Tensor<D>) -> Result<Vec<f32>> {
    x.into_data().try_into_vec_as().map_err(|e| Error::Failed(format!("reading from the device: {e}")))
}
