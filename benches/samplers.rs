//! Error by sampler: against processor time, and against the share of the voxels that a step draws.
//!
//! `cargo bench --bench samplers -- [EVENT.npy] [--shape 192x249x16] [--hidden 128] [--target 0.15] [--batch 8192]
//! [--limit 250] [--rate 1e-3] [--only SAMPLER] [--samples N,N,...] [--fractions 0.02,0.1 --steps N] [-o rows.csv]
//! [--add rows.csv] [--figure error.svg] [--fraction-figure error.svg] [--title TEXT]` fits a SIREN of 3 layers with
//! two heads, unquantised, with every sampler; without an event, to a generated one of that shape.
//!
//! Against time: all at the same batch, and full batches (every voxel a step, at twice the learning rate). Each is given
//! cosine schedules of growing length (of `--samples`) until one ends at the target, or would take longer than
//! the limit. Against fractions: a cosine schedule of `--steps` steps for each fraction of the event's voxels as batch.
//!
//! Rows of an earlier run, named by `--add`, are drawn and written along.
//!
//! The error is that of the whole event with the best threshold; measuring it is outside the clock, but for the sampler
//! that lives on errors, which measures them 15 times in a fit. Seconds are processor seconds over all threads (wall
//! seconds times threads where the system does not tell).

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss};
use inrfit::domain::{CoordMap, Transform};
use inrfit::event::Event;
use inrfit::field::calibrate;
use inrfit::io::read_event;
use inrfit::lane::{Level, Scalar};
use inrfit::net::{Model, NetSpec, Weights};
use inrfit::synth::SynthSettings;
use inrfit_figures::sampling::{self, SamplingAxis, SamplingPlot, SamplingRow};
use inrfit_sampling::{DrawTable, SamplerKind, Sites};
use std::time::Instant;

const N_THREADS: usize = 2;
/// Rounds of a fit; between two of them, a sampler may plan anew.
const N_ROUNDS: u64 = 16;

fn option(name: &str) -> Option<String> {
    let args: Vec<String> = std::env::args().collect();
    args.windows(2).find(|w| w[0] == name).map(|w| w[1].clone())
}

/// Processor seconds of this process so far.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

struct Problem {
    axes: [Vec<f32>; 3],
    targets: Vec<f32>,
    occupied: Vec<bool>,
    /// log2(1 + sample)
    truth: Vec<f32>,
    transform: Transform,
    range: (f64, f64),
}

impl Problem {
    fn new(event: &Event) -> Problem {
        let values: Vec<f32> = (0..event.n_voxels()).map(|i| event.samples().get(i) as f32).collect();
        let s = Scalar::new();
        let plain = Transform::Log2 { unit_exponent: 0, center: 0.0, scale: 1.0 };
        let truth: Vec<f32> = values.iter().map(|&v| plain.target(s, v)).collect();
        let mut logs: Vec<f32> = truth.iter().copied().filter(|t| *t > 0.0).collect();
        logs.sort_by(f32::total_cmp);
        let transform = Transform::Log2 { unit_exponent: 0, center: logs[logs.len() / 2], scale: 1.0 };
        let map = CoordMap { lo: [-1.6, -1.0, -0.3], hi: [1.6, 1.0, 0.3] };
        let lowest = values.iter().copied().filter(|v| *v > 0.0).fold(f32::INFINITY, f32::min);
        Problem {
            axes: [0, 1, 2].map(|a| map.axis(a, event.shape()[a])),
            targets: values.iter().map(|&v| transform.target(s, v)).collect(),
            occupied: values.iter().map(|v| *v != 0.0).collect(),
            range: (f64::from(lowest), f64::from(values.iter().copied().fold(0.0, f32::max))),
            truth,
            transform,
        }
    }

