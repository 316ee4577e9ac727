//! The journey of an event to bytes and back: the only file that names all stages in order.

mod tile;

use crate::backend::{Backend, cpu::Cpu};
use crate::container::{Contents, Header, Limits, NetworkHeader, Writer, index_payload, kind};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Samples};
use crate::metrics::default_peak;
use crate::settings::{DeviceRequest, PrecisionKind, Settings};
use crate::tile::{Tile, TileGrid};
use serde::Serialize;
use std::time::Instant;
use tile::{PackedTile, Shared, decode_tile};

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

impl Layers {
    /// Where the bytes of records of type `kind` count.
    pub fn of(&mut self, kind: u8) -> &mut u64 {
        match kind {
            kind::FIELD => &mut self.field,
            kind::SUPPORT => &mut self.support,
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
        let network = NetworkHeader {
            spec: resolved.fit.spec,
            pattern: resolved.pattern,
            coords: resolved.coords,
            transform: resolved.transform,
        };
        let mut seconds = Seconds::default();
        let shared = Shared { cpu: &cpu, header: &header, network: &network, resolved: &resolved };
        let mut layers = Vec::with_capacity(tiles.len());
        for (i, tile) in tiles.iter().enumerate() {
            let part = grid.extract(event, tile)?;
            let told = Told { observer, tile: i, n_tiles: tiles.len() };
            layers.push(shared.encode(&part, &told, &mut seconds)?);
        }
        let n_fields = layers.iter().filter(|tile| tile.has(kind::FIELD)).count();
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

/// The file of an event, and its bytes by layer.
fn write(header: &Header, network: &NetworkHeader, tiles: &[PackedTile]) -> Result<(Vec<u8>, Layers)> {
    let mut writer = Writer::new();
    writer.record(kind::HEADER, &header.to_payload()?);
    if tiles.iter().any(|tile| tile.has(kind::FIELD)) {
        writer.record(kind::NETWORK, &network.to_payload()?);
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
