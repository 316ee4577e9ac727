//! Starting weights.

use super::{Activation, Form, Model, NetSpec, Source, tensors};
use inrfit_sampling::rng;

/// Uniform in a range around 0 that depends on the tensor.
///
/// SIREN: matrix of the coordinates +-1/n_in, later ones +-sqrt(6/n_in)/omega, as in its paper (section 3.2). Layers
/// of filters: +-1/sqrt(n_in), biases +-pi/omega, as the code of arXiv 2412.01754 has them but for `input_scale`.
/// Rectified layers, that of the features included: +-sqrt(6/n_in) (He). All else, matrices of wavelets and of
/// products too, +-1/sqrt(n_in): the default of PyTorch, which the authors' implementations keep.
pub fn weights(spec: &NetSpec, seed: u64, input_scale: f32) -> Vec<f32> {
    let layers = spec.layers();
    let omega_hidden = match spec.model {
        Model::Siren { omega_hidden, .. } => Some(omega_hidden),
        Model::Conditioned { omega_hidden, .. } => Some(omega_hidden as f32),
        _ => None,
    };
    let mut values = vec![0.0f32; spec.n_weights()];
    for t in tensors(spec) {
        let layer = &layers[t.layer];
        // Complex inputs count once.
        let n_in = match (layer.form, spec.model) {
            (Form::Complex { n_complex }, _) => layer.n_in - n_complex,
            (Form::Real, Model::Gabor { .. }) if layer.activation == Activation::Linear => {
                layer.n_in.div_ceil(2)
            }
            _ => layer.n_in,
        } as f32;
        let reads_coords = layer.sources == [Source::Coords];
        let half_width = match (t.is_bias, layer.activation, omega_hidden) {
            (true, Activation::Sine { omega }, None) => std::f32::consts::PI / omega,
            (true, _, _) => 1.0 / n_in.sqrt(),
            (false, _, Some(_)) if reads_coords => 1.0 / n_in * input_scale,
            (false, Activation::Relu, _) => (6.0 / n_in).sqrt(),
            (false, _, Some(omega_hidden)) => (6.0 / n_in).sqrt() / omega_hidden,
            (false, _, None) if reads_coords => 1.0 / n_in.sqrt() * input_scale,
            (false, _, None) => 1.0 / n_in.sqrt(),
        };
        for i in t.range() {
            let words = rng::block([seed as u32, (seed >> 32) as u32], [i as u32, 0, 0, INITIAL]);
            // 24 random bits in [-1, 1): exact in f32.
            let u = (words[0] >> 8) as f32 * (2.0 / 16_777_216.0) - 1.0;
            values[i] = u * half_width;
        }
    }
    values
}

/// Keeps the draws of starting weights apart from every other use of the same seed.
const INITIAL: u32 = 0x696e_6974;
