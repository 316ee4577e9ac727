//! The fixed frequencies of random Fourier features. Files depend on them: they never change.

use inrfit_sampling::rng;

/// Keeps the draws of frequencies apart from every other use of the same seed.
const FREQUENCY: u32 = 0x6672_6571;
/// Eight times the mean of a uniform number of 16 bits, and the inverse of the deviation of the sum of eight.
const MEAN: i32 = 8 * 65_535 / 2;
const PER_DEVIATION: f32 = 1.868_812e-5;

/// Matrix and biases of `2 n` outputs for `sin(2 pi a)`: `n` rows of frequencies, and the same again a quarter of a
/// cycle on, which makes cosines.
///
/// A frequency is a normal number but for its tails: the sum of eight uniform ones, so that no function but sums and
/// products is needed.
pub fn frequencies(scale: f32, seed: u32, n: usize, n_coords: usize) -> (Vec<f32>, Vec<f32>) {
    let frequency = |i: usize| {
        let words = rng::block([seed, 0], [i as u32, 0, 0, FREQUENCY]);
        let sum: u32 = words.iter().map(|w| (w & 0xffff) + (w >> 16)).sum();
        (sum as i32 - MEAN) as f32 * PER_DEVIATION * scale
    };
    let rows: Vec<f32> = (0..n * n_coords).map(frequency).collect();
    let biases = [vec![0.0; n], vec![0.25; n]].concat();
    (rows.repeat(2), biases)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frequencies_have_the_moments_of_normal_numbers() {
        let (matrix, biases) = frequencies(3.0, 5, 4096, 3);
        assert_eq!((matrix.len(), biases.len()), (2 * 3 * 4096, 2 * 4096));
        assert_eq!(matrix[..3 * 4096], matrix[3 * 4096..]);
        let moment = |k: i32| {
            let sum: f64 = matrix.iter().map(|f| (f64::from(*f) / 3.0).powi(k)).sum();
            sum / matrix.len() as f64
        };
        assert!(moment(1).abs() < 0.03 && (moment(2) - 1.0).abs() < 0.03, "{} {}", moment(1), moment(2));
        assert!(moment(3).abs() < 0.1 && (moment(4) - 2.85).abs() < 0.15, "{} {}", moment(3), moment(4));
        assert!(frequencies(3.0, 6, 8, 3).0 != frequencies(3.0, 5, 8, 3).0);
    }
}
