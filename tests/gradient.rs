//! The trainer's gradients against three references: back-propagation in double precision written here from the
//! definition of the network ([`NetSpec::layers`]) and of the loss ([`Loss`]), central differences of that loss,
//! and the automatic differentiation of `dfdx`.
//!
//! A trainer shows no gradients, but one step of Adam without memory (both decays 0) does: its second moment,
//! [`Trainer::curvature`], is then the gradient squared, and the weights move against the gradient's sign.

mod oracle;

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Muon, Optimizer, Precision, Schedule, ValueLoss};
use inrfit::net::{Model, NetSpec, Source, Weights, tensors};
use oracle::{Draws, FAMILIES, Family, Problem};

/// How far a gradient may be from its reference. Rounding errors of a sum go with the size of its terms, not with
/// what is left of them, so each tensor is measured against its own root mean square too.
#[derive(Clone, Copy)]
struct Tolerance {
    /// Of each value: relative to itself, plus relative to the tensor's root mean square.
    relative: f64,
    absolute: f64,
    /// Of 99 values in 100 over the whole network: relative to the tensor's root mean square.
    typical: f64,
}

/// Single precision against double, through networks whose phases reach 30.
const SINGLE: Tolerance = Tolerance { relative: 2e-4, absolute: 2e-4, typical: 2e-5 };
/// The same through four layers of wavelets, whose size is a power of e of their sums.
const WAVELETS: Tolerance = Tolerance { relative: 4e-4, absolute: 4e-4, typical: 1e-4 };
/// Double against double in another order.
const DOUBLE: Tolerance = Tolerance { relative: 1e-10, absolute: 1e-10, typical: 1e-11 };
/// Gradients of a batch whose terms cancel are 0 but for the rounding of terms that add up to 1.
const CANCELLED: f64 = 1e-5;

fn single(p: &Problem) -> Tolerance {
    match p.spec.model {
        Model::Gabor { .. } | Model::RealGabor { .. } => WAVELETS,
        _ => SINGLE,
    }
}

fn compare(
    spec: &NetSpec,
    got: &(f64, Vec<f64>),
    want: &(f64, Vec<f64>),
    tolerance: Tolerance,
) -> Result<(), String> {
    // What is no number is not below its limit either.
    let within = |error: f64, limit: f64| error <= limit;
    if !within((got.0 - want.0).abs(), tolerance.typical * want.0.abs()) {
        return Err(format!("loss {} instead of {}", got.0, want.0));
    }
    let mut far = 0;
    for t in tensors(spec) {
        let (got, want) = (&got.1[t.range()], &want.1[t.range()]);
        let rms = (want.iter().map(|w| w * w).sum::<f64>() / want.len() as f64).sqrt();
        for (i, (g, w)) in got.iter().zip(want).enumerate() {
            let error = (g - w).abs();
            let cancelled = CANCELLED * tolerance.relative;
            if !within(error, tolerance.relative * w.abs() + tolerance.absolute * rms + cancelled) {
                return Err(format!("value {i} of {t:?}: {g} instead of {w} (rms {rms})"));
            }
            far += usize::from(error > tolerance.typical * rms + cancelled);
        }
    }
    if far > got.1.len() / 100 {
        return Err(format!("{far} of {} values are further off than is typical", got.1.len()));
    }
    Ok(())
}

/// Widths that are no multiple of a block, every depth, with and without features, both losses and all ways to draw; of
/// the families after the first, the wider ones with one loss and way to draw for each.
fn problems(hidden: &[usize]) -> impl Iterator<Item = Problem> {
    let mut all = Vec::new();
    for family in FAMILIES {
        for &hidden in hidden {
            for (n_layers, n_heads, n_features) in
                (1..=4).flat_map(|l| [1, 2].into_iter().flat_map(move |h| [0, 3, 21].map(|f| (l, h, f))))
            {
                let ways = [ValueLoss::L1, ValueLoss::L2].into_iter().flat_map(|value| {
                    [Draws::All, Draws::Biased(203), Draws::Corrected(131)].map(move |draws| (value, draws))
                });
                if family != Family::Sine && hidden == 5 {
                    continue;
                }
                let n_networks = all.len();
                for (i, (value, draws)) in ways.enumerate() {
                    if family == Family::Sine || i == n_networks % 6 {
                        all.push((family, hidden, n_layers, n_heads, n_features, value, draws));
                    }
                }
            }
        }
    }
    all.into_iter().map(|(family, hidden, n_layers, n_heads, n_features, value, draws)| {
        Problem::of(family, hidden, n_layers, n_heads, n_features).with(value, draws)
    })
}

