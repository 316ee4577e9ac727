#!/usr/bin/env bash
# What a prior of contexts gains on events that it was not learned from: for each .npy file of a folder a prior is learned
# from the others, and the file is compressed with it, with the prior that comes with the program and with none.
#   benches/prior.sh FOLDER ROWS.csv [STEPS]
# Minutes a file. Priors that are already in target/priors are taken as they are.
set -euo pipefail
folder=$1 rows=$2 steps=${3:-20000}
inrfit=${INRFIT:-target/release/inrfit}
mkdir -p target/priors
parts=()
for event in "$folder"/*.npy; do
    name=$(basename "$event" .npy)
    others=()
    for other in "$folder"/*.npy; do
        [ "$other" = "$event" ] || others+=("$other")
    done
    prior=target/priors/without-$name.prior
    [ -e "$prior" ] || "$inrfit" prior contexts "${others[@]}" -o "$prior" --steps "$steps"
    settings=()
    for mode in mode=lossless max-log-error=0.1 max-log-error=0.4 max-error=8; do
        settings+=("$mode,effort=best,no-prior" "$mode,effort=best" "$mode,effort=best,prior=$prior")
    done
    part=target/priors/$name.csv
    "$inrfit" bench "$event" -o "$part" --force --settings "${settings[@]}"
    parts+=("$part")
done
{ head -n 1 "${parts[0]}"; for part in "${parts[@]}"; do tail -n +2 "$part"; done; } >"$rows"
