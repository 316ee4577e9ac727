"""Decodes an .inrfit file by docs/format.md alone: python3 format_decoder.py FILE [PRIOR...] > samples (raw,
little-endian). PRIOR: files of priors, of which one may be needed.

Python's standard library only, and no zstd: files without zstd packing. Written for clarity, not for speed.
"""
import hashlib
import math
import struct
import sys
import zlib

from format_decoder_entropy import RangeDecoder, decode_matrix
from format_decoder_pattern import features, n_features
from format_decoder_prior import Prior
from format_decoder_residual import Bins, Impossible, decode_values
from format_decoder_support import decode_support

MAGIC = b"\x89INRF\r\n\x1a"
CRITICAL = 0x80
HEADER, NETWORK, INDEX, FIELD, SUPPORT, RESIDUAL, RAW, END = 0x81, 0x82, 0x08, 0x83, 0x84, 0x85, 0x86, 0xFF
PRIOR, CONTEXT_NETWORK, STARTING_WEIGHTS = 0x88, 0x89, 0x8A
DTYPES = [("B", 0, 2**8 - 1), ("H", 0, 2**16 - 1), ("h", -(2**15), 2**15 - 1), ("i", -(2**31), 2**31 - 1), ("f", 0, 2**32 - 1)]


class Refused(Exception):
    """The file breaks a rule of the format, or uses what this decoder does not know."""


def require(condition, what):
    if not condition:
        raise Refused(what)


# --- binary32 arithmetic (section 1) ---------------------------------------------------------------------------


def f32(x):
    """x, a binary64 number, rounded to binary32."""
    try:
        return struct.unpack("<f", struct.pack("<f", x))[0]
    except OverflowError:
        return float("inf") if x > 0 else float("-inf")


def bits64(x):
    return struct.unpack("<q", struct.pack("<d", x))[0]


def fma(a, b, c):
    p = a * b
    s = p + c
    if s - s == 0.0:
        t = s - p
        e = (p - (s - t)) + (c - t)
        if e != 0.0 and bits64(s) & 1 == 0:
            away = (e > 0.0) == (s > 0.0)
            s = struct.unpack("<d", struct.pack("<q", bits64(s) + (1 if away else -1)))[0]
    return f32(s)


def mul(a, b):
    return f32(a * b)


def sub(a, b):
    return f32(a - b)


def rne(x):
    return float(round(x))


def clamp(x, lo, hi):
    x = x if x < hi else hi
    return x if x > lo else lo


MANTISSA = [f32(m) for m in (1.0, 1.1892071, 1.4142135, 1.6817929)]

C = {name: f32(value) for name, value in {
    "inv_pi": 0.31830987, "pi": 3.1415927, "pi_low": 8.742278e-8, "log2e": 1.442695,
    "s0": -0.16666657, "s1": 8.333017e-3, "s2": -1.9806615e-4, "s3": 2.6000539e-6,
    "c0": -0.5, "c1": 4.166664e-2, "c2": -1.3888404e-3, "c3": 2.4761886e-5, "c4": -2.60771e-7,
    "e0": 0.6931472, "e1": 0.24022651, "e2": 5.550328e-2, "e3": 9.618004e-3, "e4": 1.3400235e-3, "e5": 1.547628e-4,
}.items()}


def reduced(x):
    x = clamp(x, -65536.0, 65536.0)
    k = rne(mul(x, C["inv_pi"]))
    r = fma(k, -C["pi"], x)
    r = fma(k, C["pi_low"], r)
    return k, r, mul(r, r)


def cos(x):
    k, _, s = reduced(x)
    p = C["c4"]
    for name in ("c3", "c2", "c1", "c0"):
        p = fma(p, s, C[name])
    y = fma(p, s, 1.0)
    return -y if int(k) % 2 else y


def sin(x):
    k, r, s = reduced(x)
    p = fma(C["s3"], s, C["s2"])
    p = fma(p, s, C["s1"])
    p = fma(p, s, C["s0"])
    y = fma(mul(p, s), r, r)
    return -y if int(k) % 2 else y


def exp2(x):
    x = clamp(x, -126.0, 127.0)
    k = rne(x)
    f = sub(x, k)
    p = C["e5"]
    for name in ("e4", "e3", "e2", "e1", "e0"):
        p = fma(p, f, C[name])
    return mul(fma(p, f, 1.0), 2.0 ** int(k))