fn assert_close(p: &Problem, got: &(f64, Vec<f64>), want: &(f64, Vec<f64>), tolerance: Tolerance) {
    if let Err(why) = compare(&p.spec, got, want, tolerance) {
        panic!("{:?} {:?} {:?} rounded: {}: {why}", p.spec, p.loss, p.draws, p.rounding.is_some());
    }
}

#[test]
fn trainer_agrees_with_double_precision() {
    for p in problems(&[5, 17, 40]) {
        assert_close(&p, &p.trained(), &p.reference(), single(&p));
    }
    // More draws than one group of tiles holds.
    for (family, n_heads) in FAMILIES.into_iter().flat_map(|f| [(f, 1), (f, 2)]) {
        let p = Problem::of(family, 17, 3, n_heads, 21).with(ValueLoss::L1, Draws::Corrected(6_007));
        assert_close(&p, &p.trained(), &p.reference(), single(&p));
    }
}

#[test]
fn rounded_weights_pass_their_gradient_straight_through() {
    for p in problems(&[5, 17, 40]).map(Problem::rounded) {
        assert_close(&p, &p.trained(), &p.reference(), single(&p));
    }
}

#[test]
fn trainer_agrees_with_dfdx() {
    for p in problems(&[17, 40]) {
        let oracle = p.dfdx();
        assert_close(&p, &p.reference(), &oracle, DOUBLE);
        assert_close(&p, &p.trained(), &oracle, single(&p));
    }
}

#[test]
fn trainer_agrees_with_finite_differences() {
    let step = 1e-6;
    for p in problems(&[5, 17]) {
        let ((_, trained), (_, gradient)) = (p.trained(), p.reference());
        let (mut weights, batch) = (p.weights64(), p.batch(0));
        for t in tensors(&p.spec) {
            let rms =
                (gradient[t.range()].iter().map(|g| g * g).sum::<f64>() / t.range().len() as f64).sqrt();
            // A few of each tensor, first and last among them.
            let last = t.range().len() - 1;
            for i in [0, last / 3, last / 2, last].map(|i| t.offset + i) {
                let before = weights[i];
                let mut at = |w| {
                    weights[i] = w;
                    p.loss(&weights, &batch)
                };
                let slope = (at(before + step) - at(before - step)) / (2.0 * step);
                weights[i] = before;
                // The loss, of order 1, is rounded to some 1e-15 before its difference is divided.
                let near = |g: f64, relative| (g - slope).abs() <= relative * (slope.abs() + rms) + 2e-9;
                assert!(near(gradient[i], 1e-6), "{:?} {t:?} {i}: {} for {slope}", p.spec, gradient[i]);
                assert!(near(trained[i], 2e-4), "{:?} {t:?} {i}: {} for {slope}", p.spec, trained[i]);
            }
        }
    }
}

#[test]
fn wrong_gradients_are_noticed() {
    for family in FAMILIES {
        wrong_gradients_of(family);
    }
}

fn wrong_gradients_of(family: Family) {
    let p = Problem::of(family, 17, 3, 2, 21).with(ValueLoss::L1, Draws::Corrected(203)).rounded();
    let (loss, trained) = p.trained();
    let right = p.reference();
    let differs = |what: &str, gradient: Vec<f64>| {
        let right = (loss, right.1.clone());
        assert!(compare(&p.spec, &(loss, gradient), &right, single(&p)).is_err(), "{what} went unnoticed");
    };
    assert_close(&p, &(loss, trained.clone()), &right, single(&p));
    for t in tensors(&p.spec) {
        let change = |f: &dyn Fn(&mut [f64])| {
            let mut g = trained.clone();
            f(&mut g[t.range()]);
            g
        };
        differs("a tensor without gradient", change(&|g| g.fill(0.0)));
        differs("a factor of 1.001", change(&|g| g.iter_mut().for_each(|g| *g *= 1.001)));
        let most =
            |g: &[f64]| (0..g.len()).max_by(|&a, &b| g[a].abs().total_cmp(&g[b].abs())).expect("values");
        differs("one wrong sign", change(&|g| g[most(g)] *= -1.0));
        differs("one value that is no number", change(&|g| g[0] = f64::NAN));
    }
    let mut other = p.clone();
    other.rounding = None;
    differs("the gradient at weights that are not rounded", other.reference().1);
    differs("the other value loss", p.clone().with(ValueLoss::L2, p.draws).reference().1);
    differs("draws without their weights", p.clone().with(ValueLoss::L1, Draws::Biased(203)).reference().1);
    other = p.clone();
    other.occupied[0..40].iter_mut().for_each(|o| *o = !*o);
    differs("other occupancy", other.reference().1);
    other = p.clone();
    other.features.swap(21 * p.batch(0)[0].0, 21 * p.batch(0)[0].0 + 1);
    differs("features in another order at one drawn site", other.reference().1);
}

