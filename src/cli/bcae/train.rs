//! `inrfit bcae train`

use super::super::autoencoder::{on_threads, told};
use super::{array, event};
use crate::cli::Exit;
use crate::cli::args::{Talk, Threads};
use crate::cli::files::{check_output, write_bytes};
use crate::cli::output::{Out, digits, note};
use crate::cli::progress::{go_on, interrupted};
use crate::cli::report::json;
use clap::Args;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::io::read_event;
use inrfit::metrics::Metrics;
use inrfit_baselines::bcae::{Architecture, Bcae, Device, Epoch, Trainer, Training};
use inrfit_baselines::{Error as RivalError, Rival};
use serde::Serialize;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// Train an autoencoder on the events of a folder
///
/// FOLDER holds train.txt, names of .npy files (uint16, axes azimuth, z, layer, all of one shape) one a line, relative
/// to FOLDER; and where test.txt is there, the trained network is measured on its events. All are read once before the
/// first step, so that what cannot be used is told then. After each epoch the checkpoint OUTPUT is written; --resume
/// goes on from it exactly as an unbroken training would, with as many events. The same events, options and seed give
/// the same bytes on the same kind of processor. Settings not given are those of the papers.
#[derive(Debug, Args)]
pub struct Train {
    /// bcae, bcae-wot, cae, bcae++, bcae-ht or bcae-2d:M,N,D (blocks of encoder and decoders, halvings)
    #[arg(value_name = "NAME")]
    architecture: Architecture,
    /// Folder with train.txt, and test.txt if there is one
    #[arg(value_name = "FOLDER")]
    folder: PathBuf,
    /// Checkpoint to write after each epoch
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Epochs in all, those before a --resume counted
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Model file to write at the end
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// CSV file of the epochs to write at the end
    #[arg(long, value_name = "FILE")]
    rows: Option<PathBuf>,
    /// Go on from the checkpoint OUTPUT where it exists; its settings stay
    #[arg(long)]
    resume: bool,
    /// Events a step
    #[arg(long, value_name = "N")]
    batch: Option<usize>,
    /// Learning rate of the first epochs
    #[arg(long, value_name = "RATE")]
    learning_rate: Option<f64>,
    /// Epochs before the learning rate falls for the first time
    #[arg(long, value_name = "N")]
    hold: Option<u32>,
    /// Epochs between two falls of the learning rate, by 5 %
    #[arg(long, value_name = "N")]
    every: Option<u32>,
    /// Seed of starting weights and order
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    talk: Talk,
}

/// What is told of an epoch.
#[derive(Serialize)]
struct Told<'a> {
    architecture: &'a str,
    #[serde(flatten)]
    epoch: Epoch,
}

/// Runs the command.
///
/// # Errors
/// As [`super::run`].
pub fn run(args: &Train, out: &mut Out) -> Result<Exit> {
    check_output(&args.output, args.force || args.resume)?;
    for path in args.model.iter().chain(&args.rows) {
        check_output(path, args.force)?;
    }
    let events = manifest(&args.folder, "train.txt")?.ok_or_else(|| {
        Error::argument(format!("{}: no train.txt, which names the events", args.folder.display()))
    })?;
    let tests = manifest(&args.folder, "test.txt")?.unwrap_or_default();
    let mut trainer = trainer(args, events.len())?;
    check_events(&events, &tests, args)?;
    let name = args.architecture.to_string();
    on_threads(args.threads, || {
        while trainer.epochs().len() < args.epochs as usize {
            let epoch = epoch(&mut trainer, &events, args)?;
            write_bytes(&args.output, &trainer.to_bytes().map_err(told)?, true)?;
            if args.talk.json {
                out.line(&json(&Told { architecture: &name, epoch })?)?;
            }
            if args.talk.is_human() {
                out.line(&format!(
                    "epoch {}: segmentation {}, regression {}, factor {}, learning rate {}",
                    epoch.epoch,
                    digits(epoch.segmentation),
                    digits(epoch.regression),
                    digits(epoch.coefficient),
                    digits(epoch.learning_rate)
                ))?;
            }
        }
        if let Some(path) = &args.model {
            write_bytes(path, &trainer.model().to_bytes().map_err(told)?, args.force)?;
        }
        if let Some(path) = &args.rows {
            write_bytes(path, rows(&name, trainer.epochs()).as_bytes(), args.force)?;
        }
        test(&trainer, &tests, args, out)
    })??;
    Ok(Exit::Done)
}

/// Where training starts, with `n_events` in an epoch.
fn trainer(args: &Train, n_events: usize) -> Result<Trainer> {
    if args.resume && args.output.exists() {
        let bytes = std::fs::read(&args.output).map_err(|e| Error::io(args.output.display(), e))?;
        let trainer = Trainer::from_bytes(&bytes).map_err(|e| told(e).context(args.output.display()))?;
        let found = trainer.model().architecture();
        if found != args.architecture {
            let path = args.output.display();
            return Err(Error::argument(format!(
                "{path}: a checkpoint of {found}, not {}",
                args.architecture
            )));
        }
        let n_epochs = trainer.epochs().len();
        if n_epochs > args.epochs as usize {
            return Err(Error::argument(format!(
                "{}: a checkpoint after {n_epochs} epochs, which --epochs {} counts too: name at least as many",
                args.output.display(),
                args.epochs
            )));
        }
        if let Some(before) = trainer.n_events().filter(|n| *n != n_events) {
            return Err(Error::argument(format!(
                "{}: trained on {before} events, and train.txt names {n_events}: go on with the same, or start anew \
                 without --resume",
                args.output.display()
            )));
        }
        return Ok(trainer);
    }
    let published = Training::published(args.architecture);
    let training = Training {
        seed: args.seed,
        batch: args.batch.unwrap_or(published.batch),
        learning_rate: args.learning_rate.unwrap_or(published.learning_rate),
        hold: args.hold.unwrap_or(published.hold),
        every: args.every.unwrap_or(published.every),
    };
    Trainer::new(args.architecture, training).map_err(told)
}

