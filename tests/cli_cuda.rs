//! `--device` as its users know it, on a device that is none: a driver and an NVRTC of our own (`fake_cuda`), which run the
//! kernels on the host. What is tested is the way there and back: probing, memory, arguments, errors.

#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod program;

use program::{Bench, QUICK, assert_fails, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

static LIBRARIES: OnceLock<Option<TempDir>> = OnceLock::new();

/// The folder of the stand-ins; `None` where no C++ compiler is there.
fn libraries() -> Option<&'static Path> {
    let build = || {
        let folder = tempfile::tempdir().unwrap();
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fake_cuda/libraries.cc");
        let driver = folder.path().join("libcuda.so");
        let mut command = Command::new(&compiler);
        command.args(["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w"]);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("fma") {
            command.arg("-mfma");
        }
        let output = match command.arg("-o").arg(&driver).arg(source).output() {
            Ok(output) => output,
            Err(e) => {
                assert!(std::env::var_os("INRFIT_REQUIRE_CXX").is_none(), "{compiler}: {e}");
                eprintln!("skipped: no C++ compiler ({compiler}: {e})");
                return None;
            }
        };
        assert!(output.status.success(), "{}", text(&output.stderr));
        fs::copy(driver, folder.path().join("libnvrtc.so")).unwrap();
        Some(folder)
    };
    LIBRARIES.get_or_init(build).as_ref().map(TempDir::path)
}

/// The program with the stand-ins, of which `fault` says what is wrong.
struct OnDevice {
    bench: Bench,
    libraries: &'static Path,
    fault: &'static str,
}

impl OnDevice {
    fn new(fault: &'static str) -> Option<OnDevice> {
        Some(OnDevice { libraries: libraries()?, bench: Bench::new(&["a.npy", "b.npy"]), fault })
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = self.bench.command(args);
        command.env("LD_LIBRARY_PATH", self.libraries).env("XDG_CACHE_HOME", self.cache());
        command.env("FAKE_CUDA", self.fault).output().unwrap()
    }

    fn compress(&self, args: &[&str]) -> Output {
        self.run(&[&["compress"], args, &QUICK].concat())
    }

    fn cache(&self) -> PathBuf {
        self.bench.path("cache")
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        fs::read(self.bench.path(name)).unwrap()
    }
}

#[track_caller]
fn assert_done(output: &Output) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn what_is_found_is_told() {
    let Some(on) = OnDevice::new("") else { return };
    let output = on.run(&["info", "--device"]);
    assert_done(&output);
    let lines = text(&output.stdout);
    for part in ["Stand-in", "sm_90, 4 multiprocessors", "1.0 GiB", "CUDA 13.0", "NVRTC        13.0"] {
        assert!(lines.contains(part), "{lines}");
    }
}

#[test]
fn fits_on_a_device_are_the_same_bytes_and_decode_everywhere() {
    let Some(on) = OnDevice::new("") else { return };
    assert_done(&on.compress(&["a.npy", "b.npy", "--device=cuda", "--quiet"]));
    let info = text(&on.run(&["info", "a.npy.inrfit"]).stdout);
    assert!(info.contains("fitted on cuda"), "{info}");
    // Side by side, tile by tile, where auto finds the device: the same.
    fs::create_dir(on.bench.path("again")).unwrap();
    assert_done(&on.compress(&["a.npy", "b.npy", "-o=again", "--jobs=2", "--threads=2", "--quiet"]));
    for name in ["a.npy.inrfit", "b.npy.inrfit"] {
        assert!(on.bytes(name) == on.bytes(&format!("again/{name}")), "{name}");
    }
    assert_done(&on.run(&["decompress", "a.npy.inrfit", "-o=there.npy", "--device=cuda", "--quiet"]));
    let here = on.bench.run(&["decompress", "a.npy.inrfit", "-o=here.npy", "--quiet"]);
    assert_done(&here);
    assert!(on.bytes("there.npy") == on.bytes("here.npy"));
    let ask = |device| on.run(&["query", "a.npy.inrfit", "3.5,4.25,2", &format!("--device={device}")]);
    assert_eq!(ask("cuda").stdout, ask("cpu").stdout);
    assert!(on.cache().join("inrfit/kernels").read_dir().unwrap().count() == 1, "kernels are kept");
}

