//! What every picture must be.

// Every test program that includes this module uses only a part of it.
#![allow(dead_code)]

use inrfit_figures::{Error, Format};
use std::collections::BTreeSet;

/// The text of an SVG picture, after a look at its structure: every tag closed in order, no raw special character.
pub fn checked_svg(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"));
    let mut open = Vec::new();
    for piece in text.split('<').skip(1) {
        let (tag, content) = piece.split_once('>').expect("a tag without end");
        assert!(!content.contains('>') && tag.matches('"').count() % 2 == 0, "{piece}");
        let name = tag.trim_start_matches('/').split_whitespace().next().unwrap_or_default();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') {
            open.push(name);
        }
        for entity in content.split('&').skip(1) {
            assert!(
                ["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|e| entity.starts_with(e)),
                "{content}"
            );
        }
        assert!(!content.chars().any(|c| c.is_control() && c != '\n'), "{content:?}");
    }
    assert!(open.is_empty());
    assert!(!text.contains("NaN") && !text.contains("inf,"));
    text
}

/// Size and number of colours of a PNG picture.
pub fn checked_png(bytes: &[u8]) -> ((u32, u32), usize) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    assert_eq!((info.color_type, info.bit_depth), (png::ColorType::Rgb, png::BitDepth::Eight));
    let colors: BTreeSet<&[u8]> = pixels.chunks(3).collect();
    ((info.width, info.height), colors.len())
}

pub fn assert_words(svg: &str, words: &[&str]) {
    for word in words {
        assert!(svg.contains(&format!("\n{word}\n")), "no label '{word}'");
    }
}

/// Renders to both formats and returns the SVG.
pub fn both(render: impl Fn(Format) -> Result<Vec<u8>, Error>, size: (u32, u32)) -> String {
    let (found, n_colors) = checked_png(&render(Format::Png).unwrap());
    assert_eq!(found, size);
    assert!(n_colors > 1, "one colour");
    let svg = render(Format::Svg).unwrap();
    assert_eq!(svg, render(Format::Svg).unwrap(), "not the same bytes twice");
    checked_svg(svg)
}

/// Sizes and RGB bytes of a PNG picture.
pub fn pixels_of(bytes: &[u8]) -> (usize, usize, Vec<u8>) {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut pixels).unwrap();
    (info.width as usize, info.height as usize, pixels)
}
