//! The kernels on the host held to the Rust code: draws and decoding must be the same bits; training, whose sums run in
//! another order than the CPU's, must agree within rounding, and with itself to the bit however it is cut up.

use super::{Twin, TwinQueue, twin};
use crate::backend::cpu::Cpu;
use crate::backend::cuda::machine::{Queue, hold};
use crate::backend::cuda::trainer::{CudaTrainer, Cut, hold_table, start};
use crate::backend::cuda::{abi, evaluate};
use crate::backend::{
    Adam, Backend, Loss, Muon, Optimizer, Precision, Round, Schedule, SiteBlock, Trainer, TrainingSet,
    ValueLoss,
};
use crate::error::{Error, ErrorKind};
use crate::net::{Model, NetSpec, Weights};
use inrfit_sampling::{DrawTable, rng};
use std::sync::Arc;

/// Uniform numbers in [-1, 1).
fn numbers(seed: u64, n: usize) -> Vec<f32> {
    let mut stream = rng::Stream::new(seed, 7);
    (0..n).map(|_| (2.0 * stream.unit() - 1.0) as f32).collect()
}

const MODELS: usize = 6;

/// One network of each family, and of sizes that are no multiples of anything.
fn spec(model: usize, hidden: usize, n_layers: usize, n_features: usize, n_heads: usize) -> NetSpec {
    let (coord_units, feature_units) = (hidden + 3, hidden.div_ceil(2));
    let model = match model {
        0 => Model::Siren { omega_first: 30.0, omega_hidden: 7.5 },
        1 => Model::Conditioned { omega_first: 60, omega_hidden: 3, coord_units, feature_units },
        2 => Model::Fourier { scale: 2.0, seed: 3, n_frequencies: hidden + 1, feature_units },
        3 => Model::Filters { omega: 20.0, coord_units, feature_units },
        4 => Model::Gabor { omega: 9.0, scale: 4.0, coord_units, feature_units },
        _ => Model::RealGabor { omega: 9.0, scale: 4.0, coord_units, feature_units },
    };
    NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads }
}

/// Sites on a grid, their features and goals.
struct Data {
    axes: [Vec<f32>; 3],
    positions: Option<Vec<u32>>,
    features: Vec<f32>,
    targets: Vec<f32>,
    occupied: Vec<bool>,
}

impl Data {
    fn new(seed: u64, shape: [usize; 3], every: Option<usize>, n_features: usize) -> Data {
        let axis = |n: usize| (0..n).map(|i| 2.0 * i as f32 / (n.max(2) - 1) as f32 - 1.0).collect();
        let n_grid: usize = shape.iter().product();
        let positions = every.map(|every| (0..n_grid as u32).step_by(every).collect::<Vec<_>>());
        let n = positions.as_ref().map_or(n_grid, Vec::len);
        let targets = numbers(seed, n);
        Data {
            axes: shape.map(axis),
            positions,
            features: numbers(seed + 1, n * n_features),
            occupied: targets.iter().map(|t| *t > 0.3).collect(),
            targets,
        }
    }

    fn sites(&self) -> SiteBlock<'_> {
        let [a, b, c] = &self.axes;
        SiteBlock { axes: [a, b, c], positions: self.positions.as_deref(), features: &self.features }
    }

    fn set(&self) -> TrainingSet<'_> {
        TrainingSet { sites: self.sites(), targets: &self.targets, occupied: &self.occupied }
    }
}

/// Enough for everything, for small tiles, and for nothing at all.
const LIMITS: [usize; 3] = [200_000, 12_000, 64];

#[test]
fn structures_are_those_of_the_kernels() {
    let Some(twin) = twin(64, 0) else { return };
    let sizes = [
        size_of::<abi::Net>(),
        size_of::<abi::Layer>(),
        size_of::<abi::Places>(),
        size_of::<abi::Sites>(),
        size_of::<abi::Table>(),
        size_of::<abi::Step>(),
        size_of::<abi::Standing>(),
        size_of::<abi::Matrix>(),
        size_of::<abi::Job>(),
        size_of::<abi::Round>(),
        size_of::<abi::Evaluation>(),
        size_of::<Drawing>(),
        size_of::<abi::Training>(),
    ];
    let library = twin.library.lock().unwrap();
    // SAFETY: a function of a number.
    let size = unsafe { library.get::<unsafe extern "C" fn(u32) -> usize>(b"host_size") }.unwrap();
    for (i, n) in sizes.into_iter().enumerate() {
        // SAFETY: as above.
        assert_eq!(unsafe { size(i as u32) }, n, "structure {i}");
    }
}

