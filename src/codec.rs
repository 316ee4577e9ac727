//! The journey of an event to bytes and back: the only file that names all stages in order.

use crate::backend::{Backend, SiteBlock, TrainingSet, cpu::Cpu};
use crate::container::{
    Contents, FieldLayer, Header, Limits, NetworkHeader, RawTile, Record, TileRecords, WeightCoding, Writer,
    frame, index_payload, kind, layer_bytes,
};
use crate::domain::Transform;
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Samples};
use crate::field::{NetField, calibrate};
use crate::fit::{FitProgress, FitSettings, Fitted, fit_refreshed, validation_positions};
use crate::lane::{Level, Scalar};
use crate::metrics::default_peak;
use crate::net::Weights;
use crate::quant::{self, MatrixBits};
use crate::settings::{DeviceRequest, PrecisionKind, Resolved, Sampling, Settings};
use crate::tile::{Tile, TileGrid};
use inrfit_sampling::{DrawTable, SamplingError, Sites};
use serde::Serialize;
use std::time::Instant;

/// Turns events into bytes and back.
pub trait Codec {
    /// What reports call it.
    fn name(&self) -> String;
    /// Compresses an event.
    ///
    /// # Errors
    /// Whatever the codec refuses or fails at.
    fn encode(&self, event: &Event) -> Result<Vec<u8>>;
    /// Decompresses what [`Codec::encode`] wrote.
    ///
    /// # Errors
    /// Whatever the codec refuses or fails at.
    fn decode(&self, bytes: &[u8]) -> Result<Event>;
}

/// What long work is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Fitting a tile.
    Fit,
    /// Writing its layers.
    Pack,
    /// Decoding what was written.
    Verify,
    /// Decoding a file.
    Decode,
}

/// How far long work is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    /// What it does.
    pub stage: Stage,
    /// Which tile.
    pub tile: usize,
    /// Tiles in all.
    pub n_tiles: usize,
    /// Step of the fit.
    pub step: u64,
    /// Steps in all.
    pub n_steps: u64,
    /// Estimate of log-MAE, where there is one.
    pub error: Option<f64>,
}

/// Hears of progress, and may cancel.
pub trait Observer: Sync {
    /// Called now and then.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }
    /// Whether to stop: the work then ends with an `Interrupted` error.
    fn cancelled(&self) -> bool {
        false
    }
}

/// An observer that neither listens nor cancels.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {}

/// Bytes of a file by what they are for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// Fields: weights, steps, thresholds.
    pub field: u64,
    /// Exact occupancy.
    pub support: u64,
    /// Corrections of values.
    pub residual: u64,
    /// Samples as they are.
    pub raw: u64,
    /// Magic, headers, checksums, index.
    pub other: u64,
}

/// Seconds by stage.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Seconds {
    /// Fitting.
    pub fit: f64,
    /// Quantising, calibrating and coding.
    pub pack: f64,
    /// Decoding what was written.
    pub verify: f64,
}

/// What compressing an event came to.
#[derive(Debug, Clone, Serialize)]
pub struct EncodeReport {
    /// Weights of all fields of the file.
    pub n_weights: u64,
    /// Bytes of each layer.
    pub layers: Layers,
    /// Seconds of each stage.
    pub seconds: Seconds,
    /// What fitted.
    pub device: String,
}

/// A compressed event.
#[derive(Debug, Clone)]
pub struct Compressed {
    /// The complete file.
    pub bytes: Vec<u8>,
    /// What it decodes to.
    pub decoded: Event,
    /// What it took.
    pub report: EncodeReport,
}

/// This project's codec.
#[derive(Debug, Clone)]
pub struct InrCodec {
    /// What to do.
    pub settings: Settings,
    /// What decoding may use.
    pub limits: Limits,
    /// Threads to run on.
    pub n_threads: usize,
}

impl Codec for InrCodec {
    fn name(&self) -> String {
        format!("inr:{}", self.settings.mode)
    }

