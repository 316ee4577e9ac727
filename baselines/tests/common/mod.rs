//! What several test files share.
#![allow(dead_code, reason = "each test file uses its own part")]

use inrfit_baselines::Array;
use std::path::{Path, PathBuf};

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
    Array::new([192, 249, 16], counts).unwrap()
}

/// The five wedges.
pub const WEDGES: [&str; 5] =
    ["wedge_3143_7_0-1", "wedge_3093_8_2-0", "wedge_3174_7_2-0", "wedge_3068_9_4-0", "wedge_3096_8_8-1"];

/// Mean squared error on ADC counts and mean absolute error of log2(ADC + 1).
pub fn errors(event: &Array, decoded: &[f32]) -> (f64, f64) {
    let n = decoded.len() as f64;
    let pairs = event.counts().iter().zip(decoded).map(|(&a, &b)| (f64::from(a), f64::from(b)));
    let mse = pairs.clone().map(|(a, b)| (a - b).powi(2)).sum::<f64>() / n;
    let log_mae = pairs.map(|(a, b)| ((a + 1.0).log2() - (b + 1.0).log2()).abs()).sum::<f64>() / n;
    (mse, log_mae)
}
