//! `inrfit query` and `inrfit decompress --scale` as their users run them.

mod program;

use inrfit::io::npy::{read_points, write_table};
use inrfit::io::read_event;
use program::{Bench, QUICK, SHAPE, assert_fails, event, json, json_lines, text};
use std::fs;

/// A folder with a masked and a lossless file, and one of several tiles.
fn bench() -> Bench {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    json(&bench.compress(&["a.npy", "--json"]));
    json(&bench.compress(&["a.npy", "-o=lossless.inrfit", "--mode=lossless", "--json"]));
    json(&bench.compress(&["a.npy", "-o=tiles.inrfit", "--mode=field", "--tile=12,20,8", "--json"]));
    let packed =
        bench.run(&[&["compress", "a.npy", "b.npy", "--pack", "-o=pack.inrfit"], &QUICK[..]].concat());
    assert_eq!(packed.status.code(), Some(0), "{}", text(&packed.stderr));
    bench
}

/// What stands before the numbers of an array.
fn header(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..128]).into_owned()
}

fn put(bench: &Bench, name: &str, shape: &[usize], values: &[f64]) {
    let mut bytes = Vec::new();
    write_table(&mut bytes, shape, values).unwrap();
    fs::write(bench.path(name), bytes).unwrap();
}

#[test]
fn points_are_answered_in_lines_json_and_arrays() {
    let bench = bench();
    let decoded = bench.run(&["decompress", "a.npy.inrfit", "-o=d.npy"]);
    assert_eq!(decoded.status.code(), Some(0));
    let decoded = read_event(&bench.path("d.npy")).unwrap();
    let at = |a: usize, b: usize, c: usize| decoded.samples().get((a * SHAPE[1] + b) * SHAPE[2] + c);
    // A place that is occupied, as are the voxels around it.
    let lines = bench.run(&["query", "a.npy.inrfit", "--gradient", "0,2,0", "0,2.5,0", "--", "-0.25,19,7.5"]);
    assert_eq!(lines.status.code(), Some(0), "{}", text(&lines.stderr));
    let lines = text(&lines.stdout);
    let numbers: Vec<Vec<f64>> =
        lines.lines().map(|l| l.split(' ').map(|n| n.parse().unwrap()).collect()).collect();
    assert_eq!(numbers.iter().map(Vec::len).collect::<Vec<_>>(), [7, 7, 7]);
    assert_eq!(numbers[0][..4], [0.0, 2.0, 0.0, at(0, 2, 0)]);
    assert_eq!(numbers[2][..4], [-0.25, 19.0, 7.5, 0.0]);
    assert!(numbers[1][3] > 0.0 && numbers[1][5] != 0.0, "{lines}");

    let rows = json_lines(&bench.run(&["query", "a.npy.inrfit", "0,2,0", "0,2.5,0", "--json"]));
    assert_eq!(rows[0], serde_json::json!({"point": [0.0, 2.0, 0.0], "value": at(0, 2, 0)}));
    assert_eq!(rows[1]["value"].as_f64().unwrap() as f32, numbers[1][3] as f32);

    put(&bench, "p.npy", &[2, 3], &[0.0, 2.0, 0.0, 0.0, 2.5, 0.0]);
    let made = bench.run(&["query", "a.npy.inrfit", "--points", "p.npy", "-o=v.npy", "--gradient"]);
    assert!(text(&made.stdout).starts_with("a.npy.inrfit -> v.npy: 2 points"), "{}", text(&made.stderr));
    let table = fs::read(bench.path("v.npy")).unwrap();
    assert!(header(&table).contains("'descr': '<f8'") && header(&table).contains("(2, 4)"));
    let first: Vec<f64> = table[128..].as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect();
    assert_eq!(first[0], at(0, 2, 0));
    assert!((first[4] - numbers[1][3]).abs() < 1e-3 && first.len() == 8);
    // One column makes an array of one axis, which NumPy writes with a comma.
    let made = bench.run(&["query", "a.npy.inrfit", "--points=p.npy", "-o=v.npy", "--force", "--quiet"]);
    assert_eq!((made.status.code(), text(&made.stdout)), (Some(0), String::new()));
    assert!(header(&fs::read(bench.path("v.npy")).unwrap()).contains("(2,)"));
    // To a pipe, and points from one.
    let piped = bench.run(&["query", "a.npy.inrfit", "--points=p.npy", "-o=-"]);
    assert_eq!(piped.stdout, fs::read(bench.path("v.npy")).unwrap());
    let of_pack = json(&bench.run(&["query", "pack.inrfit", "--event=0", "0,2,0", "--json"]));
    assert_eq!(of_pack["value"], at(0, 2, 0));
    let normalised = json(&bench.run(&["query", "a.npy.inrfit", "--normalised", "--json", "--", "-1,-1,-1"]));
    assert_eq!(normalised["value"], at(0, 0, 0));
    let field = json(&bench.run(&["query", "a.npy.inrfit", "0,10,0", "--field", "--json"]));
    assert!(at(0, 10, 0) == 0.0 && field["value"].as_f64().unwrap() > 0.0, "as if it were occupied");
    let outside = json(&bench.run(&["query", "a.npy.inrfit", "30,2,0", "--extrapolate", "--json"]));
    assert_eq!(outside["value"], 0.0);
}