    fn encode(&self, event: &Event) -> Result<Vec<u8>> {
        Ok(self.compress(event, &Silent)?.bytes)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Event> {
        self.decompress(bytes, &Silent)
    }
}

/// One tile as it goes into the file.
struct PackedTile {
    is_field: bool,
    record: Vec<u8>,
    n_layer_bytes: usize,
}

impl PackedTile {
    fn new(kind: u8, payload: &[u8]) -> PackedTile {
        let is_field = kind == kind::FIELD;
        PackedTile { is_field, record: frame(kind, payload), n_layer_bytes: layer_bytes(payload) }
    }
}

impl InrCodec {
    /// Compresses `event`: fits, packs, decodes what it packed.
    ///
    /// # Errors
    /// `Argument` for settings that make no sense, `Device` where the device is missing or fails, `Interrupted`
    /// when the observer cancels.
    pub fn compress(&self, event: &Event, observer: &dyn Observer) -> Result<Compressed> {
        let cpu = self.cpu()?;
        let grid = TileGrid::new(event.shape(), self.settings.tile)?;
        let tiles: Vec<Tile> = (0..grid.n_tiles()).map(|i| grid.tile(i)).collect();
        let mut fullest = 0;
        for tile in &tiles {
            fullest = fullest.max(n_occupied(&grid.extract(event, tile)?));
        }
        let resolved = self.settings.resolve(event, &grid, fullest)?;
        let header = Header {
            shape: event.shape(),
            dtype: event.dtype(),
            tile_counts: grid.counts(),
            range: occupied_range(event),
            peak: default_peak(event),
            device: match self.settings.precision {
                PrecisionKind::F32 => 0,
                PrecisionKind::Bf16 => 2,
            },
        };
        let network =
            NetworkHeader { spec: resolved.fit.spec, coords: resolved.coords, transform: resolved.transform };
        let mut seconds = Seconds::default();
        let mut layers = Vec::with_capacity(tiles.len());
        for (i, tile) in tiles.iter().enumerate() {
            let part = grid.extract(event, tile)?;
            let told = Told { observer, tile: i, n_tiles: tiles.len() };
            layers.push(encode_tile(&cpu, &part, &header, &network, &resolved, &told, &mut seconds)?);
        }
        let n_fields = layers.iter().filter(|tile| tile.is_field).count();
        let (bytes, layers) = write(&header, &network, &layers)?;
        let start = Instant::now();
        observer.progress(&Told { observer, tile: 0, n_tiles: tiles.len() }.at(Stage::Verify));
        let decoded = InrCodec::decompress_on(&cpu, &bytes, &self.limits, &Silent)?;
        seconds.verify = start.elapsed().as_secs_f64();
        let n_weights = (n_fields * network.spec.n_weights()) as u64;
        let device = match self.settings.precision {
            PrecisionKind::F32 => cpu.name().to_owned(),
            PrecisionKind::Bf16 => format!("{}-bf16", cpu.name()),
        };
        let report = EncodeReport { n_weights, layers, seconds, device };
        Ok(Compressed { bytes, decoded, report })
    }

    /// The event that `bytes` hold.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Unsupported` or `Limit` for bytes that are no file this program can decode;
    /// `Interrupted` when the observer cancels.
    pub fn decompress(&self, bytes: &[u8], observer: &dyn Observer) -> Result<Event> {
        InrCodec::decompress_on(&self.cpu()?, bytes, &self.limits, observer)
    }

    fn cpu(&self) -> Result<Cpu> {
        match self.settings.device {
            DeviceRequest::Auto | DeviceRequest::Cpu => Cpu::new(self.n_threads),
            DeviceRequest::Cuda => Err(Error::new(
                ErrorKind::Device,
                "this program was built without a CUDA back end; use --device cpu",
            )),
        }
    }