/// The optimisers in double precision, on the reference gradients; `correct` Adam's moments for their start at 0.
/// Weights and second moments.
fn optimised(
    p: &Problem,
    schedule: Schedule,
    optimizer: Optimizer,
    n_steps: u64,
    correct: bool,
) -> (Vec<f64>, Vec<f64>) {
    let adam = optimizer.adam;
    let mut weights = p.weights64();
    let (mut m, mut v) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
    let mut averages = vec![0.0; weights.len()];
    let [beta1, beta2, epsilon] = [adam.beta1, adam.beta2, adam.epsilon].map(f64::from);
    for step in 0..n_steps {
        let done = step as f64 / schedule.n_steps as f64;
        let share = 0.5 * (1.0 + (done * std::f64::consts::PI).cos());
        let last = f64::from(schedule.last);
        let rate = f64::from(schedule.initial) * (last + (1.0 - last) * share);
        let mut gradient = p.gradient(&p.effective(&weights), &p.batch(step));
        if let Some(longest) = optimizer.clip {
            let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            let share = (f64::from(longest) / norm).min(1.0);
            gradient.iter_mut().for_each(|g| *g *= share);
        }
        let before = weights.clone();
        let n = step as i32 + 1;
        let start = |beta: f64| if correct { 1.0 - beta.powi(n) } else { 1.0 };
        for (i, g) in gradient.iter().enumerate() {
            m[i] = beta1 * m[i] + (1.0 - beta1) * g;
            v[i] = beta2 * v[i] + (1.0 - beta2) * g * g;
            weights[i] *= 1.0 - rate * f64::from(optimizer.decay);
            weights[i] -= rate * (m[i] / start(beta1)) / ((v[i] / start(beta2)).sqrt() + epsilon);
        }
        let Some(muon) = optimizer.muon else { continue };
        let n_layers = p.spec.layers().len();
        for t in tensors(&p.spec) {
            let reads_inputs =
                p.spec.layers()[t.layer].sources.iter().any(|s| !matches!(s, Source::Layer(_)));
            if t.is_bias || t.layer + 1 == n_layers || reads_inputs {
                continue;
            }
            let momentum = f64::from(muon.momentum);
            let ahead: Vec<f64> = t
                .range()
                .map(|i| {
                    averages[i] = momentum * averages[i] + (1.0 - momentum) * gradient[i];
                    momentum * averages[i] + (1.0 - momentum) * gradient[i]
                })
                .collect();
            let longer = t.n_rows.max(t.n_cols) as f64;
            for (i, f) in t.range().zip(orthogonal(&ahead, t.n_rows, t.n_cols)) {
                weights[i] = before[i] - rate * f64::from(muon.step) * longer.sqrt() * f;
            }
        }
    }
    (weights, v)
}

/// Five steps of the quintic iteration of Muon, with the smaller product on whichever side.
fn orthogonal(values: &[f64], n_rows: usize, n_cols: usize) -> Vec<f64> {
    let norm = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let mut x: Vec<Vec<f64>> =
        values.chunks_exact(n_cols).map(|row| row.iter().map(|v| v / norm).collect()).collect();
    let product = |a: &[Vec<f64>], b: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let column = |j: usize| b.iter().map(move |row| row[j]);
        a.iter()
            .map(|row| (0..b[0].len()).map(|j| row.iter().zip(column(j)).map(|(a, b)| a * b).sum()).collect())
            .collect()
    };
    for _ in 0..5 {
        let across: Vec<Vec<f64>> = (0..n_cols).map(|j| (0..n_rows).map(|i| x[i][j]).collect()).collect();
        let square = product(&x, &across);
        let third = product(&square, &x);
        let fifth = product(&square, &third);
        for (i, row) in x.iter_mut().enumerate() {
            for (j, v) in row.iter_mut().enumerate() {
                *v = 3.4445 * *v - 4.7750 * third[i][j] + 2.0315 * fifth[i][j];
            }
        }
    }
    x.concat()
}

