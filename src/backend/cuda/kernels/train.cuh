// Training: the loss, a step's passes over its draws, and what moves the weights.

// Sites of a training set, or of an evaluation.
struct Sites {
    u64 axes;       // const float*: the coordinates of each axis, one axis after the other
    u64 positions;  // const unsigned*: which grid points; 0 = all, in order
    u64 features;   // const float*, n_features a site
    unsigned n[3];  // lengths of the axes
    unsigned unused;
};

// What a step of the schedule is.
struct Step {
    u64 number;
    Start start;        // of its draws
    float rate;         // learning rate
    float corrected;    // ... with the first moment's correction
    float root2;        // one over the root of the second moment's correction
    float kept;         // what weights keep
};

// Where a stored weight stands in the forward and the backward weights, and where else; in `again`, the upper bit of
// `forward` tells that it is negated there.
struct Standing {
    unsigned forward, back;
    unsigned forward_again, back_again;
    unsigned tensor_forward, tensor_back;  // among the halves of the tiles for tensor cores
};

// A matrix that Muon moves: its weights are neighbours.
struct Matrix {
    unsigned first, n_rows, n_cols, unused;
};

// A network in training. Everything that is not a number is a device pointer.
struct Job {
    Net net;
    unsigned n_stored, n_matrices;
    u64 layers, standings, tensor_of;                       // of Layer, Standing, unsigned
    u64 stored, moved, moment1, moment2, average;           // floats, one a stored weight
    u64 forward, back, tensor;                              // effective weights; the last as unsigned short, or 0
    u64 partial, total, clip, losses;                       // gradients by group, their sum, its factor, sums of losses
    u64 matrices;                                           // of Matrix
    u64 scratch;
    u64 targets, occupied, inverse;                         // float, unsigned char, float (0 = all 1) by site
    Sites sites;
    Table table;
};

// Steps to run.
struct Round {
    u64 seed;
    u64 steps;      // const Step*
    u64 rounding;   // const float*, by tensor; 0 = unrounded
    unsigned n_steps, batch, n_tiles, n_groups;
    unsigned squared, is_clipped, is_muon, unused;
    float value_scale, share;
    float beta1, beta2, epsilon;
    float longest, momentum, muon_step;
};

// Points of a tile at most, and what groups are made of.
#define POINTS 64

struct Goal {
    float target, weight;
    unsigned occupied;
};

// What a block keeps beside its rows.
struct Shared {
    Goal goals[POINTS];
    unsigned sites[POINTS];
    double losses[POINTS];
    double sums[THREADS];
    Epoch epoch;
};

// The loss of one point, and the heads' gradients.
DEVICE double loss_of(const Net& net, const Round& round, const Tile& tile, unsigned p, bool is_drawn, Goal goal) {
    const unsigned head = net.n_rows - net.n_heads;
    const float* out = tile.values + (size_t)head * tile.stride + p;
    float* d = tile.slopes + (size_t)(head - first_slope(net)) * tile.stride + p;
    const unsigned value_head = (net.n_heads - 1) * tile.stride;
    d[0] = d[value_head] = 0.0f;
    if (!is_drawn) return 0.0;
    double total = 0.0;
    if (net.n_heads == 1 || goal.occupied) {
        const float error = sub(out[value_head], goal.target);
        const float scale = mul(round.value_scale, goal.weight);
        const float value = round.squared ? mul(error, error) : absolute(error);
        const float slope = round.squared ? mul(2.0f, error) : error > 0.0f ? 1.0f : -1.0f;
        d[value_head] = mul(scale, slope);
        total += (double)mul(scale, value);
    }
    if (net.n_heads == 2) {
        // Cross entropy from the logit, max(z, 0) + ln(1 + exp(-|z|)) - label z: nothing overflows.
        const float z = out[0];
        const float label = goal.occupied ? 1.0f : 0.0f;
        const float e = power_of_2(mul(-absolute(z), LOG2_OF_E));
        const float log = mul(logarithm_to_2(add(e, 1.0f)), LN_OF_2);
        const float sigmoid = quotient(z >= 0.0f ? 1.0f : e, add(1.0f, e));
        d[0] = mul(goal.weight, sub(sigmoid, label));
        total += (double)mul(goal.weight, sub(add(greater(z, 0.0f), log), mul(label, z)));
    }
    return total;
}

