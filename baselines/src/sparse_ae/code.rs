//! Lists of nonzero numbers as bytes: distances between their places, and values, arithmetic-coded.

use crate::error::{Error, Result};
use inrfit_entropy::{Coder, Decoder, Encoder, IntModel};

/// The largest quantised latent; exact in `f32`.
pub const MAX_LATENT: i32 = 1 << 24;

/// A number that is not zero, and its place.
pub type Entry = (usize, i32);

/// What is learned, image by image, of the lists' numbers.
struct Models {
    count: IntModel,
    gap: IntModel,
    value: IntModel,
}

impl Models {
    fn new() -> Models {
        Models { count: IntModel::new(1), gap: IntModel::new(1), value: IntModel::new(1) }
    }

    /// Codes one list over places below `l`: how many entries there are, and for each the zeros before it and its value.
    /// The encoder writes `list` and returns it; the decoder ignores `list` and returns what it read.
    fn code<C: Coder>(&mut self, coder: &mut C, l: usize, list: &[Entry]) -> Result<Vec<Entry>> {
        let n = self.count.code(coder, 0, list.len() as i32);
        let n = usize::try_from(n).ok().filter(|&n| n <= l);
        let n = n.ok_or_else(|| corrupt("more nonzero latents than there are latents"))?;
        let mut read = Vec::with_capacity(n);
        let mut next = 0;
        for i in 0..n {
            let (place, value) = list.get(i).copied().unwrap_or_default();
            let gap = self.gap.code(coder, 0, place.wrapping_sub(next) as i32);
            let place = usize::try_from(gap).ok().map(|gap| next + gap).filter(|&place| place < l);
            let place = place.ok_or_else(|| corrupt("a nonzero latent past the last one"))?;
            let value = self.value.code(coder, 0, value);
            if value == 0 {
                return Err(corrupt("a nonzero latent that is zero"));
            }
            read.push((place, value));
            next = place + 1;
        }
        Ok(read)
    }
}

fn corrupt(why: &str) -> Error {
    Error::Corrupt(format!("damaged latents: {why}"))
}

/// Codes lists, whose places rise and lie below `l`, and whose values are not zero.
pub fn pack(lists: &[Vec<Entry>], l: usize) -> Result<Vec<u8>> {
    let (mut models, mut encoder) = (Models::new(), Encoder::new());
    for list in lists {
        models.code(&mut encoder, l, list)?;
    }
    Ok(encoder.finish())
}

/// The inverse of [`pack`] for `n` lists.
///
/// # Errors
/// `Corrupt` for bytes that it did not write.
pub fn unpack(bytes: &[u8], n: usize, l: usize) -> Result<Vec<Vec<Entry>>> {
    let (mut models, mut decoder) = (Models::new(), Decoder::new(bytes));
    let mut lists = vec![];
    for _ in 0..n {
        lists.push(models.code(&mut decoder, l, &[])?);
        if decoder.overrun() {
            return Err(corrupt("they end early"));
        }
    }
    if decoder.n_left() > 0 {
        return Err(corrupt("bytes follow the last one"));
    }
    Ok(lists)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists as an encoder gives them.
    fn lists(l: usize) -> Vec<Vec<Entry>> {
        let list = |k: usize| (0..l).filter(move |i| (i * 31 + k * 17) % 101 < 1 + k % 3);
        (0..40).map(|k| list(k).map(|i| (i, 1 + ((i * 7 + k) % 9) as i32)).collect()).collect()
    }

    #[test]
    fn lists_come_back() {
        for lists in
            [lists(500), vec![vec![]; 3], vec![], vec![vec![(0, -MAX_LATENT), (499, i32::MAX)], vec![]]]
        {
            let bytes = pack(&lists, 500).unwrap();
            assert_eq!(unpack(&bytes, lists.len(), 500).unwrap(), lists);
        }
        let all: Vec<Entry> = (0..500).map(|i| (i, 1)).collect();
        assert_eq!(unpack(&pack(std::slice::from_ref(&all), 500).unwrap(), 1, 500).unwrap(), [all]);
    }

    #[test]
    fn regular_lists_take_few_bits() {
        // One in ten, always the same value: a gap of 9 costs next to nothing once it is learned.
        let list: Vec<Entry> = (0..50).map(|i| (9 + 10 * i, 3)).collect();
        let bytes = pack(&vec![list; 100], 500).unwrap();
        assert!(bytes.len() < 100 * 50 / 40, "{}", bytes.len());
    }

    #[test]
    fn damage_is_an_error_or_other_lists() {
        let bytes = pack(&lists(500), 500).unwrap();
        for cut in 0..bytes.len() - 8 {
            assert!(unpack(&bytes[..cut], 40, 500).is_err(), "{cut}");
        }
        let mut n_errors = 0;
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            match unpack(&damaged, 40, 500) {
                Err(_) => n_errors += 1,
                Ok(read) => assert!(read.iter().flatten().all(|&(i, v)| i < 500 && v != 0)),
            }
        }
        assert!(n_errors > bytes.len() * 4, "{n_errors} of {}", bytes.len() * 8);
        // Fewer latents than the places need.
        assert!(unpack(&bytes, 40, 50).is_err());
    }
}
