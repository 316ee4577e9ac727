//! Values to colours, and the bars that say which is which.

use crate::axis::{Axis, Tick, number};
use crate::font;
use crate::frame::{LABEL, TICK};
use crate::palette::{GREY, INK, INVALID, WHITE, diverging, sequential};
use crate::scene::{Align, Raster, Scene};
use plotters::style::RGBColor;

const BAR_HEIGHT: f64 = 16.0;

/// Logarithmic over the positive values of a picture; 0 is white, negative values are grey.
pub(crate) struct ValueScale {
    /// Decimal logarithms of the ends; none without a positive value.
    range: Option<(f64, f64)>,
}

impl ValueScale {
    pub(crate) fn over<'a>(values: impl Iterator<Item = &'a f32>) -> Self {
        let logs = values.filter(|v| v.is_finite() && **v > 0.0).map(|v| f64::from(*v).log10());
        let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), v| (l.min(v), h.max(v)));
        let room = if high - low < 1e-6 { 0.15 } else { 0.0 };
        ValueScale { range: (low <= high).then_some((low - room, high + room)) }
    }

    pub(crate) fn color(&self, value: f32) -> RGBColor {
        match self.range {
            _ if value == 0.0 => WHITE,
            Some((low, high)) if value.is_finite() && value > 0.0 => {
                sequential((f64::from(value).log10() - low) / (high - low))
            }
            _ => INVALID,
        }
    }

    pub(crate) fn axis(&self, label: &str) -> Option<Axis> {
        self.range.map(|(low, high)| Axis::log_between(label, low, high, false, 10))
    }
}

/// Logarithmic in both directions: the sign times log(1 + |d| / unit).
pub(crate) struct DifferenceScale {
    /// The largest |d|; 0 where all are equal.
    reach: f64,
    /// Where the scale turns from linear to logarithmic.
    unit: f64,
}

impl DifferenceScale {
    pub(crate) fn over<'a>(values: impl Iterator<Item = &'a f32>) -> Self {
        let finite = values.filter(|v| v.is_finite()).map(|v| f64::from(v.abs()));
        let reach = finite.fold(0.0, f64::max);
        // One count for integers; three decades below the largest for anything smaller.
        let unit = if reach >= 10.0 { 1.0 } else { 10f64.powf(reach.max(1e-300).log10().floor() - 2.0) };
        DifferenceScale { reach, unit }
    }

    fn signed(&self, value: f64) -> f64 {
        value.signum() * (value.abs() / self.unit).ln_1p() / (self.reach / self.unit).ln_1p()
    }

    pub(crate) fn color(&self, value: f32) -> RGBColor {
        match value {
            v if !v.is_finite() => INVALID,
            0.0 => WHITE,
            v => diverging(self.signed(f64::from(v))),
        }
    }

    pub(crate) fn axis(&self, label: &str) -> Option<Axis> {
        if self.reach <= 0.0 {
            return None;
        }
        let mut axis = Axis::linear(label, -1.0, 1.0, 1);
        let top = self.reach.log10().floor();
        // Two or three decades on either side have room for their labels.
        let powers = [top - 2.0, top - 1.0, top].map(|p| 10f64.powf(p));
        let sizes: Vec<f64> = powers.into_iter().filter(|p| *p >= self.unit && *p <= self.reach).collect();
        let values = sizes.iter().map(|p| -p).rev().chain([0.0]).chain(sizes.iter().copied());
        axis.ticks = values
            .map(|v| Tick {
                at: if v == 0.0 { 0.5 } else { 0.5 + 0.5 * self.signed(v) },
                label: if v > 0.0 {
                    format!("+{}", number(v, f64::INFINITY))
                } else {
                    number(v, f64::INFINITY)
                },
            })
            .collect();
        Some(axis)
    }
}

/// A horizontal colour bar with its axis below it. `color` maps a fraction of the axis.
pub(crate) fn draw_bar(
    scene: &mut Scene,
    at: (f64, f64),
    width: f64,
    axis: &Axis,
    color: impl Fn(f64) -> RGBColor,
) {
    let n = (width as usize).max(2);
    let cells = (0..n).map(|i| color(i as f64 / (n - 1) as f64)).collect();
    scene.rasters.push(Raster { at, size: (width, BAR_HEIGHT), n_columns: n, n_rows: 1, cells });
    scene.frame(at, (width, BAR_HEIGHT), INK);
    let bottom = at.1 + BAR_HEIGHT;
    let mut taken = f64::NEG_INFINITY;
    for tick in &axis.ticks {
        let x = at.0 + tick.at * width;
        scene.line(vec![(x, bottom), (x, bottom + 5.0)], 1.0, INK);
        let half = 0.5 * font::width(&tick.label, TICK);
        if x - half > taken {
            scene.text((x, bottom + 9.0 + 0.5 * TICK), &tick.label, TICK, INK, Align::Middle);
            taken = x + half + 3.0;
        }
    }
    let label = font::fit(&axis.label, TICK, width);
    let place = (at.0 + 0.5 * width, bottom + 32.0 + 0.5 * TICK);
    scene.text(place, &label, TICK, INK, Align::Middle);
}

/// A sentence where a colour bar would be.
pub(crate) fn remark(scene: &mut Scene, at: (f64, f64), width: f64, text: &str) {
    scene.text((at.0 + 0.5 * width, at.1 + 0.5 * LABEL), text, TICK, GREY, Align::Middle);
}
