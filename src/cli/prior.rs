//! `inrfit prior`, and the option that names priors.

use super::Exit;
use super::args::Threads;
use super::device;
use super::files::{check_output, is_stdin, tell_leftovers, write_bytes};
use super::input::{InputArgs, name_of};
use super::output::Out;
use super::progress::{Bar, go_on};
use super::report::json;
use clap::{Args, Subcommand};
use inrfit::backend::cpu::Cpu;
use inrfit::codec::{InrCodec, Lessons, Observer, Progress, Stage};
use inrfit::container::Limits;
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::prior::{ContextPrior, Prior, Priors, hex};
use inrfit::residual::{Learning, teaches};
use inrfit::settings::{Mode, ModelKind, Settings};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No prior is as long.
const MAX_BYTES: u64 = 16 << 20;

/// Which priors are at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PriorArgs {
    /// A prior that `inrfit prior` made, one of each kind. What was compressed with one needs it again. One of
    /// contexts that was learned from synthetic events comes with the program and is used where none is given. One for
    /// fitting is where fits start: they take fewer steps and bytes
    #[arg(long = "prior", value_name = "FILE", help_heading = "Priors")]
    priors: Vec<PathBuf>,
}

impl PriorArgs {
    /// Reads the files.
    ///
    /// # Errors
    /// `Io` and what is wrong with a file, with its name; `Argument` for two of one kind.
    pub fn load(&self) -> Result<Priors> {
        let mut priors = Priors::default();
        for path in &self.priors {
            let named = |e: Error| e.context(path.display());
            if is_stdin(path) {
                return Err(Error::argument("--prior -: priors are read from files only"));
            }
            let io = |e| Error::io(path.display(), e);
            let mut bytes = vec![];
            File::open(path).map_err(io)?.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io)?;
            if bytes.len() as u64 == MAX_BYTES {
                return Err(named(Error::corrupt(format!("no prior: it has {MAX_BYTES} bytes or more"))));
            }
            let second = match Prior::from_bytes(&bytes, &Limits::default()).map_err(named)? {
                Prior::Contexts(prior) => priors.contexts.replace(Arc::new(prior)).map(|_| "of contexts"),
                Prior::Start(prior) => priors.start.replace(Arc::new(prior)).map(|_| "for fitting"),
            };
            if let Some(kind) = second {
                let why = format!("a second prior {kind}: one is all a file can use");
                return Err(named(Error::argument(why)));
            }
        }
        Ok(priors)
    }
}

/// Learn from past events what makes later ones smaller
#[derive(Debug, Args)]
pub struct Learn {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    Contexts(Contexts),
    Fit(Fit),
}

/// What all kinds are told.
#[derive(Debug, Args)]
struct Common {
    /// Events: .npy, .npz or raw files; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    /// Seed of starting weights and draws
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    threads: Threads,
    /// Print a JSON object on standard output
    #[arg(long)]
    json: bool,
    /// Say nothing but errors and what --json asks for
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    input: InputArgs,
}

/// Learn what a value's surroundings tell of it: for modes bounded and lossless
///
/// A small network (two hidden layers, whole numbers) learns how likely each bin of a value is, given the values and
/// the occupancy around it, for bounds from lossless to 0.8 log2 units and 20 ADC counts. `inrfit compress --prior FILE`
/// uses it where that makes the file smaller; decoding such a file needs the same prior again, and names it by its hash
/// where it is missing. Learn from events of the detector that it is to be used for: a handful is enough to gain. The
/// default number of steps takes two to three minutes on two cores; all events are held in memory, and about 300 MB
/// besides. The same events and options give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit prior contexts run1/*.npy -o tpc.prior\n  \
    inrfit compress event.npy --mode lossless --prior tpc.prior\n  \
    inrfit decompress event.npy.inrfit --prior tpc.prior")]
