//! SZ3, ZFP and the plain rivals against the same compressors as others run them.
#![cfg(all(feature = "plain", feature = "sz3", feature = "zfp"))]

mod common;

use common::{Row, data, errors, peers, wedge};
use inrfit_baselines::{Array, rival};

/// The name and the options that stand for a row of the table; none for rivals that are not here.
fn spec(row: &Row) -> Option<(&'static str, String)> {
    let layout = if row.layout == "native" { "native" } else { "z" };
    let parts: Vec<&str> = row.settings.split(':').collect();
    let domain = |name: &str| if name == "raw" { "adc" } else { "log2" };
    let plain = |name: &str| match name {
        "bzip2-9" => Some(("bzip2", "level=9")),
        "xz-9" => Some(("xz", "level=9")),
        "zstd-19" => Some(("zstd", "level=19")),
        "zstd-3" => Some(("zstd", "level=3")),
        "sparse(packbits+values)-xz" => Some(("xz", "level=9,sparse")),
        _ => None,
    };
    if let Some(name) = row.codec.strip_prefix("lossless:") {
        let (name, options) = plain(name)?;
        return Some((name, format!("{options},{layout}")));
    }
    if let Some(name) = row.codec.strip_prefix("quant+") {
        let (name, options) = plain(name)?;
        let step = row.settings.strip_prefix("log2_step=")?;
        return Some((name, format!("{options},{layout},log2,step={step}")));
    }
    let [mode, scale, bound] = parts[..] else { return None };
    let (domain, value) = (domain(scale), bound.split_once('=')?.1);
    let view = format!("{layout},{domain},threshold={}", row.threshold);
    match (&row.codec[..], mode) {
        ("sz3", algorithm) => Some(("sz3", format!("{algorithm},{view},abs={value}"))),
        ("zfp", "accuracy") => Some(("zfp", format!("{view},tolerance={value}"))),
        ("zfp", "rate") => Some(("zfp", format!("{view},rate={value}"))),
        ("zfp", "precision") => Some(("zfp", format!("{view},precision={value}"))),
        _ => None,
    }
}

/// What is compared of a row: ours over theirs.
#[derive(Debug, Clone, Copy)]
struct Quotients {
    bytes: f64,
    mse: f64,
    log_mae: f64,
}

impl Quotients {
    fn of(event: &Array, row: &Row) -> Option<Quotients> {
        let (name, options) = spec(row)?;
        let rival = rival(name, &options).unwrap_or_else(|e| panic!("{name} {options}: {e}"));
        let bytes = rival.encode(event).unwrap_or_else(|e| panic!("{name} {options}: {e}"));
        let (mse, log_mae) = errors(event, &rival.decode_reals(&bytes).expect("its own bytes"));
        let of = |ours: f64, theirs: f64| if theirs == 0.0 && ours == 0.0 { 1.0 } else { ours / theirs };
        let bytes = of(bytes.len() as f64, row.bytes);
        Some(Quotients { bytes, mse: of(mse, row.mse), log_mae: of(log_mae, row.log_mae) })
    }

    fn same_errors(&self) -> bool {
        (self.mse - 1.0).abs() < 0.005 && (self.log_mae - 1.0).abs() < 0.005
    }

    fn same_bytes(&self) -> bool {
        (self.bytes - 1.0).abs() < 0.02
    }
}

/// Compares one wedge; `docs/benchmarks.md` explains the bounds.
fn compare(data: &std::path::Path, name: &str) {
    let event = wedge(data, name);
    let rows: Vec<(Row, Quotients)> = peers(data)
        .into_iter()
        .filter(|row| row.wedge == name)
        .filter_map(|row| Quotients::of(&event, &row).map(|quotients| (row, quotients)))
        .collect();
    // Everything of the table that these rivals are for.
    assert_eq!(rows.len(), 249 + 105 + 10 + 32, "{name}");
    let lowest = event.counts().iter().copied().filter(|&count| count > 0).min();
    let is_tuned = |row: &Row| row.settings.starts_with("interp_lorenzo");
    let (mut tuned_alike, mut tuned_least, mut tuned_most) = ([0, 0], f64::INFINITY, 0.0f64);
    let (mut near, mut n_fixed, mut least, mut most) = (0, 0, f64::INFINITY, 0.0f64);
    for (row, q) in &rows {
        let what = format!("{name} {} {} {} {}: {q:?}", row.codec, row.settings, row.layout, row.threshold);
        match (&row.codec[..], &row.threshold[..]) {
            // The library tries predictors on samples of the event, and its versions choose differently.
            ("sz3", _) if is_tuned(row) => {
                assert!((0.5..2.0).contains(&q.bytes), "{what}");
                assert!(!q.same_errors() || (0.95..1.05).contains(&q.bytes), "{what}");
                if row.threshold == "none" {
                    tuned_alike[usize::from(q.same_errors())] += 1;
                }
                (tuned_least, tuned_most) = (q.bytes.min(tuned_least), q.bytes.max(tuned_most));
            }
            // Same predictions and bins, other versions of the Huffman coder behind them.
            ("sz3", threshold) => {
                assert!((0.95..1.05).contains(&q.bytes), "{what}");
                assert!(threshold == "best" || q.same_errors(), "{what}");
                n_fixed += 1;
                near += usize::from(q.same_bytes());
                (least, most) = (q.bytes.min(least), q.bytes.max(most));
            }
            // Their bins start at 70 whatever the event has, ours at its smallest count.
            (codec, _) if codec.starts_with("quant") && lowest != Some(70) => {
                assert!((0.95..1.02).contains(&q.bytes) && (0.85..1.15).contains(&q.mse), "{what}");
            }
            (_, threshold) => assert!(q.same_bytes() && (threshold == "best" || q.same_errors()), "{what}"),
        }
        // No threshold is better than the best; that of the table is from a coarser choice.
        assert!(row.threshold == "none" || is_tuned(row) || q.log_mae < 1.005, "{what}");
    }
    println!(
        "{name}: SZ3 with a fixed predictor: bytes within 2 % in {near} of {n_fixed}, between {least:.3} and {most:.3}; \
         with a tuned one: same errors in {} of {}, bytes between {tuned_least:.3} and {tuned_most:.3}",
        tuned_alike[1],
        tuned_alike[0] + tuned_alike[1]
    );
    assert!(
        10 * near >= 7 * n_fixed && 10 * tuned_alike[1] >= 6 * (tuned_alike[0] + tuned_alike[1]),
        "{name}"
    );
}

#[test]
fn the_densest_wedge_gives_what_others_measured() {
    let Some(data) = data() else { return };
    compare(&data, "wedge_3096_8_8-1");
}

#[test]
#[ignore = "minutes"]
fn every_wedge_gives_what_others_measured() {
    let Some(data) = data() else { return };
    for name in ["wedge_3143_7_0-1", "wedge_3093_8_2-0", "wedge_3174_7_2-0", "wedge_3068_9_4-0"] {
        compare(&data, name);
    }
}
