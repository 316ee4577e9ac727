//! `inrfit decompress`

use super::args::{Jobs, Talk, Threads};
use super::device::Evaluating;
use super::files::{
    Content, ENDING, Output, Place, Written, advise, appended, content, is_an_array, is_stdin, tell_leftovers,
};
use super::inside::NO_LIMITS;
use super::output::{Out, extents};
use super::parallel::in_order;
use super::prior::PriorArgs;
use super::progress::{Bar, go_on};
use super::region::{Part, Wanted};
use super::report::{Report, Stages};
use super::{Exit, keep_failure};
use clap::Args;
use inrfit::codec::InrCodec;
use inrfit::container::{Contents, Header, Limits, PackReader};
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::{DType, Event, Samples};
use inrfit::io::{ReadSeek, npy};
use inrfit::prior::Priors;
use inrfit::query::{Answer, Asked, Grid};
use inrfit::settings::{DeviceRequest, Settings};
use inrfit::tile::Tile;
use std::io::Write;
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

/// Decompress events
///
/// Writes a .npy file for each compressed event, with its shape and type; the events of a pack become one 4-D array,
/// or a file each where -o is a folder. The same file gives the same samples on every machine and with any number of
/// threads. With --region only tiles that the region meets are decoded, and of a tile that is a field alone only the
/// voxels of the region.
///
/// --scale and --shape ask the network between the voxels; files of modes bounded and lossless have one where they were
/// made with --keep-field. A point that is a voxel's centre has that voxel's decoded sample. Any other is what the
/// network says there, ADC per *native* voxel at that point, not charge per new voxel: a grid of scale 2 sums to about 8
/// times as much. Mode field tells occupied from empty at every point; in other modes a point is occupied where the
/// voxel is whose cell it lies in, and no bound holds between voxels. The array is written part by part: its size is
/// limited by --max-memory, the memory taken does not grow with it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit decompress event.npy.inrfit -o decoded.npy\n  \
    inrfit decompress event.npy.inrfit            writes event.npy, unless it exists\n  \
    inrfit decompress packed/*.inrfit -o decoded --jobs 2\n  \
    inrfit decompress event.inrfit --region 0:96,:,3:4 -o part.npy\n  \
    inrfit decompress event.inrfit --scale 2 -o fine.npy          384 x 498 x 32 points of 192 x 249 x 16 voxels\n  \
    inrfit decompress event.inrfit --region :,:,3:4 --shape 960,1245,1 -o layer.npy\n  \
    inrfit decompress run.inrfit --event 3 --raw -o - | consumer")]
pub struct Decompress {
    /// Compressed events or packs of them; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// File for one input, existing folder for any number, - for standard output [default: INPUT without .inrfit;
    /// - for -]
    #[arg(short, long, value_name = "OUT")]
    output: Option<PathBuf>,
    #[command(flatten)]
    part: Part,
    #[command(flatten)]
    prior: PriorArgs,
    /// Take this event of a pack alone, counted from 0
    #[arg(long, value_name = "N")]
    event: Option<usize>,
    /// Write the samples alone: C order, least significant byte first
    #[arg(long)]
    raw: bool,
    /// Replace existing outputs
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    jobs: Jobs,
    #[command(flatten)]
    device: Evaluating,
}

/// An event to decode.
struct Task {
    name: String,
    output: Output,
    bytes: Result<Vec<u8>>,
}

/// A decoded event, written.
struct Done {
    name: String,
    output: Output,
    shape: [usize; 3],
    dtype: DType,
    report: Report,
    seconds: Stages,
}

/// Runs the command.
///
/// # Errors
/// Where no input could be tried: outputs that clash, standard output that fails.
pub fn run(args: &Decompress, out: &mut Out) -> Result<Exit> {
    let place = Place::new(&args.inputs, args.output.as_deref(), false)?;
    place.check(&args.inputs, |input| named(input, args.raw))?;
    if place == Place::Stdout {
        out.divert();
        Output::Stdout.check(false)?;
    }
    if !args.talk.quiet {
        tell_leftovers(&place.folders(&args.inputs));
    }
    let mut tally = Tally { failures: Vec::new(), n: 0 };
    // A pack that becomes one array is a work of its own; other events are taken from all inputs at once.
    let mut tasks = Tasks::new(args, &place);
    loop {
        let (n_jobs, _) = args.jobs.share(args.threads);
        let ended = in_order(
            n_jobs,
            &mut tasks,
            |task| {
                let output = task.output.clone();
                decode_task(args, task, n_jobs == 1, !args.raw, &mut |fill| output.write(args.force, fill))
            },
            |done| match done {
                Ok(done) => {
                    tell(&done, args.talk, out)?;
                    tally.n += 1;
                    Ok(true)
                }
                Err(error) => Ok(tally.failed(error)),
            },
        );
        ended?;
        let Some((input, pack)) = tasks.array.take().filter(|_| !tally.is_interrupted()) else { break };
        match decode_array(args, &place, &input, pack, out) {
            Ok(()) => tally.n += 1,
            Err(error) => {
                tally.failed(error);
            }
        }
    }
    Ok(Exit::of_inputs(tally.n, &tally.failures))
}

/// How many were tried, and what came of them.
struct Tally {
    failures: Vec<ErrorKind>,
    n: usize,
}

impl Tally {
    /// Tells an error; `false` where the user wants no more.
    fn failed(&mut self, error: Error) -> bool {
        self.n += 1;
        keep_failure(&error, &mut self.failures)
    }

    fn is_interrupted(&self) -> bool {
        self.failures.contains(&ErrorKind::Interrupted)
    }
}

type Pack = PackReader<Box<dyn ReadSeek>>;

/// The events of all inputs, up to a pack that becomes one array.
struct Tasks<'a> {
    args: &'a Decompress,
    place: &'a Place,
    inputs: std::slice::Iter<'a, PathBuf>,
    open: Option<(&'a Path, Pack, std::ops::Range<usize>)>,
    array: Option<(PathBuf, Pack)>,
    written: Written,
}

impl<'a> Tasks<'a> {
    fn new(args: &'a Decompress, place: &'a Place) -> Tasks<'a> {
        Tasks {
            args,
            place,
            inputs: args.inputs.iter(),
            open: None,
            array: None,
            written: Written::default(),
        }
    }

    fn output(&mut self, input: &Path, in_pack: Option<&str>) -> Result<Output> {
        let raw = self.args.raw;
        let output = match (self.place, in_pack) {
            (Place::Folder(folder), Some(name)) => Output::File(folder.join(ended(Path::new(name), raw))),
            _ => self.place.of(input, |input| named(input, raw))?,
        };
        output.check(self.args.force)?;
        self.written.add(&output)?;
        Ok(output)
    }

    /// The event of a file that is no pack.
    fn single(&mut self, input: &Path, bytes: Vec<u8>) -> Result<Task> {
        if self.args.event.is_some_and(|n| n > 0) {
            return Err(Error::argument(format!(
                "{}: it is one event; --event is for packs",
                input.display()
            )));
        }
        let output = self.output(input, None)?;
        Ok(Task { name: input.display().to_string(), output, bytes: Ok(bytes) })
    }

    /// The event `i` of a pack.
    fn packed(&mut self, input: &Path, pack: &mut Pack, i: usize) -> Task {
        let name = format!("{}[{i}]", input.display());
        let made = pack.read(i).map_err(|e| e.context(&name)).and_then(|event| {
            let output = self.output(input, self.args.event.is_none().then_some(event.name.as_str()))?;
            Ok((output, event.file))
        });
        match made {
            Ok((output, file)) => Task { name, output, bytes: Ok(file) },
            Err(error) => failed(error),
        }
    }
}

fn failed(error: Error) -> Task {
    Task { name: String::new(), output: Output::Stdout, bytes: Err(error) }
}

impl Iterator for Tasks<'_> {
    type Item = Task;

    fn next(&mut self) -> Option<Task> {
        if let Err(stopped) = go_on() {
            return Some(failed(stopped));
        }
        if self.array.is_some() {
            return None;
        }
        loop {
            if let Some((input, mut pack, mut left)) = self.open.take()
                && let Some(i) = left.next()
            {
                let task = self.packed(input, &mut pack, i);
                self.open = Some((input, pack, left));
                return Some(task);
            }
            let input = self.inputs.next()?;
            let is_folder = matches!(self.place, Place::Folder(_));
            match content(input) {
                Ok(Content::Event(bytes)) => {
                    return Some(self.single(input, bytes).unwrap_or_else(failed));
                }
                Ok(Content::Array(_)) => return Some(failed(is_an_array(input))),
                Ok(Content::Pack(pack)) => match self.args.event {
                    Some(n) if n >= pack.n_events() => {
                        return Some(failed(Error::argument(format!(
                            "{}: there is no event {n} among its {}",
                            input.display(),
                            pack.n_events()
                        ))));
                    }
                    Some(n) => self.open = Some((input, pack, n..n + 1)),
                    None if is_folder => {
                        let all = 0..pack.n_events();
                        self.open = Some((input, pack, all));
                    }
                    None => {
                        self.array = Some((input.clone(), pack));
                        return None;
                    }
                },
                Err(error) => return Some(failed(error)),
            }
        }
    }
}

/// Writes what it is given to write.
type Put<'a> = dyn FnMut(&mut dyn FnMut(&mut dyn Write) -> Result<()>) -> Result<()> + 'a;

/// Decodes one event and puts what is wanted of it where `put` says, an array's header before it where `with_header`.
fn decode_task(
    args: &Decompress,
    task: Task,
    shows_progress: bool,
    with_header: bool,
    put: &mut Put<'_>,
) -> Result<Done> {
    let Task { name, output, bytes } = task;
    let bytes = bytes?;
    let (_, n_threads) = args.jobs.share(args.threads);
    let how = Decoding {
        limits: args.memory.limits(),
        priors: args.prior.load()?,
        n_threads,
        device: args.device.request(),
        shows_progress: shows_progress && !args.talk.quiet,
    };
    let Header { shape, dtype, .. } =
        Contents::read(&bytes, &NO_LIMITS).map_err(|e| e.context(&name))?.header;
    let wanted = args.part.within(shape).map_err(|e| e.context(&name))?;
    let shape = wanted.shape(shape);
    let header = |w: &mut dyn Write| match with_header {
        true => npy::write_header(w, dtype, &shape),
        false => Ok(()),
    };
    let start = Instant::now();
    match wanted {
        Wanted::Grid(grid) => {
            // What is wrong with the input is told of the input, not of the output.
            let mut refused = None;
            let put = put(&mut |w| {
                let (mut is_started, mut is_written) = (false, true);
                how.resample(&name, &bytes, &grid, &mut |part| {
                    // What is refused is refused before the first sample: even a pipe gets nothing then.
                    let first = if std::mem::replace(&mut is_started, true) { Ok(()) } else { header(w) };
                    let written = first.and_then(|()| samples(w, part));
                    is_written = written.is_ok();
                    written
                })
                .map_err(|e| match is_written {
                    true => Error::new(refused.insert(e).kind(), "refused"),
                    false => e,
                })
            });
            if let Some(error) = refused {
                return Err(error);
            }
            put?;
        }
        Wanted::Whole | Wanted::Box(_) => {
            let region = if let Wanted::Box(region) = wanted { Some(region) } else { None };
            let (event, _) = how.decode(&name, &bytes, region)?;
            put(&mut |w| header(w).and_then(|()| samples(w, event.samples())))?;
        }
    }
    let seconds = Stages { decode: Some(start.elapsed().as_secs_f64()), ..Stages::default() };
    let raw_bytes = shape.iter().product::<usize>() * dtype.n_bytes();
    let report = Report::of_shape(Path::new(&name), output.path(), shape, raw_bytes)
        .with_seconds(seconds)
        .with_file(&bytes)?;
    let report = if matches!(wanted, Wanted::Grid(_)) { report.without_ratio() } else { report };
    Ok(Done { name, output, shape, dtype, report, seconds })
}

fn samples(writer: &mut dyn Write, samples: &Samples) -> Result<()> {
    writer.write_all(&samples.to_le_bytes()).map_err(|e| Error::io("cannot write it", e))
}

/// All events of a pack into one 4-D array, event by event.
fn decode_array(args: &Decompress, place: &Place, input: &Path, mut pack: Pack, out: &mut Out) -> Result<()> {
    let output = place.of(input, |input| named(input, args.raw))?;
    output.check(args.force)?;
    let (shape, dtype) = common_shape(args, input, &mut pack)?;
    let n_events = pack.n_events();
    let (n_jobs, _) = args.jobs.share(args.threads);
    let mut reports = Vec::new();
    output.write(args.force, &mut |writer| {
        if !args.raw {
            npy::write_header(writer, dtype, &[&[n_events], &shape[..]].concat())?;
        }
        let mut tasks = (0..n_events).map(|i| {
            let name = format!("{}[{i}]", input.display());
            let bytes =
                go_on().and_then(|()| pack.read(i).map(|event| event.file).map_err(|e| e.context(&name)));
            Task { name, output: output.clone(), bytes }
        });
        let advised = |e| advise(e, ErrorKind::Corrupt, "-o with a folder writes the others");
        if args.part.is_grid() {
            // One after the other, so that no grid is ever held whole.
            for task in tasks {
                let done = decode_task(args, task, true, false, &mut |fill| fill(writer)).map_err(advised)?;
                reports.push((done.report, done.seconds));
            }
            return Ok(());
        }
        in_order(
            n_jobs,
            &mut tasks,
            |task| {
                let mut bytes = Vec::new();
                decode_task(args, task, n_jobs == 1, false, &mut |fill| fill(&mut bytes))
                    .map(|done| (done, bytes))
            },
            |done| {
                let (done, bytes) = done.map_err(advised)?;
                writer.write_all(&bytes).map_err(|e| Error::io("cannot write it", e))?;
                reports.push((done.report, done.seconds));
                Ok(true)
            },
        )
    })?;
    let n_voxels: usize = shape.iter().product();
    if args.talk.is_human() {
        let seconds: f64 = reports.iter().filter_map(|(_, seconds)| seconds.decode).sum();
        out.line(&format!(
            "{} -> {}: {n_events} events of {} {}, {} bytes, {seconds:.1} s",
            input.display(),
            output.path().display(),
            extents(shape),
            dtype.name(),
            n_events * n_voxels * dtype.n_bytes(),
        ))?;
    }
    for (report, _) in reports.iter().filter(|_| args.talk.json) {
        out.line(&report.to_json()?)?;
    }
    Ok(())
}

/// The shape (of what is wanted) and type that all events of a pack share.
fn common_shape(args: &Decompress, input: &Path, pack: &mut Pack) -> Result<([usize; 3], DType)> {
    let mut first = None;
    for i in 0..pack.n_events() {
        let named = |e: Error| e.context(format!("{}[{i}]", input.display()));
        let file = pack
            .read(i)
            .map_err(|e| advise(named(e), ErrorKind::Corrupt, "-o with a folder writes the others"))?
            .file;
        let header = Contents::read(&file, &NO_LIMITS).map_err(named)?.header;
        let shape = args.part.within(header.shape).map_err(named)?.shape(header.shape);
        if *first.get_or_insert((shape, header.dtype)) != (shape, header.dtype) {
            return Err(Error::argument(format!(
                "{}: its events differ in shape or type, so they make no array: -o with a folder writes a file each",
                input.display()
            )));
        }
    }
    first.ok_or_else(|| Error::corrupt(format!("{}: a pack without events", input.display())))
}

fn tell(done: &Done, talk: Talk, out: &mut Out) -> Result<()> {
    if talk.json {
        out.line(&done.report.to_json()?)?;
    } else if talk.is_human() {
        out.line(&format!(
            "{} -> {}: {} {}, {} bytes, {:.1} s",
            done.name,
            done.output.path().display(),
            extents(done.shape),
            done.dtype.name(),
            done.shape.iter().product::<usize>() * done.dtype.n_bytes(),
            done.seconds.decode.unwrap_or_default(),
        ))?;
    }
    Ok(())
}

/// How compressed events are decoded.
#[derive(Debug, Clone)]
pub struct Decoding {
    /// What it may use.
    pub limits: Limits,
    /// Priors at hand.
    pub priors: Priors,
    /// Threads to run on.
    pub n_threads: usize,
    /// Where networks are evaluated.
    pub device: DeviceRequest,
    /// Whether a line on a terminal shows how far it is.
    pub shows_progress: bool,
}

impl Decoding {
    /// The event in the bytes of a compressed one called `name`, and the time it took.
    ///
    /// # Errors
    /// As `InrCodec::decompress`, with the name.
    pub fn decode_whole(&self, name: &str, bytes: &[u8]) -> Result<(Event, Stages)> {
        self.decode(name, bytes, None)
    }

    fn decode(&self, name: &str, bytes: &[u8], region: Option<Tile>) -> Result<(Event, Stages)> {
        let bar = Bar::new(name, self.shows_progress);
        let start = Instant::now();
        let decoded = match region {
            None => self.codec().decompress(bytes, &bar),
            Some(tile) => self.codec().decompress_region(bytes, &tile, &bar),
        };
        let event = decoded.map_err(|e| self.refused(name, e))?;
        Ok((event, Stages { decode: Some(start.elapsed().as_secs_f64()), ..Stages::default() }))
    }

    /// Hands the samples of a grid to `sink`, part by part.
    fn resample(
        &self,
        name: &str,
        bytes: &[u8],
        grid: &Grid,
        sink: &mut dyn FnMut(&Samples) -> Result<()>,
    ) -> Result<()> {
        let bar = Bar::new(name, self.shows_progress);
        // A sink names its own errors.
        let mut is_taken = true;
        let sampled = self.codec().resample(bytes, grid, &bar, &mut |part| {
            let taken = sink(part);
            is_taken = taken.is_ok();
            taken
        });
        sampled.map_err(|e| if is_taken { self.refused(name, e) } else { e })
    }

    /// What the event in the bytes of a compressed one called `name` says at `points`.
    ///
    /// # Errors
    /// As `InrCodec::query`, with the name.
    pub fn query(&self, name: &str, bytes: &[u8], points: &[[f64; 3]], asked: &Asked) -> Result<Vec<Answer>> {
        let bar = Bar::new(name, self.shows_progress);
        self.codec().query(bytes, points, asked, &bar).map_err(|e| self.refused(name, e))
    }

    fn codec(&self) -> InrCodec {
        InrCodec {
            settings: Settings { device: self.device, ..Settings::default() },
            limits: self.limits,
            n_threads: self.n_threads,
            priors: self.priors.clone(),
        }
    }

    fn refused(&self, name: &str, error: Error) -> Error {
        advise(error.context(name), ErrorKind::Limit, "--max-memory raises it")
    }
}

/// `event.npy` for `event.npy.inrfit` and for `event.inrfit`; `event.raw` where samples alone are written.
fn named(input: &Path, raw: bool) -> Result<PathBuf> {
    if is_stdin(input) {
        return Ok(ended(Path::new("stdin"), raw));
    }
    if input.extension().is_none_or(|e| e != ENDING) {
        let why = format!("{}: its name does not end in .{ENDING}; name the output with -o", input.display());
        return Err(Error::argument(why));
    }
    Ok(ended(&input.with_extension(""), raw))
}

/// A name with the ending of what is written.
fn ended(stem: &Path, raw: bool) -> PathBuf {
    let is_npy = stem.extension().is_some_and(|e| e == "npy");
    match (is_npy, raw) {
        (true, false) => stem.to_owned(),
        (true, true) => stem.with_extension("raw"),
        (false, _) if raw && stem.extension().is_some_and(|e| e == "raw") => stem.to_owned(),
        (false, _) => appended(stem, if raw { "raw" } else { "npy" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoded_files_have_names() {
        let pair = |input: &str| [false, true].map(|raw| named(Path::new(input), raw).unwrap());
        assert_eq!(pair("a.npy.inrfit"), [Path::new("a.npy"), Path::new("a.raw")]);
        assert_eq!(pair("d/a.inrfit"), [Path::new("d/a.npy"), Path::new("d/a.raw")]);
        assert_eq!(pair("a.raw.inrfit"), [Path::new("a.raw.npy"), Path::new("a.raw")]);
        assert!(named(Path::new("a.npy"), false).is_err());
    }
}
