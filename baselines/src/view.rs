//! How the counts of an event become the real numbers that a rival compresses, and how they come back.

use crate::array::Array;
use crate::error::{Error, Result};
use crate::spec::Options;

/// Order of the voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Layout {
    /// As the event has them.
    #[default]
    Native,
    /// Axes (2, 0, 1): for the events of the TPC, (layer, azimuth, z) with z fastest.
    ZContiguous,
}

/// Scale of the values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Domain {
    /// ADC counts.
    #[default]
    Adc,
    /// log2(ADC + 1).
    Log2,
}

/// Below which decoded value a voxel becomes empty.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Threshold {
    /// Values stay as they are.
    #[default]
    None,
    /// The threshold that minimises log-MAE, found by the encoder, which has the truth, and kept in the bytes.
    Best,
    /// Decoded values below it, in ADC, become 0.
    At(f32),
}

/// What a rival sees of an event.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct View {
    /// Order of the voxels.
    pub layout: Layout,
    /// Scale of the values.
    pub domain: Domain,
    /// What is done to decoded values.
    pub threshold: Threshold,
}

impl View {
    /// Takes `native`, `z`, `adc`, `log2` and `threshold=none|best|ADC` from the options.
    pub(crate) fn take(options: &mut Options<'_>) -> Result<View> {
        let layout = options.one_of(&[("native", Layout::Native), ("z", Layout::ZContiguous)])?;
        let domain = options.one_of(&[("adc", Domain::Adc), ("log2", Domain::Log2)])?;
        let threshold = match options.text("threshold") {
            None | Some("none") => Threshold::None,
            Some("best") => Threshold::Best,
            Some(text) => match text.parse::<f32>() {
                Ok(at) if at.is_finite() && at >= 0.0 => Threshold::At(at),
                _ => return Err(Error::Argument(format!("threshold={text}: none, best or ADC counts"))),
            },
        };
        Ok(View { layout: layout.unwrap_or_default(), domain: domain.unwrap_or_default(), threshold })
    }

    /// `native` in the rival's order.
    pub(crate) fn ordered<T: Copy>(&self, native: &[T], [a, b, c]: [usize; 3]) -> Vec<T> {
        match self.layout {
            Layout::Native => native.to_vec(),
            Layout::ZContiguous => {
                (0..c).flat_map(|k| (0..a * b).map(move |ij| ij * c + k)).map(|at| native[at]).collect()
            }
        }
    }

    /// Back from the rival's order to that of an event of shape `[a, b, c]`.
    pub(crate) fn native<T: Copy>(&self, ordered: &[T], [a, b, c]: [usize; 3]) -> Vec<T> {
        match self.layout {
            Layout::Native => ordered.to_vec(),
            Layout::ZContiguous => {
                (0..a * b).flat_map(|ij| (0..c).map(move |k| k * a * b + ij)).map(|at| ordered[at]).collect()
            }
        }
    }
}

/// The nearest count; an infinite value would be the largest.
pub(crate) fn to_count(real: f64) -> u16 {
    // Saturating: below 0 is 0, above the largest count is the largest.
    real.round_ties_even() as u16
}

/// Counts from ADC values.
pub(crate) fn to_counts(shape: [usize; 3], reals: &[f64]) -> Result<Array> {
    Array::new(shape, reals.iter().map(|&real| to_count(real)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts_are_transpositions() {
        let shape = [2, 3, 4];
        let native: Vec<usize> = (0..24).collect();
        let view = View { layout: Layout::ZContiguous, ..View::default() };
        let ordered = view.ordered(&native, shape);
        let [a, b, c] = shape;
        for (k, i, j) in (0..c).flat_map(|k| (0..a).flat_map(move |i| (0..b).map(move |j| (k, i, j)))) {
            assert_eq!(ordered[(k * a + i) * b + j], native[(i * b + j) * c + k]);
        }
        assert_eq!(view.native(&ordered, shape), native);
    }

    #[test]
    fn counts_are_nearest_and_clamped() {
        let pairs = [(-3.0, 0), (0.49, 0), (0.5, 0), (1.5, 2), (1022.6, 1023), (1e9, 65535), (f64::NAN, 0)];
        for (real, count) in pairs {
            assert_eq!(to_count(real), count, "{real}");
        }
    }
}
