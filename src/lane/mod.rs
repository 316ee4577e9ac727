//! Single-precision arithmetic on `n` lanes: the only place that defines how a field is evaluated.
//!
//! Every operation here is either an IEEE 754 operation with one rounding (to nearest, ties to even) or is
//! written in terms of such operations in a fixed order. Lanes never mix, so a value does not depend on how
//! many lanes computed it: one lane in plain Rust, eight (AVX2) and sixteen (AVX-512) give the same bits.
//! `docs/format.md` spells the same functions out for independent decoders.
//!
//! A [`Simd`] value is a token: it can only be had from [`dispatch`], which checks the processor first, so its
//! methods are sound to call.

#![allow(clippy::excessive_precision, reason = "constants are those of the format document, digit by digit")]

pub mod matrix;
mod scalar;
#[cfg(target_arch = "x86_64")]
mod x86;

pub use scalar::{Scalar, fma_soft};

/// The instruction sets a computation can be dispatched to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// One lane, no instructions beyond the build target's.
    Scalar,
    /// Eight lanes: AVX2 and FMA.
    Avx2,
    /// Sixteen lanes: AVX-512F.
    Avx512,
}

impl Level {
    /// The widest level this processor runs.
    pub fn detect() -> Level {
        Level::available().into_iter().next_back().unwrap_or(Level::Scalar)
    }

    /// Every level this processor runs, narrowest first.
    pub fn available() -> Vec<Level> {
        #[allow(unused_mut, reason = "only x86-64 has more than one level")]
        let mut levels = vec![Level::Scalar];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
                if is_x86_feature_detected!("avx512f") {
                    levels.push(Level::Avx512);
                }
            }
        }
        levels
    }

    /// Lanes of this level.
    pub fn n_lanes(self) -> usize {
        match self {
            Level::Scalar => 1,
            Level::Avx2 => 8,
            Level::Avx512 => 16,
        }
    }
}

/// A computation written once for every lane width.
pub trait Kernel {
    /// What it returns.
    type Output;
    /// Runs it. Implementations are `#[inline(always)]`, so that they are compiled with the level's instructions.
    fn run<S: Simd>(self, s: S) -> Self::Output;
}

