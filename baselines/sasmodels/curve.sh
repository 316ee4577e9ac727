#!/usr/bin/env bash
# Sparse autoencoders over the weight of their penalty: trains on IMAGES/train, measures on IMAGES/test (folders that
# make.py wrote), one row a model to ROWS.csv, and to ROWS_neighbours.csv two with the shapes by nearest neighbour. Five
# minutes of processor time a penalty.
#
#     curve.sh PROGRAM IMAGES MODELS ROWS.csv
set -euo pipefail
program=$1 images=$2 models=$3 rows=$4
mkdir -p "$models"
all=()
for penalty in z grad-z; do
    train() { # LAMBDA STEPS RATE [FROM]
        "$program" sparse-ae train "$images"/train/*.npy -o "$models/$penalty-$1.model" --force --penalty $penalty \
            --lambda "$1" --steps "$2" --learning-rate "$3" --batch 64 ${4:+--from "$models/$penalty-$4.model"}
    }
    train 1e-4 4000 1e-3
    train 3e-5 500 5e-4 1e-4
    train 1e-5 500 5e-4 3e-5
    train 3e-4 500 5e-4 1e-4
    train 1e-3 500 5e-4 3e-4
    for lambda in 1e-5 3e-5 1e-4 3e-4 1e-3; do
        all+=(--model "$models/$penalty-$lambda.model")
    done
done
"$program" sparse-ae eval "$images"/test/*.npy "${all[@]}" -o "$rows" --force
"$program" sparse-ae eval "$images"/test/*.npy --model "$models/z-1e-4.model" --model "$models/grad-z-1e-4.model" \
    --references "$images"/train/*.npy -o "${rows%.csv}_neighbours.csv" --force
