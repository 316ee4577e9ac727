//! Eight and sixteen lanes on x86-64.

use super::{Kernel, Simd};
use std::arch::x86_64::*;

/// Eight lanes. Only [`run_avx2`] makes one.
#[derive(Clone, Copy)]
pub struct Avx2(());

/// Sixteen lanes. Only [`run_avx512`] makes one.
#[derive(Clone, Copy)]
pub struct Avx512(());

/// # Safety
/// The processor has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub unsafe fn run_avx2<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx2(()))
}

/// # Safety
/// The processor has AVX-512F.
#[target_feature(enable = "avx512f,avx2,fma")]
pub unsafe fn run_avx512<K: Kernel>(kernel: K) -> K::Output {
    kernel.run(Avx512(()))
}

const NEAREST_EVEN: i32 = _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC;

/// Methods of one width: every body is a fixed sequence of instructions of the level's features.
macro_rules! methods {
    ($($name:ident($($arg:ident: $ty:ty),*) -> $out:ty = $body:expr;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: $ty),*) -> $out {
            // SAFETY: the token exists only where the processor has the level's features.
            unsafe { $body }
        })*
    };
}

impl Simd for Avx2 {
    const N: usize = 8;
    type V = __m256;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m256 {
        // SAFETY: the caller's promise and the token.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m256) {
        // SAFETY: the caller's promise and the token.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    methods! {
        splat(x: f32) -> __m256 = _mm256_set1_ps(x);
        add(a: __m256, b: __m256) -> __m256 = _mm256_add_ps(a, b);
        sub(a: __m256, b: __m256) -> __m256 = _mm256_sub_ps(a, b);
        mul(a: __m256, b: __m256) -> __m256 = _mm256_mul_ps(a, b);
        div(a: __m256, b: __m256) -> __m256 = _mm256_div_ps(a, b);
        fma(a: __m256, b: __m256, c: __m256) -> __m256 = _mm256_fmadd_ps(a, b, c);
        min(a: __m256, b: __m256) -> __m256 = _mm256_min_ps(a, b);
        max(a: __m256, b: __m256) -> __m256 = _mm256_max_ps(a, b);
        round(a: __m256) -> __m256 = _mm256_round_ps::<NEAREST_EVEN>(a);
        select_gt(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 =
            _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b));
        flip_if_odd(x: __m256, k: __m256) -> __m256 = _mm256_xor_ps(
            x, _mm256_castsi256_ps(_mm256_slli_epi32::<31>(_mm256_cvtps_epi32(k))));
        exp2_int(k: __m256) -> __m256 = _mm256_castsi256_ps(_mm256_slli_epi32::<23>(
            _mm256_add_epi32(_mm256_cvtps_epi32(k), _mm256_set1_epi32(127))));
        split(x: __m256) -> (__m256, __m256) = {
            let bits = _mm256_castps_si256(x);
            let e = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            let m = _mm256_or_si256(
                _mm256_and_si256(bits, _mm256_set1_epi32(0x007f_ffff)), _mm256_set1_epi32(0x3f80_0000));
            (_mm256_cvtepi32_ps(e), _mm256_castsi256_ps(m))
        };
    }
}

impl Simd for Avx512 {
    const N: usize = 16;
    type V = __m512;

    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller's promise and the token.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        // SAFETY: the caller's promise and the token.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    methods! {
        splat(x: f32) -> __m512 = _mm512_set1_ps(x);
        add(a: __m512, b: __m512) -> __m512 = _mm512_add_ps(a, b);
        sub(a: __m512, b: __m512) -> __m512 = _mm512_sub_ps(a, b);
        mul(a: __m512, b: __m512) -> __m512 = _mm512_mul_ps(a, b);
        div(a: __m512, b: __m512) -> __m512 = _mm512_div_ps(a, b);
        fma(a: __m512, b: __m512, c: __m512) -> __m512 = _mm512_fmadd_ps(a, b, c);
        min(a: __m512, b: __m512) -> __m512 = _mm512_min_ps(a, b);
        max(a: __m512, b: __m512) -> __m512 = _mm512_max_ps(a, b);
        round(a: __m512) -> __m512 = _mm512_roundscale_ps::<NEAREST_EVEN>(a);
        select_gt(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 =
            _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x);
        flip_if_odd(x: __m512, k: __m512) -> __m512 = _mm512_castsi512_ps(_mm512_xor_si512(
            _mm512_castps_si512(x), _mm512_slli_epi32::<31>(_mm512_cvtps_epi32(k))));
        exp2_int(k: __m512) -> __m512 = _mm512_castsi512_ps(_mm512_slli_epi32::<23>(
            _mm512_add_epi32(_mm512_cvtps_epi32(k), _mm512_set1_epi32(127))));
        split(x: __m512) -> (__m512, __m512) = {
            let bits = _mm512_castps_si512(x);
            let e = _mm512_sub_epi32(_mm512_srli_epi32::<23>(bits), _mm512_set1_epi32(127));
            let m = _mm512_or_si512(
                _mm512_and_si512(bits, _mm512_set1_epi32(0x007f_ffff)), _mm512_set1_epi32(0x3f80_0000));
            (_mm512_cvtepi32_ps(e), _mm512_castsi512_ps(m))
        };
    }
}
