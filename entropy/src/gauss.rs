//! What a bell curve of known deviation predicts for each decision of a signed integer.

/// Deviations that have an index: 2^((index - 8) / 4), from 1/4 to 13,777.
pub(crate) const N_DEVIATIONS: u8 = 64;

/// Probability that a variable of deviation 1 exceeds i/4, in units of 2^-30: 98 % a Gaussian of deviation 1, 2 % one
/// of 2.5. Trained weights have heavier tails than a Gaussian, and a surprise costs more than the hedge.
const TAIL: [u64; 33] = [
    536_870_912,
    432_150_208,
    333_699_195,
    246_677_771,
    174_347_448,
    117_797_562,
    76_188_553,
    47_349_058,
    28_488_773,
    16_816_070,
    9_941_321,
    6_048_913,
    3_891_555,
    2_685_959,
    1_979_024,
    1_527_712,
    1_210_132,
    968_283,
    775_173,
    617_754,
    488_857,
    383_716,
    298_594,
    230_303,
    176_042,
    133_352,
    100_098,
    74_453,
    54_871,
    40_068,
    28_989,
    20_779,
    14_756,
];

/// 2^(-f/4) in units of 2^-16.
const DOWN: [u64; 4] = [65_536, 55_109, 46_341, 38_968];
/// 2^(f/4) in units of 2^-16.
const UP: [u64; 4] = [65_536, 77_936, 92_682, 110_218];

/// A deviation, by its index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Deviation {
    /// Whole octaves above 1/4.
    octaves: u32,
    /// Quarters of an octave above that, 0 to 3.
    quarters: usize,
}

impl Deviation {
    /// The deviation of an index; the last one for larger indices.
    pub(crate) fn new(index: u8) -> Self {
        let index = index.min(N_DEVIATIONS - 1);
        Self { octaves: u32::from(index / 4), quarters: usize::from(index % 4) }
    }

    /// The mean magnitude that goes with it, 0.8 deviations, in units of 2^-8.
    pub(crate) fn magnitude(self) -> u64 {
        ((UP[self.quarters] * 205) << self.octaves) >> 18
    }

    /// Probability of an integer of `k` or more, 1 <= k <= 2^32, in units of 2^-30.
    fn tail(self, k: u64) -> u64 {
        // (k - 1/2) / deviation in quarters, with 16 fractional bits; at most 2^52 before the shift.
        let x = ((2 * k - 1) * DOWN[self.quarters] * 8) >> self.octaves;
        let i = (x >> 16).min(32) as usize;
        match TAIL.get(i + 1) {
            Some(next) => TAIL[i] - (((TAIL[i] - next) * (x & 0xFFFF)) >> 16),
            None => 0,
        }
    }

    /// Probability that an integer is not zero.
    pub(crate) fn nonzero(self) -> u16 {
        let nonzero = 2 * self.tail(1);
        ratio(nonzero, (1 << 30) - nonzero)
    }

    /// Probability that a magnitude of at least 2^k is at least 2^(k+1), k <= 31.
    pub(crate) fn next_octave(self, k: u32) -> u16 {
        let further = self.tail(2 << k);
        ratio(further, self.tail(1 << k) - further)
    }

    /// Probability that a magnitude in `start..start + 2 * half` is in the upper half.
    pub(crate) fn upper_half(self, start: u64, half: u64) -> u16 {
        let middle = self.tail(start + half);
        ratio(middle - self.tail(start + 2 * half), self.tail(start) - middle)
    }
}

/// ones / (ones + zeros) in units of 2^-16, kept away from certainty; 1/2 where both are nothing.
fn ratio(ones: u64, zeros: u64) -> u16 {
    // Both are at most 2^30, and after the clamp the value fits.
    (((ones + 1) << 16) / (ones + zeros + 2)).clamp(32, 65_536 - 32) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tails_fall_and_never_overflow() {
        for index in 0..=u8::MAX {
            let deviation = Deviation::new(index);
            let mut last = 1 << 29;
            for octave in 0..=32 {
                let tail = deviation.tail(1 << octave);
                assert!(tail <= last);
                last = tail;
            }
            assert_eq!(deviation.tail(1 << 32), 0);
            for k in 0..=31 {
                assert!((32..=65_504).contains(&deviation.next_octave(k)));
            }
            assert!((32..=65_504).contains(&deviation.nonzero()));
        }
    }

    #[test]
    fn deviations_are_what_their_index_says() {
        for index in 0..N_DEVIATIONS {
            let deviation = ((f64::from(index) - 8.0) / 4.0).exp2();
            let magnitude = Deviation::new(index).magnitude() as f64 / 256.0;
            assert!((magnitude / deviation - 0.8).abs() < 0.02, "{index}: {magnitude}");
            if (16..52).contains(&index) {
                // The probability of more than 3/4 deviations is 0.2297, and it falls with a slope of 0.3 there.
                let k = (0.75 * deviation + 0.5).round() as u64;
                let x = (k as f64 - 0.5) / deviation;
                let tail = Deviation::new(index).tail(k) as f64 / f64::from(1u32 << 30);
                assert!((tail - 0.2297 + 0.3 * (x - 0.75)).abs() < 0.03, "{index}: {tail}");
            }
        }
    }
}
