//! What an encoder is asked to do, and what follows from it for a given event.

mod family;
mod names;

pub use family::Constants;
pub use names::{
    Bits, DeviceRequest, Effort, Mode, ModelKind, Optimise, OptimizerKind, PrecisionKind, Preset, Sampling,
    ScheduleKind,
};

use crate::backend::{Adam, Loss, Muon, Optimizer, Precision, ValueLoss};
use crate::domain::{CoordMap, Transform};
use crate::error::{Error, Result};
use crate::event::{DType, Event};
use crate::fit::FitSettings;
use crate::lane::{Scalar, Simd};
use crate::net::NetSpec;
use crate::pattern::{Pattern, Support, run_axis};
use crate::quant::{BitRates, MatrixBits};
use crate::residual::Bound;
use crate::tile::TileGrid;
use family::Family;
use inrfit_sampling::SamplerKind;
use std::time::Duration;

/// What an encoder is asked to do. `None` = as the preset and the event suggest.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Which layers.
    pub mode: Mode,
    /// Where what is not said comes from.
    pub preset: Preset,
    /// The bound of [`Mode::Bounded`].
    pub bound: Option<Bound>,
    /// How much work a smaller file is worth.
    pub effort: Effort,
    /// Whether what past events tell may help to tell the values below a bound.
    pub prior: bool,
    /// Keep a field below a bound, or in mode field, even where the file is smaller without.
    pub keep_field: bool,
    /// Which error to make small.
    pub optimise: Option<Optimise>,
    /// Family of the network.
    pub model: Option<ModelKind>,
    /// Its constants.
    pub constants: Option<Constants>,
    /// Units of a hidden layer.
    pub hidden: Option<usize>,
    /// Hidden layers.
    pub n_layers: Option<usize>,
    /// 1 = the value; 2 = occupancy and value.
    pub n_heads: Option<usize>,
    /// Which sites a step trains on.
    pub sampling: Option<Sampling>,
    /// Whether draws are weighted by their inverse probability.
    pub correct: bool,
    /// Bits of a weight.
    pub bits: Option<Bits>,
    /// Steps of the fit.
    pub n_steps: Option<u64>,
    /// Sites a step.
    pub batch: Option<usize>,
    /// Learning rate at the start.
    pub learning_rate: Option<f32>,
    /// How it falls.
    pub schedule: Option<ScheduleKind>,
    /// How a step moves the weights.
    pub optimizer: Option<OptimizerKind>,
    /// Longest gradient; `None` = any.
    pub clip: Option<f32>,
    /// Checkpoints without a gain before a phase of a fit ends early; `None` = as many as there are.
    pub patience: Option<u32>,
    /// Largest extent of a tile on each axis.
    pub tile: Option<[usize; 3]>,
    /// Arithmetic of training.
    pub precision: PrecisionKind,
    /// Of starting weights and draws.
    pub seed: u64,
    /// Time for the fits of an event; gives up that the same input gives the same bytes.
    pub time_limit: Option<Duration>,
    /// Where to fit.
    pub device: DeviceRequest,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            mode: Mode::Masked,
            preset: Preset::Balanced,
            bound: None,
            effort: Effort::Balanced,
            prior: true,
            keep_field: false,
            optimise: None,
            model: None,
            constants: None,
            hidden: None,
            n_layers: None,
            n_heads: None,
            sampling: None,
            correct: false,
            bits: None,
            n_steps: None,
            batch: None,
            learning_rate: None,
            schedule: None,
            optimizer: None,
            clip: None,
            patience: None,
            tile: None,
            precision: PrecisionKind::F32,
            seed: 0,
            time_limit: None,
            device: DeviceRequest::Auto,
        }
    }
}

/// Settings with every question answered for one event.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resolved {
    pub fit: FitSettings,
    pub sampling: Sampling,
    pub coords: CoordMap,
    pub transform: Transform,
    /// What the features of a site are.
    pub pattern: Option<Pattern>,
    /// Whether occupancy is stored exactly, and the network fitted to the occupied voxels alone.
    pub exact: bool,
    /// Which error checkpoints are compared by.
    pub optimise: Optimise,
    /// Whether the occupancy threshold is calibrated; else everything above the transform's cut is occupied.
    pub calibrate: bool,
}

