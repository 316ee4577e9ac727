//! `inrfit draw`

use super::Exit;
use super::args::Threads;
use super::decompress::{Decoding, Memory};
use super::files::{Content, check_output, content, is_stdin, once_only, rows_error, write_bytes};
use super::input::{InputArgs, name_of};
use super::output::{Out, extents};
use super::prior::PriorArgs;
use clap::{Args, Subcommand};
use inrfit::error::{Error, Result};
use inrfit::event::{Event, unravel};
use inrfit::io::{Events, InputSettings, Source};
use inrfit::settings::DeviceRequest;
use inrfit_figures::{
    Decoded, EventView, Format, Histogram, Pairs, SamplingAxis, SamplingPlot, Throughput, Values,
};
use inrfit_figures::{encoders, record, sampling};
use std::path::{Path, PathBuf};

/// Draw an event beside what was decoded, or rows of an experiment
///
/// Pictures are .svg or .png files, by their ending, readable at half their size and with any colour vision. The same
/// inputs give the same picture.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit draw histogram event.npy event.npy.inrfit -o values.svg\n  \
    inrfit draw pairs event.npy field.inrfit masked.inrfit --log2 -o pairs.png\n  \
    inrfit draw slice event.npy decoded.npy --axis 2 --layer 7 -o layer.png\n  \
    inrfit draw sampling figures/data/samplers.csv --target 0.15 -o samplers.svg")]
pub struct Draw {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// How often each value occurs: in the event, and a line for each decoded copy
    ///
    /// Counts of occupied voxels on a logarithmic axis, in common bins of whole ADC counts where samples are whole. The
    /// legend has the shares of occupied voxels.
    Histogram(Copies),
    /// How often each pair of a true and a decoded value occurs: a panel for each decoded copy
    ///
    /// True values to the right, decoded ones upwards, colours by the logarithm of the number of voxels; the dashed
    /// diagonal is where they are equal. The strips at 0 are voxels that were lost (below) and that are fake (to the
    /// left); their shares of the occupied voxels of the event, and of the decoded one, stand above. Voxels that are
    /// empty in both are not shown.
    Pairs(Copies),
    /// One layer of the event: true, decoded and the difference, a row for each decoded copy
    ///
    /// Values and differences have logarithmic colour scales, common to all copies. With --log2 the differences are those
    /// of log2(ADC + 1).
    Slice(Slice),
    /// Error of samplers against time, or against the fraction of voxels a step, from rows
    Sampling(SamplingOf),
    /// MB a second that codecs take in and give out, from rows of `inrfit bench`: a pair of bars for each choice of
    /// settings
    Throughput(RowsOf),
    /// Parameters and speed of BCAE-2D over its depths, from rows of `inrfit bcae throughput`
    Encoders(RowsOf),
}

/// An event and copies of it.
#[derive(Debug, Args)]
struct Copies {
    /// The event: a .npy, .npz or raw file
    #[arg(value_name = "EVENT")]
    original: PathBuf,
    /// Decoded copies of it: arrays or compressed events, told apart by their content; one of all files may be - for
    /// standard input
    #[arg(value_name = "DECODED", required = true)]
    decoded: Vec<PathBuf>,
    /// Take this event of stacks, archives and packs, counted from 0: needed where a file has several
    #[arg(long = "event", value_name = "N")]
    number: Option<usize>,
    /// Show log2(ADC + 1) instead of ADC; for signed samples sign(ADC) log2(|ADC| + 1)
    #[arg(long)]
    log2: bool,
    #[command(flatten)]
    picture: Picture,
    #[command(flatten)]
    prior: PriorArgs,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    input: InputArgs,
}

/// A layer of an event and of copies of it.
#[derive(Debug, Args)]
struct Slice {
    #[command(flatten)]
    copies: Copies,
    /// The axis to cut across: 0, 1 or 2
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=2))]
    axis: u8,
    /// The index along that axis, from 0 [default: the layer of EVENT with most occupied voxels]
    #[arg(long, value_name = "N")]
    layer: Option<usize>,
}

