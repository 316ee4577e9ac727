// Muon: a matrix between hidden layers moves along the orthogonal factor of its averaged gradient, nearly (five
// iterations of the polynomial of Jordan et al. 2024), as src/backend/cpu/muon.rs does it.

constexpr float MUON_A = 3.4445f, MUON_B = -4.7750f, MUON_C = 2.0315f;

DEVICE unsigned in_fours(unsigned n) { return (n + 3) / 4 * 4; }

// Floats of scratch for a matrix: two of its size, two squares.
DEVICE size_t muon_square(const Matrix& m) { return in_fours(m.n_rows < m.n_cols ? m.n_rows : m.n_cols); }
DEVICE size_t muon_long(const Matrix& m) { return in_fours(m.n_rows < m.n_cols ? m.n_cols : m.n_rows); }

// to[i][j] = sum over l of a[i][l] a[j][l], for n x k matrices of whole fours.
DEVICE void multiply_by_own(const float* a, unsigned n, unsigned k, float* to) {
    const unsigned across = n / 4;
    for (unsigned item = threadIdx.x; item < across * across; item += THREADS) {
        const unsigned i0 = item / across * 4, j0 = item % across * 4;
        float sums[4][4] = {};
        for (unsigned l = 0; l < k; l += 4) {
            float4 x[4], y[4];
#pragma unroll
            for (int i = 0; i < 4; i++)
                x[i] = load4(a + (size_t)(i0 + i) * k + l), y[i] = load4(a + (size_t)(j0 + i) * k + l);
#pragma unroll
            for (int c = 0; c < 4; c++)
#pragma unroll
                for (int i = 0; i < 4; i++)
#pragma unroll
                    for (int j = 0; j < 4; j++) sums[i][j] = fused((&x[i].x)[c], (&y[j].x)[c], sums[i][j]);
        }
#pragma unroll
        for (int i = 0; i < 4; i++)
            store4(to + (size_t)(i0 + i) * n + j0, {sums[i][0], sums[i][1], sums[i][2], sums[i][3]});
    }
}

// Where a step of rate `rate` takes the weights of `matrix`; they are left in job.moved.
ROUTINE void muon(const Job& job, const Round& round, const Matrix& matrix, float rate, float clip, Shared& shared,
                 const float* gradient, float* scratch) {
    const Standing* standings = (const Standing*)job.standings;
    float* average = (float*)job.average;
    float* moved = (float*)job.moved;
    const unsigned n = matrix.n_rows * matrix.n_cols;
    const bool is_tall = matrix.n_rows > matrix.n_cols;
    const unsigned wide = (unsigned)muon_square(matrix), across = (unsigned)muon_long(matrix);
    float* x = scratch;
    float* next = x + (size_t)wide * across;
    float* square = next + (size_t)wide * across;
    float* fourth = square + (size_t)wide * wide;
    double squares = 0.0;
    for (unsigned k = threadIdx.x; k < n; k += THREADS) {
        const unsigned i = matrix.first + k;
        const float g = mul(folded(standings[i], gradient), clip);
        const float fresh = mul(sub(1.0f, round.momentum), g);
        average[i] = add(mul(round.momentum, average[i]), fresh);
        moved[i] = add(mul(round.momentum, average[i]), fresh);
        squares += (double)moved[i] * (double)moved[i];
    }
    for (unsigned k = threadIdx.x; k < wide * across; k += THREADS) x[k] = 0.0f;
    const double norm = sqrt(sum_over_threads(shared, squares));
    for (unsigned k = threadIdx.x; norm > 0.0 && k < n; k += THREADS) {
        const unsigned row = k / matrix.n_cols, col = k % matrix.n_cols;
        const size_t at = is_tall ? (size_t)col * across + row : (size_t)row * across + col;
        x[at] = (float)((double)moved[matrix.first + k] / norm);
    }
    __syncthreads();
    for (int iteration = 0; iteration < 5; iteration++) {
        multiply_by_own(x, wide, across, square);
        __syncthreads();
        // The square is symmetric, to the bit: its columns are its rows.
        multiply_by_own(square, wide, wide, fourth);
        __syncthreads();
        for (unsigned k = threadIdx.x; k < wide * wide; k += THREADS)
            square[k] = add(mul(MUON_B, square[k]), mul(MUON_C, fourth[k]));
        __syncthreads();
        const unsigned quads = across / 4;
        for (unsigned item = threadIdx.x; item < wide / 4 * quads; item += THREADS) {
            const unsigned i0 = item / quads * 4, j = item % quads * 4;
            float sums[4][4] = {};
            for (unsigned l = 0; l < wide; l++) {
                const float4 b = load4(x + (size_t)l * across + j);
#pragma unroll
                for (int i = 0; i < 4; i++) {
                    const float a = square[(size_t)(i0 + i) * wide + l];
                    sums[i][0] = fused(a, b.x, sums[i][0]);
                    sums[i][1] = fused(a, b.y, sums[i][1]);
                    sums[i][2] = fused(a, b.z, sums[i][2]);
                    sums[i][3] = fused(a, b.w, sums[i][3]);
                }
            }
#pragma unroll
            for (int i = 0; i < 4; i++) {
                const float4 old = load4(x + (size_t)(i0 + i) * across + j);
                store4(next + (size_t)(i0 + i) * across + j,
                       {add(mul(MUON_A, old.x), sums[i][0]), add(mul(MUON_A, old.y), sums[i][1]),
                        add(mul(MUON_A, old.z), sums[i][2]), add(mul(MUON_A, old.w), sums[i][3])});
            }
        }
        __syncthreads();
        float* const swap = x;
        x = next;
        next = swap;
    }
    // The factor's root mean square is 1 / sqrt(longer extent).
    const float length = mul(mul(rate, round.muon_step),
                             root((float)(matrix.n_rows > matrix.n_cols ? matrix.n_rows : matrix.n_cols)));
    for (unsigned k = threadIdx.x; k < n; k += THREADS) {
        const unsigned row = k / matrix.n_cols, col = k % matrix.n_cols, i = matrix.first + k;
        const size_t at = is_tall ? (size_t)col * across + row : (size_t)row * across + col;
        moved[i] = sub(((const float*)job.stored)[i], mul(length, x[at]));
    }
    __syncthreads();
}
