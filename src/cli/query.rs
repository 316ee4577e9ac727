//! `inrfit query`

use super::Exit;
use super::args::{Talk, Threads};
use super::decompress::{Decoding, Memory};
use super::device::Evaluating;
use super::files::{Content, Output, content, is_an_array, is_stdin};
use super::output::Out;
use super::prior::PriorArgs;
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::io::npy;
use inrfit::query::{Answer, Asked};
use serde::Serialize;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Instant;

/// Ask a compressed event for values at points
///
/// A point is told in voxel indices: 0 is the centre of the first voxel of an axis of n, n - 1 that of the last, and the
/// event ends half a voxel beyond. At a voxel the answer is the decoded sample. Between voxels it is the value of the
/// network there, not rounded: ADC per *native* voxel at that point, not charge of anything smaller. It is held within
/// the range of the samples, and 0 where empty: mode field tells that at every point, in other modes a point is occupied
/// where the voxel is whose cell it lies in. No bound holds between voxels. Files of modes bounded and lossless can be
/// asked where they were made with --keep-field. Only tiles that hold a point are decoded.
///
/// Prints a line a point: its coordinates, the value, and with --gradient three derivatives.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit query event.inrfit 95.5,120.25,7\n  inrfit query event.inrfit 95.5,120,7 96,120,7 --gradient --json\n  \
    inrfit query event.inrfit --points p.npy -o values.npy        p: shape (n, 3); values: float64, shape (n,)\n  \
    inrfit query event.inrfit --points p.npy --gradient -o v.npy  v: shape (n, 4), the value first\n  \
    inrfit query event.inrfit --normalised -- -1,-1,0.5\n\n\
    For a whole grid see inrfit decompress --scale."
)]
pub struct Query {
    /// Compressed event or pack; - for standard input
    #[arg(value_name = "FILE")]
    input: PathBuf,
    /// Points: three numbers each; after -- where one begins with a minus sign
    #[arg(value_name = "X,Y,Z", required_unless_present = "file")]
    points: Vec<Point>,
    /// Points from a .npy array of n rows and 3 columns, any type of number; - for standard input
    #[arg(long = "points", id = "file", value_name = "P.npy", conflicts_with = "points")]
    file: Option<PathBuf>,
    /// Write the answers as a float64 .npy array instead of lines; - for standard output
    #[arg(short, long, value_name = "OUT.npy")]
    output: Option<PathBuf>,
    /// Derivatives of the value with respect to the three coordinates: those of the network, exact but for f32
    /// rounding, of the value before rounding; 0 where the point is empty or the value held within the range of the
    /// samples. Occupancy is a step, which has no part in them. In other modes than field they jump at the planes of
    /// voxels: there they are those towards higher indices, at the last voxel towards lower ones
    #[arg(long)]
    gradient: bool,
    /// The network alone: at voxels too, not rounded and not held within the range of the samples; where occupancy is
    /// stored beside it, as if every point were occupied
    #[arg(long)]
    field: bool,
    /// Answer points outside the event: the network is asked where it was never trained. Without it they are an error,
    /// and the half voxel around the event has the value at its edge
    #[arg(long)]
    extrapolate: bool,
    /// Points in -1 (centre of the first voxel) to 1 (of the last) instead of indices; derivatives are with respect to
    /// these
    #[arg(long)]
    normalised: bool,
    /// Ask this event of a pack, counted from 0
    #[arg(long, value_name = "N")]
    event: Option<usize>,
    /// Replace an existing output
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    prior: PriorArgs,
    #[command(flatten)]
    memory: Memory,
    #[command(flatten)]
    device: Evaluating,
    #[command(flatten)]
    talk: Talk,
    #[command(flatten)]
    threads: Threads,
}

/// A point on the command line.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Point([f64; 3]);

impl FromStr for Point {
    type Err = Error;

    fn from_str(text: &str) -> Result<Point> {
        let numbers: Option<Vec<f64>> = text.split(',').map(|n| n.trim().parse().ok()).collect();
        numbers
            .and_then(|n| n.try_into().ok())
            .map(Point)
            .ok_or_else(|| Error::argument("not three numbers such as 95.5,120.25,7"))
    }
}

/// Points of one query at the most.
const MAX_POINTS: usize = 1 << 26;

/// An answer as a line of JSON.
#[derive(Serialize)]
struct Row {
    point: [f64; 3],
    value: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    gradient: Option<[f32; 3]>,
}

