//! The order in which a tile's exact layers take its voxels.

use std::cmp::Ordering;

/// Axes from slowest to fastest, by the number that stands for them in the stream.
const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];

/// A tile as its layers walk it: slices of lines of voxels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Walk {
    order: u8,
    /// Slices, lines a slice, voxels a line.
    pub n: [usize; 3],
    /// Distance in C order between neighbours along each.
    pub stride: [usize; 3],
    /// Length of a window: runs are taken as made of such; 0 = of no particular length.
    pub window: usize,
}

/// Longest window.
const MAX_WINDOW: usize = 250;

impl Walk {
    /// The walk of a tile of `shape` in the order `order`.
    pub(super) fn new(shape: [usize; 3], order: u8, window: u8) -> Option<Walk> {
        let axes = ORDERS.get(usize::from(order))?;
        let window = usize::from(window);
        (window <= MAX_WINDOW).then(|| Walk { window, ..Walk::along(shape, order, axes) })
    }

    /// The walk along `axes`, which `order` stands for, without windows.
    fn along(shape: [usize; 3], order: u8, axes: &[usize; 3]) -> Walk {
        let strides = [shape[1] * shape[2], shape[2], 1];
        Walk { order, n: axes.map(|a| shape[a]), stride: axes.map(|a| strides[a]), window: 0 }
    }

    /// The walk that suits `occupied` (C order): lines along the axis with the fewest changes between occupied and
    /// empty, slices across the one with the most; the window is the commonest length of a run.
    pub fn choose(shape: [usize; 3], occupied: &[bool]) -> Walk {
        let strides = [shape[1] * shape[2], shape[2], 1];
        let changes = [0, 1, 2].map(|axis| {
            let (n, stride) = (shape[axis], strides[axis]);
            let block = n * stride;
            // Where an axis has one voxel there is nothing to follow along it.
            let changed: usize = occupied
                .chunks_exact(block)
                .map(|b| b.iter().zip(&b[stride..]).filter(|(a, b)| a != b).count())
                .sum();
            if n < 2 { f64::INFINITY } else { changed as f64 / (n - 1) as f64 * n as f64 }
        });
        let most_changes_first = |a: &[usize; 3], b: &[usize; 3]| {
            let by_axis = a.iter().zip(b).map(|(a, b)| changes[*a].total_cmp(&changes[*b]));
            by_axis.fold(Ordering::Equal, Ordering::then)
        };
        let mut best = (0, &ORDERS[0]);
        for (order, axes) in (0..).zip(&ORDERS) {
            // The last of equals.
            if most_changes_first(axes, best.1).is_ge() {
                best = (order, axes);
            }
        }
        let plain = Walk::along(shape, best.0, best.1);
        let mut lengths = [0usize; MAX_WINDOW + 1];
        for line in plain.lines() {
            let mut run = 0;
            for k in 0..=plain.n[2] {
                if k < plain.n[2] && occupied[line + k * plain.stride[2]] {
                    run += 1;
                } else if run > 0 {
                    lengths[run.min(MAX_WINDOW)] += 1;
                    run = 0;
                }
            }
        }
        let n_runs: usize = lengths.iter().sum();
        let window = (2..MAX_WINDOW).max_by_key(|&l| (lengths[l], MAX_WINDOW - l)).unwrap_or(0);
        let clear = 3 * lengths[window] > n_runs;
        Walk { window: if clear { window } else { 0 }, ..plain }
    }

    /// The number that stands for the order of the axes.
    pub(super) fn order(&self) -> u8 {
        self.order
    }

    /// The first voxel of each line, in C order of the tile.
    fn lines(&self) -> impl Iterator<Item = usize> + use<> {
        let Walk { n, stride, .. } = *self;
        (0..n[0]).flat_map(move |i| (0..n[1]).map(move |j| i * stride[0] + j * stride[1]))
    }

    /// Place within a window of the `run`-th occupied voxel of a run (from 1), at most 15.
    #[inline(always)]
    pub fn phase(&self, run: usize) -> usize {
        if self.window > 0 { ((run - 1) % self.window + 1).min(15) } else { run.min(15) }
    }

    /// Place in a run after `run` occupied voxels of it, 0 to 15: late in a long run only that within the window counts.
    #[inline(always)]
    pub(super) fn place(&self, run: usize) -> usize {
        match run {
            0..16 => run,
            _ if self.window == 0 => 15,
            _ => match run % self.window {
                0 => 15,
                phase => 1 + (phase - 1).min(13),
            },
        }
    }
}
