//! Rows to text and back, and their totals.

mod made_up;

use inrfit_figures::{Error, Metric, Record, SamplingRow, Spread, record, sampling, summarise};
use std::path::Path;

fn message(result: Result<Vec<Record>, Error>) -> String {
    match result {
        Err(Error::Data(message)) => message,
        other => panic!("expected a data error, got {other:?}"),
    }
}

/// Floats whose shortest text is easy to get wrong.
const HARD: [f64; 8] = [0.1 + 0.2, 1.0 / 3.0, 5e-324, f64::MAX, -0.0, 1e16, 9_007_199_254_740_993.0, 2.5e-9];

#[test]
fn csv_and_json_give_back_every_bit() {
    let mut rows = made_up::records();
    for v in HARD.into_iter().chain([f64::INFINITY, f64::NEG_INFINITY]) {
        let mut row = rows[0].clone();
        row.mse = Some(v);
        row.encode_seconds = Some(v);
        rows.push(row);
    }
    for back in [
        record::from_csv(&record::to_csv(&rows).unwrap()).unwrap(),
        record::from_json(&record::to_json(&rows).unwrap()).unwrap(),
    ] {
        assert_eq!(back, rows);
        // Equality of floats would take -0 for 0.
        let bits = |rows: &[Record]| rows.iter().map(|r| r.mse.map(f64::to_bits)).collect::<Vec<_>>();
        assert_eq!(bits(&back), bits(&rows));
    }
}

#[test]
fn nan_travels_too() {
    let mut row = made_up::records().remove(0);
    row.psnr_db = Some(f64::NAN);
    let csv = record::from_csv(&record::to_csv(&[row.clone()]).unwrap()).unwrap();
    let json = record::from_json(&record::to_json(&[row]).unwrap()).unwrap();
    assert!(csv[0].psnr_db.is_some_and(f64::is_nan) && json[0].psnr_db.is_some_and(f64::is_nan));
}

#[test]
fn no_rows_are_a_header_or_an_empty_array() {
    let csv = record::to_csv(&[]).unwrap();
    assert!(csv.starts_with("input,codec,settings,host,device,commit,threads,raw_bytes,bytes,ratio,mse,"));
    assert_eq!(record::from_csv(&csv).unwrap(), []);
    assert_eq!(record::from_json(&record::to_json(&[]).unwrap()).unwrap(), []);
}

#[test]
fn unknown_columns_are_ignored_and_order_is_free() {
    let rows =
        record::from_csv("\u{feff}bytes,future,codec,settings,raw_bytes,input\n10,?,c,s,400,i\n").unwrap();
    let mut expected = Record::new("i", "c", "s");
    (expected.raw_bytes, expected.bytes) = (Some(400), Some(10));
    assert_eq!(rows, [expected.clone()]);
    let json = r#"{"input":"i","codec":"c","settings":"s","raw_bytes":400,"bytes":10,"future":{"a":[1]}}"#;
    assert_eq!(record::from_json(json).unwrap(), [expected]);
}

