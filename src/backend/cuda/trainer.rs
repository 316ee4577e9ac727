//! Rounds on a device: weights, moments, sites and tables stay there, and a round has no round trip.

use super::abi;
use super::layout::{Layout, Plan};
use super::machine::{Kernel, Machine, Queue, hold};
use crate::backend::{Optimizer, Precision, Round, SiteBlock, Trainer, TrainingSet, ValueLoss};
use crate::error::{Error, ErrorKind, Result};
use crate::net::Weights;
use bytemuck::bytes_of;
use inrfit_sampling::DrawTable;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A batch is cut into at most so many groups, each summed on its own: enough for every multiprocessor of a large
/// device. The number depends on the batch alone, so that devices of one kind give the same bits.
const MAX_GROUPS: usize = 256;

/// Blocks of the kernels that go through weights one by one.
const MAX_BLOCKS: usize = 512;

/// How a round is cut up; both ways give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// A block a group of draws: one network has the whole device.
    Groups,
    /// One block does it all: many networks share the device.
    Whole,
}

/// So many networks in training at once fill a device better one a multiprocessor.
const SHARED_BY: usize = 8;

/// A draw table on the device.
struct Tabled {
    /// What it was made from: its clones are known to be the same.
    table: Option<DrawTable>,
    device: abi::Table,
    /// By site; 0 = all 1.
    inverse: u64,
}

pub struct CudaTrainer<'a> {
    layout: Layout,
    initial: Weights,
    queue: Box<dyn Queue + 'a>,
    job: abi::Job,
    n_sites: usize,
    /// What blocks hold: those of a step, the one of a whole round, those that move matrices.
    plans: [Plan; 3],
    tabled: Vec<Tabled>,
    /// Quantisation steps on the device, and as they were given.
    rounding: (u64, Vec<f32>),
    /// Room for the steps of a round.
    steps: (u64, usize),
    n_updates: u64,
    n_training: Arc<AtomicUsize>,
    /// `None` = by how many others train.
    cut: Option<Cut>,
}

/// Sites on the device, and what they are.
pub fn hold_sites(queue: &mut dyn Queue, sites: &SiteBlock<'_>) -> Result<abi::Sites> {
    let axes = sites.axes.concat();
    Ok(abi::Sites {
        axes: hold(queue, &axes)?,
        positions: sites.positions.map_or(Ok(0), |p| hold(queue, p))?,
        features: hold(queue, sites.features)?,
        n: sites.axes.map(|a| a.len() as u32),
        unused: 0,
    })
}

/// `base^n` by squaring.
fn power(base: f64, mut n: u64) -> f64 {
    let (mut result, mut square) = (1.0, base);
    while n > 0 {
        if n & 1 == 1 {
            result *= square;
        }
        square *= square;
        n >>= 1;
    }
    result
}

