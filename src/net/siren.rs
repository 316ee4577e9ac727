//! SIREN: sine layers on coordinates, with an optional rectified layer on features beside the first.

use super::{Activation, Dense, NetSpec, Source, tensors};
use inrfit_sampling::rng;

/// Layer 0 reads the coordinates; where there are features, layer 1 reads them (rectified) and the next layer reads
/// both; the last layer is linear. `units` are those of layers 0 and 1.
pub fn layers(spec: &NetSpec, units: [usize; 2], omega_first: f32, omega_hidden: f32) -> Vec<Dense> {
    let h = spec.hidden;
    let mut layers = vec![Dense {
        sources: vec![Source::Coords],
        n_in: spec.n_coords,
        n_out: units[0],
        activation: Activation::Sine { omega: omega_first },
    }];
    let mut sources = vec![Source::Layer(0)];
    let mut n_in = units[0];
    if spec.n_features > 0 {
        layers.push(Dense {
            sources: vec![Source::Features],
            n_in: spec.n_features,
            n_out: units[1],
            activation: Activation::Relu,
        });
        sources.push(Source::Layer(1));
        n_in += units[1];
    }
    for _ in 1..spec.n_layers {
        let activation = Activation::Sine { omega: omega_hidden };
        layers.push(Dense { sources, n_in, n_out: h, activation });
        sources = vec![Source::Layer(layers.len() - 1)];
        n_in = h;
    }
    layers.push(Dense { sources, n_in, n_out: spec.n_heads, activation: Activation::Linear });
    layers
}

/// First layer U(+-1/n_in), later matrices U(+-sqrt(6/n_in)/omega), as in the SIREN paper (section 3.2);
/// the feature layer U(+-sqrt(6/n_in)) (He); biases U(+-1/sqrt(n_in)), PyTorch's default, which the authors'
/// implementations keep.
pub fn initial(spec: &NetSpec, omega_hidden: f32, seed: u64) -> Vec<f32> {
    let layers = spec.layers();
    let mut values = vec![0.0f32; spec.n_weights()];
    for t in tensors(spec) {
        let n_in = layers[t.layer].n_in as f32;
        let first = layers[t.layer].sources == [Source::Coords];
        let half_width = match (t.is_bias, layers[t.layer].activation) {
            (true, _) => 1.0 / n_in.sqrt(),
            (false, _) if first => 1.0 / n_in,
            (false, Activation::Relu) => (6.0 / n_in).sqrt(),
            (false, _) => (6.0 / n_in).sqrt() / omega_hidden,
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
