//! The binary range coder: 32-bit interval, 16-bit probabilities, carries resolved in the bytes already written.
//!
//! The arithmetic is the subdivision of an interval as in G. N. N. Martin, "Range encoding" (1979), for two symbols.

use crate::bytes::{Sink, Source};

/// The interval never gets narrower than this between two decisions.
const NARROWEST: u64 = 1 << 24;
/// Width of the whole interval.
const WHOLE: u64 = 1 << 32;
/// Zero bytes that the encoder may leave away at the end of a stream.
const N_DROPPED: usize = 4;
/// Zeros that the decoder of a complete stream may read past its end: its register and the dropped ones.
const N_PAST_END: u64 = 4 + N_DROPPED as u64;

/// One direction of the range coder. Models are written once against this trait and serve both.
pub trait Coder {
    /// Codes one decision and returns it.
    ///
    /// `p1` is the probability of a one in units of 2^-16, 1 to 65,535; zero is taken as one. The encoder writes
    /// `bit` and returns it; the decoder ignores `bit` and returns what it read.
    fn bit(&mut self, p1: u16, bit: bool) -> bool;

    /// Codes the lowest `n_bits` (at most 32) bits of `value`, most significant first, each with probability 1/2, and
    /// returns them as a number below 2^`n_bits`.
    fn uniform(&mut self, n_bits: u32, value: u32) -> u32 {
        (0..n_bits.min(32))
            .rev()
            .fold(0, |read, i| read << 1 | u32::from(self.bit(1 << 15, value >> i & 1 == 1)))
    }
}

/// The part of an interval of width `range` that a one takes. Both results of the split are never empty.
fn split(range: u64, p1: u16) -> u64 {
    (range * u64::from(p1.max(1))) >> 16
}

/// Writes decisions.
#[derive(Debug, Clone)]
pub struct Encoder {
    low: u64,
    range: u64,
    sink: Sink,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Encoder {
    /// An encoder that has written nothing.
    pub fn new() -> Self {
        Self { low: 0, range: WHOLE, sink: Sink::default() }
    }

    /// Ends the stream and returns the fewest bytes that name a number in the final interval, less at most four
    /// zero bytes at their end. A stream without decisions has no bytes.
    pub fn finish(mut self) -> Vec<u8> {
        if self.low + self.range > WHOLE {
            self.sink.carry();
        } else if self.low > 0 {
            // Below 2^32: the interval is at least NARROWEST wide and ends at 2^32 or before.
            self.sink.push((self.low.div_ceil(NARROWEST)) as u8);
        }
        self.sink.into_bytes(N_DROPPED)
    }
}

impl Coder for Encoder {
    fn bit(&mut self, p1: u16, bit: bool) -> bool {
        let bound = split(self.range, p1);
        if bit {
            self.range = bound;
        } else {
            self.range -= bound;
            self.low += bound;
            if self.low >= WHOLE {
                self.low -= WHOLE;
                self.sink.carry();
            }
        }
        while self.range < NARROWEST {
            self.sink.push((self.low >> 24) as u8);
            self.low = (self.low & (NARROWEST - 1)) << 8;
            self.range <<= 8;
        }
        bit
    }
}

/// Reads decisions. Safe on any bytes: whatever they are, each decision costs bounded time and is a zero or a one.
#[derive(Debug, Clone)]
pub struct Decoder<'a> {
    /// Distance of the stream's number from the start of the interval; always less than `range`.
    offset: u64,
    range: u64,
    source: Source<'a>,
}

impl<'a> Decoder<'a> {
    /// A decoder at the start of `bytes`, which count as followed by zeros without end.
    pub fn new(bytes: &'a [u8]) -> Self {
        let mut source = Source::new(bytes);
        let offset = (0..4).fold(0, |offset, _| offset << 8 | u64::from(source.next()));
        Self { offset, range: WHOLE, source }
    }

    /// Whether more than eight zeros were read past the end of the bytes.
    ///
    /// A decoder that makes no more decisions than the encoder made never reads more: four bytes ahead, and four that
    /// the encoder may have dropped. So `true` says that the stream was cut short or is not what the caller takes it
    /// for; `false` proves nothing.
    pub fn overrun(&self) -> bool {
        self.source.n_past_end() > N_PAST_END
    }

