//! How often each value occurs, in the samples and in what was decoded.

use crate::axis::Axis;
use crate::error::Result;
use crate::frame::{Entry, Frame, Key};
use crate::palette::series;
use crate::render::{self, Format};
use crate::scene::Scene;
use std::path::Path;

/// The picture of two histograms over the same bins, true values and decoded values, counts on a log axis.
///
/// Zeros are empty voxels: they are not counted in a bin but as the share of occupied voxels in the legend. Values
/// that are not finite are left out. Where all values are integers every bin covers the same number of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Histogram {
    /// The line above the picture; may be empty.
    pub title: String,
    /// What the horizontal axis says.
    pub value_name: String,
    /// Bins at most; taken between 1 and 400.
    pub n_bins: usize,
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            title: String::new(),
            value_name: "value of occupied voxels (ADC)".to_owned(),
            n_bins: 128,
        }
    }
}

/// The common bins of a picture.
struct Bins {
    low: f64,
    width: f64,
    n: usize,
}

impl Histogram {
    /// The picture as the bytes of a file. The slices may differ in length.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, original: &[f32], decoded: &[f32], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(original, decoded), format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for another ending, [`Error::Io`](crate::Error::Io) where the file cannot
    /// be written.
    pub fn save(&self, original: &[f32], decoded: &[f32], path: &Path) -> Result<()> {
        render::save(&self.scene(original, decoded), path)
    }

    fn scene(&self, original: &[f32], decoded: &[f32]) -> Scene {
        let bins = Bins::over(original.iter().chain(decoded), self.n_bins.clamp(1, 400));
        let counts = [bins.count(original), bins.count(decoded)];
        let most = counts.iter().flatten().copied().max().unwrap_or(0).max(10);
        let high = bins.low + bins.width * bins.n as f64;
        let x = Axis::linear(&self.value_name, bins.low, high, 8);
        // From below 1, so that a single count is a step above the axis.
        let y = Axis::log_between("voxels per bin", -0.3, (most as f64).log10() + 0.25, false, 9);
        let legend = [entry("true", original, Key::Area, 0), entry("decoded", decoded, Key::Plain, 1)];
        let (frame, mut scene) = Frame::start(&self.title, x, y, &legend);
        let outline = |counts: &[u64]| -> Vec<(f64, f64)> {
            let (_, bottom) = frame.vertical();
            let mut points = Vec::with_capacity(2 * counts.len() + 2);
            for (i, &count) in counts.iter().enumerate() {
                for edge in [i, i + 1] {
                    let value = bins.low + bins.width * edge as f64;
                    if let Some((x, y)) = frame.point(value, (count as f64).max(0.5)) {
                        points.push((x, if count == 0 { bottom } else { y.min(bottom) }));
                    }
                }
            }
            if let (Some(first), Some(last)) = (points.first().copied(), points.last().copied()) {
                points.insert(0, (first.0, bottom));
                points.push((last.0, bottom));
            }
            points
        };
        let area = outline(&counts[0]);
        scene.fill(area.clone(), series(0), 0.3);
        scene.line(area, 1.5, series(0));
        scene.line(outline(&counts[1]), 2.0, series(1));
        frame.finish(&mut scene);
        if counts.iter().flatten().all(|&c| c == 0) {
            frame.say(&mut scene, "no value other than 0");
        }
        scene
    }
}

impl Bins {
    fn over<'a>(values: impl Iterator<Item = &'a f32>, n: usize) -> Bins {
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for v in values.filter(|v| v.is_finite() && **v != 0.0).map(|v| f64::from(*v)) {
            low = low.min(v);
            high = high.max(v);
            whole &= v.fract() == 0.0;
        }
        if low > high {
            return Bins { low: 0.0, width: 1.0, n: 1 };
        }
        if whole {
            let width = ((high - low + 1.0) / n as f64).ceil();
            let n = (((high - low + 1.0) / width).ceil() as usize).clamp(1, n);
            return Bins { low: low - 0.5, width, n };
        }
        let room = if low == high { 0.5 * low.abs() } else { 0.0 };
        Bins { low: low - room, width: (high - low + 2.0 * room) / n as f64, n }
    }

    fn count(&self, values: &[f32]) -> Vec<u64> {
        let mut counts = vec![0; self.n];
        for v in values.iter().filter(|v| v.is_finite() && **v != 0.0) {
            // The highest value lies on the upper edge of the last bin.
            let bin = ((f64::from(*v) - self.low) / self.width) as usize;
            counts[bin.min(self.n - 1)] += 1;
        }
        counts
    }
}

fn entry(name: &str, values: &[f32], key: Key, i: usize) -> Entry {
    let occupied = values.iter().filter(|v| **v != 0.0).count();
    let share = 100.0 * occupied as f64 / values.len().max(1) as f64;
    Entry { name: name.to_owned(), note: format!("{share:.2} % occupied"), color: series(i), key }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_fill_bins_of_equal_reach_and_zeros_none() {
        let values: Vec<f32> = (0..=1023).map(|v| v as f32).collect();
        let bins = Bins::over(values.iter(), 128);
        let counts = bins.count(&values);
        assert_eq!(counts.iter().sum::<u64>(), 1023);
        assert!(counts[..counts.len() - 1].iter().all(|&c| c == counts[0]), "{counts:?}");
    }

    #[test]
    fn every_finite_value_is_counted_once() {
        let values = [0.5f32, -3.25, 1e-30, 7.75, 7.75, f32::NAN, f32::INFINITY, 0.0];
        let counts = Bins::over(values.iter(), 10).count(&values);
        assert_eq!(counts.iter().sum::<u64>(), 5);
        let extremes = [f32::MIN, f32::MAX, f32::MIN_POSITIVE];
        assert_eq!(Bins::over(extremes.iter(), 7).count(&extremes).iter().sum::<u64>(), 3);
    }
}
