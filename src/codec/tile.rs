//! One tile's way into the file and out of it.

use super::{Progress, Seconds, Stage, Told};
use crate::backend::{Backend, SiteBlock, TrainingSet, cpu::Cpu};
use crate::container::{
    Contents, FieldLayer, Header, NetworkHeader, PriorName, RawTile, Record, ResidualLayer, SupportLayer,
    TileRecords, WeightCoding, frame, kind, layer_bytes,
};
use crate::domain::Transform;
use crate::error::{Error, Result};
use crate::event::{Event, Samples};
use crate::field::{NetField, calibrate};
use crate::fit::{FitProgress, FitSettings, Fitted, fit_from, validation_positions};
use crate::lane::{Level, Scalar};
use crate::net::Weights;
use crate::pattern::Support;
use crate::prior::{ContextPrior, Needed};
use crate::quant::{self, MatrixBits};
use crate::residual::{self, Bins, Hints, Rule};
use crate::settings::{Optimise, Resolved, Sampling};
use crate::support::{Coding, Walk};
use crate::with_samples;
use inrfit_sampling::{DrawTable, SamplingError, Sites};
use std::time::Instant;

/// One tile as it goes into the file: its records, framed, and what each holds.
#[derive(Default)]
pub struct PackedTile {
    pub records: Vec<u8>,
    /// Type of each record, and bytes of its layer.
    pub layers: Vec<(u8, usize)>,
    /// Whether the file must name the prior.
    pub uses_prior: bool,
}

impl PackedTile {
    fn with(mut self, kind: u8, payload: &[u8]) -> PackedTile {
        self.records.extend(frame(kind, payload));
        self.layers.push((kind, layer_bytes(payload)));
        self
    }

    fn and(mut self, more: PackedTile) -> PackedTile {
        self.records.extend(more.records);
        self.layers.extend(more.layers);
        self.uses_prior |= more.uses_prior;
        self
    }

    fn with_values(mut self, layer: &ResidualLayer) -> PackedTile {
        self.uses_prior |= layer.prior;
        self.with(kind::RESIDUAL, &layer.to_payload())
    }

    /// Whether it has a layer of type `kind`.
    pub fn has(&self, kind: u8) -> bool {
        self.layers.iter().any(|(k, _)| *k == kind)
    }
}

/// `log2(1 + |v| / unit)` of samples: the scale on which decoding errors are counted.
fn log_magnitudes(transform: &Transform, values: impl Iterator<Item = f64>) -> Vec<f32> {
    let unit_exponent = match *transform {
        Transform::Log2 { unit_exponent, .. } => unit_exponent,
        Transform::Ln { .. } => 0,
    };
    let plain = Transform::Log2 { unit_exponent, center: 0.0, scale: 1.0 };
    values.map(|v| plain.target(Scalar::new(), v.abs() as f32)).collect()
}

/// A tile as the fit sees it: every voxel, or, beside an exact support, the occupied ones with their features.
struct TileData {
    /// Positions of the sites within the tile; `None` = every voxel is one.
    positions: Option<Vec<u32>>,
    /// The samples, by site.
    samples: Vec<f64>,
    targets: Vec<f32>,
    occupied: Vec<bool>,
    /// `log2(1 + |sample| / unit)`.
    truth: Vec<f32>,
    features: Vec<f32>,
    axes: [Vec<f32>; 3],
    /// Sites of the fixed choice that checkpoints are compared on, their positions and features.
    checked: Vec<u32>,
    checked_positions: Vec<u32>,
    checked_features: Vec<f32>,
}

