//! Running the program as its users do, for the test files that share it.
#![allow(dead_code, reason = "each test file uses its own part")]

use inrfit::event::{Event, Samples};
use inrfit::io::write_event;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

/// Options of a fit that takes a tenth of a second.
pub const QUICK: [&str; 3] = ["--hidden=8", "--steps=30", "--batch=256"];
pub const SHAPE: [usize; 3] = [24, 20, 8];
/// A folder with small events in it.
pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    pub fn new(events: &[&str]) -> Bench {
        let bench = Bench { folder: tempfile::tempdir().unwrap() };
        for (seed, name) in events.iter().enumerate() {
            write_event(&bench.path(name), &event(seed), false).unwrap();
        }
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs the program inside the folder.
    pub fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_inrfit"));
        command.current_dir(self.folder.path()).args(args).stdin(Stdio::null());
        command
    }

    /// Runs `compress` with a quick fit.
    pub fn compress(&self, args: &[&str]) -> Output {
        self.run(&[&["compress"], args, &QUICK].concat())
    }

    /// Names of all files in the folder, sorted.
    pub fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

/// Slanted tracks of five samples along the second axis.
pub fn event(seed: usize) -> Event {
    let [n_a, n_b, n_c] = SHAPE;
    let mut samples = vec![0u16; n_a * n_b * n_c];
    for a in 0..n_a {
        for c in 0..n_c {
            let start = (3 * a + 2 * c + 5 * seed) % n_b;
            for b in start..n_b.min(start + 5) {
                samples[(a * n_b + b) * n_c + c] = (70 + (37 * a + 101 * b + 13 * c + seed) % 400) as u16;
            }
        }
    }
    Event::new(SHAPE, Samples::U16(samples)).unwrap()
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

pub fn json_lines(output: &Output) -> Vec<Value> {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

pub fn json(output: &Output) -> Value {
    let lines = json_lines(output);
    assert_eq!(lines.len(), 1);
    lines[0].clone()
}

/// Fails with `code` and one line on standard error that names `subject` and, somewhere, `reason`.
#[track_caller]
pub fn assert_fails(output: &Output, code: i32, subject: &str, reason: &str) {
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert_eq!(message.lines().count(), 1, "{message}");
    assert!(message.starts_with(&format!("inrfit: {subject}: ")), "{message}");
    assert_eq!(message.matches(&format!("{subject}: ")).count(), 1, "the file is named once: {message}");
    assert!(message.contains(reason), "{message}");
    assert_eq!(text(&output.stdout), "");
}
