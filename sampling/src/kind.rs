//! Samplers by name.

use std::fmt;
use std::str::FromStr;

use crate::{Balanced, Entropy, Importance, Residual, Sampler, SamplingError, Sparse, Uniform, UniformOnce};

/// A sampler and its parameters, as a setting: text such as `importance` or `balanced:0.7` and back.
///
/// The part after the colon is the parameter; without it the parameter has its default, and is not printed.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum SamplerKind {
    /// [`Uniform`].
    Uniform,
    /// [`Importance`].
    Importance {
        /// Weight of a site of magnitude zero: finite, not negative.
        epsilon: f64,
    },
    /// [`Balanced`].
    Balanced {
        /// Fraction of the draws from occupied sites, in 0..=1.
        share: f64,
    },
    /// [`UniformOnce`].
    UniformOnce,
    /// [`Sparse`].
    Sparse {
        /// Fraction of the empty sites that an epoch has, in 0..=1.
        share: f64,
    },
    /// [`Entropy`].
    Entropy {
        /// Number of bins, in 1..=65536.
        n_bins: u32,
    },
    /// [`Residual`].
    Residual {
        /// Fraction of the draws that are uniform, in 0..=1.
        floor: f64,
    },
}

impl SamplerKind {
    /// The texts that [`FromStr`] takes, for help and error messages.
    pub const USAGE: &'static str = "uniform, uniform-once, importance[:epsilon], balanced[:share], \
                                     sparse[:share], entropy[:bins] or residual[:floor]";

    /// Whether [`Sampler::refresh`] has anything to say: only then errors need to be measured for it.
    pub fn is_refreshed(self) -> bool {
        matches!(self, SamplerKind::Residual { .. })
    }

    /// The sampler itself.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where the parameter is out of range.
    pub fn build(self) -> Result<Box<dyn Sampler>, SamplingError> {
        Ok(match self {
            SamplerKind::Uniform => Box::new(Uniform),
            SamplerKind::Importance { epsilon } => Box::new(Importance::new(epsilon)?),
            SamplerKind::Balanced { share } => Box::new(Balanced::new(share)?),
            SamplerKind::UniformOnce => Box::new(UniformOnce),
            SamplerKind::Sparse { share } => Box::new(Sparse::new(share)?),
            SamplerKind::Entropy { n_bins } => Box::new(Entropy::new(n_bins)?),
            SamplerKind::Residual { floor } => Box::new(Residual::new(floor)?),
        })
    }
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, parameter, default) = match *self {
            SamplerKind::Uniform => return f.write_str("uniform"),
            SamplerKind::Importance { epsilon } => ("importance", epsilon, Importance::DEFAULT_EPSILON),
            SamplerKind::Balanced { share } => ("balanced", share, Balanced::DEFAULT_SHARE),
            SamplerKind::UniformOnce => return f.write_str("uniform-once"),
            SamplerKind::Sparse { share } => ("sparse", share, Sparse::DEFAULT_SHARE),
            SamplerKind::Entropy { n_bins } => ("entropy", n_bins.into(), Entropy::DEFAULT_BINS.into()),
            SamplerKind::Residual { floor } => ("residual", floor, Residual::DEFAULT_FLOOR),
        };
        if parameter == default { f.write_str(name) } else { write!(f, "{name}:{parameter}") }
    }
}

impl FromStr for SamplerKind {
    type Err = SamplingError;

    fn from_str(text: &str) -> Result<Self, SamplingError> {
        let unknown = || SamplingError::UnknownSampler { text: text.to_owned() };
        let (name, parameter) = match text.split_once(':') {
            Some((name, value)) => (name, Some(value.parse::<f64>().map_err(|_| unknown())?)),
            None => (text, None),
        };
        let kind = match (name, parameter) {
            ("uniform", None) => SamplerKind::Uniform,
            ("importance", p) => {
                SamplerKind::Importance { epsilon: p.unwrap_or(Importance::DEFAULT_EPSILON) }
            }
            ("balanced", p) => SamplerKind::Balanced { share: p.unwrap_or(Balanced::DEFAULT_SHARE) },
            ("uniform-once", None) => SamplerKind::UniformOnce,
            ("sparse", p) => SamplerKind::Sparse { share: p.unwrap_or(Sparse::DEFAULT_SHARE) },
            ("entropy", None) => SamplerKind::Entropy { n_bins: Entropy::DEFAULT_BINS },
            ("entropy", Some(p)) if p.fract() == 0.0 => SamplerKind::Entropy { n_bins: p as u32 },
            ("residual", p) => SamplerKind::Residual { floor: p.unwrap_or(Residual::DEFAULT_FLOOR) },
            _ => return Err(unknown()),
        };
        kind.build()?;
        Ok(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for text in [
            "uniform",
            "uniform-once",
            "importance",
            "importance:0.25",
            "importance:0",
            "balanced",
            "balanced:0.7",
            "sparse",
            "sparse:0",
            "entropy",
            "entropy:16",
            "residual",
            "residual:0.25",
        ] {
            let kind: SamplerKind = text.parse().unwrap();
            assert_eq!(kind.to_string(), text);
            assert_eq!(kind.build().unwrap().name(), text.split(':').next().unwrap());
        }
        let default: SamplerKind = "balanced:0.5".parse().unwrap();
        assert_eq!(default, "balanced".parse().unwrap());
        assert_eq!(default.to_string(), "balanced");
        assert_eq!("importance".parse(), Ok(SamplerKind::Importance { epsilon: 0.1 }));
    }

    #[test]
    fn wrong_texts_are_named() {
        for text in [
            "",
            "Uniform",
            "uniform:1",
            "uniform:",
            "uniform-once:1",
            "importance:",
            "importance:x",
            "balanced:1:2",
            "entropy:2.5",
            "entropy:NaN",
        ] {
            let error = text.parse::<SamplerKind>().unwrap_err();
            assert_eq!(error, SamplingError::UnknownSampler { text: text.to_owned() });
            assert!(error.to_string().contains("balanced[:share]"));
        }
        for text in [
            "importance:-1",
            "importance:NaN",
            "importance:inf",
            "balanced:1.5",
            "balanced:NaN",
            "sparse:-0.1",
            "entropy:0",
            "entropy:-4",
            "entropy:1e9",
            "residual:2",
        ] {
            let error = text.parse::<SamplerKind>().unwrap_err();
            assert!(matches!(error, SamplingError::BadParameter { .. }), "{text}: {error:?}");
        }
        assert!(SamplerKind::Balanced { share: -0.1 }.build().is_err());
    }
}
