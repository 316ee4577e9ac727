//! Fields: a network with all that turns its outputs into samples.

use crate::backend::{Backend, SiteBlock};
use crate::domain::{CoordMap, Transform};
use crate::error::{Error, ErrorKind, Result};
use crate::event::{DType, Samples};
use crate::lane::{Kernel, Level, Simd, dispatch};
use crate::net::Weights;
use crate::pattern::{Cell, Pattern, Plan, Support, held_within};
use crate::tile::Tile;
use std::ops::Range;

/// A function of a site.
pub trait Field {
    /// The decoded value at each site: 0 where it is empty.
    ///
    /// # Errors
    /// `Device` where evaluation fails.
    fn values(&self, backend: &dyn Backend, sites: &SiteBlock<'_>) -> Result<Vec<f32>>;
}

/// A network as a field.
#[derive(Debug, Clone)]
pub struct NetField {
    /// Weights as a decoder sees them.
    pub weights: Weights,
    /// A voxel is occupied where the first head is above this.
    pub threshold: f32,
    /// Meaning of the value head.
    pub transform: Transform,
    /// Coordinates of the voxels of a tile.
    pub coords: CoordMap,
    /// What the features of a site are, where the network reads any.
    pub pattern: Option<Pattern>,
}

/// Turns the value head into values before rounding, in the lane's exact arithmetic.
struct Values<'a> {
    transform: Transform,
    heads: &'a [f32],
    n_heads: usize,
    out: &'a mut [f32],
}

impl Kernel for Values<'_> {
    type Output = ();
    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Values { transform, heads, n_heads, out } = self;
        let mut t = [0.0f32; 16];
        let mut v = [0.0f32; 16];
        for (heads, out) in heads.chunks(S::N * n_heads).zip(out.chunks_mut(S::N)) {
            for (t, h) in t.iter_mut().zip(heads.chunks_exact(n_heads)) {
                *t = h[n_heads - 1];
            }
            // SAFETY: no width has more than 16 lanes.
            unsafe { s.store(v.as_mut_ptr(), transform.value(s, s.load(t.as_ptr()))) };
            out.copy_from_slice(&v[..out.len()]);
        }
    }
}

impl Transform {
    /// Values of the value head of `heads` (`n_heads` a site), before rounding.
    pub fn values(&self, level: Level, heads: &[f32], n_heads: usize) -> Vec<f32> {
        let mut out = vec![0.0; heads.len() / n_heads];
        dispatch(level, Values { transform: *self, heads, n_heads, out: &mut out });
        out
    }

    /// What becomes of an occupied voxel's value: held in `range`, and whole (never 0) for integer samples.
    /// `None` where the transform itself says that the voxel is empty.
    #[inline]
    pub fn sample(&self, dtype: DType, range: (f64, f64), v: f32) -> Option<f64> {
        match *self {
            Transform::Log2 { .. } => Some(held(dtype, range, f64::from(v))),
            Transform::Ln { cut, .. } if v >= cut => Some(held(dtype, range, f64::from(v).trunc())),
            // Below the cut, or NaN.
            Transform::Ln { .. } => None,
        }
    }

    /// [`Transform::sample`] of a voxel that is known to be occupied, whatever its value.
    #[inline]
    pub fn within(&self, dtype: DType, range: (f64, f64), v: f32) -> f64 {
        self.sample(dtype, range, v).unwrap_or_else(|| held(dtype, range, range.0))
    }
}

/// `v` held in `range`, and whole (never 0) for integer samples.
#[inline]
fn held(dtype: DType, range: (f64, f64), v: f64) -> f64 {
    // As comparisons, so that NaN becomes the upper end, as in the lane's clamp.
    let v = if v < range.1 { v } else { range.1 };
    let v = if v > range.0 { v } else { range.0 };
    let least = if dtype.is_integer() { 1.0 } else { f64::from(f32::MIN_POSITIVE) };
    let whole = if dtype.is_integer() { v.round_ties_even() } else { v };
    match whole {
        0.0 if v >= 0.0 && range.1 >= least => least,
        0.0 if range.0 <= -least => -least,
        0.0 => least,
        _ => whole,
    }
}

