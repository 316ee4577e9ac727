//! Sites with large values more often.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws a site with a probability proportional to its magnitude |t| where that is not zero, else to a small
/// constant epsilon, with replacement: the importance sampling of arXiv 2412.01754.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Importance {
    epsilon: f64,
}

impl Importance {
    /// The paper's weight of a site without a value.
    pub const DEFAULT_EPSILON: f64 = 0.1;

    /// A sampler whose sites of magnitude zero have weight `epsilon` (in the unit of the magnitudes).
    ///
    /// With `epsilon` 0 they are never drawn, and an event without any other site cannot be planned.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where `epsilon` is negative or not finite.
    pub fn new(epsilon: f64) -> Result<Self, SamplingError> {
        if epsilon.is_finite() && epsilon >= 0.0 {
            Ok(Importance { epsilon })
        } else {
            Err(SamplingError::BadParameter {
                name: "epsilon",
                value: epsilon,
                allowed: "finite and not negative",
            })
        }
    }
}

impl Default for Importance {
    fn default() -> Self {
        Importance { epsilon: Self::DEFAULT_EPSILON }
    }
}

impl Sampler for Importance {
    fn name(&self) -> &'static str {
        "importance"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        DrawTable::from_fn(sites.n_sites()?, |site| match sites.magnitude[site] {
            0.0 => self.epsilon,
            magnitude => f64::from(magnitude),
        })
    }
}
