//! Memory layout of a network on the CPU.
//!
//! Units come in blocks of 16. Activations of a tile of points lie block by block, `[block][point][16]`;
//! matrices as panels, `[block of outputs][input][16]`, and transposed, `[block of inputs][output][16]`. All
//! three products of a step (sums, gradients of inputs, gradients of weights) then read whole blocks along the
//! lanes and single values along the reduction.
//!
//! The outputs of a complex layer are two *parts*, real and imaginary, of as many blocks each. Its matrix is laid out as
//! the real one that does the same: each stored weight then stands in two places, once perhaps with its sign changed.

use crate::net::{Activation, Dense, Form, NetSpec, Source, Weights, tensors};

/// Units of a block.
pub const BLOCK: usize = 16;

/// One layer's place in the buffers.
#[derive(Debug, Clone)]
pub struct LayerPlan {
    pub n_in: usize,
    pub n_out: usize,
    pub activation: Activation,
    /// Blocks that the layer reads: (number of the block in the activations, units in it), in input order.
    pub inputs: Vec<(usize, usize)>,
    /// Units in each block that it writes.
    pub outputs: Vec<usize>,
    /// First block that it writes.
    pub out_block: usize,
    /// Blocks that it writes.
    pub n_out_blocks: usize,
    /// Start of its panels in the parameters, and of its biases.
    pub matrix: usize,
    pub bias: usize,
    /// Start of its transposed panels; `None` where nobody needs gradients of its inputs.
    pub transposed: Option<usize>,
    /// Blocks of a part of a complex layer's outputs; 0 = real.
    pub out_half: usize,
    /// Whether the imaginary parts of a complex layer's sums are 0.
    pub sums_are_real: bool,
    /// First block of the layer whose outputs multiply the sums of this one; 0 = none.
    pub factor: usize,
    /// What its first inputs need in the backward pass.
    pub first_inputs: FirstInputs,
    /// Whether the weights are not trained.
    pub is_fixed: bool,
    form: Form,
}

/// The layer that the first inputs of another come from, as far as its gradient is not its own slope times what comes
/// back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FirstInputs {
    Plain,
    /// Complex wavelets of this frequency, in parts of so many blocks.
    Complex {
        half: usize,
        omega: f32,
    },
    /// So many blocks of sums that are multiplied by those from block `factor` on.
    Products {
        n: usize,
        factor: usize,
    },
}

/// A network's layout.
#[derive(Debug, Clone)]
pub struct Plan {
    pub spec: NetSpec,
    pub layers: Vec<LayerPlan>,
    /// Blocks of activations, the inputs' included; the coordinate block is 0, features follow.
    pub n_blocks: usize,
    /// Length of the parameters in panels.
    pub n_params: usize,
    /// Length of the transposed panels.
    pub n_transposed: usize,
}

/// Units of the blocks that hold `n` values, in two parts where `is_complex`.
fn units(n: usize, is_complex: bool) -> Vec<usize> {
    let part = |n: usize| (0..n.div_ceil(BLOCK)).map(|b| BLOCK.min(n - b * BLOCK)).collect::<Vec<_>>();
    if is_complex { part(n / 2).repeat(2) } else { part(n) }
}

impl LayerPlan {
    /// Place of output `o` among the outputs of all its blocks.
    fn row(&self, o: usize) -> usize {
        match self.out_half {
            0 => o,
            half => o / (self.n_out / 2) * half * BLOCK + o % (self.n_out / 2),
        }
    }

    /// Place of the weight of `output` for `input` in the parameters.
    fn at(&self, output: usize, input: usize) -> usize {
        let row = self.row(output);
        self.matrix + (row / BLOCK * self.n_in + input) * BLOCK + row % BLOCK
    }

    /// Place of the stored weight in row `row` and column `col`, and where else it stands, and whether negated.
    fn places(&self, row: usize, col: usize) -> (usize, Option<(usize, bool)>) {
        let Form::Complex { n_complex } = self.form else { return (self.at(row, col), None) };
        let (n, n_real) = (self.n_out / 2, self.n_in - 2 * n_complex);
        match col.checked_sub(2 * n_complex) {
            None if col < n_complex => (self.at(row, col), Some((self.at(n + row, n_complex + col), false))),
            None => (self.at(n + row, col - n_complex), Some((self.at(row, col), true))),
            Some(k) if k < n_real => (self.at(row, 2 * n_complex + k), None),
            Some(k) => (self.at(n + row, 2 * n_complex + k - n_real), None),
        }
    }
}

impl LayerPlan {
    /// What a layer that reads this one first needs to know of it.
    fn as_inputs(&self) -> FirstInputs {
        match self.activation {
            Activation::ComplexGabor { omega, .. } => FirstInputs::Complex { half: self.out_half, omega },
            Activation::Product { .. } => FirstInputs::Products { n: self.n_out_blocks, factor: self.factor },
            _ => FirstInputs::Plain,
        }
    }
}

/// First block of the layer that multiplies `dense`; 0 where there is none.
fn factor(dense: &Dense, layers: &[LayerPlan]) -> usize {
    match dense.activation {
        Activation::Product { by } => layers[by].out_block,
        _ => 0,
    }
}

