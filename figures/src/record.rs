//! One measured row, shared by every exporter and every picture.

use crate::error::{Error, Result};
use crate::summary::Metric;
use crate::{file, number};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// One run of one codec on one input: what was run where, and the figures it gave.
///
/// The figures are those of the project's data conventions, computed from the decoded bytes of the complete file. A
/// run that failed carries a message in `error` and may lack any figure; a run that did not has `raw_bytes` and
/// `bytes`. In files, `input`, `codec`, `settings`, `raw_bytes` and `bytes` must be there; every other column may be
/// missing, and columns this version does not know are ignored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Name of the event, usually its file name without the folder.
    pub input: String,
    /// Name of the codec; one line of a picture.
    pub codec: String,
    /// The settings in the codec's own words; one point of a line.
    pub settings: String,
    /// Name of the machine.
    #[serde(default)]
    pub host: String,
    /// The device that did the work: processor or accelerator.
    #[serde(default)]
    pub device: String,
    /// Commit of the program.
    #[serde(default)]
    pub commit: String,
    /// Threads used.
    #[serde(default)]
    pub threads: Option<u32>,
    /// Bytes of the input samples.
    #[serde(default)]
    pub raw_bytes: Option<u64>,
    /// Bytes of the complete compressed file, headers included.
    #[serde(default)]
    pub bytes: Option<u64>,
    /// `raw_bytes / bytes`.
    #[serde(default, with = "number")]
    pub ratio: Option<f64>,
    /// Mean squared error on raw ADC.
    #[serde(default, with = "number")]
    pub mse: Option<f64>,
    /// Mean absolute error on raw ADC.
    #[serde(default, with = "number")]
    pub mae: Option<f64>,
    /// Mean absolute error of log2(ADC + 1).
    #[serde(default, with = "number")]
    pub log_mae: Option<f64>,
    /// Mean squared error of log2(ADC + 1).
    #[serde(default, with = "number")]
    pub log_mse: Option<f64>,
    /// Peak signal-to-noise ratio in dB; infinite for an exact copy.
    #[serde(default, with = "number")]
    pub psnr_db: Option<f64>,
    /// Share of the decoded occupied voxels that are truly occupied.
    #[serde(default, with = "number")]
    pub precision: Option<f64>,
    /// Share of the truly occupied voxels that are decoded as occupied.
    #[serde(default, with = "number")]
    pub recall: Option<f64>,
    /// Largest absolute error on raw ADC.
    #[serde(default, with = "number")]
    pub max_error: Option<f64>,
    /// Largest absolute error of log2(ADC + 1).
    #[serde(default, with = "number")]
    pub max_log_error: Option<f64>,
    /// Share of the voxels that are truly occupied.
    #[serde(default, with = "number")]
    pub occupancy: Option<f64>,
    /// Clusters of the original.
    #[serde(default)]
    pub n_clusters: Option<u64>,
    /// Share of the original's clusters that the decoded event lacks.
    #[serde(default, with = "number")]
    pub clusters_lost: Option<f64>,
    /// Clusters of the decoded event that the original lacks, as a share of the original's.
    #[serde(default, with = "number")]
    pub clusters_fake: Option<f64>,
    /// Mean of decoded / original charge of a cluster, less 1.
    #[serde(default, with = "number")]
    pub charge_bias: Option<f64>,
    /// Standard deviation of decoded / original charge of a cluster.
    #[serde(default, with = "number")]
    pub charge_spread: Option<f64>,
    /// Standard deviation of decoded - original centroids on the first axis, in bins.
    #[serde(default, with = "number")]
    pub residual_axis0: Option<f64>,
    /// Standard deviation of decoded - original centroids on the second axis, in bins.
    #[serde(default, with = "number")]
    pub residual_axis1: Option<f64>,
    /// Standard deviation of decoded - original log2 of the ratio between neighbours on the first axis.
    #[serde(default, with = "number")]
    pub pad_ratio_spread: Option<f64>,
    /// Weights of the stored network; none for codecs without one.
    #[serde(default)]
    pub n_weights: Option<u64>,
    /// Seconds from samples to bytes.
    #[serde(default, with = "number")]
    pub encode_seconds: Option<f64>,
    /// Seconds from bytes to samples.
    #[serde(default, with = "number")]
    pub decode_seconds: Option<f64>,
    /// Samples encoded a second, in 10^6 bytes.
    #[serde(default, with = "number")]
    pub encode_mb_per_s: Option<f64>,
    /// Samples decoded a second, in 10^6 bytes.
    #[serde(default, with = "number")]
    pub decode_mb_per_s: Option<f64>,
    /// Why the run failed; an empty message counts as none.
    #[serde(default)]
    pub error: Option<String>,
}

impl Record {
    /// A row that names its run and has no figures yet.
    pub fn new(input: impl Into<String>, codec: impl Into<String>, settings: impl Into<String>) -> Self {
        Record { input: input.into(), codec: codec.into(), settings: settings.into(), ..Record::default() }
    }

    /// Whether the run failed.
    pub fn failed(&self) -> bool {
        self.error.as_deref().is_some_and(|message| !message.is_empty())
    }
}

const REQUIRED: [&str; 5] = ["input", "codec", "settings", "raw_bytes", "bytes"];

