//! The device of a run: opened once, its kernels remembered from run to run.

use super::output::note;
use clap::Args;
use inrfit::backend::cuda::{Cuda, has_driver};
use inrfit::codec::InrCodec;
use inrfit::error::{ErrorKind, Result};
use inrfit::settings::{DeviceRequest, Settings};
use std::path::PathBuf;
use std::sync::{Arc, Once, OnceLock};

/// Held until the program ends, so that all events share it.
static DEVICE: OnceLock<Arc<Cuda>> = OnceLock::new();

/// Where fields are evaluated.
#[derive(Debug, Clone, Copy, Args)]
pub struct Evaluating {
    /// Where networks are evaluated: cpu, or cuda; all give the same bits (auto = cpu: a device takes longer to start)
    #[arg(long = "device", value_name = "NAME", default_value = "auto", value_parser = super::args::one_of::<DeviceRequest>(DeviceRequest::NAMES), hide_possible_values = true)]
    request: DeviceRequest,
}

impl Evaluating {
    /// What is asked for; opens the device.
    pub fn request(self) -> DeviceRequest {
        if self.request == DeviceRequest::Cuda {
            open(self.request);
        }
        self.request
    }
}

/// Opens what `settings` fit on, if they fit at all and may do so on a device.
pub fn prepare(settings: &Settings) {
    if settings.may_fit() {
        open(settings.device);
    }
}

/// Does `work` with `codec`; where its device was merely expected and fails, on the processor, which one line tells.
///
/// # Errors
/// Those of `work`.
pub fn or_on_cpu<T>(codec: &InrCodec, work: impl Fn(&InrCodec) -> Result<T>) -> Result<T> {
    static TOLD: Once = Once::new();
    match work(codec) {
        Err(error) if error.kind() == ErrorKind::Device && codec.settings.device == DeviceRequest::Auto => {
            TOLD.call_once(|| note(&format!("inrfit: on the processor: {error}")));
            let settings = Settings { device: DeviceRequest::Cpu, ..codec.settings.clone() };
            work(&InrCodec { settings, ..codec.clone() })
        }
        done => done,
    }
}

/// Where no device can be had, the library says so when it is asked for; where one was merely expected, one line tells
/// that the processor does its work.
fn open(request: DeviceRequest) {
    if request == DeviceRequest::Cpu || DEVICE.get().is_some() {
        return;
    }
    match Cuda::shared(cache().as_deref()) {
        Ok(cuda) => drop(DEVICE.set(cuda)),
        Err(error) if request == DeviceRequest::Auto && has_driver() => {
            note(&format!("inrfit: on the processor: {error}"));
        }
        Err(_) => {}
    }
}

/// The folder for compiled kernels.
fn cache() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = if cfg!(windows) { folder("LOCALAPPDATA") } else { folder("XDG_CACHE_HOME") };
    let caches = caches.or_else(|| Some(folder("HOME")?.join(".cache")))?;
    Some(caches.join("inrfit").join("kernels"))
}

/// What is found, or why nothing is, in lines.
pub fn describe() -> Result<Vec<String>> {
    let found = inrfit::backend::cuda::probe()?;
    let version = |(major, minor): (i32, i32)| format!("{major}.{minor}");
    let gibibytes = found.memory as f64 / f64::from(1 << 30);
    Ok(vec![
        format!("device       {}", found.name),
        format!("compute      sm_{}{}, {} multiprocessors", found.sm.0, found.sm.1, found.n_multiprocessors),
        format!("memory       {gibibytes:.1} GiB, {} bytes of shared memory a block", found.shared),
        format!("driver       for CUDA {}", version(found.driver)),
        match found.nvrtc {
            Some(nvrtc) => format!("NVRTC        {}", version(nvrtc)),
            None => "NVRTC        none: only kernels that are kept already can be used".to_owned(),
        },
        format!(
            "kernels      {}",
            cache().map_or("not kept".to_owned(), |c| format!("kept in {}", c.display()))
        ),
    ])
}
