//! The systems that `inrfit` is measured against: arrays in, bytes out.
//!
//! Each rival is a feature of this crate, so that a plain build stays quick. What a rival writes is complete: shape and
//! settings are in the bytes, so that a ratio counts everything.

mod array;
mod error;
#[cfg(feature = "sparse-ae")]
pub mod sparse_ae;

pub use array::Array;
pub use error::{Error, Result};

/// A compressor of events.
pub trait Rival: Send + Sync {
    /// Compresses an event.
    ///
    /// # Errors
    /// What the rival refuses or fails at; never a panic or an abort.
    fn encode(&self, event: &Array) -> Result<Vec<u8>>;

    /// Decompresses what [`Rival::encode`] wrote.
    ///
    /// # Errors
    /// Bytes that it did not write, and whatever the rival fails at.
    fn decode(&self, bytes: &[u8]) -> Result<Array>;
}
