//! The networks: events to codes, codes to the outputs of the decoders.

use super::arch::{Architecture, CODE_CHANNELS, REGRESSION, SEGMENTATION, Window};
use super::weights::Tensors;
use burn_tensor::module::{avg_pool2d, conv_transpose3d, conv2d, conv3d, interpolate};
use burn_tensor::ops::{
    AvgPoolOptions, ConvOptions, ConvTransposeOptions, InterpolateMode, InterpolateOptions,
};
use burn_tensor::{Tensor, activation};

/// Slope of leaky ReLUs below zero.
const SLOPE: f64 = 0.2;
/// What instance normalisation adds to the variance.
const EPSILON: f32 = 1e-5;

/// What the decoders give, before their output functions: (event, azimuth, z, layer), padded as the input was.
pub(super) struct Heads {
    /// Logits of occupancy; none in a network that only regresses.
    pub segmentation: Option<Tensor<4>>,
    /// Outputs of the regression decoder.
    pub regression: Tensor<4>,
}

/// Codes of padded events: (event, azimuth, z, layer) to (event, values).
pub(super) fn encode(architecture: Architecture, weights: &Tensors, events: Tensor<4>) -> Tensor<2> {
    let [n, azimuth, z, layers] = events.dims();
    if let Architecture::TwoD { m, d, .. } = architecture {
        let mut x = plain2(weights, "encoder.in", events.permute([0, 3, 1, 2]), 3);
        for i in 0..m {
            if i < d {
                x = avg_pool2d(x, AvgPoolOptions::new([2, 2]));
            }
            x = residual_pair2(weights, "encoder", i, x);
        }
        return x.flatten(1, 3);
    }
    let mut x = if architecture.takes_adc() {
        events.reshape([n, 1, azimuth, z, layers])
    } else {
        events.permute([0, 3, 1, 2]).reshape([n, 1, layers, azimuth, z])
    };
    for (i, window) in architecture.windows().into_iter().enumerate() {
        x = block3(architecture, weights, &format!("encoder.{i}"), x, window, Way::Down);
    }
    finish3(architecture, plain3(weights, "encoder.out", x)).flatten(1, 4)
}

/// What the decoders make of codes (event, values), whose shape within an event is `code`.
pub(super) fn decode(
    architecture: Architecture,
    weights: &Tensors,
    codes: Tensor<2>,
    code: &[usize],
) -> Heads {
    let head = |part: &str| match architecture {
        Architecture::TwoD { n, d, .. } => decode2(weights, part, codes.clone(), code, n, d),
        _ => decode3(architecture, weights, part, codes.clone(), code),
    };
    Heads { segmentation: architecture.segments().then(|| head(SEGMENTATION)), regression: head(REGRESSION) }
}

fn decode2(weights: &Tensors, part: &str, codes: Tensor<2>, code: &[usize], n: usize, d: usize) -> Tensor<4> {
    let n_events = codes.dims()[0];
    let mut x: Tensor<4> = codes.reshape([n_events, code[0], code[1], code[2]]);
    for i in 0..n {
        if i < d {
            let [_, _, a, b] = x.dims();
            let nearest = InterpolateOptions::new(InterpolateMode::Nearest).with_output_size([2 * a, 2 * b]);
            x = interpolate(x, nearest);
        }
        x = residual_pair2(weights, part, i, x);
    }
    plain2(weights, &format!("{part}.out"), x, 0).permute([0, 2, 3, 1])
}

fn decode3(
    architecture: Architecture,
    weights: &Tensors,
    part: &str,
    codes: Tensor<2>,
    code: &[usize],
) -> Tensor<4> {
    let n = codes.dims()[0];
    let mut x: Tensor<5> = codes.reshape([n, CODE_CHANNELS, code[1], code[2], code[3]]);
    for (i, window) in architecture.windows().into_iter().rev().enumerate() {
        x = block3(architecture, weights, &format!("{part}.{i}"), x, window, Way::Up);
    }
    let x = plain3(weights, &format!("{part}.out"), x);
    let [n, _, a, b, c] = x.dims();
    let x: Tensor<4> = x.reshape([n, a, b, c]);
    if architecture.takes_adc() { x } else { x.permute([0, 2, 3, 1]) }
}