/// Rows of samplers.
#[derive(Debug, Args)]
struct SamplingOf {
    /// A .csv file with the columns sampler, seconds, steps, samples, log_mae and, for --fraction, fraction
    #[arg(value_name = "ROWS")]
    rows: PathBuf,
    /// Against the fraction of voxels a step instead of against seconds
    #[arg(long)]
    fraction: bool,
    /// Mark this log-MAE, and against seconds how long each sampler takes to reach it
    #[arg(long, value_name = "E", value_parser = positive)]
    target: Option<f64>,
    #[command(flatten)]
    picture: Picture,
}

/// Rows of one machine.
#[derive(Debug, Args)]
struct RowsOf {
    /// Rows of one machine: .csv, of `bench` also .json
    #[arg(value_name = "ROWS")]
    rows: PathBuf,
    #[command(flatten)]
    picture: Picture,
}

impl RowsOf {
    fn throughput(&self, format: Format) -> Result<Vec<u8>> {
        let rows = record::read(&self.rows).map_err(|e| rows_error(&self.rows, e))?;
        let title = self.picture.title.clone().unwrap_or_default();
        Throughput { title }.render(&rows, format).map_err(refused)
    }

    fn encoders(&self, format: Format) -> Result<Vec<u8>> {
        let rows = encoders::read(&self.rows).map_err(|e| rows_error(&self.rows, e))?;
        let mut sheet =
            encoders::depths(&rows).map_err(|e| Error::argument(format!("{}: {e}", self.rows.display())))?;
        if let Some(title) = &self.picture.title {
            for chart in &mut sheet.charts {
                chart.title.clone_from(title);
            }
        }
        sheet.render(format).map_err(refused)
    }
}

/// What all pictures have.
#[derive(Debug, Args)]
struct Picture {
    /// Draw into this .svg or .png file
    #[arg(short, long, value_name = "PICTURE")]
    output: PathBuf,
    /// The line above the picture [default: what is shown]
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
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
/// `Argument` for a picture that cannot be written, events that do not fit together, a layer that is none; whatever
/// reading, decoding or writing refuses. Nothing is written then.
pub fn run(args: &Draw, out: &mut Out) -> Result<Exit> {
    match &args.what {
        What::Histogram(copies) => {
            copies.picture.draw(out, |format| {
                let events = copies.read()?;
                let title = copies.picture.title(|| format!("Values of {}", events.original_name));
                let histogram = Histogram { title, values: copies.values(), ..Histogram::default() };
                histogram.render(&events.original, &events.decoded(), format).map_err(refused)
            })?;
        }
        What::Pairs(copies) => {
            copies.picture.draw(out, |format| {
                let events = copies.read()?;
                let title =
                    copies.picture.title(|| format!("True and decoded values of {}", events.original_name));
                let pairs = Pairs { title, values: copies.values(), ..Pairs::default() };
                pairs.render(&events.original, &events.decoded(), format).map_err(refused)
            })?;
        }
        What::Slice(slice) => slice.copies.picture.draw(out, |format| slice.render(format))?,
        What::Sampling(of) => of.picture.draw(out, |format| of.render(format))?,
        What::Throughput(of) => of.picture.draw(out, |format| of.throughput(format))?,
        What::Encoders(of) => of.picture.draw(out, |format| of.encoders(format))?,
    }
    Ok(Exit::Done)
}

impl Picture {
    /// Writes the picture that `render` gives, after a look at where it goes.
    fn draw(&self, out: &mut Out, render: impl FnOnce(Format) -> Result<Vec<u8>>) -> Result<()> {
        let format = Format::of(&self.output).map_err(refused)?;
        check_output(&self.output, self.force)?;
        let bytes = render(format)?;
        write_bytes(&self.output, &bytes, self.force)?;
        match self.quiet {
            true => Ok(()),
            false => out.line(&format!("{}: {} bytes", self.output.display(), bytes.len())),
        }
    }

    fn title(&self, default: impl FnOnce() -> String) -> String {
        self.title.clone().unwrap_or_else(default)
    }
}

/// Samples of an event and of its copies, in float32.
struct Samples {
    shape: [usize; 3],
    original_name: String,
    original: Vec<f32>,
    copies: Vec<(String, Vec<f32>)>,
}

impl Samples {
    fn decoded(&self) -> Vec<Decoded<'_>> {
        self.copies.iter().map(|(name, samples)| Decoded { name, samples }).collect()
    }
}

