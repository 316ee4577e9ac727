//! Values of every size alike.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws from bins of the magnitude |t|, with replacement: all bins that have sites with the same probability, within a
/// bin all sites alike. The drawn values then have the largest entropy that the bins allow.
///
/// The bins are equally wide, from 0 to the largest magnitude; the empty sites are part of the lowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entropy {
    n_bins: u32,
}

impl Entropy {
    /// The number of bins in the code of arXiv 2412.01754.
    pub const DEFAULT_BINS: u32 = 10;
    /// More are of no use: there are no more magnitudes of 16-bit samples.
    pub const MOST_BINS: u32 = 1 << 16;

    /// A sampler with `n_bins` bins.
    ///
    /// # Errors
    /// [`SamplingError::BadParameter`] where `n_bins` is not in 1..=65536.
    pub fn new(n_bins: u32) -> Result<Self, SamplingError> {
        if (1..=Self::MOST_BINS).contains(&n_bins) {
            Ok(Entropy { n_bins })
        } else {
            Err(SamplingError::BadParameter { name: "bins", value: n_bins.into(), allowed: "in 1..=65536" })
        }
    }
}

impl Default for Entropy {
    fn default() -> Self {
        Entropy { n_bins: Self::DEFAULT_BINS }
    }
}

impl Sampler for Entropy {
    fn name(&self) -> &'static str {
        "entropy"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        let n_sites = sites.n_sites()?;
        let mut most = 0.0f64;
        for (site, &magnitude) in sites.magnitude.iter().enumerate() {
            let weight = f64::from(magnitude);
            if !(weight >= 0.0 && weight.is_finite()) {
                return Err(SamplingError::BadWeight { site, weight });
            }
            most = most.max(weight);
        }
        if most == 0.0 {
            return DrawTable::uniform(n_sites);
        }
        let last = self.n_bins as usize - 1;
        let bin = |site: usize| {
            let share = f64::from(sites.magnitude[site]) / most;
            ((share * f64::from(self.n_bins)) as usize).min(last)
        };
        let mut counts = vec![0u32; self.n_bins as usize];
        (0..n_sites).for_each(|site| counts[bin(site)] += 1);
        DrawTable::from_fn(n_sites, |site| 1.0 / f64::from(counts[bin(site)]))
    }
}