impl<'a> CudaTrainer<'a> {
    pub fn new(
        machine: &'a dyn Machine,
        n_training: Arc<AtomicUsize>,
        weights: &Weights,
        set: TrainingSet<'_>,
        precision: Precision,
        cut: Option<Cut>,
    ) -> Result<CudaTrainer<'a>> {
        let layout = Layout::new(weights.spec())?;
        let n = set.sites.n_sites();
        if n == 0
            || u32::try_from(n).is_err()
            || set.targets.len() != n
            || set.occupied.len() != n
            || set.sites.features.len() != n * weights.spec().n_features
        {
            return Err(Error::argument("sites, features, targets and occupancy do not belong together"));
        }
        if precision == Precision::Bf16 && !layout.is_of_single_sums {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} has no bf16 products; use --precision f32", weights.spec().model.name()),
            ));
        }
        let limit = machine.shared_limit();
        let plans = [layout.training(limit, false), layout.training(limit, true), layout.muon(limit)];
        let mut queue = machine.queue()?;
        let q = &mut *queue;
        let n_stored = weights.values().len();
        let (forward, back) = layout.untrained();
        let occupied: Vec<u8> = set.occupied.iter().map(|o| u8::from(*o)).collect();
        let stored = hold(q, weights.values())?;
        let mut floats = |n: usize| q.allocate(4 * n.max(1));
        let [moved, moment1, moment2, average] =
            [floats(n_stored)?, floats(n_stored)?, floats(n_stored)?, floats(n_stored)?];
        let total = floats(forward.len())?;
        // Blocks of a step have scratch memory each; whole rounds have one block, matrices a few.
        let scratch = |plan: &Plan, n: usize| plan.places.scratch_stride as usize * n;
        let scratch = floats(
            scratch(&plans[0], MAX_GROUPS)
                .max(scratch(&plans[1], 1))
                .max(scratch(&plans[2], layout.matrices.len())),
        )?;
        let job = abi::Job {
            net: layout.net,
            n_stored: n_stored as u32,
            n_matrices: layout.matrices.len() as u32,
            layers: hold(q, &layout.layers)?,
            standings: hold(q, &layout.standings)?,
            tensor_of: hold(q, &layout.tensor_of)?,
            stored,
            moved,
            moment1,
            moment2,
            average,
            forward: hold(q, forward)?,
            back: hold(q, back)?,
            tensor: match precision {
                Precision::F32 => 0,
                Precision::Bf16 => q.allocate(2 * layout.n_tensor.max(1))?,
            },
            partial: 0,
            total,
            clip: q.allocate(4)?,
            losses: q.allocate(8 * MAX_GROUPS)?,
            matrices: hold(q, &layout.matrices)?,
            scratch,
            targets: hold(q, set.targets)?,
            occupied: hold(q, &occupied)?,
            inverse: 0,
            sites: hold_sites(q, &set.sites)?,
            table: abi::Table::default(),
        };
        n_training.fetch_add(1, Ordering::Relaxed);
        Ok(CudaTrainer {
            layout,
            initial: weights.clone(),
            queue,
            job,
            n_sites: n,
            plans,
            tabled: Vec::new(),
            rounding: (0, Vec::new()),
            steps: (0, 0),
            n_updates: 0,
            n_training,
            cut,
        })
    }

    /// Puts the table of `round` on the device, once.
    fn tabled(&mut self, round: &Round<'_>) -> Result<()> {
        let corrected = round.loss.correct;
        let is_known = |t: &Tabled| match (&t.table, round.table) {
            (Some(held), Some(table)) => held.is_clone_of(table),
            (None, None) => true,
            _ => false,
        };
        let known = match self.tabled.iter().position(is_known) {
            Some(known) => known,
            None => {
                let device = self.hold_table(round.table)?;
                self.tabled.push(Tabled { table: round.table.cloned(), device, inverse: 0 });
                self.tabled.len() - 1
            }
        };
        let is_even = round.table.is_none_or(DrawTable::is_uniform);
        if let (Some(table), true, 0) = (round.table, corrected && !is_even, self.tabled[known].inverse) {
            let inverse: Vec<f32> = match table.inverse_weights() {
                Some(inverse) => inverse.to_vec(),
                None => (0..self.n_sites as u32).map(|site| table.inverse_weight(site)).collect(),
            };
            self.tabled[known].inverse = hold(&mut *self.queue, &inverse)?;
        }
        self.job.table = self.tabled[known].device;
        self.job.inverse = if corrected { self.tabled[known].inverse } else { 0 };
        Ok(())
    }

    fn hold_table(&mut self, table: Option<&DrawTable>) -> Result<abi::Table> {
        let n_sites = self.n_sites as u32;
        let Some(table) = table else {
            return Ok(abi::Table { law: abi::EVERY_SITE, n_sites, ..Default::default() });
        };
        hold_table(&mut *self.queue, table)
    }

    /// Starts `kernel` on what the device holds.
    fn launch(&self, kernel: Kernel, n_blocks: usize, plan: &Plan, work: &abi::Training) -> Result<()> {
        let work =
            abi::Training { places: plan.places, n_points: plan.n_points, stride: plan.stride, ..*work };
        // SAFETY: every pointer of the job is of this queue; sizes are those of `new` and `run`.
        unsafe { self.queue.launch(kernel, n_blocks, plan.shared, bytes_of(&work)) }
    }

    /// The steps of a round as the device reads them.
    fn steps(&mut self, round: &Round<'_>) -> Vec<abi::Step> {
        let Optimizer { adam, decay, .. } = round.optimizer;
        let step = |i: u64| {
            let number = round.first_step + i;
            let n = self.n_updates + i + 1;
            let correction1 = (1.0 - power(f64::from(adam.beta1), n)) as f32;
            let correction2 = (1.0 - power(f64::from(adam.beta2), n)) as f32;
            let rate = round.schedule.rate(number);
            abi::Step {
                number,
                start: start(round.table, number),
                rate,
                corrected: rate / correction1,
                root2: 1.0 / correction2.sqrt(),
                kept: 1.0 - rate * decay,
            }
        };
        let steps = (0..round.n_steps).map(step).collect();
        self.n_updates += round.n_steps;
        steps
    }
}

