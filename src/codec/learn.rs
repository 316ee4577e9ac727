//! Learning where fits start from, and fits that do.

use super::tile::Shared;
use super::{InrCodec, Observer, Told, fullest, network_of, on};
use crate::domain::CoordMap;
use crate::error::{Error, Result};
use crate::event::Event;
use crate::net::Weights;
use crate::prior::StartPrior;
use crate::settings::{Bits, ModelKind, OptimizerKind, Resolved, Settings};
use crate::tile::TileGrid;

/// How a prior for fitting is learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lessons {
    /// Steps of each fit.
    pub n_steps: u64,
    /// Fits of each tile.
    pub n_passes: u64,
}

impl Default for Lessons {
    fn default() -> Lessons {
        Lessons { n_steps: 300, n_passes: 20 }
    }
}

/// Steps of a masked fit that starts from a prior. A field that decides on occupancy itself keeps its number: most of that
/// is the event's own.
const MASKED_STEPS: u64 = 600;

/// Answers every question for an event, as [`Settings::resolve`] does; a fit that starts from a prior has its network.
///
/// # Errors
/// `Argument` for settings that make no sense, or that ask for another network than that of the prior.
pub fn resolve(
    settings: &Settings,
    start: Option<&StartPrior>,
    event: &Event,
    grid: &TileGrid,
    n_occupied: usize,
) -> Result<Resolved> {
    let Some(start) = start else { return settings.resolve(event, grid, n_occupied) };
    let network = start.network();
    let settings = Settings {
        model: settings.model.or(Some(ModelKind::of(&network.spec.model))),
        hidden: settings.hidden.or(Some(network.spec.hidden)),
        n_layers: settings.n_layers.or(Some(network.spec.n_layers)),
        n_steps: settings.n_steps.or(settings.mode.is_exact().then_some(MASKED_STEPS)),
        // As the start was learned.
        optimizer: settings.optimizer.or(Some(OptimizerKind::Adam)),
        ..settings.clone()
    };
    let resolved = settings.resolve(event, grid, n_occupied)?;
    start.check(&resolved.fit.spec)?;
    // What the weights have learned to read.
    Ok(Resolved { coords: network.coords, pattern: network.pattern, ..resolved })
}

/// A tile to learn from: its event, its number there, and how it is fitted.
struct Task<'a> {
    event: &'a Event,
    grid: TileGrid,
    tile: usize,
    resolved: Resolved,
}

impl InrCodec {
    /// Learns where fits of events like `events`, with the settings of this codec, should start from: weights that a
    /// few steps suffice to fit to any of them (Reptile: Nichol, Achiam and Schulman, arXiv 1803.02999). From the
    /// starting weights of a fit, each tile in turn is fitted, and the weights moved towards the result, by a share that
    /// falls from all of the way to nothing.
    ///
    /// The same events, settings and lessons give the same prior, whatever the number of threads.
    ///
    /// # Errors
    /// `Argument` where there is nothing to learn from, or for settings that make no sense; `Interrupted` when the
    /// observer cancels.
    pub fn learn_start(
        &self,
        events: &[Event],
        lessons: &Lessons,
        observer: &dyn Observer,
    ) -> Result<StartPrior> {
        let cpu = self.cpu()?;
        let cuda = self.cuda()?;
        let tasks = self.tasks(events, lessons)?;
        let Some(first) = tasks.first() else {
            return Err(Error::argument("nothing to learn from: no event has an occupied voxel"));
        };
        let fit = first.resolved.fit;
        let mut weights = Weights::initial_scaled(fit.spec, fit.seed, fit.input_scale)?;
        let n_fits = lessons.n_passes as usize * tasks.len();
        for i in 0..n_fits {
            let Task { event, grid, tile, resolved } = &tasks[i % tasks.len()];
            // Every fit has draws of its own.
            let told = Told { observer, tile: i, n_tiles: n_fits };
            told.check()?;
            let network = network_of(resolved);
            let shared = Shared {
                cpu: &cpu,
                fitter: on(&cpu, cuda.as_deref()),
                header: &self.header(event, grid, cuda.is_some()),
                fields: Some((&network, resolved)),
                start: Some(&weights),
                exact: None,
                bounded: None,
                prior: None,
                keep_field: false,
            };
            let part = grid.extract(event, &grid.tile(*tile))?;
            let Some(fitted) = shared.train(&part, &told)? else { continue };
            let share = (n_fits - i) as f32 / n_fits as f32;
            let moved = weights.values().iter().zip(fitted.values()).map(|(w, f)| w + share * (f - w));
            weights = Weights::new(fit.spec, moved.collect())?;
        }
        StartPrior::new(network_of(&first.resolved), weights)
    }

    /// All tiles that have occupied voxels, with one network for all of them.
    fn tasks<'a>(&self, events: &'a [Event], lessons: &Lessons) -> Result<Vec<Task<'a>>> {
        let mut settings = Settings {
            bits: Some(Bits::Float),
            n_steps: Some(lessons.n_steps),
            optimizer: self.settings.optimizer.or(Some(OptimizerKind::Adam)),
            time_limit: None,
            ..self.settings.clone()
        };
        if lessons.n_passes == 0 {
            return Err(Error::argument("nothing is learned in no passes"));
        }
        let mut of_events = Vec::new();
        for event in events {
            let grid = TileGrid::new(event.shape(), settings.tile)?;
            let tiles: Vec<_> = (0..grid.n_tiles()).map(|i| grid.tile(i)).collect();
            let n_occupied = fullest(event, &grid, &tiles)?;
            if n_occupied > 0 {
                let resolved = settings.resolve(event, &grid, n_occupied)?;
                of_events.push((event, grid, n_occupied, resolved));
            }
        }
        // The widest network that an event is worth, what most events see of the support, coordinates in between.
        settings.hidden = of_events.iter().map(|(.., resolved)| resolved.fit.spec.hidden).max();
        let n_like = |pattern| of_events.iter().filter(|(.., r)| r.pattern == pattern).count();
        let patterns = of_events.iter().rev().map(|(.., r)| r.pattern);
        let pattern = patterns.max_by_key(|pattern| n_like(*pattern)).flatten();
        let mean = |of: fn(&CoordMap) -> [f32; 3], axis: usize| {
            let sum: f32 = of_events.iter().map(|(.., r)| of(&r.coords)[axis]).sum();
            // In whole 64ths, as those of a single event.
            (sum / of_events.len() as f32 * 64.0).round_ties_even() / 64.0
        };
        let coords =
            CoordMap { lo: [0, 1, 2].map(|a| mean(|c| c.lo, a)), hi: [0, 1, 2].map(|a| mean(|c| c.hi, a)) };
        let mut tasks = Vec::new();
        for (event, grid, n_occupied, _) in of_events {
            let mut resolved = settings.resolve(event, &grid, n_occupied)?;
            resolved.fit.keep_last = true;
            (resolved.coords, resolved.pattern) = (coords, pattern);
            let tile = |tile| Task { event, grid, tile, resolved };
            tasks.extend((0..grid.n_tiles()).map(tile));
        }
        Ok(tasks)
    }
}
