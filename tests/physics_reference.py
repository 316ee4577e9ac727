"""Clusters of two .npy files (uint16, C order) and what became of them, by the definition in docs/metrics.md.

Written from the document, with the standard library alone: passes are collected first and taken in sorted order.
usage: physics_reference.py ORIGINAL DECODED PEDESTAL PROMINENCE; prints JSON.
"""

import array
import ast
import json
import math
import sys


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:6] == b"\x93NUMPY" and data[6] == 1
    length = int.from_bytes(data[8:10], "little")
    header = ast.literal_eval(data[10 : 10 + length].decode("ascii"))
    assert header["descr"] == "<u2" and not header["fortran_order"]
    samples = array.array("H")
    samples.frombytes(data[10 + length :])
    if sys.byteorder == "big":
        samples.byteswap()
    return header["shape"], samples


def clusters(signal):
    """Clusters of one plane: {(row, column): signal} -> {summit: [voxels]}, and each voxel's summit."""
    rank = {place: n for n, place in enumerate(sorted(signal, key=lambda p: (-signal[p], p)))}

    def beside(place):
        around = [(place[0] + i, place[1] + j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
        return [p for p in around if p in rank and p != place]

    uphill = {p: min([p] + beside(p), key=rank.get) for p in rank}

    def climb(place):
        while uphill[place] != place:
            place = uphill[place]
        return place

    basin = {p: climb(p) for p in rank}
    passes = []
    for p in rank:
        for q in beside(p):
            if rank[q] < rank[p] and basin[q] != basin[p]:
                passes.append((rank[p], rank[q], p, q))
    head = {p: p for p in basin.values()}

    def top(place):
        while head[place] != place:
            place = head[place]
        return place

    for _, _, low, high in sorted(passes):
        kept, joined = sorted((top(basin[low]), top(basin[high])), key=rank.get)
        if kept != joined and signal[joined] - signal[low] < PROMINENCE:
            head[joined] = kept
    members = {}
    for p in sorted(signal):
        summit = top(basin[p])
        if signal[summit] >= PROMINENCE:
            members.setdefault(summit, []).append(p)
    return members, {p: s for s, places in members.items() for p in places}


def moments(signal, places):
    charge = sum(signal[p] for p in places)
    return charge, [sum(signal[p] * p[axis] for p in places) / charge for axis in (0, 1)]


def spread(values):
    if not values:
        return None
    n = len(values)
    mean = math.fsum(values) / n
    values = sorted(values)

    def quantile(share):
        at = share * (n - 1)
        low = int(at)
        high = min(low + 1, n - 1)
        return values[low] * (low + 1 - at) + values[high] * (at - low)

    return {
        "n": n,
        "mean": mean,
        "deviation": math.sqrt(math.fsum((v - mean) ** 2 for v in values) / n),
        "median": quantile(0.5),
        "half_width": (quantile(0.84135) - quantile(0.15865)) / 2,
    }


def blank():
    counts = ("n_clusters", "n_lost", "n_fake", "n_pairs", "n_pairs_lost", "n_saturated", "n_saturated_kept")
    lists = ("charge", "residual_axis0", "residual_axis1", "pad_ratio")
    return {**{name: 0 for name in counts}, **{name: [] for name in lists}}


def compare(shape, ours, theirs):
    rows, columns, layers = shape
    amplitudes = [1023 / 16, 1023 / 8, 1023 / 4, 1023 / 2, 1023]
    crowds = [0.05, 0.1, 0.2, 0.4]
    result = {"all": blank(), "by_amplitude": [blank() for _ in range(6)], "by_occupancy": [blank() for _ in range(5)]}
    for layer in range(layers):
        a, b = (
            {(i, j): v[(i * columns + j) * layers + layer] for i in range(rows) for j in range(columns)}
            for v in (ours, theirs)
        )

        def crowd(place):
            box = [
                (i, j)
                for i in range(place[0] - 8, place[0] + 9)
                for j in range(place[1] - 8, place[1] + 9)
                if 0 <= i < rows and 0 <= j < columns
            ]
            return sum(a[p] != 0 for p in box) / len(box)

        cache = {}

        def bins(amplitude, place):
            if place not in cache:
                cache[place] = crowd(place)
            return (
                result["all"],
                result["by_amplitude"][sum(amplitude >= e for e in amplitudes)],
                result["by_occupancy"][sum(cache[place] >= e for e in crowds)],
            )

        signals = [{p: v - PEDESTAL for p, v in x.items() if v > PEDESTAL} for x in (a, b)]
        (mine, my_of), (other, other_of) = (clusters(s) for s in signals)
        shared = {}
        for p in my_of.keys() & other_of.keys():
            pair = my_of[p], other_of[p]
            shared[pair] = shared.get(pair, 0) + min(signals[0][p], signals[1][p])

        by_mine, by_other = {}, {}
        for pair in shared:
            by_mine.setdefault(pair[0], []).append(pair)
            by_other.setdefault(pair[1], []).append(pair)
        key_mine = lambda pair: (-shared[pair], -signals[1][pair[1]], pair[1])
        key_other = lambda pair: (-shared[pair], -signals[0][pair[0]], pair[0])
        mutual = {min(pairs, key=key_mine) for pairs in by_mine.values()}
        mutual &= {min(pairs, key=key_other) for pairs in by_other.values()}
        partner = dict(mutual)
        for summit, places in mine.items():
            for figures in bins(a[summit], summit):
                figures["n_clusters"] += 1
                if summit not in partner:
                    figures["n_lost"] += 1
                    continue
                charge, center = moments(signals[0], places)
                other_charge, other_center = moments(signals[1], other[partner[summit]])
                figures["charge"].append(other_charge / charge - 1)
                figures["residual_axis0"].append(other_center[0] - center[0])
                figures["residual_axis1"].append(other_center[1] - center[1])
        for summit in other.keys() - set(partner.values()):
            for figures in bins(b[summit], summit):
                figures["n_fake"] += 1
        for (i, j), v in a.items():
            if v >= 1023:
                for figures in bins(v, (i, j)):
                    figures["n_saturated"] += 1
                    figures["n_saturated_kept"] += b[i, j] >= 1023
            if i + 1 < rows and v and a[i + 1, j]:
                for figures in bins(max(v, a[i + 1, j]), (i, j)):
                    figures["n_pairs"] += 1
                    if b[i, j] and b[i + 1, j]:
                        change = math.log2(b[i, j] / b[i + 1, j]) - math.log2(v / a[i + 1, j])
                        figures["pad_ratio"].append(change)
                    else:
                        figures["n_pairs_lost"] += 1
    for figures in [result["all"], *result["by_amplitude"], *result["by_occupancy"]]:
        for name, value in figures.items():
            figures[name] = spread(value) if isinstance(value, list) else value
    return result


if __name__ == "__main__":
    PEDESTAL, PROMINENCE = float(sys.argv[3]), float(sys.argv[4])
    shape, ours = read(sys.argv[1])
    other_shape, theirs = read(sys.argv[2])
    assert shape == other_shape
    print(json.dumps(compare(shape, ours, theirs)))
