//! Bins of the occupied samples, common to several sets of them.

use crate::values::Values;

/// Bins without gaps. Zeros (empty voxels) and what is not finite belong to none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Bins {
    /// Rising: one more than there are bins, as samples, not as what is shown of them.
    edges: Vec<f64>,
    values: Values,
}

impl Bins {
    /// At most `n` bins from the lowest to the highest of `samples`, equally wide on the axis of `values`. Where all
    /// samples are whole numbers the edges lie half-way between two: every bin of plain ones covers as many numbers,
    /// of logarithms at least one and never fewer than the bin nearer to zero.
    pub(crate) fn over<'a>(samples: impl Iterator<Item = &'a f32>, n: usize, values: Values) -> Bins {
        let n = n.max(1);
        let (mut low, mut high, mut whole) = (f64::INFINITY, f64::NEG_INFINITY, true);
        for v in samples.filter(|v| counts(**v)).map(|v| f64::from(*v)) {
            low = low.min(v);
            high = high.max(v);
            whole &= v.fract() == 0.0;
        }
        // Whole numbers beyond 2^53 have no halves between them.
        let is_one = low == high && (!whole || low - 0.5 == low + 0.5);
        let edges = match (low <= high, whole && !is_one, values) {
            (false, ..) => vec![0.0, 1.0],
            (true, true, Values::Plain) => {
                let width = ((high - low + 1.0) / n as f64).ceil();
                let n = (((high - low + 1.0) / width).ceil() as usize).clamp(1, n);
                (0..=n).map(|i| low - 0.5 + width * i as f64).collect()
            }
            (true, true, Values::Log2) => whole_edges(low - 0.5, high + 0.5, n),
            (true, false, _) => {
                let room = if is_one { 0.5 * low.abs() } else { 0.0 };
                let (from, to) = (values.of(low - room), values.of(high + room));
                (0..=n).map(|i| values.sample(from + (to - from) * i as f64 / n as f64)).collect()
            }
        };
        Bins { edges, values }
    }

    pub(crate) fn n(&self) -> usize {
        self.edges.len() - 1
    }

    /// The bin of a sample; none for a zero and what is not finite.
    pub(crate) fn of(&self, sample: f32) -> Option<usize> {
        let above = || self.edges.partition_point(|edge| *edge <= f64::from(sample));
        // The highest sample lies on the upper edge of the last bin, the lowest may by rounding lie below the first.
        counts(sample).then(|| above().saturating_sub(1).min(self.n() - 1))
    }

    /// How many samples lie in each bin.
    pub(crate) fn count(&self, samples: &[f32]) -> Vec<u64> {
        let mut counts = vec![0; self.n()];
        for bin in samples.iter().filter_map(|v| self.of(*v)) {
            counts[bin] += 1;
        }
        counts
    }

    /// Where bin `i` begins and ends on the axis; the end of the last one at `n - 1`.
    pub(crate) fn shown(&self, i: usize) -> (f64, f64) {
        (self.values.of(self.edges[i]), self.values.of(self.edges[i + 1]))
    }

    /// The width of bin `i` in samples.
    pub(crate) fn width(&self, i: usize) -> f64 {
        self.edges[i + 1] - self.edges[i]
    }

    /// Where the axis begins and ends.
    pub(crate) fn range(&self) -> (f64, f64) {
        (self.shown(0).0, self.shown(self.n() - 1).1)
    }

    /// The bin at a fraction of the axis.
    pub(crate) fn at(&self, fraction: f64) -> usize {
        let (low, high) = self.range();
        let shown = low + (high - low) * fraction;
        (0..self.n()).rev().find(|i| self.shown(*i).0 <= shown).unwrap_or(0)
    }
}

fn counts(sample: f32) -> bool {
    sample.is_finite() && sample != 0.0
}

/// Edges half-way between whole numbers from `low` to `high`, at least one number apart and at least an `n`-th of the
/// whole range in log2.
fn whole_edges(low: f64, high: f64, n: usize) -> Vec<f64> {
    let shown = |v| Values::Log2.of(v);
    let width = (shown(high) - shown(low)) / n as f64;
    let mut edges = vec![low];
    let mut last = low;
    loop {
        let wide = Values::Log2.sample(shown(last) + width);
        let next = ((wide - 0.5 - 1e-9).ceil() + 0.5).max(last + 1.0).max(wide);
        // Where numbers are too large for the next one to be another, everything lies in the last bin.
        last = if next > last { next } else { high };
        edges.push(last);
        if last >= high {
            return edges;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_fill_bins_of_equal_reach_and_zeros_none() {
        let samples: Vec<f32> = (0..=1023).map(|v| v as f32).collect();
        let bins = Bins::over(samples.iter(), 128, Values::Plain);
        let counts = bins.count(&samples);
        assert_eq!(counts.iter().sum::<u64>(), 1023);
        assert!(counts[..counts.len() - 1].iter().all(|&c| c == counts[0]), "{counts:?}");
    }

    #[test]
    fn logarithmic_bins_of_integers_grow_and_none_is_empty() {
        let samples: Vec<f32> = (75..=1023).map(|v| v as f32).collect();
        let bins = Bins::over(samples.iter(), 100, Values::Log2);
        let counts = bins.count(&samples);
        assert_eq!(counts.iter().sum::<u64>(), 949);
        assert!((30..=100).contains(&counts.len()), "{}", counts.len());
        assert!(counts[..counts.len() - 1].windows(2).all(|w| 1 <= w[0] && w[0] <= w[1]), "{counts:?}");
        for (i, &count) in counts[..counts.len() - 1].iter().enumerate() {
            assert_eq!(bins.width(i), count as f64, "every number of a bin is there once");
            assert!(bins.shown(i).1 - bins.shown(i).0 >= (1024.5f64 / 75.5).log2() / 100.0 - 1e-9);
        }
    }

    #[test]
    fn every_finite_sample_is_counted_once() {
        for values in [Values::Plain, Values::Log2] {
            let samples = [0.5f32, -3.25, 1e-30, 7.75, 7.75, f32::NAN, f32::INFINITY, 0.0];
            assert_eq!(Bins::over(samples.iter(), 10, values).count(&samples).iter().sum::<u64>(), 5);
            let extremes = [f32::MIN, f32::MAX, -1.0, 1.0];
            assert_eq!(Bins::over(extremes.iter(), 7, values).count(&extremes).iter().sum::<u64>(), 4);
            for one in [f32::MIN_POSITIVE, f32::MAX, f32::MIN, -1.0, 0.3] {
                let bins = Bins::over([one; 3].iter(), 7, values);
                assert_eq!(bins.count(&[one; 3]).iter().sum::<u64>(), 3);
                assert!((0..bins.n()).all(|i| bins.width(i) > 0.0), "{one} {bins:?}");
            }
        }
    }

    #[test]
    fn a_place_on_the_axis_leads_to_the_bin_of_its_samples() {
        let samples: Vec<f32> = (75..=1023).map(|v| v as f32).collect();
        for values in [Values::Plain, Values::Log2] {
            let bins = Bins::over(samples.iter(), 60, values);
            let (low, high) = bins.range();
            for &v in &samples {
                let fraction = (values.of(f64::from(v)) - low) / (high - low);
                assert_eq!(Some(bins.at(fraction)), bins.of(v));
            }
            assert_eq!((bins.at(-1.0), bins.at(2.0)), (0, bins.n() - 1));
        }
    }
}
