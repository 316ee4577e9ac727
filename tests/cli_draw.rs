//! `inrfit draw` and the strips of `inrfit reproduce task1` as their users run them.

mod program;

use inrfit::event::{Event, Samples};
use inrfit::io::write_event;
use program::{Bench, SHAPE, assert_fails, event, text};
use std::fs;
use std::process::Output;

/// The text of a picture that was drawn.
fn svg(bench: &Bench, name: &str, output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let svg = fs::read_to_string(bench.path(name)).unwrap();
    assert_eq!(text(&output.stdout), format!("{name}: {} bytes\n", svg.len()));
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    svg
}

fn has(svg: &str, words: &[&str]) {
    for word in words {
        assert!(svg.contains(&format!("\n{word}\n")), "no '{word}'");
    }
}

/// A folder with an event, a copy that lost the voxels of layer 0, and the event without loss.
fn bench() -> Bench {
    let bench = Bench::new(&["a.npy"]);
    let event = event(0);
    let mut samples = Samples::zeros(event.dtype(), event.n_voxels());
    for i in (0..event.n_voxels()).filter(|i| i % SHAPE[2] != 0) {
        samples.set(i, event.samples().get(i));
    }
    write_event(&bench.path("holes.npy"), &Event::new(SHAPE, samples).unwrap(), false).unwrap();
    let packed =
        bench.run(&["compress", "a.npy", "--mode=lossless", "--effort=fast", "-o=exact.inrfit", "-q"]);
    assert_eq!(packed.status.code(), Some(0), "{}", text(&packed.stderr));
    bench
}

/// The share of occupied voxels of the event that lie in layer 0.
fn lost() -> String {
    let event = event(0);
    let occupied = |i: &usize| event.samples().get(*i) != 0.0;
    let all = (0..event.n_voxels()).filter(occupied).count() as f64;
    let gone = (0..event.n_voxels()).step_by(SHAPE[2]).filter(occupied).count() as f64;
    format!("{:.2} %", 100.0 * gone / all)
}

#[test]
fn a_histogram_has_a_line_for_each_copy() {
    let bench = bench();
    let of = |more: &[&str]| {
        let output = bench.run(
            &[&["draw", "histogram", "a.npy", "exact.inrfit", "holes.npy", "-fo", "h.svg"], more].concat(),
        );
        svg(&bench, "h.svg", &output)
    };
    let plain = of(&[]);
    has(&plain, &["Values of a.npy", "true", "exact.inrfit", "holes.npy", "occupied voxels: ADC"]);
    let share = |layers: &dyn Fn(usize) -> bool| {
        let event = event(0);
        let n = (0..event.n_voxels()).filter(|i| layers(i % SHAPE[2]) && event.samples().get(*i) != 0.0);
        format!("{:.2} % occupied", 100.0 * n.count() as f64 / event.n_voxels() as f64)
    };
    // The event and its exact copy are alike, the other has holes.
    assert_eq!(plain.matches(&share(&|_| true)).count(), 2);
    assert_eq!(plain.matches(&share(&|layer| layer != 0)).count(), 1);
    assert_eq!(of(&[]), plain, "the same inputs give the same picture");
    has(&of(&["--log2", "--title=Mine & yours"]), &["Mine &amp; yours", "occupied voxels: log2(ADC + 1)"]);
}

#[test]
fn pairs_tell_what_was_lost() {
    let bench = bench();
    let output = bench.run(&["draw", "pairs", "a.npy", "exact.inrfit", "holes.npy", "-o=p.svg", "--log2"]);
    let picture = svg(&bench, "p.svg", &output);
    has(&picture, &["True and decoded values of a.npy", "exact.inrfit", "holes.npy", "voxels per cell"]);
    has(&picture, &["lost 0.00 %, fake 0.00 %", &format!("lost {}, fake 0.00 %", lost())]);
    has(&picture, &["true: log2(ADC + 1)", "decoded: log2(ADC + 1)"]);
    let output = bench.run(&["draw", "pairs", "holes.npy", "a.npy", "-o=q.svg"]);
    has(&svg(&bench, "q.svg", &output), &[&format!("lost 0.00 %, fake {}", lost()), "true: ADC"]);
}

