//! `inrfit synth`

use super::Exit;
use super::files::{Output, Place, check_output, is_stdin, tell_leftovers};
use super::output::{Out, digits, extents};
use super::progress::{go_on, interrupted};
use clap::{Args, ValueEnum};
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::io::npy;
use inrfit::synth::{Side, SynthSettings};
use std::path::PathBuf;

/// Make synthetic events: tracks through one section of a time projection chamber
///
/// Helical tracks from a collision and its pile-up in a solenoid field, slow electrons that curl up in the gas,
/// ionisation with its long tail, diffusion, pads, shaping, ten bits with noise on a pedestal of 74, and zero
/// suppression that keeps a window of samples from each crossing of the threshold on. With the defaults, events have
/// the statistics of simulated sPHENIX wedges. Written as uint16, axes (azimuth, z, layer). The same options give the
/// same bytes on every machine and in every version.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit synth -o event.npy\n  \
    inrfit synth -o folder --events 20 --occupancy 0.01\n  \
    inrfit synth -o other.npy --shape 96,400,32 --threshold 80 --window 7 --seed 3\n  \
    inrfit synth -o - | inrfit compress - -o event.inrfit")]
pub struct Synth {
    /// File to write, or - for standard output; with --events a folder, made where it does not exist
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// Write this many events into the folder OUT: synth_0.npy and so on, numbered by their seeds
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    events: Option<u64>,
    /// Seed of the event; of the first one with --events
    #[arg(long, value_name = "N", default_value_t = SynthSettings::default().seed)]
    seed: u64,
    /// Pads along azimuth (2304 make a circle), time bins along z (0.42 cm), layers (1.07 cm): A,B,C or AxBxC
    #[arg(long, value_name = "A,B,C", value_parser = shape, default_value = "192,249,16")]
    shape: [usize; 3],
    /// Share of the voxels to be occupied, 0 to 0.5. An event has whole tracks: shares below that of one come out as
    /// many empty events and few with a track, right in the mean over seeds
    #[arg(long, value_name = "SHARE", default_value_t = SynthSettings::default().occupancy)]
    occupancy: f64,
    /// A window opens at a sample above this, ADC counts. The pedestal is 74; below 77, noise alone opens windows
    #[arg(long, value_name = "ADC", default_value_t = SynthSettings::default().threshold)]
    threshold: u16,
    /// Samples of a window along z
    #[arg(long, value_name = "N", default_value_t = SynthSettings::default().window)]
    window: usize,
    /// End of the z axis with the readout, from which windows open: low, high, or either by the seed
    #[arg(long, value_name = "END", value_enum, default_value_t = End::Either, hide_possible_values = true)]
    side: End,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
    /// Say nothing but errors
    #[arg(short, long)]
    quiet: bool,
}

/// Where the readout is, as typed.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum End {
    Low,
    High,
    Either,
}

/// Runs the command.
///
/// # Errors
/// `Argument` for settings that no event has and for files that exist; `Io`; `Interrupted`.
pub fn run(args: &Synth, out: &mut Out) -> Result<Exit> {
    let settings = SynthSettings {
        shape: args.shape,
        seed: args.seed,
        occupancy: args.occupancy,
        threshold: args.threshold,
        window: args.window,
        side: match args.side {
            End::Low => Some(Side::Low),
            End::High => Some(Side::High),
            End::Either => None,
        },
    };
    settings.check()?;
    let place = match args.events {
        Some(_) => Place::Folder(args.output.clone()),
        None if is_stdin(&args.output) => Place::Stdout,
        None => Place::File(args.output.clone()),
    };
    if !args.quiet {
        tell_leftovers(&place.folders(&[]));
    }
    let Some(n_events) = args.events else {
        if place == Place::Stdout {
            out.divert();
        }
        make(&settings, &place.of(&args.output, |path| Ok(path.to_owned()))?, args, out)?;
        return Ok(Exit::Done);
    };
    let last = args.seed.checked_add(n_events - 1).ok_or_else(|| Error::argument("seeds end at 2^64 - 1"))?;
    if args.output.exists() && !args.output.is_dir() {
        let output = args.output.display();
        return Err(Error::argument(format!("{output}: is no folder; --events writes into one")));
    }
    std::fs::create_dir_all(&args.output).map_err(|e| Error::io(args.output.display(), e))?;
    let path = |seed: u64| args.output.join(format!("synth_{seed}.npy"));
    for seed in args.seed..=last {
        check_output(&path(seed), args.force)?;
    }
    for seed in args.seed..=last {
        make(&SynthSettings { seed, ..settings.clone() }, &Output::File(path(seed)), args, out)?;
    }
    Ok(Exit::Done)
}

fn make(settings: &SynthSettings, output: &Output, args: &Synth, out: &mut Out) -> Result<()> {
    go_on()?;
    output.check(args.force)?;
    let event = settings.generate_watched(&mut |_| !interrupted())?;
    output.write(args.force, &mut |writer| npy::write(writer, &event))?;
    if !args.quiet {
        out.line(&format!(
            "{}: {} {}, occupancy {}, seed {}",
            output.path().display(),
            extents(event.shape()),
            event.dtype().name(),
            digits(occupancy(&event)),
            settings.seed
        ))?;
    }
    Ok(())
}

fn occupancy(event: &Event) -> f64 {
    let n_occupied = (0..event.n_voxels()).filter(|&i| event.samples().get(i) != 0.0).count();
    n_occupied as f64 / event.n_voxels() as f64
}

pub fn shape(text: &str) -> Result<[usize; 3]> {
    let extents: Option<Vec<usize>> =
        text.split([',', 'x']).map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
    extents
        .and_then(|e| e.try_into().ok())
        .ok_or_else(|| Error::argument("not three positive numbers such as 192,249,16 or 192x249x16"))
}