    fn sites(&self) -> SiteBlock<'_> {
        SiteBlock { axes: [&self.axes[0], &self.axes[1], &self.axes[2]], positions: None, features: &[] }
    }

    fn draws(&self) -> Sites<'_> {
        Sites { magnitude: &self.truth, occupied: &self.occupied }
    }

    /// Log error of every voxel, at the best threshold.
    fn errors(&self, cpu: &Cpu, weights: &Weights) -> Vec<f32> {
        let mut heads = vec![0.0; self.targets.len() * 2];
        cpu.evaluate(weights, &self.sites(), &mut heads).expect("an evaluation");
        let values = self.transform.values(Level::detect(), &heads, 2);
        let decoded: Vec<f32> = values
            .iter()
            .map(|v| (f64::from(*v).clamp(self.range.0, self.range.1).round() + 1.0).log2() as f32)
            .collect();
        let score: Vec<f32> = heads.iter().step_by(2).copied().collect();
        let threshold = calibrate(&score, &decoded, &self.truth).0;
        let pairs = score.iter().zip(&decoded).zip(&self.truth);
        pairs.map(|((s, d), t)| if *s > threshold { (d - t).abs() } else { *t }).collect()
    }

    /// log-MAE over the whole event, at the best threshold.
    fn log_mae(&self, cpu: &Cpu, weights: &Weights) -> f64 {
        let errors = self.errors(cpu, weights);
        errors.iter().map(|e| f64::from(*e)).sum::<f64>() / errors.len() as f64
    }
}

/// What to fit, and how long.
struct Plan {
    hidden: usize,
    rate: f32,
    n_steps: u64,
    /// Samples a step; with no sampler every voxel is one.
    batch: usize,
}

/// A fit, as a row.
fn measure(
    cpu: &Cpu,
    problem: &Problem,
    name: &str,
    sampler: Option<SamplerKind>,
    plan: &Plan,
) -> SamplingRow {
    let (seconds, weights) = fit(cpu, problem, sampler, plan);
    let log_mae = problem.log_mae(cpu, &weights);
    let n_voxels = problem.targets.len();
    let samples_per_step = if sampler.is_some() { plan.batch } else { n_voxels };
    let row = SamplingRow {
        sampler: name.to_owned(),
        seconds,
        steps: plan.n_steps,
        samples: plan.n_steps * samples_per_step as u64,
        log_mae,
        fraction: Some(samples_per_step as f64 / n_voxels as f64),
    };
    println!("{},{:.1},{},{},{:.4}", row.sampler, row.seconds, row.steps, row.samples, row.log_mae);
    row
}

/// Processor seconds of a fit, and its weights.
fn fit(cpu: &Cpu, problem: &Problem, sampler: Option<SamplerKind>, plan: &Plan) -> (f64, Weights) {
    let model = Model::Siren { omega_first: 90.0, omega_hidden: 12.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: plan.hidden, n_layers: 3, n_heads: 2 };
    let set = TrainingSet { sites: problem.sites(), targets: &problem.targets, occupied: &problem.occupied };
    let initial = Weights::initial(spec, 0).expect("valid sizes");
    let mut trainer = cpu.trainer(&initial, set, Precision::F32).expect("a trainer");
    let (start, wall) = (cpu_seconds(), Instant::now());
    let in_steps = |table: DrawTable| table.with_draws_per_step(plan.batch as u64);
    let built = sampler.map(|kind| kind.build().expect("a sampler"));
    let mut table = built.as_ref().map(|built| in_steps(built.plan(&problem.draws()).expect("a table")));
    let refreshed = built.filter(|_| sampler.is_some_and(SamplerKind::is_refreshed));
    let mut step = 0;
    while step < plan.n_steps {
        let n_steps = (plan.n_steps / N_ROUNDS).max(1).min(plan.n_steps - step);
        let round = Round {
            first_step: step,
            n_steps,
            batch: plan.batch,
            seed: 0,
            table: table.as_ref(),
            loss: Loss { value: ValueLoss::L1, value_scale: 0.5, correct: false },
            schedule: Schedule { initial: plan.rate, last: 0.01, n_steps: plan.n_steps },
            optimizer: Adam { beta2: 0.99, ..Adam::default() }.into(),
            rounding: None,
        };
        trainer.run(&round).expect("a round");
        step += n_steps;
        if let Some(sampler) = refreshed.as_ref().filter(|_| step < plan.n_steps) {
            let errors = problem.errors(cpu, &trainer.weights().expect("weights"));
            table = sampler.refresh(&problem.draws(), &errors).expect("a table").map(in_steps);
        }
    }
    let seconds = match (start, cpu_seconds()) {
        (Some(a), Some(b)) => b - a,
        _ => wall.elapsed().as_secs_f64() * N_THREADS as f64,
    };
    (seconds, trainer.weights().expect("weights"))
}

