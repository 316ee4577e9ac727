//! A network in a device's memory.
//!
//! Weights as they are stored become two dense matrices a layer, as on the CPU: one that sums read, `[input][output]`, and
//! one that gradients of inputs read, `[output][input]`. Outputs (there inputs) are padded to whole fours, complex ones by
//! their two parts; from 64 on they are padded to eights, which the kernels take at once.

use super::abi::{self, HIGH, NOWHERE};
use crate::error::{Error, ErrorKind, Result};
use crate::net::{Activation, Dense, Form, NetSpec, Source, Weights, tensors};

/// Layers of fewer inputs or outputs are not worth a tile of tensor cores.
const TENSOR_INPUTS: usize = 16;
const TENSOR_OUTPUTS: usize = 8;

/// From so many outputs on, kernels take eight at once.
const WIDE: usize = 64;

/// Where everything of a network lies.
pub struct Layout {
    pub net: abi::Net,
    pub layers: Vec<abi::Layer>,
    /// Of each stored weight.
    pub standings: Vec<abi::Standing>,
    /// Its tensor.
    pub tensor_of: Vec<u32>,
    /// What Muon moves.
    pub matrices: Vec<abi::Matrix>,
    /// Length of the tiles for tensor cores, in bf16 numbers.
    pub n_tensor: usize,
    /// Whether tensor cores can train it: every activation is a function of its own sum.
    pub is_of_single_sums: bool,
    /// Forward and backward weights with those that are not trained in place, all others 0.
    forward: Vec<f32>,
    back: Vec<f32>,
}

/// `n` as far as a matrix has places for it.
fn padded(n: usize) -> usize {
    n.next_multiple_of(if n >= WIDE { 8 } else { 4 })
}

/// Where output `o` of `layer` stands among its places.
fn output_place(layer: &abi::Layer, o: usize) -> usize {
    let part = layer.part as usize;
    o / part * layer.part_places as usize + o % part
}

/// Where input `k` of `layer` stands in its backward matrix.
fn input_place(layer: &abi::Layer, k: usize) -> usize {
    let n = layer.in_complex as usize;
    let places = n.next_multiple_of(4);
    match k {
        _ if k < n => k,
        _ if k < 2 * n => places + k - n,
        _ => 2 * places + k - 2 * n,
    }
}

/// Where element (`m`, `k`) of a matrix of `n_k` columns stands among its tiles: 16 by 16 numbers, in the order in which the
/// lanes of a warp hold them.
fn tile_place(m: usize, k: usize, n_k: usize) -> usize {
    let tile = m / 16 * n_k.div_ceil(16) + k / 16;
    let lane = m % 8 * 4 + k % 8 / 2;
    let pair = m % 16 / 8 + k % 16 / 8 * 2;
    ((tile * 32 + lane) * 4 + pair) * 2 + k % 2
}

/// Where the weight of an output for an input stands among the tiles of `layer`.
fn tensor_standing(layer: &abi::Layer, (o, k): (usize, usize)) -> (u32, u32) {
    if layer.flags & abi::IS_TENSOR == 0 {
        return (NOWHERE, NOWHERE);
    }
    let (n_in, n_out) = (layer.n_in as usize, layer.n_out as usize);
    let forward = layer.tensor_forward as usize * 8 + tile_place(o, k, n_in);
    let back = layer.tensor_back as usize * 8 + tile_place(k, o, n_out);
    (forward as u32, back as u32)
}

fn standing(layer: &abi::Layer, (o, k): (usize, usize)) -> (u32, u32) {
    let forward = layer.matrix as usize + k * layer.n_places as usize + output_place(layer, o);
    let back = layer.back as usize + o * layer.n_back as usize + input_place(layer, k);
    (forward as u32, if layer.n_back > 0 { back as u32 } else { NOWHERE })
}

/// Output and input that the stored weight in `row` and `col` is for, and those of which it is the weight again, and
/// whether negated.
type Weighs = ((usize, usize), Option<((usize, usize), bool)>);
fn weighs(dense: &Dense, row: usize, col: usize) -> Weighs {
    let Form::Complex { n_complex } = dense.form else { return ((row, col), None) };
    let (n, n_real) = (dense.n_out / 2, dense.n_in - 2 * n_complex);
    match col.checked_sub(2 * n_complex) {
        None if col < n_complex => ((row, col), Some(((n + row, n_complex + col), false))),
        None => ((n + row, col - n_complex), Some(((row, col), true))),
        Some(k) if k < n_real => ((row, 2 * n_complex + k), None),
        Some(k) => ((n + row, 2 * n_complex + k - n_real), None),
    }
}

