//! Training with bf16 products against training in f32: gradients agree as far as eight bits allow, and depend on no
//! number of threads. Skipped, in one line, on processors without AVX512-BF16.

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss};
use inrfit::error::ErrorKind;
use inrfit::lane::has_bf16;
use inrfit::net::{Model, NetSpec, Weights};

struct Problem {
    axes: [Vec<f32>; 3],
    features: Vec<f32>,
    targets: Vec<f32>,
    occupied: Vec<bool>,
}

impl Problem {
    fn new(shape: [usize; 3], n_features: usize) -> Problem {
        let n: usize = shape.iter().product();
        let noise = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) % 1000;
        Problem {
            axes: shape.map(|n| (0..n).map(|i| i as f32 / n as f32 - 0.4).collect()),
            features: (0..n * n_features).map(|i| (noise(i) % 2) as f32).collect(),
            targets: (0..n).map(|i| noise(i + 7) as f32 / 500.0 - 1.0).collect(),
            occupied: (0..n).map(|i| noise(i) < 300).collect(),
        }
    }

    fn set(&self) -> TrainingSet<'_> {
        let sites = SiteBlock {
            axes: [&self.axes[0], &self.axes[1], &self.axes[2]],
            positions: None,
            features: &self.features,
        };
        TrainingSet { sites, targets: &self.targets, occupied: &self.occupied }
    }
}

/// Gradients of a full batch. After one step from fresh moments the second moment is `(1 - beta2) g^2`, and the weights
/// have moved against the sign of `g`.
fn gradients(cpu: &Cpu, weights: &Weights, set: TrainingSet<'_>, precision: Precision) -> Vec<f64> {
    let adam = Adam { beta2: 0.5, ..Adam::default() };
    let round = Round {
        first_step: 0,
        n_steps: 1,
        batch: 0,
        seed: 0,
        table: None,
        loss: Loss { value: ValueLoss::L2, value_scale: 0.7, correct: false },
        schedule: Schedule { initial: 1e-3, last: 1.0, n_steps: 1 },
        optimizer: adam.into(),
        rounding: None,
    };
    let mut trainer = cpu.trainer(weights, set, precision).unwrap();
    trainer.run(&round).unwrap();
    let (after, curvature) = (trainer.weights().unwrap(), trainer.curvature().unwrap());
    let moved = after.values().iter().zip(weights.values()).map(|(a, b)| f64::from(b - a).signum());
    moved.zip(curvature).map(|(sign, v)| sign * f64::from(2.0 * v).sqrt()).collect()
}

fn norm(x: impl Iterator<Item = f64>) -> f64 {
    x.map(|x| x * x).sum::<f64>().sqrt()
}

fn missing() -> bool {
    if !has_bf16() {
        eprintln!("skipped: this processor has no AVX512-BF16");
    }
    !has_bf16()
}

#[test]
fn gradients_are_those_of_f32_to_eight_bits() {
    if missing() {
        return;
    }
    let cpu = Cpu::new(2).unwrap();
    for (hidden, n_layers, n_heads, n_features, shape) in [
        (128, 3, 2, 0, [11, 13, 7]),
        (16, 2, 1, 0, [5, 5, 5]),
        (17, 4, 2, 0, [9, 3, 5]),
        (40, 3, 1, 21, [8, 9, 4]),
        (5, 1, 2, 3, [1, 1, 1]),
    ] {
        let model = Model::Siren { omega_first: 20.0, omega_hidden: 10.0 };
        let spec = NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads };
        let weights = Weights::initial(spec, 3).unwrap();
        let problem = Problem::new(shape, n_features);
        let exact = gradients(&cpu, &weights, problem.set(), Precision::F32);
        let rough = gradients(&cpu, &weights, problem.set(), Precision::Bf16);
        for t in weights.tensors() {
            let difference = norm(t.range().map(|i| exact[i] - rough[i]));
            let size = norm(t.range().map(|i| exact[i]));
            // Rounding to eight bits is 0.2 % a factor; a few layers deep that is some percent.
            assert!(difference < 0.06 * size + 1e-6, "{spec:?} {t:?}: {difference:.3e} of {size:.3e}");
        }
        let all = norm(exact.iter().zip(&rough).map(|(a, b)| a - b));
        assert!(all > 0.0, "identical to f32: bf16 was not used");
    }
}

#[test]
fn bytes_do_not_depend_on_threads() {
    if missing() {
        return;
    }
    let model = Model::Siren { omega_first: 20.0, omega_hidden: 10.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: 24, n_layers: 3, n_heads: 2 };
    let weights = Weights::initial(spec, 3).unwrap();
    let problem = Problem::new([30, 20, 5], 0);
    let run = |n_threads| gradients(&Cpu::new(n_threads).unwrap(), &weights, problem.set(), Precision::Bf16);
    assert!(run(1) == run(4));
}

#[test]
fn processors_without_it_say_so() {
    if has_bf16() {
        return;
    }
    let model = Model::Siren { omega_first: 20.0, omega_hidden: 10.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: 8, n_layers: 1, n_heads: 1 };
    let problem = Problem::new([4, 4, 4], 0);
    let cpu = Cpu::new(1).unwrap();
    let error =
        cpu.trainer(&Weights::initial(spec, 0).unwrap(), problem.set(), Precision::Bf16).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}
