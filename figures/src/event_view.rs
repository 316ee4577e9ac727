//! One layer of an event: true, decoded and the difference, side by side.

use crate::color_scale::{DifferenceScale, ValueScale, draw_bar, remark};
use crate::error::{Error, Result};
use crate::font;
use crate::frame::{LABEL, TICK, TITLE};
use crate::palette::{GREY, INK, diverging, sequential};
use crate::panel::{Slice, index_axis, name_below, name_left, ticks_below, ticks_left};
use crate::render::{self, Format};
use crate::scene::{Align, Scene};
use crate::values::{Decoded, Values};
use std::path::Path;

/// The picture of one layer of an event: true values, decoded values, decoded minus true; a row of them for every
/// decoded copy.
///
/// Values share one logarithmic colour scale; zero is white. Differences have a scale of their own, logarithmic in
/// both directions. Where a layer has more voxels than the picture has pixels, each pixel shows the value furthest
/// from zero, so that thin tracks stay visible.
#[derive(Debug, Clone, PartialEq)]
pub struct EventView<'a> {
    /// The line above the picture; may be empty.
    pub title: String,
    /// Shape of the event.
    pub shape: [usize; 3],
    /// `shape[0] * shape[1] * shape[2]` true values in C order.
    pub original: &'a [f32],
    /// As many decoded values each.
    pub decoded: Vec<Decoded<'a>>,
    /// What differences are of. Values keep their logarithmic scale of colours.
    pub values: Values,
    /// The axis to cut across, 0 to 2. Of the other two, the first runs upwards and the second to the right.
    pub axis: usize,
    /// The index along `axis` to show.
    pub layer: usize,
    /// Names of the three axes.
    pub axis_names: [String; 3],
    /// Name and unit of the values.
    pub value_name: String,
}

/// Width of the picture in pixels; its height follows the shape of the layer.
const WIDTH: f64 = 1280.0;
const LEFT: f64 = 90.0;
const GAP: f64 = 26.0;
const RIGHT: f64 = 30.0;
const PANEL: f64 = (WIDTH - LEFT - RIGHT - 2.0 * GAP) / 3.0;
const MARGIN: f64 = 20.0;
/// The second colour bar is narrower than its panel, so that the labels at its ends stay clear of the first.
const INSET: f64 = 24.0;
/// Below the panels: tick labels, axis name, colour bar and its labels.
const BELOW: f64 = 150.0;
/// Between rows of panels: the names of the lower ones.
const BETWEEN: f64 = LABEL + 30.0;
/// More rows would make a picture that nobody can look at.
const MOST_ROWS: usize = 12;

impl<'a> EventView<'a> {
    /// A view across the last axis of an event laid out as (azimuth, z, layer), in ADC counts, with one decoded copy.
    pub fn new(shape: [usize; 3], original: &'a [f32], decoded: &'a [f32], layer: usize) -> Self {
        EventView {
            title: String::new(),
            shape,
            original,
            decoded: vec![Decoded::new(decoded)],
            values: Values::Plain,
            axis: 2,
            layer,
            axis_names: ["azimuth", "z", "layer"].map(str::to_owned),
            value_name: "ADC".to_owned(),
        }
    }

    /// Width and height of the picture in pixels.
    ///
    /// # Errors
    /// [`Error::Data`] where the axis does not exist or the event is empty.
    pub fn size(&self) -> Result<(u32, u32)> {
        self.check()?;
        Ok((WIDTH as u32, (self.bottom() + BELOW).ceil() as u32))
    }

