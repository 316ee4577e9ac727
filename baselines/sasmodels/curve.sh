#!/usr/bin/env bash
# Sparse autoencoders over the weight of their penalty: trains on IMAGES/train, measures on IMAGES/test (folders that
# make.py wrote), one row a model to ROWS. Five minutes of processor time a penalty.
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
    train 3e-4 500 5e-4 1e-4
    train 1e-3 500 5e-4 3e-4
    train 3e-3 500 5e-4 1e-3
    train 3e-5 500 5e-4 1e-4
    for lambda in 3e-5 1e-4 3e-4 1e-3 3e-3; do
        all+=(--model "$models/$penalty-$lambda.model")
    done
done
"$program" sparse-ae eval "$images"/test/*.npy "${all[@]}" --references "$images"/train/*.npy -o "$rows" --force
