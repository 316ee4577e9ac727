//! MGARD: multilevel reduction of gridded data, written from the papers.
//!
//! Ainsworth, Tugluk, Whitney, Klasky: *Multilevel techniques for compression and reduction of scientific data* (I: the
//! univariate case, Computing and Visualization in Science 2018; II: the multivariate case, SIAM Journal on Scientific
//! Computing 2019; quantitative control of accuracy, ibid. 2019). An array is a piecewise-linear function on a tensor
//! grid. From level to level, the grid keeps every second plane of each axis (and the last); what linear interpolation
//! from the coarser grid misses are the coefficients of a level, and the coarser values get the correction that makes
//! them the L2 projection of the finer function. Coefficients are rounded to steps that depend on the level as the
//! norm demands, and coded without loss.
//!
//! What the papers leave open is decided here: the library takes its steps from a bound that holds for all arrays and
//! is far from reached; this one searches the coarsest steps at which the decoded array keeps the tolerance, and checks
//! it. Coefficients are coded by adaptive models or by zstd, whichever is smaller.

mod code;
mod grid;

use crate::Rival;
use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::{Bytes, Reader};
use crate::kernel::{self, Kernel};
use crate::spec::{Options, positive};
use crate::view::{self, View};
use grid::{Hierarchy, Levels};

/// Norm of the error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Norm {
    /// The largest error of any value.
    Infinity,
    /// `sqrt(sum over levels l of 4^(s l) |(Q_l - Q_(l-1)) e|^2)`, Q_l being the projection onto level l (0 the
    /// coarsest) and |.| the root mean square of the piecewise-linear function; s = 0 is that of the error itself.
    Sobolev(f64),
}

/// MGARD.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mgard {
    /// What it sees of an event.
    pub view: View,
    /// Norm of the tolerance.
    pub norm: Norm,
    /// What the error's norm stays within, in the units of the view's domain.
    pub tolerance: f64,
}

/// How often the search for the coarsest steps may decode.
const N_TRIES: usize = 8;
/// Where the search is content: norm of the error as a share of the tolerance.
const NEAR: f64 = 0.97;

impl Mgard {
    /// From `[s=inf|S],[adc|log2],[native|z],[threshold=T],tolerance=E`.
    ///
    /// # Errors
    /// `Argument` for what is not among these.
    pub fn from_spec(spec: &str) -> Result<Mgard> {
        let mut options = Options::new(spec);
        let view = View::take(&mut options)?;
        let norm = match options.text("s") {
            None | Some("inf") => Norm::Infinity,
            Some(text) => match text.parse::<f64>() {
                Ok(s) if (-2.0..=2.0).contains(&s) => Norm::Sobolev(s),
                _ => return Err(Error::Argument(format!("s={text}: inf, or a number from -2 to 2"))),
            },
        };
        let tolerance = options.number("tolerance")?;
        options.finish("s=inf|S, tolerance=E, adc, log2, native, z, threshold=none|best|ADC")?;
        let tolerance = tolerance.ok_or_else(|| Error::Argument("tolerance=E is needed".to_owned()))?;
        Ok(Mgard { view, norm, tolerance: positive("tolerance", tolerance)? })
    }

    /// Norm of the difference between the values and what `levels` decode to, in single precision.
    fn error(&self, hierarchy: &Hierarchy, values: &[f32], decoded: &[f32]) -> f64 {
        let differences = values.iter().zip(decoded).map(|(&v, &d)| f64::from(v) - f64::from(d));
        match self.norm {
            Norm::Infinity => differences.fold(0.0, |most, d| d.abs().max(most)),
            Norm::Sobolev(s) => {
                // Projections are orthogonal: the norm of a difference of them is the difference of their norms.
                let means = hierarchy.mean_squares(differences.collect());
                let steps = means.windows(2).zip(1..).map(|(pair, l)| ((pair[1] - pair[0]).max(0.0), l));
                (means[0] + steps.map(|(square, l)| 4f64.powf(s * f64::from(l)) * square).sum::<f64>()).sqrt()
            }
        }
    }
}