# --- bytes (sections 2 and 3) ------------------------------------------------------------------------------------


class Bytes:
    """A cursor over bytes."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, n):
        require(self.at + n <= len(self.data), "bytes are missing")
        self.at += n
        return self.data[self.at - n : self.at]

    def rest(self):
        return self.take(len(self.data) - self.at)

    def u8(self):
        return self.take(1)[0]

    def f32s(self, n):
        return list(struct.unpack("<%df" % n, self.take(4 * n)))

    def varint(self):
        n = 0
        for i in range(10):
            b = self.u8()
            n |= (b & 0x7F) << (7 * i)
            if b < 0x80:
                require(n < 2**64, "a number of more than 64 bits")
                return n
        raise Refused("a number of more than ten bytes")

    def zigzag(self):
        n = self.varint()
        return n // 2 if n % 2 == 0 else -(n // 2) - 1


def read_records(data):
    require(data[:8] == MAGIC, "not an inrfit file")
    require(data[8:9] == b"\x01", "another version")
    b = Bytes(data)
    b.take(9)
    while True:
        start = b.at
        kind = b.u8()
        payload = b.take(b.varint())
        body = data[start : b.at]
        require(zlib.crc32(body) == struct.unpack("<I", b.take(4))[0], "a checksum is wrong")
        yield kind, payload
        if kind == END:
            require(b.at == len(data) and not payload, "bytes follow the end")
            return


def read_header(payload):
    b = Bytes(payload)
    shape = [b.varint() for _ in range(3)]
    dtype = b.varint()
    require(dtype < len(DTYPES), "an unknown sample type")
    counts = [b.varint() for _ in range(3)]
    numbers = [b.zigzag() for _ in range(3)]
    b.u8()
    require(not b.rest(), "bytes too many in the header")
    require(all(1 <= c <= n for c, n in zip(counts, shape)), "impossible tiles")
    code, lo, hi = DTYPES[dtype]
    require(all(lo <= n <= hi for n in numbers), "a sample that does not fit its type")
    if code == "f":
        numbers = [struct.unpack("<f", struct.pack("<I", n))[0] for n in numbers]
        require(all(n - n == 0 for n in numbers), "a sample that is not finite")
    lowest, highest, _peak = map(float, numbers)
    require(lowest <= highest, "an empty range")
    return {"shape": shape, "code": code, "counts": counts, "lowest": lowest, "highest": highest}


def read_network(payload):
    b = Bytes(payload)
    model = b.varint()
    require(model <= 5, "an unknown model")
    seed = 0
    if model == 1:
        constants = [f32(float(b.varint())) for _ in range(2)]
    elif model == 2:
        constants = b.f32s(1)
        seed = b.varint()
        require(seed < 2**32, "a seed of more than 32 bits")
    else:
        constants = b.f32s(1 if model == 3 else 2)
    require(all(x > 0 and x - x == 0 for x in constants), "impossible constants")
    units = None if model == 0 else [b.varint(), b.varint()]
    provider = b.varint()
    require(provider <= 2, "an unknown provider of features")
    pattern = None
    if provider > 0:
        numbers = b.take(11) if provider == 2 else b.take(1) + bytes([4, 3, 2, 1, 2, 0, 0, 2, 3, 2])
        axis, max_run, reach, su, sv, distance, fu, fv, wr, wu, wv = numbers
        require(axis < 3 and fu <= 1 and fv <= 1, "no such pattern")
        require(max(max_run, reach, su, sv, distance, wr, wu, wv) <= 63, "a pattern that is too large")
        pattern = {"axis": axis, "max_run": max_run, "reach": reach, "spread": (su, sv), "distance": distance,
                   "fold": (fu, fv), "window": (wr, wu, wv)}
        require(n_features(pattern) <= 4096, "too many features")
    hidden, n_layers, heads = b.varint(), b.varint(), b.varint()
    require(1 <= hidden <= 4096 and 1 <= n_layers <= 64 and 1 <= heads <= 2, "impossible sizes")
    coords = b.varint()
    require(coords <= 2, "unknown coordinates")
    if coords == 0:
        lo, hi = ([x] * 3 for x in b.f32s(2))
    elif coords == 1:
        numbers = [b.varint() for _ in range(3)]
        require(all(n < 2**32 for n in numbers), "a number of more than 32 bits")
        hi = [f32(f32(float(n)) / 64.0) for n in numbers]
        lo = [-x for x in hi]
    else:
        lo, hi = b.f32s(3), b.f32s(3)
    transform = b.varint()
    require(transform <= 2, "an unknown transform")
    if transform == 2:
        exponent = b.zigzag()
        require(-126 <= exponent <= 127, "an impossible unit")
        transform, parameters = 0, [2.0**exponent, f32(f32(float(b.zigzag())) / 256.0), 1.0]
    elif transform == 0:
        exponent = b.zigzag()
        require(-126 <= exponent <= 127, "an impossible unit")
        parameters = [2.0**exponent] + b.f32s(2)
    else:
        parameters = b.f32s(3)
    require(not b.rest(), "bytes too many in the network record")
    c, f = units or [hidden, hidden]
    require(model == 0 or 1 <= c <= 4096, "an impossible input layer")
    require(f < 2**32 and (not pattern or model == 0 or 1 <= f <= 4096), "an impossible input layer")
    layers = network_layers(model, constants, seed, c, f, n_features(pattern) if pattern else 0, hidden, n_layers, heads)
    return {"layers": layers, "lo": lo, "hi": hi, "transform": transform, "parameters": parameters,
            "pattern": pattern}


def network_layers(model, constants, seed, c, f, n_given, hidden, n_layers, heads):
    """Layers in order: what they read, inputs, outputs, form, activation, constants of it (section 4)."""

    def layer(reads, n_in, n_out, activation, own=(), form="real"):
        return {"reads": reads, "n_in": n_in, "n_out": n_out, "form": form, "activation": activation, "own": own}

    first, last = constants[0], constants[-1]
    activation, own, form = {
        0: ("sine", [first], "real"), 1: ("sine", [first], "real"), 2: ("sine", [f32(6.2831855)], "fixed"),
        3: ("sine", [first], "real"), 4: ("complex wavelet", constants, "real sums"), 5: ("wavelet", constants, "real"),
    }[model]
    layers = [layer(["coords"], 3, c * (2 if model in (2, 4) else 1), activation, own, form)]
    if model == 2:
        layers[0]["given"] = frequencies(seed, first, c)
    reads, n_in, m = [0], layers[0]["n_out"], c
    if n_given:
        layers.append(layer(["features"], n_given, f, "rectifier"))
        reads, n_in = [0, 1], n_in + f
    for _ in range(n_layers if model == 3 else n_layers - 1):
        if model <= 1:
            layers.append(layer(reads, n_in, hidden, "sine", [last]))
        elif model == 2:
            layers.append(layer(reads, n_in, hidden, "rectifier"))
        elif model == 3:
            layers.append(layer(["coords"], 3, hidden, "sine", [first]))
            layers.append(layer(reads, n_in, hidden, "product"))
        elif model == 4:
            layers.append(layer(reads, n_in, 2 * hidden, "complex wavelet", constants, m))
        else:
            layers.append(layer(reads, n_in, hidden, "wavelet", constants))
        reads, n_in, m = [len(layers) - 1], layers[-1]["n_out"], hidden
    layers.append(layer(reads, n_in, heads, "linear"))
    return layers


def philox(key, counter):
    k, l = key
    a, b, c, d = counter
    for _ in range(10):
        p, q = 0xD2511F53 * a, 0xCD9E8D57 * c
        a, b, c, d = q >> 32 ^ b ^ k, q % 2**32, p >> 32 ^ d ^ l, p % 2**32
        k, l = (k + 0x9E3779B9) % 2**32, (l + 0xBB67AE85) % 2**32
    return a, b, c, d


def frequencies(seed, scale, n):
    """Rows and biases of the fixed layer."""

    def weight(j):
        s = sum(w % 2**16 + (w >> 16) for w in philox((seed, 0), (j, 0, 0, 0x66726571)))
        return mul(mul(float(s - 262140), f32(1.868812e-5)), scale)

    rows = [[weight(3 * i + k) for k in range(3)] for i in range(n)]
    return rows + rows, [0.0] * n + [0.25] * n


def stored_shapes(layer):
    """(rows, columns) of the matrix and of the biases."""
    n, form = layer["n_out"], layer["form"]
    if form == "fixed":
        return []
    if form == "real":
        return [(n, layer["n_in"]), (n, 1)]
    if form == "real sums":
        return [(n // 2, layer["n_in"]), (n // 2, 1)]
    return [(n // 2, 2 * (layer["n_in"] - form)), (n, 1)]


def real_rows(layer, matrix, biases):
    """Rows and biases of the real matrix that does what a layer's does."""
    n, form, n_in = layer["n_out"], layer["form"], layer["n_in"]
    if form == "real":
        return [matrix[o * n_in : (o + 1) * n_in] for o in range(n)], biases
    n //= 2
    if form == "real sums":
        rows = [matrix[o * n_in : (o + 1) * n_in] for o in range(n)]
        return rows + [[0.0] * n_in] * n, biases + [0.0] * n
    m, r = form, n_in - 2 * form
    upper, lower = [], []
    for o in range(n):
        row = matrix[o * 2 * (m + r) : (o + 1) * 2 * (m + r)]
        a, b, c, d = row[:m], row[m : 2 * m], row[2 * m : 2 * m + r], row[2 * m + r :]
        upper.append(a + [-x for x in b] + c)
        lower.append(b + a + d)
    return upper + lower, biases