struct Contexts {
    #[command(flatten)]
    common: Common,
    /// Steps, of 1024 voxels each
    #[arg(long, value_name = "N", default_value_t = Learning::default().n_steps, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    steps: u64,
    /// Units of the two hidden layers: multiples of 16 up to 256
    #[arg(long, value_name = "A,B", value_parser = units, default_value = "128,64")]
    hidden: [usize; 2],
}

/// Learn where fits should start from: for modes masked and field
///
/// Fits each event in turn for a few steps, many times over, and keeps the weights from which that goes fastest.
/// `inrfit compress --prior FILE` starts from them, takes fewer steps and stores how far the weights have come, which takes
/// fewer bytes; decoding such a file needs the same prior again, and names it by its hash where it is missing. A prior is
/// for one network: for other modes, widths or families learn another. Learn from events of the detector that it is to be
/// used for; a handful is enough to gain. The same events and options give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit prior fit run1/*.npy -o fit.prior\n  \
    inrfit compress event.npy --prior fit.prior\n  inrfit decompress event.npy.inrfit --prior fit.prior\n  \
    inrfit prior fit run1/*.npy -o field.prior --mode field --hidden 128")]
struct Fit {
    #[command(flatten)]
    common: Common,
    /// What the files are to hold: masked or field (see `inrfit compress --help`); that of masked serves bounded and
    /// lossless too, where a network is kept
    #[arg(long, value_name = "MODE", value_parser = mode, default_value = "masked")]
    mode: Mode,
    /// Family of the network, as in `inrfit compress`
    #[arg(long, value_name = "NAME", default_value = "siren")]
    model: ModelKind,
    /// Units of a hidden layer [default: as many as the fullest event is worth]
    #[arg(long, value_name = "N")]
    hidden: Option<NonZeroUsize>,
    /// Hidden layers
    #[arg(long, value_name = "N", default_value = "3")]
    layers: NonZeroUsize,
    /// Steps of each fit
    #[arg(long, value_name = "N", default_value_t = Lessons::default().n_steps, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    steps: u64,
    /// Fits of each event
    #[arg(long, value_name = "N", default_value_t = Lessons::default().n_passes, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    passes: u64,
}

/// What was learned of contexts.
#[derive(Serialize)]
struct Learned {
    file: String,
    hash: String,
    bytes: usize,
    weights: usize,
    events: usize,
    /// Mean over the last steps and all bounds.
    bits_a_value: f64,
}

/// What was learned for fitting.
#[derive(Serialize)]
struct LearnedFit {
    file: String,
    hash: String,
    bytes: usize,
    weights: usize,
    hidden: usize,
    events: usize,
}

fn mode(text: &str) -> Result<Mode> {
    match text.parse()? {
        mode @ (Mode::Masked | Mode::Field) => Ok(mode),
        _ => Err(Error::argument(format!("'{text}' is none of: masked, field"))),
    }
}

fn units(text: &str) -> Result<[usize; 2]> {
    let units: Option<Vec<usize>> = text.split([',', 'x']).map(|n| n.trim().parse().ok()).collect();
    units
        .and_then(|u| u.try_into().ok())
        .ok_or_else(|| Error::argument("not two numbers of units such as 128,64"))
}

/// Runs the command.
///
/// # Errors
/// What is wrong with an input, the output or the settings; nothing is written then.
pub fn run(args: &Learn, out: &mut Out) -> Result<Exit> {
    match &args.kind {
        Kind::Contexts(args) => learn_contexts(args, out),
        Kind::Fit(args) => learn_fit(args, out),
    }
}

impl Common {
    /// All events, once it is clear that the output can be written.
    fn events(&self) -> Result<Vec<Event>> {
        if is_stdin(&self.output) {
            return Err(Error::argument("-o -: a prior is written to a file: name one"));
        }
        check_output(&self.output, self.force)?;
        if !self.quiet {
            let folder = self.output.parent().unwrap_or(Path::new(""));
            tell_leftovers(&[folder.to_owned()].into());
        }
        let mut events = vec![];
        for input in &self.inputs {
            let mut open = self.input.open(input)?;
            while let Some(origin) = open.peek() {
                go_on()?;
                let name = name_of(input, &origin.map_err(|e| e.context(input.display()))?);
                match self.input.read(&mut open, &name) {
                    Some(event) => events.push(event?),
                    None => break,
                }
            }
        }
        Ok(events)
    }

    fn bar(&self) -> Bar {
        Bar::new(&self.output.display().to_string(), !self.quiet)
    }

    /// Tells what was learned: an object, or a line.
    fn tell(&self, learned: &impl Serialize, line: &str, out: &mut Out) -> Result<Exit> {
        if self.json {
            out.line(&json(learned)?)?;
        } else if !self.quiet {
            out.line(line)?;
        }
        Ok(Exit::Done)
    }
}

fn learn_fit(args: &Fit, out: &mut Out) -> Result<Exit> {
    let common = &args.common;
    let events = common.events()?;
    let settings = Settings {
        mode: args.mode,
        model: Some(args.model),
        hidden: args.hidden.map(NonZeroUsize::get),
        n_layers: Some(args.layers.get()),
        seed: common.seed,
        ..Settings::default()
    };
    let n_threads = common.threads.resolve();
    device::prepare(&settings);
    let codec = InrCodec { settings, limits: Limits::default(), n_threads, priors: Priors::default() };
    let bar = common.bar();
    let lessons = Lessons { n_steps: args.steps, n_passes: args.passes };
    let prior = codec.learn_start(&events, &lessons, &bar)?;
    drop(bar);
    let bytes = prior.to_bytes()?;
    write_bytes(&common.output, &bytes, common.force)?;
    let learned = LearnedFit {
        file: common.output.display().to_string(),
        hash: hex(&prior.hash()),
        bytes: bytes.len(),
        weights: prior.weights().values().len(),
        hidden: prior.network().spec.hidden,
        events: events.len(),
    };
    let line = format!(
        "{}: {} bytes, {} weights (hidden layers of {} units) learned from {} events, hash {}",
        learned.file,
        learned.bytes,
        learned.weights,
        learned.hidden,
        learned.events,
        hex(&prior.short_hash()),
    );
    common.tell(&learned, &line, out)
}

fn learn_contexts(args: &Contexts, out: &mut Out) -> Result<Exit> {
    let common = &args.common;
    let events = common.events()?;
    let learning = Learning { n_steps: args.steps, units: args.hidden, seed: common.seed };
    let bar = common.bar();
    // The bits of single steps vary with the bounds they are about.
    let mut smooth: Option<f64> = None;
    let mut told = |step: u64, bits: f64| {
        go_on()?;
        smooth = Some(smooth.map_or(bits, |s| s + 0.02 * (bits - s)));
        bar.progress(&Progress {
            stage: Stage::Fit,
            tile: 0,
            n_tiles: 1,
            step,
            n_steps: learning.n_steps,
            error: None,
        });
        Ok(())
    };
    let cpu = Cpu::new(common.threads.resolve())?;
    let prior = cpu.install(|| ContextPrior::learn(&events, &learning, &mut told))?;
    drop(bar);
    let bytes = prior.to_bytes();
    write_bytes(&common.output, &bytes, common.force)?;
    let learned = Learned {
        file: common.output.display().to_string(),
        hash: hex(&prior.hash()),
        bytes: bytes.len(),
        weights: prior.network().n_weights(),
        events: events.iter().filter(|event| teaches(event)).count(),
        bits_a_value: smooth.unwrap_or_default(),
    };
    let line = format!(
        "{}: {} bytes, {} weights learned from {} events, {:.3} bits a value over all bounds, hash {}",
        learned.file,
        learned.bytes,
        learned.weights,
        learned.events,
        learned.bits_a_value,
        hex(&prior.short_hash()),
    );
    common.tell(&learned, &line, out)
}
