#!/usr/bin/env bash
# Sparse autoencoders over the weight of their penalty: trains on IMAGES/train, measures on IMAGES/test (folders that
# make.py wrote), one row a model to ROWS.csv, and to ROWS_neighbours.csv two with the shapes by nearest neighbour. Both
# penalties at once, a thread each (models do not depend on it): three quarters of an hour on two cores.
#
#     curve.sh PROGRAM IMAGES MODELS ROWS.csv
set -euo pipefail
program=$1 images=$2 models=$3 rows=$4
mkdir -p "$models"
train() { # PENALTY LAMBDA STEPS RATE [FROM]
    "$program" sparse-ae train "$images"/train/*.npy -o "$models/$1-$2.model" --force --penalty "$1" --lambda "$2" \
        --hidden 512 --steps "$3" --learning-rate "$4" --batch 64 --threads 1 ${5:+--from "$models/$1-$5.model"}
}
curve() { # PENALTY LAMBDA: the smallest
    train "$1" "$2" 30000 1e-3
    train "$1" 1e-5 40000 1e-3
    train "$1" 3e-6 2000 5e-4 1e-5
    train "$1" 3e-5 2000 5e-4 1e-5
    train "$1" 1e-4 2000 5e-4 3e-5
    train "$1" 3e-4 2000 5e-4 1e-4
}
curve z 1e-6 & other=$!
curve grad-z 5e-7
wait $other
all=()
for name in z-1e-6 {z,grad-z}-{3e-6,1e-5,3e-5,1e-4,3e-4} grad-z-5e-7; do
    all+=(--model "$models/$name.model")
done
"$program" sparse-ae eval "$images"/test/*.npy "${all[@]}" -o "$rows" --force
"$program" sparse-ae eval "$images"/test/*.npy --model "$models/z-1e-6.model" --model "$models/grad-z-5e-7.model" \
    --references "$images"/train/*.npy -o "${rows%.csv}_neighbours.csv" --force
