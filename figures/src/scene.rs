//! A picture before it becomes a file: what to draw where, in pixels from the upper left corner.

use crate::palette::WHITE;
use plotters::style::RGBColor;

/// Where the anchor of a text lies along its line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Align {
    Start,
    Middle,
    End,
}

/// One thing to draw. Coordinates that are not finite make it disappear.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// An open line through the points.
    Line { points: Vec<(f64, f64)>, width: f64, color: RGBColor, alpha: f64 },
    /// A filled polygon.
    Fill { points: Vec<(f64, f64)>, color: RGBColor, alpha: f64 },
    /// Text centred on `at` across its line; `upward` turns it by 90 degrees.
    Text { at: (f64, f64), text: String, size: f64, color: RGBColor, align: Align, upward: bool },
}

/// A rectangle of coloured cells, painted under everything else. Row 0 is at the top.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Raster {
    pub at: (f64, f64),
    pub size: (f64, f64),
    pub n_columns: usize,
    pub n_rows: usize,
    /// `n_rows * n_columns` colours, row by row.
    pub cells: Vec<RGBColor>,
}

/// The shapes that tell series apart beside their colours.
pub(crate) const N_MARKERS: usize = 5;

/// Everything of one picture, in drawing order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Scene {
    pub size: (u32, u32),
    pub rasters: Vec<Raster>,
    pub items: Vec<Item>,
}

impl Scene {
    pub(crate) fn new(width: u32, height: u32) -> Self {
        Scene { size: (width, height), rasters: Vec::new(), items: Vec::new() }
    }

    pub(crate) fn line(&mut self, points: Vec<(f64, f64)>, width: f64, color: RGBColor) {
        self.items.push(Item::Line { points, width, color, alpha: 1.0 });
    }

    /// A straight line of dashes.
    pub(crate) fn dashes(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: RGBColor) {
        const PERIOD: f64 = 10.0;
        let length = (to.0 - from.0).hypot(to.1 - from.1);
        if !length.is_finite() || length > 1e5 {
            return;
        }
        let place = |d: f64| (from.0 + (to.0 - from.0) * d / length, from.1 + (to.1 - from.1) * d / length);
        let mut start = 0.0;
        while start < length {
            self.line(vec![place(start), place((start + 0.6 * PERIOD).min(length))], width, color);
            start += PERIOD;
        }
    }

    pub(crate) fn fill(&mut self, points: Vec<(f64, f64)>, color: RGBColor, alpha: f64) {
        self.items.push(Item::Fill { points, color, alpha });
    }

    pub(crate) fn text(&mut self, at: (f64, f64), text: &str, size: f64, color: RGBColor, align: Align) {
        self.push_text(at, text, size, color, align, false);
    }

    pub(crate) fn text_upward(&mut self, at: (f64, f64), text: &str, size: f64, color: RGBColor) {
        self.push_text(at, text, size, color, Align::Middle, true);
    }

    fn push_text(
        &mut self,
        at: (f64, f64),
        text: &str,
        size: f64,
        color: RGBColor,
        align: Align,
        upward: bool,
    ) {
        // Control characters are not allowed in XML and have no glyph.
        let text: String = text.chars().map(|c| if is_plain(c) { c } else { ' ' }).collect();
        self.items.push(Item::Text { at, text, size, color, align, upward });
    }

    /// Puts another scene into this one, its upper left corner at `corner`.
    pub(crate) fn place(&mut self, other: Scene, corner: (f64, f64)) {
        let moved = |(x, y): (f64, f64)| (x + corner.0, y + corner.1);
        self.rasters
            .extend(other.rasters.into_iter().map(|raster| Raster { at: moved(raster.at), ..raster }));
        self.items.extend(other.items.into_iter().map(|mut item| {
            match &mut item {
                Item::Line { points, .. } | Item::Fill { points, .. } => {
                    points.iter_mut().for_each(|p| *p = moved(*p));
                }
                Item::Text { at, .. } => *at = moved(*at),
            }
            item
        }));
    }

    /// The outline of a rectangle.
    pub(crate) fn frame(&mut self, at: (f64, f64), size: (f64, f64), color: RGBColor) {
        let (x0, y0, x1, y1) = (at.0, at.1, at.0 + size.0, at.1 + size.1);
        self.line(vec![(x0, y0), (x1, y0), (x1, y1), (x0, y1), (x0, y0)], 1.0, color);
    }

    /// Marker of the `shape`-th series at a point, with a white rim so that it stands out on lines.
    pub(crate) fn marker(&mut self, at: (f64, f64), shape: usize, color: RGBColor) {
        let (radius, corners, turn) = match shape % N_MARKERS {
            0 => (5.0, 24, 0.0),
            1 => (6.2, 4, 0.125),
            2 => (6.8, 3, 0.25),
            3 => (6.4, 4, 0.0),
            _ => (6.8, 3, 0.75),
        };
        // The rim of a triangle must be wider at its corners to be even along its sides.
        let rim = 1.5 / (std::f64::consts::PI / f64::from(corners)).cos();
        self.fill(regular(at, radius + rim, corners, turn), WHITE, 1.0);
        self.fill(regular(at, radius, corners, turn), color, 1.0);
    }

    /// A five-pointed star at a point, with a white rim.
    pub(crate) fn star(&mut self, at: (f64, f64), color: RGBColor) {
        for (radius, color) in [(11.0, WHITE), (8.5, color)] {
            let outer = regular(at, radius, 5, 0.25);
            let inner = regular(at, radius * 0.45, 5, 0.25 + 0.1);
            let outline = outer.into_iter().zip(inner).flat_map(|(o, i)| [o, i]).collect();
            self.fill(outline, color, 1.0);
        }
    }
}

/// Corners of a regular polygon, the first at `turn` turns counter-clockwise from the right.
fn regular(at: (f64, f64), radius: f64, corners: u32, turn: f64) -> Vec<(f64, f64)> {
    (0..corners)
        .map(|i| {
            let angle = std::f64::consts::TAU * (turn + f64::from(i) / f64::from(corners));
            (at.0 + radius * angle.cos(), at.1 - radius * angle.sin())
        })
        .collect()
}

/// Whether XML allows the character and it is not a control character.
fn is_plain(c: char) -> bool {
    !c.is_control() && c != '\u{fffe}' && c != '\u{ffff}'
}
