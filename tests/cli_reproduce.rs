//! `inrfit reproduce` as its users run it, on small events with short fits.

mod program;

use inrfit_figures::{Metric, Record, record};
use program::{Bench, SHAPE, assert_fails, json_lines, text};
use std::fs;

/// Fits of a fraction of a second.
const FIT: &str = "--fit=sampler=uniform,batch=256";

fn rows(bench: &Bench, args: &[&str]) -> Vec<Record> {
    let output = bench.run(&[&["reproduce"], args].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rows = record::read(&bench.path("rows.csv")).unwrap();
    assert_eq!(text(&output.stdout).lines().count(), rows.len());
    for row in &rows {
        assert!(row.error.is_none() && row.raw_bytes == Some(2 * SHAPE.iter().product::<usize>() as u64));
        assert!(row.bytes.is_some_and(|n| n > 0) && row.ratio.is_some_and(f64::is_finite));
        for metric in [Metric::Mse, Metric::LogMae, Metric::Precision, Metric::Recall, Metric::Occupancy] {
            assert!(metric.of(row).is_some_and(f64::is_finite), "{metric} of {row:?}");
        }
    }
    rows
}

fn picture(bench: &Bench, name: &str, words: &[&str]) {
    let svg = fs::read_to_string(bench.path(name)).unwrap();
    assert!(svg.trim_end().ends_with("</svg>"));
    for word in words {
        assert!(svg.contains(word), "no '{word}' in {name}");
    }
}

#[test]
fn resolution_has_fields_and_interpolations_in_both_coordinates() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let args = ["task1", "a.npy", "b.npy", "--events=1", "--steps=20", "-o=rows.csv", "--figure=f.svg", FIT];
    let rows = rows(&bench, &args);
    // Four factors of a field in two coordinates; three of two interpolations.
    assert_eq!(rows.len(), 4 * 2 + 3 * 2 * 2);
    assert!(rows.iter().all(|r| r.input == "a"));
    let of = |codec: &str, factor: u64| {
        let own = |r: &&Record| r.codec == codec && r.settings.contains(&format!("factor={factor},"));
        rows.iter().find(own).unwrap_or_else(|| panic!("no row of {codec} at {factor}"))
    };
    let (stretched, index_true) = (of("siren, stretched", 1), of("siren, index-true", 1));
    assert!(stretched.settings.contains("preset=paper-siren") && stretched.settings.contains("steps=20"));
    // With every voxel fitted the two are one: what the file decodes to.
    assert_eq!((stretched.mse, stretched.log_mae), (index_true.mse, index_true.log_mae));
    assert!(stretched.encode_seconds.is_some_and(|s| s > 0.0) && stretched.n_weights == Some(33_665));
    // An even extent at a stride of two is stretched.
    assert_ne!(of("trilinear, stretched", 4).mse, of("trilinear, index-true", 4).mse);
    assert_ne!(of("siren, stretched", 4).mse, of("siren, index-true", 4).mse);
    assert_eq!(of("nearest, index-true", 16).bytes, Some(2 * 6 * 5 * 8));
    picture(&bench, "f.svg", &["siren, stretched", "trilinear, index-true", "MSE", "log-MAE", "20 steps"]);
    // The same figure from the rows alone.
    let again = bench.run(&["reproduce", "task1", "--from=rows.csv", "--figure=g.svg"]);
    assert_eq!(again.status.code(), Some(0), "{}", text(&again.stderr));
    assert_eq!(fs::read(bench.path("f.svg")).unwrap(), fs::read(bench.path("g.svg")).unwrap());
}

#[test]
fn rate_has_every_network_size_and_storage() {
    let bench = Bench::new(&["a.npy"]);
    let sizes = ["--widths=8,6", "--depths=2,3", "--bits=float,5"];
    let args = ["task2", "a.npy", "--steps=5", "-o=rows.csv", "--figure=f.svg", FIT];
    let rows = rows(&bench, &[&args[..], &sizes].concat());
    assert_eq!(rows.len(), 5 * 2 * 2 * 2);
    for network in ["siren", "ffnet", "mfn", "wire", "wire-real"] {
        let own: Vec<&Record> = rows.iter().filter(|r| r.codec == network).collect();
        assert_eq!(own.len(), 8, "{network}");
        for (float, packed) in own[..4].iter().zip(&own[4..]) {
            assert!(float.settings.contains("bits=float") && packed.settings.contains("bits=5"));
            assert_eq!(float.n_weights, packed.n_weights);
            let n = float.n_weights.unwrap();
            assert!(float.bytes.unwrap() > 3 * n && packed.bytes.unwrap() < float.bytes.unwrap());
        }
        assert!(own[0].n_weights > own[1].n_weights && own[2].n_weights > own[0].n_weights, "{network}");
    }
    picture(&bench, "f.svg", &["wire-real", "weights", "bytes on disk", "5 bits a weight"]);
}

