//! A small network with its data and loss, and what its gradient is: as the trainer has it, and by
//! back-propagation in double precision from the definitions.

#![allow(dead_code, reason = "each test file uses its own part")]

mod autodiff;

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{
    Adam, Backend, Loss, Optimizer, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss,
};
use inrfit::net::{Activation, Dense, Form, Model, NetSpec, Source, Weights, tensors};
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

/// A family of networks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Family {
    Sine,
    Fourier,
    Filters,
    Gabor,
    RealGabor,
}

pub const FAMILIES: [Family; 5] =
    [Family::Sine, Family::Fourier, Family::Filters, Family::Gabor, Family::RealGabor];

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
        Problem::of(Family::Sine, hidden, n_layers, n_heads, n_features)
    }

    pub fn of(family: Family, hidden: usize, n_layers: usize, n_heads: usize, n_features: usize) -> Problem {
        // Input layers as wide as the others, or wider and narrower.
        let [coord_units, feature_units] =
            if n_features == 21 { [hidden + 3, hidden / 2 + 1] } else { [hidden; 2] };
        let model = match family {
            Family::Sine if n_features == 21 => {
                Model::Conditioned { omega_first: 20, omega_hidden: 12, coord_units, feature_units }
            }
            Family::Sine => Model::Siren { omega_first: 20.0, omega_hidden: 12.0 },
            Family::Fourier => {
                Model::Fourier { scale: 1.5, seed: 3, n_frequencies: coord_units, feature_units }
            }
            Family::Filters => Model::Filters { omega: 9.0, coord_units, feature_units },
            Family::Gabor => Model::Gabor { omega: 3.0, scale: 2.0, coord_units, feature_units },
            Family::RealGabor => Model::RealGabor { omega: 8.0, scale: 2.5, coord_units, feature_units },
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

    pub fn round(
        &self,
        first_step: u64,
        n_steps: u64,
        schedule: Schedule,
        how: impl Into<Optimizer>,
    ) -> Round<'_> {
        let (table, batch) = match self.draws {
            Draws::All => (None, 0),
            Draws::Biased(batch) | Draws::Corrected(batch) => (Some(&self.table), batch),
        };
        let (optimizer, rounding) = (how.into(), self.rounding.as_deref());
        Round {
            first_step,
            n_steps,
            batch,
            seed: SEED,
            table,
            loss: self.loss,
            schedule,
            optimizer,
            rounding,
        }
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
            // In single precision, where halves fall as they do in the passes.
            let round = |w: f64| f64::from((w as f32 / step).round_ties_even() * step);
            out[t.range()].iter_mut().for_each(|w| *w = round(*w));
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

    /// Every layer at a site.
    pub fn forward(&self, weights: &[f64], site: usize) -> Vec<State> {
        self.forward_from(weights, &|source| self.inputs(site, source))
    }

    /// [`Problem::forward`] with inputs from elsewhere.
    pub fn forward_from(&self, weights: &[f64], inputs_of: &dyn Fn(Source) -> Vec<f64>) -> Vec<State> {
        let mut done: Vec<State> = Vec::new();
        let tensors = tensors(&self.spec);
        let layers = self.spec.layers();
        for (i, layer) in layers.iter().enumerate() {
            let inputs: Vec<f64> = (layer.sources.iter())
                .flat_map(|source| match *source {
                    Source::Layer(i) => done[i].outputs.clone(),
                    input => inputs_of(input),
                })
                .collect();
            let here: Vec<f64> = match layer.form {
                Form::Fixed => {
                    let (matrix, biases) = self.spec.fixed();
                    matrix.into_iter().chain(biases).map(f64::from).collect()
                }
                _ => tensors
                    .iter()
                    .filter(|t| t.layer == i)
                    .flat_map(|t| weights[t.range()].iter().copied())
                    .collect(),
            };
            let sums: Vec<f64> = (0..layer.n_out)
                .map(|o| {
                    let bias = bias(layer, o).map_or(0.0, |at| here[at]);
                    let term =
                        |(k, x): (usize, &f64)| weight(layer, o, k).map_or(0.0, |(at, s)| s * here[at] * x);
                    bias + inputs.iter().enumerate().map(term).sum::<f64>()
                })
                .collect();
            let outputs = match layer.activation {
                Activation::Product { by } => {
                    sums.iter().zip(&done[by].outputs).map(|(a, factor)| a * factor).collect()
                }
                Activation::ComplexGabor { omega, scale } => {
                    let (re, im) = sums.split_at(sums.len() / 2);
                    let z: Vec<_> = re.iter().zip(im).map(|(x, y)| wavelet(omega, scale, *x, *y)).collect();
                    z.iter().map(|z| z.0).chain(z.iter().map(|z| z.1)).collect()
                }
                own => sums.iter().map(|a| value(own, *a)).collect(),
            };
            done.push(State { inputs, sums, outputs });
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
        let at = |site| self.heads(&self.forward(weights, site).pop().expect("a last layer").outputs, site).0;
        batch.iter().map(|&(site, weight)| weight * at(site)).sum()
    }

    /// Gradient of [`Problem::loss`] by back-propagation.
    pub fn gradient(&self, weights: &[f64], batch: &[Share]) -> Vec<f64> {
        let layers = self.spec.layers();
        let tensors = tensors(&self.spec);
        let mut gradient = vec![0.0; weights.len()];
        for &(site, weight_of_site) in batch {
            let done = self.forward(weights, site);
            let heads = self.heads(&done[layers.len() - 1].outputs, site).1;
            let mut slopes: Vec<Vec<f64>> = layers.iter().map(|l| vec![0.0; l.n_out]).collect();
            slopes[layers.len() - 1] = heads.iter().map(|h| weight_of_site * h).collect();
            for (i, layer) in layers.iter().enumerate().rev() {
                let State { inputs, sums, outputs } = &done[i];
                let mut d = vec![0.0; layer.n_out];
                match layer.activation {
                    Activation::Product { by } => {
                        for o in 0..layer.n_out {
                            d[o] = slopes[i][o] * done[by].outputs[o];
                            slopes[by][o] += slopes[i][o] * sums[o];
                        }
                    }
                    Activation::ComplexGabor { omega, scale } => {
                        // f' = (i omega - 2 scale^2 x) f along x, (-omega - 2 scale^2 y) f along y.
                        let (omega, square) = (f64::from(omega), f64::from(scale).powi(2));
                        let n = layer.n_out / 2;
                        for o in 0..n {
                            let (re, im) = (outputs[o], outputs[n + o]);
                            let by_x = (-2.0 * square * sums[o], omega);
                            let by_y = -omega - 2.0 * square * sums[n + o];
                            let (g, h) = (slopes[i][o], slopes[i][n + o]);
                            d[o] = g * (by_x.0 * re - by_x.1 * im) + h * (by_x.0 * im + by_x.1 * re);
                            d[n + o] = by_y * (g * re + h * im);
                        }
                    }
                    own => {
                        for o in 0..layer.n_out {
                            d[o] = slopes[i][o] * derivative(own, sums[o]);
                        }
                    }
                }
                if layer.form == Form::Fixed {
                    continue;
                }
                let of_layer = tensors.iter().position(|t| t.layer == i).expect("a stored layer");
                let offset = tensors[of_layer].offset;
                for (o, d) in d.iter().enumerate() {
                    if let Some(at) = bias(layer, o) {
                        gradient[offset + at] += d;
                    }
                    for (k, x) in inputs.iter().enumerate() {
                        if let Some((at, sign)) = weight(layer, o, k) {
                            gradient[offset + at] += sign * d * x;
                        }
                    }
                }
                let mut column = 0;
                for source in &layer.sources {
                    let Source::Layer(from) = *source else { continue };
                    for k in 0..layers[from].n_out {
                        let back = |(o, d): (usize, &f64)| {
                            weight(layer, o, column + k).map_or(0.0, |(at, s)| s * weights[offset + at] * d)
                        };
                        slopes[from][k] += d.iter().enumerate().map(back).sum::<f64>();
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

/// A layer at a site.
pub struct State {
    pub inputs: Vec<f64>,
    pub sums: Vec<f64>,
    pub outputs: Vec<f64>,
}

/// Where the weight of output `o` for input `k` is stored among those of its layer, and its sign: the real matrix that
/// does what a complex one does. `None` where the weight is 0.
pub fn weight(layer: &Dense, o: usize, k: usize) -> Option<(usize, f64)> {
    let n = layer.n_out / 2;
    match layer.form {
        Form::Real | Form::Fixed => Some((o * layer.n_in + k, 1.0)),
        Form::RealOfComplex => (o < n).then_some((o * layer.n_in + k, 1.0)),
        Form::Complex { n_complex } => {
            let n_real = layer.n_in - 2 * n_complex;
            let row = o % n * 2 * (n_complex + n_real);
            let imaginary = usize::from(o >= n);
            Some(match k {
                // (a + i b) (x + i y) = (a x - b y) + i (b x + a y)
                k if k < n_complex => (row + imaginary * n_complex + k, 1.0),
                k if k < 2 * n_complex && o < n => (row + k, -1.0),
                k if k < 2 * n_complex => (row + k - n_complex, 1.0),
                k => (row + k + imaginary * n_real, 1.0),
            })
        }
    }
}

/// Where the bias of output `o` is stored among the weights of its layer.
pub fn bias(layer: &Dense, o: usize) -> Option<usize> {
    let matrix = match layer.form {
        Form::Real | Form::Fixed => layer.n_out * layer.n_in,
        Form::RealOfComplex if o >= layer.n_out / 2 => return None,
        Form::RealOfComplex => layer.n_out / 2 * layer.n_in,
        Form::Complex { n_complex } => layer.n_out * (layer.n_in - n_complex),
    };
    Some(matrix + o)
}

/// `exp(i omega z - |scale z|^2)`, z = x + i y.
fn wavelet(omega: f32, scale: f32, x: f64, y: f64) -> (f64, f64) {
    let (omega, scale) = (f64::from(omega), f64::from(scale));
    // exp(i omega (x + i y)) = exp(-omega y) (cos omega x + i sin omega x)
    let size = (-omega * y).exp() * (-(scale * x).powi(2)).exp() * (-(scale * y).powi(2)).exp();
    (size * (omega * x).cos(), size * (omega * x).sin())
}

fn value(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sine { omega } => (f64::from(omega) * a).sin(),
        Activation::Relu => a.max(0.0),
        Activation::Linear => a,
        Activation::Gabor { omega, scale } => {
            (f64::from(omega) * a).sin() * (-(f64::from(scale) * a).powi(2)).exp()
        }
        two => unreachable!("{two:?} is made of two sums"),
    }
}

fn derivative(activation: Activation, a: f64) -> f64 {
    match activation {
        Activation::Sine { omega } => f64::from(omega) * (f64::from(omega) * a).cos(),
        Activation::Relu if a > 0.0 => 1.0,
        Activation::Relu => 0.0,
        Activation::Linear => 1.0,
        Activation::Gabor { omega, scale } => {
            let (omega, scale) = (f64::from(omega), f64::from(scale));
            let envelope = (-(scale * a).powi(2)).exp();
            omega * (omega * a).cos() * envelope - (omega * a).sin() * 2.0 * scale * scale * a * envelope
        }
        two => unreachable!("{two:?} is made of two sums"),
    }
}
