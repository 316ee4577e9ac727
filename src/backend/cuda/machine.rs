//! What the back end asks of a device: memory, and kernels one after the other.

use crate::error::Result;
use bytemuck::Pod;

/// The kernels, by their names in `kernels/kernels.cu`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    Evaluate,
    Prepare,
    Pass,
    PassBf16,
    Reduce,
    Clip,
    MuonStep,
    Move,
    WholeRound,
    WholeRoundBf16,
}

impl Kernel {
    pub const ALL: [Kernel; 10] = [
        Kernel::Evaluate,
        Kernel::Prepare,
        Kernel::Pass,
        Kernel::PassBf16,
        Kernel::Reduce,
        Kernel::Clip,
        Kernel::MuonStep,
        Kernel::Move,
        Kernel::WholeRound,
        Kernel::WholeRoundBf16,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Kernel::Evaluate => "evaluate",
            Kernel::Prepare => "prepare",
            Kernel::Pass => "pass",
            Kernel::PassBf16 => "pass_bf16",
            Kernel::Reduce => "reduce",
            Kernel::Clip => "clip",
            Kernel::MuonStep => "muon_step",
            Kernel::Move => "move",
            Kernel::WholeRound => "whole_round",
            Kernel::WholeRoundBf16 => "whole_round_bf16",
        }
    }
}

/// A device.
pub trait Machine: Send + Sync {
    /// Bytes of dynamic shared memory that a block may have.
    fn shared_limit(&self) -> usize;

    /// A queue of its own: what is put into it happens in order, beside what other queues do.
    fn queue(&self) -> Result<Box<dyn Queue + '_>>;
}

/// Work for a device, in order. Memory that is asked for here is given back with the queue.
pub trait Queue: Send {
    /// `n_bytes` of memory, all 0, aligned to 16 bytes at least.
    fn allocate(&mut self, n_bytes: usize) -> Result<u64>;

    /// Copies `bytes` to `to`.
    fn upload(&self, to: u64, bytes: &[u8]) -> Result<()>;

    /// Waits for all work, then copies from `from`.
    fn download(&self, from: u64, bytes: &mut [u8]) -> Result<()>;

    /// Starts `n_blocks` blocks of a kernel with `shared` bytes of dynamic shared memory.
    ///
    /// # Safety
    /// `arguments` are those of the kernel, and their pointers are of this queue and as long as the kernel takes them to
    /// be.
    unsafe fn launch(&self, kernel: Kernel, n_blocks: usize, shared: usize, arguments: &[u8]) -> Result<()>;
}

/// Memory that holds `values`; none (0) where there are none.
pub fn hold<T: Pod>(queue: &mut dyn Queue, values: &[T]) -> Result<u64> {
    if values.is_empty() {
        return Ok(0);
    }
    let at = queue.allocate(size_of_val(values))?;
    queue.upload(at, bytemuck::cast_slice(values))?;
    Ok(at)
}