#[test]
fn a_slice_is_of_the_layer_that_is_asked_for() {
    let bench = bench();
    let of = |name: &str, more: &[&str]| {
        let output = format!("-o={name}");
        bench.run(&[&["draw", "slice", "a.npy", "holes.npy", &output], more].concat())
    };
    let picture = svg(&bench, "holes.svg", &of("holes.svg", &["--layer=0"]));
    has(&picture, &["a.npy, layer 0", "true", "holes.npy", "holes.npy − true", "azimuth", "z", "ADC"]);
    assert!(!picture.contains("no difference in this layer"));
    let picture = svg(&bench, "whole.svg", &of("whole.svg", &["--layer=1", "--log2"]));
    has(&picture, &["a.npy, layer 1", "no difference in this layer"]);
    let picture = svg(&bench, "across.svg", &of("across.svg", &["--axis=0", "--layer=23"]));
    has(&picture, &["a.npy, azimuth 23", "z", "layer"]);
    // By default the layer with most occupied voxels, whatever the copies hold.
    let counts = (0..SHAPE[2]).map(|c| {
        let e = event(0);
        (c..e.n_voxels()).step_by(SHAPE[2]).filter(|i| e.samples().get(*i) != 0.0).count()
    });
    let counts: Vec<usize> = counts.collect();
    let most = counts.iter().max().unwrap();
    let fullest = counts.iter().position(|n| n == most).unwrap();
    let two = bench.run(&["draw", "slice", "a.npy", "exact.inrfit", "holes.npy", "-o=two.svg", "--axis=2"]);
    let picture = svg(&bench, "two.svg", &two);
    has(&picture, &[&format!("a.npy, layer {fullest}"), "exact.inrfit − true", "holes.npy − true"]);
    assert_eq!(of("quiet.png", &["--quiet"]).stdout, b"");
    assert!(fs::read(bench.path("quiet.png")).unwrap().starts_with(b"\x89PNG"));
}

#[test]
fn one_event_of_many_is_drawn() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let (a, b) = (event(0), event(1));
    let mut stack = Vec::new();
    inrfit::io::npy::write_header(&mut stack, a.dtype(), &[&[2], &SHAPE[..]].concat()).unwrap();
    for event in [&a, &b] {
        stack.extend(event.samples().to_le_bytes());
    }
    fs::write(bench.path("stack.npy"), stack).unwrap();
    let packed =
        bench.run(&["compress", "stack.npy", "--pack", "--mode=lossless", "--effort=fast", "-qo=run.inrfit"]);
    assert_eq!(packed.status.code(), Some(0), "{}", text(&packed.stderr));
    // Event 1 of the stack and of the pack, and a file with one event, which is that one.
    let output = bench.run(&[
        "draw",
        "slice",
        "stack.npy",
        "run.inrfit",
        "b.npy",
        "--event=1",
        "-o=s.svg",
        "--layer=2",
    ]);
    has(&svg(&bench, "s.svg", &output), &["no difference in this layer"]);
    let output = bench.run(&["draw", "slice", "stack.npy", "b.npy", "--event=0", "-o=t.svg", "--layer=2"]);
    assert!(!svg(&bench, "t.svg", &output).contains("no difference in this layer"));
    let draw = |args: &[&str]| bench.run(&[&["draw", "pairs"], args, &["-o=p.svg"]].concat());
    assert_fails(&draw(&["stack.npy", "b.npy"]), 2, "stack.npy", "--event N takes one");
    assert_fails(&draw(&["b.npy", "run.inrfit"]), 2, "run.inrfit", "--event N takes one");
    assert_fails(&draw(&["b.npy", "run.inrfit", "--event=2"]), 2, "run.inrfit", "no event 2 among its 2");
    assert_fails(&draw(&["stack.npy", "b.npy", "--event=2"]), 2, "stack.npy", "no event 2 among its 2");
    assert!(!bench.path("p.svg").exists());
}

