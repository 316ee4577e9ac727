//! Measured rows in, pictures out.
//!
//! [`Record`] is one measured row of event compression: every exporter writes it and every picture is made from it.
//! [`summarise`] turns rows into totals. The pictures are error against ratio ([`Curve`]), error against training
//! time ([`SamplingPlot`]), value histograms ([`Histogram`]), true against decoded values ([`Pairs`]), layers of an
//! event ([`EventView`]) and the same layer many times ([`Strips`]), sizes and speeds of encoders ([`encoders`]), and
//! any lines on logarithmic axes ([`Sheet`]); each renders to the bytes of an SVG or PNG file or saves one.
//!
//! No system library and no system font takes part: the crate brings its own font, so pictures look alike on every
//! machine. Pictures accept odd data (no rows, NaN, zeros on logarithmic axes): what cannot be drawn is left out.
//!
//! ```
//! use inrfit_figures::{Curve, Format, Record};
//!
//! let mut row = Record::new("wedge.npy", "inrfit", "--bits 6");
//! row.raw_bytes = Some(1_529_856);
//! row.bytes = Some(20_400);
//! row.log_mae = Some(0.12);
//! let svg = Curve::default().render(&[row], Format::Svg)?;
//! assert!(svg.starts_with(b"<svg"));
//! # Ok::<(), inrfit_figures::Error>(())
//! ```

mod axis;
mod bins;
mod chart;
mod color_scale;
mod curve;
pub mod encoders;
mod error;
mod event_view;
mod file;
mod font;
mod frame;
mod histogram;
mod number;
mod pairs;
mod palette;
mod panel;
mod published;
pub mod record;
mod render;
pub mod sampling;
mod scene;
mod strips;
mod summary;
mod throughput;
mod values;

pub use chart::{Chart, Line, Sheet};
pub use curve::{Curve, front};
pub use encoders::EncoderRow;
pub use error::{Error, Result};
pub use event_view::EventView;
pub use frame::CHART_SIZE;
pub use histogram::Histogram;
pub use pairs::Pairs;
pub use published::Published;
pub use record::Record;
pub use render::Format;
pub use sampling::{SamplingAxis, SamplingPlot, SamplingRow};
pub use strips::{Strip, StripRow, Strips};
pub use summary::{Metric, Spread, Summary, summarise};
pub use throughput::Throughput;
pub use values::{Decoded, Values};