/// How long a fit is, and how wide its network.
struct Pace {
    n_steps: u64,
    optimizer: OptimizerKind,
    /// Voxels, and occupied voxels, that a weight of the automatic width stands for where the field decides on occupancy.
    voxels_per_weight: f64,
    occupied_per_weight: f64,
}

impl Pace {
    /// As measured (docs/benchmarks.md): beside an exact support Muon takes sine layers and real wavelets in half the steps
    /// to where Adam does; elsewhere it is behind.
    fn of(settings: &Settings, family: &Family) -> Pace {
        let exact = settings.mode.is_exact();
        let likes_muon = exact && matches!(family.kind, ModelKind::Siren | ModelKind::WireReal);
        let suggested = if likes_muon { OptimizerKind::Muon(0.2) } else { OptimizerKind::Adam };
        let optimizer = settings.optimizer.unwrap_or(suggested);
        let with_muon = matches!(optimizer, OptimizerKind::Muon(_));
        let n_steps = match (settings.preset, exact) {
            (Preset::Fast, true) if with_muon => 1500,
            (Preset::Fast, true) => 3000,
            // Four times as many gained nothing.
            (Preset::Balanced | Preset::Best, true) if with_muon => 3000,
            (Preset::Balanced | Preset::Best, true) => 6000,
            (Preset::Fast, false) => 1400,
            (Preset::Balanced, false) => 5500,
            (Preset::Best, false) => 22_000,
            // As published.
            (Preset::PaperSiren | Preset::PaperFfnet | Preset::PaperWire, _) => 3000,
        };
        let [voxels_per_weight, occupied_per_weight] = match settings.preset {
            Preset::Best => [33.0, 2.5],
            _ => [22.0, 1.7],
        };
        Pace { n_steps, optimizer, voxels_per_weight, occupied_per_weight }
    }
}

/// Mean bits of a weight beside an exact support, where a byte of weights is worth less error than in a wide network.
const MASKED_BITS: f32 = 4.0;

/// Units of a masked SIREN of a tile that is worth them; other families get as many weights.
const MASKED_HIDDEN: usize = 14;

/// Occupied voxels that a weight of the automatic width stands for beside an exact support.
const OCCUPIED_PER_MASKED_WEIGHT: f64 = 20.0;

/// Beyond any use: a day of a fast machine.
const MAX_STEPS: u64 = 1_000_000_000;
const MAX_BATCH: usize = 1 << 28;

impl Settings {
    /// The bound that every voxel keeps; `None` in modes that have none.
    ///
    /// # Errors
    /// `Argument` where mode and bound do not go together.
    pub fn kept_bound(&self) -> Result<Option<Bound>> {
        let alone = |what: &str| {
            Err(Error::argument(format!(
                "{what} has no meaning in mode {}: use it with --mode bounded or leave it away",
                self.mode
            )))
        };
        match (self.mode, self.bound) {
            (Mode::Bounded, Some(Bound::Exact)) | (Mode::Lossless, None) => Ok(Some(Bound::Exact)),
            (Mode::Bounded, Some(bound)) => Ok(Some(bound)),
            (Mode::Bounded, None) => Err(Error::argument(
                "mode bounded needs a bound: --max-error (unit of the samples) or --max-log-error (log2 units)",
            )),
            (_, Some(_)) => alone("an error bound"),
            (Mode::Masked, None) if self.keep_field => alone("--keep-field"),
            (Mode::Field | Mode::Masked, None) => Ok(None),
        }
    }

    /// Whether fields may be fitted at all.
    pub fn may_fit(&self) -> bool {
        !self.mode.is_bounded()
            || self.keep_field
            || self.mode == Mode::Bounded && self.effort == Effort::Best
    }