#[test]
fn tiles_and_networks_of_every_kind_are_fitted() {
    let Some(on) = OnDevice::new("") else { return };
    for (i, more) in [
        &["--mode=field", "--tile=24,10,8", "--threads=2"][..],
        &["--mode=field", "--model=mfn"],
        &["--mode=field", "--precision=bf16", "--hidden=16"],
        &["--model=wire", "--correct", "--sampler=importance"],
        &["--optimizer=adamw", "--clip=0.1"],
    ]
    .into_iter()
    .enumerate()
    {
        let output = format!("-o={i}.inrfit");
        let quick: Vec<&str> = QUICK
            .into_iter()
            .filter(|q| !more.iter().any(|m| m.split('=').next() == q.split('=').next()))
            .collect();
        let args = [&["compress", "a.npy", "--device=cuda", "--quiet", &output], more, &quick].concat();
        assert_done(&on.run(&args));
        let info = text(&on.run(&["info", &format!("{i}.inrfit")]).stdout);
        let device = if i == 2 { "cuda-bf16" } else { "cuda" };
        assert!(info.contains(&format!("fitted on {device}\n")), "{info}");
    }
    let wire = on.compress(&["a.npy", "-o=x", "--device=cuda", "--model=wire", "--precision=bf16"]);
    assert_fails(&wire, 5, "a.npy", "--precision f32");
}

#[test]
fn what_is_wrong_is_named_and_auto_goes_on_with_one_line() {
    for (fault, reason) in [
        ("old", "12.1 or newer"),
        ("no device", "NO_DEVICE"),
        ("no memory", "out of memory"),
        ("fails", "LAUNCH_FAILED"),
    ] {
        let Some(on) = OnDevice::new(fault) else { return };
        assert_fails(&on.compress(&["a.npy", "-o=x", "--device=cuda"]), 7, "a.npy", reason);
        let output = on.compress(&["a.npy", "--quiet"]);
        assert_eq!(output.status.code(), Some(0));
        let said = text(&output.stderr);
        assert!(said.lines().count() == 1 && said.contains(reason), "{said}");
        let told = text(&on.run(&["info", "a.npy.inrfit"]).stdout);
        assert!(told.contains("fitted on cpu"), "{told}");
        if ["old", "no device"].contains(&fault) {
            let info = on.run(&["info", "--device"]);
            assert_eq!(info.status.code(), Some(7));
            assert!(text(&info.stderr).contains(reason));
        }
    }
}

#[test]
fn without_nvrtc_kernels_made_beforehand_are_taken() {
    let Some(on) = OnDevice::new("") else { return };
    let driver_alone = tempfile::tempdir().unwrap();
    fs::copy(on.libraries.join("libcuda.so"), driver_alone.path().join("libcuda.so")).unwrap();
    let run = |args: &[&str]| {
        let mut command = on.bench.command(args);
        command.env("LD_LIBRARY_PATH", driver_alone.path()).env("XDG_CACHE_HOME", on.cache());
        command.output().unwrap()
    };
    let fit = ["compress", "a.npy", "-o=x", "--device=cuda", "--quiet", QUICK[0], QUICK[1], QUICK[2]];
    assert_fails(&run(&fit), 7, "a.npy", "NVRTC");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join(".ci/kernels");
    let Ok(names) = Command::new("python3").arg(&script).arg("--names").output() else {
        assert!(std::env::var_os("INRFIT_REQUIRE_PYTHON").is_none(), "no python3");
        eprintln!("skipped: no python3");
        return;
    };
    // The fourth is for the stand-in's sm_90. Its code as the stand-in takes it, behind its SHA-256.
    let names = text(&names.stdout);
    let Some(name) = names.lines().nth(3) else {
        eprintln!("skipped: this is the packaged crate, without its checks");
        return;
    };
    let kept = on.cache().join("inrfit/kernels");
    fs::create_dir_all(&kept).unwrap();
    let code = b"code of sm_90\0";
    let sha =
        "import hashlib,sys; sys.stdout.buffer.write(hashlib.sha256(sys.argv[1].encode()+b'\\0').digest())";
    let checksum = Command::new("python3").args(["-c", sha, "code of sm_90"]).output().unwrap().stdout;
    fs::write(kept.join(name), [&checksum[..], code].concat()).unwrap();
    assert_done(&run(&fit));
}
