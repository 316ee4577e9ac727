//! Task 1: fit on a coarser grid, ask for the full one.

use super::interpolate::{nearest, strided, trilinear};
use super::runs::{NETWORKS, Run, Runs, STEPS, network};
use super::strips::StripsOf;
use super::{Common, refused, spec};
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::event::{Event, Samples, unravel};
use inrfit::query::Asked;
use inrfit_figures::{Format, Record};
use std::path::PathBuf;

/// Resolution: fit on every n-th voxel, evaluate on all
///
/// Fits on the subgrids of 1, 4, 8 and 16 times fewer voxels (strides 2,2,1, 2,2,2 and 4,4,1 along azimuth, z, layer) and
/// asks each field, and nearest and trilinear interpolation of the same subgrid in ADC, for every voxel of the event. In
/// the authors' coordinates the subgrid is stretched so that its last voxel lies on the event's last one, which it does
/// not where the stride does not divide the extent; index-true ones leave every voxel in its place, and beyond the last
/// one fields extrapolate and interpolations repeat the edge. Interpolations of factor 1 are the event itself and
/// left out. Their bytes are the subgrid's samples as they are; their values are rounded.
#[derive(Debug, Args)]
pub struct Task1 {
    #[command(flatten)]
    pub(super) common: Common,
    /// Steps of a fit
    #[arg(long, value_name = "N", default_value_t = STEPS)]
    steps: u64,
    /// Times fewer voxels: of 1, 4, 8, 16
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "1,4,8,16")]
    factors: Vec<u64>,
    /// Networks: of siren, ffnet, mfn, wire, wire-real
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = NETWORKS[0])]
    models: Vec<String>,
    /// Draw one layer of the first event into this .svg or .png file: for every factor the truth, both interpolations and
    /// the fields, in index-true coordinates, with the errors over the whole event. The layer is the fullest of those
    /// with an odd index, which factor 8 leaves out
    #[arg(long, value_name = "PICTURE", conflicts_with = "from")]
    pub(super) strips: Option<PathBuf>,
}

/// Where the voxels of a subgrid lie.
#[derive(Debug, Clone, Copy)]
enum Coordinates {
    /// The first and the last voxel of every axis on those of the event.
    Stretched,
    /// Every voxel where it was.
    IndexTrue,
}