    /// How steps move the weights: by `kind` where nothing is said; `paper` = with the constants as published.
    fn optimizer(&self, paper: bool, kind: OptimizerKind) -> Result<Optimizer> {
        if let Some(clip) = self.clip.filter(|clip| !(clip.is_finite() && *clip > 0.0)) {
            return Err(Error::argument(format!("the longest gradient must be positive, not {clip}")));
        }
        if self.patience == Some(0) {
            return Err(Error::argument(
                "a fit waits for one checkpoint at least: patience is a number from 1 on",
            ));
        }
        Ok(Optimizer {
            // A second moment with a short memory follows the rounding noise of the last phase; with the usual
            // 0.999 the log error of short fits is an eighth higher (docs/benchmarks.md).
            adam: Adam { beta2: if paper { 0.999 } else { 0.99 }, ..Adam::default() },
            decay: if let OptimizerKind::AdamW(decay) = kind { decay } else { 0.0 },
            clip: self.clip,
            muon: match kind {
                OptimizerKind::Muon(step) => Some(Muon { momentum: 0.95, step }),
                OptimizerKind::Adam | OptimizerKind::AdamW(_) => None,
            },
        })
    }

    /// Answers every question for an event in the tiles of `grid`, of which the fullest has `n_occupied` occupied
    /// voxels.
    pub(crate) fn resolve(&self, event: &Event, grid: &TileGrid, n_occupied: usize) -> Result<Resolved> {
        let n_voxels: usize = grid.max_tile_shape().iter().product();
        let paper = self.preset.family().is_some();
        let n_layers = self.n_layers.unwrap_or(3);
        let exact = self.mode.is_exact();
        let n_heads = self.n_heads.unwrap_or(if paper || exact { 1 } else { 2 });
        if exact && (paper || n_heads != 1) {
            return Err(Error::argument(format!(
                "mode {} has one head and no preset of a paper: those need --mode field",
                self.mode
            )));
        }
        let pattern = exact.then(|| pattern(event));
        let family = Family::new(self.preset, self.model, self.constants, exact, n_layers, self.seed)?;
        let pace = Pace::of(self, &family);
        let n_features = pattern.map_or(0, |p| p.n_features());
        let spec = |family: &Family, hidden: usize| {
            let model = family.model(hidden);
            NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads }
        };
        let hidden = match (self.hidden, paper) {
            (Some(hidden), _) => hidden,
            (None, true) => 128,
            (None, false) => {
                let (most, step, widest) = match exact {
                    true => {
                        let siren = Family::new(self.preset, None, None, exact, n_layers, self.seed)?;
                        let most = n_occupied as f64 / OCCUPIED_PER_MASKED_WEIGHT;
                        (most.min(spec(&siren, MASKED_HIDDEN).n_weights() as f64), 1, 512)
                    }
                    false => {
                        let most = n_voxels as f64 / pace.voxels_per_weight;
                        (most.min(n_occupied as f64 / pace.occupied_per_weight), 8, 512)
                    }
                };
                let fits = |h: &usize| spec(&family, *h).n_weights() as f64 <= most;
                (step..=widest).step_by(step).take_while(fits).last().unwrap_or(step)
            }
        };
        let spec = spec(&family, hidden);
        spec.validate()?;
        let bits = match self.bits.unwrap_or(if paper { Bits::Float } else { Bits::Auto }) {
            Bits::Float => None,
            Bits::Auto if exact => Some(BitRates {
                matrix: MatrixBits::Mean(MASKED_BITS),
                bias: MASKED_BITS + 2.0,
                quarters: true,
            }),
            Bits::Auto => Some(BitRates { matrix: MatrixBits::Worth, bias: 8.0, quarters: false }),
            Bits::Fixed(n) => Some(fixed_bits(f32::from(n), exact)),
            Bits::Hundredths(n) => Some(fixed_bits(f32::from(n) / 100.0, exact)),
        };
        let default_sampling = match (paper, exact) {
            (true, _) => Sampling::Full,
            (_, true) => Sampling::Drawn(SamplerKind::Uniform),
            _ => Sampling::Drawn(SamplerKind::Balanced { share: 0.3 }),
        };
        // Tiles of few occupied voxels see each of them several times in a few steps.
        let batch = self.batch.unwrap_or(if exact { (n_occupied / 4).clamp(256, 4096) } else { 8192 });
        let n_steps = self.n_steps.unwrap_or(pace.n_steps);
        if !(1..=MAX_BATCH).contains(&batch) || !(1..=MAX_STEPS).contains(&n_steps) {
            return Err(Error::argument(format!(
                "a fit has 1 to {MAX_STEPS} steps of 1 to {MAX_BATCH} sites, not {n_steps} of {batch}"
            )));
        }
        let learning_rate = self.learning_rate.unwrap_or(family.learning_rate);
        if !(learning_rate.is_finite() && learning_rate > 0.0) {
            return Err(Error::argument(format!("the learning rate must be positive, not {learning_rate}")));
        }
        let optimizer = self.optimizer(paper, pace.optimizer)?;
        let one_head = n_heads == 1 && !exact;
        let optimise = self.optimise.unwrap_or(if one_head { Optimise::Mse } else { Optimise::LogMae });
        let fit = FitSettings {
            spec,
            input_scale: family.input_scale,
            n_steps,
            batch,
            learning_rate,
            last_rate: match self.schedule {
                Some(ScheduleKind::Constant) => 1.0,
                None if paper => 1.0,
                Some(ScheduleKind::Cosine) | None => 0.01,
            },
            loss: Loss {
                value: match optimise {
                    Optimise::LogMae => ValueLoss::L1,
                    Optimise::Mse => ValueLoss::L2,
                },
                value_scale: if n_heads == 1 { 1.0 } else { 0.5 },
                correct: self.correct,
            },
            optimizer,
            bits,
            rounding_from: if exact { 0.7 } else { 0.6 },
            patience: self.patience,
            keep_last: paper,
            precision: match self.precision {
                PrecisionKind::F32 => Precision::F32,
                PrecisionKind::Bf16 => Precision::Bf16,
            },
            seed: self.seed,
            time_limit: self.time_limit,
        };
        Ok(Resolved {
            fit,
            sampling: self.sampling.unwrap_or(default_sampling),
            coords: match (paper, exact) {
                (true, _) => CoordMap::cube(0.0, 1.0),
                (_, true) => CoordMap::cube(-1.0, 1.0),
                _ => coords(event, grid.counts()),
            },
            transform: if paper {
                Transform::Ln { offset: 64.0, scale: 6.0, cut: 67.0 }
            } else {
                transform(event, one_head, exact)
            },
            // As published, one head needs no threshold: what the transform cuts is empty.
            calibrate: !(paper && one_head || exact),
            pattern,
            exact,
            optimise,
        })
    }
}