/// Steps of the levels, the coarsest first, where those of the finest level are `finest`.
///
/// In the supremum norm all steps are the same. In the others an error of one coefficient weighs as the volume that its
/// node stands for, times 4^(s l): steps are the inverse of the root, so that each coefficient adds the same.
fn steps(norm: Norm, hierarchy: &Hierarchy, finest: f64) -> Vec<f64> {
    let n_levels = hierarchy.n_levels();
    let n = |level: usize| hierarchy.shape(level).iter().product::<usize>() as f64;
    let step = |level: usize| match norm {
        Norm::Infinity => finest,
        Norm::Sobolev(s) => {
            let volume = n(n_levels - 1) / n(level);
            finest * 2f64.powf(s * (n_levels - 1 - level) as f64) / volume.sqrt()
        }
    };
    (0..n_levels).map(step).collect()
}

/// Coefficients as integers; none where one is too large for its step.
fn quantise(levels: &Levels, steps: &[f64]) -> Option<Vec<Vec<i32>>> {
    let one = |c: f64, step: f64| {
        let q = (c / step).round_ties_even();
        (q.abs() <= f64::from(i32::MAX / 2)).then_some(q as i32)
    };
    levels.iter().zip(steps).map(|(level, &step)| level.iter().map(|&c| one(c, step)).collect()).collect()
}

fn decoded(hierarchy: &Hierarchy, integers: &[Vec<i32>], steps: &[f64]) -> Vec<f32> {
    let level = |(q, &step): (&Vec<i32>, &f64)| q.iter().map(|&q| f64::from(q) * step).collect();
    let levels: Levels = integers.iter().zip(steps).map(level).collect();
    hierarchy.recompose(levels).into_iter().map(|v| v as f32).collect()
}

impl Kernel for Mgard {
    const TAG: u8 = 3;

    fn pack(&self, values: &[f32], shape: [usize; 3]) -> Result<Vec<u8>> {
        let hierarchy = Hierarchy::new(shape);
        let levels = hierarchy.decompose(values.iter().map(|&v| f64::from(v)).collect());
        let mut finest = self.tolerance;
        let mut best: Option<(f64, Vec<Vec<i32>>)> = None;
        // The smallest steps known to be too coarse.
        let mut coarse = f64::INFINITY;
        for n_tried in 0.. {
            let tried = steps(self.norm, &hierarchy, finest);
            let integers =
                quantise(&levels, &tried).filter(|_| finest > 1e-9 * self.tolerance).ok_or_else(|| {
                    Error::Failed(format!(
                        "MGARD: single precision does not keep a tolerance of {:e}",
                        self.tolerance
                    ))
                })?;
            let norm = self.error(&hierarchy, values, &decoded(&hierarchy, &integers, &tried));
            let all_zero = integers.iter().flatten().all(|&q| q == 0);
            let keeps = norm <= self.tolerance;
            match (keeps, &best) {
                (true, Some((step, _))) if *step >= finest => {}
                (true, _) => best = Some((finest, integers)),
                (false, _) => coarse = coarse.min(finest),
            }
            let kept = best.as_ref().map(|(step, _)| *step);
            if keeps && (norm >= NEAR * self.tolerance || all_zero) || n_tried >= N_TRIES && kept.is_some() {
                break;
            }
            // Errors grow about as the steps do: aim a little below the tolerance, between what is known.
            let aim = finest * (0.5 * (1.0 + NEAR) * self.tolerance / norm.max(1e-30)).clamp(0.125, 8.0);
            finest = match kept {
                Some(kept) if aim <= kept || aim >= coarse => {
                    if coarse.is_finite() {
                        (kept * coarse).sqrt()
                    } else {
                        2.0 * kept
                    }
                }
                None if n_tried >= N_TRIES => finest / 2.0,
                None if aim >= coarse => coarse / 1.5,
                _ => aim,
            };
        }
        let (finest, integers) = best.ok_or_else(|| Error::Failed("MGARD: no steps found".to_owned()))?;
        let mut out = Bytes::default();
        out.extend(&finest.to_le_bytes());
        let s = if let Norm::Sobolev(s) = self.norm { s } else { f64::INFINITY };
        out.extend(&(s as f32).to_le_bytes());
        out.extend(&code::write(&hierarchy, &integers)?);
        Ok(out.0)
    }

