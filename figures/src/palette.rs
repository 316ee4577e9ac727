//! Colours that readers with any colour vision can tell apart.

use plotters::style::RGBColor;

/// Text and frames.
pub(crate) const INK: RGBColor = RGBColor(0x22, 0x22, 0x22);
/// Secondary text.
pub(crate) const GREY: RGBColor = RGBColor(0x66, 0x66, 0x66);
/// Lines of a grid at labelled ticks.
pub(crate) const GRID: RGBColor = RGBColor(0xDD, 0xDD, 0xDD);
/// Lines of a grid between labelled ticks.
pub(crate) const FAINT: RGBColor = RGBColor(0xF1, 0xF1, 0xF1);
/// Paper.
pub(crate) const WHITE: RGBColor = RGBColor(0xFF, 0xFF, 0xFF);
/// Samples that have no place on a colour scale.
pub(crate) const INVALID: RGBColor = RGBColor(0xA0, 0xA0, 0xA0);

/// The palette of Okabe and Ito (2008), without its yellow (too pale on white), with black and a grey last.
const SERIES: [RGBColor; 8] = [
    RGBColor(0x00, 0x72, 0xB2),
    RGBColor(0xD5, 0x5E, 0x00),
    RGBColor(0x00, 0x9E, 0x73),
    RGBColor(0xCC, 0x79, 0xA7),
    RGBColor(0xE6, 0x9F, 0x00),
    RGBColor(0x56, 0xB4, 0xE9),
    RGBColor(0x00, 0x00, 0x00),
    RGBColor(0x8C, 0x8C, 0x8C),
];

/// Colour of the `i`-th line of a picture; they repeat after eight.
pub(crate) fn series(i: usize) -> RGBColor {
    SERIES[i % SERIES.len()]
}

/// Amber to near black, falling steadily in lightness, so that it also reads in grey.
const SEQUENTIAL: [RGBColor; 5] = [
    RGBColor(0xF7, 0xC9, 0x48),
    RGBColor(0xEB, 0x7B, 0x2D),
    RGBColor(0xBC, 0x36, 0x54),
    RGBColor(0x64, 0x1C, 0x6C),
    RGBColor(0x14, 0x0B, 0x34),
];

/// Blue below zero, white at zero, vermilion above.
const DIVERGING: [RGBColor; 5] = [
    RGBColor(0x08, 0x30, 0x6B),
    RGBColor(0x2E, 0x8B, 0xC9),
    RGBColor(0xFF, 0xFF, 0xFF),
    RGBColor(0xE8, 0x7A, 0x2B),
    RGBColor(0x7F, 0x27, 0x04),
];

/// Colour of a fraction in [0, 1] of a scale that starts above zero.
pub(crate) fn sequential(fraction: f64) -> RGBColor {
    between(&SEQUENTIAL, fraction)
}

/// Colour of a signed fraction in [-1, 1].
pub(crate) fn diverging(fraction: f64) -> RGBColor {
    between(&DIVERGING, 0.5 + 0.5 * fraction)
}

fn between(stops: &[RGBColor; 5], fraction: f64) -> RGBColor {
    // A NaN casts to 0, so that even then the index stays within the table.
    let place = fraction.clamp(0.0, 1.0) * 4.0;
    let low = (place.floor() as usize).min(3);
    let t = place - low as f64;
    let (a, b) = (stops[low], stops[low + 1]);
    let mix = |a: u8, b: u8| (f64::from(a) + t * (f64::from(b) - f64::from(a))).round() as u8;
    RGBColor(mix(a.0, b.0), mix(a.1, b.1), mix(a.2, b.2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(c: RGBColor) -> f64 {
        0.2126 * f64::from(c.0) + 0.7152 * f64::from(c.1) + 0.0722 * f64::from(c.2)
    }

    #[test]
    fn the_sequential_scale_darkens_at_every_step() {
        let shades: Vec<f64> = (0..=50).map(|i| lightness(sequential(f64::from(i) / 50.0))).collect();
        assert!(shades.windows(2).all(|w| w[1] < w[0]), "{shades:?}");
    }

    #[test]
    fn fractions_off_the_scale_take_its_ends() {
        assert_eq!(sequential(-3.0), SEQUENTIAL[0]);
        assert_eq!(sequential(f64::NEG_INFINITY), SEQUENTIAL[0]);
        assert_eq!(sequential(f64::INFINITY), SEQUENTIAL[4]);
        assert_eq!(diverging(0.0), WHITE);
    }
}
