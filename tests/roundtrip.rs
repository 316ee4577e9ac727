//! Any event, any settings: what the encoder says it decoded is what the decoder gives.

mod common;

use common::codec;
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::event::{DType, Event, Samples};
use inrfit::settings::{Bits, Mode, ModelKind, Preset, Sampling, Settings};
use inrfit_sampling::SamplerKind;
use proptest::prelude::*;

fn events() -> impl Strategy<Value = Event> {
    let shape = (1usize..14, 1usize..14, 1usize..14);
    (shape, 0usize..5, 0.0f64..1.0, any::<u64>()).prop_map(|((a, b, c), dtype, occupancy, seed)| {
        let mut state = seed | 1;
        let mut next = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let n = a * b * c;
        let words: Vec<Option<u32>> = (0..n)
            .map(|_| ((next() % 1000) as f64 / 1000.0 < occupancy).then(|| (next() >> 20) as u32))
            .collect();
        let map = |f: &dyn Fn(u32) -> f64| words.iter().map(|w| w.map_or(0.0, f)).collect::<Vec<f64>>();
        let samples = match dtype {
            0 => Samples::U8(map(&|w| f64::from(w as u8)).iter().map(|v| *v as u8).collect()),
            1 => Samples::U16(map(&|w| f64::from(w as u16)).iter().map(|v| *v as u16).collect()),
            2 => Samples::I16(map(&|w| f64::from(w as i16)).iter().map(|v| *v as i16).collect()),
            3 => Samples::I32(map(&|w| f64::from(w as i32)).iter().map(|v| *v as i32).collect()),
            _ => Samples::F32(map(&|w| f64::from(w as i32) * 1e-4).iter().map(|v| *v as f32).collect()),
        };
        Event::new([a, b, c], samples).expect("a valid event")
    })
}

