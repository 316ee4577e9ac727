//! Priors as users of the program meet them.

mod program;

use program::{Bench, assert_fails, json, text};
use std::fs;

const LESSONS: [&str; 4] = ["--steps=600", "--hidden=16,16", "--seed=3", "--quiet"];

/// A folder with events and a prior learned from two of them.
fn bench() -> Bench {
    let bench = Bench::new(&["a.npy"]);
    for seed in ["7", "8", "9"] {
        let output = format!("t{seed}.npy");
        let made = bench.run(&[
            "synth",
            "-o",
            &output,
            "--shape=96,120,12",
            "--occupancy=0.12",
            "--seed",
            seed,
            "-q",
        ]);
        assert!(made.status.success(), "{}", text(&made.stderr));
    }
    let learned =
        bench.run(&[&["prior", "contexts", "t7.npy", "t9.npy", "-o", "own.prior"][..], &LESSONS].concat());
    assert!(learned.status.success(), "{}", text(&learned.stderr));
    bench
}

#[test]
fn a_prior_is_learned_used_and_missed() {
    let bench = bench();
    let again = bench.run(
        &[
            &["prior", "contexts", "t7.npy", "t9.npy", "-o", "again.prior", "--json", "--threads=1"][..],
            &LESSONS,
        ]
        .concat(),
    );
    let row = json(&again);
    assert_eq!(fs::read(bench.path("own.prior")).unwrap(), fs::read(bench.path("again.prior")).unwrap());
    assert_eq!((row["events"].as_u64(), row["weights"].as_u64()), (Some(2), Some(3520 + 272 + 153)));
    let hash = row["hash"].as_str().unwrap();

    let told = json(&bench.run(&["info", "own.prior", "--json"]));
    assert_eq!((told["prior"].as_str(), told["hash"].as_str()), (Some("contexts"), Some(hash)));

    let made = json(&bench.run(&["compress", "t8.npy", "--mode=lossless", "--prior=own.prior", "--json"]));
    let info = json(&bench.run(&["info", "t8.npy.inrfit", "--json"]));
    assert_eq!(info["prior"].as_str(), Some(&hash[..16]), "{made}");
    let back = bench.run(&["decompress", "t8.npy.inrfit", "-o", "back.npy", "--prior=own.prior"]);
    assert!(back.status.success(), "{}", text(&back.stderr));
    assert_eq!(fs::read(bench.path("back.npy")).unwrap(), fs::read(bench.path("t8.npy")).unwrap());
    let eval = json(&bench.run(&["eval", "t8.npy", "t8.npy.inrfit", "--prior=own.prior", "--json"]));
    assert_eq!(eval["max_error"].as_f64(), Some(0.0));

    let files = bench.files();
    let missed = bench.run(&["decompress", "t8.npy.inrfit", "-o", "other.npy"]);
    assert_fails(&missed, 5, "t8.npy.inrfit", &hash[..16]);
    assert!(text(&missed.stderr).contains("--prior"));
    let region = bench.run(&["decompress", "t8.npy.inrfit", "-o", "other.npy", "--region=0:2,:,:"]);
    assert_fails(&region, 5, "t8.npy.inrfit", &hash[..16]);
    assert_eq!(bench.files(), files);
}

#[test]
fn the_shipped_prior_needs_no_file_and_none_can_be_asked_for() {
    let bench = bench();
    let size = |options: &[&str]| {
        let all =
            [&["compress", "t8.npy", "-o", "c.inrfit", "--mode=lossless", "--json", "--force"][..], options];
        json(&bench.run(&all.concat()))["bytes"].as_u64().unwrap()
    };
    let without = size(&["--no-prior"]);
    assert!(json(&bench.run(&["info", "c.inrfit", "--json"]))["prior"].is_null());
    assert!(size(&[]) < without);
    let back = bench.run(&["decompress", "c.inrfit", "-o", "back.npy"]);
    assert!(back.status.success(), "{}", text(&back.stderr));
    let lines = text(&bench.run(&["info", "c.inrfit"]).stdout);
    assert!(lines.contains("\nprior        of contexts, hash ad1048238d494315\n"), "{lines}");
    let rows = bench.run(&[
        "bench",
        "t8.npy",
        "--settings",
        "mode=lossless,no-prior",
        "mode=lossless,prior=own.prior",
    ]);
    assert!(rows.status.success(), "{}", text(&rows.stderr));
}

