//! Decisions a second: alone, adaptive, and within whole tensors.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inrfit_entropy::{AdaptiveBit, Coder, Decoder, Encoder, code_matrix};
use std::hint::black_box;

/// Hands decisions on and counts them.
struct Counter<C>(C, u64);

impl<C: Coder> Coder for Counter<C> {
    fn bit(&mut self, p1: u16, bit: bool) -> bool {
        self.1 += 1;
        self.0.bit(p1, bit)
    }
}

/// Sums of twelve uniform numbers: about normal, deviation 6.
fn tensor(n: usize) -> Vec<i32> {
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state) / 4_294_967_296.0 - 0.5
    };
    (0..n).map(|_| ((0..12).map(|_| uniform()).sum::<f64>() * 6.0).round() as i32).collect()
}

fn decisions(criterion: &mut Criterion) {
    let bits: Vec<bool> = tensor(100_000).iter().map(|v| v.rem_euclid(5) == 0).collect();
    let encode = || {
        let (mut encoder, mut model) = (Encoder::new(), AdaptiveBit::new());
        bits.iter().for_each(|&bit| {
            model.code(&mut encoder, bit);
        });
        encoder.finish()
    };
    let bytes = encode();
    let mut group = criterion.benchmark_group("adaptive bit");
    group.throughput(Throughput::Elements(bits.len() as u64));
    group.bench_function("encode", |b| b.iter(encode));
    group.bench_function("decode", |b| {
        b.iter(|| {
            let (mut decoder, mut model) = (Decoder::new(black_box(&bytes)), AdaptiveBit::new());
            (0..bits.len()).filter(|_| model.code(&mut decoder, false)).count()
        });
    });
}

fn matrices(criterion: &mut Criterion) {
    for side in [16, 128] {
        let values = tensor(side * side);
        let mut counter = Counter(Encoder::new(), 0);
        code_matrix(&mut counter, side, &mut values.clone());
        let (n, bytes) = (counter.1, counter.0.finish());
        let mut group = criterion.benchmark_group(format!("matrix {side} x {side}"));
        group.throughput(Throughput::Elements(n));
        group.bench_function("encode", |b| {
            b.iter(|| {
                let mut encoder = Encoder::new();
                code_matrix(&mut encoder, side, &mut values.clone());
                encoder.finish()
            });
        });
        group.bench_function("decode", |b| {
            let mut values = vec![0; values.len()];
            b.iter(|| {
                code_matrix(&mut Decoder::new(black_box(&bytes)), side, &mut values);
                values[0]
            });
        });
    }
}

criterion_group!(benches, decisions, matrices);
criterion_main!(benches);
