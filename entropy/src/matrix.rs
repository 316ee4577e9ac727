//! The integers of one weight tensor: contexts from the magnitudes already coded in the same row and column.

use crate::gauss::{Deviation, N_DEVIATIONS};
use crate::int::{IntAverage, IntModel};
use crate::range::Coder;

/// Probability that a tensor has a centre, in units of 2^-16.
const HAS_CENTRE: u16 = 4096;
/// Half octaves on either side of the tensor's own deviation that have a context.
const SPAN: i32 = 6;
/// Integers that the priors count as: of the model without contexts, of each context of the other.
const PRIOR: [u16; 2] = [16, 40];
/// Integers of average size that each row and column starts with.
const N_ASSUMED: u64 = 3;
/// A magnitude above this counts as this, 16 bits.
const LARGEST: u32 = 0xFFFF;
/// Sums of magnitudes stop here, so that nothing overflows.
const LARGEST_SUM: u64 = 1 << 48;
/// 1 in the fixed point of relative sizes.
const ONE: u64 = 1 << 12;

/// How large the integers of a row or column are, relative to what was expected of them.
#[derive(Debug, Clone, Copy)]
struct Line {
    /// Sum of the magnitudes coded, in units of 2^-8.
    seen: u64,
    /// Sum of the magnitudes expected.
    expected: u64,
}

impl Line {
    fn new(magnitude: u64) -> Self {
        Self { seen: N_ASSUMED * magnitude, expected: N_ASSUMED * magnitude }
    }

    fn add(&mut self, seen: u64, expected: u64) {
        self.seen = (self.seen + seen).min(LARGEST_SUM);
        self.expected = (self.expected + expected).min(LARGEST_SUM);
    }

    /// seen / expected in units of 2^-12, at most 256.
    fn relative(&self) -> u64 {
        ((self.seen << 12) / self.expected).min(ONE << 8)
    }
}

/// The context of an integer whose deviation is `row * column` times the tensor's: 0 to 12, in half octaves.
fn context(row: u64, column: u64) -> usize {
    let ratio = ((row * column) >> 12).clamp(1, 0x7FFF);
    // 181 / 128 is half a context: the floor of the logarithm rounds to the nearest.
    let half_octaves = ((ratio * ratio * 181) >> 7).ilog2() as i32 - 24;
    (half_octaves.clamp(-SPAN, SPAN) + SPAN) as usize
}

/// What the encoder tells the decoder before the integers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outline {
    /// Subtracted from every integer, modulo 2^32.
    centre: i32,
    /// Index of the deviation around it.
    deviation: u8,
}

impl Outline {
    /// An outline that suits the values; any other decodes as well. Floating point is used, but only operations that
    /// are exactly rounded everywhere.
    fn of(values: &[i32]) -> Self {
        let n = values.len().max(1) as f64;
        let mean = values.iter().map(|&v| i64::from(v)).sum::<i64>() as f64 / n;
        let nearest = mean.round() as i32;
        let distance = |v: i32, centre: i32| (f64::from(v) - f64::from(centre)).abs();
        let squares = |centre| values.iter().map(|&v| distance(v, centre) * distance(v, centre)).sum::<f64>();
        // A centre costs some eight bits and gains n/2 log2(squares(0) / squares(nearest)).
        let (plain, centred) = (squares(0), squares(nearest));
        let centre = if n * (plain - centred) > 12.0 * (centred + n / 12.0) { nearest } else { 0 };
        let magnitude = values.iter().map(|&v| distance(v, centre)).sum::<f64>() / n;
        // The mean magnitude minds outliers less than the mean square, but is biased where most integers are zero.
        let variance = if magnitude < 1.0 {
            squares(centre) / n - 1.0 / 12.0
        } else {
            magnitude * magnitude * std::f64::consts::FRAC_PI_2
        };
        // Edges between indices, squared: 2^((index - 7.5) / 2).
        let mut edge = 0.074_325_444_687_670_06;
        let mut deviation = 0;
        while deviation < N_DEVIATIONS - 1 && variance >= edge {
            deviation += 1;
            edge *= std::f64::consts::SQRT_2;
        }
        Self { centre, deviation }
    }

