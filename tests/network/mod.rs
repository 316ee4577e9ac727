//! Networks of every family in double precision, from their definitions: complex numbers are complex numbers here.

use inrfit::net::{Activation, Form, Source, Weights};

/// What a network says at a site.
pub struct Said {
    pub heads: Vec<f64>,
    /// How near the sums of rectifiers come to their kink.
    pub kink: f64,
}

/// x + i y
type Complex = (f64, f64);

fn times(a: Complex, b: Complex) -> Complex {
    (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0)
}

/// `exp(i omega z - |scale z|^2)`
fn wavelet(omega: f64, scale: f64, z: Complex) -> Complex {
    let size = (-omega * z.1).exp() * (-(scale * scale) * (z.0 * z.0 + z.1 * z.1)).exp();
    (size * (omega * z.0).cos(), size * (omega * z.0).sin())
}

/// Real parts, then imaginary parts.
fn parts(z: &[Complex]) -> Vec<f64> {
    z.iter().map(|z| z.0).chain(z.iter().map(|z| z.1)).collect()
}

fn dot(row: &[f64], x: &[f64]) -> f64 {
    row.iter().zip(x).map(|(w, x)| w * x).sum()
}

/// The sums of a complex layer, whose stored numbers are `matrix` and `bias`: the first `n_complex` inputs are complex.
fn complex_sums(matrix: &[f64], bias: &[f64], inputs: &[f64], n_complex: usize) -> Vec<Complex> {
    let (x, real) = inputs.split_at(2 * n_complex);
    let n_columns = 2 * (n_complex + real.len());
    let n = bias.len() / 2;
    (matrix.chunks(n_columns).enumerate())
        .map(|(o, row)| {
            let (w, w_real) = row.split_at(2 * n_complex);
            let mut sum = (bias[o], bias[n + o]);
            let mut add = |z: Complex| sum = (sum.0 + z.0, sum.1 + z.1);
            for k in 0..n_complex {
                add(times((w[k], w[n_complex + k]), (x[k], x[n_complex + k])));
            }
            for (k, x) in real.iter().enumerate() {
                add(times((w_real[k], w_real[real.len() + k]), (*x, 0.0)));
            }
            sum
        })
        .collect()
}

/// Evaluates a network at one site.
pub fn evaluate(weights: &Weights, coords: &[f64], features: &[f64]) -> Said {
    let spec = weights.spec();
    let values: Vec<f64> = weights.values().iter().map(|w| f64::from(*w)).collect();
    let mut rest = &values[..];
    let mut take = |n: usize| {
        let (taken, left) = rest.split_at(n);
        rest = left;
        taken.to_vec()
    };
    let mut done: Vec<Vec<f64>> = Vec::new();
    let mut kink = f64::INFINITY;
    for layer in spec.layers() {
        let inputs: Vec<f64> = (layer.sources.iter())
            .flat_map(|source| match *source {
                Source::Coords => coords.to_vec(),
                Source::Features => features.to_vec(),
                Source::Layer(i) => done[i].clone(),
            })
            .collect();
        let (n_in, n_out) = (layer.n_in, layer.n_out);
        let (matrix, bias) = match layer.form {
            Form::Real => (take(n_in * n_out), take(n_out)),
            Form::RealOfComplex => (take(n_in * n_out / 2), take(n_out / 2)),
            Form::Complex { n_complex } => (take((n_in - n_complex) * n_out), take(n_out)),
            Form::Fixed => {
                let (matrix, bias) = spec.fixed();
                let wide = |v: Vec<f32>| v.into_iter().map(f64::from).collect();
                (wide(matrix), wide(bias))
            }
        };
        let sums: Vec<Complex> = match layer.form {
            Form::Complex { n_complex } => complex_sums(&matrix, &bias, &inputs, n_complex),
            _ => matrix.chunks(n_in).zip(&bias).map(|(row, b)| (b + dot(row, &inputs), 0.0)).collect(),
        };
        let each = |f: &dyn Fn(f64) -> f64| sums.iter().map(|a| f(a.0)).collect::<Vec<f64>>();
        done.push(match layer.activation {
            Activation::Sine { omega } => each(&|a| (f64::from(omega) * a).sin()),
            Activation::Relu => {
                kink = sums.iter().fold(kink, |least, a| least.min(a.0.abs()));
                each(&|a| a.max(0.0))
            }
            Activation::Linear => each(&|a| a),
            Activation::Gabor { omega, scale } => {
                let (omega, scale) = (f64::from(omega), f64::from(scale));
                each(&|a| (omega * a).sin() * (-(scale * a).powi(2)).exp())
            }
            Activation::Product { by } => sums.iter().zip(&done[by]).map(|(a, by)| a.0 * by).collect(),
            Activation::ComplexGabor { omega, scale } => {
                let (omega, scale) = (f64::from(omega), f64::from(scale));
                parts(&sums.iter().map(|z| wavelet(omega, scale, *z)).collect::<Vec<_>>())
            }
        });
    }
    assert!(rest.is_empty(), "every weight has a place");
    Said { heads: done.pop().expect("a last layer"), kink }
}
