//! What a context network learns from: past events below bounds.

use crate::event::Event;
use crate::residual::bins::{Bins, Bound, UNIT};
use crate::residual::neighbourhood::{Features, N_SLICES, Neighbourhood, widths};
use crate::support::Walk;
use inrfit_sampling::rng::Stream;
use rayon::prelude::*;

/// Lessons in hand at a time.
const HAND: usize = 24;

/// The bounds that lessons are about, for integers (`true` = of the logarithm) and how often.
const BOUNDS: [(bool, f64, f64); 12] = [
    (false, 0.0, 0.30),
    (false, 1.0, 0.04),
    (false, 2.0, 0.04),
    (false, 5.0, 0.05),
    (false, 8.0, 0.10),
    (false, 20.0, 0.05),
    (true, 0.02, 0.04),
    (true, 0.05, 0.05),
    (true, 0.1, 0.13),
    (true, 0.2, 0.07),
    (true, 0.4, 0.09),
    (true, 0.8, 0.04),
];

/// An event, mirrored or not, below one bound: what a decoder would have seen of it, and the bins it should have said.
pub struct Lesson {
    around: Neighbourhood,
    widths: [i16; 3],
    /// Slice, line and place of each occupied voxel, and its bin.
    pub voxels: Vec<([u32; 3], u16)>,
    /// Edges of the bins, as heights in log2 units; the outer ones lie beyond everything.
    pub edges: Vec<f32>,
}

impl Lesson {
    /// `None` where there is nothing to learn.
    pub fn new(event: &Event, mirrored: bool, bound: (bool, f64, f64)) -> Option<Lesson> {
        let samples = event.samples();
        let bins = bins(event, bound)?;
        let n = event.n_voxels();
        let occupied: Vec<bool> = (0..n).map(|i| samples.get(i) != 0.0).collect();
        let walk = Walk::choose(event.shape(), &occupied);
        // Mirrored, lines are walked from the last to the first.
        let from = |i: usize, j: usize, k: usize| {
            let j = if mirrored { walk.n[1] - 1 - j } else { j };
            i * walk.stride[0] + j * walk.stride[1] + k * walk.stride[2]
        };
        let occupied = match mirrored {
            false => occupied,
            true => {
                let mut out = vec![false; n];
                for_each(&walk, |i, j, k| {
                    let at = i * walk.stride[0] + j * walk.stride[1] + k * walk.stride[2];
                    out[at] = occupied[from(i, j, k)];
                });
                out
            }
        };
        let beyond = N_SLICES / 2;
        let mut around = Neighbourhood::new(&walk, walk.n[0] + 2 * beyond);
        for i in 0..walk.n[0] {
            around.load(&walk, &occupied, i, i + beyond);
        }
        let base = bins.edges[0] + UNIT / 10;
        let mut voxels = vec![];
        for_each(&walk, |i, j, k| {
            let sample = samples.get(from(i, j, k));
            if sample != 0.0 {
                let bin = bins.of(sample);
                around.set(around.at(i + beyond, j, k), bins.positions[bin] - base);
                voxels.push(([i as u32, j as u32, k as u32], bin as u16));
            }
        });
        let mut edges: Vec<f32> = bins.edges.iter().map(|e| (e - base) as f32 / UNIT as f32).collect();
        edges[0] = -1e3;
        edges[bins.len()] = 1e3;
        Some(Lesson { around, widths: widths(&bins), voxels, edges })
    }

    /// What a context network sees of a voxel.
    pub fn features(&self, [i, j, k]: [u32; 3]) -> Features {
        let i = i as usize;
        self.around.features(&std::array::from_fn(|s| i + s), j as usize, k as usize, &self.widths)
    }
}

/// The bins of an event below a bound of [`BOUNDS`]; `None` where there is nothing to learn: no value but one, too many
/// bins, or a bound that does not suit such samples.
fn bins(event: &Event, (logarithmic, size, _): (bool, f64, f64)) -> Option<Bins> {
    let range = event.samples().occupied_range()?;
    let bound = match (logarithmic, event.dtype().is_integer()) {
        (true, _) => Bound::Log2(size),
        (false, true) if size == 0.0 => Bound::Exact,
        (false, true) => Bound::Absolute(size),
        // Floats have no unit: thousandths of their range.
        (false, false) => Bound::Absolute((range.1 - range.0) / 1000.0 * size.max(0.5)),
    };
    let rule = bound.rule(event.dtype(), range).ok()??;
    Bins::new(rule, event.dtype(), range).filter(|bins| bins.len() > 1)
}

/// An event, and which of [`BOUNDS`] there is something to learn about.
pub struct Teacher<'a> {
    event: &'a Event,
    suits: [bool; BOUNDS.len()],
}

impl<'a> Teacher<'a> {
    /// `None` where there is nothing to learn from `event`.
    pub fn new(event: &'a Event) -> Option<Teacher<'a>> {
        let suits = BOUNDS.map(|bound| bins(event, bound).is_some());
        suits.contains(&true).then_some(Teacher { event, suits })
    }
}

/// Whether there is anything to learn from `event`.
pub fn teaches(event: &Event) -> bool {
    Teacher::new(event).is_some()
}

fn for_each(walk: &Walk, mut f: impl FnMut(usize, usize, usize)) {
    for i in 0..walk.n[0] {
        for j in 0..walk.n[1] {
            for k in 0..walk.n[2] {
                f(i, j, k);
            }
        }
    }
}

/// A number below `n`.
pub fn below(draws: &mut Stream, n: usize) -> usize {
    ((draws.unit() * n as f64) as usize).min(n - 1)
}

/// Lessons to learn from for a while.
pub fn deal(teachers: &[Teacher<'_>], draws: &mut Stream) -> Vec<Lesson> {
    let choices: Vec<_> = (0..HAND)
        .map(|_| {
            let teacher = &teachers[below(draws, teachers.len())];
            let (mirrored, mut which) = (draws.unit() < 0.5, draws.unit());
            let drawn = BOUNDS.iter().position(|(.., share)| {
                which -= share;
                which < 0.0
            });
            // Of a bound that does not suit the event, the next one that does.
            let from = drawn.unwrap_or(0);
            let suiting = (from..from + BOUNDS.len()).map(|b| b % BOUNDS.len()).find(|b| teacher.suits[*b]);
            (teacher.event, mirrored, BOUNDS[suiting.unwrap_or(from)])
        })
        .collect();
    choices
        .into_par_iter()
        .filter_map(|(event, mirrored, bound)| Lesson::new(event, mirrored, bound))
        .collect()
}
