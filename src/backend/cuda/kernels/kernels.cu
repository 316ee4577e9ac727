// What the host starts.

#ifdef __CUDACC__
#define SHARED_MEMORY(name) extern __shared__ __align__(16) float name[]
#else
#include "host.h"
#endif
#include "lane.cuh"
#include "draw.cuh"
#include "net.cuh"
#include "tensor.cuh"
#include "passes.cuh"
#include "train.cuh"
#include "muon.cuh"

// The network's outputs at sites, n_heads a site, by the exact arithmetic of the format.
struct Evaluation {
    Net net;
    unsigned n_points, stride;  // of a tile
    u64 layers, forward, scratch, out;
    Sites sites;
    u64 n_sites;
    Places places;
};

extern "C" __global__ void __launch_bounds__(THREADS, 1) evaluate(const __grid_constant__ Evaluation work) {
    SHARED_MEMORY(memory);
    float* scratch = (float*)work.scratch + (size_t)blockIdx.x * work.places.scratch_stride;
    const Tile tile = {placed(work.places.values, memory, scratch), nullptr, work.n_points, work.stride};
    const Net& net = work.net;
    const unsigned* positions = (const unsigned*)work.sites.positions;
    const float* features = (const float*)work.sites.features;
    const u64 n_tiles = (work.n_sites + tile.n_points - 1) / tile.n_points;
    for (u64 t = blockIdx.x; t < n_tiles; t += gridDim.x) {
        const u64 first = t * tile.n_points;
        const u64 left = work.n_sites - first;
        const unsigned n = left < tile.n_points ? (unsigned)left : tile.n_points;
        for (unsigned p = threadIdx.x; p < tile.n_points; p += THREADS) {
            float at[3] = {0.0f, 0.0f, 0.0f};
            if (p < n)
                coordinates((const float*)work.sites.axes, work.sites.n, positions ? positions[first + p] : first + p,
                            at);
            for (int a = 0; a < 3; a++) tile.values[a * tile.stride + p] = at[a];
        }
        for (unsigned i = threadIdx.x; i < tile.n_points * net.n_features; i += THREADS) {
            const unsigned p = i / net.n_features, f = i % net.n_features;
            const float value = p < n ? features[(first + p) * net.n_features + f] : 0.0f;
            tile.values[(size_t)(3 + f) * tile.stride + p] = value;
        }
        __syncthreads();
        forward<false, false>(net, (const Layer*)work.layers, {(const float*)work.forward, nullptr, nullptr}, tile);
        for (unsigned i = threadIdx.x; i < n * net.n_heads; i += THREADS) {
            const unsigned p = i / net.n_heads, head = net.n_rows - net.n_heads + i % net.n_heads;
            ((float*)work.out)[first * net.n_heads + i] = tile.values[(size_t)head * tile.stride + p];
        }
        __syncthreads();
    }
}

// Sites of some draws, for tests of the draws alone.
struct Drawing {
    Table table;
    u64 seed, step;
    Start start;
    u64 first, n, out;
};

extern "C" __global__ void __launch_bounds__(THREADS) draw(const __grid_constant__ Drawing work) {
    const Epoch known = epoch(work.table, work.seed, work.start.epoch);
    for (u64 i = (u64)blockIdx.x * THREADS + threadIdx.x; i < work.n; i += (u64)gridDim.x * THREADS)
        ((unsigned*)work.out)[i] =
            drawn(work.table, work.seed, work.step, work.first + i, work.start, known);
}

// A round of one network; `step` is the one to run where steps are started one by one.
struct Training {
    Job job;
    Round round;
    Places places;
    unsigned step, n_points, stride, n_partials;
};

DEVICE float* scratch_of(const Training& work) {
    return (float*)work.job.scratch + (size_t)blockIdx.x * work.places.scratch_stride;
}

DEVICE Tile tile_of(const Training& work, float* memory, float* scratch) {
    return {placed(work.places.values, memory, scratch), placed(work.places.slopes, memory, scratch), work.n_points,
            work.stride};
}

// Weights into a block's own memory, where there is room.
DEVICE float* own(unsigned place, float* memory, float* scratch, u64 from, unsigned n) {
    if (place == NOWHERE) return (float*)from;
    float* const to = placed(place, memory, scratch);
    for (unsigned i = threadIdx.x; i < n; i += THREADS) to[i] = ((const float*)from)[i];
    return to;
}

// Lays out weights as the passes read them.
extern "C" __global__ void __launch_bounds__(THREADS) prepare(const __grid_constant__ Training work) {
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < work.job.n_stored; i += gridDim.x * THREADS)
        place(work.job, work.round, i, ((const float*)work.job.stored)[i], (float*)work.job.forward,
              (float*)work.job.back);
}

// One group a block.
template <bool TENSOR>
DEVICE void pass_of(const Training& work, float* memory, Shared& shared) {
    const Job& job = work.job;
    float* scratch = scratch_of(work);
    const Weights weights = {own(work.places.forward, memory, scratch, job.forward, job.net.n_forward),
                             own(work.places.back, memory, scratch, job.back, job.net.n_back),
                             (const uint4*)job.tensor};
    float* const partial = (float*)job.partial + (size_t)blockIdx.x * job.net.n_forward;
    float* const gradient =
        work.places.gradient == NOWHERE ? partial : placed(work.places.gradient, memory, scratch);
    const Step step = ((const Step*)work.round.steps)[work.step];
    const double loss = group_pass<TENSOR>(job, work.round, step, blockIdx.x, shared,
                                           tile_of(work, memory, scratch), weights, gradient);
    if (threadIdx.x == 0) ((double*)job.losses)[blockIdx.x] += loss;
    if (gradient != partial)
        for (unsigned i = threadIdx.x; i < job.net.n_forward; i += THREADS) partial[i] = gradient[i];
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) pass(const __grid_constant__ Training work) {
    SHARED_MEMORY(memory);
    __shared__ Shared shared;
    pass_of<false>(work, memory, shared);
}
extern "C" __global__ void __launch_bounds__(THREADS, 1) pass_bf16(const __grid_constant__ Training work) {
    SHARED_MEMORY(memory);
    __shared__ Shared shared;
    pass_of<true>(work, memory, shared);
}