impl Plan {
    pub fn new(spec: &NetSpec) -> Plan {
        let n_feature_blocks = spec.n_features.div_ceil(BLOCK);
        let mut n_blocks = 1 + n_feature_blocks;
        let (mut n_params, mut n_transposed) = (0, 0);
        let dense = spec.layers();
        let mut layers: Vec<LayerPlan> = Vec::new();
        for dense in &dense {
            let mut inputs = Vec::new();
            for source in &dense.sources {
                let (first, units) = match *source {
                    Source::Coords => (0, units(spec.n_coords, false)),
                    Source::Features => (1, units(spec.n_features, false)),
                    Source::Layer(i) => (layers[i].out_block, layers[i].outputs.clone()),
                };
                inputs.extend(units.into_iter().enumerate().map(|(b, n)| (first + b, n)));
            }
            let first_inputs = match dense.sources[0] {
                Source::Layer(i) => layers[i].as_inputs(),
                _ => FirstInputs::Plain,
            };
            // A fixed layer's outputs have no gradients.
            let needs_gradient = |source: &Source| matches!(*source, Source::Layer(i) if !layers[i].is_fixed);
            let needs_gradient = dense.sources.iter().any(needs_gradient);
            let is_complex = matches!(dense.form, Form::Complex { .. } | Form::RealOfComplex);
            let outputs = units(dense.n_out, is_complex);
            let n_out_blocks = outputs.len();
            let matrix = n_params;
            let bias = matrix + n_out_blocks * dense.n_in * BLOCK;
            n_params = bias + n_out_blocks * BLOCK;
            let transposed = needs_gradient.then_some(n_transposed);
            if needs_gradient {
                n_transposed += inputs.len() * dense.n_out * BLOCK;
            }
            layers.push(LayerPlan {
                n_in: dense.n_in,
                n_out: dense.n_out,
                activation: dense.activation,
                inputs,
                outputs,
                out_block: n_blocks,
                n_out_blocks,
                matrix,
                bias,
                transposed,
                out_half: if is_complex { n_out_blocks / 2 } else { 0 },
                sums_are_real: dense.form == Form::RealOfComplex,
                factor: factor(dense, &layers),
                first_inputs,
                is_fixed: dense.form == Form::Fixed,
                form: dense.form,
            });
            n_blocks += n_out_blocks;
        }
        Plan { spec: *spec, layers, n_blocks, n_params, n_transposed }
    }

    /// First block of the last layer: the heads.
    pub fn head_block(&self) -> usize {
        self.layers[self.layers.len() - 1].out_block
    }

    /// Where each weight lies in the panels, in the order of [`Weights`]; where it stands a second time, and whether
    /// negated there.
    pub fn positions(&self) -> Vec<(u32, Option<(u32, bool)>)> {
        let mut out = Vec::with_capacity(self.spec.n_weights());
        for t in tensors(&self.spec) {
            let layer = &self.layers[t.layer];
            for row in 0..t.n_rows {
                for col in 0..t.n_cols {
                    let (at, again) = match t.is_bias {
                        true => (layer.bias + layer.row(row), None),
                        false => layer.places(row, col),
                    };
                    out.push((at as u32, again.map(|(at, negated)| (at as u32, negated))));
                }
            }
        }
        out
    }

    /// Panels of `weights`; lanes without a unit are 0.
    pub fn pack(&self, weights: &Weights) -> Vec<f32> {
        let mut params = vec![0.0; self.n_params];
        for ((at, again), v) in self.positions().iter().zip(weights.values()) {
            params[*at as usize] = *v;
            if let Some((at, negated)) = again {
                params[*at as usize] = if *negated { -*v } else { *v };
            }
        }
        for layer in self.layers.iter().filter(|l| l.is_fixed) {
            let (matrix, biases) = self.spec.fixed();
            for (o, (row, bias)) in matrix.chunks_exact(layer.n_in).zip(biases).enumerate() {
                params[layer.bias + o] = bias;
                row.iter().enumerate().for_each(|(k, w)| params[layer.at(o, k)] = *w);
            }
        }
        params
    }

    /// Values in the order of [`Weights`] from panels.
    pub fn unpack(&self, params: &[f32]) -> Vec<f32> {
        self.positions().iter().map(|&(at, _)| params[at as usize]).collect()
    }

    /// Gives weights that stand in two places the sum of both gradients, in both.
    pub fn fold(&self, gradient: &mut [f32]) {
        for layer in &self.layers {
            let Form::Complex { n_complex } = layer.form else { continue };
            for block in 0..layer.out_half {
                let row = |block: usize, input: usize| layer.matrix + (block * layer.n_in + input) * BLOCK;
                for k in 0..n_complex {
                    let (real, imaginary) = (row(block, k), row(block + layer.out_half, n_complex + k));
                    for lane in 0..BLOCK {
                        let sum = gradient[real + lane] + gradient[imaginary + lane];
                        gradient[real + lane] = sum;
                        gradient[imaginary + lane] = sum;
                    }
                    let (plain, negated) = (row(block + layer.out_half, k), row(block, n_complex + k));
                    for lane in 0..BLOCK {
                        let sum = gradient[plain + lane] - gradient[negated + lane];
                        gradient[plain + lane] = sum;
                        gradient[negated + lane] = -sum;
                    }
                }
            }
        }
    }

    /// Fills the transposed panels of one layer from its panels.
    pub fn transpose(&self, layer: usize, params: &[f32], transposed: &mut [f32]) {
        let l = &self.layers[layer];
        let mut col = 0;
        for (block, &(_, n)) in l.inputs.iter().enumerate() {
            for o in 0..l.n_out {
                let from = l.at(o, col);
                let to = (block * l.n_out + o) * BLOCK;
                for k in 0..n {
                    transposed[to + k] = params[from + k * BLOCK];
                }
            }
            col += n;
        }
    }
}
