//! Figures that others published, kept as data with their source.

use crate::error::{Error, Result};
use crate::file;
use crate::record::read_csv;
use crate::summary::Metric;
use serde::Deserialize;
use std::path::Path;

/// A point that others published, shown as a star with its number in the legend.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// Its name in the legend.
    pub label: String,
    /// Bytes in / bytes out.
    pub ratio: f64,
    /// Value of the picture's metric.
    pub value: f64,
}

#[derive(Deserialize)]
struct Row {
    label: String,
    metric: String,
    ratio: f64,
    value: f64,
    source: String,
}

const COLUMNS: [&str; 5] = ["label", "metric", "ratio", "value", "source"];

impl Published {
    /// The points of `metric` in a CSV file with the columns label, metric (a name of [`Metric`]), ratio, value and
    /// source; the source stands behind the label.
    ///
    /// # Errors
    /// [`Error::Io`] and [`Error::Data`] with the file's name; a metric that there is not.
    pub fn read(path: &Path, metric: Metric) -> Result<Vec<Published>> {
        let rows: Vec<Row> = read_csv(&file::read_text(path)?, &COLUMNS).map_err(|e| e.in_file(path))?;
        let mut points = Vec::new();
        for (row, i) in rows.into_iter().zip(2..) {
            let of: Metric = row.metric.parse().map_err(|e: Error| e.in_file(path))?;
            if !(row.ratio > 0.0 && row.ratio.is_finite() && row.value.is_finite()) {
                return Err(Error::data(format!(
                    "{}: line {i}: ratio or value makes no sense",
                    path.display()
                )));
            }
            if of == metric {
                let label =
                    if row.source.is_empty() { row.label } else { format!("{} [{}]", row.label, row.source) };
                points.push(Published { label, ratio: row.ratio, value: row.value });
            }
        }
        Ok(points)
    }
}
