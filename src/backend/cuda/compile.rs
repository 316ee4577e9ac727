//! Kernels to machine code for one device, by NVRTC, and a folder that remembers them.

use crate::error::{Error, ErrorKind, Result};
use cudarc::nvrtc::{result, sys};
use sha2::{Digest, Sha256};
use std::ffi::CString;
use std::path::Path;

/// The kernels, and what they include.
pub const SOURCE: &str = include_str!("kernels/kernels.cu");
pub const INCLUDED: [(&str, &str); 7] = [
    ("draw.cuh", include_str!("kernels/draw.cuh")),
    ("lane.cuh", include_str!("kernels/lane.cuh")),
    ("muon.cuh", include_str!("kernels/muon.cuh")),
    ("net.cuh", include_str!("kernels/net.cuh")),
    ("passes.cuh", include_str!("kernels/passes.cuh")),
    ("tensor.cuh", include_str!("kernels/tensor.cuh")),
    ("train.cuh", include_str!("kernels/train.cuh")),
];

/// Decoding gives the bits of the format document, so nothing may be fused, flushed or approximated.
pub const OPTIONS: [&str; 5] =
    ["--std=c++17", "--fmad=false", "--ftz=false", "--prec-div=true", "--prec-sqrt=true"];

/// Bytes of the checksum before remembered code.
const CHECKSUM: usize = 32;

/// What stands for NVRTC's version where code was made beforehand (`.ci/kernels --output`).
const PREBUILT: &str = "prebuilt";

/// What remembered code is found by: all that it depends on. `.ci/kernels` makes the same.
fn key(architecture: &str, nvrtc: &str) -> String {
    let mut hash = Sha256::new();
    let mut part = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    part(SOURCE);
    INCLUDED.iter().for_each(|(name, text)| [*name, *text].into_iter().for_each(&mut part));
    OPTIONS.into_iter().for_each(&mut part);
    part(architecture);
    part(nvrtc);
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}

/// Machine code for devices of compute capability `sm`, by NVRTC of version `nvrtc`; `folder` remembers it, where one is
/// given that can be written, and may hold some that was made beforehand.
///
/// # Errors
/// `Device` where NVRTC refuses, or there is none and nothing is remembered.
pub fn machine_code(sm: (i32, i32), nvrtc: Option<(i32, i32)>, folder: Option<&Path>) -> Result<Vec<u8>> {
    let architecture = format!("--gpu-architecture=sm_{}{}", sm.0, sm.1);
    let path = |by: &str| Some(folder?.join(format!("{}.cubin", key(&architecture, by))));
    let prebuilt = || remembered(&path(PREBUILT)?);
    let Some((major, minor)) = nvrtc else {
        return prebuilt().ok_or_else(|| {
            Error::new(
                ErrorKind::Device,
                "there is a CUDA driver, but no NVRTC (libnvrtc, of CUDA 12 or 13), which compiles the kernels: install \
                 it, or name its folder in LD_LIBRARY_PATH; or use --device cpu",
            )
        });
    };
    let Some(path) = path(&format!("{major}.{minor}")) else { return compile(&architecture) };
    if let Some(code) = remembered(&path).or_else(prebuilt) {
        return Ok(code);
    }
    let code = compile(&architecture)?;
    // A folder that cannot be written only costs time, next time.
    let _ = remember(&path, &code);
    Ok(code)
}

/// Code of a file that is whole.
fn remembered(path: &Path) -> Option<Vec<u8>> {
    let bytes = std::fs::read(path).ok()?;
    let (checksum, code) = bytes.split_at_checked(CHECKSUM)?;
    (Sha256::digest(code)[..] == *checksum).then(|| code.to_vec())
}

fn remember(path: &Path, code: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let file = tempfile::NamedTempFile::new_in(folder)?;
    let checksum = Sha256::digest(code);
    std::fs::write(file.path(), [&checksum[..], code].concat())?;
    file.persist(path).map(|_| ()).map_err(|e| e.error)
}

/// The version of NVRTC.
pub fn version() -> Result<(i32, i32)> {
    let (mut major, mut minor) = (0, 0);
    // SAFETY: both places live through the call.
    unsafe { sys::nvrtcVersion(&mut major, &mut minor) }.result().map_err(|e| failed("NVRTC", e, ""))?;
    Ok((major, minor))
}

fn failed(what: &str, error: result::NvrtcError, log: &str) -> Error {
    let log = log.trim();
    let colon = if log.is_empty() { "" } else { ": " };
    Error::new(ErrorKind::Device, format!("{what} failed ({:?}){colon}{log}; use --device cpu", error.0))
}

/// A program of NVRTC, destroyed when it goes.
struct Program(sys::nvrtcProgram);

impl Drop for Program {
    fn drop(&mut self) {
        // SAFETY: the program is ours and not used again.
        let _ = unsafe { result::destroy_program(self.0) };
    }
}