/// A table on the device.
pub fn hold_table(queue: &mut dyn Queue, table: &DrawTable) -> Result<abi::Table> {
    let n_sites = table.n_sites() as u32;
    Ok(match (table.cells(), table.epochs()) {
        (Some(cells), _) => {
            abi::Table { law: abi::ALIAS, n_sites, cells: hold(queue, cells)?, ..Default::default() }
        }
        (None, Some(epochs)) => abi::Table {
            law: abi::EPOCHS,
            n_sites,
            order: hold(queue, epochs.order)?,
            draws_per_step: epochs.draws_per_step,
            n_first: epochs.n_first,
            n_rest: epochs.n_rest,
            n_taken: epochs.n_taken,
            ..Default::default()
        },
        (None, None) => abi::Table { law: abi::UNIFORM, n_sites, ..Default::default() },
    })
}

/// Where draw 0 of `step` lies among the epochs of `table`.
pub fn start(table: Option<&DrawTable>, step: u64) -> abi::Start {
    let Some(epochs) = table.and_then(DrawTable::epochs) else { return abi::Start::default() };
    let len = u128::from(epochs.n_first) + u128::from(epochs.n_taken);
    let all = u128::from(step) * u128::from(epochs.draws_per_step);
    abi::Start { epoch: (all / len) as u64, at: (all % len) as u64 }
}

