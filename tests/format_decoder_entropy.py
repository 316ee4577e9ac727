"""Range decoder and weight-tensor models, after the text of the format document. Standard library only.

Written for clarity, not for speed: about 200,000 decisions a second.
"""

DOWN = (65536, 55109, 46341, 38968)
UP = (65536, 77936, 92682, 110218)
TAIL = (
    536870912, 432150208, 333699195, 246677771, 174347448, 117797562, 76188553, 47349058, 28488773, 16816070,
    9941321, 6048913, 3891555, 2685959, 1979024, 1527712, 1210132, 968283, 775173, 617754, 488857, 383716, 298594,
    230303, 176042, 133352, 100098, 74453, 54871, 40068, 28989, 20779, 14756,
)  # fmt: skip


def clamp(x, low, high):
    return max(low, min(x, high))


class RangeDecoder:
    """Reads decisions from bytes, which count as followed by zeros without end."""

    def __init__(self, data):
        self.data = data
        self.position = 0
        self.range = 1 << 32
        self.offset = 0
        for _ in range(4):
            self.offset = self.offset * 256 + self.next_byte()

    def next_byte(self):
        position = self.position
        self.position += 1
        return self.data[position] if position < len(self.data) else 0

    def bit(self, p1):
        bound = self.range * p1 >> 16
        if self.offset < bound:
            decision, self.range = 1, bound
        else:
            decision = 0
            self.offset -= bound
            self.range -= bound
        while self.range < 1 << 24:
            self.range *= 256
            self.offset = self.offset * 256 + self.next_byte()
        return decision

    def uniform(self, n_bits):
        value = 0
        for _ in range(n_bits):
            value = value * 2 + self.bit(32768)
        return value

    def overrun(self):
        """Whether more zeros were read past the end than a complete stream needs."""
        return self.position > len(self.data) + 8

    def n_left(self):
        """Bytes not yet read."""
        return max(len(self.data) - self.position, 0)


class AdaptiveBit:
    def __init__(self, p1=32768, n=0):
        self.p = p1 << 16
        self.n = n

    def p1(self):
        return max(self.p >> 16, 1)

    def update(self, decision):
        rate = 131072 // (2 * self.n + 3)
        if decision:
            self.p += (2**32 - 1 - self.p) * rate >> 16
        else:
            self.p -= self.p * rate >> 16
        self.n = min(self.n + 1, 511)

    def decode(self, decoder):
        decision = decoder.bit(self.p1())
        self.update(decision)
        return decision


class Average:
    """Two adaptive bits, weighted by how well their models have done."""

    def __init__(self):
        self.weight = 32768

    def decode(self, decoder, a, b):
        pa, pb, w = a.p1(), b.p1(), self.weight
        decision = decoder.bit((w * pa + (65536 - w) * pb) >> 16)
        la, lb = (pa, pb) if decision else (65536 - pa, 65536 - pb)
        self.weight = clamp(((w * la) << 16) // (w * la + (65536 - w) * lb), 128, 65408)
        a.update(decision)
        b.update(decision)
        return decision


def first_node(octave):
    return {1: 33, 2: 34}.get(octave, 37 + 7 * (octave - 3))


def nodes_with_prior(index, n):
    """The 100 nodes of one context, for the deviation 2^((index - 8) / 4)."""
    octaves, quarters = index // 4, index % 4

    def tail(k):
        x = (2 * k - 1) * DOWN[quarters] * 8 >> octaves
        i = x >> 16
        return TAIL[i] - ((TAIL[i] - TAIL[i + 1]) * (x % 65536) >> 16) if i < 32 else 0

    def node(ones, zeros):
        return AdaptiveBit(clamp(((ones + 1) << 16) // (ones + zeros + 2), 32, 65504), n)

    nodes = [node(2 * tail(1), 2**30 - 2 * tail(1)), AdaptiveBit(32768, n)]
    for k in range(31):
        nodes.append(node(tail(2 << k), tail(1 << k) - tail(2 << k)))
    for octave in range(1, 12):
        for t in range(1, 2 ** min(octave, 3)):
            half = 2 ** (octave - t.bit_length())
            start = 2 * t * half
            middle = tail(start + half)
            nodes.append(node(middle - tail(start + 2 * half), tail(start) - middle))
    return nodes


def decode_integer(decoder, decide):
    """One signed integer; `decide(node)` reads the decision of a node."""
    if not decide(0):
        return 0
    negative = decide(1)
    octave = 0
    while octave < 31 and decide(2 + octave):
        octave += 1
    if octave == 31:
        return -(2**31) if negative else 2**31 - 1
    n_nodes = min(octave, 3) if octave <= 11 else 0
    magnitude = 1
    for _ in range(n_nodes):
        magnitude = 2 * magnitude + decide(first_node(octave) + magnitude - 1)
    n_uniform = octave - n_nodes
    magnitude = (magnitude << n_uniform) + decoder.uniform(n_uniform)
    return -magnitude if negative else magnitude


class Line:
    """The sums of a row or a column."""

    def __init__(self, expected):
        self.seen = self.expected = 3 * expected

    def add(self, seen, expected):
        self.seen = min(self.seen + seen, 2**48)
        self.expected = min(self.expected + expected, 2**48)

    def relative(self):
        return min((self.seen << 12) // self.expected, 2**20)


def decode_matrix(decoder, n_rows, n_columns):
    """The integers of a tensor, row-major."""
    if n_rows * n_columns == 0:
        return []
    index = decoder.uniform(6)
    centre = 0
    if decoder.bit(4096):
        own = nodes_with_prior(index, 16)
        centre = decode_integer(decoder, lambda node: own[node].decode(decoder))
    model_a = nodes_with_prior(index, 16)
    model_b = [nodes_with_prior(clamp(index + 2 * (c - 6), 0, 63), 40) for c in range(13)]
    average = Average()
    expected = (UP[index % 4] * 205 << index // 4) >> 18
    columns = [Line(expected) for _ in range(n_columns)]
    values = []
    for _ in range(n_rows):
        row = Line(expected)
        for column in columns:
            relative = column.relative()
            q = clamp(row.relative() * relative >> 12, 1, 32767)
            context = clamp((q * q * 181 >> 7).bit_length() - 1 - 24, -6, 6) + 6
            nodes_b = model_b[context]
            value = decode_integer(decoder, lambda node: average.decode(decoder, model_a[node], nodes_b[node]))
            seen = 256 * min(abs(value), 65535)
            row.add(seen, expected * relative >> 12)
            column.add(seen, 0)
            values.append((value + centre + 2**31) % 2**32 - 2**31)
        for column in columns:
            column.add(0, expected * row.relative() >> 12)
    return values
