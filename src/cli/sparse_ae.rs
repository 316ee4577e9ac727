//! `inrfit sparse-ae`: an autoencoder of images to compare with.

use super::Exit;
use super::args::{Talk, Threads};
use super::autoencoder::{on_threads, told};
use super::files::{check_output, write_bytes};
use super::output::{Out, digits, note};
use super::progress::{go_on, interrupted};
use super::report::json;
use clap::{Args, Subcommand};
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::{DType, Event};
use inrfit::io::read_event;
use inrfit_baselines::sparse_ae::{Images, Model, Penalty, Training, measure, nearest_neighbours, train};
use serde::Serialize;
use std::io::IsTerminal;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// A sparse autoencoder of images to compare with
///
/// The fully connected network of arXiv 2405.14270 with a penalty on its latents (z) or on their differences (grad-z):
/// an image is stored as its few nonzero latents. Images are .npy files of shape (images, rows, columns), or patches of
/// events (--patches).
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit sparse-ae train sas/train/*.npy -o z.model --lambda 1e-4\n  \
    inrfit sparse-ae train sas/train/*.npy -o z2.model --from z.model --lambda 3e-4 --steps 1000\n  \
    inrfit sparse-ae eval sas/test/*.npy --model z.model --model z2.model --references sas/train/*.npy -o rows.csv\n  \
    inrfit sparse-ae train events/*.npy --patches 64 -o tpc.model")]
pub struct SparseAe {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Train(Train),
    Eval(Eval),
}

/// Train a network
///
/// The same images, options and seed give the same bytes on the same kind of processor, whatever the threads.
#[derive(Debug, Args)]
struct Train {
    #[command(flatten)]
    images: ImageArgs,
    /// Model file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    /// What is kept sparse: z = the latents, grad-z = their differences
    #[arg(long, value_name = "NAME", default_value_t = Training::default().penalty)]
    penalty: Penalty,
    /// Weight of the penalty beside the lost share of the pixels' variance
    #[arg(long, value_name = "X", default_value_t = Training::default().lambda)]
    lambda: f64,
    /// Units of the hidden layers
    #[arg(long, value_name = "N", default_value_t = Training::default().hidden)]
    hidden: usize,
    /// Latents
    #[arg(long, value_name = "N", default_value_t = Training::default().latents)]
    latents: usize,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = Training::default().n_steps)]
    steps: u64,
    /// Images a step
    #[arg(long, value_name = "N", default_value_t = Training::default().batch)]
    batch: usize,
    /// Learning rate; falls to zero as a cosine
    #[arg(long, value_name = "RATE", default_value_t = Training::default().learning_rate)]
    learning_rate: f64,
    /// Seed of starting weights and order
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Start from this model instead of random weights
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    talk: Talk,
}

/// Measure models on images that they were not trained on
///
/// Errors and sizes over all images together, coded to bytes and decoded again. nonzero_ratio counts pixels for each
/// stored number, ratio counts bytes of the samples for each byte; a model's own bytes are in neither.
#[derive(Debug, Args)]
struct Eval {
    #[command(flatten)]
    images: ImageArgs,
    /// Model file; may be given several times
    #[arg(long = "model", value_name = "FILE", required = true)]
    models: Vec<PathBuf>,
    /// Images, a class a file, to classify each image by its nearest neighbour among: in latents and in pixels. The
    /// images' files have the same names
    #[arg(long, value_name = "FILE", num_args = 1..)]
    references: Vec<PathBuf>,
    /// CSV file of one row a model to write
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Replace an existing file
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    talk: Talk,
}

/// Which images.
#[derive(Debug, Args)]
struct ImageArgs {
    /// Images: .npy files of shape (images, rows, columns)
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// The inputs are events: cut the planes of their first two axes into patches of N x N samples (what is left at the
    /// ends is not used), pixels being log2(1 + ADC) / 10
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    patches: Option<u32>,
}

/// Images of several files.
struct Loaded {
    images: Images,
    /// For each image, which file it comes from.
    files: Vec<usize>,
    /// Bytes of the samples in the files.
    raw_bytes: usize,
}

/// What is told of a step, and at the end.
#[derive(Serialize)]
struct Trained {
    output: String,
    images: usize,
    penalty: String,
    lambda: f64,
    weights: usize,
    bytes: usize,
    error: f64,
    l1: f64,
}

/// One row of measurements.
#[derive(Debug, Serialize)]
struct Row {
    images: String,
    model: String,
    penalty: String,
    lambda: f64,
    hidden: usize,
    latents: usize,
    n_images: usize,
    norm: f64,
    error: f64,
    mae: f64,
    nonzero: f64,
    nonzero_ratio: f64,
    raw_bytes: usize,
    bytes: usize,
    ratio: f64,
    step: f32,
    neighbour_latent: Option<f64>,
    neighbour_image: Option<f64>,
}

/// Runs the command.
///
/// # Errors
/// `Argument` for settings and images that a network does not take and for files that exist, `Corrupt` for damaged
/// models, `Device` where training fails, `Io`, `Interrupted`.
pub fn run(args: &SparseAe, out: &mut Out) -> Result<Exit> {
    match &args.action {
        Action::Train(args) => run_train(args, out),
        Action::Eval(args) => run_eval(args, out),
    }
}

fn run_train(args: &Train, out: &mut Out) -> Result<Exit> {
    check_output(&args.output, args.force)?;
    let start = args.from.as_deref().map(load_model).transpose()?;
    let loaded = load_images(&args.images.inputs, args.images.patches)?;
    let training = Training {
        hidden: args.hidden,
        latents: args.latents,
        penalty: args.penalty,
        lambda: args.lambda,
        n_steps: args.steps,
        batch: args.batch,
        learning_rate: args.learning_rate,
        seed: args.seed,
    };
    let live = args.talk.is_human() && std::io::stderr().is_terminal();
    let mut last = None;
    let model = on_threads(args.threads, || {
        train(&loaded.images, &training, start.as_ref(), &mut |now| {
            last = Some(now);
            if live {
                let (error, penalty) = (digits(now.error), digits(now.penalty));
                note(&format!("step {} of {}: error {error}, |f(z)| {penalty}", now.step, args.steps));
            }
            if interrupted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })?;
    go_on()?;
    let stopped = || Error::new(ErrorKind::Interrupted, "stopped on request");
    let (model, last) = model.map_err(told)?.zip(last).ok_or_else(stopped)?;
    let bytes = model.to_bytes();
    write_bytes(&args.output, &bytes, args.force)?;
    let trained = Trained {
        output: args.output.display().to_string(),
        images: loaded.images.n_images(),
        penalty: args.penalty.to_string(),
        lambda: args.lambda,
        weights: model.sizes().n_weights(),
        bytes: bytes.len(),
        error: last.error,
        l1: last.penalty,
    };
    if args.talk.json {
        out.line(&json(&trained)?)?;
    }
    if args.talk.is_human() {
        out.line(&format!(
            "{}: {} weights, trained on {} images; lost share of the variance {}, |f(z)| {}",
            trained.output,
            trained.weights,
            trained.images,
            digits(trained.error),
            digits(trained.l1)
        ))?;
    }
    Ok(Exit::Done)
}

fn run_eval(args: &Eval, out: &mut Out) -> Result<Exit> {
    if let Some(path) = &args.output {
        check_output(path, args.force)?;
    }
    let loaded = load_images(&args.images.inputs, args.images.patches)?;
    let references = match args.references.is_empty() {
        true => None,
        false => Some(references(&args.references, &args.images)?),
    };
    let mut rows = vec![];
    for path in &args.models {
        go_on()?;
        let model = load_model(path)?;
        let images = stems(&args.images.inputs);
        let row = on_threads(args.threads, || row((path, &model), (images, &loaded), references.as_ref()))??;
        if args.talk.json {
            out.line(&json(&row)?)?;
        }
        if args.talk.is_human() {
            out.line(&format!(
                "{}: 2-norm of the error {} (of {}), {} pixels a stored number, ratio {}{}",
                row.model,
                digits(row.error),
                digits(row.norm),
                digits(row.nonzero_ratio),
                digits(row.ratio),
                match (row.neighbour_latent, row.neighbour_image) {
                    (Some(latent), Some(image)) => format!(
                        "; nearest neighbour right: {} by latents, {} by pixels",
                        digits(latent),
                        digits(image)
                    ),
                    _ => String::new(),
                }
            ))?;
        }
        rows.push(row);
    }
    if let Some(path) = &args.output {
        write_bytes(path, &table(&rows)?, args.force)?;
    }
    Ok(Exit::Done)
}

/// Images with classes to compare with; the classes are numbers of the files that images are evaluated from.
fn references(paths: &[PathBuf], images: &ImageArgs) -> Result<(Images, Vec<usize>)> {
    let name = |path: &Path| path.file_name().map(ToOwned::to_owned);
    let class = |path: &PathBuf| {
        let class = images.inputs.iter().position(|input| name(input) == name(path));
        class.ok_or_else(|| Error::argument(format!("{}: no input has that name", path.display())))
    };
    let classes: Vec<usize> = paths.iter().map(class).collect::<Result<_>>()?;
    let loaded = load_images(paths, images.patches)?;
    Ok((loaded.images, loaded.files.iter().map(|&file| classes[file]).collect()))
}

/// Measures a model, which has a file, on images, which have a name.
fn row(
    (path, model): (&Path, &Model),
    (images, loaded): (String, &Loaded),
    references: Option<&(Images, Vec<usize>)>,
) -> Result<Row> {
    let named = |e| told(e).context(path.display());
    let measured = measure(model, &loaded.images).map_err(named)?;
    let neighbours = references.map(|(references, classes)| {
        nearest_neighbours(model, (references, classes), (&loaded.images, &loaded.files))
    });
    let neighbours = neighbours.transpose().map_err(named)?;
    Ok(Row {
        images,
        model: stems(&[path.to_owned()]),
        penalty: model.penalty().to_string(),
        lambda: model.lambda(),
        hidden: model.sizes().m,
        latents: model.sizes().l,
        n_images: measured.n_images,
        norm: measured.norm,
        error: measured.error,
        mae: measured.mae,
        nonzero: measured.nonzero,
        nonzero_ratio: measured.nonzero_ratio,
        raw_bytes: loaded.raw_bytes,
        bytes: measured.bytes,
        ratio: loaded.raw_bytes as f64 / measured.bytes as f64,
        step: model.step(),
        neighbour_latent: neighbours.map(|n| n.latent),
        neighbour_image: neighbours.map(|n| n.image),
    })
}

/// Rows as CSV.
fn table(rows: &[Row]) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(vec![]);
    let failed = |e: &dyn std::fmt::Display| Error::new(ErrorKind::Io, format!("rows as CSV: {e}"));
    rows.iter().try_for_each(|row| writer.serialize(row)).map_err(|e| failed(&e))?;
    writer.into_inner().map_err(|e| failed(&e))
}

/// Names of files without folder and ending.
fn stems(paths: &[PathBuf]) -> String {
    let stem = |path: &PathBuf| path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    paths.iter().map(stem).collect::<Vec<_>>().join("+")
}

/// Reads all images.
fn load_images(paths: &[PathBuf], patches: Option<u32>) -> Result<Loaded> {
    let (mut size, mut pixels, mut files, mut raw_bytes) = (None, vec![], vec![], 0);
    for (file, path) in paths.iter().enumerate() {
        go_on()?;
        let event = read_event(path)?;
        let named = |why: String| Error::argument(format!("{}: {why}", path.display()));
        let [n_images, rows, columns] = event.shape();
        let (found, n_images) = match patches {
            None => {
                pixels.extend((0..event.n_voxels()).map(|i| event.samples().get(i) as f32));
                ([rows, columns], n_images)
            }
            Some(side) => {
                let side = side as usize;
                let n = cut(&event, side, &mut pixels).map_err(named)?;
                ([side; 2], n)
            }
        };
        if *size.get_or_insert(found) != found {
            let before = size.map_or_else(String::new, |[a, b]| format!("{a} x {b}"));
            let [rows, columns] = found;
            return Err(named(format!("images of {rows} x {columns}, those before it are of {before}")));
        }
        files.extend(std::iter::repeat_n(file, n_images));
        raw_bytes += n_images * found[0] * found[1] * event.dtype().n_bytes();
    }
    let images = Images::new(size.unwrap_or_default(), pixels).map_err(told)?;
    Ok(Loaded { images, files, raw_bytes })
}

/// Appends the patches of an event and tells how many there are.
fn cut(event: &Event, side: usize, pixels: &mut Vec<f32>) -> std::result::Result<usize, String> {
    let [rows, columns, layers] = event.shape();
    if event.dtype() == DType::F32 {
        return Err("samples are no counts: --patches is for events of whole numbers".into());
    }
    if event.samples().occupied_range().is_some_and(|(lowest, _)| lowest < 0.0) {
        return Err("negative samples have no logarithm".into());
    }
    if rows < side || columns < side {
        return Err(format!("shape {:?} holds no patch of {side} x {side}", event.shape()));
    }
    for layer in 0..layers {
        for patch in 0..(rows / side) * (columns / side) {
            let (row, column) = (patch / (columns / side) * side, patch % (columns / side) * side);
            pixels.extend((0..side * side).map(|i| {
                let voxel = ((row + i / side) * columns + column + i % side) * layers + layer;
                ((event.samples().get(voxel) + 1.0).log2() / 10.0) as f32
            }));
        }
    }
    Ok(layers * (rows / side) * (columns / side))
}

fn load_model(path: &Path) -> Result<Model> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path.display(), e))?;
    Model::from_bytes(&bytes).map_err(|e| told(e).context(path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use inrfit::event::Samples;

    #[test]
    fn patches_are_cut_from_planes_of_the_first_two_axes() {
        let shape = [5, 4, 3];
        let samples: Vec<u16> = (0..60).collect();
        let event = Event::new(shape, Samples::from(samples)).unwrap();
        let mut pixels = vec![];
        assert_eq!(cut(&event, 2, &mut pixels).unwrap(), 2 * 2 * 3);
        let log = |v: usize| ((v as f64 + 1.0).log2() / 10.0) as f32;
        let voxel = |row: usize, column: usize, layer: usize| log((row * 4 + column) * 3 + layer);
        // Layer 1, patch at row 2, column 2.
        let patch = &pixels[(4 + 3) * 4..][..4];
        assert_eq!(patch, [voxel(2, 2, 1), voxel(2, 3, 1), voxel(3, 2, 1), voxel(3, 3, 1)]);
        assert!(cut(&event, 5, &mut pixels).is_err());
        let negative = Event::new([2, 2, 1], Samples::from(vec![-1i16, 0, 0, 0])).unwrap();
        assert!(cut(&negative, 2, &mut pixels).unwrap_err().contains("logarithm"));
    }
}
