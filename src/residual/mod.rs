//! Values of the occupied voxels within a bound: bins of samples, coded once the whole support is known.

mod bins;
mod learn;
mod least_squares;
mod model;
mod neighbourhood;
mod network;
mod quick;

pub use bins::{Bins, Bound, MAX_BINS, Rule};
pub use learn::{Learning, learn, teaches};
pub use network::ContextNetwork;

use crate::error::{Error, Result};
use crate::lane::{Level, dispatch};
use crate::support::{Coding, Walk};
use inrfit_entropy::{Coder, Decoder, Encoder};
use model::Values;

/// What is known of a tile's values besides its support, for [`Coding::Mixed`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Hints<'a> {
    /// Positions that a field predicts, one a voxel, C order; those of empty voxels are not looked at.
    pub field: Option<&'a [i32]>,
    /// What past events tell.
    pub network: Option<&'a ContextNetwork>,
}

/// Codes the bins of the occupied voxels of a tile: `symbols` has one entry a voxel, C order; those of empty voxels
/// are not looked at.
pub fn encode(
    coding: Coding,
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    hints: Hints<'_>,
    symbols: &[u16],
) -> Vec<u8> {
    let mut coder = Encoder::new();
    code(coding, walk, occupied, bins, hints, &mut symbols.to_vec(), &mut coder, |_| false);
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
    hints: Hints<'_>,
    bytes: &[u8],
) -> Result<Vec<u16>> {
    let mut coder = Decoder::new(bytes);
    let mut symbols = vec![0; occupied.len()];
    // A stream that has ended says nothing more: bad ones end early, not after all their voxels.
    code(coding, walk, occupied, bins, hints, &mut symbols, &mut coder, Decoder::overrun);
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
    hints: Hints<'_>,
    symbols: &mut [u16],
    coder: &mut C,
    over: fn(&C) -> bool,
) {
    match coding {
        Coding::Mixed => {
            let Hints { field, network } = hints;
            dispatch(Level::detect(), Values { coder, walk, occupied, bins, field, network, symbols, over });
        }
        Coding::Quick => quick::code(coder, walk, occupied, bins, symbols, over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::DType;

    #[test]
    fn every_lane_level_gives_the_same_bytes() {
        let shape = [6, 20, 30];
        let n: usize = shape.iter().product();
        let mut state = 9u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let occupied: Vec<bool> = (0..n).map(|i| i / 5 % 7 == 0 || draw() % 50 == 0).collect();
        let bins = Bins::new(Rule::Integer(2), DType::U16, (70.0, 900.0)).expect("few bins");
        let symbols: Vec<u16> = occupied
            .iter()
            .map(|o| if *o { (draw() % bins.len() * (draw() % 8) / 8) as u16 } else { 0 })
            .collect();
        let field: Vec<i32> =
            symbols.iter().map(|s| bins.positions[usize::from(*s)] + draw() as i32 % 2000 - 1000).collect();
        let walk = Walk::choose(shape, &occupied);
        let network = network::tests::some_network([32, 16]).0;
        for hints in [
            Hints::default(),
            Hints { field: Some(&field), network: None },
            Hints { field: None, network: Some(&network) },
            Hints { field: Some(&field), network: Some(&network) },
        ] {
            let at = |level| {
                let mut coder = Encoder::new();
                let symbols = &mut symbols.clone();
                let values = Values {
                    coder: &mut coder,
                    walk,
                    occupied: &occupied,
                    bins: &bins,
                    field: hints.field,
                    network: hints.network,
                    symbols,
                    over: |_| false,
                };
                dispatch(level, values);
                coder.finish()
            };
            let bytes = at(Level::Scalar);
            for level in Level::available() {
                assert!(at(level) == bytes, "{level:?}");
            }
            assert_eq!(decode(Coding::Mixed, walk, &occupied, &bins, hints, &bytes).unwrap(), symbols);
        }
    }
}