impl Field for NetField {
    fn values(&self, backend: &dyn Backend, sites: &SiteBlock<'_>) -> Result<Vec<f32>> {
        let heads = self.heads(backend, sites)?;
        let n_heads = self.weights.spec().n_heads;
        let mut values = self.transform.values(Level::detect(), &heads, n_heads);
        for (v, h) in values.iter_mut().zip(heads.chunks_exact(n_heads)) {
            // NaN is above nothing.
            let is_occupied = h[0] > self.threshold;
            if !is_occupied {
                *v = 0.0;
            }
        }
        Ok(values)
    }
}

impl NetField {
    /// The network's outputs at `sites`, `n_heads` a site.
    ///
    /// # Errors
    /// `Device` where evaluation fails.
    pub fn heads(&self, backend: &dyn Backend, sites: &SiteBlock<'_>) -> Result<Vec<f32>> {
        let mut heads = vec![0.0; sites.n_sites() * self.weights.spec().n_heads];
        backend.evaluate(&self.weights, sites, &mut heads)?;
        Ok(heads)
    }

    /// The samples of a tile of `shape`.
    ///
    /// # Errors
    /// `Device` where evaluation fails.
    pub fn decode(
        &self,
        backend: &dyn Backend,
        shape: [usize; 3],
        dtype: DType,
        range: (f64, f64),
    ) -> Result<Samples> {
        self.decode_box(backend, shape, &Tile { start: [0; 3], shape }, dtype, range)
    }

    /// The samples of `part`, a box within a tile of `shape`: the same as in the whole tile, at the cost of the box.
    ///
    /// # Errors
    /// `Argument` where the box does not lie inside the tile, `Device` where evaluation fails.
    pub fn decode_box(
        &self,
        backend: &dyn Backend,
        shape: [usize; 3],
        part: &Tile,
        dtype: DType,
        range: (f64, f64),
    ) -> Result<Samples> {
        part.check_inside(shape)?;
        let axes = [0, 1, 2].map(|a| {
            let coords = self.coords.axis(a, shape[a]);
            coords[part.start[a]..part.start[a] + part.shape[a]].to_vec()
        });
        let n_heads = self.weights.spec().n_heads;
        let mut samples = Samples::zeros(dtype, part.n_voxels());
        let mut first = 0;
        // Block by block, so that the network's outputs never take more memory than the samples.
        for [i, j, k] in blocks(part.shape) {
            let axes = [&axes[0][i], &axes[1][j], &axes[2][k]];
            let heads = self.heads(backend, &SiteBlock { axes, positions: None, features: &[] })?;
            let values = self.transform.values(Level::detect(), &heads, n_heads);
            for (n, (&v, h)) in values.iter().zip(heads.chunks_exact(n_heads)).enumerate() {
                if h[0] > self.threshold {
                    samples.set(first + n, self.transform.sample(dtype, range, v).unwrap_or(0.0));
                }
            }
            first += values.len();
        }
        Ok(samples)
    }

    /// Values before rounding at `points`, in voxel indices of a tile of `shape`, as if each were occupied. A network
    /// with features sees `support` between voxels as [`Plan::between`] says; at a voxel
    /// its own occupancy has no part in that.
    ///
    /// # Errors
    /// `Argument` where a network with features gets no support, or one of another shape; `Device` where evaluation
    /// fails.
    pub fn values_at(
        &self,
        backend: &dyn Backend,
        shape: [usize; 3],
        support: Option<&Support<'_>>,
        points: &[[f32; 3]],
    ) -> Result<Vec<f32>> {
        let held: Vec<[f32; 3]> =
            points.iter().map(|p| [0, 1, 2].map(|a| held_within(p[a], shape[a]))).collect();
        let heads = self.heads_at(backend, shape, support, &held)?;
        Ok(self.transform.values(Level::detect(), &heads, self.weights.spec().n_heads))
    }

