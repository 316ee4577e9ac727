//! The font that ships with this crate.
//!
//! DejaVu Sans, cut down to Basic Latin and a few symbols, no hinting; its licence lies beside it. SVG pictures name
//! the family and leave the drawing to the viewer, PNG pictures are drawn with it.

use crate::error::{Error, Result};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};
use std::sync::OnceLock;

/// Registered under the whole fallback list, because this is the string that SVG files carry.
const FAMILY: &str = "DejaVu Sans, Verdana, Arial, sans-serif";
const BYTES: &[u8] = include_bytes!("../fonts/DejaVuSans-subset.ttf");

/// Line height of the font in em: what the pixel backend takes as the size of a text.
pub(crate) const PIXEL_SIZE: f64 = 1.164;
/// What the SVG backend takes to be the line height of every font.
pub(crate) const VECTOR_SIZE: f64 = 1.24;

/// The font at `size` in the unit of a backend: pixels an em times [`PIXEL_SIZE`] or [`VECTOR_SIZE`].
pub(crate) fn font(size: f64) -> Result<FontDesc<'static>> {
    static READY: OnceLock<bool> = OnceLock::new();
    if !READY.get_or_init(|| register_font(FAMILY, FontStyle::Normal, BYTES).is_ok()) {
        return Err(Error::data("the font of this crate cannot be read"));
    }
    Ok(FontDesc::new(FontFamily::Name(FAMILY), size, FontStyle::Normal))
}

/// Width of `text` in pixels at `size` pixels an em; an estimate where the font cannot say.
pub(crate) fn width(text: &str, size: f64) -> f64 {
    // Measured large, since the library rounds widths to whole pixels.
    let measured = font(size * 16.0 * PIXEL_SIZE).ok().and_then(|font| font.layout_box(text).ok());
    measured.map_or(text.chars().count() as f64 * size * 0.6, |((x0, _), (x1, _))| f64::from(x1 - x0) / 16.0)
}

/// `text` cut to `room` pixels, with an ellipsis where something is missing.
pub(crate) fn fit(text: &str, size: f64, room: f64) -> String {
    // Nothing wider than this fits anyway, and measuring costs time per character.
    const LONGEST: usize = 400;
    let text: String = text.chars().take(LONGEST).collect();
    if width(&text, size) <= room {
        return text;
    }
    let mut kept = text;
    while kept.pop().is_some() {
        let cut = format!("{}…", kept.trim_end());
        if width(&cut, size) <= room {
            return cut;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_text_is_wider() {
        let (short, long) = (width("ratio", 16.0), width("ratio ratio", 16.0));
        assert!(short > 20.0 && long > 2.0 * short, "{short} {long}");
    }

    #[test]
    fn long_text_is_cut_to_the_room() {
        let cut = fit(&"wedge ".repeat(1000), 16.0, 120.0);
        assert!(cut.ends_with('…') && width(&cut, 16.0) <= 120.0, "{cut}");
        assert_eq!(fit("short", 16.0, 120.0), "short");
        assert_eq!(fit("anything", 16.0, 0.0), "");
    }
}
