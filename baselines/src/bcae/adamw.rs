//! AdamW as PyTorch has it, on the host: its state goes into a checkpoint as it is.

const BETA: [f64; 2] = [0.9, 0.999];
const EPSILON: f64 = 1e-8;
/// Weight decay of both papers.
const DECAY: f64 = 0.01;

/// Means of gradients and of their squares.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct AdamW {
    pub first: Vec<Vec<f32>>,
    pub second: Vec<Vec<f32>>,
    pub n_steps: u32,
}

impl AdamW {
    /// Nothing seen yet, for tensors of these lengths.
    pub fn new(zeros: Vec<Vec<f32>>) -> AdamW {
        AdamW { first: zeros.clone(), second: zeros, n_steps: 0 }
    }

    /// One step down `gradients`.
    pub fn step(&mut self, weights: &mut [Vec<f32>], gradients: &[Vec<f32>], rate: f64) {
        self.n_steps = self.n_steps.saturating_add(1);
        let n = self.n_steps as i32;
        let [scale_first, scale_second] = BETA.map(|beta| 1.0 / (1.0 - beta.powi(n)));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((weights, gradients), (first, second)) in weights.iter_mut().zip(gradients).zip(moments) {
            for i in 0..weights.len() {
                let gradient = f64::from(gradients[i]);
                first[i] = (BETA[0] * f64::from(first[i]) + (1.0 - BETA[0]) * gradient) as f32;
                second[i] = (BETA[1] * f64::from(second[i]) + (1.0 - BETA[1]) * gradient * gradient) as f32;
                let root = (f64::from(second[i]) * scale_second).sqrt() + EPSILON;
                let kept = f64::from(weights[i]) * (1.0 - rate * DECAY);
                weights[i] = (kept - rate * scale_first * f64::from(first[i]) / root) as f32;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_those_of_pytorch() {
        // torch.optim.AdamW(lr=0.05, betas=(0.9, 0.999), weight_decay=0.01), PyTorch 2.15.
        let gradients = [[0.1, -2.0, 0.0], [0.3, 1.0, -1e-3], [-0.2, 0.5, 4.0]];
        let expected: [[f64; 3]; 3] = [
            [0.44975, -1.199375, 2.9984999],
            [0.403636, -1.1854584, 3.0342069],
            [0.390539, -1.1817963, 3.0007563],
        ];
        let mut adam = AdamW::new(vec![vec![0.0; 3]]);
        let mut weights = vec![vec![0.5, -1.25, 3.0]];
        for (gradients, expected) in gradients.into_iter().zip(expected) {
            adam.step(&mut weights, &[gradients.to_vec()], 0.05);
            for (ours, theirs) in weights[0].iter().zip(expected) {
                assert!((f64::from(*ours) - theirs).abs() < 1e-6, "{ours} {theirs}");
            }
        }
    }
}
