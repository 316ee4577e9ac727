//! How often each value occurs, in the samples and in what was decoded.

use crate::axis::Axis;
use crate::bins::Bins;
use crate::error::Result;
use crate::frame::{Entry, Frame, Key};
use crate::palette::series;
use crate::render::{self, Format};
use crate::scene::Scene;
use crate::values::{Decoded, Values};
use std::path::Path;

/// The picture of histograms over the same bins, one of the true samples and one of every decoded copy, counts on a
/// log axis.
///
/// Zeros are empty voxels: they are not counted in a bin but as the share of occupied voxels in the legend. Samples
/// that are not finite are left out. Where all samples are integers every bin covers the same number of them; of
/// logarithms the bins grow, and the vertical axis shows voxels for each count of ADC.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The line above the picture; may be empty.
    pub title: String,
    /// Name and unit of the samples.
    pub value_name: String,
    /// What the horizontal axis shows of them.
    pub values: Values,
    /// Bins at most; taken between 1 and 400.
    pub n_bins: usize,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram { title: String::new(), value_name: "ADC".to_owned(), values: Values::Plain, n_bins: 128 }
    }
}

impl Histogram {
    /// The picture as the bytes of a file. The sets of samples may differ in length.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, original: &[f32], decoded: &[Decoded<'_>], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(original, decoded), format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for another ending, [`Error::Io`](crate::Error::Io) where the file cannot
    /// be written.
    pub fn save(&self, original: &[f32], decoded: &[Decoded<'_>], path: &Path) -> Result<()> {
        render::save(&self.scene(original, decoded), path)
    }

    fn scene(&self, original: &[f32], decoded: &[Decoded<'_>]) -> Scene {
        let all = || original.iter().chain(decoded.iter().flat_map(|d| d.samples));
        let bins = Bins::over(all(), self.n_bins.clamp(1, 400), self.values);
        let heights = |samples: &[f32]| -> Vec<f64> {
            let by_width = |(i, n): (usize, u64)| match self.values {
                Values::Plain => n as f64,
                Values::Log2 => n as f64 / bins.width(i),
            };
            bins.count(samples).into_iter().enumerate().map(by_width).collect()
        };
        let of_original = heights(original);
        let of_decoded: Vec<Vec<f64>> = decoded.iter().map(|d| heights(d.samples)).collect();
        let positive = || of_decoded.iter().flatten().chain(&of_original).copied().filter(|n| *n > 0.0);
        let most = positive().fold(10.0, f64::max);
        // From below the least, so that a single count is a step above the axis.
        let least = positive().fold(1.0, f64::min);
        let (low, high) = bins.range();
        let x_label = format!("occupied voxels: {}", self.values.label(&self.value_name));
        let x = Axis::linear(&x_label, low, high, 8);
        let y_label = match self.values {
            Values::Plain => "voxels per bin".to_owned(),
            Values::Log2 => format!("voxels per {}", self.value_name),
        };
        let y = Axis::log_between(&y_label, least.log10() - 0.3, most.log10() + 0.25, false, 9);
        let mut legend = vec![entry("true", original, Key::Area, 0)];
        legend.extend(decoded.iter().enumerate().map(|(i, d)| entry(d.name, d.samples, Key::Plain, i + 1)));
        let (frame, mut scene) = Frame::start(&self.title, x, y, &legend);
        let outline = |heights: &[f64]| -> Vec<(f64, f64)> {
            let (_, bottom) = frame.vertical();
            let mut points = Vec::with_capacity(2 * heights.len() + 2);
            for (i, &height) in heights.iter().enumerate() {
                let (from, to) = bins.shown(i);
                for edge in [from, to] {
                    if let Some((x, y)) = frame.point(edge, height.max(0.5 * least)) {
                        points.push((x, if height == 0.0 { bottom } else { y.min(bottom) }));
                    }
                }
            }
            if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
                points.insert(0, (first.0, bottom));
                points.push((last.0, bottom));
            }
            points
        };
        let area = outline(&of_original);
        scene.fill(area.clone(), series(0), 0.3);
        scene.line(area, 1.5, series(0));
        for (i, heights) in of_decoded.iter().enumerate() {
            scene.line(outline(heights), 2.0, series(i + 1));
        }
        frame.finish(&mut scene);
        if positive().next().is_none() {
            frame.say(&mut scene, "no value other than 0");
        }
        scene
    }
}

fn entry(name: &str, values: &[f32], key: Key, i: usize) -> Entry {
    let occupied = values.iter().filter(|v| **v != 0.0).count();
    let share = 100.0 * occupied as f64 / values.len().max(1) as f64;
    Entry { name: name.to_owned(), note: format!("{share:.2} % occupied"), color: series(i), key }
}
