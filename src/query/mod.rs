//! Values anywhere in a compressed event: at points, and on grids finer or coarser than its own.
//!
//! A place is told in voxel indices: 0 is the centre of the first voxel of an axis of `n`, `n - 1` that of the last, and
//! the event ends half a voxel beyond. At a voxel the answer is the decoded voxel. Between voxels it is what the
//! network says there, held within the range of the samples; a [`Grid`]'s samples are rounded as voxels are, an
//! [`Answer`] is not. Occupancy is the network's own where it decides on it (mode `field`); in other modes it is that
//! of the voxel whose cell the point lies in, half-way points going to the higher index. Up to half a voxel beyond the
//! centres of a tile's outermost voxels the network is asked at those centres: it was never shown anything there.
//!
//! A sample at a new place is ADC per *native* voxel at that point, not the charge of a new voxel: a grid of scale 2
//! sums to about 8 times as much. The bound of modes `bounded` and `lossless` holds at voxels, not between them.
//!
//! [`InrCodec::query`](crate::codec::InrCodec::query) and [`InrCodec::resample`](crate::codec::InrCodec::resample) are
//! the ways in.

mod gradient;
mod grid;

pub use grid::{Alignment, Grid};

use crate::backend::{Backend, SiteBlock, cpu::Cpu};
use crate::container::Header;
use crate::domain::Transform;
use crate::error::{Error, Result};
use crate::event::{DType, Samples};
use crate::field::NetField;
use crate::pattern::{Cell, Support, held_within};
use crate::tile::Tile;
use rayon::prelude::*;

/// How points are asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Asked {
    /// The network alone, neither rounded nor held within the range of the samples, at voxels too; where occupancy is
    /// stored beside it, as if every point were occupied.
    pub field_only: bool,
    /// Points may lie outside the event: the network is asked beyond the outermost voxels, where it was never trained.
    pub extrapolate: bool,
    /// Derivatives too.
    pub gradient: bool,
    /// Points are told in -1 (centre of the first voxel) to 1 (of the last) instead of indices, and derivatives are
    /// with respect to these.
    pub normalised: bool,
}

/// What is said of a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Answer {
    /// The value; 0 where it is empty.
    pub value: f64,
    /// Derivatives of the value before rounding with respect to the coordinates of the point. They are those of the
    /// network, at voxels too, and exact but for f32 rounding: 0 where the point is empty or the value held within the
    /// range of the samples. Steps between empty and occupied have no part in them. For a network that reads the
    /// occupancy around a point they jump at the planes of voxels: there they are those towards higher indices (at the
    /// last voxel of a tile, towards lower ones).
    pub gradient: Option<[f32; 3]>,
}

/// Farther from the event than this an f32 does not tell voxels apart.
const FARTHEST: f64 = 16_777_216.0;

impl Asked {
    /// The voxel indices of `points` in an event of `shape`.
    ///
    /// # Errors
    /// `Argument`, with the number of the point: coordinates that are not finite, or outside without
    /// [`Asked::extrapolate`].
    pub fn indices(&self, points: &[[f64; 3]], shape: [usize; 3]) -> Result<Vec<[f64; 3]>> {
        points.iter().enumerate().map(|(i, p)| self.index_of(i, *p, shape)).collect()
    }

    fn index_of(&self, i: usize, point: [f64; 3], shape: [usize; 3]) -> Result<[f64; 3]> {
        if point.iter().any(|x| !x.is_finite()) {
            return Err(Error::argument(format!("point {i} is {point:?}: not three finite numbers")));
        }
        let mut index = point;
        for a in 0..3 {
            let last = (shape[a] - 1) as f64;
            if self.normalised {
                index[a] = (point[a] + 1.0) / 2.0 * last;
            }
            let reach = if self.extrapolate { FARTHEST } else { 0.5 };
            if !(-reach..=last + reach).contains(&index[a]) {
                let ends = if self.normalised { "-1 to 1".to_owned() } else { format!("0 to {last}") };
                let way_out = match self.extrapolate {
                    true => format!("farther than {FARTHEST} voxels"),
                    false => "--extrapolate asks the network there all the same".to_owned(),
                };
                return Err(Error::argument(format!(
                    "point {i} is {point:?}: outside axis {a}, whose voxels lie at {ends}; {way_out}"
                )));
            }
        }
        Ok(index)
    }
}

/// The voxel whose cell `x` lies in, on an axis of `n`.
pub fn voxel_of(x: f64, n: usize) -> usize {
    // Held at both ends by the conversion and the minimum.
    ((x + 0.5).floor() as usize).min(n - 1)
}

/// One tile of a file, ready to be asked.
#[derive(Debug)]
pub struct Piece {
    /// Where it lies in the event.
    pub tile: Tile,
    /// Its field.
    pub field: Option<NetField>,
    /// Its occupied voxels, where they are told apart from the field.
    pub support: Option<Vec<bool>>,
    /// Its decoded samples, where they are not what field and support say.
    pub samples: Option<Samples>,
}

