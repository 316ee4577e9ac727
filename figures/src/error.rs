//! The error type of this crate.

use std::fmt;
use std::path::Path;

/// What went wrong while reading rows or drawing pictures.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error {
    /// The operating system refused. The message names the file.
    Io {
        /// What was being done, to which file.
        what: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// The rows, the samples or the arguments cannot be used. The message names the row and the column, or the
    /// argument.
    Data(String),
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    pub(crate) fn data(message: impl Into<String>) -> Self {
        Error::Data(message.into())
    }

    pub(crate) fn io(verb: &str, path: &Path, source: std::io::Error) -> Self {
        Error::Io { what: format!("{verb} {}", path.display()), source }
    }

    /// The same error with the file it came from before its message.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        match self {
            Error::Data(message) => Error::Data(format!("{}: {message}", path.display())),
            io @ Error::Io { .. } => io,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Io { what, source } => write!(f, "{what}: {source}"),
            Error::Data(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source),
            Error::Data(_) => None,
        }
    }
}
