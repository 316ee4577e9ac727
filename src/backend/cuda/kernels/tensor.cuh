// Passes with products of bf16, summed in f32 by tensor cores: for training only, and for networks whose activations are
// functions of one sum. Layers of few inputs or outputs, and those that read coordinates, stay in f32.
//
// A warp multiplies tiles of 16 x 16 by 16 x 8. Weights lie ready, in the order in which the lanes hold such tiles; values
// and gradients are rounded when they are read.

// Of Layer.flags.
constexpr unsigned IS_TENSOR = 4;

#ifdef __CUDACC__
// The pair (low, high), rounded to nearest.
DEVICE unsigned bf16_pair(float low, float high) {
    unsigned out;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(out) : "f"(high), "f"(low));
    return out;
}
// c += a b, for the tiles that the lanes of this warp hold together.
DEVICE void multiply_add(float (&c)[4], const uint4& a, unsigned b0, unsigned b1) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
                 "{%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a.x), "r"(a.y), "r"(a.z), "r"(a.w), "r"(b0), "r"(b1));
}
#endif

DEVICE unsigned short bf16_bits(float a) { return (unsigned short)bf16_pair(a, 0.0f); }

DEVICE unsigned in_sixteens(unsigned n) { return (n + 15) / 16; }

// sums[m][n] += tiles first + m of the weights times columns 8 n from p of rows 0 .. n_k.
template <int TILES>
DEVICE void tensor_products(float (&sums)[TILES][2][4], const uint4* weights, unsigned first, unsigned n_tiles,
                            const float* rows, unsigned stride, unsigned n_k, unsigned p) {
    const unsigned lane = threadIdx.x % 32, g = lane / 4, t = lane % 4 * 2, n_steps = in_sixteens(n_k);
    // Lanes that took different ways before must be together where they multiply.
    __syncwarp();
    for (unsigned step = 0; step < n_steps; step++) {
        unsigned b[2][2];
#pragma unroll
        for (int half = 0; half < 2; half++) {
            const unsigned k = 16 * step + 8 * half + t;
            const float* at = rows + (size_t)k * stride + p + g;
#pragma unroll
            for (int n = 0; n < 2; n++) {
                const float low = k < n_k ? at[8 * n] : 0.0f;
                const float high = k + 1 < n_k ? at[8 * n + stride] : 0.0f;
                b[n][half] = bf16_pair(low, high);
            }
        }
#pragma unroll
        for (int m = 0; m < TILES; m++) {
            if (first + m >= n_tiles) break;
            const uint4 a = weights[(size_t)((first + m) * n_steps + step) * 32 + lane];
            multiply_add(sums[m][0], a, b[0][0], b[0][1]);
            multiply_add(sums[m][1], a, b[1][0], b[1][1]);
        }
    }
}

// Row and column of number i of the sums that a lane holds of a tile: 0, 1 are neighbours, 2, 3 eight rows below.
DEVICE unsigned row_of(int i) { return threadIdx.x % 32 / 4 + i / 2 * 8; }
DEVICE unsigned column_of(int i) { return threadIdx.x % 4 * 2 + i % 2; }

constexpr int TILES = 4;

// An activation and its slope; sines by the device's own functions, which are exact enough beside bf16.
DEVICE float activated_fast(const Layer& layer, float a, float& slope) {
    if (layer.activation != SINE) return activated<true>(layer, a, slope);
    const Reduced x = reduced(mul(layer.omega, a));
    slope = mul(layer.omega, flipped_if_odd(__cosf(x.r), x.k));
    return flipped_if_odd(__sinf(x.r), x.k);
}

// Sums and activations of a layer.
ROUTINE void tensor_forward(const Net& net, const Layer& layer, const float* weights, const uint4* tensor,
                           const Tile& tile) {
    const unsigned n_tiles = in_sixteens(layer.n_out), groups = (n_tiles + TILES - 1) / TILES;
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    for (unsigned item = threadIdx.x / 32; item < groups * (tile.n_points / 16); item += THREADS / 32) {
        const unsigned first = item % groups * TILES, p = item / groups * 16;
        float sums[TILES][2][4];
#pragma unroll
        for (int m = 0; m < TILES; m++)
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const unsigned o = 16 * (first + m) + row_of(i);
                sums[m][0][i] = sums[m][1][i] = o < layer.n_out ? weights[layer.bias + o] : 0.0f;
            }
        tensor_products<TILES>(sums, tensor + layer.tensor_forward, first, n_tiles,
                               tile.values + (size_t)layer.in_first * tile.stride, tile.stride, layer.n_in, p);
        float* const rows = tile.values + (size_t)layer.out_first * tile.stride + p;
        // As in f32: sums go to their rows, activations are a loop over what this thread wrote.
#pragma unroll
        for (int m = 0; m < TILES; m++)
#pragma unroll
            for (int n = 0; n < 2; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const unsigned o = 16 * (first + m) + row_of(i);
                    if (o < layer.n_out) rows[(size_t)o * tile.stride + 8 * n + column_of(i)] = sums[m][n][i];
                }
#pragma unroll 1
        for (int i = 0; i < TILES * 8; i++) {
            const unsigned o = 16 * (first + i / 8) + row_of(i % 4);
            if (o >= layer.n_out) continue;
            float* const value = rows + (size_t)o * tile.stride + i / 4 % 2 * 8 + column_of(i % 4);
            float slope;
            *value = activated_fast(layer, *value, slope);
            tile.slopes[value - tile.values - lift] = slope;
        }
    }
}

