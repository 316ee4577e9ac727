//! Grids of any size, and functions on them: the decomposition and its inverse.

/// Coefficients of each level, the coarsest first; those of the coarsest are its values. A level's are the nodes that
/// the level below does not have, in C order.
pub(crate) type Levels = Vec<Vec<f64>>;

/// One axis of one level.
#[derive(Debug, Clone)]
struct Axis {
    /// Places of the nodes, in voxels.
    places: Vec<f64>,
    /// Which nodes the next coarser level has; all of them where the axis does not get coarser.
    kept: Vec<usize>,
}

impl Axis {
    fn n(&self) -> usize {
        self.places.len()
    }

    fn is_same(&self) -> bool {
        self.kept.len() == self.n()
    }

    fn new(places: Vec<f64>) -> Axis {
        let n = places.len();
        let mut kept: Vec<usize> = if n > 2 { (0..n).step_by(2).collect() } else { (0..n).collect() };
        if kept.last() != Some(&(n - 1)) {
            kept.push(n - 1);
        }
        Axis { places, kept }
    }

    fn coarser(&self) -> Axis {
        Axis::new(self.kept.iter().map(|&i| self.places[i]).collect())
    }

    /// Where the fine node i lies between coarse nodes: the left one, and the weight of the right one.
    fn between(&self, i: usize) -> (usize, f64) {
        let right = self.kept.partition_point(|&kept| kept < i);
        if self.kept[right] == i {
            return (right, 0.0);
        }
        let (a, b) = (self.places[self.kept[right - 1]], self.places[self.kept[right]]);
        (right - 1, (self.places[i] - a) / (b - a))
    }
}

