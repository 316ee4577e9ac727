#!/bin/sh
# Compresses synthetic events of other kinds than the wedges with the defaults: rows to a .csv file.
#
#   benches/generalisation.sh [ROWS.csv [EVENTS [SPEC...]]]
#
# ROWS.csv: figures/data/generalisation.csv; EVENTS of each kind: 3; SPEC: as of `inrfit bench --settings`, default.
# INRFIT names the program (target/release/inrfit).
set -eu
rows=${1:-figures/data/generalisation.csv}
events=${2:-3}
if [ $# -gt 2 ]; then shift 2; else set -- default; fi
inrfit=${INRFIT:-target/release/inrfit}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

kinds=
# make NAME N OPTION...: N events, named after their kind.
make() {
    kind=$1
    n=$2
    shift 2
    "$inrfit" synth -q -o "$folder/$kind" --events "$n" "$@"
    for file in "$folder/$kind"/synth_*.npy; do
        mv "$file" "$folder/$kind-${file##*synth_}"
    done
    kinds="$kinds $kind"
}

make wedge "$events"
# A wedge at 1e-6 has less than one voxel on average: nearly every event is empty.
make occupancy_1e-6 "$events" --occupancy 1e-6
make occupancy_1e-4 "$events" --occupancy 1e-4
make occupancy_1e-3 "$events" --occupancy 1e-3
# Proton-proton collisions with their pile-up: a hundredth of the samples.
make pp "$events" --occupancy 0.01
make occupancy_0.2 "$events" --occupancy 0.2
make geometry_96x400x32 "$events" --shape 96,400,32
make geometry_384x128x8 "$events" --shape 384,128,8
make threshold_80 "$events" --threshold 80
make threshold_90 "$events" --threshold 90
make window_9 "$events" --window 9

status=0
"$inrfit" bench "$folder"/*.npy --settings "$@" -o "$rows" --force || status=$?
echo
echo "kind, events, occupancy, bytes in / bytes out, log-MAE, precision, recall"
# Columns are found by their names, quoted cells may hold commas; rows that failed have no bytes.
for kind in $kinds; do
    awk -F, -v kind="$kind" '
        { gsub(/"[^"]*"/, "") }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["input"] ~ "^" kind "-[0-9]+$" && $at["bytes"] != "" {
            n++; raw += $at["raw_bytes"]; bytes += $at["bytes"]; occupancy += $at["occupancy"]
            error += $at["log_mae"]; precision += $at["precision"]; recall += $at["recall"]
        }
        END {
            if (n) printf "%s, %d, %.2g, %.1f, %.4f, %.3f, %.3f\n", kind, n, occupancy / n, raw / bytes, error / n, precision / n, recall / n
            else printf "%s: no row\n", kind
        }' "$rows"
done
exit "$status"
