//! The systems that `inrfit` is measured against: arrays in, bytes out.
//!
//! Each rival is a feature of this crate, so that a plain build stays quick. What a rival writes is complete: shape and
//! settings are in the bytes, so that a ratio counts everything. A rival is named with its options, [`rival`]:
//! `sz3` with `nopred,log2,abs=0.4`.

mod array;
#[cfg(feature = "bcae")]
pub mod bcae;
mod error;
#[cfg(any(feature = "plain", feature = "sz3", feature = "zfp", feature = "mgard"))]
mod frame;
#[cfg(any(feature = "sz3", feature = "zfp", feature = "mgard"))]
mod kernel;
#[cfg(feature = "mgard")]
pub mod mgard;
#[cfg(feature = "plain")]
pub mod plain;
#[cfg(feature = "sparse-ae")]
pub mod sparse_ae;
#[cfg(any(feature = "plain", feature = "sz3", feature = "zfp", feature = "mgard", feature = "bcae"))]
#[cfg_attr(
    not(all(feature = "plain", feature = "sz3", feature = "zfp", feature = "mgard")),
    allow(dead_code, reason = "each rival takes its own kinds of options")
)]
mod spec;
#[cfg(feature = "sz3")]
pub mod sz3;
#[cfg(any(feature = "plain", feature = "sz3", feature = "zfp", feature = "mgard"))]
pub mod view;
#[cfg(feature = "zfp")]
pub mod zfp;

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

    /// ADC values as the rival decodes them, before they are rounded to counts; the counts where it has no others.
    ///
    /// Others publish errors of these: to compare with them, and for nothing else.
    ///
    /// # Errors
    /// Those of [`Rival::decode`].
    fn decode_reals(&self, bytes: &[u8]) -> Result<Vec<f64>> {
        Ok(self.decode(bytes)?.counts().iter().map(|&count| f64::from(count)).collect())
    }

    /// Whether it works on all threads of rayon's current pool; the others use one.
    fn is_parallel(&self) -> bool {
        false
    }
}

/// Names that [`rival`] takes in this build.
pub const NAMES: &[&str] = &[
    #[cfg(feature = "sz3")]
    "sz3",
    #[cfg(feature = "zfp")]
    "zfp",
    #[cfg(feature = "mgard")]
    "mgard",
    #[cfg(feature = "plain")]
    "bzip2",
    #[cfg(feature = "plain")]
    "zstd",
    #[cfg(feature = "plain")]
    "xz",
    #[cfg(feature = "bcae")]
    "bcae",
    #[cfg(feature = "bcae")]
    "bcae-vs",
];

/// The rival called `name`, set by `options`: comma-separated words and `key=value`, as its `from_spec` says.
///
/// # Errors
/// `Argument` for a name that is not among [`NAMES`], and for options that the rival does not have.
pub fn rival(name: &str, options: &str) -> Result<Box<dyn Rival>> {
    let _ = options;
    match name {
        #[cfg(feature = "sz3")]
        "sz3" => Ok(Box::new(sz3::Sz3::from_spec(options)?)),
        #[cfg(feature = "zfp")]
        "zfp" => Ok(Box::new(zfp::Zfp::from_spec(options)?)),
        #[cfg(feature = "mgard")]
        "mgard" => Ok(Box::new(mgard::Mgard::from_spec(options)?)),
        #[cfg(feature = "plain")]
        "bzip2" => Ok(Box::new(plain::Plain::from_spec(plain::Method::Bzip2, options)?)),
        #[cfg(feature = "plain")]
        "zstd" => Ok(Box::new(plain::Plain::from_spec(plain::Method::Zstd, options)?)),
        #[cfg(feature = "plain")]
        "xz" => Ok(Box::new(plain::Plain::from_spec(plain::Method::Xz, options)?)),
        #[cfg(feature = "bcae")]
        "bcae" => Ok(Box::new(bcae::Bcae::from_spec(options)?)),
        #[cfg(feature = "bcae")]
        "bcae-vs" => Ok(Box::new(bcae::Vs::from_spec(options)?)),
        _ => Err(Error::Argument(format!("no rival '{name}' in this build; there are {}", NAMES.join(", ")))),
    }
}
