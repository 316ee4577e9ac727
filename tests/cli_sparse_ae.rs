//! The sparse autoencoder as users of the program meet it.
#![cfg(feature = "sparse-ae")]

mod program;

use inrfit::event::{Event, Samples};
use inrfit::io::write_event;
use program::{Bench, assert_fails, json, json_lines, text};
use std::fs;

const QUICK: [&str; 5] = ["--hidden=20", "--latents=150", "--steps=150", "--batch=16", "--quiet"];

/// Writes 40 images of 10 x 10 float32 pixels: a bar of random place and height, horizontal or vertical.
fn bars(bench: &Bench, name: &str, vertical: bool, seed: usize) {
    let pixel = |i: usize| {
        let (image, row, column) = (i / 100 + 40 * seed, i / 10 % 10, i % 10);
        let along = if vertical { column } else { row };
        if along == image * 7 % 10 { 0.5 + (image * 13 % 17) as f32 / 17.0 } else { 0.0 }
    };
    let event = Event::new([40, 10, 10], Samples::F32((0..4000).map(pixel).collect())).unwrap();
    write_event(&bench.path(name), &event, false).unwrap();
}

#[test]
fn images_are_learned_measured_and_classified() {
    let bench = Bench::new(&[]);
    for (folder, seed) in [("train", 0), ("test", 1)] {
        fs::create_dir(bench.path(folder)).unwrap();
        bars(&bench, &format!("{folder}/across.npy"), false, seed);
        bars(&bench, &format!("{folder}/down.npy"), true, seed);
    }
    let train = |output: &str, more: &[&str]| {
        let args = [
            "sparse-ae",
            "train",
            "train/across.npy",
            "train/down.npy",
            "--learning-rate=5e-3",
            "-o",
            output,
        ];
        bench.run(&[&args[..], &QUICK, more].concat())
    };
    for (output, threads) in [("one.model", "--threads=1"), ("two.model", "--threads=2")] {
        let trained = train(output, &["--lambda=1e-3", threads]);
        assert!(trained.status.success(), "{}", text(&trained.stderr));
    }
    let model = fs::read(bench.path("one.model")).unwrap();
    assert_eq!(model, fs::read(bench.path("two.model")).unwrap());
    let sparser = train("three.model", &["--lambda=3e-2", "--penalty=grad-z", "--from=one.model", "--json"]);
    assert_eq!(json(&sparser)["weights"].as_u64(), Some((101 * 20 + 21 * 150 + 151 * 20 + 21 * 100) as u64));

    let eval =
        ["sparse-ae", "eval", "test/across.npy", "test/down.npy", "--model=one.model", "--model=three.model"];
    let references = ["--references", "train/across.npy", "train/down.npy", "--json", "-o", "rows.csv"];
    let rows = json_lines(&bench.run(&[&eval[..], &references].concat()));
    let number = |i: usize, name: &str| rows[i][name].as_f64().unwrap();
    assert_eq!((number(0, "n_images"), number(0, "raw_bytes")), (80.0, 32000.0));
    assert!(number(0, "error") < 0.7 * number(0, "norm"), "{}", rows[0]);
    assert!(number(1, "nonzero") < number(0, "nonzero"), "{} {}", rows[0], rows[1]);
    for i in 0..2 {
        assert!((number(i, "ratio") * number(i, "bytes") / 32000.0 - 1.0).abs() < 1e-12);
        assert!((number(i, "nonzero_ratio") * number(i, "nonzero") / 100.0 - 1.0).abs() < 1e-12);
    }
    // The test bars stand where training bars stand.
    assert_eq!(number(0, "neighbour_image"), 1.0);
    assert!(number(0, "neighbour_latent") > 0.8, "{}", rows[0]);
    let table = fs::read_to_string(bench.path("rows.csv")).unwrap();
    assert_eq!(table.lines().count(), 3);
    assert!(
        table.starts_with("images,model,penalty,lambda,")
            && table.contains("\nacross+down,three,grad-z,0.03,")
    );
}

#[test]
fn patches_of_events_are_images() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let train = ["sparse-ae", "train", "a.npy", "--patches=10", "-o", "tpc.model"];
    let trained = bench.run(&[&train[..], &QUICK].concat());
    assert!(trained.status.success(), "{}", text(&trained.stderr));
    let row =
        json(&bench.run(&["sparse-ae", "eval", "b.npy", "--patches=10", "--model=tpc.model", "--json"]));
    // 24 x 20 x 8 samples of two bytes: two by two patches a layer.
    assert_eq!((row["n_images"].as_u64(), row["raw_bytes"].as_u64()), (Some(32), Some(6400)));
    assert_eq!(row["neighbour_image"].as_f64(), None);
}

#[test]
fn what_cannot_be_done_is_an_error() {
    let bench = Bench::new(&["a.npy"]);
    // 24 images of 20 x 8.
    let train = ["sparse-ae", "train", "a.npy", "--hidden=4", "--latents=200", "--steps=1", "-o", "a.model"];
    assert!(bench.run(&train).status.success());
    assert_fails(&bench.run(&train), 2, "a.model", "--force");
    // As it is, then of other sizes.
    let further =
        ["sparse-ae", "train", "a.npy", "--from=a.model", "--latents=200", "--steps=1", "-o", "b.model"];
    let further = |more: &[&str]| bench.run(&[&further[..], more].concat());
    assert!(further(&["--hidden=4"]).status.success());
    let refused = text(&further(&["--hidden=5", "--force"]).stderr);
    let sizes = "4 hidden units and 200 latents for images of 20 x 8, not 5 and 200 for 20 x 8";
    assert!(refused.contains(sizes) && refused.contains("--hidden and --latents"), "{refused}");
    bars(&bench, "bars.npy", true, 0);
    let mixed = bench.run(&["sparse-ae", "train", "a.npy", "bars.npy", "--steps=1", "-o", "c.model"]);
    assert_fails(&mixed, 2, "bars.npy", "images of 10 x 10, those before it are of 20 x 8");
    let eval = |more: &[&str]| bench.run(&[&["sparse-ae", "eval", "a.npy"][..], more].concat());
    assert_fails(&eval(&["--model=a.npy"]), 4, "a.npy", "no model");
    assert_fails(&eval(&["--patches=10", "--model=a.model"]), 2, "a.model", "size");
    assert_fails(&eval(&["--patches=21", "--model=a.model"]), 2, "a.npy", "21");
    assert_fails(&eval(&["--model=a.model", "--references", "b.npy"]), 2, "b.npy", "no input has that name");
}
