#!/bin/sh
# Compresses synthetic events of other kinds than the wedges with the defaults, and without loss: rows to a .csv file.
#
#   benches/generalisation.sh [ROWS.csv [EVENTS [SPEC...]]]
#
# ROWS.csv: figures/data/generalisation.csv; EVENTS of each kind: 3; SPEC: as of `inrfit bench --settings`, default and
# mode=lossless,no-prior. INRFIT names the program (target/release/inrfit). Takes 1 GB in TMPDIR.
set -eu
rows=${1:-figures/data/generalisation.csv}
events=${2:-3}
if [ $# -gt 2 ]; then shift 2; else set -- default mode=lossless,no-prior; fi
inrfit=${INRFIT:-target/release/inrfit}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

kinds=
# make NAME SEEDS OPTION...: an event of each seed, named after their kind.
make() {
    kind=$1
    seeds=$2
    shift 2
    for seed in $seeds; do
        "$inrfit" synth -q -o "$folder/$kind-$seed.npy" --seed "$seed" "$@"
    done
    kinds="$kinds $kind"
}

first=$(seq 0 $((events - 1)))
make wedge "$first"
# Whole frames, since few wedges have a track at these shares. At 1e-6 few frames have one, too: of the seeds from 0 to
# 99 those below (and 0, which is empty as the others are).
make empty 0 --occupancy 1e-6 --shape 2304,498,48
make occupancy_1e-6 "6 26 43 55 64 68 70 85 91" --occupancy 1e-6 --shape 2304,498,48
make occupancy_1e-4 "$first" --occupancy 1e-4 --shape 2304,498,16
make occupancy_1e-3 "$first" --occupancy 1e-3
# Proton-proton collisions with their pile-up: a hundredth of the samples.
make pp "$first" --occupancy 0.01
make occupancy_0.2 "$first" --occupancy 0.2
make geometry_96x400x32 "$first" --shape 96,400,32
make geometry_384x128x8 "$first" --shape 384,128,8
make threshold_80 "$first" --threshold 80
make threshold_90 "$first" --threshold 90
make window_9 "$first" --window 9

status=0
"$inrfit" bench "$folder"/*.npy --settings "$@" -o "$rows" --force || status=$?
echo
echo "kind, settings, events, occupancy, bytes in / bytes out, log-MAE, log-MAE / occupancy, precision, recall"
# Columns are found by their names; cells in quotes may hold commas; rows that failed have no bytes.
for kind in $kinds; do
    awk -F, -v kind="$kind" '
        {
            while (match($0, /"[^"]*"/)) {
                cell = substr($0, RSTART + 1, RLENGTH - 2)
                gsub(/,/, ";", cell)
                $0 = substr($0, 1, RSTART - 1) cell substr($0, RSTART + RLENGTH)
            }
        }
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        $at["input"] ~ "^" kind "-[0-9]+$" && $at["bytes"] != "" {
            s = $at["settings"]
            if (!(s in n)) order[++n_settings] = s
            n[s]++; raw[s] += $at["raw_bytes"]; bytes[s] += $at["bytes"]; occupancy[s] += $at["occupancy"]
            error[s] += $at["log_mae"]; precision[s] += $at["precision"]; recall[s] += $at["recall"]
        }
        END {
            if (!n_settings) printf "%s: no row\n", kind
            for (i = 1; i <= n_settings; i++) {
                s = order[i]
                share = occupancy[s] > 0 ? error[s] / occupancy[s] : 0
                printf "%s, %s, %d, %.2g, %.1f, %.2g, %.2f, %.3f, %.3f\n", kind, s, n[s], occupancy[s] / n[s],
                    raw[s] / bytes[s], error[s] / n[s], share, precision[s] / n[s], recall[s] / n[s]
            }
        }' "$rows"
done
exit "$status"
