//! Inputs and outputs of the program: formats, stacks, packs, pipes, regions, several events at once.

mod program;

use inrfit::event::{DType, Event, Samples};
use inrfit::io::{npy, read_event, write_event};
use inrfit::tile::{Tile, crop};
use program::{Bench, QUICK, SHAPE, assert_fails, event, json, json_lines, text};
use std::fs;
use std::io::{Cursor, Write};
use std::path::Path;
use std::process::{Output, Stdio};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// Runs the program with `input` on standard input.
fn piped(bench: &Bench, args: &[&str], input: &[u8]) -> Output {
    let mut child = bench
        .command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // The program may refuse its input before it has read it.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

fn done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
}

fn write_array(path: &Path, dtype: DType, shape: &[usize], events: &[Samples]) {
    let mut bytes = vec![];
    npy::write_header(&mut bytes, dtype, shape).unwrap();
    events.iter().for_each(|e| bytes.extend(e.to_le_bytes()));
    fs::write(path, bytes).unwrap();
}

/// A stack of `n` events.
fn write_stack(bench: &Bench, name: &str, n: usize) {
    let events: Vec<Samples> = (0..n).map(|i| event(i).samples().clone()).collect();
    write_array(&bench.path(name), DType::U16, &[&[n], &SHAPE[..]].concat(), &events);
}

fn npy_bytes(event: &Event) -> Vec<u8> {
    let mut bytes = vec![];
    npy::write(&mut bytes, event).unwrap();
    bytes
}

fn archive(arrays: &[(&str, Vec<u8>)], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(vec![]));
    for (name, bytes) in arrays {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method)).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn every_way_in_gives_the_same_file() {
    let bench = Bench::new(&["a.npy"]);
    let original = event(0);
    done(&bench.compress(&["a.npy"]));
    let want = fs::read(bench.path("a.npy.inrfit")).unwrap();
    let little = original.samples().to_le_bytes();
    let big: Vec<u8> = little.chunks(2).flat_map(|b| [b[1], b[0]]).collect();
    fs::write(bench.path("a.raw"), &little).unwrap();
    fs::write(bench.path("big.raw"), &big).unwrap();
    let doubles: Vec<u8> =
        (0..original.n_voxels()).flat_map(|i| (original.samples().get(i) as i64).to_le_bytes()).collect();
    fs::write(bench.path("wide.raw"), doubles).unwrap();
    for (method, name) in [(CompressionMethod::Stored, "s.npz"), (CompressionMethod::Deflated, "d.npz")] {
        let bytes = archive(&[("hits.npy", npy_bytes(&original))], method);
        fs::write(bench.path(name), bytes).unwrap();
    }
    fs::create_dir(bench.path("out")).unwrap();
    let raw = |name: &str, dtype: &str| {
        bench.compress(&[name, "--shape=24,20,8", "--dtype", dtype, "-o=out", "--force"])
    };
    done(&raw("a.raw", "uint16"));
    done(&raw("big.raw", ">u2"));
    done(&bench.compress(&["s.npz", "d.npz", "-o=out"]));
    for name in ["a.raw", "big.raw", "s.hits.npy", "d.hits.npy"] {
        let got = fs::read(bench.path(&format!("out/{name}.inrfit"))).unwrap();
        assert!(got == want, "{name}");
    }
    // int64 comes back as int32, so its file is another.
    done(&raw("wide.raw", "int64"));
    let info = json(&bench.run(&["info", "out/wide.raw.inrfit", "--json"]));
    assert_eq!(info["dtype"], "int32");

    let from_pipe = piped(&bench, &[&["compress", "-"], &QUICK[..]].concat(), &npy_bytes(&original));
    done(&from_pipe);
    assert!(from_pipe.stdout == want && text(&from_pipe.stderr).starts_with("- -> -: 7680 -> "));
    let zipped = archive(&[("x.npy", npy_bytes(&original))], CompressionMethod::Deflated);
    let args = [&["compress", "-", "-o=out", "--json"], &QUICK[..]].concat();
    assert_eq!(json(&piped(&bench, &args, &zipped))["input"], "-:x");
    assert!(fs::read(bench.path("out/stdin.x.npy.inrfit")).unwrap() == want);
}

