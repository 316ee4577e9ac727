//! `inrfit bench`

mod choice;
mod measure;
mod rows;

use super::Exit;
use super::args::{Jobs, Talk, Threads};
use super::output::{Out, digits, note, table};
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::metrics::Metrics;
use inrfit_figures::{Record, Summary, summarise};
use std::path::PathBuf;

pub use choice::{Choice, expand, rivals};
pub use measure::{Sweep, name};
pub use rows::Rows;

/// Compress and decompress every input with every choice of settings, and tabulate the figures
///
/// Writes no compressed files. One row a run: input, codec, settings, host, device, threads, bytes, figures, seconds
/// to encode (decoding for the figures included, where the codec is this program's) and to decode. A run that fails is
/// a row with a message. The output is written as rows are made, and is whole at any time. Totals over the inputs come
/// last: bytes in / bytes out, and means of the figures.
#[derive(Debug, Args)]
#[command(after_help = after_help())]
pub struct Bench {
    /// Events: .npy files
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Choices of settings of this program's codec, such as hidden=96,bits=5,steps=2000 [default: default, where no
    /// --codec is given]
    #[arg(short, long, value_name = "SPEC", num_args = 1..)]
    settings: Vec<String>,
    /// Codecs with their settings, NAME:SPEC: inr is this program's, rivals are built in by feature
    #[arg(short, long, value_name = "NAME:SPEC", num_args = 1..)]
    codec: Vec<String>,
    /// Write the rows to this .csv or .json file
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace an existing output
    #[arg(short, long)]
    force: bool,
    /// Go on where a sweep broke off: rows that the output has, failed ones too, are kept and not made again
    #[arg(long, requires = "output", conflicts_with = "force")]
    resume: bool,
    /// Keep what was decoded, as INPUT.SETTINGS.npy, in this folder; made where it does not exist
    #[arg(long, value_name = "FOLDER")]
    decoded: Option<PathBuf>,
    /// Measure no times: leaves their columns empty, and allows --jobs
    #[arg(long)]
    no_timing: bool,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

fn after_help() -> String {
    let rivals = match rivals() {
        [] => "Rivals are not in this build; `cargo build --features rivals` adds them.".to_owned(),
        names => format!(
            "Rivals in this build: {}; an option that does not exist names those that do.",
            names.join(", ")
        ),
    };
    format!(
        "Examples:\n  inrfit bench run/*.npy\n  \
         inrfit bench run/*.npy --settings bits=4 bits=5,hidden=96 sampler=uniform,correct -o rows.csv\n  \
         inrfit bench run/*.npy --codec inr:masked,hidden=8..32 sz3:nopred,log2,z,abs=0.05..1.6 -o rows.csv --resume\n\n\
         A SPEC is a comma-separated list of the options under 'Fit' of `inrfit compress --help`, without their dashes; \
         'default' is the empty one, and extents of tiles are joined by x: tile=96x128x16. A number may be a sweep: \
         A..B is every doubling from A up to B, A..BxN are N values from A to B at equal ratios. {rivals}"
    )
}

/// Runs the command.
///
/// # Errors
/// Before any work: settings or an output that cannot be used. Failed runs are rows with a message.
pub fn run(args: &Bench, out: &mut Out) -> Result<Exit> {
    let (n_jobs, n_threads) = args.jobs.share(args.threads);
    if n_jobs > 1 && !args.no_timing {
        return Err(Error::argument(
            "runs side by side disturb each other's times: --jobs needs --no-timing",
        ));
    }
    let mut choices = Vec::new();
    for spec in &args.codec {
        for spec in expand(spec)? {
            choices.push(Choice::of_codec(&spec, n_threads)?);
        }
    }
    for spec in &args.settings {
        for spec in expand(spec)? {
            choices.push(Choice::of_settings(&spec, n_threads)?);
        }
    }
    if choices.is_empty() {
        choices.push(Choice::of_settings("default", n_threads)?);
    }
    if let Some(folder) = &args.decoded {
        std::fs::create_dir_all(folder).map_err(|e| Error::io(folder.display(), e))?;
    }
    let mut rows = Rows::new(args.output.as_deref(), args.force, args.resume)?;
    let sweep = Sweep {
        inputs: &args.inputs,
        choices: &choices,
        n_jobs,
        has_times: !args.no_timing,
        decoded: args.decoded.as_deref().map(|folder| (folder, args.force)),
        talk: args.talk,
    };
    let failures = sweep.run(&mut rows, out)?;
    if !args.talk.quiet {
        for line in totals(&summarise(rows.all())) {
            match args.talk.json {
                true => note(&line),
                false => out.line(&line)?,
            }
        }
    }
    Ok(Exit::of_inputs(args.inputs.len() * choices.len(), &failures))
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
