//! The command line: parse, resolve, call the public API. One subcommand a file.

mod args;
#[cfg(any(feature = "bcae", feature = "sparse-ae"))]
mod autoencoder;
#[cfg(feature = "bcae")]
mod bcae;
mod bench;
mod compress;
mod curve;
mod decompress;
mod demo;
mod device;
mod draw;
mod eval;
mod files;
mod info;
mod input;
mod inside;
mod output;
mod parallel;
mod prior;
mod progress;
mod query;
mod region;
mod report;
mod reproduce;
mod shell;
#[cfg(feature = "sparse-ae")]
mod sparse_ae;
mod stdin;
mod synth;

use clap::{Parser, Subcommand};
use inrfit::error::{Error, ErrorKind};
use output::Out;
use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    Done = 0,
    SomeFailed = 1,
    Usage = 2,
    Io = 3,
    Damaged = 4,
    Unsupported = 5,
    Limit = 6,
    Device = 7,
    Interrupted = 130,
}

/// What the help says of each exit code.
const EXIT_CODES: [(Exit, &str); 9] = [
    (Exit::Done, "done"),
    (Exit::SomeFailed, "some of several inputs failed; the others are done"),
    (Exit::Usage, "an option, an input or an output that cannot be used as asked"),
    (Exit::Io, "reading or writing failed"),
    (Exit::Damaged, "a file is damaged, cut short or no file of its kind"),
    (Exit::Unsupported, "a file needs something this program does not have"),
    (Exit::Limit, "decoding would exceed a limit"),
    (Exit::Device, "the device is missing or failed"),
    (Exit::Interrupted, "interrupted"),
];

impl Exit {
    /// The exit code of an error.
    fn of(kind: ErrorKind) -> Exit {
        match kind {
            ErrorKind::Argument => Exit::Usage,
            ErrorKind::Io => Exit::Io,
            ErrorKind::Corrupt | ErrorKind::Truncated => Exit::Damaged,
            ErrorKind::Unsupported => Exit::Unsupported,
            ErrorKind::Limit => Exit::Limit,
            ErrorKind::Device => Exit::Device,
            ErrorKind::Interrupted => Exit::Interrupted,
            // The library may learn further kinds.
            _ => Exit::SomeFailed,
        }
    }

    /// How a run over `n_inputs` ends of which some failed as `failures` say: one input alone keeps its own code.
    fn of_inputs(n_inputs: usize, failures: &[ErrorKind]) -> Exit {
        match failures {
            [] => Exit::Done,
            _ if failures.contains(&ErrorKind::Interrupted) => Exit::Interrupted,
            [kind] if n_inputs == 1 => Exit::of(*kind),
            _ => Exit::SomeFailed,
        }
    }
}

fn after_help() -> String {
    let mut text = String::from(
        "Examples:\n  inrfit demo                              try it on a synthetic event\n  \
         inrfit compress event.npy                writes event.npy.inrfit\n  \
         inrfit decompress event.npy.inrfit -o decoded.npy\n  \
         inrfit eval event.npy event.npy.inrfit   how close is it?\n  \
         inrfit query event.npy.inrfit 95.5,120.25,7  the value between voxels\n\nExit codes:\n",
    );
    for (code, meaning) in EXIT_CODES {
        text.push_str(&format!("  {:>3}  {meaning}\n", code as u8));
    }
    text
}

/// Compress sparse detector events into small neural networks.
///
/// An event is a 3-D array of ADC counts in a .npy, .npz or raw file. A compressed event is which voxels are occupied and a
/// small network for the values, that was fitted to them; or the network alone; or every value within a bound, or
/// without loss. Fitting takes seconds to minutes an event: this is for archives, not for a running readout.
#[derive(Debug, Parser)]
#[command(name = "inrfit", version, after_help = after_help(), max_term_width = 110)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Compress(compress::Compress),
    Decompress(decompress::Decompress),
    Query(query::Query),
    Info(info::Info),
    Eval(eval::Eval),
    Bench(bench::Bench),
    Curve(curve::Curve),
    #[cfg(feature = "bcae")]
    Bcae(bcae::Bcae),
    Demo(demo::Demo),
    Draw(draw::Draw),
    Prior(prior::Learn),
    Reproduce(reproduce::Reproduce),
    #[cfg(feature = "sparse-ae")]
    SparseAe(sparse_ae::SparseAe),
    Completions(shell::Completions),
    Man(shell::Man),
    Synth(synth::Synth),
}

/// Runs the program.
pub fn main() -> ExitCode {
    let mut out = Out::default();
    let program = Program::parse();
    progress::catch_interrupts();
    let ended = match program.command {
        Command::Compress(args) => compress::run(&args, &mut out),
        Command::Decompress(args) => decompress::run(&args, &mut out),
        Command::Query(args) => query::run(&args, &mut out),
        Command::Info(args) => info::run(&args, &mut out),
        Command::Eval(args) => eval::run(&args, &mut out),
        Command::Bench(args) => bench::run(&args, &mut out),
        Command::Curve(args) => curve::run(&args, &mut out),
        #[cfg(feature = "bcae")]
        Command::Bcae(args) => bcae::run(&args, &mut out),
        Command::Demo(args) => demo::run(&args, &mut out),
        Command::Draw(args) => draw::run(&args, &mut out),
        Command::Prior(args) => prior::run(&args, &mut out),
        Command::Reproduce(args) => reproduce::run(&args, &mut out),
        #[cfg(feature = "sparse-ae")]
        Command::SparseAe(args) => sparse_ae::run(&args, &mut out),
        Command::Completions(args) => shell::completions(&args, &mut out),
        Command::Man(args) => shell::man(&args, &mut out),
        Command::Synth(args) => synth::run(&args, &mut out),
    };
    let exit = ended.unwrap_or_else(|error| {
        complain(&error);
        Exit::of(kind_of(&error))
    });
    ExitCode::from(exit as u8)
}

/// Tells of what became of one of several inputs and keeps its kind for the exit code; answers whether to go on.
fn keep_failure(error: &Error, failures: &mut Vec<ErrorKind>) -> bool {
    complain(error);
    failures.push(kind_of(error));
    kind_of(error) != ErrorKind::Interrupted
}

/// The kind of an error for the exit code: what fails after the user has asked to stop has stopped.
fn kind_of(error: &Error) -> ErrorKind {
    if progress::interrupted() { ErrorKind::Interrupted } else { error.kind() }
}

/// Tells an error, in one line.
fn complain(error: &Error) {
    output::note(&format!("inrfit: {}", error.to_string().replace('\n', " ")));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_consistent() {
        <Program as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn every_exit_code_is_in_the_help() {
        let help = after_help();
        for (code, meaning) in EXIT_CODES {
            assert!(help.contains(&format!("{:>3}  {meaning}\n", code as u8)));
        }
    }

    #[test]
    fn one_input_keeps_its_code() {
        assert_eq!(Exit::of_inputs(3, &[]), Exit::Done);
        assert_eq!(Exit::of_inputs(1, &[ErrorKind::Truncated]), Exit::Damaged);
        assert_eq!(Exit::of_inputs(2, &[ErrorKind::Truncated]), Exit::SomeFailed);
        assert_eq!(Exit::of_inputs(3, &[ErrorKind::Io, ErrorKind::Interrupted]), Exit::Interrupted);
    }
}
