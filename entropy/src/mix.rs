//! Gated logistic mixing: many predictions of one decision become one.
//!
//! The technique of M. Mahoney's PAQ compressors ("Adaptive Weighing of Context Models for Lossless Data
//! Compression", 2005): predictions enter as logits, are summed with weights that are chosen by small contexts and
//! learned online, and the sum's probability is refined by an adaptive map.

use crate::logistic::{MAX_LOGIT, squash, stretch};
use crate::range::Coder;

/// Decisions after which a counter learns no slower.
const SLOWEST: u32 = 1023;

/// `RATE[n]`: by which part of the distance, in units of 2^-16, decision `n` moves a counter: 1 / (n + 1.6).
static RATE: [u32; SLOWEST as usize + 1] = {
    let mut rate = [0; SLOWEST as usize + 1];
    let mut n = 0;
    while n < rate.len() {
        rate[n] = 655_360 / (10 * n as u32 + 16);
        n += 1;
    }
    rate
};

/// The probability of a one in a context, learned from the decisions seen there. Four bytes: the probability in
/// units of 2^-22, and how many decisions led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter(u32);

impl Counter {
    /// Probability 1/2, nothing seen.
    pub const NEW: Counter = Counter(1 << 31);

    /// The probability of a one in units of 2^-16, below 2^16.
    #[inline(always)]
    pub fn p(self) -> u32 {
        self.0 >> 16
    }

    /// What a mixer is told: the logit of the probability.
    #[inline(always)]
    pub fn input(self) -> i32 {
        stretch(self.p())
    }

    /// Learns one decision.
    #[inline(always)]
    pub fn update(&mut self, bit: bool) {
        let (p, n) = (self.0 >> 10, self.0 & 1023);
        let part = |x: u32| ((u64::from(x) * u64::from(RATE[n as usize])) >> 16) as u32;
        let p = if bit { p + part((1 << 22) - 1 - p) } else { p - part(p) };
        self.0 = p << 10 | (n + 1).min(SLOWEST);
    }
}

/// Sixteen counters side by side: those of decisions that share a context, such as up to four in a row, of which the
/// first has entry 1 and the next ones 2 e + bit.
pub type Block = [Counter; 16];

/// `N` tables of counters, each of 2^n_bits blocks, addressed by hashes. Different contexts may share a block.
#[derive(Debug, Clone)]
pub struct Contexts<const N: usize> {
    blocks: Vec<Block>,
    n_bits: u32,
}

impl<const N: usize> Contexts<N> {
    /// Tables without any knowledge.
    pub fn new(n_bits: u32) -> Self {
        Self { blocks: vec![[Counter::NEW; 16]; N << n_bits], n_bits }
    }

    /// Where table `i` keeps the context `hash`.
    #[inline(always)]
    pub fn find(&self, i: usize, hash: u64) -> usize {
        (i << self.n_bits) + (hash >> (64 - self.n_bits)) as usize
    }

    /// Counter `entry` of the block at `place`.
    #[inline(always)]
    pub fn counter(&mut self, place: usize, entry: usize) -> &mut Counter {
        &mut self.blocks[place][entry]
    }
}

/// Joins two numbers to one whose high bits depend on the low 35 bits of both.
#[inline(always)]
pub fn hash(a: u64, b: u64) -> u64 {
    let x = a.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ b.wrapping_add(0x7F4A_7C15);
    x.wrapping_mul(0xD6E8_FEB8_6659_FD93).rotate_left(29)
}

/// Weights are in units of 2^-16 and stay below 8.
const MAX_WEIGHT: i32 = (1 << 19) - 1;
/// Entries of an adaptive probability map: logits -2048, -1920, ..., 2048.
const N_MAP: usize = 33;

/// Which weights and which map a decision uses.
#[derive(Debug, Clone, Copy)]
pub struct Gates<const K: usize> {
    /// One set of weights of each of the first mixers.
    pub sets: [usize; K],
    /// Weights of the last mixer.
    pub last: usize,
    /// Adaptive probability map.
    pub map: usize,
}

/// How fast the two stages of a mixer learn.
#[derive(Debug, Clone, Copy)]
pub struct Rates {
    /// Of the first mixers.
    pub first: i32,
    /// Of the last.
    pub last: i32,
}

/// Mixes `N` logits by `K` gated sums, those by a last one, and refines the result by a map.
#[derive(Debug, Clone)]
pub struct Mixer<const N: usize, const K: usize> {
    sets: [Vec<[i32; N]>; K],
    last: Vec<[i32; K]>,
    maps: Vec<[u16; N_MAP]>,
    rates: Rates,
}

impl<const N: usize, const K: usize> Mixer<N, K> {
    /// A mixer with `n_gates` sets of weights, all starting at `weights` (units of 2^-16).
    pub fn new(n_gates: &Gates<K>, weights: &[i32; N], rates: Rates) -> Self {
        let map = std::array::from_fn(|i| squash((i as i32 - 16) * 128) as u16);
        Self {
            sets: n_gates.sets.map(|n| vec![*weights; n]),
            last: vec![[(1 << 16) / K as i32; K]; n_gates.last],
            maps: vec![map; n_gates.map],
            rates,
        }
    }

    /// Codes one decision whose predictions are `inputs` (logits, -2047 to 2047), then learns it.
    #[inline(always)]
    pub fn code<C: Coder>(&mut self, coder: &mut C, inputs: &[i32; N], gates: &Gates<K>, bit: bool) -> bool {
        let mut sums = [0; K];
        for k in 0..K {
            sums[k] = dot(inputs, &self.sets[k][gates.sets[k]]);
        }
        let last = &mut self.last[gates.last];
        let logit = dot(&sums, last);
        let p = squash(logit);
        let map = &mut self.maps[gates.map];
        let x = (logit.clamp(-2047, 2047) + 2048) as usize;
        let (i, f) = (x >> 7, (x & 127) as u32);
        let refined = (u32::from(map[i]) * (128 - f) + u32::from(map[i + 1]) * f) >> 7;
        let bit = coder.bit(((3 * p + refined) >> 2).clamp(1, 65_535) as u16, bit);

        let nearer = &mut map[i + usize::from(f >= 64)];
        let distance = if bit { 65_535 } else { 0 } - i32::from(*nearer);
        *nearer = (i32::from(*nearer) + ((distance * 5) >> 8)) as u16;
        learn(last, &sums, bit, p, self.rates.last);
        for k in 0..K {
            learn(&mut self.sets[k][gates.sets[k]], inputs, bit, squash(sums[k]), self.rates.first);
        }
        bit
    }
}

/// The weighted sum of logits. No sum of up to 128 terms overflows.
#[inline(always)]
fn dot<const N: usize>(x: &[i32; N], w: &[i32; N]) -> i32 {
    let mut sum = 0;
    for i in 0..N {
        sum += (x[i] * w[i]) >> 8;
    }
    (sum >> 8).clamp(-MAX_LOGIT, MAX_LOGIT)
}

/// One step down the gradient of the decision's code length.
#[inline(always)]
fn learn<const N: usize>(w: &mut [i32; N], x: &[i32; N], bit: bool, p: u32, rate: i32) {
    let error = (((i32::from(bit) << 16) - p as i32) * rate) >> 4;
    for i in 0..N {
        w[i] = (w[i] + ((x[i] * error + (1 << 13)) >> 14)).clamp(-MAX_WEIGHT, MAX_WEIGHT);
    }
}
