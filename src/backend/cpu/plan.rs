//! Memory layout of a network on the CPU.
//!
//! Units come in blocks of 16. Activations of a tile of points lie block by block, `[block][point][16]`;
//! matrices as panels, `[block of outputs][input][16]`, and transposed, `[block of inputs][output][16]`. All
//! three products of a step (sums, gradients of inputs, gradients of weights) then read whole blocks along the
//! lanes and single values along the reduction.

use crate::net::{Activation, NetSpec, Source, Weights, tensors};

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
    /// First block that it writes.
    pub out_block: usize,
    /// Blocks that it writes.
    pub n_out_blocks: usize,
    /// Start of its panels in the parameters, and of its biases.
    pub matrix: usize,
    pub bias: usize,
    /// Start of its transposed panels; `None` where nobody needs gradients of its inputs.
    pub transposed: Option<usize>,
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

impl Plan {
    pub fn new(spec: &NetSpec) -> Plan {
        let n_feature_blocks = spec.n_features.div_ceil(BLOCK);
        let mut n_blocks = 1 + n_feature_blocks;
        let (mut n_params, mut n_transposed) = (0, 0);
        let mut layers: Vec<LayerPlan> = Vec::new();
        for dense in spec.layers() {
            let mut inputs = Vec::new();
            let mut needs_gradient = false;
            for source in &dense.sources {
                let (first, n) = match *source {
                    Source::Coords => (0, spec.n_coords),
                    Source::Features => (1, spec.n_features),
                    Source::Layer(i) => {
                        needs_gradient = true;
                        (layers[i].out_block, layers[i].n_out)
                    }
                };
                inputs.extend((0..n.div_ceil(BLOCK)).map(|b| (first + b, BLOCK.min(n - b * BLOCK))));
            }
            let n_out_blocks = dense.n_out.div_ceil(BLOCK);
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
                out_block: n_blocks,
                n_out_blocks,
                matrix,
                bias,
                transposed,
            });
            n_blocks += n_out_blocks;
        }
        Plan { spec: *spec, layers, n_blocks, n_params, n_transposed }
    }

    /// First block of the last layer: the heads.
    pub fn head_block(&self) -> usize {
        self.layers[self.layers.len() - 1].out_block
    }

    /// Where each weight lies in the panels, in the order of [`Weights`], with the number of its tensor.
    pub fn positions(&self) -> Vec<u32> {
        let mut out = Vec::with_capacity(self.spec.n_weights());
        for t in tensors(&self.spec) {
            let layer = &self.layers[t.layer];
            for row in 0..t.n_rows {
                for col in 0..t.n_cols {
                    let (block, lane) = (row / BLOCK, row % BLOCK);
                    let at = if t.is_bias {
                        layer.bias + row
                    } else {
                        layer.matrix + (block * layer.n_in + col) * BLOCK + lane
                    };
                    out.push(at as u32);
                }
            }
        }
        out
    }

    /// Panels of `weights`; lanes without a unit are 0.
    pub fn pack(&self, weights: &Weights) -> Vec<f32> {
        let mut params = vec![0.0; self.n_params];
        for (at, v) in self.positions().iter().zip(weights.values()) {
            params[*at as usize] = *v;
        }
        params
    }

    /// Values in the order of [`Weights`] from panels.
    pub fn unpack(&self, params: &[f32]) -> Vec<f32> {
        self.positions().iter().map(|&at| params[at as usize]).collect()
    }

    /// Fills the transposed panels of one layer from its panels.
    pub fn transpose(&self, layer: usize, params: &[f32], transposed: &mut [f32]) {
        let l = &self.layers[layer];
        let mut col = 0;
        for (block, &(_, n)) in l.inputs.iter().enumerate() {
            for o in 0..l.n_out {
                let from = l.matrix + (o / BLOCK * l.n_in + col) * BLOCK + o % BLOCK;
                let to = (block * l.n_out + o) * BLOCK;
                for k in 0..n {
                    transposed[to + k] = params[from + k * BLOCK];
                }
            }
            col += n;
        }
    }
}
