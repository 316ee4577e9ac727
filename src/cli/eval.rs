//! `inrfit eval`

use super::Exit;
use super::args::{Talk, Threads};
use super::decompress::{Memory, decode};
use super::files::{Content, content, read_compressed};
use super::output::{Out, digits, table};
use super::report::Report;
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::io::read_event;
use inrfit::metrics::{Clustering, Metrics, Physics, PhysicsFigures, Spread, default_peak};
use std::path::PathBuf;

/// Compare a decoded event, or a compressed one, with its original
///
/// log-MAE and log-MSE are of log2(ADC + 1), precision and recall of "the voxel is not zero",
/// PSNR = 10 log10(peak^2 / MSE) in dB. Prints the keys of `compress --json`; what does not apply is null.
///
/// A table tells what became of clusters, in all and by bins of amplitude and of local occupancy: connected voxels above
/// the pedestal on the first two axes (azimuth and z of a wedge) at one index of the third (layer), split at valleys
/// between peaks. `lost` and `fake`: clusters of the original without a match, and of the decoded event, as shares of
/// the original's; `charge`: mean of decoded / original - 1; `axis 0`, `axis 1`: deviation of the centroids'
/// residuals, in bins; `pads`: deviation of log2 of the ratio between neighbours on the first axis; `kept`: saturated
/// voxels decoded so. Medians, widths and counts are in `physics` of --json; docs/metrics.md defines them all.
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
    /// What a sample without charge reads, in ADC [default: the smallest occupied magnitude of the original less 1, 0
    /// for samples that are no whole numbers]
    #[arg(long, value_name = "ADC", value_parser = not_negative)]
    pedestal: Option<f64>,
    /// How far the peak of a cluster rises above the pedestal, and above the valley to a higher one, in ADC [default:
    /// 1 % of full scale]
    #[arg(long, value_name = "ADC", value_parser = not_negative)]
    prominence: Option<f64>,
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

fn not_negative(text: &str) -> Result<f64> {
    text.parse()
        .ok()
        .filter(|p: &f64| p.is_finite() && *p >= 0.0)
        .ok_or_else(|| Error::argument("neither 0 nor a positive number"))
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
    let default = Clustering::of(&original, peak);
    let clustering = Clustering {
        pedestal: args.pedestal.unwrap_or(default.pedestal),
        prominence: args.prominence.unwrap_or(default.prominence),
    };
    let physics = Physics::compare(&original, &decoded, peak, &clustering)
        .map_err(|e| e.context(args.decoded.display()))?;
    let report = report.with_metrics(&metrics);
    if args.talk.json {
        out.line(&report.with_physics(physics).to_json()?)?;
    } else if args.talk.is_human() {
        out.line(&report.to_line())?;
        for line in lines(&physics) {
            out.line(&line)?;
        }
    }
    Ok(Exit::Done)
}

/// The table of clusters; bins without anything in them are left out.
fn lines(physics: &Physics) -> Vec<String> {
    let Clustering { pedestal, prominence } = physics.clustering;
    let mut rows = vec![row("all".to_owned(), &physics.all)];
    for (what, bins) in [("ADC", &physics.by_amplitude), ("occupancy", &physics.by_occupancy)] {
        for bin in bins.iter().filter(|bin| bin.figures != PhysicsFigures::default()) {
            let name = match bin.to {
                Some(to) => format!("{what} {} to {}", short(bin.from), short(to)),
                None => format!("{what} from {}", short(bin.from)),
            };
            rows.push(row(name, &bin.figures));
        }
    }
    let header = ["clusters", "n", "lost", "fake", "charge", "deviation", "axis 0", "axis 1", "pads", "kept"];
    let mut lines = vec![format!(
        "clusters of signals above {} ADC, peaks of at least {} ADC:",
        short(pedestal),
        short(prominence)
    )];
    lines.extend(table(&header, &rows));
    lines
}

fn row(name: String, figures: &PhysicsFigures) -> Vec<String> {
    let of = |spread: &Option<Spread>, part: fn(&Spread) -> f64| {
        spread.as_ref().map_or_else(|| "-".to_owned(), |s| digits(part(s)))
    };
    let share = |part: u64, whole: u64| match whole {
        0 => "-".to_owned(),
        whole => format!("{:.1} %", 100.0 * part as f64 / whole as f64),
    };
    let PhysicsFigures { n_clusters, n_lost, n_fake, n_saturated, n_saturated_kept, .. } = *figures;
    vec![
        name,
        n_clusters.to_string(),
        share(n_lost, n_clusters),
        share(n_fake, n_clusters),
        of(&figures.charge, |s| s.mean),
        of(&figures.charge, |s| s.deviation),
        of(&figures.residual_axis0, |s| s.deviation),
        of(&figures.residual_axis1, |s| s.deviation),
        of(&figures.pad_ratio, |s| s.deviation),
        share(n_saturated_kept, n_saturated),
    ]
}

/// A number as an edge of a bin.
fn short(v: f64) -> String {
    let rounded = format!("{v:.2}");
    rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
}
