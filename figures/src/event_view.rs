//! One layer of an event: true, decoded and the difference, side by side.

use crate::axis::{Axis, Tick};
use crate::color_scale::{DifferenceScale, ValueScale, draw_bar, remark};
use crate::error::{Error, Result};
use crate::font;
use crate::frame::{LABEL, TICK, TITLE};
use crate::palette::{GREY, INK, diverging, sequential};
use crate::render::{self, Format};
use crate::scene::{Align, Raster, Scene};
use plotters::style::RGBColor;
use std::path::Path;

/// The picture of one layer of an event: true values, decoded values, decoded minus true.
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
    /// As many decoded values.
    pub decoded: &'a [f32],
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

/// A layer cut out of an event, row 0 at the bottom.
struct Slice {
    n_rows: usize,
    n_columns: usize,
    cells: Vec<f32>,
}

impl<'a> EventView<'a> {
    /// A view across the last axis of an event laid out as (azimuth, z, layer), in ADC counts.
    pub fn new(shape: [usize; 3], original: &'a [f32], decoded: &'a [f32], layer: usize) -> Self {
        EventView {
            title: String::new(),
            shape,
            original,
            decoded,
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
        Ok((WIDTH as u32, (self.top() + self.panel_height() + BELOW).ceil() as u32))
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
        if n.is_none_or(|n| n == 0 || n != self.original.len() || n != self.decoded.len()) {
            let (a, b) = (self.original.len(), self.decoded.len());
            return Err(Error::data(format!("shape {shape:?} does not fit {a} true and {b} decoded values")));
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
        let (original, decoded) = (self.cut(self.original), self.cut(self.decoded));
        let difference = original.difference(&decoded);
        let values = ValueScale::over(original.cells.iter().chain(&decoded.cells));
        let differences = DifferenceScale::over(&difference.cells);
        let mut scene = Scene::new(width, height);
        let title = font::fit(&self.title, TITLE, WIDTH - LEFT - RIGHT);
        scene.text((LEFT, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);
        self.draw_panel(&mut scene, 0, "true", &original, |v| values.color(v));
        self.draw_panel(&mut scene, 1, "decoded", &decoded, |v| values.color(v));
        self.draw_panel(&mut scene, 2, "decoded − true", &difference, |v| differences.color(v));
        let place = (LEFT, self.top() + self.panel_height() + 78.0);
        let both = 2.0 * PANEL + GAP;
        match values.axis(&self.value_name) {
            Some(axis) => draw_bar(&mut scene, place, both, &axis, sequential),
            None => remark(&mut scene, place, both, "no value above 0 in this layer"),
        }
        let place = (LEFT + 2.0 * (PANEL + GAP) + INSET, place.1);
        let room = PANEL - 2.0 * INSET;
        match differences.axis(&format!("difference ({})", self.value_name)) {
            Some(axis) => draw_bar(&mut scene, place, room, &axis, |t| diverging(2.0 * t - 1.0)),
            None => remark(&mut scene, place, room, "no difference in this layer"),
        }
        if original.cells.iter().chain(&decoded.cells).any(|v| !v.is_finite() || *v < 0.0) {
            let at = (WIDTH - RIGHT, self.top() - 10.0 - 0.5 * LABEL);
            scene.text(at, "grey: negative or not finite", TICK - 2.0, GREY, Align::End);
        }
        Ok(scene)
    }

    fn draw_panel(
        &self,
        scene: &mut Scene,
        i: usize,
        name: &str,
        slice: &Slice,
        color: impl Fn(f32) -> RGBColor,
    ) {
        let at = (LEFT + i as f64 * (PANEL + GAP), self.top());
        let size = (PANEL, self.panel_height());
        let small = slice.pooled(size);
        // Rasters have their first row at the top, slices at the bottom.
        let cells = small.cells.chunks(small.n_columns).rev().flatten().map(|v| color(*v)).collect();
        scene.rasters.push(Raster { at, size, n_columns: small.n_columns, n_rows: small.n_rows, cells });
        scene.frame(at, size, INK);
        scene.text((at.0, at.1 - 10.0 - 0.5 * LABEL), name, LABEL, INK, Align::Start);
        let (up, right) = self.plane();
        let bottom = at.1 + size.1;
        let x = index_axis(&self.axis_names[right], slice.n_columns);
        for tick in &x.ticks {
            let x = at.0 + tick.at * size.0;
            scene.line(vec![(x, bottom), (x, bottom + 5.0)], 1.0, INK);
            scene.text((x, bottom + 9.0 + 0.5 * TICK), &tick.label, TICK, INK, Align::Middle);
        }
        let label = font::fit(&x.label, LABEL, size.0);
        scene.text((at.0 + 0.5 * size.0, bottom + 32.0 + 0.5 * LABEL), &label, LABEL, INK, Align::Middle);
        let y = index_axis(&self.axis_names[up], slice.n_rows);
        for tick in &y.ticks {
            let y = bottom - tick.at * size.1;
            scene.line(vec![(at.0 - 5.0, y), (at.0, y)], 1.0, INK);
            if i == 0 {
                scene.text((at.0 - 9.0, y), &tick.label, TICK, INK, Align::End);
            }
        }
        if i == 0 {
            let label = font::fit(&y.label, LABEL, size.1);
            scene.text_upward((MARGIN + 0.5 * LABEL, at.1 + 0.5 * size.1), &label, LABEL, INK);
        }
    }
}

impl Slice {
    fn difference(&self, decoded: &Slice) -> Slice {
        let cells = self.cells.iter().zip(&decoded.cells).map(|(a, b)| b - a).collect();
        Slice { n_rows: self.n_rows, n_columns: self.n_columns, cells }
    }

    /// At most one cell a pixel: blocks shrink to their value furthest from zero, NaN before all.
    fn pooled(&self, room: (f64, f64)) -> Slice {
        let n_columns = self.n_columns.min(room.0 as usize).max(1);
        let n_rows = self.n_rows.min(room.1 as usize).max(1);
        let mut cells = vec![0f32; n_rows * n_columns];
        for (r, row) in self.cells.chunks(self.n_columns).enumerate() {
            for (c, &v) in row.iter().enumerate() {
                let cell = &mut cells[r * n_rows / self.n_rows * n_columns + c * n_columns / self.n_columns];
                if v.is_nan() || v.abs() > cell.abs() {
                    *cell = v;
                }
            }
        }
        Slice { n_rows, n_columns, cells }
    }
}

/// An axis of voxel indices 0 to n - 1, ticks at the middles of their voxels.
fn index_axis(label: &str, n: usize) -> Axis {
    let n_ticks = if n < 6 { n.max(1) } else { 5 };
    let mut axis = Axis::linear(label, -0.5, n as f64 - 0.5, n_ticks);
    if n == 1 {
        axis.ticks = vec![Tick { at: 0.5, label: "0".to_owned() }];
    }
    axis
}
