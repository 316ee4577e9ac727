//! The values of the occupied voxels by one context a decision.

use super::bins::Bins;
use crate::support::Walk;
use inrfit_entropy::{Coder, Counter};

/// Classes of heights are numbers of four bits, of which 0 means empty.
const N_CLASSES: usize = 16;
const N_PHASES: usize = 16;
/// Decisions on where in its class a bin lies that have counters by what was decided before.
const DEEP: u32 = 5;

/// Which bins belong to each class of heights.
struct Classes {
    first: [usize; N_CLASSES],
    /// Decisions on where in the class a bin lies.
    n_bits: [u32; N_CLASSES],
}

impl Classes {
    fn new(bins: &Bins) -> Classes {
        let mut classes = Classes { first: [0; N_CLASSES], n_bits: [0; N_CLASSES] };
        for class in 0..N_CLASSES {
            let from = bins.levels.partition_point(|l| usize::from(*l) < class);
            let to = bins.levels.partition_point(|l| usize::from(*l) <= class);
            classes.first[class] = from;
            classes.n_bits[class] = usize::BITS - to.saturating_sub(from + 1).leading_zeros();
        }
        classes
    }
}

/// Codes the bins of the occupied voxels, as [`super::encode`] says; `symbols` is read when encoding and written when
/// decoding.
pub fn code<C: Coder>(
    coder: &mut C,
    walk: Walk,
    occupied: &[bool],
    bins: &Bins,
    symbols: &mut [u16],
    over: fn(&C) -> bool,
) {
    let Walk { n, stride, .. } = walk;
    let classes = Classes::new(bins);
    // By place in the window, classes of the voxel before and of the one beside, and what was decided.
    let mut class_counters = vec![[Counter::NEW; N_CLASSES]; N_PHASES * N_CLASSES * N_CLASSES];
    // By class and place in the window.
    let mut deep = vec![[Counter::NEW; 1 << DEEP]; N_CLASSES * N_PHASES];
    let mut flat = [[Counter::NEW; 16]; N_CLASSES];
    let one = |coder: &mut C, counter: &mut Counter, bit: bool| {
        let bit = coder.bit(counter.p().clamp(1, 65_535) as u16, bit);
        counter.update(bit);
        bit
    };
    // Classes of the line before in this slice.
    let mut beside = vec![0u8; n[2]];
    for i in 0..n[0] {
        beside.fill(0);
        for j in 0..n[1] {
            let first = i * stride[0] + j * stride[1];
            let (mut run, mut before) = (0, 0);
            for (k, beside) in beside.iter_mut().enumerate() {
                let at = first + k * stride[2];
                if !occupied[at] {
                    (run, before, *beside) = (0, 0, 0);
                    continue;
                }
                run += 1;
                let phase = walk.phase(run);
                let symbol = usize::from(symbols[at]);
                let truth = bins.levels.get(symbol).copied().unwrap_or(0);
                let context = (phase * N_CLASSES + before) * N_CLASSES + usize::from(*beside);
                let mut class = 1;
                for b in (0..4).rev() {
                    let bit = one(coder, &mut class_counters[context][class], truth >> b & 1 == 1);
                    class = 2 * class + usize::from(bit);
                }
                class -= N_CLASSES;
                let n_bits = classes.n_bits[class];
                let within = symbol.wrapping_sub(classes.first[class]);
                let mut node = 1;
                for b in (0..n_bits).rev() {
                    let counter = match n_bits - b {
                        done if done <= DEEP => &mut deep[class * N_PHASES + phase][node],
                        _ => &mut flat[class][b as usize],
                    };
                    let bit = one(coder, counter, within >> b & 1 == 1);
                    node = 2 * node + usize::from(bit);
                }
                // Beyond the last bin there is nothing: what a damaged stream says there counts as the last.
                let decoded = (classes.first[class] + node - (1 << n_bits)).min(bins.len() - 1);
                symbols[at] = decoded as u16;
                let level = bins.levels[decoded];
                (before, *beside) = (usize::from(level), level);
            }
        }
        if over(coder) {
            return;
        }
    }
}
