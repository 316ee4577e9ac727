//! Bounded quantisation: bins of samples whose one reconstruction is within the bound of every sample of the bin.

use crate::error::{Error, Result};
use crate::event::DType;

/// How far a decoded sample may be from the true one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Bound {
    /// Not at all; integers only.
    Exact,
    /// This much, in the unit of the samples.
    Absolute(f64),
    /// `|log2(1 + decoded) - log2(1 + true)|` at most this; non-negative integers only.
    Log2(f64),
}

/// A bound as the decoder needs it: in integers wherever the samples are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rule {
    /// Integers, this far off at most.
    Integer(u32),
    /// Floats, in bins this wide.
    Width(f64),
    /// Non-negative integers v, r with (1 + r) / (1 + v) and its inverse at most this many units of 2^-32.
    Ratio(u64),
}

/// More bins than this are not coded: the samples are then kept as they are.
pub const MAX_BINS: usize = 1 << 16;

impl Bound {
    /// Checks the bound by itself and against samples of type `dtype` from `range.0` to `range.1`, and turns it into
    /// a rule. `None` where it is too fine for the precision of floats.
    ///
    /// # Errors
    /// `Argument`, for a bound that is not a positive number or not one for such samples.
    pub fn rule(self, dtype: DType, range: (f64, f64)) -> Result<Option<Rule>> {
        let unfit = |what: &str, way: &str| {
            Error::argument(format!(
                "{what} needs non-negative integer samples; these are {}: {way}",
                dtype.name()
            ))
        };
        let whole = dtype.is_integer();
        match self {
            Bound::Exact if !whole => {
                Err(unfit("lossless mode", "give a bound in their unit by --max-error"))
            }
            Bound::Log2(_) if !whole => {
                Err(unfit("a log bound", "give a bound in their unit by --max-error"))
            }
            Bound::Exact if range.0 < 0.0 => {
                Err(unfit("lossless mode", "some are negative, so add an offset first, or use --max-error"))
            }
            Bound::Log2(_) if range.0 < 0.0 => {
                Err(unfit("a log bound", "some are negative, so use --max-error"))
            }
            Bound::Absolute(e) if !(e.is_finite() && e > 0.0 && e <= f64::from(u32::MAX)) => {
                Err(Error::argument(format!(
                    "an error bound must be a positive number of the samples' unit below 2^32, not {e}"
                )))
            }
            Bound::Log2(e) if !(e > 0.0 && e <= 31.0) => Err(Error::argument(format!(
                "a log bound must be above 0 and at most 31 log2 units, not {e}"
            ))),
            Bound::Exact => Ok(Some(Rule::Integer(0))),
            Bound::Absolute(e) if whole => Ok(Some(Rule::Integer(e as u32))),
            Bound::Absolute(e) => {
                // The reconstruction is rounded to f32: what that may cost is taken off the bound.
                let half = e - range.0.abs().max(range.1.abs()) * f64::from(f32::EPSILON);
                Ok((half > 0.0).then_some(Rule::Width(2.0 * half)))
            }
            Bound::Log2(e) => Ok(Some(Rule::Ratio(power_of_two(e)))),
        }
    }

    /// Whether `decoded` is within the bound of `sample`.
    pub fn holds(self, sample: f64, decoded: f64) -> bool {
        match self {
            Bound::Exact => sample == decoded,
            Bound::Absolute(e) => (sample - decoded).abs() <= e,
            // The rule behind it is exact; this independent check allows for the rounding of two logarithms.
            Bound::Log2(e) => ((1.0 + sample).log2() - (1.0 + decoded).log2()).abs() <= e + 1e-12,
        }
    }
}

/// 2^x in units of 2^-32, rounded down, never above the true value; 0 < x <= 31.
fn power_of_two(x: f64) -> u64 {
    let fixed = (x * f64::from(1u32 << 30) * 4.0) as u64;
    // Factors 2^(2^-i) in units of 2^-62, each rounded down.
    let (mut factor, mut product) = (1u128 << 63, 1u128 << 62);
    for i in 1..=32 {
        factor = (factor << 62).isqrt();
        if fixed >> (32 - i) & 1 == 1 {
            product = (product * factor) >> 62;
        }
    }
    ((product << (fixed >> 32)) >> 30) as u64
}

/// Positions of samples are in units of 2^-12: log2 units where samples are not negative.
pub const UNIT: i32 = 1 << 12;

/// log2 of `x` (at least 1) in units of 2^-12, rounded down.
pub fn log2(x: u64) -> i32 {
    let whole = x.ilog2();
    let mut mantissa = u128::from(x) << (63 - whole);
    let mut result = whole;
    for _ in 0..12 {
        mantissa = (mantissa * mantissa) >> 63;
        let above = u32::from(mantissa >> 64 != 0);
        mantissa >>= above;
        result = result << 1 | above;
    }
    result as i32
}