#[test]
fn what_is_missing_or_wrong_is_named() {
    for column in ["input", "codec", "settings", "raw_bytes", "bytes"] {
        let text = "input,codec,settings,raw_bytes,bytes\n".replacen(column, "other", 1);
        let header = match column {
            // The first match of "bytes" is inside "raw_bytes".
            "bytes" => "input,codec,settings,raw_bytes,other\n".to_owned(),
            _ => text,
        };
        assert!(message(record::from_csv(&header)).contains(&format!("'{column}'")), "{header}");
    }
    let wrong = "input,codec,settings,raw_bytes,bytes,mse\ni,c,s,400,10,1\ni,c,s,400,10,many\n";
    let text = message(record::from_csv(wrong));
    assert!(text.contains("line 3") && text.contains("'mse'"), "{text}");
    let wrong = "input,codec,settings,raw_bytes,bytes\ni,c,s,400,-1\n";
    assert!(message(record::from_csv(wrong)).contains("'bytes'"));
    let text = message(record::from_csv("input,codec,settings,raw_bytes,bytes\ni,c,s,400,\n"));
    assert!(text.contains("row 1") && text.contains("'bytes'"), "{text}");
    assert!(message(record::from_csv("")).contains("'input'"));

    let text = message(record::from_json(r#"[{"codec":"c","settings":"s","raw_bytes":1,"bytes":1}]"#));
    assert!(text.contains("row 1") && text.contains("input"), "{text}");
    let text = message(record::from_json(r#"[{"input":"i","codec":"c","settings":"s","raw_bytes":1}]"#));
    assert!(text.contains("'bytes'"), "{text}");
    for text in ["", "3", "[1]", "{", r#"[{"input":3}]"#] {
        message(record::from_json(text));
    }
}

#[test]
fn a_failed_run_needs_no_figures() {
    let rows = record::from_csv("input,codec,settings,raw_bytes,bytes,error\ni,c,s,,,it broke\n").unwrap();
    assert!(rows[0].failed());
    let json = r#"[{"input":"i","codec":"c","settings":"s","error":"it broke"}]"#;
    assert_eq!(record::from_json(json).unwrap(), rows);
}

#[test]
fn files_are_told_by_their_ending() {
    let folder = tempfile::tempdir().unwrap();
    let rows = made_up::records();
    for name in ["rows.csv", "rows.JSON"] {
        let path = folder.path().join(name);
        record::write(&path, &rows).unwrap();
        assert_eq!(record::read(&path).unwrap(), rows);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "temporary files are left behind");
    assert!(matches!(record::read(&folder.path().join("none.csv")), Err(Error::Io { .. })));
    assert!(matches!(record::write(&folder.path().join("no/rows.csv"), &rows), Err(Error::Io { .. })));
    assert!(message(record::read(Path::new("rows.txt"))).contains("rows.txt"));
    std::fs::write(folder.path().join("bad.csv"), "codec\n").unwrap();
    assert!(message(record::read(&folder.path().join("bad.csv"))).contains("bad.csv"));
}

#[test]
fn totals_are_total_in_by_total_out_and_plain_means() {
    let mut a = Record::new("a", "codec", "s");
    (a.raw_bytes, a.bytes, a.mse, a.max_error) = (Some(1000), Some(10), Some(1.0), Some(3.0));
    let mut b = a.clone();
    (b.raw_bytes, b.bytes, b.mse, b.max_error) = (Some(1000), Some(40), Some(4.0), Some(9.0));
    let mut c = a.clone();
    (c.mse, c.bytes, c.error) = (Some(1e9), Some(1), Some("failed".to_owned()));
    let mut other = a.clone();
    other.settings = "t".to_owned();
    other.mse = None;
    let totals = summarise(&[a, other, b, c]);
    assert_eq!(totals.len(), 2);
    let first = &totals[0];
    assert_eq!((first.settings.as_str(), first.n_inputs, first.n_failed), ("s", 2, 1));
    assert_eq!((first.raw_bytes, first.bytes, first.ratio), (2000, 50, Some(40.0)));
    assert_eq!(first.ratio_spread, Some(Spread { n: 2, mean: 62.5, min: 25.0, max: 100.0 }));
    assert_eq!(first.metrics[&Metric::Mse], Spread { n: 2, mean: 2.5, min: 1.0, max: 4.0 });
    assert_eq!(Metric::MaxError.total(&first.metrics[&Metric::MaxError]), 9.0);
    assert!(!totals[1].metrics.contains_key(&Metric::Mse));
    assert!(summarise(&[]).is_empty());
}

#[test]
fn totals_without_bytes_have_no_ratio() {
    let mut row = Record::new("a", "codec", "s");
    (row.raw_bytes, row.bytes, row.mse) = (Some(u64::MAX), Some(0), Some(f64::NAN));
    let totals = summarise(&[row.clone(), row]);
    assert_eq!((totals[0].ratio, totals[0].ratio_spread, totals[0].raw_bytes), (None, None, u64::MAX));
    assert!(totals[0].metrics.is_empty());
}

#[test]
fn metrics_are_known_by_their_columns() {
    let header = record::to_csv(&[]).unwrap();
    for metric in Metric::ALL {
        assert_eq!(metric.to_string().parse::<Metric>().unwrap(), metric);
        assert!(header.trim().split(',').any(|column| column == metric.name()), "{metric}");
        assert_eq!(serde_json::to_value(metric).unwrap(), metric.name());
    }
    let text = "loss".parse::<Metric>().unwrap_err().to_string();
    assert!(text.contains("'loss'") && text.contains("log_mae"), "{text}");
}

#[test]
fn sampling_rows_survive_csv() {
    let mut rows = made_up::sampling_rows();
    rows.extend(HARD.map(|v| SamplingRow { seconds: v, log_mae: v, ..rows[0].clone() }));
    assert_eq!(sampling::from_csv(&sampling::to_csv(&rows).unwrap()).unwrap(), rows);
    assert_eq!(sampling::from_csv(&sampling::to_csv(&[]).unwrap()).unwrap(), []);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rows.csv");
    sampling::write(&path, &rows).unwrap();
    assert_eq!(sampling::read(&path).unwrap(), rows);
    let old = sampling::from_csv("sampler,seconds,steps,samples,log_mae\na,1,2,3,0.5\n").unwrap();
    assert_eq!((old[0].log_mae, old[0].fraction), (0.5, None));
    let text = sampling::from_csv("sampler,seconds,steps,log_mae\n").unwrap_err().to_string();
    assert!(text.contains("'samples'"), "{text}");
    let text =
        sampling::from_csv("sampler,seconds,steps,samples,log_mae\na,1,2,3,\n").unwrap_err().to_string();
    assert!(text.contains("line 2") && text.contains("'log_mae'"), "{text}");
}

#[test]
fn the_first_row_at_the_target_is_the_earliest() {
    let row =
        |seconds, log_mae| SamplingRow { sampler: "a".to_owned(), seconds, log_mae, ..Default::default() };
    let rows = [row(4.0, 0.1), row(2.0, 0.15), row(1.0, 0.3)];
    assert_eq!(sampling::first_at(&rows, "a", 0.15).map(|r| r.seconds), Some(2.0));
    assert_eq!(sampling::first_at(&rows, "a", 0.01), None);
    assert_eq!(sampling::first_at(&rows, "b", 0.5), None);
}
