//! The numbers below n in an order that a key decides, one by one.

use crate::rng;

/// Upper counter half under which keys are derived: "inrfitpm" as a number, a training step that no fit reaches; the
/// last bit tells two permutations of one epoch apart.
const DOMAIN: u64 = 0x696E_7266_6974_706C;
const N_ROUNDS: usize = 8;
/// Below, the two halves would have too few bits to mix.
const FEWEST_BITS: u32 = 6;
/// Multipliers of the round function: 2^64 over the golden ratio, and 2^64 times the fraction of the square root of 2,
/// made odd.
const MULTIPLIER: [u64; 2] = [0x9E37_79B9_7F4A_7C15, 0x6A09_E667_F3BC_C909];

/// A permutation of the numbers below n, computed for one number at a time and without memory: a format-preserving
/// cipher.
///
/// # Definition
///
/// Numbers below n have b bits, at least 6; l is the upper b / 2 of them (rounded down), r the lower others. A Feistel
/// network of 8 rounds permutes all 2^b numbers: round j = 0, 2, ... replaces l by l xor F(r, k_j), round j = 1, 3, ... r
/// by r xor F(l, k_j), with
///
/// ```text
/// m = (x xor k) A mod 2^64      F(x, k) = the top bits of (m xor (m >> 32)) B mod 2^64, as many as are replaced
/// A = 0x9E3779B97F4A7C15        B = 0x6A09E667F3BCC909
/// ```
///
/// Where the result is n or more, it goes through the network again until it is below: cycle walking (J. Black, P.
/// Rogaway, *Ciphers with Arbitrary Finite Domains*, CT-RSA 2002, doi:10.1007/3-540-45760-7_9), twice at most on average
/// from 64 numbers on. The round keys k_0 ... k_7 are the words of the two blocks 0 and 1 of [`rng::block`] under the
/// key that is the first two words of the block of counter (number, d + branch) under the seed, d a constant of this
/// module. Integers only: the same on every machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permutation {
    n: u32,
    /// Bits of l and of r.
    bits: [u32; 2],
    keys: [u32; N_ROUNDS],
}

impl Permutation {
    /// Permutation `number` of the numbers below `n`, of the two branches that each number has; `n` is at least 1.
    pub fn new(n: u32, seed: u64, number: u64, branch: bool) -> Permutation {
        let derived = rng::block(rng::words(seed), rng::counter(DOMAIN + u64::from(branch), number));
        let mut keys = [0; N_ROUNDS];
        for (i, keys) in keys.chunks_exact_mut(4).enumerate() {
            keys.copy_from_slice(&rng::block([derived[0], derived[1]], [i as u32, 0, 0, 0]));
        }
        let b = (u32::BITS - n.saturating_sub(1).leading_zeros()).max(FEWEST_BITS);
        Permutation { n: n.max(1), bits: [b / 2, b - b / 2], keys }
    }

    /// Where `i` goes; numbers from n on are taken modulo n.
    #[inline]
    pub fn at(&self, i: u32) -> u32 {
        let mut x = i % self.n;
        loop {
            x = self.network(x);
            if x < self.n {
                return x;
            }
        }
    }

    #[inline]
    fn network(&self, x: u32) -> u32 {
        let [left, right] = self.bits;
        let (mut l, mut r) = (x >> right, x & ((1 << right) - 1));
        for keys in self.keys.chunks_exact(2) {
            l ^= mixed(r ^ keys[0], left);
            r ^= mixed(l ^ keys[1], right);
        }
        l << right | r
    }
}

