//! Training and exact evaluation on NVIDIA GPUs.
//!
//! Nothing of CUDA is needed to build: the driver and NVRTC are loaded when a device is first asked for, and kernels
//! (`kernels/`) are compiled for it then. The kernels are also C++ for the host, which is how they are tested where no
//! device is: there, threads of a block run one after the other.

mod abi;
mod compile;
mod device;
mod layout;
mod machine;
mod trainer;
#[cfg(test)]
mod twin;

pub use device::{Found, has_driver, probe};

use super::{Backend, Precision, SiteBlock, Trainer, TrainingSet};
use crate::error::{Error, Result};
use crate::net::Weights;
use device::Device;
use layout::Layout;
use machine::{Kernel, Machine, hold};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// Blocks of an evaluation; those whose rows do not fit in shared memory have memory of their own, so fewer of them.
const MAX_BLOCKS: usize = 4096;
const MAX_SCRATCH_BLOCKS: usize = 256;

/// The device that is open, so that all of a process use one.
static OPEN: Mutex<Weak<Cuda>> = Mutex::new(Weak::new());

/// The first NVIDIA device of this machine.
pub struct Cuda {
    device: Device,
    /// Networks in training.
    n_training: Arc<AtomicUsize>,
}

impl Cuda {
    /// Opens the first device. Compiled kernels are kept in `folder` from one run to the next, where one is given.
    ///
    /// # Errors
    /// `Device`, which names what is missing or has failed.
    pub fn new(folder: Option<&Path>) -> Result<Cuda> {
        Ok(Cuda { device: Device::open(folder)?, n_training: Arc::default() })
    }

    /// The device that somebody in this process has open already, or [`Cuda::new`].
    ///
    /// # Errors
    /// As [`Cuda::new`].
    pub fn shared(folder: Option<&Path>) -> Result<Arc<Cuda>> {
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cuda) = open.upgrade() {
            return Ok(cuda);
        }
        let cuda = Arc::new(Cuda::new(folder)?);
        *open = Arc::downgrade(&cuda);
        Ok(cuda)
    }

    /// What the device is.
    pub fn found(&self) -> &Found {
        self.device.found()
    }
}

impl Backend for Cuda {
    fn name(&self) -> &str {
        "cuda"
    }

    fn trainer<'a>(
        &'a self,
        weights: &Weights,
        set: TrainingSet<'a>,
        precision: Precision,
    ) -> Result<Box<dyn Trainer + 'a>> {
        let n_training = Arc::clone(&self.n_training);
        Ok(Box::new(trainer::CudaTrainer::new(&self.device, n_training, weights, set, precision, None)?))
    }

    fn evaluate(&self, weights: &Weights, sites: &SiteBlock<'_>, out: &mut [f32]) -> Result<()> {
        evaluate(&self.device, weights, sites, out)
    }
}

/// The network's outputs at `sites`, as [`Backend::evaluate`] has it.
fn evaluate(machine: &dyn Machine, weights: &Weights, sites: &SiteBlock<'_>, out: &mut [f32]) -> Result<()> {
    let spec = weights.spec();
    let n = sites.n_sites();
    if out.len() != n * spec.n_heads || sites.features.len() != n * spec.n_features {
        return Err(Error::argument("sites, features and outputs do not belong together"));
    }
    if n == 0 {
        return Ok(());
    }
    let layout = Layout::new(spec)?;
    let plan = layout.evaluation(machine.shared_limit());
    let has_scratch = plan.places.scratch_stride > 0;
    let most = if has_scratch { MAX_SCRATCH_BLOCKS } else { MAX_BLOCKS };
    let n_blocks = n.div_ceil(plan.n_points as usize).min(most);
    let mut queue = machine.queue()?;
    let work = abi::Evaluation {
        net: layout.net,
        n_points: plan.n_points,
        stride: plan.stride,
        layers: hold(&mut *queue, &layout.layers)?,
        forward: hold(&mut *queue, &layout.forward(weights))?,
        scratch: if has_scratch {
            queue.allocate(4 * plan.places.scratch_stride as usize * n_blocks)?
        } else {
            0
        },
        out: queue.allocate(4 * out.len())?,
        sites: trainer::hold_sites(&mut *queue, sites)?,
        n_sites: n as u64,
        places: plan.places,
    };
    // SAFETY: every pointer is of this queue, and as long as `layout`, `sites` and `out` say.
    unsafe { queue.launch(Kernel::Evaluate, n_blocks, plan.shared, bytemuck::bytes_of(&work))? };
    queue.download(work.out, bytemuck::cast_slice_mut(out))
}
