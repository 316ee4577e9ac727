//! Fitting a network to a training set: rounds of steps, the phase with rounded weights, the choice of the best.

use crate::backend::{Backend, Loss, Optimizer, Precision, Round, Schedule, Trainer, TrainingSet};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{NetSpec, Weights};
use crate::quant::{self, BitRates, Sensitivity};
use inrfit_sampling::DrawTable;
use std::time::{Duration, Instant};

/// How to fit.
#[derive(Debug, Clone, Copy)]
pub struct FitSettings {
    /// The network.
    pub spec: NetSpec,
    /// What the matrices that read the coordinates are multiplied by at the start.
    pub input_scale: f32,
    /// Steps in all.
    pub n_steps: u64,
    /// Sites a step.
    pub batch: usize,
    /// Learning rate at the start.
    pub learning_rate: f32,
    /// What is left of it at the end, as a share (1 = constant).
    pub last_rate: f32,
    /// Loss.
    pub loss: Loss,
    /// Optimiser.
    pub optimizer: Optimizer,
    /// Bits a weight; `None` = weights stay f32.
    pub bits: Option<BitRates>,
    /// Share of the steps after which weights are rounded in the passes.
    pub rounding_from: f64,
    /// Checkpoints in a row without a gain of 1 % over the best of their phase, after which a phase ends early: the one
    /// without rounding goes over to the one with it, that one ends the fit. `None` = never.
    pub patience: Option<u32>,
    /// Take the last weights instead of the best among the checkpoints.
    pub keep_last: bool,
    /// Arithmetic of the steps.
    pub precision: Precision,
    /// Of starting weights and draws.
    pub seed: u64,
    /// Stop training after this time: the schedule is then followed by time, and bytes differ from run to run.
    pub time_limit: Option<Duration>,
}

/// A fitted network.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// The weights, not rounded.
    pub weights: Weights,
    /// Quantisation step of each tensor; `None` = weights stay f32.
    pub steps: Option<Vec<f32>>,
    /// Steps run.
    pub n_steps: u64,
}

/// Sites of the fixed draw that checkpoints are compared on.
const N_VALIDATION: usize = 32_768;
/// Checkpoints after rounding is on, and reports before.
const N_CHECKPOINTS: u64 = 8;
const N_REPORTS: u64 = 16;

/// Sites trained on between two calls of `heard`: a fraction of a second.
const SITES_UNHEARD: usize = 1 << 18;

/// The state of a fit as its caller hears of it.
#[derive(Debug, Clone, Copy)]
pub struct FitProgress {
    /// Steps done.
    pub step: u64,
    /// Steps in all.
    pub n_steps: u64,
    /// What `score` said last.
    pub error: Option<f64>,
}

/// Fits a network. `score` rates weights on a fixed choice of sites (smaller is better); `heard` is told how it
/// goes and answers whether to stop.
///
/// # Errors
/// `Interrupted` when told to stop; `Argument` for settings that make no sense; `Device` where it fails.
pub fn fit(
    backend: &dyn Backend,
    set: TrainingSet<'_>,
    table: Option<&DrawTable>,
    settings: &FitSettings,
    score: &mut dyn FnMut(&Weights) -> Result<f64>,
    heard: &mut dyn FnMut(FitProgress) -> bool,
) -> Result<Fitted> {
    fit_refreshed(backend, set, table, settings, score, heard, &mut |_| Ok(None))
}

/// [`fit`] with draws that follow the fit: after each checkpoint but the last, `refresh` is shown the weights (rounded
/// where the passes see them so) and may give a table that takes the place of the one before. Its time is no part of a
/// time limit.
///
/// # Errors
/// As [`fit`], and whatever `refresh` refuses.
pub fn fit_refreshed(
    backend: &dyn Backend,
    set: TrainingSet<'_>,
    table: Option<&DrawTable>,
    settings: &FitSettings,
    score: &mut dyn FnMut(&Weights) -> Result<f64>,
    heard: &mut dyn FnMut(FitProgress) -> bool,
    refresh: &mut dyn FnMut(&Weights) -> Result<Option<DrawTable>>,
) -> Result<Fitted> {
    fit_from(backend, set, table, settings, None, score, heard, refresh)
}

