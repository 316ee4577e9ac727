//! Linear prediction that learns while it predicts.

/// Recursive least squares with forgetting: `n_classes` predictors of `N` features each. Plain f64 operations in a
/// fixed order, so that encoder and decoder agree everywhere.
#[derive(Debug, Clone)]
pub struct LeastSquares<const N: usize> {
    weights: Vec<[f64; N]>,
    /// Inverse of the features' correlation matrix.
    inverse: Vec<[[f64; N]; N]>,
    memory: f64,
    largest_error: f64,
}

/// The diagonal that the inverse starts with, and the trace at which it starts again.
const START: f64 = 100.0;
const LARGEST_TRACE: f64 = 1e5;

impl<const N: usize> LeastSquares<N> {
    /// Predictors that predict 0. What was learned fades by `memory` with each lesson; errors count as at most
    /// `largest_error`.
    pub fn new(n_classes: usize, memory: f64, largest_error: f64) -> Self {
        Self { weights: vec![[0.0; N]; n_classes], inverse: vec![start(); n_classes], memory, largest_error }
    }

    /// What class `c` predicts from `features`.
    #[inline(always)]
    pub fn predict(&self, c: usize, features: &[f64; N]) -> f64 {
        dot(&self.weights[c], features)
    }

    /// Learns that class `c`, which predicted `predicted` from `features`, should have said `truth`.
    #[inline(always)]
    pub fn learn(&mut self, c: usize, features: &[f64; N], predicted: f64, truth: f64) {
        let inverse = &mut self.inverse[c];
        let mut gain = [0.0; N];
        for (row, f) in inverse.iter().zip(features) {
            for a in 0..N {
                gain[a] += row[a] * f;
            }
        }
        let power = self.memory + dot(features, &gain);
        let (scale, grow) = (1.0 / power, 1.0 / self.memory);
        let error = (truth - predicted).clamp(-self.largest_error, self.largest_error) * scale;
        for a in 0..N {
            self.weights[c][a] += error * gain[a];
        }
        let mut trace = 0.0;
        for a in 0..N {
            let g = gain[a] * scale;
            for b in 0..N {
                inverse[a][b] = (inverse[a][b] - g * gain[b]) * grow;
            }
            trace += inverse[a][a];
        }
        // Also true for what is no number: then everything is forgotten.
        if !(trace > 0.0 && trace < LARGEST_TRACE) {
            *inverse = start();
            if !(trace.is_finite() && self.weights[c].iter().all(|w| w.is_finite())) {
                self.weights[c] = [0.0; N];
            }
        }
    }
}

/// The sum of products: eight sums side by side, of every eighth product each, then added in pairs.
#[inline(always)]
fn dot<const N: usize>(a: &[f64; N], b: &[f64; N]) -> f64 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

fn start<const N: usize>() -> [[f64; N]; N] {
    std::array::from_fn(|a| std::array::from_fn(|b| if a == b { START } else { 0.0 }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn learns_a_linear_law_and_a_new_one() {
        let mut model = LeastSquares::<4>::new(1, 0.99, 1e9);
        let mut state = 1u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / f64::from(1 << 24) - 0.5
        };
        for law in [[0.5, -1.0, 2.0, 0.25], [1.5, 0.0, -1.0, 0.5]] {
            let mut last = 1.0;
            for _ in 0..1500 {
                let f = [1.0, draw(), draw(), draw()];
                let truth: f64 = f.iter().zip(law).map(|(f, w)| f * w).sum();
                let p = model.predict(0, &f);
                model.learn(0, &f, p, truth);
                last = (p - truth).abs();
            }
            assert!(last < 1e-3, "{last}");
        }
    }

    #[test]
    fn nothing_breaks_it() {
        let mut model = LeastSquares::<2>::new(1, 0.999, 0.5);
        for x in [0.0, 1e300, -1e300, 1e-300, f64::MAX, 3.0] {
            let p = model.predict(0, &[1.0, x]);
            model.learn(0, &[1.0, x], p, 1.0);
        }
        assert!(model.predict(0, &[1.0, 0.5]).is_finite());
    }
}
