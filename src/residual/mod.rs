//! Values of the occupied voxels within a bound: bins of samples, coded once the whole support is known.

mod bins;
mod least_squares;
mod model;

pub use bins::{Bins, Bound, MAX_BINS, Rule};

use crate::error::{Error, Result};
use crate::lane::{Level, dispatch};
use crate::support::Walk;
use inrfit_entropy::{Decoder, Encoder};
use model::Values;

/// Codes the bins of the occupied voxels of a tile: `symbols` and `field` (positions that a field predicts) have one
/// entry a voxel, C order; those of empty voxels are not looked at.
pub fn encode(walk: Walk, occupied: &[bool], bins: &Bins, field: Option<&[i32]>, symbols: &[u16]) -> Vec<u8> {
    let mut coder = Encoder::new();
    let mut symbols = symbols.to_vec();
    let values =
        Values { coder: &mut coder, walk, occupied, bins, field, symbols: &mut symbols, over: |_| false };
    dispatch(Level::detect(), values);
    coder.finish()
}

/// The inverse of [`encode`]: the bin of each voxel, 0 where it is empty.
///
/// # Errors
/// `Corrupt` where the bytes are no such code.
pub fn decode(
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    field: Option<&[i32]>,
    bytes: &[u8],
) -> Result<Vec<u16>> {
    let mut coder = Decoder::new(bytes);
    let mut symbols = vec![0; occupied.len()];
    let values = Values {
        coder: &mut coder,
        walk,
        occupied,
        bins,
        field,
        symbols: &mut symbols,
        over: Decoder::overrun,
    };
    dispatch(Level::detect(), values);
    if coder.overrun() || coder.n_left() > 0 {
        return Err(Error::corrupt("a code of values that is longer or shorter than its voxels"));
    }
    Ok(symbols)
}
