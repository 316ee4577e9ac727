//! How fast samplers learn: error against seconds.

use crate::axis::Axis;
use crate::error::{Error, Result};
use crate::frame::{Entry, Frame, Key};
use crate::palette::{INK, series};
use crate::record::{read_csv, write_csv};
use crate::render::{self, Format};
use crate::scene::Scene;
use crate::{axis, file};
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
}

const COLUMNS: [&str; 5] = ["sampler", "seconds", "steps", "samples", "log_mae"];

/// The rows as CSV; reading it back gives the same rows bit for bit.
pub fn to_csv(rows: &[SamplingRow]) -> Result<String> {
    if rows.is_empty() {
        return Ok(format!("{}\n", COLUMNS.join(",")));
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

/// The picture of error against seconds, both axes logarithmic, one colour per sampler.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SamplingPlot {
    /// The line above the picture; may be empty.
    pub title: String,
    /// An error to reach: a dashed line, and the seconds to it under each sampler's name.
    pub target: Option<f64>,
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
            .filter(|r| r.seconds > 0.0 && r.seconds.is_finite() && r.log_mae >= 0.0 && r.log_mae.is_finite())
            .collect();
        let mut samplers: Vec<&str> = Vec::new();
        for row in &good {
            if !samplers.contains(&row.sampler.as_str()) {
                samplers.push(&row.sampler);
            }
        }
        let target = self.target.filter(|t| *t > 0.0 && t.is_finite());
        let x = Axis::log("training time (s)", good.iter().map(|r| r.seconds), false, 9);
        let errors = good.iter().map(|r| r.log_mae).chain(target);
        let y = Axis::log("log-MAE, log2(ADC + 1)", errors, true, 9);
        let mut legend: Vec<Entry> = samplers
            .iter()
            .enumerate()
            .map(|(i, name)| Entry {
                name: (*name).to_owned(),
                note: target.map_or(String::new(), |t| note(rows, name, t)),
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
            let own: Vec<&SamplingRow> = good.iter().copied().filter(|r| r.sampler == *name).collect();
            for fit in own.chunk_by(|a, b| a.seconds <= b.seconds) {
                let points: Vec<_> = fit.iter().filter_map(|r| frame.point(r.seconds, r.log_mae)).collect();
                scene.line(points.clone(), 2.5, series(i));
                for point in points {
                    scene.marker(point, i, series(i));
                }
            }
        }
        frame.finish(&mut scene);
        if good.is_empty() {
            frame.say(&mut scene, "no row with positive seconds");
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
