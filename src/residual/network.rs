//! Context networks: what past events tell of a value, given its surroundings. Whole numbers only.

use super::neighbourhood::{Features, MAX_FEATURE, N_FEATURES};
use crate::error::{Error, Result};
use inrfit_entropy::{Coder, Decoder, Encoder, cdf, code_matrix};

/// Logistic distributions that a prediction is made of.
pub const N_PARTS: usize = 3;
/// Outputs: centre, fineness and share of each part.
pub const N_OUTPUTS: usize = 3 * N_PARTS;
/// Most units of a hidden layer.
pub const MAX_UNITS: usize = 256;
/// Units come in such blocks.
pub const BLOCK: usize = 16;
/// Largest weight or bias.
const MAX_WEIGHT: i32 = i16::MAX as i32;
/// Largest output of a hidden unit, in units of 2^-8.
const MAX_UNIT: i32 = i16::MAX as i32;
/// Finenesses stay within this many sixteenths of an octave: distributions 2^-9 to 2^3 log2 units wide.
const FINENESS: (i32, i32) = (-3 * 16, 9 * 16);

/// `OCTAVE[i]` = 2^(i / 16) in units of 2^-14, rounded.
const OCTAVE: [i64; 16] = [
    16384, 17109, 17867, 18658, 19484, 20347, 21247, 22188, 23170, 24196, 25268, 26386, 27554, 28774, 30048,
    31379,
];

/// One dense layer. Inputs, outputs and weights are in units of 2^-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub n_in: usize,
    pub n_out: usize,
    /// By blocks of outputs, within each by input.
    blocks: Vec<[i16; BLOCK]>,
    /// In units of 2^-16, by output.
    bias: Vec<i32>,
}

impl Layer {
    /// A layer of weights (by output, then by input) and biases in units of 2^-8, for inputs up to `max_input`.
    ///
    /// # Errors
    /// `Corrupt` where a sum could overflow.
    pub fn new(n_in: usize, weights: &[i32], bias: &[i32], max_input: i32) -> Result<Layer> {
        let n_out = bias.len();
        for (row, b) in weights.chunks_exact(n_in).zip(bias) {
            let largest: i64 = row.iter().map(|w| i64::from(w.unsigned_abs()) * i64::from(max_input)).sum();
            let fits = row.iter().chain([b]).all(|w| (-MAX_WEIGHT..=MAX_WEIGHT).contains(w));
            if !fits || largest + (i64::from(b.unsigned_abs()) << 8) > i64::from(i32::MAX) {
                return Err(Error::corrupt("the weights of a context network are too large"));
            }
        }
        let mut blocks = vec![[0; BLOCK]; n_out.div_ceil(BLOCK) * n_in];
        for (o, row) in weights.chunks_exact(n_in).enumerate() {
            for (i, w) in row.iter().enumerate() {
                blocks[o / BLOCK * n_in + i][o % BLOCK] = *w as i16;
            }
        }
        let mut bias: Vec<i32> = bias.iter().map(|b| b << 8).collect();
        bias.resize(n_out.div_ceil(BLOCK) * BLOCK, 0);
        Ok(Layer { n_in, n_out, blocks, bias })
    }

    fn weight(&self, o: usize, i: usize) -> i32 {
        self.blocks[o / BLOCK * self.n_in + i][o % BLOCK].into()
    }

    /// Sums in units of 2^-16 of block `b`, of the inputs that are not 0.
    #[inline(always)]
    fn sums(&self, b: usize, inputs: &[(u16, i16)]) -> [i32; BLOCK] {
        let mut sums = [0; BLOCK];
        sums.copy_from_slice(&self.bias[b * BLOCK..(b + 1) * BLOCK]);
        let weights = &self.blocks[b * self.n_in..(b + 1) * self.n_in];
        for &(i, x) in inputs {
            let weights = &weights[usize::from(i)];
            for o in 0..BLOCK {
                sums[o] += i32::from(x) * i32::from(weights[o]);
            }
        }
        sums
    }
}

