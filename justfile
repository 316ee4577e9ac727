# Rows say which commit made them.
export INRFIT_COMMIT := `git rev-parse --short=12 HEAD 2>/dev/null || true`

# Everything that must hold before a commit; .ci/run does the same.
check: fmt clippy test docs deny

test:
    cargo test --workspace
    cargo test --workspace --no-default-features --lib --quiet

# SZ3, ZFP, MGARD and general-purpose compressors; needs a C++ compiler and libclang (Debian: libclang-dev).
test-rivals:
    cargo test -p inrfit-baselines --features plain,sz3,zfp,mgard
    cargo test -p inrfit --features rivals --lib --bins --test cli_bench

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets -- -D warnings

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# CUDA kernels to machine code for every architecture, without a GPU: registers, shared memory, spills.
kernels:
    .ci/kernels

deny:
    cargo deny check bans licenses sources

# The figures of docs/benchmarks.md that a machine without a GPU can remake.
bench:
    cargo bench --bench training

# Other occupancies, geometry and thresholds than the wedges, with the defaults: rows to figures/data/generalisation.csv.
generalisation:
    cargo build --release
    benches/generalisation.sh

# From lossless to masked on the events of a folder: rows to figures/data/exact.csv, picture to figures/out/exact.svg,
# beside rivals where a table of them is given (see examples/limit.rs).
limit wedges rivals="":
    cargo build --release
    target/release/inrfit bench {{wedges}}/*.npy -o figures/data/exact.csv --force --settings default hidden=8 \
        hidden=20 hidden=32 mode=field,ratio=300 mode=field,ratio=500 mode=lossless \
        mode=lossless,effort=fast max-log-error=0.02 max-log-error=0.05 max-log-error=0.1 max-log-error=0.2 max-log-error=0.4 max-log-error=0.8 max-error=1 max-error=2 max-error=5 \
        max-error=8 max-error=20
    cargo run --release --example limit -- figures/data/exact.csv figures/out/exact.svg {{rivals}}

# The three tasks of arXiv 2412.01754, shortened to minutes on two cores, and their figures. At full length, on all wedges:
# the same commands with `WEDGES/*.npy -o OUT` and no other option.
reproduce:
    cargo build --release
    target/release/inrfit reproduce task1 --shape 96,125,16 --fit hidden=64,sampler=uniform,batch=8192 \
        -o figures/data/task1.csv --figure figures/out/task1.svg --force
    target/release/inrfit reproduce task2 --shape 48,63,16 --steps 500 --widths 48,36,27 \
        --fit sampler=uniform,batch=2048 -o figures/data/task2.csv --figure figures/out/task2.svg --force
    target/release/inrfit reproduce task3 --shape 48,63,16 --steps 250,1000 --fractions 0.1,0.2,0.4,0.7,1 \
        --fit hidden=32 -o figures/data/task3.csv --figure figures/out/task3.svg --force

# Every picture of figures/out but exact.svg (`just limit`) and matched_* (benches/matched.sh): of events made here, and of the rows in figures/data.
pictures:
    cargo build --release
    benches/pictures.sh

# The sparse autoencoder of arXiv 2405.14270 over the weight of its penalty, on images that baselines/sasmodels/make.py
# wrote: models to a folder, rows to figures/data/sparse_ae.csv (docs/benchmarks.md has the command of the images).
sparse-ae images models:
    cargo build --release --features sparse-ae
    baselines/sasmodels/curve.sh target/release/inrfit {{images}} {{models}} figures/data/sparse_ae.csv

# What takes minutes: more than 10^8 voxels of random events below random bounds, each checked; errors between voxels;
# 10,000 random damages
# of files; ten minutes of fuzzing a target.
long:
    cargo test --release --test exact -- --ignored --nocapture
    cargo test --release --test between -- --ignored --nocapture
    cargo test --release --test damage -- --ignored --nocapture
    cargo test --release -p inrfit-baselines --features plain,sz3,zfp,mgard -- --ignored
    .ci/fuzz 600

# Speed of one thread on the events of a folder, rivals beside this program: rows to figures/data/speed.csv. For a quiet
# machine.
speed wedges bcae bcae_vs:
    cargo build --release --features rivals,bcae
    target/release/inrfit bench {{wedges}}/*.npy --threads 1 -o figures/data/speed.csv --force --codec \
        sz3:nopred,log2,z,abs=0.4 sz3:nopred,z,abs=5 zfp:native,tolerance=256 mgard:z,tolerance=160 \
        bzip2:z bzip2:log2,z,step=0.8 xz:sparse,z zstd:z \
        inr:lossless,effort=fast inr:lossless,no-prior inr:lossless inr:max-log-error=0.4 inr:masked \
        bcae:model={{bcae}} bcae-vs:model={{bcae_vs}}
    target/release/inrfit bcae throughput bcae-2d:3,3,1 bcae-2d:4,4,1 bcae-2d:6,6,1 bcae-2d:8,8,1 bcae-2d:3,3,2 \
        bcae-2d:4,4,2 bcae-2d:6,6,2 bcae-2d:8,8,2 bcae-2d:3,3,3 bcae-2d:4,4,3 bcae-2d:6,6,3 bcae-2d:8,8,3 \
        bcae bcae++ bcae-ht --rows figures/data/bcae_throughput.csv --force

# The rivals on the events of a folder, ratios 10 to 250: rows to figures/data/rivals.csv, which are kept as far as it
# has them (remove it to make all anew). Errors and bytes, no times.
rivals wedges:
    cargo build --release --features rivals
    target/release/inrfit bench {{wedges}}/*.npy -o figures/data/rivals.csv --resume --no-timing --jobs 2 --codec \
        sz3:nopred,log2,native,abs=0.1..3.2 sz3:nopred,log2,z,abs=0.1..3.2 \
        sz3:interp_lorenzo,log2,native,threshold=best,abs=0.1..3.2 sz3:interp_lorenzo,log2,z,threshold=best,abs=0.1..3.2 \
        sz3:nopred,native,abs=5..160 sz3:nopred,z,abs=5..160 \
        sz3:lorenzo_reg,native,threshold=best,abs=5..160 sz3:lorenzo_reg,z,threshold=best,abs=5..160 \
        zfp:native,threshold=best,tolerance=32..2048 zfp:z,threshold=best,tolerance=32..2048 \
        zfp:log2,native,threshold=best,tolerance=1..32 zfp:log2,z,threshold=best,tolerance=1..32 \
        zfp:native,threshold=best,rate=0.25..1 \
        mgard:native,threshold=best,tolerance=10..320 mgard:z,threshold=best,tolerance=10..320 \
        mgard:s=0,native,threshold=best,tolerance=1..16 mgard:s=0,z,threshold=best,tolerance=1..16 \
        mgard:s=0,log2,native,threshold=best,tolerance=0.04..1.28 \
        bzip2:native bzip2:z zstd:native zstd:z xz:native xz:z xz:sparse,native xz:sparse,z \
        bzip2:log2,native,step=0.1..3.2 bzip2:log2,z,step=0.1..3.2 zstd:log2,z,step=0.1..3.2 \
        xz:log2,z,step=0.1..3.2 xz:sparse,log2,native,step=0.1..3.2 xz:sparse,log2,z,step=0.1..3.2 bzip2:z,step=4..256
