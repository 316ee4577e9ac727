//! Every site with the same probability.

use crate::{DrawTable, Sampler, SamplingError, Sites};

/// Draws every site with the same probability, with replacement, and needs no table for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Uniform;

impl Sampler for Uniform {
    fn name(&self) -> &'static str {
        "uniform"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        DrawTable::uniform(sites.n_sites()?)
    }
}

/// Draws without replacement: every site once an epoch, each epoch in an order of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct UniformOnce;

impl Sampler for UniformOnce {
    fn name(&self) -> &'static str {
        "uniform-once"
    }

    fn plan(&self, sites: &Sites<'_>) -> Result<DrawTable, SamplingError> {
        DrawTable::once(sites.n_sites()?)
    }
}
