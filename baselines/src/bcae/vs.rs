//! BCAE-VS (arXiv 2411.11942): keeps the voxels that a sparse encoder finds important.
//!
//! The encoder's convolutions see occupied voxels alone; here they are dense convolutions whose results are masked.
//! Two numbers come out at each occupied voxel, both through a sigmoid: a score and a value. Where the score exceeds
//! a threshold, the value is kept, in half precision. Two dense decoders of one input channel, the value or zero,
//! give occupancy and log2(ADC + 1).

use super::codec::to_counts;
use super::frame::{self, Kind};
use super::halves::Halves;
use super::import::checkpoint;
use super::model::{check_extents, to_host};
use super::weights::Named;
use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::spec::Options;
use burn_tensor::module::conv3d;
use burn_tensor::ops::{ConvOptions, PadMode};
use burn_tensor::{Device, Tensor, TensorData, activation};
use half::f16;
use inrfit_entropy::{AdaptiveBit, Average, Coder, Decoder, Encoder};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// Dilations of the encoder's convolutions.
const DILATIONS: [usize; 4] = [1, 2, 4, 2];
/// 3x3x3 convolutions of a decoder.
const N_DECODER: usize = 8;
/// Slope of the decoders' leaky ReLUs.
const SLOPE: f64 = 0.1;
/// What batch normalisation adds to the variance.
const EPSILON: f32 = 1e-5;
/// Channels of kernels, encoder then decoder.
const ENCODER_CHANNELS: [usize; 5] = [1, 2, 2, 2, 2];
const DECODER_CHANNELS: [usize; 9] = [1, 16, 16, 16, 8, 8, 8, 4, 2];

/// Which voxels are kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Keep {
    /// Those whose score exceeds a threshold.
    Above(f32),
    /// Each with its score as the probability, drawn by a seed: as the network was trained.
    Random(u64),
}

/// A dense kernel with its bias.
#[derive(Debug, Clone)]
struct Kernel {
    shape: [usize; 5],
    weights: Vec<f32>,
    bias: Option<Vec<f32>>,
}

impl Kernel {
    fn apply(&self, x: Tensor<5>, padding: usize, dilation: usize, device: &Device) -> Tensor<5> {
        let weights = Tensor::from_data(TensorData::new(self.weights.clone(), self.shape), device);
        let bias = self.bias.clone().map(|b| Tensor::from_data(TensorData::new(b, [self.shape[0]]), device));
        conv3d(x, weights, bias, ConvOptions::new([1; 3], [padding; 3], [dilation; 3], 1))
    }
}

/// BCAE-VS with its authors' weights, as a compressor.
#[derive(Debug)]
pub struct Vs {
    encoder: Vec<Kernel>,
    segmentation: Vec<Kernel>,
    regression: Vec<Kernel>,
    hash: [u8; 8],
    keep: Keep,
    device: Device,
}

impl Vs {
    /// Reads the published checkpoint, a PyTorch state dict or the same as safetensors.
    ///
    /// # Errors
    /// `Io` for a file that cannot be read, `Corrupt` for one that holds something else; `Argument` for a threshold
    /// outside of 0..=1.
    pub fn open(path: &Path, keep: Keep, device: Device) -> Result<Vs> {
        if let Keep::Above(threshold) = keep
            && !(0.0..=1.0).contains(&threshold)
        {
            return Err(Error::Argument(format!("a threshold is from 0 to 1, not {threshold}")));
        }
        let mut named = checkpoint(path)?;
        let mut digest = Sha256::new();
        for (name, tensor) in &named {
            digest.update(name.as_bytes());
            tensor.values.iter().for_each(|value| digest.update(value.to_le_bytes()));
        }
        let mut hash = [0; 8];
        hash.copy_from_slice(&digest.finalize()[..8]);
        let told = |e: Error| Error::Corrupt(format!("{}: {e}", path.display()));
        Ok(Vs {
            encoder: encoder(&mut named).map_err(told)?,
            segmentation: decoder(&mut named, "clf").map_err(told)?,
            regression: decoder(&mut named, "reg").map_err(told)?,
            hash,
            keep,
            device,
        })
    }

    /// By options: `model=FILE`, the published checkpoint; `above=P` keeps voxels whose score exceeds P instead of
    /// drawing them.
    ///
    /// # Errors
    /// As [`Vs::open`]; `Argument` for other options.
    pub fn from_spec(options: &str) -> Result<Vs> {
        let mut options = Options::new(options);
        let path = options.text("model").ok_or_else(|| Error::Argument("model=FILE is needed".to_owned()))?;
        let keep = options.number("above")?.map_or(Keep::Random(0), Keep::Above);
        options.finish("model=FILE, above=P")?;
        Vs::open(Path::new(path), keep, Device::flex())
    }

