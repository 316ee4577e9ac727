//! `inrfit demo`

use super::Exit;
use super::args::{Talk, Threads, seconds};
use super::device;
use super::draw::{fullest, samples_of};
use super::files::{Place, check_output, tell_leftovers, write_bytes};
use super::inside::NO_LIMITS;
use super::output::{Out, digits, extents};
use super::progress::Bar;
use super::report::{Report, Stages};
use clap::Args;
use inrfit::codec::{InrCodec, Silent};
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::io::write_event;
use inrfit::metrics::{Metrics, default_peak};
use inrfit::prior::Priors;
use inrfit::settings::Settings;
use inrfit::synth::SynthSettings;
use inrfit_figures::{EventView, Format};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Make a synthetic event, compress it, decompress it, and tell how it went
///
/// Writes event.npy, event.npy.inrfit, decoded.npy and event.png (one layer: true, decoded, difference) into a
/// folder. Takes seconds: the event is smaller than usual.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit demo\n  inrfit demo -o elsewhere --steps 500 --seed 3")]
pub struct Demo {
    /// Folder to write into; made where it does not exist
    #[arg(short, long, value_name = "FOLDER", default_value = "inrfit-demo")]
    output: PathBuf,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
    /// Training steps [default: as many as `compress` takes]
    #[arg(long, value_name = "N")]
    steps: Option<u64>,
    /// Seed of the event and of the fit
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Train for this long at most; the bytes then differ from run to run
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    time_limit: Option<Duration>,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// A quarter of a wedge.
const SHAPE: [usize; 3] = [96, 125, 16];

/// Runs the command.
///
/// # Errors
/// `Argument` where files exist already; whatever compressing, decoding or writing refuses.
pub fn run(args: &Demo, out: &mut Out) -> Result<Exit> {
    let existed = args.output.exists();
    std::fs::create_dir_all(&args.output).map_err(|e| Error::io(args.output.display(), e))?;
    let ended = demo(args, out);
    if ended.is_err() && !existed {
        // Succeeds only where nothing was written.
        let _ = std::fs::remove_dir(&args.output);
    }
    ended
}

fn demo(args: &Demo, out: &mut Out) -> Result<Exit> {
    let file = |name: &str| args.output.join(name);
    let (original, packed, decoded) = (file("event.npy"), file("event.npy.inrfit"), file("decoded.npy"));
    let picture = file("event.png");
    for path in [&original, &packed, &decoded, &picture] {
        check_output(path, args.force)?;
    }
    let event = SynthSettings { shape: SHAPE, seed: args.seed, ..SynthSettings::default() }.generate()?;
    if !args.talk.quiet {
        tell_leftovers(&Place::Folder(args.output.clone()).folders(&[]));
    }
    let mut say = |line: &str| if args.talk.is_human() { out.line(line) } else { Ok(()) };
    say(&format!(
        "made      an event of synthetic tracks: {} {}, {} bytes",
        extents(event.shape()),
        event.dtype().name(),
        event.raw_bytes()
    ))?;
    let n_threads = args.threads.resolve();
    let settings =
        Settings { n_steps: args.steps, seed: args.seed, time_limit: args.time_limit, ..Settings::default() };
    device::prepare(&settings);
    let codec = InrCodec { settings, limits: NO_LIMITS, n_threads, priors: Priors::default() };
    let bar = Bar::new("demo", !args.talk.quiet);
    let start = Instant::now();
    let compressed = device::or_on_cpu(&codec, |codec| codec.compress(&event, &bar))?;
    let encode_seconds = start.elapsed().as_secs_f64();
    drop(bar);
    write_event(&original, &event, args.force)?;
    write_bytes(&packed, &compressed.bytes, args.force)?;
    say(&format!("wrote     {}", original.display()))?;
    let steps = args.steps.map_or(String::new(), |n| format!(", {n} steps"));
    say(&format!(
        "packed    {}: {} bytes, {} weights{steps}, in {encode_seconds:.1} s on {n_threads} threads",
        packed.display(),
        compressed.bytes.len(),
        compressed.report.n_weights,
    ))?;
    let bytes = std::fs::read(&packed).map_err(|e| Error::io(packed.display(), e))?;
    let start = Instant::now();
    let back = codec.decompress(&bytes, &Silent)?;
    let decode_seconds = start.elapsed().as_secs_f64();
    write_event(&decoded, &back, args.force)?;
    say(&format!("decoded   {}: in {decode_seconds:.2} s", decoded.display()))?;
    let layer = fullest(event.shape(), 2, &|i| event.samples().get(i) != 0.0, &|_| true);
    write_bytes(&picture, &draw(&event, &back, layer)?, args.force)?;
    say(&format!("drew      {}: layer {layer}, true, decoded and difference", picture.display()))?;
    say("")?;
    let metrics = Metrics::compare(&event, &back, default_peak(&event))?;
    let ratio = event.raw_bytes() as f64 / bytes.len() as f64;
    for line in figures(ratio, &metrics) {
        say(&line)?;
    }
    if args.talk.json {
        let took = compressed.report.seconds;
        let seconds = Stages {
            fit: Some(took.fit),
            pack: Some(took.pack),
            verify: Some(took.verify),
            decode: Some(decode_seconds),
        };
        let report = Report::new(&original, &packed, &event).with_metrics(&metrics).with_seconds(seconds);
        out.line(&report.with_file(&bytes)?.to_json()?)?;
    }
    Ok(Exit::Done)
}

/// The figures, each with what it means.
fn figures(ratio: f64, m: &Metrics) -> Vec<String> {
    let rows = [
        ("ratio", ratio, "bytes of the samples / bytes of the file"),
        ("log-MAE", m.log_mae, "mean |difference| of log2(ADC + 1), over all voxels"),
        ("MSE", m.mse, "mean squared difference, ADC^2"),
        ("PSNR", m.psnr_db, "10 log10(peak^2 / MSE), dB"),
        ("precision", m.precision, "share of the voxels decoded as nonzero that are nonzero"),
        ("recall", m.recall, "share of the nonzero voxels that are decoded as nonzero"),
        ("max error", m.max_error, "largest |difference|, ADC: this mode keeps no bound"),
        ("occupancy", m.occupancy, "share of the voxels that are nonzero"),
    ];
    rows.iter().map(|(name, value, meaning)| format!("{name:<10} {:>8}  {meaning}", digits(*value))).collect()
}

fn draw(event: &Event, decoded: &Event, layer: usize) -> Result<Vec<u8>> {
    let (original, decoded) = (samples_of(event), samples_of(decoded));
    let mut view = EventView::new(event.shape(), &original, &decoded, layer);
    view.title = format!("Synthetic event, layer {layer}: true, decoded, difference");
    view.render(Format::Png).map_err(|e| Error::argument(format!("the picture: {e}")))
}
