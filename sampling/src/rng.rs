//! The counter-based generator behind every random number of the program.
//!
//! Philox4x32-10 (J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, *Parallel random numbers: as easy as
//! 1, 2, 3*, SC'11, doi:10.1145/2063384.2063405) turns a key of 64 bits and a counter of 128 bits into 128
//! random bits with integer multiplications and exclusive ors only. There is no state to carry along, so any
//! draw can be computed on its own, in any order, on any device.
//!
//! What this module returns for given arguments never changes: files depend on it.

use std::convert::Infallible;

use rand_core::TryRng;

/// Multipliers of the first and the third word of the counter, chosen by the authors of the generator.
const MULTIPLIER: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
/// Increments of the key from round to round: the golden ratio and the square root of 3, each less 1, in
/// 2^-32.
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];
const ROUNDS: usize = 10;
/// The upper counter half under which [`Stream::new`] derives its key: "inrfitsk" as a number, a training
/// step that no fit reaches, so that streams and draws of one seed have nothing in common.
const STREAM_DOMAIN: u64 = 0x696E_7266_6974_736B;

/// The 128 random bits of `counter` under `key`, as four words: Philox4x32-10.
#[inline]
pub fn block(key: [u32; 2], counter: [u32; 4]) -> [u32; 4] {
    blocks::<1>(key, counter.map(|word| [u64::from(word)])).map(|[word]| word as u32)
}

/// [`block`] for `L` counters side by side: word `j` of block `l` is `[j][l]`, a `u32` in a `u64` as the
/// vector units multiply them.
#[inline(always)]
pub(crate) fn blocks<const L: usize>(mut key: [u32; 2], counters: [[u64; L]; 4]) -> [[u64; L]; 4] {
    const LOWER: u64 = 0xFFFF_FFFF;
    let [mut a, mut b, mut c, mut d] = counters;
    for round in 0..ROUNDS {
        if round > 0 {
            key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
        }
        for (((a, b), c), d) in a.iter_mut().zip(&mut b).zip(&mut c).zip(&mut d) {
            let p = u64::from(MULTIPLIER[0]) * (*a & LOWER);
            let q = u64::from(MULTIPLIER[1]) * (*c & LOWER);
            *a = (q >> 32) ^ *b ^ u64::from(key[0]);
            *b = q & LOWER;
            *c = (p >> 32) ^ *d ^ u64::from(key[1]);
            *d = p & LOWER;
        }
    }
    [a, b, c, d]
}

/// `x` as two words, the lower one first.
#[inline(always)]
pub(crate) fn words(x: u64) -> [u32; 2] {
    [x as u32, (x >> 32) as u32]
}

/// The counter of the block that serves draws `2 * pair` and `2 * pair + 1` of `step`.
#[inline(always)]
pub(crate) fn counter(step: u64, pair: u64) -> [u32; 4] {
    let ([a, b], [c, d]) = (words(pair), words(step));
    [a, b, c, d]
}

/// The 64 random bits of draw `i` of `step`: half `i % 2` of the block with key `seed` and counter
/// (`i / 2`, `step`), lower words first; within the half, the first word is the upper one.
#[inline]
pub fn bits(seed: u64, step: u64, i: u64) -> u64 {
    let b = block(words(seed), counter(step, i >> 1));
    let [upper, lower] = if i & 1 == 0 { [b[0], b[1]] } else { [b[2], b[3]] };
    u64::from(upper) << 32 | u64::from(lower)
}

/// A sequence of random words, for code that takes one number after another.
///
/// It implements the infallible generator trait of `rand_core` 0.10, so `rand` and `rand_distr` accept it.
/// The words themselves never change; what those crates make of them may, from one of their versions to the
/// next.
///
/// Definition: the key is the first two words of `block(seed, (stream, d))`, where `d` is a constant of this
/// module; word `j` of the sequence is word `j % 4` of `block(key, j / 4)`. A `u64` is two words, the lower
/// one first; bytes are words in little-endian order, the unused end of the last word dropped.
#[derive(Debug, Clone)]
pub struct Stream {
    key: [u32; 2],
    /// Index of the next word of the sequence; 2^64 blocks are never used up.
    next: u128,
    buffer: [u32; 4],
}

impl Stream {
    /// Stream number `stream` of `seed`. Different numbers give independent sequences, all of them
    /// independent of the draws made with the same seed.
    pub fn new(seed: u64, stream: u64) -> Self {
        let derived = block(words(seed), counter(STREAM_DOMAIN, stream));
        Stream { key: [derived[0], derived[1]], next: 0, buffer: [0; 4] }
    }

