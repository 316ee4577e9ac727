#!/usr/bin/env bash
# Remakes the pictures of figures/out that show an event, from nothing but the program, and those of rows that
# figures/data holds. What needs the wedges or rivals (exact.svg, matched_*) is not among them.
#
# Usage: benches/pictures.sh
#
# A synthetic event of a quarter of a wedge, compressed in modes masked and field with the defaults; the strips are
# task 1 as docs/benchmarks.md has it. Minutes on two cores. The program: $INRFIT, or target/release/inrfit.
set -euo pipefail
cd "$(dirname "$0")/.."
inrfit=${INRFIT:-target/release/inrfit}
data=figures/data out=figures/out
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

"$inrfit" synth --shape 96,125,16 -o "$folder/event.npy"
"$inrfit" compress "$folder/event.npy" -o "$folder/masked.inrfit"
"$inrfit" compress "$folder/event.npy" --mode field -o "$folder/field.inrfit"
copies=("$folder/event.npy" "$folder/field.inrfit" "$folder/masked.inrfit")
"$inrfit" draw histogram "${copies[@]}" --log2 --title "Values of a synthetic event" -o $out/histogram.svg --force
"$inrfit" draw pairs "${copies[@]}" --log2 --title "A synthetic event, voxel by voxel" -o $out/pairs.png --force
"$inrfit" draw slice "${copies[@]}" --title "The fullest layer of a synthetic event" -o $out/slice.png --force

"$inrfit" reproduce task1 --shape 96,125,16 --fit hidden=64,sampler=uniform,batch=8192 \
    -o "$folder/task1.csv" --strips $out/strips.png --force

"$inrfit" demo -o "$folder/demo" --quiet
cp "$folder/demo/event.png" $out/demo.png

"$inrfit" draw throughput $data/speed.csv -o $out/throughput.svg --force
"$inrfit" draw encoders $data/bcae_throughput.csv -o $out/encoders.svg --force
for metric in log_mae mse; do
    name=comparison$([ $metric = log_mae ] || echo "_$metric").svg
    "$inrfit" curve $data/exact.csv $data/field.csv $data/field_33.csv $data/rivals.csv $data/bcae.csv --front \
        --metric $metric --published $data/published.csv -o $out/"$name" --force
done
"$inrfit" draw sampling $data/samplers.csv --target 0.15 -o $out/samplers.svg --force
"$inrfit" draw sampling $data/samplers_small_time.csv --target 0.1 --title "Short runs: error by sampler" \
    -o $out/samplers_small_time.svg --force
"$inrfit" draw sampling $data/samplers_small_fraction.csv --fraction --title "Short runs: error by sampler" \
    -o $out/samplers_small_fraction.svg --force
for task in task1 task2 task3; do
    "$inrfit" reproduce $task --from $data/$task.csv --figure $out/$task.svg --force
done