impl TileData {
    fn new(part: &Event, network: &NetworkHeader, resolved: &Resolved, support: Option<&[bool]>) -> TileData {
        let s = Scalar::new();
        let positions: Option<Vec<u32>> =
            support.map(|o| (0..o.len() as u32).filter(|&i| o[i as usize]).collect());
        let samples: Vec<f64> = match &positions {
            Some(positions) => positions.iter().map(|&i| part.samples().get(i as usize)).collect(),
            None => (0..part.n_voxels()).map(|i| part.samples().get(i)).collect(),
        };
        let features = match (support, &positions, network.pattern) {
            (Some(occupied), Some(positions), Some(pattern)) => {
                pattern.plan().native(&Support { shape: part.shape(), occupied }, positions)
            }
            _ => Vec::new(),
        };
        let checked = validation_positions(samples.len());
        let k = network.spec.n_features;
        let of = |&i: &u32| features[i as usize * k..(i as usize + 1) * k].iter().copied();
        TileData {
            checked_positions: checked
                .iter()
                .map(|&i| positions.as_ref().map_or(i, |p| p[i as usize]))
                .collect(),
            checked_features: if k > 0 { checked.iter().flat_map(of).collect() } else { Vec::new() },
            checked,
            positions,
            targets: samples.iter().map(|&v| resolved.transform.target(s, v as f32)).collect(),
            occupied: samples.iter().map(|&v| v != 0.0).collect(),
            truth: log_magnitudes(&resolved.transform, samples.iter().copied()),
            features,
            samples,
            axes: [0, 1, 2].map(|a| resolved.coords.axis(a, part.shape()[a])),
        }
    }

    /// All sites.
    fn sites(&self) -> SiteBlock<'_> {
        let axes = [&self.axes[0][..], &self.axes[1], &self.axes[2]];
        SiteBlock { axes, positions: self.positions.as_deref(), features: &self.features }
    }

    /// The sites that checkpoints are compared on.
    fn checked_sites(&self) -> SiteBlock<'_> {
        let axes = [&self.axes[0][..], &self.axes[1], &self.axes[2]];
        SiteBlock { axes, positions: Some(&self.checked_positions), features: &self.checked_features }
    }

    /// What samplers take for the size of a value: |t| of the paper where the transform keeps zeros at 0, else the
    /// logarithm above its unit.
    fn magnitudes(&self, resolved: &Resolved) -> Vec<f32> {
        match resolved.calibrate || resolved.exact {
            true => self.truth.clone(),
            false => self.targets.iter().map(|t| t.abs()).collect(),
        }
    }

    /// What is wrong with every site as `weights` decode it: the log error of its sample.
    fn site_errors(
        &self,
        evaluator: &dyn Backend,
        header: &Header,
        resolved: &Resolved,
        weights: &Weights,
    ) -> Result<Vec<f32>> {
        let n_heads = resolved.fit.spec.n_heads;
        let mut heads = vec![0.0; self.truth.len() * n_heads];
        evaluator.evaluate(weights, &self.sites(), &mut heads)?;
        // Beside an exact support nothing is below the threshold.
        let threshold = self.calibrate(header, resolved, &heads, None).0;
        let decoded = log_magnitudes(&resolved.transform, self.decoded(header, resolved, &heads).into_iter());
        let errors = decoded.iter().zip(&self.truth).zip(heads.chunks_exact(n_heads));
        Ok(errors.map(|((d, t), h)| if h[0] > threshold { (d - t).abs() } else { *t }).collect())
    }

    /// What `heads` decode to if every one of the sites `of` (`None` = all) is occupied.
    fn decoded(&self, header: &Header, resolved: &Resolved, heads: &[f32]) -> Vec<f64> {
        let transform = &resolved.transform;
        let values = transform.values(Level::detect(), heads, resolved.fit.spec.n_heads);
        values.iter().map(|&v| transform.sample(header.dtype, header.range, v).unwrap_or(0.0)).collect()
    }

    /// Best threshold for `heads` at the sites `of` (`None` = all), and the mean log error there.
    fn calibrate(
        &self,
        header: &Header,
        resolved: &Resolved,
        heads: &[f32],
        of: Option<&[u32]>,
    ) -> (f32, f64) {
        let decoded = log_magnitudes(&resolved.transform, self.decoded(header, resolved, heads).into_iter());
        let score: Vec<f32> = heads.iter().step_by(resolved.fit.spec.n_heads).copied().collect();
        let truth: Vec<f32> = match of {
            Some(of) => of.iter().map(|&i| self.truth[i as usize]).collect(),
            None => self.truth.clone(),
        };
        if !resolved.calibrate {
            let error: f64 = decoded.iter().zip(&truth).map(|(d, t)| f64::from((d - t).abs())).sum();
            return (f32::NEG_INFINITY, error / truth.len() as f64);
        }
        let (threshold, error) = calibrate(&score, &decoded, &truth);
        (threshold, error / truth.len() as f64)
    }

    /// What a checkpoint with these `heads` at the checked sites is rated by; the smaller the better.
    fn rate(&self, header: &Header, resolved: &Resolved, heads: &[f32]) -> f64 {
        match resolved.optimise {
            Optimise::Mse if self.positions.is_some() => {
                let decoded = self.decoded(header, resolved, heads);
                let pairs = decoded.iter().zip(&self.checked);
                pairs.map(|(d, &i)| (d - self.samples[i as usize]).powi(2)).sum()
            }
            _ => self.calibrate(header, resolved, heads, Some(&self.checked)).1,
        }
    }
}

