//! Error against time by sampler: how much processor time each needs to a given log-MAE.
//!
//! `cargo bench --bench samplers -- EVENT.npy [--target 0.15] [--batch 8192] [--limit 900] [-o rows.csv]
//! [--figure error.svg]` fits a SIREN
//! of 128 units and 3 layers with two heads, unquantised, at a constant learning rate, with every sampler at the same
//! batch and with full batches (every voxel a step, at the best of three learning rates). The error is that of the
//! whole event after each round, with the best threshold; measuring it is outside the clock. Seconds are processor
//! seconds of the training steps over all threads (wall seconds times threads where the system does not tell).

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{
    Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, Trainer, TrainingSet, ValueLoss,
};
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

/// Trains until the target or the limit; rows of error against processor seconds.
fn run(
    cpu: &Cpu,
    problem: &Problem,
    name: &str,
    table: Option<&DrawTable>,
    rate: f32,
    goal: &Goal,
) -> Vec<SamplingRow> {
    let model = Model::Siren { omega_first: 90.0, omega_hidden: 12.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: 128, n_layers: 3, n_heads: 2 };
    let set = TrainingSet { sites: problem.sites(), targets: &problem.targets, occupied: &problem.occupied };
    let mut trainer: Box<dyn Trainer> = cpu
        .trainer(&Weights::initial(spec, 0).expect("valid sizes"), set, Precision::F32)
        .expect("a trainer");
    let samples_per_step = if table.is_some() { goal.batch } else { problem.targets.len() } as u64;
    let n_steps = (goal.samples_per_round / samples_per_step).max(1);
    let (mut rows, mut seconds, mut step) = (Vec::new(), 0.0, 0);
    while seconds < goal.limit {
        let (start, wall) = (cpu_seconds(), Instant::now());
        let round = Round {
            first_step: step,
            n_steps,
            batch: goal.batch,
            seed: 0,
            table,
            loss: Loss { value: ValueLoss::L1, value_scale: 0.5, correct: false },
            schedule: Schedule { initial: rate, last: 1.0, n_steps: 1 },
            adam: Adam { beta2: 0.99, ..Adam::default() },
            rounding: None,
        };
        trainer.run(&round).expect("a round");
        seconds += match (start, cpu_seconds()) {
            (Some(a), Some(b)) => b - a,
            _ => wall.elapsed().as_secs_f64() * N_THREADS as f64,
        };
        step += n_steps;
        let log_mae = problem.log_mae(cpu, &trainer.weights().expect("weights"));
        rows.push(SamplingRow {
            sampler: name.to_owned(),
            seconds,
            steps: step,
            samples: step * samples_per_step,
            log_mae,
        });
        if log_mae <= goal.target {
            break;
        }
    }
    rows
}

struct Goal {
    target: f64,
    limit: f64,
    batch: usize,
    samples_per_round: u64,
}

fn main() {
    let number = |name, default: f64| option(name).and_then(|v| v.parse().ok()).unwrap_or(default);
    let goal = Goal {
        target: number("--target", 0.15),
        limit: number("--limit", 900.0),
        batch: number("--batch", 8192.0) as usize,
        samples_per_round: 1 << 20,
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
    let mut rows = Vec::new();
    println!("sampler,cpu_seconds,steps,samples,log_mae");
    let mut show = |new: Vec<SamplingRow>| {
        if let Some(r) = new.last() {
            println!("{},{:.1},{},{},{:.4}", r.sampler, r.seconds, r.steps, r.samples, r.log_mae);
        }
        rows.extend(new);
    };
    for (name, sampler) in samplers {
        let table = sampler.plan(&sites).expect("a table");
        show(run(&cpu, &problem, name, Some(&table), 1e-3, &goal));
    }
    for rate in [1e-3, 2e-3, 4e-3] {
        show(run(&cpu, &problem, &format!("full, rate {rate}"), None, rate, &goal));
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
