//! Eight and sixteen lanes on x86-64.

use super::{Bf16, Bf16Kernel, Kernel, Simd};
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

/// Sixteen lanes with bf16 products. Only [`run_bf16`] makes one.
#[derive(Clone, Copy)]
pub struct Avx512Bf16(Avx512);

/// # Safety
/// The processor has AVX-512F, AVX-512BW and AVX512-BF16.
#[target_feature(enable = "avx512bf16,avx512bw,avx512f,avx2,fma")]
pub unsafe fn run_bf16<K: Bf16Kernel>(kernel: K) {
    kernel.run_bf16(Avx512Bf16(Avx512(())));
}

/// Methods that the wider token hands on.
macro_rules! delegate {
    ($($name:ident($($arg:ident),*) -> $out:ty;)*) => {
        $(#[inline(always)]
        fn $name(self, $($arg: __m512),*) -> $out {
            self.0.$name($($arg),*)
        })*
    };
}

impl Simd for Avx512Bf16 {
    const N: usize = 16;
    type V = __m512;

    #[inline(always)]
    fn splat(self, x: f32) -> __m512 {
        self.0.splat(x)
    }
    #[inline(always)]
    unsafe fn load(self, p: *const f32) -> __m512 {
        // SAFETY: the caller's promise.
        unsafe { self.0.load(p) }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32, v: __m512) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(p, v) }
    }
    delegate! {
        add(a, b) -> __m512;
        sub(a, b) -> __m512;
        mul(a, b) -> __m512;
        div(a, b) -> __m512;
        fma(a, b, c) -> __m512;
        min(a, b) -> __m512;
        max(a, b) -> __m512;
        round(a) -> __m512;
        select_gt(a, b, x, y) -> __m512;
        flip_if_odd(x, k) -> __m512;
        exp2_int(k) -> __m512;
        split(x) -> (__m512, __m512);
    }
}

impl Bf16 for Avx512Bf16 {
    type Pairs = __m512bh;

    #[inline(always)]
    unsafe fn load_pairs(self, p: *const u32) -> __m512bh {
        // SAFETY: the caller's promise and the token; both types are 64 bytes without invalid values.
        unsafe { std::mem::transmute::<__m512i, __m512bh>(_mm512_loadu_si512(p.cast())) }
    }
    #[inline(always)]
    unsafe fn store_lane_pairs(self, p: *mut u32, v: __m512) {
        // SAFETY: the caller's promise and the token; both types are 32 bytes without invalid values.
        unsafe {
            _mm256_storeu_si256(p.cast(), std::mem::transmute::<__m256bh, __m256i>(_mm512_cvtneps_pbh(v)))
        }
    }
    #[inline(always)]
    unsafe fn store_row_pairs(self, p: *mut u32, a: __m512, b: __m512) {
        // SAFETY: the caller's promise and the token; both types are 64 bytes without invalid values.
        unsafe {
            // `a` in the low half, `b` in the high one; then lanes i and 16 + i side by side.
            let both = std::mem::transmute::<__m512bh, __m512i>(_mm512_cvtne2ps_pbh(b, a));
            let order = _mm512_set_epi64(
                0x001f_000f_001e_000e,
                0x001d_000d_001c_000c,
                0x001b_000b_001a_000a,
                0x0019_0009_0018_0008,
                0x0017_0007_0016_0006,
                0x0015_0005_0014_0004,
                0x0013_0003_0012_0002,
                0x0011_0001_0010_0000,
            );
            _mm512_storeu_si512(p.cast(), _mm512_permutexvar_epi16(order, both));
        }
    }
    methods! {
        splat_pair(x: u32) -> __m512bh = std::mem::transmute::<__m512i, __m512bh>(_mm512_set1_epi32(x as i32));
        dot(a: __m512bh, b: __m512bh, sum: __m512) -> __m512 = _mm512_dpbf16_ps(sum, a, b);
    }
}