impl Copies {
    fn values(&self) -> Values {
        if self.log2 { Values::Log2 } else { Values::Plain }
    }

    fn read(&self) -> Result<Samples> {
        let (first, others) = (&self.original, &self.decoded);
        if others.iter().chain([first]).filter(|file| is_stdin(file)).count() > 1 {
            return Err(once_only());
        }
        let events = self.input.open(first)?;
        let event = self.one_of(first, events, &|events, name| self.input.read(events, name))?;
        let names = short_names(others);
        let mut copies = Vec::new();
        for (path, name) in others.iter().zip(names) {
            let copy = self.copy(path)?;
            if copy.shape() != event.shape() {
                return Err(Error::argument(format!(
                    "{}: {} voxels, but {} has {}; decode it at the event's own resolution",
                    path.display(),
                    extents(copy.shape()),
                    first.display(),
                    extents(event.shape()),
                )));
            }
            copies.push((name, samples_of(&copy)));
        }
        let original_name = short_names(std::slice::from_ref(first)).concat();
        Ok(Samples { shape: event.shape(), original_name, original: samples_of(&event), copies })
    }

    /// The event that is wanted of a file that may have several.
    fn one_of(
        &self,
        path: &Path,
        mut events: Events,
        read: &dyn Fn(&mut Events, &str) -> Option<Result<Event>>,
    ) -> Result<Event> {
        let mut first = None;
        for i in 0.. {
            let name = match events.peek() {
                Some(Ok(origin)) => name_of(path, &origin),
                Some(Err(error)) => return Err(error.context(path.display())),
                None if i == 1 => break,
                None => return Err(self.no_event(path, i)),
            };
            if i == 1 && self.number.is_none() {
                return Err(several(path));
            }
            let Some(event) = read(&mut events, &name) else { break };
            if self.number == Some(i) {
                return event;
            }
            let event = event?;
            if i == 0 {
                first = Some(event);
            }
        }
        // A file with one event has no other to take.
        first.ok_or_else(|| self.no_event(path, 0))
    }

    fn no_event(&self, path: &Path, n: usize) -> Error {
        Error::argument(format!(
            "{}: there is no event {} among its {n}; --event counts from 0",
            path.display(),
            self.number.unwrap_or_default()
        ))
    }

    /// An array as it is, or a compressed event decoded.
    fn copy(&self, path: &Path) -> Result<Event> {
        let plain = InputSettings::default();
        let read = |events: &mut Events, name: &str| Some(events.read()?.map_err(|e| e.context(name)));
        match content(path)? {
            Content::Array(Source::File(file)) => self.one_of(path, Events::open(&file, &plain)?, &read),
            Content::Array(source) => {
                let events = Events::from_reader(Box::new(source.open()?), &plain);
                self.one_of(path, events.map_err(|e| e.context(path.display()))?, &read)
            }
            Content::Event(bytes) => self.unpack(&path.display().to_string(), &bytes),
            Content::Pack(mut pack) => {
                let i = match self.number {
                    _ if pack.n_events() == 1 => 0,
                    None => return Err(several(path)),
                    Some(n) if n >= pack.n_events() => return Err(self.no_event(path, pack.n_events())),
                    Some(n) => n,
                };
                let name = format!("{}[{i}]", path.display());
                let packed = pack.read(i).map_err(|e| e.context(&name))?;
                self.unpack(&name, &packed.file)
            }
        }
    }

    fn unpack(&self, name: &str, bytes: &[u8]) -> Result<Event> {
        let how = Decoding {
            limits: self.memory.limits(),
            priors: self.prior.load()?,
            n_threads: self.threads.resolve(),
            device: DeviceRequest::Cpu,
            shows_progress: !self.picture.quiet,
        };
        how.decode_whole(name, bytes).map(|(event, _)| event)
    }
}

fn several(path: &Path) -> Error {
    Error::argument(format!("{}: it has several events; --event N takes one", path.display()))
}

