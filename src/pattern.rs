//! Support features: what a network sees of the exact occupancy around a voxel.
//!
//! A [`Pattern`] says which neighbourhood, and how it becomes numbers; it is data of the file. The features of a voxel
//! do not depend on the voxel's own occupancy, and everything outside the tile is empty. All are whole numbers but
//! the last, a mean: one division. The format document ("Support features") is the reference.

use crate::error::{Error, Result};
use crate::lane::{Kernel, Level, Simd, dispatch};

/// Features of the occupancy around a voxel.
///
/// One axis is that of the *runs* (occupied voxels in a row); `u` and `v` are the two others, in order. In order, the
/// features are:
///
/// 1. for the voxels directly before the voxel along the run axis, then for those directly after it: the number of
///    occupied ones in a row, one-hot over `0..=max_run` (all zero for a longer run);
/// 2. for each column `(du, dv)`, in the order of [`Pattern::columns`], and each `-reach ..= reach` along the run
///    axis: the number of occupied voxels there, over the members of the column;
/// 3. the mean occupancy of the box of half extents `window` around the voxel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pattern {
    /// Axis of the runs.
    pub axis: usize,
    /// Longest run that has a feature of its own.
    pub max_run: usize,
    /// Voxels looked at on either side along the run axis.
    pub reach: usize,
    /// Largest `|du|` and `|dv|` of a column.
    pub spread: [usize; 2],
    /// Largest `|du| + |dv|` of a column.
    pub distance: usize,
    /// Whether columns at `du` and `-du` (`dv` and `-dv`) are one, and counted together.
    pub fold: [bool; 2],
    /// Half extents, along the run axis, `u` and `v`, of the box whose mean occupancy is the last feature.
    pub window: [usize; 3],
}

/// Largest reach, run and half extent that a file may ask for.
const MAX_REACH: usize = 63;

/// The occupancy of a tile.
#[derive(Debug, Clone, Copy)]
pub struct Support<'a> {
    /// Extents of the tile.
    pub shape: [usize; 3],
    /// Occupancy of its voxels, C order.
    pub occupied: &'a [bool],
}

impl Support<'_> {
    /// Occupancy at a position relative to the tile's first voxel; false outside of the tile.
    #[inline]
    fn at(&self, [i, j, k]: [i64; 3]) -> bool {
        let [a, b, c] = self.shape.map(|n| n as i64);
        let inside = (0..a).contains(&i) && (0..b).contains(&j) && (0..c).contains(&k);
        inside && self.occupied[((i * b + j) * c + k) as usize]
    }
}

impl Pattern {
    /// The neighbourhood that the program uses, with runs along `axis`: 81 features. It is part of the format.
    pub fn near(axis: usize) -> Pattern {
        Pattern {
            axis,
            max_run: 4,
            reach: 3,
            spread: [2, 1],
            distance: 2,
            fold: [false, false],
            window: [2, 3, 2],
        }
    }

    /// Checks that the sizes are ones that a file may ask for.
    ///
    /// # Errors
    /// `Argument`, naming the pattern.
    pub fn validate(&self) -> Result<()> {
        let sizes = [self.max_run, self.reach, self.distance, self.spread[0], self.spread[1]];
        if self.axis < 3 && sizes.iter().chain(&self.window).all(|n| *n <= MAX_REACH) {
            Ok(())
        } else {
            Err(Error::argument(format!("no pattern of the support: {self:?}; sizes end at {MAX_REACH}")))
        }
    }

    /// The columns around the voxel's own, each by its members `(du, dv)`: by `du`, then `dv`, from the lowest that
    /// is not folded away up.
    pub fn columns(&self) -> Vec<Vec<[i64; 2]>> {
        let range = |i: usize| {
            let n = self.spread[i] as i64;
            if self.fold[i] { 0..=n } else { -n..=n }
        };
        let both = |i: usize, d: i64| if self.fold[i] && d != 0 { vec![-d, d] } else { vec![d] };
        let mut out = Vec::new();
        for du in range(0) {
            for dv in range(1) {
                let distance = du.unsigned_abs() + dv.unsigned_abs();
                if (1..=self.distance as u64).contains(&distance) {
                    let members = both(0, du).into_iter();
                    out.push(members.flat_map(|u| both(1, dv).into_iter().map(move |v| [u, v])).collect());
                }
            }
        }
        out
    }

