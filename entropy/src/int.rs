//! Signed integers as adaptive decisions: zero, sign, octave, and the bits within the octave.

use crate::bit::{AdaptiveBit, Average};
use crate::gauss::Deviation;
use crate::range::Coder;

/// Node of the decision "not zero".
const NONZERO: usize = 0;
/// Node of the decision "negative".
const NEGATIVE: usize = 1;
/// First of 31 nodes of the decisions "magnitude at least 2^(k+1)", k = 0..=30.
const OCTAVE: usize = 2;
/// First node of the bits within octaves.
const WITHIN: usize = OCTAVE + 31;
/// Bits of a magnitude that have adaptive nodes, counted from the one below the highest.
const N_ADAPTIVE_BITS: u32 = 3;
/// From this octave on the bits within are uniform.
const FIRST_UNIFORM_OCTAVE: u32 = 12;
/// Nodes of one context.
const N_NODES: usize = WITHIN + 1 + 3 + 7 * 9;

/// First node of the bits within octave 1..FIRST_UNIFORM_OCTAVE; an octave with b adaptive bits has 2^b - 1 nodes.
fn within(octave: u32) -> usize {
    match octave {
        0 | 1 => WITHIN,
        2 => WITHIN + 1,
        _ => WITHIN + 4 + 7 * (octave as usize - 3),
    }
}

/// How many of the `octave` bits below the highest one are adaptive.
fn n_adaptive(octave: u32) -> u32 {
    if octave < FIRST_UNIFORM_OCTAVE { octave.min(N_ADAPTIVE_BITS) } else { 0 }
}

/// Codes `value` as decisions: `decide(coder, node, bit)` codes one that belongs to a node.
///
/// Any sequence of decisions ends after at most 33 nodes and 31 further bits and yields an `i32`: octave 31 belongs
/// to the magnitude 2^31, which is `i32::MIN`; a positive one, which no encoder writes, reads as `i32::MAX`.
fn binarise<C: Coder>(coder: &mut C, value: i32, mut decide: impl FnMut(&mut C, usize, bool) -> bool) -> i32 {
    if !decide(coder, NONZERO, value != 0) {
        return 0;
    }
    let negative = decide(coder, NEGATIVE, value < 0);
    let magnitude = value.unsigned_abs();
    let mut octave = 0;
    while octave < 31 && decide(coder, OCTAVE + octave as usize, magnitude >> octave > 1) {
        octave += 1;
    }
    if octave == 31 {
        return if negative { i32::MIN } else { i32::MAX };
    }
    let mut read = 1u32;
    let adaptive = n_adaptive(octave);
    for i in 0..adaptive {
        let node = within(octave) + read as usize - 1;
        read = read << 1 | u32::from(decide(coder, node, magnitude >> (octave - 1 - i) & 1 == 1));
    }
    let n_uniform = octave - adaptive;
    // Below 2^31, so the cast keeps the value.
    let read = (read << n_uniform | coder.uniform(n_uniform, magnitude)) as i32;
    if negative { -read } else { read }
}

/// An adaptive model of signed integers, one set of probabilities per context.
#[derive(Debug, Clone)]
pub struct IntModel {
    /// N_NODES a context; never empty.
    nodes: Vec<AdaptiveBit>,
}

impl IntModel {
    /// A model with `n_contexts` contexts (at least one) that knows nothing.
    pub fn new(n_contexts: usize) -> Self {
        Self { nodes: vec![AdaptiveBit::new(); n_contexts.max(1) * N_NODES] }
    }

    /// A model with one context for each entry of `deviations`, which starts at what a bell curve around zero of
    /// deviation 2^((entry - 8) / 4) predicts, as if `n` integers had led there. Entries above 63 count as 63; no
    /// entries give the model of `new(1)`.
    pub fn with_deviations(deviations: &[u8], n: u16) -> Self {
        if deviations.is_empty() {
            return Self::new(1);
        }
        let mut nodes = Vec::with_capacity(deviations.len() * N_NODES);
        for &index in deviations {
            let deviation = Deviation::new(index);
            nodes.push(AdaptiveBit::with_prior(deviation.nonzero(), n));
            nodes.push(AdaptiveBit::with_prior(1 << 15, n));
            nodes.extend((0..31).map(|k| AdaptiveBit::with_prior(deviation.next_octave(k), n)));
            for octave in 1..FIRST_UNIFORM_OCTAVE {
                for node in 1..1u64 << n_adaptive(octave) {
                    // The node's number is the magnitude's leading bits.
                    let half = 1 << (octave - 1 - node.ilog2());
                    nodes.push(AdaptiveBit::with_prior(deviation.upper_half(node * 2 * half, half), n));
                }
            }
        }
        Self { nodes }
    }

