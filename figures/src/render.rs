//! Scenes to bytes: SVG text or PNG.

use crate::error::{Error, Result};
use crate::scene::{Align, Item, Raster, Scene};
use crate::{file, font};
use plotters::prelude::{BitMapBackend, DrawingBackend, SVGBackend};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBAColor, RGBColor, ShapeStyle, TextStyle};
use std::fmt::{Display, Write};
use std::path::Path;

/// The two kinds of pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Scalable, small, text stays text. The same rows give the same bytes.
    Svg,
    /// Pixels.
    Png,
}

impl Format {
    /// The format that the ending of `path` asks for.
    ///
    /// # Errors
    /// [`Error::Data`] where the ending is neither `.svg` nor `.png`.
    pub fn of(path: &Path) -> Result<Format> {
        match file::ending(path).as_str() {
            "svg" => Ok(Format::Svg),
            "png" => Ok(Format::Png),
            _ => Err(Error::data(format!("{}: pictures are .svg or .png files", path.display()))),
        }
    }
}

/// The libraries place things at whole units, so SVG pictures are drawn on a grid finer than a pixel ...
const SVG_SCALE: u32 = 4;
/// ... and PNG pictures larger than asked and then averaged, which also smooths every edge.
const PNG_SCALE: u32 = 3;

pub(crate) fn render(scene: &Scene, format: Format) -> Result<Vec<u8>> {
    match format {
        Format::Svg => svg(scene).map(String::into_bytes),
        Format::Png => png(scene),
    }
}

pub(crate) fn save(scene: &Scene, path: &Path) -> Result<()> {
    file::write_whole(path, &render(scene, Format::of(path)?)?)
}

fn svg(scene: &Scene) -> Result<String> {
    let (width, height) = scene.size;
    let (wide, high) = (width * SVG_SCALE, height * SVG_SCALE);
    let mut body = String::new();
    {
        let mut backend = SVGBackend::with_string(&mut body, (wide, high));
        for item in &scene.items {
            paint(&mut backend, item, f64::from(SVG_SCALE), true)?;
        }
        backend.present().map_err(drawing)?;
    }
    // The library's opening tag asks for the fine grid as pixels; ours maps it to the size of the scene.
    let start = body.find('>').map_or(0, |i| i + 1);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {wide} {high}\">\n<rect width=\"{wide}\" height=\"{high}\" fill=\"#FFFFFF\"/>\n"
    );
    for raster in &scene.rasters {
        let place = [raster.at.0, raster.at.1, raster.size.0, raster.size.1];
        if !place.iter().all(|v| v.is_finite()) {
            continue;
        }
        let [x, y, w, h] = place.map(|v| grid(v, f64::from(SVG_SCALE)));
        let data = base64(&encode_png(&raster_bytes(raster), raster.n_columns, raster.n_rows)?);
        writeln!(
            text,
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"data:image/png;base64,{data}\"/>"
        )
        .map_err(drawing)?;
    }
    text.push_str(body.get(start..).unwrap_or_default().trim_start());
    Ok(text)
}

fn png(scene: &Scene) -> Result<Vec<u8>> {
    let (width, height) = (scene.size.0 as usize, scene.size.1 as usize);
    let scale = PNG_SCALE as usize;
    let (wide, high) = (width * scale, height * scale);
    let mut pixels = vec![0xFF; wide * high * 3];
    for raster in &scene.rasters {
        blit(raster, &mut pixels, wide, high);
    }
    {
        let mut backend = BitMapBackend::with_buffer(&mut pixels, (wide as u32, high as u32));
        for item in &scene.items {
            paint(&mut backend, item, f64::from(PNG_SCALE), false)?;
        }
        backend.present().map_err(drawing)?;
    }
    let mut small = Vec::with_capacity(width * height * 3);
    let n = (scale * scale) as u32;
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for channel in 0..3 {
            let mut sum = 0;
            for row in y * scale..(y + 1) * scale {
                for column in x * scale..(x + 1) * scale {
                    sum += u32::from(pixels[(row * wide + column) * 3 + channel]);
                }
            }
            small.push(((sum + n / 2) / n) as u8);
        }
    }
    encode_png(&small, width, height)
}

/// Coordinate on the library's grid. Far outside is as good as just outside and cannot overflow.
fn grid(v: f64, scale: f64) -> i32 {
    (v * scale).round().clamp(-1e5, 1e5) as i32
}

fn style(color: RGBColor, alpha: f64, stroke: u32) -> ShapeStyle {
    let color = RGBAColor(color.0, color.1, color.2, alpha);
    ShapeStyle { color, filled: true, stroke_width: stroke }
}

