//! A fixed share of the draws for the occupied sites.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws an occupied site with probability `share` and an empty one otherwise; within each class all sites
/// are alike. Where one class has no sites the draw is uniform over the other.
///
/// About one voxel in ten of a detector event is occupied: uniform draws would spend nine tenths of the work
/// on zeros, while the error of the occupied ones is what is left to learn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Balanced {
    share: f64,
}

impl Balanced {
    /// Half of the draws from the occupied sites.
    pub const DEFAULT_SHARE: f64 = 0.5;

    /// A sampler that takes the fraction `share` of its draws from the occupied sites.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where `share` is not in 0..=1.
    pub fn new(share: f64) -> Result<Self, SamplingError> {
        if (0.0..=1.0).contains(&share) {
            Ok(Balanced { share })
        } else {
            Err(SamplingError::BadParameter { name: "share", value: share, allowed: "in 0..=1" })
        }
    }
}

impl Default for Balanced {
    fn default() -> Self {
        Balanced { share: Self::DEFAULT_SHARE }
    }
}

impl Sampler for Balanced {
    fn name(&self) -> &'static str {
        "balanced"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        let n_sites = sites.n_sites()?;
        let n_occupied = sites.occupied.iter().filter(|&&o| o).count();
        let n_empty = n_sites - n_occupied;
        if n_occupied == 0 || n_empty == 0 {
            return DrawTable::uniform(n_sites);
        }
        // share / n_occupied to (1 - share) / n_empty, multiplied out: exact for the usual shares.
        let occupied = self.share * n_empty as f64;
        let empty = (1.0 - self.share) * n_occupied as f64;
        DrawTable::from_fn(n_sites, |site| if sites.occupied[site] { occupied } else { empty })
    }
}