#[repr(C)]
#[derive(Debug, Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct Drawing {
    table: abi::Table,
    seed: u64,
    step: u64,
    start: abi::Start,
    first: u64,
    n: u64,
    out: u64,
}

#[test]
fn draws_are_those_of_the_host() {
    let Some(twin) = twin(64, 1) else { return };
    let weights: Vec<f64> =
        (0..1003).map(|i| if i % 5 == 0 { 0.0 } else { 1.0 + f64::from(i % 17) }).collect();
    let some: Vec<bool> = (0..2000).map(|i| i % 7 == 0).collect();
    let tables = [
        DrawTable::uniform(764_928).unwrap(),
        DrawTable::uniform(1).unwrap(),
        DrawTable::from_weights(&weights).unwrap(),
        DrawTable::once(1000).unwrap(),
        DrawTable::once(75_000).unwrap().with_draws_per_step(8192),
        DrawTable::once(3).unwrap().with_draws_per_step(100),
        DrawTable::once_with_share(&some, 300).unwrap().with_draws_per_step(777),
        DrawTable::once_with_share(&[false; 500], 20).unwrap().with_draws_per_step(64),
    ];
    for (i, table) in tables.iter().enumerate() {
        for (seed, step, first) in [(0, 0, 0), (0x0123_4567_89ab_cdef, 41, 900), (5, (1 << 40) + 3, 7)] {
            let mut expected = vec![0; 700];
            table.draw_into(seed, step, first, &mut expected);
            let mut queue = TwinQueue { twin: &twin, held: Vec::new() };
            let work = Drawing {
                table: hold_table(&mut queue, table).unwrap(),
                seed,
                step,
                start: start(Some(table), step),
                first,
                n: 700,
                out: queue.allocate(4 * 700).unwrap(),
            };
            queue.start("draw", 2, 0, bytemuck::bytes_of(&work));
            let mut drawn = vec![0u32; 700];
            queue.download(work.out, bytemuck::cast_slice_mut(&mut drawn)).unwrap();
            assert_eq!(drawn, expected, "table {i}, seed {seed}, step {step}");
        }
    }
}

#[test]
fn decoding_gives_the_bits_of_the_cpu() {
    let cpu = Cpu::new(1).unwrap();
    let sizes = [(5, 2, 0), (16, 3, 0), (13, 1, 81), (24, 3, 7), (70, 2, 0)];
    for model in 0..MODELS {
        for (i, (hidden, n_layers, n_features)) in sizes.into_iter().enumerate() {
            let spec = spec(model, hidden, n_layers, n_features, 1 + (i + model) % 2);
            let weights = Weights::new(spec, numbers(i as u64, spec.n_weights())).unwrap();
            let data = Data::new(i as u64, [5, 7, 9], (i % 2 == 1).then_some(2), n_features);
            let mut expected = vec![0.0f32; data.sites().n_sites() * spec.n_heads];
            cpu.evaluate(&weights, &data.sites(), &mut expected).unwrap();
            for (k, shared) in LIMITS.into_iter().enumerate() {
                let Some(twin) = twin(shared, 3 * k as u64) else { return };
                let mut got = vec![f32::NAN; expected.len()];
                evaluate(&twin, &weights, &data.sites(), &mut got).unwrap();
                let same = got.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                assert!(same, "{spec:?} with {shared} bytes of shared memory");
            }
        }
    }
}