fn compile(architecture: &str) -> Result<Vec<u8>> {
    let text = |s: &str| CString::new(s).map_err(|_| Error::argument("a kernel with a zero byte"));
    let source = text(SOURCE)?;
    let names = INCLUDED.iter().map(|(name, _)| text(name)).collect::<Result<Vec<_>>>()?;
    let texts = INCLUDED.iter().map(|(_, t)| text(t)).collect::<Result<Vec<_>>>()?;
    let [name_pointers, text_pointers] =
        [&names, &texts].map(|list| list.iter().map(|s| s.as_ptr()).collect::<Vec<_>>());
    let mut program = std::ptr::null_mut();
    // SAFETY: every string lives until the program is destroyed, which is before they are.
    let created = unsafe {
        sys::nvrtcCreateProgram(
            &mut program,
            source.as_ptr(),
            c"kernels.cu".as_ptr(),
            INCLUDED.len() as i32,
            text_pointers.as_ptr(),
            name_pointers.as_ptr(),
        )
    };
    created.result().map_err(|e| failed("creating a program of NVRTC", e, ""))?;
    let program = Program(program);
    let options: Vec<&str> = OPTIONS.into_iter().chain([architecture]).collect();
    // SAFETY: the program was just created.
    if let Err(e) = unsafe { result::compile_program(program.0, &options) } {
        // SAFETY: as above.
        let log = unsafe { result::get_program_log(program.0) }.unwrap_or_default();
        let log: String = log.iter().map(|&c| c as u8 as char).filter(|c| *c != '\0').collect();
        return Err(failed(&format!("compiling the kernels with {architecture}"), e, &log));
    }
    let mut n = 0;
    // SAFETY: the program is compiled.
    unsafe { sys::nvrtcGetCUBINSize(program.0, &mut n) }
        .result()
        .map_err(|e| failed("machine code", e, ""))?;
    let mut code = vec![0u8; n];
    // SAFETY: there is room for as many bytes as were announced.
    unsafe { sys::nvrtcGetCUBIN(program.0, code.as_mut_ptr().cast()) }
        .result()
        .map_err(|e| failed("machine code", e, ""))?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remembered_code_is_whole_or_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("below/code.cubin");
        assert!(remembered(&path).is_none());
        remember(&path, b"machine code").unwrap();
        assert_eq!(remembered(&path).unwrap(), b"machine code");
        let whole = std::fs::read(&path).unwrap();
        for cut in [0, 10, 32, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            assert!(remembered(&path).is_none(), "{cut}");
        }
    }

    #[test]
    fn code_made_beforehand_is_found_without_a_compiler() {
        let folder = tempfile::tempdir().unwrap();
        let of = |sm| machine_code(sm, None, Some(folder.path()));
        assert_eq!(of((9, 0)).unwrap_err().kind(), ErrorKind::Device);
        let name = format!("{}.cubin", key("--gpu-architecture=sm_90", PREBUILT));
        remember(&folder.path().join(name), b"for sm_90").unwrap();
        assert_eq!(of((9, 0)).unwrap(), b"for sm_90");
        assert!(of((8, 0)).is_err());
    }

    #[test]
    fn keys_tell_devices_and_compilers_apart() {
        let keys = [
            key("--gpu-architecture=sm_90", "13.0"),
            key("--gpu-architecture=sm_80", "13.0"),
            key("--gpu-architecture=sm_90", PREBUILT),
        ];
        assert!(keys[0] != keys[1] && keys[0] != keys[2] && keys[0].len() == 64);
    }

    #[test]
    fn the_kernel_check_compiles_what_the_program_compiles() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let Ok(script) = std::fs::read_to_string(root.join(".ci/kernels")) else {
            eprintln!("skipped: this is the packaged crate, without its checks");
            return;
        };
        let options = format!("OPTIONS = [\"{}\"]", OPTIONS.join("\", \""));
        assert!(script.contains(&options), "{options}");
        // The script names what it makes as `key` does.
        match std::process::Command::new("python3").arg(root.join(".ci/kernels")).arg("--names").output() {
            Ok(output) => {
                let names = String::from_utf8(output.stdout).unwrap();
                let expected = [80, 86, 89, 90, 100, 120]
                    .map(|sm| key(&format!("--gpu-architecture=sm_{sm}"), PREBUILT));
                assert!(names.lines().map(|n| n.trim_end_matches(".cubin")).eq(expected), "{names}");
            }
            Err(e) => {
                assert!(std::env::var_os("INRFIT_REQUIRE_PYTHON").is_none(), "{e}");
                eprintln!("skipped: no python3 ({e})");
            }
        }
        let mut headers: Vec<String> = std::fs::read_dir(root.join("src/backend/cuda/kernels"))
            .unwrap()
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(".cuh"))
            .collect();
        headers.sort();
        assert_eq!(headers, INCLUDED.map(|(name, _)| name.to_owned()));
    }
}