    fn code<C: Coder>(self, coder: &mut C) -> Self {
        let deviation = coder.uniform(6, u32::from(self.deviation)) as u8;
        let mut centre = 0;
        if coder.bit(HAS_CENTRE, self.centre != 0) {
            centre = IntModel::with_deviations(&[deviation], PRIOR[0]).code(coder, 0, self.centre);
        }
        Self { centre, deviation }
    }
}

/// Codes the integers of one tensor, row by row, with models of their own that start from the tensor's centre and
/// deviation (sent first, about a byte) and from a bell curve.
///
/// `values` is row-major with `n_columns` integers a row; the last row may be shorter, and no columns count as one.
/// The encoder writes `values` and leaves them; the decoder ignores and overwrites them. Nothing is coded where
/// `values` is empty. Made for 64 to 20,000 integers about normally distributed, with deviations that may differ by
/// row and by column; right for any.
///
/// The models are averages of two: one without contexts, and one with 13 for the deviation expected from the
/// magnitudes already coded in the same row and column. Needs about 12 KB and 16 bytes a column.
pub fn code_matrix<C: Coder>(coder: &mut C, n_columns: usize, values: &mut [i32]) {
    if values.is_empty() {
        return;
    }
    let n_columns = n_columns.clamp(1, values.len());
    let Outline { centre, deviation } = Outline::of(values).code(coder);
    let contexts: Vec<u8> = (-SPAN..=SPAN)
        .map(|half_octaves| {
            (i32::from(deviation) + 2 * half_octaves).clamp(0, i32::from(N_DEVIATIONS) - 1) as u8
        })
        .collect();
    let mut model = IntAverage::new(
        IntModel::with_deviations(&[deviation], PRIOR[0]),
        IntModel::with_deviations(&contexts, PRIOR[1]),
    );
    let magnitude = Deviation::new(deviation).magnitude();
    let mut columns = vec![Line::new(magnitude); n_columns];
    for values in values.chunks_mut(n_columns) {
        let mut row = Line::new(magnitude);
        for (value, column) in values.iter_mut().zip(&mut columns) {
            let relative = column.relative();
            let read = model.code(coder, [0, context(row.relative(), relative)], value.wrapping_sub(centre));
            *value = read.wrapping_add(centre);
            let seen = u64::from(read.unsigned_abs().min(LARGEST)) << 8;
            row.add(seen, (magnitude * relative) >> 12);
            column.add(seen, 0);
        }
        // Only the finished row says what was to be expected of its columns.
        let expected = (magnitude * row.relative()) >> 12;
        columns.iter_mut().for_each(|column| column.add(0, expected));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_half_octaves() {
        assert_eq!(context(ONE, ONE), 6);
        assert_eq!(context(2 * ONE, ONE), 8);
        assert_eq!(context(ONE / 2, ONE / 2), 2);
        assert_eq!(context(ONE * 118 / 100, ONE), 6);
        assert_eq!(context(ONE * 120 / 100, ONE), 7);
        assert_eq!(context(0, 0), 0);
        assert_eq!(context(ONE << 8, ONE << 8), 12);
    }

    #[test]
    fn outlines_fit() {
        assert_eq!(Outline::of(&[]), Outline { centre: 0, deviation: 0 });
        assert_eq!(Outline::of(&[0; 50]), Outline { centre: 0, deviation: 0 });
        assert_eq!(Outline::of(&[i32::MIN, i32::MAX]).deviation, 63);
        assert_eq!(Outline::of(&[100; 50]), Outline { centre: 100, deviation: 0 });
        // Mean magnitude 4 of a bell curve: deviation 5.01, between 4.76 (index 17) and 5.66 (18).
        assert_eq!(Outline::of(&[-4, 4, -4, 4]), Outline { centre: 0, deviation: 17 });
        let shifted: Vec<i32> = (0..200).map(|i| 50 + i % 7 - 3).collect();
        assert_eq!(Outline::of(&shifted).centre, 50);
    }

    #[test]
    fn sums_do_not_overflow() {
        let mut line = Line { seen: LARGEST_SUM, expected: 1 };
        line.add(u64::from(LARGEST) << 8, 1);
        assert_eq!(line.seen, LARGEST_SUM);
        assert_eq!(line.relative(), ONE << 8);
    }
}