    /// Bytes not yet read. After all decisions of a stream there are none: a number above zero says that something
    /// was appended. (Up to eight appended zeros go unnoticed. Other appended bytes can change the last decisions: a
    /// stream's length has to be known.)
    pub fn n_left(&self) -> usize {
        self.source.n_left()
    }
}

impl Coder for Decoder<'_> {
    fn bit(&mut self, p1: u16, _bit: bool) -> bool {
        let bound = split(self.range, p1);
        let bit = self.offset < bound;
        if bit {
            self.range = bound;
        } else {
            self.offset -= bound;
            self.range -= bound;
        }
        while self.range < NARROWEST {
            self.offset = self.offset << 8 | u64::from(self.source.next());
            self.range <<= 8;
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(decisions: &[(u16, bool)]) -> Vec<u8> {
        let mut encoder = Encoder::new();
        for &(p1, bit) in decisions {
            assert_eq!(encoder.bit(p1, bit), bit);
        }
        encoder.finish()
    }

    fn read(bytes: &[u8], decisions: &[(u16, bool)]) {
        let mut decoder = Decoder::new(bytes);
        for (i, &(p1, bit)) in decisions.iter().enumerate() {
            // The wrong bit goes in: the decoder must not look at it.
            assert_eq!(decoder.bit(p1, !bit), bit, "decision {i}");
            assert!(decoder.offset < decoder.range);
        }
        assert!(!decoder.overrun());
        assert_eq!(decoder.n_left(), 0);
    }

    #[test]
    fn nothing_is_no_bytes() {
        assert!(Encoder::new().finish().is_empty());
        assert!(!Decoder::new(&[]).overrun());
    }

    #[test]
    fn carries_run_through_bytes_of_255() {
        // Unlikely zeros keep the interval at the top: a number of the form 0.FFFF..., then a carry.
        let mut decisions = vec![(1, true)];
        decisions.extend(std::iter::repeat_n((65_535, false), 40));
        for n in 1..200 {
            let mut all = decisions.clone();
            all.extend(std::iter::repeat_n((32_768, false), n));
            all.extend([(1, false), (65_535, true), (65_535, false), (1, false)]);
            read(&write(&all), &all);
        }
        let mut sink = Sink::default();
        [0x12, 0xFF, 0xFF].into_iter().for_each(|byte| sink.push(byte));
        sink.carry();
        assert_eq!(sink.clone().into_bytes(0), [0x13, 0, 0]);
        assert_eq!(sink.into_bytes(4), [0x13]);
    }

    #[test]
    fn costs_what_the_probabilities_say() {
        for (p1, period) in [(32_768u16, 2usize), (8_192, 8), (60_000, 3), (300, 217)] {
            let decisions: Vec<_> = (0..100_000).map(|i| (p1, (i * 7 + i / 13) % period == 0)).collect();
            let p = f64::from(p1) / 65_536.0;
            let bits: f64 = decisions.iter().map(|d| -(if d.1 { p } else { 1.0 - p }).log2()).sum();
            let bytes = write(&decisions);
            read(&bytes, &decisions);
            assert!((bytes.len() as f64) < bits / 8.0 + 2.0, "{} bytes for {bits} bits", bytes.len());
        }
    }

    #[test]
    fn at_most_four_zeros_are_dropped() {
        // Ones take the lower end of the interval, so certain ones are zero bytes.
        let ones = vec![(1, true); 100];
        let bytes = write(&ones);
        read(&bytes, &ones);
        assert_eq!(bytes, [0; 195]);
        let mut decoder = Decoder::new(&bytes[1..]);
        for _ in 0..100 {
            decoder.bit(1, false);
        }
        assert!(decoder.overrun(), "one byte less is one zero too many");
    }

    #[test]
    fn uniform_bits_and_the_zero_probability() {
        let mut encoder = Encoder::new();
        for value in [0, 1, 0xDEAD_BEEF, u32::MAX] {
            assert_eq!(encoder.uniform(32, value), value);
        }
        encoder.uniform(40, 7);
        encoder.uniform(5, u32::MAX);
        encoder.bit(0, true);
        encoder.bit(0, false);
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        for value in [0, 1, 0xDEAD_BEEF, u32::MAX, 7] {
            assert_eq!(decoder.uniform(32, 0), value);
        }
        assert_eq!(decoder.uniform(5, 0), 31);
        assert!(decoder.bit(0, false));
        assert!(!decoder.bit(0, true));
    }
}
