//! Bicephalous convolutional autoencoders: the compressors of arXiv 2111.05423 and arXiv 2310.15026, with burn.
//!
//! An encoder turns an event into a small code, stored in half precision; of two decoders one says which voxels are
//! occupied, the other their values. Which of several forms is an [`Architecture`]; a [`Model`] is one with weights,
//! imported from published checkpoints ([`import`]) or trained ([`Trainer`]); [`Bcae`] compresses with it. [`Vs`] is
//! the later BCAE-VS (arXiv 2411.11942), for inference with its authors' weights.
//!
//! Axes of events are (azimuth, z, layer). Extents that a network cannot halve are padded with zeros and cut again.
//! Work is done on rayon's current thread pool: install one to bound the threads.

mod adamw;
mod arch;
mod codec;
mod frame;
mod halves;
mod import;
mod loss;
mod model;
mod net;
mod tensorfile;
mod train;
mod vs;
mod weights;

pub use arch::Architecture;
pub use burn_tensor::Device;
pub use codec::Bcae;
pub use import::import;
pub use model::{Code, Model};
pub use train::{Epoch, Trainer, Training};
pub use vs::{Keep, Vs};