/// Runs `kernel` at `level`.
///
/// # Panics
/// If this processor lacks `level`: take levels from [`Level::available`] or [`Level::detect`].
pub fn dispatch<K: Kernel>(level: Level, kernel: K) -> K::Output {
    match level {
        Level::Scalar => kernel.run(Scalar::new()),
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => {
            assert!(is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"), "no AVX2 here");
            // SAFETY: the features were just checked.
            unsafe { x86::run_avx2(kernel) }
        }
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => {
            assert!(
                is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("fma"),
                "no AVX-512 here"
            );
            // SAFETY: the features were just checked.
            unsafe { x86::run_avx512(kernel) }
        }
        #[cfg(not(target_arch = "x86_64"))]
        _ => panic!("this level exists on x86-64 only"),
    }
}

/// `N` lanes of f32 and the operations on them.
pub trait Simd: Copy + Send + Sync + 'static {
    /// Number of lanes.
    const N: usize;
    /// `N` values.
    type V: Copy;

    /// `x` in every lane.
    fn splat(self, x: f32) -> Self::V;
    /// `N` values from memory, any alignment.
    ///
    /// # Safety
    /// `p` points to `N` readable values.
    unsafe fn load(self, p: *const f32) -> Self::V;
    /// `N` values to memory, any alignment.
    ///
    /// # Safety
    /// `p` points to `N` writable values.
    unsafe fn store(self, p: *mut f32, v: Self::V);
    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c` with one rounding.
    fn fma(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `a < b ? a : b`: `b` where either is NaN.
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a > b ? a : b`: `b` where either is NaN.
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// Nearest whole number, ties to even.
    fn round(self, a: Self::V) -> Self::V;
    /// `a > b ? x : y`: `y` where either is NaN.
    fn select_gt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `x` with its sign flipped where `k` is odd; `k` holds whole numbers, `|k| < 2^31`.
    fn flip_if_odd(self, x: Self::V, k: Self::V) -> Self::V;
    /// `2^k` for whole numbers `k` from -126 to 127.
    fn exp2_int(self, k: Self::V) -> Self::V;
    /// For normal `x > 0`: whole `e` and `m` in `[1, 2)` with `x = m 2^e`.
    fn split(self, x: Self::V) -> (Self::V, Self::V);

    /// `x` held between `lo` and `hi`; NaN becomes `hi`.
    #[inline(always)]
    fn clamp(self, x: Self::V, lo: f32, hi: f32) -> Self::V {
        self.max(self.min(x, self.splat(hi)), self.splat(lo))
    }

    /// `sin x` and `cos x`, absolute error below 2e-7 for `|x| <= 2^16`; beyond, `x` is clamped to that.
    #[inline(always)]
    fn sin_cos(self, x: Self::V) -> (Self::V, Self::V) {
        let (k, r, s) = reduce(self, x);
        (sin_reduced(self, k, r, s), {
            let p = self.splat(COS[4]);
            let p = self.fma(p, s, self.splat(COS[3]));
            let p = self.fma(p, s, self.splat(COS[2]));
            let p = self.fma(p, s, self.splat(COS[1]));
            let p = self.fma(p, s, self.splat(COS[0]));
            self.flip_if_odd(self.fma(p, s, self.splat(1.0)), k)
        })
    }

    /// `sin x`: the first of [`Simd::sin_cos`], bit for bit.
    #[inline(always)]
    fn sin(self, x: Self::V) -> Self::V {
        let (k, r, s) = reduce(self, x);
        sin_reduced(self, k, r, s)
    }

    /// `2^x`, relative error below 1e-7; `x` is clamped to [-126, 127] first.
    #[inline(always)]
    fn exp2(self, x: Self::V) -> Self::V {
        let x = self.clamp(x, -126.0, 127.0);
        let k = self.round(x);
        let f = self.sub(x, k);
        let p = self.splat(EXP2[5]);
        let p = self.fma(p, f, self.splat(EXP2[4]));
        let p = self.fma(p, f, self.splat(EXP2[3]));
        let p = self.fma(p, f, self.splat(EXP2[2]));
        let p = self.fma(p, f, self.splat(EXP2[1]));
        let p = self.fma(p, f, self.splat(EXP2[0]));
        self.mul(self.fma(p, f, self.splat(1.0)), self.exp2_int(k))
    }

    /// `log2 x` for normal `x > 0`, absolute error below 1e-7 plus one rounding of the result.
    #[inline(always)]
    fn log2(self, x: Self::V) -> Self::V {
        let (e, m) = self.split(x);
        // Halve mantissas above sqrt 2, so that the polynomial's argument is small on both sides of 1.
        let high = self.splat(std::f32::consts::SQRT_2);
        let e = self.select_gt(m, high, self.add(e, self.splat(1.0)), e);
        let m = self.select_gt(m, high, self.mul(m, self.splat(0.5)), m);
        let f = self.sub(m, self.splat(1.0));
        let mut p = self.splat(LOG2[8]);
        for i in (0..8).rev() {
            p = self.fma(p, f, self.splat(LOG2[i]));
        }
        self.fma(p, f, e)
    }
}

/// Lanes with products of bf16 pairs, summed in f32: for training only, since sums of pairs have no fixed rounding.
///
/// Two bf16 numbers lie in one u32, the first in the low half.
pub trait Bf16: Simd {
    /// `N` pairs.
    type Pairs: Copy;

    /// The pair `x` in every lane.
    fn splat_pair(self, x: u32) -> Self::Pairs;
    /// `N` pairs from memory.
    ///
    /// # Safety
    /// `p` points to `N` readable values.
    unsafe fn load_pairs(self, p: *const u32) -> Self::Pairs;
    /// `sum + a.0 * b.0 + a.1 * b.1`
    fn dot(self, a: Self::Pairs, b: Self::Pairs, sum: Self::V) -> Self::V;
    /// Rounds `v` to bf16 and stores neighbouring lanes as pairs.
    ///
    /// # Safety
    /// `p` points to `N / 2` writable values.
    unsafe fn store_lane_pairs(self, p: *mut u32, v: Self::V);
    /// Rounds to bf16 and stores lane `i` of `a` and of `b` as pair `i`.
    ///
    /// # Safety
    /// `p` points to `N` writable values.
    unsafe fn store_row_pairs(self, p: *mut u32, a: Self::V, b: Self::V);
}

