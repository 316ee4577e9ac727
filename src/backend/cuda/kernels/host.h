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
#define __launch_bounds__(...)
#define __shared__ static
#define SHARED_MEMORY(name) float* const name = host_memory

#define rintf __builtin_rintf
#define sqrt __builtin_sqrt

struct alignas(16) float4 {
    float x, y, z, w;
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

struct Fiber {
    ucontext_t context;
    char* stack;
    bool has_ended;
};
static ucontext_t host_scheduler;
static Fiber* host_fibers;
static void (*host_kernel)(const void*);
static const void* host_arguments;

static void __syncthreads() { swapcontext(&host_fibers[threadIdx.x].context, &host_scheduler); }
