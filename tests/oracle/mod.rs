//! A small network with its data and loss, and what its gradient is: as the trainer has it, and by
//! back-propagation in double precision from the definitions.

mod autodiff;

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Adam, Backend, Loss, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss};
use inrfit::net::{Activation, Model, NetSpec, Source, Weights, tensors};
use inrfit_sampling::DrawTable;
use inrfit_sampling::rng::Stream;

/// Which sites a step trains on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Draws {
    /// Every site once.
    All,
    /// So many draws from an uneven table, uncorrected.
    Biased(usize),
    /// The same, weighted by inverse probability.
    Corrected(usize),
}

/// A network, its data and its loss.
#[derive(Clone)]
pub struct Problem {
    pub spec: NetSpec,
    pub weights: Vec<f32>,
    /// Quantisation step of each tensor.
    pub rounding: Option<Vec<f32>>,
    pub axes: [Vec<f32>; 3],
    pub positions: Vec<u32>,
    pub features: Vec<f32>,
    pub targets: Vec<f32>,
    pub occupied: Vec<bool>,
    pub table: DrawTable,
    pub draws: Draws,
    pub loss: Loss,
}

pub const SEED: u64 = 11;

/// One site of a batch and its weight in the loss, inverse probability and batch size included.
pub type Share = (usize, f64);