#[test]
fn sampling_has_every_sampler_and_fraction() {
    let bench = Bench::new(&["a.npy"]);
    let args = ["task3", "a.npy", "--steps=3,6", "--fractions=0.1,1", "-o=rows.csv", "--figure=f.png"];
    let rows = rows(&bench, &[&args[..], &["--fit=hidden=8"]].concat());
    assert_eq!(rows.len(), 2 * 2 * 2);
    let n_voxels: usize = SHAPE.iter().product();
    for (fraction, batch) in [("0.1", n_voxels / 10), ("1", n_voxels)] {
        for sampler in ["importance", "uniform-once"] {
            let words = format!("sampler={sampler},batch={batch}");
            let own = rows.iter().filter(|r| {
                r.codec == sampler
                    && r.settings.contains(&words)
                    && r.settings.contains(&format!("fraction={fraction},"))
            });
            assert_eq!(own.count(), 2, "{words}");
        }
    }
    assert!(rows.iter().all(|r| r.encode_seconds.is_some_and(|s| s > 0.0)));
    assert!(fs::read(bench.path("f.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn events_are_made_where_none_are_given() {
    let bench = Bench::new(&[]);
    let made = bench.run(&[
        "reproduce",
        "task3",
        "--shape=24,20,8",
        "--events=2",
        "--seed=5",
        "--steps=2",
        "--fractions=0.5",
        "-o",
        "rows.json",
        "--json",
        "--fit=hidden=4",
    ]);
    let lines = json_lines(&made);
    let inputs: Vec<&str> = lines.iter().map(|l| l["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["synth_5", "synth_5", "synth_6", "synth_6"]);
    assert_eq!(record::read(&bench.path("rows.json")).unwrap().len(), 4);
}

#[test]
fn what_cannot_be_run_is_named_and_nothing_written() {
    let bench = Bench::new(&["a.npy"]);
    fs::write(bench.path("words.npy"), b"not an array").unwrap();
    fs::write(bench.path("rows.txt"), b"").unwrap();
    let files = bench.files();
    let task = |args: &[&str]| bench.run(&[&["reproduce"], args, &["--steps=1", "--figure=f.svg"]].concat());
    let named = |args: &[&str], subject: &str, reason: &str| {
        let output = task(&[args, &["-o=out.csv"]].concat());
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{message}");
        assert!(
            message.starts_with(&format!("inrfit: {subject}")) && message.lines().count() == 1,
            "{message}"
        );
        assert!(message.contains(reason) && output.stdout.is_empty(), "{message}");
    };
    named(&["task1", "a.npy", "--factors=3"], "factor 3", "1, 4, 8, 16");
    named(&["task2", "a.npy", "--models=cnn"], "'cnn'", "wire-real");
    named(&["task3", "a.npy", "--fractions=1.5"], "a fraction of 1.5", "at most 1");
    named(&["task3", "a.npy", "--samplers=dice"], "settings 'mode=field", "dice");
    named(&["task1", "a.npy", "--fit=mode=masked"], "--fit mode=masked", "no mode but field");
    named(&["task2", "a.npy", "--fit=hidden=3"], "--fit hidden=3", "sets by itself");
    named(&["task1", "a.npy", "--fit=width=3"], "settings 'mode=field", "--width");
    named(&["task1", "a.npy", "--events=2"], "--events 2", "1 that were given");
    assert_eq!(task(&["task1", "a.npy"]).status.code(), Some(2), "no output is named");
    assert_fails(&task(&["task1", "a.npy", "-o=rows.txt", "-f"]), 2, "rows.txt", ".csv or .json");
    assert_fails(&task(&["task1", "a.npy", "-o=a.npy"]), 2, "a.npy", "--force");
    assert_fails(&task(&["task1", "none.npy", "-o=out.csv"]), 3, "none.npy", "");
    assert_fails(&task(&["task1", "a.npy", "words.npy", "-o=out.csv"]), 4, "words.npy", "");
    assert_fails(&task(&["task1", "--from=rows.txt"]), 4, "rows.txt", "");
    let other = task(&["task1", "a.npy", "--device=abacus", "-o=out.csv"]);
    assert!(other.status.code() == Some(2) && text(&other.stderr).contains("cuda"));
    assert_eq!(bench.files(), files);
}

#[test]
fn rows_of_another_task_are_named() {
    let bench = Bench::new(&[]);
    let rows = "input,codec,settings,raw_bytes,bytes\na,siren,\"hidden=8,layers=3\",10,1\n";
    fs::write(bench.path("task2.csv"), rows).unwrap();
    let files = bench.files();
    for task in ["task1", "task3"] {
        let output = bench.run(&["reproduce", task, "--from=task2.csv", "--figure=x.svg"]);
        assert_fails(&output, 2, "task2.csv", "rows of another task");
    }
    assert_eq!(bench.files(), files);
}