// Draws `n` sites from draw `first` on and puts their inputs and goals in place; columns beyond are 0.
ROUTINE void load(const Job& job, const Round& round, const Step& step, Shared& shared, const Tile& tile, u64 first,
                 unsigned n) {
    const Net& net = job.net;
    for (unsigned p = threadIdx.x; p < tile.n_points; p += THREADS) {
        unsigned site = 0;
        float at[3] = {0.0f, 0.0f, 0.0f};
        Goal goal = {0.0f, 0.0f, 0};
        if (p < n) {
            site = drawn(job.table, round.seed, step.number, first + p, step.start, shared.epoch);
            const unsigned* positions = (const unsigned*)job.sites.positions;
            coordinates((const float*)job.sites.axes, job.sites.n, positions ? positions[site] : site, at);
            const float weight = job.inverse ? mul(((const float*)job.inverse)[site], round.share) : round.share;
            goal = {((const float*)job.targets)[site], weight, ((const unsigned char*)job.occupied)[site]};
        }
        shared.sites[p] = site;
        shared.goals[p] = goal;
        for (int a = 0; a < 3; a++) tile.values[a * tile.stride + p] = at[a];
    }
    __syncthreads();
    const float* features = (const float*)job.sites.features;
    for (unsigned i = threadIdx.x; i < tile.n_points * net.n_features; i += THREADS) {
        const unsigned p = i / net.n_features, f = i % net.n_features;
        const float value = p < n ? features[(size_t)shared.sites[p] * net.n_features + f] : 0.0f;
        tile.values[(size_t)(3 + f) * tile.stride + p] = value;
    }
    __syncthreads();
}

// One group's share of a step: its loss is returned to thread 0, its gradient is in `gradient`.
template <bool TENSOR>
DEVICE double group_pass(const Job& job, const Round& round, const Step& step, unsigned group, Shared& shared,
                         const Tile& tile, const Weights& weights, float* gradient) {
    const Net& net = job.net;
    const Layer* layers = (const Layer*)job.layers;
    for (unsigned i = threadIdx.x; i < net.n_forward; i += THREADS) gradient[i] = 0.0f;
    if (threadIdx.x == 0 && job.table.law == EPOCHS) shared.epoch = epoch(job.table, round.seed, step.start.epoch);
    __syncthreads();
    // In whole units of POINTS, so that the number of columns of a tile changes nothing.
    u64 first = (u64)group * round.n_tiles / round.n_groups * POINTS;
    u64 end = (u64)(group + 1) * round.n_tiles / round.n_groups * POINTS;
    if (end > round.batch) end = round.batch;
    double total = 0.0;
    for (; first < end; first += tile.n_points) {
        const unsigned n = end - first < tile.n_points ? (unsigned)(end - first) : tile.n_points;
        load(job, round, step, shared, tile, first, n);
        forward<true, TENSOR>(net, layers, weights, tile);
        for (unsigned p = threadIdx.x; p < tile.n_points; p += THREADS)
            shared.losses[p] = loss_of(net, round, tile, p, p < n, shared.goals[p]);
        __syncthreads();
        if (threadIdx.x == 0)
            for (unsigned p = 0; p < n; p++) total += shared.losses[p];
        backward<TENSOR>(net, layers, weights, tile, gradient);
    }
    return total;
}

// The gradient of a stored weight among those of the forward weights.
DEVICE float folded(const Standing& standing, const float* gradient) {
    const float g = gradient[standing.forward];
    if (standing.forward_again == NOWHERE) return g;
    const float again = gradient[standing.forward_again & ~IN_SCRATCH];
    return standing.forward_again & IN_SCRATCH ? sub(g, again) : add(g, again);
}

