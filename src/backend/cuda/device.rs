//! NVIDIA devices through the driver, which is loaded when it is first needed.

use super::compile;
use super::machine::{Kernel, Machine, Queue};
use crate::error::{Error, ErrorKind, Result};
use cudarc::driver::result::{self, DriverError, stream};
use cudarc::driver::sys::{self, CUdevice_attribute_enum as Attribute};
use std::path::Path;

/// The oldest driver, as the version of CUDA it supports times 1000.
const OLDEST_DRIVER: i32 = 12_010;
/// The oldest compute capability that kernels are checked for.
const OLDEST_SM: (i32, i32) = (8, 0);
/// What blocks keep beside their dynamic shared memory; the kernel check holds kernels to half of it.
const STATIC_SHARED: usize = 16_384 / 2;

/// A device as `inrfit info --device` tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its name.
    pub name: String,
    /// Compute capability, major and minor.
    pub sm: (i32, i32),
    /// Bytes of memory.
    pub memory: u64,
    /// Multiprocessors.
    pub n_multiprocessors: u32,
    /// Bytes of shared memory that a block may have.
    pub shared: usize,
    /// Version of CUDA that the driver supports, major and minor.
    pub driver: (i32, i32),
    /// Version of NVRTC, where there is one.
    pub nvrtc: Option<(i32, i32)>,
}

/// Whether there is a driver, so that a device may be expected.
pub fn has_driver() -> bool {
    // SAFETY: it only tries to load the library.
    unsafe { sys::is_culib_present() }
}

fn absent(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Device, message)
}

/// What the driver says of `error`.
fn failed(what: &str, error: DriverError) -> Error {
    if error.0 == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
        return absent(format!("{what}: the device is out of memory; use smaller tiles or --device cpu"));
    }
    absent(format!("{what}: the CUDA driver says {:?}; use --device cpu", error.0))
}

