//! `inrfit compress`

use super::args::{FitArgs, Jobs, Talk, Threads};
use super::device;
use super::files::{ENDING, Output, Place, Written, appended, is_stdin, tell_leftovers};
use super::input::{InputArgs, file_name_of, name_of};
use super::inside::NO_LIMITS;
use super::output::{Out, digits};
use super::parallel::in_order;
use super::progress::{Bar, go_on};
use super::report::{Report, Stages};
use super::{Exit, keep_failure};
use clap::Args;
use inrfit::codec::InrCodec;
use inrfit::container::{MAX_NAME, PackWriter, is_name};
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::Event;
use inrfit::io::{Events, Origin};
use inrfit::metrics::{Metrics, default_peak};
use inrfit::rate;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Compress events
///
/// Reads .npy arrays, .npz archives of them or raw samples (uint8, uint16, int16, int32, float32; float64, uint32,
/// int64 and uint64 where every value fits float32 or int32 exactly, which is then the type that comes back). A 3-D
/// array is an event, a 2-D one an event of one plane (which comes back with a first axis of 1), a 4-D one a stack of
/// events. Writes one .inrfit file an event; of a stack or archive into the folder of -o, or all into one file by
/// --pack. The figures it prints come from decoding the bytes it wrote: ratio = bytes of the samples / bytes of the
/// file; log-MAE = mean |difference| of log2(ADC + 1); precision and recall of "the voxel is not zero". Modes
/// bounded and lossless keep their bound at every voxel, checked before anything is written; the others keep none: see
/// the maximum error. Fitting (modes masked and field) takes seconds to a minute for a wedge of 192 x 249 x 16.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit compress event.npy\n  inrfit compress event.npy --max-error 8\n  \
    inrfit compress event.npy --mode lossless --effort fast\n  inrfit compress event.npy --ratio 150\n  inrfit compress event.npy --mode field --log-mae 0.06\n  \
    inrfit compress run/*.npy -o packed --json > figures.jsonl\n  \
    inrfit compress stack.npy --pack -o run.inrfit --jobs 2\n  \
    inrfit compress event.raw --shape 192,249,16 --dtype uint16\n  \
    cat event.npy | inrfit compress - > event.inrfit\n  \
    inrfit compress event.npy -o small.inrfit --hidden 64 --bits 4\n  inrfit compress event.npy --preset paper-siren"
)]
pub struct Compress {
    /// Events: .npy, .npz or raw files; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// File for one event or with --pack, existing folder for any number, - for standard output [default:
    /// INPUT.inrfit beside each input; - for -]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    /// Put the events of all inputs into one file
    #[arg(long)]
    pack: bool,
    /// Replace existing outputs
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    input: InputArgs,
    #[command(flatten)]
    fit: FitArgs,
}

/// An event to compress.
struct Task {
    name: String,
    output: Output,
    /// Name in a pack.
    file_name: String,
    event: Result<Event>,
}

/// A compressed event.
struct Done {
    report: Report,
    raw_bytes: usize,
    file_name: String,
    /// The file, where it is not written yet.
    bytes: Option<Vec<u8>>,
}

fn named(input: &Path) -> Result<PathBuf> {
    Ok(match is_stdin(input) {
        true => PathBuf::from(format!("stdin.npy.{ENDING}")),
        false => appended(input, ENDING),
    })
}

/// Runs the command.
///
/// # Errors
/// Where no input could be tried: outputs that clash, standard output that fails.
pub fn run(args: &Compress, out: &mut Out) -> Result<Exit> {
    let place = place(args)?;
    if place == Place::Stdout {
        out.divert();
        Output::Stdout.check(false)?;
    }
    if !args.talk.quiet {
        tell_leftovers(&place.folders(&args.inputs));
    }
    if args.pack { run_pack(args, &place, out) } else { run_each(args, &place, out) }
}

fn place(args: &Compress) -> Result<Place> {
    let place = Place::new(&args.inputs, args.output.as_deref(), args.pack)?;
    if !args.pack {
        place.check(&args.inputs, named)?;
        return Ok(place);
    }
    // A pack is one file, whatever goes into it.
    let first = args.inputs.first().map(PathBuf::as_path).unwrap_or(Path::new(""));
    let place = match place {
        Place::Beside | Place::Folder(_) if args.inputs.len() > 1 => {
            return Err(Error::argument("with --pack and several inputs -o names the file to write"));
        }
        other => match other.of(first, named)? {
            Output::Stdout => Place::Stdout,
            Output::File(path) => Place::File(path),
        },
    };
    for input in &args.inputs {
        place.check(std::slice::from_ref(input), named)?;
    }
    if let Place::File(path) = &place {
        Output::File(path.clone()).check(args.force)?;
    }
    Ok(place)
}

/// One file an event.
fn run_each(args: &Compress, place: &Place, out: &mut Out) -> Result<Exit> {
    let mut failures = Vec::new();
    let mut n_events = 0;
    let work = |n_jobs: usize, codec: &InrCodec, task: Task| -> Result<Done> {
        let output = task.output.clone();
        let mut done = compress(codec, task, args, n_jobs)?;
        if let (Output::File(_), Some(bytes)) = (&output, &done.bytes) {
            output.write(args.force, &mut |w| write(w, bytes))?;
            done.bytes = None;
        }
        Ok(done)
    };
    each(args, place, work, |done| {
        n_events += 1;
        match done {
            Ok(done) => {
                if let Some(bytes) = &done.bytes {
                    Output::Stdout.write(true, &mut |w| write(w, bytes))?;
                }
                tell(&done.report, args.talk, out)?;
                Ok(true)
            }
            Err(error) => Ok(keep_failure(&error, &mut failures)),
        }
    })?;
    Ok(Exit::of_inputs(n_events, &failures))
}

/// All events into one file.
fn run_pack(args: &Compress, place: &Place, out: &mut Out) -> Result<Exit> {
    let output = place.of(Path::new(""), named)?;
    let mut failures = Vec::new();
    let (mut n_tried, mut raw_bytes, mut n_packed, mut n_bytes) = (0, 0, 0, 0);
    let mut nothing = false;
    let work = |n_jobs: usize, codec: &InrCodec, task: Task| compress(codec, task, args, n_jobs);
    let written = output.write(args.force, &mut |writer| {
        let mut pack = PackWriter::new(writer)?;
        each(args, place, work, |done| {
            n_tried += 1;
            match done {
                Ok(done) => {
                    pack.add(&done.file_name, done.bytes.as_deref().unwrap_or_default())?;
                    raw_bytes += done.raw_bytes;
                    tell(&done.report, args.talk, out)?;
                    Ok(true)
                }
                Err(error) => Ok(keep_failure(&error, &mut failures)),
            }
        })?;
        n_packed = pack.n_events();
        nothing = n_packed == 0 || failures.contains(&ErrorKind::Interrupted);
        match nothing {
            // The reasons have been told event by event; an error keeps the file from appearing.
            true => Err(Error::argument("no events")),
            false => pack.finish().map(|n| n_bytes = n),
        }
    });
    match written {
        Err(_) if nothing => {}
        Err(error) => return Err(error),
        Ok(()) if args.talk.is_human() => out.line(&format!(
            "{n_packed} events -> {}: {raw_bytes} -> {n_bytes} bytes, ratio {}",
            output.path().display(),
            digits(raw_bytes as f64 / n_bytes as f64)
        ))?,
        Ok(()) => {}
    }
    Ok(Exit::of_inputs(n_tried, &failures))
}

fn write(writer: &mut dyn Write, bytes: &[u8]) -> Result<()> {
    writer.write_all(bytes).map_err(|e| Error::io("cannot write it", e))
}

fn tell(report: &Report, talk: Talk, out: &mut Out) -> Result<()> {
    if talk.json {
        out.line(&report.to_json()?)?;
    } else if talk.is_human() {
        out.line(&report.to_line())?;
    }
    Ok(())
}

/// Does `work` on every event of every input, `--jobs` at a time, and hands the results on in order.
fn each(
    args: &Compress,
    place: &Place,
    work: impl Fn(usize, &InrCodec, Task) -> Result<Done> + Sync,
    sink: impl FnMut(Result<Done>) -> Result<bool>,
) -> Result<()> {
    let (n_jobs, n_threads) = args.jobs.share(args.threads);
    let priors = args.fit.priors()?;
    device::prepare(&args.fit.settings());
    let codec = InrCodec { settings: args.fit.settings(), limits: NO_LIMITS, n_threads, priors };
    let tasks = Tasks { args, place, inputs: args.inputs.iter(), open: None, written: Written::default() };
    in_order(n_jobs, tasks, |task| work(n_jobs, &codec, task), sink)
}

/// The events of all inputs, one by one.
struct Tasks<'a> {
    args: &'a Compress,
    place: &'a Place,
    inputs: std::slice::Iter<'a, PathBuf>,
    open: Option<(&'a Path, Events)>,
    written: Written,
}

impl Iterator for Tasks<'_> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        if let Err(stopped) = go_on() {
            // Whoever gets this ends the run.
            return Some(failed(stopped));
        }
        loop {
            let (input, events) = match &mut self.open {
                Some((input, events)) => (*input, events),
                None => {
                    let input = self.inputs.next()?;
                    match self.args.input.open(input) {
                        Ok(events) => (input.as_path(), &mut self.open.insert((input, events)).1),
                        Err(error) => return Some(failed(error)),
                    }
                }
            };
            let Some(origin) = events.peek() else {
                self.open = None;
                continue;
            };
            let origin = match origin {
                Ok(origin) => origin,
                Err(error) => return Some(failed(error.context(input.display()))),
            };
            let name = name_of(input, &origin);
            let output = match target(self.args, self.place, input, &origin) {
                Ok(output) => output,
                // What is wrong with one event of a collection is wrong with all.
                Err(error) => {
                    self.open = None;
                    return Some(failed(error));
                }
            };
            let free = match self.args.pack {
                true => Ok(()),
                false => output.check(self.args.force).and_then(|()| self.written.add(&output)),
            };
            let event = match free {
                Ok(()) => self.args.input.read(events, &name)?,
                Err(error) => {
                    if let Some(Err(unreadable)) = events.skip() {
                        return Some(failed(unreadable.context(&name)));
                    }
                    Err(error)
                }
            };
            return Some(Task { file_name: file_name_of(input, &origin), name, output, event });
        }
    }
}

fn failed(error: Error) -> Task {
    Task { name: String::new(), output: Output::Stdout, file_name: String::new(), event: Err(error) }
}

/// Where the file of an event goes.
fn target(args: &Compress, place: &Place, input: &Path, origin: &Origin) -> Result<Output> {
    match place {
        _ if origin.is_whole() || args.pack => place.of(input, named),
        Place::Folder(folder) => {
            Ok(Output::File(folder.join(format!("{}.{ENDING}", file_name_of(input, origin)))))
        }
        _ => Err(Error::argument(format!(
            "{}: it holds several events: -o with an existing folder writes a file each, --pack puts them into one",
            input.display()
        ))),
    }
}

/// Compresses one event.
fn compress(codec: &InrCodec, task: Task, args: &Compress, n_jobs: usize) -> Result<Done> {
    let Task { name, output, file_name, event } = task;
    let event = event?;
    if args.pack && !is_name(&file_name) {
        return Err(Error::argument(format!(
            "{name}: its file name cannot stand in a pack: at most {MAX_NAME} bytes, no control characters"
        )));
    }
    let bar = Bar::new(&name, !args.talk.quiet && n_jobs == 1);
    let compressed = device::or_on_cpu(codec, |codec| match args.fit.goal() {
        Some(goal) => rate::compress(codec, &event, goal, &bar),
        None => codec.compress(&event, &bar),
    })
    .map_err(|e| e.context(&name))?;
    drop(bar);
    let metrics =
        Metrics::compare(&event, &compressed.decoded, default_peak(&event)).map_err(|e| e.context(&name))?;
    let seconds = compressed.report.seconds;
    let report = Report::new(Path::new(&name), output.path(), &event)
        .with_metrics(&metrics)
        .with_seconds(Stages {
            fit: Some(seconds.fit),
            pack: Some(seconds.pack),
            verify: Some(seconds.verify),
            decode: None,
        })
        .with_file(&compressed.bytes)?;
    Ok(Done { report, raw_bytes: event.raw_bytes(), file_name, bytes: Some(compressed.bytes) })
}
