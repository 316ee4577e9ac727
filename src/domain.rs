//! What the network sees of an event: coordinates of voxels, and values brought to an even scale.

use crate::error::{Error, Result};
use crate::lane::Simd;

/// Coordinates of a grid: index `i` of an axis of `n` points lies at `lo + (hi - lo) i / (n - 1)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CoordMap {
    /// Coordinate of index 0, axis by axis.
    pub lo: [f32; 3],
    /// Coordinate of the last index, axis by axis.
    pub hi: [f32; 3],
}

impl CoordMap {
    /// The same interval on every axis.
    pub fn cube(lo: f32, hi: f32) -> CoordMap {
        CoordMap { lo: [lo; 3], hi: [hi; 3] }
    }

    /// Checks that the ends are finite.
    ///
    /// # Errors
    /// `Argument`.
    pub fn validate(&self) -> Result<()> {
        if self.lo.iter().chain(&self.hi).all(|x| x.is_finite()) {
            Ok(())
        } else {
            Err(Error::argument(format!("coordinates must be finite: {self:?}")))
        }
    }

    /// Coordinates of all indices of `axis`, an axis of `n` points. One point alone lies at `lo`.
    pub fn axis(&self, axis: usize, n: usize) -> Vec<f32> {
        (0..n).map(|i| self.at(axis, n, i as f32)).collect()
    }

    /// Coordinate of `index`, whole or not, of `axis`, an axis of `n` points.
    pub fn at(&self, axis: usize, n: usize, index: f32) -> f32 {
        let (lo, width) = (self.lo[axis], self.hi[axis] - self.lo[axis]);
        let last = n.saturating_sub(1).max(1) as f32;
        crate::lane::Scalar::new().fma(index / last, width, lo)
    }
}

/// How a sample becomes the target of the value head, and back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Transform {
    /// `t = (sign(v) log2(1 + |v| / unit) - center) / scale`, `unit = 2^unit_exponent`: even steps in log2 ADC, any
    /// sign.
    Log2 {
        /// Of the value below which steps become even in `v` itself, -126 to 127; 0 for ADC counts.
        unit_exponent: i32,
        /// What becomes 0.
        center: f32,
        /// What becomes 1 above it.
        scale: f32,
    },
    /// `t = ln(v - offset) / scale` for `v > offset`, else 0; back, values below `cut` are empty and the rest is
    /// truncated: arXiv 2412.01754 as its authors' code runs it.
    Ln {
        /// Subtracted first: just below the smallest sample the readout keeps.
        offset: f32,
        /// Divides the logarithm.
        scale: f32,
        /// Decoded values below it count as empty.
        cut: f32,
    },
}

/// `2^n`, `n` from -126 to 127.
fn power_of_two(n: i32) -> f32 {
    f32::from_bits(((n + 127) as u32) << 23)
}

impl Transform {
    /// Checks that the parameters are finite and the scales positive.
    ///
    /// # Errors
    /// `Argument`.
    pub fn validate(&self) -> Result<()> {
        let (finite, positive) = match *self {
            Transform::Log2 { unit_exponent, center, scale } if (-126..=127).contains(&unit_exponent) => {
                (center, [scale, 1.0])
            }
            Transform::Log2 { .. } => (f32::NAN, [1.0, 1.0]),
            Transform::Ln { offset, scale, cut } => (offset + cut, [scale, 1.0]),
        };
        if finite.is_finite() && positive.iter().all(|p| p.is_normal() && *p > 0.0) {
            Ok(())
        } else {
            Err(Error::argument(format!("a transform needs finite parameters and positive scales: {self:?}")))
        }
    }

    /// The target of sample `v`.
    pub fn target<S: Simd<V = f32>>(&self, s: S, v: f32) -> f32 {
        match *self {
            Transform::Log2 { unit_exponent, center, scale } => {
                let unit = power_of_two(unit_exponent);
                // The largest f32 overflows in the sum only for units below 1: hold it.
                let x = (v.abs() / unit).min(f32::MAX / 2.0) + 1.0;
                (s.log2(x).copysign(v) - center) / scale
            }
            Transform::Ln { offset, scale, .. } => {
                if v > offset {
                    s.log2((v - offset).max(f32::MIN_POSITIVE)) * std::f32::consts::LN_2 / scale
                } else {
                    0.0
                }
            }
        }
    }

