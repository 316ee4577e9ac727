//! The frame that all charts share: title, axes with a grid, room for data, a legend beside them.

use crate::axis::Axis;
use crate::font;
use crate::palette::{FAINT, GREY, GRID, INK};
use crate::scene::{Align, Scene};
use plotters::style::RGBColor;

/// Width and height of every chart, in pixels.
pub const CHART_SIZE: (u32, u32) = (960, 600);

pub(crate) const TITLE: f64 = 22.0;
pub(crate) const LABEL: f64 = 18.0;
pub(crate) const TICK: f64 = 16.0;

/// How a legend shows a series.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Key {
    /// A line with the marker of this shape.
    Marked(usize),
    /// A filled area with a line above.
    Area,
    /// A line.
    Plain,
    /// A dashed line.
    Dashed,
    /// A star alone.
    Star,
}

/// One entry of a legend: a name and, in grey below it, a note.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub name: String,
    pub note: String,
    pub color: RGBColor,
    pub key: Key,
}

/// The area for data and its two axes.
#[derive(Debug)]
pub(crate) struct Frame {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
    x: Axis,
    y: Axis,
}

const KEY_WIDTH: f64 = 34.0;
const MARGIN: f64 = 20.0;

impl Frame {
    /// Draws title, axes, grid and legend into a new scene and keeps the rest for data.
    pub(crate) fn start(title: &str, x: Axis, y: Axis, legend: &[Entry]) -> (Frame, Scene) {
        let (width, height) = (f64::from(CHART_SIZE.0), f64::from(CHART_SIZE.1));
        let mut scene = Scene::new(CHART_SIZE.0, CHART_SIZE.1);
        let longest = |f: fn(&Entry) -> &String, size| {
            legend.iter().map(|e| font::width(f(e), size)).fold(0.0, f64::max)
        };
        let text = longest(|e| &e.name, TICK).max(longest(|e| &e.note, TICK - 2.0)).min(270.0);
        let legend_width = if legend.is_empty() { 0.0 } else { text + KEY_WIDTH + MARGIN };
        let tick = y.ticks.iter().map(|t| font::width(&t.label, TICK)).fold(20.0, f64::max);
        let left = MARGIN + LABEL + 16.0 + tick.min(120.0);
        let top = if title.is_empty() { MARGIN } else { MARGIN + TITLE + 16.0 };
        let bottom = MARGIN + LABEL + TICK + 22.0;
        let frame = Frame {
            left,
            top,
            width: width - left - legend_width - MARGIN,
            height: height - top - bottom,
            x,
            y,
        };
        let title = font::fit(title, TITLE, width - left - MARGIN);
        scene.text((left, MARGIN + 0.5 * TITLE), &title, TITLE, INK, Align::Start);
        frame.draw_grid(&mut scene);
        frame.draw_labels(&mut scene);
        frame.draw_legend(&mut scene, legend, text);
        (frame, scene)
    }

    /// The outline, over whatever data touch it.
    pub(crate) fn finish(&self, scene: &mut Scene) {
        scene.frame((self.left, self.top), (self.width, self.height), INK);
    }

