//! Elementary functions from `+ - * /` and square roots alone, and random numbers of the shapes that tracks need.
//!
//! None is accurate to the last place; each is the same on every machine, which is what streams that never change
//! need.

use inrfit_sampling::rng::Stream;

/// `2^x` to a relative error of 1e-7, for `|x| < 1000`.
pub(super) fn exp2(x: f64) -> f64 {
    let whole = (x + 0.5).floor();
    let f = (x - whole) * std::f64::consts::LN_2;
    let series =
        1.0 + f * (1.0 + f / 2.0 * (1.0 + f / 3.0 * (1.0 + f / 4.0 * (1.0 + f / 5.0 * (1.0 + f / 6.0)))));
    series * f64::from_bits(((whole as i64 + 1023) as u64) << 52)
}

/// `e^x`, as [`exp2`].
pub(super) fn exp(x: f64) -> f64 {
    exp2(x * std::f64::consts::LOG2_E)
}

/// The natural logarithm of a normal `x > 0` to 1e-7.
pub(super) fn ln(x: f64) -> f64 {
    let bits = x.to_bits();
    let mut exponent = ((bits >> 52) & 0x7ff) as i64 - 1023;
    let mut mantissa = f64::from_bits((bits & ((1 << 52) - 1)) | (1023 << 52));
    if mantissa > std::f64::consts::SQRT_2 {
        mantissa *= 0.5;
        exponent += 1;
    }
    // ln m = 2 artanh((m - 1) / (m + 1)).
    let t = (mantissa - 1.0) / (mantissa + 1.0);
    let q = t * t;
    let series = 1.0 + q * (1.0 / 3.0 + q * (1.0 / 5.0 + q * (1.0 / 7.0 + q / 9.0)));
    2.0 * t * series + exponent as f64 * std::f64::consts::LN_2
}

/// The angle of the point `(x, y)` in (-pi, pi], to 1e-6; 0 for the origin.
pub(super) fn angle(x: f64, y: f64) -> f64 {
    let (a, b) = (x.abs(), y.abs());
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if high == 0.0 {
        return 0.0;
    }
    // Two halvings of the angle, then its series.
    let half = |t: f64| t / (1.0 + (1.0 + t * t).sqrt());
    let t = half(half(low / high));
    let q = t * t;
    let series = 1.0 + q * (-1.0 / 3.0 + q * (1.0 / 5.0 + q * (-1.0 / 7.0 + q / 9.0)));
    let first = 4.0 * t * series;
    let quadrant = if a < b { std::f64::consts::FRAC_PI_2 - first } else { first };
    let half_plane = if x < 0.0 { std::f64::consts::PI - quadrant } else { quadrant };
    if y < 0.0 { -half_plane } else { half_plane }
}

/// The direction of angle `turn` (in turns): its cosine and sine to 1e-7.
pub(super) fn direction(turn: f64) -> [f64; 2] {
    let eighth = (turn * 4.0 + 0.5).floor();
    let x = (turn * 4.0 - eighth) * std::f64::consts::FRAC_PI_2;
    let q = x * x;
    let sine = x * (1.0 - q / 6.0 * (1.0 - q / 20.0 * (1.0 - q / 42.0 * (1.0 - q / 72.0))));
    let cosine = 1.0 - q / 2.0 * (1.0 - q / 12.0 * (1.0 - q / 30.0 * (1.0 - q / 56.0 * (1.0 - q / 90.0))));
    match (eighth as i64).rem_euclid(4) {
        0 => [cosine, sine],
        1 => [-sine, cosine],
        2 => [-cosine, -sine],
        _ => [sine, -cosine],
    }
}

/// A number with an exponential distribution of mean 1, at most 36.
pub(super) fn exponential(stream: &mut Stream) -> f64 {
    -ln(1.0 - stream.unit())
}

/// A number with nearly a normal distribution of mean 0 and deviation 1, within 3.5: the sum of four uniform ones.
pub(super) fn normal(stream: &mut Stream) -> f64 {
    let bits = (stream.unit() * (1u64 << 52) as f64) as u64;
    let sum: u64 = (0..4).map(|i| (bits >> (13 * i)) & 0x1fff).sum();
    (sum as f64 + 2.0 - 16384.0) * (1.732_050_807_568_877_2 / 8192.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_agree_with_those_of_the_system() {
        for i in -3000..=3000 {
            let x = f64::from(i) * 0.01;
            assert!((exp(x) / x.exp() - 1.0).abs() < 3e-7, "exp {x}");
            assert!((ln(exp(x)) - x).abs() < 4e-7, "ln {x}");
            let [c, s] = direction(x);
            let turn = x * std::f64::consts::TAU;
            assert!((c - turn.cos()).abs() < 1e-7 && (s - turn.sin()).abs() < 1e-7, "direction {x}");
            // Where the half-planes meet, the sign of a zero decides between pi and -pi.
            let off = (angle(3.0 * c, 3.0 * s) - (3.0 * s).atan2(3.0 * c)).abs();
            assert!(off < 1e-6 || (off - std::f64::consts::TAU).abs() < 1e-6, "angle {x}");
        }
        assert_eq!(angle(0.0, 0.0), 0.0);
    }

    #[test]
    fn draws_have_their_moments() {
        let mut stream = Stream::new(7, 0);
        let n = 200_000;
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n as f64;
        let a: Vec<f64> = (0..n).map(|_| normal(&mut stream)).collect();
        let squares: Vec<f64> = a.iter().map(|x| x * x).collect();
        assert!(mean(&a).abs() < 0.01 && (mean(&squares) - 1.0).abs() < 0.01);
        let b: Vec<f64> = (0..n).map(|_| exponential(&mut stream)).collect();
        assert!((mean(&b) - 1.0).abs() < 0.01 && b.iter().all(|&x| (0.0..=37.0).contains(&x)));
    }
}
