//! Real events and what others measured on them.
#![allow(dead_code, reason = "each test file uses its own part")]

use inrfit_baselines::Array;
use std::path::{Path, PathBuf};

/// Shape of the wedges: (azimuth, z, layer).
pub const WEDGE: [usize; 3] = [192, 249, 16];

/// One row of the table of measured rivals.
#[derive(Debug, Clone)]
pub struct Row {
    pub wedge: String,
    pub codec: String,
    pub settings: String,
    pub layout: String,
    pub threshold: String,
    pub bytes: f64,
    pub mse: f64,
    pub log_mae: f64,
}

/// The folder of real data, or `None` with a line that says so; where the data are required, absence is a failure.
pub fn data() -> Option<PathBuf> {
    let folder = match std::env::var_os("INRFIT_TEST_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"),
    };
    if folder.join("wedges").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("INRFIT_REQUIRE_DATA").is_none(),
        "INRFIT_REQUIRE_DATA is set: no data in {folder:?}"
    );
    eprintln!("skipped: no wedges in {}; INRFIT_TEST_DATA names another folder", folder.display());
    None
}

/// A wedge: `uint16` in C order behind the header of a .npy file of version 1.
pub fn wedge(folder: &Path, name: &str) -> Array {
    let bytes = std::fs::read(folder.join("wedges").join(name).with_extension("npy")).unwrap();
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = std::str::from_utf8(&bytes[10..header]).unwrap();
    assert!(text.contains("'<u2'") && text.contains("(192, 249, 16)") && text.contains("False"), "{text}");
    let counts = bytes[header..].as_chunks::<2>().0.iter().map(|b| u16::from_le_bytes(*b)).collect();
    Array::new(WEDGE, counts).unwrap()
}

/// The five wedges.
pub const WEDGES: [&str; 5] =
    ["wedge_3143_7_0-1", "wedge_3093_8_2-0", "wedge_3174_7_2-0", "wedge_3068_9_4-0", "wedge_3096_8_8-1"];

/// The rows of the rivals that were measured on the wedges.
pub fn peers(data: &Path) -> Vec<Row> {
    let path = data.join("../anchors/peers.csv");
    let mut reader = csv::Reader::from_path(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let columns = reader.headers().expect("a header").clone();
    let column = |name: &str| columns.iter().position(|c| c == name).expect("a column");
    let [wedge, codec, settings, layout, threshold, bytes, mse, log_mae] =
        ["wedge", "codec", "settings", "layout", "threshold", "bytes", "mse", "log_mae"].map(column);
    let rows = reader.records().map(|row| {
        let row = row.expect("a row");
        let number = |i: usize| row[i].parse().unwrap_or(f64::NAN);
        let text = |i: usize| row[i].to_owned();
        Row {
            wedge: text(wedge),
            codec: text(codec),
            settings: text(settings),
            layout: text(layout),
            threshold: text(threshold),
            bytes: number(bytes),
            mse: number(mse),
            log_mae: number(log_mae),
        }
    });
    rows.collect()
}

/// Mean squared error of ADC values, and mean absolute error of log2(ADC + 1).
pub fn errors<T: Copy + Into<f64>>(event: &Array, reals: &[T]) -> (f64, f64) {
    let log = |v: f64| (v.max(0.0) + 1.0).log2();
    let (mut squares, mut logs) = (0.0, 0.0);
    for (&count, &real) in event.counts().iter().zip(reals) {
        let (count, real) = (f64::from(count), real.into());
        squares += (count - real).powi(2);
        logs += (log(count) - log(real)).abs();
    }
    let n = reals.len() as f64;
    (squares / n, logs / n)
}
