"""Priors of contexts, after section 10 of the format document. Standard library only."""
from format_decoder_entropy import RangeDecoder, clamp, decode_matrix
from format_decoder_mixing import cdf
from format_decoder_residual import logarithm

A = ([(-2, dj, -1, 1) for dj in (-1, 0, 1)] + [(-1, dj, -3, 3) for dj in (-2, -1, 0, 1, 2)]
     + [(0, -3, -2, 2), (0, -2, -4, 4), (0, -1, -4, 5), (0, 0, -5, -1)])
B = ([(0, 0, 1, 6), (0, 1, -5, 5), (0, 2, -4, 4)] + [(1, dj, -3, 3) for dj in (-2, -1, 0, 1, 2)]
     + [(2, dj, -1, 1) for dj in (-1, 0, 1)])
T = [16384, 17109, 17867, 18658, 19484, 20347, 21247, 22188, 23170, 24196, 25268, 26386, 27554, 28774, 30048, 31379]


def voxels(windows, i, j, k):
    return [(i + di, j + dj, k + dk) for di, dj, first, last in windows for dk in range(first, last + 1)]


class Mixture:
    def __init__(self, outputs):
        self.centres = [o >> 4 for o in outputs[:3]]
        fine = [clamp(o >> 12, -48, 144) for o in outputs[3:6]]
        self.finenesses = [T[f % 16] * 2 ** (5 + f // 16) >> 3 for f in fine]
        logits = [o >> 12 for o in outputs[6:]]
        below = [max(g, max(logits) - 192) - max(logits) for g in logits]
        weights = [T[d % 16] >> -(d // 16) for d in below]
        self.shares = [32768 * t // sum(weights) for t in weights]
        self.mean = sum(c * s for c, s in zip(self.centres, self.shares)) >> 15

    def below(self, x):
        parts = zip(self.centres, self.finenesses, self.shares)
        return sum(s * cdf((x - c) * f >> 20) for c, f, s in parts) >> 15


class Prior:
    """The network of a CONTEXT NETWORK record."""

    def __init__(self, payload):
        if payload[0] != 0:
            raise ValueError("other surroundings")
        sizes = [219, 16 * payload[1], 16 * payload[2], 9]
        decoder = RangeDecoder(payload[3:])
        self.layers = []
        for n_in, n_out in zip(sizes, sizes[1:]):
            weights = decode_matrix(decoder, n_out, n_in)
            self.layers.append(([weights[o * n_in : (o + 1) * n_in] for o in range(n_out)],
                                decode_matrix(decoder, 1, n_out)))

    def mixture(self, x, bins, i, j, k):
        known, ahead = voxels(A, i, j, k), voxels(B, i, j, k)
        height = lambda v: clamp((x.heights[v] + 409) >> 4, 0, 4095) if v in x.heights else 0
        values = [height(v) for v in known] + [256 * x.occ(*v) for v in known + ahead]
        for h in (2048, 6144, 10240):
            b = sum(e < bins.edges[0] + h for e in bins.edges[1 : bins.n])
            values.append((logarithm(max(bins.edges[b + 1] - bins.edges[b], 1)) - 49152) >> 6)
        for layer, (matrix, biases) in enumerate(self.layers):
            inputs = [(n, v) for n, v in enumerate(values) if v]
            values = [256 * bias + sum(row[n] * v for n, v in inputs) for row, bias in zip(matrix, biases)]
            if layer < 2:
                values = [clamp(v >> 8, 0, 32767) for v in values]
        return Mixture(values)