impl Problem {
    pub fn new(hidden: usize, n_layers: usize, n_heads: usize, n_features: usize) -> Problem {
        // Input layers as wide as the others, or wider and narrower.
        let model = match n_features {
            21 => Model::Conditioned {
                omega_first: 20,
                omega_hidden: 12,
                coord_units: hidden + 3,
                feature_units: hidden / 2 + 1,
            },
            _ => Model::Siren { omega_first: 20.0, omega_hidden: 12.0 },
        };
        let spec = NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads };
        let mut random =
            Stream::new(SEED, (hidden * 1000 + n_layers * 100 + n_heads * 50 + n_features) as u64);
        let axes = [5, 7, 11].map(|n| (0..n).map(|i| 2.0 * i as f32 / (n - 1) as f32 - 1.0).collect());
        // Every site but some: no multiple of any tile.
        let positions: Vec<u32> = (0..5 * 7 * 11).filter(|i| i % 9 != 4).collect();
        let n = positions.len();
        let mut uniform = |n: usize, lo: f64, hi: f64| -> Vec<f32> {
            (0..n).map(|_| (lo + (hi - lo) * random.unit()) as f32).collect()
        };
        let features = uniform(n * n_features, -1.0, 1.0);
        let targets = uniform(n, -2.0, 2.0);
        let occupied = uniform(n, 0.0, 1.0).iter().map(|u| *u < 0.4).collect();
        let shares: Vec<f64> = uniform(n, 0.1, 3.0).iter().map(|u| f64::from(*u)).collect();
        let weights = Weights::initial(spec, SEED).expect("valid sizes").values().to_vec();
        Problem {
            spec,
            weights,
            rounding: None,
            axes,
            positions,
            features,
            targets,
            occupied,
            table: DrawTable::from_weights(&shares).expect("positive weights"),
            draws: Draws::All,
            loss: Loss { value: ValueLoss::L2, value_scale: 0.7, correct: false },
        }
    }

    pub fn with(mut self, value: ValueLoss, draws: Draws) -> Problem {
        self.draws = draws;
        self.loss = Loss { value, correct: matches!(draws, Draws::Corrected(_)), ..self.loss };
        self
    }

    /// Rounds every tensor to about 20 values.
    pub fn rounded(mut self) -> Problem {
        let step = |t: &inrfit::net::Tensor| {
            self.weights[t.range()].iter().fold(0.0f32, |most, w| most.max(w.abs())) / 10.0
        };
        self.rounding = Some(tensors(&self.spec).iter().map(step).collect());
        self
    }

    pub fn sites(&self) -> SiteBlock<'_> {
        let [a, b, c] = &self.axes;
        SiteBlock { axes: [a, b, c], positions: Some(&self.positions), features: &self.features }
    }

    pub fn set(&self) -> TrainingSet<'_> {
        TrainingSet { sites: self.sites(), targets: &self.targets, occupied: &self.occupied }
    }

    pub fn round(&self, first_step: u64, n_steps: u64, schedule: Schedule, adam: Adam) -> Round<'_> {
        let (table, batch) = match self.draws {
            Draws::All => (None, 0),
            Draws::Biased(batch) | Draws::Corrected(batch) => (Some(&self.table), batch),
        };
        let rounding = self.rounding.as_deref();
        Round { first_step, n_steps, batch, seed: SEED, table, loss: self.loss, schedule, adam, rounding }
    }

    /// Loss and gradient of step 0 as the trainer has them.
    pub fn trained(&self) -> (f64, Vec<f64>) {
        let weights = Weights::new(self.spec, self.weights.clone()).expect("as many as the network has");
        let cpu = Cpu::new(2).expect("two threads");
        let mut trainer = cpu.trainer(&weights, self.set(), Precision::F32).expect("matching arrays");
        let adam = Adam { beta1: 0.0, beta2: 0.0, epsilon: 1e-30 };
        let schedule = Schedule { initial: 1.0, last: 1.0, n_steps: 1 };
        let loss = trainer.run(&self.round(0, 1, schedule, adam)).expect("a step");
        let moved = trainer.weights().expect("weights");
        let squares = trainer.curvature().expect("moments");
        let signs = self.weights.iter().zip(moved.values()).map(|(before, after)| match before - after {
            0.0 => 0.0,
            change => f64::from(change.signum()),
        });
        (loss, signs.zip(squares).map(|(sign, square)| sign * f64::from(square).sqrt()).collect())
    }

    /// The weights that the passes see.
    pub fn effective(&self, weights: &[f64]) -> Vec<f64> {
        let mut out = weights.to_vec();
        for (t, step) in tensors(&self.spec).iter().zip(self.rounding.iter().flatten()) {
            let step = f64::from(*step);
            out[t.range()].iter_mut().for_each(|w| *w = (*w / step).round_ties_even() * step);
        }
        out
    }

    pub fn weights64(&self) -> Vec<f64> {
        self.weights.iter().map(|w| f64::from(*w)).collect()
    }

    pub fn batch(&self, step: u64) -> Vec<Share> {
        let n_sites = self.positions.len();
        match self.draws {
            Draws::All => (0..n_sites).map(|site| (site, 1.0 / n_sites as f64)).collect(),
            Draws::Biased(batch) | Draws::Corrected(batch) => (0..batch as u64)
                .map(|i| {
                    let site = self.table.draw(SEED, step, i);
                    let odds = n_sites as f64 * self.table.probability(site);
                    let weight = if self.loss.correct { 1.0 / odds } else { 1.0 };
                    (site as usize, weight / batch as f64)
                })
                .collect(),
        }
    }

    pub fn inputs(&self, site: usize, source: Source) -> Vec<f64> {
        let k = self.spec.n_features;
        let p = self.positions[site] as usize;
        let index = [p / 77, p / 11 % 7, p % 11];
        match source {
            Source::Coords => (0..3).map(|a| f64::from(self.axes[a][index[a]])).collect(),
            Source::Features => self.features[site * k..][..k].iter().map(|f| f64::from(*f)).collect(),
            Source::Layer(_) => unreachable!("a layer is no input"),
        }
    }

    /// Inputs and sums of every layer at a site.
    pub fn forward(&self, weights: &[f64], site: usize) -> Vec<(Vec<f64>, Vec<f64>)> {
        let mut done: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
        let mut offset = 0;
        let layers = self.spec.layers();
        for layer in &layers {
            let x: Vec<f64> = (layer.sources.iter())
                .flat_map(|source| match *source {
                    Source::Layer(i) => done[i].1.iter().map(|a| value(layers[i].activation, *a)).collect(),
                    input => self.inputs(site, input),
                })
                .collect();
            let (matrix, bias) = weights[offset..].split_at(layer.n_in * layer.n_out);
            let sums = (matrix.chunks(layer.n_in).zip(bias))
                .map(|(row, b)| b + row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>())
                .collect();
            offset += layer.n_out * (layer.n_in + 1);
            done.push((x, sums));
        }
        done
    }

    /// Loss at a site before its weight, and its slopes by the heads.
    pub fn heads(&self, heads: &[f64], site: usize) -> (f64, Vec<f64>) {
        let scale = f64::from(self.loss.value_scale);
        let error = heads[heads.len() - 1] - f64::from(self.targets[site]);
        let (value, slope) = match self.loss.value {
            ValueLoss::L1 => (scale * error.abs(), scale * error.signum()),
            ValueLoss::L2 => (scale * error * error, scale * 2.0 * error),
        };
        match (heads, self.occupied[site]) {
            ([_], _) => (value, vec![slope]),
            // -ln of the probability that the logit gives to what is the case.
            ([z, _], true) => ((-z).exp().ln_1p() + value, vec![-1.0 / (1.0 + z.exp()), slope]),
            ([z, _], false) => (z.exp().ln_1p(), vec![1.0 / (1.0 + (-z).exp()), 0.0]),
            _ => unreachable!("one or two heads"),
        }
    }

    pub fn loss(&self, weights: &[f64], batch: &[Share]) -> f64 {
        let at = |site| self.heads(&self.forward(weights, site).pop().expect("a last layer").1, site).0;
        batch.iter().map(|&(site, weight)| weight * at(site)).sum()
    }

    /// Gradient of [`Problem::loss`] by back-propagation.
    pub fn gradient(&self, weights: &[f64], batch: &[Share]) -> Vec<f64> {
        let layers = self.spec.layers();
        let tensors = tensors(&self.spec);
        let mut gradient = vec![0.0; weights.len()];
        for &(site, weight) in batch {
            let done = self.forward(weights, site);
            let heads = self.heads(&done[layers.len() - 1].1, site).1;
            let mut slopes: Vec<Vec<f64>> = layers.iter().map(|l| vec![0.0; l.n_out]).collect();
            slopes[layers.len() - 1] = heads.iter().map(|h| weight * h).collect();
            for (i, layer) in layers.iter().enumerate().rev() {
                let (x, sums) = &done[i];
                let d: Vec<f64> =
                    slopes[i].iter().zip(sums).map(|(s, a)| s * derivative(layer.activation, *a)).collect();
                let (matrix, bias) = (tensors[2 * i].offset, tensors[2 * i + 1].offset);
                for (o, d) in d.iter().enumerate() {
                    gradient[bias + o] += d;
                    for (k, x) in x.iter().enumerate() {
                        gradient[matrix + o * layer.n_in + k] += d * x;
                    }
                }
                let mut column = 0;
                for source in &layer.sources {
                    let Source::Layer(from) = *source else { continue };
                    for k in 0..layers[from].n_out {
                        let w = (0..layer.n_out).map(|o| weights[matrix + o * layer.n_in + column + k]);
                        slopes[from][k] += w.zip(&d).map(|(w, d)| w * d).sum::<f64>();
                    }
                    column += layers[from].n_out;
                }
            }
        }
        gradient
    }

    /// Loss and gradient of step 0 from [`Problem::loss`] and [`Problem::gradient`].
    pub fn reference(&self) -> (f64, Vec<f64>) {
        let (weights, batch) = (self.effective(&self.weights64()), self.batch(0));
        (self.loss(&weights, &batch), self.gradient(&weights, &batch))
    }
}

fn value(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sine { omega } => (f64::from(omega) * a).sin(),
        Activation::Relu => a.max(0.0),
        Activation::Linear => a,
    }
}

fn derivative(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sine { omega } => f64::from(omega) * (f64::from(omega) * a).cos(),
        Activation::Relu if a > 0.0 => 1.0,
        Activation::Relu => 0.0,
        Activation::Linear => 1.0,
    }
}