    /// Number of features of a site.
    pub fn n_features(&self) -> usize {
        2 * (self.max_run + 1) + self.columns().len() * (2 * self.reach + 1) + 1
    }

    /// Voxels looked at for the features of a site, at the most.
    pub fn n_looked_at(&self) -> usize {
        let columns: usize = self.columns().iter().map(Vec::len).sum();
        let box_voxels: usize = self.window.iter().map(|n| 2 * n + 1).product();
        2 * (self.max_run + 1) + columns * (2 * self.reach + 1) + box_voxels
    }

    /// What [`Pattern::n_features`] and the features need of the pattern, worked out once.
    pub fn plan(&self) -> Plan {
        Plan { pattern: *self, columns: self.columns(), n_features: self.n_features() }
    }
}

/// A pattern ready for use.
#[derive(Debug, Clone)]
pub struct Plan {
    pattern: Pattern,
    columns: Vec<Vec<[i64; 2]>>,
    n_features: usize,
}

impl Plan {
    /// Number of features of a site.
    pub fn n_features(&self) -> usize {
        self.n_features
    }

    /// Writes the features of `voxel` of the tile, occupied or not, to `out` (of [`Plan::n_features`]).
    pub fn at(&self, support: &Support<'_>, voxel: [usize; 3], out: &mut [f32]) {
        let Pattern { axis, max_run, reach, window, .. } = self.pattern;
        let (u, v) = match axis {
            0 => (1, 2),
            1 => (0, 2),
            _ => (0, 1),
        };
        let centre = voxel.map(|i| i as i64);
        let at = |dr: i64, du: i64, dv: i64| {
            let mut p = centre;
            p[axis] += dr;
            p[u] += du;
            p[v] += dv;
            support.at(p)
        };
        out.fill(0.0);
        for (side, direction) in [-1, 1].into_iter().enumerate() {
            let run = (1..=max_run as i64 + 1).take_while(|d| at(direction * d, 0, 0)).count();
            if run <= max_run {
                out[side * (max_run + 1) + run] = 1.0;
            }
        }
        let mut next = 2 * (max_run + 1);
        let reach = reach as i64;
        for column in &self.columns {
            for dr in -reach..=reach {
                let n = column.iter().filter(|[du, dv]| at(dr, *du, *dv)).count();
                out[next] = n as f32;
                next += 1;
            }
        }
        let [r, du, dv] = window.map(|n| n as i64);
        let mut n = 0u32;
        for du in -du..=du {
            for dv in -dv..=dv {
                for dr in -r..=r {
                    n += u32::from(at(dr, du, dv));
                }
            }
        }
        let n_box = window.iter().map(|n| 2 * n + 1).product::<usize>();
        out[next] = n as f32 / n_box as f32;
    }

    /// Features of the voxels at `positions` (C order within the tile), one after the other.
    pub fn native(&self, support: &Support<'_>, positions: &[u32]) -> Vec<f32> {
        let [_, b, c] = support.shape;
        let mut out = vec![0.0; positions.len() * self.n_features];
        for (&p, out) in positions.iter().zip(out.chunks_exact_mut(self.n_features)) {
            let p = p as usize;
            self.at(support, [p / c / b, p / c % b, p % c], out);
        }
        out
    }

    /// Features at a point between voxels, in indices of the tile's voxels (0 to n - 1 on each axis, held there):
    /// those of the eight voxels around it, interpolated linearly along the last axis, then the middle one, then
    /// the first, each as `fma(t, high - low, low)`. At a voxel they are the voxel's own.
    pub fn between(&self, support: &Support<'_>, point: [f32; 3], out: &mut [f32]) {
        Cell::new(self, *support).features(point, out);
    }
}

/// Features between voxels, point by point: those of the eight voxels around the last point are kept, so that points
/// close to each other take little more than their interpolation.
#[derive(Debug)]
pub struct Cell<'a> {
    plan: &'a Plan,
    support: Support<'a>,
    level: Level,
    /// The lowest of the eight voxels.
    low: Option<[usize; 3]>,
    /// Features of the eight, each with room for whole vectors; then that of a result.
    corners: Vec<f32>,
    stride: usize,
}

