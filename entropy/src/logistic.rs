//! The logistic function in integers: probabilities and their logits by one table.

/// Logits are in units of 1/256 nat; those beyond this are taken as this.
pub const MAX_LOGIT: i32 = 4095;
/// The largest logit that [`stretch`] gives: probabilities of one in 3,000 and rarer look alike to a mixer.
pub const MAX_INPUT: i32 = 2047;

/// `CDF[x + 4096]`: the logistic function of `x / 256`, in units of 2^-30, rounded down.
static CDF: [u32; 8192] = cdf_table();
/// `STRETCH[i]`: the logit of a probability between `i` and `i + 1` units of 2^-12.
static STRETCH: [i16; 4096] = stretch_table();

/// e^x for 0 <= x < 1, by its series: correct to the last digits of an f64.
const fn exp_below_one(x: f64) -> f64 {
    let mut sum = 1.0;
    let mut n = 22.0;
    while n > 0.0 {
        sum = 1.0 + sum * x / n;
        n -= 1.0;
    }
    sum
}

const fn cdf_table() -> [u32; 8192] {
    let mut whole = [1.0; 17];
    let mut i = 1;
    while i < whole.len() {
        whole[i] = whole[i - 1] * std::f64::consts::E;
        i += 1;
    }
    let mut fraction = [1.0; 256];
    let mut i = 1;
    while i < fraction.len() {
        fraction[i] = exp_below_one(i as f64 / 256.0);
        i += 1;
    }
    let mut table = [0; 8192];
    let mut i = 0;
    while i < table.len() {
        let x = i as i32 - 4096;
        let magnitude = x.unsigned_abs() as usize;
        let e = whole[magnitude >> 8] * fraction[magnitude & 255];
        let p = if x < 0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
        table[i] = (p * (1u32 << 30) as f64) as u32;
        i += 1;
    }
    table
}

const fn stretch_table() -> [i16; 4096] {
    let cdf = cdf_table();
    let mut table = [0; 4096];
    let (mut i, mut x) = (0, -MAX_INPUT);
    while i < table.len() {
        // The middle of the interval, in the units of the table.
        let middle = (2 * i as u32 + 1) << 17;
        while x < MAX_INPUT && cdf[(x + 4096) as usize] < middle {
            x += 1;
        }
        table[i] = x as i16;
        i += 1;
    }
    table
}

/// The logistic function of `x / 256` in units of 2^-30; `x` is limited to -4095..=4095.
#[inline(always)]
pub fn cdf(x: i32) -> u32 {
    CDF[(x.clamp(-MAX_LOGIT, MAX_LOGIT) + 4096) as usize]
}

/// The probability with the logit `x`, in units of 2^-16, 1 to 65,535.
#[inline(always)]
pub fn squash(x: i32) -> u32 {
    ((cdf(x) + (1 << 13)) >> 14).clamp(1, 65_535)
}

/// The logit of a probability in units of 2^-16 (below 2^16), -2047 to 2047.
#[inline(always)]
pub fn stretch(p: u32) -> i32 {
    i32::from(STRETCH[(p >> 4) as usize & 4095])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_function_of_the_standard_library() {
        for x in -4095..=4095 {
            let exact = f64::from(1 << 30) / (1.0 + (-f64::from(x) / 256.0).exp());
            assert_eq!(cdf(x), exact as u32, "{x}: {exact}");
            // No entry is so near to a whole number that another way to compute it could round otherwise.
            assert!(x == 0 || (exact - exact.round()).abs() > 1e-5, "{x}: {exact}");
            assert!((i64::from(cdf(x)) + i64::from(cdf(-x)) - (1 << 30)).abs() <= 1);
        }
        assert_eq!((cdf(i32::MIN), cdf(i32::MAX)), (cdf(-4095), cdf(4095)));
    }

    #[test]
    fn stretch_is_the_inverse_of_squash() {
        for p in 1..65_536u32 {
            let middle = f64::from(p >> 4) + 0.5;
            let logit = 256.0 * (middle / (4096.0 - middle)).ln();
            assert!((f64::from(stretch(p)) - logit.clamp(-2047.0, 2047.0)).abs() <= 1.0, "{p}");
        }
        for x in -1500..=1500 {
            assert!((stretch(squash(x)) - x).abs() <= 1 + (x.abs() / 40).pow(2) / 20, "{x}");
        }
    }
}