// Gradients of the sums that gave the inputs of a layer.
ROUTINE void tensor_backward(const Net& net, const Layer& layer, const uint4* tensor, const Tile& tile) {
    const unsigned n_tiles = in_sixteens(layer.n_in), groups = (n_tiles + TILES - 1) / TILES;
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    for (unsigned item = threadIdx.x / 32; item < groups * (tile.n_points / 16); item += THREADS / 32) {
        const unsigned first = item % groups * TILES, p = item / groups * 16;
        float sums[TILES][2][4] = {};
        tensor_products<TILES>(sums, tensor + layer.tensor_back, first, n_tiles,
                               tile.slopes + (size_t)layer.out_first * tile.stride - lift, tile.stride, layer.n_out, p);
        float* const slopes = tile.slopes + (size_t)layer.in_first * tile.stride - lift + p;
#pragma unroll
        for (int m = 0; m < TILES; m++)
#pragma unroll
            for (int n = 0; n < 2; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const unsigned k = 16 * (first + m) + row_of(i);
                    if (k >= layer.n_in) continue;
                    float* const slope = slopes + (size_t)k * tile.stride + 8 * n + column_of(i);
                    *slope = mul(sums[m][n][i], *slope);
                }
    }
}

// A neighbouring pair of a row; 0 beyond `n_rows`.
DEVICE unsigned row_pair(const float* rows, unsigned stride, unsigned row, unsigned n_rows, unsigned p) {
    if (row >= n_rows) return 0;
    const float* at = rows + (size_t)row * stride + p;
    return bf16_pair(at[0], at[1]);
}

// Adds to the gradient of a layer's matrix: 32 outputs by 32 inputs a warp, over all points.
ROUTINE void tensor_gradient(const Net& net, const Layer& layer, const Tile& tile, float* gradient) {
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    const float* d = tile.slopes + (size_t)layer.out_first * tile.stride - lift;
    const float* x = tile.values + (size_t)layer.in_first * tile.stride;
    const unsigned down = (layer.n_out + 31) / 32, across = (layer.n_in + 31) / 32;
    const unsigned lane = threadIdx.x % 32, g = lane / 4, t = lane % 4 * 2;
    for (unsigned item = threadIdx.x / 32; item < down * across; item += THREADS / 32) {
        const unsigned o0 = item % down * 32, k0 = item / down * 32;
        // On top of what is there, in steps of sixteen points: tiles of any size then give the same bits.
        float sums[2][4][4];
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const unsigned o = o0 + 16 * m + row_of(i), k = k0 + 8 * n + column_of(i);
                    const bool is_there = o < layer.n_out && k < layer.n_in;
                    sums[m][n][i] = is_there ? gradient[layer.matrix + (size_t)k * layer.n_places + o] : 0.0f;
                }
        // As above.
        __syncwarp();
        for (unsigned p0 = 0; p0 < tile.n_points; p0 += 16) {
            const unsigned p = p0 + t;
            uint4 a[2];
#pragma unroll
            for (int m = 0; m < 2; m++) {
                const unsigned o = o0 + 16 * m + g;
                a[m].x = row_pair(d, tile.stride, o, layer.n_out, p);
                a[m].y = row_pair(d, tile.stride, o + 8, layer.n_out, p);
                a[m].z = row_pair(d, tile.stride, o, layer.n_out, p + 8);
                a[m].w = row_pair(d, tile.stride, o + 8, layer.n_out, p + 8);
            }
#pragma unroll
            for (int n = 0; n < 4; n++) {
                const unsigned k = k0 + 8 * n + g;
                const unsigned b0 = row_pair(x, tile.stride, k, layer.n_in, p);
                const unsigned b1 = row_pair(x, tile.stride, k, layer.n_in, p + 8);
                multiply_add(sums[0][n], a[0], b0, b1);
                multiply_add(sums[1][n], a[1], b0, b1);
            }
        }
#pragma unroll
        for (int m = 0; m < 2; m++)
#pragma unroll
            for (int n = 0; n < 4; n++)
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const unsigned o = o0 + 16 * m + row_of(i), k = k0 + 8 * n + column_of(i);
                    if (o >= layer.n_out || k >= layer.n_in) continue;
                    gradient[layer.matrix + (size_t)k * layer.n_places + o] = sums[m][n][i];
                }
    }
}
