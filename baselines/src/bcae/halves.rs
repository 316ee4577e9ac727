//! Half-precision numbers through the entropy coder.
//!
//! Sign, exponent and the first three bits of the fraction are a tree of adaptive decisions, each the average of two
//! models: one sees the channel, the other the size of the number before. The rest of the fraction is noise and is
//! coded as it is.

use half::f16;
use inrfit_entropy::{AdaptiveBit, Average, Coder};

/// Decisions of the tree.
const N_MODELLED: u32 = 9;
/// Bits behind them.
const N_REST: u32 = 16 - N_MODELLED;
/// Classes of the number before: its sign and exponent.
const N_BEFORE: usize = 64;

/// The models of numbers of `n_channels` kinds.
pub(super) struct Halves {
    by_channel: Vec<AdaptiveBit>,
    by_before: Vec<AdaptiveBit>,
    averages: Vec<Average>,
    before: usize,
}

impl Halves {
    pub fn new(n_channels: usize) -> Halves {
        let tree = 1 << N_MODELLED;
        Halves {
            by_channel: vec![AdaptiveBit::new(); tree * n_channels],
            by_before: vec![AdaptiveBit::new(); tree * N_BEFORE],
            averages: vec![Average::new(); tree],
            before: 0,
        }
    }

    /// Codes a number of a channel and returns it; a decoder ignores `value`.
    pub fn code<C: Coder>(&mut self, coder: &mut C, channel: usize, value: f16) -> f16 {
        let bits = u32::from(value.to_bits());
        let mut node = 1;
        for i in (N_REST..16).rev() {
            let bit = self.averages[node].code(
                coder,
                &mut self.by_channel[channel << N_MODELLED | node],
                &mut self.by_before[self.before << N_MODELLED | node],
                bits >> i & 1 == 1,
            );
            node = node << 1 | usize::from(bit);
        }
        let top = node & ((1 << N_MODELLED) - 1);
        self.before = top >> 3;
        let rest = coder.uniform(N_REST, bits & ((1 << N_REST) - 1));
        f16::from_bits(((top as u32) << N_REST | rest) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inrfit_entropy::{Decoder, Encoder};

    #[test]
    fn every_number_comes_back() {
        let mut encoder = Encoder::new();
        let mut models = Halves::new(3);
        for bits in 0..=u16::MAX {
            models.code(&mut encoder, usize::from(bits) % 3, f16::from_bits(bits));
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        let mut models = Halves::new(3);
        for bits in 0..=u16::MAX {
            assert_eq!(models.code(&mut decoder, usize::from(bits) % 3, f16::ZERO).to_bits(), bits);
        }
        assert!(!decoder.overrun());
    }
}
