//! All occupied sites and a share of the empty ones.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws without replacement: an epoch has every occupied site once and the share `share` of the empty ones, others in
/// every epoch, mixed. Where a batch is as long as an epoch, a step sees what the "sparse" sampler in the code of
/// arXiv 2412.01754 gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sparse {
    share: f64,
}

impl Sparse {
    /// The share of empty sites in the code of the paper.
    pub const DEFAULT_SHARE: f64 = 0.1;

    /// A sampler whose epochs have the fraction `share` of the empty sites, rounded up to whole sites.
    ///
    /// With 0 they are never drawn, and an event without any other site cannot be planned.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where `share` is not in 0..=1.
    pub fn new(share: f64) -> Result<Self, SamplingError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Sparse { share })
        } else {
            Err(SamplingError::BadParameter { name: "share", value: share, allowed: "in 0..=1" })
        }
    }
}

impl Default for Sparse {
    fn default() -> Self {
        Sparse { share: Self::DEFAULT_SHARE }
    }
}

impl Sampler for Sparse {
    fn name(&self) -> &'static str {
        "sparse"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        let n_empty = sites.n_sites()? - sites.occupied.iter().filter(|&&o| o).count();
        let n_taken = (self.share * n_empty as f64).ceil() as usize;
        DrawTable::once_with_share(sites.occupied, n_taken)
    }
}