    /// [`InrCodec::decompress`] on a back end that the caller has; decoding needs no settings.
    ///
    /// # Errors
    /// As [`InrCodec::decompress`].
    pub fn decompress_on(cpu: &Cpu, bytes: &[u8], limits: &Limits, observer: &dyn Observer) -> Result<Event> {
        let contents = Contents::read(bytes, limits)?;
        let Header { shape, dtype, .. } = contents.header;
        let one_tile = contents.tiles.len() == 1;
        let mut samples = Samples::zeros(dtype, if one_tile { 0 } else { shape.iter().product() });
        for (i, layers) in contents.tiles.iter().enumerate() {
            if observer.cancelled() {
                return Err(Error::new(ErrorKind::Interrupted, "stopped on request"));
            }
            let told = Told { observer, tile: i, n_tiles: contents.tiles.len() };
            observer.progress(&told.at(Stage::Decode));
            let tile = contents.grid.tile(i);
            let part = decode_tile(cpu, &contents, layers, tile.shape)?;
            match one_tile {
                true => samples = part,
                false => contents.grid.insert(&mut samples, &tile, &part)?,
            }
        }
        // Raw float samples could still hold NaN.
        Event::new(shape, samples).map_err(|_| Error::corrupt("the decoded samples are not all finite"))
    }
}

/// Progress of one tile.
struct Told<'a> {
    observer: &'a dyn Observer,
    tile: usize,
    n_tiles: usize,
}

impl Told<'_> {
    fn at(&self, stage: Stage) -> Progress {
        Progress { stage, tile: self.tile, n_tiles: self.n_tiles, step: 0, n_steps: 0, error: None }
    }
}

fn n_occupied(event: &Event) -> usize {
    (0..event.n_voxels()).filter(|&i| event.samples().get(i) != 0.0).count()
}