/// The scale on which samples are predicted: logarithmic, or linear where some are negative.
#[derive(Debug, Clone, Copy)]
enum Scale {
    /// log2(1 + v / 2^exponent)
    Log { exponent: i32 },
    /// Eight units from the lowest to the highest sample.
    Linear { lowest: f64, span: f64 },
}

impl Scale {
    fn of(dtype: DType, (lowest, highest): (f64, f64)) -> Scale {
        if lowest < 0.0 {
            return Scale::Linear { lowest, span: (highest - lowest).max(f64::MIN_POSITIVE) };
        }
        // Floats have no natural unit: a thousandth of the highest, about.
        let exponent = match dtype.is_integer() {
            true => 0,
            false => ((highest.to_bits() >> 52) as i32 - 1023).max(-900) - 10,
        };
        Scale::Log { exponent }
    }

    fn position(self, v: f64) -> i32 {
        match self {
            Scale::Log { exponent } => {
                let unit = f64::from_bits(((exponent + 1023) as u64) << 52);
                log2((v / unit * 256.0) as u64 + 256) - 8 * UNIT
            }
            Scale::Linear { lowest, span } => ((v - lowest) / span * f64::from(8 * UNIT)) as i32,
        }
    }
}

/// Ends of the classes of a sample's height above the lowest one, in thousandths of the range or whole samples.
const HEIGHTS: [f64; 13] = [3.0, 5.0, 8.0, 13.0, 21.0, 34.0, 55.0, 89.0, 144.0, 233.0, 377.0, 610.0, 987.0];

/// All bins of a tile.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    /// The lowest sample of each bin.
    bottoms: Vec<f64>,
    /// What each bin decodes to.
    values: Vec<f64>,
    /// Position of each value.
    pub positions: Vec<i32>,
    /// Position of the border below each bin; one more than bins.
    pub edges: Vec<i32>,
    /// Class of the height of each value, 1 to 14.
    pub levels: Vec<u8>,
    /// Bin of each whole sample from the lowest on, where samples are integers and not too many.
    table: Vec<u16>,
    /// Scale of the positions.
    scale: Scale,
}

impl PartialEq for Scale {
    fn eq(&self, other: &Scale) -> bool {
        self.position(1.0) == other.position(1.0)
    }
}

impl Bins {
    /// The bins of samples from `range.0` to `range.1`; `None` where there would be more than [`MAX_BINS`], or where the
    /// rule is none for such samples.
    pub fn new(rule: Rule, dtype: DType, range: (f64, f64)) -> Option<Bins> {
        let (lowest, highest) = range;
        let fits = match rule {
            Rule::Integer(_) => dtype.is_integer(),
            Rule::Ratio(_) => dtype.is_integer() && lowest >= 0.0,
            Rule::Width(_) => !dtype.is_integer(),
        };
        if !fits {
            return None;
        }
        let (mut bottoms, mut values, mut tops) = (vec![], vec![], vec![]);
        let mut bottom = lowest;
        while bottom <= highest {
            if bottoms.len() == MAX_BINS {
                return None;
            }
            let (value, top) = match rule {
                Rule::Integer(bound) => {
                    let value = bottom + f64::from(bound);
                    // Zero is no occupied voxel's value.
                    let value = if value == 0.0 { if bottom < 0.0 { -1.0 } else { 1.0 } } else { value };
                    (value, value + f64::from(bound))
                }
                Rule::Ratio(ratio) => {
                    let up = |v: f64| (((v as u128 + 1) * u128::from(ratio)) >> 32) as f64 - 1.0;
                    (up(bottom), up(up(bottom)))
                }
                Rule::Width(width) => {
                    let value = f64::from((bottom + 0.5 * width) as f32);
                    (if value == 0.0 { f64::from(f32::MIN_POSITIVE) } else { value }, bottom + width)
                }
            };
            bottoms.push(bottom);
            values.push(value.min(highest));
            tops.push(top.min(highest));
            let next = if matches!(rule, Rule::Width(_)) { top } else { top + 1.0 };
            if next <= bottom {
                return None;
            }
            bottom = if next == 0.0 && dtype.is_integer() { 1.0 } else { next };
        }
        let scale = Scale::of(dtype, range);
        let between = |a: f64, b: f64| (scale.position(a) + scale.position(b)) / 2;
        let mut edges = vec![scale.position(lowest)];
        edges.extend(tops.iter().zip(&bottoms[1..]).map(|(top, next)| between(*top, *next)));
        edges.push(scale.position(highest));
        let unit = if dtype.is_integer() {
            ((highest - lowest) / 1000.0).max(1.0)
        } else {
            (highest - lowest) / 1000.0
        };
        let level = |v: &f64| 1 + HEIGHTS.iter().filter(|h| v - lowest >= **h * unit).count() as u8;
        let levels = values.iter().map(level).collect();
        let positions = values.iter().map(|v| scale.position(*v)).collect();
        let mut table = vec![];
        if dtype.is_integer() && highest - lowest < MAX_BINS as f64 {
            for (bin, bottom) in bottoms.iter().enumerate() {
                let end = bottoms.get(bin + 1).map_or(highest + 1.0, |b| *b);
                table.resize(table.len() + (end - bottom) as usize, bin as u16);
            }
        }
        Some(Bins { bottoms, values, positions, edges, levels, table, scale })
    }