/// [`fit_refreshed`] from the weights `start`, where some are given, instead of random ones. Bits are then those of the
/// differences from them.
///
/// # Errors
/// As [`fit_refreshed`]; `Argument` where they are those of another network.
pub fn fit_from(
    backend: &dyn Backend,
    set: TrainingSet<'_>,
    table: Option<&DrawTable>,
    settings: &FitSettings,
    start: Option<&Weights>,
    score: &mut dyn FnMut(&Weights) -> Result<f64>,
    heard: &mut dyn FnMut(FitProgress) -> bool,
    refresh: &mut dyn FnMut(&Weights) -> Result<Option<DrawTable>>,
) -> Result<Fitted> {
    let n_steps = settings.n_steps;
    if n_steps == 0 {
        return Err(Error::argument("a fit needs at least one step"));
    }
    let initial = match start {
        Some(start) if *start.spec() == settings.spec => start.clone(),
        Some(_) => return Err(Error::argument("a fit that starts from the weights of another network")),
        None => Weights::initial_scaled(settings.spec, settings.seed, settings.input_scale)?,
    };
    let mut trainer = backend.trainer(&initial, set, settings.precision)?;
    let schedule = Schedule { initial: settings.learning_rate, last: settings.last_rate, n_steps };
    let rounded_from = match settings.bits {
        Some(_) => ((n_steps as f64 * settings.rounding_from) as u64).min(n_steps - 1),
        None => n_steps,
    };
    let mut steps: Option<Vec<f32>> = None;
    let mut best: Option<(f64, Weights)> = None;
    let mut refreshed: Option<DrawTable> = None;
    let mut clock = Clock { limit: settings.time_limit, spent: Duration::ZERO, n_steps, loss: 0.0 };
    let mut patience = Patience::new(settings.patience);
    let (mut step, mut n_run, mut loss, mut error) = (0, 0, 0.0, None);
    let sites_a_step = if table.is_some() { settings.batch } else { set.targets.len() };
    let heard_every = (SITES_UNHEARD / sites_a_step.max(1)).max(1) as u64;
    while step < n_steps {
        if let (Some(bits), None, true) = (&settings.bits, &steps, step >= rounded_from) {
            let curvature = trainer.curvature()?;
            let sensitivity = Sensitivity { curvature: &curvature, batch: sites_a_step, loss };
            let weights = trainer.weights()?;
            // Where the start is known, only how far weights have come from it is paid for.
            let paid = match start {
                Some(start) => {
                    let far = weights.values().iter().zip(start.values()).map(|(w, s)| w - s);
                    Weights::new(settings.spec, far.collect())?
                }
                None => weights,
            };
            steps = Some(quant::allocate(&paid, &sensitivity, bits)?);
        }
        let n_left = if step < rounded_from { rounded_from - step } else { n_steps - step };
        let n = match step < rounded_from {
            true => (n_steps / N_REPORTS).max(1).min(n_left),
            false => ((n_steps - rounded_from) / N_CHECKPOINTS).max(1).min(n_left),
        };
        let round = Round {
            first_step: step,
            n_steps: n,
            batch: settings.batch,
            seed: settings.seed,
            table: refreshed.as_ref().or(table),
            loss: settings.loss,
            schedule,
            optimizer: settings.optimizer,
            rounding: steps.as_deref(),
        };
        let (until, mut sum) = (step + n, 0.0);
        while step < until {
            if clock.is_over() {
                // Nothing is left to run: the schedule ends here.
                step = until;
                break;
            }
            let round = Round { first_step: step, n_steps: (until - step).min(heard_every), ..round };
            sum += clock.run(trainer.as_mut(), &round)? * round.n_steps as f64;
            step += round.n_steps;
            n_run += round.n_steps;
            if !heard(FitProgress { step, n_steps, error }) {
                return Err(Error::new(ErrorKind::Interrupted, "stopped on request"));
            }
        }
        // Skipped steps have no loss: the last one's stands for them.
        loss = if clock.limit.is_some() { clock.loss } else { sum / n as f64 };
        let weights = trainer.weights()?;
        if !loss.is_finite() || weights.values().iter().any(|w| !w.is_finite()) {
            return Err(Error::argument(format!(
                "the fit diverged by step {step}: try a lower learning rate"
            )));
        }
        let rounded = steps.as_ref().map(|steps| quant::round(&weights, steps));
        let seen = rounded.as_ref().unwrap_or(&weights);
        let now = score(seen)?;
        error = Some(now);
        if step < n_steps
            && let Some(table) = refresh(seen)?
        {
            refreshed = Some(table);
        }
        let comparable = steps.is_some() || settings.bits.is_none();
        let better = settings.keep_last || best.as_ref().is_none_or(|(least, _)| now < *least);
        if comparable && better {
            best = Some((now, weights));
        }
        if patience.is_over(now) {
            // What is left of this phase is skipped; the schedule goes on where the next one begins.
            step = if step < rounded_from { rounded_from } else { n_steps };
        }
        if step == rounded_from {
            patience = Patience::new(settings.patience);
        }
    }
    let (_, weights) = best.ok_or_else(|| Error::argument("the fit gave no weights that can be compared"))?;
    Ok(Fitted { weights, steps, n_steps: n_run })
}

