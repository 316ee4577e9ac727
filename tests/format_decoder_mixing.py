"""Counters and logistic mixing, after section 7 of the format document. Standard library only."""
from bisect import bisect_left
from math import exp, floor

from format_decoder_entropy import clamp

WORD = 2**64


def cdf(x):
    return CDF[clamp(x, -4095, 4095) + 4095]


CDF = [floor(2**30 / (1 + exp(-y / 256))) for y in range(-4095, 4096)]


def squash(x):
    return clamp((cdf(x) + 2**13) >> 14, 1, 65535)


# The smallest x with cdf(x) >= (2 i + 1) * 2^17, held between -2047 and 2047.
STRETCH = [clamp(bisect_left(CDF, (2 * i + 1) << 17) - 4095, -2047, 2047) for i in range(4096)]


def stretch(p):
    return STRETCH[p >> 4]


def mix_hash(a, b):
    x = (a * 0x9E3779B97F4A7C15 % WORD) ^ ((b + 0x7F4A7C15) % WORD)
    x = x * 0xD6E8FEB86659FD93 % WORD
    return (x << 29 | x >> 35) % WORD


class Counter:
    def __init__(self):
        self.p, self.n = 2**21, 0

    def input(self):
        return stretch(self.p >> 6)

    def update(self, bit):
        rate = 655360 // (10 * self.n + 16)
        if bit:
            self.p += (2**22 - 1 - self.p) * rate >> 16
        else:
            self.p -= self.p * rate >> 16
        self.n = min(self.n + 1, 1023)

    def decode(self, decoder):
        bit = decoder.bit(clamp(self.p >> 6, 1, 65535))
        self.update(bit)
        return bit


class Counters(dict):
    """Counters that come into being when they are first asked for."""

    def __missing__(self, key):
        self[key] = Counter()
        return self[key]


def dot(x, w):
    return clamp(sum(a * b >> 8 for a, b in zip(x, w)) >> 8, -4095, 4095)


def learn(w, x, bit, p, rate):
    error = (bit * 65536 - p) * rate >> 4
    for i, value in enumerate(x):
        w[i] = clamp(w[i] + ((value * error + 2**13) >> 14), -524287, 524287)


class Mixer:
    def __init__(self, weights):
        self.weights = weights
        self.sets, self.last, self.maps = ({}, {}, {}), {}, {}

    def decode(self, decoder, inputs, sets, last, map_gate):
        """One decision; the gates are numbers."""
        chosen = [table.setdefault(gate, list(self.weights)) for table, gate in zip(self.sets, sets)]
        last = self.last.setdefault(last, [21845] * 3)
        entries = self.maps.setdefault(map_gate, [squash(128 * (i - 16)) for i in range(33)])
        s = [dot(inputs, w) for w in chosen]
        t = dot(s, last)
        p = squash(t)
        x = clamp(t, -2047, 2047) + 2048
        i, f = x >> 7, x % 128
        r = entries[i] * (128 - f) + entries[i + 1] * f >> 7
        bit = decoder.bit(clamp(3 * p + r >> 2, 1, 65535))
        i += f >= 64
        entries[i] += (bit * 65535 - entries[i]) * 5 >> 8
        learn(last, s, bit, p, 2)
        for w, total in zip(chosen, s):
            learn(w, inputs, bit, squash(total), 6)
        return bit
