#!/usr/bin/env bash
# What codecs do to the values of an event at about the same size: histograms (ADC and log2), pairs of true and decoded
# values, and a layer, each codec at a ratio near 33, the one that BCAE's code has.
#
# Usage: benches/matched.sh EVENT.npy BCAE.model OUT
#
# EVENT is a wedge, BCAE.model what `inrfit bcae import` made; pictures and rows go to the folder OUT. The numbers in the
# settings were chosen for the ratio on wedge_3143_7_0-1. The program, built with --features rivals,bcae: $INRFIT, or
# target/release/inrfit. Minutes, most of them the fit of a field.
set -euo pipefail
inrfit=${INRFIT:-$(dirname "$0")/../target/release/inrfit}
event=$1 model=$2 out=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$out"
declare -A codecs=(
    [sz3]=sz3:nopred,log2,z,abs=0.1
    [zfp]=zfp:z,threshold=best,tolerance=1024
    [mgard]=mgard:z,threshold=best,tolerance=128
    [bcae]=bcae:model=$model
    [field]=inr:field,ratio=33
)
copies=()
for name in sz3 mgard zfp bcae field; do
    "$inrfit" bench "$event" --codec "${codecs[$name]}" --decoded "$folder/$name" --no-timing \
        -o "$folder/$name.csv"
    mv "$folder/$name"/*.npy "$folder/$name.npy"
    copies+=("$folder/$name.npy")
done
head -1 "$folder/sz3.csv" > "$out/matched.csv"
for name in sz3 mgard zfp bcae field; do tail -n +2 "$folder/$name.csv" >> "$out/matched.csv"; done
name=$(basename "$event" .npy)
title="$name at ratios near 33"
"$inrfit" draw histogram "$event" "${copies[@]}" --title "$title" -o "$out/matched_adc.svg" --force
"$inrfit" draw histogram "$event" "${copies[@]}" --log2 --title "$title" -o "$out/matched_log2.svg" --force
"$inrfit" draw pairs "$event" "${copies[@]}" --log2 --title "$title" -o "$out/matched_pairs.png" --force
"$inrfit" draw slice "$event" "${copies[@]}" --title "$title" -o "$out/matched_slice.png" --force
