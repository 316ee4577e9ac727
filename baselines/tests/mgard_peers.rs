//! MGARD against its authors' library.
#![cfg(feature = "mgard")]

mod common;

use common::{Row, WEDGE, data, errors, peers, wedge};
use inrfit_baselines::rival;
use std::path::Path;

/// Tolerances at which this one is run, by norm and scale; the first of a pair is the table's name for the scale.
const RUNS: [(&str, [&str; 2], &[f64]); 4] = [
    ("inf", ["raw", "adc"], &[4.0, 20.0, 75.0, 115.0]),
    ("inf", ["log2", "log2"], &[0.1, 0.76]),
    ("0", ["raw", "adc"], &[0.5, 3.8, 8.5]),
    ("0", ["log2", "log2"], &[0.01, 0.068]),
];

/// Ratio, MSE, log-MAE.
type Point = [f64; 3];

/// Each row of the library has a run of this one at no lower ratio whose MSE and log-MAE are at most 1.15 times the
/// library's.
fn compare(data: &Path, name: &str) {
    let event = wedge(data, name);
    let raw = (2 * WEDGE.iter().product::<usize>()) as f64;
    let rows: Vec<Row> = peers(data).into_iter().filter(|r| r.wedge == name && r.codec == "mgard").collect();
    let mut n_compared = 0;
    for (s, [scale, domain], tolerances) in RUNS {
        for threshold in ["none", "best"] {
            let run = |tolerance: &f64| -> Point {
                let options = format!("s={s},{domain},threshold={threshold},tolerance={tolerance}");
                let rival = rival("mgard", &options).expect("options");
                let bytes = rival.encode(&event).expect("bytes");
                let (mse, log_mae) = errors(&event, &rival.decode_reals(&bytes).expect("its own bytes"));
                [raw / bytes.len() as f64, mse, log_mae]
            };
            let points: Vec<Point> = tolerances.iter().map(run).collect();
            let prefix = format!("s={s}:{scale}:");
            for row in rows.iter().filter(|r| r.threshold == threshold && r.settings.starts_with(&prefix)) {
                let ratio = raw / row.bytes;
                let as_good =
                    |p: &&Point| p[0] >= ratio && p[1] <= 1.15 * row.mse && p[2] <= 1.15 * row.log_mae;
                let found = points.iter().find(as_good);
                let theirs = [ratio, row.mse, row.log_mae];
                println!("{name} {} {threshold}: {theirs:.4?} theirs, {found:.4?} ours", row.settings);
                assert!(found.is_some(), "{} {threshold}: {theirs:?} theirs, {points:?} ours", row.settings);
                n_compared += 1;
            }
        }
    }
    assert_eq!(n_compared, rows.len());
}

#[test]
fn no_row_of_the_library_is_better_on_the_densest_wedge() {
    let Some(data) = data() else { return };
    compare(&data, "wedge_3096_8_8-1");
}

#[test]
#[ignore = "a minute"]
fn no_row_of_the_library_is_better_on_any_wedge() {
    let Some(data) = data() else { return };
    for name in ["wedge_3143_7_0-1", "wedge_3093_8_2-0", "wedge_3174_7_2-0", "wedge_3068_9_4-0"] {
        compare(&data, name);
    }
}
