//! Families of networks: their constants, and how wide their input layers are.

use super::{ModelKind, Preset};
use crate::error::{Error, Result};
use crate::net::Model;
use std::fmt;
use std::str::FromStr;

/// The constants of a family, where they are not left to the program. Written `A`, `A:B` or `A:B:C`.
///
/// `A` and `B` are: siren: omega of the first layer and of the others; ffnet: deviation of the frequencies (cycles per
/// unit of a coordinate) alone; mfn: omega alone; wire and wire-real: omega and scale. `C` is what the matrices that
/// read the coordinates are multiplied by at the start.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Constants {
    /// The first.
    pub first: f32,
    /// The second, where it is said.
    pub second: Option<f32>,
    /// The factor at the start, where it is said.
    pub input_scale: Option<f32>,
}

impl fmt::Display for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.first)?;
        self.second.iter().chain(&self.input_scale).try_for_each(|x| write!(f, ":{x}"))
    }
}

impl FromStr for Constants {
    type Err = Error;
    fn from_str(s: &str) -> Result<Self> {
        let numbers: Option<Vec<f32>> =
            s.split(':').map(|n| n.parse().ok().filter(|x: &f32| x.is_finite() && *x > 0.0)).collect();
        match numbers.as_deref() {
            Some(&[first, ref rest @ ..]) if rest.len() < 3 => {
                Ok(Constants { first, second: rest.first().copied(), input_scale: rest.get(1).copied() })
            }
            _ => {
                Err(Error::argument(format!("constants are one to three positive numbers A:B:C, not '{s}'")))
            }
        }
    }
}

/// A family with its constants.
#[derive(Debug, Clone, Copy)]
pub struct Family {
    /// Which.
    pub kind: ModelKind,
    first: f32,
    second: f32,
    /// What the matrices that read the coordinates are multiplied by at the start.
    pub input_scale: f32,
    /// Of the first step, where it is not said.
    pub learning_rate: f32,
    /// Whether the networks stand beside an exact support.
    exact: bool,
    seed: u64,
}

impl Family {
    /// The family that is asked for, its constants by preset and place where they are not given.
    ///
    /// # Errors
    /// `Argument` where a preset is for another family.
    pub fn new(
        preset: Preset,
        kind: Option<ModelKind>,
        constants: Option<Constants>,
        exact: bool,
        n_layers: usize,
        seed: u64,
    ) -> Result<Family> {
        let kind = match (preset.family(), kind) {
            (Some(published), Some(asked)) if published != asked => {
                return Err(Error::argument(format!(
                    "preset {preset} is a {published} network; leave --model away, or --preset"
                )));
            }
            (published, asked) => published.or(asked).unwrap_or(ModelKind::Siren),
        };
        let (first, second, input_scale, learning_rate) = match (kind, preset.family().is_some(), exact) {
            // As published. The authors multiply the filters' starting weights by 300 / sqrt(layers + 1).
            (ModelKind::Siren, true, _) => (105.0, 25.0, 1.0, 1e-3),
            (ModelKind::Mfn, true, _) => (1.0, 1.0, 300.0 / ((n_layers + 1) as f32).sqrt(), 1e-3),
            (ModelKind::WireReal, true, _) => (50.0, 10.0, 1.0, 1e-3),
            // By trial (docs/benchmarks.md). Wavelets want hidden sums of about a radian and high frequencies on the
            // coordinates: a small omega, and large starting weights there.
            (ModelKind::Siren, _, false) => (90.0, 12.0, 1.0, 1e-3),
            (ModelKind::Siren, _, true) => (25.0, 6.0, 1.0, 3e-3),
            (ModelKind::Ffnet, _, false) => (2.0, 1.0, 1.0, 1e-2),
            (ModelKind::Ffnet, _, true) => (2.0, 1.0, 1.0, 1e-2),
            (ModelKind::Mfn, _, false) => (60.0, 1.0, 1.0, 6e-3),
            (ModelKind::Mfn, _, true) => (16.0, 1.0, 1.0, 1e-2),
            (ModelKind::Wire, _, false) => (4.0, 2.0, 8.0, 3e-3),
            (ModelKind::Wire, _, true) => (3.0, 1.0, 5.0, 6e-3),
            (ModelKind::WireReal, _, false) => (3.0, 0.1, 24.0, 8e-3),
            (ModelKind::WireReal, _, true) => (3.0, 1.0, 8.0, 6e-3),
        };
        Ok(Family {
            kind,
            first: constants.map_or(first, |c| c.first),
            second: constants.and_then(|c| c.second).unwrap_or(second),
            input_scale: constants.and_then(|c| c.input_scale).unwrap_or(input_scale),
            learning_rate,
            exact,
            seed,
        })
    }

