//! Derivatives of values with respect to the place.

use super::{Local, Piece};
use crate::backend::cpu::Cpu;
use crate::error::Result;
use crate::field::NetField;
use crate::lane::Scalar;
use crate::pattern::Cell;

/// Points whose rows are held at once.
const POINTS_AT_ONCE: usize = 1 << 14;

impl Piece {
    /// Derivatives of the value of the field, with respect to voxel indices, at those of `points` that `these` name.
    pub(super) fn gradients(
        &self,
        cpu: &Cpu,
        field: &NetField,
        these: &[usize],
        points: &[Local],
        extrapolate: bool,
    ) -> Result<Vec<[f32; 3]>> {
        let spec = field.weights.spec();
        let (n_in, n_heads, k) = (spec.n_coords + spec.n_features, spec.n_heads, spec.n_features);
        let shape = self.tile.shape;
        let plan = field.plan_between(shape, self.support().as_ref())?;
        let mut cell = plan.as_ref().map(|(plan, support)| Cell::new(plan, *support));
        let mut out = Vec::with_capacity(these.len());
        for these in these.chunks(POINTS_AT_ONCE) {
            let mut rows = vec![0.0; these.len() * 4 * n_in];
            // Where a derivative is one-sided, towards which side: to higher indices, but at the last voxel.
            let side = |x: f32, a: usize| if x == (shape[a] - 1) as f32 { -1.0 } else { 1.0 };
            for (&i, rows) in these.iter().zip(rows.chunks_exact_mut(4 * n_in)) {
                let x = points[i].x;
                let (inputs, directions) = rows.split_at_mut(n_in);
                for a in 0..3 {
                    let last = (shape[a] - 1) as f32;
                    let is_beyond = !(x[a] >= 0.0 && x[a] <= last);
                    // Where the place is held, nothing changes with it.
                    let (place, is_held) = match is_beyond && !extrapolate {
                        true => (if x[a] > 0.0 { last } else { 0.0 }, true),
                        false => (x[a], shape[a] == 1 && !extrapolate),
                    };
                    inputs[a] = field.coords.at(a, shape[a], place);
                    let direction = &mut directions[a * n_in..(a + 1) * n_in];
                    if !is_held {
                        direction[a] = (field.coords.hi[a] - field.coords.lo[a]) / last.max(1.0);
                    }
                    if let (Some(cell), false) = (&mut cell, is_beyond) {
                        cell.slopes(x, a, &mut direction[3..]);
                    }
                    let side = side(x[a], a);
                    direction.iter_mut().for_each(|d| *d *= side);
                }
                if let Some(cell) = &mut cell {
                    cell.features(x, &mut inputs[3..3 + k]);
                }
            }
            let heads = cpu.tangents(&field.weights, &rows)?;
            for (&i, heads) in these.iter().zip(heads.chunks_exact(4 * n_heads)) {
                let value = |row: usize| heads[row * n_heads + n_heads - 1];
                let slope = field.transform.slope(Scalar::new(), value(0));
                out.push([0, 1, 2].map(|a| side(points[i].x[a], a) * slope * value(1 + a)));
            }
        }
        Ok(out)
    }
}
