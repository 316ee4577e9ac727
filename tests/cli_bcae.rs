//! `inrfit bcae` as its users run it.
#![cfg(feature = "bcae")]

mod program;

use inrfit::event::{Event, Samples};
use inrfit::io::write_event;
use program::{Bench, assert_fails, json, json_lines, text};
use serde_json::Value;
use std::fs;

/// A folder with synthetic events and manifests.
fn folder() -> Bench {
    let bench = Bench::new(&[]);
    let made = bench.run(&["synth", "-o", "events", "--events", "3", "--shape", "32,25,8", "--quiet"]);
    assert!(made.status.success(), "{}", text(&made.stderr));
    fs::write(bench.path("events/train.txt"), "synth_0.npy\nsynth_1.npy\n\n").unwrap();
    fs::write(bench.path("events/test.txt"), "synth_2.npy\n").unwrap();
    bench
}

#[test]
fn a_network_is_trained_resumed_measured_and_used() {
    let bench = folder();
    let train = |args: &[&str]| {
        bench.run(&[&["bcae", "train", "bcae-ht", "events", "--batch", "1", "--seed", "4"], args].concat())
    };
    let ended = train(&["-o", "a.checkpoint", "--epochs", "2", "--model", "a.model", "--rows", "a.csv"]);
    assert!(ended.status.success(), "{}", text(&ended.stderr));
    let said = text(&ended.stdout);
    assert!(said.contains("epoch 1: ") && said.contains("test, 1 events: log-MAE "), "{said}");
    assert_eq!(fs::read_to_string(bench.path("a.csv")).unwrap().lines().count(), 3);

    // In two parts: the same bytes.
    let rows = json(&train(&["-o", "b.checkpoint", "--epochs", "1", "--json"]));
    assert_eq!(rows["architecture"], "bcae-ht");
    assert!(rows["segmentation"].as_f64().unwrap() > 0.0);
    assert_fails(&train(&["-o", "b.checkpoint", "--epochs", "2"]), 2, "b.checkpoint", "exists already");
    assert!(train(&["-o", "b.checkpoint", "--epochs", "2", "--resume", "--quiet"]).status.success());
    assert_eq!(
        fs::read(bench.path("a.checkpoint")).unwrap(),
        fs::read(bench.path("b.checkpoint")).unwrap(),
        "a resumed training differs"
    );

    let event = "events/synth_2.npy";
    let plain = json(&bench.run(&["bcae", "eval", "--model", "a.model", event, "--json"]));
    assert_eq!(plain["codec"], "bcae-ht");
    // Eight channels of (layer, azimuth, z) = 8 x 2 x 2 halves, and 29 bytes around them.
    assert_eq!(plain["bytes"], 2 * 8 * 8 * 2 * 2 + 29);
    let packed = json(&bench.run(&["bcae", "eval", "--model", "a.model", event, "--packed", "--json"]));
    assert!(packed["bytes"].as_u64() <= plain["bytes"].as_u64());
    assert_eq!(packed["log_mae"], plain["log_mae"]);

    // The same among the rivals; a byte more says the type of the samples.
    let row = json_lines(&bench.run(&["bench", event, "--codec", "bcae:model=a.model", "--json", "-q"]));
    assert_eq!(row[0]["bytes"].as_u64(), plain["bytes"].as_u64().map(|n| n + 1));
    assert_eq!(row[0]["log_mae"], plain["log_mae"]);
    let refused = bench.run(&["bench", event, "--codec", "bcae:model=nowhere.model"]);
    assert_fails(&refused, 3, "codec 'bcae:model=nowhere.model'", "nowhere.model: No such file");

    // What a resumed training would not go on from as it was.
    let again = |more: &[&str]| train(&[&["-o", "a.checkpoint", "--resume"], more].concat());
    assert_fails(
        &again(&["--epochs", "1"]),
        2,
        "a.checkpoint",
        "after 2 epochs, which --epochs 1 counts too",
    );
    fs::write(bench.path("events/train.txt"), "synth_0.npy\n").unwrap();
    assert_fails(&again(&["--epochs", "3"]), 2, "a.checkpoint", "trained on 2 events, and train.txt names 1");

    // One event that cannot be read, one that is not of counts: told, and the others measured.
    fs::write(bench.path("events/cut.npy"), &fs::read(bench.path(event)).unwrap()[..500]).unwrap();
    let reals = Event::new([2, 2, 2], Samples::F32(vec![1.5; 8])).unwrap();
    write_event(&bench.path("events/reals.npy"), &reals, false).unwrap();
    let (cut, reals) = ("events/cut.npy", "events/reals.npy");
    let eval = |args: &[&str]| bench.run(&[&["bcae", "eval", "--model", "a.model"], args].concat());
    let mixed = eval(&[event, cut, reals, "events/synth_1.npy", "--json"]);
    assert_eq!(mixed.status.code(), Some(1));
    let rows: Vec<Value> =
        text(&mixed.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| &row["input"]).collect::<Vec<_>>(), [event, "events/synth_1.npy"]);
    let said = text(&mixed.stderr);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!(lines.len(), 2, "{said}");
    assert!(lines[0].starts_with("inrfit: events/cut.npy: "), "{said}");
    assert!(lines[1].starts_with("inrfit: events/reals.npy: ") && lines[1].contains("uint16"), "{said}");
    assert_fails(&eval(&[reals]), 2, reals, "uint16");

    let ignored = eval(&[event, "--keep-above", "0.5"]);
    assert_eq!(ignored.status.code(), Some(2));
    let said = text(&ignored.stderr);
    assert!(said.contains("cannot be used with") && said.contains("--keep-above <P>"), "{said}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let bench = folder();
    let train = |args: &[&str]| bench.run(&[&["bcae", "train"], args, &["--epochs", "1"]].concat());
    assert_fails(&train(&["bcae-ht", "nowhere", "-o", "a"]), 2, "nowhere", "no train.txt");
    // Layers are channels there, and there are 16.
    let refused = train(&["bcae-2d", "events", "-o", "a"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("bcae-2d:4,8,3 takes events of 16 layers"));
    fs::write(bench.path("events/train.txt"), "synth_9.npy\n").unwrap();
    assert_fails(&train(&["bcae-ht", "events", "-o", "a"]), 3, "events/synth_9.npy", "No such file");
    // What is wrong with an event is told before the first step, also of those for the test.
    let wrong = Event::new([32, 25, 4], Samples::U16(vec![70; 3200])).unwrap();
    write_event(&bench.path("events/wrong.npy"), &wrong, false).unwrap();
    fs::write(bench.path("events/train.txt"), "synth_0.npy\nwrong.npy\n").unwrap();
    let refused = train(&["bcae-ht", "events", "-o", "a"]);
    assert_fails(&refused, 2, "events/wrong.npy", "32 x 25 x 4, those before it are of 32 x 25 x 8");
    fs::write(bench.path("events/train.txt"), "synth_0.npy\n").unwrap();
    fs::write(bench.path("events/test.txt"), "wrong.npy\nsynth_8.npy\n").unwrap();
    assert_fails(&train(&["bcae-ht", "events", "-o", "a"]), 3, "events/synth_8.npy", "No such file");
    let refused = train(&["bcae-ht", "events", "-o", "a", "--learning-rate=1e30"]);
    assert_fails(&refused, 2, "learning rate 1e30", "not in 0 to 1");
    assert!(!bench.path("a").exists());

    fs::write(bench.path("junk"), b"no model").unwrap();
    let event = "events/synth_0.npy";
    assert_fails(
        &bench.run(&["bcae", "eval", "--model", "junk", event]),
        4,
        "junk",
        "not a safetensors file",
    );
    let import = |file: &str| bench.run(&["bcae", "import", file, file, "-o", "m"]);
    assert_fails(&import("junk"), 4, "junk", "no PyTorch checkpoint: ");
    assert_fails(&bench.run(&["bcae", "eval", "--vs", "junk", event]), 4, "junk", "");
    // How an archive begins that has lost its end.
    fs::write(bench.path("cut.pt"), [&b"PK\x03\x04"[..], &[0; 200]].concat()).unwrap();
    assert_fails(&import("cut.pt"), 4, "cut.pt", "cut short, or no PyTorch archive: ");
    for missing in ["nope.pt", "nope.safetensors"] {
        assert_fails(&import(missing), 3, missing, "No such file");
    }
    assert_fails(&bench.run(&["bcae", "eval", "--vs", "nope.pth", event]), 3, "nope.pth", "No such file");
    assert_fails(&import("."), 3, ".", "directory");
}

#[test]
fn speeds_are_told() {
    let bench = Bench::new(&[]);
    let again = |more: &[&str]| {
        let words = ["bcae", "throughput", "bcae-ht", "bcae-2d:3,3,3", "--seconds=0", "--rows=rows.csv"];
        bench.run(&[&words, more].concat())
    };
    let speeds = json_lines(&again(&["--json"]));
    let rows = inrfit_figures::encoders::read(&bench.path("rows.csv")).unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(speeds[1]["wedges_per_second"], rows[1].wedges_per_second);
    let output = bench.run(&["draw", "encoders", "rows.csv", "-o=e.svg"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_fails(&again(&[]), 2, "rows.csv", "exists already");
    assert_eq!(speeds[0]["encoder_parameters"], 10_062);
    assert_eq!(speeds[0]["code_shape"], "8x16x12x16");
    assert_eq!(speeds[1]["precision"], "full");
    assert!(speeds.iter().all(|speed| speed["wedges_per_second"].as_f64().unwrap() > 0.0));
}
