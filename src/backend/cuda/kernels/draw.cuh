// Which sites a step trains on: the functions of the crate inrfit-sampling, in integers, bit for bit.

typedef unsigned long long u64;

struct Words {
    unsigned a, b, c, d;
};

// Philox4x32-10.
DEVICE Words random_block(unsigned key0, unsigned key1, Words w) {
    for (int i = 0; i < 10; i++) {
        const u64 p = (u64)0xD2511F53u * w.a;
        const u64 q = (u64)0xCD9E8D57u * w.c;
        w = {(unsigned)(q >> 32) ^ w.b ^ key0, (unsigned)q, (unsigned)(p >> 32) ^ w.d ^ key1, (unsigned)p};
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    return w;
}
DEVICE Words counter(u64 step, u64 pair) {
    return {(unsigned)pair, (unsigned)(pair >> 32), (unsigned)step, (unsigned)(step >> 32)};
}
DEVICE u64 random_bits(u64 seed, u64 step, u64 i) {
    const Words w = random_block((unsigned)seed, (unsigned)(seed >> 32), counter(step, i >> 1));
    return i & 1 ? (u64)w.c << 32 | w.d : (u64)w.a << 32 | w.b;
}

// A permutation of the numbers below n.
struct Permutation {
    unsigned n, left, right;
    unsigned keys[8];
};
DEVICE Permutation permutation(unsigned n, u64 seed, u64 number, unsigned branch) {
    const Words derived =
        random_block((unsigned)seed, (unsigned)(seed >> 32), counter(0x696E72666974706CULL + branch, number));
    Permutation out;
    for (unsigned i = 0; i < 2; i++) {
        const Words keys = random_block(derived.a, derived.b, {i, 0, 0, 0});
        out.keys[4 * i] = keys.a;
        out.keys[4 * i + 1] = keys.b;
        out.keys[4 * i + 2] = keys.c;
        out.keys[4 * i + 3] = keys.d;
    }
    unsigned bits = 6;
    while (bits < 32 && n > 1 && (n - 1) >> bits) bits++;
    out.n = n > 0 ? n : 1;
    out.left = bits / 2;
    out.right = bits - bits / 2;
    return out;
}
DEVICE unsigned mixed(unsigned x, unsigned bits) {
    u64 m = (u64)x * 0x9E3779B97F4A7C15ULL;
    m = (m ^ (m >> 32)) * 0x6A09E667F3BCC909ULL;
    return (unsigned)(m >> (64 - bits));
}
DEVICE unsigned permuted(const Permutation& p, unsigned i) {
    unsigned x = i % p.n;
    do {
        unsigned l = x >> p.right, r = x & ((1u << p.right) - 1);
        for (int j = 0; j < 8; j += 2) {
            l ^= mixed(r ^ p.keys[j], p.left);
            r ^= mixed(l ^ p.keys[j + 1], p.right);
        }
        x = l << p.right | r;
    } while (x >= p.n);
    return x;
}

enum Law { EVERY_SITE, UNIFORM, ALIAS, EPOCHS };

// A draw table, as the host lays it out.
struct Table {
    u64 cells;           // const u64*: alias in the upper half, threshold in the lower one
    u64 order;           // const unsigned*; 0 = sites in their own order
    u64 draws_per_step;  // in epochs
    unsigned law, n_sites, n_first, n_rest, n_taken, unused;
};

// The orders of one epoch.
struct Epoch {
    u64 number;
    Permutation all, rest;
};
DEVICE Epoch epoch(const Table& table, u64 seed, u64 number) {
    return {number, permutation(table.n_first + table.n_taken, seed, number, 0),
            permutation(table.n_rest, seed, number, 1)};
}

// Draw number `at` of an epoch.
DEVICE unsigned drawn_of(const Table& table, const Epoch& epoch, unsigned at) {
    const unsigned j = permuted(epoch.all, at);
    const unsigned place = j < table.n_first ? j : table.n_first + permuted(epoch.rest, j - table.n_first);
    return table.order ? ((const unsigned*)table.order)[place] : place;
}

// Where draw 0 of a step lies: its epoch, and its number there.
struct Start {
    u64 epoch, at;
};

// Draw `i` of `step`; `start` and `known`, the epoch that the step begins in, are read in epochs only.
DEVICE unsigned drawn(const Table& table, u64 seed, u64 step, u64 i, Start start, const Epoch& known) {
    if (table.law == EVERY_SITE) return (unsigned)i;
    if (table.law == EPOCHS) {
        const u64 n = table.n_first + table.n_taken;
        const u64 number = start.epoch + (start.at + i) / n;
        const unsigned at = (unsigned)((start.at + i) % n);
        return number == known.number ? drawn_of(table, known, at)
                                      : drawn_of(table, epoch(table, seed, number), at);
    }
    const u64 r = random_bits(seed, step, i);
    const u64 n = table.n_sites;
    const u64 m = (r >> 32) * n + (((r & 0xffffffffULL) * n) >> 32);
    const unsigned column = (unsigned)(m >> 32);
    if (table.law == UNIFORM) return column;
    const u64 cell = ((const u64*)table.cells)[column];
    return (unsigned)m < (unsigned)cell ? column : (unsigned)(cell >> 32);
}