impl Trainer for CudaTrainer<'_> {
    fn run(&mut self, round: &Round<'_>) -> Result<f64> {
        let batch = if round.table.is_some() { round.batch } else { self.n_sites };
        if batch == 0
            || u32::try_from(batch).is_err()
            || round.table.is_some_and(|t| t.n_sites() != self.n_sites)
        {
            return Err(Error::argument("an empty batch, one of 2^32, or a draw table of other sites"));
        }
        if round.n_steps == 0 {
            return Ok(0.0);
        }
        if u32::try_from(round.n_steps).is_err() {
            return Err(Error::argument("a round of 2^32 steps or more"));
        }
        self.tabled(round)?;
        let n_tiles = batch.div_ceil(abi::POINTS);
        let n_groups = n_tiles.min(MAX_GROUPS);
        let many = self.n_training.load(Ordering::Relaxed) >= SHARED_BY;
        let cut = self.cut.unwrap_or(if many { Cut::Whole } else { Cut::Groups });
        if cut == Cut::Groups && self.job.partial == 0 {
            self.job.partial = self.queue.allocate(4 * MAX_GROUPS * self.layout.net.n_forward as usize)?;
        }
        if let Some(rounding) = round.rounding
            && self.rounding.1 != rounding
        {
            if rounding.len() != self.initial.tensors().len() {
                return Err(Error::argument("as many quantisation steps are needed as there are tensors"));
            }
            if self.rounding.0 == 0 {
                self.rounding.0 = hold(&mut *self.queue, rounding)?;
            } else {
                self.queue.upload(self.rounding.0, bytemuck::cast_slice(rounding))?;
            }
            self.rounding.1 = rounding.to_vec();
        }
        let steps = self.steps(round);
        if self.steps.1 < steps.len() {
            self.steps = (self.queue.allocate(size_of::<abi::Step>() * steps.len())?, steps.len());
        }
        self.queue.upload(self.steps.0, bytemuck::cast_slice(&steps))?;
        self.queue.upload(self.job.losses, &[0; 8 * MAX_GROUPS])?;
        let Optimizer { adam, clip, muon, .. } = round.optimizer;
        let mut work = abi::Training {
            job: self.job,
            round: abi::Round {
                seed: round.seed,
                steps: self.steps.0,
                rounding: if round.rounding.is_some() { self.rounding.0 } else { 0 },
                n_steps: steps.len() as u32,
                batch: batch as u32,
                n_tiles: n_tiles as u32,
                n_groups: n_groups as u32,
                squared: u32::from(round.loss.value == ValueLoss::L2),
                is_clipped: u32::from(clip.is_some()),
                is_muon: u32::from(muon.is_some() && !self.layout.matrices.is_empty()),
                unused: 0,
                value_scale: round.loss.value_scale,
                share: 1.0 / batch as f32,
                beta1: adam.beta1,
                beta2: adam.beta2,
                epsilon: adam.epsilon,
                longest: clip.unwrap_or(0.0),
                momentum: muon.map_or(0.0, |m| m.momentum),
                muon_step: muon.map_or(0.0, |m| m.step),
            },
            places: abi::Places::default(),
            step: 0,
            n_points: 0,
            stride: 0,
            n_partials: 0,
        };
        let [of_step, of_round, of_matrix] = self.plans;
        let (pass, whole_round) = match self.job.tensor {
            0 => (Kernel::Pass, Kernel::WholeRound),
            _ => (Kernel::PassBf16, Kernel::WholeRoundBf16),
        };
        if cut == Cut::Whole {
            self.launch(whole_round, 1, &of_round, &work)?;
        } else {
            let bare = Plan { shared: 0, ..of_step };
            let blocks = |n: usize| n.div_ceil(abi::THREADS).min(MAX_BLOCKS);
            let (n_forward, n_stored) = (self.job.net.n_forward as usize, self.job.n_stored as usize);
            let needs_sum = work.round.is_clipped != 0 || work.round.is_muon != 0;
            work.n_partials = if needs_sum { 0 } else { n_groups as u32 };
            self.launch(Kernel::Prepare, blocks(n_stored), &bare, &work)?;
            for step in 0..steps.len() {
                work.step = step as u32;
                self.launch(pass, n_groups, &of_step, &work)?;
                if needs_sum {
                    self.launch(Kernel::Reduce, blocks(n_forward), &bare, &work)?;
                }
                if work.round.is_clipped != 0 {
                    self.launch(Kernel::Clip, 1, &bare, &work)?;
                }
                if work.round.is_muon != 0 {
                    self.launch(Kernel::MuonStep, self.layout.matrices.len(), &of_matrix, &work)?;
                }
                self.launch(Kernel::Move, blocks(n_stored), &bare, &work)?;
            }
        }
        let mut losses = [0.0f64; MAX_GROUPS];
        self.queue.download(self.job.losses, bytemuck::cast_slice_mut(&mut losses))?;
        Ok(losses.iter().sum::<f64>() / steps.len() as f64)
    }

    fn weights(&self) -> Result<Weights> {
        let mut values = vec![0.0f32; self.job.n_stored as usize];
        self.queue.download(self.job.stored, bytemuck::cast_slice_mut(&mut values))?;
        Weights::new(*self.initial.spec(), values)
    }

    fn curvature(&self) -> Result<Vec<f32>> {
        let mut values = vec![0.0f32; self.job.n_stored as usize];
        self.queue.download(self.job.moment2, bytemuck::cast_slice_mut(&mut values))?;
        Ok(values)
    }
}

impl Drop for CudaTrainer<'_> {
    fn drop(&mut self) {
        self.n_training.fetch_sub(1, Ordering::Relaxed);
    }
}