#[test]
fn decoding_gives_the_bits_of_the_cpu_where_weights_are_strange() {
    let cpu = Cpu::new(1).unwrap();
    let strange = [0.0, -0.0, 1e-42, 1e30, -3e38, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 65_536.0];
    for model in 0..MODELS {
        let spec = spec(model, 6, 2, 0, 2);
        let mut values = numbers(3, spec.n_weights());
        for (i, v) in values.iter_mut().enumerate().filter(|(i, _)| i % 11 == 0) {
            *v = strange[i / 11 % strange.len()];
        }
        let weights = Weights::new(spec, values).unwrap();
        let data = Data::new(1, [4, 4, 5], None, 0);
        let mut expected = vec![0.0f32; 80 * 2];
        cpu.evaluate(&weights, &data.sites(), &mut expected).unwrap();
        let Some(twin) = twin(LIMITS[0], 9) else { return };
        let mut got = vec![1.0f32; 80 * 2];
        evaluate(&twin, &weights, &data.sites(), &mut got).unwrap();
        let same = |(a, b): (&f32, &f32)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(got.iter().zip(&expected).all(same), "{spec:?}");
    }
}

/// How the steps of a test go.
#[derive(Clone, Copy)]
struct How<'a> {
    table: Option<&'a DrawTable>,
    batch: usize,
    optimizer: Optimizer,
    loss: ValueLoss,
    correct: bool,
    rounding: Option<&'a [f32]>,
}

fn round<'a>(how: &How<'a>, first_step: u64, n_steps: u64) -> Round<'a> {
    Round {
        first_step,
        n_steps,
        batch: how.batch,
        seed: 11,
        table: how.table,
        loss: Loss { value: how.loss, value_scale: 0.7, correct: how.correct },
        schedule: Schedule { initial: 3e-3, last: 0.1, n_steps: 10 },
        optimizer: how.optimizer,
        rounding: how.rounding,
    }
}

fn trainer<'a>(twin: &'a Twin, weights: &Weights, data: &Data, cut: Cut) -> CudaTrainer<'a> {
    trainer_in(Precision::F32, twin, weights, data, cut)
}

fn trainer_in<'a>(
    precision: Precision,
    twin: &'a Twin,
    weights: &Weights,
    data: &Data,
    cut: Cut,
) -> CudaTrainer<'a> {
    CudaTrainer::new(twin, Arc::default(), weights, data.set(), precision, Some(cut)).unwrap()
}

/// Loss, weights and curvature after a step, and after two more of another round.
fn steps(trainer: &mut dyn Trainer, how: &How<'_>) -> (Vec<f64>, Vec<f32>, Vec<f32>) {
    let first = trainer.run(&round(how, 0, 1)).unwrap();
    let curvature = trainer.curvature().unwrap();
    let second = trainer.run(&round(how, 1, 2)).unwrap();
    (vec![first, second], trainer.weights().unwrap().values().to_vec(), curvature)
}

/// Relative to the largest: nine tenths of the values within a tenth of `bound`, all within it.
fn assert_close(got: &[f32], expected: &[f32], bound: f32, what: &str) {
    let largest = expected.iter().fold(0.0f32, |m, e| m.max(e.abs()));
    let mut errors: Vec<f32> = got.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest).collect();
    errors.sort_unstable_by(f32::total_cmp);
    let (most, last) = (errors[errors.len() * 9 / 10], errors[errors.len() - 1]);
    assert!(last <= bound && most <= bound / 10.0, "{what}: {most} in most values, {last} in all");
}