    /// The network's outputs at `points`, as [`NetField::values_at`] takes them, but that points beyond the outermost
    /// voxels are not held there: their coordinates go on, their features are those of the nearest point within.
    ///
    /// # Errors
    /// As [`NetField::values_at`].
    pub fn heads_at(
        &self,
        backend: &dyn Backend,
        shape: [usize; 3],
        support: Option<&Support<'_>>,
        points: &[[f32; 3]],
    ) -> Result<Vec<f32>> {
        let n_features = self.weights.spec().n_features;
        let plan = self.plan_between(shape, support)?;
        let mut cell = plan.as_ref().map(|(plan, support)| Cell::new(plan, *support));
        let mut out = Vec::with_capacity(points.len() * self.weights.spec().n_heads);
        let mut features = vec![0.0; BLOCK_POINTS.min(points.len()) * n_features];
        for points in points.chunks(BLOCK_POINTS) {
            // The points are the diagonal of a grid of their own.
            let n = points.len() as u32;
            let axes = [0, 1, 2]
                .map(|a| -> Vec<f32> { points.iter().map(|p| self.coords.at(a, shape[a], p[a])).collect() });
            let positions: Vec<u32> = (0..n).map(|i| (i * n + i) * n + i).collect();
            let features = &mut features[..points.len() * n_features];
            if let Some(cell) = &mut cell {
                for (point, out) in points.iter().zip(features.chunks_exact_mut(n_features)) {
                    cell.features(*point, out);
                }
            }
            let axes = [&axes[0][..], &axes[1], &axes[2]];
            out.extend(self.heads(backend, &SiteBlock { axes, positions: Some(&positions), features })?);
        }
        Ok(out)
    }

    /// The plan of the features between the voxels of a tile of `shape`, and the support they are of; `None` for a
    /// network without features.
    ///
    /// # Errors
    /// `Argument` where a network with features gets no support, or one of another shape.
    pub fn plan_between<'a>(
        &self,
        shape: [usize; 3],
        support: Option<&Support<'a>>,
    ) -> Result<Option<(Plan, Support<'a>)>> {
        match (self.pattern, support) {
            (None, _) if self.weights.spec().n_features == 0 => Ok(None),
            (Some(pattern), Some(support)) if support.shape == shape => Ok(Some((pattern.plan(), *support))),
            _ => Err(Error::argument("a field with features needs the support of its tile")),
        }
    }

    /// The samples of a tile whose occupied voxels are known: none of them is 0, all others are.
    ///
    /// # Errors
    /// `Device` where evaluation fails.
    pub fn decode_within(
        &self,
        backend: &dyn Backend,
        support: &Support<'_>,
        dtype: DType,
        range: (f64, f64),
    ) -> Result<Samples> {
        if u32::try_from(support.occupied.len()).is_err() {
            return Err(Error::new(
                ErrorKind::Limit,
                "a tile of 2^32 voxels or more; encode with smaller tiles",
            ));
        }
        let occupied = support.occupied.iter().enumerate().filter(|(_, o)| **o);
        let positions: Vec<u32> = occupied.map(|(i, _)| i as u32).collect();
        let axes = [0, 1, 2].map(|a| self.coords.axis(a, support.shape[a]));
        let axes = [&axes[0][..], &axes[1], &axes[2]];
        let plan = self.pattern.map(|p| p.plan());
        let n_features = plan.as_ref().map_or(1, |p| p.n_features());
        let mut samples = Samples::zeros(dtype, support.occupied.len());
        for positions in positions.chunks(BLOCK_SITES.min(BLOCK_FEATURES / n_features)) {
            let features = plan.as_ref().map_or_else(Vec::new, |p| p.native(support, positions));
            let heads =
                self.heads(backend, &SiteBlock { axes, positions: Some(positions), features: &features })?;
            let values = self.transform.values(Level::detect(), &heads, self.weights.spec().n_heads);
            for (&i, &v) in positions.iter().zip(&values) {
                samples.set(i as usize, self.transform.within(dtype, range, v));
            }
        }
        Ok(samples)
    }
}

/// Sites that are evaluated at once.
const BLOCK_SITES: usize = 1 << 18;

/// Points off the grid that are evaluated at once; its cube fits 32 bits.
const BLOCK_POINTS: usize = 1024;

/// Features that are held at once.
const BLOCK_FEATURES: usize = 1 << 22;

