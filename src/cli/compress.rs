//! `inrfit compress`

use super::args::{FitArgs, Talk, Threads};
use super::files::{ENDING, Job, appended, check_output, plan, write_bytes};
use super::inside::NO_LIMITS;
use super::output::Out;
use super::progress::Bar;
use super::report::{Report, Stages};
use super::{Exit, complain};
use clap::Args;
use inrfit::codec::InrCodec;
use inrfit::error::{ErrorKind, Result};
use inrfit::io::read_event;
use inrfit::metrics::{Metrics, default_peak};
use std::path::PathBuf;

/// Compress events
///
/// Reads 3-D .npy arrays (uint8, uint16, int16, int32, float32) and writes one .inrfit file each. The figures it
/// prints come from decoding the bytes it wrote: ratio = bytes of the samples / bytes of the file; log-MAE = mean
/// |difference| of log2(ADC + 1); precision and recall of "the voxel is not zero". The decoded event is close, not
/// equal, and mode field keeps no bound: see the maximum error.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit compress event.npy\n  inrfit compress run/*.npy -o packed --json > figures.jsonl\n  \
    inrfit compress event.npy -o small.inrfit --hidden 64 --bits 4\n  inrfit compress event.npy --preset paper-siren"
)]
pub struct Compress {
    /// Events: .npy files
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// File for one input, or existing folder [default: INPUT.inrfit beside each input]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace existing outputs
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    fit: FitArgs,
}

/// Runs the command.
///
/// # Errors
/// Where no input could be tried: outputs that clash, standard output that fails.
pub fn run(args: &Compress, out: &mut Out) -> Result<Exit> {
    let jobs = plan(&args.inputs, args.output.as_deref(), |input| Ok(appended(input, ENDING)))?;
    let codec =
        InrCodec { settings: args.fit.settings(), limits: NO_LIMITS, n_threads: args.threads.resolve() };
    let mut failures = Vec::new();
    for job in &jobs {
        match compress(&codec, job, args) {
            Ok(report) if args.talk.json => out.line(&report.to_json()?)?,
            Ok(report) if args.talk.is_human() => out.line(&report.to_line())?,
            Ok(_) => {}
            Err(error) => {
                complain(&error);
                failures.push(error.kind());
                if error.kind() == ErrorKind::Interrupted {
                    break;
                }
            }
        }
    }
    Ok(Exit::of_inputs(jobs.len(), &failures))
}

fn compress(codec: &InrCodec, job: &Job, args: &Compress) -> Result<Report> {
    check_output(&job.output, args.force)?;
    let event = read_event(&job.input)?;
    let named = job.input.display();
    let bar = Bar::new(&named.to_string(), !args.talk.quiet);
    let compressed = codec.compress(&event, &bar).map_err(|e| e.context(&named))?;
    drop(bar);
    let metrics =
        Metrics::compare(&event, &compressed.decoded, default_peak(&event)).map_err(|e| e.context(&named))?;
    let seconds = compressed.report.seconds;
    let report = Report::new(&job.input, &job.output, &event)
        .with_metrics(&metrics)
        .with_seconds(Stages {
            fit: Some(seconds.fit),
            pack: Some(seconds.pack),
            verify: Some(seconds.verify),
            decode: None,
        })
        .with_file(&compressed.bytes)?;
    write_bytes(&job.output, &compressed.bytes, args.force)?;
    Ok(report)
}
