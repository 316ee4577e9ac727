//! Planning and drawing for one event of 192 x 249 x 16 voxels, a tenth of them occupied.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use inrfit_sampling::rng::Stream;
use inrfit_sampling::{Balanced, Importance, Sampler, Sites, Sparse, Uniform, UniformOnce};

const N_SITES: usize = 192 * 249 * 16;
const BATCH: usize = 65_536;

fn draws(c: &mut Criterion) {
    let mut stream = Stream::new(1, 0);
    let value = |u: f64| if u < 0.1 { (1.0 + 60.0 * u) as f32 } else { 0.0 };
    let magnitude: Vec<f32> = (0..N_SITES).map(|_| value(stream.unit())).collect();
    let occupied: Vec<bool> = magnitude.iter().map(|&m| m != 0.0).collect();
    let sites = Sites { magnitude: &magnitude, occupied: &occupied };
    let samplers: [Box<dyn Sampler>; 5] = [
        Box::new(Uniform),
        Box::new(Importance::default()),
        Box::new(Balanced::default()),
        Box::new(UniformOnce),
        Box::new(Sparse::default()),
    ];
    for sampler in samplers {
        let Ok(table) = sampler.plan(&sites) else { continue };
        let mut group = c.benchmark_group(sampler.name());
        group.bench_function("plan", |b| b.iter(|| sampler.plan(black_box(&sites))));
        group.throughput(Throughput::Elements(BATCH as u64));
        let (mut out, mut step) = (vec![0; BATCH], 0);
        group.bench_function("draw_into", |b| {
            b.iter(|| {
                step += 1;
                table.draw_into(42, step, 0, black_box(&mut out));
            })
        });
        group.bench_function("draw", |b| {
            b.iter(|| {
                step += 1;
                (0..BATCH as u64).fold(0u32, |sum, i| sum.wrapping_add(table.draw(42, step, i)))
            })
        });
    }
}

criterion_group!(benches, draws);
criterion_main!(benches);
