//! Steps on the CPU: tiles in parallel, gradients summed in a fixed order.

use super::Cpu;
use super::bf16::{self, PairPanels, PairScratch};
use super::kernel::{self, Goal, Scratch, TILE};
use super::muon::HiddenMatrices;
use super::plan::Plan;
use crate::backend::{Optimizer, Precision, Round, Trainer, TrainingSet};
use crate::error::{Error, ErrorKind, Result};
use crate::lane::{Bf16, Bf16Kernel, Kernel, Simd, dispatch, dispatch_bf16};
use crate::net::{Weights, tensors};
use rayon::prelude::*;

/// A batch is cut into this many groups of tiles at most. A group sums its tiles in order, and the groups are
/// summed in order, so the number of threads changes nothing; more groups feed more threads and cost memory.
const MAX_GROUPS: usize = 32;
/// ... but a group has at least so many tiles: clearing and summing its gradients costs about as much as one.
const MIN_GROUP: usize = 4;

/// Parameters that one task of the optimiser handles.
const CHUNK: usize = 2048;

/// What fixed weights and lanes without a unit belong to. No network has so many tensors.
const NO_TENSOR: u16 = u16::MAX;

/// One group's own buffers.
struct Group {
    scratch: Scratch,
    /// With bf16 products only.
    pairs: Option<PairScratch>,
    gradient: Vec<f32>,
    goals: Vec<Goal>,
    sites: Vec<u32>,
    loss: f64,
}

pub struct CpuTrainer<'a> {
    cpu: &'a Cpu,
    plan: Plan,
    set: TrainingSet<'a>,
    groups: Vec<Group>,
    /// Panels: unrounded, as the passes see them, and transposed.
    params: Vec<f32>,
    effective: Vec<f32>,
    transposed: Vec<f32>,
    /// The same in pairs, with bf16 products only.
    panels: Option<PairPanels>,
    moment1: Vec<f32>,
    moment2: Vec<f32>,
    /// Number of the tensor that each panel value belongs to; [`NO_TENSOR`] where nothing is stored.
    tensor_of: Vec<u16>,
    n_updates: u64,
    /// With Muon only.
    hidden: Option<HiddenMatrices>,
    /// The sum of the groups' gradients, where more than Adam needs it.
    gradient: Vec<f32>,
}

impl<'a> CpuTrainer<'a> {
    pub fn new(cpu: &'a Cpu, weights: &Weights, set: TrainingSet<'a>, precision: Precision) -> Result<Self> {
        let plan = Plan::new(weights.spec());
        let n = set.sites.n_sites();
        if n == 0
            || set.targets.len() != n
            || set.occupied.len() != n
            || set.sites.features.len() != n * plan.spec.n_features
        {
            return Err(Error::argument("sites, features, targets and occupancy do not belong together"));
        }
        if precision == Precision::Bf16 && !bf16::can_train(&plan) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{} has no bf16 products; use --precision f32", plan.spec.model.name()),
            ));
        }
        let params = plan.pack(weights);
        let positions = plan.positions();
        let mut tensor_of = vec![NO_TENSOR; plan.n_params];
        for (i, t) in tensors(&plan.spec).iter().enumerate() {
            for (at, again) in &positions[t.range()] {
                tensor_of[*at as usize] = i as u16;
                if let Some((at, _)) = again {
                    tensor_of[*at as usize] = i as u16;
                }
            }
        }
        Ok(CpuTrainer {
            cpu,
            set,
            groups: Vec::new(),
            effective: params.clone(),
            transposed: vec![0.0; plan.n_transposed],
            panels: (precision == Precision::Bf16).then(|| PairPanels::new(&plan)),
            moment1: vec![0.0; plan.n_params],
            moment2: vec![0.0; plan.n_params],
            tensor_of,
            params,
            n_updates: 0,
            hidden: None,
            gradient: Vec::new(),
            plan,
        })
    }

    /// Rounds the parameters where asked, and lays out what the passes read.
    fn prepare(&mut self, rounding: Option<&[f32]>) {
        match rounding {
            None => self.effective.copy_from_slice(&self.params),
            Some(steps) => {
                for ((e, &w), &t) in self.effective.iter_mut().zip(&self.params).zip(&self.tensor_of) {
                    *e = match steps.get(usize::from(t)) {
                        Some(step) => (w / step).round_ties_even() * step,
                        None => w,
                    };
                }
            }
        }
        if let Some(panels) = &mut self.panels {
            panels.fill(&self.plan, &self.effective);
            return;
        }
        for layer in 0..self.plan.layers.len() {
            if let Some(at) = self.plan.layers[layer].transposed {
                self.plan.transpose(layer, &self.effective, &mut self.transposed[at..]);
            }
        }
    }
}

