"""Values within a bound, after section 9 of the format document. Standard library only."""
import struct
from math import frexp, isfinite

from format_decoder_entropy import RangeDecoder, clamp
from format_decoder_mixing import Counters, Mixer, cdf, mix_hash, stretch

LEVELS = [3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987]
MAX_BINS = 65536


class Impossible(Exception):
    """A rule that does not go with the samples."""


def logarithm(x):
    log = x.bit_length() - 1
    m = x << (63 - log)
    for _ in range(12):
        m = m * m >> 63
        a = int(m >= 2**64)
        m >>= a
        log = 2 * log + a
    return log


def f32(x):
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")


class Bins:
    def __init__(self, rule, parameter, integer, lowest, highest):
        if (rule == 1) == integer or (rule == 2 and lowest < 0):
            raise Impossible
        self.integer, self.lowest, self.highest = integer, lowest, highest
        self.exponent = 0 if integer or lowest < 0 else max(frexp(highest)[1] - 1, -900) - 10
        bottoms, self.values, tops = [], [], []
        bottom = lowest
        while bottom <= highest:
            if len(bottoms) == MAX_BINS:
                raise Impossible
            value, top, following = self.bin(rule, parameter, bottom)
            bottoms.append(bottom)
            self.values.append(min(value, highest))
            tops.append(min(top, highest))
            if following <= bottom:
                raise Impossible
            bottom = 1.0 if integer and following == 0 else following
        self.n = n = len(bottoms)
        self.positions = [self.position(v) for v in self.values]
        inner = [(self.position(t) + self.position(b)) // 2 for t, b in zip(tops, bottoms[1:])]
        self.edges = [self.position(lowest)] + inner + [self.position(highest)]
        unit = (highest - lowest) / 1000
        unit = max(unit, 1.0) if integer else unit
        self.levels = [1 + sum(v - lowest >= h * unit for h in LEVELS) for v in self.values]
        self.n_bits = (n - 1).bit_length()

    @staticmethod
    def bin(rule, parameter, bottom):
        if rule == 0:
            value = bottom + parameter
            value = value if value else -1.0 if bottom < 0 else 1.0
            return value, value + parameter, value + parameter + 1
        if rule == 1:
            value = f32(bottom + 0.5 * parameter)
            return value or 2.0**-126, bottom + parameter, bottom + parameter
        up = lambda v: ((v + 1) * parameter >> 32) - 1
        value = up(int(bottom))
        return float(value), float(up(value)), float(up(value)) + 1

    def position(self, v):
        if self.lowest < 0:
            return int((v - self.lowest) / max(self.highest - self.lowest, 2.0**-1022) * 32768.0)
        return logarithm(int(v / 2.0**self.exponent * 256.0) + 256) - 32768


def total(x, y):
    s = [0.0] * 8
    for i, (a, b) in enumerate(zip(x, y)):
        s[i % 8] += a * b
    return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]))


class LeastSquares:
    """The classes of one predictor."""

    def __init__(self, n_features, memory, largest_error):
        self.n, self.memory, self.largest_error = n_features, memory, largest_error
        self.classes = {}

    def start(self):
        return [[100.0 if a == b else 0.0 for b in range(self.n)] for a in range(self.n)]

    def of(self, c):
        return self.classes.setdefault(c, {"w": [0.0] * self.n, "P": self.start()})

    def predict(self, c, features):
        return total(self.of(c)["w"], features)

    def learn(self, c, features, prediction, y):
        own = self.of(c)
        g = [0.0] * self.n
        for row, f in zip(own["P"], features):
            g = [x + p * f for x, p in zip(g, row)]
        d = self.memory + total(features, g)
        z, h = 1.0 / d if d else float("inf"), 1.0 / self.memory
        error = y - prediction
        error = -self.largest_error if error < -self.largest_error else min(error, self.largest_error)
        r = error * z
        own["w"] = [w + r * x for w, x in zip(own["w"], g)]
        trace = 0.0
        for a, row in enumerate(own["P"]):
            t = g[a] * z
            own["P"][a] = row = [(p - t * x) * h for p, x in zip(row, g)]
            trace += row[a]
        if not 0 < trace < 100000:
            own["P"] = self.start()
            if not (isfinite(trace) and all(map(isfinite, own["w"]))):
                own["w"] = [0.0] * self.n


