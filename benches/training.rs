//! Training speed beside `gemm` at the same shapes, in the same run.
//!
//! `cargo bench --bench training [-- --hidden 128 --layers 3 --seconds 2]` prints one row a thread count and
//! batch: samples a second, GFLOP/s of the step (forward and backward, a multiply-add as two operations), and
//! what `gemm` reaches on the three products of a hidden layer. `benches/pytorch.py` does the same in PyTorch.
//!
//! With `--networks` it prints samples a second of every family instead, each at the width whose number of weights is
//! next to that of the SIREN, in turns, and its share of SIREN's.

use gemm::{Parallelism, gemm};
use inrfit::backend::cpu::Cpu;
use inrfit::backend::{
    Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, Trainer, TrainingSet, ValueLoss,
};
use inrfit::lane::has_bf16;
use inrfit::net::{Form, Model, NetSpec, Source, Weights};
use inrfit_sampling::{DrawTable, Sampler, Sites, Uniform};
use std::time::Instant;

fn argument(name: &str, default: f64) -> f64 {
    let args: Vec<String> = std::env::args().collect();
    args.windows(2).find(|w| w[0] == name).and_then(|w| w[1].parse().ok()).unwrap_or(default)
}

/// Runs `work` for about `seconds` and returns how often it ran a second, at its fastest of five slices: the
/// machine may be shared.
fn rate(seconds: f64, mut work: impl FnMut()) -> f64 {
    work();
    let mut best = 0.0f64;
    for _ in 0..5 {
        let (start, mut n) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < seconds / 5.0 {
            work();
            n += 1;
        }
        best = best.max(f64::from(n) / start.elapsed().as_secs_f64());
    }
    best
}

/// GFLOP/s of `gemm` on the products of one hidden layer: sums, gradients of inputs, gradients of weights.
fn gemm_rate(batch: usize, hidden: usize, n_threads: usize, seconds: f64) -> f64 {
    let (x, w) = (vec![0.5f32; batch * hidden], vec![0.25f32; hidden * hidden]);
    let mut y = vec![0.0f32; batch * hidden];
    let mut g = vec![0.0f32; hidden * hidden];
    let parallelism = if n_threads == 1 { Parallelism::None } else { Parallelism::Rayon(n_threads) };
    let h = hidden as isize;
    let runs = rate(seconds, || {
        // SAFETY: all matrices are row-major with the sizes given.
        unsafe {
            for (rs, cs) in [(h, 1), (1, h)] {
                gemm(
                    batch,
                    hidden,
                    hidden,
                    y.as_mut_ptr(),
                    1,
                    h,
                    false,
                    x.as_ptr(),
                    1,
                    h,
                    w.as_ptr(),
                    cs,
                    rs,
                    0.0,
                    1.0,
                    false,
                    false,
                    false,
                    parallelism,
                );
            }
            gemm(
                hidden,
                hidden,
                batch,
                g.as_mut_ptr(),
                1,
                h,
                false,
                x.as_ptr(),
                h,
                1,
                y.as_ptr(),
                1,
                h,
                0.0,
                1.0,
                false,
                false,
                false,
                parallelism,
            );
        }
    });
    runs * 6.0 * (batch * hidden * hidden) as f64 / 1e9
}

/// All families, their constants of no matter for the speed.
fn families(hidden: usize) -> [Model; 5] {
    let (coord_units, feature_units) = (hidden, hidden);
    [
        Model::Siren { omega_first: 30.0, omega_hidden: 30.0 },
        Model::Fourier { scale: 2.0, seed: 0, n_frequencies: hidden.div_ceil(2), feature_units },
        Model::Filters { omega: 30.0, coord_units, feature_units },
        Model::Gabor { omega: 10.0, scale: 10.0, coord_units, feature_units },
        Model::RealGabor { omega: 10.0, scale: 10.0, coord_units, feature_units },
    ]
}

fn network(family: usize, hidden: usize, n_layers: usize) -> NetSpec {
    NetSpec { model: families(hidden)[family], n_coords: 3, n_features: 0, hidden, n_layers, n_heads: 1 }
}

/// Operations of a step on one sample, a multiply-add as two: backward costs twice the forward pass, but for layers that
/// read the coordinates, and fixed ones have none.
fn step_flops(spec: &NetSpec) -> usize {
    let layers = spec.layers();
    let first: usize =
        layers.iter().filter(|l| l.sources == [Source::Coords]).map(|l| 2 * l.n_in * l.n_out).sum();
    let fixed: usize = layers.iter().filter(|l| l.form == Form::Fixed).map(|l| 2 * l.n_in * l.n_out).sum();
    3 * spec.flops() - first - fixed
}

