//! Error against time by sampler: how much processor time each needs to a given log-MAE.
//!
//! `cargo bench --bench samplers -- EVENT.npy [--target 0.15] [--batch 8192] [--limit 150] [--rate 1e-3]
//! [--only SAMPLER] [--samples N]
//! [-o rows.csv]
//! [--figure error.svg]` fits a SIREN
//! of 128 units and 3 layers with two heads, unquantised, with every sampler at the same batch and with full batches
//! (every voxel a step, at twice the learning rate). Each is given cosine schedules of growing length until one ends at
//! the target, or would take longer than the limit. The error is that of the whole event with the best threshold;
//! measuring it is outside the clock. Seconds are processor seconds of the steps over all threads (wall seconds times
//! threads where the system does not tell).

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss};
use inrfit::domain::{CoordMap, Transform};
use inrfit::event::Event;
use inrfit::field::calibrate;
use inrfit::io::read_event;
use inrfit::lane::{Level, Scalar};
use inrfit::net::{Model, NetSpec, Weights};
use inrfit::synth::SynthSettings;
use inrfit_figures::sampling::{self, SamplingPlot, SamplingRow};
use inrfit_sampling::{Balanced, DrawTable, Importance, Sampler, Sites, Uniform};
use std::time::Instant;

const N_THREADS: usize = 2;

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

    /// log-MAE over the whole event, at the best threshold.
    fn log_mae(&self, cpu: &Cpu, weights: &Weights) -> f64 {
        let mut heads = vec![0.0; self.targets.len() * 2];
        cpu.evaluate(weights, &self.sites(), &mut heads).expect("an evaluation");
        let values = self.transform.values(Level::detect(), &heads, 2);
        let decoded: Vec<f32> = values
            .iter()
            .map(|v| (f64::from(*v).clamp(self.range.0, self.range.1).round() + 1.0).log2() as f32)
            .collect();
        let score: Vec<f32> = heads.iter().step_by(2).copied().collect();
        calibrate(&score, &decoded, &self.truth).1 / self.truth.len() as f64
    }
}

/// Fits with cosine schedules of growing length until one ends at the target, or would pass the limit; a row each.
fn run(
    cpu: &Cpu,
    problem: &Problem,
    name: &str,
    table: Option<&DrawTable>,
    rate: f32,
    goal: &Goal,
) -> Vec<SamplingRow> {
    let samples_per_step = if table.is_some() { goal.batch } else { problem.targets.len() } as u64;
    let mut rows: Vec<SamplingRow> = Vec::new();
    for &budget in &goal.budgets {
        let n_steps = (budget / samples_per_step).max(1);
        // Time grows with the samples.
        if rows.last().is_some_and(|r| r.seconds / r.samples as f64 * budget as f64 > goal.limit) {
            break;
        }
        let (seconds, weights) = fit(cpu, problem, table, rate, n_steps, goal.batch);
        let log_mae = problem.log_mae(cpu, &weights);
        let sampler = name.to_owned();
        eprintln!("{name}: {seconds:.1} s, {n_steps} steps, log-MAE {log_mae:.4}");
        rows.push(SamplingRow {
            sampler,
            seconds,
            steps: n_steps,
            samples: n_steps * samples_per_step,
            log_mae,
        });
        if log_mae <= goal.target {
            break;
        }
    }
    rows
}

/// Processor seconds of a fit, and its weights.
fn fit(
    cpu: &Cpu,
    problem: &Problem,
    table: Option<&DrawTable>,
    rate: f32,
    n_steps: u64,
    batch: usize,
) -> (f64, Weights) {
    let model = Model::Siren { omega_first: 90.0, omega_hidden: 12.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: 128, n_layers: 3, n_heads: 2 };
    let set = TrainingSet { sites: problem.sites(), targets: &problem.targets, occupied: &problem.occupied };
    let initial = Weights::initial(spec, 0).expect("valid sizes");
    let mut trainer = cpu.trainer(&initial, set, Precision::F32).expect("a trainer");
    let (start, wall) = (cpu_seconds(), Instant::now());
    let round = Round {
        first_step: 0,
        n_steps,
        batch,
        seed: 0,
        table,
        loss: Loss { value: ValueLoss::L1, value_scale: 0.5, correct: false },
        schedule: Schedule { initial: rate, last: 0.01, n_steps },
        adam: Adam { beta2: 0.99, ..Adam::default() },
        rounding: None,
    };
    trainer.run(&round).expect("a round");
    let seconds = match (start, cpu_seconds()) {
        (Some(a), Some(b)) => b - a,
        _ => wall.elapsed().as_secs_f64() * N_THREADS as f64,
    };
    (seconds, trainer.weights().expect("weights"))
}

/// Lengths of schedules that are tried, in samples; in full batches the first are few steps.
const BUDGETS: [u64; 4] = [8 << 20, 16 << 20, 24 << 20, 48 << 20];

struct Goal {
    target: f64,
    limit: f64,
    batch: usize,
    budgets: Vec<u64>,
}

fn main() {
    let number = |name, default: f64| option(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let goal = Goal {
        target: number("--target", 0.15),
        limit: number("--limit", 150.0),
        batch: number("--batch", 8192.0) as usize,
        budgets: match option("--samples").and_then(|n| n.parse().ok()) {
            Some(n) => vec![n],
            None => BUDGETS.to_vec(),
        },
    };
    let input = std::env::args().skip(1).find(|a| a.ends_with(".npy"));
    let event = match &input {
        Some(path) => read_event(path.as_ref()).expect("an event"),
        None => SynthSettings::default().generate().expect("an event"),
    };
    let problem = Problem::new(&event);
    let cpu = Cpu::new(N_THREADS).expect("threads");
    let sites = Sites { magnitude: &problem.truth, occupied: &problem.occupied };
    let samplers: [(&str, Box<dyn Sampler>); 3] = [
        ("importance", Box::new(Importance::default())),
        ("balanced", Box::new(Balanced::new(0.3).expect("a share"))),
        ("uniform", Box::new(Uniform)),
    ];
    let rate = number("--rate", 1e-3) as f32;
    let mut rows = Vec::new();
    println!("sampler,cpu_seconds,steps,samples,log_mae");
    let mut show = |new: Vec<SamplingRow>| {
        if let Some(r) = new.last() {
            println!("{},{:.1},{},{},{:.4}", r.sampler, r.seconds, r.steps, r.samples, r.log_mae);
        }
        rows.extend(new);
    };
    let only = option("--only");
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    for (name, sampler) in samplers.into_iter().filter(|(name, _)| wanted(name)) {
        let table = sampler.plan(&sites).expect("a table");
        show(run(&cpu, &problem, name, Some(&table), rate, &goal));
    }
    // Without the noise of draws, a step can be longer.
    if wanted("full") {
        show(run(&cpu, &problem, "full", None, 2.0 * rate, &goal));
    }
    if let Some(path) = option("--figure") {
        let plot = SamplingPlot {
            title: "Error against processor time, by sampler".into(),
            target: Some(goal.target),
        };
        plot.save(&rows, path.as_ref()).expect("a writable file");
    }
    if let Some(path) = option("-o") {
        sampling::write(path.as_ref(), &rows).expect("a writable file");
    }
}
