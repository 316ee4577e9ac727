//! The file that rows are kept in while they are made.

use super::super::files::{check_output, rows_error};
use inrfit::error::{Error, Result};
use inrfit::io::write_atomically;
use inrfit_figures::{Record, record};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a row may wait for others before the file is written anew.
const PATIENCE: Duration = Duration::from_secs(1);

/// Rows, and the file that has them: always a whole one.
#[derive(Debug)]
pub struct Rows {
    path: Option<PathBuf>,
    /// Whether the file may be replaced: asked for, or written by this run.
    force: bool,
    saved: Option<Instant>,
    n_saved: usize,
    rows: Vec<Record>,
}

type Exporter = fn(&[Record]) -> inrfit_figures::Result<String>;

/// How rows are written, by the ending of the file's name.
fn format_of(path: &Path) -> Result<Exporter> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("csv") => Ok(record::to_csv),
        Some("json") => Ok(record::to_json),
        _ => Err(Error::argument(format!("{}: rows are kept in .csv or .json files", path.display()))),
    }
}

impl Rows {
    /// Rows for the file at `path`, with those that it has where a run is to be resumed.
    ///
    /// # Errors
    /// `Argument` for a file that cannot be an output, `Io` and `Corrupt` for rows that cannot be read.
    pub fn new(path: Option<&Path>, force: bool, resume: bool) -> Result<Rows> {
        let mut rows = vec![];
        if let Some(path) = path {
            format_of(path)?;
            check_output(path, force || resume)?;
            if resume && path.exists() {
                rows = record::read(path).map_err(|e| rows_error(path, e))?;
            }
        }
        let n_saved = rows.len();
        let force = force || resume;
        Ok(Rows { path: path.map(Path::to_owned), force, saved: None, n_saved, rows })
    }

    /// Whether a row of this input and these settings is there.
    pub fn has(&self, input: &str, settings: &str) -> bool {
        self.rows.iter().any(|row| row.input == input && row.settings == settings)
    }

    /// Rows of this input.
    pub fn of(&self, input: &str) -> impl Iterator<Item = &Record> {
        self.rows.iter().filter(move |row| row.input == input)
    }

    /// Where they are kept.
    pub fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// Adds a row; the file has it at once, or within a second where rows come faster.
    ///
    /// # Errors
    /// `Io` where the file cannot be written.
    pub fn add(&mut self, row: Record) -> Result<()> {
        self.rows.push(row);
        match self.saved {
            Some(at) if at.elapsed() < PATIENCE => Ok(()),
            _ => self.save(),
        }
    }

    /// Writes what the file lacks: also after an interrupt, which loses no row.
    ///
    /// # Errors
    /// As [`Rows::add`].
    pub fn save(&mut self) -> Result<()> {
        if self.n_saved == self.rows.len() {
            return Ok(());
        }
        if let Some(path) = &self.path {
            let text = format_of(path)?(&self.rows).map_err(|e| Error::argument(e.to_string()))?;
            write_atomically(path, self.force, &mut |w| {
                w.write_all(text.as_bytes()).map_err(|e| Error::io("cannot write it", e))
            })?;
        }
        (self.saved, self.n_saved, self.force) = (Some(Instant::now()), self.rows.len(), true);
        Ok(())
    }

    /// All rows.
    pub fn all(&self) -> &[Record] {
        &self.rows
    }
}
