//! The program as its users run it: files, figures, exit codes.

mod program;

use inrfit::event::{Event, Samples};
use inrfit::io::{read_event, write_event};
use program::{Bench, QUICK, SHAPE, assert_fails, event, json, json_lines, text};
use serde_json::Value;
use std::fs;
use std::process::{Command, Output, Stdio};

const KEYS: [&str; 22] = [
    "input",
    "output",
    "mode",
    "shape",
    "raw_bytes",
    "bytes",
    "ratio",
    "mse",
    "mae",
    "log_mae",
    "log_mse",
    "psnr_db",
    "precision",
    "recall",
    "max_error",
    "max_log_error",
    "occupancy",
    "n_weights",
    "layers",
    "seconds",
    "device",
    "physics",
];
const FIGURES: [&str; 10] = [
    "mse",
    "mae",
    "log_mae",
    "log_mse",
    "psnr_db",
    "precision",
    "recall",
    "max_error",
    "max_log_error",
    "occupancy",
];

fn assert_keys(row: &Value) {
    let mut found: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
    let mut expected = KEYS.to_vec();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

#[test]
fn an_event_goes_there_and_back() {
    let bench = Bench::new(&["a.npy"]);
    let packed = json(&bench.compress(&["a.npy", "--json"]));
    assert_keys(&packed);
    let original = event(0);
    assert_eq!(packed["input"], "a.npy");
    assert_eq!(packed["output"], "a.npy.inrfit");
    assert_eq!(packed["mode"], "masked");
    assert_eq!(packed["shape"], serde_json::json!(SHAPE));
    assert_eq!(packed["raw_bytes"], original.raw_bytes());
    let n_bytes = fs::metadata(bench.path("a.npy.inrfit")).unwrap().len();
    assert_eq!(packed["bytes"], n_bytes);
    assert_eq!(packed["ratio"], original.raw_bytes() as f64 / n_bytes as f64);
    let layers: u64 = packed["layers"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    assert_eq!(layers, n_bytes);
    for stage in ["fit", "pack", "verify"] {
        assert!(packed["seconds"][stage].as_f64().unwrap() >= 0.0);
    }

    let unpacked = bench.run(&["decompress", "a.npy.inrfit", "-o", "b.npy"]);
    assert_eq!(unpacked.status.code(), Some(0), "{}", text(&unpacked.stderr));
    assert!(text(&unpacked.stdout).starts_with("a.npy.inrfit -> b.npy: 24 x 20 x 8 uint16"));
    let decoded = read_event(&bench.path("b.npy")).unwrap();
    assert_eq!((decoded.shape(), decoded.dtype()), (original.shape(), original.dtype()));
    assert_keys(&json(&bench.run(&["decompress", "a.npy.inrfit", "-o=b.npy", "--force", "--json"])));

    let from_file = json(&bench.run(&["eval", "a.npy", "a.npy.inrfit", "--json"]));
    assert_keys(&from_file);
    for key in ["mode", "shape", "raw_bytes", "bytes", "ratio", "n_weights", "layers", "device"] {
        assert_eq!(from_file[key], packed[key], "{key}");
    }
    let from_array = json(&bench.run(&["eval", "a.npy", "b.npy", "--json"]));
    assert_keys(&from_array);
    assert!(from_array["bytes"].is_null() && from_array["mode"].is_null());
    for key in FIGURES {
        assert!(packed[key].is_number(), "{key}");
        assert_eq!(from_file[key], packed[key], "{key}");
        assert_eq!(from_array[key], packed[key], "{key}");
    }
    assert_eq!(bench.files(), ["a.npy", "a.npy.inrfit", "b.npy"]);
}

#[test]
fn figures_are_those_of_the_arrays() {
    let bench = Bench::new(&["a.npy"]);
    let same = json(&bench.run(&["eval", "a.npy", "a.npy", "--json"]));
    assert_eq!((&same["mse"], &same["recall"]), (&Value::from(0.0), &Value::from(1.0)));
    assert!(same["psnr_db"].is_null(), "an exact copy's PSNR is infinite");
    let zeros = Event::new(SHAPE, Samples::U16(vec![0; SHAPE.iter().product()])).unwrap();
    write_event(&bench.path("zeros.npy"), &zeros, false).unwrap();
    let with_peak = |peak: &str| json(&bench.run(&["eval", "a.npy", "zeros.npy", "--json", "--peak", peak]));
    let (once, tenfold) = (with_peak("1000"), with_peak("10000"));
    let gain = tenfold["psnr_db"].as_f64().unwrap() - once["psnr_db"].as_f64().unwrap();
    assert!((gain - 20.0).abs() < 1e-9, "{gain}");
    assert_eq!(once["recall"], 0.0);
}

#[test]
fn clusters_are_told_to_people_and_programs() {
    let bench = Bench::new(&["a.npy"]);
    let original = event(0);
    let scaled = (0..original.n_voxels()).map(|i| (original.samples().get(i) * 1.25) as u16).collect();
    write_event(&bench.path("b.npy"), &Event::new(SHAPE, Samples::U16(scaled)).unwrap(), false).unwrap();
    let physics = |more: &[&str]| {
        let args = [&["eval", "a.npy", "b.npy", "--json"], more].concat();
        json(&bench.run(&args))["physics"].clone()
    };
    let default = physics(&[]);
    assert!(default["all"]["n_clusters"].as_u64().unwrap() > 0, "{default}");
    assert_eq!(default["by_amplitude"].as_array().unwrap().len(), 6);
    let (n, lost) = (&default["all"]["n_clusters"], &default["all"]["n_lost"]);
    let matched = n.as_u64().unwrap() - lost.as_u64().unwrap();
    assert_eq!(default["all"]["charge"]["n"], matched);
    assert!(default["all"]["charge"]["mean"].as_f64().unwrap() > 0.25, "{default}");
    let same = physics(&[
        "--pedestal",
        &default["pedestal"].to_string(),
        "--prominence",
        &default["prominence"].to_string(),
    ]);
    assert_eq!(same, default);
    assert_eq!(physics(&["--prominence", "1e6"])["all"]["n_clusters"], 0);
    let people = bench.run(&["eval", "a.npy", "b.npy"]);
    let people = text(&people.stdout);
    let row = people.lines().find(|line| line.starts_with("all ")).unwrap();
    assert_eq!(row.split_whitespace().nth(1).unwrap(), n.to_string());
    let refused = bench.run(&["eval", "a.npy", "b.npy", "--pedestal=-1"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("neither 0 nor a positive number"), "{}", text(&refused.stderr));
}

#[test]
fn info_accounts_for_every_byte() {
    let bench = Bench::new(&["a.npy"]);
    let packed = json(&bench.compress(&["a.npy", "--json", "--tile", "12,20,8", "--mode=field"]));
    let info = json(&bench.run(&["info", "a.npy.inrfit", "--json"]));
    for key in ["bytes", "raw_bytes", "ratio", "shape", "mode", "layers", "n_weights", "device"] {
        assert_eq!(info[key], packed[key], "{key}");
    }
    assert_eq!(info["version"], 1);
    assert_eq!(info["dtype"], "uint16");
    assert_eq!(info["tiles"], serde_json::json!({"n": 2, "counts": [2, 1, 1], "largest": [12, 20, 8]}));
    assert_eq!((&info["network"]["hidden"], &info["network"]["heads"]), (&Value::from(8), &Value::from(2)));
    let mut next = 9;
    for record in info["records"].as_array().unwrap() {
        assert_eq!(record["offset"], next);
        next += record["bytes"].as_u64().unwrap();
    }
    assert_eq!(info["bytes"], next);

    let human = text(&bench.run(&["info", "a.npy.inrfit"]).stdout);
    for part in ["format version 1", "24 x 20 x 8 uint16", "siren: 3 hidden layers of 8 units", "0x83"] {
        assert!(human.contains(part), "{part} in {human}");
    }
}

#[test]
fn a_masked_file_keeps_occupancy_and_says_so() {
    let bench = Bench::new(&["a.npy"]);
    let row = json(&bench.compress(&["a.npy", "--mode", "masked", "--optimise", "mse", "--json"]));
    assert_eq!(row["mode"], "masked");
    assert_eq!((&row["precision"], &row["recall"]), (&Value::from(1.0), &Value::from(1.0)));
    assert!(row["layers"]["support"].as_u64() > Some(0) && row["layers"]["field"].as_u64() > Some(0));
    let human = text(&bench.run(&["info", "a.npy.inrfit"]).stdout);
    for part in ["mode         masked", "features of the support", "0x84", "support"] {
        assert!(human.contains(part), "{part} in {human}");
    }
}

#[test]
fn exit_codes_tell_what_is_wrong() {
    let bench = Bench::new(&["a.npy"]);
    json(&bench.compress(&["a.npy", "--json"]));
    let good = fs::read(bench.path("a.npy.inrfit")).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(bench.path(name), bytes).unwrap();
    put("cut.inrfit", &good[..good.len() - 3]);
    put("flip.inrfit", &{
        let mut bytes = good.clone();
        bytes[40] ^= 1;
        bytes
    });
    put("newer.inrfit", &{
        let mut bytes = good.clone();
        bytes[8] = 99;
        bytes
    });
    put("words.inrfit", b"not a compressed event");
    put("text.npy", b"not an array");
    fs::create_dir(bench.path("dir")).unwrap();
    let files = bench.files();

    for command in ["decompress", "info"] {
        assert_fails(&bench.run(&[command, "none.inrfit"]), 3, "none.inrfit", "");
        assert_fails(&bench.run(&[command, "cut.inrfit"]), 4, "cut.inrfit", "at byte");
        assert_fails(&bench.run(&[command, "flip.inrfit"]), 4, "flip.inrfit", "at byte");
        assert_fails(&bench.run(&[command, "words.inrfit"]), 4, "words.inrfit", "not an inrfit file");
        assert_fails(&bench.run(&[command, "newer.inrfit"]), 5, "newer.inrfit", "version");
    }
    assert_fails(&bench.run(&["info", "a.npy"]), 4, "a.npy", "inrfit compress");
    assert_fails(&bench.run(&["info", "dir"]), 2, "dir", "is a folder");
    assert_fails(&bench.compress(&["none.npy"]), 3, "none.npy", "");
    assert_fails(&bench.compress(&["dir"]), 2, "dir", "");
    assert_fails(&bench.compress(&["text.npy"]), 4, "text.npy", "");
    assert_fails(&bench.compress(&["a.npy", "-o=x", "--device=cuda"]), 7, "a.npy", "--device cpu");
    assert_fails(&bench.run(&["eval", "a.npy", "cut.inrfit"]), 4, "cut.inrfit", "at byte");
    assert_fails(&bench.run(&["decompress", "a.npy"]), 2, "a.npy", "-o");
    for wrong in [&["--bits=1"][..], &["--heads=3"], &["--mode=exact"], &["--sampler=best"], &["--tile=1,2"]]
    {
        assert_eq!(bench.compress(&[&["a.npy", "-o=x"], wrong].concat()).status.code(), Some(2), "{wrong:?}");
    }
    assert_eq!(bench.files(), files, "failures write nothing");
}

#[test]
fn limits_are_kept_and_raised() {
    let bench = Bench::new(&[]);
    let shape = [128, 128, 64];
    let zeros = Event::new(shape, Samples::U16(vec![0; 128 * 128 * 64])).unwrap();
    write_event(&bench.path("zeros.npy"), &zeros, false).unwrap();
    assert_eq!(bench.compress(&["zeros.npy"]).status.code(), Some(0));
    let decompress =
        |mib: &str| bench.run(&["decompress", "zeros.npy.inrfit", "-o=b.npy", "--max-memory", mib]);
    assert_fails(&decompress("1"), 6, "zeros.npy.inrfit", "--max-memory");
    assert_eq!(decompress("2").status.code(), Some(0));
    assert_eq!(read_event(&bench.path("b.npy")).unwrap(), zeros);
}

#[test]
fn outputs_are_not_overwritten_unasked() {
    let bench = Bench::new(&["a.npy"]);
    fs::write(bench.path("a.npy.inrfit"), b"precious").unwrap();
    assert_fails(&bench.compress(&["a.npy"]), 2, "a.npy.inrfit", "--force");
    assert_eq!(fs::read(bench.path("a.npy.inrfit")).unwrap(), b"precious");
    assert_eq!(bench.compress(&["a.npy", "--force"]).status.code(), Some(0));
    let original = fs::read(bench.path("a.npy")).unwrap();
    assert_fails(&bench.run(&["decompress", "a.npy.inrfit"]), 2, "a.npy", "--force");
    assert_fails(&bench.compress(&["a.npy", "-o=./a.npy", "--force"]), 2, "a.npy", "same file");
    assert_eq!(fs::read(bench.path("a.npy")).unwrap(), original);
    assert_eq!(bench.run(&["decompress", "a.npy.inrfit", "--force"]).status.code(), Some(0));
    assert_ne!(fs::read(bench.path("a.npy")).unwrap(), original);
    assert_eq!(bench.files(), ["a.npy", "a.npy.inrfit"]);
}

#[test]
fn a_broken_input_does_not_stop_the_others() {
    let bench = Bench::new(&["a.npy", "c.npy"]);
    fs::write(bench.path("b.npy"), b"not an array").unwrap();
    fs::create_dir(bench.path("out")).unwrap();
    let output = bench.compress(&["a.npy", "b.npy", "c.npy", "-o", "out", "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let stderr = text(&output.stderr);
    assert!(stderr.starts_with("inrfit: b.npy: ") && stderr.lines().count() == 1, "{stderr}");
    let stdout = text(&output.stdout);
    let rows: Vec<Value> = stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let inputs: Vec<&str> = rows.iter().map(|r| r["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["a.npy", "c.npy"]);
    let mut packed: Vec<_> =
        fs::read_dir(bench.path("out")).unwrap().map(|e| e.unwrap().file_name()).collect();
    packed.sort();
    assert_eq!(packed, ["a.npy.inrfit", "c.npy.inrfit"]);
}

#[test]
fn clashing_outputs_are_refused_before_work() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    fs::create_dir(bench.path("other")).unwrap();
    fs::create_dir(bench.path("out")).unwrap();
    fs::copy(bench.path("a.npy"), bench.path("other/a.npy")).unwrap();
    let clash = bench.compress(&["a.npy", "b.npy", "other/a.npy", "-o=out"]);
    assert_eq!(clash.status.code(), Some(2));
    assert!(text(&clash.stderr).contains("both"), "{}", text(&clash.stderr));
    assert_eq!(fs::read_dir(bench.path("out")).unwrap().count(), 0);
    assert_fails(&bench.compress(&["a.npy", "b.npy", "-o=one.inrfit"]), 2, "one.inrfit", "folder");
    assert_fails(&bench.compress(&["a.npy", "-o=none/one.inrfit"]), 2, "none/one.inrfit", "create it");
    assert_eq!(bench.files(), ["a.npy", "b.npy", "other", "out"]);
}

#[test]
fn a_folder_takes_results_by_name() {
    let bench = Bench::new(&["a.npy"]);
    fs::create_dir(bench.path("out")).unwrap();
    assert_eq!(bench.compress(&["a.npy", "-o=out"]).status.code(), Some(0));
    assert_eq!(bench.run(&["decompress", "out/a.npy.inrfit", "-o=out"]).status.code(), Some(0));
    assert!(bench.path("out/a.npy").is_file());
    fs::create_dir(bench.path("a.npy.inrfit")).unwrap();
    assert_fails(&bench.compress(&["a.npy", "--force"]), 2, "a.npy.inrfit", "is a folder");
}

#[test]
fn quiet_says_nothing() {
    let bench = Bench::new(&["a.npy"]);
    let silent = |output: Output| {
        assert_eq!(output.status.code(), Some(0));
        assert_eq!((text(&output.stdout), text(&output.stderr)), (String::new(), String::new()));
    };
    silent(bench.compress(&["a.npy", "--quiet"]));
    silent(bench.run(&["decompress", "a.npy.inrfit", "-o=b.npy", "-q"]));
    silent(bench.run(&["eval", "a.npy", "b.npy", "-q"]));
    let loud = bench.run(&["eval", "a.npy", "b.npy"]);
    assert!(text(&loud.stdout).starts_with("a.npy -> b.npy: 7680 bytes, log-MAE "), "{}", text(&loud.stdout));
}

#[test]
fn bytes_do_not_depend_on_threads() {
    let bench = Bench::new(&["a.npy"]);
    for n in ["1", "2"] {
        let output = bench.compress(&["a.npy", "--threads", n, "-o", &format!("{n}.inrfit"), "--seed=7"]);
        assert_eq!(output.status.code(), Some(0));
    }
    let read = |name: &str| fs::read(bench.path(name)).unwrap();
    assert_eq!(read("1.inrfit"), read("2.inrfit"));
    assert_eq!(bench.compress(&["a.npy", "-o=other.inrfit", "--seed=8"]).status.code(), Some(0));
    assert_ne!(read("1.inrfit"), read("other.inrfit"), "the seed counts");
}

#[test]
fn bench_makes_a_row_for_each_input_and_settings() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let specs =
        ["mode=field,hidden=8,steps=30,batch=256", "mode=field,hidden=8,steps=30,batch=256,bits=float"];
    let run = |args: &[&str]| bench.run(&[&["bench", "a.npy", "b.npy"], args].concat());
    let output = run(&["-o", "rows.csv", "--settings", specs[0], specs[1]]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let rows = inrfit_figures::record::read(&bench.path("rows.csv")).unwrap();
    let runs: Vec<(&str, &str)> = rows.iter().map(|r| (r.input.as_str(), r.settings.as_str())).collect();
    assert_eq!(runs, [("a", specs[0]), ("a", specs[1]), ("b", specs[0]), ("b", specs[1])]);
    for row in &rows {
        assert_eq!((row.codec.as_str(), row.raw_bytes), ("inr:field", Some(7680)));
        assert!(row.n_weights > Some(0) && row.encode_seconds > Some(0.0) && row.decode_seconds > Some(0.0));
        assert!(row.log_mae.is_some() && row.recall.is_some() && row.threads.is_some());
    }
    let stdout = text(&output.stdout);
    let total: u64 = rows.iter().filter(|r| r.settings == specs[1]).filter_map(|r| r.bytes).sum();
    let line = stdout.lines().last().unwrap();
    assert!(line.starts_with(specs[1]) && line.contains(&format!(" 15360 {total:>10} ")), "{stdout}");

    assert_fails(&run(&["-o=rows.csv"]), 2, "rows.csv", "--force");
    assert_eq!(run(&["--settings", "width=3"]).status.code(), Some(2));
    assert_eq!(run(&["-o=rows.txt"]).status.code(), Some(2));
    assert_eq!(bench.files(), ["a.npy", "b.npy", "rows.csv"]);

    let lines = json_lines(&run(&["--json", "--quiet", "--settings", specs[0]]));
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[1]["input"], &lines[1]["bytes"]), (&Value::from("b"), &Value::from(rows[2].bytes)));
}

#[test]
fn the_demo_leaves_its_files() {
    let bench = Bench::new(&[]);
    let output = bench.run(&["demo", "--steps=3", "-o=d"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let stdout = text(&output.stdout);
    for part in ["ratio", "log-MAE", "precision", "recall", "3 steps"] {
        assert!(stdout.contains(part), "{part} in {stdout}");
    }
    let original = read_event(&bench.path("d/event.npy")).unwrap();
    let decoded = read_event(&bench.path("d/decoded.npy")).unwrap();
    assert_eq!(original.shape(), decoded.shape());
    assert!(fs::read(bench.path("d/event.png")).unwrap().starts_with(b"\x89PNG"));
    assert_eq!(json(&bench.run(&["info", "d/event.npy.inrfit", "--json"]))["mode"], "masked");
    assert_fails(&bench.run(&["demo", "--steps=3", "-o=d"]), 2, "d/event.npy", "--force");
    assert_eq!(fs::read_dir(bench.path("d")).unwrap().count(), 4);
    assert_eq!(bench.run(&["demo", "--steps=0", "-o=e"]).status.code(), Some(2));
    assert_eq!(bench.files(), ["d"], "a demo that fails leaves nothing");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let args = [&["compress", "a.npy", "b.npy", "--json"], &QUICK[..]].concat();
    let mut child = bench.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(bench.path("b.npy.inrfit").is_file(), "the work goes on");
}

#[test]
fn help_has_examples_and_exit_codes() {
    let bench = Bench::new(&[]);
    let help = text(&bench.run(&["--help"]).stdout);
    assert!(help.contains("Examples:") && help.contains("Exit codes:") && help.contains("130  interrupted"));
    for command in
        ["compress", "decompress", "info", "eval", "bench", "curve", "demo", "completions", "man", "synth"]
    {
        let output = bench.run(&[command, "--help"]);
        assert_eq!(output.status.code(), Some(0));
        assert!(text(&output.stdout).contains("Examples:"), "{command}");
    }
    assert_eq!(bench.run(&[]).status.code(), Some(2));
    assert_eq!(bench.run(&["compress"]).status.code(), Some(2));
    let version = text(&bench.run(&["--version"]).stdout);
    assert_eq!(version.trim(), format!("inrfit {}", env!("CARGO_PKG_VERSION")));
}

/// Not private, as temporary files are.
#[cfg(unix)]
#[test]
fn outputs_have_the_rights_of_new_files() {
    use std::os::unix::fs::PermissionsExt;
    let bench = Bench::new(&["a.npy"]);
    fs::write(bench.path("plain"), b"").unwrap();
    assert_eq!(bench.compress(&["a.npy"]).status.code(), Some(0));
    let rights = |name: &str| fs::metadata(bench.path(name)).unwrap().permissions().mode();
    assert_eq!(rights("a.npy.inrfit"), rights("plain"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_leaves_nothing() {
    let bench = Bench::new(&["a.npy"]);
    let files = bench.files();
    let mut child =
        bench.command(&["compress", "a.npy", "--steps=100000000", "--hidden=16"]).spawn().unwrap();
    // Long enough for the program to have set its handler; the fit would take hours.
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(bench.files(), files);
}

#[test]
fn the_readme_has_every_exit_code() {
    let readme = include_str!("../README.md");
    let help = text(&Bench::new(&[]).run(&["--help"]).stdout);
    let codes = help.split("Exit codes:").nth(1).unwrap().lines().filter_map(|l| l.trim().split_once("  "));
    let rows: Vec<String> = codes.map(|(code, meaning)| format!("| {code} | {meaning} |")).collect();
    assert_eq!(rows.len(), 9);
    for row in rows {
        assert!(readme.contains(&row), "{row}");
    }
}

#[test]
fn events_that_occupancy_tells_are_lossless_files() {
    let bench = Bench::new(&[]);
    let one_voxel = (0..8000).map(|i| if i == 4321 { 7 } else { 0 }).collect();
    for (name, samples) in [("empty.npy", vec![0u16; 8000]), ("one.npy", one_voxel)] {
        let event = Event::new([20; 3], Samples::U16(samples)).unwrap();
        write_event(&bench.path(name), &event, false).unwrap();
        let packed = bench.run(&["compress", name, "--mode", "lossless", "-q"]);
        assert!(packed.status.success(), "{}", text(&packed.stderr));
        let info = json(&bench.run(&["info", &format!("{name}.inrfit"), "--json"]));
        assert_eq!(info["mode"], "lossless", "{name}");
        assert_eq!(info["bound"], "none, every voxel is as it was");
    }
}

#[test]
fn wrong_ways_to_fit_are_named_and_nothing_is_written() {
    let bench = Bench::new(&["a.npy"]);
    let files = bench.files();
    for wrong in [
        "--optimizer=sgd",
        "--optimizer=muon:0",
        "--optimizer=adamw:-1",
        "--clip=0",
        "--clip=nan",
        "--schedule=step",
        "--patience=0",
        "--patience=-1",
        "--preset=better",
    ] {
        let output = bench.run(&["compress", "a.npy", wrong]);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {}", text(&output.stderr));
        assert_eq!(bench.files(), files, "{wrong}");
    }
}
