//! `inrfit decompress`

use super::Exit;
use super::args::{Talk, Threads};
use super::files::{ENDING, advise, appended, check_output, plan, read_compressed};
use super::output::{Out, extents};
use super::progress::Bar;
use super::report::{Report, Stages};
use clap::Args;
use inrfit::codec::InrCodec;
use inrfit::container::Limits;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::Event;
use inrfit::io::write_event;
use inrfit::settings::Settings;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// What decoding may use.
#[derive(Debug, Clone, Copy, Args)]
pub struct Memory {
    /// Refuse files whose samples take more than this, in MiB
    #[arg(long, value_name = "MIB", default_value_t = 4096, value_parser = clap::value_parser!(u64).range(1..))]
    max_memory: u64,
}

impl Memory {
    /// The limits; weights and operations allowed grow with the samples allowed.
    pub fn limits(self) -> Limits {
        let usual = Limits::default();
        let max_event_bytes = self.max_memory.saturating_mul(1 << 20);
        let times = (max_event_bytes / usual.max_event_bytes).max(1);
        Limits {
            max_event_bytes,
            max_weights: usual.max_weights.saturating_mul(times),
            max_operations: usual.max_operations.saturating_mul(times),
        }
    }
}

/// Decompress an event
///
/// Writes a .npy file with the shape and type of the original. The same file gives the same samples on every
/// machine and with any number of threads.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit decompress event.npy.inrfit -o decoded.npy\n  \
    inrfit decompress event.npy.inrfit            writes event.npy, unless it exists")]
pub struct Decompress {
    /// Compressed event
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// .npy file, or existing folder [default: INPUT without .inrfit]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Replace an existing output
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// Runs the command.
///
/// # Errors
/// With the file's name: whatever reading, decoding or writing refuses.
pub fn run(args: &Decompress, out: &mut Out) -> Result<Exit> {
    for job in plan(std::slice::from_ref(&args.input), args.output.as_deref(), named)? {
        check_output(&job.output, args.force)?;
        let bytes = read_compressed(&job.input)?;
        let (event, seconds) =
            decode(&job.input, &bytes, args.memory.limits(), args.threads.resolve(), args.talk)?;
        write_event(&job.output, &event, args.force)?;
        let report = Report::new(&job.input, &job.output, &event).with_seconds(seconds).with_file(&bytes)?;
        if args.talk.json {
            out.line(&report.to_json()?)?;
        } else if args.talk.is_human() {
            out.line(&format!(
                "{} -> {}: {} {}, {} bytes, {:.1} s",
                job.input.display(),
                job.output.display(),
                extents(event.shape()),
                event.dtype().name(),
                event.raw_bytes(),
                seconds.decode.unwrap_or_default(),
            ))?;
        }
    }
    Ok(Exit::Done)
}

/// The event in a compressed file's bytes, and the time it took.
///
/// # Errors
/// As `InrCodec::decompress`, with the file's name.
pub fn decode(
    input: &Path,
    bytes: &[u8],
    limits: Limits,
    n_threads: usize,
    talk: Talk,
) -> Result<(Event, Stages)> {
    let codec = InrCodec { settings: Settings::default(), limits, n_threads };
    let bar = Bar::new(&input.display().to_string(), !talk.quiet);
    let start = Instant::now();
    let event = codec
        .decompress(bytes, &bar)
        .map_err(|e| advise(e.context(input.display()), ErrorKind::Limit, "--max-memory raises it"))?;
    Ok((event, Stages { decode: Some(start.elapsed().as_secs_f64()), ..Stages::default() }))
}

/// `event.npy` for `event.npy.inrfit` and for `event.inrfit`.
fn named(input: &Path) -> Result<PathBuf> {
    if input.extension().is_none_or(|e| e != ENDING) {
        let why = format!("{}: its name does not end in .{ENDING}; name the output with -o", input.display());
        return Err(Error::argument(why));
    }
    let stem = input.with_extension("");
    Ok(if stem.extension().is_some_and(|e| e == "npy") { stem } else { appended(&stem, "npy") })
}