    /// The values of the voxels that are kept.
    fn select(&self, event: &Array) -> Result<Vec<Option<f16>>> {
        let [a, b, c] = event.shape();
        let n = check_extents(event.shape()).map_err(|e| Error::Argument(e.to_string()))?;
        let dense = |f: &dyn Fn(f32) -> f32| {
            let values: Vec<f32> = event.counts().iter().map(|&count| f(f32::from(count))).collect();
            Tensor::<5>::from_data(TensorData::new(values, [1, 1, a, b, c]), &self.device)
        };
        let mut x = dense(&|count| (count + 1.0).log2());
        let mask = dense(&|count| f32::from(count > 0.0));
        for (kernel, dilation) in self.encoder.iter().zip(DILATIONS) {
            x = activation::relu(kernel.apply(x, dilation, dilation, &self.device) * mask.clone());
        }
        let out = to_host(activation::sigmoid(self.encoder[DILATIONS.len()].apply(x, 0, 1, &self.device)))?;
        let (scores, values) = out.split_at(n);
        let mut generator = match self.keep {
            Keep::Random(seed) => Some(ChaCha8Rng::seed_from_u64(seed)),
            Keep::Above(_) => None,
        };
        let mut kept = vec![None; n];
        for i in (0..n).filter(|&i| event.counts()[i] > 0) {
            let threshold = match (&mut generator, self.keep) {
                (None, Keep::Above(threshold)) => threshold,
                (Some(generator), _) => generator.random(),
                (None, Keep::Random(_)) => 0.5,
            };
            if scores[i] > threshold {
                kept[i] = Some(f16::from_f32(values[i]));
            }
        }
        Ok(kept)
    }

    /// Share of the occupied voxels of an event that are kept.
    ///
    /// # Errors
    /// As [`Rival::encode`].
    pub fn share(&self, event: &Array) -> Result<f64> {
        let n_occupied = event.counts().iter().filter(|&&count| count > 0).count();
        let n_kept = self.select(event)?.iter().flatten().count();
        Ok(n_kept as f64 / n_occupied.max(1) as f64)
    }

    fn head(&self, kernels: &[Kernel], x: Tensor<5>) -> Result<Vec<f32>> {
        let mut x = x;
        for kernel in &kernels[..N_DECODER] {
            let padded = x.pad([(1, 1), (1, 1), (1, 1)], PadMode::Reflect);
            x = activation::leaky_relu(kernel.apply(padded, 0, 1, &self.device), SLOPE);
        }
        to_host(kernels[N_DECODER].apply(x, 0, 1, &self.device))
    }
}

impl Rival for Vs {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        if event.shape().iter().any(|&extent| extent < 2) {
            return Err(Error::Argument(format!(
                "BCAE-VS mirrors events at their ends: {:?} has an axis of one voxel",
                event.shape()
            )));
        }
        let mut kept = self.select(event)?;
        let mut encoder = Encoder::new();
        code(&mut encoder, event.shape(), &mut kept);
        frame::write(Kind::Sparse, event.shape(), self.hash, &encoder.finish())
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let frame = frame::read(bytes, self.hash)?;
        let n = check_extents(frame.shape)?;
        let [a, b, c] = frame.shape;
        if frame.kind != Kind::Sparse || frame.shape.iter().any(|&extent| extent < 2) {
            return Err(Error::Corrupt("this is no code of BCAE-VS".into()));
        }
        let mut decoder = Decoder::new(frame.payload);
        let mut kept = vec![None; n];
        code(&mut decoder, frame.shape, &mut kept);
        if decoder.overrun() || decoder.n_left() > 0 {
            return Err(Error::Corrupt("the code is damaged: its stream is cut or too long".into()));
        }
        let values: Vec<f32> = kept.iter().map(|value| value.map_or(0.0, f16::to_f32)).collect();
        let x = Tensor::<5>::from_data(TensorData::new(values, [1, 1, a, b, c]), &self.device);
        let occupied = self.head(&self.segmentation, x.clone())?;
        let values = self.head(&self.regression, x)?;
        let counts =
            occupied.iter().zip(&values).map(|(&p, &v)| if p > 0.0 { to_counts(v.exp2() - 1.0) } else { 0 });
        Array::new(frame.shape, counts.collect())
    }

    fn is_parallel(&self) -> bool {
        true
    }
}

/// Contexts of a decision: kept voxels close by, exactly; and how many are kept further around.
const N_NEAR: usize = 1 << 12;
const N_WIDE: usize = 1 << 8;