/// Lengths of schedules that are tried, in samples; in full batches the first are few steps.
const BUDGETS: [u64; 5] = [8 << 20, 16 << 20, 24 << 20, 48 << 20, 192 << 20];

/// By name; none for full batches.
fn samplers() -> Vec<(&'static str, Option<SamplerKind>)> {
    let names = ["importance", "balanced", "uniform", "uniform-once", "sparse", "entropy", "residual"];
    let kind = |name: &str| match name {
        // The default of the program.
        "balanced" => SamplerKind::Balanced { share: 0.3 },
        _ => name.parse().expect("a sampler"),
    };
    names.into_iter().map(|name| (name, Some(kind(name)))).chain([("full", None)]).collect()
}

fn main() {
    let number = |name, default: f64| option(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let list = |name| -> Option<Vec<f64>> {
        let text = option(name)?;
        Some(text.split([',', 'x']).map(|n| n.parse().expect("numbers")).collect())
    };
    let input = std::env::args().skip(1).find(|a| a.ends_with(".npy"));
    let event = match (&input, list("--shape")) {
        (Some(path), _) => read_event(path.as_ref()).expect("an event"),
        (None, Some(shape)) => {
            let shape = [0, 1, 2].map(|axis| shape[axis] as usize);
            SynthSettings { shape, ..SynthSettings::default() }.generate().expect("an event")
        }
        (None, None) => SynthSettings::default().generate().expect("an event"),
    };
    let problem = Problem::new(&event);
    let n_voxels = problem.targets.len();
    let cpu = Cpu::new(N_THREADS).expect("threads");
    let (target, limit) = (number("--target", 0.15), number("--limit", 250.0));
    let (hidden, rate) = (number("--hidden", 128.0) as usize, number("--rate", 1e-3) as f32);
    let batch = number("--batch", 8192.0) as usize;
    let only = option("--only");
    let earlier = option("--add").map(|path| sampling::read(path.as_ref()).expect("rows"));
    let mut rows: Vec<SamplingRow> = earlier.unwrap_or_default();
    println!("sampler,cpu_seconds,steps,samples,log_mae");
    for (name, sampler) in
        samplers().into_iter().filter(|(name, _)| only.as_deref().is_none_or(|o| o == *name))
    {
        if let Some(fractions) = list("--fractions") {
            // Full batches have but one fraction.
            let fractions = if sampler.is_some() { fractions } else { vec![1.0] };
            for fraction in fractions {
                let batch = ((fraction * n_voxels as f64) as usize).max(1);
                let n_steps = number("--steps", 500.0) as u64;
                rows.push(measure(&cpu, &problem, name, sampler, &Plan { hidden, rate, n_steps, batch }));
            }
            continue;
        }
        let samples_per_step = if sampler.is_some() { batch } else { n_voxels } as u64;
        // Without the noise of draws, a step can be longer.
        let rate = if sampler.is_some() { rate } else { 2.0 * rate };
        let given = list("--samples").map(|given| given.iter().map(|&n| n as u64).collect());
        let budgets: Vec<u64> = given.unwrap_or_else(|| BUDGETS.to_vec());
        let mut last: Option<SamplingRow> = None;
        for budget in budgets {
            // Time grows with the samples.
            let too_long = |r: &SamplingRow| r.seconds / r.samples as f64 * budget as f64 > limit;
            if last.as_ref().is_some_and(|r| r.log_mae <= target || too_long(r)) {
                break;
            }
            let n_steps = (budget / samples_per_step).max(1);
            let row = measure(&cpu, &problem, name, sampler, &Plan { hidden, rate, n_steps, batch });
            rows.push(row.clone());
            last = Some(row);
        }
    }
    for (name, against) in
        [("--figure", SamplingAxis::Seconds), ("--fraction-figure", SamplingAxis::Fraction)]
    {
        if let Some(path) = option(name) {
            let title = option("--title").unwrap_or_else(|| "Error by sampler".to_owned());
            let target = (against == SamplingAxis::Seconds).then_some(target);
            SamplingPlot { title, target, against }.save(&rows, path.as_ref()).expect("a writable file");
        }
    }
    if let Some(path) = option("-o") {
        sampling::write(path.as_ref(), &rows).expect("a writable file");
    }
}