/// What all tiles of an event share.
pub struct Shared<'a> {
    pub cpu: &'a Cpu,
    /// What fits, and evaluates on the way.
    pub fitter: &'a dyn Backend,
    pub header: &'a Header,
    /// How fields are fitted, where any may be.
    pub fields: Option<(&'a NetworkHeader, &'a Resolved)>,
    /// Weights that fits start from, where they do not start from random ones.
    pub start: Option<&'a Weights>,
    /// How occupancy is stored, where exactly.
    pub exact: Option<Coding>,
    /// How values are kept within a bound, where they are.
    pub bounded: Option<Bounded>,
    /// What may help to tell the values below a bound.
    pub prior: Option<&'a ContextPrior>,
    /// Whether a field alone stays even where the samples as they are would take fewer bytes.
    pub keep_field: bool,
}

/// How values are kept within a bound.
pub struct Bounded {
    /// The bins; `None` where they would be too many or too fine, so that samples are kept as they are.
    pub bins: Option<(Rule, Bins)>,
    /// Whether a field stays even where the file is smaller without.
    pub keep_field: bool,
}

/// A file this many times smaller than the samples is not compared with them packed as they are.
const CLEARLY_SMALLER: usize = 16;
/// A field is tried below a bound where the values take at least so many times its fewest bytes.
const WORTH_A_FIELD: f64 = 8.0;