    /// Number of bins.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The bin that `sample`, which must be within the range, falls into.
    pub fn of(&self, sample: f64) -> usize {
        match self.table.get((sample - self.bottoms[0]) as usize) {
            Some(&bin) => usize::from(bin),
            None => self.bottoms.partition_point(|b| *b <= sample).saturating_sub(1),
        }
    }

    /// What bin `i` decodes to.
    pub fn value(&self, i: usize) -> f64 {
        self.values[i]
    }

    /// Position of any sample, on the scale of [`Bins::positions`].
    pub fn position(&self, sample: f64) -> i32 {
        self.scale.position(sample)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bins(bound: Bound, dtype: DType, range: (f64, f64)) -> Bins {
        Bins::new(bound.rule(dtype, range).unwrap().unwrap(), dtype, range).unwrap()
    }

    #[test]
    fn every_sample_is_within_the_bound_of_its_value() {
        for bound in
            [Bound::Exact, Bound::Absolute(1.0), Bound::Absolute(8.9), Bound::Log2(0.01), Bound::Log2(0.4)]
        {
            for range in [(70.0, 1023.0), (1.0, 1.0), (1.0, 65_535.0), (3.0, 4.0)] {
                let b = bins(bound, DType::U16, range);
                for v in range.0 as u32..=range.1 as u32 {
                    let value = b.value(b.of(v.into()));
                    assert!(bound.holds(v.into(), value) && value > 0.0, "{bound:?}: {v} became {value}");
                }
                assert!(b.edges.is_sorted() && b.edges.len() == b.len() + 1);
            }
        }
    }

    #[test]
    fn bins_are_as_coarse_as_the_bound_allows() {
        // 70..=86 decodes to 78, and so on: seventeen samples a bin.
        let b = bins(Bound::Absolute(8.0), DType::U16, (70.0, 1023.0));
        assert_eq!((b.len(), b.value(0), b.value(1)), (954usize.div_ceil(17), 78.0, 95.0));
        // 71 * 2^0.1 = 76.09, 76 * 2^0.1 = 81.45.
        let b = bins(Bound::Log2(0.1), DType::U16, (70.0, 1023.0));
        assert_eq!((b.value(0), b.bottoms[1]), (75.0, 81.0));
    }

    #[test]
    fn negative_samples_and_floats_keep_the_bound_and_never_become_zero() {
        let b = bins(Bound::Absolute(3.0), DType::I16, (-20.0, 20.0));
        for v in (-20..=20).filter(|v| *v != 0) {
            let value = b.value(b.of(v.into()));
            assert!((value - f64::from(v)).abs() <= 3.0 && value != 0.0, "{v} became {value}");
        }
        let b = bins(Bound::Absolute(0.01), DType::F32, (-1.5, 7.25));
        for i in 0..=8750 {
            let v = f64::from((-1.5 + f64::from(i) * 0.001) as f32).min(7.25);
            let value = b.value(b.of(v));
            assert!((value - v).abs() <= 0.01 && value != 0.0, "{v} became {value}");
        }
        assert_eq!(Bound::Absolute(1e-9).rule(DType::F32, (1.0, 1000.0)).unwrap(), None);
    }

    #[test]
    fn powers_and_logarithms_are_right_and_on_the_safe_side() {
        for x in [1e-6_f64, 0.1, 0.4, 0.5, 1.0, 3.3, 10.0, 30.9] {
            let exact = x.exp2() * 4_294_967_296.0;
            let ours = power_of_two(x) as f64;
            assert!(
                ours <= exact * (1.0 + 1e-15) && exact - ours <= 2.0 + exact * 1e-9,
                "{x}: {ours} for {exact}"
            );
        }
        for x in [1u64, 2, 3, 71, 1024, 65_535, 123_456_789_012] {
            let exact = (x as f64).log2() * 4096.0;
            assert!((0.0..1.001).contains(&(exact - f64::from(log2(x)))), "{x}");
        }
    }

    #[test]
    fn bounds_that_make_no_sense_are_refused() {
        let refused = |b: Bound, d: DType, lo: f64| b.rule(d, (lo, 100.0)).is_err();
        for e in [-1.0, 0.0, f64::NAN, f64::INFINITY, 1e30] {
            assert!(refused(Bound::Absolute(e), DType::U16, 1.0), "{e}");
            assert!(refused(Bound::Log2(e), DType::U16, 1.0), "{e}");
        }
        assert!(refused(Bound::Exact, DType::F32, 1.0) && refused(Bound::Exact, DType::I16, -1.0));
        assert!(refused(Bound::Log2(0.1), DType::F32, 1.0) && refused(Bound::Log2(0.1), DType::I16, -1.0));
        assert_eq!(Bins::new(Rule::Integer(0), DType::I32, (0.0, 1e6)), None);
    }
}