/// Lengths between nodes.
fn lengths(places: &[f64]) -> Vec<f64> {
    places.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Grids from the finest, which is the array's, to the coarsest.
#[derive(Debug, Clone)]
pub(crate) struct Hierarchy {
    /// The finest level last.
    levels: Vec<[Axis; 3]>,
}

/// Values on a grid, as lines along one axis: `outer` blocks of `n` rows of `inner` values.
fn along(shape: [usize; 3], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// Applies `row(i, rows of the block, out)` to every row of a new array whose axis has `n_out` nodes.
fn rows(
    values: &[f64],
    shape: [usize; 3],
    axis: usize,
    n_out: usize,
    mut row: impl FnMut(usize, &[f64], usize, &mut [f64]),
) -> Vec<f64> {
    let (outer, n, inner) = along(shape, axis);
    let mut out = vec![0.0; outer * n_out * inner];
    for (block, out) in values.chunks_exact(n * inner).zip(out.chunks_exact_mut(n_out * inner)) {
        for (i, out) in out.chunks_exact_mut(inner).enumerate() {
            row(i, block, inner, out);
        }
    }
    out
}

/// `out += weight * row i of the block`.
fn add(out: &mut [f64], weight: f64, block: &[f64], inner: usize, i: usize) {
    for (out, v) in out.iter_mut().zip(&block[i * inner..(i + 1) * inner]) {
        *out += weight * v;
    }
}

impl Hierarchy {
    pub fn new(shape: [usize; 3]) -> Hierarchy {
        let finest = shape.map(|n| Axis::new((0..n).map(|i| i as f64).collect()));
        let mut levels = vec![finest];
        while let Some(axes) = levels.last().filter(|axes| !axes.iter().all(Axis::is_same)) {
            let coarser = [axes[0].coarser(), axes[1].coarser(), axes[2].coarser()];
            levels.push(coarser);
        }
        levels.reverse();
        Hierarchy { levels }
    }

    pub fn n_levels(&self) -> usize {
        self.levels.len()
    }

    pub fn shape(&self, level: usize) -> [usize; 3] {
        let [a, b, c] = &self.levels[level];
        [a.n(), b.n(), c.n()]
    }

    /// For each node of a level in C order, whether the next coarser level has it too; `visit(index, classes)` gets
    /// the axes along which it is new, as bits: 0 for a node of the coarser level.
    pub fn nodes(&self, level: usize, mut visit: impl FnMut(usize, usize)) {
        let is_new = |axis: usize| {
            let a = &self.levels[level][axis];
            let mut new = vec![1usize; a.n()];
            a.kept.iter().for_each(|&i| new[i] = 0);
            new
        };
        let new = [is_new(0), is_new(1), is_new(2)];
        let mut at = 0;
        for a in &new[0] {
            for b in &new[1] {
                for c in &new[2] {
                    visit(at, a << 2 | b << 1 | c);
                    at += 1;
                }
            }
        }
    }

    /// Linear interpolation of a coarse array to the nodes of `level`.
    fn prolong(&self, level: usize, coarse: Vec<f64>) -> Vec<f64> {
        let mut shape = self.shape(level - 1);
        let mut values = coarse;
        for (axis, a) in self.levels[level].iter().enumerate().filter(|(_, a)| !a.is_same()) {
            values = rows(&values, shape, axis, a.n(), |i, block, inner, out| {
                let (left, weight) = a.between(i);
                add(out, 1.0 - weight, block, inner, left);
                if weight > 0.0 {
                    add(out, weight, block, inner, left + 1);
                }
            });
            shape[axis] = a.n();
        }
        values
    }

    /// Values at the nodes of the coarser level.
    fn restrict(&self, level: usize, values: &[f64]) -> Vec<f64> {
        let mut shape = self.shape(level);
        let mut values = values.to_vec();
        for (axis, a) in self.levels[level].iter().enumerate().filter(|(_, a)| !a.is_same()) {
            values = rows(&values, shape, axis, a.kept.len(), |i, block, inner, out| {
                add(out, 1.0, block, inner, a.kept[i]);
            });
            shape[axis] = a.kept.len();
        }
        values
    }

    /// The array times the mass matrix of an axis (times 6: tridiagonal h, 2 (h + h'), h').
    fn mass(&self, level: usize, axis: usize, values: &[f64], shape: [usize; 3]) -> Vec<f64> {
        let a = &self.levels[level][axis];
        let h = lengths(&a.places);
        rows(values, shape, axis, a.n(), |i, block, inner, out| {
            if h.is_empty() {
                // One node stands for its voxel.
                add(out, 6.0, block, inner, i);
            }
            if i > 0 {
                add(out, h[i - 1], block, inner, i - 1);
                add(out, 2.0 * h[i - 1], block, inner, i);
            }
            if i < h.len() {
                add(out, 2.0 * h[i], block, inner, i);
                add(out, h[i], block, inner, i + 1);
            }
        })
    }

    /// Solves for the mass matrix (times 6) of an axis in place, by elimination (Thomas).
    fn solve(&self, level: usize, axis: usize, values: &mut [f64], shape: [usize; 3]) {
        let h = lengths(&self.levels[level][axis].places);
        let (_, n, inner) = along(shape, axis);
        let diagonal =
            |i: usize| 2.0 * (if i > 0 { h[i - 1] } else { 0.0 } + if i < h.len() { h[i] } else { 0.0 });
        let mut pivots = vec![diagonal(0)];
        for i in 1..n {
            pivots.push(diagonal(i) - h[i - 1] * h[i - 1] / pivots[i - 1]);
        }
        for block in values.chunks_exact_mut(n * inner) {
            for i in 1..n {
                let factor = h[i - 1] / pivots[i - 1];
                let (before, rest) = block.split_at_mut(i * inner);
                for (v, left) in rest[..inner].iter_mut().zip(&before[(i - 1) * inner..]) {
                    *v -= factor * left;
                }
            }
            for i in (0..n).rev() {
                let (block, after) = block.split_at_mut((i + 1) * inner);
                for (k, v) in block[i * inner..].iter_mut().enumerate() {
                    let right = if i + 1 < n { h[i] * after[k] } else { 0.0 };
                    *v = (*v - right) / pivots[i];
                }
            }
        }
    }

    /// What the coarser values lack to be the projection of the finer function whose coefficients these are: the
    /// solution w of (w, v) = (coefficients, v) for all v of the coarser level.
    fn correction(&self, level: usize, coefficients: &[f64]) -> Vec<f64> {
        let mut shape = self.shape(level);
        let mut values = coefficients.to_vec();
        for (axis, a) in self.levels[level].iter().enumerate().filter(|(_, a)| !a.is_same()) {
            let loads = self.mass(level, axis, &values, shape);
            // The transpose of the interpolation.
            let (_, _, inner) = along(shape, axis);
            let between: Vec<(usize, f64)> = (0..a.n()).map(|i| a.between(i)).collect();
            let n_coarse = a.kept.len();
            let (outer, n, _) = along(shape, axis);
            let mut coarse = vec![0.0; outer * n_coarse * inner];
            for (block, out) in loads.chunks_exact(n * inner).zip(coarse.chunks_exact_mut(n_coarse * inner)) {
                for (i, &(left, weight)) in between.iter().enumerate() {
                    add(&mut out[left * inner..(left + 1) * inner], 1.0 - weight, block, inner, i);
                    if weight > 0.0 {
                        add(&mut out[(left + 1) * inner..(left + 2) * inner], weight, block, inner, i);
                    }
                }
            }
            shape[axis] = n_coarse;
            self.solve(level - 1, axis, &mut coarse, shape);
            values = coarse;
        }
        values
    }

    /// One level down: the coefficients (0 at coarse nodes), and the projection.
    fn down(&self, level: usize, values: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
        let mut coarse = self.restrict(level, &values);
        let interpolated = self.prolong(level, coarse.clone());
        let mut coefficients = values;
        coefficients.iter_mut().zip(&interpolated).for_each(|(c, i)| *c -= i);
        let correction = self.correction(level, &coefficients);
        coarse.iter_mut().zip(&correction).for_each(|(v, w)| *v += w);
        (coefficients, coarse)
    }

    /// Coefficients of all levels of an array.
    pub fn decompose(&self, values: Vec<f64>) -> Levels {
        let mut values = values;
        let mut levels = vec![];
        for level in (1..self.n_levels()).rev() {
            let (all, coarse) = self.down(level, values);
            let mut new = vec![];
            self.nodes(level, |at, class| {
                if class > 0 {
                    new.push(all[at]);
                }
            });
            levels.push(new);
            values = coarse;
        }
        levels.push(values);
        levels.reverse();
        levels
    }

    /// The array of these coefficients.
    pub fn recompose(&self, levels: Levels) -> Vec<f64> {
        let mut levels = levels.into_iter();
        let mut values = levels.next().unwrap_or_default();
        for (level, new) in (1..).zip(levels) {
            let mut all = vec![0.0; self.shape(level).iter().product()];
            let mut new = new.into_iter();
            self.nodes(level, |at, class| {
                if class > 0 {
                    all[at] = new.next().unwrap_or_default();
                }
            });
            let correction = self.correction(level, &all);
            values.iter_mut().zip(&correction).for_each(|(v, w)| *v -= w);
            values = self.prolong(level, values);
            values.iter_mut().zip(&all).for_each(|(v, c)| *v += c);
        }
        values
    }

    /// Mean squares of the projections of the function of `values` onto every level, the coarsest first.
    pub fn mean_squares(&self, values: Vec<f64>) -> Vec<f64> {
        let mut values = values;
        let mut means = vec![];
        for level in (0..self.n_levels()).rev() {
            let shape = self.shape(level);
            let mut loads = values.clone();
            let mut volume = 1.0;
            for axis in 0..3 {
                loads = self.mass(level, axis, &loads, shape);
                volume *= 6.0 * lengths(&self.levels[level][axis].places).iter().sum::<f64>().max(1.0);
            }
            means.push(values.iter().zip(&loads).map(|(v, load)| v * load).sum::<f64>() / volume);
            if level > 0 {
                values = self.down(level, values).1;
            }
        }
        means.reverse();
        means
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPES: [[usize; 3]; 8] =
        [[1, 1, 1], [1, 1, 9], [2, 3, 4], [3, 3, 3], [5, 1, 6], [9, 17, 5], [12, 7, 16], [1, 2, 2]];

    fn wild(n: usize) -> Vec<f64> {
        (0..n).map(|i| (i as f64 * 12.9898).sin() * 43_758.545_3 % 100.0).collect()
    }

    #[test]
    fn recomposition_undoes_decomposition() {
        for shape in SHAPES {
            let hierarchy = Hierarchy::new(shape);
            let values = wild(shape.iter().product());
            let levels = hierarchy.decompose(values.clone());
            assert_eq!(levels.iter().map(Vec::len).sum::<usize>(), values.len(), "{shape:?}");
            let back = hierarchy.recompose(levels);
            assert!(values.iter().zip(&back).all(|(v, b)| (v - b).abs() < 1e-9), "{shape:?}");
        }
    }

    #[test]
    fn functions_that_a_coarser_grid_has_leave_no_coefficients() {
        for shape in SHAPES {
            let linear = |i: usize| {
                let [a, b, c] =
                    [i / (shape[1] * shape[2]), i / shape[2] % shape[1], i % shape[2]].map(|v| v as f64);
                3.0 + 2.0 * a - b + 0.5 * c + 0.25 * a * b * c
            };
            let values: Vec<f64> = (0..shape.iter().product()).map(linear).collect();
            let levels = Hierarchy::new(shape).decompose(values);
            assert!(levels[1..].iter().flatten().all(|c| c.abs() < 1e-9), "{shape:?}");
        }
    }

    #[test]
    fn coarser_values_are_the_l2_projection() {
        // What a projection takes away is orthogonal to every function of the coarser level.
        let hierarchy = Hierarchy::new([6, 5, 4]);
        let level = hierarchy.n_levels() - 1;
        let values = wild(120);
        let (_, coarse) = hierarchy.down(level, values.clone());
        let n_coarse = coarse.len();
        let projected = hierarchy.prolong(level, coarse);
        let rest: Vec<f64> = values.iter().zip(&projected).map(|(v, p)| v - p).collect();
        let mut loads = rest;
        for axis in 0..3 {
            loads = hierarchy.mass(level, axis, &loads, [6, 5, 4]);
        }
        for i in 0..n_coarse {
            let mut hat = vec![0.0; n_coarse];
            hat[i] = 1.0;
            let hat = hierarchy.prolong(level, hat);
            let product: f64 = hat.iter().zip(&loads).map(|(h, l)| h * l).sum();
            assert!(product.abs() < 1e-6, "hat {i}: {product}");
        }
    }

    #[test]
    fn norms_are_those_of_piecewise_linear_functions() {
        // The mean square of x on [0, 8], constant along the other axes: 64 / 3.
        let hierarchy = Hierarchy::new([9, 3, 2]);
        let values: Vec<f64> = (0..54).map(|i| f64::from(i / 6)).collect();
        let means = hierarchy.mean_squares(values);
        assert!(means.iter().all(|mean| (mean - 64.0 / 3.0).abs() < 1e-9), "{means:?}");
    }
}
