//! Every sampler through the whole journey: it learns, and its bytes depend on nothing but the settings.

mod common;

use common::{codec, event};
use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, SiteBlock, TrainingSet, ValueLoss};
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::error::{Error, Result};
use inrfit::event::{DType, Event, Samples};
use inrfit::fit::{FitSettings, Fitted, fit_refreshed};
use inrfit::metrics::Metrics;
use inrfit::net::{Model, NetSpec, Weights};
use inrfit::settings::{Mode, Settings};
use inrfit_sampling::DrawTable;

const SAMPLERS: [&str; 8] =
    ["uniform", "uniform-once", "importance", "balanced", "sparse", "entropy", "residual", "full"];

#[test]
fn every_sampler_learns_and_is_the_same_on_any_number_of_threads() {
    let event = event([24, 20, 12], DType::U16);
    let nothing = {
        let samples = Samples::zeros(DType::U16, event.n_voxels());
        let empty = Event::new(event.shape(), samples).unwrap();
        Metrics::compare(&event, &empty, 1023.0).unwrap().log_mae
    };
    let mut files: Vec<Vec<u8>> = Vec::new();
    for name in SAMPLERS {
        let settings = Settings {
            mode: Mode::Field,
            sampling: Some(name.parse().unwrap()),
            n_steps: Some(400),
            hidden: Some(16),
            ..Settings::default()
        };
        let two = codec(settings);
        let made = two.compress(&event, &Silent).unwrap();
        let one = InrCodec { n_threads: 1, ..two };
        assert!(one.encode(&event).unwrap() == made.bytes, "{name}: other bytes on one thread");
        let log_mae = Metrics::compare(&event, &made.decoded, 1023.0).unwrap().log_mae;
        assert!(log_mae < 0.7 * nothing, "{name}: log-MAE {log_mae}, of nothing {nothing}");
        assert!(!files.contains(&made.bytes), "{name}: the bytes of another sampler");
        files.push(made.bytes);
    }
}

#[test]
fn beside_an_exact_support_the_sites_are_the_occupied_voxels() {
    let event = event([24, 20, 12], DType::U16);
    let bytes = |name: &str, n_threads| {
        let settings = Settings {
            mode: Mode::Masked,
            sampling: Some(name.parse().unwrap()),
            n_steps: Some(400),
            ..Settings::default()
        };
        let made = InrCodec { n_threads, ..codec(settings) }.compress(&event, &Silent).unwrap();
        let m = Metrics::compare(&event, &made.decoded, 1023.0).unwrap();
        assert!(made.report.layers.field > 0 && (m.precision, m.recall) == (1.0, 1.0), "{name}: {m:?}");
        assert!(m.log_mae < 0.1, "{name}: log-MAE {}", m.log_mae);
        made.bytes
    };
    let of: Vec<Vec<u8>> = SAMPLERS.iter().map(|name| bytes(name, 2)).collect();
    let same = |a: &str, b: &str| {
        let at = |name: &str| SAMPLERS.iter().position(|s| *s == name).unwrap();
        of[at(a)] == of[at(b)]
    };
    // Without empty sites nothing else is left of these two.
    assert!(same("balanced", "uniform") && same("sparse", "uniform-once"));
    for name in ["uniform-once", "importance", "entropy", "residual", "full"] {
        assert!(!same(name, "uniform"), "{name} is uniform");
    }
    assert!(bytes("residual", 1) == of[6], "residual: other bytes on one thread");
}

/// A fit of a step over 64 sites, from draws of the first half alone unless `refresh` says otherwise.
fn fitted(refresh: &mut dyn FnMut(&Weights) -> Result<Option<DrawTable>>) -> Fitted {
    let axis: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
    let targets: Vec<f32> = (0..64).map(|i| if i < 32 { 0.5 } else { -0.5 }).collect();
    let sites = SiteBlock { axes: [&axis, &[0.0], &[0.0]], positions: None, features: &[] };
    let set = TrainingSet { sites, targets: &targets, occupied: &[true; 64] };
    let first: Vec<f64> = (0..64).map(|i| if i < 32 { 1.0 } else { 0.0 }).collect();
    let model = Model::Siren { omega_first: 10.0, omega_hidden: 5.0 };
    let settings = FitSettings {
        spec: NetSpec { model, n_coords: 3, n_features: 0, hidden: 8, n_layers: 2, n_heads: 1 },
        input_scale: 1.0,
        n_steps: 320,
        batch: 64,
        learning_rate: 3e-3,
        last_rate: 1.0,
        loss: Loss { value: ValueLoss::L2, value_scale: 1.0, correct: false },
        optimizer: Adam::default().into(),
        bits: None,
        rounding_from: 0.6,
        patience: None,
        keep_last: true,
        precision: Precision::F32,
        seed: 1,
        time_limit: None,
    };
    let cpu = Cpu::new(1).unwrap();
    let table = DrawTable::from_weights(&first).unwrap();
    fit_refreshed(&cpu, set, Some(&table), &settings, &mut |_| Ok(0.0), &mut |_| true, refresh).unwrap()
}

#[test]
fn a_fit_follows_the_tables_it_is_given() {
    let axis: Vec<f32> = (0..64).map(|i| i as f32 / 32.0 - 1.0).collect();
    let error = |fitted: &Fitted| {
        let sites = SiteBlock { axes: [&axis, &[0.0], &[0.0]], positions: None, features: &[] };
        let mut out = vec![0.0; 64];
        Cpu::new(1).unwrap().evaluate(&fitted.weights, &sites, &mut out).unwrap();
        out[32..].iter().map(|v| (v + 0.5).abs()).sum::<f32>() / 32.0
    };
    let blind = fitted(&mut |_| Ok(None));
    let mut n_calls = 0;
    let refreshed = fitted(&mut |_| {
        n_calls += 1;
        DrawTable::uniform(64).map(Some).map_err(|e| Error::argument(e.to_string()))
    });
    assert_eq!(n_calls, 15, "after each of 16 checkpoints but the last");
    let (blind, refreshed) = (error(&blind), error(&refreshed));
    assert!(blind > 0.5 && refreshed < 0.25, "without the other half {blind}, with it {refreshed}");
}
