//! The same loss and gradient by the automatic differentiation of `dfdx`.

use super::Problem;
use dfdx::prelude::{
    AsArray, Backward, Cpu, OwnedTape, PutTape, SplitTape, SumTo, Tensor, TensorFromVec, TryMatMul,
};
use inrfit::backend::ValueLoss;
use inrfit::net::{Activation, Form, Source, tensors};

/// Rows and columns known at run time only.
type Array = Tensor<(usize, usize), f64, Cpu>;
/// The same with the tape of what made it.
type Taped = Tensor<(usize, usize), f64, Cpu, OwnedTape<f64, Cpu>>;

impl Problem {
    /// Loss and gradient of step 0 from `dfdx`.
    pub fn dfdx(&self) -> (f64, Vec<f64>) {
        let device = Cpu::default();
        let array = |rows: usize, columns: usize, values: Vec<f64>| -> Array {
            device.tensor_from_vec(values, (rows, columns))
        };
        let (batch, weights, layers) = (self.batch(0), self.effective(&self.weights64()), self.spec.layers());
        let n = batch.len();
        let block =
            |source| batch.iter().flat_map(|&(site, _)| self.inputs(site, source)).collect::<Vec<_>>();
        let mut tape = OwnedTape::default();
        // Real and, where there are, imaginary parts of what each layer gives.
        let mut outputs: Vec<Vec<Array>> = Vec::new();
        // Leaves, and which weight each of their values is.
        let mut leaves: Vec<(Array, Vec<usize>)> = Vec::new();
        let mut heads = Vec::new();
        for (i, layer) in layers.iter().enumerate() {
            let stored = tensors(&self.spec).into_iter().find(|t| t.layer == i).map(|t| t.offset);
            let values: Vec<f64> = match stored {
                Some(offset) => weights[offset..].to_vec(),
                None => {
                    let (matrix, biases) = self.spec.fixed();
                    matrix.into_iter().chain(biases).map(f64::from).collect()
                }
            };
            let mut leaf = |rows: usize, at: Vec<usize>| {
                let w = array(rows, at.len() / rows, at.iter().map(|at| values[*at]).collect());
                if let Some(offset) = stored {
                    leaves.push((w.clone(), at.iter().map(|at| offset + at).collect()));
                }
                w
            };
            // Inputs by their parts, as (values, number of them).
            let (mut complex, mut real) = (Vec::new(), Vec::new());
            for source in &layer.sources {
                match *source {
                    Source::Layer(from) if outputs[from].len() == 2 && layer.form != Form::Real => {
                        complex.push((outputs[from].clone(), layers[from].n_out / 2));
                    }
                    Source::Layer(from) => {
                        let parts = outputs[from].len();
                        real.extend(outputs[from].iter().map(|x| (x.clone(), layers[from].n_out / parts)));
                    }
                    Source::Coords => real.push((array(n, 3, block(*source)), 3)),
                    Source::Features => {
                        let k = self.spec.n_features;
                        real.push((array(n, k, block(*source)), k));
                    }
                }
            }
            // Sums, part by part; the heads, which go to different losses, one by one.
            let last = i == layers.len() - 1;
            let n_real: usize = real.iter().map(|(_, n)| n).sum();
            let n_complex: usize = complex.iter().map(|(_, n)| n).sum();
            let (n_parts, width) = match layer.form {
                Form::Complex { .. } => (2, layer.n_out / 2),
                Form::RealOfComplex => (1, layer.n_out / 2),
                _ if last => (layer.n_out, 1),
                _ => (1, layer.n_out),
            };
            let row = match layer.form {
                Form::Complex { .. } => 2 * (n_complex + n_real),
                _ => layer.n_in,
            };
            // The matrix of inputs by units whose weights start at column `first` of the rows from `unit` on.
            let matrix = |unit: usize, first: usize, n_in: usize| -> Vec<usize> {
                (0..n_in).flat_map(|k| (0..width).map(move |o| (unit + o) * row + first + k)).collect()
            };
            let complex: Vec<_> = complex
                .into_iter()
                .map(|(x, k)| (x, [0, k].map(|first| leaf(k, matrix(0, first, k)))))
                .collect();
            let mut sums = Vec::new();
            for part in 0..n_parts {
                let is_complex = matches!(layer.form, Form::Complex { .. });
                let n_rows = if is_complex { width } else { width * n_parts };
                let b = leaf(1, (0..width).map(|o| n_rows * row + part * width + o).collect());
                // A row of ones spreads the biases over the batch.
                let mut sum = array(n, 1, vec![1.0; n]).put_tape(tape).matmul(b);
                for (x, w) in &complex {
                    // (a + i b) (x + i y) = (a x - b y) + i (b x + a y)
                    let (before, rest) = sum.split_tape();
                    let of_x = x[0].clone().put_tape(rest).matmul(w[part].clone()) + before;
                    let (before, rest) = of_x.split_tape();
                    let of_y = x[1].clone().put_tape(rest).matmul(w[1 - part].clone());
                    sum = if part == 0 { -of_y + before } else { of_y + before };
                }
                let mut first = 2 * n_complex + if is_complex { part * n_real } else { 0 };
                for (x, k) in &real {
                    let w = leaf(*k, matrix(if is_complex { 0 } else { part * width }, first, *k));
                    let (before, rest) = sum.split_tape();
                    sum = x.clone().put_tape(rest).matmul(w) + before;
                    first += k;
                }
                let (sum, rest) = sum.split_tape();
                tape = rest;
                sums.push(sum);
            }
            let single = |f: &dyn Fn(Taped) -> Taped, tape| f(sums[0].clone().put_tape(tape)).split_tape();
            let parts = match layer.activation {
                Activation::Linear => {
                    heads = sums;
                    break;
                }
                Activation::Sine { omega } => {
                    let (y, rest) = single(&|a| (a * f64::from(omega)).sin(), tape);
                    tape = rest;
                    vec![y]
                }
                Activation::Relu => {
                    let (y, rest) = single(&|a| a.relu(), tape);
                    tape = rest;
                    vec![y]
                }
                Activation::Gabor { omega, scale } => {
                    let (envelope, rest) = single(&|a| (-(a * f64::from(scale)).square()).exp(), tape);
                    let (y, rest) = single(&|a| (a * f64::from(omega)).sin() * envelope.clone(), rest);
                    tape = rest;
                    vec![y]
                }
                Activation::Product { by } => {
                    let (y, rest) = single(&|a| a * outputs[by][0].clone(), tape);
                    tape = rest;
                    vec![y]
                }
                Activation::ComplexGabor { omega, scale } => {
                    let (omega, scale) = (f64::from(omega), f64::from(scale));
                    let (mut exponent, mut rest) = single(&|a| -(a * scale).square(), tape);
                    if let Some(im) = sums.get(1) {
                        let norm = -(im.clone().put_tape(rest) * scale).square() + exponent;
                        let (norm, next) = norm.split_tape();
                        (exponent, rest) = (im.clone().put_tape(next) * -omega + norm).split_tape();
                    }
                    let (envelope, rest) = exponent.put_tape(rest).exp().split_tape();
                    let (re, rest) = single(&|a| (a * omega).cos() * envelope.clone(), rest);
                    let (im, rest) = single(&|a| (a * omega).sin() * envelope.clone(), rest);
                    tape = rest;
                    vec![re, im]
                }
            };
            outputs.push(parts);
        }
        let column = |f: &dyn Fn(usize) -> f64, weigh: bool| {
            array(n, 1, batch.iter().map(|&(site, w)| f(site) * if weigh { w } else { 1.0 }).collect())
        };
        let two = heads.len() == 2;
        let occupied = |site: usize| if self.occupied[site] { 1.0 } else { 0.0 };
        let value = heads.pop().expect("a value head").put_tape(tape);
        let error = value - column(&|site| f64::from(self.targets[site]), false);
        let penalty = match self.loss.value {
            ValueLoss::L1 => error.abs(),
            ValueLoss::L2 => error.square(),
        };
        let mask = |site| f64::from(self.loss.value_scale) * if two { occupied(site) } else { 1.0 };
        let mut loss = (penalty * column(&mask, true)).sum::<(), _>();
        if let Some(logit) = heads.pop() {
            let (value, tape) = loss.split_tape();
            let entropy = logit.put_tape(tape).bce_with_logits(column(&occupied, false));
            loss = (entropy * column(&|_| 1.0, true)).sum::<(), _>() + value;
        }
        let total = loss.array();
        let gradients = loss.backward();
        let mut out = vec![0.0; weights.len()];
        for (w, at) in leaves {
            for (at, g) in at.into_iter().zip(gradients.get(&w).as_vec()) {
                out[at] += g;
            }
        }
        (total, out)
    }
}