/// Reads all events once: hours of training should not end at one that is missing or of another kind.
fn check_events(events: &[PathBuf], tests: &[PathBuf], args: &Train) -> Result<()> {
    let mut shape = None;
    for path in events {
        let found = usable(path, args)?;
        if *shape.get_or_insert(found) != found {
            let ([a, b, c], [d, e, f]) = (found, shape.unwrap_or(found));
            return Err(Error::argument(format!(
                "{}: an event of {a} x {b} x {c}, those before it are of {d} x {e} x {f}: a network learns from \
                 events of one shape",
                path.display()
            )));
        }
    }
    tests.iter().try_for_each(|path| usable(path, args).map(drop))
}

/// The shape of an event that the network takes.
fn usable(path: &Path, args: &Train) -> Result<[usize; 3]> {
    go_on()?;
    let event = array(&read_event(path)?).map_err(|e| e.context(path.display()))?;
    args.architecture.code_shape(event.shape()).map_err(|e| told(e).context(path.display()))?;
    Ok(event.shape())
}

fn epoch(trainer: &mut Trainer, events: &[PathBuf], args: &Train) -> Result<Epoch> {
    let number = trainer.epochs().len();
    let watched = args.talk.is_human() && std::io::stderr().is_terminal();
    // What fails at reading keeps its kind and its file here; the trainer only hears that there is no event.
    let mut failed = None;
    let mut get = |i: usize| {
        let path = &events[i];
        let read = read_event(path).and_then(|event| array(&event).map_err(|e| e.context(path.display())));
        read.map_err(|e| {
            let heard = RivalError::Failed(e.to_string());
            failed = Some(e);
            heard
        })
    };
    let mut watch = |n: usize| {
        if watched {
            note(&format!("epoch {number}: {n} of {} events", events.len()));
        }
        !interrupted()
    };
    let device = Device::flex();
    let ended = trainer.epoch(events.len(), &mut get, &mut watch, &device);
    match (ended, failed) {
        (_, Some(e)) => Err(e),
        (Ok(Some(epoch)), None) => Ok(epoch),
        (Ok(None), None) => Err(Error::new(
            ErrorKind::Interrupted,
            format!("stopped on request; --resume goes on from the last checkpoint, after {number} epochs"),
        )),
        (Err(e), None) => Err(told(e)),
    }
}

/// Measures the trained network on events that it has not seen.
fn test(trainer: &Trainer, tests: &[PathBuf], args: &Train, out: &mut Out) -> Result<()> {
    if tests.is_empty() || !args.talk.is_human() {
        return Ok(());
    }
    let rival = Bcae::new(trainer.model().clone(), Device::flex(), false).map_err(told)?;
    let mut sums = [0.0; 4];
    for path in tests {
        go_on()?;
        let original = read_event(path)?;
        let named = |e: Error| e.context(path.display());
        let bytes = rival.encode(&array(&original).map_err(named)?).map_err(|e| named(told(e)))?;
        let decoded = event(&rival.decode(&bytes).map_err(|e| named(told(e)))?)?;
        let m = Metrics::compare(&original, &decoded, 1023.0)?;
        for (sum, value) in sums.iter_mut().zip([m.log_mae, m.mse, m.precision, m.recall]) {
            *sum += value / tests.len() as f64;
        }
    }
    let [log_mae, mse, precision, recall] = sums.map(digits);
    let n = tests.len();
    out.line(&format!(
        "test, {n} events: log-MAE {log_mae}, MSE {mse}, precision {precision}, recall {recall}"
    ))
}

/// Paths of the events that a manifest names; none where there is no such file.
fn manifest(folder: &Path, name: &str) -> Result<Option<Vec<PathBuf>>> {
    let path = folder.join(name);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(&path).map_err(|e| Error::io(path.display(), e))?;
    let events: Vec<PathBuf> =
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(|line| folder.join(line)).collect();
    match events.is_empty() {
        true => Err(Error::argument(format!("{}: names no events", path.display()))),
        false => Ok(Some(events)),
    }
}

fn rows(architecture: &str, epochs: &[Epoch]) -> String {
    let mut text = String::from("architecture,epoch,learning_rate,segmentation,regression,coefficient\n");
    for e in epochs {
        // Names such as bcae-2d:4,8,3 have commas.
        text.push_str(&format!(
            "\"{architecture}\",{},{},{},{},{}\n",
            e.epoch, e.learning_rate, e.segmentation, e.regression, e.coefficient
        ));
    }
    text
}