def read_body(b):
    packing = b.u8()
    require(packing in (0, 2), "a packing that this decoder does not know")
    return packing, Bytes(b.rest())


def nearest(quotient):
    """The nearest whole number that 32 bits hold."""
    return max(-2**31, min(2**31 - 1, round(quotient) if abs(quotient) < 2.0**40 else int(math.copysign(2**40, quotient))))


def read_field(b, network, start):
    packing, b = read_body(b)
    threshold = float("-inf") if packing == 2 else b.f32s(1)[0]
    require(threshold == threshold, "a threshold that is not a number")
    coding = 1 if packing == 2 else b.u8()
    require(coding <= 1, "an unknown coding of weights")
    shapes = [s for layer in network["layers"] for s in stored_shapes(layer)]
    if coding == 0:
        tensors = [b.f32s(rows * cols) for rows, cols in shapes]
        require(not b.rest(), "weights of another network")
    else:
        if packing == 2:
            steps = [mul(MANTISSA[n % 4], 2.0 ** (n // 4 - 40)) for n in b.take(len(shapes))]
        else:
            steps = b.f32s(len(shapes))
        require(all(s > 0 and s - s == 0 for s in steps), "a step that is not positive")
        stream = RangeDecoder(b.rest())
        tensors, at = [], 0
        for (rows, cols), step in zip(shapes, steps):
            integers = decode_matrix(stream, rows, cols)
            if start is not None:
                began = [nearest(f32(w / step)) for w in start[at:at + rows * cols]]
                integers = [(i + s + 2**31) % 2**32 - 2**31 for i, s in zip(integers, began)]
            at += rows * cols
            tensors.append([mul(f32(float(i)), step) for i in integers])
        require(start is None or at == len(start), "a prior of another network")
        require(not stream.overrun(), "the weights' stream ends early")
    tensors = iter(tensors)
    return threshold, [layer["given"] if layer["form"] == "fixed" else real_rows(layer, next(tensors), next(tensors))
                       for layer in network["layers"]]


# --- evaluation (sections 4 and 5) -----------------------------------------------------------------------------


def axis(lo, hi, n):
    width = sub(hi, lo)
    return [fma(f32(f32(float(i)) / f32(float(max(n - 1, 1)))), width, lo) for i in range(n)]


def heads_at(network, weights, coords, given):
    done = []
    for layer, (rows, biases) in zip(network["layers"], weights):
        blocks = {"coords": coords, "features": given}
        x = [v for reads in layer["reads"] for v in (done[reads] if isinstance(reads, int) else blocks[reads])]
        sums = []
        for row, a in zip(rows, biases):
            for w, v in zip(row, x):
                a = fma(w, v, a)
            sums.append(a)
        activation, own = layer["activation"], layer["own"]
        if activation == "sine":
            sums = [sin(mul(own[0], a)) for a in sums]
        elif activation == "rectifier":
            sums = [a if a > 0 else 0.0 for a in sums]
        elif activation == "product":
            sums = [mul(a, g) for a, g in zip(sums, done[-1])]
        elif activation == "wavelet":
            omega, scale = own
            sums = [mul(sin(mul(omega, a)), exp2(mul(mul(x, x), -C["log2e"]))) for a in sums for x in [mul(scale, a)]]
        elif activation == "complex wavelet":
            omega, scale = own
            n = len(sums) // 2
            real, imaginary = [], []
            for x, y in zip(sums[:n], sums[n:]):
                t = fma(omega, y, mul(mul(scale, scale), fma(y, y, mul(x, x))))
                e = exp2(mul(t, -C["log2e"]))
                real.append(mul(e, cos(mul(omega, x))))
                imaginary.append(mul(e, sin(mul(omega, x))))
            sums = real + imaginary
        done.append(sums)
    return done[-1]


def sample(header, network, threshold, heads):
    """The sample of a voxel; `threshold` is None where the voxel is known to be occupied."""
    if threshold is not None and not heads[0] > threshold:
        return 0.0
    t = heads[-1]
    if network["transform"] == 0:
        unit, center, scale = network["parameters"]
        y = fma(t, scale, center)
        m = y if y > sub(0.0, y) else sub(0.0, y)
        v = mul(sub(exp2(m), 1.0), unit)
        if 0.0 > y:
            v = sub(0.0, v)
    else:
        offset, scale, cut = network["parameters"]
        v = f32(exp2(mul(mul(t, scale), C["log2e"])) + offset)
        if not v >= cut and threshold is not None:
            return 0.0
        v = float(int(v)) if v >= cut else header["lowest"]
    return held(header, v)


def held(header, v):
    """The sample of an occupied voxel of value v."""
    lowest, highest = header["lowest"], header["highest"]
    v = clamp(v, lowest, highest)
    integer = header["code"] != "f"
    w = rne(v) if integer else v
    if w == 0:
        e = 1.0 if integer else 2.0**-126
        w = e if v >= 0 and highest >= e else -e if lowest <= -e else e
    return w


def read_residual(header, b):
    """Coding, bins and stream."""
    coding, rule = b.u8(), b.u8()
    require(coding <= 2 and rule <= 2, "an unknown coding or rule of values")
    if rule == 0:
        parameter = b.varint()
        require(parameter < 2**32, "a bound of more than 32 bits")
    else:
        parameter = struct.unpack("<d" if rule == 1 else "<Q", b.take(8))[0]
        require(parameter - parameter == 0 and parameter > 0, "a width that is not positive")
        require(rule == 1 or parameter >= 2**32, "a ratio below 1")
    try:
        bins = Bins(rule, parameter, header["code"] != "f", header["lowest"], header["highest"])
    except Impossible:
        raise Refused("a rule that does not go with the samples") from None
    return coding, bins, b.rest()


def evaluate(header, network, layers, shape):
    """The samples of a tile with a support, a field, or both, C order."""
    walk = occupied = None
    if SUPPORT in layers:
        decoded = decode_support(shape, layers[SUPPORT].rest())
        require(decoded is not None, "a support that breaks a rule")
        walk, occupied = decoded
    said = None
    if FIELD in layers:
        said = list(evaluate_field(header, network, layers[FIELD], shape, occupied))
    elif RESIDUAL not in layers:
        said = [held(header, header["lowest"]) if o else 0.0 for o in occupied]
    if RESIDUAL not in layers:
        return said
    coding, bins, stream = read_residual(header, layers[RESIDUAL])
    field = said and [bins.position(v) if o else 0 for v, o in zip(said, occupied)]
    values = decode_values(coding, stream, walk, occupied, bins, field, header["prior"])
    require(values is not None, "values that are longer or shorter than their stream")
    return values


def evaluate_field(header, network, b, shape, occupied):
    """The samples that a field gives, C order; `occupied` where the tile has a support."""
    require(network is not None, "a field before its network")
    pattern = network["pattern"]
    require(pattern is None or occupied is not None, "features of a support that is not there")
    threshold, tensors = read_field(b, network, header["start"])
    axes = [axis(network["lo"][a], network["hi"][a], shape[a]) for a in range(3)]
    for n in range(shape[0] * shape[1] * shape[2]):
        voxel = [n // shape[2] // shape[1], n // shape[2] % shape[1], n % shape[2]]
        if occupied is not None and not occupied[n]:
            yield 0.0
            continue
        given = []
        if pattern:
            counts, (part, whole) = features(pattern, shape, occupied, voxel)
            given = [f32(float(x)) for x in counts] + [f32(f32(float(part)) / f32(float(whole)))]
        coords = [axes[a][i] for a, i in enumerate(voxel)]
        heads = heads_at(network, tensors, coords, given)
        yield sample(header, network, None if occupied is not None else threshold, heads)


def read_prior(payload, files):
    """The prior that a PRIOR record names, among the contents of `files`: of contexts, or (network, weights)."""
    require(payload[:1] in (b"\0", b"\1") and len(payload) == 9, "an unknown kind of prior")
    for data in files:
        if hashlib.sha256(data).digest()[:8] == payload[1:]:
            records = list(read_records(data))
            kind, first = records[0]
            if payload[0] == 0:
                require(kind == CONTEXT_NETWORK, "no prior of contexts")
                return Prior(first)
            require(kind == NETWORK and records[1][0] == STARTING_WEIGHTS, "no prior for fitting")
            b = Bytes(records[1][1])
            require(b.u8() == 0, "an unknown way to write starting weights")
            return read_network(first), b.f32s((len(records[1][1]) - 1) // 4)
    raise Refused("a prior that is not here")


def decode(data, priors=()):
    """(shape, struct code of a sample, samples in C order); `priors` are the contents of priors' files."""
    header = network = None
    tiles = {}
    for kind, payload in read_records(data):
        require((kind == HEADER) == (header is None), "the header is not the first record")
        if kind == HEADER:
            header = {**read_header(payload), "prior": None, "start": None}
            shape, counts = header["shape"], header["counts"]
            cuts = [[i * n // c for i in range(c + 1)] for n, c in zip(shape, counts)]
        elif kind == NETWORK:
            require(network is None, "a second network")
            network = read_network(payload)
        elif kind == PRIOR:
            name = "start" if payload[:1] == b"\1" else "prior"
            require(header[name] is None, "a second prior of one kind")
            header[name] = read_prior(payload, priors)
            if name == "start":
                require(network is not None and not tiles, "a prior for fitting before its network, or after a tile")
                began, header[name] = header[name]
                require(began["layers"] == network["layers"], "a prior of another network")
        elif kind in (SUPPORT, FIELD, RESIDUAL, RAW):
            b = Bytes(payload)
            tile = b.varint()
            if kind == RESIDUAL and header["prior"] is None:
                require(payload[b.at : b.at + 1] != b"\2", "values before the prior they need")
            before = list(tiles[tile]) if tile == len(tiles) - 1 else []
            if SUPPORT in before and RESIDUAL not in before and kind in (FIELD, RESIDUAL) and kind not in before:
                tiles[tile][kind] = b
            else:
                require(kind != RESIDUAL, "values without their support")
                require(tile < counts[0] * counts[1] * counts[2] and tile == len(tiles), "no such tile, or out of order")
                tiles[tile] = {kind: b}
        elif kind not in (INDEX, END):
            require(not kind & CRITICAL, "an unknown critical record")
    require(len(tiles) == counts[0] * counts[1] * counts[2], "a tile is missing")
    samples = [0] * (shape[0] * shape[1] * shape[2])
    for tile, layers in tiles.items():
        index = [tile // (counts[1] * counts[2]), tile // counts[2] % counts[1], tile % counts[2]]
        ranges = [range(cuts[a][i], cuts[a][i + 1]) for a, i in enumerate(index)]
        n = len(ranges[0]) * len(ranges[1]) * len(ranges[2])
        if RAW in layers:
            packing, body = read_body(layers[RAW])
            body = body.rest()
            body = body * n if packing == 2 else body
            require(len(body) == n * struct.calcsize("<" + header["code"]), "samples do not fill their tile")
            values = iter(struct.unpack("<%d%s" % (n, header["code"]), body))
        else:
            values = iter(evaluate(header, network, layers, [len(r) for r in ranges]))
        for i in ranges[0]:
            for j in ranges[1]:
                for k in ranges[2]:
                    v = next(values)
                    samples[(i * shape[1] + j) * shape[2] + k] = v if header["code"] == "f" else int(v)
    return shape, header["code"], samples


if __name__ == "__main__":
    contents = []
    for name in sys.argv[1:]:
        with open(name, "rb") as file:
            contents.append(file.read())
    _, code, decoded = decode(contents[0], contents[1:])
    sys.stdout.buffer.write(struct.pack("<%d%s" % (len(decoded), code), *decoded))
