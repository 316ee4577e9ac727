//! True against decoded samples, voxel by voxel.

use crate::axis::Axis;
use crate::bins::Bins;
use crate::color_scale::{ValueScale, draw_bar, remark};
use crate::error::{Error, Result};
use crate::font;
use crate::frame::{LABEL, TICK, TITLE};
use crate::palette::{GREY, INK, sequential, series};
use crate::panel::{index_axis, name_below, name_left, ticks_below, ticks_left};
use crate::render::{self, Format};
use crate::scene::{Align, Raster, Scene};
use crate::values::{Decoded, Values};
use plotters::style::RGBColor;
use std::path::Path;

/// The picture of how often each pair of a true and a decoded value occurs; a panel for every decoded copy.
///
/// True values lie to the right, decoded ones upwards, in the same bins; the dashed diagonal is where they are equal.
/// Voxels that are occupied on one side alone have strips of their own: below the panel those that decode to nothing
/// (lost), left of it those that were empty (fake), their shares of the occupied voxels above it. Voxels that are empty
/// on both sides are not shown. Colours are logarithmic. Pairs that are not finite are left out and counted in a remark.
#[derive(Debug, Clone, PartialEq)]
pub struct Pairs {
    /// The line above the picture; may be empty.
    pub title: String,
    /// Name and unit of the samples.
    pub value_name: String,
    /// What the axes show of them.
    pub values: Values,
    /// Bins of an axis at most; taken between 1 and 400.
    pub n_bins: usize,
}

impl Default for Pairs {
    fn default() -> Self {
        Pairs { title: String::new(), value_name: "ADC".to_owned(), values: Values::Plain, n_bins: 100 }
    }
}

const MARGIN: f64 = 20.0;
const LEFT: f64 = 96.0;
const RIGHT: f64 = 24.0;
const GAP: f64 = 26.0;
/// Panels in a row.
const N_COLUMNS: usize = 3;
/// The strip of empty voxels, and the gap between it and the panel.
const STRIP: f64 = 22.0;
const BESIDE: f64 = 6.0;
/// Above a panel: its name and its shares.
const ABOVE: f64 = LABEL + TICK + 22.0;
/// Below a panel: ticks and their labels.
const TICKS: f64 = 34.0;
/// Below the lowest panels: the name of the axis, the colour bar and its labels.
const BELOW: f64 = 124.0;
/// More panels would make a picture that nobody can look at.
const MOST_PANELS: usize = 12;

/// The pairs of one decoded copy.
struct Counts {
    n_bins: usize,
    /// Bin of the true value, then of the decoded one.
    both: Vec<u64>,
    lost: Vec<u64>,
    fake: Vec<u64>,
    n_true: u64,
    n_decoded: u64,
    n_left_out: u64,
}

impl Counts {
    fn of(bins: &Bins, original: &[f32], decoded: &[f32]) -> Counts {
        let n_bins = bins.n();
        let mut counts = Counts {
            n_bins,
            both: vec![0; n_bins * n_bins],
            lost: vec![0; n_bins],
            fake: vec![0; n_bins],
            n_true: 0,
            n_decoded: 0,
            n_left_out: 0,
        };
        for (&a, &b) in original.iter().zip(decoded) {
            if !a.is_finite() || !b.is_finite() {
                counts.n_left_out += 1;
                continue;
            }
            counts.n_true += u64::from(a != 0.0);
            counts.n_decoded += u64::from(b != 0.0);
            match (bins.of(a), bins.of(b)) {
                (Some(i), Some(k)) => counts.both[i * n_bins + k] += 1,
                (Some(i), None) => counts.lost[i] += 1,
                (None, Some(k)) => counts.fake[k] += 1,
                (None, None) => {}
            }
        }
        counts
    }

    fn all(&self) -> impl Iterator<Item = u64> {
        self.both.iter().chain(&self.lost).chain(&self.fake).copied()
    }