#[test]
fn gradients_and_steps_agree_with_the_cpu() {
    let cpu = Cpu::new(1).unwrap();
    let adam = Optimizer::from(Adam::default());
    let muon = Muon { momentum: 0.95, step: 0.2 };
    let optimizers = [
        adam,
        Optimizer { decay: 0.1, clip: Some(0.01), ..adam },
        Optimizer { muon: Some(muon), clip: Some(0.5), ..adam },
    ];
    for model in 0..MODELS {
        for (i, (hidden, n_layers, n_features)) in [(12, 3, 0), (9, 2, 10)].into_iter().enumerate() {
            let spec = spec(model, hidden, n_layers, n_features, 2 - i);
            let start = Weights::initial(spec, 5).unwrap();
            let data = Data::new(i as u64, [6, 7, 8], (i == 1).then_some(2), n_features);
            let n = data.targets.len();
            let weights: Vec<f64> = data.occupied.iter().map(|o| if *o { 3.0 } else { 1.0 }).collect();
            let tables = [DrawTable::from_weights(&weights).unwrap(), DrawTable::once(n).unwrap()];
            for (k, optimizer) in optimizers.into_iter().enumerate() {
                let how = How {
                    table: tables.get(k),
                    batch: 200,
                    optimizer,
                    loss: if k == 1 { ValueLoss::L2 } else { ValueLoss::L1 },
                    correct: k == 0,
                    rounding: None,
                };
                let mut on_cpu = cpu.trainer(&start, data.set(), Precision::F32).unwrap();
                let expected = steps(on_cpu.as_mut(), &how);
                let Some(twin) = twin(LIMITS[i], 17) else { return };
                let got = steps(&mut trainer(&twin, &start, &data, Cut::Groups), &how);
                let what = format!("{spec:?}, optimiser {k}");
                // Where a sum is as good as 0, rectifiers may be on here and off there from the second step on.
                for ((a, b), bound) in got.0.iter().zip(&expected.0).zip([1e-6, 1e-3]) {
                    assert!((a / b - 1.0).abs() < bound, "{what}: losses {a} and {b}");
                }
                // Roots of the squared gradients of the first step.
                let [a, b] = [&got.2, &expected.2].map(|c| c.iter().map(|c| c.sqrt()).collect::<Vec<_>>());
                assert_close(&a, &b, 1e-4, &format!("gradients of {what}"));
                assert_close(&got.1, &expected.1, 1e-2, &format!("weights of {what}"));
                let moved: Vec<f32> = start.values().iter().zip(&got.1).map(|(a, b)| b - a).collect();
                assert!(moved.iter().filter(|m| **m != 0.0).count() * 10 > moved.len() * 8, "{what}");
            }
        }
    }
}

#[test]
fn however_a_round_is_cut_up_it_gives_the_same_bits() {
    let adam = Optimizer::from(Adam::default());
    for model in 0..MODELS {
        let spec = spec(model, 10, 2, 6, 2);
        let start = Weights::initial(spec, 5).unwrap();
        let data = Data::new(3, [6, 7, 11], None, 6);
        let table = DrawTable::once(data.targets.len()).unwrap().with_draws_per_step(333);
        let rounding = vec![0.01; start.tensors().len()];
        let optimizers = [
            Optimizer { decay: 0.01, ..adam },
            Optimizer { clip: Some(0.1), muon: Some(Muon { momentum: 0.9, step: 0.2 }), ..adam },
        ];
        for optimizer in optimizers {
            let how = How {
                table: Some(&table),
                batch: 333,
                optimizer,
                loss: ValueLoss::L1,
                correct: true,
                rounding: Some(&rounding),
            };
            let mut all = Vec::new();
            for (cut, shared, order) in [
                (Cut::Groups, LIMITS[0], 0),
                (Cut::Groups, LIMITS[1], 1),
                (Cut::Whole, LIMITS[0], 0),
                (Cut::Whole, LIMITS[1], 2),
                (Cut::Whole, LIMITS[2], 3),
            ] {
                let Some(twin) = twin(shared, order) else { return };
                let (losses, weights, curvature) = steps(&mut trainer(&twin, &start, &data, cut), &how);
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                let losses: Vec<u64> = losses.iter().map(|l| l.to_bits()).collect();
                all.push((losses, bits(&weights), bits(&curvature)));
            }
            assert!(all.iter().all(|a| *a == all[0]), "{spec:?}");
        }
    }
}