/// A computation that needs [`Bf16`].
pub trait Bf16Kernel {
    /// Runs it. Implementations are `#[inline(always)]`.
    fn run_bf16<S: Bf16>(self, s: S);
}

/// Whether this processor multiplies bf16 pairs (AVX512-BF16).
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    let has = is_x86_feature_detected!("avx512bf16")
        && is_x86_feature_detected!("avx512bw")
        && Level::detect() == Level::Avx512;
    #[cfg(not(target_arch = "x86_64"))]
    let has = false;
    has
}

/// Runs `kernel` with bf16 products.
///
/// # Panics
/// Where [`has_bf16`] is false.
pub fn dispatch_bf16<K: Bf16Kernel>(kernel: K) {
    assert!(has_bf16(), "no AVX512-BF16 here");
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the features were just checked.
    unsafe {
        x86::run_bf16(kernel);
    }
    #[cfg(not(target_arch = "x86_64"))]
    drop(kernel);
}

/// `x` rounded to bf16 (ties to even), as its bits; for finite `x`.
pub fn to_bf16(x: f32) -> u16 {
    let bits = x.to_bits();
    (bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16) as u16
}

/// `k = round(x / pi)`, `r = x - k pi` and `r^2`, after clamping `x` to +-65536.
#[inline(always)]
fn reduce<S: Simd>(s: S, x: S::V) -> (S::V, S::V, S::V) {
    let x = s.clamp(x, -65536.0, 65536.0);
    let k = s.round(s.mul(x, s.splat(INV_PI)));
    let r = s.fma(k, s.splat(-PI_HIGH), x);
    let r = s.fma(k, s.splat(-PI_LOW), r);
    (k, r, s.mul(r, r))
}

#[inline(always)]
fn sin_reduced<S: Simd>(s: S, k: S::V, r: S::V, r2: S::V) -> S::V {
    let p = s.splat(SIN[3]);
    let p = s.fma(p, r2, s.splat(SIN[2]));
    let p = s.fma(p, r2, s.splat(SIN[1]));
    let p = s.fma(p, r2, s.splat(SIN[0]));
    s.flip_if_odd(s.fma(s.mul(p, r2), r, r), k)
}

#[allow(clippy::approx_constant, reason = "spelled out, as in the format document")]
const INV_PI: f32 = 0.318_309_87;
/// pi rounded to f32, and what it leaves.
#[allow(clippy::approx_constant, reason = "its rounding matters: PI_LOW is what it leaves")]
const PI_HIGH: f32 = 3.141_592_7;
const PI_LOW: f32 = -8.742_278e-8;
/// `(sin r - r) / r^3` in powers of `r^2`, minimax for `|r| <= pi / 2`.
const SIN: [f32; 4] = [-1.666_665_7e-1, 8.333_017e-3, -1.980_661_5e-4, 2.600_053_9e-6];
/// `(cos r - 1) / r^2` in powers of `r^2`, minimax for `|r| <= pi / 2`.
const COS: [f32; 5] = [-0.5, 4.166_664e-2, -1.388_840_4e-3, 2.476_188_6e-5, -2.607_71e-7];
/// `(2^f - 1) / f`, minimax for `|f| <= 1 / 2`.
const EXP2: [f32; 6] =
    [6.931_472e-1, 2.402_265_1e-1, 5.550_328e-2, 9.618_004e-3, 1.340_023_5e-3, 1.547_628e-4];
