//! A grid from every n-th voxel of another, and values between its voxels.

use inrfit::error::Result;
use inrfit::event::{Event, Samples};

/// Every `strides[a]`-th voxel of each axis, from the first on.
///
/// # Errors
/// Never in practice: a part of an event is one.
pub fn strided(event: &Event, strides: [usize; 3]) -> Result<Event> {
    let shape = [0, 1, 2].map(|a| event.shape()[a].div_ceil(strides[a]));
    let mut samples = Samples::zeros(event.dtype(), shape.iter().product());
    for i in 0..samples.len() {
        let at = inrfit::event::unravel(i, shape);
        let [a, b, c] = [0, 1, 2].map(|a| at[a] * strides[a]);
        let [_, n_b, n_c] = event.shape();
        samples.set(i, event.samples().get((a * n_b + b) * n_c + c));
    }
    Event::new(shape, samples)
}

/// The value of the voxel nearest to `at`, in indices of `event`; half-way points go to the higher index.
pub fn nearest(event: &Event, at: [f64; 3]) -> f64 {
    let shape = event.shape();
    // Held at both ends by the conversion and the minimum.
    let [a, b, c] = [0, 1, 2].map(|axis| ((at[axis] + 0.5).floor() as usize).min(shape[axis] - 1));
    event.samples().get((a * shape[1] + b) * shape[2] + c)
}

/// The value at `at`, in indices of `event`, linear along each axis between the eight voxels around; beyond the
/// outermost voxels that of the edge.
pub fn trilinear(event: &Event, at: [f64; 3]) -> f64 {
    let shape = event.shape();
    let ends = [0, 1, 2].map(|axis| {
        let last = shape[axis] - 1;
        let x = at[axis].clamp(0.0, last as f64);
        let low = x.floor() as usize;
        [(low, 1.0 - (x - low as f64)), ((low + 1).min(last), x - low as f64)]
    });
    let mut sum = 0.0;
    for (a, of_a) in ends[0] {
        for (b, of_b) in ends[1] {
            for (c, of_c) in ends[2] {
                sum += of_a * of_b * of_c * event.samples().get((a * shape[1] + b) * shape[2] + c);
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A product of straight lines, one an axis: what trilinear interpolation returns exactly.
    fn product(at: [f64; 3]) -> f64 {
        (3.0 + at[0]) * (5.0 - 0.5 * at[1]) * (1.0 + 2.0 * at[2])
    }

    fn event(shape: [usize; 3], value: impl Fn([f64; 3]) -> f64) -> Event {
        let n = shape.iter().product();
        let at = |i| inrfit::event::unravel(i, shape).map(|x| x as f64);
        Event::new(shape, Samples::F32((0..n).map(|i| value(at(i)) as f32).collect())).unwrap()
    }

    #[test]
    fn trilinear_values_are_those_of_a_product_of_lines() {
        let event = event([4, 6, 3], product);
        for at in [[0.0; 3], [3.0, 5.0, 2.0], [0.25, 4.75, 1.5], [2.9, 0.1, 0.6], [1.0, 2.0, 0.5]] {
            assert!((trilinear(&event, at) - product(at)).abs() < 1e-4, "{at:?}");
        }
        // Beyond the ends: the edge.
        assert_eq!(trilinear(&event, [3.75, 5.2, 2.0]), product([3.0, 5.0, 2.0]));
        assert_eq!(trilinear(&event, [-0.5, 0.0, 0.0]), product([0.0; 3]));
    }

    #[test]
    fn nearest_values_are_those_of_the_closest_voxel() {
        let shape = [4, 6, 3];
        // Every voxel its own number.
        let event = event(shape, |at| 100.0 * at[0] + 10.0 * at[1] + at[2]);
        for at in [[0.2, 4.6, 1.4], [2.7, 0.1, 0.6], [3.75, 5.2, 2.0], [1.49, 2.51, 0.0]] {
            // By trying all voxels.
            let distance = |i: usize| -> f64 {
                let voxel = inrfit::event::unravel(i, shape);
                (0..3).map(|a| (voxel[a] as f64 - at[a]).powi(2)).sum()
            };
            let best = (0..event.n_voxels()).min_by(|i, j| distance(*i).total_cmp(&distance(*j))).unwrap();
            assert_eq!(nearest(&event, at), event.samples().get(best), "{at:?}");
        }
        assert_eq!(nearest(&event, [0.5, 0.0, 0.0]), 100.0);
    }

    #[test]
    fn strided_grids_keep_every_nth_voxel() {
        let event = event([5, 6, 3], |at| 100.0 * at[0] + 10.0 * at[1] + at[2]);
        let part = strided(&event, [2, 4, 1]).unwrap();
        assert_eq!(part.shape(), [3, 2, 3]);
        let values: Vec<f64> = (0..part.n_voxels()).map(|i| part.samples().get(i)).collect();
        assert_eq!(values[..6], [0.0, 1.0, 2.0, 40.0, 41.0, 42.0]);
        assert_eq!(values[12..], [400.0, 401.0, 402.0, 440.0, 441.0, 442.0]);
    }
}