def decode_quick(decoder, walk, occupied, bins):
    """The bin of each voxel, C order."""
    below = [sum(level < c for level in bins.levels) for c in range(16)]
    count = [bins.levels.count(c) for c in range(16)]
    n_bits = [max(n - 1, 0).bit_length() for n in count]
    counters = Counters()
    symbols = [0] * len(occupied)
    for i in range(walk.n[0]):
        beside = [0] * walk.n[2]
        for j in range(walk.n[1]):
            places = [walk.index(i, j, k) for k in range(walk.n[2])]
            phases = walk.phases([occupied[at] for at in places])
            levels, before = [], 0
            for k, at in enumerate(places):
                before = levels[-1] if levels else 0
                if not occupied[at]:
                    levels.append(0)
                    continue
                block, entry = (16 * phases[k] + before) * 16 + beside[k], 1
                for _ in range(4):
                    entry = 2 * entry + counters["level", block, entry].decode(decoder)
                c, t = entry - 16, 1
                for b in range(n_bits[c]):
                    key = ("first", c, phases[k], t) if b < 5 else ("rest", c, n_bits[c] - 1 - b)
                    t = 2 * t + counters[key].decode(decoder)
                symbols[at] = min(below[c] + t - 2 ** n_bits[c], bins.n - 1)
                levels.append(bins.levels[symbols[at]])
            beside = levels
    return symbols


class Voxels:
    """What is known of a tile's voxels; nothing lies outside."""

    def __init__(self, walk, occupied):
        self.walk, self.phases, self.runs, self.rests = walk, {}, {}, {}
        self.heights, self.bins, self.levels = {}, {}, {}
        n0, n1, n2 = walk.n
        for i in range(n0):
            for j in range(n1):
                line = [occupied[walk.index(i, j, k)] for k in range(n2)]
                rest = 0
                for k in reversed(range(n2)):
                    rest = rest + 1 if line[k] else 0
                    self.rests[i, j, k] = min(rest, 255)
                run = 0
                for k, phase in enumerate(walk.phases(line)):
                    run = run + 1 if line[k] else 0
                    self.phases[i, j, k], self.runs[i, j, k] = phase, min(run, 255)

    def phase(self, *voxel):
        return self.phases.get(voxel, 0)

    def occ(self, *voxel):
        return 1 if self.phases.get(voxel, 0) else 0

    def height(self, *voxel):
        return self.heights.get(voxel, 0) / 4096.0

    def level(self, *voxel):
        return self.levels.get(voxel, 0)


def features(x, i, j, k, said):
    """The features of the three predictors."""
    phase, occ, H = x.phase, x.occ, x.height
    c = lambda d=0: H(i, j, k + d)
    c1 = lambda d=0: H(i, j - 1, k + d)
    c2 = lambda d=0: H(i, j - 2, k + d)
    u = lambda d=0: H(i - 1, j, k + d)
    um = lambda d=0: H(i - 1, j - 1, k + d)
    up = lambda d=0: H(i - 1, j + 1, k + d)
    v = H(i - 2, j, k)
    oc1, ou, oe, od = occ(i, j - 1, k), occ(i - 1, j, k), occ(i, j + 1, k), occ(i + 1, j, k)
    shape = 0.0
    if oc1 and c1(-1) > 0:
        shape = clamp((c(-1) * c1()) / (c1(-1) + 0.15), -3.0, 3.0)
    falling = max(c(-1) - c(-2), 0.0) if x.runs[i, j, k] > 2 else 0.0
    here = phase(i, j, k)
    f0 = [1, c(-1), c(-2), c(-3), c(-4), c1(-2), c1(-1), c1(), c1(1), c1(2), c1(3), c2(-1), c2(), c2(1), c2(2),
          u(-1), u(), u(1), u(2), um(), up(), um(1), up(1), oc1, ou, oe, od, occ(i, j + 1, k + 1),
          occ(i, j + 1, k - 1), x.rests[i, j, k] > 4, phase(i, j - 1, k) == here, shape, falling, c(-1) * c(-1), v,
          oc1 * oe, said, 0, 0, 0]
    f1 = [1, c(-1), c(-2), c(-3), c(-1) * c(-1), c(-2) * c(-2), c(-1) * c(-2), c1(), c1(-1), c1(1), c1() * c(-1),
          c1() * c1(), u(), shape, falling, oe, oc1, ou, c2(), phase(i, j + 1, k) == here, said, 0, 0, 0]
    f2 = [1, c(-1), c(-2), c(-3), c(-4), c1(-1), c1(), c1(1), c1(2), u(), u(1), c2(), oe, od, up(), um()]
    return [[float(f) for f in fs] for fs in (f0, f1, f2)]


