//! `inrfit bcae eval` and `inrfit bcae throughput`

use super::super::autoencoder::{on_threads, told};
use super::{array, event, load};
use crate::cli::args::{Talk, Threads};
use crate::cli::files::{check_output, write_bytes};
use crate::cli::output::{Out, digits};
use crate::cli::progress::go_on;
use crate::cli::report::json;
use crate::cli::{Exit, keep_failure};
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::io::read_event;
use inrfit::metrics::Metrics;
use inrfit::synth::SynthSettings;
use inrfit_baselines::Rival;
use inrfit_baselines::bcae::{Architecture, Bcae, Device, Keep, Model, Vs};
use inrfit_figures::{EncoderRow, encoders};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Full scale of ten bits.
const PEAK: f64 = 1023.0;

/// Compress events, decompress them, and say how close they are
///
/// Bytes are those of the complete code: half-precision values, 25 bytes that name shape and model, and a checksum.
#[derive(Debug, Args)]
pub struct Eval {
    /// Events: .npy files of uint16, axes (azimuth, z, layer)
    #[arg(required = true, value_name = "EVENT")]
    inputs: Vec<PathBuf>,
    /// Model file
    #[arg(long, value_name = "FILE", required_unless_present = "vs", conflicts_with = "vs")]
    model: Option<PathBuf>,
    /// Published checkpoint of BCAE-VS instead of a model file
    #[arg(long, value_name = "FILE")]
    vs: Option<PathBuf>,
    /// With --vs: keep voxels whose score exceeds this, instead of each with its score as the probability
    // `requires` alone is not enough: clap asks for nothing that conflicts with what is there, and --model is.
    #[arg(long, value_name = "P", requires = "vs", conflicts_with = "model")]
    keep_above: Option<f32>,
    /// Pack the code further: by zstd or by our entropy coder, whichever is smaller (BCAE-VS always is)
    #[arg(long)]
    packed: bool,
    /// Count a voxel as occupied above this instead of the model's threshold
    #[arg(long, value_name = "P", conflicts_with = "vs")]
    threshold: Option<f32>,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    talk: Talk,
}

/// What came out of an event.
#[derive(Debug, Serialize)]
struct Row {
    input: String,
    codec: String,
    raw_bytes: usize,
    bytes: usize,
    ratio: f64,
    #[serde(flatten)]
    metrics: Metrics,
    /// The "PSNR" of arXiv 2111.05423: log10(1023^2 / MSE).
    paper_psnr: f64,
    encode_seconds: f64,
    decode_seconds: f64,
}

/// Runs `inrfit bcae eval`.
///
/// # Errors
/// As [`super::run`].
pub fn eval(args: &Eval, out: &mut Out) -> Result<Exit> {
    let device = Device::flex();
    let (name, rival): (String, Box<dyn Rival>) = match (&args.vs, &args.model) {
        (Some(path), _) => {
            let keep = args.keep_above.map_or(Keep::Random(0), Keep::Above);
            ("bcae-vs".to_owned(), Box::new(Vs::open(path, keep, device).map_err(told)?))
        }
        (None, Some(path)) => {
            let mut model = load(path)?;
            if let Some(threshold) = args.threshold {
                model = model.with_threshold(threshold).map_err(told)?;
            }
            let name = model.architecture().to_string();
            (name, Box::new(Bcae::new(model, device, args.packed).map_err(told)?))
        }
        (None, None) => return Err(Error::argument("--model or --vs names the weights")),
    };
    let mut rows = vec![];
    let mut failures = vec![];
    for input in &args.inputs {
        go_on()?;
        let measured = on_threads(args.threads, || {
            let original = read_event(input)?;
            measure(&original, input, &name, rival.as_ref()).map_err(|e| e.context(input.display()))
        })?;
        let row = match measured {
            Ok(row) => row,
            Err(error) if keep_failure(&error, &mut failures) => continue,
            Err(_) => break,
        };
        if args.talk.json {
            out.line(&json(&row)?)?;
        }
        if args.talk.is_human() {
            out.line(&line(&row.input, &row))?;
        }
        rows.push(row);
    }
    if args.talk.is_human() && rows.len() > 1 {
        let n = rows.len() as f64;
        let bytes: usize = rows.iter().map(|row| row.bytes).sum();
        let raw: usize = rows.iter().map(|row| row.raw_bytes).sum();
        let mean = |f: fn(&Metrics) -> f64| digits(rows.iter().map(|row| f(&row.metrics)).sum::<f64>() / n);
        out.line(&format!(
            "all {n}: ratio {}, log-MAE {}, MSE {}, precision {}, recall {} (means over events)",
            digits(raw as f64 / bytes as f64),
            mean(|m| m.log_mae),
            mean(|m| m.mse),
            mean(|m| m.precision),
            mean(|m| m.recall)
        ))?;
    }
    Ok(Exit::of_inputs(args.inputs.len(), &failures))
}