    /// A number in [0, 1): the next 53 bits of the sequence (the upper ones of a `u64`), times 2^-53,
    /// exactly.
    #[inline]
    pub fn unit(&mut self) -> f64 {
        let lower = u64::from(self.word());
        let upper = u64::from(self.word());
        ((upper << 32 | lower) >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    #[inline]
    fn word(&mut self) -> u32 {
        let within = (self.next % 4) as usize;
        if within == 0 {
            let index = self.next / 4;
            self.buffer = block(self.key, counter((index >> 64) as u64, index as u64));
        }
        self.next = self.next.wrapping_add(1);
        self.buffer[within]
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    #[inline]
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.word())
    }

    #[inline]
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let lower = u64::from(self.word());
        Ok(u64::from(self.word()) << 32 | lower)
    }

    fn try_fill_bytes(&mut self, dst: &mut [u8]) -> Result<(), Infallible> {
        for chunk in dst.chunks_mut(4) {
            let bytes = self.word().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;

    use super::*;

    #[test]
    fn philox_gives_the_known_answers_of_random123() {
        let cases = [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ];
        for (counter, key, answer) in cases {
            assert_eq!(block(key, counter), answer);
        }
    }

    #[test]
    fn blocks_side_by_side_are_the_single_ones() {
        let counters: [[u32; 4]; 8] = std::array::from_fn(|l| [l as u32, 7, u32::MAX - l as u32, 3]);
        let together = blocks([11, 12], std::array::from_fn(|j| counters.map(|c| u64::from(c[j]))));
        for (l, counter) in counters.iter().enumerate() {
            assert_eq!(block([11, 12], *counter).map(u64::from), together.map(|words| words[l]));
        }
    }

    #[test]
    fn bits_use_both_halves_of_a_block_and_all_of_the_arguments() {
        let (seed, step, pair) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 0x0fff_0000_0000_0005);
        let b = block([0x89ab_cdef, 0x0123_4567], [5, 0x0fff_0000, 0x7654_3210, 0xfedc_ba98]);
        assert_eq!(bits(seed, step, 2 * pair), u64::from(b[0]) << 32 | u64::from(b[1]));
        assert_eq!(bits(seed, step, 2 * pair + 1), u64::from(b[2]) << 32 | u64::from(b[3]));
    }

    #[test]
    fn stream_is_the_documented_sequence() {
        let key = block([5, 0], [9, 0, 0x6974_736B, 0x696E_7266]);
        let word = |j: u32| block([key[0], key[1]], [j / 4, 0, 0, 0])[j as usize % 4];
        let mut stream = Stream::new(5, 9);
        assert_eq!(stream.next_u32(), word(0));
        assert_eq!(stream.next_u64(), u64::from(word(2)) << 32 | u64::from(word(1)));
        let mut bytes = [0; 6];
        stream.fill_bytes(&mut bytes);
        assert_eq!(bytes[..4], word(3).to_le_bytes());
        assert_eq!(bytes[4..], word(4).to_le_bytes()[..2]);
        let expected = (u64::from(word(6)) << 32 | u64::from(word(5))) >> 11;
        assert_eq!(stream.unit(), expected as f64 / 9_007_199_254_740_992.0);
    }

    #[test]
    fn stream_words_never_change() {
        let mut stream = Stream::new(42, 0);
        let words: [u32; 4] = std::array::from_fn(|_| stream.next_u32());
        assert_eq!(words, [0xbf9e_5744, 0xe576_0966, 0x5f00_0781, 0x2c19_97cf]);
        assert_ne!(words[0], Stream::new(42, 1).next_u32());
        assert_ne!(words[0], Stream::new(43, 0).next_u32());
    }

    #[test]
    fn stream_feeds_distributions() {
        use rand_distr::{Distribution, StandardUniform, Uniform};
        let mut stream = Stream::new(1, 2);
        let die = Uniform::new_inclusive(1u32, 6).unwrap();
        let n = 60_000;
        let mut faces = [0u32; 6];
        let mut mean = 0.0;
        for _ in 0..n {
            faces[die.sample(&mut stream) as usize - 1] += 1;
            let u: f64 = StandardUniform.sample(&mut stream);
            mean += (u + stream.unit()) / (2.0 * f64::from(n));
        }
        // Five standard errors: of a face 5 * 91, of the mean of 120,000 uniform numbers 5 * 0.00083.
        assert!(faces.iter().all(|&f| f.abs_diff(n / 6) < 456), "{faces:?}");
        assert!((mean - 0.5).abs() < 0.0042, "{mean}");
    }
}