/// A point as a piece sees it.
#[derive(Debug, Clone, Copy)]
struct Local {
    /// In voxel indices of the tile.
    x: [f32; 3],
    /// The voxel whose cell it lies in.
    voxel: usize,
    /// Whether it is the centre of that voxel.
    is_native: bool,
    /// Whether it lies outside the cells of the tile.
    is_outside: bool,
}

/// What is the same for all pieces of a file.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// Differentiates, and gives threads.
    pub cpu: &'a Cpu,
    /// Evaluates.
    pub evaluator: &'a dyn Backend,
    /// Of the file.
    pub header: &'a Header,
    /// Whether a piece that cannot tell anything between its voxels may tell the voxels themselves.
    pub voxels_will_do: bool,
}

/// The answer for want of a field.
pub fn no_field() -> Error {
    Error::argument(
        "no network in it, so nothing tells values between voxels: compress with --mode masked or field, or with \
         --keep-field",
    )
}

/// Points whose features are worked out by one thread at a time.
const POINTS_AT_ONCE: usize = 1024;
/// Features that are held at once.
const FEATURES_AT_ONCE: usize = 1 << 22;

impl Piece {
    fn support(&self) -> Option<Support<'_>> {
        let shape = self.tile.shape;
        self.support.as_ref().map(|occupied| Support { shape, occupied })
    }

    fn local(&self, point: [f64; 3]) -> Local {
        let Tile { start, shape } = self.tile;
        let x = [0, 1, 2].map(|a| (point[a] - start[a] as f64) as f32);
        let at = [0, 1, 2].map(|a| voxel_of(point[a] - start[a] as f64, shape[a]));
        let voxel = (at[0] * shape[1] + at[1]) * shape[2] + at[2];
        let is_native = (0..3).all(|a| x[a] == at[a] as f32);
        let is_outside = (0..3).any(|a| (f64::from(x[a]) - at[a] as f64).abs() > 0.5);
        Local { x, voxel, is_native, is_outside }
    }

    /// What a piece without a field says of a voxel: `None` where it says nothing of the cell around it.
    fn without_field(&self, asking: &Asking<'_>, point: &Local) -> Option<f64> {
        match (&self.samples, &self.support) {
            (Some(samples), _) if point.is_native && asking.voxels_will_do => Some(samples.get(point.voxel)),
            // Everywhere the same: a tile that is empty, above all.
            (Some(samples), None) if is_constant(samples) => Some(samples.get(point.voxel)),
            (None, Some(occupied)) if occupied[point.voxel] && !point.is_outside => {
                Some(asking.header.range.0)
            }
            (None, Some(_)) => Some(0.0),
            _ => None,
        }
    }

    /// Answers for `points`, in voxel indices of the event, all of them of this tile.
    ///
    /// # Errors
    /// `Argument` where it has no field, `Device` where evaluation fails.
    pub fn answers(&self, asking: &Asking<'_>, asked: &Asked, points: &[[f64; 3]]) -> Result<Vec<Answer>> {
        let locals: Vec<Local> = points.iter().map(|p| self.local(*p)).collect();
        let gradient = asked.gradient.then_some([0.0f32; 3]);
        let Some(field) = &self.field else {
            let answer = |p: &Local| {
                self.without_field(asking, p).map(|value| Answer { value, gradient }).ok_or_else(no_field)
            };
            return locals.iter().map(answer).collect();
        };
        // Points that the field has a part in; all others are empty.
        let occupied = |p: &Local| match &self.support {
            Some(occupied) if !asked.field_only => occupied[p.voxel] && !p.is_outside,
            _ => true,
        };
        let these: Vec<usize> = (0..locals.len()).filter(|&i| occupied(&locals[i])).collect();
        let shape = self.tile.shape;
        let x = |p: &Local| match asked.extrapolate {
            true => p.x,
            false => [0, 1, 2].map(|a| held_within(p.x[a], shape[a])),
        };
        let places: Vec<[f32; 3]> = these.iter().map(|&i| x(&locals[i])).collect();
        let heads = field.heads_at(asking.evaluator, shape, self.support().as_ref(), &places)?;
        let n_heads = field.weights.spec().n_heads;
        let values = field.transform.values(asking.cpu.level(), &heads, n_heads);
        let slopes = match asked.gradient {
            true => self.gradients(asking.cpu, field, &these, &locals, asked.extrapolate)?,
            false => Vec::new(),
        };
        let mut out = vec![Answer { value: 0.0, gradient }; points.len()];
        for (n, (&i, &v)) in these.iter().zip(&values).enumerate() {
            let p = &locals[i];
            if self.support.is_none() && !(heads[n * n_heads] > field.threshold && is_above_cut(field, v)) {
                continue;
            }
            let (lo, hi) = asking.header.range;
            let is_held = !(f64::from(v) >= lo && f64::from(v) <= hi);
            out[i].value = match (asked.field_only, p.is_native) {
                (true, _) => f64::from(v),
                (false, true) => self.native(asking, field, p, v),
                (false, false) => held(f64::from(v), (lo, hi)),
            };
            if asked.gradient && (asked.field_only || !is_held) {
                out[i].gradient = Some(slopes[n]);
            }
        }
        Ok(out)
    }

    /// The decoded sample of the occupied voxel that `p` is the centre of, `v` being the value of the field.
    fn native(&self, asking: &Asking<'_>, field: &NetField, p: &Local, v: f32) -> f64 {
        let Header { dtype, range, .. } = *asking.header;
        match (&self.samples, &self.support) {
            (Some(samples), _) => samples.get(p.voxel),
            (None, Some(_)) => field.transform.within(dtype, range, v),
            (None, None) => field.transform.sample(dtype, range, v).unwrap_or(0.0),
        }
    }

    /// The samples of the part of a grid whose points have these indices, in voxels of the event, along each axis; all
    /// of them of this tile.
    ///
    /// # Errors
    /// As [`Piece::answers`].
    pub fn grid_samples(&self, asking: &Asking<'_>, axes: &[Vec<f64>; 3]) -> Result<Samples> {
        let Header { dtype, range, .. } = *asking.header;
        let shape = self.tile.shape;
        let n_points = axes.iter().map(Vec::len).product();
        let mut out = Samples::zeros(dtype, n_points);
        let point = |i: usize| {
            let [_, b, c] = [0, 1, 2].map(|a| axes[a].len());
            [axes[0][i / c / b], axes[1][i / c % b], axes[2][i % c]]
        };
        let Some(field) = &self.field else {
            for i in 0..n_points {
                let value = self.without_field(asking, &self.local(point(i))).ok_or_else(no_field)?;
                out.set(i, value);
            }
            return Ok(out);
        };
        let places = [0, 1, 2].map(|a| -> Vec<f32> {
            let start = self.tile.start[a] as f64;
            axes[a].iter().map(|x| held_within((x - start) as f32, shape[a])).collect()
        });
        let coords = [0, 1, 2]
            .map(|a| -> Vec<f32> { places[a].iter().map(|x| field.coords.at(a, shape[a], *x)).collect() });
        let coords = [&coords[0][..], &coords[1], &coords[2]];
        let Some(occupied) = &self.support else {
            let sites = SiteBlock { axes: coords, positions: None, features: &[] };
            let heads = field.heads(asking.evaluator, &sites)?;
            let n_heads = field.weights.spec().n_heads;
            let values = field.transform.values(asking.cpu.level(), &heads, n_heads);
            for (i, (&v, h)) in values.iter().zip(heads.chunks_exact(n_heads)).enumerate() {
                if h[0] > field.threshold {
                    out.set(i, field.transform.sample(dtype, range, v).unwrap_or(0.0));
                }
            }
            return Ok(out);
        };
        let mut positions = Vec::new();
        for i in 0..n_points {
            let p = self.local(point(i));
            match &self.samples {
                _ if !occupied[p.voxel] => {}
                Some(samples) if p.is_native => out.set(i, samples.get(p.voxel)),
                _ => positions.push(i as u32),
            }
        }
        let plan = field.plan_between(shape, self.support().as_ref())?;
        let k = field.weights.spec().n_features;
        for positions in positions.chunks(FEATURES_AT_ONCE / k.max(1)) {
            let mut features = vec![0.0; positions.len() * k];
            if let Some((plan, support)) = &plan {
                let place = |i: u32| {
                    let (i, b, c) = (i as usize, places[1].len(), places[2].len());
                    [places[0][i / c / b], places[1][i / c % b], places[2][i % c]]
                };
                asking.cpu.install(|| {
                    let parts = features.par_chunks_mut(POINTS_AT_ONCE * k);
                    parts.zip(positions.par_chunks(POINTS_AT_ONCE)).for_each(|(features, positions)| {
                        let mut cell = Cell::new(plan, *support);
                        for (out, &i) in features.chunks_exact_mut(k).zip(positions) {
                            cell.features(place(i), out);
                        }
                    });
                });
            }
            let sites = SiteBlock { axes: coords, positions: Some(positions), features: &features };
            let heads = field.heads(asking.evaluator, &sites)?;
            let values = field.transform.values(asking.cpu.level(), &heads, field.weights.spec().n_heads);
            for (&i, &v) in positions.iter().zip(&values) {
                out.set(i as usize, field.transform.within(dtype, range, v));
            }
        }
        Ok(out)
    }
}

/// Whether a transform that empties what is below its cut leaves `v`.
fn is_above_cut(field: &NetField, v: f32) -> bool {
    match field.transform {
        Transform::Log2 { .. } => true,
        Transform::Ln { cut, .. } => v >= cut,
    }
}

/// `v` held between the ends of `range`; NaN becomes the upper one.
fn held(v: f64, range: (f64, f64)) -> f64 {
    // As comparisons, as in the lane's clamp.
    let v = if v < range.1 { v } else { range.1 };
    if v > range.0 { v } else { range.0 }
}

fn is_constant(samples: &Samples) -> bool {
    (1..samples.len()).all(|i| samples.get(i) == samples.get(0))
}

/// Whether `n` samples of `dtype` are more than `max_bytes`.
pub fn exceeds(n: u128, dtype: DType, max_bytes: u64) -> bool {
    n * dtype.n_bytes() as u128 > u128::from(max_bytes)
}
