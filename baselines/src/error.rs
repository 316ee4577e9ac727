//! The error type of this crate.

use std::fmt;

/// Why a rival gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A setting or an event that the rival does not take. The message says which.
    Argument(String),
    /// Bytes that are not what the rival wrote, or a model file that is not one.
    Corrupt(String),
    /// The library behind the rival failed.
    Failed(String),
    /// A file that cannot be read. The message names it.
    Io(String),
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// The same error with the file it came from before its message.
    #[cfg(feature = "bcae")]
    pub(crate) fn in_file(self, path: &str) -> Error {
        match self {
            Error::Argument(message) => Error::Argument(format!("{path}: {message}")),
            Error::Corrupt(message) => Error::Corrupt(format!("{path}: {message}")),
            Error::Failed(message) => Error::Failed(format!("{path}: {message}")),
            Error::Io(message) => Error::Io(format!("{path}: {message}")),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Argument(message)
            | Error::Corrupt(message)
            | Error::Failed(message)
            | Error::Io(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {}