impl Slice {
    fn render(&self, format: Format) -> Result<Vec<u8>> {
        let events = self.copies.read()?;
        let axis = usize::from(self.axis);
        let depth = events.shape[axis];
        let layer = match self.layer {
            Some(layer) if layer >= depth => {
                return Err(Error::argument(format!(
                    "--layer {layer}: axis {axis} of {} has layers 0 to {}",
                    events.original_name,
                    depth - 1
                )));
            }
            Some(layer) => layer,
            None => fullest(events.shape, axis, &|i| events.original[i] != 0.0, &|_| true),
        };
        let mut view = EventView::new(events.shape, &events.original, &[], layer);
        view.decoded = events.decoded();
        view.axis = axis;
        view.values = self.copies.values();
        view.title = self
            .copies
            .picture
            .title(|| format!("{}, {} {layer}", events.original_name, view.axis_names[axis]));
        view.render(format).map_err(refused)
    }
}

impl SamplingOf {
    fn render(&self, format: Format) -> Result<Vec<u8>> {
        let rows = sampling::read(&self.rows).map_err(|e| rows_error(&self.rows, e))?;
        if self.fraction && rows.iter().all(|row| row.fraction.is_none()) {
            return Err(Error::argument(format!(
                "{}: no row has a fraction; without --fraction it is drawn against seconds",
                self.rows.display()
            )));
        }
        let plot = SamplingPlot {
            title: self.picture.title(|| "Error by sampler".to_owned()),
            target: self.target,
            against: if self.fraction { SamplingAxis::Fraction } else { SamplingAxis::Seconds },
        };
        plot.render(&rows, format).map_err(refused)
    }
}

/// The layer across `axis` with the most voxels that are `occupied`, of those that `may` be taken; the first of equals.
pub fn fullest(
    shape: [usize; 3],
    axis: usize,
    occupied: &dyn Fn(usize) -> bool,
    may: &dyn Fn(usize) -> bool,
) -> usize {
    let mut counts = vec![0usize; shape[axis]];
    for i in (0..shape.iter().product()).filter(|i| occupied(*i)) {
        counts[unravel(i, shape)[axis]] += 1;
    }
    (0..shape[axis]).rev().filter(|layer| may(*layer)).max_by_key(|layer| counts[*layer]).unwrap_or(0)
}

/// Samples in float32, in which pictures are drawn.
pub fn samples_of(event: &Event) -> Vec<f32> {
    (0..event.n_voxels()).map(|i| event.samples().get(i) as f32).collect()
}

/// Names without folders, unless two are then the same.
fn short_names(paths: &[PathBuf]) -> Vec<String> {
    let short = |path: &PathBuf| match is_stdin(path) {
        true => "standard input".to_owned(),
        false => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
    };
    let is_own = |path: &PathBuf| paths.iter().filter(|other| short(other) == short(path)).count() == 1;
    paths.iter().map(|path| if is_own(path) { short(path) } else { path.display().to_string() }).collect()
}

fn refused(error: inrfit_figures::Error) -> Error {
    Error::argument(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fullest_layer_is_the_first_of_those_with_most() {
        let shape = [2, 3, 4];
        // Voxels of layers 1 and 3 across the last axis, all of them; one of layer 2.
        let occupied = |i: usize| i % 4 == 1 || i % 4 == 3 || i == 2;
        assert_eq!(fullest(shape, 2, &occupied, &|_| true), 1);
        assert_eq!(fullest(shape, 2, &occupied, &|layer| layer % 2 == 0), 2);
        assert_eq!(fullest(shape, 0, &|i| i >= 12, &|_| true), 1);
        assert_eq!(fullest(shape, 1, &|_| false, &|_| true), 0);
    }

    #[test]
    fn names_that_would_clash_keep_their_folders() {
        let names = |paths: &[&str]| short_names(&paths.iter().map(PathBuf::from).collect::<Vec<_>>());
        assert_eq!(names(&["a/x.npy", "b/y.npy", "-"]), ["x.npy", "y.npy", "standard input"]);
        assert_eq!(names(&["a/x.npy", "b/x.npy", "c/y.npy"]), ["a/x.npy", "b/x.npy", "y.npy"]);
    }
}
