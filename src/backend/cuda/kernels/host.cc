// The kernels as a library for the host, for tests.

#include "kernels.cu"

static const size_t STACK = 256 * 1024;

static void run_fiber() {
    host_kernel(host_arguments);
    host_wait(HAS_ENDED);
}

// Runs one block. Not 0 where threads disagree on how many barriers there are.
static int run_block(unsigned n_bytes, uint64_t& order) {
    // Whoever reads what nobody wrote, reads NaN.
    memset(host_memory, 0xff, n_bytes);
    unsigned turn[THREADS];
    for (unsigned i = 0; i < THREADS; i++) {
        Fiber& fiber = host_fibers[turn[i] = i];
        fiber.state = RUNS;
        fiber.n_products = 0;
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack;
        fiber.context.uc_stack.ss_size = STACK;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, run_fiber, 0);
    }
    for (;;) {
        if (order)
            for (unsigned i = THREADS - 1; i > 0; i--) {
                order ^= order << 13, order ^= order >> 7, order ^= order << 17;
                const unsigned j = order % (i + 1), swap = turn[i];
                turn[i] = turn[j], turn[j] = swap;
            }
        unsigned n_run = 0, n_at[4] = {0, 0, 0, 0};
        for (unsigned i : turn) {
            if (host_fibers[i].state != RUNS) continue;
            threadIdx.x = i;
            n_run++;
            swapcontext(&host_scheduler, &host_fibers[i].context);
        }
        // Warps that are complete go on; the block where all of it has come.
        for (unsigned warp = 0; warp < THREADS; warp += 32) {
            unsigned n_waiting = 0;
            for (unsigned i = warp; i < warp + 32; i++) n_waiting += host_fibers[i].state == AT_WARP_BARRIER;
            for (unsigned i = warp; n_waiting == 32 && i < warp + 32; i++) host_fibers[i].state = RUNS;
        }
        for (unsigned i = 0; i < THREADS; i++) n_at[host_fibers[i].state]++;
        for (unsigned i = 0; n_at[AT_BARRIER] == THREADS && i < THREADS; i++) host_fibers[i].state = RUNS;
        if (n_at[HAS_ENDED] == THREADS) return 0;
        if (n_run == 0) return 1;
    }
}

template <class Arguments, void (*KERNEL)(Arguments)>
static void call(const void* arguments) {
    KERNEL(*(const Arguments*)arguments);
}

// Runs a kernel: `order` shuffles the threads of every phase, 0 leaves them as they are.
extern "C" int host_launch(const char* name, unsigned n_blocks, unsigned n_bytes, const void* arguments,
                           uint64_t order) {
    struct Entry {
        const char* name;
        void (*call)(const void*);
    };
    static const Entry entries[] = {
        {"evaluate", call<const Evaluation, evaluate>}, {"draw", call<const Drawing, draw>},
        {"prepare", call<const Training, prepare>},     {"pass", call<const Training, pass>},
        {"reduce", call<const Training, reduce>},       {"clip", call<const Training, clip>},
        {"muon_step", call<const Training, muon_step>}, {"move", call<const Training, move>},
        {"whole_round", call<const Training, whole_round>},
        {"pass_bf16", call<const Training, pass_bf16>},
        {"whole_round_bf16", call<const Training, whole_round_bf16>},
    };
    host_kernel = nullptr;
    for (const Entry& entry : entries)
        if (strcmp(entry.name, name) == 0) host_kernel = entry.call;
    if (!host_kernel) return 2;
    if (!host_fibers) {
        host_fibers = new Fiber[THREADS];
        for (unsigned i = 0; i < THREADS; i++) host_fibers[i].stack = (char*)malloc(STACK);
    }
    host_arguments = arguments;
    host_memory = (float*)aligned_alloc(16, (n_bytes + 15) / 16 * 16 + 16);
    gridDim.x = n_blocks;
    int status = 0;
    for (unsigned b = 0; b < n_blocks && status == 0; b++) {
        blockIdx.x = b;
        status = run_block(n_bytes, order);
    }
    free(host_memory);
    return status;
}

// Sizes of what the host hands over, in the order of layout.rs.
extern "C" size_t host_size(unsigned which) {
    const size_t sizes[] = {sizeof(Net),  sizeof(Layer), sizeof(Places), sizeof(Sites),    sizeof(Table),
                            sizeof(Step), sizeof(Standing), sizeof(Matrix), sizeof(Job),   sizeof(Round),
                            sizeof(Evaluation), sizeof(Drawing), sizeof(Training)};
    return which < sizeof(sizes) / sizeof(sizes[0]) ? sizes[which] : 0;
}