    /// The network with `hidden` units in its hidden layers.
    ///
    /// Beside an exact support coordinates take few weights a unit and features many: at equal bytes, many units of the
    /// one and few of the other err least.
    pub fn model(&self, hidden: usize) -> Model {
        let (omega, scale) = (self.first, self.second);
        let [coord_units, feature_units] = match self.exact {
            true => [(hidden * 8).div_ceil(3), (hidden * 2).div_ceil(3)],
            false => [hidden; 2],
        };
        // Two outputs each.
        let pairs = coord_units.div_ceil(2);
        match self.kind {
            ModelKind::Siren if self.exact => Model::Conditioned {
                omega_first: whole(omega),
                omega_hidden: whole(scale),
                coord_units,
                feature_units,
            },
            ModelKind::Siren => Model::Siren { omega_first: omega, omega_hidden: scale },
            ModelKind::Ffnet => {
                // The lower half of the seed is enough.
                Model::Fourier { scale: omega, seed: self.seed as u32, n_frequencies: pairs, feature_units }
            }
            ModelKind::Mfn => Model::Filters { omega, coord_units, feature_units },
            ModelKind::Wire => {
                let coord_units = if self.exact { pairs } else { hidden };
                Model::Gabor { omega, scale, coord_units, feature_units }
            }
            ModelKind::WireReal => Model::RealGabor { omega, scale, coord_units, feature_units },
        }
    }
}

/// The nearest positive whole number.
fn whole(x: f32) -> u32 {
    (x.round_ties_even() as u32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::NetSpec;

    #[test]
    fn published_networks_have_the_papers_weights() {
        // arXiv 2412.01754, the widths and depths of its task 2: multiplicative filters, and real wavelets as SIREN.
        let table = [
            (128, [(33_665, 51_713), (50_177, 68_737), (66_689, 85_761)]),
            (96, [(19_105, 29_569), (28_417, 39_265), (37_729, 48_961)]),
            (72, [(10_873, 16_993), (16_129, 22_537), (21_385, 28_081)]),
        ];
        for (hidden, counts) in table {
            for (n_layers, (n_wavelets, n_filters)) in (3..).zip(counts) {
                for (preset, n) in [(Preset::PaperWire, n_wavelets), (Preset::PaperFfnet, n_filters)] {
                    let family = Family::new(preset, None, None, false, n_layers, 0).unwrap();
                    let model = family.model(hidden);
                    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden, n_layers, n_heads: 1 };
                    assert_eq!(spec.n_weights(), n, "{preset}");
                }
            }
        }
        let refused = Family::new(Preset::PaperWire, Some(ModelKind::Siren), None, false, 3, 0);
        assert!(refused.unwrap_err().to_string().contains("wire-real"));
    }

    #[test]
    fn constants_are_read_as_they_are_written() {
        for text in ["90", "90:12", "0.5:3:150"] {
            assert_eq!(text.parse::<Constants>().unwrap().to_string(), text);
        }
        for text in ["", "0", "-1", "1:2:3:4", "nan", "1:x", "inf"] {
            assert!(text.parse::<Constants>().is_err(), "{text}");
        }
    }
}