// Puts a weight, rounded where asked, where the passes read it.
DEVICE void place(const Job& job, const Round& round, unsigned i, float w, float* forward_weights, float* back_weights) {
    const Standing standing = ((const Standing*)job.standings)[i];
    if (round.rounding) {
        const float step = ((const float*)round.rounding)[((const unsigned*)job.tensor_of)[i]];
        w = mul(whole(quotient(w, step)), step);
    }
    forward_weights[standing.forward] = w;
    if (standing.back != NOWHERE) back_weights[standing.back] = w;
    if (job.tensor && standing.tensor_forward != NOWHERE) {
        ((unsigned short*)job.tensor)[standing.tensor_forward] = bf16_bits(w);
        ((unsigned short*)job.tensor)[standing.tensor_back] = bf16_bits(w);
    }
    if (standing.forward_again == NOWHERE) return;
    const float again = standing.forward_again & IN_SCRATCH ? -w : w;
    forward_weights[standing.forward_again & ~IN_SCRATCH] = again;
    if (standing.back_again != NOWHERE) back_weights[standing.back_again] = again;
}

// Moves stored weight `i` by gradients `gradient`, `n` of them one after the other, by Adam; or to where Muon says.
DEVICE void update(const Job& job, const Round& round, const Step& step, unsigned i, const float* gradient, unsigned n,
                   float clip, float* forward_weights, float* back_weights) {
    const Standing standing = ((const Standing*)job.standings)[i];
    const size_t at = standing.forward, again = standing.forward_again & ~IN_SCRATCH;
    float g = 0.0f, h = 0.0f;
    for (unsigned k = 0; k < n; k++) g = add(g, gradient[(size_t)k * job.net.n_forward + at]);
    if (standing.forward_again != NOWHERE) {
        for (unsigned k = 0; k < n; k++) h = add(h, gradient[(size_t)k * job.net.n_forward + again]);
        g = standing.forward_again & IN_SCRATCH ? sub(g, h) : add(g, h);
    }
    g = mul(g, clip);
    float* const w = (float*)job.stored + i;
    float* const m = (float*)job.moment1 + i;
    float* const v = (float*)job.moment2 + i;
    *m = add(mul(round.beta1, *m), mul(sub(1.0f, round.beta1), g));
    *v = add(mul(round.beta2, *v), mul(sub(1.0f, round.beta2), mul(g, g)));
    const float next = sub(mul(step.kept, *w),
                           quotient(mul(step.corrected, *m), add(mul(root(*v), step.root2), round.epsilon)));
    bool is_moved = false;
    for (unsigned k = 0; round.is_muon && k < job.n_matrices; k++) {
        const Matrix matrix = ((const Matrix*)job.matrices)[k];
        is_moved |= i >= matrix.first && i - matrix.first < matrix.n_rows * matrix.n_cols;
    }
    *w = is_moved ? ((const float*)job.moved)[i] : next;
    place(job, round, i, *w, forward_weights, back_weights);
}

// Adds what all threads give, in the order of the threads; every thread gets the sum.
DEVICE double sum_over_threads(Shared& shared, double mine) {
    shared.sums[threadIdx.x] = mine;
    __syncthreads();
    if (threadIdx.x == 0) {
        double sum = 0.0;
        for (int i = 0; i < THREADS; i++) sum += shared.sums[i];
        shared.sums[0] = sum;
    }
    __syncthreads();
    const double sum = shared.sums[0];
    __syncthreads();
    return sum;
}

// What shortens a gradient to the longest allowed: 1 where it is no longer.
DEVICE float clip_of(const Job& job, const Round& round, Shared& shared, const float* gradient) {
    double squares = 0.0;
    for (unsigned i = threadIdx.x; i < job.n_stored; i += THREADS) {
        const double g = folded(((const Standing*)job.standings)[i], gradient);
        squares += g * g;
    }
    const double ratio = (double)round.longest / sqrt(sum_over_threads(shared, squares));
    // Not a number where there is no gradient: then nothing is shortened.
    return ratio < 1.0 ? (float)ratio : 1.0f;
}
