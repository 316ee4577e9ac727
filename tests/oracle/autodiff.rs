//! The same loss and gradient by the automatic differentiation of `dfdx`.

use super::Problem;
use dfdx::prelude::{
    AsArray, Axis, Backward, BroadcastTo, Cpu, OwnedTape, PutTape, SplitTape, SumTo, Tensor, TensorFromVec,
    TryMatMul,
};
use inrfit::backend::ValueLoss;
use inrfit::net::{Activation, Source, tensors};

/// Rows and columns known at run time only.
type Array = Tensor<(usize, usize), f64, Cpu>;

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
        let mut outputs: Vec<Array> = Vec::new();
        // Leaves and where their gradients belong: (matrix, transposed, columns `first..`) and biases.
        let (mut matrices, mut biases, mut heads) = (Vec::new(), Vec::new(), Vec::new());
        for (i, layer) in layers.iter().enumerate() {
            let (matrix, bias) = (tensors(&self.spec)[2 * i].offset, tensors(&self.spec)[2 * i + 1].offset);
            // One block of outputs a layer, but for the heads, which go to different losses: one each.
            let last = i == layers.len() - 1;
            let width = if last { 1 } else { layer.n_out };
            for rows in (0..layer.n_out).step_by(width).map(|o| o..o + width) {
                let b: Tensor<(usize,), f64, _> =
                    device.tensor_from_vec(weights[bias..][rows.clone()].to_vec(), (rows.len(),));
                let mut sum = b.clone().put_tape(tape).broadcast_like::<_, Axis<0>>(&(n, rows.len()));
                biases.push((b, bias + rows.start));
                let mut first = 0;
                for source in &layer.sources {
                    let (x, n_in) = match *source {
                        Source::Layer(from) => (outputs[from].clone(), layers[from].n_out),
                        Source::Coords => (array(n, 3, block(*source)), 3),
                        Source::Features => {
                            (array(n, self.spec.n_features, block(*source)), self.spec.n_features)
                        }
                    };
                    let at = |k: usize, o: usize| matrix + o * layer.n_in + first + k;
                    let values = (0..n_in).flat_map(|k| rows.clone().map(move |o| (k, o)));
                    let w = array(n_in, rows.len(), values.map(|(k, o)| weights[at(k, o)]).collect());
                    let (before, tape) = sum.split_tape();
                    sum = x.put_tape(tape).matmul(w.clone()) + before;
                    matrices.push((w, i, rows.clone(), first));
                    first += n_in;
                }
                let y = match layer.activation {
                    Activation::Sine { omega } => (sum * f64::from(omega)).sin(),
                    Activation::Relu => sum.relu(),
                    Activation::Linear => sum,
                };
                let (y, rest) = y.split_tape();
                tape = rest;
                if last { heads.push(y) } else { outputs.push(y) }
            }
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
        for (w, i, rows, first) in matrices {
            let (n_in, t) = (layers[i].n_in, tensors(&self.spec)[2 * i]);
            for (at, g) in gradients.get(&w).as_vec().into_iter().enumerate() {
                out[t.offset + (rows.start + at % rows.len()) * n_in + first + at / rows.len()] = g;
            }
        }
        for (b, at) in biases {
            let g = gradients.get(&b).as_vec();
            out[at..at + g.len()].copy_from_slice(&g);
        }
        (total, out)
    }
}
