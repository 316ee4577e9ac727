//! Any figure against any other: named lines on logarithmic axes, several charts to a sheet.

use crate::axis::Axis;
use crate::error::Result;
use crate::frame::{CHART_SIZE, Entry, Frame, Key};
use crate::palette::series;
use crate::render::{self, Format};
use crate::scene::Scene;
use std::path::Path;

/// One series of a chart.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Line {
    /// Its name in the legend. The same name has the same colour and marker all over a sheet.
    pub name: String,
    /// Points (to the right, up), in any order. What a logarithmic axis cannot show is left out; a zero upwards has a
    /// row of its own.
    pub points: Vec<(f64, f64)>,
    /// Whether a line joins them, by rising value to the right; else there are markers alone.
    pub joined: bool,
}

/// Lines on a pair of logarithmic axes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Chart {
    /// The line above it; may be empty.
    pub title: String,
    /// What is to the right.
    pub x_label: String,
    /// What is upwards.
    pub y_label: String,
    /// The series.
    pub lines: Vec<Line>,
}

/// Charts side by side, each of [`CHART_SIZE`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet {
    /// The charts, row by row.
    pub charts: Vec<Chart>,
    /// Charts in a row; 0 counts as 1.
    pub n_columns: usize,
}

impl Sheet {
    /// The picture as the bytes of a file.
    ///
    /// # Errors
    /// Only where the drawing library fails.
    pub fn render(&self, format: Format) -> Result<Vec<u8>> {
        render::render(&self.scene(), format)
    }

    /// The picture as an SVG or PNG file, by the ending of `path`.
    ///
    /// # Errors
    /// [`Error::Data`](crate::Error::Data) for another ending, [`Error::Io`](crate::Error::Io) where the file cannot
    /// be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        render::save(&self.scene(), path)
    }

    fn scene(&self) -> Scene {
        let mut names: Vec<&str> = Vec::new();
        for line in self.charts.iter().flat_map(|chart| &chart.lines) {
            if !names.contains(&line.name.as_str()) {
                names.push(&line.name);
            }
        }
        let n_columns = self.n_columns.clamp(1, self.charts.len().max(1));
        let n_rows = self.charts.len().div_ceil(n_columns).max(1);
        let (width, height) = CHART_SIZE;
        let mut sheet = Scene::new(width * n_columns as u32, height * n_rows as u32);
        for (i, chart) in self.charts.iter().enumerate() {
            let (row, column) = (i / n_columns, i % n_columns);
            let corner = (f64::from(width) * column as f64, f64::from(height) * row as f64);
            sheet.place(chart.scene(&names), corner);
        }
        sheet
    }
}

impl Chart {
    /// The chart, its lines drawn as their places among `names` say.
    fn scene(&self, names: &[&str]) -> Scene {
        let place = |line: &Line| names.iter().position(|name| *name == line.name).unwrap_or(0);
        let points = || self.lines.iter().flat_map(|line| &line.points);
        // Few enough that long numbers have room beside each other.
        let x = Axis::log(&self.x_label, points().map(|p| p.0), false, 6);
        let y = Axis::log(&self.y_label, points().map(|p| p.1), true, 9);
        let legend: Vec<Entry> = self
            .lines
            .iter()
            .map(|line| Entry {
                name: line.name.clone(),
                note: String::new(),
                color: series(place(line)),
                key: Key::Marked(place(line)),
            })
            .collect();
        let (frame, mut scene) = Frame::start(&self.title, x, y, &legend);
        let mut is_empty = true;
        for line in &self.lines {
            let mut own: Vec<(f64, f64)> = line.points.clone();
            own.sort_by(|a, b| a.0.total_cmp(&b.0));
            let own: Vec<_> = own.into_iter().filter_map(|(x, y)| frame.point(x, y)).collect();
            is_empty &= own.is_empty();
            if line.joined {
                scene.line(own.clone(), 2.5, series(place(line)));
            }
            for point in own {
                scene.marker(point, place(line), series(place(line)));
            }
        }
        frame.finish(&mut scene);
        if is_empty {
            frame.say(&mut scene, "nothing that a logarithmic axis can show");
        }
        scene
    }
}
