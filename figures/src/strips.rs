//! The same layer many times: rows of small panels on one scale of colours.

use crate::color_scale::{ValueScale, draw_bar, remark};
use crate::error::{Error, Result};
use crate::font;
use crate::frame::{LABEL, TICK, TITLE};
use crate::palette::{GREY, INK, sequential};
use crate::panel::{Slice, index_axis, name_below, name_left, ticks_below, ticks_left};
use crate::render::{self, Format};
use crate::scene::{Align, Scene};
use std::path::Path;

/// The picture of one layer as several methods give it (columns) from more and more sparse samples (rows).
///
/// All panels share one logarithmic colour scale and cover the same area, whatever the number of their cells, so that
/// cells of coarser grids are larger. The axes are those of the first panel of each row: the truth.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Strips {
    /// The line above the picture; may be empty.
    pub title: String,
    /// What stands above the columns.
    pub columns: Vec<String>,
    /// From top to bottom.
    pub rows: Vec<StripRow>,
    /// Names of the axes upwards and to the right.
    pub axis_names: [String; 2],
    /// Name and unit of the values.
    pub value_name: String,
}

/// A row of [`Strips`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StripRow {
    /// What stands to its left.
    pub name: String,
    /// A panel for each column; none where there is nothing to show.
    pub panels: Vec<Option<Strip>>,
}

/// A panel of [`Strips`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Strip {
    /// Rows and columns, both positive.
    pub shape: [usize; 2],
    /// `shape[0] * shape[1]` values, row by row, the lowest row first.
    pub values: Vec<f32>,
    /// What stands below, such as an error; may be empty.
    pub note: String,
}

const MARGIN: f64 = 20.0;
const LEFT: f64 = 128.0;
const RIGHT: f64 = 24.0;
const GAP: f64 = 22.0;
/// Width of a panel, by how many columns there are.
const PANELS: [f64; 6] = [480.0, 480.0, 360.0, 280.0, 240.0, 220.0];
/// Below a panel: ticks and the note.
const NOTE: f64 = TICK + 22.0;
/// Below the lowest panels: labels of ticks, the name of the axis, the colour bar and its labels.
const BELOW: f64 = 166.0;
/// More panels would make a picture that nobody can look at.
const MOST: usize = 12;

impl Strips {
    /// Width and height of the picture in pixels.
    ///
    /// # Errors
    /// [`Error::Data`] as [`Strips::render`].
    pub fn size(&self) -> Result<(u32, u32)> {
        self.check()?;
        let n_columns = self.columns.len() as f64;
        let width = LEFT + n_columns * self.panel().0 + (n_columns - 1.0) * GAP + RIGHT;
        Ok((width.ceil() as u32, (self.bottom() + BELOW).ceil() as u32))
    }

