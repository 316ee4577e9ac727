"""The occupancy of a tile, after section 8 of the format document. Standard library only."""
from format_decoder_entropy import AdaptiveBit, RangeDecoder
from format_decoder_mixing import Counters, Mixer, mix_hash

ORDERS = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]
NOTHING = {"phase": 0, "pattern": 0, "count": 0, "next": 9, "near": 13, "left": 0, "right": 0}


class Walk:
    """How the exact layers of a tile take its voxels."""

    def __init__(self, shape, order, window):
        axes = ORDERS[order]
        strides = [shape[1] * shape[2], shape[2], 1]
        self.n = [shape[a] for a in axes]
        self.stride = [strides[a] for a in axes]
        self.window = window

    def index(self, i, j, k):
        """Place of a voxel in C order."""
        return i * self.stride[0] + j * self.stride[1] + k * self.stride[2]

    def phase(self, r):
        """Of the r-th voxel of a run, from 1."""
        return min((r - 1) % self.window + 1 if self.window else r, 15)

    def phases(self, line):
        out, run = [], 0
        for voxel in line:
            run = run + 1 if voxel else 0
            out.append(self.phase(run) if voxel else 0)
        return out

    def place(self, run):
        if run < 16:
            return run
        q = run % self.window if self.window else 0
        return min(q, 14) if q else 15


class Stretches:
    def __init__(self):
        self.whole = [[AdaptiveBit() for _ in range(4)] for _ in range(17)]
        self.half = [AdaptiveBit() for _ in range(16)]

    def decode(self, decoder, length, edge):
        """Empty voxels before the first occupied one of a stretch, or `length`."""
        a = 0
        while a < length:
            log = min((length - a).bit_length() - 1, 16)
            if self.whole[log][edge].decode(decoder):
                a += 1 << log
                continue
            for smaller in reversed(range(log)):
                if self.half[smaller].decode(decoder):
                    a += 1 << smaller
            return a
        return a


def decode_line(decoder, stretches, edge, n, quiet, voxel, first_gap, needed_gap):
    """A line of n voxels; `quiet(k)`, and `voxel(k, run, gap)` reads one."""
    line, run, gap, k = [0] * n, 0, first_gap, 0
    while k < n:
        if run == 0 and gap >= needed_gap and quiet(k):
            end = k + 1
            while end < n and quiet(end):
                end += 1
            empty = stretches.decode(decoder, end - k, edge)
            k += empty
            gap += empty
            occupied = k < end
            if not occupied:
                continue
        else:
            occupied = voxel(k, run, gap)
        line[k] = int(occupied)
        run, gap = (run + 1, 0) if occupied else (0, gap + 1)
        k += 1
    return line


def decode_quick(decoder, walk, occupied):
    n0, n1, n2 = walk.n
    stretches, counters = Stretches(), Counters()
    nothing = [13] * n2
    before = {}
    for i in range(n0):
        slice_ = {}
        for j in range(n1):
            c = slice_.get(j - 1, nothing)
            u, um, up = (before.get(j + d, nothing) for d in (0, -1, 1))

            def voxel(k, run, _gap):
                context = walk.place(run) * 4096 + c[k] * 128 + u[k] * 4 + 2 * (um[k] >= 14) + (up[k] >= 14)
                return counters[context].decode(decoder)

            def quiet(k):
                return c[k] == u[k] == um[k] == up[k] == 13

            line = decode_line(decoder, stretches, 2 * (i > 0) + (j > 0), n2, quiet, voxel, 0, 0)
            phases = walk.phases(line)
            slice_[j] = [14 + min(phases[k], 5) - 1 if line[k] else
                         next((d for d in range(1, 7) if k + d < n2 and line[k + d]), 13) for k in range(n2)]
            for k, value in enumerate(line):
                occupied[walk.index(i, j, k)] = value
        before = slice_


class Slices:
    """What is known of the voxels of finished lines."""

    def __init__(self):
        self.lines = {}

    def at(self, i, j, k):
        line = self.lines.get((i, j))
        return line[k] if line else NOTHING

    def finish_line(self, walk, i, j, line):
        n, phases = len(line), walk.phases(line)
        at = lambda values, k: values[k] if 0 <= k < n else 0
        cells = []
        for k in range(n):
            cell = {"phase": phases[k], "right": 0}
            cell["pattern"] = sum(at(line, k - 2 + d) << (7 - d) for d in range(8))
            cell["count"] = sum(at(line, k + d) for d in range(5))
            cell["next"] = next((d for d in range(8) if at(phases, k + d) == 1), 9)
            cell["near"] = 14 + min(phases[k] - 1, 4) if line[k] else cell["next"] if cell["next"] < 9 else 13
            cell["left"] = min(self.at(i, j - 1, k)["left"] + 1, 7) if cell["count"] else 0
            cells.append(cell)
        self.lines[i, j] = cells

    def finish_slice(self, walk, i):
        for j in reversed(range(walk.n[1])):
            for k, cell in enumerate(self.lines[i, j]):
                if cell["count"]:
                    cell["right"] = min(self.at(i, j + 1, k)["right"] + 1, 7)


