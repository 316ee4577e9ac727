//! `inrfit eval`

use super::Exit;
use super::args::{Talk, Threads};
use super::decompress::{Memory, decode};
use super::files::{Content, content, read_compressed};
use super::output::Out;
use super::report::Report;
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::io::read_event;
use inrfit::metrics::{Metrics, default_peak};
use std::path::PathBuf;

/// Compare a decoded event, or a compressed one, with its original
///
/// log-MAE and log-MSE are of log2(ADC + 1), precision and recall of "the voxel is not zero",
/// PSNR = 10 log10(peak^2 / MSE) in dB. Prints the keys of `compress --json`; what does not apply is null.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit eval event.npy event.npy.inrfit\n  inrfit eval event.npy decoded.npy --json"
)]
pub struct Eval {
    /// The original: a .npy file
    #[arg(value_name = "ORIGINAL")]
    original: PathBuf,
    /// What to compare: a .npy file or a compressed event, told apart by their content
    #[arg(value_name = "DECODED")]
    decoded: PathBuf,
    /// Full scale of the readout in ADC, for the PSNR [default: by type and range of the original; 1023 for
    /// 10-bit counts]
    #[arg(long, value_name = "ADC", value_parser = positive)]
    peak: Option<f64>,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

fn positive(text: &str) -> Result<f64> {
    text.parse()
        .ok()
        .filter(|p: &f64| p.is_finite() && *p > 0.0)
        .ok_or_else(|| Error::argument("not a positive number"))
}

/// Runs the command.
///
/// # Errors
/// With the file's name: whatever reading or decoding refuses; `Argument` where the two do not fit together.
pub fn run(args: &Eval, out: &mut Out) -> Result<Exit> {
    let original = read_event(&args.original)?;
    let report = Report::new(&args.original, &args.decoded, &original);
    let (decoded, report) = match content(&args.decoded)? {
        Content::Npy => (read_event(&args.decoded)?, report),
        Content::Other => {
            let bytes = read_compressed(&args.decoded)?;
            let (decoded, seconds) =
                decode(&args.decoded, &bytes, args.memory.limits(), args.threads.resolve(), args.talk)?;
            (decoded, report.with_seconds(seconds).with_file(&bytes)?)
        }
    };
    let peak = args.peak.unwrap_or_else(|| default_peak(&original));
    let metrics =
        Metrics::compare(&original, &decoded, peak).map_err(|e| e.context(args.decoded.display()))?;
    let report = report.with_metrics(&metrics);
    if args.talk.json {
        out.line(&report.to_json()?)?;
    } else if args.talk.is_human() {
        out.line(&report.to_line())?;
    }
    Ok(Exit::Done)
}