    /// The picture as the bytes of a file.
    ///
    /// # Errors
    /// [`Error::Data`] where a row has not as many panels as there are columns or a panel not as many values as its
    /// shape says, and for fewer than one or more than 12 columns or rows.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene()?, format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`] as [`Strips::render`] or for another ending, [`Error::Io`] where the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        render::save(&self.scene()?, path)
    }

    fn check(&self) -> Result<()> {
        let (n_rows, n_columns) = (self.rows.len(), self.columns.len());
        if !(1..=MOST).contains(&n_rows) || !(1..=MOST).contains(&n_columns) {
            return Err(Error::data(format!(
                "{n_rows} rows of {n_columns} columns; a picture has 1 to {MOST}"
            )));
        }
        for row in &self.rows {
            if row.panels.len() != n_columns {
                let n = row.panels.len();
                return Err(Error::data(format!("row '{}': {n} panels in {n_columns} columns", row.name)));
            }
            for strip in row.panels.iter().flatten() {
                let n = strip.shape[0].checked_mul(strip.shape[1]);
                if n.is_none_or(|n| n == 0 || n != strip.values.len()) {
                    let (shape, n) = (strip.shape, strip.values.len());
                    return Err(Error::data(format!(
                        "row '{}': shape {shape:?} does not fit {n} values",
                        row.name
                    )));
                }
            }
        }
        Ok(())
    }

    /// Extents of the panels. Cells of the first one are square unless that makes it very flat or very tall.
    fn panel(&self) -> (f64, f64) {
        let width = PANELS[(self.columns.len() - 1).min(PANELS.len() - 1)];
        let first = self.rows.iter().flat_map(|row| &row.panels).flatten().next();
        let ratio = first.map_or(1.0, |strip| strip.shape[0] as f64 / strip.shape[1] as f64);
        (width, (width * ratio).clamp(0.5 * width, 1.4 * width).round())
    }

    fn top(&self) -> f64 {
        MARGIN + LABEL + 12.0 + if self.title.is_empty() { 0.0 } else { TITLE + 14.0 }
    }

    /// Where the lowest row of panels ends.
    fn bottom(&self) -> f64 {
        let n_rows = self.rows.len() as f64;
        self.top() + n_rows * self.panel().1 + (n_rows - 1.0) * NOTE
    }

    fn scene(&self) -> Result<Scene> {
        let (width, height) = self.size()?;
        let size = self.panel();
        let strips = || self.rows.iter().flat_map(|row| &row.panels).flatten();
        let colors = ValueScale::over(strips().flat_map(|strip| &strip.values));
        let mut scene = Scene::new(width, height);
        let across = f64::from(width) - LEFT - RIGHT;
        let title = font::fit(&self.title, TITLE, across);
        scene.text((LEFT, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);
        let [up, right] = &self.axis_names;
        for (k, name) in self.columns.iter().enumerate() {
            let at = (LEFT + k as f64 * (size.0 + GAP), self.top() - 10.0 - 0.5 * LABEL);
            scene.text(at, &font::fit(name, LABEL, size.0), LABEL, INK, Align::Start);
        }
        for (i, row) in self.rows.iter().enumerate() {
            let top = self.top() + i as f64 * (size.1 + NOTE);
            let bottom = top + size.1;
            let is_last = i + 1 == self.rows.len();
            let truth = row.panels.iter().flatten().next();
            let [n_rows, n_columns] = truth.map_or([1, 1], |strip| strip.shape);
            let (x_axis, y_axis) = (index_axis(right, n_columns), index_axis(up, n_rows));
            for (k, strip) in row.panels.iter().enumerate() {
                let at = (LEFT + k as f64 * (size.0 + GAP), top);
                let Some(strip) = strip else { continue };
                let [n_rows, n_columns] = strip.shape;
                let slice = Slice { n_rows, n_columns, cells: strip.values.clone() };
                slice.draw(&mut scene, at, size, |v| colors.color(v));
                let note = font::fit(&strip.note, TICK, size.0 + GAP);
                // The labels of the lowest ticks come first.
                let down = if is_last { 26.0 } else { 0.0 };
                let place = (at.0, bottom + down + 10.0 + 0.5 * TICK);
                scene.text(place, &note, TICK, INK, Align::Start);
                ticks_below(&mut scene, &x_axis, (at.0, bottom), size.0, is_last);
                ticks_left(&mut scene, &y_axis, (at.0, bottom), size.1, k == 0);
            }
            let middle = top + 0.5 * size.1;
            let name = font::fit(&row.name, LABEL, size.1);
            scene.text_upward((MARGIN + 0.5 * LABEL, middle), &name, LABEL, INK);
            name_left(&mut scene, &y_axis, (MARGIN + 2.0 * LABEL, middle), size.1);
            if is_last {
                for k in 0..self.columns.len() {
                    let at = (LEFT + k as f64 * (size.0 + GAP), bottom + 30.0);
                    name_below(&mut scene, &x_axis, at, size.0);
                }
            }
        }
        let place = (LEFT, self.bottom() + 100.0);
        let room = across.min(720.0);
        match colors.axis(&self.value_name) {
            Some(axis) => draw_bar(&mut scene, place, room, &axis, sequential),
            None => remark(&mut scene, place, room, "no value above 0"),
        }
        if strips().flat_map(|strip| &strip.values).any(|v| !v.is_finite() || *v < 0.0) {
            let at = (f64::from(width) - RIGHT, place.1 + 8.0);
            scene.text(at, "grey: negative or not finite", TICK - 2.0, GREY, Align::End);
        }
        Ok(scene)
    }
}