impl Layout {
    /// The layout of `spec`.
    ///
    /// # Errors
    /// `Unsupported` for a network that the kernels cannot address.
    pub fn new(spec: &NetSpec) -> Result<Layout> {
        let dense = spec.layers();
        let mut layers: Vec<abi::Layer> = Vec::new();
        let (mut n_rows, mut n_forward, mut n_back) = (spec.n_coords + spec.n_features, 0, 0);
        let mut n_tensor = 0;
        for d in &dense {
            let layer = layer(spec, d, &dense, &layers, [n_rows, n_forward, n_back]);
            let mut layer = layer.ok_or_else(|| unsupported("its inputs do not lie side by side"))?;
            let reads_coords = d.sources.contains(&Source::Coords);
            let is_plain = layer.in_complex == 0 && layer.in_product == 0 && is_of_single_sum(d);
            if is_plain && !reads_coords && d.n_in >= TENSOR_INPUTS && d.n_out >= TENSOR_OUTPUTS {
                let (down, across) = (d.n_out.div_ceil(16), d.n_in.div_ceil(16));
                layer.flags |= abi::IS_TENSOR;
                layer.tensor_forward = (n_tensor / 8) as u32;
                layer.tensor_back = (n_tensor / 8 + down * across * 32) as u32;
                n_tensor += 2 * down * across * 256;
            }
            n_rows += d.n_out;
            n_forward = layer.bias as usize + layer.n_places as usize;
            n_back += d.n_out * layer.n_back as usize;
            layers.push(layer);
        }
        if n_forward.max(n_back).max(n_tensor) >= HIGH as usize {
            return Err(unsupported("too many weights"));
        }
        let mut standings = Vec::with_capacity(spec.n_weights());
        let mut tensor_of = Vec::with_capacity(spec.n_weights());
        let mut matrices = Vec::new();
        for (i, t) in tensors(spec).into_iter().enumerate() {
            let (d, layer) = (&dense[t.layer], &layers[t.layer]);
            for row in 0..t.n_rows {
                for col in 0..t.n_cols {
                    let (at, again) = weighs(d, row, col);
                    standings.push(match t.is_bias {
                        true => abi::Standing {
                            forward: layer.bias + output_place(layer, row) as u32,
                            back: NOWHERE,
                            forward_again: NOWHERE,
                            back_again: NOWHERE,
                            tensor_forward: NOWHERE,
                            tensor_back: NOWHERE,
                        },
                        false => {
                            let (forward, back) = standing(layer, at);
                            let again = again.map(|(at, negated)| (standing(layer, at), negated));
                            let sign = |negated| if negated { HIGH } else { 0 };
                            let (forward_again, back_again) =
                                again.map_or((NOWHERE, NOWHERE), |((f, b), negated)| (f | sign(negated), b));
                            let (tensor_forward, tensor_back) = tensor_standing(layer, at);
                            abi::Standing {
                                forward,
                                back,
                                forward_again,
                                back_again,
                                tensor_forward,
                                tensor_back,
                            }
                        }
                    });
                    tensor_of.push(i as u32);
                }
            }
            let reads_layers = d.sources.iter().all(|s| matches!(s, Source::Layer(_)));
            if !t.is_bias && t.layer + 1 < dense.len() && reads_layers {
                let [first, n_rows, n_cols] = [t.offset, t.n_rows, t.n_cols].map(|n| n as u32);
                matrices.push(abi::Matrix { first, n_rows, n_cols, unused: 0 });
            }
        }
        let (mut forward, mut back) = (vec![0.0; n_forward], vec![0.0; n_back]);
        let (matrix, biases) = spec.fixed();
        for (l, d) in layers.iter().zip(&dense).filter(|(_, d)| d.form == Form::Fixed) {
            for (o, (row, bias)) in matrix.chunks_exact(d.n_in).zip(&biases).enumerate() {
                forward[l.bias as usize + output_place(l, o)] = *bias;
                for (k, w) in row.iter().enumerate() {
                    let (f, b) = standing(l, (o, k));
                    forward[f as usize] = *w;
                    if b != NOWHERE {
                        back[b as usize] = *w;
                    }
                }
            }
        }
        let [n_layers, n_features, n_heads, n_rows, n_forward, n_back] =
            [layers.len(), spec.n_features, spec.n_heads, n_rows, n_forward, n_back].map(|n| n as u32);
        let net = abi::Net { n_layers, n_features, n_heads, n_rows, n_forward, n_back };
        Ok(Layout {
            net,
            layers,
            standings,
            tensor_of,
            matrices,
            n_tensor,
            is_of_single_sums: dense.iter().all(is_of_single_sum),
            forward,
            back,
        })
    }

