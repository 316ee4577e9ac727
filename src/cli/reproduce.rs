//! `inrfit reproduce`: the three tasks of arXiv 2412.01754.

mod draw;
mod interpolate;
mod runs;
mod spec;
mod strips;
mod task1;
mod task2;
mod task3;

use super::Exit;
use super::args::{Talk, Threads};
use super::files::{check_output, rows_error, write_bytes};
use super::output::Out;
use super::synth::shape;
use clap::{Args, Subcommand};
use inrfit::error::{Error, Result};
use inrfit::settings::DeviceRequest;
use inrfit_figures::{Format, Record, Sheet, record};
use runs::{Run, Runs};
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Run an experiment of arXiv 2412.01754: rows to a CSV file, and its figure
///
/// Fields that read coordinates alone, by default exactly as the authors' code runs them (presets paper-siren, paper-ffnet
/// = mfn, paper-wire = wire-real: 3000 steps of all voxels, which on two cores takes an hour a fit). Bytes are files on
/// disk, and errors those of the decoded file over all voxels of the event.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit reproduce task1 run/*.npy -o task1.csv --figure task1.svg\n  \
    inrfit reproduce task1 run/a.npy -o task1.csv --strips layer.png     one layer, by factor and method\n  \
    inrfit reproduce task3 --shape 48,63,16 --steps 200 --fit hidden=48 -o task3.csv\n  \
    inrfit reproduce task1 --from task1.csv --figure task1.svg     draw rows again")]
pub struct Reproduce {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Task1(task1::Task1),
    Task2(task2::Task2),
    Task3(task3::Task3),
}

/// What the three have in common.
#[derive(Debug, Args)]
struct Common {
    /// Events: .npy files [default: synthetic ones]
    #[arg(value_name = "EVENT", conflicts_with = "from")]
    inputs: Vec<PathBuf>,
    /// Take the first N of the EVENTs, or make N synthetic ones [default: all; 1]
    #[arg(long = "events", visible_alias = "wedges", value_name = "N")]
    n_events: Option<NonZeroUsize>,
    /// Extents of synthetic events
    #[arg(long, value_name = "A,B,C", value_parser = shape, default_value = "192,249,16", conflicts_with = "inputs")]
    shape: [usize; 3],
    /// Settings of the fits instead of the authors': a comma-separated list of the options under 'Fit' of `inrfit compress
    /// --help`, without their dashes, such as hidden=48,sampler=uniform,batch=8192; not what the task varies itself
    #[arg(long, value_name = "SPEC", default_value = "default", hide_default_value = true)]
    fit: String,
    /// Seed of starting weights and draws, and of the first synthetic event
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Where to fit: auto, cpu or cuda
    #[arg(long, value_name = "NAME", default_value_t = DeviceRequest::Auto)]
    device: DeviceRequest,
    /// Write the rows to this .csv or .json file; in them encode_seconds is the fit alone, without packing, decoding
    /// and comparing
    #[arg(short, long, value_name = "OUT", required_unless_present = "from")]
    output: Option<PathBuf>,
    /// Draw the figure into this .svg or .png file
    #[arg(long, value_name = "FIGURE")]
    figure: Option<PathBuf>,
    /// Fit nothing: draw the figure of the rows in this file
    #[arg(long, value_name = "ROWS", requires = "figure", conflicts_with = "output")]
    from: Option<PathBuf>,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// Runs the command.
///
/// # Errors
/// Before any fit: settings, events or outputs that cannot be used. Then whatever a fit or writing refuses, with the
/// event and the settings; nothing is written then.
pub fn run(args: &Reproduce, out: &mut Out) -> Result<Exit> {
    match &args.task {
        Task::Task1(task) => {
            let strips = task.strips.as_ref();
            carry_out(
                &task.common,
                strips,
                "factor",
                &task1::FIXED,
                out,
                &mut |runs| task.rows(runs),
                draw::task1,
            )
        }
        Task::Task2(task) => carry_out(
            &task.common,
            None,
            "layers",
            &task2::FIXED,
            out,
            &mut |runs| task.rows(runs),
            draw::task2,
        ),
        Task::Task3(task) => carry_out(
            &task.common,
            None,
            "fraction",
            &task3::FIXED,
            out,
            &mut |runs| task.rows(runs),
            draw::task3,
        ),
    }
}

/// `told` is the setting that rows of the task have and those of others lack.
fn carry_out(
    common: &Common,
    picture: Option<&PathBuf>,
    told: &str,
    fixed: &'static [&'static str],
    out: &mut Out,
    rows_of: &mut dyn FnMut(&mut Runs<'_>) -> Result<()>,
    sheet_of: fn(&[Record]) -> Sheet,
) -> Result<Exit> {
    let format = match &common.figure {
        Some(path) => Some(Format::of(path).map_err(refused)?),
        None => None,
    };
    if let Some(path) = picture {
        Format::of(path).map_err(refused)?;
        if common.figure.as_ref() == picture {
            return Err(Error::argument(format!("{}: --figure and --strips are two files", path.display())));
        }
    }
    for path in common.output.iter().chain(&common.figure).chain(picture) {
        check_output(path, common.force)?;
    }
    let rows = match (&common.from, &common.output) {
        (Some(path), _) => record::read(path).map_err(|e| rows_error(path, e)).and_then(|rows| match rows
            .iter()
            .any(|row| spec::value(&row.settings, told).is_some())
        {
            true => Ok(rows),
            false => Err(Error::argument(format!(
                "{}: rows of another task: none has '{told}' among its settings",
                path.display()
            ))),
        })?,
        (None, output) => {
            let export = match output.as_ref().and_then(|path| path.extension()?.to_str()) {
                Some("csv") => record::to_csv,
                Some("json") => record::to_json,
                _ => {
                    let path = output.clone().unwrap_or_default();
                    return Err(Error::argument(format!(
                        "{}: rows are kept in .csv or .json files",
                        path.display()
                    )));
                }
            };
            let mut runs = Runs::new(common, fixed, out)?;
            rows_of(&mut runs)?;
            let Runs { rows, pictures, .. } = runs;
            if let Some(path) = output {
                let text = export(&rows).map_err(refused)?;
                write_bytes(path, text.as_bytes(), common.force)?;
            }
            for (path, bytes) in pictures {
                write_bytes(&path, &bytes, common.force)?;
            }
            rows
        }
    };
    if let (Some(path), Some(format)) = (&common.figure, format) {
        write_bytes(path, &sheet_of(&rows).render(format).map_err(refused)?, common.force)?;
    }
    Ok(Exit::Done)
}

fn refused(error: inrfit_figures::Error) -> Error {
    Error::argument(error.to_string())
}