fn settings() -> impl Strategy<Value = Settings> {
    let bits = prop_oneof![Just(Bits::Auto), (2u8..=16).prop_map(Bits::Fixed), Just(Bits::Float)];
    let sampling = prop_oneof![
        Just(Sampling::Full),
        Just(Sampling::Drawn(SamplerKind::Uniform)),
        Just(Sampling::Drawn(SamplerKind::Importance { epsilon: 0.1 })),
        Just(Sampling::Drawn(SamplerKind::Balanced { share: 0.5 })),
    ];
    let model = prop_oneof![
        Just(ModelKind::Siren),
        Just(ModelKind::Ffnet),
        Just(ModelKind::Mfn),
        Just(ModelKind::Wire),
        Just(ModelKind::WireReal),
    ];
    (bits, sampling, 1usize..=2, 1usize..4, 1usize..6, any::<bool>(), 0u64..5, model).prop_map(
        |(bits, sampling, n_heads, n_layers, hidden, correct, seed, model)| Settings {
            mode: Mode::Field,
            model: Some(model),
            bits: Some(bits),
            sampling: Some(sampling),
            n_heads: Some(n_heads),
            n_layers: Some(n_layers),
            hidden: Some(hidden),
            n_steps: Some(3),
            correct,
            seed,
            ..Settings::default()
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn decoding_gives_what_the_encoder_reported(event in events(), settings in settings(), tile in 1usize..16) {
        let settings = Settings { tile: Some([tile, 16, 7]), ..settings };
        let codec = codec(settings);
        let made = codec.compress(&event, &Silent).unwrap();
        let decoded = codec.decode(&made.bytes).unwrap();
        prop_assert!(decoded == made.decoded);
        prop_assert_eq!((decoded.shape(), decoded.dtype()), (event.shape(), event.dtype()));
        let n_tiles = event.shape()[0].div_ceil(tile) * event.shape()[2].div_ceil(7);
        prop_assert!(made.bytes.len() <= event.raw_bytes() + 1024 + 32 * n_tiles);
        let parts = made.report.layers;
        prop_assert_eq!(parts.field + parts.raw + parts.other, made.bytes.len() as u64);
        if n_tiles == 1 {
            prop_assert!(parts.other <= 96, "{} bytes of overhead", parts.other);
        }
        let other_threads = InrCodec { n_threads: 3, ..codec };
        prop_assert!(other_threads.encode(&event).unwrap() == made.bytes, "bytes depend on the threads");
        // An occupied voxel decodes into the range of the samples, an empty event to itself.
        let values: Vec<f64> = (0..event.n_voxels()).map(|i| event.samples().get(i)).filter(|v| *v != 0.0).collect();
        let lo = values.iter().copied().fold(f64::INFINITY, f64::min);
        let hi = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        for v in (0..event.n_voxels()).map(|i| decoded.samples().get(i)).filter(|v| *v != 0.0) {
            prop_assert!((lo..=hi).contains(&v) || v.abs() <= 1.0, "{v} outside {lo}..{hi}");
        }
    }
}

#[test]
fn events_without_much_to_fit_come_back_exactly() {
    let event = |shape, samples| Event::new(shape, samples).unwrap();
    for event in [
        event([1, 1, 1], Samples::U16(vec![77])),
        event([1, 1, 1], Samples::F32(vec![-1e-30])),
        event([30, 20, 10], Samples::U16(vec![0; 6000])),
        event([30, 20, 10], Samples::U16(vec![1023; 6000])),
        event([1, 50, 1], Samples::I32((0..50).map(|i| i * (i % 2)).collect())),
        event([64, 64, 16], Samples::U16((0..65536).map(|i| u16::from(i % 9999 == 3) * 99).collect())),
    ] {
        let settings = Settings { mode: Mode::Field, ..Settings::default() };
        let codec = InrCodec { settings: settings.clone(), ..codec(settings) };
        let made = codec.compress(&event, &Silent).unwrap();
        assert!(made.decoded == event, "{:?}", event.shape());
        assert_eq!(made.report.layers.field, 0, "no field is worth its bytes here");
    }
}

#[test]
fn cancelling_and_diverging_are_named() {
    use inrfit::codec::Observer;
    use inrfit::error::ErrorKind;
    struct Stop;
    impl Observer for Stop {
        fn cancelled(&self) -> bool {
            true
        }
    }
    let event = common::event([16, 16, 16], DType::U16);
    let error = codec(Settings::default()).compress(&event, &Stop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let wild = Settings { learning_rate: Some(1e30), n_steps: Some(40), ..Settings::default() };
    match codec(wild).compress(&event, &Silent) {
        Ok(made) => assert!(made.decoded.shape() == event.shape()),
        Err(error) => assert_eq!(error.kind(), ErrorKind::Argument, "{error}"),
    }
    let none = InrCodec { n_threads: 0, ..codec(Settings::default()) };
    assert_eq!(none.compress(&event, &Silent).unwrap_err().kind(), ErrorKind::Argument);
}

#[test]
fn overhead_of_a_large_tile_stays_below_a_hundred_bytes() {
    // The longest numbers that a header of a one-tile file can have: wedge-sized, extreme samples, a wide network.
    let n = 130 * 131 * 40;
    let pattern = |i: usize| (i / 40).is_multiple_of(7);
    let int = |lo: i32, hi: i32| {
        (0..n)
            .map(|i| {
                if !pattern(i) {
                    0
                } else if i % 2 == 0 {
                    lo
                } else {
                    hi
                }
            })
            .collect()
    };
    let extremes: Vec<i32> = int(i32::MIN, i32::MAX);
    let floats: Vec<f32> = extremes.iter().map(|&v| v as f32 * 1.234e-3).collect();
    let counts: Vec<u16> = (0..n).map(|i| if pattern(i) { 70 + (i % 900) as u16 } else { 0 }).collect();
    for samples in [Samples::from(extremes), Samples::from(floats), Samples::from(counts)] {
        let event = Event::new([130, 131, 40], samples).unwrap();
        let plain = |model| (Preset::Balanced, Some(model), 2);
        for (preset, model, n_heads) in [
            (Preset::Balanced, None, 1),
            (Preset::Balanced, None, 2),
            (Preset::PaperSiren, None, 1),
            (Preset::PaperFfnet, None, 1),
            (Preset::PaperWire, None, 1),
            plain(ModelKind::Ffnet),
            plain(ModelKind::Mfn),
            plain(ModelKind::Wire),
            plain(ModelKind::WireReal),
        ] {
            let settings = Settings {
                mode: Mode::Field,
                preset,
                model,
                constants: model.map(|_| "0.3:0.7".parse().unwrap()),
                seed: u64::MAX,
                n_heads: Some(n_heads),
                hidden: Some(136),
                n_steps: Some(1),
                batch: Some(64),
                sampling: Some(Sampling::Drawn(SamplerKind::Uniform)),
                bits: Some(Bits::Fixed(2)),
                ..Settings::default()
            };
            let made = codec(settings).compress(&event, &Silent).unwrap();
            let layers = made.report.layers;
            assert!(
                layers.field + layers.raw > 0 && layers.other <= 96,
                "{preset} {model:?} {n_heads}: {layers:?}"
            );
        }
    }
}