#[test]
fn grids_are_written_as_arrays() {
    let bench = bench();
    assert_eq!(bench.run(&["decompress", "a.npy.inrfit", "-o=d.npy"]).status.code(), Some(0));
    let native = fs::read(bench.path("d.npy")).unwrap();
    for options in [&["--scale=1"][..], &["--shape=24,20,8"], &["--shape=24,20,8", "--end-aligned"]] {
        let made = bench.run(&[&["decompress", "a.npy.inrfit", "-o=-"], options].concat());
        assert_eq!(made.stdout, native, "{options:?}: {}", text(&made.stderr));
    }
    let made = bench.run(&["decompress", "tiles.inrfit", "-o=fine.npy", "--scale=2,2.5,1", "--json"]);
    let row = json(&made);
    assert_eq!((&row["shape"], &row["ratio"]), (&serde_json::json!([48, 50, 8]), &serde_json::Value::Null));
    assert_eq!(read_event(&bench.path("fine.npy")).unwrap().shape(), [48, 50, 8]);
    // A box of it, by way of its points.
    let made =
        bench.run(&["decompress", "tiles.inrfit", "-o=part.npy", "--region=3:5,0:20,4:5", "--scale=2"]);
    assert!(text(&made.stdout).contains("4 x 40 x 2 uint16"), "{}", text(&made.stderr));
    let part = read_event(&bench.path("part.npy")).unwrap();
    let mut points = Vec::new();
    for i in 0..part.n_voxels() {
        let [a, b, c] = inrfit::event::unravel(i, part.shape()).map(|x| (x as f64 + 0.5) / 2.0 - 0.5);
        points.extend([3.0 + a, b, 4.0 + c]);
    }
    put(&bench, "p.npy", &[part.n_voxels(), 3], &points);
    let made = bench.run(&["query", "tiles.inrfit", "--points=p.npy", "-o=v.npy"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let values = fs::read(bench.path("v.npy")).unwrap();
    let values = values[128..].as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b));
    for (i, v) in values.enumerate() {
        assert_eq!(part.samples().get(i), v.round_ties_even(), "point {i}");
    }
    // A pack becomes one array of grids, each as of its own file.
    let made = bench.run(&["decompress", "pack.inrfit", "-o=all.npy", "--scale=2"]);
    assert_eq!(made.status.code(), Some(0), "{}", text(&made.stderr));
    let all = fs::read(bench.path("all.npy")).unwrap();
    let one = bench.run(&["decompress", "pack.inrfit", "--event=1", "--scale=2", "-o=-"]).stdout;
    assert!(header(&all).contains("(2, 48, 40, 16)"));
    assert_eq!(all.len() - 128, 2 * (one.len() - 128));
    assert_eq!(all[128 + one.len() - 128..], one[128..]);
    let raw = bench.run(&["decompress", "pack.inrfit", "--event=1", "--scale=2", "--raw", "-o=-"]).stdout;
    assert_eq!(raw, one[128..]);
}

