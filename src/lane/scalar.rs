//! One lane in plain Rust, and its fused multiply-add.

use super::Simd;

/// `a * b + c` with one rounding, from double-precision operations only (no fused instruction, no libm).
///
/// The product of two f32 is exact in f64; the sum is rounded to odd there, so that the second rounding to f32
/// cannot be a double rounding (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums: proved
/// algorithms using rounding to odd", 2008).
pub fn fma_soft(a: f32, b: f32, c: f32) -> f32 {
    let p = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let s = p + c;
    if s.is_finite() {
        let t = s - p;
        let error = (p - (s - t)) + (c - t);
        if error != 0.0 && s.to_bits() & 1 == 0 {
            let away = (error > 0.0) == (s > 0.0);
            let bits = if away { s.to_bits() + 1 } else { s.to_bits() - 1 };
            return f64::from_bits(bits) as f32;
        }
    }
    s as f32
}

/// One lane in plain Rust: the reference that the other widths must reproduce.
#[derive(Clone, Copy)]
pub struct Scalar(());

impl Scalar {
    /// The one-lane token, which every processor can run.
    pub fn new() -> Scalar {
        Scalar(())
    }
}

impl Default for Scalar {
    fn default() -> Self {
        Scalar::new()
    }
}

impl Simd for Scalar {
    const N: usize = 1;
    type V = f32;

    #[inline(always)]
    fn splat(self, x: f32) -> f32 {
        x
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> f32 {
        // SAFETY: the caller's promise.
        unsafe { *p }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: f32) {
        // SAFETY: the caller's promise.
        unsafe { *p = v }
    }
    #[inline(always)]
    fn add(self, a: f32, b: f32) -> f32 {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: f32, b: f32) -> f32 {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: f32, b: f32) -> f32 {
        a * b
    }
    #[inline(always)]
    fn div(self, a: f32, b: f32) -> f32 {
        a / b
    }
    #[inline(always)]
    fn fma(self, a: f32, b: f32, c: f32) -> f32 {
        // `mul_add` is one instruction on these targets; elsewhere it calls a libm that need not be exact.
        if cfg!(any(target_feature = "fma", target_arch = "aarch64")) {
            a.mul_add(b, c)
        } else {
            fma_soft(a, b, c)
        }
    }
    #[inline(always)]
    fn min(self, a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn max(self, a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn round(self, a: f32) -> f32 {
        a.round_ties_even()
    }
    #[inline(always)]
    fn select_gt(self, a: f32, b: f32, x: f32, y: f32) -> f32 {
        if a > b { x } else { y }
    }
    #[inline(always)]
    fn flip_if_odd(self, x: f32, k: f32) -> f32 {
        f32::from_bits(x.to_bits() ^ ((k as i32 as u32) << 31))
    }
    #[inline(always)]
    fn exp2_int(self, k: f32) -> f32 {
        f32::from_bits(((k as i32 + 127) as u32) << 23)
    }
    #[inline(always)]
    fn split(self, x: f32) -> (f32, f32) {
        let bits = x.to_bits();
        let e = (bits >> 23) as i32 - 127;
        (e as f32, f32::from_bits((bits & 0x007f_ffff) | 0x3f80_0000))
    }
}