/// Rates of a given mean of the matrices; biases are few, and never coarser than by default.
fn fixed_bits(mean: f32, exact: bool) -> BitRates {
    let bias = mean.max(if exact { MASKED_BITS + 2.0 } else { 8.0 });
    BitRates { matrix: MatrixBits::Mean(mean), bias, quarters: exact }
}

/// The neighbourhood that a masked field sees.
fn pattern(event: &Event) -> Pattern {
    let occupied: Vec<bool> = (0..event.n_voxels()).map(|i| event.samples().get(i) != 0.0).collect();
    Pattern::near(run_axis(&Support { shape: event.shape(), occupied: &occupied }))
}

/// Changes of occupancy along a line that a half extent of 1 stands for.
const CHANGES_PER_HALF_EXTENT: f32 = 7.0;

/// Coordinates around 0, each axis as long as there is structure on it: the mean number of changes between occupied
/// and empty along the lines of a tile, of those that have an occupied voxel in the event. So the first layer starts with frequencies that the event
/// has, whatever its axes are.
fn coords(event: &Event, tile_counts: [usize; 3]) -> CoordMap {
    let shape = event.shape();
    let occupied: Vec<bool> = (0..event.n_voxels()).map(|i| event.samples().get(i) != 0.0).collect();
    let half = [0, 1, 2].map(|axis| {
        let stride: usize = shape[axis + 1..].iter().product();
        let n = shape[axis];
        let (mut n_changes, mut n_lines) = (0u64, 0u64);
        for line in 0..event.n_voxels() / n {
            let start = line / stride * stride * n + line % stride;
            let at = |i: usize| occupied[start + i * stride];
            if (0..n).any(at) {
                n_lines += 1;
                n_changes += (1..n).filter(|&i| at(i) != at(i - 1)).count() as u64;
            }
        }
        let per_tile = n_changes as f32 / n_lines.max(1) as f32 / tile_counts[axis] as f32;
        // In whole 64ths, which take few bytes in the file.
        ((per_tile / CHANGES_PER_HALF_EXTENT).clamp(0.1, 16.0) * 64.0).round_ties_even() / 64.0
    });
    CoordMap { lo: half.map(|h| -h), hi: half }
}