    /// The value at output `t` of the value head, in the lane's exact arithmetic (format document, "Values").
    #[inline(always)]
    pub fn value<S: Simd>(&self, s: S, t: S::V) -> S::V {
        match *self {
            Transform::Log2 { unit_exponent, center, scale } => {
                let unit = power_of_two(unit_exponent);
                let y = s.fma(t, s.splat(scale), s.splat(center));
                let zero = s.splat(0.0);
                let magnitude = s.max(y, s.sub(zero, y));
                let v = s.mul(s.sub(s.exp2(magnitude), s.splat(1.0)), s.splat(unit));
                s.select_gt(zero, y, s.sub(zero, v), v)
            }
            Transform::Ln { offset, scale, .. } => {
                let y = s.mul(s.mul(t, s.splat(scale)), s.splat(std::f32::consts::LOG2_E));
                s.add(s.exp2(y), s.splat(offset))
            }
        }
    }

    /// The derivative of [`Transform::value`] with respect to `t`.
    pub fn slope<S: Simd<V = f32>>(&self, s: S, t: f32) -> f32 {
        match *self {
            Transform::Log2 { unit_exponent, center, scale } => {
                let magnitude = s.fma(t, scale, center).abs();
                s.exp2(magnitude) * std::f32::consts::LN_2 * scale * power_of_two(unit_exponent)
            }
            Transform::Ln { scale, .. } => s.exp2(t * scale * std::f32::consts::LOG2_E) * scale,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lane::Scalar;

    #[test]
    fn transforms_invert() {
        let s = Scalar::new();
        let log = Transform::Log2 { unit_exponent: 0, center: 6.5, scale: 0.7 };
        for v in [-70_000.0, -3.0, 0.0, 1.0, 20.0, 77.0, 1023.0, 2e9] {
            let back = log.value(s, log.target(s, v));
            assert!((back - v).abs() <= 4e-6 * v.abs().max(1.0), "{v} became {back}");
        }
        let ln = Transform::Ln { offset: 64.0, scale: 6.0, cut: 67.0 };
        for v in [65.0, 70.0, 1023.0] {
            assert!((ln.value(s, ln.target(s, v)) - v).abs() < 1e-3);
        }
        assert_eq!(ln.target(s, 0.0), 0.0);
        for v in [f32::MAX, -f32::MAX, f32::MIN_POSITIVE] {
            let t = Transform::Log2 { unit_exponent: -66, center: 0.0, scale: 1.0 }.target(s, v);
            assert!(t.is_finite(), "{v}");
        }
    }

    #[test]
    fn slopes_are_those_of_the_values() {
        let s = Scalar::new();
        for transform in [
            Transform::Log2 { unit_exponent: -3, center: 5.5, scale: 0.7 },
            Transform::Ln { offset: 64.0, scale: 6.0, cut: 67.0 },
        ] {
            for t in [-13.0, -3.0, 0.1, 0.9, 1.4f32] {
                // The formulas again, in f64.
                let value = |t: f64| match transform {
                    Transform::Log2 { center, scale, .. } => {
                        let y = t * f64::from(scale) + f64::from(center);
                        (y.abs().exp2() - 1.0).copysign(y) / 8.0
                    }
                    Transform::Ln { offset, scale, .. } => (t * f64::from(scale)).exp() + f64::from(offset),
                };
                let (t64, h) = (f64::from(t), 1e-6);
                let want = (value(t64 + h) - value(t64 - h)) / (2.0 * h);
                let got = f64::from(transform.slope(s, t));
                // Differences of large values lose what is small.
                assert!(
                    (got - want).abs() < 1e-5 * want.abs() + 1e-6,
                    "{transform:?} at {t}: {got}, not {want}"
                );
            }
        }
    }

    #[test]
    fn coordinates_reach_both_ends() {
        let map = CoordMap { lo: [-1.0, 0.0, 2.0], hi: [1.0, 1.0, 3.0] };
        assert_eq!(map.axis(0, 3), [-1.0, 0.0, 1.0]);
        assert_eq!(map.axis(1, 1), [0.0]);
        let c = map.axis(2, 249);
        assert_eq!((c[0], c[248]), (2.0, 3.0));
    }

    #[test]
    fn odd_parameters_are_refused() {
        assert!(Transform::Log2 { unit_exponent: 128, center: 0.0, scale: 1.0 }.validate().is_err());
        assert!(Transform::Ln { offset: f32::NAN, scale: 1.0, cut: 0.0 }.validate().is_err());
        assert!(CoordMap::cube(f32::INFINITY, 0.0).validate().is_err());
    }
}