#[test]
fn steps_are_those_of_adam() {
    let p = Problem::new(17, 2, 2, 3).with(ValueLoss::L2, Draws::Corrected(203));
    let schedule = Schedule { initial: 1e-3, last: 0.1, n_steps: 6 };
    // An epsilon of the gradients' size, so that gradients near 0 do not decide steps by their sign alone.
    let settings = Adam { epsilon: 1e-3, ..Adam::default() };
    let weights = Weights::new(p.spec, p.weights.clone()).expect("as many as the network has");
    let cpu = Cpu::new(2).expect("two threads");
    let mut trainer = cpu.trainer(&weights, p.set(), Precision::F32).expect("matching arrays");
    for (first, n) in [(0, 2), (2, 3)] {
        trainer.run(&p.round(first, n, schedule, settings)).expect("a round");
    }
    let changes = |after: &[f64]| after.iter().zip(p.weights64()).map(|(a, b)| a - b).collect::<Vec<_>>();
    let after: Vec<f64> =
        trainer.weights().expect("weights").values().iter().map(|w| f64::from(*w)).collect();
    let moved = (0.0, changes(&after));
    let moments = (0.0, trainer.curvature().expect("moments").iter().map(|v| f64::from(*v)).collect());
    let (weights, v) = optimised(&p, schedule, settings.into(), 5, true);
    // Weights near 1 are rounded by 6e-8 at each of five steps of some 1e-3.
    let tolerance = Tolerance { relative: 1e-3, absolute: 1e-3, typical: 3e-4 };
    assert_close(&p, &moved, &(0.0, changes(&weights)), tolerance);
    assert_close(&p, &moments, &(0.0, v), tolerance);
    for (wrong, correct) in [(Adam { beta1: 0.8, ..settings }, true), (settings, false)] {
        let (weights, _) = optimised(&p, schedule, wrong.into(), 5, correct);
        assert!(
            compare(&p.spec, &moved, &(0.0, changes(&weights)), tolerance).is_err(),
            "{wrong:?} {correct}"
        );
    }
}

#[test]
fn steps_are_those_of_the_other_optimisers() {
    let schedule = Schedule { initial: 1e-3, last: 0.1, n_steps: 4 };
    let plain = Optimizer::from(Adam { epsilon: 1e-3, ..Adam::default() });
    let muon = Muon { momentum: 0.9, step: 0.5 };
    let others = [
        Optimizer { decay: 5.0, ..plain },
        Optimizer { clip: Some(1e-2), ..plain },
        Optimizer { muon: Some(muon), ..plain },
        Optimizer { muon: Some(muon), decay: 5.0, clip: Some(1e-2), ..plain },
    ];
    // Hidden matrices, and coordinates beside features, which Muon leaves to Adam.
    let p = Problem::new(17, 3, 2, 3).with(ValueLoss::L2, Draws::Corrected(203));
    let weights = Weights::new(p.spec, p.weights.clone()).expect("as many as the network has");
    let cpu = Cpu::new(2).expect("two threads");
    let changes = |after: Vec<f64>| after.iter().zip(p.weights64()).map(|(a, b)| a - b).collect::<Vec<_>>();
    // Weights near 1 are rounded by 6e-8, and with short gradients all steps together are 3e-5.
    let tolerance = Tolerance { relative: 5e-3, absolute: 1e-2, typical: 3e-3 };
    let n_steps = 3;
    for optimizer in others {
        let mut trainer = cpu.trainer(&weights, p.set(), Precision::F32).expect("matching arrays");
        trainer.run(&p.round(0, n_steps, schedule, optimizer)).expect("a round");
        let after = trainer.weights().expect("weights").values().iter().map(|w| f64::from(*w)).collect();
        let moved = (0.0, changes(after));
        let expected = |optimizer| (0.0, changes(optimised(&p, schedule, optimizer, n_steps, true).0));
        assert_close(&p, &moved, &expected(optimizer), tolerance);
        let nearly =
            optimizer.muon.map(|muon| Optimizer { muon: Some(Muon { step: 0.47, ..muon }), ..optimizer });
        for wrong in [Some(plain), nearly].into_iter().flatten() {
            let close = compare(&p.spec, &moved, &expected(wrong), tolerance);
            assert!(close.is_err(), "{optimizer:?} as {wrong:?}");
        }
    }
}
