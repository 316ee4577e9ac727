//! Weights on the host, and as tensors of a device.

use super::arch::{Architecture, Spec, Start};
use crate::error::{Error, Result};
use burn_tensor::{Device, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::collections::BTreeMap;

/// The weights of a network, in the order of its specs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Weights {
    pub specs: Vec<Spec>,
    pub values: Vec<Vec<f32>>,
}

impl Weights {
    /// Weights to start training from: PyTorch's distributions, the scalars of the main paths zero.
    pub fn start(architecture: Architecture, seed: u64) -> Weights {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        let specs = architecture.specs();
        let values = specs
            .iter()
            .map(|spec| match spec.start {
                Start::Zero => vec![0.0; spec.n()],
                Start::Uniform(n_in) => {
                    let bound = 1.0 / (n_in as f32).sqrt();
                    (0..spec.n()).map(|_| (2.0 * generator.random::<f32>() - 1.0) * bound).collect()
                }
            })
            .collect();
        Weights { specs, values }
    }

    /// Zeros of the same shapes.
    pub fn zeros(architecture: Architecture) -> Weights {
        let specs = architecture.specs();
        let values = specs.iter().map(|spec| vec![0.0; spec.n()]).collect();
        Weights { specs, values }
    }

    /// Weights by name; each must be there with its shape, and no other.
    pub fn collect(architecture: Architecture, mut named: BTreeMap<String, Named>) -> Result<Weights> {
        let specs = architecture.specs();
        let mut values = Vec::with_capacity(specs.len());
        for Spec { name, shape, .. } in &specs {
            let Some(found) = named.remove(name) else {
                return Err(Error::Corrupt(format!("no weights {name}, which {architecture} has")));
            };
            if found.shape != *shape || found.values.len() != shape.iter().product::<usize>() {
                return Err(Error::Corrupt(format!(
                    "weights {name} have the shape {:?}; {architecture} needs {shape:?}",
                    found.shape
                )));
            }
            if found.values.iter().any(|value| !value.is_finite()) {
                return Err(Error::Corrupt(format!("weights {name} are not all finite")));
            }
            values.push(found.values);
        }
        match named.keys().next() {
            None => Ok(Weights { specs, values }),
            Some(name) => Err(Error::Corrupt(format!("weights {name}, which {architecture} does not have"))),
        }
    }

    /// The weights as tensors; with `track`, their gradients are kept.
    pub fn tensors(&self, device: &Device, track: bool) -> Tensors {
        let by_name = self
            .specs
            .iter()
            .zip(&self.values)
            .map(|(spec, values)| {
                let tensor = Tensor::<1>::from_data(TensorData::new(values.clone(), [values.len()]), device);
                let tensor = if track { tensor.require_grad() } else { tensor };
                (spec.name.clone(), (spec.shape.clone(), tensor))
            })
            .collect();
        Tensors { by_name }
    }
}

/// A tensor of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

/// Weights on a device, flat; a layer takes what it needs in its shape.
pub(super) struct Tensors {
    by_name: BTreeMap<String, (Vec<usize>, Tensor<1>)>,
}

impl Tensors {
    /// A weight in its shape. The network asks for what its own specs list, of as many axes.
    pub fn get<const D: usize>(&self, name: &str) -> Tensor<D> {
        let (shape, tensor) = &self.by_name[name];
        let mut extents = [0; D];
        extents.copy_from_slice(shape);
        tensor.clone().reshape(extents)
    }

    /// A weight, flat.
    pub fn flat(&self, name: &str) -> &Tensor<1> {
        &self.by_name[name].1
    }
}