// Sums the groups' gradients.
extern "C" __global__ void __launch_bounds__(THREADS) reduce(const __grid_constant__ Training work) {
    const Job& job = work.job;
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < job.net.n_forward; i += gridDim.x * THREADS) {
        float sum = 0.0f;
        for (unsigned g = 0; g < work.round.n_groups; g++)
            sum = add(sum, ((const float*)job.partial)[(size_t)g * job.net.n_forward + i]);
        ((float*)job.total)[i] = sum;
    }
}

// The factor that shortens the sum, by one block.
extern "C" __global__ void __launch_bounds__(THREADS) clip(const __grid_constant__ Training work) {
    __shared__ Shared shared;
    const float factor = clip_of(work.job, work.round, shared, (const float*)work.job.total);
    if (threadIdx.x == 0) *(float*)work.job.clip = factor;
}

// One matrix a block.
extern "C" __global__ void __launch_bounds__(THREADS, 1) muon_step(const __grid_constant__ Training work) {
    SHARED_MEMORY(memory);
    __shared__ Shared shared;
    const Job& job = work.job;
    const Step step = ((const Step*)work.round.steps)[work.step];
    const float clip = work.round.is_clipped ? *(const float*)job.clip : 1.0f;
    muon(job, work.round, ((const Matrix*)job.matrices)[blockIdx.x], step.rate, clip, shared,
         (const float*)job.total, placed(work.places.muon, memory, scratch_of(work)));
}

// Moves all weights; the gradient is the sum of `n_partials` groups', or job.total where that is 0.
extern "C" __global__ void __launch_bounds__(THREADS) move(const __grid_constant__ Training work) {
    const Job& job = work.job;
    const Step step = ((const Step*)work.round.steps)[work.step];
    const float clip = work.round.is_clipped ? *(const float*)job.clip : 1.0f;
    const float* gradient = (const float*)(work.n_partials > 0 ? job.partial : job.total);
    const unsigned n = work.n_partials > 0 ? work.n_partials : 1;
    for (unsigned i = blockIdx.x * THREADS + threadIdx.x; i < job.n_stored; i += gridDim.x * THREADS)
        update(job, work.round, step, i, gradient, n, clip, (float*)job.forward, (float*)job.back);
}

// A whole round by one block: the same bits as the kernels above, one after the other.
template <bool TENSOR>
DEVICE void round_of(const Training& work, float* memory, Shared& shared) {
    const Job& job = work.job;
    const Round& round = work.round;
    float* scratch = scratch_of(work);
    const Tile tile = tile_of(work, memory, scratch);
    float* const forward_weights = own(work.places.forward, memory, scratch, job.forward, job.net.n_forward);
    float* const back_weights = own(work.places.back, memory, scratch, job.back, job.net.n_back);
    const Weights weights = {forward_weights, back_weights, (const uint4*)job.tensor};
    float* const gradient = placed(work.places.gradient, memory, scratch);
    float* const total = placed(work.places.total, memory, scratch);
    __syncthreads();
    for (unsigned i = threadIdx.x; i < job.n_stored; i += THREADS)
        place(job, round, i, ((const float*)job.stored)[i], forward_weights, back_weights);
    for (unsigned s = 0; s < round.n_steps; s++) {
        const Step step = ((const Step*)round.steps)[s];
        for (unsigned i = threadIdx.x; i < job.net.n_forward; i += THREADS) total[i] = 0.0f;
        for (unsigned group = 0; group < round.n_groups; group++) {
            const double loss =
                group_pass<TENSOR>(job, round, step, group, shared, tile, weights, gradient);
            if (threadIdx.x == 0) ((double*)job.losses)[group] += loss;
            for (unsigned i = threadIdx.x; i < job.net.n_forward; i += THREADS) total[i] = add(total[i], gradient[i]);
        }
        __syncthreads();
        const float clip = round.is_clipped ? clip_of(job, round, shared, total) : 1.0f;
        for (unsigned k = 0; round.is_muon && k < job.n_matrices; k++)
            muon(job, round, ((const Matrix*)job.matrices)[k], step.rate, clip, shared, total,
                 placed(work.places.muon, memory, scratch));
        for (unsigned i = threadIdx.x; i < job.n_stored; i += THREADS)
            update(job, round, step, i, total, 1, clip, forward_weights, back_weights);
        __syncthreads();
    }
}

extern "C" __global__ void __launch_bounds__(THREADS, 1) whole_round(const __grid_constant__ Training work) {
    SHARED_MEMORY(memory);
    __shared__ Shared shared;
    round_of<false>(work, memory, shared);
}
extern "C" __global__ void __launch_bounds__(THREADS, 1) whole_round_bf16(const __grid_constant__ Training work) {
    SHARED_MEMORY(memory);
    __shared__ Shared shared;
    round_of<true>(work, memory, shared);
}
