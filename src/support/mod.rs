//! The exact occupancy of a tile: which voxels are not zero.
//!
//! Voxels are coded line by line along one axis. A voxel's contexts are how far it lies within the current run of
//! occupied voxels, and what the lines coded before look like around it: the lines next to it in the same slice, and
//! those around it in the slice before. Where all of those are empty, whole stretches are coded at once, so that
//! empty space costs next to nothing. Axes and the length of the runs are chosen from the data and stored.

mod mixed;
mod quick;
mod stretch;
mod walk;

pub use walk::Walk;

use crate::error::{Error, Result};
use inrfit_entropy::{Coder, Decoder, Encoder};

/// How an exact layer is coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coding {
    /// Many contexts, mixed: small.
    Mixed,
    /// One context a decision: fast.
    Quick,
}

/// What learns the occupancy of a tile line by line.
trait Model {
    /// Codes line `j` of slice `i`, then learns what it looks like; `line` is read when encoding and written when
    /// decoding.
    fn code_line<C: Coder>(&mut self, coder: &mut C, i: usize, j: usize, line: &mut [bool]);
    /// The slice is complete, and becomes the one before.
    fn finish_slice(&mut self);
}

/// Codes the whole tile; `occupied` (C order) is read when encoding and written when decoding. `over` tells that it
/// is no use to go on.
fn code<C: Coder>(
    coding: Coding,
    walk: Walk,
    coder: &mut C,
    occupied: &mut [bool],
    over: impl Fn(&C) -> bool,
) {
    match coding {
        Coding::Mixed => code_by(&mut mixed::Mixed::new(walk), walk, coder, occupied, over),
        Coding::Quick => code_by(&mut quick::Quick::new(walk), walk, coder, occupied, over),
    }
}

fn code_by<C: Coder>(
    model: &mut impl Model,
    walk: Walk,
    coder: &mut C,
    occupied: &mut [bool],
    over: impl Fn(&C) -> bool,
) {
    let Walk { n, stride, .. } = walk;
    let mut line = vec![false; n[2]];
    for i in 0..n[0] {
        for j in 0..n[1] {
            let voxels = &mut occupied[i * stride[0] + j * stride[1]..];
            for (v, voxel) in line.iter_mut().zip(voxels.iter().step_by(stride[2])) {
                *v = *voxel;
            }
            model.code_line(coder, i, j, &mut line);
            for (v, voxel) in line.iter().zip(voxels.iter_mut().step_by(stride[2])) {
                *voxel = *v;
            }
        }
        if over(coder) {
            return;
        }
        model.finish_slice();
    }
}

/// Codes which voxels of a tile are occupied (C order). An empty tile has no bytes.
pub fn encode(coding: Coding, walk: Walk, occupied: &[bool]) -> Vec<u8> {
    if !occupied.contains(&true) {
        return Vec::new();
    }
    let mut encoder = Encoder::new();
    code(coding, walk, &mut encoder, &mut occupied.to_vec(), |_| false);
    let mut bytes = vec![walk.order(), walk.window as u8];
    bytes.extend(encoder.finish());
    bytes
}

/// The inverse of [`encode`] for a tile of `shape`: its walk and its occupied voxels.
///
/// # Errors
/// `Corrupt` where the bytes are no such code.
pub fn decode(coding: Coding, shape: [usize; 3], bytes: &[u8]) -> Result<(Walk, Vec<bool>)> {
    let mut occupied = vec![false; shape.iter().product()];
    let [order, window, stream @ ..] = bytes else {
        return match (bytes, Walk::new(shape, 0, 0)) {
            ([], Some(walk)) => Ok((walk, occupied)),
            _ => Err(Error::corrupt("an occupancy code of one byte")),
        };
    };
    let walk = Walk::new(shape, *order, *window)
        .ok_or_else(|| Error::corrupt(format!("an occupancy code of order {order} and window {window}")))?;
    let mut decoder = Decoder::new(stream);
    // A stream that has ended says nothing more: bad ones end early, not after all their voxels.
    code(coding, walk, &mut decoder, &mut occupied, Decoder::overrun);
    if decoder.overrun() || decoder.n_left() > 0 {
        return Err(Error::corrupt("an occupancy code that is longer or shorter than its voxels"));
    }
    Ok((walk, occupied))
}