#[test]
fn what_cannot_be_is_named_and_nothing_written() {
    let bench = bench();
    fs::write(bench.path("cut.prior"), &fs::read(bench.path("own.prior")).unwrap()[..200]).unwrap();
    fs::write(bench.path("text.prior"), "not a prior").unwrap();
    let compressed = bench.run(&["compress", "t8.npy", "-o", "c.inrfit", "--mode=lossless", "-q"]);
    assert!(compressed.status.success());
    let files = bench.files();
    let compress = |options: &[&str]| {
        bench.run(&[&["compress", "t7.npy", "--mode=lossless", "-o", "d.inrfit"][..], options].concat())
    };
    assert_fails(&compress(&["--prior=none.prior"]), 3, "none.prior", "No such file");
    assert_fails(&compress(&["--prior=cut.prior"]), 4, "cut.prior", "ends");
    assert_fails(&compress(&["--prior=text.prior"]), 4, "text.prior", "first bytes");
    assert_fails(&compress(&["--prior=c.inrfit"]), 5, "c.inrfit", "not a prior");
    assert_fails(&compress(&["--prior=own.prior", "--prior=own.prior"]), 2, "own.prior", "second");
    assert_eq!(compress(&["--prior=own.prior", "--no-prior"]).status.code(), Some(2));
    for options in [&["--effort=fast"][..], &["--mode=masked"], &["--mode=field"]] {
        let all = [&["compress", "t7.npy", "-o", "d.inrfit", "--prior=own.prior"][..], options].concat();
        let refused = if options == ["--effort=fast"] {
            compress(&[options, &["--prior=own.prior"]].concat())
        } else {
            bench.run(&all)
        };
        assert_eq!(refused.status.code(), Some(2), "{options:?}");
        assert!(text(&refused.stderr).contains("has no use"), "{}", text(&refused.stderr));
    }
    assert_eq!(compress(&["--prior=-"]).status.code(), Some(2));
    assert_fails(&compress(&["--prior=/dev/zero"]), 4, "/dev/zero", "no prior");
    assert_fails(&bench.run(&["decompress", "own.prior", "-o", "d.npy"]), 5, "own.prior", "a prior");

    let learn = |options: &[&str]| bench.run(&[&["prior", "contexts"][..], options].concat());
    assert_fails(&learn(&["t7.npy", "-o", "own.prior"]), 2, "own.prior", "exists");
    assert_eq!(learn(&["t7.npy", "-o", "-"]).status.code(), Some(2));
    assert_fails(&learn(&["none.npy", "-o", "d.prior"]), 3, "none.npy", "No such file");
    assert_fails(&learn(&["own.prior", "-o", "d.prior"]), 4, "own.prior", "");
    for wrong in [&["--hidden=20,16"][..], &["--hidden=512,16"], &["--hidden=16"], &["--steps=0"]] {
        let refused = learn(&[&["t7.npy", "-o", "d.prior"], wrong].concat());
        assert_eq!(refused.status.code(), Some(2), "{wrong:?}: {}", text(&refused.stderr));
    }
    let bench_run = Bench::new(&[]);
    inrfit::io::write_event(&bench_run.path("e.npy"), &empty(), false).unwrap();
    let nothing = bench_run.run(&["prior", "contexts", "e.npy", "-o", "d.prior"]);
    assert_eq!(nothing.status.code(), Some(2));
    assert!(text(&nothing.stderr).contains("nothing to learn from"), "{}", text(&nothing.stderr));
    assert_eq!(bench.files(), files);
    assert_eq!(bench_run.files(), ["e.npy"]);
}