#[test]
fn every_family_is_told_asked_and_resampled() {
    let bench = Bench::new(&["a.npy"]);
    let constants: [(&str, &str, &[&str]); 5] = [
        ("siren", "30:7", &["omega_first", "omega_hidden"]),
        ("ffnet", "1.5", &["scale", "seed", "n_frequencies"]),
        ("mfn", "20", &["omega"]),
        ("wire", "4:2", &["omega", "scale"]),
        ("wire-real", "3:0.5", &["omega", "scale"]),
    ];
    for (model, value, names) in constants {
        for mode in ["field", "masked"] {
            let (name, of) = (format!("{mode}_{model}.inrfit"), format!("{mode} {model}"));
            let row = json(&bench.compress(&[
                "a.npy",
                &format!("--model={model}"),
                &format!("--constants={value}"),
                &format!("--mode={mode}"),
                &format!("-o={name}"),
                "--json",
            ]));
            let info = json(&bench.run(&["info", &name, "--json"]));
            let network = &info["network"];
            let told = network["model"].as_str().unwrap();
            assert!(told == model || told == "conditioned siren" && of == "masked siren", "{told}: {of}");
            assert_eq!(network["hidden"], 8, "{of}");
            assert_eq!(network["features"].as_u64() > Some(0), mode == "masked", "{of}");
            assert_eq!((&network["n_weights"], &info["n_weights"]), (&row["n_weights"], &row["n_weights"]));
            for (name, value) in names.iter().zip(value.split(':')) {
                assert_eq!(network[name].as_f64(), value.parse().ok(), "{name} of {of}");
            }
            assert!(names.iter().all(|name| network[name].is_number()), "{network}");
            let lines = bench.run(&["info", &name]);
            let lines = text(&lines.stdout);
            assert!(lines.contains(&format!("{told}: 3 hidden layers of 8 units")), "{lines}");

            assert_eq!(bench.run(&["decompress", &name, "-o=d.npy", "--force"]).status.code(), Some(0));
            let decoded = read_event(&bench.path("d.npy")).unwrap();
            let fine = bench.run(&["decompress", &name, "-o=f.npy", "--force", "--scale=3,1,1"]);
            assert_eq!(fine.status.code(), Some(0), "{of}: {}", text(&fine.stderr));
            let fine = read_event(&bench.path("f.npy")).unwrap();
            assert_eq!(fine.shape(), [3 * SHAPE[0], SHAPE[1], SHAPE[2]]);
            let n = SHAPE[1] * SHAPE[2];
            for i in 0..decoded.n_voxels() {
                let got = fine.samples().get((i / n * 3 + 1) * n + i % n);
                assert_eq!(got, decoded.samples().get(i), "{of}: voxel {i}");
            }
            let asked = ["query", &name, "--gradient", "--field", "--json", "3.25,7.5,2", "3.26,7.5,2"];
            let rows = json_lines(&bench.run(&asked));
            let values = [0, 1].map(|i| rows[i]["value"].as_f64().unwrap());
            let slope = rows[0]["gradient"][0].as_f64().unwrap();
            let rise = (values[1] - values[0]) / 0.01;
            assert!((rise - slope).abs() <= 0.05 * slope.abs() + 0.05, "{of}: {rise}, not {slope}");
        }
    }
}