    fn unpack(&self, payload: &[u8], shape: [usize; 3]) -> Result<Vec<f32>> {
        let mut reader = Reader(payload);
        let finest = f64::from_le_bytes(reader.array()?);
        let s = f32::from_le_bytes(reader.array()?);
        if !(finest.is_finite() && finest > 0.0) {
            return Err(Error::Corrupt(format!("MGARD: steps of {finest}")));
        }
        let hierarchy = Hierarchy::new(shape);
        let integers = code::read(&hierarchy, reader.0)?;
        let norm = if s.is_finite() { Norm::Sobolev(f64::from(s)) } else { Norm::Infinity };
        Ok(decoded(&hierarchy, &integers, &steps(norm, &hierarchy, finest)))
    }
}

impl Rival for Mgard {
    fn encode(&self, event: &Array) -> Result<Vec<u8>> {
        kernel::encode(self, &self.view, event)
    }

    fn decode(&self, bytes: &[u8]) -> Result<Array> {
        let (shape, reals) = kernel::decode(self, bytes)?;
        view::to_counts(shape, &reals)
    }

    fn decode_reals(&self, bytes: &[u8]) -> Result<Vec<f64>> {
        Ok(kernel::decode(self, bytes)?.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random numbers in [0, 1), the same for the same state.
    fn noise(state: &mut u64) -> f64 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (*state >> 33) as f64 / f64::from(1u32 << 31)
    }

    fn random(state: &mut u64) -> ([usize; 3], Vec<f32>) {
        let shape = [0; 3].map(|_| 1 + (noise(state) * noise(state) * 20.0) as usize);
        let (occupancy, high) = (noise(state), 2f64.powf(10.0 * noise(state)));
        let mut value = || if noise(state) < occupancy { (high * noise(state)) as f32 } else { 0.0 };
        (shape, (0..shape.iter().product()).map(|_| value()).collect())
    }

    #[test]
    fn tolerances_hold_in_every_norm() {
        let state = &mut 5;
        for round in 0..150 {
            let (shape, values) = random(state);
            let high = f64::from(values.iter().copied().fold(1e-3, f32::max));
            let tolerance = high * 10f64.powf(-3.0 * noise(state));
            let norm = match round % 3 {
                0 => Norm::Infinity,
                1 => Norm::Sobolev(0.0),
                _ => Norm::Sobolev(noise(state) * 2.0 - 1.0),
            };
            let mgard = Mgard { view: View::default(), norm, tolerance };
            let bytes = mgard.pack(&values, shape).unwrap();
            let back = mgard.unpack(&bytes, shape).unwrap();
            let error = mgard.error(&Hierarchy::new(shape), &values, &back);
            assert!(error <= tolerance, "{shape:?} {norm:?}: {error} > {tolerance}");
            if norm == Norm::Infinity {
                // Independent of what the encoder checked.
                assert!(values.iter().zip(&back).all(|(v, b)| (v - b).abs() <= tolerance as f32 * 1.000_001));
            }
        }
    }

    #[test]
    fn bytes_that_are_not_its_own_are_an_error() {
        let mgard = Mgard { view: View::default(), norm: Norm::Infinity, tolerance: 2.0 };
        let event = Array::new([5, 6, 7], (0..210).map(|i| (i * i % 97) as u16).collect()).unwrap();
        let bytes = mgard.encode(&event).unwrap();
        for n in 0..bytes.len() {
            assert!(mgard.decode(&bytes[..n]).is_err(), "{n} bytes");
        }
        // Below the checksum, too, whatever it is comes to an end.
        let payload = mgard.pack(&mgard.view.values(&event), [5, 6, 7]).unwrap();
        let state = &mut 9;
        for _ in 0..300 {
            let mut bad = payload.clone();
            let at = (noise(state) * bad.len() as f64) as usize;
            bad[at] = (noise(state) * 256.0) as u8;
            let _ = mgard.unpack(&bad, [5, 6, 7]);
        }
    }
}