    /// Forward and backward weights as they are before any is trained.
    pub fn untrained(&self) -> (&[f32], &[f32]) {
        (&self.forward, &self.back)
    }

    /// Forward weights of `weights`.
    pub fn forward(&self, weights: &Weights) -> Vec<f32> {
        let mut forward = self.forward.clone();
        for (s, &w) in self.standings.iter().zip(weights.values()) {
            forward[s.forward as usize] = w;
            if s.forward_again != NOWHERE {
                let negated = s.forward_again & HIGH != 0;
                forward[(s.forward_again & !HIGH) as usize] = if negated { -w } else { w };
            }
        }
        forward
    }

    /// Rows of a tile that have slopes.
    fn n_slopes(&self) -> usize {
        (self.net.n_rows - 3 - self.net.n_features) as usize
    }

    /// Floats that Muon takes for the largest matrix.
    pub fn muon_floats(&self) -> usize {
        let floats = |m: &abi::Matrix| {
            let [rows, cols] = [m.n_rows, m.n_cols].map(|n| (n as usize).next_multiple_of(4));
            let (wide, across) = (rows.min(cols), rows.max(cols));
            2 * wide * (across + wide)
        };
        self.matrices.iter().map(floats).max().unwrap_or(0)
    }
}

/// Whether each output of a layer is a function of one sum.
fn is_of_single_sum(dense: &Dense) -> bool {
    !matches!(dense.activation, Activation::ComplexGabor { .. } | Activation::Product { .. })
}

fn unsupported(why: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the CUDA back end has no kernels for this network ({why}); use --device cpu"),
    )
}

/// `dense` behind `layers`, at the given first row, forward and backward place; `None` where its inputs are not
/// neighbouring rows.
fn layer(
    spec: &NetSpec,
    dense: &Dense,
    all: &[Dense],
    layers: &[abi::Layer],
    [first_row, forward, back]: [usize; 3],
) -> Option<abi::Layer> {
    let rows = |source: &Source| match *source {
        Source::Coords => (0, spec.n_coords),
        Source::Features => (spec.n_coords, spec.n_features),
        Source::Layer(i) => (layers[i].out_first as usize, layers[i].n_out as usize),
    };
    let (in_first, mut next) = (rows(&dense.sources[0]).0, rows(&dense.sources[0]).0);
    for (first, n) in dense.sources.iter().map(rows) {
        if first != next {
            return None;
        }
        next += n;
    }
    let is_complex = matches!(dense.form, Form::Complex { .. } | Form::RealOfComplex);
    let part = if is_complex { dense.n_out / 2 } else { dense.n_out };
    let part_places = if is_complex { part.next_multiple_of(4) } else { padded(part) };
    let n_places = if is_complex { 2 * part_places } else { part_places };
    let (mut in_complex, mut in_product, mut in_factor, mut in_omega) = (0, 0, 0, 0.0);
    if let Source::Layer(i) = dense.sources[0] {
        match all[i].activation {
            Activation::ComplexGabor { omega, .. } => (in_complex, in_omega) = (layers[i].part, omega),
            Activation::Product { by } => (in_product, in_factor) = (layers[i].n_out, layers[by].out_first),
            _ => {}
        }
    }
    let has_gradient = |s: &Source| matches!(*s, Source::Layer(i) if all[i].form != Form::Fixed);
    let n_back = match dense.sources.iter().any(has_gradient) {
        false => 0,
        true if in_complex == 0 => padded(dense.n_in),
        true => {
            let n = in_complex as usize;
            2 * n.next_multiple_of(4) + (dense.n_in - 2 * n).next_multiple_of(4)
        }
    };
    let (activation, omega, scale, factor) = match dense.activation {
        Activation::Sine { omega } => (0, omega, 0.0, 0),
        Activation::Relu => (1, 0.0, 0.0, 0),
        Activation::Linear => (2, 0.0, 0.0, 0),
        Activation::Gabor { omega, scale } => (3, omega, scale, 0),
        Activation::ComplexGabor { omega, scale } => (4, omega, scale, 0),
        Activation::Product { by } => (5, 0.0, 0.0, layers[by].out_first),
    };
    let flag = |is: bool, flag: u32| if is { flag } else { 0 };
    let flags = flag(dense.form == Form::RealOfComplex, abi::SUMS_ARE_REAL)
        | flag(dense.form == Form::Fixed, abi::IS_FIXED);
    let n = |n: usize| n as u32;
    Some(abi::Layer {
        in_first: n(in_first),
        n_in: n(dense.n_in),
        out_first: n(first_row),
        n_out: n(dense.n_out),
        part: n(part),
        part_places: n(part_places),
        n_places: n(n_places),
        matrix: n(forward),
        bias: n(forward + dense.n_in * n_places),
        back: n(back),
        n_back: n(n_back),
        in_complex,
        in_product,
        in_factor,
        factor,
        activation,
        flags,
        tensor_forward: 0,
        tensor_back: 0,
        omega,
        scale,
        in_omega,
    })
}

