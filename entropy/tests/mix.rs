//! Mixing: both directions agree on any decisions, extremes do no harm, and what can be learned is.

use inrfit_entropy::{
    Coder, Contexts, Counter, Decoder, Encoder, Gates, Mixer, Rates, hash, squash, stretch,
};
use proptest::prelude::*;

const GATES: Gates<3> = Gates { sets: [4, 3, 2], last: 2, map: 5 };
const RATES: Rates = Rates { first: 6, last: 2 };

fn mixer() -> Mixer<6, 3> {
    Mixer::new(&GATES, &[20_000; 6], RATES)
}

/// A decision, what a mixer is told of it, and its gates.
#[derive(Debug, Clone)]
struct Step {
    bit: bool,
    inputs: [i32; 6],
    gates: Gates<3>,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let input = prop_oneof![3 => -2047..=2047i32, 1 => Just(2047), 1 => Just(-2047), 1 => Just(0)];
    let inputs = proptest::array::uniform6(input);
    let step = (any::<bool>(), inputs, 0..4usize, 0..3usize, 0..2usize, 0..2usize, 0..5usize).prop_map(
        |(bit, inputs, a, b, c, last, map)| Step { bit, inputs, gates: Gates { sets: [a, b, c], last, map } },
    );
    proptest::collection::vec(step, 0..400)
}

/// Codes the decisions of `steps`, each by the mixer and then by a counter of a hashed context.
fn code<C: Coder>(coder: &mut C, steps: &mut [Step]) {
    let mut mixer = mixer();
    let mut contexts = Contexts::<2>::new(5);
    for step in steps {
        let mut inputs = step.inputs;
        let places =
            [contexts.find(0, hash(inputs[0] as u64, 1)), contexts.find(1, hash(7, inputs[1] as u64))];
        inputs[2] = contexts.counter(places[0], 1).input();
        step.bit = mixer.code(coder, &inputs, &step.gates, step.bit);
        places.into_iter().for_each(|place| contexts.counter(place, 1).update(step.bit));
    }
}

/// Bits that `bits` take when told by `inputs`, which may look at the decisions before.
fn cost(bits: &[bool], mut inputs: impl FnMut(usize) -> [i32; 6]) -> f64 {
    let mut encoder = Encoder::new();
    let mut mixer = mixer();
    for (i, &bit) in bits.iter().enumerate() {
        mixer.code(&mut encoder, &inputs(i), &Gates { sets: [0; 3], last: 0, map: 0 }, bit);
    }
    encoder.finish().len() as f64 * 8.0
}

/// Decisions of which a share `p` are ones.
fn coins(n: usize, p: f64, mut state: u64) -> Vec<bool> {
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    };
    (0..n).map(|_| next() < p).collect()
}

fn entropy(p: f64) -> f64 {
    -p * p.log2() - (1.0 - p) * (1.0 - p).log2()
}

proptest! {
    #[test]
    fn both_directions_agree(steps in steps()) {
        let mut encoder = Encoder::new();
        let mut written = steps.clone();
        code(&mut encoder, &mut written);
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        let mut read = steps.clone();
        read.iter_mut().for_each(|s| s.bit = false);
        code(&mut decoder, &mut read);
        prop_assert!(read.iter().zip(&steps).all(|(a, b)| a.bit == b.bit));
        prop_assert!(!decoder.overrun() && decoder.n_left() == 0);
    }
}

/// Inputs, weights and errors at the ends of their ranges: overflow checks are on in tests.
#[test]
fn nothing_overflows() {
    let mut encoder = Encoder::new();
    let mut mixer = Mixer::<128, 3>::new(&Gates { sets: [1; 3], last: 1, map: 1 }, &[524_287; 128], RATES);
    let gates = Gates { sets: [0; 3], last: 0, map: 0 };
    for i in 0..20_000 {
        let sign = if i / 3000 % 2 == 0 { 1 } else { -1 };
        let inputs = std::array::from_fn(|k| sign * if k % 5 == 4 { -2047 } else { 2047 });
        mixer.code(&mut encoder, &inputs, &gates, i / 1000 % 3 == 0);
    }
    assert!(!encoder.finish().is_empty());
}

#[test]
fn counters_follow_what_they_see_and_stay_within_their_range() {
    for p in [0.001, 0.02, 0.3, 0.5, 0.9] {
        let mut counter = Counter::NEW;
        coins(100_000, p, 3).into_iter().for_each(|bit| counter.update(bit));
        let learned = f64::from(counter.p()) / 65_536.0;
        assert!((learned - p).abs() < 0.015 + 0.1 * p, "{p}: {learned}");
    }
    for bit in [false, true] {
        let mut counter = Counter::NEW;
        (0..100_000).for_each(|_| counter.update(bit));
        assert!(if bit { counter.p() > 65_400 } else { counter.p() < 136 }, "{counter:?}");
        assert_eq!(counter.input(), stretch(counter.p()));
    }
    assert_eq!((Counter::NEW.p(), Counter::NEW.input()), (32_768, stretch(32_768)));
}

#[test]
fn a_mixer_learns_whom_to_trust() {
    // Input 0 tells the truth's probability, the others are noise: the cost nears the entropy.
    let n = 40_000;
    let noise = coins(n * 5, 0.5, 17);
    for p in [0.02, 0.1, 0.4] {
        let bits = coins(n, p, 5);
        let logit = (256.0 * (p / (1.0 - p)).ln()) as i32;
        let ours = cost(&bits, |i| {
            let mut inputs = [logit; 6];
            (1..6).for_each(|k| inputs[k] = if noise[5 * i + k - 1] { 900 } else { -900 });
            inputs
        });
        let ones = bits.iter().filter(|b| **b).count() as f64 / n as f64;
        let ideal = n as f64 * entropy(ones);
        assert!(ours < ideal * 1.04 + 300.0, "{p}: {ours} bits for {ideal}");
    }
}

#[test]
fn a_certain_input_is_followed_and_a_lying_one_is_turned_round() {
    let bits = coins(20_000, 0.5, 11);
    for sign in [1, -1] {
        let ours = cost(&bits, |i| [if bits[i] { sign * 1500 } else { sign * -1500 }; 6]);
        assert!(ours < 1500.0, "{sign}: {ours} bits for 20000 decisions that are known");
    }
}

#[test]
fn contexts_are_told_apart() {
    // Each of 200 contexts always decides the same: once known, decisions cost next to nothing.
    let mut encoder = Encoder::new();
    let mut contexts = Contexts::<1>::new(12);
    for i in 0..40_000u64 {
        let context = i * i % 200;
        let place = contexts.find(0, hash(context, 3));
        let counter = contexts.counter(place, 1);
        let bit = context * 7 % 5 < 2;
        encoder.bit(counter.p().clamp(1, 65_535) as u16, bit);
        counter.update(bit);
    }
    let n_bytes = encoder.finish().len();
    assert!(n_bytes < 600, "{n_bytes}");
    // The high bits, by which places are chosen, change with each of the low 32 bits of either number.
    let mut places = std::collections::BTreeSet::new();
    for bit in 0..32 {
        places.insert(hash(1 << bit, 5) >> 48);
        places.insert(hash(5, 1 << bit) >> 48);
    }
    assert!(places.len() >= 62, "{} different places of 64", places.len());
}

#[test]
fn squash_is_a_probability_whatever_it_is_asked() {
    for x in [i32::MIN, -4096, -2047, 0, 2047, 4096, i32::MAX] {
        assert!((1..=65_535).contains(&squash(x)), "{x}");
    }
    assert_eq!((stretch(0), stretch(65_535)), (-2047, 2047));
}