    /// Where a point lies in the picture; none where an axis cannot show it.
    pub(crate) fn point(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.across(self.x.fraction(x)?), self.up(self.y.fraction(y)?)))
    }

    /// Like [`Frame::point`], and none outside the frame.
    pub(crate) fn point_inside(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        let inside = |at: f64| (-1e-9..=1.0 + 1e-9).contains(&at);
        self.point(x, y)
            .filter(|_| self.x.fraction(x).is_some_and(inside) && self.y.fraction(y).is_some_and(inside))
    }

    /// Horizontal position of the left edge.
    pub(crate) fn left(&self) -> f64 {
        self.left
    }

    /// Horizontal position of the right edge.
    pub(crate) fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Vertical positions of the upper and the lower edge.
    pub(crate) fn vertical(&self) -> (f64, f64) {
        (self.top, self.top + self.height)
    }

    /// A dashed horizontal line at `y`, if the axis shows it.
    pub(crate) fn level(&self, scene: &mut Scene, y: f64, color: RGBColor) {
        if let Some(at) = self.y.fraction(y).filter(|at| (0.0..=1.0).contains(at)) {
            scene.dashes((self.left, self.up(at)), (self.right(), self.up(at)), 1.5, color);
        }
    }

    /// A sentence in the middle, for a frame without data.
    pub(crate) fn say(&self, scene: &mut Scene, text: &str) {
        let middle = (self.across(0.5), self.up(0.5));
        scene.text(middle, text, LABEL, GREY, Align::Middle);
    }

    /// A small remark at the lower right of the picture.
    pub(crate) fn remark(&self, scene: &mut Scene, text: &str) {
        let at = (f64::from(CHART_SIZE.0) - MARGIN, f64::from(CHART_SIZE.1) - MARGIN - 0.5 * LABEL);
        scene.text(at, text, TICK - 2.0, GREY, Align::End);
    }

    fn across(&self, at: f64) -> f64 {
        self.left + at * self.width
    }

    fn up(&self, at: f64) -> f64 {
        self.top + (1.0 - at) * self.height
    }

    fn draw_grid(&self, scene: &mut Scene) {
        let (top, bottom) = self.vertical();
        let inside = |at: &&f64| (0.0..=1.0).contains(*at);
        let labelled = |axis: &Axis| axis.ticks.iter().map(|t| t.at).collect::<Vec<_>>();
        let sets = [(&self.x.minor, &self.y.minor, FAINT), (&labelled(&self.x), &labelled(&self.y), GRID)];
        for (xs, ys, color) in sets {
            for at in xs.iter().filter(inside) {
                scene.line(vec![(self.across(*at), top), (self.across(*at), bottom)], 1.0, color);
            }
            for at in ys.iter().filter(inside) {
                scene.line(vec![(self.left, self.up(*at)), (self.right(), self.up(*at))], 1.0, color);
            }
        }
        if let Some(end) = self.y.zero_row() {
            scene.dashes((self.left, self.up(end)), (self.right(), self.up(end)), 1.0, GREY);
        }
    }

    fn draw_labels(&self, scene: &mut Scene) {
        let (_, bottom) = self.vertical();
        for tick in &self.x.ticks {
            let x = self.across(tick.at);
            scene.line(vec![(x, bottom), (x, bottom + 6.0)], 1.0, INK);
            scene.text((x, bottom + 10.0 + 0.5 * TICK), &tick.label, TICK, INK, Align::Middle);
        }
        for tick in &self.y.ticks {
            let y = self.up(tick.at);
            scene.line(vec![(self.left - 6.0, y), (self.left, y)], 1.0, INK);
            scene.text((self.left - 10.0, y), &tick.label, TICK, INK, Align::End);
        }
        let label = font::fit(&self.x.label, LABEL, self.width);
        let at = (self.across(0.5), f64::from(CHART_SIZE.1) - MARGIN - 0.5 * LABEL);
        scene.text(at, &label, LABEL, INK, Align::Middle);
        let label = font::fit(&self.y.label, LABEL, self.height);
        scene.text_upward((MARGIN + 0.5 * LABEL, self.up(0.5)), &label, LABEL, INK);
    }

    fn draw_legend(&self, scene: &mut Scene, legend: &[Entry], room: f64) {
        let (top, bottom) = self.vertical();
        let left = self.right() + MARGIN;
        let mut y = top + 0.5 * TICK + 2.0;
        let line = ((bottom - top) / legend.len().max(1) as f64).clamp(TICK + 3.0, 26.0);
        for (i, entry) in legend.iter().enumerate() {
            let height = if entry.note.is_empty() { line } else { 45.0 };
            let more = legend.len() - i;
            if y + height > bottom && more > 1 {
                scene.text((left + KEY_WIDTH, y), &format!("and {more} more"), TICK, GREY, Align::Start);
                return;
            }
            draw_key(scene, (left, y), entry);
            let name = font::fit(&entry.name, TICK, room);
            scene.text((left + KEY_WIDTH, y), &name, TICK, INK, Align::Start);
            let note = font::fit(&entry.note, TICK - 2.0, room);
            scene.text((left + KEY_WIDTH, y + 19.0), &note, TICK - 2.0, GREY, Align::Start);
            y += height;
        }
    }
}

fn draw_key(scene: &mut Scene, (x, y): (f64, f64), entry: &Entry) {
    let (from, to) = ((x, y), (x + 26.0, y));
    let middle = (x + 13.0, y);
    match entry.key {
        Key::Marked(shape) => {
            scene.line(vec![from, to], 2.5, entry.color);
            scene.marker(middle, shape, entry.color);
        }
        Key::Area => {
            let area = vec![(x, y - 5.0), (x + 26.0, y - 5.0), (x + 26.0, y + 6.0), (x, y + 6.0)];
            scene.fill(area, entry.color, 0.3);
            scene.line(vec![(x, y - 5.0), (x + 26.0, y - 5.0)], 2.0, entry.color);
        }
        Key::Plain => scene.line(vec![from, to], 2.5, entry.color),
        Key::Dashed => scene.dashes(from, to, 1.5, entry.color),
        Key::Star => scene.star(middle, entry.color),
    }
}