def contexts(i, k, gap, c1, c2, c3, u, um, up, v):
    lefts = (4 * min(c1["left"], 3) + min(u["left"], 3)) * 4 + min(u["right"], 3)
    return [
        c1["pattern"],
        mix_hash(16 * c1["phase"] + c2["phase"], 16 * u["phase"] + c3["phase"]),
        u["pattern"],
        mix_hash(c1["pattern"], c2["pattern"]),
        mix_hash(i, k // 4),
        mix_hash(min(gap, 15), 10 * c1["pattern"] + c2["next"]),
        (10 * c1["next"] + c2["next"]) * 16 + u["next"],
        ((16 * um["phase"] + u["phase"]) * 16 + up["phase"]) * 16 + v["phase"],
        mix_hash(16 * c1["phase"] + c2["phase"], (10 * c1["next"] + c2["next"]) * 256 + 10 * u["next"]),
        mix_hash(um["pattern"], up["pattern"]),
        mix_hash(c1["pattern"], u["pattern"]),
        (32 * c1["near"] + up["near"]) * 32 + u["near"],
        (32 * c1["near"] + c2["near"]) * 32 + c3["near"],
        ((8 * c1["near"] + c1["left"]) * 8 + u["left"]) * 8 + u["right"],
        mix_hash(32 * c1["near"] + u["near"], lefts),
    ]


def decode_mixed(decoder, walk, occupied):
    n0, n1, n2 = walk.n
    stretches, counters, mixer, slices = Stretches(), Counters(), Mixer([7000] * 16), Slices()
    for i in range(n0):
        for j in range(n1):

            def quiet(k):
                around = [(i, j - 3), (i, j - 2), (i, j - 1)] + [(i - 1, j + d) for d in range(-3, 4)]
                return not any(slices.at(a, b, k)["pattern"] for a, b in around)

            def voxel(k, run, gap):
                c1, c2, c3 = (slices.at(i, j - d, k) for d in (1, 2, 3))
                u, um, up = (slices.at(i - 1, j + d, k) for d in (0, -1, 1))
                place = walk.place(run)
                hashes = contexts(i, k, gap, c1, c2, c3, u, um, up, slices.at(i - 2, j, k))
                used = [counters[q, mix_hash(h, 0) >> 54, place] for q, h in enumerate(hashes)]
                a, b = min(c1["phase"], 7), min(u["phase"], 7)
                cn = c1["count"] + c2["count"] + c3["count"]
                cp = sum(slices.at(i - 1, j + d, k)["count"] for d in range(-3, 4))
                sets = [64 * place + 8 * a + b, 32 * min(cn, 15) + min(cp, 31), 16 * (32 * k // n2) + place]
                last = 16 * place + 4 * min(c1["phase"], 3) + min(u["phase"], 3)
                bit = mixer.decode(decoder, [x.input() for x in used] + [102], sets, last, sets[0])
                for counter in used:
                    counter.update(bit)
                return bit

            line = decode_line(decoder, stretches, 2 * (i > 0) + (j > 0), n2, quiet, voxel, 31, 8)
            slices.finish_line(walk, i, j, line)
            for k, value in enumerate(line):
                occupied[walk.index(i, j, k)] = value
        slices.finish_slice(walk, i)


def decode_support(shape, payload):
    """Walk and occupancy (C order) of a tile, from the payload of its SUPPORT after the tile's number; None for
    bytes that break a rule."""
    occupied = [0] * (shape[0] * shape[1] * shape[2])
    if len(payload) == 1 and payload[0] <= 1:
        return Walk(shape, 0, 0), occupied
    if len(payload) < 3 or payload[0] > 1 or payload[1] > 5 or payload[2] > 250:
        return None
    walk = Walk(shape, payload[1], payload[2])
    decoder = RangeDecoder(payload[3:])
    (decode_quick if payload[0] else decode_mixed)(decoder, walk, occupied)
    return None if decoder.overrun() or decoder.n_left() else (walk, occupied)
