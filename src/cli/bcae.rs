//! `inrfit bcae`: autoencoders to compare with.

mod run;
mod train;

use super::Exit;
use super::args::Talk;
use super::autoencoder::told;
use super::files::{check_output, write_bytes};
use super::output::{Out, digits};
use super::report::json;
use clap::{Args, Subcommand};
use inrfit::error::{Error, Result};
use inrfit::event::{Event, Samples};
use inrfit_baselines::Array;
use inrfit_baselines::bcae::{Architecture, Model, import};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Convolutional autoencoders to compare with: BCAE and its relatives
///
/// The compressors of arXiv 2111.05423 (bcae, and without transform bcae-wot, and without segmentation cae) and arXiv
/// 2310.15026 (bcae++, bcae-ht, bcae-2d:M,N,D), by published weights or trained here; and BCAE-VS (arXiv 2411.11942) by
/// its published weights. They take uint16 events with the axes (azimuth, z, layer).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit bcae import encoder.pt decoder.pt -o bcae.model\n  \
    inrfit bcae eval --model bcae.model --packed run/*.npy\n  \
    inrfit bcae eval --vs bcae_vs.pth run/*.npy\n  \
    inrfit bcae train bcae-ht folder -o ht.checkpoint --epochs 20 --model ht.model\n  \
    inrfit bcae throughput --model bcae.model")]
pub struct Bcae {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Import(Import),
    Train(train::Train),
    Eval(run::Eval),
    Throughput(run::Throughput),
}

/// Make a model file of published checkpoints
///
/// Encoder and decoder as PyTorch state dicts (.pt, .pth) or safetensors files, of bcae, bcae-wot or cae.
#[derive(Debug, Args)]
struct Import {
    /// Checkpoint of the encoder
    #[arg(value_name = "ENCODER")]
    encoder: PathBuf,
    /// Checkpoint of the decoder, or of both decoders
    #[arg(value_name = "DECODER")]
    decoder: PathBuf,
    /// File to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// Architecture that the weights belong to
    #[arg(long, value_name = "NAME", default_value = "bcae")]
    architecture: Architecture,
    /// A voxel counts as occupied above this. The paper's table has 0.46 for bcae and 0.4 for bcae-wot
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    threshold: f32,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
}

/// What became of an import.
#[derive(Serialize)]
struct Imported {
    output: String,
    architecture: String,
    threshold: f32,
    encoder_parameters: usize,
    decoder_parameters: usize,
}

/// Runs the command.
///
/// # Errors
/// `Argument` for settings and events that a network does not take and for files that exist, `Corrupt` for damaged
/// models and checkpoints, `Device` where the arithmetic fails, `Io`, `Interrupted`.
pub fn run(args: &Bcae, out: &mut Out) -> Result<Exit> {
    match &args.action {
        Action::Import(args) => import_weights(args, out),
        Action::Train(args) => train::run(args, out),
        Action::Eval(args) => run::eval(args, out),
        Action::Throughput(args) => run::throughput(args, out),
    }
}

fn import_weights(args: &Import, out: &mut Out) -> Result<Exit> {
    check_output(&args.output, args.force)?;
    let model = import(args.architecture, &args.encoder, &args.decoder, args.threshold).map_err(told)?;
    write_bytes(&args.output, &model.to_bytes().map_err(told)?, args.force)?;
    let architecture = model.architecture();
    let told = Imported {
        output: args.output.display().to_string(),
        architecture: architecture.to_string(),
        threshold: model.threshold(),
        encoder_parameters: architecture.n_encoder(),
        decoder_parameters: architecture.n_decoders(),
    };
    if args.talk.json {
        out.line(&json(&told)?)?;
    }
    if args.talk.is_human() {
        out.line(&format!(
            "{}: {}, {} and {} parameters in encoder and decoders, threshold {}",
            told.output,
            told.architecture,
            told.encoder_parameters,
            told.decoder_parameters,
            digits(f64::from(told.threshold))
        ))?;
    }
    Ok(Exit::Done)
}

/// Reads a model file.
fn load(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
    Model::from_bytes(&bytes).map_err(|e| told(e).context(path.display()))
}

/// An event as rivals take it.
fn array(event: &Event) -> Result<Array> {
    match event.samples() {
        Samples::U16(counts) => Array::new(event.shape(), counts.clone()).map_err(told),
        other => {
            let name = other.dtype().name();
            Err(Error::argument(format!("autoencoders take uint16 counts, not {name}")))
        }
    }
}

/// The other way round.
fn event(array: &Array) -> Result<Event> {
    Event::new(array.shape(), Samples::U16(array.counts().to_vec()))
}
