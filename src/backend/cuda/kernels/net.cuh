// A network over a tile of points: sums, activations, and their gradients.
//
// Values lie in rows, a row per unit and a column per point: coordinates first, features next, then the outputs of each
// layer; a layer's inputs are neighbouring rows. Slopes have rows for outputs only. Every sum runs in index order with
// one accumulator, so that neither the number of points in a tile nor that of threads changes a bit.

#define THREADS 256

// Activations and flags: the numbers are those of layout.rs.
enum Activation { SINE, RELU, LINEAR, GABOR, COMPLEX_GABOR, PRODUCT };
enum Flags { SUMS_ARE_REAL = 1, IS_FIXED = 2 };

struct Layer {
    unsigned in_first, n_in;    // rows that are read
    unsigned out_first, n_out;  // rows that are written
    unsigned part;              // outputs of a part: all, or the real ones of complex outputs
    unsigned part_places;       // places of a part in the matrix, a multiple of 4
    unsigned n_places;          // of all parts
    unsigned matrix, bias;      // of the forward weights: [n_in][n_places], [n_places]
    unsigned back, n_back;      // of the backward weights: [n_out][n_back]; n_back = 0 where nobody needs them
    unsigned in_complex;        // complex units among the inputs, which come first: all real parts, then all others
    unsigned in_product;        // inputs that are products, which come first
    unsigned in_factor;         // ... and the first row of what multiplied them
    unsigned factor;            // first row of what multiplies the sums
    unsigned activation, flags;
    unsigned tensor_forward, tensor_back;  // tiles of weights for tensor cores, in 16 bytes
    float omega, scale;
    float in_omega;  // frequency of the complex inputs
};

struct Net {
    unsigned n_layers, n_features, n_heads, n_rows, n_forward, n_back;
};

DEVICE unsigned first_slope(const Net& net) { return 3 + net.n_features; }

// Rows of a tile.
struct Tile {
    float* values;
    float* slopes;
    unsigned n_points;  // columns in use, a multiple of 4
    unsigned stride;    // from row to row, a multiple of 4
};

DEVICE float4 load4(const float* p) { return *(const float4*)p; }
DEVICE void store4(float* p, float4 v) { *(float4*)p = v; }

