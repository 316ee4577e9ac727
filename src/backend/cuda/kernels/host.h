// What kernels need where they are compiled as C++ for the host: the threads of a block are fibers, which run one after
// the other from barrier to barrier, in an order that the caller shuffles. A kernel that reads what another thread has
// yet to write then gives other results in another order.

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define __device__
#define __global__
#define __forceinline__ inline
#define __noinline__ __attribute__((noinline))
#define __grid_constant__
#define __launch_bounds__(...)
#define __shared__ static
#define SHARED_MEMORY(name) float* const name = host_memory

#define rintf __builtin_rintf
#define sqrt __builtin_sqrt
#define __sinf __builtin_sinf
#define __cosf __builtin_cosf

struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct Index {
    volatile unsigned x;
};
static Index threadIdx, blockIdx, gridDim;
static float* host_memory;

static inline float __fadd_rn(float a, float b) { return a + b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fdiv_rn(float a, float b) { return a / b; }
static inline float __fsqrt_rn(float a) { return __builtin_sqrtf(a); }
static inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static inline unsigned __float_as_uint(float a) {
    unsigned bits;
    memcpy(&bits, &a, 4);
    return bits;
}
static inline float __uint_as_float(unsigned bits) {
    float a;
    memcpy(&a, &bits, 4);
    return a;
}

enum FiberState { RUNS, AT_BARRIER, AT_WARP_BARRIER, HAS_ENDED };
struct Fiber {
    ucontext_t context;
    char* stack;
    FiberState state;
    unsigned n_products;
};
static ucontext_t host_scheduler;
static Fiber* host_fibers;
static void (*host_kernel)(const void*);
static const void* host_arguments;

static void host_wait(FiberState state) {
    Fiber& fiber = host_fibers[threadIdx.x];
    fiber.state = state;
    swapcontext(&fiber.context, &host_scheduler);
}
static void __syncthreads() { host_wait(AT_BARRIER); }
static void __syncwarp() { host_wait(AT_WARP_BARRIER); }

// Nearest, ties to even; not for NaN.
static inline unsigned host_bf16(float a) {
    const unsigned bits = __float_as_uint(a);
    return (bits + 0x7fff + (bits >> 16 & 1)) >> 16 & 0xffff;
}
static inline unsigned bf16_pair(float low, float high) { return host_bf16(low) | host_bf16(high) << 16; }
static inline double host_half(unsigned pair, unsigned half) {
    return __uint_as_float(half ? pair & 0xffff0000u : pair << 16);
}

// Of a warp that multiplies: what its lanes hold, for this product and the one before, which others may still read.
static unsigned host_held[8][2][32][6];

// The tiles of m16n8k16 as the instruction's description has them: lane (g, t) has of the first matrix rows g, g + 8 and
// columns 2 t, 2 t + 8, of the second rows 2 t, 2 t + 8 and column g, of the sums rows g, g + 8 and columns 2 t, 2 t + 1.
static void multiply_add(float (&c)[4], const uint4& a, unsigned b0, unsigned b1) {
    const unsigned thread = threadIdx.x, warp = thread / 32, lane = thread % 32;
    unsigned(&held)[32][6] = host_held[warp][host_fibers[thread].n_products++ % 2];
    const unsigned mine[6] = {a.x, a.y, a.z, a.w, b0, b1};
    memcpy(held[lane], mine, sizeof(mine));
    host_wait(AT_WARP_BARRIER);
    const unsigned g = lane / 4, t = lane % 4;
    for (unsigned i = 0; i < 4; i++) {
        const unsigned row = g + i / 2 * 8, column = 2 * t + i % 2;
        double sum = c[i];
        for (unsigned k = 0; k < 16; k++) {
            const unsigned within = k % 8;
            const unsigned* x = held[row % 8 * 4 + within / 2];
            const unsigned* y = held[column * 4 + within / 2];
            sum += host_half(x[row / 8 + k / 8 * 2], k % 2) * host_half(y[4 + k / 8], k % 2);
        }
        c[i] = (float)sum;
    }
}