/// A group's share of a step.
struct Pass<'a> {
    plan: &'a Plan,
    set: &'a TrainingSet<'a>,
    round: &'a Round<'a>,
    step: u64,
    batch: usize,
    params: &'a [f32],
    transposed: &'a [f32],
    panels: Option<&'a PairPanels>,
    group: Option<&'a mut Group>,
    /// First and last draw.
    draws: std::ops::Range<usize>,
}

impl Pass<'_> {
    /// Runs `tile` on each tile of the share, inputs and goals in place; it adds to the gradient and returns the loss.
    #[inline(always)]
    fn each_tile(self, tile: impl Fn(&Self, &mut Group, usize) -> f64) {
        let mut this = self;
        let draws = this.draws.clone();
        // Out of `self` for a while, so that the rest of it can be read.
        let Some(group) = this.group.take() else { return };
        group.gradient.fill(0.0);
        group.loss = 0.0;
        for first in draws.clone().step_by(TILE) {
            let n = TILE.min(draws.end - first);
            this.load(group, first, n);
            group.loss += tile(&this, group, n);
        }
        this.plan.fold(&mut group.gradient);
    }

    /// Draws `n` sites from draw `first` on, and puts their inputs and goals in place.
    #[inline(always)]
    fn load(&self, group: &mut Group, first: usize, n: usize) {
        let (set, round, k) = (self.set, self.round, self.plan.spec.n_features);
        let share = 1.0 / self.batch as f32;
        match round.table {
            Some(table) => table.draw_into(round.seed, self.step, first as u64, &mut group.sites[..n]),
            None => group.sites.iter_mut().zip(first as u32..).for_each(|(s, i)| *s = i),
        }
        for p in 0..n {
            let site = group.sites[p] as usize;
            let features = &set.sites.features[site * k..(site + 1) * k];
            group.scratch.set_inputs(p, set.sites.coords(site), features);
            let weight = match round.table {
                Some(table) if round.loss.correct => table.inverse_weight(site as u32) * share,
                _ => share,
            };
            group.goals[p] = Goal { target: set.targets[site], occupied: set.occupied[site], weight };
        }
    }
}

impl Kernel for Pass<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        self.each_tile(
            // Compiled into the caller, with its instructions.
            #[inline(always)]
            |pass, group, n| {
                let Group { scratch, gradient, goals, .. } = group;
                kernel::forward::<S, true>(s, pass.plan, pass.params, scratch, n);
                let loss = kernel::heads(s, pass.plan, &pass.round.loss, scratch, &goals[..n]);
                kernel::backward(s, pass.plan, pass.transposed, scratch, n, gradient);
                loss
            },
        );
    }
}

impl Bf16Kernel for Pass<'_> {
    #[inline(always)]
    fn run_bf16<S: Bf16>(self, s: S) {
        self.each_tile(
            // Compiled into the caller, with its instructions.
            #[inline(always)]
            |pass, group, n| {
                let Group { scratch, pairs, gradient, goals, .. } = group;
                match (pass.panels, pairs) {
                    (Some(panels), Some(pairs)) => {
                        let (loss, goals) = (&pass.round.loss, &goals[..n]);
                        bf16::pass(s, pass.plan, pass.params, panels, scratch, pairs, loss, goals, gradient)
                    }
                    _ => 0.0,
                }
            },
        );
    }
}

/// How a step of Adam moves the parameters.
struct Update<'a> {
    optimizer: &'a Optimizer,
    /// Learning rate, with the first moment's correction.
    rate: f32,
    /// One over the root of the second moment's correction.
    root2: f32,
    /// What weights keep.
    kept: f32,
    /// What gradients are multiplied by.
    clip: f32,
}

impl Update<'_> {
    /// Sums the gradients of some parameters, from `first` on, and moves them.
    fn run(
        &self,
        first: usize,
        params: &mut [f32],
        moment1: &mut [f32],
        moment2: &mut [f32],
        gradients: &[&[f32]],
    ) {
        let adam = &self.optimizer.adam;
        for i in 0..params.len() {
            let mut g = 0.0;
            for gradient in gradients {
                g += gradient[first + i];
            }
            g *= self.clip;
            let m = adam.beta1 * moment1[i] + (1.0 - adam.beta1) * g;
            let v = adam.beta2 * moment2[i] + (1.0 - adam.beta2) * (g * g);
            moment1[i] = m;
            moment2[i] = v;
            params[i] = self.kept * params[i] - self.rate * m / (v.sqrt() * self.root2 + adam.epsilon);
        }
    }
}

