//! Samplers by name.

use std::fmt;
use std::str::FromStr;

use crate::{Balanced, Importance, Sampler, SamplingError, Uniform};

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
}

impl SamplerKind {
    /// The texts that [`FromStr`] takes, for help and error messages.
    pub const USAGE: &'static str = "uniform, importance[:epsilon] or balanced[:share]";

    /// The sampler itself.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where the parameter is out of range.
    pub fn build(self) -> Result<Box<dyn Sampler>, SamplingError> {
        Ok(match self {
            SamplerKind::Uniform => Box::new(Uniform),
            SamplerKind::Importance { epsilon } => Box::new(Importance::new(epsilon)?),
            SamplerKind::Balanced { share } => Box::new(Balanced::new(share)?),
        })
    }
}

impl fmt::Display for SamplerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, parameter, default) = match *self {
            SamplerKind::Uniform => return f.write_str("uniform"),
            SamplerKind::Importance { epsilon } => ("importance", epsilon, Importance::DEFAULT_EPSILON),
            SamplerKind::Balanced { share } => ("balanced", share, Balanced::DEFAULT_SHARE),
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
        for text in ["uniform", "importance", "importance:0.25", "importance:0", "balanced", "balanced:0.7"] {
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
        for text in ["", "Uniform", "uniform:1", "uniform:", "importance:", "importance:x", "balanced:1:2"] {
            let error = text.parse::<SamplerKind>().unwrap_err();
            assert_eq!(error, SamplingError::UnknownSampler { text: text.to_owned() });
            assert!(error.to_string().contains("balanced[:share]"));
        }
        for text in ["importance:-1", "importance:NaN", "importance:inf", "balanced:1.5", "balanced:NaN"] {
            let error = text.parse::<SamplerKind>().unwrap_err();
            assert!(matches!(error, SamplingError::BadParameter { .. }), "{text}: {error:?}");
        }
        assert!(SamplerKind::Balanced { share: -0.1 }.build().is_err());
    }
}