/// Log2 of the samples: around the median of the occupied ones, or, with one head, in tenths from 0.
fn transform(event: &Event, one_head: bool, exact: bool) -> Transform {
    let s = Scalar::new();
    let mut magnitudes: Vec<f32> = nonzero(event).map(|v| v.abs() as f32).collect();
    let median = |v: &mut Vec<f32>| {
        let middle = v.len() / 2;
        if v.is_empty() { 1.0 } else { *v.select_nth_unstable_by(middle, f32::total_cmp).1 }
    };
    // Floats have no natural unit: take what puts their median where ADC counts lie.
    let unit_exponent = match event.dtype() {
        DType::F32 => s.split((median(&mut magnitudes) / 64.0).clamp(1e-30, 1e30)).0 as i32,
        _ => 0,
    };
    let plain = Transform::Log2 { unit_exponent, center: 0.0, scale: 1.0 };
    let mut logs: Vec<f32> = nonzero(event).map(|v| plain.target(s, v as f32)).collect();
    match one_head {
        true => Transform::Log2 { unit_exponent, center: 0.0, scale: 10.0 },
        // In whole 256ths, which take few bytes in the file.
        false if exact => {
            let center = (median(&mut logs) * 256.0).round_ties_even() / 256.0;
            Transform::Log2 { unit_exponent, center, scale: 1.0 }
        }
        false => Transform::Log2 { unit_exponent, center: median(&mut logs), scale: 1.0 },
    }
}

/// The nonzero samples.
fn nonzero(event: &Event) -> impl Iterator<Item = f64> + '_ {
    (0..event.n_voxels()).map(|i| event.samples().get(i)).filter(|v| *v != 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    #[test]
    fn bits_are_read_and_shown() {
        for (text, bits) in [
            ("4", Bits::Fixed(4)),
            ("4.65", Bits::Hundredths(465)),
            ("2.07", Bits::Hundredths(207)),
            ("auto", Bits::Auto),
        ] {
            assert_eq!((text.parse::<Bits>().unwrap(), bits.to_string()), (bits, text.to_owned()));
        }
        for wrong in ["1", "17", "1.9", "16.1", "nan", "4.", ".", "-3.5", "1e1"] {
            assert!(wrong.parse::<Bits>().is_err() || wrong == "4.", "{wrong}");
        }
    }

    #[test]
    fn coordinates_follow_the_structure_within_a_tile() {
        // Bars of four voxels, four apart, along the first axis; constant along the others.
        let bars = |n: usize| -> Event {
            let samples: Vec<u16> = (0..n * 6 * 5).map(|i| if i / 30 % 8 < 4 { 100 } else { 0 }).collect();
            Event::new([n, 6, 5], Samples::from(samples)).unwrap()
        };
        let one = coords(&bars(64), [1, 1, 1]);
        assert_eq!(one.hi, [137.0 / 64.0, 6.0 / 64.0, 6.0 / 64.0]);
        let four = coords(&bars(256), [4, 1, 1]);
        assert!((four.hi[0] - one.hi[0]).abs() < 0.15, "{four:?}: a tile of four is like the one");
    }
}
