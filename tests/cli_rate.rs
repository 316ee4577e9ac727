//! `inrfit compress --ratio`, `--bytes` and `--log-mae` as their users run them.

mod program;

use program::{Bench, assert_fails, json, text};
use std::fs;

const SHORT: [&str; 2] = ["--steps=60", "--batch=256"];

fn compress(bench: &Bench, args: &[&str]) -> std::process::Output {
    bench.run(&[&["compress", "a.npy"], args, &SHORT].concat())
}

#[test]
fn sizes_and_errors_are_options() {
    let bench = Bench::new(&["a.npy"]);
    let row = json(&compress(&bench, &["--ratio=18", "--json"]));
    assert!((row["ratio"].as_f64().unwrap() / 18.0 - 1.0).abs() <= 0.05, "{row}");
    let first = fs::read(bench.path("a.npy.inrfit")).unwrap();
    json(&compress(&bench, &["--ratio=18", "--json", "--force", "--threads=1"]));
    assert!(fs::read(bench.path("a.npy.inrfit")).unwrap() == first, "the same bytes again");
    let row = json(&compress(&bench, &["--bytes=600", "--mode=field", "-o=b.inrfit", "--json"]));
    assert!((570..=600).contains(&row["bytes"].as_u64().unwrap()), "{row}");
    let error = row["log_mae"].as_f64().unwrap() * 1.1;
    let row =
        json(&compress(&bench, &[&format!("--log-mae={error}"), "--mode=field", "-o=c.inrfit", "--json"]));
    assert!(row["log_mae"].as_f64().unwrap() <= error, "{row}");
    // As settings of a bench, too.
    let bench_rows =
        bench.run(&["bench", "a.npy", "--settings", "ratio=18,steps=60,batch=256", "-o=rows.csv"]);
    assert_eq!(bench_rows.status.code(), Some(0), "{}", text(&bench_rows.stderr));
    let rows = fs::read_to_string(bench.path("rows.csv")).unwrap();
    assert!(rows.contains(&format!(",{},", first.len())), "{rows}");
}

#[test]
fn what_makes_no_sense_or_cannot_be_is_named_and_nothing_written() {
    let bench = Bench::new(&["a.npy"]);
    for wrong in
        ["--ratio=0.5", "--ratio=-3", "--ratio=nan", "--ratio=0", "--bytes=0", "--log-mae=0", "--log-mae=-1"]
    {
        assert_fails(&compress(&bench, &[wrong]), 2, "a.npy", "");
    }
    assert_fails(&compress(&bench, &["--ratio=5000"]), 2, "a.npy", "--mode field");
    assert_fails(&compress(&bench, &["--ratio=1.5"]), 2, "a.npy", "--mode lossless");
    assert_fails(&compress(&bench, &["--ratio=20", "--mode=lossless"]), 2, "a.npy", "--mode masked");
    assert_fails(&compress(&bench, &["--ratio=20", "--max-error=3"]), 2, "a.npy", "--mode masked");
    assert_fails(
        &compress(&bench, &["--ratio=20", "--preset=paper-siren", "--mode=field"]),
        2,
        "a.npy",
        "--preset",
    );
    for wrong in [
        &["--ratio=20", "--hidden=8"][..],
        &["--bytes=600", "--bits=4"],
        &["--ratio=20", "--log-mae=1"],
        &["--bytes=-1"],
    ] {
        assert_eq!(compress(&bench, wrong).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(bench.files(), ["a.npy"]);
}
