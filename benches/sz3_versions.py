"""Bytes of SZ3 in `inrfit bench` beside those of SZ3's Python package, on one event.

    pip install numpy pysz==1.0.3        # has SZ3 3.3.2, as the crate tensogram-sz3 does; pysz 1.1.0 has SZ3 3.4.0
    python benches/sz3_versions.py EVENT.npy [PROGRAM]

PROGRAM is built with the feature rivals [target/release/inrfit]. Prints a line for each choice of settings, and the
smallest and largest ratio of the two.
"""

import csv
import itertools
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from pysz import sz, szAlgorithm, szConfig, szErrorBoundMode

ALGORITHMS = ["nopred", "lorenzo_reg", "interp", "interp_lorenzo"]
BOUNDS = {"adc": [1.25, 5, 20, 80], "log2": [0.05, 0.1, 0.4, 1.6]}


def ours(program, event):
    """Bytes by settings; the header that the program adds to SZ3's (some 20) is among them."""
    specs = [
        f"sz3:{algorithm},{domain},{layout},abs={bound:g}"
        for algorithm, domain, layout in itertools.product(ALGORITHMS, BOUNDS, ["native", "z"])
        for bound in BOUNDS[domain]
    ]
    with tempfile.TemporaryDirectory() as folder:
        rows = pathlib.Path(folder) / "rows.csv"
        command = [program, "bench", event, "--no-timing", "--quiet", "-o", rows, "--codec", *specs]
        subprocess.run(command, check=True)
        with rows.open() as file:
            return {row["settings"]: int(row["bytes"]) for row in csv.DictReader(file)}


def theirs(counts, spec):
    algorithm, domain, layout, bound = spec.removeprefix("sz3:").split(",")
    values = (counts if domain == "adc" else np.log2(counts.astype(np.float64) + 1)).astype(np.float32)
    values = np.ascontiguousarray(values if layout == "native" else values.transpose(2, 0, 1))
    config = szConfig(values.shape)
    config.errorBoundMode = szErrorBoundMode.ABS
    config.absErrorBound = float(bound.removeprefix("abs="))
    config.cmprAlgo = getattr(szAlgorithm, algorithm.upper())
    return sz.compress(values, config)[0].size


def main():
    event, program = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "target/release/inrfit"
    counts = np.load(event)
    ratios = []
    for spec, n in ours(program, event).items():
        m = theirs(counts, spec)
        ratios.append(n / m)
        print(f"{spec:42} {n:8} {m:8} {n / m:.4f}")
    within = sum(abs(ratio - 1) <= 0.02 for ratio in ratios)
    print(f"{len(ratios)} choices, ratios {min(ratios):.4f} to {max(ratios):.4f}, {within} within 2 %")


if __name__ == "__main__":
    main()
