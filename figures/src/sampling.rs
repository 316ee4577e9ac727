//! How fast samplers learn: error against seconds, or against the share of voxels that a step draws.

use crate::axis::Axis;
use crate::error::{Error, Result};
use crate::frame::{Entry, Frame, Key};
use crate::palette::{INK, series};
use crate::record::{read_csv, write_csv};
use crate::render::{self, Format};
use crate::scene::Scene;
use crate::{axis, file, number};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One point of one fit: how far it had come after so many seconds.
///
/// The rows of one fit follow each other by rising seconds; where the seconds of a sampler fall, another fit with the
/// same sampler begins.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SamplingRow {
    /// Name of the sampler.
    pub sampler: String,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Steps so far.
    pub steps: u64,
    /// Samples trained on so far: steps times batch.
    pub samples: u64,
    /// Mean absolute error of log2(ADC + 1) over the event.
    pub log_mae: f64,
    /// Samples a step / voxels of the event, where it was measured.
    #[serde(default, with = "number")]
    pub fraction: Option<f64>,
}

/// What the errors of samplers are drawn against.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SamplingAxis {
    /// Seconds of training; a line for every fit.
    #[default]
    Seconds,
    /// Samples a step, as a share of the voxels; a line for every sampler, by rising share.
    Fraction,
}

impl SamplingAxis {
    fn label(self) -> &'static str {
        match self {
            SamplingAxis::Seconds => "training time (s)",
            SamplingAxis::Fraction => "voxels drawn in a step / voxels of the event",
        }
    }

    /// Where `row` lies; none where no logarithmic axis can show it.
    fn of(self, row: &SamplingRow) -> Option<f64> {
        let value = match self {
            SamplingAxis::Seconds => Some(row.seconds),
            SamplingAxis::Fraction => row.fraction,
        };
        value.filter(|v| *v > 0.0 && v.is_finite())
    }
}

/// What files must have; `fraction` came later.
const COLUMNS: [&str; 5] = ["sampler", "seconds", "steps", "samples", "log_mae"];

/// The rows as CSV; reading it back gives the same rows bit for bit.
pub fn to_csv(rows: &[SamplingRow]) -> Result<String> {
    if rows.is_empty() {
        return Ok(format!("{},fraction\n", COLUMNS.join(",")));
    }
    write_csv(rows)
}

/// The rows of a CSV text. Columns that are not known are ignored.
///
/// # Errors
/// [`Error::Data`] names the missing column, or the line and column of a value that is not one.
pub fn from_csv(text: &str) -> Result<Vec<SamplingRow>> {
    read_csv(text, &COLUMNS)
}

/// Reads the rows of a CSV file.
pub fn read(path: &Path) -> Result<Vec<SamplingRow>> {
    from_csv(&file::read_text(path)?).map_err(|e: Error| e.in_file(path))
}

/// Writes the rows to a CSV file, whole or not at all.
pub fn write(path: &Path, rows: &[SamplingRow]) -> Result<()> {
    file::write_whole(path, to_csv(rows)?.as_bytes())
}

/// The first of `rows` at or below `target`: the price of that error with that sampler.
pub fn first_at<'a>(rows: &'a [SamplingRow], sampler: &str, target: f64) -> Option<&'a SamplingRow> {
    rows.iter()
        .filter(|row| row.sampler == sampler && row.log_mae <= target)
        .min_by(|a, b| a.seconds.total_cmp(&b.seconds))
}

/// The picture of errors, both axes logarithmic, one colour per sampler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplingPlot {
    /// The line above the picture; may be empty.
    pub title: String,
    /// An error to reach: a dashed line, and the seconds to it under each sampler's name.
    pub target: Option<f64>,
    /// What is to the right.
    pub against: SamplingAxis,
}

impl SamplingPlot {
    /// The picture of `rows` as the bytes of a file. Rows that no log axis can show are left out.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, rows: &[SamplingRow], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(rows), format)
    }

    /// The picture of `rows` as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] for another ending, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, rows: &[SamplingRow], path: &Path) -> Result<()> {
        render::save(&self.scene(rows), path)
    }

    fn scene(&self, rows: &[SamplingRow]) -> Scene {
        let good: Vec<&SamplingRow> = rows
            .iter()
            .filter(|r| self.against.of(r).is_some() && r.log_mae >= 0.0 && r.log_mae.is_finite())
            .collect();
        let mut samplers: Vec<&str> = Vec::new();
        for row in &good {
            if !samplers.contains(&row.sampler.as_str()) {
                samplers.push(&row.sampler);
            }
        }
        let target = self.target.filter(|t| *t > 0.0 && t.is_finite());
        let x = Axis::log(self.against.label(), good.iter().filter_map(|r| self.against.of(r)), false, 9);
        let errors = good.iter().map(|r| r.log_mae).chain(target);
        let y = Axis::log("log-MAE, log2(ADC + 1)", errors, true, 9);
        let mut legend: Vec<Entry> = samplers
            .iter()
            .enumerate()
            .map(|(i, name)| Entry {
                name: (*name).to_owned(),
                note: match (self.against, target) {
                    (SamplingAxis::Seconds, Some(t)) => note(rows, name, t),
                    _ => String::new(),
                },
                color: series(i),
                key: Key::Marked(i),
            })
            .collect();
        if let Some(t) = target {
            let name = format!("target {}", axis::number(t, f64::INFINITY));
            legend.push(Entry { name, note: String::new(), color: INK, key: Key::Dashed });
        }
        let (frame, mut scene) = Frame::start(&self.title, x, y, &legend);
        if let Some(t) = target {
            frame.level(&mut scene, t, INK);
        }
        for (i, name) in samplers.iter().enumerate() {
            let own = good.iter().filter(|r| r.sampler == *name);
            let mut own: Vec<(f64, f64)> =
                own.filter_map(|r| Some((self.against.of(r)?, r.log_mae))).collect();
            if self.against == SamplingAxis::Fraction {
                own.sort_by(|a, b| a.0.total_cmp(&b.0));
            }
            for fit in own.chunk_by(|a, b| a.0 <= b.0) {
                let points: Vec<_> = fit.iter().filter_map(|&(x, y)| frame.point(x, y)).collect();
                scene.line(points.clone(), 2.5, series(i));
                for point in points {
                    scene.marker(point, i, series(i));
                }
            }
        }
        frame.finish(&mut scene);
        if good.is_empty() {
            frame.say(
                &mut scene,
                match self.against {
                    SamplingAxis::Seconds => "no row with positive seconds",
                    SamplingAxis::Fraction => "no row with a positive fraction",
                },
            );
        }
        scene
    }
}

fn note(rows: &[SamplingRow], sampler: &str, target: f64) -> String {
    match first_at(rows, sampler, target) {
        Some(row) => format!("{} s to target", axis::number(row.seconds, f64::INFINITY)),
        None => "target not reached".to_owned(),
    }
}
