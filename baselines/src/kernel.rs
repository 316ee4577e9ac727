//! Rivals that turn real numbers into bytes: what they have in common.

use crate::array::Array;
use crate::error::{Error, Result};
use crate::frame::{Bytes, Frame, Reader};
use crate::view::{Domain, Layout, Threshold, View};

impl View {
    /// Shape as the rival sees it.
    pub(crate) fn shape(&self, [a, b, c]: [usize; 3]) -> [usize; 3] {
        match self.layout {
            Layout::Native => [a, b, c],
            Layout::ZContiguous => [c, a, b],
        }
    }

    /// The values of an event as the rival sees them.
    pub(crate) fn values(&self, event: &Array) -> Vec<f32> {
        let scaled: Vec<f32> = match self.domain {
            Domain::Adc => event.counts().iter().map(|&count| f32::from(count)).collect(),
            Domain::Log2 => {
                event.counts().iter().map(|&count| (f64::from(count) + 1.0).log2() as f32).collect()
            }
        };
        self.ordered(&scaled, event.shape())
    }

    /// ADC values in the event's order, between 0 and `highest` and thresholded, from what a rival decoded.
    fn reals(&self, values: &[f32], shape: [usize; 3], highest: u16) -> Result<Vec<f64>> {
        if values.len() != shape.iter().product::<usize>() {
            return Err(Error::Failed(format!(
                "{} values were decoded for the shape {shape:?}",
                values.len()
            )));
        }
        if let Some(bad) = values.iter().find(|v| !v.is_finite()) {
            return Err(Error::Failed(format!("a decoded value is {bad}")));
        }
        let clamp = |real: f64| real.clamp(0.0, f64::from(highest));
        let scaled: Vec<f64> = match self.domain {
            Domain::Adc => values.iter().map(|&v| clamp(f64::from(v))).collect(),
            Domain::Log2 => values.iter().map(|&v| clamp(f64::from(v).exp2() - 1.0)).collect(),
        };
        let mut reals = self.native(&scaled, shape);
        if let Threshold::At(at) = self.threshold {
            reals.iter_mut().filter(|v| **v < f64::from(at)).for_each(|v| *v = 0.0);
        }
        Ok(reals)
    }
}

/// A rival that turns real numbers into bytes.
pub(crate) trait Kernel {
    /// First byte of what it writes.
    const TAG: u8;
    /// Compresses values of `shape`.
    fn pack(&self, values: &[f32], shape: [usize; 3]) -> Result<Vec<u8>>;
    /// Decompresses what [`Kernel::pack`] wrote for `shape`.
    fn unpack(&self, payload: &[u8], shape: [usize; 3]) -> Result<Vec<f32>>;
}

/// Compresses an event with a kernel that sees it as `view` says.
pub(crate) fn encode<K: Kernel>(kernel: &K, view: &View, event: &Array) -> Result<Vec<u8>> {
    let shape = event.shape();
    let payload = kernel.pack(&view.values(event), view.shape(shape))?;
    let highest = event.counts().iter().copied().max().unwrap_or(0);
    let mut view = *view;
    if view.threshold == Threshold::Best {
        view.threshold = Threshold::None;
        let reals = view.reals(&kernel.unpack(&payload, view.shape(shape))?, shape, highest)?;
        view.threshold = best_threshold(event.counts(), &reals).map_or(Threshold::None, Threshold::At);
    }
    let mut head = Bytes::default();
    let at = if let Threshold::At(at) = view.threshold { Some(at) } else { None };
    let flags = u8::from(view.layout == Layout::ZContiguous)
        | u8::from(view.domain == Domain::Log2) << 1
        | u8::from(at.is_some()) << 2;
    head.push(flags);
    head.extend(&highest.to_le_bytes());
    head.extend(at.map(f32::to_le_bytes).as_ref().map_or(&[][..], |bytes| bytes));
    Ok(Frame { tag: K::TAG, shape, head: head.0, payload }.write())
}

/// The ADC values that [`encode`] wrote, before rounding.
pub(crate) fn decode<K: Kernel>(kernel: &K, bytes: &[u8]) -> Result<([usize; 3], Vec<f64>)> {
    let frame = Frame::read(K::TAG, bytes)?;
    let mut head = Reader(&frame.head);
    let [flags] = head.array()?;
    let highest = u16::from_le_bytes(head.array()?);
    let threshold = match flags & 4 != 0 {
        true => Threshold::At(f32::from_le_bytes(head.array()?)),
        false => Threshold::None,
    };
    let view = View {
        layout: if flags & 1 != 0 { Layout::ZContiguous } else { Layout::Native },
        domain: if flags & 2 != 0 { Domain::Log2 } else { Domain::Adc },
        threshold,
    };
    let values = kernel.unpack(&frame.payload, view.shape(frame.shape))?;
    Ok((frame.shape, view.reals(&values, frame.shape, highest)?))
}

/// The threshold below which emptying decoded voxels lowers log-MAE most; none where it never does.
fn best_threshold(truth: &[u16], reals: &[f64]) -> Option<f32> {
    let log = |value: f64| (value + 1.0).log2();
    let change = |(&count, &real): (&u16, &f64)| {
        let count = f64::from(count);
        (real, log(count) - (log(count) - log(real)).abs())
    };
    let mut changes: Vec<(f64, f64)> =
        truth.iter().zip(reals).map(change).filter(|(real, _)| *real > 0.0).collect();
    changes.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let (mut best, mut sum, mut at) = (0.0, 0.0, None);
    for (i, &(real, change)) in changes.iter().enumerate() {
        sum += change;
        let next = changes.get(i + 1).map_or(real + 1.0, |next| next.0);
        let between = (0.5 * (real + next)) as f32;
        // Values too close to be told apart go together.
        if sum < best && f64::from(between) > real && f64::from(between) <= next {
            (best, at) = (sum, Some(between));
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_that_are_no_numbers_are_an_error() {
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(matches!(View::default().reals(&[1.0, bad], [1, 1, 2], 1023), Err(Error::Failed(_))));
        }
    }

    #[test]
    fn the_best_threshold_empties_the_noise_and_keeps_the_signal() {
        let (truth, reals) = ([0, 0, 0, 70, 90, 0], [3.0, 12.4, 0.0, 66.0, 95.0, 0.0]);
        assert_eq!(best_threshold(&truth, &reals), Some(39.2));
        assert_eq!(best_threshold(&[70, 0], &[69.0, 0.2]), Some(34.6));
        assert_eq!(best_threshold(&[70, 0], &[69.0, 0.0]), None);
    }
}
