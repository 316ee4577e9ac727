//! The range coder and its models: what was written is read, and any bytes are decisions that can be written.

#![no_main]

use inrfit_entropy::{
    AdaptiveBit, Average, Coder, Contexts, Counter, Decoder, Encoder, Gates, IntAverage, IntModel, Mixer,
    Rates, code_matrix, hash,
};
use libfuzzer_sys::fuzz_target;

/// Bytes in order; zeros after the last.
struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([(); 4].map(|()| self.next()))
    }
}

/// All models, as they are at the start of a stream.
struct Models {
    bits: Vec<AdaptiveBit>,
    average: Average,
    ints: IntModel,
    averaged: IntAverage,
    contexts: Contexts<3>,
    mixer: Mixer<4, 2>,
}

const GATES: Gates<2> = Gates { sets: [4, 2], last: 2, map: 2 };

impl Models {
    fn new(prior: u8) -> Models {
        let b = IntModel::with_deviations(&[prior, prior ^ 21], 40);
        Models {
            bits: vec![
                AdaptiveBit::new(),
                AdaptiveBit::with_prior(u16::from(prior) << 8 | 1, u16::from(prior)),
            ],
            average: Average::new(),
            ints: IntModel::new(2),
            averaged: IntAverage::new(IntModel::new(1), b),
            contexts: Contexts::new(4),
            mixer: Mixer::new(&GATES, &[1 << 14; 4], Rates { first: 6, last: 2 }),
        }
    }
}

/// One decision or number after another, as `program` says; the coder's answers, each in an `i64`.
fn run<C: Coder>(coder: &mut C, program: &[u8], given: Option<&[i64]>) -> Vec<i64> {
    let mut program = Bytes(program);
    let mut models = Models::new(program.next());
    let mut answers: Vec<i64> = Vec::new();
    let mut n_tensors = 0;
    while !program.0.is_empty() {
        let op = program.next();
        // The second time the answers of the first are written; a decoder is told nonsense.
        let told = |i: usize, own: i64| given.map_or(own, |given| given.get(i).copied().unwrap_or(own));
        let n = answers.len();
        match op % 7 {
            0 => {
                let p1 = program.word() as u16;
                answers.push(i64::from(coder.bit(p1, told(n, i64::from(op >> 7)) != 0)));
            }
            1 => {
                let (n_bits, value) = (u32::from(program.next()) % 33, program.word());
                let mask = ((1u64 << n_bits) - 1) as u32;
                answers.push(i64::from(coder.uniform(n_bits, told(n, i64::from(value & mask)) as u32)));
            }
            2 => {
                let model = &mut models.bits[usize::from(op >> 6 & 1)];
                answers.push(i64::from(model.code(coder, told(n, i64::from(op >> 7)) != 0)));
            }
            3 => {
                let [a, b] = &mut models.bits[..] else { unreachable!("two of them") };
                answers.push(i64::from(models.average.code(coder, a, b, told(n, i64::from(op >> 7)) != 0)));
            }
            4 => {
                let value = told(n, i64::from(program.word() as i32)) as i32;
                let context = usize::from(op >> 6);
                answers.push(i64::from(match op >> 5 & 1 {
                    0 => models.ints.code(coder, context, value),
                    _ => models.averaged.code(coder, [0, context], value),
                }));
            }
            // Each tensor has models of its own, which take time to make.
            5 if n_tensors == 8 => {}
            5 => {
                n_tensors += 1;
                let n_columns = usize::from(op >> 4);
                let width = 1 + u32::from(program.next()) % 32;
                let n_values = usize::from(program.next()) % 40;
                let narrow = |word: u32| i64::from(word as i32 >> (32 - width));
                let mut values: Vec<i32> =
                    (0..n_values).map(|i| told(n + i, narrow(program.word())) as i32).collect();
                code_matrix(coder, n_columns, &mut values);
                answers.extend(values.iter().map(|v| i64::from(*v)));
            }
            _ => {
                let context = u64::from(program.next());
                let places = [0, 1, 2].map(|i| models.contexts.find(i, hash(context, i as u64)));
                let counters: [Counter; 3] =
                    std::array::from_fn(|i| *models.contexts.counter(places[i], 1 + usize::from(op >> 6)));
                let [a, b, c] = counters.map(Counter::input);
                let gates = Gates {
                    sets: [usize::from(op >> 6), usize::from(op >> 7)],
                    last: usize::from(op >> 7),
                    map: usize::from(op >> 6 & 1),
                };
                let bit = told(n, i64::from(op >> 5 & 1)) != 0;
                let bit = models.mixer.code(coder, &[a, b, c, 256], &gates, bit);
                (0..3).for_each(|i| models.contexts.counter(places[i], 1 + usize::from(op >> 6)).update(bit));
                answers.push(i64::from(bit));
            }
        }
    }
    answers
}

fn written(program: &[u8], given: Option<&[i64]>) -> (Vec<i64>, Vec<u8>) {
    let mut encoder = Encoder::new();
    let answers = run(&mut encoder, program, given);
    (answers, encoder.finish())
}

/// The answers are what `bytes` say, which end where the program ends.
fn check(program: &[u8], answers: &[i64], bytes: &[u8]) {
    let mut decoder = Decoder::new(bytes);
    let nonsense = [0x5a5a; 1];
    assert_eq!(run(&mut decoder, program, Some(&nonsense)), answers);
    assert!(!decoder.overrun() && decoder.n_left() == 0);
}

// The first byte: how many of the others, times eight, are a stream of nobody's; the rest is the program.
fuzz_target!(|bytes: &[u8]| {
    let [n, rest @ ..] = bytes else { return };
    let (stream, program) = rest.split_at(rest.len().min(usize::from(*n) * 8));
    let (answers, bytes) = written(program, None);
    check(program, &answers, &bytes);

    let mut decoder = Decoder::new(stream);
    let read = run(&mut decoder, program, None);
    let _ = (decoder.overrun(), decoder.n_left());
    // The octave above all others can be read, but not told from the largest integer; a tensor's deviation and
    // centre are the encoder's choice. Every other decision is written again as it was read.
    let (again, bytes) = written(program, Some(&read));
    assert_eq!(again, read);
    check(program, &read, &bytes);
});