/// Boxes of at most [`BLOCK_SITES`] sites that fill a grid of `shape` one after the other in C order.
pub(crate) fn blocks(shape: [usize; 3]) -> Vec<[Range<usize>; 3]> {
    let k = shape[2].min(BLOCK_SITES);
    let j = if k < shape[2] { 1 } else { shape[1].min((BLOCK_SITES / k).max(1)) };
    let i = if j < shape[1] || k < shape[2] { 1 } else { shape[0].min((BLOCK_SITES / (j * k)).max(1)) };
    let cut = |n: usize, step: usize| (0..n).step_by(step).map(move |at| at..n.min(at + step));
    let mut out = Vec::new();
    for i in cut(shape[0], i) {
        for j in cut(shape[1], j) {
            out.extend(cut(shape[2], k).map(|k| [i.clone(), j.clone(), k]));
        }
    }
    out
}

/// The threshold of the first head that gives the least sum of `|log2|` errors, and that sum.
///
/// `score` is the first head's output, `decoded` and `truth` are `log2(1 + |sample|)`, by site: what would be
/// decoded if the site were occupied, and what is there (0 where empty). Ties go to fewer occupied sites.
pub fn calibrate(score: &[f32], decoded: &[f32], truth: &[f32]) -> (f32, f64) {
    let mut order: Vec<u32> = (0..score.len() as u32).collect();
    let of = |i: u32| score[i as usize];
    order.sort_unstable_by(|&a, &b| of(b).total_cmp(&of(a)).then(a.cmp(&b)));
    let mut cost: f64 = truth.iter().map(|&t| f64::from(t)).sum();
    let (mut least, mut threshold) = (cost, f32::INFINITY);
    for (n, &i) in order.iter().enumerate() {
        let (d, t) = (f64::from(decoded[i as usize]), f64::from(truth[i as usize]));
        cost += (d - t).abs() - t;
        let next = order.get(n + 1).map_or(f32::NEG_INFINITY, |&j| of(j));
        if cost < least && next < of(i) {
            (least, threshold) = (cost, next);
        }
    }
    (threshold, least)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calibration_finds_the_best_cut() {
        // Brute force over every cut of a small random case.
        let mut x = 1u32;
        let mut next = || {
            x = x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (x >> 16) as f32 / 65536.0
        };
        let truth: Vec<f32> = (0..200).map(|_| if next() > 0.8 { 6.0 + next() } else { 0.0 }).collect();
        let score: Vec<f32> = truth.iter().map(|t| (t + 6.0 * next()).round()).collect();
        let decoded: Vec<f32> = (0..200).map(|_| 6.0 + next()).collect();
        let cost = |threshold: f32| -> f64 {
            (0..200)
                .map(|i| f64::from((if score[i] > threshold { decoded[i] } else { 0.0 }) - truth[i]).abs())
                .sum()
        };
        let (threshold, least) = calibrate(&score, &decoded, &truth);
        assert!((cost(threshold) - least).abs() < 1e-9);
        for t in -1..20 {
            assert!(cost(t as f32) >= least - 1e-9);
        }
    }

    #[test]
    fn blocks_fill_the_grid_in_order() {
        for shape in [[192, 249, 16], [3, 2, 600_000], [2, 700_000, 3], [1, 1, 1], [900_000, 1, 1]] {
            let mut next = 0;
            for [i, j, k] in blocks(shape) {
                assert_eq!((i.start * shape[1] + j.start) * shape[2] + k.start, next);
                let n = i.len() * j.len() * k.len();
                assert!(n <= BLOCK_SITES);
                next += n;
            }
            assert_eq!(next, shape.iter().product::<usize>());
        }
    }

    #[test]
    fn samples_are_whole_in_range_and_never_zero() {
        let t = Transform::Log2 { unit_exponent: 0, center: 0.0, scale: 1.0 };
        let s = |v| t.sample(DType::I16, (-5.0, 90.0), v);
        assert_eq!(s(77.5), Some(78.0));
        assert_eq!(s(76.5), Some(76.0));
        assert_eq!((s(0.2), s(-0.2)), (Some(1.0), Some(-1.0)));
        assert_eq!((s(1e9), s(-1e9), s(f32::NAN)), (Some(90.0), Some(-5.0), Some(90.0)));
        let paper = Transform::Ln { offset: 64.0, scale: 6.0, cut: 67.0 };
        assert_eq!(paper.sample(DType::U16, (70.0, 1023.0), 66.9), None);
        assert_eq!(paper.sample(DType::U16, (70.0, 1023.0), 99.9), Some(99.0));
    }
}
