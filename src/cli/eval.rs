//! `inrfit eval`

use super::args::{Talk, Threads};
use super::decompress::{Decoding, Memory};
use super::files::{Content, content, is_stdin, once_only};
use super::input::{InputArgs, name_of};
use super::output::{Out, digits, table};
use super::prior::PriorArgs;
use super::progress::go_on;
use super::report::{Report, Stages};
use super::{Exit, keep_failure};
use clap::Args;
use inrfit::container::PackReader;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::Event;
use inrfit::io::{Events, InputSettings, ReadSeek, Source};
use inrfit::metrics::{Clustering, Metrics, Physics, PhysicsFigures, Spread, default_peak};
use inrfit::settings::DeviceRequest;
use std::path::{Path, PathBuf};

/// Compare decoded events, or compressed ones, with their originals
///
/// The first half of the files are the originals, the second half what is compared with them, in the same order; the
/// events of stacks, archives and packs are compared one by one. log-MAE and log-MSE are of log2(ADC + 1), precision
/// and recall of "the voxel is not zero", PSNR = 10 log10(peak^2 / MSE) in dB. Prints the keys of `compress --json`;
/// what does not apply is null.
///
/// A table tells what became of clusters, in all and by bins of amplitude and of local occupancy: connected voxels above
/// the pedestal on the first two axes (azimuth and z of a wedge) at one index of the third (layer), split at valleys
/// between peaks. `lost` and `fake`: clusters of the original without a match, and of the decoded event, as shares of
/// the original's; `charge`: mean of decoded / original - 1; `axis 0`, `axis 1`: deviation of the centroids'
/// residuals, in bins; `pads`: deviation of log2 of the ratio between neighbours on the first axis; `kept`: saturated
/// voxels decoded so. Medians, widths and counts are in `physics` of --json; docs/metrics.md defines them all.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit eval event.npy event.npy.inrfit\n  inrfit eval event.npy decoded.npy --json\n  \
    inrfit eval run/*.npy packed/*.inrfit\n  inrfit eval stack.npy pack.inrfit"
)]
pub struct Eval {
    /// The originals (.npy, .npz or raw files), then as many .npy files, compressed events or packs, told apart by
    /// their content; one of all may be - for standard input
    #[arg(value_name = "ORIGINAL... DECODED", required = true, num_args = 2..)]
    files: Vec<PathBuf>,
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
    prior: PriorArgs,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    input: InputArgs,
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
/// `Argument` where the files are no pairs; standard output that fails.
pub fn run(args: &Eval, out: &mut Out) -> Result<Exit> {
    let (originals, decoded) = args.files.split_at(args.files.len() / 2);
    if originals.len() != decoded.len() {
        return Err(Error::argument(format!(
            "{} files are no pairs: name the originals first, then as many decoded or compressed ones",
            args.files.len()
        )));
    }
    if args.files.iter().filter(|file| is_stdin(file)).count() > 1 {
        return Err(once_only());
    }
    let mut failures = Vec::new();
    let mut n_events = 0;
    for (original, decoded) in originals.iter().zip(decoded) {
        let told = pair(args, original, decoded, &mut |event| {
            n_events += 1;
            match event {
                Ok(report) if args.talk.json => out.line(&report.to_json()?),
                Ok(report) if args.talk.is_human() => {
                    out.line(&report.to_line())?;
                    report.physics().map_or_else(Vec::new, lines).iter().try_for_each(|line| out.line(line))
                }
                Ok(_) => Ok(()),
                Err(error) => {
                    keep_failure(&error, &mut failures);
                    Ok(())
                }
            }
        });
        match told {
            Ok(()) => {}
            // Standard output is gone, or the user has had enough.
            Err(Ended::Run(error)) => return Err(error),
            Err(Ended::Pair(error)) => {
                n_events += 1;
                keep_failure(&error, &mut failures);
            }
        }
        if failures.contains(&ErrorKind::Interrupted) {
            break;
        }
    }
    Ok(Exit::of_inputs(n_events, &failures))
}

/// What an error ends.
enum Ended {
    /// The comparison of two files.
    Pair(Error),
    /// Everything.
    Run(Error),
}

/// Compares two files event by event and hands on a report of each.
fn pair(
    args: &Eval,
    original: &Path,
    decoded: &Path,
    tell: &mut dyn FnMut(Result<Report>) -> Result<()>,
) -> std::result::Result<(), Ended> {
    let mut originals = args.input.open(original).map_err(Ended::Pair)?;
    let mut others = Decoded::open(decoded).map_err(Ended::Pair)?;
    loop {
        go_on().map_err(Ended::Run)?;
        let name = match originals.peek() {
            Some(Ok(origin)) => name_of(original, &origin),
            Some(Err(error)) => return Err(Ended::Pair(error.context(original.display()))),
            None => String::new(),
        };
        let event = args.input.read(&mut originals, &name);
        match (event, others.next(args)) {
            (None, None) => return Ok(()),
            (Some(event), Some(other)) => {
                let report = event.and_then(|event| compare(args, &name, &event, other?));
                let ends = report.as_ref().err().is_some_and(|e| e.kind() == ErrorKind::Interrupted);
                tell(report).map_err(Ended::Run)?;
                if ends {
                    return Ok(());
                }
            }
            (event, _) => {
                let fewer = if event.is_none() { original } else { decoded };
                return Err(Ended::Pair(Error::argument(format!(
                    "{}: it has fewer events than {}",
                    fewer.display(),
                    if event.is_none() { decoded.display() } else { original.display() }
                ))));
            }
        }
    }
}

/// What is compared with an original, with what is known of it.
struct Other {
    name: String,
    event: Event,
    /// The compressed file and the time it took, where it was one.
    file: Option<(Vec<u8>, Stages)>,
}

fn compare(args: &Eval, name: &str, original: &Event, other: Other) -> Result<Report> {
    let report = Report::new(Path::new(name), Path::new(&other.name), original);
    let report = match &other.file {
        Some((bytes, seconds)) => report.with_seconds(*seconds).with_file(bytes)?,
        None => report,
    };
    let peak = args.peak.unwrap_or_else(|| default_peak(original));
    let metrics = Metrics::compare(original, &other.event, peak).map_err(|e| e.context(&other.name))?;
    let default = Clustering::of(original, peak);
    let clustering = Clustering {
        pedestal: args.pedestal.unwrap_or(default.pedestal),
        prominence: args.prominence.unwrap_or(default.prominence),
    };
    let physics =
        Physics::compare(original, &other.event, peak, &clustering).map_err(|e| e.context(&other.name))?;
    Ok(report.with_metrics(&metrics).with_physics(physics))
}

/// The events that are compared, one by one.
enum Decoded<'a> {
    Arrays(&'a Path, Events),
    One(&'a Path, Option<Vec<u8>>),
    Pack(&'a Path, PackReader<Box<dyn ReadSeek>>, usize),
}

impl Decoded<'_> {
    fn open(path: &Path) -> Result<Decoded<'_>> {
        Ok(match content(path)? {
            Content::Array(Source::File(path_of)) => {
                Decoded::Arrays(path, Events::open(&path_of, &InputSettings::default())?)
            }
            Content::Array(source) => {
                let events = Events::from_reader(Box::new(source.open()?), &InputSettings::default());
                Decoded::Arrays(path, events.map_err(|e| e.context(path.display()))?)
            }
            Content::Event(bytes) => Decoded::One(path, Some(bytes)),
            Content::Pack(pack) => Decoded::Pack(path, pack, 0),
        })
    }

    fn next(&mut self, args: &Eval) -> Option<Result<Other>> {
        match self {
            Decoded::Arrays(path, events) => {
                let name = match events.peek()? {
                    Ok(origin) => name_of(path, &origin),
                    Err(error) => return Some(Err(error.context(path.display()))),
                };
                let event = events.read()?.map_err(|e| e.context(&name));
                Some(event.map(|event| Other { name, event, file: None }))
            }
            Decoded::One(path, bytes) => Some(unpack(args, path.display().to_string(), bytes.take()?)),
            Decoded::Pack(path, pack, next) => {
                if *next == pack.n_events() {
                    return None;
                }
                let name = format!("{}[{next}]", path.display());
                let packed = pack.read(*next).map_err(|e| e.context(&name));
                *next += 1;
                Some(packed.and_then(|packed| unpack(args, name, packed.file)))
            }
        }
    }
}

fn unpack(args: &Eval, name: String, bytes: Vec<u8>) -> Result<Other> {
    let how = Decoding {
        limits: args.memory.limits(),
        priors: args.prior.load()?,
        n_threads: args.threads.resolve(),
        device: DeviceRequest::Cpu,
        shows_progress: !args.talk.quiet,
    };
    let (event, seconds) = how.decode_whole(&name, &bytes)?;
    Ok(Other { name, event, file: Some((bytes, seconds)) })
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
