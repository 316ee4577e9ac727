//! Training, step by step and epoch by epoch.

use super::adamw::AdamW;
use super::arch::Architecture;
use super::loss::{Targets, balance, losses};
use super::model::{Model, VERSION, input, to_host};
use super::weights::{Named, Weights};
use super::{net, tensorfile};
use crate::array::Array;
use crate::error::{Error, Result};
use burn_tensor::Device;
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Key of a checkpoint's metadata.
const METADATA: &str = "inrfit-bcae-checkpoint";
/// Factor of the segmentation loss in the first epoch. arXiv 2310.15026 says so; the other paper does not say.
const FIRST_COEFFICIENT: f64 = 2000.0;
/// Factor of the learning rate each time it falls.
const FALL: f64 = 0.95;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Training {
    /// Start of the weights and the order of the events.
    pub seed: u64,
    /// Events a step.
    pub batch: usize,
    /// Learning rate of the first epoch.
    pub learning_rate: f64,
    /// Epochs at that rate.
    pub hold: u32,
    /// Afterwards the rate falls by 5 % each time so many epochs have passed.
    pub every: u32,
}

impl Training {
    /// The settings that an architecture was published with. Its epochs: 2000 for `bcae`, `bcae-wot` and `cae`, 1000
    /// for `bcae++` and `bcae-ht`, 500 for `bcae-2d`.
    pub fn published(architecture: Architecture) -> Training {
        let (batch, learning_rate, hold, every) = match architecture {
            Architecture::PlusPlus | Architecture::HighThroughput => (4, 1e-3, 100, 20),
            Architecture::TwoD { .. } => (4, 1e-3, 50, 10),
            _ => (32, 1e-2, 0, 20),
        };
        Training { seed: 0, batch, learning_rate, hold, every }
    }

    /// The learning rate of an epoch, counted from 0.
    pub fn rate(&self, epoch: u32) -> f64 {
        let falls = epoch.saturating_sub(self.hold) / self.every.max(1);
        self.learning_rate * FALL.powi(falls.min(i32::MAX as u32) as i32)
    }

    fn check(&self) -> Result<()> {
        if self.batch == 0 || self.every == 0 {
            return Err(Error::Argument(
                "a batch, and the epochs between two falls of the learning rate, are 1 or more".into(),
            ));
        }
        // A step of AdamW moves each weight by about the rate.
        match self.learning_rate > 0.0 && self.learning_rate <= 1.0 {
            true => Ok(()),
            false => Err(Error::Argument(format!("learning rate {:?}: not in 0 to 1", self.learning_rate))),
        }
    }
}

/// Mean losses of an epoch, each event counted once, while it was learned from.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Its number, from 0.
    pub epoch: u32,
    /// Learning rate.
    pub learning_rate: f64,
    /// Focal loss of the segmentation; zero without that decoder.
    pub segmentation: f64,
    /// Regression loss: squared ADC counts or log2 units.
    pub regression: f64,
    /// Factor of the segmentation loss.
    pub coefficient: f64,
}

/// A network in training: the same settings, events and number of steps give the same bytes on the same machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Trainer {
    training: Training,
    model: Model,
    adam: AdamW,
    coefficient: f64,
    /// Events of an epoch; none before the first.
    n_events: Option<usize>,
    epochs: Vec<Epoch>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Metadata {
    version: u32,
    architecture: String,
    training: Training,
    n_steps: u32,
    coefficient: f64,
    n_events: Option<usize>,
    epochs: Vec<Epoch>,
}

impl Trainer {
    /// A network before its first step.
    ///
    /// # Errors
    /// `Argument` for settings out of range.
    pub fn new(architecture: Architecture, training: Training) -> Result<Trainer> {
        training.check()?;
        Ok(Trainer {
            model: Model::new(architecture, training.seed),
            adam: AdamW::new(Weights::zeros(architecture).values),
            coefficient: FIRST_COEFFICIENT,
            n_events: None,
            epochs: vec![],
            training,
        })
    }

