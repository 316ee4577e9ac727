//! `inrfit eval`

use super::args::{Talk, Threads};
use super::decompress::{Decoding, Memory};
use super::files::{Content, content};
use super::input::{InputArgs, name_of};
use super::output::Out;
use super::progress::interrupted;
use super::report::{Report, Stages};
use super::{Exit, complain};
use clap::Args;
use inrfit::container::PackReader;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::Event;
use inrfit::io::{Events, InputSettings, ReadSeek};
use inrfit::metrics::{Metrics, default_peak};
use std::path::{Path, PathBuf};

/// Compare decoded events, or compressed ones, with their originals
///
/// The first half of the files are the originals, the second half what is compared with them, in the same order; the
/// events of stacks, archives and packs are compared one by one. log-MAE and log-MSE are of log2(ADC + 1), precision
/// and recall of "the voxel is not zero", PSNR = 10 log10(peak^2 / MSE) in dB. Prints the keys of `compress --json`;
/// what does not apply is null.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit eval event.npy event.npy.inrfit\n  inrfit eval event.npy decoded.npy --json\n  \
    inrfit eval run/*.npy packed/*.inrfit\n  inrfit eval stack.npy pack.inrfit"
)]
pub struct Eval {
    /// The originals (.npy, .npz or raw files), then as many .npy files, compressed events or packs, told apart by
    /// their content
    #[arg(value_name = "ORIGINAL... DECODED", required = true, num_args = 2..)]
    files: Vec<PathBuf>,
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
    #[command(flatten)]
    input: InputArgs,
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
/// `Argument` where the files are no pairs; standard output that fails.
pub fn run(args: &Eval, out: &mut Out) -> Result<Exit> {
    let (originals, decoded) = args.files.split_at(args.files.len() / 2);
    if originals.len() != decoded.len() {
        return Err(Error::argument(format!(
            "{} files are no pairs: name the originals first, then as many decoded or compressed ones",
            args.files.len()
        )));
    }
    let mut failures = Vec::new();
    let mut n_events = 0;
    for (original, decoded) in originals.iter().zip(decoded) {
        let told = pair(args, original, decoded, &mut |event| {
            n_events += 1;
            match event {
                Ok(report) if args.talk.json => out.line(&report.to_json()?),
                Ok(report) if args.talk.is_human() => out.line(&report.to_line()),
                Ok(_) => Ok(()),
                Err(error) => {
                    complain(&error);
                    failures.push(error.kind());
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
                complain(&error);
                failures.push(error.kind());
            }
        }
        if interrupted() {
            return Ok(Exit::Interrupted);
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
    Ok(report.with_metrics(&metrics))
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
            Content::Array => Decoded::Arrays(path, Events::open(path, &InputSettings::default())?),
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
        n_threads: args.threads.resolve(),
        shows_progress: !args.talk.quiet,
    };
    let (event, seconds) = how.decode_whole(&name, &bytes)?;
    Ok(Other { name, event, file: Some((bytes, seconds)) })
}
