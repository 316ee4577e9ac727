//! `inrfit curve`

use super::Exit;
use super::args::{Talk, Threads};
use super::bench::{Choice, Rows, Sweep, expand, name, rivals};
use super::files::{check_output, rows_error, write_bytes};
use super::output::Out;
use clap::Args;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit_figures::{
    Curve as Picture, Format, Metric, Published, Record, Summary, front, record, summarise,
};
use std::path::{Path, PathBuf};

/// Draw error against compression ratio, one line a codec
///
/// Of rows that `inrfit bench` made (.csv, .json), or of events: then a default sweep of this program's modes (but
/// `field`: `inrfit bench` makes rows of it) and of the rivals that are built in and need no model runs first, some minutes
/// for an event of a wedge's size. A point is one choice of
/// settings: total bytes in / total bytes out, and the mean of the error over the inputs (of largest errors the
/// largest); a band is the spread over the inputs.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit curve rows.csv -o curve.svg\n  \
    inrfit curve ours.csv rivals.csv --metric mse --front --published marks.csv -o curve.png\n  \
    inrfit curve event.npy -o curve.svg --rows rows.csv")]
pub struct Curve {
    /// Rows (.csv, .json), or events to measure (.npy)
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// Draw to this .svg or .png file
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The error: log_mae, mse, max_error or another column of rows
    #[arg(short, long, value_name = "NAME", default_value = "log_mae", value_parser = metric)]
    metric: Metric,
    /// Points of others: a .csv file with the columns label, metric, ratio, value, source
    #[arg(long, value_name = "MARKS")]
    published: Option<PathBuf>,
    /// One line a rival: of all its settings and options, those that no other of its own beats [default: for events]
    #[arg(long)]
    front: bool,
    /// Only codecs whose names start so
    #[arg(long, value_name = "NAME", num_args = 1..)]
    codec: Vec<String>,
    /// The line above the picture
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Keep the rows of events in this .csv or .json file; those that it has are not made again
    #[arg(long, value_name = "ROWS")]
    rows: Option<PathBuf>,
    /// Replace an existing output
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// What runs on events: this program's modes but `field`, which takes a minute a wedge.
const OURS: [&str; 4] =
    ["inr:lossless", "inr:max-log-error=0.05..0.8", "inr:max-error=2..32x3", "inr:masked,hidden=8..32"];

/// What else runs on events, where it is built in: one of the general-purpose compressors for each kind of symbols, so
/// that there are no more lines than colours.
const RIVALS: [&str; 13] = [
    "sz3:nopred,log2,z,abs=0.05..1.6",
    "sz3:interp_lorenzo,log2,z,threshold=best,abs=0.05..3.2",
    "sz3:nopred,z,abs=2..128",
    "sz3:lorenzo_reg,z,threshold=best,abs=2..128",
    "zfp:z,threshold=best,tolerance=8..2048",
    "zfp:log2,z,threshold=best,tolerance=0.125..32",
    "zfp:threshold=best,rate=0.25..2",
    "mgard:s=inf,threshold=best,tolerance=2..128",
    "mgard:s=0,threshold=best,tolerance=0.5..16",
    "mgard:s=0,log2,threshold=best,tolerance=0.02..0.64",
    "bzip2:log2,z,step=0.1..1.6",
    "bzip2:z",
    "xz:sparse,log2,z,step=0.1..1.6",
];

fn metric(name: &str) -> std::result::Result<Metric, inrfit_figures::Error> {
    name.parse()
}

fn drawn_error(error: inrfit_figures::Error) -> Error {
    Error::argument(error.to_string())
}

/// Runs the command.
///
/// # Errors
/// Before any work: inputs that cannot be read, an output that cannot be used.
pub fn run(args: &Curve, out: &mut Out) -> Result<Exit> {
    check_output(&args.output, args.force)?;
    let format = Format::of(&args.output).map_err(drawn_error)?;
    let is_table = |path: &Path| path.extension().is_some_and(|e| e == "csv" || e == "json");
    let (tables, events): (Vec<PathBuf>, Vec<PathBuf>) =
        args.inputs.iter().cloned().partition(|path| is_table(path));
    let mut rows: Vec<Record> = vec![];
    for (i, table) in tables.iter().enumerate() {
        if tables[..i].contains(table) {
            return Err(Error::argument(format!("{}: given twice", table.display())));
        }
        rows.extend(record::read(table).map_err(|e| rows_error(table, e))?);
    }
    let published = match &args.published {
        Some(path) => Published::read(path, args.metric).map_err(|e| rows_error(path, e))?,
        None => vec![],
    };
    let mut failures = vec![];
    if !events.is_empty() {
        let mut made = Rows::new(args.rows.as_deref(), args.force, true)?;
        let choices = default_choices(args.threads.resolve())?;
        let sweep = Sweep {
            inputs: &events,
            choices: &choices,
            n_jobs: 1,
            has_times: true,
            decoded: None,
            talk: args.talk,
        };
        failures = sweep.run(&mut made, out)?;
        // The file may have rows of other events too.
        events.iter().for_each(|event| rows.extend(made.of(&name(event)).cloned()));
    } else if args.rows.is_some() {
        return Err(Error::argument("--rows keeps rows of events, and none is given"));
    }
    if failures.contains(&ErrorKind::Interrupted) {
        return Ok(Exit::Interrupted);
    }
    if !args.codec.is_empty() {
        rows.retain(|row| args.codec.iter().any(|name| row.codec.starts_with(name.as_str())));
    }
    if args.front || !events.is_empty() {
        // This program's modes are lines of their own.
        rows = front(&rows, args.metric, |family| family == "inr");
    }
    let has_point = |s: &Summary| s.ratio.is_some() && s.metrics.contains_key(&args.metric);
    if !summarise(&rows).iter().any(has_point) {
        let whose = if args.codec.is_empty() { "" } else { " of the codecs asked for" };
        return Err(Error::argument(format!(
            "{}: nothing to draw: no row{whose} has a ratio and {}",
            args.inputs[0].display(),
            args.metric.name()
        )));
    }
    let title = args.title.clone().unwrap_or_else(|| match events.as_slice() {
        [one] => name(one),
        _ => String::new(),
    });
    let picture = Picture { title, metric: args.metric, published };
    write_bytes(&args.output, &picture.render(&rows, format).map_err(drawn_error)?, args.force)?;
    Ok(Exit::of_inputs(2, &failures))
}

/// The default sweep.
fn default_choices(n_threads: usize) -> Result<Vec<Choice>> {
    let is_here = |spec: &&str| rivals().contains(&spec.split(':').next().unwrap_or_default());
    let mut choices = vec![];
    for spec in OURS.into_iter().chain(RIVALS.into_iter().filter(is_here)) {
        for spec in expand(spec)? {
            choices.push(Choice::of_codec(&spec, n_threads)?);
        }
    }
    Ok(choices)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sweep_is_one_of_this_build() {
        let choices = default_choices(1).unwrap();
        assert!(choices.iter().filter(|c| c.codec().starts_with("inr:")).count() >= 10);
        // An autoencoder needs a file of weights.
        for name in rivals().iter().filter(|name| **name != "zstd" && !name.starts_with("bcae")) {
            assert!(choices.iter().any(|c| c.codec().starts_with(name)), "{name}");
        }
    }
}
