//! The exact set of occupied voxels of a tile, as bytes.

use crate::error::{Error, Result};
use inrfit_entropy::{AdaptiveBit, Coder, Decoder, Encoder};

/// Voxels whose occupancy is the context of the next: offsets back along each axis.
const CONTEXT: [[usize; 3]; 12] = [
    [0, 0, 1],
    [0, 0, 2],
    [0, 1, 0],
    [0, 2, 0],
    [0, 3, 0],
    [0, 4, 0],
    [0, 5, 0],
    [0, 1, 1],
    [1, 0, 0],
    [1, 1, 0],
    [1, 0, 1],
    [2, 0, 0],
];

fn code<C: Coder>(coder: &mut C, [a, b, c]: [usize; 3], occupied: &mut [bool]) {
    let mut models = vec![AdaptiveBit::default(); 1 << CONTEXT.len()];
    for i in 0..a {
        for j in 0..b {
            for k in 0..c {
                let mut context = 0;
                for [di, dj, dk] in CONTEXT {
                    let seen = di <= i && dj <= j && dk <= k;
                    let at = || ((i - di) * b + j - dj) * c + k - dk;
                    context = 2 * context + usize::from(seen && occupied[at()]);
                }
                let bit = &mut occupied[(i * b + j) * c + k];
                *bit = models[context].code(coder, *bit);
            }
        }
    }
}

/// Bytes of the occupancy of a tile of `shape`, C order.
pub fn encode(shape: [usize; 3], occupied: &[bool]) -> Vec<u8> {
    if !occupied.contains(&true) {
        return Vec::new();
    }
    let mut encoder = Encoder::new();
    code(&mut encoder, shape, &mut occupied.to_vec());
    // A stream may be empty: one byte says that there is one.
    let mut bytes = vec![0];
    bytes.extend(encoder.finish());
    bytes
}

/// The inverse of [`encode`].
///
/// # Errors
/// `Corrupt` where the bytes end early or go on.
pub fn decode(shape: [usize; 3], bytes: &[u8]) -> Result<Vec<bool>> {
    let mut occupied = vec![false; shape.iter().product()];
    let Some((_, stream)) = bytes.split_first() else {
        return Ok(occupied);
    };
    let mut decoder = Decoder::new(stream);
    code(&mut decoder, shape, &mut occupied);
    if decoder.overrun() || decoder.n_left() > 0 {
        return Err(Error::corrupt("the support's bytes end early or go on"));
    }
    Ok(occupied)
}
