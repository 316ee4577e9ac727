//! Values of the occupied voxels within a bound: bins of samples, coded once the whole support is known.

mod bins;
mod least_squares;
mod model;
mod quick;

pub use bins::{Bins, Bound, MAX_BINS, Rule};

use crate::error::{Error, Result};
use crate::lane::{Level, dispatch};
use crate::support::{Coding, Walk};
use inrfit_entropy::{Coder, Decoder, Encoder};
use model::Values;

/// Codes the bins of the occupied voxels of a tile: `symbols` and `field` (positions that a field predicts, for
/// [`Coding::Mixed`]) have one entry a voxel, C order; those of empty voxels are not looked at.
pub fn encode(
    coding: Coding,
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    field: Option<&[i32]>,
    symbols: &[u16],
) -> Vec<u8> {
    let mut coder = Encoder::new();
    code(coding, walk, occupied, bins, field, &mut symbols.to_vec(), &mut coder, |_| false);
    coder.finish()
}

/// The inverse of [`encode`]: the bin of each voxel, 0 where it is empty.
///
/// # Errors
/// `Corrupt` where the bytes are no such code.
pub fn decode(
    coding: Coding,
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    field: Option<&[i32]>,
    bytes: &[u8],
) -> Result<Vec<u16>> {
    let mut coder = Decoder::new(bytes);
    let mut symbols = vec![0; occupied.len()];
    // A stream that has ended says nothing more: bad ones end early, not after all their voxels.
    code(coding, walk, occupied, bins, field, &mut symbols, &mut coder, Decoder::overrun);
    if coder.overrun() || coder.n_left() > 0 {
        return Err(Error::corrupt("a code of values that is longer or shorter than its voxels"));
    }
    Ok(symbols)
}

fn code<C: Coder>(
    coding: Coding,
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    field: Option<&[i32]>,
    symbols: &mut [u16],
    coder: &mut C,
    over: fn(&C) -> bool,
) {
    match coding {
        Coding::Mixed => {
            dispatch(Level::detect(), Values { coder, walk, occupied, bins, field, symbols, over });
        }
        Coding::Quick => quick::code(coder, walk, occupied, bins, symbols, over),
    }
}