    /// The network as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// How it is trained.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// The epochs so far.
    pub fn epochs(&self) -> &[Epoch] {
        &self.epochs
    }

    /// How many events the epochs so far had: the next one takes as many. `None` before the first.
    pub fn n_events(&self) -> Option<usize> {
        self.n_events
    }

    /// One step on a batch of events of one shape; answers its losses before the step, segmentation and regression.
    ///
    /// # Errors
    /// `Argument` for shapes that differ or that the network does not take, and where losses, gradients or weights are
    /// no finite numbers any more: the learning rate is then too high. `Failed` where the device fails.
    pub fn step(&mut self, events: &[&Array], device: &Device) -> Result<(f64, f64)> {
        let architecture = self.model.architecture();
        let device = device.clone().autodiff();
        let weights = self.model.weights.tensors(&device, true);
        let shape = events
            .first()
            .map(|event| event.shape())
            .ok_or_else(|| Error::Argument("an empty batch".into()))?;
        let batch = input(architecture, events, &device)?;
        let targets = Targets::new(architecture, events, &device);
        let codes = net::encode(architecture, &weights, batch);
        let heads = net::decode(architecture, &weights, codes, &architecture.code_shape(shape)?);
        let (segmentation, regression) = losses(architecture, &heads, &targets, self.model.threshold());
        let loss = match &segmentation {
            Some(segmentation) => segmentation.clone() * self.coefficient + regression.clone(),
            None => regression.clone(),
        };
        let gradients = loss.backward();
        let told = (segmentation.map(scalar).transpose()?.unwrap_or(0.0), scalar(regression)?);
        if !(told.0.is_finite() && told.1.is_finite()) {
            return Err(self.diverged("the loss"));
        }
        let mut steps = Vec::with_capacity(self.model.weights.specs.len());
        for (spec, values) in self.model.weights.specs.iter().zip(&self.model.weights.values) {
            steps.push(match weights.flat(&spec.name).grad(&gradients) {
                Some(gradient) => to_host(gradient)?,
                None => vec![0.0; values.len()],
            });
        }
        if steps.iter().flatten().any(|gradient| !gradient.is_finite()) {
            return Err(self.diverged("a gradient"));
        }
        let rate = self.training.rate(self.epochs.len() as u32);
        self.adam.step(&mut self.model.weights.values, &steps, rate);
        let state = self.model.weights.values.iter().chain(&self.adam.second);
        if state.flatten().any(|value| !value.is_finite()) {
            return Err(self.diverged("a weight"));
        }
        Ok(told)
    }

    fn diverged(&self, what: &str) -> Error {
        let epoch = self.epochs.len();
        let rate = self.training.rate(epoch as u32);
        Error::Argument(format!(
            "learning rate {rate:?}: {what} is no finite number any more in epoch {epoch}; train anew with a lower one"
        ))
    }

