//! The one error type of the library.

use std::fmt;

/// What a caller can do about an [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system refused: a missing file, a full disk, a closed pipe.
    Io,
    /// A setting or an input that makes no sense: the caller must change it.
    Argument,
    /// Well-formed, but written by a newer version or for a feature this build does not have.
    Unsupported,
    /// The bytes are not what the format document allows: the file is damaged.
    Corrupt,
    /// The bytes end too early.
    Truncated,
    /// Decoding would need more than the caller's limits allow.
    Limit,
    /// A compute device is missing or failed.
    Device,
    /// The caller asked to stop.
    Interrupted,
}

/// An error: what kind, and a message that names the reason and the way out.
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<std::io::Error>,
}

/// Shorthand for results of this crate.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error of `kind` that says `message`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// A bad setting or input.
    pub fn argument(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Argument, message)
    }

    /// Damaged bytes.
    pub fn corrupt(message: impl Into<String>) -> Self {
        Error::new(ErrorKind::Corrupt, message)
    }

    /// Damaged bytes at `offset` (bytes from the start of the file).
    pub fn corrupt_at(offset: u64, message: impl fmt::Display) -> Self {
        Error::new(ErrorKind::Corrupt, format!("{message} (at byte {offset})"))
    }

    /// Bytes that end too early, at `offset`.
    pub fn truncated_at(offset: u64, message: impl fmt::Display) -> Self {
        Error::new(ErrorKind::Truncated, format!("{message} (at byte {offset})"))
    }

    /// A refusal of the operating system while doing `what`.
    pub fn io(what: impl fmt::Display, source: std::io::Error) -> Self {
        Error { kind: ErrorKind::Io, message: format!("{what}: {source}"), source: Some(source) }
    }

    /// What a caller can do about it.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }

    /// The same error with `context` (a file name, a tile) before its message.
    pub fn context(mut self, context: impl fmt::Display) -> Self {
        self.message = format!("{context}: {}", self.message);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|e| e as _)
    }
}