/// What shortens `gradient` to `longest`: 1 where it is no longer.
fn clip(plan: &Plan, gradient: &[f32], longest: f32) -> f32 {
    let squares = plan.unpack(gradient).into_iter().map(|g| f64::from(g) * f64::from(g));
    let norm = squares.sum::<f64>().sqrt();
    (f64::from(longest) / norm).min(1.0) as f32
}

/// `base^n` by squaring: basic operations only, so the same everywhere.
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

impl Trainer for CpuTrainer<'_> {
    fn run(&mut self, round: &Round<'_>) -> Result<f64> {
        let n_sites = self.set.sites.n_sites();
        let batch = if round.table.is_some() { round.batch } else { n_sites };
        if batch == 0 || round.table.is_some_and(|t| t.n_sites() != n_sites) {
            return Err(Error::argument("an empty batch, or a draw table of other sites"));
        }
        let n_tiles = batch.div_ceil(TILE);
        let n_groups = (n_tiles / MIN_GROUP).clamp(1, MAX_GROUPS);
        while self.groups.len() < n_groups {
            self.groups.push(Group {
                scratch: Scratch::new(&self.plan),
                pairs: self.panels.as_ref().map(|_| PairScratch::new(&self.plan)),
                gradient: vec![0.0; self.plan.n_params],
                goals: vec![Goal::default(); TILE],
                sites: vec![0; TILE],
                loss: 0.0,
            });
        }
        let mut total = 0.0;
        for step in round.first_step..round.first_step + round.n_steps {
            self.prepare(round.rounding);
            self.n_updates += 1;
            let (plan, set, cpu) = (&self.plan, &self.set, self.cpu);
            let (params, transposed, panels) = (&self.effective, &self.transposed, self.panels.as_ref());
            let groups = &mut self.groups[..n_groups];
            let optimizer = &round.optimizer;
            let correction1 = (1.0 - power(f64::from(optimizer.adam.beta1), self.n_updates)) as f32;
            let correction2 = (1.0 - power(f64::from(optimizer.adam.beta2), self.n_updates)) as f32;
            let rate = round.schedule.rate(step);
            let mut update = Update {
                optimizer,
                rate: rate / correction1,
                root2: 1.0 / correction2.sqrt(),
                kept: 1.0 - rate * optimizer.decay,
                clip: 1.0,
            };
            let (moment1, moment2) = (&mut self.moment1, &mut self.moment2);
            let (unrounded, sum, hidden) = (&mut self.params, &mut self.gradient, &mut self.hidden);
            cpu.pool.install(|| {
                groups.par_iter_mut().enumerate().for_each(|(g, group)| {
                    let tile = |g: usize| (g * n_tiles / n_groups * TILE).min(batch);
                    let draws = tile(g)..tile(g + 1);
                    let group = Some(group);
                    let pass =
                        Pass { plan, set, round, step, batch, params, transposed, panels, group, draws };
                    match panels {
                        Some(_) => dispatch_bf16(pass),
                        None => dispatch(cpu.level, pass),
                    }
                });
                let mut gradients: Vec<&[f32]> = groups.iter().map(|g| &g.gradient[..]).collect();
                if optimizer.clip.is_some() || optimizer.muon.is_some() {
                    sum.clear();
                    sum.resize(plan.n_params, 0.0);
                    for gradient in gradients {
                        sum.iter_mut().zip(gradient).for_each(|(sum, g)| *sum += g);
                    }
                    gradients = vec![sum];
                }
                if let Some(longest) = optimizer.clip {
                    update.clip = clip(plan, gradients[0], longest);
                }
                if let Some(muon) = &optimizer.muon {
                    let hidden = hidden.get_or_insert_with(|| HiddenMatrices::new(plan));
                    hidden.step(cpu.level, muon, rate, gradients[0], update.clip, unrounded);
                }
                unrounded
                    .par_chunks_mut(CHUNK)
                    .zip(moment1.par_chunks_mut(CHUNK))
                    .zip(moment2.par_chunks_mut(CHUNK))
                    .enumerate()
                    .for_each(|(i, ((p, m), v))| update.run(i * CHUNK, p, m, v, &gradients));
            });
            if let (Some(hidden), true) = (&self.hidden, optimizer.muon.is_some()) {
                hidden.place(&mut self.params);
            }
            total += groups.iter().map(|g| g.loss).sum::<f64>();
        }
        Ok(total / round.n_steps.max(1) as f64)
    }

    fn weights(&self) -> Result<Weights> {
        Weights::new(self.plan.spec, self.plan.unpack(&self.params))
    }

    fn curvature(&self) -> Result<Vec<f32>> {
        Ok(self.plan.unpack(&self.moment2))
    }
}