impl Coordinates {
    const ALL: [(Coordinates, &'static str); 2] =
        [(Coordinates::Stretched, "stretched"), (Coordinates::IndexTrue, "index-true")];

    /// Where voxel `i` of an axis of `n` lies among the `m` voxels that every `stride`-th of them makes.
    fn place(self, i: usize, n: usize, m: usize, stride: usize) -> f64 {
        match self {
            Coordinates::Stretched => (i * (m - 1)) as f64 / (n - 1).max(1) as f64,
            Coordinates::IndexTrue => i as f64 / stride as f64,
        }
    }

    /// Where the voxels of an event of `shape` lie in the subgrid of shape `sub`.
    fn places(self, shape: [usize; 3], sub: [usize; 3], strides: [usize; 3]) -> Vec<[f64; 3]> {
        let axes = [0, 1, 2].map(|a| -> Vec<f64> {
            (0..shape[a]).map(|i| self.place(i, shape[a], sub[a], strides[a])).collect()
        });
        let n = shape.iter().product();
        (0..n)
            .map(|i| {
                let at = unravel(i, shape);
                [0, 1, 2].map(|a| axes[a][at[a]])
            })
            .collect()
    }
}

/// Strides along azimuth, z and layer.
fn strides(factor: u64) -> Result<[usize; 3]> {
    match factor {
        1 => Ok([1, 1, 1]),
        4 => Ok([2, 2, 1]),
        8 => Ok([2, 2, 2]),
        16 => Ok([4, 4, 1]),
        _ => Err(Error::argument(format!("factor {factor} is none of the task's: 1, 4, 8, 16"))),
    }
}

/// Settings that the task says itself.
pub const FIXED: [&str; 3] = ["steps", "seed", "device"];

impl Task1 {
    /// Runs the task.
    ///
    /// # Errors
    /// As [`super::run`].
    pub fn rows(&self, runs: &mut Runs<'_>) -> Result<()> {
        let factors: Vec<(u64, [usize; 3])> =
            self.factors.iter().map(|&f| Ok((f, strides(f)?))).collect::<Result<_>>()?;
        let mut fits: Vec<(&String, Run)> = Vec::new();
        for name in &self.models {
            fits.push((name, runs.run(network(name)?, self.steps)?));
        }
        for i in 0..runs.n_events() {
            let (input, event) = runs.event(i)?;
            let mut strips = match &self.strips {
                Some(path) if i == 0 => Some((path, self.strips_of(&input, &event))),
                _ => None,
            };
            for &(factor, strides) in &factors {
                if let Some((_, strips)) = &mut strips {
                    strips.begin(factor);
                }
                let part = strided(&event, strides)?;
                let places =
                    Coordinates::ALL.map(|(c, name)| (name, c.places(event.shape(), part.shape(), strides)));
                for (model, run) in &fits {
                    let fitted = runs.fit(run, &part, &input)?;
                    for (coordinates, places) in &places {
                        let decoded = ask(runs, run, &fitted.bytes, &input, places, &event)?;
                        let settings =
                            spec::merged(&format!("factor={factor},coords={coordinates}"), &run.spec);
                        let row = Runs::row(&input, format!("{model}, {coordinates}"), settings, &fitted);
                        runs.add(row, &event, &decoded)?;
                        show(&mut strips, coordinates, model, &decoded, runs.rows.last());
                    }
                }
                for (name, value) in INTERPOLATIONS {
                    if factor == 1 {
                        if let Some((_, strips)) = &mut strips {
                            strips.add_exact(name);
                        }
                        continue;
                    }
                    for (coordinates, places) in &places {
                        let values = places.iter().map(|at| value(&part, *at));
                        let decoded = event_of(&event, values, f64::round)?;
                        let settings = format!("factor={factor},coords={coordinates}");
                        let bytes = Some(part.raw_bytes() as u64);
                        let row = Record::new(&input, format!("{name}, {coordinates}"), settings);
                        runs.add(Record { bytes, ..row }, &event, &decoded)?;
                        show(&mut strips, coordinates, name, &decoded, runs.rows.last());
                    }
                }
            }
            if let Some((path, strips)) = strips {
                runs.pictures.push((path.clone(), strips.render(Format::of(path).map_err(refused)?)?));
            }
        }
        Ok(())
    }

    fn strips_of(&self, input: &str, event: &Event) -> StripsOf {
        let interpolations = INTERPOLATIONS.iter().map(|(name, _)| (*name).to_owned());
        let methods = interpolations.chain(self.models.iter().cloned()).collect();
        StripsOf::new(input, event, methods, &format!("{} steps", self.steps))
    }
}

/// Puts what is index-true, and the errors of its row, into the picture if there is one.
fn show(
    strips: &mut Option<(&PathBuf, StripsOf)>,
    coordinates: &str,
    method: &str,
    decoded: &Event,
    row: Option<&Record>,
) {
    if let (Some((_, strips)), Some(row), true) = (strips, row, coordinates == Coordinates::ALL[1].1) {
        strips.add(method, decoded, row);
    }
}

/// Ways to fill the voxels between those of a subgrid.
type Interpolation = fn(&Event, [f64; 3]) -> f64;
const INTERPOLATIONS: [(&str, Interpolation); 2] = [("nearest", nearest), ("trilinear", trilinear)];

/// What the field in `bytes` says at `places`, as an event like `event`; counts are truncated where those of the
/// preset are.
fn ask(
    runs: &Runs<'_>,
    run: &Run,
    bytes: &[u8],
    input: &str,
    places: &[[f64; 3]],
    event: &Event,
) -> Result<Event> {
    let asked = Asked { extrapolate: true, ..Asked::default() };
    let bar = runs.bar(input, &run.spec);
    let answers = run.codec.query(bytes, places, &asked, &bar);
    let answers = answers.map_err(|e| e.context(format!("{input}, {}", run.spec)))?;
    let whole = if run.codec.settings.preset.family().is_some() { f64::trunc } else { f64::round };
    event_of(event, answers.iter().map(|answer| answer.value), whole)
}

/// The event of these values, made whole where the samples are, of the shape and type of `event`.
fn event_of(event: &Event, values: impl Iterator<Item = f64>, whole: fn(f64) -> f64) -> Result<Event> {
    let mut samples = Samples::zeros(event.dtype(), event.n_voxels());
    for (i, value) in values.enumerate() {
        samples.set(i, if event.dtype().is_integer() { whole(value) } else { value });
    }
    Event::new(event.shape(), samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_are_those_of_the_task() {
        // A wedge's azimuth at factor 16: 48 of 192 voxels, the last of them at 188.
        let at = |c: Coordinates, i| c.place(i, 192, 48, 4);
        assert_eq!(at(Coordinates::Stretched, 191), 47.0);
        assert_eq!(at(Coordinates::IndexTrue, 191), 47.75);
        // Stretched, the last voxel of the subgrid is taken for one that lies three bins further.
        assert_eq!(at(Coordinates::IndexTrue, 188), 47.0);
        // Along z strides divide the extent: both agree.
        for i in 0..249 {
            let [stretched, truly] = Coordinates::ALL.map(|(c, _)| c.place(i, 249, 63, 4));
            assert!((stretched - truly).abs() < 1e-12);
        }
        assert_eq!(Coordinates::Stretched.place(0, 1, 1, 4), 0.0);
        assert!(strides(2).is_err());
    }
}
