//! `inrfit bench`

use super::args::{FitArgs, Talk, Threads};
use super::decompress::Decoding;
use super::device;
use super::files::{check_output, write_bytes};
use super::inside::NO_LIMITS;
use super::output::{Out, digits, note, table};
use super::progress::Bar;
use super::report::json;
use super::{Exit, keep_failure};
use clap::Args;
use inrfit::codec::{Codec, InrCodec};
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::io::read_event;
use inrfit::metrics::{Clustering, Metrics, Physics, Spread, default_peak};
use inrfit::rate::{self, Goal};
use inrfit::settings::DeviceRequest;
use inrfit_figures::{Record, Summary, record, summarise};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Compress and decompress every input with every choice of settings, and tabulate the figures
///
/// Writes no compressed files. One row a run: input, codec, settings, host, device, threads, bytes, figures, seconds
/// to encode (decoding for the figures included) and to decode. Totals over the inputs come last: bytes in / bytes
/// out, and means of the figures.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit bench run/*.npy\n  \
    inrfit bench run/*.npy --settings bits=4 bits=5,hidden=96 sampler=uniform,correct -o rows.csv\n\n\
    A SPEC is a comma-separated list of the options under 'Fit' of `inrfit compress --help`, without their dashes; \
    'default' is the empty one, and extents of tiles are joined by x: tile=96x128x16.")]
pub struct Bench {
    /// Events: .npy files
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Choices of settings, such as hidden=96,bits=5,steps=2000 [default: default]
    #[arg(short, long, value_name = "SPEC", num_args = 1..)]
    settings: Vec<String>,
    /// Write the rows to this .csv or .json file
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace an existing output
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// Runs the command.
///
/// # Errors
/// Before any work: settings or an output that cannot be used. Failed runs are rows with a message.
pub fn run(args: &Bench, out: &mut Out) -> Result<Exit> {
    let specs = match args.settings.as_slice() {
        [] => vec!["default".to_owned()],
        given => given.to_vec(),
    };
    let n_threads = args.threads.resolve();
    let mut codecs = Vec::new();
    for spec in specs {
        let fit = FitArgs::from_spec(&spec)?;
        device::prepare(&fit.settings());
        let codec =
            InrCodec { settings: fit.settings(), limits: NO_LIMITS, n_threads, priors: fit.priors()? };
        codecs.push((spec, fit.goal(), codec));
    }
    if let Some(path) = &args.output {
        format_of(path)?;
        check_output(path, args.force)?;
    }
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    let machine = Record {
        host: host(),
        commit: option_env!("INRFIT_COMMIT").unwrap_or_default().to_owned(),
        ..Record::default()
    };
    'runs: for input in &args.inputs {
        for (spec, goal, codec) in &codecs {
            let mut row = Record {
                input: input.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
                codec: codec.name(),
                settings: spec.clone(),
                threads: u32::try_from(n_threads).ok(),
                ..machine.clone()
            };
            if let Err(error) = measure(codec, *goal, input, args.talk, &mut row) {
                row.error = Some(error.to_string());
                if !keep_failure(&error, &mut failures) {
                    break 'runs;
                }
            }
            if args.talk.json {
                out.line(&json(&row)?)?;
            } else if args.talk.is_human() {
                out.line(&to_line(&row))?;
            }
            rows.push(row);
        }
    }
    if let Some(path) = args.output.as_ref().filter(|_| !failures.contains(&ErrorKind::Interrupted)) {
        write_bytes(path, format_of(path)?(&rows).map_err(rows_error)?.as_bytes(), args.force)?;
    }
    if !args.talk.quiet {
        for line in totals(&summarise(&rows)) {
            match args.talk.json {
                true => note(&line),
                false => out.line(&line)?,
            }
        }
    }
    Ok(Exit::of_inputs(args.inputs.len() * codecs.len(), &failures))
}

/// `row`, whose bytes it has, with the figures of what an event of `raw_bytes` decodes to.
pub fn with_metrics(row: Record, raw_bytes: u64, m: &Metrics) -> Record {
    Record {
        raw_bytes: Some(raw_bytes),
        ratio: row.bytes.map(|bytes| raw_bytes as f64 / bytes as f64),
        mse: Some(m.mse),
        mae: Some(m.mae),
        log_mae: Some(m.log_mae),
        log_mse: Some(m.log_mse),
        psnr_db: Some(m.psnr_db),
        precision: Some(m.precision),
        recall: Some(m.recall),
        max_error: Some(m.max_error),
        max_log_error: Some(m.max_log_error),
        occupancy: Some(m.occupancy),
        ..row
    }
}

/// Fills the row of one run.
fn measure(codec: &InrCodec, goal: Option<Goal>, input: &Path, talk: Talk, row: &mut Record) -> Result<()> {
    let event = read_event(input)?;
    let named = input.display();
    let bar = Bar::new(&format!("{named} {}", row.settings), !talk.quiet);
    let start = Instant::now();
    let compressed = match goal {
        Some(goal) => rate::compress(codec, &event, goal, &bar),
        None => codec.compress(&event, &bar),
    }
    .map_err(|e| e.context(&named))?;
    row.encode_seconds = Some(start.elapsed().as_secs_f64());
    drop(bar);
    let how = Decoding {
        limits: codec.limits,
        priors: codec.priors.clone(),
        n_threads: codec.n_threads,
        device: DeviceRequest::Cpu,
        shows_progress: !talk.quiet,
    };
    let (decoded, seconds) = how.decode_whole(&named.to_string(), &compressed.bytes)?;
    if decoded != compressed.decoded {
        return Err(Error::corrupt(format!("{named}: decoding twice gave different samples")));
    }
    let peak = default_peak(&event);
    let m = Metrics::compare(&event, &decoded, peak).map_err(|e| e.context(&named))?;
    let physics = Physics::compare(&event, &decoded, peak, &Clustering::of(&event, peak))
        .map_err(|e| e.context(&named))?
        .all;
    let share = |n: u64| (physics.n_clusters > 0).then(|| n as f64 / physics.n_clusters as f64);
    let deviation = |spread: Option<Spread>| spread.map(|s| s.deviation);
    row.bytes = Some(compressed.bytes.len() as u64);
    *row = Record {
        device: compressed.report.device,
        n_clusters: Some(physics.n_clusters),
        clusters_lost: share(physics.n_lost),
        clusters_fake: share(physics.n_fake),
        charge_bias: physics.charge.map(|s| s.mean),
        charge_spread: deviation(physics.charge),
        residual_axis0: deviation(physics.residual_axis0),
        residual_axis1: deviation(physics.residual_axis1),
        pad_ratio_spread: deviation(physics.pad_ratio),
        n_weights: Some(compressed.report.n_weights),
        decode_seconds: seconds.decode,
        ..with_metrics(row.clone(), event.raw_bytes() as u64, &m)
    };
    Ok(())
}

type Exporter = fn(&[Record]) -> inrfit_figures::Result<String>;

/// How rows are written, by the ending of the file's name.
fn format_of(path: &Path) -> Result<Exporter> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => Ok(record::to_csv),
        Some("json") => Ok(record::to_json),
        _ => Err(Error::argument(format!("{}: rows are kept in .csv or .json files", path.display()))),
    }
}

fn rows_error(error: inrfit_figures::Error) -> Error {
    Error::argument(error.to_string())
}

/// The machine's name; empty where it does not tell.
pub fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .or_else(|_| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")))
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

fn cell(v: Option<f64>) -> String {
    v.map_or_else(|| "-".to_owned(), digits)
}

fn to_line(row: &Record) -> String {
    if let Some(error) = row.error.as_deref().filter(|_| row.failed()) {
        return format!("{} {}: failed: {error}", row.input, row.settings);
    }
    format!(
        "{} {}: {} -> {} bytes, ratio {}, log-MAE {}, MSE {}, precision {}, recall {}, encode {} s, decode {} s",
        row.input,
        row.settings,
        row.raw_bytes.unwrap_or_default(),
        row.bytes.unwrap_or_default(),
        cell(row.ratio),
        cell(row.log_mae),
        cell(row.mse),
        cell(row.precision),
        cell(row.recall),
        cell(row.encode_seconds),
        cell(row.decode_seconds),
    )
}

/// The last table: one line a choice of settings.
fn totals(summaries: &[Summary]) -> Vec<String> {
    use inrfit_figures::Metric;
    const METRICS: [(Metric, &str); 8] = [
        (Metric::LogMae, "log-MAE"),
        (Metric::Mse, "MSE"),
        (Metric::PsnrDb, "PSNR dB"),
        (Metric::Precision, "prec."),
        (Metric::Recall, "recall"),
        (Metric::MaxError, "max err"),
        (Metric::EncodeSeconds, "enc s"),
        (Metric::DecodeSeconds, "dec s"),
    ];
    let rows: Vec<Vec<String>> = summaries
        .iter()
        .map(|s| {
            let mut row = vec![
                s.settings.clone(),
                s.n_inputs.to_string(),
                s.n_failed.to_string(),
                s.raw_bytes.to_string(),
                s.bytes.to_string(),
                cell(s.ratio),
            ];
            row.extend(METRICS.map(|(m, _)| cell(s.metrics.get(&m).map(|spread| m.total(spread)))));
            row
        })
        .collect();
    let mut header = vec!["totals", "inputs", "failed", "bytes in", "bytes out", "ratio"];
    header.extend(METRICS.map(|(_, name)| name));
    table(&header, &rows)
}
