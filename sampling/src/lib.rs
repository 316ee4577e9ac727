//! Which voxels a training step draws, and what their errors must be multiplied by so that drawing them
//! unevenly does not change what is learnt.
//!
//! A [`Sampler`] looks once at the [`Sites`] of an event and plans a [`DrawTable`]; every draw of every step
//! is then a pure function of (seed, step, index), made of integers only and the same on every machine and
//! device.
//!
//! # The estimator
//!
//! Let f(s) be the loss at site s of n, and F = (1/n) sum_s f(s) what training is meant to minimise. A step
//! draws B sites s_1 ... s_B independently, with replacement, site s with probability p(s), and estimates
//!
//! ```text
//! F_B = (1/B) sum_i w(s_i) f(s_i)        w(s) = 1 / (n p(s))
//! ```
//!
//! It is unbiased: every term has the expectation
//!
//! ```text
//! E[w(s_i) f(s_i)] = sum over s with p(s) > 0 of  p(s) * 1 / (n p(s)) * f(s) = (1/n) sum_s f(s) = F
//! ```
//!
//! and so has their mean. The last step needs p(s) > 0 wherever f(s) != 0: where a sampler gives some sites
//! the probability zero, the sum runs over the others (their sum over n, not their mean). The same holds for
//! each component of the gradient, with df(s)/d(parameter) for f(s). The variance is
//!
//! ```text
//! Var[F_B] = ( (1/n^2) sum_s f(s)^2 / p(s) - F^2 ) / B
//! ```
//!
//! least where p(s) is proportional to |f(s)|: large values, hard to fit, are worth more draws.
//!
//! Without the factor w the expectation is sum_s p(s) f(s), a different loss, in which the favoured sites
//! count more. Published importance sampling of detector events (arXiv 2412.01754) uses that on purpose; so
//! both are offered, and [`DrawTable::inverse_weight`] is w.
//!
//! ```
//! use inrfit_sampling::{Balanced, Sampler, Sites};
//!
//! let sites = Sites { magnitude: &[0.0, 0.7, 0.0, 0.0], occupied: &[false, true, false, false] };
//! let table = Balanced::default().plan(&sites)?;
//! assert!((table.probability(1) - 0.5).abs() < 1e-9);
//! assert_eq!(table.inverse_weight(1), 0.5);
//!
//! let mut batch = [0; 8];
//! table.draw_into(42, 0, 0, &mut batch);
//! assert_eq!(batch[5], table.draw(42, 0, 5));
//! # Ok::<(), inrfit_sampling::SamplingError>(())
//! ```
//!
//! # Adding a strategy
//!
//! One file with a type that implements [`Sampler`] by handing weights to [`DrawTable::from_weights`], and a
//! variant of [`SamplerKind`] that names it.
//!
//! # Without replacement
//!
//! [`UniformOnce`] and [`Sparse`] go through their sites epoch by epoch, in an order that a [`Permutation`] gives.
//! Draws then depend on each other, but each alone has the probability p(s) over all seeds: the estimator is unbiased
//! as above, and its variance smaller than the one above.

mod alias;
mod balanced;
mod entropy;
mod error;
mod importance;
mod kind;
mod permutation;
mod residual;
pub mod rng;
mod sparse;
mod table;
mod uniform;

pub use balanced::Balanced;
pub use entropy::Entropy;
pub use error::SamplingError;
pub use importance::Importance;
pub use kind::SamplerKind;
pub use permutation::Permutation;
pub use residual::Residual;
pub use sparse::Sparse;
pub use table::DrawTable;
pub use uniform::{Uniform, UniformOnce};

/// What a sampler may know of an event: one entry a site (voxel), in any order that the caller keeps to.
#[derive(Debug, Clone, Copy)]
pub struct Sites<'a> {
    /// |t|, the magnitude of the transformed value; 0 where the site is empty. Finite, not negative.
    pub magnitude: &'a [f32],
    /// Whether the site holds a sample.
    pub occupied: &'a [bool],
}

impl Sites<'_> {
    /// The number of sites.
    ///
    /// # Errors
    /// [`SamplingError::LengthMismatch`] where the arrays differ in length, [`SamplingError::NoSites`] where
    /// they are empty, [`SamplingError::TooManySites`] from 2^32 sites on.
    pub fn n_sites(&self) -> Result<usize, SamplingError> {
        let (n_magnitude, n_occupied) = (self.magnitude.len(), self.occupied.len());
        if n_magnitude != n_occupied {
            return Err(SamplingError::LengthMismatch { n_magnitude, n_occupied });
        }
        table::checked_count(n_occupied)?;
        Ok(n_occupied)
    }
}

/// A strategy: how likely each site of an event is to be drawn.
///
/// It plans once and draws nothing itself, so that all strategies cost a training step the same.
pub trait Sampler: Send + Sync {
    /// The name under which settings and reports know it.
    fn name(&self) -> &'static str;

    /// The table to draw from. The same sites always give the same table, on every machine.
    ///
    /// # Errors
    /// What [`Sites::n_sites`] and [`DrawTable::from_weights`] report.
    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError>;

    /// The table to draw from once the errors of all sites have become `errors` (any unit; finite, not negative); none
    /// where the strategy keeps its plan. The same sites and errors always give the same table.
    ///
    /// # Errors
    /// As [`Sampler::plan`]; [`SamplingError::ErrorCount`] where there is not one error a site,
    /// [`SamplingError::BadWeight`] for one that is negative or not finite.
    fn refresh(&self, sites: &Sites<'_>, errors: &[f32]) -> Result<Option<DrawTable>, SamplingError> {
        let _ = (sites, errors);
        Ok(None)
    }
}