    /// What is said above the panel.
    fn shares(&self) -> String {
        let share = |part: &[u64], whole: u64| match whole {
            0 => "none".to_owned(),
            _ => format!("{:.2} %", 100.0 * part.iter().sum::<u64>() as f64 / whole as f64),
        };
        format!("lost {}, fake {}", share(&self.lost, self.n_true), share(&self.fake, self.n_decoded))
    }
}

impl Pairs {
    /// The picture as the bytes of a file. Every copy has as many samples as there are true ones.
    ///
    /// # Errors
    /// [`Error::Data`] where the numbers of samples differ, and for no copy or more than 12.
    pub fn render(&self, original: &[f32], decoded: &[Decoded<'_>], format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(original, decoded)?, format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] as [`Pairs::render`] or for another ending, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, original: &[f32], decoded: &[Decoded<'_>], path: &Path) -> Result<()> {
        render::save(&self.scene(original, decoded)?, path)
    }

    fn scene(&self, original: &[f32], decoded: &[Decoded<'_>]) -> Result<Scene> {
        if let Some(d) = decoded.iter().find(|d| d.samples.len() != original.len()) {
            let (n, m, name) = (original.len(), d.samples.len(), d.name);
            return Err(Error::data(format!("{n} true values and {m} called '{name}' make no pairs")));
        }
        let n_panels = decoded.len();
        if !(1..=MOST_PANELS).contains(&n_panels) {
            return Err(Error::data(format!("{n_panels} decoded copies; a picture has 1 to {MOST_PANELS}")));
        }
        let all = original.iter().chain(decoded.iter().flat_map(|d| d.samples));
        let bins = Bins::over(all, self.n_bins.clamp(1, 400), self.values);
        let counts: Vec<Counts> = decoded.iter().map(|d| Counts::of(&bins, original, d.samples)).collect();
        let shown: Vec<f32> = counts.iter().flat_map(Counts::all).map(|n| n as f32).collect();
        let colors = ValueScale::over(shown.iter());

        let n_columns = n_panels.min(N_COLUMNS);
        let n_rows = n_panels.div_ceil(n_columns);
        // Fewer panels are larger.
        let side = [560.0, 460.0, 360.0][n_columns - 1];
        let block = (STRIP + BESIDE + side, ABOVE + side + BESIDE + STRIP + TICKS);
        let panels = n_columns as f64 * block.0 + (n_columns - 1) as f64 * GAP;
        let top = MARGIN + if self.title.is_empty() { 0.0 } else { TITLE + 14.0 };
        let bottom = top + n_rows as f64 * block.1;
        let width = LEFT + panels + RIGHT;
        let mut scene = Scene::new(width.ceil() as u32, (bottom + BELOW).ceil() as u32);
        let title = font::fit(&self.title, TITLE, width - LEFT - RIGHT);
        scene.text((LEFT, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);

        let (low, high) = bins.range();
        let what = self.values.label(&self.value_name);
        let x_axis = Axis::linear(&format!("true: {what}"), low, high, 5);
        let y_axis = Axis::linear(&format!("decoded: {what}"), low, high, 5);
        for (i, (d, counts)) in decoded.iter().zip(&counts).enumerate() {
            let (row, column) = (i / n_columns, i % n_columns);
            let at = (LEFT + column as f64 * (block.0 + GAP), top + row as f64 * block.1);
            let name = font::fit(d.name, LABEL, block.0);
            scene.text((at.0, at.1 + 0.5 * LABEL), &name, LABEL, INK, Align::Start);
            let shares = font::fit(&counts.shares(), TICK, block.0);
            scene.text((at.0, at.1 + LABEL + 8.0 + 0.5 * TICK), &shares, TICK, GREY, Align::Start);
            let panel = (at.0 + STRIP + BESIDE, at.1 + ABOVE);
            draw_counts(&mut scene, &bins, counts, panel, side, &colors);
            let below = panel.1 + side + BESIDE + STRIP;
            ticks_below(&mut scene, &x_axis, (panel.0, below), side, true);
            // The strips: one value, labelled 0.
            let zero = index_axis("", 1);
            ticks_below(&mut scene, &zero, (at.0, below), STRIP, true);
            ticks_left(&mut scene, &y_axis, (at.0, panel.1 + side), side, column == 0);
            ticks_left(&mut scene, &zero, (at.0, below), STRIP, column == 0);
            if column == 0 {
                name_left(&mut scene, &y_axis, (MARGIN + 0.5 * LABEL, panel.1 + 0.5 * side), side);
            }
            if i + n_columns >= n_panels {
                name_below(&mut scene, &x_axis, (panel.0, below), side);
            }
        }

        let place = (LEFT, bottom + 46.0);
        let room = panels.min(720.0);
        match colors.axis("voxels per cell") {
            Some(axis) => draw_bar(&mut scene, place, room, &axis, sequential),
            None => remark(&mut scene, place, room, "no voxel is occupied on either side"),
        }
        let n_left_out: u64 = counts.iter().map(|c| c.n_left_out).sum();
        if n_left_out > 0 {
            let text = format!("{n_left_out} pairs not finite");
            let at = (width - RIGHT, bottom + BELOW - 0.5 * TICK - 6.0);
            scene.text(at, &text, TICK, GREY, Align::End);
        }
        Ok(scene)
    }
}

/// The cells of a panel whose upper left corner is `at`, its two strips and the diagonal.
fn draw_counts(
    scene: &mut Scene,
    bins: &Bins,
    counts: &Counts,
    at: (f64, f64),
    side: f64,
    colors: &ValueScale,
) {
    let color = |n: u64| colors.color(n as f32);
    // Bins may differ in width: a cell of the raster is a pixel.
    let n = side as usize;
    let bin: Vec<usize> = (0..n).map(|i| bins.at((i as f64 + 0.5) / n as f64)).collect();
    let cell = |x: usize, y: usize| color(counts.both[bin[x] * counts.n_bins + bin[y]]);
    let cells = (0..n).rev().flat_map(|y| (0..n).map(move |x| (x, y))).map(|(x, y)| cell(x, y)).collect();
    let strip = (at.0 - BESIDE - STRIP, at.1 + side + BESIDE);
    let fake: Vec<RGBColor> = bin.iter().rev().map(|k| color(counts.fake[*k])).collect();
    let lost: Vec<RGBColor> = bin.iter().map(|i| color(counts.lost[*i])).collect();
    for (at, size, n_columns, n_rows, cells) in [
        (at, (side, side), n, n, cells),
        ((strip.0, at.1), (STRIP, side), 1, n, fake),
        ((at.0, strip.1), (side, STRIP), n, 1, lost),
    ] {
        scene.rasters.push(Raster { at, size, n_columns, n_rows, cells });
        scene.frame(at, size, INK);
    }
    scene.dashes((at.0, at.1 + side), (at.0 + side, at.1), 1.5, series(0));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_is_in_its_place() {
        let original = [0.0f32, 0.0, 80.0, 80.0, 80.0, 200.0, f32::NAN, 0.0];
        let decoded = [0.0f32, 90.0, 80.0, 0.0, 80.0, 190.0, 80.0, f32::INFINITY];
        let bins = Bins::over(original.iter().chain(&decoded), 1000, Values::Plain);
        let counts = Counts::of(&bins, &original, &decoded);
        let of = |v: f32| bins.of(v).unwrap();
        assert_eq!(counts.both[of(80.0) * bins.n() + of(80.0)], 2);
        assert_eq!(counts.both[of(200.0) * bins.n() + of(190.0)], 1);
        assert_eq!(counts.both.iter().sum::<u64>(), 3);
        assert_eq!((counts.lost[of(80.0)], counts.lost.iter().sum::<u64>()), (1, 1));
        assert_eq!((counts.fake[of(90.0)], counts.fake.iter().sum::<u64>()), (1, 1));
        assert_eq!((counts.n_true, counts.n_decoded, counts.n_left_out), (4, 4, 2));
        assert_eq!(counts.shares(), "lost 25.00 %, fake 25.00 %");
    }
}
