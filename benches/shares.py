"""How much of the best rival's bytes this program takes for its error, by rows of `inrfit bench`.

    python benches/shares.py figures/data/{exact,field,field_33,rivals,bcae}.csv

For log-MAE and MSE: every choice of a rival's settings that none of another rival beats at its ratio or a higher one,
and this program's highest ratio at no larger an error. Ratios are totals over the inputs, errors means.
"""

import csv
import sys

REACH = (23, 240)


def points(paths):
    groups = {}
    for path in paths:
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                if not row["error"]:
                    groups.setdefault((row["codec"], row["settings"]), []).append(row)
    for (codec, settings), rows in groups.items():
        total = {name: sum(float(row[name]) for row in rows) for name in ["raw_bytes", "bytes", "log_mae", "mse"]}
        errors = {name: total[name] / len(rows) for name in ["log_mae", "mse"]}
        yield codec.startswith("inr"), settings, total["raw_bytes"] / total["bytes"], errors


def main():
    ours, rivals = [], []
    for is_ours, *point in points(sys.argv[1:]):
        (ours if is_ours else rivals).append(point)
    for metric in ["log_mae", "mse"]:
        least, shares = float("inf"), []
        for settings, ratio, errors in sorted(rivals, key=lambda point: -point[1]):
            if errors[metric] >= least:
                continue
            least = errors[metric]
            best = max((point[1] for point in ours if point[2][metric] <= least), default=None)
            if best is None:
                continue
            print(f"{metric:8} {least:10.4f} {settings:52} {ratio:6.1f}, ours {best:6.1f}: {ratio / best:.2f}")
            if REACH[0] <= ratio <= REACH[1]:
                shares.append(ratio / best)
        print(f"{metric}: {min(shares):.2f} to {max(shares):.2f} of the bytes at ratios from {REACH[0]} to {REACH[1]}")


if __name__ == "__main__":
    main()