/// The rows as CSV: a header line, then one line a row. Reading it back gives the same rows bit for bit.
pub fn to_csv(rows: &[Record]) -> Result<String> {
    if rows.is_empty() {
        // The writer learns the header from its first row; without one, take it from an empty row.
        let one = write_csv(&[Record::default()])?;
        return Ok(one.lines().next().map(|header| format!("{header}\n")).unwrap_or_default());
    }
    write_csv(rows)
}

/// The rows of a CSV text. Column order is free.
///
/// # Errors
/// [`Error::Data`] names the missing column, or the line and column of a value that is not one.
pub fn from_csv(text: &str) -> Result<Vec<Record>> {
    let rows = read_csv::<Record>(text, &REQUIRED)?;
    check(rows, |i| format!("row {}", i + 1))
}

/// The rows as a JSON array of objects, floats in their shortest exact form.
pub fn to_json(rows: &[Record]) -> Result<String> {
    let mut text =
        serde_json::to_string_pretty(rows).map_err(|e| Error::data(format!("rows as JSON: {e}")))?;
    text.push('\n');
    Ok(text)
}

/// The rows of a JSON text: an array of objects, or one object alone.
///
/// # Errors
/// [`Error::Data`] names the row and the key that is missing or wrong.
pub fn from_json(text: &str) -> Result<Vec<Record>> {
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|e| Error::data(format!("not JSON: {e}")))?;
    let items = match value {
        serde_json::Value::Array(items) => items,
        one @ serde_json::Value::Object(_) => vec![one],
        _ => return Err(Error::data("JSON rows must be an array of objects")),
    };
    let mut rows = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        rows.push(serde_json::from_value(item).map_err(|e| Error::data(format!("row {}: {e}", i + 1)))?);
    }
    check(rows, |i| format!("row {}", i + 1))
}

/// Reads the rows of a `.csv` or `.json` file.
pub fn read(path: &Path) -> Result<Vec<Record>> {
    let parse = match file::ending(path).as_str() {
        "csv" => from_csv,
        "json" => from_json,
        _ => return Err(unknown_ending(path)),
    };
    parse(&file::read_text(path)?).map_err(|e| e.in_file(path))
}

/// Writes the rows to a `.csv` or `.json` file, whole or not at all.
pub fn write(path: &Path, rows: &[Record]) -> Result<()> {
    let text = match file::ending(path).as_str() {
        "csv" => to_csv(rows)?,
        "json" => to_json(rows)?,
        _ => return Err(unknown_ending(path)),
    };
    file::write_whole(path, text.as_bytes())
}

fn unknown_ending(path: &Path) -> Error {
    Error::data(format!("{}: rows are kept in .csv or .json files", path.display()))
}

/// A row without an error message must have its sizes.
fn check(rows: Vec<Record>, place: impl Fn(usize) -> String) -> Result<Vec<Record>> {
    for (i, row) in rows.iter().enumerate().filter(|(_, row)| !row.failed()) {
        let missing = match (row.raw_bytes, row.bytes) {
            (None, _) => "raw_bytes",
            (_, None) => "bytes",
            _ => continue,
        };
        return Err(Error::data(format!(
            "{}: '{missing}' is missing and there is no error message",
            place(i)
        )));
    }
    Ok(rows)
}

pub(crate) fn write_csv<T: Serialize>(rows: &[T]) -> Result<String> {
    let failed = |e: &dyn std::fmt::Display| Error::data(format!("rows as CSV: {e}"));
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| failed(&e))?;
    }
    let bytes = writer.into_inner().map_err(|e| failed(&e))?;
    String::from_utf8(bytes).map_err(|e| failed(&e))
}

pub(crate) fn read_csv<T: DeserializeOwned>(text: &str, required: &[&str]) -> Result<Vec<T>> {
    // A spreadsheet may put a byte order mark before the first column's name.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let header = reader.headers().map_err(|e| Error::data(format!("header of the CSV text: {e}")))?.clone();
    if let Some(name) = required.iter().find(|name| !header.iter().any(|column| column == **name)) {
        return Err(Error::data(format!("column '{name}' is missing")));
    }
    let mut rows = Vec::new();
    for line in reader.records() {
        let line = line.map_err(|e| Error::data(e.to_string()))?;
        rows.push(line.deserialize(Some(&header)).map_err(|e| name_csv_error(&e, &line, &header))?);
    }
    Ok(rows)
}

/// The error with its line number and the name of its column.
fn name_csv_error(error: &csv::Error, line: &csv::StringRecord, header: &csv::StringRecord) -> Error {
    let at = line.position().map_or(0, csv::Position::line);
    let csv::ErrorKind::Deserialize { err, .. } = error.kind() else {
        return Error::data(format!("line {at}: {error}"));
    };
    // The library does not know the column where a field's own reader refuses: that is one of the float columns.
    let refused = || {
        let floats = |name: &str| name == "ratio" || Metric::ALL.iter().any(|m| m.name() == name);
        let wrong = |text: &str| !text.is_empty() && text.trim().parse::<f64>().is_err();
        header.iter().zip(line).find(|(name, text)| floats(name) && wrong(text)).map(|(name, _)| name)
    };
    let column = err.field().and_then(|i| header.get(usize::try_from(i).ok()?)).or_else(refused);
    match column {
        Some(name) => Error::data(format!("line {at}, column '{name}': {}", err.kind())),
        None => Error::data(format!("line {at}: {}", err.kind())),
    }
}
