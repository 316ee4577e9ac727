//! Stretches of voxels that are probably all empty.

use inrfit_entropy::{AdaptiveBit, Coder};

/// Longer stretches are coded in parts of 2^16.
const MAX_LOG: usize = 16;

/// Codes where the first occupied voxel of a stretch lies, by whether halves are empty.
#[derive(Debug, Clone)]
pub struct Stretches {
    /// Whether 2^i voxels are empty, by edge of the tile.
    whole: [[AdaptiveBit; 4]; MAX_LOG + 1],
    /// Whether the first 2^i of twice as many are, of which some are occupied.
    half: [AdaptiveBit; MAX_LOG + 1],
}

impl Default for Stretches {
    fn default() -> Self {
        Stretches { whole: [[AdaptiveBit::new(); 4]; MAX_LOG + 1], half: [AdaptiveBit::new(); MAX_LOG + 1] }
    }
}

impl Stretches {
    /// Codes how many voxels of `line` are empty before the first occupied one, or all, and sets those. `edge`: 2 = a
    /// slice was before this one, 1 = a line was.
    #[inline(always)]
    pub fn code<C: Coder>(&mut self, coder: &mut C, line: &mut [bool], edge: usize) -> usize {
        let is_empty = |line: &[bool]| !line.contains(&true);
        let mut at = 0;
        while at < line.len() {
            let mut log = ((line.len() - at).ilog2() as usize).min(MAX_LOG);
            if self.whole[log][edge].code(coder, is_empty(&line[at..at + (1 << log)])) {
                line[at..at + (1 << log)].fill(false);
                at += 1 << log;
                continue;
            }
            while log > 0 {
                log -= 1;
                if self.half[log].code(coder, is_empty(&line[at..at + (1 << log)])) {
                    line[at..at + (1 << log)].fill(false);
                    at += 1 << log;
                }
            }
            return at;
        }
        at
    }
}
