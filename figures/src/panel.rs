//! Layers of events as rectangles of coloured cells, with axes of voxel indices.

use crate::axis::{Axis, Tick};
use crate::font;
use crate::frame::{LABEL, TICK};
use crate::palette::INK;
use crate::scene::{Align, Raster, Scene};
use plotters::style::RGBColor;

/// A rectangle of values, row 0 at the bottom.
#[derive(Debug, Clone)]
pub(crate) struct Slice {
    pub n_rows: usize,
    pub n_columns: usize,
    /// Row by row, `n_rows * n_columns` of them, both positive.
    pub cells: Vec<f32>,
}

impl Slice {
    /// These values less `other`'s.
    pub(crate) fn minus(&self, other: &Slice) -> Slice {
        let cells = self.cells.iter().zip(&other.cells).map(|(a, b)| a - b).collect();
        Slice { cells, ..*self }
    }

    /// Other values in the same cells.
    pub(crate) fn map(&self, f: impl Fn(f32) -> f32) -> Slice {
        Slice { cells: self.cells.iter().map(|v| f(*v)).collect(), ..*self }
    }

    /// Paints the cells and their outline.
    pub(crate) fn draw(
        &self,
        scene: &mut Scene,
        at: (f64, f64),
        size: (f64, f64),
        color: impl Fn(f32) -> RGBColor,
    ) {
        let small = self.pooled(size);
        // Rasters have their first row at the top, slices at the bottom.
        let cells = small.cells.chunks(small.n_columns).rev().flatten().map(|v| color(*v)).collect();
        scene.rasters.push(Raster { at, size, n_columns: small.n_columns, n_rows: small.n_rows, cells });
        scene.frame(at, size, INK);
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

/// Ticks of an axis below a panel, with or without their labels.
pub(crate) fn ticks_below(scene: &mut Scene, axis: &Axis, at: (f64, f64), width: f64, labelled: bool) {
    for tick in &axis.ticks {
        let x = at.0 + tick.at * width;
        scene.line(vec![(x, at.1), (x, at.1 + 5.0)], 1.0, INK);
        if labelled {
            scene.text((x, at.1 + 9.0 + 0.5 * TICK), &tick.label, TICK, INK, Align::Middle);
        }
    }
}

/// The name of an axis below the labels of its ticks.
pub(crate) fn name_below(scene: &mut Scene, axis: &Axis, at: (f64, f64), width: f64) {
    let label = font::fit(&axis.label, LABEL, width);
    scene.text((at.0 + 0.5 * width, at.1 + 32.0 + 0.5 * LABEL), &label, LABEL, INK, Align::Middle);
}

/// Ticks of an axis to the left of a panel whose lower left corner is `at`, with or without their labels.
pub(crate) fn ticks_left(scene: &mut Scene, axis: &Axis, at: (f64, f64), height: f64, labelled: bool) {
    for tick in &axis.ticks {
        let y = at.1 - tick.at * height;
        scene.line(vec![(at.0 - 5.0, y), (at.0, y)], 1.0, INK);
        if labelled {
            scene.text((at.0 - 9.0, y), &tick.label, TICK, INK, Align::End);
        }
    }
}

/// The name of an axis, upwards around `middle`.
pub(crate) fn name_left(scene: &mut Scene, axis: &Axis, middle: (f64, f64), height: f64) {
    let label = font::fit(&axis.label, LABEL, height);
    scene.text_upward(middle, &label, LABEL, INK);
}

/// An axis of voxel indices 0 to n - 1, ticks at the middles of their voxels.
pub(crate) fn index_axis(label: &str, n: usize) -> Axis {
    let n_ticks = if n < 6 { n.max(1) } else { 5 };
    let mut axis = Axis::linear(label, -0.5, n as f64 - 0.5, n_ticks);
    if n == 1 {
        axis.ticks = vec![Tick { at: 0.5, label: "0".to_owned() }];
    }
    axis
}