    /// One epoch over `n_events` events, which `get` gives by number, in an order of its own; `watch` hears how many
    /// are done and says whether to go on. `None` where it said no: the network is then within an epoch, and its last
    /// checkpoint is what to go on from.
    ///
    /// # Errors
    /// What `get` fails at, `Argument` for another number of events than in the epoch before, and as
    /// [`Trainer::step`].
    pub fn epoch(
        &mut self,
        n_events: usize,
        get: &mut dyn FnMut(usize) -> Result<Array>,
        watch: &mut dyn FnMut(usize) -> bool,
        device: &Device,
    ) -> Result<Option<Epoch>> {
        if n_events == 0 {
            return Err(Error::Argument("no events to learn from".into()));
        }
        if let Some(before) = self.n_events.filter(|n| *n != n_events) {
            return Err(Error::Argument(format!(
                "{n_events} events to learn from, where the epochs so far had {before}"
            )));
        }
        let number = self.epochs.len() as u32;
        let mut order: Vec<usize> = (0..n_events).collect();
        // A generator of its own for each epoch, so that a resumed training goes on as an unbroken one.
        let mut generator = ChaCha8Rng::seed_from_u64(self.training.seed);
        generator.set_stream(u64::from(number) + 1);
        order.shuffle(&mut generator);
        let (mut segmentation, mut regression, mut n_done) = (0.0, 0.0, 0);
        for batch in order.chunks(self.training.batch) {
            if !watch(n_done) {
                return Ok(None);
            }
            let events: Vec<Array> = batch.iter().map(|&i| get(i)).collect::<Result<_>>()?;
            let (s, r) = self.step(&events.iter().collect::<Vec<_>>(), device)?;
            segmentation += s * batch.len() as f64;
            regression += r * batch.len() as f64;
            n_done += batch.len();
        }
        let epoch = Epoch {
            epoch: number,
            learning_rate: self.training.rate(number),
            segmentation: segmentation / n_events as f64,
            regression: regression / n_events as f64,
            coefficient: self.coefficient,
        };
        if self.model.architecture().segments() {
            self.coefficient =
                balance(self.model.architecture(), self.coefficient, epoch.segmentation, epoch.regression);
        }
        self.n_events = Some(n_events);
        self.epochs.push(epoch);
        Ok(Some(epoch))
    }

    /// A checkpoint: a safetensors file like a model's, with the optimiser's state as `adam.first.NAME` and
    /// `adam.second.NAME`.
    ///
    /// # Errors
    /// `Failed` where the writer of safetensors fails.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let metadata = Metadata {
            version: VERSION,
            architecture: self.model.architecture().to_string(),
            training: self.training.clone(),
            n_steps: self.adam.n_steps,
            coefficient: self.coefficient,
            n_events: self.n_events,
            epochs: self.epochs.clone(),
        };
        let weights = &self.model.weights;
        let parts =
            [("", &weights.values), ("adam.first.", &self.adam.first), ("adam.second.", &self.adam.second)];
        let tensors = parts.iter().flat_map(|(prefix, values)| {
            let named = weights.specs.iter().zip(values.iter());
            named.map(move |(spec, values)| {
                (format!("{prefix}{}", spec.name), spec.shape.as_slice(), values.as_slice())
            })
        });
        tensorfile::write(METADATA, &metadata, tensors)
    }

    /// Reads a checkpoint; training goes on exactly as it would have.
    ///
    /// # Errors
    /// `Corrupt` for what is no checkpoint of this version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Trainer> {
        let corrupt = |e: Error| Error::Corrupt(e.to_string());
        let (metadata, named) = tensorfile::read::<Metadata>(METADATA, bytes)?;
        if metadata.version != VERSION {
            return Err(Error::Corrupt(format!(
                "a checkpoint of version {}; this program reads 1",
                metadata.version
            )));
        }
        metadata.training.check().map_err(corrupt)?;
        let architecture: Architecture = metadata.architecture.parse().map_err(corrupt)?;
        let mut parts: [BTreeMap<String, Named>; 3] = Default::default();
        for (name, tensor) in named {
            let (part, name) = match (name.strip_prefix("adam.first."), name.strip_prefix("adam.second.")) {
                (Some(name), _) => (1, name.to_owned()),
                (_, Some(name)) => (2, name.to_owned()),
                _ => (0, name),
            };
            parts[part].insert(name, tensor);
        }
        let [weights, first, second] = parts;
        Ok(Trainer {
            model: Model::from_named(architecture, 0.5, weights)?,
            adam: AdamW {
                first: Weights::collect(architecture, first)?.values,
                second: Weights::collect(architecture, second)?.values,
                n_steps: metadata.n_steps,
            },
            coefficient: metadata.coefficient,
            n_events: metadata.n_events,
            epochs: metadata.epochs,
            training: metadata.training,
        })
    }
}

fn scalar(x: burn_tensor::Tensor<1>) -> Result<f64> {
    Ok(to_host(x)?.first().copied().map_or(f64::NAN, f64::from))
}