    /// How many contexts the model has.
    pub fn n_contexts(&self) -> usize {
        self.nodes.len() / N_NODES
    }

    /// The nodes of a context; those of the last one for a context that does not exist.
    fn context(&mut self, context: usize) -> &mut [AdaptiveBit] {
        let start = context.min(self.n_contexts() - 1) * N_NODES;
        &mut self.nodes[start..start + N_NODES]
    }

    /// Codes one integer in a context and learns it. A context that does not exist counts as the last one.
    ///
    /// The encoder writes `value` and returns it; the decoder ignores `value` and returns what it read.
    pub fn code<C: Coder>(&mut self, coder: &mut C, context: usize, value: i32) -> i32 {
        let nodes = self.context(context);
        binarise(coder, value, |coder, node, bit| nodes[node].code(coder, bit))
    }
}

/// Two models of the same integers whose probabilities are averaged decision by decision.
#[derive(Debug, Clone)]
pub struct IntAverage {
    a: IntModel,
    b: IntModel,
    average: Average,
}

impl IntAverage {
    /// Starts with equal weights.
    pub fn new(a: IntModel, b: IntModel) -> Self {
        Self { a, b, average: Average::new() }
    }

    /// Codes one integer, each model in its own context; both models and the weight learn it. As `IntModel::code`
    /// otherwise.
    pub fn code<C: Coder>(&mut self, coder: &mut C, contexts: [usize; 2], value: i32) -> i32 {
        let (a, b) = (self.a.context(contexts[0]), self.b.context(contexts[1]));
        let average = &mut self.average;
        binarise(coder, value, |coder, node, bit| average.code(coder, &mut a[node], &mut b[node], bit))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::range::{Decoder, Encoder};

    #[test]
    fn nodes_are_laid_out_without_gap_or_overlap() {
        let mut next = WITHIN;
        for octave in 1..FIRST_UNIFORM_OCTAVE {
            assert_eq!(within(octave), next);
            next += (1 << n_adaptive(octave)) - 1;
        }
        assert_eq!(next, N_NODES);
        assert_eq!(IntModel::with_deviations(&[0, 63, 255], 3).nodes.len(), 3 * N_NODES);
        assert_eq!(IntModel::with_deviations(&[], 3).n_contexts(), 1);
        assert_eq!(IntModel::new(0).n_contexts(), 1);
    }

    #[test]
    fn every_magnitude_survives() {
        let mut values = vec![0, i32::MIN, i32::MAX, i32::MIN + 1];
        for k in 0..31 {
            for d in [-1, 0, 1] {
                values.extend([(1i32 << k).wrapping_add(d), -(1i32 << k) + d]);
            }
        }
        values.extend(-300..300);
        let (mut model, mut encoder) = (IntModel::new(2), Encoder::new());
        for (i, &value) in values.iter().enumerate() {
            assert_eq!(model.code(&mut encoder, i % 3, value), value);
        }
        let bytes = encoder.finish();
        let (mut model, mut decoder) = (IntModel::new(2), Decoder::new(&bytes));
        for (i, &value) in values.iter().enumerate() {
            assert_eq!(model.code(&mut decoder, i % 3, !value), value);
        }
        assert!(!decoder.overrun());
    }

    #[test]
    fn a_positive_octave_31_reads_as_the_largest_integer() {
        // Decisions given outright: not zero, not negative, then every octave passed.
        struct Fixed;
        impl Coder for Fixed {
            fn bit(&mut self, _: u16, _: bool) -> bool {
                true
            }
        }
        let mut n = 0;
        let positive = |_: &mut Fixed, node, _| {
            n += 1;
            node != NEGATIVE
        };
        assert_eq!(binarise(&mut Fixed, 0, positive), i32::MAX);
        assert_eq!(n, 33);
        assert_eq!(binarise(&mut Fixed, 0, |_, _, _| true), i32::MIN);
        assert_eq!(binarise(&mut Fixed, 5, |_, node, _| node < OCTAVE + 30), -i32::MAX);
    }

    #[test]
    fn a_prior_is_worth_its_name() {
        // One integer at a time in a fresh model: the cost is the prior's alone.
        let cost = |index: u8, values: &[i32]| {
            let mut encoder = Encoder::new();
            for &value in values {
                IntModel::with_deviations(&[index], 1).code(&mut encoder, 0, value);
            }
            encoder.finish().len()
        };
        // Quantiles of a Gaussian of deviation 8 (index 20), eight times over.
        let octiles = [-12, -7, -4, -1, 1, 4, 7, 12].repeat(40);
        let right = cost(20, &octiles);
        assert!(right < cost(14, &octiles) && right < cost(26, &octiles));
        assert!(right < 320 * 5 / 8, "{right}");
    }
}
