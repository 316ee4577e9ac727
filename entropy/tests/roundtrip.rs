//! What goes in comes out, and nothing that comes in does harm.

mod common;
#[path = "common/random.rs"]
mod random;

use common::{pack, unpack};
use inrfit_entropy::{Decoder, Encoder, IntAverage, IntModel, code_matrix};
use proptest::prelude::*;
use random::Random;

/// Integers of every size, the small ones most often.
fn integers() -> impl Strategy<Value = i32> {
    prop_oneof![
        6 => -40..40i32,
        2 => -5000..5000i32,
        1 => any::<i32>(),
        1 => prop_oneof![Just(i32::MIN), Just(i32::MAX), Just(0), Just(-1)],
    ]
}

proptest! {
    #[test]
    fn tensors(values in prop::collection::vec(integers(), 0..600), n_columns in 0usize..50) {
        prop_assert_eq!(unpack(n_columns, values.len(), &pack(n_columns, &values)), values);
    }

    #[test]
    fn tensors_around_any_centre(
        centre in any::<i32>(),
        values in prop::collection::vec(-50..50i32, 1..300),
        n_columns in 1usize..20,
    ) {
        let values: Vec<i32> = values.iter().map(|v| v.wrapping_add(centre)).collect();
        prop_assert_eq!(unpack(n_columns, values.len(), &pack(n_columns, &values)), values);
    }

    #[test]
    fn several_tensors_in_one_stream(
        tensors in prop::collection::vec(prop::collection::vec(integers(), 0..60), 0..8),
        n_columns in 1usize..9,
    ) {
        let mut encoder = Encoder::new();
        for tensor in &tensors {
            code_matrix(&mut encoder, n_columns, &mut tensor.clone());
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes);
        for tensor in &tensors {
            let mut read = vec![-9; tensor.len()];
            code_matrix(&mut decoder, n_columns, &mut read);
            prop_assert_eq!(&read, tensor);
        }
        prop_assert!(!decoder.overrun());
        prop_assert_eq!(decoder.n_left(), 0);
    }

    #[test]
    fn models_in_any_context(values in prop::collection::vec((integers(), 0usize..9, 0usize..9), 0..300)) {
        let models = || {
            let plain = IntModel::with_deviations(&[0, 20, 63], 30);
            (IntModel::new(7), IntAverage::new(plain, IntModel::new(5)))
        };
        let (mut encoder, (mut model, mut average)) = (Encoder::new(), models());
        for &(value, a, b) in &values {
            prop_assert_eq!(model.code(&mut encoder, a, value), value);
            prop_assert_eq!(average.code(&mut encoder, [a, b], value), value);
        }
        let bytes = encoder.finish();
        let (mut decoder, (mut model, mut average)) = (Decoder::new(&bytes), models());
        for &(value, a, b) in &values {
            prop_assert_eq!(model.code(&mut decoder, a, 1), value);
            prop_assert_eq!(average.code(&mut decoder, [a, b], 1), value);
        }
        prop_assert!(!decoder.overrun());
        prop_assert_eq!(decoder.n_left(), 0);
    }

    #[test]
    fn any_bytes_decode_to_something(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        n in 0usize..2000,
        n_columns in 0usize..100,
    ) {
        let read = || {
            let mut values = vec![0; n];
            let mut decoder = Decoder::new(&bytes);
            code_matrix(&mut decoder, n_columns, &mut values);
            (values, decoder.overrun())
        };
        prop_assert_eq!(read(), read());
    }

    #[test]
    fn surplus_bytes_are_noticed(
        values in prop::collection::vec(-1000..1000i32, 100..300),
        n in 9usize..60,
    ) {
        let mut bytes = pack(10, &values);
        let mut read = vec![0; values.len()];
        // Zeros are what the decoder assumes there anyway; other bytes may change what it reads.
        bytes.extend(vec![0; n]);
        let mut decoder = Decoder::new(&bytes);
        code_matrix(&mut decoder, 10, &mut read);
        prop_assert_eq!(&read, &values);
        // The register, and zeros that the encoder dropped, reach into what was appended.
        prop_assert!((n - 8..=n).contains(&decoder.n_left()));
        prop_assert!(!decoder.overrun());
    }
}

#[test]
fn extremes_and_degenerate_shapes() {
    for tensor in [
        &[][..],
        &[0],
        &[1],
        &[-1],
        &[i32::MIN],
        &[i32::MAX],
        &[i32::MIN, i32::MAX],
        &[i32::MAX, i32::MIN, 0, -1, 1],
        &[i32::MIN; 40],
        &[i32::MAX; 40],
        &[0; 1000],
    ] {
        for n_columns in [0, 1, 2, 7, usize::MAX] {
            assert_eq!(unpack(n_columns, tensor.len(), &pack(n_columns, tensor)), tensor);
        }
    }
    assert!(pack(5, &[]).is_empty());
    assert!(pack(1, &[0]).len() <= 1);
    assert!(pack(100, &[0; 10_000]).len() < 12, "zeros cost next to nothing");
}

#[test]
fn repeated_bytes_end() {
    // The longest codes: every decision the same.
    for byte in [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF] {
        for n in [0, 1, 4, 5, 100, 10_000] {
            let bytes = vec![byte; n];
            let mut decoder = Decoder::new(&bytes);
            code_matrix(&mut decoder, 64, &mut vec![0; 5000]);
        }
    }
}

#[test]
fn a_stream_cut_short_is_an_overrun() {
    let mut random = Random::new(5);
    let values: Vec<i32> = (0..2000).map(|_| (9.0 * random.normal()).round() as i32).collect();
    let bytes = pack(40, &values);
    let mut n_noticed = 0;
    for n in 0..bytes.len() {
        let mut decoder = Decoder::new(&bytes[..n]);
        let mut read = vec![0; values.len()];
        code_matrix(&mut decoder, 40, &mut read);
        assert!(n == bytes.len() - 1 || read != values, "cut at {n}");
        n_noticed += usize::from(decoder.overrun());
    }
    // What follows the cut decodes as zeros, which may cost fewer bytes than what was there: mostly it does not.
    assert!(n_noticed > bytes.len() / 2, "{n_noticed} of {}", bytes.len());
}