/// Runs steps of a trainer for about `seconds`; samples a second.
fn samples_a_second(trainer: &mut dyn Trainer, table: &DrawTable, batch: usize, seconds: f64) -> f64 {
    let mut step = 0;
    let steps = rate(seconds, || {
        let round = Round {
            first_step: step,
            n_steps: 1,
            batch,
            seed: 0,
            table: Some(table),
            loss: Loss { value: ValueLoss::L2, value_scale: 1.0, correct: false },
            schedule: Schedule { initial: 1e-4, last: 1.0, n_steps: 1 },
            optimizer: Adam::default().into(),
            rounding: None,
        };
        trainer.run(&round).expect("a step");
        step += 1;
    });
    steps * batch as f64
}

/// The families at equal numbers of weights.
fn networks(set: TrainingSet<'_>, table: &DrawTable, hidden: usize, n_layers: usize, seconds: f64) {
    let n_weights = network(0, hidden, n_layers).n_weights();
    let specs: Vec<NetSpec> = (0..families(hidden).len())
        .map(|family| {
            let of = |h: &usize| network(family, *h, n_layers).n_weights().abs_diff(n_weights);
            network(family, (1..=2 * hidden).min_by_key(of).unwrap_or(hidden), n_layers)
        })
        .collect();
    println!("model,hidden,weights,threads,batch,samples_per_s,share_of_siren,gflops");
    for n_threads in [1, 2] {
        let cpu = Cpu::new(n_threads).expect("threads");
        for batch in [8_192, 65_536] {
            let mut best = vec![0.0f64; specs.len()];
            let mut trainers: Vec<_> = specs
                .iter()
                .map(|spec| {
                    let weights = Weights::initial(*spec, 0).expect("valid sizes");
                    cpu.trainer(&weights, set, Precision::F32).expect("a trainer")
                })
                .collect();
            // In turns, since the machine may be shared.
            for _ in 0..3 {
                for (trainer, best) in trainers.iter_mut().zip(&mut best) {
                    *best = best.max(samples_a_second(trainer.as_mut(), table, batch, seconds / 3.0));
                }
            }
            for (spec, samples) in specs.iter().zip(&best) {
                let (name, weights, share) = (spec.model.name(), spec.n_weights(), samples / best[0]);
                let gflops = samples * step_flops(spec) as f64 / 1e9;
                let hidden = spec.hidden;
                println!("{name},{hidden},{weights},{n_threads},{batch},{samples:.0},{share:.3},{gflops:.1}");
            }
        }
    }
}

fn main() {
    let (hidden, n_layers) = (argument("--hidden", 128.0) as usize, argument("--layers", 3.0) as usize);
    let seconds = argument("--seconds", 2.0);
    let shape = [192, 249, 16];
    let axes = shape.map(|n| (0..n).map(|i| i as f32 / (n - 1) as f32 * 2.0 - 1.0).collect::<Vec<_>>());
    let sites = SiteBlock { axes: [&axes[0], &axes[1], &axes[2]], positions: None, features: &[] };
    let n = sites.n_sites();
    let targets: Vec<f32> = (0..n).map(|i| (i % 97) as f32 / 97.0).collect();
    let occupied: Vec<bool> = (0..n).map(|i| i % 10 == 0).collect();
    let set = TrainingSet { sites, targets: &targets, occupied: &occupied };
    let table =
        Uniform.plan(&Sites { magnitude: &targets, occupied: &occupied }).expect("a table of these sites");
    if std::env::args().any(|a| a == "--networks") {
        return networks(set, &table, hidden, n_layers, seconds);
    }
    let spec = network(0, hidden, n_layers);
    let weights = Weights::initial(spec, 0).expect("valid sizes");
    println!("precision,threads,batch,samples_per_s,gflops,gemm_gflops,share_of_gemm");
    let precisions = if has_bf16() { &[Precision::F32, Precision::Bf16][..] } else { &[Precision::F32] };
    for n_threads in [1, 2] {
        let cpu = Cpu::new(n_threads).expect("threads");
        for batch in [8_192, 16_384, 32_768, 65_536, 131_072] {
            for &precision in precisions {
                let mut trainer = cpu.trainer(&weights, set, precision).expect("a trainer");
                let samples = samples_a_second(trainer.as_mut(), &table, batch, seconds);
                let gflops = samples * step_flops(&spec) as f64 / 1e9;
                let reference = gemm_rate(batch, hidden, n_threads, seconds / 2.0);
                let name = if precision == Precision::F32 { "f32" } else { "bf16" };
                let share = gflops / reference;
                println!("{name},{n_threads},{batch},{samples:.0},{gflops:.1},{reference:.1},{share:.3}");
            }
        }
    }
}