/// The inputs of a layer that are not 0, with their numbers.
struct Inputs {
    list: [(u16, i16); MAX_UNITS],
    n: usize,
}

impl Inputs {
    #[inline(always)]
    fn of(values: impl Iterator<Item = i16>) -> Inputs {
        let mut inputs = Inputs { list: [(0, 0); MAX_UNITS], n: 0 };
        for (i, x) in values.enumerate() {
            inputs.list[inputs.n] = (i as u16, x);
            inputs.n += usize::from(x != 0);
        }
        inputs
    }

    fn get(&self) -> &[(u16, i16)] {
        &self.list[..self.n]
    }
}

/// What a context network says of a value: a mixture of logistic distributions over its height.
#[derive(Debug, Clone, Copy)]
pub struct Mixture {
    /// Heights in units of 2^-12.
    pub centres: [i32; N_PARTS],
    /// 2^28 / width, widths in units of 2^-12.
    finenesses: [i64; N_PARTS],
    /// In units of 2^-15; their sum is at most 1.
    shares: [i64; N_PARTS],
}

impl Mixture {
    /// The mixture that a network's outputs, in units of 2^-16, stand for.
    #[inline(always)]
    fn new(outputs: &[i32]) -> Mixture {
        let sixteenths = |x: i32| x >> 12;
        let centres = std::array::from_fn(|r| outputs[r] >> 4);
        let finenesses = std::array::from_fn(|r| {
            let f = sixteenths(outputs[N_PARTS + r]).clamp(FINENESS.0, FINENESS.1);
            (OCTAVE[(f & 15) as usize] << (2 + 3 + (f >> 4))) >> 3
        });
        let logits: [i32; N_PARTS] = std::array::from_fn(|r| sixteenths(outputs[2 * N_PARTS + r]));
        let top = logits.into_iter().fold(i32::MIN, i32::max);
        let weights = logits.map(|l| {
            let below = l.max(top - 12 * 16) - top;
            OCTAVE[(below & 15) as usize] >> -(below >> 4)
        });
        let sum: i64 = weights.iter().sum();
        Mixture { centres, finenesses, shares: weights.map(|w| (w << 15) / sum) }
    }

    /// Its mean, in units of 2^-12.
    #[inline(always)]
    pub fn mean(&self) -> i32 {
        let sum: i64 = (0..N_PARTS).map(|r| i64::from(self.centres[r]) * self.shares[r]).sum();
        (sum >> 15) as i32
    }

    /// How much of it lies below the height `edge`, in units of 2^-30.
    #[inline(always)]
    pub fn below(&self, edge: i32) -> i64 {
        let mut sum = 0;
        for r in 0..N_PARTS {
            let x = (i64::from(edge - self.centres[r]) * self.finenesses[r]) >> 20;
            sum += i64::from(cdf(x.clamp(-5000, 5000) as i32)) * self.shares[r];
        }
        sum >> 15
    }
}

/// A network of two hidden layers of rectified units, learned from past events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContextNetwork {
    layers: [Layer; 3],
}

/// Inputs up to this have their place in [`Inputs`].
const _: () = assert!(N_FEATURES <= MAX_UNITS && MAX_FEATURE <= i16::MAX as i32);

impl ContextNetwork {
    /// A network of `units` hidden units from its layers' weights (by output, then input) and biases, in units of
    /// 2^-8, layer after layer.
    ///
    /// # Errors
    /// `Corrupt` for sizes that no network has, or weights that are too large.
    pub fn new(units: [usize; 2], weights: [&[i32]; 3], biases: [&[i32]; 3]) -> Result<ContextNetwork> {
        let [n_in, n_out] = sizes(units)?;
        let layer = |l: usize| {
            let max_input = if l == 0 { MAX_FEATURE } else { MAX_UNIT };
            match weights[l].len() == n_in[l] * n_out[l] && biases[l].len() == n_out[l] {
                true => Layer::new(n_in[l], weights[l], biases[l], max_input),
                false => Err(Error::corrupt("the layers of a context network do not fit each other")),
            }
        };
        Ok(ContextNetwork { layers: [layer(0)?, layer(1)?, layer(2)?] })
    }

