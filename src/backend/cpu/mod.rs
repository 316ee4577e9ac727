//! Training and exact evaluation on the CPU.

mod bf16;
mod kernel;
mod muon;
mod plan;
mod tangent;
mod trainer;

use super::{Backend, Precision, SiteBlock, Trainer, TrainingSet};
use crate::error::{Error, ErrorKind, Result};
use crate::lane::{Kernel, Level, Simd, dispatch, has_bf16};
use crate::net::Weights;
use kernel::{Scratch, TILE};
use plan::Plan;
use rayon::prelude::*;

/// More than any machine has.
const MAX_THREADS: usize = 1024;

/// The CPU: so many threads of a pool of its own, at a lane width.
pub struct Cpu {
    pool: rayon::ThreadPool,
    level: Level,
}

impl Cpu {
    /// `n_threads` threads at the widest lanes of this processor.
    ///
    /// # Errors
    /// `Argument` for no threads, `Io` where the system gives none.
    pub fn new(n_threads: usize) -> Result<Cpu> {
        Cpu::at_level(n_threads, Level::detect())
    }

    /// The same at a chosen width; results do not depend on it.
    ///
    /// # Errors
    /// As [`Cpu::new`], and `Unsupported` where this processor lacks `level`.
    pub fn at_level(n_threads: usize, level: Level) -> Result<Cpu> {
        if !(1..=MAX_THREADS).contains(&n_threads) {
            return Err(Error::argument(format!("1 to {MAX_THREADS} threads can run, not {n_threads}")));
        }
        if !Level::available().contains(&level) {
            return Err(Error::new(ErrorKind::Unsupported, format!("no {level:?} on this processor")));
        }
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .map_err(|e| Error::io("starting threads", std::io::Error::other(e)))?;
        Ok(Cpu { pool, level })
    }

    /// Threads of the pool.
    pub fn n_threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    /// Runs `work` on the pool: parallel iterators within use its threads.
    pub fn install<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        self.pool.install(work)
    }

    /// Lane width in use.
    pub fn level(&self) -> Level {
        self.level
    }

    /// The network's outputs at points and their derivatives in three directions.
    ///
    /// `rows` holds, for each point, its inputs (coordinates, then features), then the derivatives of the inputs in
    /// the first, second and third direction; the result likewise `n_heads` outputs and three times `n_heads`
    /// derivatives a point. Outputs are those of [`Backend::evaluate`], and all bits are the same everywhere.
    ///
    /// # Errors
    /// `Argument` where the rows are not four a point of this network's inputs.
    pub fn tangents(&self, weights: &Weights, rows: &[f32]) -> Result<Vec<f32>> {
        let plan = Plan::new(weights.spec());
        let (n_in, n_heads) = (plan.spec.n_coords + plan.spec.n_features, plan.spec.n_heads);
        if !rows.len().is_multiple_of(n_in * tangent::ROWS) {
            return Err(Error::argument("rows of inputs that do not belong to this network"));
        }
        let params = plan.pack(weights);
        let mut out = vec![0.0; rows.len() / n_in * n_heads];
        self.pool.install(|| {
            let n = tangent::POINTS * tangent::ROWS;
            out.par_chunks_mut(n * n_heads).zip(rows.par_chunks(n * n_in)).for_each_init(
                || Scratch::new(&plan),
                |scratch, (out, rows)| {
                    let (plan, params) = (&plan, &params[..]);
                    dispatch(self.level, tangent::TangentTile { plan, params, rows, scratch, out });
                },
            );
        });
        Ok(out)
    }
}

/// Evaluates one tile of sites from `first` and writes their heads.
struct EvaluateTile<'a> {
    plan: &'a Plan,
    params: &'a [f32],
    sites: &'a SiteBlock<'a>,
    first: usize,
    scratch: &'a mut Scratch,
    out: &'a mut [f32],
}

impl Kernel for EvaluateTile<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let EvaluateTile { plan, params, sites, first, scratch, out } = self;
        let (n_heads, k) = (plan.spec.n_heads, plan.spec.n_features);
        let n = out.len() / n_heads;
        for p in 0..n {
            let i = first + p;
            scratch.set_inputs(p, sites.coords(i), &sites.features[i * k..(i + 1) * k]);
        }
        kernel::forward::<S, false>(s, plan, params, scratch, n);
        for (p, out) in out.chunks_exact_mut(n_heads).enumerate() {
            for (h, out) in out.iter_mut().enumerate() {
                *out = scratch.head(plan, p, h);
            }
        }
    }
}

impl Backend for Cpu {
    fn name(&self) -> &str {
        "cpu"
    }

    fn trainer<'a>(
        &'a self,
        weights: &Weights,
        set: TrainingSet<'a>,
        precision: Precision,
    ) -> Result<Box<dyn Trainer + 'a>> {
        if precision == Precision::Bf16 && !has_bf16() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "this processor has no bf16 products (AVX512-BF16); use --precision f32",
            ));
        }
        Ok(Box::new(trainer::CpuTrainer::new(self, weights, set, precision)?))
    }

    fn evaluate(&self, weights: &Weights, sites: &SiteBlock<'_>, out: &mut [f32]) -> Result<()> {
        let plan = Plan::new(weights.spec());
        let n_heads = plan.spec.n_heads;
        let n = sites.n_sites();
        if out.len() != n * n_heads || sites.features.len() != n * plan.spec.n_features {
            return Err(Error::argument("sites, features and outputs do not belong together"));
        }
        let params = plan.pack(weights);
        self.pool.install(|| {
            out.par_chunks_mut(TILE * n_heads).enumerate().for_each_init(
                || Scratch::new(&plan),
                |scratch, (tile, out)| {
                    let (plan, params) = (&plan, &params[..]);
                    dispatch(
                        self.level,
                        EvaluateTile { plan, params, sites, first: tile * TILE, scratch, out },
                    );
                },
            );
        });
        Ok(())
    }
}