// sums[4 q + j][c] += row k, column c, times weight k at places[q] + j, for every k in order.
template <int QUADS>
DEVICE void products(float (&sums)[4 * QUADS][4], const float* rows, unsigned stride, unsigned n, const float* weights,
                     unsigned n_places, const unsigned (&places)[QUADS]) {
#pragma unroll 4
    for (unsigned k = 0; k < n; k++) {
        const float4 x = load4(rows + (size_t)k * stride);
#pragma unroll
        for (int q = 0; q < QUADS; q++) {
            const float4 w = load4(weights + (size_t)k * n_places + places[q]);
            const float at[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
            for (int j = 0; j < 4; j++) {
                float(&sum)[4] = sums[4 * q + j];
                sum[0] = fused(x.x, at[j], sum[0]);
                sum[1] = fused(x.y, at[j], sum[1]);
                sum[2] = fused(x.z, at[j], sum[2]);
                sum[3] = fused(x.w, at[j], sum[3]);
            }
        }
    }
}

// An activation of one sum, and its slope.
template <bool TRAIN>
DEVICE float activated(const Layer& layer, float a, float& slope) {
    slope = 1.0f;
    switch (layer.activation) {
    case SINE: {
        const Reduced x = reduced(mul(layer.omega, a));
        if (TRAIN) slope = mul(layer.omega, cosine_of(x));
        return sine_of(x);
    }
    case RELU:
        if (TRAIN) slope = a > 0.0f ? 1.0f : 0.0f;
        return greater(a, 0.0f);
    case GABOR: {
        const float x = mul(layer.scale, a);
        const float envelope = power_of_2(mul(mul(x, x), -LOG2_OF_E));
        const Reduced phase = reduced(mul(layer.omega, a));
        const float value = mul(sine_of(phase), envelope);
        if (TRAIN) {
            const float inner = mul(mul(-2.0f, layer.scale), x);
            slope = fused(inner, value, mul(mul(layer.omega, cosine_of(phase)), envelope));
        }
        return value;
    }
    default:
        return a;
    }
}

// The complex wavelet of a sum, and the derivatives of its exponent.
template <bool TRAIN>
DEVICE void wavelet(const Layer& layer, float re, float im, float (&value)[2], float (&slope)[2]) {
    const float square = mul(layer.scale, layer.scale);
    const float norm = fused(im, im, mul(re, re));
    const float exponent = fused(layer.omega, im, mul(square, norm));
    const float envelope = power_of_2(mul(exponent, -LOG2_OF_E));
    const Reduced phase = reduced(mul(layer.omega, re));
    value[0] = mul(envelope, cosine_of(phase));
    value[1] = mul(envelope, sine_of(phase));
    if (TRAIN) {
        const float twice = mul(-2.0f, square);
        slope[0] = mul(twice, re);
        slope[1] = layer.flags & SUMS_ARE_REAL ? 0.0f : sub(mul(twice, im), layer.omega);
    }
}

// Four or eight outputs of a layer at four points from column `p`.
template <bool TRAIN, int QUADS>
DEVICE void forward_item(const Net& net, const Layer& layer, const float* weights, const Tile& tile,
                         const unsigned (&places)[QUADS], unsigned p) {
    float sums[4 * QUADS][4];
#pragma unroll
    for (int q = 0; q < QUADS; q++) {
        const float4 bias = load4(weights + layer.bias + places[q]);
        const float of[4] = {bias.x, bias.y, bias.z, bias.w};
        for (int j = 0; j < 4; j++)
            for (int c = 0; c < 4; c++) sums[4 * q + j][c] = of[j];
    }
    products<QUADS>(sums, tile.values + (size_t)layer.in_first * tile.stride + p, tile.stride, layer.n_in,
                    weights + layer.matrix, layer.n_places, places);
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    const bool is_complex = QUADS == 2 && layer.activation == COMPLEX_GABOR;
    float* const rows = tile.values + (size_t)layer.out_first * tile.stride + p;
    const unsigned n_units = is_complex ? layer.part : layer.n_out;
    // Sums go to their rows first: activations are then a loop, not so many copies of their code.
#pragma unroll
    for (int i = 0; i < 4 * QUADS; i++) {
        const bool is_imaginary = is_complex && i >= 4;
        const unsigned unit = places[is_complex ? 0 : i / 4] + i % 4;
        if (unit < n_units)
            store4(rows + (size_t)(unit + (is_imaginary ? layer.part : 0)) * tile.stride,
                   {sums[i][0], sums[i][1], sums[i][2], sums[i][3]});
    }
#pragma unroll 1
    for (int i = 0; i < (is_complex ? 4 : 4 * QUADS); i++) {
        const unsigned unit = (i < 4 ? places[0] : places[QUADS - 1]) + i % 4;
        if (unit >= n_units) continue;
        float* const value = rows + (size_t)unit * tile.stride;
        float* const slope = tile.slopes + (value - tile.values) - lift;
        if (is_complex) {
            const size_t part = (size_t)layer.part * tile.stride;
#pragma unroll 1
            for (int c = 0; c < 4; c++) {
                float of[2], by[2] = {0.0f, 0.0f};
                wavelet<TRAIN>(layer, value[c], value[part + c], of, by);
                value[c] = of[0];
                value[part + c] = of[1];
                if (TRAIN) {
                    slope[c] = by[0];
                    slope[part + c] = by[1];
                }
            }
        } else if (layer.activation == PRODUCT) {
            const size_t factor = (size_t)(layer.factor + unit) * tile.stride + p;
            for (int c = 0; c < 4; c++) {
                const float sum = value[c], by = tile.values[factor + c];
                value[c] = mul(sum, by);
                if (TRAIN) {
                    slope[c] = by;
                    tile.slopes[factor - lift + c] = mul(sum, tile.slopes[factor - lift + c]);
                }
            }
        } else {
            float4 a = load4(value), d;
            a.x = activated<TRAIN>(layer, a.x, d.x);
            a.y = activated<TRAIN>(layer, a.y, d.y);
            a.z = activated<TRAIN>(layer, a.z, d.z);
            a.w = activated<TRAIN>(layer, a.w, d.w);
            store4(value, a);
            if (TRAIN) store4(slope, d);
        }
    }
}

// A layer in f32.
template <bool TRAIN>
ROUTINE void forward_layer(const Net& net, const Layer& layer, const float* weights, const Tile& tile) {
    const unsigned columns = tile.n_points / 4;
    const bool is_complex = layer.part < layer.n_out;
    const bool is_wide = !is_complex && layer.n_places % 8 == 0 && layer.n_places >= 64;
    const unsigned n = layer.n_places / (is_complex || is_wide ? 8 : 4);
    for (unsigned item = threadIdx.x; item < n * columns; item += THREADS) {
        const unsigned p = item % columns * 4, i = item / columns;
        if (is_complex || is_wide) {
            const unsigned places[2] = {is_wide ? 8 * i : 4 * i, is_wide ? 8 * i + 4 : layer.part_places + 4 * i};
            forward_item<TRAIN, 2>(net, layer, weights, tile, places, p);
        } else {
            const unsigned places[1] = {4 * i};
            forward_item<TRAIN, 1>(net, layer, weights, tile, places, p);
        }
    }
}

// Gradients of the sums that gave four or eight inputs of a layer, at four points.
template <int QUADS>
DEVICE void backward_item(const Net& net, const Layer& layer, const float* weights, const Tile& tile,
                          const unsigned (&places)[QUADS], const unsigned (&inputs)[QUADS], unsigned p) {
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    float sums[4 * QUADS][4];
    for (int i = 0; i < 4 * QUADS; i++)
        for (int c = 0; c < 4; c++) sums[i][c] = 0.0f;
    products<QUADS>(sums, tile.slopes + (size_t)layer.out_first * tile.stride - lift + p, tile.stride, layer.n_out,
                    weights + layer.back, layer.n_back, places);
    const bool is_complex = QUADS == 2 && inputs[0] < layer.in_complex;
#pragma unroll
    for (int i = 0; i < 4 * QUADS; i++) {
        const unsigned input = inputs[i / 4] + i % 4;
        // The second quad of a complex pair goes with the first.
        if (is_complex ? i >= 4 || input >= layer.in_complex : input >= layer.n_in) continue;
        const size_t at = (size_t)(layer.in_first + input) * tile.stride + p;
#pragma unroll
        for (int c = 0; c < 4; c++) {
            float* const slope = tile.slopes + at - lift + c;
            if (is_complex) {
                const size_t part = (size_t)layer.in_complex * tile.stride;
                const float re = sums[i][c], im = sums[4 * (QUADS - 1) + i % 4][c];
                const float x = tile.values[at + c], y = tile.values[at + part + c];
                // Along the wavelet, and across it.
                const float along = fused(im, y, mul(re, x));
                const float across = sub(mul(im, x), mul(re, y));
                slope[0] = fused(slope[0], along, mul(layer.in_omega, across));
                slope[part] = mul(slope[part], along);
            } else {
                if (input < layer.in_product) {
                    float* const inner =
                        tile.slopes + (size_t)(layer.in_factor + input) * tile.stride + p - lift + c;
                    *inner = mul(sums[i][c], *inner);
                }
                *slope = mul(sums[i][c], *slope);
            }
        }
    }
}

// Four inputs by four outputs of a layer's gradient, over all points; `rows` of the outputs, whose slopes are gradients
// by now.
ROUTINE void gradient_item(const Net& net, const Layer& layer, const Tile& tile, unsigned k, unsigned place,
                          float* gradient) {
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    const float* d[4];
    const float* x[4];
    for (int j = 0; j < 4; j++) {
        // Places and rows that do not exist get what their neighbours get; nobody reads it.
        const unsigned at = place + j, within = at % layer.part_places;
        const unsigned unit = at / layer.part_places * layer.part + (within < layer.part ? within : 0);
        const unsigned input = k + j < layer.n_in ? k + j : layer.n_in - 1;
        d[j] = tile.slopes + (size_t)(layer.out_first + unit) * tile.stride - lift;
        x[j] = tile.values + (size_t)(layer.in_first + input) * tile.stride;
    }
    float sums[4][4];
    float* to[4];
    for (int i = 0; i < 4; i++) {
        to[i] = gradient + layer.matrix + (size_t)(k + i) * layer.n_places + place;
        const float4 sum = k + i < layer.n_in ? load4(to[i]) : float4{0.0f, 0.0f, 0.0f, 0.0f};
        sums[i][0] = sum.x, sums[i][1] = sum.y, sums[i][2] = sum.z, sums[i][3] = sum.w;
    }
    for (unsigned p = 0; p < tile.n_points; p += 4) {
        float4 a[4], b[4];
#pragma unroll
        for (int j = 0; j < 4; j++) a[j] = load4(x[j] + p), b[j] = load4(d[j] + p);
#pragma unroll
        for (int c = 0; c < 4; c++)
#pragma unroll
            for (int i = 0; i < 4; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) sums[i][j] = fused((&a[i].x)[c], (&b[j].x)[c], sums[i][j]);
    }
    for (int i = 0; i < 4 && k + i < layer.n_in; i++)
        store4(to[i], {sums[i][0], sums[i][1], sums[i][2], sums[i][3]});
}

// Biases of four outputs.
ROUTINE void bias_item(const Net& net, const Layer& layer, const Tile& tile, unsigned place, float* gradient) {
    const size_t lift = (size_t)first_slope(net) * tile.stride;
    for (unsigned at = place; at < place + 4; at++) {
        const unsigned within = at % layer.part_places;
        if (within >= layer.part) continue;
        const unsigned unit = at / layer.part_places * layer.part + within;
        const float* d = tile.slopes + (size_t)(layer.out_first + unit) * tile.stride - lift;
        float sum = gradient[layer.bias + at];
        for (unsigned p = 0; p < tile.n_points; p++) sum = add(sum, d[p]);
        gradient[layer.bias + at] = sum;
    }
}

// Gradients of the sums that gave the inputs of a layer, in f32.
ROUTINE void backward_layer(const Net& net, const Layer& layer, const float* weights, const Tile& tile) {
    const unsigned columns = tile.n_points / 4;
    // Complex inputs by their two parts, then all others.
    const unsigned pairs = (layer.in_complex + 3) / 4, paired = 2 * 4 * pairs;
    const bool is_wide = pairs == 0 && layer.n_back % 8 == 0 && layer.n_back >= 64;
    const unsigned n = pairs + (layer.n_back - paired) / (is_wide ? 8 : 4);
    for (unsigned item = threadIdx.x; item < n * columns; item += THREADS) {
        const unsigned p = item % columns * 4, i = item / columns;
        if (i < pairs || is_wide) {
            const unsigned places[2] = {is_wide ? 8 * i : 4 * i, is_wide ? 8 * i + 4 : 4 * (pairs + i)};
            const unsigned inputs[2] = {places[0], is_wide ? places[1] : layer.in_complex + 4 * i};
            backward_item<2>(net, layer, weights, tile, places, inputs, p);
        } else {
            const unsigned places[1] = {paired + 4 * (i - pairs)};
            const unsigned inputs[1] = {2 * layer.in_complex + 4 * (i - pairs)};
            backward_item<1>(net, layer, weights, tile, places, inputs, p);
        }
    }
}

// The rows and columns of a block's memory: in shared memory, or where that is too small in its own part of `scratch`.
struct Places {
    unsigned values, slopes, forward, back, gradient, total, muon;
    unsigned scratch_stride;  // floats of `scratch` a block
};
constexpr unsigned IN_SCRATCH = 0x80000000u;
constexpr unsigned NOWHERE = 0xffffffffu;

DEVICE float* placed(unsigned place, float* shared, float* scratch) {
    return place & IN_SCRATCH ? scratch + (place & ~IN_SCRATCH) : shared + place;
}

// Coordinates of grid point `at`.
DEVICE void coordinates(const float* axes, const unsigned (&n)[3], u64 at, float (&out)[3]) {
    const u64 row = at / n[2];
    out[0] = axes[row / n[1]];
    out[1] = axes[n[0] + row % n[1]];
    out[2] = axes[n[0] + n[1] + at % n[2]];
}