#[test]
fn rows_of_samplers_are_drawn() {
    let bench = Bench::new(&[]);
    let rows =
        "sampler,seconds,steps,samples,log_mae,fraction\nuniform,1,2,3,0.5,0.1\nuniform,4,2,3,0.125,0.2\n";
    fs::write(bench.path("rows.csv"), rows).unwrap();
    let output = bench.run(&["draw", "sampling", "rows.csv", "--target=0.2", "-o=s.svg"]);
    let picture = svg(&bench, "s.svg", &output);
    has(&picture, &["Error by sampler", "uniform", "4 s to target", "target 0.2", "training time (s)"]);
    let output = bench.run(&["draw", "sampling", "rows.csv", "--fraction", "--title=T", "-o=f.svg"]);
    has(&svg(&bench, "f.svg", &output), &["T", "voxels drawn in a step / voxels of the event"]);
    fs::write(bench.path("old.csv"), "sampler,seconds,steps,samples,log_mae\nuniform,1,2,3,0.5\n").unwrap();
    fs::write(bench.path("wrong.csv"), "sampler,seconds\nuniform,1\n").unwrap();
    let files = bench.files();
    let draw = |args: &[&str]| bench.run(&[&["draw", "sampling", "-o=x.svg"], args].concat());
    assert_fails(&draw(&["old.csv", "--fraction"]), 2, "old.csv", "no row has a fraction");
    assert_fails(&draw(&["wrong.csv"]), 4, "wrong.csv", "'steps' is missing");
    assert_fails(&draw(&["none.csv"]), 3, "none.csv", "");
    assert_eq!(draw(&["rows.csv", "--target=0"]).status.code(), Some(2));
    assert_eq!(bench.files(), files);
}

#[test]
fn rows_with_times_are_drawn_as_bars() {
    let bench = Bench::new(&["a.npy"]);
    let made = bench.run(&["bench", "a.npy", "-q", "-o=rows.csv", "--settings", "mode=lossless,effort=fast"]);
    assert!(made.status.success());
    let output = bench.run(&["draw", "throughput", "rows.csv", "-o=t.svg", "--title=Speed"]);
    has(&svg(&bench, "t.svg", &output), &["Speed", "mode=lossless,effort=fast", "encode", "decode"]);
    let files = bench.files();
    let output = bench.run(&["draw", "throughput", "a.npy", "-o=x.svg"]);
    assert_fails(&output, 4, "a.npy", "");
    assert_eq!(bench.files(), files);
}

#[test]
fn sizes_and_speeds_of_encoders_are_drawn_over_depths() {
    let bench = Bench::new(&["a.npy"]);
    let header = "architecture,encoder_parameters,decoder_parameters,wedges_per_second";
    fs::write(bench.path("rows.csv"), format!("{header}\n\"bcae-2d:3,4,1\",10,20,5\nbcae++,1,2,3\n"))
        .unwrap();
    let output = bench.run(&["draw", "encoders", "rows.csv", "-o=e.svg"]);
    has(&svg(&bench, "e.svg", &output), &["encoder, m", "both decoders, n", "d = 1"]);
    fs::write(bench.path("other.csv"), format!("{header}\nbcae++,1,2,3\n")).unwrap();
    assert_fails(&bench.run(&["draw", "encoders", "other.csv", "-o=x.svg"]), 2, "other.csv", "no row of");
    fs::write(bench.path("broken.csv"), format!("{header}\nbcae++,1,2,fast\n")).unwrap();
    assert_fails(&bench.run(&["draw", "encoders", "broken.csv", "-o=x.svg"]), 4, "broken.csv", "line 2");
    assert_fails(&bench.run(&["draw", "encoders", "none.csv", "-o=x.svg"]), 3, "none.csv", "No such file");
    assert!(!bench.path("x.svg").exists());
}