/// Lowest and highest nonzero sample; (0, 0) where there is none.
fn occupied_range(event: &Event) -> (f64, f64) {
    let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
    for v in (0..event.n_voxels()).map(|i| event.samples().get(i)).filter(|v| *v != 0.0) {
        (lo, hi) = (lo.min(v), hi.max(v));
    }
    if lo <= hi { (lo, hi) } else { (0.0, 0.0) }
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

/// A tile as the fit sees it.
struct TileData {
    targets: Vec<f32>,
    occupied: Vec<bool>,
    /// `log2(1 + |sample| / unit)`.
    truth: Vec<f32>,
    axes: [Vec<f32>; 3],
}

impl TileData {
    fn new(part: &Event, resolved: &Resolved) -> TileData {
        let samples = || (0..part.n_voxels()).map(|i| part.samples().get(i));
        let s = Scalar::new();
        TileData {
            targets: samples().map(|v| resolved.transform.target(s, v as f32)).collect(),
            occupied: samples().map(|v| v != 0.0).collect(),
            truth: log_magnitudes(&resolved.transform, samples()),
            axes: [0, 1, 2].map(|a| resolved.coords.axis(a, part.shape()[a])),
        }
    }

    fn sites<'a>(&'a self, positions: Option<&'a [u32]>) -> SiteBlock<'a> {
        SiteBlock { axes: [&self.axes[0], &self.axes[1], &self.axes[2]], positions, features: &[] }
    }

    /// What samplers take for the size of a value: |t| of the paper where the transform keeps zeros at 0, else the
    /// logarithm above its unit.
    fn magnitudes(&self, resolved: &Resolved) -> Vec<f32> {
        match resolved.calibrate {
            true => self.truth.clone(),
            false => self.targets.iter().map(|t| t.abs()).collect(),
        }
    }

    /// What is wrong with every voxel as `weights` decode it: the log error of its sample.
    fn site_errors(
        &self,
        cpu: &Cpu,
        header: &Header,
        resolved: &Resolved,
        weights: &Weights,
    ) -> Result<Vec<f32>> {
        let n_heads = resolved.fit.spec.n_heads;
        let mut heads = vec![0.0; self.truth.len() * n_heads];
        cpu.evaluate(weights, &self.sites(None), &mut heads)?;
        let threshold = self.calibrate(header, resolved, &heads, None).0;
        let decoded = self.decoded(header, resolved, &heads);
        let errors = decoded.iter().zip(&self.truth).zip(heads.chunks_exact(n_heads));
        Ok(errors.map(|((d, t), h)| if h[0] > threshold { (d - t).abs() } else { *t }).collect())
    }

    /// `log2(1 + |sample| / unit)` that sites with outputs `heads` decode to where they are occupied.
    fn decoded(&self, header: &Header, resolved: &Resolved, heads: &[f32]) -> Vec<f32> {
        let transform = &resolved.transform;
        let values = transform.values(Level::detect(), heads, resolved.fit.spec.n_heads);
        log_magnitudes(
            transform,
            values.iter().map(|&v| transform.sample(header.dtype, header.range, v).unwrap_or(0.0)),
        )
    }

    /// Best threshold for `heads` at the sites `positions`, and the mean log error there.
    fn calibrate(
        &self,
        header: &Header,
        resolved: &Resolved,
        heads: &[f32],
        positions: Option<&[u32]>,
    ) -> (f32, f64) {
        let n_heads = resolved.fit.spec.n_heads;
        let decoded = self.decoded(header, resolved, heads);
        let score: Vec<f32> = heads.iter().step_by(n_heads).copied().collect();
        let truth: Vec<f32> = match positions {
            Some(p) => p.iter().map(|&i| self.truth[i as usize]).collect(),
            None => self.truth.clone(),
        };
        if !resolved.calibrate {
            let error: f64 = decoded.iter().zip(&truth).map(|(d, t)| f64::from((d - t).abs())).sum();
            return (f32::NEG_INFINITY, error / truth.len() as f64);
        }
        let (threshold, error) = calibrate(&score, &decoded, &truth);
        (threshold, error / truth.len() as f64)
    }
}

/// Fits one tile and packs it, or keeps its samples where that is no larger.
fn encode_tile(
    cpu: &Cpu,
    part: &Event,
    header: &Header,
    network: &NetworkHeader,
    resolved: &Resolved,
    told: &Told<'_>,
    seconds: &mut Seconds,
) -> Result<PackedTile> {
    let start = Instant::now();
    let raw = RawTile { tile: told.tile as u64, samples: part.samples().clone() };
    let raw_payload = raw.to_payload()?;
    seconds.pack += start.elapsed().as_secs_f64();
    // Below the fewest bits that a fit may end with, it would be for nothing.
    if (raw_payload.len() as f64) < least_bits(&resolved.fit) / 8.0 * network.spec.n_weights() as f64 {
        return Ok(PackedTile::new(kind::RAW, &raw_payload));
    }
    let data = TileData::new(part, resolved);
    let fitted = fit_tile(cpu, &data, header, resolved, told, seconds)?;
    let start = Instant::now();
    told.observer.progress(&told.at(Stage::Pack));
    let weights = match fitted.steps {
        Some(steps) => WeightCoding::Integers { integers: quant::quantise(&fitted.weights, &steps), steps },
        None => WeightCoding::Float(fitted.weights.values().to_vec()),
    };
    let mut layer = FieldLayer { tile: told.tile as u64, threshold: 0.0, weights };
    let field = net_field(&layer, network)?;
    let heads = field.heads(cpu, &data.sites(None))?;
    layer.threshold = data.calibrate(header, resolved, &heads, None).0;
    let payload = layer.to_payload(&network.spec)?;
    seconds.pack += start.elapsed().as_secs_f64();
    Ok(match payload.len() < raw_payload.len() {
        true => PackedTile::new(kind::FIELD, &payload),
        false => PackedTile::new(kind::RAW, &raw_payload),
    })
}

/// Bits a weight that a field takes at the least.
fn least_bits(fit: &FitSettings) -> f64 {
    match fit.bits.map(|b| b.matrix) {
        None => 32.0 * 0.9,
        Some(MatrixBits::Mean(mean)) => 0.8 * f64::from(mean),
        Some(MatrixBits::Worth) => 0.8 * f64::from(quant::WORTH_BITS.0),
    }
}

fn fit_tile(
    cpu: &Cpu,
    data: &TileData,
    header: &Header,
    resolved: &Resolved,
    told: &Told<'_>,
    seconds: &mut Seconds,
) -> Result<Fitted> {
    let start = Instant::now();
    let set = TrainingSet { sites: data.sites(None), targets: &data.targets, occupied: &data.occupied };
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
            let errors = data.site_errors(cpu, header, resolved, weights)?;
            Ok(sampler.refresh(&sites, &errors).map_err(sampling_error)?.map(in_steps))
        }
        _ => Ok(None),
    };
    let validation = validation_positions(data.targets.len());
    let validation_sites = data.sites(Some(&validation));
    let mut heads = vec![0.0; validation.len() * resolved.fit.spec.n_heads];
    let mut score = |weights: &Weights| {
        cpu.evaluate(weights, &validation_sites, &mut heads)?;
        Ok(data.calibrate(header, resolved, &heads, Some(&validation)).1)
    };
    let mut heard = |p: FitProgress| {
        let FitProgress { step, n_steps, error } = p;
        told.observer.progress(&Progress { step, n_steps, error, ..told.at(Stage::Fit) });
        !told.observer.cancelled()
    };
    let settings = FitSettings {
        seed: resolved.fit.seed.wrapping_add(told.tile as u64),
        time_limit: resolved.fit.time_limit.map(|t| t / told.n_tiles as u32),
        ..resolved.fit
    };
    let fitted = fit_refreshed(cpu, set, table.as_ref(), &settings, &mut score, &mut heard, &mut refresh)?;
    seconds.fit += start.elapsed().as_secs_f64();
    Ok(fitted)
}

