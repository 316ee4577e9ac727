//! Compress sparse detector events into small neural networks.
//!
//! An [`event::Event`] is a 3-D array of samples. [`codec::InrCodec`] fits a network to it as a function
//! *coordinate -> sample*, quantises and packs its weights, and decodes such bytes again; the format is in
//! `docs/format.md`. Decoding gives the same bits on every machine.
//!
//! An array in, bytes out, values at a place:
//!
//! ```
//! use inrfit::codec::{InrCodec, Silent};
//! use inrfit::container::Limits;
//! use inrfit::event::{Event, Samples};
//! use inrfit::metrics::{Metrics, default_peak};
//! use inrfit::prior::Priors;
//! use inrfit::settings::Settings;
//! use inrfit::tile::Tile;
//!
//! // A plane of charge in an empty volume.
//! let samples: Vec<u16> = (0..20 * 20 * 20).map(|i| if i / 20 % 20 == 7 { 200 } else { 0 }).collect();
//! let event = Event::new([20, 20, 20], Samples::from(samples))?;
//!
//! // A small network and a short fit; `Settings::default()` is for detector events.
//! let settings = Settings { hidden: Some(8), n_steps: Some(200), batch: Some(512), ..Settings::default() };
//! let codec = InrCodec { settings, limits: Limits::default(), n_threads: 1, priors: Priors::default() };
//! let compressed = codec.compress(&event, &Silent)?;
//! let bytes = &compressed.bytes;
//! assert!(bytes.len() < event.raw_bytes() / 20);
//!
//! // The report's figures come from decoding these bytes.
//! let metrics = Metrics::compare(&event, &compressed.decoded, default_peak(&event))?;
//! assert!(metrics.recall > 0.9);
//!
//! // Back again, whole ...
//! let decoded = codec.decompress(bytes, &Silent)?;
//! assert_eq!(decoded, compressed.decoded);
//! // ... or the value at a point, without decoding the rest.
//! let voxel = Tile { start: [3, 7, 11], shape: [1, 1, 1] };
//! let there = codec.decompress_region(bytes, &voxel, &Silent)?;
//! assert_eq!(there.samples().get(0), decoded.samples().get((3 * 20 + 7) * 20 + 11));
//! # Ok::<(), inrfit::error::Error>(())
//! ```
//!
//! # Between voxels
//!
//! [`codec::InrCodec::query`] gives values and derivatives at any points, [`codec::InrCodec::resample`] the samples of
//! any [`query::Grid`]; [`query`] says what a sample at a new place means.
//!
//! # Files and streams
//!
//! [`io::read_event`] and [`io::write_event`] are for `.npy` files of one event; [`io::Events`] reads stacks, archives
//! and raw samples event by event. [`container::PackWriter`] and [`container::PackReader`] keep several compressed
//! events in one file.
//!
//! # Progress, cancellation, threads
//!
//! Nothing here prints, exits, reads the environment, or runs more threads than it is told to, and there is no global
//! state: each call of [`codec::InrCodec`] has threads of its own, and its types can be shared between threads. Long
//! work reports to a [`codec::Observer`], which may also cancel it; the example `compress_array` shows how. The same
//! input, settings and seed give the same bytes whatever the threads (unless there is a time limit).

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
pub mod prior;
pub mod quant;
pub mod query;
pub mod rate;
pub mod residual;
#[cfg(feature = "baselines")]
pub mod rivals;
pub mod settings;
pub mod support;
pub mod synth;
pub mod tile;