def truncated(x):
    """x, a binary64 number, as an integer between -2^40 and 2^40; NaN is 0."""
    return int(clamp(x, -(2.0**40), 2.0**40)) if x == x else 0


def towards_zero(a, b):
    return a // b if a >= 0 else -(-a // b)


def decode_mixed(decoder, walk, occupied, bins, field, prior=None):
    """The bin of each voxel, C order; `field` has the position that a field gives for each, or is None."""
    x = Voxels(walk, occupied)
    predictors = [LeastSquares(40, 0.9998, 1e9), LeastSquares(24, 0.9995, 0.5), LeastSquares(16, 0.999, 0.3)]
    counters = Counters()
    mixer = Mixer([2500] * 8 + [3250] * 5 + [20000, 3250, 3500] if prior else [5000] * 8 + [6500] * 7 + [3500])
    spreads = {}
    symbols = [0] * len(occupied)
    base = bins.edges[0] + 409
    scale = (120 << 16) // max(bins.edges[bins.n] - bins.edges[0], 1024)
    held = lambda p: clamp(p, -1228, bins.edges[bins.n] - base + 1228)
    place = lambda p: clamp((p + 1228) * scale >> 16, 0, 127)
    n0, n1, n2 = walk.n
    for i, j, k in ((i, j, k) for i in range(n0) for j in range(n1) for k in range(n2)):
        at = walk.index(i, j, k)
        if not occupied[at]:
            continue
        phase, rest = x.phase(i, j, k), x.rests[i, j, k]
        pc1, pu, pe, pd = x.phase(i, j - 1, k), x.phase(i - 1, j, k), x.phase(i, j + 1, k), x.phase(i + 1, j, k)
        oc1, ou, oe = int(pc1 > 0), int(pu > 0), int(pe > 0)
        all_features = features(x, i, j, k, (field[at] - base) / 4096.0 if field else 0.0)
        mixture = prior.mixture(x, bins, i, j, k) if prior else None
        if prior:
            all_features[0][37] = all_features[1][21] = mixture.mean / 4096.0
        classes = [(min(phase, 7) if oc1 else 0) + 8 * oe, phase, 8 * min(phase, 7) + 4 * oc1 + 2 * ou + oe]
        said = [p.predict(c, f) for p, c, f in zip(predictors, classes, all_features)]
        m = [held(truncated(s * 4096.0)) for s in said]
        mean = towards_zero(m[0] + m[1] + m[2], 3)
        given = held(mixture.mean) if prior else held(field[at] - base) if field else mean
        centres = [m[0], m[1], m[2], mean, mean, towards_zero(m[0] + m[1], 2), given]

        A, B, C, O = place(m[0]), place(m[2]), place(mean), place(given)
        qa, qb, qc = x.level(i, j, k - 1), x.level(i, j - 1, k), x.level(i - 1, j, k)
        qd, qe, qg = x.level(i, j - 1, k + 1), x.level(i, j, k - 2), x.level(i, j, k - 3)
        bin1 = x.bins.get((i, j - 1, k), -1) + 1
        bin0 = x.bins.get((i, j, k - 1), -1) + 1
        h = 8 * phase + min(rest, 7)
        around = 512 * min(pc1, 7) + 64 * min(pu, 7) + 8 * min(pe, 7) + min(pd, 7)
        contexts = [
            mix_hash(h, A),
            mix_hash(h + 1000, mix_hash(bin1, 16 * pc1 + qd)),
            mix_hash(h + 2000, (16 * qa + qe) * 16 + qg),
            mix_hash(h + 3000, h),
            mix_hash(h + 4000, around),
            mix_hash(h + 5000, ((16 * qa + qe) * 16 + qb) * 16 + qd),
            mix_hash(phase + 6000, C),
            mix_hash(h + 7000, mix_hash(bin0, 16 * qc + qb)),
        ]
        spread_at = [64 * phase + A // 2, 256 * phase + 16 * qb + qa, 256 * phase + 4 * (B // 2) + 2 * oc1 + oe,
                     16 * C + qa, 256 * phase + 16 * qa + qe, 256 * phase + 16 * qb + qc, 128 * phase + O]
        spread_of = [spreads.get((q, s), 1024) for q, s in enumerate(spread_at)]
        K = [2**28 // max(s * 46 // 64, 16) for s in spread_of]

        low, high, node = 0, 1 << bins.n_bits, 1
        for b in range(bins.n_bits):
            if b % 4 == 0:
                entry = 1
                blocks = [mix_hash(context, node) >> 52 for context in contexts]
            middle = (low + high) // 2
            bit = 0
            if middle < bins.n:
                inputs = []
                top = min(high, bins.n)
                for q in range(7):
                    if q == 6 and not field and not prior:
                        inputs.append(0)
                        continue
                    if q == 5 and prior:
                        below = lambda s: mixture.below(bins.edges[s] - base)
                    else:
                        below = lambda s: cdf((bins.edges[s] - base - centres[q]) * K[q] >> 20)
                    start = below(low) if low else 0
                    end = below(top) if top < bins.n else 2**30
                    one = end - below(middle) + 1024
                    inputs.append(stretch(clamp((one << 16) // (end - start + 2048), 1, 65535)))
                sure = min(abs(inputs[0]), abs(inputs[3]))
                if sure >= 1792 and (inputs[0] > 0) == (inputs[3] > 0):
                    bit = counters["sure", b, phase, inputs[0] > 0, (sure - 1792) // 128].decode(decoder)
                else:
                    used = [counters[q, block, entry] for q, block in enumerate(blocks)]
                    inputs = [counter.input() for counter in used] + inputs + [102]
                    sets = [128 * phase + min(node, 127), 64 * b + A // 2, (16 * b + phase) * 16 + qa]
                    map_gate = 8 * min(node, 127) + min(phase, 7)
                    bit = mixer.decode(decoder, inputs, sets, 16 * b + phase, map_gate)
                    for counter in used:
                        counter.update(bit)
            low, high = (middle, high) if bit else (low, middle)
            entry, node = 2 * entry + bit, 2 * node + bit

        y = bins.positions[low] - base
        for q, s in enumerate(spread_at):
            spreads[q, s] = spread_of[q] + ((abs(y - centres[q]) - spread_of[q]) * 6 >> 8)
        for p, c, f, s in zip(predictors, classes, all_features, said):
            p.learn(c, f, s, y / 4096.0)
        x.heights[i, j, k], x.bins[i, j, k], x.levels[i, j, k] = y, low, bins.levels[low]
        symbols[at] = low
    return symbols


def decode_values(coding, stream, walk, occupied, bins, field, prior):
    """The values of the voxels of a tile, C order; None where the stream is longer or shorter than it should be."""
    decoder = RangeDecoder(stream)
    if coding == 1:
        symbols = decode_quick(decoder, walk, occupied, bins)
    else:
        symbols = decode_mixed(decoder, walk, occupied, bins, field, prior if coding == 2 else None)
    if decoder.overrun() or decoder.n_left():
        return None
    return [bins.values[s] if o else 0.0 for s, o in zip(symbols, occupied)]
