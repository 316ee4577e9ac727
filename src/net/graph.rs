//! Which layer of a network reads what.

use super::{Activation, Dense, Form, Model, NetSpec, Source};

/// Layer 0 reads the coordinates; where there are features, layer 1 reads them (rectified) and the next layer that
/// reads layer 0 reads both; the last layer is linear. A multiplicative filter network has a filter, which reads the
/// coordinates, right before each of its hidden layers.
pub fn layers(spec: &NetSpec) -> Vec<Dense> {
    let [coord_units, feature_units] = spec.model.input_units().unwrap_or([spec.hidden; 2]);
    let h = spec.hidden;
    let real =
        |sources, n_in, n_out, activation| Dense { sources, n_in, n_out, activation, form: Form::Real };
    let coords = |n_out, activation| real(vec![Source::Coords], spec.n_coords, n_out, activation);
    let mut layers = vec![match spec.model {
        Model::Siren { omega_first: omega, .. } => coords(coord_units, Activation::Sine { omega }),
        Model::Conditioned { omega_first, .. } => {
            coords(coord_units, Activation::Sine { omega: omega_first as f32 })
        }
        Model::Fourier { .. } => {
            let omega = std::f32::consts::TAU;
            Dense { form: Form::Fixed, ..coords(2 * coord_units, Activation::Sine { omega }) }
        }
        Model::Filters { omega, .. } => coords(coord_units, Activation::Sine { omega }),
        Model::Gabor { omega, scale, .. } => {
            let activation = Activation::ComplexGabor { omega, scale };
            Dense { form: Form::RealOfComplex, ..coords(2 * coord_units, activation) }
        }
        Model::RealGabor { omega, scale, .. } => coords(coord_units, Activation::Gabor { omega, scale }),
    }];
    let mut sources = vec![Source::Layer(0)];
    let mut n_in = layers[0].n_out;
    if spec.n_features > 0 {
        layers.push(real(vec![Source::Features], spec.n_features, feature_units, Activation::Relu));
        sources.push(Source::Layer(1));
        n_in += feature_units;
    }
    // Each reads what the one before gives.
    let n_hidden =
        if matches!(spec.model, Model::Filters { .. }) { spec.n_layers } else { spec.n_layers - 1 };
    let mut n_complex = coord_units;
    for _ in 0..n_hidden {
        let next = match spec.model {
            Model::Siren { omega_hidden: omega, .. } => real(sources, n_in, h, Activation::Sine { omega }),
            Model::Conditioned { omega_hidden, .. } => {
                real(sources, n_in, h, Activation::Sine { omega: omega_hidden as f32 })
            }
            Model::Fourier { .. } => real(sources, n_in, h, Activation::Relu),
            Model::Filters { omega, .. } => {
                layers.push(coords(h, Activation::Sine { omega }));
                real(sources, n_in, h, Activation::Product { by: layers.len() - 1 })
            }
            Model::Gabor { omega, scale, .. } => Dense {
                form: Form::Complex { n_complex },
                ..real(sources, n_in, 2 * h, Activation::ComplexGabor { omega, scale })
            },
            Model::RealGabor { omega, scale, .. } => {
                real(sources, n_in, h, Activation::Gabor { omega, scale })
            }
        };
        layers.push(next);
        sources = vec![Source::Layer(layers.len() - 1)];
        n_in = layers[layers.len() - 1].n_out;
        n_complex = h;
    }
    layers.push(real(sources, n_in, spec.n_heads, Activation::Linear));
    layers
}
