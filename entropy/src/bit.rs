//! Probabilities of single decisions that follow what was coded: one adaptive bit, and two of them averaged.

use crate::range::Coder;

/// Decisions after which the rate of learning stays as it is.
const SLOWEST: u16 = 511;

/// `RATE[n]`: by which part of the distance, in units of 2^-16, decision `n` moves a probability.
///
/// With 1 / (n + 3/2), a probability that starts at 1/2 is (ones + 1/4) / (n + 1/2) after n decisions: the estimate
/// under a Beta(1/4, 1/4) prior, which leans towards decisions that are nearly certain.
const RATE: [u16; SLOWEST as usize + 1] = {
    let mut rate = [0; SLOWEST as usize + 1];
    let mut n = 0;
    while n < rate.len() {
        rate[n] = (131_072 / (2 * n + 3)) as u16;
        n += 1;
    }
    rate
};

/// The probability of a one, learned from the decisions coded with it: fast at first, then ever slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdaptiveBit {
    /// Probability of a one in units of 2^-32.
    p: u32,
    /// Decisions seen, at most `SLOWEST`.
    n: u16,
}

impl Default for AdaptiveBit {
    fn default() -> Self {
        Self::new()
    }
}

impl AdaptiveBit {
    /// Probability 1/2, nothing known.
    pub fn new() -> Self {
        Self::with_prior(1 << 15, 0)
    }

    /// Starts at probability `p1` (units of 2^-16) as if `n` decisions had led there; at most 511 count.
    pub fn with_prior(p1: u16, n: u16) -> Self {
        Self { p: u32::from(p1) << 16, n: n.min(SLOWEST) }
    }

    /// The probability of a one that the next decision is coded with, 1 to 65,535, in units of 2^-16.
    pub fn p1(&self) -> u16 {
        ((self.p >> 16) as u16).max(1)
    }

    /// Learns one decision.
    pub fn update(&mut self, bit: bool) {
        let part = |x: u32| ((u64::from(x) * u64::from(RATE[usize::from(self.n)])) >> 16) as u32;
        if bit {
            self.p += part(u32::MAX - self.p);
        } else {
            self.p -= part(self.p);
        }
        self.n = (self.n + 1).min(SLOWEST);
    }

    /// Codes one decision with this probability, then learns it.
    pub fn code<C: Coder>(&mut self, coder: &mut C, bit: bool) -> bool {
        let bit = coder.bit(self.p1(), bit);
        self.update(bit);
        bit
    }
}

/// The average of two models' probabilities, weighted by how well each has done so far.
///
/// The weight is the posterior probability of the first model, kept within 1/512 of 0 and 1 so that the other can
/// come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Average {
    /// Weight of the first model in units of 2^-16.
    weight: u32,
}

impl Default for Average {
    fn default() -> Self {
        Self::new()
    }
}

impl Average {
    /// Equal weights.
    pub fn new() -> Self {
        Self { weight: 1 << 15 }
    }

    /// Codes one decision with the average of both probabilities; both bits and the weight learn it.
    pub fn code<C: Coder>(
        &mut self,
        coder: &mut C,
        a: &mut AdaptiveBit,
        b: &mut AdaptiveBit,
        bit: bool,
    ) -> bool {
        let (p_a, p_b) = (u32::from(a.p1()), u32::from(b.p1()));
        let rest = 65_536 - self.weight;
        // At most 65,536 * 65,535, so neither product nor sum overflows, and the result is in 1..=65535.
        let bit = coder.bit(((self.weight * p_a + rest * p_b) >> 16) as u16, bit);
        let (l_a, l_b) = if bit { (p_a, p_b) } else { (65_536 - p_a, 65_536 - p_b) };
        let (l_a, l_b) = (u64::from(self.weight * l_a), u64::from(rest * l_b));
        self.weight = (((l_a << 16) / (l_a + l_b)) as u32).clamp(128, 65_536 - 128);
        a.update(bit);
        b.update(bit);
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Decoder, Encoder};

    #[test]
    fn learns_frequencies_and_never_reaches_certainty() {
        let mut bit = AdaptiveBit::new();
        bit.update(true);
        // (1 + 1/4) / (1 + 1/2)
        assert_eq!(bit.p1(), 54_612, "5/6, rounded down twice");
        for _ in 0..100_000 {
            bit.update(true);
        }
        assert_eq!(bit.p1(), 65_535);
        for _ in 0..100_000 {
            bit.update(false);
        }
        assert_eq!(bit.p1(), 1);
        let mut bit = AdaptiveBit::new();
        for i in 0..20_000 {
            bit.update(i % 5 == 0);
        }
        assert!((f64::from(bit.p1()) / 65_536.0 - 0.2).abs() < 0.01);
    }

    #[test]
    fn priors_hold_against_few_decisions() {
        let (mut weak, mut strong) = (AdaptiveBit::with_prior(1000, 1), AdaptiveBit::with_prior(1000, 9999));
        weak.update(true);
        strong.update(true);
        assert!(weak.p1() > 20_000 && strong.p1() < 1200);
        assert_eq!(AdaptiveBit::with_prior(0, 0).p1(), 1);
    }

    #[test]
    fn average_follows_the_better_model() {
        let mut average = Average::new();
        let mut encoder = Encoder::new();
        let decisions: Vec<bool> = (0..2000).map(|i| i % 10 == 3).collect();
        for (i, &bit) in decisions.iter().enumerate() {
            let (mut good, mut bad) =
                (AdaptiveBit::with_prior(6554, 511), AdaptiveBit::with_prior(40_000, 511));
            average.code(&mut encoder, &mut good, &mut bad, bit);
            assert!(i < 100 || average.weight > 60_000);
        }
        let bytes = encoder.finish();
        // 0.469 bit a decision with the true frequency.
        assert!(bytes.len() < 123, "{}", bytes.len());
        let (mut average, mut decoder) = (Average::new(), Decoder::new(&bytes));
        for &bit in &decisions {
            let (mut good, mut bad) =
                (AdaptiveBit::with_prior(6554, 511), AdaptiveBit::with_prior(40_000, 511));
            assert_eq!(average.code(&mut decoder, &mut good, &mut bad, !bit), bit);
        }
        assert!(!decoder.overrun());
    }

    #[test]
    fn average_survives_extremes() {
        for bit in [false, true] {
            for (p_a, p_b) in [(0, 65_535), (65_535, 65_535), (0, 0), (65_535, 0)] {
                let mut average = Average::new();
                let mut encoder = Encoder::new();
                for i in 0..1000 {
                    let (mut a, mut b) = (AdaptiveBit::with_prior(p_a, 0), AdaptiveBit::with_prior(p_b, 0));
                    average.code(&mut encoder, &mut a, &mut b, bit ^ (i % 100 == 99));
                    assert!((128..=65_408).contains(&average.weight));
                }
            }
        }
    }
}
