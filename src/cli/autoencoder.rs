//! What the commands of the autoencoders share.

use super::args::Threads;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit_baselines::Error as RivalError;

/// An error of a rival in this program's words.
pub fn told(error: RivalError) -> Error {
    let kind = match error {
        RivalError::Argument(_) => ErrorKind::Argument,
        RivalError::Corrupt(_) => ErrorKind::Corrupt,
        RivalError::Io(_) => ErrorKind::Io,
        _ => ErrorKind::Device,
    };
    Error::new(kind, error.to_string())
}

/// Does `work` on as many threads as asked for.
///
/// # Errors
/// `Device` where they cannot be started.
pub fn on_threads<T: Send>(threads: Threads, work: impl FnOnce() -> T + Send) -> Result<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.resolve()).build();
    let pool = pool.map_err(|e| Error::new(ErrorKind::Device, format!("starting threads: {e}")))?;
    Ok(pool.install(work))
}
