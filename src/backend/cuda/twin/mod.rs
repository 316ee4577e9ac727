//! The kernels on the host: compiled as C++, run thread after thread in a shuffled order.

mod parity;

use super::machine::{Kernel, Machine, Queue};
use crate::error::Result;
use libloading::Library;
use std::ffi::c_char;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, OnceLock};

type Launch = unsafe extern "C" fn(*const c_char, u32, u32, *const u8, u64) -> i32;

/// The compiled kernels. They have one set of threads: one user at a time.
static LIBRARY: OnceLock<Option<Mutex<Library>>> = OnceLock::new();

fn library() -> Option<&'static Mutex<Library>> {
    let build = || {
        let compiler = std::env::var("CXX").unwrap_or_else(|_| "c++".to_owned());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("kernels.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/backend/cuda/kernels/host.cc");
        let mut command = Command::new(&compiler);
        command.args(["-std=c++17", "-O2", "-ffp-contract=off", "-fPIC", "-shared", "-w", "-o"]);
        command.arg(&path).arg(source);
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("fma") {
            command.arg("-mfma");
        }
        match command.output() {
            Err(e) => {
                assert!(std::env::var_os("INRFIT_REQUIRE_CXX").is_none(), "{compiler}: {e}");
                eprintln!("skipped: no C++ compiler ({compiler}: {e})");
                None
            }
            Ok(output) => {
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                // SAFETY: the library has no initialisation of its own.
                Some(Mutex::new(unsafe { Library::new(&path) }.unwrap()))
            }
        }
    };
    LIBRARY.get_or_init(build).as_ref()
}

/// A device that is the host.
struct Twin {
    library: &'static Mutex<Library>,
    shared: usize,
    /// Shuffles threads; 0 = not.
    order: u64,
}

fn twin(shared: usize, order: u64) -> Option<Twin> {
    library().map(|library| Twin { library, shared, order })
}

/// Words before and after what is asked for, which nobody may write.
const GUARD: usize = 64;
const GUARDED: u64 = 0xdead_beef_0bad_f00d;

struct TwinQueue<'a> {
    twin: &'a Twin,
    held: Vec<Vec<u64>>,
}

impl TwinQueue<'_> {
    fn check_guards(&self) {
        for words in &self.held {
            let n = words.len() - GUARD;
            let whole = words[..GUARD].iter().chain(&words[n..]).all(|w| *w == GUARDED);
            assert!(whole, "a kernel wrote outside an array of {} bytes", 8 * (n - GUARD));
        }
    }

    fn start(&self, name: &str, n_blocks: usize, shared: usize, arguments: &[u8]) {
        assert!(shared <= self.twin.shared);
        let name = std::ffi::CString::new(name).unwrap();
        let library = self.twin.library.lock().unwrap();
        let mut words = vec![0u64; arguments.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..arguments.len()].copy_from_slice(arguments);
        // SAFETY: the arguments are the kernel's; their pointers are of this queue.
        let status = unsafe {
            let launch = library.get::<Launch>(b"host_launch").unwrap();
            launch(name.as_ptr(), n_blocks as u32, shared as u32, words.as_ptr().cast(), self.twin.order)
        };
        assert_eq!(status, 0, "{name:?}: threads that disagree on barriers, or no such kernel");
        self.check_guards();
    }
}

impl Machine for Twin {
    fn shared_limit(&self) -> usize {
        self.shared
    }

    fn queue(&self) -> Result<Box<dyn Queue + '_>> {
        Ok(Box::new(TwinQueue { twin: self, held: Vec::new() }))
    }
}

impl Queue for TwinQueue<'_> {
    fn allocate(&mut self, n_bytes: usize) -> Result<u64> {
        // The end guard follows the last byte's word; vectors do not move once they are held.
        let mut words = vec![0; n_bytes.div_ceil(16) * 2 + 2 * GUARD + 1];
        let skip = usize::from(!(words.as_ptr() as usize).is_multiple_of(16));
        words.truncate(n_bytes.div_ceil(16) * 2 + 2 * GUARD + skip);
        let n = words.len();
        words[..GUARD + skip].fill(GUARDED);
        words[n - GUARD..].fill(GUARDED);
        let at = words[GUARD + skip..].as_ptr() as u64;
        self.held.push(words);
        Ok(at)
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<()> {
        // SAFETY: `to` is what `allocate` gave for at least as many bytes.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to as *mut u8, bytes.len()) };
        Ok(())
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        // SAFETY: `from` is what `allocate` gave for at least as many bytes.
        unsafe { std::ptr::copy_nonoverlapping(from as *const u8, bytes.as_mut_ptr(), bytes.len()) };
        Ok(())
    }

    unsafe fn launch(&self, kernel: Kernel, n_blocks: usize, shared: usize, arguments: &[u8]) -> Result<()> {
        self.start(kernel.name(), n_blocks, shared, arguments);
        Ok(())
    }
}
