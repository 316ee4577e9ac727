//! How far a decoded event is from the original.

pub mod clusters;
mod physics;

pub use clusters::{Cluster, Clustering, clusters};
pub use physics::{Physics, PhysicsBin, PhysicsFigures, Spread};

use crate::error::{Error, Result};
use crate::event::{DType, Event};
use serde::Serialize;

/// Errors of a decoded event, all over all voxels unless said otherwise.
///
/// The log2 domain is `l = log2(ADC + 1)`; for signed data `sign(v) log2(1 + |v|)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics {
    /// Mean squared error.
    pub mse: f64,
    /// Mean absolute error.
    pub mae: f64,
    /// Mean absolute error in the log2 domain.
    pub log_mae: f64,
    /// Mean squared error in the log2 domain.
    pub log_mse: f64,
    /// `10 log10(peak^2 / mse)`, dB; infinite (null in JSON) where the mean squared error is 0.
    pub psnr_db: f64,
    /// Share of the voxels decoded as occupied (nonzero) that are; 1 where none is decoded so.
    pub precision: f64,
    /// Share of the occupied voxels that are decoded as occupied; 1 where none is occupied.
    pub recall: f64,
    /// Largest absolute error.
    pub max_error: f64,
    /// Largest absolute error in the log2 domain.
    pub max_log_error: f64,
    /// Share of the original's voxels that are occupied.
    pub occupancy: f64,
    /// Voxels of the original at or above the peak.
    pub n_saturated: u64,
    /// Those of them that are decoded at or above it.
    pub n_saturated_kept: u64,
}

/// Voxels that are summed on their own before the sums are added: keeps rounding errors of long sums small.
const BLOCK: usize = 4096;

impl Metrics {
    /// Compares `decoded` with `original`; types may differ, values count. `peak` is the full scale of the readout.
    ///
    /// # Errors
    /// `Argument` where the shapes differ or the peak is not positive.
    pub fn compare(original: &Event, decoded: &Event, peak: f64) -> Result<Metrics> {
        check(original, decoded, peak)?;
        let n = original.n_voxels();
        let log = |v: f64| v.abs().ln_1p().copysign(v) / std::f64::consts::LN_2;
        let (mut sums, mut max_error, mut max_log_error) = ([0.0f64; 4], 0.0f64, 0.0f64);
        let (mut n_true, mut n_claimed, mut n_both) = (0u64, 0u64, 0u64);
        let (mut n_saturated, mut n_saturated_kept) = (0, 0);
        for start in (0..n).step_by(BLOCK) {
            let mut part = [0.0f64; 4];
            for i in start..n.min(start + BLOCK) {
                let (a, b) = (original.samples().get(i), decoded.samples().get(i));
                if a >= peak {
                    n_saturated += 1;
                    n_saturated_kept += u64::from(b >= peak);
                }
                if a == 0.0 && b == 0.0 {
                    continue;
                }
                n_true += u64::from(a != 0.0);
                n_claimed += u64::from(b != 0.0);
                n_both += u64::from(a != 0.0 && b != 0.0);
                let (error, log_error) = ((a - b).abs(), (log(a) - log(b)).abs());
                part[0] += error * error;
                part[1] += error;
                part[2] += log_error;
                part[3] += log_error * log_error;
                max_error = max_error.max(error);
                max_log_error = max_log_error.max(log_error);
            }
            for (sum, part) in sums.iter_mut().zip(part) {
                *sum += part;
            }
        }
        let [mse, mae, log_mae, log_mse] = sums.map(|s| s / n as f64);
        let share = |part: u64, whole: u64| if whole == 0 { 1.0 } else { part as f64 / whole as f64 };
        Ok(Metrics {
            mse,
            mae,
            log_mae,
            log_mse,
            psnr_db: 10.0 * (peak * peak / mse).log10(),
            precision: share(n_both, n_claimed),
            recall: share(n_both, n_true),
            max_error,
            max_log_error,
            occupancy: n_true as f64 / n as f64,
            n_saturated,
            n_saturated_kept,
        })
    }
}

/// Refuses events of different shapes, and a full scale that is none.
fn check(original: &Event, decoded: &Event, peak: f64) -> Result<()> {
    if original.shape() != decoded.shape() {
        return Err(Error::argument(format!(
            "events of shapes {:?} and {:?} cannot be compared voxel by voxel",
            original.shape(),
            decoded.shape()
        )));
    }
    if !(peak.is_finite() && peak > 0.0) {
        return Err(Error::argument(format!("the peak must be positive, not {peak}")));
    }
    Ok(())
}

/// Full scale of a readout as far as its samples tell: 1023 for integers that fit ten bits (but 255 for bytes), else
/// the largest sample.
pub fn default_peak(event: &Event) -> f64 {
    let largest = event.samples().occupied_range().map_or(0.0, |(lo, hi)| lo.abs().max(hi.abs()));
    match event.dtype() {
        DType::U8 => f64::from(u8::MAX),
        DType::U16 | DType::I16 | DType::I32 if largest <= 1023.0 => 1023.0,
        DType::I16 => largest.min(f64::from(i16::MAX)),
        DType::I32 => largest.min(f64::from(i32::MAX)),
        DType::U16 | DType::F32 if largest > 0.0 => largest,
        DType::U16 | DType::F32 => 1.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    fn event(samples: Vec<u16>) -> Event {
        Event::new([1, 1, samples.len()], Samples::from(samples)).unwrap()
    }

    #[test]
    fn figures_are_as_by_hand() {
        let m =
            Metrics::compare(&event(vec![0, 127, 1023, 0]), &event(vec![3, 63, 1023, 0]), 1023.0).unwrap();
        assert_eq!((m.mse, m.mae), ((9.0 + 4096.0) / 4.0, 67.0 / 4.0));
        assert!((m.log_mae - 3.0 / 4.0).abs() < 1e-12 && (m.log_mse - 5.0 / 4.0).abs() < 1e-12);
        assert_eq!((m.precision, m.recall, m.occupancy), (2.0 / 3.0, 1.0, 0.5));
        assert_eq!((m.max_error, m.n_saturated, m.n_saturated_kept), (64.0, 1, 1));
        assert!((m.max_log_error - 2.0).abs() < 1e-12);
        assert!((m.psnr_db - 10.0 * (1023.0f64.powi(2) / (4105.0 / 4.0)).log10()).abs() < 1e-12);
    }

    #[test]
    fn edges_are_defined() {
        let same = event(vec![0, 80]);
        let m = Metrics::compare(&same, &same, 1023.0).unwrap();
        assert!(m.psnr_db.is_infinite() && m.mse == 0.0);
        assert!(serde_json::to_string(&m).unwrap().contains("\"psnr_db\":null"));
        let m = Metrics::compare(&event(vec![0, 0]), &event(vec![0, 0]), 1023.0).unwrap();
        assert_eq!((m.precision, m.recall), (1.0, 1.0));
        assert!(Metrics::compare(&same, &event(vec![0]), 1023.0).is_err());
        assert!(Metrics::compare(&same, &same, 0.0).is_err());
        let signed = Event::new([1, 1, 1], Samples::from(vec![-1i16])).unwrap();
        let other = Event::new([1, 1, 1], Samples::from(vec![1i16])).unwrap();
        assert_eq!(Metrics::compare(&signed, &other, 1.0).unwrap().max_log_error, 2.0);
    }
}