/// What a block holds where.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    pub places: abi::Places,
    /// Columns of a tile, and floats from row to row.
    pub n_points: u32,
    pub stride: u32,
    /// Bytes of dynamic shared memory.
    pub shared: usize,
}

/// Places in shared memory as long as there is room, in scratch memory from then on.
struct Room {
    free: usize,
    shared: usize,
    scratch: usize,
}

impl Room {
    fn new(bytes: usize) -> Room {
        Room { free: bytes / 16 * 4, shared: 0, scratch: 0 }
    }

    /// A place for `n` floats in shared memory.
    fn shared(&mut self, n: usize) -> Option<u32> {
        let n = n.next_multiple_of(4);
        if n > self.free {
            return None;
        }
        self.free -= n;
        self.shared += n;
        Some((self.shared - n) as u32)
    }

    fn anywhere(&mut self, n: usize) -> u32 {
        self.shared(n).unwrap_or_else(|| {
            self.scratch += n.next_multiple_of(4);
            (self.scratch - n.next_multiple_of(4)) as u32 | HIGH
        })
    }

    fn plan(self, places: abi::Places, n_points: usize) -> Plan {
        Plan {
            places: abi::Places { scratch_stride: self.scratch as u32, ..places },
            n_points: n_points as u32,
            stride: stride(n_points) as u32,
            shared: 4 * self.shared,
        }
    }
}

/// Floats from row to row: threads that read the same columns of neighbouring rows meet in no bank.
fn stride(n_points: usize) -> usize {
    n_points + 4
}

impl Layout {
    /// Columns of a tile of `n_rows` rows: the most that fit in `bytes`, and as many as there can be where none do.
    fn n_points(n_rows: usize, bytes: usize) -> usize {
        let fits = |n: &usize| 4 * n_rows * stride(*n) <= bytes;
        [abi::POINTS, abi::POINTS / 2, abi::POINTS / 4].into_iter().find(fits).unwrap_or(abi::POINTS)
    }

    const NONE: abi::Places = abi::Places {
        values: NOWHERE,
        slopes: NOWHERE,
        forward: NOWHERE,
        back: NOWHERE,
        gradient: NOWHERE,
        total: NOWHERE,
        muon: NOWHERE,
        scratch_stride: 0,
    };

    /// What a block that evaluates holds, in at most `bytes` of shared memory.
    pub fn evaluation(&self, bytes: usize) -> Plan {
        let n_rows = self.net.n_rows as usize;
        let n_points = Layout::n_points(n_rows, bytes);
        let mut room = Room::new(bytes);
        let places = abi::Places { values: room.anywhere(n_rows * stride(n_points)), ..Layout::NONE };
        room.plan(places, n_points)
    }

    /// What a block that trains holds: one of the blocks of a step, or the only one of a `whole` round.
    pub fn training(&self, bytes: usize, whole: bool) -> Plan {
        let (n_rows, n_slopes) = (self.net.n_rows as usize, self.n_slopes());
        let n_points = Layout::n_points(n_rows + n_slopes, bytes);
        let mut room = Room::new(bytes);
        let values = room.anywhere(n_rows * stride(n_points));
        let slopes = room.anywhere(n_slopes * stride(n_points));
        let (n_forward, n_back) = (self.net.n_forward as usize, self.net.n_back as usize);
        let mut places = abi::Places { values, slopes, ..Layout::NONE };
        if whole {
            places.gradient = room.anywhere(n_forward);
            places.total = room.anywhere(n_forward);
            // Rows are free again when Muon runs.
            let tile = if (values | slopes) & HIGH == 0 { room.shared } else { 0 };
            let rows = (n_rows + n_slopes) * stride(n_points);
            places.muon = match self.muon_floats() {
                n if tile > 0 && n <= rows => values,
                n => room.anywhere(n),
            };
        } else {
            places.gradient = room.shared(n_forward).unwrap_or(NOWHERE);
        }
        places.forward = room.shared(n_forward).unwrap_or(NOWHERE);
        places.back = room.shared(n_back).unwrap_or(NOWHERE);
        room.plan(places, n_points)
    }

    /// What a block that moves a matrix holds.
    pub fn muon(&self, bytes: usize) -> Plan {
        let mut room = Room::new(bytes);
        let places = abi::Places { muon: room.anywhere(self.muon_floats()), ..Layout::NONE };
        room.plan(places, abi::POINTS)
    }
}