/// Notices that checkpoints get no better.
struct Patience {
    limit: Option<u32>,
    least: f64,
    n_waited: u32,
}

impl Patience {
    /// What counts as a gain, as a share of the least error.
    const GAIN: f64 = 0.01;

    fn new(limit: Option<u32>) -> Patience {
        Patience { limit, least: f64::INFINITY, n_waited: 0 }
    }

    /// Hears of a checkpoint's error; whether so many in a row were no gain.
    fn is_over(&mut self, error: f64) -> bool {
        self.n_waited = if error < self.least * (1.0 - Self::GAIN) { 0 } else { self.n_waited + 1 };
        self.least = self.least.min(error);
        self.limit.is_some_and(|limit| self.n_waited >= limit)
    }
}

/// Runs rounds; under a time limit, skips steps of the schedule so that it ends in time.
struct Clock {
    limit: Option<Duration>,
    spent: Duration,
    n_steps: u64,
    /// Of the last step.
    loss: f64,
}

impl Clock {
    /// Whether the time is spent.
    fn is_over(&self) -> bool {
        self.limit.is_some_and(|limit| self.spent >= limit)
    }

    /// Runs `round`, or as much of it as its share of the time limit allows; returns the mean loss.
    fn run(&mut self, trainer: &mut dyn Trainer, round: &Round<'_>) -> Result<f64> {
        let Some(limit) = self.limit else {
            return trainer.run(round);
        };
        let until = limit.mul_f64((round.first_step + round.n_steps) as f64 / self.n_steps as f64);
        let mut n = 0;
        // The first step always: a fit of none has nothing to quantise.
        while n < round.n_steps && (self.spent.is_zero() || self.spent < until) {
            let start = Instant::now();
            self.loss = trainer.run(&Round { first_step: round.first_step + n, n_steps: 1, ..*round })?;
            self.spent += start.elapsed();
            n += 1;
        }
        Ok(self.loss)
    }
}

/// The fixed choice of sites that checkpoints are compared on: evenly spread, every site where there are few.
pub fn validation_positions(n_sites: usize) -> Vec<u32> {
    let n = n_sites.min(N_VALIDATION);
    (0..n).map(|i| ((i as u64 * n_sites as u64 + n_sites as u64 / 2) / n as u64) as u32).collect()
}