    /// The picture as the bytes of a file.
    ///
    /// # Errors
    /// [`Error::Data`] where shape, values, axis and layer do not fit together.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene()?, format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] as [`EventView::render`] or for another ending, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        render::save(&self.scene()?, path)
    }

    fn check(&self) -> Result<()> {
        let shape = self.shape;
        let n = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
        for (name, samples) in
            [("true", self.original)].into_iter().chain(self.decoded.iter().map(|d| (d.name, d.samples)))
        {
            if n.is_none_or(|n| n == 0 || n != samples.len()) {
                let n = samples.len();
                return Err(Error::data(format!("shape {shape:?} does not fit {n} values called '{name}'")));
            }
        }
        if !(1..=MOST_ROWS).contains(&self.decoded.len()) {
            let n = self.decoded.len();
            return Err(Error::data(format!("{n} decoded copies; a picture has 1 to {MOST_ROWS}")));
        }
        let Some(&depth) = shape.get(self.axis) else {
            return Err(Error::data(format!("axis {} of an event with axes 0, 1 and 2", self.axis)));
        };
        if self.layer >= depth {
            let (axis, layer) = (self.axis, self.layer);
            return Err(Error::data(format!("layer {layer} of axis {axis}, which has {depth}")));
        }
        Ok(())
    }

    /// The axes that run upwards and to the right.
    fn plane(&self) -> (usize, usize) {
        match self.axis {
            0 => (1, 2),
            1 => (0, 2),
            _ => (0, 1),
        }
    }

    fn top(&self) -> f64 {
        MARGIN + LABEL + 12.0 + if self.title.is_empty() { 0.0 } else { TITLE + 14.0 }
    }

    /// Where the lowest row of panels ends.
    fn bottom(&self) -> f64 {
        let n_rows = self.decoded.len() as f64;
        self.top() + n_rows * self.panel_height() + (n_rows - 1.0) * BETWEEN
    }

    /// Cells are square unless that makes the panels very flat or very tall.
    fn panel_height(&self) -> f64 {
        let (up, right) = self.plane();
        (PANEL * self.shape[up] as f64 / self.shape[right] as f64).clamp(0.5 * PANEL, 1.4 * PANEL).round()
    }

    fn cut(&self, values: &[f32]) -> Slice {
        let (up, right) = self.plane();
        let (n_rows, n_columns) = (self.shape[up], self.shape[right]);
        let strides = [self.shape[1] * self.shape[2], self.shape[2], 1];
        let start = self.layer * strides[self.axis];
        let at = |r: usize, c: usize| values[start + r * strides[up] + c * strides[right]];
        let cells = (0..n_rows).flat_map(|r| (0..n_columns).map(move |c| (r, c))).map(|(r, c)| at(r, c));
        Slice { n_rows, n_columns, cells: cells.collect() }
    }

    fn scene(&self) -> Result<Scene> {
        let (width, height) = self.size()?;
        let original = self.cut(self.original);
        let shown = |slice: &Slice| slice.map(|v| self.values.of(f64::from(v)) as f32);
        let rows: Vec<(&str, Slice, Slice)> = self
            .decoded
            .iter()
            .map(|d| {
                let decoded = self.cut(d.samples);
                let difference = shown(&decoded).minus(&shown(&original));
                (d.name, decoded, difference)
            })
            .collect();
        let all = || original.cells.iter().chain(rows.iter().flat_map(|(_, decoded, _)| &decoded.cells));
        let values = ValueScale::over(all());
        let differences = DifferenceScale::over(rows.iter().flat_map(|(_, _, difference)| &difference.cells));
        let mut scene = Scene::new(width, height);
        let title = font::fit(&self.title, TITLE, WIDTH - LEFT - RIGHT);
        scene.text((LEFT, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);
        let (up, right) = self.plane();
        let size = (PANEL, self.panel_height());
        let x_axis = index_axis(&self.axis_names[right], original.n_columns);
        let y_axis = index_axis(&self.axis_names[up], original.n_rows);
        for (i, (name, decoded, difference)) in rows.iter().enumerate() {
            let top = self.top() + i as f64 * (size.1 + BETWEEN);
            let bottom = top + size.1;
            for k in 0..3 {
                let at = (LEFT + f64::from(k) * (PANEL + GAP), top);
                let text = match k {
                    0 => {
                        original.draw(&mut scene, at, size, |v| values.color(v));
                        "true".to_owned()
                    }
                    1 => {
                        decoded.draw(&mut scene, at, size, |v| values.color(v));
                        (*name).to_owned()
                    }
                    _ => {
                        difference.draw(&mut scene, at, size, |v| differences.color(v));
                        format!("{name} − true")
                    }
                };
                let text = font::fit(&text, LABEL, PANEL);
                scene.text((at.0, at.1 - 10.0 - 0.5 * LABEL), &text, LABEL, INK, Align::Start);
                ticks_below(&mut scene, &x_axis, (at.0, bottom), size.0, i + 1 == rows.len());
                ticks_left(&mut scene, &y_axis, (at.0, bottom), size.1, k == 0);
                if i + 1 == rows.len() {
                    name_below(&mut scene, &x_axis, (at.0, bottom), size.0);
                }
            }
            name_left(&mut scene, &y_axis, (MARGIN + 0.5 * LABEL, top + 0.5 * size.1), size.1);
        }
        let place = (LEFT, self.bottom() + 78.0);
        let both = 2.0 * PANEL + GAP;
        match values.axis(&self.value_name) {
            Some(axis) => draw_bar(&mut scene, place, both, &axis, sequential),
            None => remark(&mut scene, place, both, "no value above 0 in this layer"),
        }
        let place = (LEFT + 2.0 * (PANEL + GAP) + INSET, place.1);
        let room = PANEL - 2.0 * INSET;
        let label = match self.values {
            Values::Plain => format!("difference ({})", self.value_name),
            Values::Log2 => format!("difference of {}", self.values.label(&self.value_name)),
        };
        match differences.axis(&label) {
            Some(axis) => draw_bar(&mut scene, place, room, &axis, |t| diverging(2.0 * t - 1.0)),
            None => remark(&mut scene, place, room, "no difference in this layer"),
        }
        if all().any(|v| !v.is_finite() || *v < 0.0) {
            let at = (LEFT + both, self.bottom() + 63.0);
            scene.text(at, "grey: negative or not finite", TICK - 2.0, GREY, Align::End);
        }
        Ok(scene)
    }
}