impl<'a> Cell<'a> {
    /// No point yet.
    pub fn new(plan: &'a Plan, support: Support<'a>) -> Cell<'a> {
        let stride = plan.n_features.next_multiple_of(MAX_LANES);
        Cell { plan, support, level: Level::detect(), low: None, corners: vec![0.0; 9 * stride], stride }
    }

    /// What [`Plan::between`] gives.
    pub fn features(&mut self, point: [f32; 3], out: &mut [f32]) {
        let last = self.support.shape.map(|n| n - 1);
        let share = self.move_to(point, last);
        self.interpolate(share, None, out);
    }

    /// Derivatives of the features with respect to index `axis` of the point. At a plane of voxels, where they jump,
    /// that towards higher indices; at the last plane that towards lower ones; 0 on an axis of one voxel.
    pub fn slopes(&mut self, point: [f32; 3], axis: usize, out: &mut [f32]) {
        let last = self.support.shape.map(|n| n.saturating_sub(2));
        let share = self.move_to(point, last);
        self.interpolate(share, Some(axis), out);
    }

    /// Fetches the eight voxels around a point, the lowest of them no higher than `last`, and tells the point's place
    /// among them.
    fn move_to(&mut self, point: [f32; 3], last: [usize; 3]) -> [f32; 3] {
        let x = [0, 1, 2].map(|a| held_within(point[a], self.support.shape[a]));
        let low = [0, 1, 2].map(|a| (x[a] as usize).min(last[a]));
        if self.low != Some(low) {
            for (c, corner) in self.corners.chunks_exact_mut(self.stride).take(8).enumerate() {
                let top = self.support.shape.map(|n| n - 1);
                let voxel = [0, 1, 2].map(|a| (low[a] + (c >> (2 - a) & 1)).min(top[a]));
                self.plan.at(&self.support, voxel, &mut corner[..self.plan.n_features]);
            }
            self.low = Some(low);
        }
        [0, 1, 2].map(|a| x[a] - low[a] as f32)
    }

    fn interpolate(&mut self, share: [f32; 3], along: Option<usize>, out: &mut [f32]) {
        let (corners, result) = self.corners.split_at_mut(8 * self.stride);
        dispatch(self.level, Interpolate { corners, share, along, result });
        out.copy_from_slice(&result[..out.len()]);
    }
}

/// More lanes than any level has.
const MAX_LANES: usize = 16;

/// Interpolates between eight vectors of values, the last axis first; `along` an axis it takes differences instead.
struct Interpolate<'a> {
    corners: &'a [f32],
    share: [f32; 3],
    along: Option<usize>,
    result: &'a mut [f32],
}

impl Kernel for Interpolate<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Interpolate { corners, share, along, result } = self;
        let stride = result.len();
        assert!(corners.len() == 8 * stride && stride.is_multiple_of(S::N));
        for k in (0..stride).step_by(S::N) {
            // SAFETY: each of the eight vectors, and the result, has S::N values from k.
            unsafe {
                let mut values =
                    [0, 1, 2, 3, 4, 5, 6, 7].map(|c| s.load(corners.as_ptr().add(c * stride + k)));
                for (axis, n) in [(2, 4), (1, 2), (0, 1)] {
                    let t = s.splat(share[axis]);
                    for i in 0..n {
                        let rise = s.sub(values[2 * i + 1], values[2 * i]);
                        values[i] = if along == Some(axis) { rise } else { s.fma(t, rise, values[2 * i]) };
                    }
                }
                s.store(result.as_mut_ptr().add(k), values[0]);
            }
        }
    }
}

/// An index held between the first and the last of `n` voxels; NaN becomes the last.
pub fn held_within(index: f32, n: usize) -> f32 {
    let last = n.saturating_sub(1) as f32;
    // As comparisons, as in the lane's clamp.
    let x = if index < last { index } else { last };
    if x > 0.0 { x } else { 0.0 }
}

/// The axis along which occupied voxels form the fewest runs; the last one of those that are equal.
pub fn run_axis(support: &Support<'_>) -> usize {
    let [a, b, c] = support.shape;
    let mut n_runs = [0u64; 3];
    for (i, _) in support.occupied.iter().enumerate().filter(|(_, o)| **o) {
        let voxel = [i / c / b, i / c % b, i % c];
        for (axis, stride) in [b * c, c, 1].into_iter().enumerate() {
            n_runs[axis] += u64::from(voxel[axis] == 0 || !support.occupied[i - stride]);
        }
    }
    debug_assert_eq!(a * b * c, support.occupied.len());
    (0..3).rev().min_by_key(|&axis| n_runs[axis]).unwrap_or(2)
}