impl Shared<'_> {
    /// Packs one tile, or keeps its samples where that is no larger.
    pub fn encode(&self, part: &Event, told: &Told<'_>, seconds: &mut Seconds) -> Result<PackedTile> {
        let raw = |seconds: &mut Seconds| -> Result<PackedTile> {
            let start = Instant::now();
            let raw = RawTile { tile: told.tile as u64, samples: part.samples().clone() };
            let packed = PackedTile::default().with(kind::RAW, &raw.to_payload()?);
            seconds.pack += start.elapsed().as_secs_f64();
            Ok(packed)
        };
        let packed = match self.exact {
            Some(coding) => self.encode_exact(coding, part, told, seconds)?,
            None => self.encode_field(part, told, seconds, &raw)?,
        };
        let n_plain = part.n_voxels() * part.dtype().n_bytes();
        match packed {
            Some(packed) if self.keep_field && self.exact.is_none() => Ok(packed),
            Some(packed) if packed.records.len() * CLEARLY_SMALLER < n_plain => Ok(packed),
            Some(packed) => Ok(smaller(packed, raw(seconds)?)),
            None => raw(seconds),
        }
    }

    /// A field alone; `None` where that cannot pay.
    fn encode_field(
        &self,
        part: &Event,
        told: &Told<'_>,
        seconds: &mut Seconds,
        raw: &dyn Fn(&mut Seconds) -> Result<PackedTile>,
    ) -> Result<Option<PackedTile>> {
        let Some((network, resolved)) = self.fields else { return Ok(None) };
        // Below the fewest bits that a fit may end with, it would be for nothing.
        if !self.keep_field && (raw(seconds)?.records.len() as f64) < least_bytes(network, resolved) {
            return Ok(None);
        }
        let data = TileData::new(part, network, resolved, None);
        let mut layer = self.fitted_layer(&data, part.n_voxels(), told, seconds)?;
        let start = Instant::now();
        let heads = net_field(&layer, network, self.start)?.heads(self.fitter, &data.sites())?;
        layer.threshold = data.calibrate(self.header, resolved, &heads, None).0;
        let packed = PackedTile::default().with(kind::FIELD, &layer.to_payload(&network.spec)?);
        seconds.pack += start.elapsed().as_secs_f64();
        Ok(Some(packed))
    }

    /// The exact support and what tells the values; `None` where that cannot pay.
    fn encode_exact(
        &self,
        coding: Coding,
        part: &Event,
        told: &Told<'_>,
        seconds: &mut Seconds,
    ) -> Result<Option<PackedTile>> {
        let start = Instant::now();
        let tile = told.tile as u64;
        if u32::try_from(part.n_voxels()).is_err() {
            return Err(Error::argument("a tile of 2^32 voxels or more; ask for smaller tiles"));
        }
        let occupied = occupancy(part.samples());
        let walk = Walk::choose(part.shape(), &occupied);
        let layer = SupportLayer { tile, coding, walk, occupied };
        let support = PackedTile::default().with(kind::SUPPORT, &layer.to_payload());
        let occupied = layer.occupied;
        seconds.pack += start.elapsed().as_secs_f64();
        // Where the support says it all, nothing else is needed.
        if !occupied.contains(&true) || self.header.range.0 == self.header.range.1 {
            return Ok(Some(support));
        }
        let Some(bounded) = &self.bounded else {
            let Some((network, resolved)) = self.fields else { return Ok(None) };
            let data = TileData::new(part, network, resolved, Some(&occupied));
            let layer = self.fitted_layer(&data, part.n_voxels(), told, seconds)?;
            return Ok(Some(support.with(kind::FIELD, &layer.to_payload(&network.spec)?)));
        };
        let Some((rule, bins)) = &bounded.bins else { return Ok(None) };
        let start = Instant::now();
        told.observer.progress(&told.at(Stage::Pack));
        let symbols: Vec<u16> = (0..part.n_voxels())
            .map(|i| if occupied[i] { bins.of(part.samples().get(i)) as u16 } else { 0 })
            .collect();
        let values = |field: Option<&[i32]>| {
            let by = |prior: Option<&ContextPrior>| {
                let hints = Hints { field, network: prior.map(ContextPrior::network) };
                let code = residual::encode(coding, walk, &occupied, bins, hints, &symbols);
                ResidualLayer { tile, coding, prior: prior.is_some(), rule: *rule, code }
            };
            let Some(prior) = self.prior else { return by(None) };
            let both = || rayon::join(|| by(None), || by(Some(prior)));
            let (without, with) = self.cpu.install(both);
            // A file that uses a prior names it.
            let n_name = frame(kind::PRIOR, &PriorName::Contexts(prior.short_hash()).to_payload()).len();
            if with.code.len() + n_name < without.code.len() { with } else { without }
        };
        let alone = values(None);
        seconds.pack += start.elapsed().as_secs_f64();
        let worth_it = |(network, resolved): &(&NetworkHeader, &Resolved)| {
            bounded.keep_field || alone.code.len() as f64 > WORTH_A_FIELD * least_bytes(network, resolved)
        };
        let Some((network, resolved)) = self.fields.filter(worth_it) else {
            return Ok(Some(support.with_values(&alone)));
        };
        let data = TileData::new(part, network, resolved, Some(&occupied));
        let layer = self.fitted_layer(&data, part.n_voxels(), told, seconds)?;
        let start = Instant::now();
        let field = net_field(&layer, network, self.start)?;
        let said = field_samples(self.fitter, self.header, &field, part.shape(), &occupied)?;
        let field = PackedTile::default()
            .with(kind::FIELD, &layer.to_payload(&network.spec)?)
            .with_values(&values(Some(&positions(bins, &said, &occupied))));
        // A file with a field needs the network's record too.
        let n_network = frame(kind::NETWORK, &network.to_payload()?).len();
        let n_alone = frame(kind::RESIDUAL, &alone.to_payload()).len();
        seconds.pack += start.elapsed().as_secs_f64();
        Ok(Some(match bounded.keep_field || field.records.len() + n_network < n_alone {
            true => support.and(field),
            false => support.with_values(&alone),
        }))
    }

    /// The weights of a field fitted to a tile; `None` where there is nothing to fit.
    pub fn train(&self, part: &Event, told: &Told<'_>) -> Result<Option<Weights>> {
        let (Some((network, resolved)), occupied) = (self.fields, occupancy(part.samples())) else {
            return Ok(None);
        };
        if !occupied.contains(&true) {
            return Ok(None);
        }
        let data = TileData::new(part, network, resolved, resolved.exact.then_some(&occupied));
        let fitted = self.fit(&data, part.n_voxels(), told, &mut Seconds::default())?;
        Ok(Some(fitted.weights))
    }

    /// A field fitted to `data`, its threshold not yet chosen.
    fn fitted_layer(
        &self,
        data: &TileData,
        n_voxels: usize,
        told: &Told<'_>,
        seconds: &mut Seconds,
    ) -> Result<FieldLayer> {
        let fitted = self.fit(data, n_voxels, told, seconds)?;
        told.observer.progress(&told.at(Stage::Pack));
        let weights = match fitted.steps {
            Some(steps) => {
                let integers = quant::quantise(&fitted.weights, &steps);
                let integers = match self.start {
                    Some(start) => quant::less_start(&integers, start, &steps),
                    None => integers,
                };
                WeightCoding::Integers { integers, steps }
            }
            None => WeightCoding::Float(fitted.weights.values().to_vec()),
        };
        Ok(FieldLayer { tile: told.tile as u64, threshold: f32::NEG_INFINITY, weights })
    }

    fn fit(
        &self,
        data: &TileData,
        n_voxels: usize,
        told: &Told<'_>,
        seconds: &mut Seconds,
    ) -> Result<Fitted> {
        let Shared { fitter, header, fields: Some((_, resolved)), start: initial, .. } = *self else {
            return Err(Error::argument("no field is fitted in this mode"));
        };
        let start = Instant::now();
        let set = TrainingSet { sites: data.sites(), targets: &data.targets, occupied: &data.occupied };
        let sampler = match resolved.sampling {
            Sampling::Drawn(kind) => Some((kind, kind.build().map_err(sampling_error)?)),
            Sampling::Full => None,
        };
        let magnitudes = data.magnitudes(resolved);
        let sites = Sites { magnitude: &magnitudes, occupied: &data.occupied };
        let in_steps = |table: DrawTable| table.with_draws_per_step(resolved.fit.batch as u64);
        let table = match &sampler {
            Some((_, sampler)) => Some(in_steps(sampler.plan(&sites).map_err(sampling_error)?)),
            None => None,
        };
        let mut refresh = |weights: &Weights| match &sampler {
            Some((kind, sampler)) if kind.is_refreshed() => {
                let errors = data.site_errors(fitter, header, resolved, weights)?;
                Ok(sampler.refresh(&sites, &errors).map_err(sampling_error)?.map(in_steps))
            }
            _ => Ok(None),
        };
        let mut heads = vec![0.0; data.checked.len() * resolved.fit.spec.n_heads];
        let mut score = |weights: &Weights| {
            fitter.evaluate(weights, &data.checked_sites(), &mut heads)?;
            Ok(data.rate(header, resolved, &heads))
        };
        let mut heard = |p: FitProgress| {
            let FitProgress { step, n_steps, error } = p;
            // Empty voxels are exact where the sites are the occupied ones.
            let share = data.samples.len() as f64 / n_voxels as f64;
            let error = error.filter(|_| resolved.optimise == Optimise::LogMae).map(|e| e * share);
            told.observer.progress(&Progress { step, n_steps, error, ..told.at(Stage::Fit) });
            !told.observer.cancelled()
        };
        let settings = FitSettings {
            seed: resolved.fit.seed.wrapping_add(told.tile as u64),
            time_limit: resolved.fit.time_limit.map(|t| t / told.n_tiles as u32),
            ..resolved.fit
        };
        let table = table.as_ref();
        let fitted = fit_from(fitter, set, table, &settings, initial, &mut score, &mut heard, &mut refresh)?;
        seconds.fit += start.elapsed().as_secs_f64();
        Ok(fitted)
    }
}

