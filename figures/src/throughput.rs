//! How fast codecs are: a pair of bars for each choice of settings.

use crate::axis::Axis;
use crate::error::Result;
use crate::font;
use crate::frame::{CHART_SIZE, TICK, TITLE};
use crate::palette::{GRID, INK, series};
use crate::panel::{name_below, ticks_below};
use crate::record::Record;
use crate::render::{self, Format};
use crate::scene::{Align, Scene};
use crate::summary::{Metric, summarise};

/// The picture of MB of samples a second, to encode and to decode, by settings.
///
/// A pair of bars for each choice of settings, in the order of the rows; its numbers stand at their ends. The axis is
/// logarithmic and begins at the power of ten below the slowest. Means over the inputs are shown; rows without times
/// are left out.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Throughput {
    /// The line above the picture; may be empty.
    pub title: String,
}

const MARGIN: f64 = 20.0;
const BAR: f64 = 15.0;
/// From one pair of bars to the next.
const PITCH: f64 = 2.0 * BAR + 14.0;
/// Axis, its labels and its name below the bars.
const BELOW: f64 = 70.0;
const METRICS: [Metric; 2] = [Metric::EncodeMbPerS, Metric::DecodeMbPerS];

impl Throughput {
    /// The picture of `rows` as the bytes of a file.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, rows: &[Record], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(rows), format)
    }

    fn scene(&self, rows: &[Record]) -> Scene {
        let pairs: Vec<(String, [Option<f64>; 2])> = summarise(rows)
            .into_iter()
            .map(|s| {
                let mean = |metric: Metric| s.metrics.get(&metric).map(|spread| metric.total(spread));
                let values = METRICS.map(|m| mean(m).filter(|v| v.is_finite() && *v > 0.0));
                (if s.settings.is_empty() { s.codec } else { s.settings }, values)
            })
            .filter(|(_, values)| values.iter().any(Option::is_some))
            .collect();
        let width = f64::from(CHART_SIZE.0);
        let top = MARGIN + if self.title.is_empty() { 0.0 } else { TITLE + 14.0 } + TICK + 14.0;
        let height = PITCH * pairs.len().max(1) as f64;
        let mut scene = Scene::new(CHART_SIZE.0, (top + height + BELOW + MARGIN).ceil() as u32);
        let name = |pair: &(String, _)| font::fit(&pair.0, TICK, 0.45 * width);
        let names = pairs.iter().map(|p| font::width(&name(p), TICK)).fold(60.0, f64::max);
        let left = MARGIN + names + 12.0;
        let room = width - left - MARGIN;
        let all = || pairs.iter().flat_map(|(_, values)| values.iter().flatten().copied());
        let slowest = all().fold(f64::INFINITY, f64::min);
        let fastest = all().fold(0.0, f64::max);
        let (low, high) = if pairs.is_empty() {
            (0.0, 1.0)
        } else {
            ((slowest.log10() - 0.05).floor(), fastest.log10() + 0.25)
        };
        let axis = Axis::log_between("MB of samples a second", low, high, false, 9);
        let title = font::fit(&self.title, TITLE, width - 2.0 * MARGIN);
        scene.text((MARGIN, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);
        self.legend(&mut scene, (left, top - 14.0 - 0.5 * TICK));
        for tick in &axis.ticks {
            let x = left + tick.at * room;
            scene.line(vec![(x, top), (x, top + height)], 1.0, GRID);
        }
        for (i, pair) in pairs.iter().enumerate() {
            let middle = top + PITCH * (i as f64 + 0.5);
            scene.text((left - 12.0, middle), &name(pair), TICK, INK, Align::End);
            for (k, value) in pair.1.iter().enumerate() {
                let Some((value, share)) = value.and_then(|v| Some((v, axis.fraction(v)?))) else { continue };
                let (y, right) = (middle - BAR + k as f64 * BAR, left + share * room);
                scene.fill(
                    vec![(left, y), (right, y), (right, y + BAR - 1.0), (left, y + BAR - 1.0)],
                    series(k),
                    1.0,
                );
                let digits = if value < 10.0 { 1 } else { 0 };
                let number = format!("{value:.digits$}");
                scene.text((right + 6.0, y + 0.5 * BAR), &number, TICK - 2.0, INK, Align::Start);
            }
        }
        let below = (left, top + height);
        scene.line(vec![(left, top), below, (left + room, below.1)], 1.0, INK);
        ticks_below(&mut scene, &axis, below, room, true);
        name_below(&mut scene, &axis, below, room);
        if pairs.is_empty() {
            scene.text(
                (left + 0.5 * room, top + 0.5 * height),
                "no row with times",
                TICK,
                INK,
                Align::Middle,
            );
        }
        scene
    }

    fn legend(&self, scene: &mut Scene, at: (f64, f64)) {
        let mut x = at.0;
        for (k, name) in ["encode", "decode"].into_iter().enumerate() {
            let (y, half) = (at.1, 0.4 * BAR);
            let corners = vec![(x, y - half), (x + 22.0, y - half), (x + 22.0, y + half), (x, y + half)];
            scene.fill(corners, series(k), 1.0);
            scene.text((x + 28.0, y), name, TICK, INK, Align::Start);
            x += 28.0 + font::width(name, TICK) + 24.0;
        }
    }
}