#[test]
fn events_go_through_pipes() {
    let bench = Bench::new(&["a.npy"]);
    let packed = bench.compress(&["a.npy", "-o", "-", "--json"]);
    done(&packed);
    assert!(text(&packed.stderr).starts_with("{\"input\":\"a.npy\",\"output\":\"-\""));
    fs::write(bench.path("a.inrfit"), &packed.stdout).unwrap();
    done(&bench.run(&["decompress", "a.inrfit", "-o=b.npy"]));
    let decoded = fs::read(bench.path("b.npy")).unwrap();
    assert!(piped(&bench, &["decompress", "-"], &packed.stdout).stdout == decoded);
    let raw = piped(&bench, &["decompress", "-", "--raw", "-q"], &packed.stdout);
    assert_eq!(raw.stdout, read_event(&bench.path("b.npy")).unwrap().samples().to_le_bytes());
    assert_eq!(text(&raw.stderr), "");
    let info = piped(&bench, &["info", "-", "--json"], &packed.stdout);
    assert_eq!(json(&info)["shape"], serde_json::json!(SHAPE));
    assert_fails(&piped(&bench, &["compress", "-"], b"not an array"), 4, "-", "first bytes");
    assert_fails(&piped(&bench, &["compress", "-"], b""), 4, "-", "empty");
    assert_fails(&piped(&bench, &["decompress", "-"], b""), 4, "-", "ends");
    assert_eq!(bench.run(&["compress", "-", "-", "-o=."]).status.code(), Some(2));
    // An array or a compressed event to compare with, and an event made for a pipe.
    for input in [&fs::read(bench.path("b.npy")).unwrap(), &packed.stdout] {
        let from_pipe = json(&piped(&bench, &["eval", "a.npy", "-", "--json"], input));
        let from_file = json(&bench.run(&["eval", "a.npy", "b.npy", "--json"]));
        assert_eq!(from_pipe["mse"], from_file["mse"]);
    }
    assert_eq!(piped(&bench, &["eval", "-", "-"], &decoded).status.code(), Some(2));
    let made = bench.run(&["synth", "--shape=24,20,8", "-o=-"]);
    done(&made);
    done(&bench.run(&["synth", "--shape=24,20,8", "-o=made.npy"]));
    assert!(made.stdout == fs::read(bench.path("made.npy")).unwrap() && !bench.path("-").exists());
    assert_fails(&bench.run(&["synth", "--events=2", "-o=made.npy"]), 2, "made.npy", "no folder");
}

/// A pipe under a name of its own, as shells make them, cannot be read twice.
#[cfg(target_os = "linux")]
#[test]
fn named_pipes_are_inputs() {
    let bench = Bench::new(&["a.npy"]);
    write_stack(&bench, "run.npy", 2);
    done(&bench.compress(&["run.npy", "--pack", "-o=run.inrfit"]));
    let one = npy_bytes(&event(0));
    let zipped = archive(&[("x.npy", one.clone())], CompressionMethod::Deflated);
    let pack = fs::read(bench.path("run.inrfit")).unwrap();
    let pipe = "/dev/stdin";
    for (args, input) in [
        (&["eval", "a.npy", pipe][..], &one),
        (&["eval", pipe, "a.npy"], &zipped),
        (&["eval", "run.npy", pipe], &pack),
        (&["info", pipe], &pack),
        (&["decompress", pipe, "-o=run.back.npy"], &pack),
        (&[&["compress", pipe, "--pack", "-o=x.inrfit"], &QUICK[..]].concat(), &zipped),
    ] {
        let output = piped(&bench, args, input);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", text(&output.stderr));
    }
}

