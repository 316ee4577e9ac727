//! Entropy coding of integers: a binary range coder, adaptive models, and a layout for the integers of a weight tensor.
//!
//! Integers and tables only, so that the same input gives the same bytes on every machine. Coder ([`Encoder`],
//! [`Decoder`]), models ([`AdaptiveBit`], [`IntModel`], [`code_matrix`], [`Counter`], [`Mixer`]) and byte store are
//! separate; a model is written once against the trait [`Coder`] and serves both directions.
//!
//! ```
//! use inrfit_entropy::{Decoder, Encoder, code_matrix};
//!
//! let mut weights = [3, -1, 0, 2, -5, 4, 1, -2, 0, 7, -3, 1];
//! let mut encoder = Encoder::new();
//! code_matrix(&mut encoder, 4, &mut weights);
//! let bytes = encoder.finish();
//! assert_eq!(bytes, [0xC6, 0x69, 0x98, 0xE1, 0x57, 0x44, 0xF9]);
//!
//! let mut decoder = Decoder::new(&bytes);
//! let mut decoded = [0; 12];
//! code_matrix(&mut decoder, 4, &mut decoded);
//! assert_eq!(decoded, weights);
//! assert!(!decoder.overrun() && decoder.n_left() == 0);
//! ```
//!
//! What follows defines every byte. All arithmetic is on non-negative integers unless said otherwise, `/` rounds down,
//! `x >> n` is x / 2^n rounded down, `clamp(x, a, b)` is x limited to a..=b, and log2 of an integer is rounded down
//! (the position of its highest bit).
//!
//! # Range decoder
//!
//! Two variables: `range`, at first 2^32, and `offset`, at first the first four bytes of the stream, most significant
//! first. Bytes past the end of the stream are zeros. A decision with probability `p1` of a one (1..=65535, in units
//! of 2^-16) is read so:
//!
//! 1. `bound = (range * p1) >> 16`.
//! 2. If `offset < bound`, the decision is 1 and `range = bound`. Else it is 0, `offset -= bound`, `range -= bound`.
//! 3. While `range < 2^24`: `range *= 256` and `offset = 256 * offset + next byte`.
//!
//! `offset < range <= 2^32` holds at all times whatever the bytes are. A *uniform* number of n bits is n decisions
//! with p1 = 32768, most significant first.
//!
//! # Range encoder
//!
//! The stream is a number: its bytes are the digits of a fraction, and the decisions narrow an interval of fractions.
//! `low` starts at 0 and `range` at 2^32, both in units of the interval's last four digits.
//!
//! 1. `bound = (range * p1) >> 16`. For a one, `range = bound`; for a zero, `low += bound` and `range -= bound`. If
//!    `low` has reached 2^32, subtract 2^32 and add 1 to the last byte written; a byte of 255 becomes 0 and
//!    hands the 1 on to the byte before.
//! 2. While `range < 2^24`: write the byte `low >> 24`, then `low = (low mod 2^24) * 256` and `range *= 256`.
//!
//! At the end: if `low + range > 2^32`, add 1 to the last byte written (with carries, as above); else if `low > 0`,
//! write the byte `low / 2^24` rounded up; else write nothing. Then up to four zero bytes at the end are dropped. No
//! shorter stream names a number in the interval, those zeros aside.
//!
//! So the decoder of a complete stream reads at most eight zeros past its end: [`Decoder::overrun`] is true from the
//! ninth on. It has read all bytes of the stream by the last decision ([`Decoder::n_left`] is 0). A stream does not
//! know its own length: bytes that follow it must not be handed to the decoder.
//!
//! # Adaptive bits
//!
//! An adaptive bit ([`AdaptiveBit`]) is `p`, a probability of a one in units of 2^-32, and a count `n`. Without a prior
//! `p = 2^31` and `n = 0`; with the prior (p1, m), `p = p1 * 2^16` and `n = m`. It codes with `p1 = max(p >> 16, 1)`.
//! After the decision, with `rate = 131072 / (2n + 3)`:
//!
//! * one: `p += ((2^32 - 1 - p) * rate) >> 16`; zero: `p -= (p * rate) >> 16`;
//! * `n = min(n + 1, 511)`.
//!
//! An average ([`Average`]) of two adaptive bits a and b has a weight `w` for a, at first 32768. The decision is coded
//! with `p1 = (w * p1a + (65536 - w) * p1b) >> 16`. Then `la` and `lb` are p1a and p1b after a one, and 65536 - p1a
//! and 65536 - p1b after a zero;
//! `w = clamp(((w * la) << 16) / (w * la + (65536 - w) * lb), 128, 65408)`; and both bits learn the decision. (The
//! weight is the posterior probability of the model that a belongs to.)
//!
//! # Signed integers
//!
//! A context of an integer model ([`IntModel`]) has 100 adaptive bits, its *nodes*:
//!
//! | nodes | decision |
//! | --- | --- |
//! | 0 | 1 if the value is not zero; a zero ends here |
//! | 1 | 1 if the value is negative |
//! | 2 + k, k = 0..=30 | 1 if the magnitude is at least 2^(k+1); asked from k = 0 on until the answer is 0 |
//! | 33 | the bit below the highest, magnitudes 2 and 3 |
//! | 34..=36 | the two bits below the highest, magnitudes 4..=7 |
//! | 37 + 7 (e - 3) + 0..=6, e = 3..=11 | the three bits below the highest, magnitudes 2^e..2^(e+1) |
//!
//! The number e of ones among the answers of nodes 2 + k is the position of the magnitude's highest bit. Where e = 31
//! (31 ones; no zero follows) nothing more is coded: the value is -2^31 if negative, and 2^31 - 1 if not, which no
//! encoder writes. Otherwise e bits remain, most significant first. For e <= 11 the first min(e, 3) of them are nodes:
//! with `t` the magnitude's bits known so far (at first 1), the next bit is node first + t - 1, first being 33, 34 or
//! 37 + 7 (e - 3) for e = 1, e = 2 and the others;
//! then `t = 2t + bit`. The remaining bits (all e of them from e = 12 on) are a uniform number.
//!
//! # Priors
//!
//! A model without a prior has p = 2^31, n = 0 in all nodes. One with a prior starts at what a bell curve predicts.
//! Deviations have an index j = 0..=63 and the value 2^((j-8)/4); let o = j / 4 and f = j mod 4. With
//!
//! * DOWN = 65536, 55109, 46341, 38968 and UP = 65536, 77936, 92682, 110218 (2^-f/4 and 2^f/4 times 2^16),
//! * TAIL = 536870912, 432150208, 333699195, 246677771, 174347448, 117797562, 76188553, 47349058, 28488773, 16816070,
//!   9941321, 6048913, 3891555, 2685959, 1979024, 1527712, 1210132, 968283, 775173, 617754, 488857, 383716, 298594,
//!   230303, 176042, 133352, 100098, 74453, 54871, 40068, 28989, 20779, 14756 (entry i: probability above i/4
//!   deviations, times 2^30; 98 % a Gaussian of deviation 1, 2 % one of deviation 2.5),
//!
//! the probability of an integer of k or more (k >= 1) is `tail(k)`: with `x = ((2k - 1) * DOWN[f] * 8) >> o` and
//! `i = x >> 16`, it is 0 if i >= 32, else `TAIL[i] - (((TAIL[i] - TAIL[i+1]) * (x mod 65536)) >> 16)`. A node whose
//! ones have the probability a and whose zeros have b gets the prior
//! `p1 = clamp(((a + 1) << 16) / (a + b + 2), 32, 65504)`:
//!
//! | node | a | b |
//! | --- | --- | --- |
//! | 0 | 2 tail(1) | 2^30 - 2 tail(1) |
//! | 2 + k | tail(2^(k+1)) | tail(2^k) - tail(2^(k+1)) |
//! | first + t - 1 of octave e, with h = 2^(e - 1 - log2 t) | tail(2th + h) - tail(2th + 2h) | tail(2th) - tail(2th + h) |
//!
//! and node 1 gets p1 = 32768. All nodes start with the same count n.
//!
//! # Tensors
//!
//! The integers of a tensor ([`code_matrix`]) are coded row by row, nothing at all for an empty one. How many there are
//! and how many make a row is not coded; the last row may be shorter. First come
//!
//! 1. j, the index of its deviation: a uniform number of 6 bits;
//! 2. one decision with p1 = 4096: whether it has a centre; and if so
//! 3. the centre, a 32-bit signed integer, by a model of its own with one context, prior j, n = 16. Without, it is 0.
//!
//! Then the integers, each less the centre modulo 2^32 (as a signed integer again), by two models. Model a has one
//! context, prior j, n = 16. Model b has 13 contexts, number c with prior clamp(j + 2 (c - 6), 0, 63), n = 40. Each
//! decision of an integer that has a node is coded by the average of that node in both models; there is one weight
//! `w` for the whole tensor. Both models start anew with each tensor.
//!
//! The context of model b follows from what is already decoded. Let `g = ((UP[f] * 205) << o) >> 18` (the magnitude
//! expected, in units of 2^-8). Each row and each column has two sums, `seen` and `expected`, all at first 3 g. Their
//! `relative` is `min((seen << 12) / expected, 2^20)`. For the integer in row r and column c:
//!
//! 1. `q = clamp((relative of r * relative of c) >> 12, 1, 32767)` and
//!    `context = clamp(log2((q * q * 181) >> 7) - 24, -6, 6) + 6`.
//! 2. Decode the integer less the centre, and let m be its magnitude, at most 65535.
//! 3. `seen` of the row and of the column grow by 256 m; `expected` of the row grows by (g * relative of c) >> 12, c's
//!    relative being that of step 1.
//!
//! After the last integer of a row, `expected` of every column grows by (g * relative of r) >> 12, with the sums of the
//! finished row. No sum grows beyond 2^48.
//!
//! An encoder is free in j and in the centre. This one takes as j the index nearest to the integers' deviation, and a
//! centre only where that pays for its eight bits.
//!
//! # Mixing
//!
//! The logistic function ([`cdf`], [`squash`], [`stretch`]), counters ([`Counter`], [`Contexts`], [`hash`]) and mixers
//! ([`Mixer`]) are defined, step by step, in section 7 of the workspace's `docs/format.md`, beside the layers that use
//! them.

mod bit;
mod bytes;
mod gauss;
mod int;
mod logistic;
mod matrix;
mod mix;
mod range;

pub use bit::{AdaptiveBit, Average};
pub use int::{IntAverage, IntModel};
pub use logistic::{cdf, squash, stretch};
pub use matrix::code_matrix;
pub use mix::{Block, Contexts, Counter, Gates, Mixer, Rates, hash};
pub use range::{Coder, Decoder, Encoder};
