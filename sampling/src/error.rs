//! What can be wrong with a request for a table.

use std::fmt;

/// Why a sampler could not plan its table.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum SamplingError {
    /// There is no site to draw from.
    NoSites,
    /// More sites than the 2^32 - 1 that a table can number.
    TooManySites {
        /// The number of sites asked for.
        n_sites: usize,
    },
    /// The arrays of [`Sites`](crate::Sites) differ in length.
    LengthMismatch {
        /// Length of `magnitude`.
        n_magnitude: usize,
        /// Length of `occupied`.
        n_occupied: usize,
    },
    /// Not one error a site.
    ErrorCount {
        /// The number of errors given.
        n_errors: usize,
        /// The number of sites.
        n_sites: usize,
    },
    /// A weight that is negative, infinite or not a number.
    BadWeight {
        /// The site that has it.
        site: usize,
        /// The weight.
        weight: f64,
    },
    /// Every weight is zero.
    NoWeight,
    /// A parameter of a sampler outside its range.
    BadParameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value given.
        value: f64,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A text that names no sampler.
    UnknownSampler {
        /// The text.
        text: String,
    },
}

impl fmt::Display for SamplingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SamplingError::NoSites => f.write_str("there are no sites to draw from"),
            SamplingError::TooManySites { n_sites } => {
                write!(f, "{n_sites} sites are more than the {} that a table can number", u32::MAX)
            }
            SamplingError::LengthMismatch { n_magnitude, n_occupied } => {
                write!(
                    f,
                    "{n_magnitude} magnitudes for {n_occupied} occupancies: the lengths must be the same"
                )
            }
            SamplingError::ErrorCount { n_errors, n_sites } => {
                write!(f, "{n_errors} errors for {n_sites} sites: there must be one a site")
            }
            SamplingError::BadWeight { site, weight } => {
                write!(f, "the weight of site {site} is {weight}: it must be finite and not negative")
            }
            SamplingError::NoWeight => {
                f.write_str("every site has weight zero: give the empty ones a positive weight")
            }
            SamplingError::BadParameter { name, value, allowed } => {
                write!(f, "{name} = {value}: it must be {allowed}")
            }
            SamplingError::UnknownSampler { text } => {
                write!(f, "no sampler is called \"{text}\": use {}", crate::SamplerKind::USAGE)
            }
        }
    }
}

impl std::error::Error for SamplingError {}