fn paint<B: DrawingBackend>(backend: &mut B, item: &Item, scale: f64, vector: bool) -> Result<()> {
    let place = |points: &[(f64, f64)]| -> Option<Vec<(i32, i32)>> {
        points
            .iter()
            .map(|(x, y)| (x.is_finite() && y.is_finite()).then(|| (grid(*x, scale), grid(*y, scale))))
            .collect()
    };
    match item {
        Item::Line { points, width, color, alpha } => {
            let stroke = grid(*width, scale).max(1) as u32;
            let style = style(*color, *alpha, stroke);
            match place(points) {
                Some(points) if points.len() >= 2 && vector => {
                    backend.draw_path(points, &style).map_err(drawing)
                }
                Some(points) => strokes(backend, &points, &style),
                None => Ok(()),
            }
        }
        Item::Fill { points, color, alpha } => match place(points) {
            Some(points) if points.len() >= 3 => {
                backend.fill_polygon(points, &style(*color, *alpha, 1)).map_err(drawing)
            }
            _ => Ok(()),
        },
        Item::Text { at, text, size, color, align, upward } => {
            // The backends centre text differently; these drops put the middle of the digits on the anchor.
            let (unit, drop) = if vector { (font::VECTOR_SIZE, 0.06) } else { (font::PIXEL_SIZE, 0.22) };
            let at = if *upward { (at.0 + drop * size, at.1) } else { (at.0, at.1 + drop * size) };
            let Some(at) = place(&[at]).and_then(|p| p.first().copied()) else {
                return Ok(());
            };
            if text.trim().is_empty() {
                return Ok(());
            }
            let mut font = font::font(size * scale * unit)?;
            if *upward {
                font = font.transform(FontTransform::Rotate270);
            }
            let h_pos = match align {
                Align::Start => HPos::Left,
                Align::Middle => HPos::Center,
                Align::End => HPos::Right,
            };
            let style =
                TextStyle { font, color: color.to_backend_color(), pos: Pos::new(h_pos, VPos::Center) };
            backend.draw_text(text, &style, at).map_err(drawing)
        }
    }
}

/// A line as single segments with round joints: the library's outlines of long bent lines cross themselves.
fn strokes<B: DrawingBackend>(backend: &mut B, points: &[(i32, i32)], style: &ShapeStyle) -> Result<()> {
    for pair in points.windows(2).filter(|pair| pair[0] != pair[1]) {
        backend.draw_path(pair.iter().copied(), style).map_err(drawing)?;
    }
    if style.stroke_width > 2 && points.len() > 2 {
        for &point in &points[1..points.len() - 1] {
            backend.draw_circle(point, style.stroke_width / 2, style, true).map_err(drawing)?;
        }
    }
    Ok(())
}

fn raster_bytes(raster: &Raster) -> Vec<u8> {
    raster.cells.iter().flat_map(|c| [c.0, c.1, c.2]).collect()
}

/// Paints the cells onto `pixels` (`high` rows of `wide` RGB pixels) of the enlarged picture.
fn blit(raster: &Raster, pixels: &mut [u8], wide: usize, high: usize) {
    let scale = f64::from(PNG_SCALE);
    let span = |at: f64, size: f64, limit: usize| {
        let from = (at * scale).round().clamp(0.0, limit as f64);
        let to = ((at + size) * scale).round().clamp(from, limit as f64);
        (from as usize, to as usize)
    };
    let (left, right) = span(raster.at.0, raster.size.0, wide);
    let (top, bottom) = span(raster.at.1, raster.size.1, high);
    for y in top..bottom {
        let row = (y - top) * raster.n_rows / (bottom - top);
        for x in left..right {
            let column = (x - left) * raster.n_columns / (right - left);
            if let Some(color) = raster.cells.get(row * raster.n_columns + column) {
                let at = (y * wide + x) * 3;
                pixels[at..at + 3].copy_from_slice(&[color.0, color.1, color.2]);
            }
        }
    }
}

fn encode_png(rgb: &[u8], width: usize, height: usize) -> Result<Vec<u8>> {
    let failed = |e: png::EncodingError| Error::data(format!("picture as PNG: {e}"));
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().map_err(failed)?;
    writer.write_image_data(rgb).map_err(failed)?;
    writer.finish().map_err(failed)?;
    Ok(bytes)
}

/// Base64 of RFC 4648, with padding.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().enumerate().fold(0u32, |word, (i, b)| word | u32::from(*b) << (16 - 8 * i));
        for i in 0..4 {
            let digit = (word >> (18 - 6 * i)) as usize & 63;
            text.push(if i <= chunk.len() { DIGITS[digit] as char } else { '=' });
        }
    }
    text
}

fn drawing(error: impl Display) -> Error {
    Error::data(format!("drawing: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_agrees_with_the_vectors_of_rfc_4648() {
        let vectors = [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ];
        for (plain, coded) in vectors {
            assert_eq!(base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn coordinates_that_are_not_finite_draw_nothing() {
        let mut scene = Scene::new(40, 40);
        let empty = render(&scene, Format::Png).unwrap();
        for v in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            scene.line(vec![(1.0, 1.0), (v, 20.0)], 2.0, crate::palette::INK);
            scene.fill(vec![(1.0, 1.0), (v, 20.0), (3.0, v)], crate::palette::INK, 1.0);
            scene.text((v, v), "x", 12.0, crate::palette::INK, Align::Start);
        }
        assert_eq!(render(&scene, Format::Png).unwrap(), empty);
        scene.line(vec![(-1e30, 10.0), (1e30, 10.0)], 2.0, crate::palette::INK);
        assert_ne!(render(&scene, Format::Png).unwrap(), empty);
    }
}
