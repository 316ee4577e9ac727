//! Every lane width and number of threads gives the same bits, and they are the bits of the format: a naive
//! evaluator written here, one site and one sum at a time, agrees exactly.

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss};
use inrfit::domain::Transform;
use inrfit::lane::{Level, Scalar, Simd};
use inrfit::net::{Activation, Form, Model, NetSpec, Source, Weights};
use inrfit_sampling::DrawTable;
use inrfit_sampling::rng::Stream;

/// A random network and sites to evaluate it at.
struct Problem {
    weights: Weights,
    axes: [Vec<f32>; 3],
    positions: Option<Vec<u32>>,
    features: Vec<f32>,
}

fn below(random: &mut Stream, n: usize) -> usize {
    (random.unit() * n as f64) as usize
}

fn uniform(random: &mut Stream, n: usize, half_width: f64) -> Vec<f32> {
    (0..n).map(|_| ((2.0 * random.unit() - 1.0) * half_width) as f32).collect()
}

impl Problem {
    /// `hidden` units; all else, the number of sites included, follows from `seed`.
    fn new(hidden: usize, seed: u64) -> Problem {
        let mut random = Stream::new(seed, hidden as u64);
        let mut pick = |n: usize| below(&mut random, n);
        let (n_layers, n_heads) = (1 + pick(5), 1 + pick(2));
        let n_features = if pick(2) == 0 { 0 } else { 1 + pick(40) };
        let shape = [1 + pick(6), 1 + pick(9), 1 + pick(14)];
        let some = pick(2) == 0;
        let omega = 10.0 + 50.0 * random.unit() as f32;
        let (coord_units, feature_units) = (1 + below(&mut random, 40), 1 + below(&mut random, 20));
        // Each family at every width but one in six or less.
        let model = match (seed + hidden as u64) % 6 {
            0 => Model::Siren { omega_first: omega, omega_hidden: 15.3 },
            1 => {
                Model::Conditioned { omega_first: omega as u32, omega_hidden: 6, coord_units, feature_units }
            }
            2 => Model::Fourier { scale: 0.1 * omega, seed: 9, n_frequencies: coord_units, feature_units },
            3 => Model::Filters { omega, coord_units, feature_units },
            4 => Model::Gabor { omega: 0.2 * omega, scale: 3.3, coord_units, feature_units },
            _ => Model::RealGabor { omega: 0.5 * omega, scale: 4.7, coord_units, feature_units },
        };
        let spec = NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads };
        let axes = shape.map(|n| uniform(&mut random, n, 1.0));
        let n_grid = shape.iter().product();
        let positions = some.then(|| (0..1 + n_grid).map(|_| below(&mut random, n_grid) as u32).collect());
        let n_sites = positions.as_ref().map_or(n_grid, Vec::len);
        let features = uniform(&mut random, n_sites * n_features, 2.0);
        let weights = Weights::new(spec, uniform(&mut random, spec.n_weights(), 0.4)).expect("valid sizes");
        Problem { weights, axes, positions, features }
    }

    fn sites(&self) -> SiteBlock<'_> {
        let [a, b, c] = &self.axes;
        SiteBlock { axes: [a, b, c], positions: self.positions.as_deref(), features: &self.features }
    }

    fn evaluated(&self, level: Level, n_threads: usize) -> Vec<u32> {
        let mut out = vec![0.0; self.sites().n_sites() * self.weights.spec().n_heads];
        let cpu = Cpu::at_level(n_threads, level).expect("a level of this processor");
        cpu.evaluate(&self.weights, &self.sites(), &mut out).expect("matching arrays");
        bits(&out)
    }

    /// The format's evaluation: each sum starts from its bias and takes its inputs in order, one fused
    /// multiply-add each; `omega a` is rounded before the sine is taken.
    fn naive(&self, bias_first: bool) -> Vec<u32> {
        let spec = self.weights.spec();
        let layers = spec.layers();
        let [a, b, c] = &self.axes;
        let mut out = Vec::new();
        for i in 0..self.sites().n_sites() {
            let p = self.positions.as_ref().map_or(i, |p| p[i] as usize);
            let coords = [a[p / (b.len() * c.len())], b[p / c.len() % b.len()], c[p % c.len()]];
            let mut outputs: Vec<Vec<f32>> = Vec::new();
            let mut weights = self.weights.values().to_vec();
            for layer in &layers {
                let mut x: Vec<f32> = Vec::new();
                for source in &layer.sources {
                    x.extend_from_slice(match *source {
                        Source::Coords => &coords,
                        Source::Features => &self.features[i * spec.n_features..][..spec.n_features],
                        Source::Layer(from) => &outputs[from],
                    });
                }
                let (n_out, n_in) = (layer.n_out, layer.n_in);
                let (matrix, biases) = match layer.form {
                    Form::Fixed => spec.fixed(),
                    _ => {
                        let ([rows, columns], n_biases) = layer.stored();
                        let rest = weights.split_off(rows * columns + n_biases);
                        let biases = weights.split_off(rows * columns);
                        (std::mem::replace(&mut weights, rest), biases)
                    }
                };
                // Rows of the real matrix: (weight, input) in order.
                let row = |o: usize| -> Vec<f32> {
                    let n = n_out / 2;
                    match layer.form {
                        Form::Real | Form::Fixed => matrix[o * n_in..][..n_in].to_vec(),
                        Form::RealOfComplex if o < n => matrix[o * n_in..][..n_in].to_vec(),
                        Form::RealOfComplex => vec![0.0; n_in],
                        Form::Complex { n_complex } => {
                            let n_real = n_in - 2 * n_complex;
                            let row = &matrix[o % n * 2 * (n_complex + n_real)..][..2 * (n_complex + n_real)];
                            let (re, rest) = row.split_at(n_complex);
                            let (im, rest) = rest.split_at(n_complex);
                            let (real_re, real_im) = rest.split_at(n_real);
                            match o < n {
                                true => [re, &im.iter().map(|w| -w).collect::<Vec<_>>(), real_re].concat(),
                                false => [im, re, real_im].concat(),
                            }
                        }
                    }
                };
                let sums: Vec<f32> = (0..n_out)
                    .map(|o| {
                        let bias = biases.get(o).copied().unwrap_or(0.0);
                        let start = if bias_first { bias } else { 0.0 };
                        let sum = row(o).iter().zip(&x).fold(start, |sum, (w, x)| w.mul_add(*x, sum));
                        if bias_first { sum } else { sum + bias }
                    })
                    .collect();
                let s = Scalar::new();
                const MINUS_LOG2_E: f32 = -std::f32::consts::LOG2_E;
                let each = |f: &dyn Fn(f32) -> f32| sums.iter().map(|a| f(*a)).collect::<Vec<f32>>();
                outputs.push(match layer.activation {
                    Activation::Sine { omega } => each(&|a| s.sin(omega * a)),
                    Activation::Relu => each(&|a| if a > 0.0 { a } else { 0.0 }),
                    Activation::Linear => sums,
                    Activation::Gabor { omega, scale } => each(&|a| {
                        let x = scale * a;
                        s.sin(omega * a) * s.exp2((x * x) * MINUS_LOG2_E)
                    }),
                    Activation::Product { by } => {
                        sums.iter().zip(&outputs[by]).map(|(a, factor)| a * factor).collect()
                    }
                    Activation::ComplexGabor { omega, scale } => {
                        let part =
                            |imaginary: bool| (0..n_out / 2).map(move |o| (o, imaginary)).collect::<Vec<_>>();
                        let of = |(o, imaginary): (usize, bool)| {
                            let (x, y) = (sums[o], sums[n_out / 2 + o]);
                            let norm = y.mul_add(y, x * x);
                            let exponent = omega.mul_add(y, (scale * scale) * norm);
                            let size = s.exp2(exponent * MINUS_LOG2_E);
                            let (sin, cos) = s.sin_cos(omega * x);
                            size * if imaginary { sin } else { cos }
                        };
                        part(false).into_iter().chain(part(true)).map(of).collect()
                    }
                });
            }
            out.append(&mut outputs[layers.len() - 1]);
        }
        bits(&out)
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

#[test]
fn evaluation_is_the_formats_bit_for_bit() {
    let mut n_changed_by_order = 0;
    for hidden in 1..=70 {
        let p = Problem::new(hidden, 1);
        let naive = p.naive(true);
        for level in Level::available() {
            let n_threads = 1 + hidden % 4;
            let same = p.evaluated(level, n_threads) == naive;
            assert!(same, "{level:?}, {n_threads} threads, {:?}", p.weights.spec());
        }
        n_changed_by_order += usize::from(p.naive(false) != naive);
    }
    // The comparison sees a single rounding: most networks give other bits with the bias added last.
    assert!(n_changed_by_order > 60, "{n_changed_by_order}");
}

#[test]
fn evaluation_does_not_depend_on_lanes_or_threads() {
    for (i, hidden) in [3, 16, 24, 33, 64, 70, 5, 17, 32, 34, 63, 71].into_iter().enumerate() {
        let p = Problem::new(hidden, 2 + i as u64);
        let reference = p.evaluated(Level::Scalar, 1);
        for level in Level::available() {
            for n_threads in 1..=4 {
                assert!(
                    p.evaluated(level, n_threads) == reference,
                    "{level:?}, {n_threads} threads, {hidden}"
                );
            }
        }
    }
}

/// Weights, moments and losses after two rounds of training.
fn trained(
    p: &Problem,
    seed: u64,
    rounded: bool,
    draws: Option<usize>,
    level: Level,
    n_threads: usize,
) -> Vec<u64> {
    let mut random = Stream::new(seed, 0);
    let n = p.sites().n_sites();
    let targets = uniform(&mut random, n, 2.0);
    let occupied: Vec<bool> = (0..n).map(|_| random.unit() < 0.4).collect();
    let shares: Vec<f64> = (0..n).map(|_| 0.1 + random.unit()).collect();
    let table = DrawTable::from_weights(&shares).expect("positive weights");
    let steps: Vec<f32> = p.weights.tensors().iter().map(|t| 0.01 + 0.003 * t.layer as f32).collect();
    let cpu = Cpu::at_level(n_threads, level).expect("a level of this processor");
    let set = TrainingSet { sites: p.sites(), targets: &targets, occupied: &occupied };
    let mut trainer = cpu.trainer(&p.weights, set, Precision::F32).expect("matching arrays");
    let mut out = Vec::new();
    for (first_step, value) in [(0, ValueLoss::L1), (2, ValueLoss::L2)] {
        let round = Round {
            first_step,
            n_steps: 2,
            batch: draws.unwrap_or(0),
            seed,
            table: draws.is_some().then_some(&table),
            loss: Loss { value, value_scale: 0.7, correct: true },
            schedule: Schedule { initial: 3e-3, last: 0.1, n_steps: 4 },
            optimizer: Adam::default().into(),
            rounding: (rounded && first_step > 0).then_some(&steps[..]),
        };
        out.push(trainer.run(&round).expect("a round").to_bits());
    }
    let (weights, moments) = (trainer.weights().expect("weights"), trainer.curvature().expect("moments"));
    assert!(weights.values().iter().all(|w| w.is_finite()) && weights != p.weights);
    out.extend(weights.values().iter().chain(&moments).map(|w| u64::from(w.to_bits())));
    out
}

#[test]
fn training_does_not_depend_on_lanes_or_threads() {
    // Fewer draws than a tile, no multiple of one, and more than one tile a group.
    let settings =
        [(7, None), (17, Some(50)), (31, Some(1_003)), (40, None), (48, Some(4_001)), (70, Some(333))];
    for (i, (hidden, draws)) in settings.into_iter().enumerate() {
        // Each with a family of its own.
        let family = 6 - hidden as u64 % 6 + i as u64;
        let (p, seed, rounded) = (Problem::new(hidden, 18 + family), i as u64, i % 2 == 0);
        let reference = trained(&p, seed, rounded, draws, Level::Scalar, 1);
        for level in Level::available() {
            for n_threads in 1..=4 {
                let same = trained(&p, seed, rounded, draws, level, n_threads) == reference;
                assert!(same, "{level:?}, {n_threads} threads, {draws:?} draws, {:?}", p.weights.spec());
            }
        }
        // What is compared depends on the last bits of the weights.
        let values = p.weights.values().iter().map(|w| f32::from_bits(w.to_bits() ^ 1)).collect();
        let weights = Weights::new(*p.weights.spec(), values).expect("as many as before");
        let other = Problem { weights, ..p };
        assert!(trained(&other, seed, rounded, draws, Level::detect(), 2) != reference);
    }
}

#[test]
fn values_do_not_depend_on_lanes() {
    let mut random = Stream::new(40, 0);
    let transforms = [
        Transform::Log2 { unit_exponent: 0, center: 6.5, scale: 0.7 },
        Transform::Log2 { unit_exponent: -7, center: -1.0, scale: 3.0 },
        Transform::Ln { offset: 64.0, scale: 6.0, cut: 67.0 },
    ];
    for n_heads in [1, 2] {
        // No multiple of any width; the odd ones are of no field, but of a decoder's input they may be.
        let mut heads = uniform(&mut random, 1_003 * n_heads, 4.0);
        let odd = [0.0, -0.0, 1e30, -1e30, 1e-42, f32::INFINITY, f32::NEG_INFINITY, f32::NAN];
        heads[..odd.len()].copy_from_slice(&odd);
        for transform in transforms {
            let values: Vec<f32> =
                heads.chunks(n_heads).map(|h| transform.value(Scalar::new(), h[n_heads - 1])).collect();
            assert!(values.iter().any(|v| v.fract() != 0.0) && values[50] != values[51]);
            for level in Level::available() {
                let same = bits(&transform.values(level, &heads, n_heads)) == bits(&values);
                assert!(same, "{level:?}, {n_heads} heads, {transform:?}");
            }
        }
    }
}
