"""The features of a site beside a support (docs/format.md, section 5, Support features)."""


def columns(pattern):
    """The columns around a voxel's own, each a list of its members (du, dv)."""
    (nu, nv), (fold_u, fold_v) = pattern["spread"], pattern["fold"]
    out = []
    for du in range(0 if fold_u else -nu, nu + 1):
        for dv in range(0 if fold_v else -nv, nv + 1):
            if 1 <= abs(du) + abs(dv) <= pattern["distance"]:
                us = {du, -du} if fold_u else {du}
                vs = {dv, -dv} if fold_v else {dv}
                out.append([(u, v) for u in us for v in vs])
    return out


def n_features(pattern):
    return 2 * (pattern["max_run"] + 1) + len(columns(pattern)) * (2 * pattern["reach"] + 1) + 1


def features(pattern, shape, occupied, voxel):
    """What is counted around `voxel`, in order; the last one is a pair: occupied voxels of the box, and all of them."""
    run = pattern["axis"]
    u_axis, v_axis = [axis for axis in range(3) if axis != run]

    def at(r, u, v):
        x = list(voxel)
        x[run] += r
        x[u_axis] += u
        x[v_axis] += v
        inside = all(0 <= i < n for i, n in zip(x, shape))
        return occupied[(x[0] * shape[1] + x[1]) * shape[2] + x[2]] if inside else 0

    out = []
    for side in (-1, 1):
        n = 0
        while n <= pattern["max_run"] and at(side * (n + 1), 0, 0):
            n += 1
        out += [1 if n == q else 0 for q in range(pattern["max_run"] + 1)]
    for members in columns(pattern):
        for r in range(-pattern["reach"], pattern["reach"] + 1):
            out.append(sum(at(r, u, v) for u, v in members))
    r, u, v = [range(-n, n + 1) for n in pattern["window"]]
    box = [at(x, y, z) for x in r for y in u for z in v]
    return out, (sum(box), len(box))