    /// Units of the hidden layers.
    pub fn units(&self) -> [usize; 2] {
        [self.layers[0].n_out, self.layers[1].n_out]
    }

    /// Weights and biases.
    pub fn n_weights(&self) -> usize {
        self.layers.iter().map(|l| (l.n_in + 1) * l.n_out).sum()
    }

    /// What it says of a voxel with such surroundings.
    #[inline(always)]
    pub fn predict(&self, features: &Features) -> Mixture {
        let mut units = [0; MAX_UNITS];
        let mut inputs = Inputs::of(features.iter().copied());
        for layer in &self.layers[..2] {
            for (b, units) in units.chunks_exact_mut(BLOCK).take(layer.n_out / BLOCK).enumerate() {
                let sums = layer.sums(b, inputs.get());
                for o in 0..BLOCK {
                    units[o] = (sums[o] >> 8).clamp(0, MAX_UNIT) as i16;
                }
            }
            inputs = Inputs::of(units[..layer.n_out].iter().copied());
        }
        Mixture::new(&self.layers[2].sums(0, inputs.get()))
    }

    /// The network in bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.units().map(|n| (n / BLOCK) as u8).to_vec();
        let mut encoder = Encoder::new();
        for layer in &self.layers {
            let mut weights: Vec<i32> = (0..layer.n_out * layer.n_in)
                .map(|at| layer.weight(at / layer.n_in, at % layer.n_in))
                .collect();
            let mut bias: Vec<i32> = layer.bias[..layer.n_out].iter().map(|b| b >> 8).collect();
            code_layer(&mut encoder, layer.n_in, &mut weights, &mut bias);
        }
        bytes.extend(encoder.finish());
        bytes
    }

    /// The network that [`ContextNetwork::to_bytes`] wrote.
    ///
    /// # Errors
    /// `Corrupt` where the bytes are none.
    pub fn from_bytes(bytes: &[u8]) -> Result<ContextNetwork> {
        let Some((units, stream)) = bytes.split_first_chunk::<2>() else {
            return Err(Error::corrupt("a context network without its sizes"));
        };
        let units = units.map(|n| usize::from(n) * BLOCK);
        let [n_in, n_out] = sizes(units)?;
        let mut decoder = Decoder::new(stream);
        let parts: [(Vec<i32>, Vec<i32>); 3] = std::array::from_fn(|l| {
            let (mut weights, mut bias) = (vec![0; n_in[l] * n_out[l]], vec![0; n_out[l]]);
            code_layer(&mut decoder, n_in[l], &mut weights, &mut bias);
            (weights, bias)
        });
        if decoder.overrun() || decoder.n_left() > 0 {
            return Err(Error::corrupt("the weights of a context network are longer or shorter than it"));
        }
        let [a, b, c] = &parts;
        ContextNetwork::new(units, [&a.0, &b.0, &c.0], [&a.1, &b.1, &c.1])
    }
}

/// Inputs and outputs of each layer.
fn sizes(units: [usize; 2]) -> Result<[[usize; 3]; 2]> {
    if !units.iter().all(|n| n.is_multiple_of(BLOCK) && (BLOCK..=MAX_UNITS).contains(n)) {
        return Err(Error::corrupt(format!("no context network has {} and {} units", units[0], units[1])));
    }
    Ok([[N_FEATURES, units[0], units[1]], [units[0], units[1], N_OUTPUTS]])
}