/// `log2(1 + f) / f`, minimax for `sqrt 1/2 - 1 <= f <= sqrt 2 - 1`.
const LOG2: [f32; 9] = [
    1.442_694_9,
    -7.213_471e-1,
    4.809_224_2e-1,
    -3.607_211_4e-1,
    2.876_587_6e-1,
    -2.385_212e-1,
    2.173_657_6e-1,
    -2.102_897e-1,
    1.254_277_3e-1,
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Arguments that reach every branch: ordinary, huge, tiny, subnormal, signed zeros, infinities, NaN.
    fn arguments() -> Vec<f32> {
        let mut x: Vec<f32> = (0..40_000).map(|i| (i as f32 - 20_000.0) * 0.003_7).collect();
        x.extend((0..4_000).map(|i| (i as f32 - 2_000.0) * 31.7));
        x.extend([
            0.0,
            -0.0,
            1e-42,
            -1e-42,
            1e30,
            -1e30,
            f32::INFINITY,
            f32::NEG_INFINITY,
            f32::NAN,
            0.5,
            -0.5,
            1.5,
        ]);
        x.resize(x.len().next_multiple_of(16), 1.0);
        x
    }

    struct All<'a>(&'a [f32]);
    impl Kernel for All<'_> {
        type Output = Vec<u32>;
        #[inline(always)]
        fn run<S: Simd>(self, s: S) -> Vec<u32> {
            let mut out = vec![0.0f32; self.0.len() * 6];
            for (x, o) in self.0.chunks_exact(S::N).zip(out.chunks_exact_mut(6 * S::N)) {
                // SAFETY: the chunks hold N and 6 N values.
                unsafe {
                    let x = s.load(x.as_ptr());
                    let (sin, cos) = s.sin_cos(x);
                    let positive = s.max(s.mul(x, x), s.splat(1e-30));
                    for (j, v) in
                        [sin, cos, s.sin(x), s.exp2(x), s.log2(positive), s.round(s.fma(x, x, s.sin(x)))]
                            .into_iter()
                            .enumerate()
                    {
                        s.store(o.as_mut_ptr().add(j * S::N), v);
                    }
                }
            }
            // Bring lanes back into one order, whatever the width.
            let n = S::N;
            (0..self.0.len() * 6)
                .map(|i| {
                    let (site, f) = (i / 6, i % 6);
                    let v = out[site / n * 6 * n + f * n + site % n];
                    if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }
                })
                .collect()
        }
    }

    #[test]
    fn every_width_gives_the_same_bits() {
        let x = arguments();
        let reference = dispatch(Level::Scalar, All(&x));
        for level in Level::available() {
            assert!(dispatch(level, All(&x)) == reference, "{level:?}");
        }
    }

    #[test]
    fn functions_are_accurate() {
        let s = Scalar::new();
        for x in arguments().into_iter().filter(|x| x.abs() <= 65536.0) {
            let exact = f64::from(x);
            let (sin, cos) = s.sin_cos(x);
            assert!((f64::from(sin) - exact.sin()).abs() < 2e-7, "sin {x}");
            assert!((f64::from(cos) - exact.cos()).abs() < 2e-7, "cos {x}");
            assert_eq!(s.sin(x).to_bits(), sin.to_bits());
            if (-126.0..=127.0).contains(&x) {
                assert!((f64::from(s.exp2(x)) / exact.exp2() - 1.0).abs() < 2e-7, "exp2 {x}");
            }
            if x > 1e-30 {
                let log = exact.log2();
                assert!((f64::from(s.log2(x)) - log).abs() < 1e-7 + 6e-8 * log.abs(), "log2 {x}");
            }
        }
        assert_eq!(s.exp2(f32::NAN).to_bits(), 127f32.exp2().to_bits());
        assert_eq!(s.exp2(10.0), 1024.0);
        assert_eq!(s.log2(1024.0), 10.0);
    }

    #[test]
    fn soft_fma_is_the_fused_one() {
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            f32::from_bits((state >> 16) as u32)
        };
        for _ in 0..400_000 {
            let (a, b, c) = (next(), next(), next());
            // Near-cancelling triples are the hard ones; random ones alone would hardly meet them.
            for c in [c, -(a * b), (a * b) * 0.999_999_9, f32::MIN_POSITIVE, 0.0, -0.0] {
                let (soft, fused) = (fma_soft(a, b, c), a.mul_add(b, c));
                assert!(
                    soft.to_bits() == fused.to_bits() || (soft.is_nan() && fused.is_nan()),
                    "{a} {b} {c}"
                );
            }
        }
    }
}
