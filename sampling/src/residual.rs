//! Sites where the error is large, as it changes.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws a site with a probability proportional to its current error, mixed with uniform draws, with replacement; the
/// plan is made anew from time to time ([`Sampler::refresh`]):
///
/// ```text
/// p(s) = floor / n + (1 - floor) e(s) / sum of all e
/// ```
///
/// The uniform part keeps sites alive that were right when the errors were measured. The first plan, before anything
/// is learnt, takes magnitudes for errors: those of decoding nothing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Residual {
    floor: f64,
}

impl Residual {
    /// Nine in ten draws uniform: with fewer, uncorrected draws pull a fit from one part of the errors to the next
    /// (docs/benchmarks.md).
    pub const DEFAULT_FLOOR: f64 = 0.9;

    /// A sampler with the fraction `floor` of uniform draws; with 0 a site without error is not drawn until the next
    /// plan.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where `floor` is not in 0..=1.
    pub fn new(floor: f64) -> Result<Self, SamplingError> {
        if (0.0..=1.0).contains(&floor) {
            Ok(Residual { floor })
        } else {
            Err(SamplingError::BadParameter { name: "floor", value: floor, allowed: "in 0..=1" })
        }
    }

    fn table(&self, errors: &[f32]) -> Result<DrawTable, SamplingError> {
        let n_sites = errors.len();
        // The uniform part would hide a negative one.
        if let Some(site) = errors.iter().position(|e| !(e.is_finite() && *e >= 0.0)) {
            return Err(SamplingError::BadWeight { site, weight: errors[site].into() });
        }
        // One after the other: the sum is the same on every machine.
        let sum: f64 = errors.iter().map(|&e| f64::from(e)).sum();
        if sum == 0.0 {
            return DrawTable::uniform(n_sites);
        }
        let uniform = self.floor * (sum / n_sites as f64);
        DrawTable::from_fn(n_sites, |site| uniform + (1.0 - self.floor) * f64::from(errors[site]))
    }
}

impl Default for Residual {
    fn default() -> Self {
        Residual { floor: Self::DEFAULT_FLOOR }
    }
}

impl Sampler for Residual {
    fn name(&self) -> &'static str {
        "residual"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        sites.n_sites()?;
        self.table(sites.magnitude)
    }

    fn refresh(&self, sites: &Sites<'_>, errors: &[f32]) -> Result<Option<DrawTable>, SamplingError> {
        let n_sites = sites.n_sites()?;
        if errors.len() != n_sites {
            return Err(SamplingError::ErrorCount { n_errors: errors.len(), n_sites });
        }
        self.table(errors).map(Some)
    }
}