fn code_layer<C: Coder>(coder: &mut C, n_in: usize, weights: &mut [i32], bias: &mut [i32]) {
    code_matrix(coder, n_in, weights);
    code_matrix(coder, bias.len(), bias);
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A network of arbitrary weights, as large as those of trained ones.
    pub fn some_network(units: [usize; 2]) -> (ContextNetwork, [Vec<i32>; 3], [Vec<i32>; 3]) {
        let mut state = 7u64;
        let mut draw = |size: i32| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i32 % (2 * size + 1) - size
        };
        let [n_in, n_out] = sizes(units).unwrap();
        let weights: [Vec<i32>; 3] = std::array::from_fn(|l| {
            (0..n_in[l] * n_out[l]).map(|_| draw(if l == 0 { 40 } else { 80 })).collect()
        });
        let biases: [Vec<i32>; 3] = std::array::from_fn(|l| (0..n_out[l]).map(|_| draw(300)).collect());
        let [a, b, c] = &weights;
        let [d, e, f] = &biases;
        (ContextNetwork::new(units, [a, b, c], [d, e, f]).unwrap(), weights, biases)
    }

    #[test]
    fn whole_numbers_say_what_real_ones_do() {
        let (network, weights, biases) = some_network([32, 16]);
        let features: Features = std::array::from_fn(|i| (i * i % 517) as i16 * i16::from(i % 3 > 0));
        let mut values: Vec<f64> = features.iter().map(|f| f64::from(*f) / 256.0).collect();
        for l in 0..3 {
            let rows = weights[l].chunks_exact(values.len()).zip(&biases[l]);
            let sums = rows.map(|(row, b)| {
                let sum: f64 = row.iter().zip(&values).map(|(w, v)| f64::from(*w) / 256.0 * v).sum();
                sum + f64::from(*b) / 256.0
            });
            values = sums.map(|s| if l < 2 { s.clamp(0.0, 127.996) } else { s }).collect();
        }
        let mixture = network.predict(&features);
        let top = values[6..].iter().copied().fold(f64::MIN, f64::max);
        let weights: Vec<f64> = values[6..].iter().map(|g| (g - top).exp2()).collect();
        let sum: f64 = weights.iter().sum();
        let mean: f64 = (0..3).map(|r| values[r] * weights[r] / sum).sum();
        assert!((f64::from(mixture.mean()) / 4096.0 - mean).abs() < 0.05 * (1.0 + mean.abs()), "{mean}");
        for edge in [-8192, 0, 3000, 9000, 40_000] {
            let below = |r: usize| {
                let fineness = values[3 + r].clamp(-3.0, 9.0).exp2();
                1.0 / (1.0 + (-(f64::from(edge) / 4096.0 - values[r]) * fineness).exp())
            };
            let exact: f64 = (0..3).map(|r| below(r) * weights[r] / sum).sum();
            let ours = mixture.below(edge) as f64 / f64::from(1 << 30);
            assert!((ours - exact).abs() < 0.03, "{edge}: {ours} for {exact}");
        }
    }

    #[test]
    fn bytes_come_back_and_bad_ones_are_refused() {
        let (network, ..) = some_network([16, 48]);
        let bytes = network.to_bytes();
        assert_eq!(ContextNetwork::from_bytes(&bytes).unwrap(), network);
        assert_eq!((network.units(), network.n_weights()), ([16, 48], 220 * 16 + 17 * 48 + 49 * 9));
        for bad in [&[][..], &[1], &[0, 1, 5], &[17, 1, 5], &bytes[..bytes.len() - 40]] {
            assert!(ContextNetwork::from_bytes(bad).is_err());
        }
        // Sums that could overflow, weights that do not fit.
        let n = N_FEATURES * 16;
        let rest = |first: &[i32]| {
            ContextNetwork::new([16, 16], [first, &[0; 256], &[0; 144]], [&[0; 16], &[0; 16], &[0; 9]])
        };
        assert!(rest(&vec![0; n]).is_ok() && rest(&vec![2000; n]).is_ok());
        assert!(rest(&vec![3000; n]).is_err() && rest(&[&vec![0; n - 1][..], &[-32_768]].concat()).is_err());
        assert!(rest(&vec![0; n - 1]).is_err());
    }

    #[test]
    fn powers_are_rounded() {
        for (i, power) in OCTAVE.iter().enumerate() {
            assert_eq!(*power, (16384.0 * (i as f64 / 16.0).exp2()).round() as i64);
        }
    }
}
