//! The journey of an event to bytes and back: the only file that names all stages in order.

mod learn;
mod query;
mod region;
mod tile;

use crate::backend::{Backend, cpu::Cpu, cuda::Cuda};
use crate::container::{Contents, Header, Limits, NetworkHeader, PriorName, Writer, index_payload, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Samples};
use crate::metrics::default_peak;
use crate::prior::{ContextPrior, Priors, StartPrior};
use crate::residual::{Bins, Bound};
use crate::settings::{DeviceRequest, Effort, PrecisionKind, Resolved, Settings};
use crate::support::Coding;
use crate::tile::{Tile, TileGrid};
use rayon::prelude::*;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tile::{Bounded, PackedTile, Shared, decode_tile, occupancy};

pub use learn::Lessons;

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
    /// Asking a field for values between voxels.
    Sample,
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

impl Layers {
    /// Where the bytes of records of type `kind` count.
    pub fn of(&mut self, kind: u8) -> &mut u64 {
        match kind {
            kind::FIELD => &mut self.field,
            kind::SUPPORT => &mut self.support,
            kind::RESIDUAL => &mut self.residual,
            kind::RAW => &mut self.raw,
            _ => &mut self.other,
        }
    }
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

impl Seconds {
    /// `elapsed` shared out over the stages as tiles took them side by side.
    fn share(elapsed: f64, tiles: &[Seconds]) -> Seconds {
        let sum = |of: fn(&Seconds) -> f64| tiles.iter().map(of).sum::<f64>();
        let (fit, pack) = (sum(|s| s.fit), sum(|s| s.pack));
        let part = if fit > 0.0 { fit / (fit + pack) } else { 0.0 };
        Seconds { fit: elapsed * part, pack: elapsed * (1.0 - part), verify: 0.0 }
    }
}

/// What fits and evaluates networks: the device where there is one, else the processor.
fn on<'a>(cpu: &'a Cpu, cuda: Option<&'a Cuda>) -> &'a dyn Backend {
    match cuda {
        Some(cuda) => cuda,
        None => cpu,
    }
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
    /// Priors at hand, besides the one that comes with the program.
    pub priors: Priors,
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

impl InrCodec {
    /// Compresses `event`: fits, packs, decodes what it packed.
    ///
    /// # Errors
    /// `Argument` for settings that make no sense, `Device` where the device is missing or fails, `Interrupted`
    /// when the observer cancels.
    pub fn compress(&self, event: &Event, observer: &dyn Observer) -> Result<Compressed> {
        let bound = self.settings.kept_bound()?;
        let cpu = self.cpu()?;
        let cuda = if self.settings.may_fit() { self.cuda()? } else { None };
        let grid = TileGrid::new(event.shape(), self.settings.tile)?;
        let tiles: Vec<Tile> = (0..grid.n_tiles()).map(|i| grid.tile(i)).collect();
        let header = self.header(event, &grid, cuda.is_some());
        let bounded = match bound {
            Some(bound) => {
                let rule = bound.rule(header.dtype, header.range)?;
                let bins = rule.and_then(|r| Some((r, Bins::new(r, header.dtype, header.range)?)));
                Some(Bounded { bins, keep_field: self.settings.keep_field })
            }
            None => None,
        };
        let start = self.priors.start.as_deref().filter(|_| self.settings.prior && self.settings.may_fit());
        let resolved = match self.settings.may_fit() {
            true => {
                Some(learn::resolve(&self.settings, start, event, &grid, fullest(event, &grid, &tiles)?)?)
            }
            false => None,
        };
        let network = resolved.as_ref().map(network_of);
        let mut seconds = Seconds::default();
        let fields = network.as_ref().zip(resolved.as_ref());
        let coding = if self.settings.effort == Effort::Fast { Coding::Quick } else { Coding::Mixed };
        let exact = self.settings.mode.is_exact().then_some(coding);
        let may_have = self.settings.prior && bounded.is_some() && coding == Coding::Mixed;
        let prior = may_have.then(|| self.priors.to_use());
        let shared = Shared {
            cpu: &cpu,
            fitter: on(&cpu, cuda.as_deref()),
            header: &header,
            fields,
            start: start.map(StartPrior::weights),
            exact,
            bounded,
            prior: prior.as_deref(),
            keep_field: self.settings.keep_field,
        };
        let encode = |i: usize, seconds: &mut Seconds| {
            let told = Told { observer, tile: i, n_tiles: tiles.len() };
            told.check()?;
            shared.encode(&grid.extract(event, &tiles[i])?, &told, seconds)
        };
        let layers: Vec<PackedTile> = match fields {
            Some(_) if cuda.is_none() => {
                (0..tiles.len()).map(|i| encode(i, &mut seconds)).collect::<Result<_>>()?
            }
            // Nothing to fit, or where a device fits, which has room for many fits: tiles side by side.
            _ => {
                let start = Instant::now();
                let both = |i: usize| {
                    let mut seconds = Seconds::default();
                    encode(i, &mut seconds).map(|tile| (tile, seconds))
                };
                let done: Vec<_> =
                    cpu.install(|| (0..tiles.len()).into_par_iter().map(both).collect::<Result<_>>())?;
                let (layers, each): (Vec<_>, Vec<Seconds>) = done.into_iter().unzip();
                seconds = Seconds::share(start.elapsed().as_secs_f64(), &each);
                layers
            }
        };
        let n_fields = layers.iter().filter(|tile| tile.has(kind::FIELD)).count();
        // Weights as they are need nothing to be decoded.
        let start = start.filter(|_| resolved.is_some_and(|resolved| resolved.fit.bits.is_some()));
        let (bytes, layers) = write(&header, network.as_ref(), prior.as_deref(), start, &layers)?;
        let start = Instant::now();
        observer.progress(&Told { observer, tile: 0, n_tiles: tiles.len() }.at(Stage::Verify));
        let decoded = self.decompress_on(&cpu, &bytes, &Silent)?;
        if let Some(bound) = bound {
            check_bound(event, &decoded, bound)?;
        }
        seconds.verify = start.elapsed().as_secs_f64();
        let n_weights = network.map_or(0, |network| (n_fields * network.spec.n_weights()) as u64);
        let device = match self.settings.precision {
            PrecisionKind::F32 => on(&cpu, cuda.as_deref()).name().to_owned(),
            PrecisionKind::Bf16 => format!("{}-bf16", on(&cpu, cuda.as_deref()).name()),
        };
        let report = EncodeReport { n_weights, layers, seconds, device };
        Ok(Compressed { bytes, decoded, report })
    }

    /// The event that `bytes` hold.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Unsupported` or `Limit` for bytes that are no file this program can decode (one whose
    /// prior is not at hand is `Unsupported`); `Interrupted` when the observer cancels.
    pub fn decompress(&self, bytes: &[u8], observer: &dyn Observer) -> Result<Event> {
        let (cpu, cuda) = (self.cpu()?, self.decoder()?);
        self.decompress_with(&cpu, on(&cpu, cuda.as_deref()), bytes, observer)
    }

    fn header(&self, event: &Event, grid: &TileGrid, on_cuda: bool) -> Header {
        Header {
            shape: event.shape(),
            dtype: event.dtype(),
            tile_counts: grid.counts(),
            range: event.samples().occupied_range().unwrap_or((0.0, 0.0)),
            peak: default_peak(event),
            device: match self.settings.precision {
                PrecisionKind::F32 => u8::from(on_cuda),
                PrecisionKind::Bf16 => 2 + u8::from(on_cuda),
            },
        }
    }

    fn cpu(&self) -> Result<Cpu> {
        Cpu::new(self.n_threads)
    }

    /// The device that fits, where it is not the processor. When it may choose, it takes the device if there is one.
    ///
    /// # Errors
    /// `Device` where the device that is asked for is missing or fails.
    fn cuda(&self) -> Result<Option<Arc<Cuda>>> {
        match self.settings.device {
            DeviceRequest::Cpu => Ok(None),
            DeviceRequest::Cuda => Cuda::shared(None).map(Some),
            DeviceRequest::Auto => Ok(Cuda::shared(None).ok()),
        }
    }

    /// The device that decodes, where it is asked for: all give the same bits, and it takes longer to start than most
    /// events to decode.
    ///
    /// # Errors
    /// `Device` where it is missing or fails.
    fn decoder(&self) -> Result<Option<Arc<Cuda>>> {
        match self.settings.device {
            DeviceRequest::Auto | DeviceRequest::Cpu => Ok(None),
            DeviceRequest::Cuda => Cuda::shared(None).map(Some),
        }
    }

    /// [`InrCodec::decompress`] on a back end that the caller has.
    ///
    /// # Errors
    /// As [`InrCodec::decompress`].
    pub fn decompress_on(&self, cpu: &Cpu, bytes: &[u8], observer: &dyn Observer) -> Result<Event> {
        self.decompress_with(cpu, cpu, bytes, observer)
    }

    /// The same with fields evaluated by `evaluator`; all give the same bits.
    fn decompress_with(
        &self,
        cpu: &Cpu,
        evaluator: &dyn Backend,
        bytes: &[u8],
        observer: &dyn Observer,
    ) -> Result<Event> {
        let contents = Contents::read(bytes, &self.limits)?;
        let priors = self.priors.needed(&contents)?;
        let Header { shape, dtype, .. } = contents.header;
        let n_tiles = contents.tiles.len();
        let decode = |i: usize| {
            let told = Told { observer, tile: i, n_tiles };
            told.check()?;
            observer.progress(&told.at(Stage::Decode));
            decode_tile(evaluator, &contents, &priors, &contents.tiles[i], contents.grid.tile(i).shape)
        };
        if n_tiles == 1 {
            return finite(shape, decode(0)?);
        }
        let mut samples = Samples::zeros(dtype, shape.iter().product());
        // As many tiles at a time as there are threads: their samples are held twice.
        for first in (0..n_tiles).step_by(cpu.n_threads()) {
            let last = (first + cpu.n_threads()).min(n_tiles);
            let parts =
                cpu.install(|| (first..last).into_par_iter().map(decode).collect::<Result<Vec<_>>>())?;
            for (i, part) in (first..last).zip(parts) {
                contents.grid.insert(&mut samples, &contents.grid.tile(i), &part)?;
            }
        }
        finite(shape, samples)
    }
}

/// An event of decoded samples. Raw float samples could still hold NaN.
fn finite(shape: [usize; 3], samples: Samples) -> Result<Event> {
    Event::new(shape, samples).map_err(|_| Error::corrupt("the decoded samples are not all finite"))
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

    /// An error where the observer cancels.
    fn check(&self) -> Result<()> {
        match self.observer.cancelled() {
            true => Err(Error::new(ErrorKind::Interrupted, "stopped on request")),
            false => Ok(()),
        }
    }
}

/// The network of a fit as a file tells of it.
fn network_of(resolved: &Resolved) -> NetworkHeader {
    let Resolved { fit, pattern, coords, transform, .. } = *resolved;
    NetworkHeader { spec: fit.spec, pattern, coords, transform }
}

/// Occupied voxels of the fullest tile.
fn fullest(event: &Event, grid: &TileGrid, tiles: &[Tile]) -> Result<usize> {
    let mut fullest = 0;
    for tile in tiles {
        let part = grid.extract(event, tile)?;
        fullest = fullest.max(occupancy(part.samples()).into_iter().filter(|o| *o).count());
    }
    Ok(fullest)
}

/// Every voxel of `decoded` keeps `bound`.
fn check_bound(event: &Event, decoded: &Event, bound: Bound) -> Result<()> {
    let (a, b) = (event.samples(), decoded.samples());
    let same = bound == Bound::Exact && a == b;
    let broken = |&i: &usize| {
        let (x, y) = (a.get(i), b.get(i));
        !bound.holds(x, y) || (x == 0.0) != (y == 0.0)
    };
    match (0..if same { 0 } else { event.n_voxels() }).find(broken) {
        None => Ok(()),
        Some(i) => Err(Error::corrupt(format!(
            "voxel {i} would decode as {} instead of {}: a defect of this program, nothing was written",
            b.get(i),
            a.get(i)
        ))),
    }
}

/// The file of an event, and its bytes by layer.
fn write(
    header: &Header,
    network: Option<&NetworkHeader>,
    prior: Option<&ContextPrior>,
    start: Option<&StartPrior>,
    tiles: &[PackedTile],
) -> Result<(Vec<u8>, Layers)> {
    let mut writer = Writer::new();
    writer.record(kind::HEADER, &header.to_payload()?);
    let has_field = tiles.iter().any(|tile| tile.has(kind::FIELD));
    if let (Some(network), true) = (network, has_field) {
        writer.record(kind::NETWORK, &network.to_payload()?);
    }
    if let (Some(start), true) = (start, has_field) {
        writer.record(kind::PRIOR, &PriorName::Start(start.short_hash()).to_payload());
    }
    if let (Some(prior), true) = (prior, tiles.iter().any(|tile| tile.uses_prior)) {
        writer.record(kind::PRIOR, &PriorName::Contexts(prior.short_hash()).to_payload());
    }
    if tiles.len() > 1 {
        let lengths: Vec<usize> = tiles.iter().map(|tile| tile.records.len()).collect();
        writer.record(kind::INDEX, &index_payload(&lengths));
    }
    let mut layers = Layers::default();
    for tile in tiles {
        for (kind, n_bytes) in &tile.layers {
            *layers.of(*kind) += *n_bytes as u64;
        }
        writer.framed(&tile.records);
    }
    let bytes = writer.finish();
    layers.other = bytes.len() as u64 - layers.field - layers.support - layers.residual - layers.raw;
    Ok((bytes, layers))
}
