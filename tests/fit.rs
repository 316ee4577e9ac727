//! How a fit goes: its phases, and when it ends.

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Loss, Precision, SiteBlock, TrainingSet, ValueLoss};
use inrfit::fit::{FitSettings, fit};
use inrfit::net::{Model, NetSpec, Weights};
use inrfit::quant::{BitRates, MatrixBits};

const N: usize = 64;

fn settings() -> FitSettings {
    let model = Model::Siren { omega_first: 10.0, omega_hidden: 5.0 };
    FitSettings {
        spec: NetSpec { model, n_coords: 3, n_features: 0, hidden: 8, n_layers: 2, n_heads: 1 },
        input_scale: 1.0,
        n_steps: 320,
        batch: N,
        learning_rate: 3e-3,
        last_rate: 1.0,
        loss: Loss { value: ValueLoss::L2, value_scale: 1.0, correct: false },
        optimizer: Adam::default().into(),
        bits: None,
        rounding_from: 0.6,
        patience: None,
        keep_last: false,
        precision: Precision::F32,
        seed: 1,
        time_limit: None,
    }
}

/// Steps that a fit ran whose checkpoints have the errors that `error` says, and the steps at which it was asked.
fn run(settings: &FitSettings, mut error: impl FnMut(usize) -> f64) -> (u64, Vec<u64>) {
    let axis: Vec<f32> = (0..N).map(|i| i as f32 / N as f32 - 0.5).collect();
    let targets: Vec<f32> = (0..N).map(|i| if i < N / 2 { 0.5 } else { -0.5 }).collect();
    let sites = SiteBlock { axes: [&axis, &[0.0], &[0.0]], positions: None, features: &[] };
    let set = TrainingSet { sites, targets: &targets, occupied: &[true; N] };
    let (mut n_scored, mut steps) = (0, vec![]);
    let mut score = |_: &Weights| {
        n_scored += 1;
        Ok(error(n_scored - 1))
    };
    let mut heard = |progress: inrfit::fit::FitProgress| {
        steps.push(progress.step);
        true
    };
    let cpu = Cpu::new(1).unwrap();
    let fitted = fit(&cpu, set, None, settings, &mut score, &mut heard).unwrap();
    (fitted.n_steps, steps)
}

#[test]
fn a_fit_that_gains_runs_all_its_steps() {
    let patient = FitSettings { patience: Some(2), ..settings() };
    assert_eq!(run(&patient, |i| 0.9f64.powi(i as i32)).0, 320);
    assert_eq!(run(&settings(), |_| 1.0).0, 320);
}

#[test]
fn each_phase_ends_when_its_checkpoints_gain_no_more() {
    let bits = BitRates { matrix: MatrixBits::Mean(6.0), bias: 8.0, quarters: false };
    let patient = FitSettings { patience: Some(2), bits: Some(bits), ..settings() };
    // Of 192 steps without rounding checkpoints come every 20, of 128 with it every 16: the third of either is the
    // second without a gain.
    let (n_steps, steps) = run(&patient, |_| 1.0);
    assert_eq!(n_steps, 3 * 20 + 3 * 16);
    assert_eq!(steps, [20, 40, 60, 208, 224, 240]);
    // Half a percent is no gain.
    assert_eq!(run(&patient, |i| 0.995f64.powi(i as i32)).0, n_steps);
}
