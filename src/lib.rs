//! Compress sparse detector events into small neural networks.

pub mod backend;
pub mod codec;
pub mod container;
pub mod domain;
pub mod error;
pub mod event;
pub mod field;
pub mod fit;
pub mod io;
pub mod lane;
pub mod metrics;
pub mod net;
pub mod quant;
pub mod settings;
pub mod synth;
pub mod tile;
