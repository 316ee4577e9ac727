#!/usr/bin/env bash
# How many steps a prior for fitting spares on events that it was not learned from: for each .npy file of a folder a prior
# is learned from the others, and the file is compressed with it and without one, in several numbers of steps.
#   benches/prior_fit.sh FOLDER ROWS.csv [MODE]
# A minute or two a file in mode masked. Priors that are already in target/priors are taken as they are.
set -euo pipefail
folder=$1 rows=$2 mode=${3:-masked}
inrfit=${INRFIT:-target/release/inrfit}
mkdir -p target/priors
parts=()
for event in "$folder"/*.npy; do
    name=$(basename "$event" .npy)
    others=()
    for other in "$folder"/*.npy; do
        [ "$other" = "$event" ] || others+=("$other")
    done
    prior=target/priors/fit-$mode-without-$name.prior
    [ -e "$prior" ] || "$inrfit" prior fit "${others[@]}" -o "$prior" --mode "$mode"
    settings=()
    for steps in 300 600 1200 2000 6000; do
        settings+=("mode=$mode,optimizer=adam,steps=$steps")
        [ "$steps" = 6000 ] || settings+=("mode=$mode,optimizer=adam,steps=$steps,prior=$prior")
    done
    settings+=("mode=$mode,bits=3,steps=600,prior=$prior")
    part=target/priors/fit-$mode-$name.csv
    "$inrfit" bench "$event" -o "$part" --force --settings "${settings[@]}"
    parts+=("$part")
done
# The name of a prior is that of the input it has not seen.
{ head -n 1 "${parts[0]}"; for part in "${parts[@]}"; do tail -n +2 "$part"; done; } |
    sed 's/prior=target[^,"]*\.prior/prior/' >"$rows"