/// The first device, if there is one that can be used. Compiling kernels for it takes NVRTC too.
///
/// # Errors
/// `Device`, which names what is missing.
pub fn probe() -> Result<Found> {
    if !has_driver() {
        return Err(absent("no CUDA driver (libcuda) is installed; use --device cpu"));
    }
    let mut version = 0;
    // SAFETY: the place lives through the call; the library is there.
    unsafe { sys::cuDriverGetVersion(&mut version) }
        .result()
        .map_err(|e| failed("asking for the version of the driver", e))?;
    let driver = (version / 1000, version % 1000 / 10);
    if version < OLDEST_DRIVER {
        return Err(absent(format!(
            "the driver supports CUDA {}.{}; 12.1 or newer is needed: update it, or use --device cpu",
            driver.0, driver.1
        )));
    }
    result::init().map_err(|e| failed("starting CUDA", e))?;
    let n = result::device::get_count().map_err(|e| failed("counting devices", e))?;
    if n == 0 {
        return Err(absent("there is a CUDA driver, but no device; use --device cpu"));
    }
    let device = result::device::get(0).map_err(|e| failed("opening device 0", e))?;
    // SAFETY: the device was just opened.
    let attribute = |which| unsafe { result::device::get_attribute(device, which) };
    let of = |which| attribute(which).map_err(|e| failed("asking device 0 what it is", e));
    let sm = (
        of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        of(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    let name = result::device::get_name(device).map_err(|e| failed("asking device 0 what it is", e))?;
    if sm < OLDEST_SM {
        return Err(absent(format!(
            "{name} has compute capability {}.{}; {}.{} or newer is needed; use --device cpu",
            sm.0, sm.1, OLDEST_SM.0, OLDEST_SM.1
        )));
    }
    // SAFETY: the device was just opened.
    let memory = unsafe { result::device::total_mem(device) };
    let shared = of(Attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?;
    Ok(Found {
        name,
        sm,
        memory: memory.map_err(|e| failed("asking device 0 what it is", e))? as u64,
        n_multiprocessors: of(Attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?.max(0) as u32,
        shared: usize::try_from(shared).unwrap_or(0),
        driver,
        // SAFETY: it only tries to load the library.
        nvrtc: match unsafe { cudarc::nvrtc::sys::is_culib_present() } {
            true => Some(compile::version()?),
            false => None,
        },
    })
}

/// Has the device's own pool keep memory that is given back.
fn keep_memory(device: sys::CUdevice) -> std::result::Result<(), DriverError> {
    // SAFETY: the device was opened; the value is as the attribute wants it, and lives through the call.
    unsafe {
        let supported = Attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED;
        if result::device::get_attribute(device, supported)? == 0 {
            return Err(DriverError(sys::CUresult::CUDA_ERROR_NOT_SUPPORTED));
        }
        let pool = result::device::get_default_mem_pool(device)?;
        let mut most = u64::MAX;
        let threshold = sys::CUmemPool_attribute_enum::CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
        result::mem_pool::set_attribute(pool, threshold, (&raw mut most).cast())
    }
}

/// The first device, with its kernels.
pub struct Device {
    found: Found,
    device: sys::CUdevice,
    context: sys::CUcontext,
    module: sys::CUmodule,
    /// Whether memory comes from a pool, so that asking for it and giving it back stops no work.
    has_pool: bool,
    functions: Vec<(Kernel, sys::CUfunction)>,
}

// SAFETY: handles of the driver may be used from every thread that has made the context current, which every call does.
unsafe impl Send for Device {}
// SAFETY: as above; the driver locks what it must.
unsafe impl Sync for Device {}

impl Device {
    /// Opens the first device and compiles its kernels, or takes them from `folder`.
    ///
    /// # Errors
    /// As [`probe`]; `Device` where something fails.
    pub fn open(folder: Option<&Path>) -> Result<Device> {
        let found = probe()?;
        let device = result::device::get(0).map_err(|e| failed("opening device 0", e))?;
        // SAFETY: the device was just opened; released when this goes.
        let context = unsafe { result::primary_ctx::retain(device) }
            .map_err(|e| failed(&format!("opening {}", found.name), e))?;
        let module = std::ptr::null_mut();
        let has_pool = keep_memory(device).is_ok();
        let mut this = Device { found, device, context, module, has_pool, functions: Vec::new() };
        this.make_current()?;
        // Threads that wait for the device sleep: there may be more of them than cores. Where another library has set
        // how to wait already, that stays.
        let _ = result::ctx::set_flags(sys::CUctx_flags::CU_CTX_SCHED_BLOCKING_SYNC);
        let code = compile::machine_code(this.found.sm, this.found.nvrtc, folder)?;
        // SAFETY: it is machine code as NVRTC made it, and lives through the call.
        this.module = unsafe { result::module::load_data(code.as_ptr().cast()) }
            .map_err(|e| failed("loading the kernels", e))?;
        let limit = this.shared_limit() as i32;
        for kernel in Kernel::ALL {
            let name =
                std::ffi::CString::new(kernel.name()).map_err(|_| Error::argument("a kernel's name"))?;
            // SAFETY: the module was just loaded.
            let function = unsafe { result::module::get_function(this.module, name) }
                .map_err(|e| failed(&format!("finding kernel {}", kernel.name()), e))?;
            let most = sys::CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: the function was just found.
            unsafe { result::function::set_function_attribute(function, most, limit) }
                .map_err(|e| failed(&format!("shared memory of kernel {}", kernel.name()), e))?;
            this.functions.push((kernel, function));
        }
        Ok(this)
    }

    /// What it is.
    pub fn found(&self) -> &Found {
        &self.found
    }

    fn make_current(&self) -> Result<()> {
        // SAFETY: the context is retained as long as this lives.
        unsafe { result::ctx::set_current(self.context) }.map_err(|e| failed("turning to the device", e))
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.make_current().is_err() {
            return;
        }
        // SAFETY: nothing of the module or the context is used from here on.
        unsafe {
            if !self.module.is_null() {
                let _ = result::module::unload(self.module);
            }
            let _ = result::primary_ctx::release(self.device);
        }
    }
}

impl Machine for Device {
    fn shared_limit(&self) -> usize {
        self.found.shared.saturating_sub(STATIC_SHARED)
    }

    fn queue(&self) -> Result<Box<dyn Queue + '_>> {
        self.make_current()?;
        let stream = stream::create(stream::StreamKind::NonBlocking)
            .map_err(|e| failed("making a queue of work", e))?;
        Ok(Box::new(Stream { device: self, stream, held: Vec::new() }))
    }
}

/// A stream of the driver.
struct Stream<'a> {
    device: &'a Device,
    stream: sys::CUstream,
    held: Vec<sys::CUdeviceptr>,
}

// SAFETY: as for `Device`.
unsafe impl Send for Stream<'_> {}

impl Queue for Stream<'_> {
    fn allocate(&mut self, n_bytes: usize) -> Result<u64> {
        self.device.make_current()?;
        let what = || format!("{n_bytes} bytes of device memory");
        // SAFETY: the memory is filled with 0 before anyone reads it.
        let at = unsafe {
            match self.device.has_pool {
                true => result::malloc_async(self.stream, n_bytes.max(1)),
                false => result::malloc_sync(n_bytes.max(1)),
            }
        }
        .map_err(|e| failed(&what(), e))?;
        self.held.push(at);
        // SAFETY: as long as was just asked for.
        unsafe { result::memset_d8_async(at, 0, n_bytes, self.stream) }.map_err(|e| failed(&what(), e))?;
        Ok(at)
    }

    fn upload(&self, to: u64, bytes: &[u8]) -> Result<()> {
        self.device.make_current()?;
        // SAFETY: the caller's memory is as long; pageable memory is copied before the call returns.
        unsafe { result::memcpy_htod_async(to, bytes, self.stream) }
            .map_err(|e| failed("copying to the device", e))
    }

    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()> {
        self.device.make_current()?;
        // SAFETY: the memory is as long, and waited for before it is read.
        unsafe {
            result::memcpy_dtoh_async(bytes, from, self.stream)
                .and_then(|()| stream::synchronize(self.stream))
                .map_err(|e| failed("running kernels and copying from the device", e))
        }
    }

    unsafe fn launch(&self, kernel: Kernel, n_blocks: usize, shared: usize, arguments: &[u8]) -> Result<()> {
        self.device.make_current()?;
        let function = self.device.functions.iter().find(|(k, _)| *k == kernel);
        let function = function.ok_or_else(|| absent(format!("no kernel {}", kernel.name())))?.1;
        // The driver copies arguments from where each one lies, aligned as the kernel wants it.
        let mut words = vec![0u64; arguments.len().div_ceil(8)];
        bytemuck::cast_slice_mut(&mut words)[..arguments.len()].copy_from_slice(arguments);
        let mut list = [words.as_mut_ptr().cast()];
        // SAFETY: the caller's promise; one argument, which lives through the call.
        unsafe {
            result::launch_kernel(
                function,
                (n_blocks as u32, 1, 1),
                (super::abi::THREADS as u32, 1, 1),
                shared as u32,
                self.stream,
                &mut list,
            )
        }
        .map_err(|e| failed(&format!("starting kernel {}", kernel.name()), e))
    }
}

impl Drop for Stream<'_> {
    fn drop(&mut self) {
        if self.device.make_current().is_err() {
            return;
        }
        // SAFETY: the work is waited for, and nobody else has this memory.
        unsafe {
            let _ = stream::synchronize(self.stream);
            for &at in &self.held {
                let _ = match self.device.has_pool {
                    true => result::free_async(at, self.stream),
                    false => result::free_sync(at),
                };
            }
            let _ = stream::destroy(self.stream);
        }
    }
}