#[test]
fn what_cannot_be_drawn_is_named_and_nothing_written() {
    let bench = bench();
    fs::write(bench.path("words.npy"), b"not an array").unwrap();
    let small = Event::new([2, 2, 2], Samples::zeros(event(0).dtype(), 8)).unwrap();
    write_event(&bench.path("small.npy"), &small, false).unwrap();
    let mut damaged = fs::read(bench.path("exact.inrfit")).unwrap();
    let n = damaged.len();
    damaged[n / 2] ^= 1;
    fs::write(bench.path("damaged.inrfit"), damaged).unwrap();
    fs::write(bench.path("old.svg"), b"mine").unwrap();
    let files = bench.files();
    for what in ["histogram", "pairs", "slice"] {
        let draw = |args: &[&str]| bench.run(&[&["draw", what], args].concat());
        assert_fails(&draw(&["a.npy", "small.npy", "-o=x.svg"]), 2, "small.npy", "24 x 20 x 8");
        assert_fails(&draw(&["a.npy", "words.npy", "-o=x.svg"]), 4, "words.npy", "");
        assert_fails(&draw(&["words.npy", "a.npy", "-o=x.svg"]), 4, "words.npy", "");
        assert_fails(&draw(&["a.npy", "none.inrfit", "-o=x.svg"]), 3, "none.inrfit", "");
        assert_fails(&draw(&["a.npy", "holes.npy", "damaged.inrfit", "-o=x.svg"]), 4, "damaged.inrfit", "");
        assert_fails(&draw(&["a.npy", "holes.npy", "-o=old.svg"]), 2, "old.svg", "--force");
        assert_fails(&draw(&["a.npy", "holes.npy", "-o=x.jpg"]), 2, "x.jpg", ".svg or .png");
        assert_fails(&draw(&["a.npy", "holes.npy", "-o=none/x.svg"]), 2, "none/x.svg", "folder");
        let twice = draw(&["-", "-", "-o=x.svg"]);
        assert!(twice.status.code() == Some(2) && text(&twice.stderr).contains("once only"));
        assert_eq!(draw(&["a.npy", "-o=x.svg"]).status.code(), Some(2), "nothing to compare with");
        assert_eq!(draw(&["a.npy", "holes.npy"]).status.code(), Some(2), "no picture is named");
    }
    let slice = |arg: &str| bench.run(&["draw", "slice", "a.npy", "holes.npy", "-o=x.svg", arg]);
    assert_fails(&slice("--layer=8"), 2, "--layer 8", "layers 0 to 7");
    assert_eq!(slice("--axis=3").status.code(), Some(2));
    let many = [&["draw", "pairs", "a.npy"][..], &["holes.npy"; 13], &["-o=x.svg"]].concat();
    let many = bench.run(&many);
    assert!(many.status.code() == Some(2) && text(&many.stderr).contains("1 to 12"));
    assert_eq!(bench.files(), files);
    assert_eq!(fs::read(bench.path("old.svg")).unwrap(), b"mine");
}

#[test]
fn strips_show_what_task_1_decodes() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let task = |more: &[&str]| {
        let args = ["reproduce", "task1", "a.npy", "b.npy", "--steps=5", "--factors=1,4,8"];
        bench.run(&[&args, more, &["--fit=sampler=uniform,batch=64,hidden=8"]].concat())
    };
    let output = task(&["-o=rows.csv", "--strips=strips.svg"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let picture = fs::read_to_string(bench.path("strips.svg")).unwrap();
    has(&picture, &["true", "nearest", "trilinear", "siren", "all voxels", "1 of 4", "1 of 8", "ADC"]);
    assert_eq!(picture.matches("\nthe event itself\n").count(), 2);
    // Three rows of four panels, and the scale.
    assert_eq!(picture.matches("<image ").count(), 13);
    assert!(picture.contains("a, layer "), "the first event");
    // The errors below the panels are those of the rows.
    let rows = inrfit_figures::record::read(&bench.path("rows.csv")).unwrap();
    let notes: Vec<&str> = picture.lines().filter(|l| l.starts_with("log-MAE ")).collect();
    let shown = rows.iter().filter(|r| {
        let all = r.settings.contains("factor=1,") && r.codec.starts_with("siren");
        r.input == "a"
            && r.settings.contains("coords=index-true")
            && (all || !r.settings.contains("factor=1,"))
    });
    let mut n = 0;
    for row in shown {
        n += 1;
        let (log_mae, mse) = (row.log_mae.unwrap(), row.mse.unwrap());
        let near = |note: &&str| {
            let numbers = note.trim_start_matches("log-MAE ").split_once(", MSE ").unwrap();
            let close = |text: &str, v: f64| (text.parse::<f64>().unwrap() - v).abs() <= 1e-3 * v;
            close(numbers.0, log_mae) && close(numbers.1, mse)
        };
        assert!(notes.iter().any(near), "{} {}", row.codec, row.settings);
    }
    assert_eq!((n, notes.len()), (7, 7));
    let files = bench.files();
    let both = task(&["-o=other.csv", "--strips=x.svg", "--figure=x.svg"]);
    assert_fails(&both, 2, "x.svg", "two files");
    assert_fails(&task(&["-o=other.csv", "--strips=strips.svg"]), 2, "strips.svg", "--force");
    assert_fails(&task(&["-o=other.csv", "--strips=strips.gif"]), 2, "strips.gif", ".svg or .png");
    assert_eq!(bench.files(), files);
}