/// Neither who waits for input nor who makes an event keeps the user waiting.
#[cfg(unix)]
#[test]
fn an_interrupt_ends_every_kind_of_work() {
    let bench = Bench::new(&["a.npy"]);
    fs::create_dir(bench.path("many")).unwrap();
    let files = bench.files();
    for args in [
        &["compress", "-", "-o=x.inrfit"][..],
        &["compress", "-", "--pack", "-o=x.inrfit"],
        &["compress", "-", "--shape=24,20,8", "--dtype=u2", "-o=x.inrfit"],
        &["decompress", "-", "-o=x.npy"],
        &["info", "-"],
        &["eval", "a.npy", "-"],
        &["synth", "--shape=2304,498,48", "-o=x.npy"],
        &["synth", "--events=100000", "-o=many"],
        &["bench", "a.npy", "-o=x.csv", "--settings=steps=100000000,hidden=16"],
    ] {
        // Standard input stays open, and empty.
        let mut child = bench
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(child.try_wait().unwrap().is_none(), "{args:?} has ended by itself");
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-INT", &id]).status().unwrap().success());
        let stdin = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        drop(stdin);
        assert_eq!(output.status.code(), Some(130), "{args:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains("stopped on request"), "{args:?}: {}", text(&output.stderr));
        assert_eq!(bench.files(), files, "{args:?}");
    }
    // What was whole before stays, and nothing else does.
    for entry in fs::read_dir(bench.path("many")).unwrap() {
        assert!(read_event(&entry.unwrap().path()).is_ok());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_leaves_no_output() {
    let bench = Bench::new(&["a.npy"]);
    done(&bench.compress(&["a.npy"]));
    let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let to_full = bench.command(&["decompress", "a.npy.inrfit", "-o", "-"]).stdout(full).output().unwrap();
    assert_eq!(to_full.status.code(), Some(3), "{}", text(&to_full.stderr));
    assert!(text(&to_full.stderr).contains("standard output"), "{}", text(&to_full.stderr));
    // Files end after 1024 bytes here; whoever writes on gets an error, as on a full disk.
    let program = env!("CARGO_BIN_EXE_inrfit");
    let files = bench.files();
    for args in ["decompress a.npy.inrfit -o b.npy", "compress a.npy --tile 1,20,8 -o b.inrfit", "demo"] {
        let script = format!("trap '' XFSZ; ulimit -f 1; exec '{program}' {args} --steps 30");
        let script = script.replace("b.npy --steps 30", "b.npy");
        let mut shell = std::process::Command::new("sh");
        let output = shell.args(["-c", &script]).current_dir(bench.folder.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{args}: {}", text(&output.stderr));
        assert_eq!(bench.files(), files, "{args}");
    }
}

#[test]
fn a_stack_becomes_files_or_a_pack() {
    let bench = Bench::new(&["a.npy"]);
    write_stack(&bench, "run.npy", 3);
    assert_fails(&bench.compress(&["run.npy"]), 2, "run.npy", "--pack");
    assert_fails(&bench.compress(&["run.npy", "-o=x.inrfit"]), 2, "run.npy", "--pack");
    assert_eq!(bench.files(), ["a.npy", "run.npy"]);
    fs::create_dir(bench.path("out")).unwrap();
    let rows = json_lines(&bench.compress(&["run.npy", "-o=out", "--json"]));
    let inputs: Vec<&str> = rows.iter().map(|r| r["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, ["run.npy[0]", "run.npy[1]", "run.npy[2]"]);
    done(&bench.compress(&["a.npy"]));
    let first = fs::read(bench.path("out/run.00000.npy.inrfit")).unwrap();
    assert!(first == fs::read(bench.path("a.npy.inrfit")).unwrap(), "an event is what it is alone");

    let packed = json_lines(&bench.compress(&["run.npy", "--pack", "-o=run.inrfit", "--json"]));
    assert_eq!(packed.len(), 3);
    for (row, alone) in packed.iter().zip(&rows) {
        for key in ["input", "bytes", "log_mae", "ratio", "layers"] {
            assert_eq!(row[key], alone[key]);
        }
    }
    let total: u64 = rows.iter().map(|r| r["bytes"].as_u64().unwrap()).sum();
    let n_bytes = fs::metadata(bench.path("run.inrfit")).unwrap().len();
    assert!((total..total + 120).contains(&n_bytes), "{n_bytes} bytes for files of {total}");
    let told =
        text(&bench.compress(&["run.npy", "--pack", "-o=two.inrfit", "--jobs=2", "--threads=2"]).stdout);
    assert!(told.lines().last().unwrap().starts_with("3 events -> two.inrfit: 23040 -> "), "{told}");
    let read = |name: &str| fs::read(bench.path(name)).unwrap();
    assert!(read("run.inrfit") == read("two.inrfit"), "the order does not depend on the jobs");

    // Out again: one array, files, one event, its evaluation, its description.
    done(&bench.run(&["decompress", "run.inrfit", "-o=all.npy", "--jobs=2"]));
    let bytes = read("all.npy");
    let mut all = npy::open(&bytes[..], Default::default()).unwrap();
    assert!(all.is_stack() && all.n_events() == 3 && all.shape() == SHAPE);
    done(&bench.run(&["decompress", "run.inrfit", "-o=out"]));
    done(&bench.run(&["decompress", "run.inrfit", "--event=2", "-o=third.npy"]));
    for i in 0..3 {
        let event = all.read().unwrap();
        assert_eq!(read_event(&bench.path(&format!("out/run.0000{i}.npy"))).unwrap(), event);
        if i == 2 {
            assert_eq!(read_event(&bench.path("third.npy")).unwrap(), event);
        }
    }
    assert_fails(
        &bench.run(&["decompress", "run.inrfit", "--event=3", "-o=x"]),
        2,
        "run.inrfit",
        "among its 3",
    );
    let evaluated = json_lines(&bench.run(&["eval", "run.npy", "run.inrfit", "--json"]));
    let from_arrays = json_lines(&bench.run(&["eval", "run.npy", "all.npy", "--json"]));
    for (i, row) in evaluated.iter().enumerate() {
        assert_eq!(row["output"], format!("run.inrfit[{i}]"));
        assert_eq!((&row["log_mae"], &row["bytes"]), (&rows[i]["log_mae"], &rows[i]["bytes"]));
        assert_eq!(from_arrays[i]["log_mae"], rows[i]["log_mae"]);
    }
    assert_eq!((evaluated.len(), from_arrays.len()), (3, 3));
    let described = json_lines(&bench.run(&["info", "run.inrfit", "a.npy.inrfit", "--json"]));
    assert_eq!(described.len(), 4);
    assert_eq!(
        (&described[1]["input"], &described[1]["bytes"]),
        (&"run.inrfit[1]".into(), &rows[1]["bytes"])
    );
}

#[test]
fn packs_take_what_differs_and_clashes_are_named() {
    let bench = Bench::new(&["a.npy"]);
    let plane = Event::new([1, 5, 4], Samples::U8((0..20).collect())).unwrap();
    write_array(&bench.path("plane.npy"), DType::U8, &[5, 4], &[plane.samples().clone()]);
    done(&bench.compress(&["a.npy", "plane.npy", "--pack", "-o=both.inrfit"]));
    assert_fails(&bench.run(&["decompress", "both.inrfit"]), 2, "both.inrfit", "folder");
    fs::create_dir(bench.path("out")).unwrap();
    done(&bench.run(&["decompress", "both.inrfit", "-o=out"]));
    assert_eq!(read_event(&bench.path("out/plane.npy")).unwrap(), plane, "a plane has a first axis of 1");
    assert_eq!(bench.compress(&["a.npy", "plane.npy", "--pack"]).status.code(), Some(2));
    assert_fails(&bench.compress(&["a.npy", "--pack", "-o=a.npy", "-f"]), 2, "a.npy", "same file");
    // The same name twice: the first is written, the second is refused.
    fs::create_dir(bench.path("b")).unwrap();
    fs::copy(bench.path("a.npy"), bench.path("b/a.npy")).unwrap();
    done(&bench.compress(&["a.npy", "b/a.npy", "--pack", "-o=twice.inrfit"]));
    let output = bench.run(&["decompress", "twice.inrfit", "-o=b", "--force"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("another event of this run"), "{}", text(&output.stderr));
}

#[test]
fn a_broken_event_does_not_stop_the_others() {
    let bench = Bench::new(&[]);
    let good = |k: f32| Samples::F32((0..60).map(|i| if i % 7 == 0 { k + i as f32 } else { 0.0 }).collect());
    let mut bad = vec![1.0f32; 60];
    bad[23] = f32::NAN;
    let stack = [good(1.0), Samples::F32(bad), good(2.0)];
    write_array(&bench.path("run.npy"), DType::F32, &[3, 5, 4, 3], &stack);
    fs::create_dir(bench.path("out")).unwrap();
    for (args, output) in [(&["-o=out"][..], "out/run.00002.npy.inrfit"), (&["--pack"], "run.npy.inrfit")] {
        let ended = bench.compress(&[&["run.npy"], args].concat());
        assert_eq!(ended.status.code(), Some(1));
        let message = text(&ended.stderr);
        assert!(
            message.starts_with("inrfit: run.npy[1]: 1 samples are NaN or infinite, the first at [1, 3, 2]")
        );
        assert_eq!(message.lines().count(), 1);
        assert!(bench.path(output).is_file());
    }
    assert!(!bench.path("out/run.00001.npy.inrfit").exists());
    assert_eq!(json_lines(&bench.run(&["info", "run.npy.inrfit", "--json"])).len(), 2);

    // A stack that is cut gives what comes before the cut.
    let bytes = fs::read(bench.path("run.npy")).unwrap();
    fs::write(bench.path("cut.npy"), &bytes[..bytes.len() - 1]).unwrap();
    let cut = bench.compress(&["cut.npy", "-o=out"]);
    assert_eq!(cut.status.code(), Some(1));
    assert!(text(&cut.stderr).contains("cut.npy[2]: the array has"), "{}", text(&cut.stderr));
    assert!(bench.path("out/cut.00000.npy.inrfit").is_file());

    // A pack of which one event is damaged.
    let mut pack = fs::read(bench.path("run.npy.inrfit")).unwrap();
    pack[40] ^= 1;
    fs::write(bench.path("damaged.inrfit"), &pack).unwrap();
    assert_fails(&bench.run(&["decompress", "damaged.inrfit"]), 4, "damaged.inrfit[0]", "-o with a folder");
    assert!(!bench.path("damaged.npy").exists());
    let ended = bench.run(&["decompress", "damaged.inrfit", "-o=out"]);
    assert_eq!(ended.status.code(), Some(1));
    assert!(bench.path("out/run.00002.npy").is_file() && !bench.path("out/run.00000.npy").exists());
    for n in [10, 30, pack.len() / 2, pack.len() - 1] {
        fs::write(bench.path("cut.inrfit"), &pack[..n]).unwrap();
        assert_fails(&bench.run(&["decompress", "cut.inrfit", "-o=x.npy"]), 4, "cut.inrfit", "at byte");
    }
    // Nothing at all: no pack, and the one reason.
    write_array(&bench.path("nan.npy"), DType::F32, &[1, 1, 1], &[Samples::F32(vec![f32::NAN])]);
    assert_fails(&bench.compress(&["nan.npy", "--pack"]), 2, "nan.npy", "NaN");
    assert!(!bench.path("nan.npy.inrfit").exists());
}

#[test]
fn regions_are_cuts() {
    let bench = Bench::new(&["a.npy"]);
    done(&bench.compress(&["a.npy", "--tile=12,20,8"]));
    done(&bench.run(&["decompress", "a.npy.inrfit", "-o=whole.npy"]));
    let whole = read_event(&bench.path("whole.npy")).unwrap();
    done(&bench.run(&["decompress", "a.npy.inrfit", "-o=part.npy", "--region=10:15,:,3:"]));
    let part = read_event(&bench.path("part.npy")).unwrap();
    let region = Tile { start: [10, 0, 3], shape: [5, 20, 5] };
    assert_eq!(part.samples(), &crop(whole.samples(), SHAPE, &region).unwrap());
    let outside = bench.run(&["decompress", "a.npy.inrfit", "-o=x.npy", "--region=0:25,:,:"]);
    assert_fails(&outside, 2, "a.npy.inrfit", "0:25 of axis 0");
    assert_eq!(bench.run(&["decompress", "a.npy.inrfit", "-o=x.npy", "--region=1:2"]).status.code(), Some(2));
    write_stack(&bench, "run.npy", 2);
    done(&bench.compress(&["run.npy", "--pack"]));
    done(&bench.run(&["decompress", "run.npy.inrfit", "-o=parts.npy", "--region=0:1,:,0:2"]));
    let bytes = fs::read(bench.path("parts.npy")).unwrap();
    assert_eq!(npy::open(&bytes[..], Default::default()).unwrap().shape(), [1, 20, 2]);
}

#[test]
fn several_inputs_at_once_give_what_they_give_alone() {
    let names = ["a.npy", "b.npy", "c.npy", "d.npy", "e.npy"];
    let bench = Bench::new(&names);
    for folder in ["one", "two", "back"] {
        fs::create_dir(bench.path(folder)).unwrap();
    }
    done(&bench.compress(&[&names[..], &["-o=one", "--jobs=1"]].concat()));
    let rows =
        json_lines(&bench.compress(&[&names[..], &["-o=two", "--jobs=3", "--threads=3", "--json"]].concat()));
    let inputs: Vec<&str> = rows.iter().map(|r| r["input"].as_str().unwrap()).collect();
    assert_eq!(inputs, names, "lines come in the order of the inputs");
    let packed: Vec<String> = names.iter().map(|n| format!("two/{n}.inrfit")).collect();
    let packed: Vec<&str> = packed.iter().map(String::as_str).collect();
    for name in names {
        let read = |folder: &str| fs::read(bench.path(&format!("{folder}/{name}.inrfit"))).unwrap();
        assert!(read("one") == read("two"), "{name}");
    }
    let decoded =
        json_lines(&bench.run(&[&["decompress", "-o=back", "--jobs=2", "--json"], &packed[..]].concat()));
    assert_eq!(decoded.len(), 5);
    let pairs = json_lines(&bench.run(&[&["eval", "--json"], &names[..], &packed].concat()));
    for (row, made) in pairs.iter().zip(&rows) {
        assert_eq!((&row["input"], &row["log_mae"]), (&made["input"], &made["log_mae"]));
    }
    assert_eq!(bench.run(&["eval", "a.npy", "b.npy", "c.npy"]).status.code(), Some(2));
    fs::write(bench.path("two/b.npy.inrfit"), b"nonsense").unwrap();
    for args in [
        &["decompress", "-o=back", "--force"][..],
        &["info"],
        &["eval", "a.npy", "b.npy", "c.npy", "d.npy", "e.npy"],
    ] {
        let output = bench.run(&[args, &packed[..]].concat());
        assert_eq!(output.status.code(), Some(1), "{args:?}");
        assert!(text(&output.stderr).starts_with("inrfit: two/b.npy.inrfit: "), "{}", text(&output.stderr));
    }
    write_stack(&bench, "run.npy", 2);
    let fewer = bench.run(&["eval", "run.npy", "a.npy", "-q"]);
    assert_eq!(fewer.status.code(), Some(1));
    assert!(
        text(&fewer.stderr).contains("a.npy: it has fewer events than run.npy"),
        "{}",
        text(&fewer.stderr)
    );
}

/// What a run that was killed leaves can be told, and is told.
#[cfg(unix)]
#[test]
fn a_killed_run_leaves_no_output() {
    let bench = Bench::new(&["a.npy"]);
    let args = ["compress", "a.npy", "--pack", "-o=p.inrfit", "--steps=100000000", "--hidden=16"];
    let temporary = |bench: &Bench| bench.files().into_iter().find(|n| n.ends_with(".inrfit-tmp"));
    for (signal, code) in [("-INT", Some(130)), ("-TERM", Some(130)), ("-KILL", None)] {
        let mut child = bench.command(&args).stderr(Stdio::null()).spawn().unwrap();
        while temporary(&bench).is_none() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        // Being written, so nobody is told of it.
        let other = bench.compress(&["a.npy", "-o=q.inrfit", "--force"]);
        assert_eq!(text(&other.stderr), "", "{signal}");
        fs::remove_file(bench.path("q.inrfit")).unwrap();
        let id = child.id().to_string();
        assert!(std::process::Command::new("kill").args([signal, &id]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
        assert!(!bench.path("p.inrfit").exists());
        assert_eq!(temporary(&bench).is_some(), signal == "-KILL", "{signal}");
    }
    let left = temporary(&bench).unwrap();
    assert!(left.starts_with(".p.inrfit."), "{left}");
    let next = bench.compress(&["a.npy"]);
    done(&next);
    assert!(text(&next.stderr).contains(&left) && text(&next.stderr).contains("killed"));
    assert_eq!(text(&bench.compress(&["a.npy", "-f", "-q"]).stderr), "");
    for args in [&["synth", "--shape=8,9,4", "-o=s.npy"][..], &["decompress", "a.npy.inrfit", "-o=d.npy"]] {
        let next = bench.run(args);
        done(&next);
        assert!(text(&next.stderr).contains(&left), "{args:?}: {}", text(&next.stderr));
    }
}

#[test]
fn completions_and_manual_name_every_command() {
    let bench = Bench::new(&[]);
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let text = text(&bench.run(&["completions", shell]).stdout);
        assert!(text.contains("decompress") && text.contains("region"), "{shell}");
    }
    assert_eq!(bench.run(&["completions", "sh"]).status.code(), Some(2));
    let page = text(&bench.run(&["man"]).stdout);
    assert!(page.contains(".TH inrfit 1") && page.contains("130  interrupted"), "{page}");
    fs::create_dir(bench.path("man")).unwrap();
    done(&bench.run(&["man", "-o=man"]));
    for command in ["", "-compress", "-decompress", "-eval", "-info", "-bench", "-demo", "-synth"] {
        let page = fs::read_to_string(bench.path(&format!("man/inrfit{command}.1"))).unwrap();
        assert!(page.contains(".SH SYNOPSIS") && page.contains(".SH EXTRA"), "{command}");
    }
    assert_eq!(bench.run(&["man", "-o=man"]).status.code(), Some(2), "not overwritten unasked");
    assert_eq!(bench.run(&["man", "-o=none"]).status.code(), Some(2));
}

#[test]
fn the_demo_talks_as_the_others_do() {
    let bench = Bench::new(&[]);
    let row = json(&bench.run(&["demo", "--steps=3", "--json"]));
    assert_eq!(
        row.as_object().unwrap().keys().collect::<Vec<_>>(),
        json(&bench.compress(&["inrfit-demo/event.npy", "-o=x.inrfit", "--json"]))
            .as_object()
            .unwrap()
            .keys()
            .collect::<Vec<_>>()
    );
    assert_eq!((&row["output"], &row["mode"]), (&"inrfit-demo/event.npy.inrfit".into(), &"masked".into()));
    let evaluated =
        json(&bench.run(&["eval", "inrfit-demo/event.npy", "inrfit-demo/event.npy.inrfit", "--json"]));
    assert_eq!(row["log_mae"], evaluated["log_mae"]);
    let silent = bench.run(&["demo", "--steps=3", "--force", "--quiet"]);
    done(&silent);
    assert_eq!((text(&silent.stdout), text(&silent.stderr)), (String::new(), String::new()));
    let start = std::time::Instant::now();
    done(&bench.run(&["demo", "--steps=10000000", "--force", "--quiet", "--time-limit=0.3"]));
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn small_and_odd_events_are_events() {
    let bench = Bench::new(&[]);
    let n = |shape: [usize; 3]| shape.iter().product::<usize>();
    let mut state = 7u64;
    let noise: Vec<u16> = (0..n([40, 30, 20]))
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 48) as u16
        })
        .collect();
    for (name, shape, samples, is_exact) in [
        ("empty", [9, 8, 7], vec![0; n([9, 8, 7])], true),
        ("one", [1, 1, 1], vec![77], true),
        ("constant", [9, 8, 7], vec![80; n([9, 8, 7])], true),
        ("saturated", [9, 8, 7], vec![1023; n([9, 8, 7])], true),
        ("line", [1, 50, 1], (0..50).map(|i| 70 + i * (i % 3)).collect(), true),
        ("full", [6, 5, 4], (0..120).map(|i| 70 + i * i % 900).collect(), false),
        ("noise", [40, 30, 20], noise, false),
    ] {
        let event = Event::new(shape, Samples::U16(samples)).unwrap();
        let file = format!("{name}.npy");
        write_event(&bench.path(&file), &event, false).unwrap();
        let row = json(&bench.compress(&[&file, "--json"]));
        assert!(row["bytes"].as_u64().unwrap() <= event.raw_bytes() as u64 + 1024, "{name}: {row}");
        let out = format!("{name}.back.npy");
        done(&bench.run(&["decompress", &format!("{file}.inrfit"), "-o", &out]));
        let back = read_event(&bench.path(&out)).unwrap();
        assert_eq!((back.shape(), back.dtype()), (event.shape(), event.dtype()), "{name}");
        // What has nothing to fit comes back as it was; of noise, a field keeps what it can, in fewer bytes.
        assert!(!is_exact || back == event, "{name}");
    }
}

#[test]
fn bad_input_is_named_and_writes_nothing() {
    let bench = Bench::new(&["a.npy"]);
    let good = fs::read(bench.path("a.npy")).unwrap();
    let put = |name: &str, bytes: &[u8]| fs::write(bench.path(name), bytes).unwrap();
    let header = |descr: &str, shape: &str| {
        let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
        bytes
    };
    let floats = |v: &[f32]| v.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
    let with = |descr: &str, shape: &str, body: &[u8]| [&header(descr, shape)[..], body].concat();
    put("cut_head.npy", &good[..30]);
    put("cut_body.npy", &good[..good.len() - 1]);
    put("long.npy", &[&good[..], b"x"].concat());
    put("lie.npy", &with("'<u2'", "(9999, 9999, 99)", &[0; 100]));
    put("huge.npy", &with("'<u2'", "(4000000000, 4000000000, 4)", &[0; 100]));
    put("object.npy", &with("'|O'", "(2, 2, 2)", b"\x80\x03]q\x00."));
    put("struct.npy", &with("[('adc', '<u2')]", "(2, 2, 2)", &[0; 16]));
    put("complex.npy", &with("'<c8'", "(2, 2, 2)", &[0; 64]));
    put("nan.npy", &with("'<f4'", "(1, 2, 2)", &floats(&[0.0, f32::NAN, f32::INFINITY, 1.0])));
    put("inf.npy", &with("'<f4'", "(1, 2, 2)", &floats(&[0.0, 1.0, 2.0, f32::NEG_INFINITY])));
    put("f64.npy", &with("'<f8'", "(1, 1, 2)", &[0.5f64, 0.1].map(f64::to_le_bytes).concat()));
    put("i64.npy", &with("'<i8'", "(1, 1, 1)", &i64::MAX.to_le_bytes()));
    put("empty.npy", &with("'<u2'", "(3, 0, 2)", &[]));
    put("no_events.npy", &with("'<u2'", "(0, 3, 3, 2)", &[]));
    put("zero_dim.npy", &with("'<u2'", "()", &[0, 0]));
    put("one_dim.npy", &with("'<u2'", "(4,)", &[0; 8]));
    put("five.npy", &with("'<u2'", "(1, 1, 1, 1, 2)", &[0; 4]));
    put("nothing.npy", b"");
    put("zip.npz", b"PK\x03\x04 but no archive");
    put("no_arrays.npz", &archive(&[("readme.txt", b"words".to_vec())], CompressionMethod::Stored));
    put("no_members.npz", &archive(&[], CompressionMethod::Stored));
    put("wide.npy", &with("'<f8'", "(1, 1, 1)", &1e300f64.to_le_bytes()));
    let mut flipped = archive(&[("x.npy", good.clone())], CompressionMethod::Stored);
    flipped[200] ^= 1;
    put("flipped.npz", &flipped);
    put("short.raw", &[0; 10]);
    fs::create_dir(bench.path("folder.npy")).unwrap();
    let files = bench.files();
    for (name, code, reason) in [
        ("cut_head.npy", 4, "ends within the header"),
        ("cut_body.npy", 4, "the file holds"),
        ("long.npy", 4, "bytes follow"),
        ("lie.npy", 4, "the file holds 100"),
        ("huge.npy", 4, "no computer"),
        ("object.npy", 5, "Python objects"),
        ("struct.npy", 5, "structured"),
        ("complex.npy", 5, "<c8"),
        ("nan.npy", 2, "2 samples are NaN or infinite, the first at [0, 0, 1]"),
        ("inf.npy", 2, "1 samples are NaN or infinite, the first at [0, 1, 1]"),
        ("f64.npy", 2, "--round"),
        ("i64.npy", 2, "int32"),
        ("empty.npy", 2, "is empty"),
        ("no_events.npy", 2, "is empty"),
        ("zero_dim.npy", 5, "a single number"),
        ("one_dim.npy", 5, "reshape"),
        ("five.npy", 5, "5 dimensions"),
        ("nothing.npy", 4, "empty"),
        ("zip.npz", 4, "archive"),
        ("no_arrays.npz", 2, "without .npy files"),
        ("no_members.npz", 2, "without .npy files"),
        ("wide.npy", 2, "the first 1e300 at [0, 0, 0]; --round"),
        ("short.raw", 4, "raw samples need --shape and --dtype"),
        ("folder.npy", 2, "folder"),
        ("a.npy/below.npy", 3, "cannot open"),
        ("missing.npy", 3, "cannot open"),
    ] {
        assert_fails(&bench.compress(&[name, "-o=out.inrfit"]), code, name, reason);
        assert_eq!(bench.files(), files, "{name}");
    }
    fs::create_dir(bench.path("out")).unwrap();
    assert_fails(&bench.compress(&["flipped.npz", "-o=out"]), 4, "flipped.npz:x", "checksum");
    let raw = ["short.raw", "--shape=2,3,4", "--dtype=u2", "-o=out/x"];
    assert_fails(&bench.compress(&raw), 4, "short.raw", "the file holds 10");
    let range = ["a.npy", "--adc-range=0:100", "-o=out/x"];
    assert_fails(&bench.compress(&range), 2, "a.npy", "samples lie outside 0 to 100, the first");
    assert_fails(
        &bench.compress(&["a.npy", "-o=a.npy/x.inrfit"]),
        2,
        "a.npy/x.inrfit",
        "folder does not exist",
    );
    assert_fails(&bench.compress(&["a.npy", "-o=a.npy", "-f"]), 2, "a.npy", "same file");
    for wrong in [
        &["--shape=2,3"][..],
        &["--dtype=u2"],
        &["--shape=2", "--dtype=u2"],
        &["--adc-range=9:1"],
        &["--jobs=0"],
    ] {
        assert_eq!(
            bench.compress(&[&["a.npy", "-o=out/x"], wrong].concat()).status.code(),
            Some(2),
            "{wrong:?}"
        );
    }
    assert_eq!(fs::read_dir(bench.path("out")).unwrap().count(), 0);
    done(&bench.compress(&["f64.npy", "--round", "-o=out/x", "--adc-range=0:1"]));
    #[cfg(target_os = "linux")]
    {
        // Refused whoever asks: memory that is not mapped cannot be read, nothing can be made in this folder.
        assert_fails(&bench.compress(&["/proc/self/mem", "-o=out/y"]), 3, "/proc/self/mem", "reading");
        assert_fails(&bench.compress(&["a.npy", "-o=/proc/y"]), 3, "/proc/y", "cannot create");
        assert_fails(&bench.run(&["decompress", "out/x", "-o=/proc/y"]), 3, "/proc/y", "cannot create");
    }
}
