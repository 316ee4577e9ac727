# Everything that must hold before a commit; .ci/run does the same.
check: fmt clippy test docs deny

test:
    cargo test --workspace
    cargo test --workspace --no-default-features --lib --quiet

fmt:
    cargo fmt --all --check

clippy:
    cargo clippy --workspace --all-targets -- -D warnings

docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

deny:
    cargo deny check bans licenses sources

# The figures of docs/benchmarks.md that a machine without a GPU can remake.
bench:
    cargo bench --bench training

# Other occupancies, geometry and thresholds than the wedges, with the defaults: rows to figures/data/generalisation.csv.
generalisation:
    cargo build --release
    benches/generalisation.sh

# What takes minutes: more than 10^8 voxels of random events below random bounds, each checked; errors between voxels;
# 10,000 random damages
# of files; ten minutes of fuzzing a target.
long:
    cargo test --release --test exact -- --ignored --nocapture
    cargo test --release --test between -- --ignored --nocapture
    cargo test --release --test damage -- --ignored --nocapture
    .ci/fuzz 600