#[test]
fn a_start_is_learned_used_and_missed() {
    let bench = bench();
    let lessons = ["--steps=60", "--passes=2", "--hidden=6", "--seed=3"];
    let learn = |options: &[&str]| bench.run(&[&["prior", "fit", "t7.npy"][..], &lessons, options].concat());
    let row = json(&learn(&["-o", "fit.prior", "--json"]));
    assert_eq!((row["events"].as_u64(), row["hidden"].as_u64()), (Some(1), Some(6)));
    assert!(learn(&["-o", "again.prior", "--threads=1", "--quiet"]).status.success());
    assert_eq!(fs::read(bench.path("fit.prior")).unwrap(), fs::read(bench.path("again.prior")).unwrap());
    let hash = row["hash"].as_str().unwrap();
    let told = json(&bench.run(&["info", "fit.prior", "--json"]));
    assert_eq!((told["prior"].as_str(), told["hash"].as_str()), (Some("fit"), Some(hash)));
    assert!(text(&bench.run(&["info", "fit.prior"]).stdout).contains("prior for fitting"));

    // One of each kind may be given; the seed is that of the prior.
    let both = ["--prior=fit.prior", "--prior=own.prior"];
    let compress = |options: &[&str]| {
        bench.run(&[&["compress", "t8.npy", "-o", "c.inrfit", "--steps=60", "--force"][..], options].concat())
    };
    let kept = compress(&[&both[..], &["--mode=lossless", "--keep-field"]].concat());
    assert!(kept.status.success(), "{}", text(&kept.stderr));
    let used = compress(&["--prior=fit.prior"]);
    assert!(used.status.success(), "{}", text(&used.stderr));
    let info = json(&bench.run(&["info", "c.inrfit", "--json"]));
    assert_eq!(info["start"].as_str(), Some(&hash[..16]));
    assert_eq!(info["network"]["hidden"].as_u64(), Some(6));
    assert!(
        text(&bench.run(&["info", "c.inrfit"]).stdout)
            .contains(&format!("for fitting, hash {}", &hash[..16]))
    );
    let eval = bench.run(&["eval", "t8.npy", "c.inrfit", "--prior=fit.prior"]);
    assert!(eval.status.success(), "{}", text(&eval.stderr));
    let query = bench.run(&["query", "c.inrfit", "3.5,4.5,2", "--prior=fit.prior"]);
    assert!(query.status.success(), "{}", text(&query.stderr));

    let files = bench.files();
    for missed in [
        bench.run(&["decompress", "c.inrfit", "-o", "d.npy"]),
        bench.run(&["decompress", "c.inrfit", "-o", "d.npy", "--prior=own.prior"]),
        bench.run(&["query", "c.inrfit", "3.5,4.5,2"]),
    ] {
        assert_fails(&missed, 5, "c.inrfit", &hash[..16]);
    }
    let refused = |options: &[&str]| {
        bench.run(&[&["compress", "t7.npy", "-o", "d.inrfit", "--prior=fit.prior"][..], options].concat())
    };
    assert_fails(&refused(&["--hidden=7"]), 2, "t7.npy", "another network");
    assert_fails(&refused(&["--mode=field"]), 2, "t7.npy", "another network");
    let unused = refused(&["--mode=lossless"]);
    assert_eq!(unused.status.code(), Some(2));
    assert!(text(&unused.stderr).contains("no use in mode lossless"), "{}", text(&unused.stderr));
    assert_fails(&refused(&["--ratio=100"]), 2, "t7.npy", "a width of its own");
    assert_fails(&refused(&["--prior=again.prior"]), 2, "again.prior", "a second prior for fitting");
    fs::write(bench.path("cut.prior"), &fs::read(bench.path("fit.prior")).unwrap()[..200]).unwrap();
    assert_fails(
        &bench.run(&["compress", "t7.npy", "--prior=cut.prior", "-o", "d.inrfit"]),
        4,
        "cut.prior",
        "ends",
    );
    assert_fails(&learn(&["-o", "fit.prior"]), 2, "fit.prior", "exists");
    assert_eq!(learn(&["-o", "d.prior", "--mode=lossless"]).status.code(), Some(2));
    assert_eq!(
        bench.files(),
        [files, vec!["cut.prior".to_owned()]]
            .concat()
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
}

fn empty() -> inrfit::event::Event {
    let samples = inrfit::event::Samples::U16(vec![0; 60]);
    inrfit::event::Event::new([3, 4, 5], samples).unwrap()
}
