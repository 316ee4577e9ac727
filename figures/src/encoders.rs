//! How large encoders of a family of networks are, and how fast: both over their depth.

use crate::chart::{Chart, Line, Sheet};
use crate::error::{Error, Result};
use crate::file;
use crate::record::{read_csv, write_csv};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The size and the speed of one encoder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EncoderRow {
    /// Family and depths, such as `bcae-2d:4,8,3`.
    pub architecture: String,
    /// Weights of the encoder.
    pub encoder_parameters: u64,
    /// Weights of the decoders.
    pub decoder_parameters: u64,
    /// Extents of the code, such as `32x24x32`.
    #[serde(default)]
    pub code_shape: String,
    /// What it ran on.
    #[serde(default)]
    pub device: String,
    /// Precision of its arithmetic: `full` or `half`.
    #[serde(default)]
    pub precision: String,
    /// Threads on a processor.
    #[serde(default)]
    pub threads: usize,
    /// Events of 192 x 249 x 16 a second.
    pub wedges_per_second: f64,
}

/// Columns that a picture needs; the others may be missing.
const COLUMNS: [&str; 4] = ["architecture", "encoder_parameters", "decoder_parameters", "wedges_per_second"];

/// The rows as CSV, with a header unless there is none.
pub fn to_csv(rows: &[EncoderRow]) -> Result<String> {
    write_csv(rows)
}

/// Reads the rows of a CSV file.
///
/// # Errors
/// [`Error::Io`] for a file that cannot be read; [`Error::Data`] names the missing column, or line and column of a
/// value that is none.
pub fn read(path: &Path) -> Result<Vec<EncoderRow>> {
    read_csv(&file::read_text(path)?, &COLUMNS).map_err(|e: Error| e.in_file(path))
}

impl EncoderRow {
    /// m, n and d of `bcae-2d:m,n,d`: blocks of the encoder, of the decoders, and how often the encoder halves the
    /// extents; none for another architecture.
    fn depths(&self) -> Option<[u32; 3]> {
        let numbers = self.architecture.strip_prefix("bcae-2d:")?.split(',');
        let numbers: Vec<u32> = numbers.map(|n| n.trim().parse().ok()).collect::<Option<_>>()?;
        numbers.try_into().ok()
    }
}

/// Two charts of those of `rows` that are BCAE-2D (arXiv 2310.15026): parameters of the encoder against its blocks m and
/// of the decoders against theirs, n; and events a second of the encoder against m, a line for each number d of halvings.
///
/// # Errors
/// [`Error::Data`] where none of the rows is.
pub fn depths(rows: &[EncoderRow]) -> Result<Sheet> {
    let deep: Vec<([u32; 3], &EncoderRow)> =
        rows.iter().filter_map(|row| Some((row.depths()?, row))).collect();
    if deep.is_empty() {
        return Err(Error::data("no row of an architecture bcae-2d:m,n,d".to_owned()));
    }
    let line = |name: String, points: &mut dyn Iterator<Item = (u32, f64)>| {
        let mut points: Vec<(f64, f64)> = points.map(|(x, y)| (f64::from(x), y)).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        points.dedup();
        Line { name, points, joined: true }
    };
    let encoders = line(
        "encoder, m".to_owned(),
        &mut deep.iter().map(|([m, _, _], row)| (*m, row.encoder_parameters as f64)),
    );
    let decoders = line(
        "both decoders, n".to_owned(),
        &mut deep.iter().map(|([_, n, _], row)| (*n, row.decoder_parameters as f64)),
    );
    let mut halvings: Vec<u32> = deep.iter().map(|([_, _, d], _)| *d).collect();
    halvings.sort_unstable();
    halvings.dedup();
    let speeds = halvings.into_iter().map(|d| {
        let own = deep.iter().filter(|([_, _, own], _)| *own == d);
        line(format!("d = {d}"), &mut own.map(|([m, _, _], row)| (*m, row.wedges_per_second)))
    });
    let chart = |title: &str, x_label: &str, y_label: &str, lines| Chart {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        lines,
    };
    Ok(Sheet {
        charts: vec![
            chart("BCAE-2D(m, n, d): parameters", "residual blocks", "parameters", vec![encoders, decoders]),
            chart(
                "BCAE-2D(m, n, d): encoding",
                "residual blocks of the encoder, m",
                "events of 192 x 249 x 16 a second",
                speeds.collect(),
            ),
        ],
        n_columns: 2,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(architecture: &str, encoder: u64, rate: f64) -> EncoderRow {
        EncoderRow {
            architecture: architecture.to_owned(),
            encoder_parameters: encoder,
            decoder_parameters: 2 * encoder,
            wedges_per_second: rate,
            ..EncoderRow::default()
        }
    }

    #[test]
    fn lines_are_those_of_the_depths() {
        let rows = [
            row("bcae-2d:4,8,3", 20, 4.0),
            row("bcae-2d:3,3,1", 10, 2.0),
            row("bcae++", 99, 9.0),
            row("bcae-2d:3,3,3", 10, 5.0),
        ];
        let sheet = depths(&rows).unwrap();
        assert_eq!(sheet.charts[0].lines[0].points, [(3.0, 10.0), (4.0, 20.0)]);
        assert_eq!(sheet.charts[0].lines[1].points, [(3.0, 20.0), (8.0, 40.0)]);
        let speeds = &sheet.charts[1].lines;
        assert_eq!(speeds.iter().map(|l| l.name.as_str()).collect::<Vec<_>>(), ["d = 1", "d = 3"]);
        assert_eq!(speeds[1].points, [(3.0, 5.0), (4.0, 4.0)]);
    }

    #[test]
    fn rows_without_depths_are_no_picture() {
        for name in ["bcae++", "bcae-2d", "bcae-2d:4,8", "bcae-2d:4,x,3"] {
            assert!(
                depths(&[row(name, 1, 1.0)]).unwrap_err().to_string().contains("bcae-2d:m,n,d"),
                "{name}"
            );
        }
    }

    #[test]
    fn rows_come_back() {
        let rows = [row("bcae-2d:4,8,3", 20, 1.0 / 3.0), row("bcae", 3, 7.5)];
        assert_eq!(read_csv::<EncoderRow>(&to_csv(&rows).unwrap(), &COLUMNS).unwrap(), rows);
        let error = read_csv::<EncoderRow>("architecture,threads\nbcae,2\n", &COLUMNS).unwrap_err();
        assert!(error.to_string().contains("encoder_parameters"), "{error}");
    }
}