/// Codes which voxels are kept and each one's value. An encoder reads `kept`, a decoder fills it. The z axis comes
/// fastest: neighbours along it are most alike.
fn code<C: Coder>(coder: &mut C, [n_a, n_z, n_l]: [usize; 3], kept: &mut [Option<f16>]) {
    let mut near = vec![AdaptiveBit::new(); N_NEAR];
    let mut wide = vec![AdaptiveBit::new(); N_WIDE];
    let mut average = Average::new();
    let mut values = Halves::new(1);
    for layer in 0..n_l {
        for a in 0..n_a {
            for z in 0..n_z {
                // Voxels coded before this one, by their distance from it.
                let at = |d_layer: usize, d_a: usize, d_z: isize| {
                    let (Some(layer), Some(a)) = (layer.checked_sub(d_layer), a.checked_sub(d_a)) else {
                        return false;
                    };
                    let z = z.wrapping_add_signed(d_z);
                    z < n_z && kept[(a * n_z + z) * n_l + layer].is_some()
                };
                let bits = |places: &[(usize, usize, isize)]| {
                    places.iter().fold(0, |bits, &(l, a, z)| bits << 1 | usize::from(at(l, a, z)))
                };
                let count = |layer, a, half: isize, end: isize| {
                    (-half..=end).filter(|&z| at(layer, a, z)).count().min(3)
                };
                let context = bits(&NEAR);
                let around = count(0, 0, 12, -1)
                    | count(0, 1, 8, 8) << 2
                    | count(1, 0, 8, 8) << 4
                    | count(0, 2, 4, 4) << 6;
                let i = (a * n_z + z) * n_l + layer;
                if average.code(coder, &mut near[context], &mut wide[around], kept[i].is_some()) {
                    kept[i] = Some(values.code(coder, 0, kept[i].unwrap_or(f16::ZERO)));
                } else {
                    kept[i] = None;
                }
            }
        }
    }
}

/// Close neighbours: (layers back, azimuths back, z).
const NEAR: [(usize, usize, isize); 12] = [
    (0, 0, -1),
    (0, 0, -2),
    (0, 0, -3),
    (0, 0, -4),
    (0, 0, -5),
    (0, 1, -2),
    (0, 1, -1),
    (0, 1, 0),
    (0, 1, 1),
    (0, 1, 2),
    (1, 0, 0),
    (0, 2, 0),
];

/// The encoder's kernels: rows of a 3x3x3 kernel are in the file with the first axis fastest, (row, input, output).
fn encoder(named: &mut BTreeMap<String, Named>) -> Result<Vec<Kernel>> {
    let mut kernels = vec![];
    for (i, channels) in ENCODER_CHANNELS.windows(2).enumerate() {
        let [n_in, n_out] = [channels[0], channels[1]];
        let file = take(named, &format!("encoder.model.{}.kernel", 2 * i), &[27, n_in, n_out])?;
        let mut weights = vec![0.0; file.len()];
        for (j, value) in file.into_iter().enumerate() {
            let (row, from, to) = (j / (n_in * n_out), j / n_out % n_in, j % n_out);
            let place = (row % 3 * 3 + row / 3 % 3) * 3 + row / 9;
            weights[(to * n_in + from) * 27 + place] = value;
        }
        kernels.push(Kernel { shape: [n_out, n_in, 3, 3, 3], weights, bias: None });
    }
    let [n_in, n_out] = [ENCODER_CHANNELS[4], 2];
    let file = take(named, "encoder.model.8.kernel", &[n_in, n_out])?;
    let weights = (0..n_out * n_in).map(|j| file[j % n_in * n_out + j / n_in]).collect();
    kernels.push(Kernel { shape: [n_out, n_in, 1, 1, 1], weights, bias: None });
    Ok(kernels)
}

/// A decoder's kernels, with the batch normalisation that follows each (by its running statistics) multiplied in.
fn decoder(named: &mut BTreeMap<String, Named>, head: &str) -> Result<Vec<Kernel>> {
    let mut kernels = vec![];
    for (i, channels) in DECODER_CHANNELS.windows(2).enumerate() {
        let [n_in, n_out] = [channels[0], channels[1]];
        let name = format!("decoder.{head}.model.{i}");
        let mut weights = take(named, &format!("{name}.weight"), &[n_out, n_in, 3, 3, 3])?;
        let mut bias = take(named, &format!("{name}.bias"), &[n_out])?;
        let [scale, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
            .map(|part| take(named, &format!("{name}.norm.{part}"), &[n_out]));
        let (scale, shift, mean, variance) = (scale?, shift?, mean?, variance?);
        for (to, weights) in weights.chunks_exact_mut(27 * n_in).enumerate() {
            let factor = scale[to] / (variance[to] + EPSILON).sqrt();
            weights.iter_mut().for_each(|weight| *weight *= factor);
            bias[to] = (bias[to] - mean[to]) * factor + shift[to];
        }
        kernels.push(Kernel { shape: [n_out, n_in, 3, 3, 3], weights, bias: Some(bias) });
    }
    let name = format!("decoder.{head}.model.{N_DECODER}");
    let weights = take(named, &format!("{name}.weight"), &[1, 2, 1, 1, 1])?;
    let bias = Some(take(named, &format!("{name}.bias"), &[1])?);
    kernels.push(Kernel { shape: [1, 2, 1, 1, 1], weights, bias });
    Ok(kernels)
}

fn take(named: &mut BTreeMap<String, Named>, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
    match named.remove(name) {
        Some(tensor) if tensor.shape == shape && tensor.values.iter().all(|value| value.is_finite()) => {
            Ok(tensor.values)
        }
        Some(tensor) => Err(Error::Corrupt(format!(
            "weights {name} have the shape {:?}, not {shape:?}, or are not finite",
            tensor.shape
        ))),
        None => Err(Error::Corrupt(format!("no weights {name}, which BCAE-VS has"))),
    }
}
