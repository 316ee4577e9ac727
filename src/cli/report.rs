//! What is told of one event, for people and as JSON.

use super::inside::Inside;
use super::output::digits;
use inrfit::codec::Layers;
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::metrics::{Metrics, Physics};
use serde::Serialize;
use std::path::Path;

/// Seconds of each stage that was run.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct Stages {
    /// Fitting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fit: Option<f64>,
    /// Quantising, calibrating and coding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack: Option<f64>,
    /// Decoding what was to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verify: Option<f64>,
    /// Decoding a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decode: Option<f64>,
}

/// One event's row. The keys are the same from every subcommand; what does not apply is null, and so is the PSNR of
/// an exact copy, since JSON has no infinity.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Report {
    input: String,
    output: String,
    mode: Option<&'static str>,
    shape: [usize; 3],
    raw_bytes: usize,
    bytes: Option<usize>,
    ratio: Option<f64>,
    mse: Option<f64>,
    mae: Option<f64>,
    log_mae: Option<f64>,
    log_mse: Option<f64>,
    psnr_db: Option<f64>,
    precision: Option<f64>,
    recall: Option<f64>,
    max_error: Option<f64>,
    max_log_error: Option<f64>,
    occupancy: Option<f64>,
    n_weights: Option<u64>,
    layers: Option<Layers>,
    seconds: Option<Stages>,
    device: Option<String>,
    physics: Option<Physics>,
    /// Voxels at full scale, and how many of them are decoded so: told to people only.
    #[serde(skip)]
    saturated: Option<(u64, u64)>,
}

impl Report {
    /// A row that has names and sizes of an event and nothing else yet.
    pub fn new(input: &Path, output: &Path, event: &Event) -> Report {
        Report::of_shape(input, output, event.shape(), event.raw_bytes())
    }

    /// The same, of an array of `shape` whose samples take `raw_bytes`.
    pub fn of_shape(input: &Path, output: &Path, shape: [usize; 3], raw_bytes: usize) -> Report {
        Report {
            input: input.display().to_string(),
            output: output.display().to_string(),
            shape,
            raw_bytes,
            ..Report::default()
        }
    }

    /// Without the ratio, for an array that is not what was compressed.
    pub fn without_ratio(self) -> Report {
        Report { ratio: None, ..self }
    }

    /// With the figures of decoded samples.
    pub fn with_metrics(self, m: &Metrics) -> Report {
        Report {
            mse: Some(m.mse),
            mae: Some(m.mae),
            log_mae: Some(m.log_mae),
            log_mse: Some(m.log_mse),
            psnr_db: Some(m.psnr_db),
            precision: Some(m.precision),
            recall: Some(m.recall),
            max_error: Some(m.max_error),
            max_log_error: Some(m.max_log_error),
            occupancy: Some(m.occupancy),
            saturated: Some((m.n_saturated, m.n_saturated_kept)),
            ..self
        }
    }

    /// With what became of clusters and pads.
    pub fn with_physics(self, physics: Physics) -> Report {
        Report { physics: Some(physics), ..self }
    }

    /// What became of clusters and pads, where that was asked.
    pub fn physics(&self) -> Option<&Physics> {
        self.physics.as_ref()
    }

    /// With what a compressed file says of itself.
    ///
    /// # Errors
    /// As [`Inside::read`].
    pub fn with_file(self, bytes: &[u8]) -> Result<Report> {
        let inside = Inside::read(bytes)?;
        Ok(Report {
            mode: Some(inside.mode()),
            ratio: Some(self.raw_bytes as f64 / bytes.len() as f64),
            bytes: Some(bytes.len()),
            n_weights: Some(inside.n_weights),
            layers: Some(inside.layers),
            device: Some(inside.device().to_owned()),
            ..self
        })
    }

    /// With the seconds it took.
    pub fn with_seconds(self, seconds: Stages) -> Report {
        Report { seconds: Some(seconds), ..self }
    }

    /// The row as one line of JSON.
    ///
    /// # Errors
    /// Never in practice: every part of a row is a JSON value.
    pub fn to_json(&self) -> Result<String> {
        json(self)
    }

    /// The row as a line for people.
    pub fn to_line(&self) -> String {
        let mut text = format!("{} -> {}: {}", self.input, self.output, self.raw_bytes);
        match (self.bytes, self.ratio) {
            (Some(bytes), Some(ratio)) => {
                text.push_str(&format!(" -> {bytes} bytes, ratio {}", digits(ratio)))
            }
            _ => text.push_str(" bytes"),
        }
        let figures = [
            ("log-MAE", self.log_mae),
            ("MSE", self.mse),
            ("precision", self.precision),
            ("recall", self.recall),
            ("max error", self.max_error),
        ];
        for (name, value) in figures.into_iter().filter_map(|(name, v)| Some((name, v?))) {
            text.push_str(&format!(", {name} {}", digits(value)));
        }
        if let Some((n, n_kept)) = self.saturated.filter(|(n, _)| *n > 0) {
            text.push_str(&format!(", saturated voxels kept {n_kept} of {n}"));
        }
        if let Some(Stages { fit, pack, verify, decode }) = self.seconds {
            let total: f64 = [fit, pack, verify, decode].into_iter().flatten().sum();
            text.push_str(&format!(", {total:.1} s"));
        }
        text
    }
}

/// A value as one line of JSON.
///
/// # Errors
/// Never in practice: what this program reports are JSON values.
pub fn json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::argument(format!("a report that is no JSON: {e}")))
}