#[test]
fn what_cannot_be_answered_is_named_and_nothing_written() {
    let bench = bench();
    put(&bench, "columns.npy", &[3, 2], &[0.0; 6]);
    put(&bench, "nan.npy", &[2, 3], &[0.0, 0.0, 0.0, 0.0, f64::NAN, 0.0]);
    put(&bench, "outside.npy", &[2, 3], &[0.0, 0.0, 0.0, 0.0, 20.0, 0.0]);
    fs::write(bench.path("words.npy"), b"not an array").unwrap();
    let files = bench.files();
    let query = |args: &[&str]| bench.run(&[&["query"], args, &["-o=v.npy"]].concat());
    let of = |points: &str| query(&["a.npy.inrfit", "--points", points]);
    assert_fails(&of("columns.npy"), 2, "columns.npy", "(n, 3)");
    assert_fails(&of("nan.npy"), 2, "nan.npy", "row 1");
    assert_fails(&of("words.npy"), 4, "words.npy", "");
    assert_fails(&of("none.npy"), 3, "none.npy", "");
    assert_fails(&of("outside.npy"), 2, "a.npy.inrfit", "--extrapolate");
    assert_fails(&query(&["a.npy.inrfit", "nan,0,0"]), 2, "a.npy.inrfit", "finite");
    assert_fails(&query(&["lossless.inrfit", "1,2,3"]), 2, "lossless.inrfit", "--keep-field");
    assert_fails(&query(&["pack.inrfit", "1,2,3"]), 2, "pack.inrfit", "--event");
    assert_fails(&query(&["a.npy", "1,2,3"]), 4, "a.npy", "inrfit compress");
    for wrong in
        [&["a.npy.inrfit"][..], &["a.npy.inrfit", "1,2"], &["a.npy.inrfit", "1,2,3", "--points=nan.npy"]]
    {
        assert_eq!(query(wrong).status.code(), Some(2), "{wrong:?}");
    }
    let grid = |args: &[&str]| bench.run(&[&["decompress"], args, &["-o=v.npy"]].concat());
    for scale in ["0", "1e9", "-1", "nan", "1e-9"] {
        let output = grid(&["a.npy.inrfit", &format!("--scale={scale}")]);
        assert_fails(&output, 2, "a.npy.inrfit", "scale");
    }
    assert_fails(&grid(&["a.npy.inrfit", "--shape=0,1,1"]), 2, "a.npy.inrfit", "points");
    assert_fails(&grid(&["a.npy.inrfit", "--scale=2", "--region=0:25,:,:"]), 2, "a.npy.inrfit", "outside");
    assert_fails(&grid(&["a.npy.inrfit", "--scale=1000"]), 6, "a.npy.inrfit", "--max-memory");
    assert_fails(&grid(&["a.npy.inrfit", "--end-aligned"]), 2, "a.npy.inrfit", "--scale");
    assert_fails(&grid(&["lossless.inrfit", "--scale=2"]), 2, "lossless.inrfit", "--keep-field");
    assert_eq!(grid(&["a.npy.inrfit", "--scale=2", "--shape=1,1,1"]).status.code(), Some(2));
    // Even a pipe gets nothing.
    assert_fails(
        &bench.run(&["decompress", "lossless.inrfit", "--scale=2", "-o=-"]),
        2,
        "lossless.inrfit",
        "",
    );
    assert_eq!(bench.files(), files);
    // An answer is no input, and is not replaced unasked.
    put(&bench, "v.npy", &[1, 3], &[0.0, 2.0, 0.0]);
    assert_fails(&query(&["a.npy.inrfit", "1,2,3"]), 2, "v.npy", "--force");
    assert_eq!(read_points(&mut &fs::read(bench.path("v.npy")).unwrap()[..], 9).unwrap(), [[0.0, 2.0, 0.0]]);
    let decoded = bench.run(&["decompress", "a.npy.inrfit", "-o=same.npy"]);
    assert_eq!(decoded.status.code(), Some(0));
    assert_eq!(read_event(&bench.path("same.npy")).unwrap().shape(), event(0).shape());
}
