//! Where networks are trained and evaluated: whole rounds of steps, never single tensor operations.

pub mod cpu;
pub mod cuda;

use crate::error::Result;
use crate::net::Weights;
use inrfit_sampling::DrawTable;

/// Sites by their coordinates: a grid's axes and which of its points.
///
/// A site's coordinates are looked up in one table an axis, so that training and decoding use the same bits.
#[derive(Debug, Clone, Copy)]
pub struct SiteBlock<'a> {
    /// The coordinate of each index, axis by axis; the grid is in C order.
    pub axes: [&'a [f32]; 3],
    /// The grid positions of the sites; `None` = every grid point, in order.
    pub positions: Option<&'a [u32]>,
    /// Features of the sites, `n_features` values a site; empty where the network has none.
    pub features: &'a [f32],
}

impl SiteBlock<'_> {
    /// Number of sites.
    pub fn n_sites(&self) -> usize {
        self.positions.map_or_else(|| self.axes.iter().map(|a| a.len()).product(), <[u32]>::len)
    }

    /// Coordinates of site `i`.
    #[inline]
    pub fn coords(&self, i: usize) -> [f32; 3] {
        let p = self.positions.map_or(i, |p| p[i] as usize);
        let [a, b, c] = self.axes;
        let (row, k) = (p / c.len(), p % c.len());
        [a[row / b.len()], b[row % b.len()], c[k]]
    }
}

/// What a network is fitted to: sites, what the value head shall give there, and which are occupied.
#[derive(Debug, Clone, Copy)]
pub struct TrainingSet<'a> {
    /// Where.
    pub sites: SiteBlock<'a>,
    /// Target of the value head, by site; at empty sites only a one-headed network is held to it.
    pub targets: &'a [f32],
    /// Occupancy, by site.
    pub occupied: &'a [bool],
}

/// How far a value is from its target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueLoss {
    /// `|d|`
    L1,
    /// `d^2`
    L2,
}

/// The loss of a step: the mean over the batch of `weight * (BCE(logit, occupied) + value_scale * loss(value))`,
/// the value term at occupied sites only. With one head: the mean of `weight * value_scale * loss(value)` at
/// every site.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Of the value head.
    pub value: ValueLoss,
    /// Its factor.
    pub value_scale: f32,
    /// Whether draws are weighted by their inverse probability.
    pub correct: bool,
}

/// Adam (Kingma and Ba 2015), bias-corrected, without weight decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Decay of the first moment.
    pub beta1: f32,
    /// Decay of the second.
    pub beta2: f32,
    /// Added to the root.
    pub epsilon: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// Muon (Jordan et al. 2024; for implicit networks arXiv 2512.14366): a hidden matrix moves along the orthogonal factor of
/// its averaged gradient.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Muon {
    /// Decay of the average; Nesterov's look-ahead is taken.
    pub momentum: f32,
    /// Root mean square of a step's changes, as a share of the learning rate.
    pub step: f32,
}

/// How a step moves the weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Optimizer {
    /// Of every weight that `muon` does not move.
    pub adam: Adam,
    /// Share of each weight, times the learning rate, that a step takes away beside (AdamW, Loshchilov and Hutter 2019);
    /// 0 = none.
    pub decay: f32,
    /// Gradients whose norm over all weights is larger are shortened to it.
    pub clip: Option<f32>,
    /// Of the matrices between hidden layers, where given.
    pub muon: Option<Muon>,
}

impl From<Adam> for Optimizer {
    fn from(adam: Adam) -> Self {
        Optimizer { adam, decay: 0.0, clip: None, muon: None }
    }
}

/// Learning rate by step: `initial` throughout, or falling to `initial * last` along half a cosine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// At step 0.
    pub initial: f32,
    /// What is left at the end, as a share; 1 = constant.
    pub last: f32,
    /// Steps in all.
    pub n_steps: u64,
}

impl Schedule {
    /// The rate of `step`. The cosine is the lane's, so that it is the same on every machine.
    pub fn rate(&self, step: u64) -> f32 {
        use crate::lane::{Scalar, Simd};
        let done = step as f32 / self.n_steps.max(1) as f32;
        let (_, cos) = Scalar::new().sin_cos(done * std::f32::consts::PI);
        self.initial * (self.last + (1.0 - self.last) * 0.5 * (1.0 + cos))
    }
}

/// Steps to run without looking up.
#[derive(Debug, Clone, Copy)]
pub struct Round<'a> {
    /// Number of the first step, counted over the whole fit.
    pub first_step: u64,
    /// How many.
    pub n_steps: u64,
    /// Sites a step, where there is a table to draw them from.
    pub batch: usize,
    /// Of the draws.
    pub seed: u64,
    /// Which sites a step trains on; `None` = every site, once, in order: a batch is then all sites.
    pub table: Option<&'a DrawTable>,
    /// Loss.
    pub loss: Loss,
    /// Learning rate.
    pub schedule: Schedule,
    /// Optimiser.
    pub optimizer: Optimizer,
    /// Quantisation step of each tensor: the forward and backward pass see weights rounded to its multiples
    /// (straight-through: gradients go to the unrounded ones). `None` = unrounded.
    pub rounding: Option<&'a [f32]>,
}

/// Arithmetic of training. Decoding is always f32.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// f32 throughout.
    F32,
    /// Products of bf16, sums in f32.
    Bf16,
}

/// A network in training on some device.
pub trait Trainer: Send {
    /// Runs a round; returns the mean loss over it.
    ///
    /// # Errors
    /// `Device` where the device fails.
    fn run(&mut self, round: &Round<'_>) -> Result<f64>;

    /// The unrounded weights as they are now.
    fn weights(&self) -> Result<Weights>;

    /// The running mean of squared gradients, in the order of the weights: how much each one matters.
    fn curvature(&self) -> Result<Vec<f32>>;
}

/// A place to train and evaluate.
pub trait Backend: Send + Sync {
    /// What reports and files call it.
    fn name(&self) -> &str;

    /// A trainer of `weights` on `set`.
    ///
    /// # Errors
    /// `Unsupported` where the device lacks `precision`; `Argument` where weights and set do not belong together.
    fn trainer<'a>(
        &'a self,
        weights: &Weights,
        set: TrainingSet<'a>,
        precision: Precision,
    ) -> Result<Box<dyn Trainer + 'a>>;

    /// The network's outputs at `sites`, `n_heads` values a site, by the exact arithmetic of the format.
    fn evaluate(&self, weights: &Weights, sites: &SiteBlock<'_>, out: &mut [f32]) -> Result<()>;
}