fn sampling_error(error: SamplingError) -> Error {
    Error::argument(error.to_string())
}

fn net_field(layer: &FieldLayer, network: &NetworkHeader) -> Result<NetField> {
    Ok(NetField {
        weights: layer.weights(&network.spec)?,
        threshold: layer.threshold,
        transform: network.transform,
        coords: network.coords,
    })
}

/// The file of an event, and its bytes by layer.
fn write(header: &Header, network: &NetworkHeader, tiles: &[PackedTile]) -> Result<(Vec<u8>, Layers)> {
    let mut writer = Writer::new();
    writer.record(kind::HEADER, &header.to_payload()?);
    if tiles.iter().any(|tile| tile.is_field) {
        writer.record(kind::NETWORK, &network.to_payload()?);
    }
    if tiles.len() > 1 {
        let lengths: Vec<usize> = tiles.iter().map(|tile| tile.record.len()).collect();
        writer.record(kind::INDEX, &index_payload(&lengths));
    }
    let mut layers = Layers::default();
    for tile in tiles {
        let n = tile.n_layer_bytes as u64;
        let layer = if tile.is_field { &mut layers.field } else { &mut layers.raw };
        *layer += n;
        writer.framed(&tile.record);
    }
    let bytes = writer.finish();
    layers.other = bytes.len() as u64 - layers.field - layers.raw;
    Ok((bytes, layers))
}

fn decode_tile(
    cpu: &Cpu,
    contents: &Contents<'_>,
    layers: &TileRecords<'_>,
    shape: [usize; 3],
) -> Result<Samples> {
    let Header { dtype, range, .. } = contents.header;
    let at = |r: &Record<'_>| r.payload_offset;
    match (layers.field, layers.raw, &contents.network) {
        (Some(record), _, Some(network)) => {
            let layer = FieldLayer::from_payload(record.payload, at(&record), &network.spec)?;
            net_field(&layer, network)
                .and_then(|field| field.decode(cpu, shape, dtype, range))
                .map_err(|e| e.context(format!("the field at byte {}", at(&record))))
        }
        (None, Some(record), _) => {
            let n = shape.iter().product();
            Ok(RawTile::from_payload(record.payload, at(&record), dtype, n)?.samples)
        }
        _ => Err(Error::corrupt("a tile without layers")),
    }
}
