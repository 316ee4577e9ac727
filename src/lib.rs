//! Compress sparse detector events into small neural networks.
//!
//! An [`event::Event`] is a 3-D array of samples. [`codec::InrCodec`] fits a network to it as a function
//! *coordinate -> sample*, quantises and packs its weights, and decodes such bytes again; the format is in
//! `docs/format.md`. Decoding gives the same bits on every machine.
//!
//! ```
//! use inrfit::codec::{Codec, InrCodec};
//! use inrfit::container::Limits;
//! use inrfit::event::{Event, Samples};
//! use inrfit::settings::Settings;
//!
//! // A plane of charge in an empty volume.
//! let samples: Vec<u16> = (0..20 * 20 * 20).map(|i| if i / 20 % 20 == 7 { 200 } else { 0 }).collect();
//! let event = Event::new([20, 20, 20], Samples::from(samples))?;
//!
//! let settings = Settings { hidden: Some(8), n_steps: Some(200), batch: Some(512), ..Settings::default() };
//! let codec = InrCodec { settings, limits: Limits::default(), n_threads: 1 };
//! let bytes = codec.encode(&event)?;
//! assert!(bytes.len() < event.raw_bytes() / 20);
//! let decoded = codec.decode(&bytes)?;
//! assert_eq!(decoded.shape(), event.shape());
//! # Ok::<(), inrfit::error::Error>(())
//! ```
//!
//! Nothing here prints, exits, reads the environment, or runs more threads than it is told to; long work reports to an
//! [`codec::Observer`], which may also cancel it.

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
pub mod pattern;
pub mod quant;
pub mod residual;
pub mod settings;
pub mod support;
pub mod synth;
pub mod tile;