/// The top `bits` of a product of products.
#[inline]
fn mixed(x: u32, bits: u32) -> u32 {
    let m = u64::from(x).wrapping_mul(MULTIPLIER[0]);
    let m = (m ^ (m >> 32)).wrapping_mul(MULTIPLIER[1]);
    (m >> (u64::BITS - bits)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_once() {
        for n in [1, 2, 3, 5, 63, 64, 65, 1000, 4096, 4097, 100_003] {
            for number in 0..3 {
                let permutation = Permutation::new(n, 7, number, false);
                let mut seen = vec![false; n as usize];
                for i in 0..n {
                    assert!(!std::mem::replace(&mut seen[permutation.at(i) as usize], true), "{n} {i}");
                }
            }
        }
        let largest = Permutation::new(u32::MAX, 1, 2, true);
        assert!((0..1000).all(|i| largest.at(u32::MAX - 1 - i) < u32::MAX));
    }

    #[test]
    fn the_network_is_the_documented_one() {
        let permutation = Permutation::new(1 << 9, 0x0123_4567_89ab_cdef, 5, true);
        let derived = rng::block([0x89ab_cdef, 0x0123_4567], [5, 0, 0x6974_706D, 0x696E_7266]);
        let keys: Vec<u32> =
            (0..2).flat_map(|i| rng::block([derived[0], derived[1]], [i, 0, 0, 0])).collect();
        let (mut l, mut r) = (300u128 >> 5, 300u128 & 31);
        let f = |x: u128, key: u32, bits: u32| {
            let modulus = 1u128 << 64;
            let m = (x ^ u128::from(key)) * 0x9E37_79B9_7F4A_7C15 % modulus;
            ((m ^ (m >> 32)) * 0x6A09_E667_F3BC_C909 % modulus) >> (64 - bits)
        };
        for j in (0..8).step_by(2) {
            l ^= f(r, keys[j], 4);
            r ^= f(l, keys[j + 1], 5);
        }
        assert_eq!(u128::from(permutation.at(300)), l << 5 | r);
    }

    #[test]
    fn orders_never_change() {
        let first = |n| std::array::from_fn::<u32, 6, _>(|i| Permutation::new(n, 42, 0, false).at(i as u32));
        assert_eq!(first(764_928), [54475, 51282, 225186, 740049, 571042, 589299]);
        assert_eq!(first(10), [0, 4, 1, 3, 2, 5]);
    }

    #[test]
    fn places_are_even_and_independent() {
        // Of 12 numbers (12 of 64, so that walks are long) and of 97, over many permutations: where a number goes, and
        // where two neighbours go. Pearson's statistic, five standard deviations from its mean at most.
        for (n, n_permutations) in [(12u32, 60_000u64), (97, 400_000)] {
            let coarse = |x: u32| (u64::from(x) * 12 / u64::from(n)) as usize;
            let (mut single, mut pairs) = (vec![0.0f64; n as usize], [[0.0f64; 12]; 12]);
            for number in 0..n_permutations {
                let permutation = Permutation::new(n, 3, number, number % 2 == 1);
                let (a, b) = (permutation.at(4), permutation.at(5));
                single[a as usize] += 1.0;
                pairs[coarse(a)][coarse(b)] += 1.0;
            }
            let z = |chi: f64, degrees: f64| (chi - degrees) / (2.0 * degrees).sqrt();
            let expected = n_permutations as f64 / f64::from(n);
            let chi: f64 = single.iter().map(|c| (c - expected).powi(2) / expected).sum();
            assert!(z(chi, f64::from(n - 1)).abs() < 5.0, "{n}: {chi}");
            let in_cell = |k: usize| (0..n).filter(|x| coarse(*x) == k).count() as f64;
            let (mut chi, mut n_cells) = (0.0, 0.0);
            for i in 0..12 {
                for j in 0..12 {
                    // Two numbers never go to the same place.
                    let n_ways = in_cell(i) * (in_cell(j) - f64::from(u8::from(i == j)));
                    if n_ways > 0.0 {
                        let expected = n_permutations as f64 * n_ways / (f64::from(n) * f64::from(n - 1));
                        chi += (pairs[i][j] - expected).powi(2) / expected;
                        n_cells += 1.0;
                    } else {
                        assert_eq!(pairs[i][j], 0.0);
                    }
                }
            }
            assert!(z(chi, n_cells - 1.0).abs() < 5.0, "{n}: {chi} in {n_cells} cells");
        }
    }
}