/// Whether a block halves or doubles.
#[derive(Clone, Copy)]
enum Way {
    Down,
    Up,
}

/// A block of a 3-D network: a main path of two convolutions and a side path of one, joined by a learned scalar.
fn block3(
    architecture: Architecture,
    weights: &Tensors,
    name: &str,
    x: Tensor<5>,
    window: Window,
    way: Way,
) -> Tensor<5> {
    let Window { stride, padding, .. } = window;
    let resize = |layer: &str, x: Tensor<5>| {
        let weight = weights.get::<5>(&format!("{name}.{layer}.weight"));
        let bias = Some(weights.flat(&format!("{name}.{layer}.bias")).clone());
        match way {
            Way::Down => conv3d(x, weight, bias, ConvOptions::new(stride, padding, [1; 3], 1)),
            Way::Up => conv_transpose3d(
                x,
                weight,
                bias,
                ConvTransposeOptions::new(stride, padding, [0; 3], [1; 3], 1),
            ),
        }
    };
    let main = finish3(architecture, resize("main.0", x.clone()));
    let main = plain3(weights, &format!("{name}.main.1"), main);
    let side = finish3(architecture, resize("side", x));
    let alpha = weights.get::<1>(&format!("{name}.alpha")).reshape([1, 1, 1, 1, 1]);
    finish3(architecture, main * alpha + side)
}

/// A 3x3x3 convolution that keeps the extents.
fn plain3(weights: &Tensors, name: &str, x: Tensor<5>) -> Tensor<5> {
    let bias = Some(weights.flat(&format!("{name}.bias")).clone());
    conv3d(x, weights.get(&format!("{name}.weight")), bias, ConvOptions::new([1; 3], [1; 3], [1; 3], 1))
}

/// Activation and, where the network normalises, instance norm. The published weights need this order: the other
/// one gives an occupancy with a precision of 0.2 instead of 0.88.
fn finish3(architecture: Architecture, x: Tensor<5>) -> Tensor<5> {
    let x = activation::leaky_relu(x, SLOPE);
    if !architecture.normalises() {
        return x;
    }
    let [n, channels, a, b, c] = x.dims();
    let flat: Tensor<3> = x.reshape([n, channels, a * b * c]);
    let centred = flat.clone() - flat.mean_dim(2);
    let variance = (centred.clone() * centred.clone()).mean_dim(2);
    (centred / (variance + EPSILON).sqrt()).reshape([n, channels, a, b, c])
}

/// The two residual blocks of block `i` of a 2-D network.
fn residual_pair2(weights: &Tensors, part: &str, i: usize, x: Tensor<4>) -> Tensor<4> {
    let x = residual2(weights, &format!("{part}.{}", 2 * i), x);
    residual2(weights, &format!("{part}.{}", 2 * i + 1), x)
}

/// A residual block of a 2-D network: two convolutions, scaled by a learned scalar, added to the input.
fn residual2(weights: &Tensors, name: &str, x: Tensor<4>) -> Tensor<4> {
    let main = activation::leaky_relu(plain2(weights, &format!("{name}.main.0"), x.clone(), 1), SLOPE);
    let main = plain2(weights, &format!("{name}.main.1"), main, 1);
    let alpha = weights.get::<1>(&format!("{name}.alpha")).reshape([1, 1, 1, 1]);
    activation::leaky_relu(main * alpha + x, SLOPE)
}

/// A 2-D convolution with `padding` on each side.
fn plain2(weights: &Tensors, name: &str, x: Tensor<4>, padding: usize) -> Tensor<4> {
    let bias = Some(weights.flat(&format!("{name}.bias")).clone());
    let options = ConvOptions::new([1; 2], [padding; 2], [1; 2], 1);
    conv2d(x, weights.get(&format!("{name}.weight")), bias, options)
}