fn smaller(ours: PackedTile, raw: PackedTile) -> PackedTile {
    if ours.records.len() < raw.records.len() { ours } else { raw }
}

/// Bytes that a field takes at the least.
fn least_bytes(network: &NetworkHeader, resolved: &Resolved) -> f64 {
    let bits = match resolved.fit.bits.map(|b| b.matrix) {
        None => 32.0 * 0.9,
        Some(MatrixBits::Mean(mean)) => 0.8 * f64::from(mean),
        Some(MatrixBits::Worth) => 0.8 * f64::from(quant::WORTH_BITS.0),
    };
    bits / 8.0 * network.spec.n_weights() as f64
}

/// Which samples are not zero.
pub fn occupancy(samples: &Samples) -> Vec<bool> {
    with_samples!(samples, v => v.iter().map(|v| f64::from(*v) != 0.0).collect())
}

/// What a field says of the occupied voxels of a tile.
fn field_samples(
    evaluator: &dyn Backend,
    header: &Header,
    field: &NetField,
    shape: [usize; 3],
    occupied: &[bool],
) -> Result<Samples> {
    field.decode_within(evaluator, &Support { shape, occupied }, header.dtype, header.range)
}

/// Positions of what a field says, by voxel.
fn positions(bins: &Bins, said: &Samples, occupied: &[bool]) -> Vec<i32> {
    let at = |(i, o): (usize, &bool)| if *o { bins.position(said.get(i)) } else { 0 };
    occupied.iter().enumerate().map(at).collect()
}