/// Runs the command.
///
/// # Errors
/// Those of the query; nothing is written then.
pub fn run(args: &Query, out: &mut Out) -> Result<Exit> {
    let output = args.output.as_ref().map(|path| match is_stdin(path) {
        true => Output::Stdout,
        false => Output::File(path.clone()),
    });
    if let Some(output) = &output {
        output.check(args.force)?;
        if *output == Output::Stdout {
            out.divert();
        }
    }
    let points = points(args)?;
    let (name, bytes) = compressed(args)?;
    let how = Decoding {
        limits: args.memory.limits(),
        priors: args.prior.load()?,
        n_threads: args.threads.resolve(),
        device: args.device.request(),
        shows_progress: !args.talk.quiet,
    };
    let asked = Asked {
        field_only: args.field,
        extrapolate: args.extrapolate,
        gradient: args.gradient,
        normalised: args.normalised,
    };
    let start = Instant::now();
    let answers = how.query(&name, &bytes, &points, &asked)?;
    let seconds = start.elapsed().as_secs_f64();
    if let Some(output) = &output {
        let n_columns = if args.gradient { 4 } else { 1 };
        let mut values = Vec::with_capacity(answers.len() * n_columns);
        for answer in &answers {
            values.push(answer.value);
            values.extend(answer.gradient.into_iter().flatten().map(f64::from));
        }
        let shape = [answers.len(), n_columns];
        let shape = if args.gradient { &shape[..] } else { &shape[..1] };
        output.write(args.force, &mut |w| npy::write_table(w, shape, &values))?;
        if args.talk.is_human() {
            let path = output.path().display();
            out.line(&format!("{name} -> {path}: {} points, {seconds:.1} s", answers.len()))?;
        }
    }
    if output.is_none() || args.talk.json {
        for (&point, &Answer { value, gradient }) in points.iter().zip(&answers) {
            out.line(&match args.talk.json {
                true => super::report::json(&Row { point, value, gradient })?,
                false => line(point, value, gradient),
            })?;
        }
    }
    Ok(Exit::Done)
}

/// Coordinates, value and derivatives with blanks between them, each by the fewest digits that tell it.
fn line(point: [f64; 3], value: f64, gradient: Option<[f32; 3]>) -> String {
    let mut text = point.map(|x| x.to_string()).join(" ");
    // Values between voxels are f32.
    match value as f32 {
        narrow if f64::from(narrow) == value => text.push_str(&format!(" {narrow}")),
        _ => text.push_str(&format!(" {value}")),
    }
    for slope in gradient.into_iter().flatten() {
        text.push_str(&format!(" {slope}"));
    }
    text
}

fn points(args: &Query) -> Result<Vec<[f64; 3]>> {
    let Some(path) = &args.file else { return Ok(args.points.iter().map(|p| p.0).collect()) };
    let named = |e: Error| e.context(path.display());
    let mut reader: Box<dyn Read> = match is_stdin(path) {
        true if is_stdin(&args.input) => {
            return Err(Error::argument("standard input (-) can be read once only"));
        }
        true => Box::new(std::io::stdin()),
        false => Box::new(BufReader::new(File::open(path).map_err(|e| named(Error::io("reading", e)))?)),
    };
    let points = npy::read_points(&mut reader, MAX_POINTS).map_err(named)?;
    // Told with the name of their file, before the event is looked at.
    match points.iter().position(|p| p.iter().any(|x| !x.is_finite())) {
        Some(i) => Err(named(Error::argument(format!("row {i} is {:?}: not finite", points[i])))),
        None => Ok(points),
    }
}

/// The compressed event that is asked, and its name.
fn compressed(args: &Query) -> Result<(String, Vec<u8>)> {
    let input: &Path = &args.input;
    let named = |why: String| Error::argument(format!("{}: {why}", input.display()));
    match (content(input)?, args.event) {
        (Content::Array(_), _) => Err(is_an_array(input)),
        (Content::Event(_), Some(1..)) => Err(named("it is one event; --event is for packs".into())),
        (Content::Event(bytes), _) => Ok((input.display().to_string(), bytes)),
        (Content::Pack(pack), None) => {
            Err(named(format!("a pack of {} events: --event chooses one", pack.n_events())))
        }
        (Content::Pack(pack), Some(n)) if n >= pack.n_events() => {
            Err(named(format!("there is no event {n} among its {}", pack.n_events())))
        }
        (Content::Pack(mut pack), Some(n)) => {
            let name = format!("{}[{n}]", input.display());
            let file = pack.read(n).map_err(|e| e.context(&name))?.file;
            Ok((name, file))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_read() {
        assert_eq!("1,-0.25, 3e1".parse::<Point>().unwrap(), Point([1.0, -0.25, 30.0]));
        for wrong in ["", "1,2", "1,2,3,4", "a,b,c", "1 2 3"] {
            assert!(wrong.parse::<Point>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn lines_have_the_fewest_digits() {
        let v = f64::from(81.3f32);
        assert_eq!(line([1.0, 2.5, -0.25], v, None), "1 2.5 -0.25 81.3");
        assert_eq!(
            line([0.0; 3], 2147483647.0, Some([0.5, 0.0, -1e-9])),
            "0 0 0 2147483647 0.5 0 -0.000000001"
        );
    }
}
