// Single-precision arithmetic, operation for operation that of src/lane: every function here gives the same bits.
// Plain operators would do as well under --fmad=false; the intrinsics say that no contraction is meant.

#define DEVICE static __device__ __forceinline__
// What several kernels do for long enough that a call is nothing: compiled once.
#define ROUTINE static __device__ __noinline__

DEVICE float add(float a, float b) { return __fadd_rn(a, b); }
DEVICE float sub(float a, float b) { return __fsub_rn(a, b); }
DEVICE float mul(float a, float b) { return __fmul_rn(a, b); }
DEVICE float quotient(float a, float b) { return __fdiv_rn(a, b); }
DEVICE float root(float a) { return __fsqrt_rn(a); }
DEVICE float fused(float a, float b, float c) { return __fmaf_rn(a, b, c); }
DEVICE float lesser(float a, float b) { return a < b ? a : b; }
DEVICE float greater(float a, float b) { return a > b ? a : b; }
DEVICE float absolute(float a) { return __uint_as_float(__float_as_uint(a) & 0x7fffffffu); }
// Nearest whole number, ties to even.
DEVICE float whole(float a) { return rintf(a); }
// NaN becomes `high`.
DEVICE float clamped(float a, float low, float high) { return greater(lesser(a, high), low); }
DEVICE float flipped_if_odd(float a, float k) {
    return __uint_as_float(__float_as_uint(a) ^ ((unsigned)(int)k << 31));
}

// The argument less the nearest multiple k of pi, and its square.
struct Reduced {
    float k, r, square;
};
DEVICE Reduced reduced(float x) {
    x = clamped(x, -65536.0f, 65536.0f);
    const float k = whole(mul(x, 0.31830987f));
    float r = fused(k, -3.1415927f, x);
    r = fused(k, 8.742278e-8f, r);
    return {k, r, mul(r, r)};
}
DEVICE float sine_of(Reduced a) {
    float p = 2.6000539e-6f;
    p = fused(p, a.square, -1.9806615e-4f);
    p = fused(p, a.square, 8.333017e-3f);
    p = fused(p, a.square, -1.6666657e-1f);
    return flipped_if_odd(fused(mul(p, a.square), a.r, a.r), a.k);
}
DEVICE float cosine_of(Reduced a) {
    float p = -2.60771e-7f;
    p = fused(p, a.square, 2.4761886e-5f);
    p = fused(p, a.square, -1.3888404e-3f);
    p = fused(p, a.square, 4.166664e-2f);
    p = fused(p, a.square, -0.5f);
    return flipped_if_odd(fused(p, a.square, 1.0f), a.k);
}
DEVICE float power_of_2(float x) {
    x = clamped(x, -126.0f, 127.0f);
    const float k = whole(x);
    const float f = sub(x, k);
    float p = 1.547628e-4f;
    p = fused(p, f, 1.3400235e-3f);
    p = fused(p, f, 9.618004e-3f);
    p = fused(p, f, 5.550328e-2f);
    p = fused(p, f, 2.4022651e-1f);
    p = fused(p, f, 6.931472e-1f);
    return mul(fused(p, f, 1.0f), __uint_as_float((unsigned)((int)k + 127) << 23));
}
// For normal x > 0.
DEVICE float logarithm_to_2(float x) {
    const unsigned bits = __float_as_uint(x);
    float e = (float)((int)(bits >> 23) - 127);
    float m = __uint_as_float((bits & 0x007fffffu) | 0x3f800000u);
    if (m > 1.41421356f) {
        e = add(e, 1.0f);
        m = mul(m, 0.5f);
    }
    const float f = sub(m, 1.0f);
    float p = 1.2542773e-1f;
    p = fused(p, f, -2.102897e-1f);
    p = fused(p, f, 2.1736576e-1f);
    p = fused(p, f, -2.385212e-1f);
    p = fused(p, f, 2.8765876e-1f);
    p = fused(p, f, -3.6072114e-1f);
    p = fused(p, f, 4.8092242e-1f);
    p = fused(p, f, -7.213471e-1f);
    p = fused(p, f, 1.4426949f);
    return fused(p, f, e);
}

constexpr float LOG2_OF_E = 1.44269504f;
constexpr float LN_OF_2 = 0.693147180f;