fn measure(original: &Event, input: &Path, codec: &str, rival: &dyn Rival) -> Result<Row> {
    let counts = array(original)?;
    let start = Instant::now();
    let bytes = rival.encode(&counts).map_err(told)?;
    let encode_seconds = start.elapsed().as_secs_f64();
    let start = Instant::now();
    let decoded = event(&rival.decode(&bytes).map_err(told)?)?;
    let decode_seconds = start.elapsed().as_secs_f64();
    let metrics = Metrics::compare(original, &decoded, PEAK)?;
    let raw_bytes = 2 * original.n_voxels();
    Ok(Row {
        input: input.display().to_string(),
        codec: codec.to_owned(),
        raw_bytes,
        bytes: bytes.len(),
        ratio: raw_bytes as f64 / bytes.len() as f64,
        metrics,
        paper_psnr: (PEAK * PEAK / metrics.mse).log10(),
        encode_seconds,
        decode_seconds,
    })
}

fn line(name: &str, row: &Row) -> String {
    let m = &row.metrics;
    format!(
        "{name}: {} bytes, ratio {}, log-MAE {}, MSE {}, precision {}, recall {}, {} s to encode, {} s to decode",
        row.bytes,
        digits(row.ratio),
        digits(m.log_mae),
        digits(m.mse),
        digits(m.precision),
        digits(m.recall),
        digits(row.encode_seconds),
        digits(row.decode_seconds)
    )
}

/// Events a second that an encoder takes, and its parameters
///
/// From samples in memory to the half-precision code in memory, full precision in between, one synthetic event of
/// 192 x 249 x 16 a time. Weights do not matter to it: an architecture without a model gets random ones.
#[derive(Debug, Args)]
pub struct Throughput {
    /// Architectures [default: all of them, bcae-2d as 4,8,3]
    #[arg(value_name = "NAME", conflicts_with = "model")]
    architectures: Vec<Architecture>,
    /// Model file
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Shortest time to measure each for
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    seconds: f64,
    #[command(flatten)]
    threads: Threads,
    /// Also write the rows to this .csv file (`inrfit draw encoders` draws them)
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
}

/// Runs `inrfit bcae throughput`.
///
/// # Errors
/// As [`super::run`].
pub fn throughput(args: &Throughput, out: &mut Out) -> Result<Exit> {
    let seconds = Duration::try_from_secs_f64(args.seconds)
        .map_err(|_| Error::argument("--seconds: not a time to measure for"))?;
    if let Some(path) = &args.rows {
        check_output(path, args.force)?;
    }
    let models = match &args.model {
        Some(path) => vec![load(path)?],
        None if args.architectures.is_empty() => {
            let named = Architecture::NAMES.iter().map(|name| name.parse().map_err(told));
            named.map(|a| a.map(|a| Model::new(a, 0))).collect::<Result<_>>()?
        }
        None => args.architectures.iter().map(|&a| Model::new(a, 0)).collect(),
    };
    let wedge = array(&SynthSettings::default().generate()?)?;
    let device = Device::flex();
    let mut rows = Vec::new();
    for model in models {
        let rate = on_threads(args.threads, || {
            // The first event sets up what later ones find.
            model.encode(&wedge, &device).map_err(told)?;
            let (start, mut n) = (Instant::now(), 0u32);
            while n == 0 || start.elapsed() < seconds {
                go_on()?;
                model.encode(&wedge, &device).map_err(told)?;
                n += 1;
            }
            Ok(f64::from(n) / start.elapsed().as_secs_f64())
        })??;
        let architecture = model.architecture();
        let code = architecture.code_shape(wedge.shape()).map_err(told)?;
        let speed = EncoderRow {
            architecture: architecture.to_string(),
            encoder_parameters: architecture.n_encoder() as u64,
            decoder_parameters: architecture.n_decoders() as u64,
            code_shape: code.iter().map(usize::to_string).collect::<Vec<_>>().join("x"),
            device: "CPU".to_owned(),
            precision: "full".to_owned(),
            threads: args.threads.resolve(),
            wedges_per_second: rate,
        };
        if args.talk.json {
            out.line(&json(&speed)?)?;
        }
        if args.talk.is_human() {
            out.line(&format!(
                "{}: {} encoder parameters, code {}, {} wedges/s in full precision ({}, {} threads)",
                speed.architecture,
                speed.encoder_parameters,
                speed.code_shape,
                digits(rate),
                speed.device,
                speed.threads
            ))?;
        }
        rows.push(speed);
    }
    if let Some(path) = &args.rows {
        let text = encoders::to_csv(&rows).map_err(|e| Error::argument(e.to_string()))?;
        write_bytes(path, text.as_bytes(), args.force)?;
    }
    Ok(Exit::Done)
}
