//! `inrfit prior`, and the option that names priors.

use super::Exit;
use super::args::Threads;
use super::files::{check_output, is_stdin, tell_leftovers, write_bytes};
use super::input::{InputArgs, name_of};
use super::output::Out;
use super::progress::{Bar, go_on};
use super::report::json;
use clap::{Args, Subcommand};
use inrfit::backend::cpu::Cpu;
use inrfit::codec::{Observer, Progress, Stage};
use inrfit::error::{Error, Result};
use inrfit::prior::{ContextPrior, Priors, hex};
use inrfit::residual::{Learning, teaches};
use serde::Serialize;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// No prior is as long.
const MAX_BYTES: u64 = 16 << 20;

/// Which priors are at hand.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct PriorArgs {
    /// A prior that `inrfit prior` made, for modes bounded and lossless. What was compressed with one needs it again; one that was learned from
    /// synthetic events comes with the program and is used where none is given
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
            let prior = ContextPrior::from_bytes(&bytes).map_err(named)?;
            if priors.contexts.replace(Arc::new(prior)).is_some() {
                return Err(named(Error::argument("a second prior of contexts: one is all a file can use")));
            }
        }
        Ok(priors)
    }
}

/// Learn from past events what makes later ones smaller
#[derive(Debug, Args)]
pub struct Prior {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Debug, Subcommand)]
enum Kind {
    Contexts(Contexts),
}

/// Learn what a value's surroundings tell of it: for modes bounded and lossless
///
/// A small network (two hidden layers, whole numbers) learns how likely each bin of a value is, given the values and
/// the occupancy around it, for bounds from lossless to 0.8 log2 units and 20 ADC counts. `inrfit compress --prior FILE`
/// uses it where that makes the file smaller; decoding such a file needs the same prior again, and names it by its hash
/// where it is missing. Learn from events of the detector that it is to be used for: a handful is enough to gain. The
/// default number of steps takes some five minutes on two cores; all events are held in memory, and 200 MB besides. The
/// same events and options give the same bytes.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit prior contexts run1/*.npy -o tpc.prior\n  \
    inrfit compress event.npy --mode lossless --prior tpc.prior\n  \
    inrfit decompress event.npy.inrfit --prior tpc.prior")]
struct Contexts {
    /// Events: .npy, .npz or raw files; - for standard input
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    /// Steps, of 1024 voxels each
    #[arg(long, value_name = "N", default_value_t = Learning::default().n_steps, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    steps: u64,
    /// Units of the two hidden layers: multiples of 16 up to 256
    #[arg(long, value_name = "A,B", value_parser = units, default_value = "128,64")]
    hidden: [usize; 2],
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

/// What was learned.
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
pub fn run(args: &Prior, out: &mut Out) -> Result<Exit> {
    let Kind::Contexts(args) = &args.kind;
    if is_stdin(&args.output) {
        return Err(Error::argument("-o -: a prior is written to a file: name one"));
    }
    check_output(&args.output, args.force)?;
    if !args.quiet {
        let folder = args.output.parent().unwrap_or(Path::new(""));
        tell_leftovers(&[folder.to_owned()].into());
    }
    let mut events = vec![];
    for input in &args.inputs {
        let mut open = args.input.open(input)?;
        while let Some(origin) = open.peek() {
            go_on()?;
            let name = name_of(input, &origin.map_err(|e| e.context(input.display()))?);
            match args.input.read(&mut open, &name) {
                Some(event) => events.push(event?),
                None => break,
            }
        }
    }
    let learning = Learning { n_steps: args.steps, units: args.hidden, seed: args.seed };
    let bar = Bar::new(&args.output.display().to_string(), !args.quiet);
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
    let cpu = Cpu::new(args.threads.resolve())?;
    let prior = cpu.install(|| ContextPrior::learn(&events, &learning, &mut told))?;
    drop(bar);
    let bytes = prior.to_bytes();
    write_bytes(&args.output, &bytes, args.force)?;
    let learned = Learned {
        file: args.output.display().to_string(),
        hash: hex(&prior.hash()),
        bytes: bytes.len(),
        weights: prior.network().n_weights(),
        events: events.iter().filter(|event| teaches(event)).count(),
        bits_a_value: smooth.unwrap_or_default(),
    };
    if args.json {
        out.line(&json(&learned)?)?;
    } else if !args.quiet {
        out.line(&format!(
            "{}: {} bytes, {} weights learned from {} events, {:.3} bits a value over all bounds, hash {}",
            learned.file,
            learned.bytes,
            learned.weights,
            learned.events,
            learned.bits_a_value,
            hex(&prior.short_hash()),
        ))?;
    }
    Ok(Exit::Done)
}