fn sampling_error(error: SamplingError) -> Error {
    Error::argument(error.to_string())
}

/// The field of a layer, whose weights are told from those of `start` where a file names a prior for fitting.
///
/// # Errors
/// `Argument` where it has other weights than the network.
pub fn net_field(layer: &FieldLayer, network: &NetworkHeader, start: Option<&Weights>) -> Result<NetField> {
    if start.is_some_and(|start| *start.spec() != network.spec) {
        return Err(Error::corrupt("the prior for fitting that the file names is of another network"));
    }
    Ok(NetField {
        weights: layer.weights(&network.spec, start)?,
        threshold: layer.threshold,
        transform: network.transform,
        coords: network.coords,
        pattern: network.pattern,
    })
}

/// The samples of a tile of `shape`.
///
/// # Errors
/// `Corrupt`, `Unsupported`; `Device` where evaluation fails.
pub fn decode_tile(
    evaluator: &dyn Backend,
    contents: &Contents<'_>,
    priors: &Needed,
    layers: &TileRecords<'_>,
    shape: [usize; 3],
) -> Result<Samples> {
    let Header { dtype, range, .. } = contents.header;
    let at = |r: &Record<'_>| r.payload_offset;
    if let Some(record) = layers.raw {
        let n = shape.iter().product();
        return Ok(RawTile::from_payload(record.payload, at(&record), dtype, n)?.samples);
    }
    let Some(record) = layers.support else {
        let (Some(record), Some(network)) = (layers.field, &contents.network) else {
            return Err(Error::corrupt("a tile without layers"));
        };
        let layer = FieldLayer::from_payload(record.payload, at(&record), &network.spec)?;
        return net_field(&layer, network, priors.start())
            .and_then(|field| field.decode(evaluator, shape, dtype, range))
            .map_err(|e| e.context(format!("the field at byte {}", at(&record))));
    };
    let SupportLayer { walk, occupied, .. } = SupportLayer::from_payload(record.payload, at(&record), shape)?;
    let said = match (layers.field, &contents.network) {
        (Some(record), Some(network)) => {
            let layer = FieldLayer::from_payload(record.payload, at(&record), &network.spec)?;
            let samples = net_field(&layer, network, priors.start())
                .and_then(|field| field_samples(evaluator, &contents.header, &field, shape, &occupied))
                .map_err(|e| e.context(format!("the field at byte {}", at(&record))))?;
            Some(samples)
        }
        _ => None,
    };
    let sites = || occupied.iter().enumerate().filter(|(_, o)| **o).map(|(i, _)| i);
    let Some(record) = layers.residual else {
        return Ok(said.unwrap_or_else(|| {
            let mut samples = Samples::zeros(dtype, occupied.len());
            sites().for_each(|i| samples.set(i, range.0));
            samples
        }));
    };
    let in_layer = |e: Error| e.context(format!("the values at byte {}", at(&record)));
    let layer = ResidualLayer::from_payload(record.payload, at(&record))?;
    let bins = Bins::new(layer.rule, dtype, range)
        .ok_or_else(|| in_layer(Error::corrupt("a bound that does not go with the range of the samples")))?;
    let field = said.map(|said| positions(&bins, &said, &occupied));
    let network = match (layer.prior, &priors.contexts) {
        (false, _) => None,
        (true, Some(prior)) => Some(prior.network()),
        (true, None) => return Err(in_layer(Error::corrupt("coded with a prior, but the file names none"))),
    };
    let hints = Hints { field: field.as_deref(), network };
    let symbols =
        residual::decode(layer.coding, walk, &occupied, &bins, hints, &layer.code).map_err(in_layer)?;
    let mut samples = Samples::zeros(dtype, occupied.len());
    sites().for_each(|i| samples.set(i, bins.value(usize::from(symbols[i]))));
    Ok(samples)
}