#[test]
fn products_of_bf16_are_near_those_of_f32_and_the_same_bits_however_cut_up() {
    let cpu = Cpu::new(1).unwrap();
    for model in [0, 1, 2, 5] {
        for (hidden, n_layers, n_features) in [(24, 3, 0), (17, 2, 33), (70, 2, 18)] {
            let spec = spec(model, hidden, n_layers, n_features, 2);
            let start = Weights::initial(spec, 5).unwrap();
            let data = Data::new(1, [6, 7, 8], None, n_features);
            let table = DrawTable::once(data.targets.len()).unwrap().with_draws_per_step(150);
            let how = How {
                table: Some(&table),
                batch: 150,
                optimizer: Adam::default().into(),
                loss: ValueLoss::L2,
                correct: false,
                rounding: None,
            };
            let mut on_cpu = cpu.trainer(&start, data.set(), Precision::F32).unwrap();
            let exact = steps(on_cpu.as_mut(), &how);
            let what = format!("{spec:?}");
            let mut all = Vec::new();
            for (cut, shared, order) in
                [(Cut::Groups, LIMITS[0], 5), (Cut::Whole, LIMITS[0], 6), (Cut::Whole, LIMITS[1], 0)]
            {
                let Some(twin) = twin(shared, order) else { return };
                let mut trainer = trainer_in(Precision::Bf16, &twin, &start, &data, cut);
                let got = steps(&mut trainer, &how);
                // Eight bits of each factor; nothing is as exact as f32, or bf16 was not used.
                let off = (got.0[0] / exact.0[0] - 1.0).abs();
                assert!(off < 0.02 && off > 1e-9, "{what}: losses {:?} and {:?}", got.0, exact.0);
                let [a, b] = [&got.2, &exact.2].map(|c| c.iter().map(|c| c.sqrt()).collect::<Vec<_>>());
                assert_close(&a, &b, 0.1, &what);
                let bits = |v: &[f32]| v.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
                all.push((got.0.iter().map(|l| l.to_bits()).collect::<Vec<_>>(), bits(&got.1), bits(&got.2)));
            }
            assert!(all.iter().all(|a| *a == all[0]), "{what}");
        }
    }
}

#[test]
fn networks_of_two_sums_have_no_products_of_bf16() {
    let Some(twin) = twin(LIMITS[0], 0) else { return };
    for model in [3, 4] {
        let spec = spec(model, 16, 2, 0, 1);
        let weights = Weights::initial(spec, 0).unwrap();
        let data = Data::new(0, [2, 2, 2], None, 0);
        let refused = CudaTrainer::new(&twin, Arc::default(), &weights, data.set(), Precision::Bf16, None);
        assert!(refused.is_err_and(|e| e.kind() == ErrorKind::Unsupported));
    }
}

#[test]
fn rounded_weights_are_what_the_passes_see() {
    let cpu = Cpu::new(1).unwrap();
    let spec = spec(1, 8, 2, 5, 1);
    let start = Weights::initial(spec, 2).unwrap();
    let data = Data::new(2, [5, 6, 7], None, 5);
    let rounding = vec![0.03; start.tensors().len()];
    let how = |rounding| How {
        table: None,
        batch: 0,
        optimizer: Adam::default().into(),
        loss: ValueLoss::L1,
        correct: false,
        rounding,
    };
    let Some(twin) = twin(LIMITS[0], 0) else { return };
    let mut on_cpu = cpu.trainer(&start, data.set(), Precision::F32).unwrap();
    let expected = steps(on_cpu.as_mut(), &how(Some(&rounding[..])));
    let got = steps(&mut trainer(&twin, &start, &data, Cut::Whole), &how(Some(&rounding[..])));
    let unrounded = steps(&mut trainer(&twin, &start, &data, Cut::Whole), &how(None));
    assert!(
        (got.0[0] / expected.0[0] - 1.0).abs() < 1e-5 && (unrounded.0[0] / expected.0[0] - 1.0).abs() > 1e-4
    );
    assert_close(&got.1, &expected.1, 1e-2, "weights");
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let Some(twin) = twin(LIMITS[0], 0) else { return };
    let spec = spec(0, 4, 2, 0, 1);
    let weights = Weights::initial(spec, 0).unwrap();
    let data = Data::new(0, [2, 2, 2], None, 0);
    let set = TrainingSet { targets: &data.targets[1..], ..data.set() };
    let refused = CudaTrainer::new(&twin, Arc::default(), &weights, set, Precision::F32, None);
    assert!(refused.is_err_and(|e: Error| e.to_string().contains("belong together")));
    assert!(evaluate(&twin, &weights, &data.sites(), &mut [0.0]).is_err());
    let other = DrawTable::uniform(9).unwrap();
    let how = How {
        table: Some(&other),
        batch: 4,
        optimizer: Adam::default().into(),
        loss: ValueLoss::L1,
        correct: false,
        rounding: None,
    };
    assert!(trainer(&twin, &weights, &data, Cut::Groups).run(&round(&how, 0, 1)).is_err());
    let mut queue = TwinQueue { twin: &twin, held: Vec::new() };
    assert_eq!(hold::<f32>(&mut queue, &[]).unwrap(), 0);
}
