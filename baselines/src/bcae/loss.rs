//! Losses, and the balance between them.

use super::arch::Architecture;
use super::model::{clip, reconstruct};
use super::net::Heads;
use crate::array::Array;
use burn_tensor::{Device, Tensor, TensorData, activation};
use std::f64::consts::LN_2;

/// Steepness of the soft label of arXiv 2111.05423.
const STEEPNESS: f32 = 20.0;
/// log2(ADC + 1) above which a voxel counts as occupied.
const OCCUPIED: f32 = 6.0;

/// What the decoders should give for a batch.
pub(super) struct Targets {
    shape: [usize; 3],
    /// ADC counts or log2(ADC + 1): (event, azimuth, z, layer).
    values: Tensor<4>,
    /// Labels of occupancy, 0 to 1.
    labels: Tensor<4>,
}

impl Targets {
    /// Targets of events of one shape.
    pub fn new(architecture: Architecture, events: &[&Array], device: &Device) -> Targets {
        let shape = events.first().map(|event| event.shape()).unwrap_or_default();
        let counts = || events.iter().flat_map(|event| event.counts()).map(|&count| f32::from(count));
        let log = |count: f32| (count + 1.0).log2();
        let (values, labels): (Vec<f32>, Vec<f32>) = if architecture.takes_adc() {
            counts().map(|c| (c, 1.0 / (1.0 + (-STEEPNESS * (log(c) - OCCUPIED)).exp()))).unzip()
        } else {
            counts().map(|c| (log(c), f32::from(log(c) > OCCUPIED))).unzip()
        };
        let [a, b, c] = shape;
        let tensor = |values| Tensor::from_data(TensorData::new(values, [events.len(), a, b, c]), device);
        Targets { shape, values: tensor(values), labels: tensor(labels) }
    }
}

/// Losses of a batch, means over its voxels: focal loss of the segmentation (none where there is no such decoder)
/// and loss of the regression.
///
/// Focal loss: gamma 2, log base 2. Regression: what the decoder says where the segmentation exceeds the threshold,
/// zero elsewhere, against the event; squared on ADC counts (arXiv 2111.05423) or absolute on log2(ADC + 1)
/// (arXiv 2310.15026). The mask has no gradient.
pub(super) fn losses(
    architecture: Architecture,
    heads: &Heads,
    targets: &Targets,
    threshold: f32,
) -> (Option<Tensor<1>>, Tensor<1>) {
    let mut values = clip(reconstruct(architecture, heads), targets.shape);
    let segmentation = heads.segmentation.clone().map(|logits| {
        let logits = clip(logits, targets.shape);
        let p = activation::sigmoid(logits.clone());
        let empty = p.clone().detach().lower_equal_scalar(threshold);
        values = values.clone().mask_fill(empty, 0.0);
        focal(logits, p, targets.labels.clone())
    });
    let difference = values - targets.values.clone();
    let regression = if architecture.takes_adc() {
        (difference.clone() * difference).mean()
    } else {
        difference.abs().mean()
    };
    (segmentation, regression)
}

fn focal(logits: Tensor<4>, p: Tensor<4>, labels: Tensor<4>) -> Tensor<1> {
    let q = p.clone().neg() + 1.0;
    let occupied = labels.clone() * activation::log_sigmoid(logits.clone()) * q.clone() * q;
    let empty = (labels.neg() + 1.0) * activation::log_sigmoid(logits.neg()) * p.clone() * p;
    (occupied + empty).mean() * (-1.0 / LN_2)
}

/// The factor of the segmentation loss in the next epoch, from the losses of this one.
pub(super) fn balance(
    architecture: Architecture,
    coefficient: f64,
    segmentation: f64,
    regression: f64,
) -> f64 {
    let ratio = regression / segmentation;
    if !ratio.is_finite() {
        return coefficient;
    }
    if architecture.takes_adc() { ratio } else { (0.5 * coefficient + ratio) / 1.5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: &[f32]) -> Tensor<4> {
        Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, 1, values.len()]), &Device::flex())
    }

    #[test]
    fn losses_are_those_of_the_papers() {
        // Logits of 0.8, 0.3 and 0.9; regression outputs y.
        let logit = |p: f32| (p / (1.0 - p)).ln();
        let heads = Heads {
            segmentation: Some(tensor(&[logit(0.8), logit(0.3), logit(0.9)])),
            regression: tensor(&[0.5, 1.0, -1.0]),
        };
        let event = Array::new([1, 1, 3], vec![200, 100, 0]).unwrap();
        let l = |count: f64| (count + 1.0).log2();
        let focal_of = |p: f64, label: f64| {
            -label * p.log2() * (1.0 - p).powi(2) - (1.0 - label) * (1.0 - p).log2() * p.powi(2)
        };
        let value = |t: Tensor<1>| f64::from(t.into_data().try_into_vec_as::<f32>().unwrap()[0]);

        let architecture = Architecture::PlusPlus;
        let targets = Targets::new(architecture, &[&event], &Device::flex());
        let (s, r) = losses(architecture, &heads, &targets, 0.5);
        let focal_loss = (focal_of(0.8, 1.0) + focal_of(0.3, 1.0) + focal_of(0.9, 0.0)) / 3.0;
        assert!((value(s.unwrap()) - focal_loss).abs() < 1e-5);
        let mae =
            ((6.0 + 3.0 * 0.5_f64.exp() - l(200.0)).abs() + l(100.0) + 6.0 + 3.0 * (-1.0_f64).exp()) / 3.0;
        assert!((value(r) - mae).abs() < 1e-5);

        let architecture = Architecture::Bcae;
        let targets = Targets::new(architecture, &[&event], &Device::flex());
        let (s, r) = losses(architecture, &heads, &targets, 0.5);
        let soft = |count: f64| 1.0 / (1.0 + (-20.0 * (l(count) - 6.0)).exp());
        let focal_loss =
            (focal_of(0.8, soft(200.0)) + focal_of(0.3, soft(100.0)) + focal_of(0.9, soft(0.0))) / 3.0;
        assert!((value(s.unwrap()) - focal_loss).abs() < 1e-5);
        let adc = |y: f64| 64.0 + 6.0 * y.exp();
        let mse = ((adc(0.5) - 200.0).powi(2) + 100.0_f64.powi(2) + adc(-1.0).powi(2)) / 3.0;
        assert!((value(r) / mse - 1.0).abs() < 1e-5);
    }

    #[test]
    fn the_balance_follows_the_losses() {
        assert_eq!(balance(Architecture::PlusPlus, 2000.0, 0.5, 100.0), 800.0);
        assert_eq!(balance(Architecture::Bcae, 2000.0, 0.5, 100.0), 200.0);
        assert_eq!(balance(Architecture::Bcae, 7.0, 0.0, 100.0), 7.0);
    }
}
