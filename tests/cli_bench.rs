//! `inrfit bench` with codecs and sweeps, and `inrfit curve`.

mod program;

#[cfg(feature = "rivals")]
use inrfit::event::{Event, Samples};
#[cfg(feature = "rivals")]
use inrfit::io::write_event;
use inrfit_figures::{Record, record};
use program::{Bench, assert_fails, text};
use std::fs;

const FAST: &str = "inr:lossless,effort=fast";

fn rows(bench: &Bench, name: &str) -> Vec<Record> {
    record::read(&bench.path(name)).unwrap()
}

#[test]
fn codecs_and_sweeps_make_rows() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let sweep = "inr:max-error=1..4,effort=fast";
    let output = bench.run(&["bench", "a.npy", "b.npy", "-o=rows.csv", "--codec", FAST, sweep]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let made = rows(&bench, "rows.csv");
    let of = |input: &str| -> Vec<&str> {
        made.iter().filter(|r| r.input == input).map(|r| r.settings.as_str()).collect()
    };
    let expected = [
        "mode=lossless,effort=fast",
        "max-error=1,effort=fast",
        "max-error=2,effort=fast",
        "max-error=4,effort=fast",
    ];
    assert_eq!((of("a"), of("b")), (expected.to_vec(), expected.to_vec()));
    for row in &made {
        assert!(row.encode_seconds > Some(0.0) && row.decode_mb_per_s > Some(0.0) && row.error.is_none());
        let speed = row.raw_bytes.unwrap() as f64 / row.encode_seconds.unwrap() / 1e6;
        assert!((row.encode_mb_per_s.unwrap() / speed - 1.0).abs() < 1e-9);
    }
    assert_eq!(made[1].max_error, Some(1.0));
    assert_fails(
        &bench.run(&["bench", "a.npy", "--codec=inr:hidden=9..3"]),
        2,
        "'9..3' in 'inr:hidden=9..3'",
        "0 < A < B",
    );
    let unknown = bench.run(&["bench", "a.npy", "--codec=mp3:rate=1"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("mp3"), "{}", text(&unknown.stderr));
}

#[test]
fn what_was_decoded_is_kept_where_asked() {
    let bench = Bench::new(&["a.npy"]);
    let run = |more: &[&str]| {
        bench.run(&[&["bench", "a.npy", "-q", "--decoded=kept/here", "--codec", FAST], more].concat())
    };
    assert!(run(&[]).status.success());
    let name = "kept/here/a.mode=lossless,effort=fast.npy";
    let samples = |name: &str| fs::read(bench.path(name)).unwrap();
    assert_eq!(samples(name), samples("a.npy"));
    // The run that would replace it fails, and says so.
    assert_fails(&run(&[]), 2, name, "exists already");
    assert!(run(&["--force"]).status.success());
}

#[test]
fn several_at_once_only_without_times() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let base = ["bench", "a.npy", "b.npy", "-o=rows.json", "--jobs=2", "--threads=2", "--codec", FAST];
    let refused = bench.run(&base);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--no-timing"), "{}", text(&refused.stderr));
    let output = bench.run(&[&base[..], &["--no-timing"]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let made = rows(&bench, "rows.json");
    assert_eq!(made.iter().map(|r| r.input.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    for row in made {
        assert!(
            row.encode_seconds.is_none() && row.decode_seconds.is_none() && row.encode_mb_per_s.is_none()
        );
        assert!(row.bytes.is_some() && row.threads == Some(1));
    }
}

#[test]
fn a_broken_sweep_goes_on_where_it_broke_off() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let run = |args: &[&str]| bench.run(&[&["bench", "a.npy", "b.npy", "-o=rows.csv"], args].concat());
    assert_eq!(run(&["--codec", FAST]).status.code(), Some(0));
    // What is there is kept, byte for byte; marks show that it was not made again.
    let mut first = rows(&bench, "rows.csv");
    first.iter_mut().for_each(|row| row.host = "elsewhere".to_owned());
    first.truncate(1);
    first[0].error = Some("failed then".to_owned());
    record::write(&bench.path("rows.csv"), &first).unwrap();
    assert_eq!(run(&["--codec", FAST]).status.code(), Some(2), "an output is not replaced unasked");
    let output = run(&["--codec", FAST, "inr:max-error=3,effort=fast", "--resume"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let all = rows(&bench, "rows.csv");
    assert_eq!(all[0], first[0]);
    let runs: Vec<(&str, &str)> = all.iter().map(|r| (r.input.as_str(), r.settings.as_str())).collect();
    let (fast, bounded) = ("mode=lossless,effort=fast", "max-error=3,effort=fast");
    assert_eq!(runs, [("a", fast), ("a", bounded), ("b", fast), ("b", bounded)]);
    // Nothing is left to do, and the file stays as it is.
    let before = fs::read(bench.path("rows.csv")).unwrap();
    assert_eq!(run(&["--codec", FAST, "inr:max-error=3,effort=fast", "--resume"]).status.code(), Some(0));
    assert_eq!(fs::read(bench.path("rows.csv")).unwrap(), before);
    assert_eq!(bench.files(), ["a.npy", "b.npy", "rows.csv"]);
}

#[test]
fn rows_are_of_the_event_they_name() {
    let bench = Bench::new(&["a.npy", "b.npy"]);
    let run = |args: &[&str]| bench.run(&[&["bench", "--codec", FAST], args].concat());
    fs::create_dir(bench.path("other")).unwrap();
    fs::copy(bench.path("b.npy"), bench.path("other/a.npy")).unwrap();
    // Neither in one run nor in two may an event have the rows of another.
    assert_fails(&run(&["--", "a.npy", "other/a.npy"]), 2, "other/a.npy", "rename one");
    assert_fails(&run(&["--", "a.npy", "a.npy"]), 2, "a.npy", "given twice");
    assert_eq!(run(&["-o=rows.csv", "--", "a.npy"]).status.code(), Some(0));
    let before = fs::read(bench.path("rows.csv")).unwrap();
    let output = run(&["-o=rows.csv", "--resume", "--", "other/a.npy"]);
    assert_fails(&output, 2, "rows.csv", "another event than other/a.npy");
    assert_eq!(fs::read(bench.path("rows.csv")).unwrap(), before);
    let twice = bench.run(&["bench", "a.npy", "--codec", FAST, FAST]);
    assert_eq!(twice.status.code(), Some(2));
    assert!(text(&twice.stderr).contains("given twice"), "{}", text(&twice.stderr));
    // What kept rows cannot give is told.
    let output = run(&["-o=rows.csv", "--resume", "--decoded=kept", "--", "a.npy"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("not made again"), "{}", text(&output.stderr));
    assert_eq!(run(&["-o=untimed.csv", "--no-timing", "--", "a.npy"]).status.code(), Some(0));
    let output = run(&["-o=untimed.csv", "--resume", "--", "a.npy"]);
    assert!(text(&output.stderr).contains("have no times"), "{}", text(&output.stderr));
}

#[test]
fn nothing_is_drawn_of_nothing() {
    let bench = Bench::new(&["a.npy"]);
    let draw = |args: &[&str]| bench.run(&[&["curve", "-o=e.svg"], args].concat());
    let full = bench.run(&["bench", "a.npy", "--codec", FAST, "-o=rows.csv"]);
    assert_eq!(full.status.code(), Some(0));
    let header = fs::read_to_string(bench.path("rows.csv")).unwrap().lines().next().unwrap().to_owned();
    fs::write(bench.path("empty.csv"), header + "\n").unwrap();
    fs::write(bench.path("empty.json"), "[]").unwrap();
    assert_fails(&draw(&["empty.csv"]), 2, "empty.csv", "nothing to draw");
    assert_fails(&draw(&["empty.json"]), 2, "empty.json", "nothing to draw");
    assert_fails(&draw(&["rows.csv", "--codec=bzip2"]), 2, "rows.csv", "nothing to draw");
    assert_fails(&draw(&["rows.csv", "rows.csv"]), 2, "rows.csv", "given twice");
    assert!(!bench.path("e.svg").exists());
}

/// Rows are in the file while later runs go on; an interrupt leaves them there.
#[cfg(unix)]
#[test]
fn an_interrupted_sweep_keeps_its_rows() {
    let bench = Bench::new(&["a.npy"]);
    let mut child = bench
        .command(&["bench", "a.npy", "-o=rows.csv", "--codec", FAST, "inr:masked,steps=100000000,hidden=16"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    for _ in 0..100 {
        std::thread::sleep(std::time::Duration::from_millis(50));
        if bench.path("rows.csv").exists() {
            break;
        }
    }
    assert_eq!(rows(&bench, "rows.csv").len(), 1);
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(rows(&bench, "rows.csv").len(), 1);
}

fn made_up(codec: &str, settings: &str, bytes: u64, log_mae: f64) -> Record {
    Record {
        raw_bytes: Some(10_000),
        bytes: Some(bytes),
        log_mae: Some(log_mae),
        mse: Some(100.0 * log_mae),
        ..Record::new("a", codec, settings)
    }
}

#[test]
fn curves_are_drawn_from_rows() {
    let bench = Bench::new(&["a.npy"]);
    let ours = [made_up("inr:masked", "h=8", 50, 0.02), made_up("inr:masked", "h=16", 80, 0.01)];
    let theirs = [
        made_up("sz3:nopred", "abs=1", 200, 0.02),
        made_up("sz3:nopred", "abs=2", 100, 0.08),
        made_up("sz3:interp", "abs=1", 300, 0.03),
    ];
    record::write(&bench.path("ours.csv"), &ours).unwrap();
    record::write(&bench.path("theirs.json"), &theirs).unwrap();
    let marks =
        "label,metric,ratio,value,source\nBCAE,log_mae,33.2,0.157,A paper\nBCAE,mse,33.2,196,Another\n";
    fs::write(bench.path("marks.csv"), marks).unwrap();
    let draw = |args: &[&str]| bench.run(&[&["curve", "ours.csv", "theirs.json"], args].concat());
    let svg = |name: &str| fs::read_to_string(bench.path(name)).unwrap();

    let output = draw(&["-o=a.svg", "--published=marks.csv", "--title=Made up"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let picture = svg("a.svg");
    for part in ["inr:masked", "sz3:nopred", "sz3:interp", "BCAE [A paper]", "Made up", "log-MAE"] {
        assert!(picture.contains(part), "{part}");
    }
    assert!(!picture.contains("Another"));
    // A line for all of a rival, without what it beats itself.
    assert_eq!(draw(&["-o=b.svg", "--front", "--metric=mse"]).status.code(), Some(0));
    let picture = svg("b.svg");
    assert!(
        picture.contains("\nsz3\n") && !picture.contains("sz3:") && picture.contains("inr:masked"),
        "{picture}"
    );
    assert_eq!(draw(&["-o=c.svg", "--codec", "sz3:n", "inr"]).status.code(), Some(0));
    assert!(!svg("c.svg").contains("sz3:interp"));
    assert_eq!(draw(&["-o=d.png"]).status.code(), Some(0));
    assert!(fs::read(bench.path("d.png")).unwrap().starts_with(b"\x89PNG"));

    assert_fails(&draw(&["-o=a.svg"]), 2, "a.svg", "--force");
    assert_fails(&draw(&["-o=a.pdf"]), 2, "a.pdf", ".svg or .png");
    assert_eq!(draw(&["-o=e.svg", "--metric=beauty"]).status.code(), Some(2));
    assert_eq!(draw(&["-o=e.svg", "--rows=made.csv"]).status.code(), Some(2));
    fs::write(bench.path("bad.csv"), "label,metric,ratio\nBCAE,mse,3\n").unwrap();
    assert_fails(&draw(&["-o=e.svg", "--published=bad.csv"]), 4, "bad.csv", "column 'value'");
    let missing = bench.run(&["curve", "none.csv", "-o=e.svg"]);
    assert_eq!(missing.status.code(), Some(3));
    assert!(text(&missing.stderr).contains("none.csv"), "{}", text(&missing.stderr));
    assert!(!bench.path("e.svg").exists());
}

#[test]
fn one_command_measures_an_event_and_draws_it() {
    let bench = Bench::new(&["a.npy"]);
    let args = ["curve", "a.npy", "-o=a.svg", "--rows=rows.csv", "--quiet"];
    let output = bench.run(&args);
    assert_eq!(
        (output.status.code(), text(&output.stdout)),
        (Some(0), String::new()),
        "{}",
        text(&output.stderr)
    );
    let picture = fs::read_to_string(bench.path("a.svg")).unwrap();
    for part in ["inr:lossless", "inr:bounded", "inr:masked", "\na\n"] {
        assert!(picture.contains(part), "{part}");
    }
    let n = rows(&bench, "rows.csv").len();
    assert!(n >= 10, "{n}");
    // Its rows are there: drawing again takes no time and makes none.
    let again = ["curve", "a.npy", "-o=b.svg", "--rows=rows.csv", "--quiet"];
    assert_eq!(bench.run(&again).status.code(), Some(0));
    assert_eq!(rows(&bench, "rows.csv").len(), n);
    assert_eq!(fs::read_to_string(bench.path("b.svg")).unwrap(), picture);
}

#[cfg(feature = "rivals")]
#[test]
fn rivals_make_rows_and_their_failures_too() {
    let bench = Bench::new(&["a.npy"]);
    let put = |name: &str, shape: [usize; 3], samples: Samples| {
        write_event(&bench.path(name), &Event::new(shape, samples).unwrap(), false).unwrap();
    };
    put("one.npy", [1, 1, 1], Samples::U16(vec![99]));
    put("line.npy", [1, 1, 9], Samples::U8(vec![0, 70, 90, 0, 0, 255, 0, 0, 80]));
    put("cube.npy", [3, 3, 3], Samples::U16((0..27).map(|i| i * i).collect()));
    put("flat.npy", [4, 5, 6], Samples::U16(vec![0; 120]));
    put("real.npy", [2, 2, 2], Samples::F32(vec![1.5; 8]));
    let nan = fs::read(bench.path("real.npy")).unwrap();
    let (header, _) = nan.split_at(nan.len() - 32);
    fs::write(bench.path("nan.npy"), [header, &f32::NAN.to_le_bytes().repeat(8)].concat()).unwrap();
    let inputs = ["a.npy", "one.npy", "line.npy", "cube.npy", "flat.npy", "real.npy", "nan.npy"];
    let codecs = [
        "sz3:nopred,log2,z,abs=0.1..0.4",
        "sz3:abs=3",
        "zfp:rate=2",
        "zfp:log2,tolerance=1",
        "mgard:tolerance=5",
        "mgard:s=0,log2,threshold=best,tolerance=0.2",
        "bzip2:z",
        "zstd:log2,step=0.2",
        "xz:sparse",
    ];
    let output = bench.run(&[&["bench"], &inputs[..], &["-o=rows.csv", "--codec"], &codecs].concat());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let made = rows(&bench, "rows.csv");
    assert_eq!(made.len(), inputs.len() * 11);
    for row in &made {
        match &row.error {
            Some(error) if row.input == "nan" => assert!(error.contains("NaN"), "{row:?}"),
            Some(error) => assert!(row.input == "real" && error.contains("not float32"), "{row:?}"),
            None => assert!(row.bytes > Some(0) && row.mse.is_some() && row.codec.len() > 1, "{row:?}"),
        }
    }
    let of = |settings: &str| made.iter().find(|r| r.input == "a" && r.settings == settings).unwrap();
    assert_eq!((of("bzip2:z").mse, of("xz:sparse").mse), (Some(0.0), Some(0.0)));
    assert_eq!(of("sz3:nopred,log2,z,abs=0.2").codec, "sz3:nopred,log2,z");
    assert!(of("sz3:abs=3").max_error <= Some(3.0) && of("mgard:tolerance=5").max_error <= Some(5.0));
    assert!(of("sz3:nopred,log2,z,abs=0.1").ratio < of("sz3:nopred,log2,z,abs=0.4").ratio);
    let unknown = bench.run(&["bench", "a.npy", "--codec=zfp:rate=1,colour=red"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(text(&unknown.stderr).contains("no option 'colour'"), "{}", text(&unknown.stderr));
}
