//! Modes bounded and lossless: any event, any bound, every voxel.
//!
//! `cargo test --release --test exact -- --ignored` checks more than 10^8 voxels.

mod common;

use common::codec;
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::residual::Bound;
use inrfit::settings::{Effort, Mode, Settings};
use inrfit::tile::TileGrid;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

/// A generator of numbers that needs nothing but a seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// From 0 up to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Which voxels are occupied.
#[derive(Debug, Clone, Copy)]
enum Places {
    None,
    All,
    /// Each by itself, with this probability.
    Scattered(f64),
    /// Runs of up to this many along an axis, so that this share is occupied.
    Runs(usize, usize, f64),
}

/// What the samples of occupied voxels are.
#[derive(Debug, Clone, Copy)]
enum Values {
    Constant,
    /// All that the type can hold.
    Noise,
    /// Around a few hundred, some at full scale.
    Saturated,
    /// Slowly changing.
    Smooth,
    /// Above and below zero, where the type can.
    Negative,
}

/// An event and how it is compressed.
#[derive(Debug, Clone)]
struct Case {
    shape: [usize; 3],
    dtype: DType,
    places: Places,
    values: Values,
    seed: u64,
    settings: Settings,
}

impl Case {
    fn event(&self) -> Event {
        let mut random = Random(self.seed | 1);
        for _ in 0..8 {
            random.next();
        }
        let n: usize = self.shape.iter().product();
        let mut occupied = vec![matches!(self.places, Places::All); n];
        match self.places {
            Places::None | Places::All => {}
            Places::Scattered(p) => occupied.iter_mut().for_each(|o| *o = random.unit() < p),
            Places::Runs(axis, longest, share) => {
                let stride: usize = self.shape[axis + 1..].iter().product();
                for _ in 0..(n as f64 * share / longest as f64) as usize {
                    let start = random.next() as usize % n;
                    let length = 1 + random.next() as usize % longest;
                    let left = self.shape[axis] - start / stride % self.shape[axis];
                    (0..length.min(left)).for_each(|i| occupied[start + i * stride] = true);
                }
            }
        }
        let (lowest, highest) = match self.dtype {
            DType::U8 => (0.0, 255.0),
            DType::U16 => (0.0, 65_535.0),
            DType::I16 => (-32_768.0, 32_767.0),
            DType::I32 => (-2_147_483_648.0, 2_147_483_647.0),
            DType::F32 => (-1e3, 1e3),
        };
        let mut samples = Samples::zeros(self.dtype, n);
        for i in (0..n).filter(|i| occupied[*i]) {
            let v = match self.values {
                Values::Constant => 77.0,
                Values::Noise if self.unsigned_bound() => random.unit() * highest,
                Values::Noise => lowest + random.unit() * (highest - lowest),
                Values::Saturated if random.unit() < 0.2 => highest.min(1023.0),
                Values::Saturated => 64.0 - 80.0 * random.unit().max(1e-9).ln(),
                Values::Smooth => 200.0 + 100.0 * (i as f64 * 0.01).sin() + 10.0 * random.unit(),
                Values::Negative if self.unsigned_bound() => random.unit() * 40.0,
                Values::Negative => random.unit() * 40.0 - 20.0,
            };
            let v = if self.dtype == DType::F32 { v * 0.01 } else { v.floor() };
            samples.set(i, v.clamp(lowest.max(-1e9), highest));
        }
        Event::new(self.shape, samples).expect("a valid event")
    }

    /// Whether the bound needs samples that are not negative.
    fn unsigned_bound(&self) -> bool {
        !matches!(self.settings.bound, Some(Bound::Absolute(_)))
    }

    /// Compresses, decompresses and checks everything that is promised. Returns the bytes.
    fn check(&self) -> Vec<u8> {
        let event = self.event();
        let made = codec(self.settings.clone()).compress(&event, &Silent).unwrap();
        let decoded = codec(Settings::default()).decode(&made.bytes).unwrap();
        assert!(decoded == made.decoded, "not what the encoder saw");
        assert_eq!((decoded.shape(), decoded.dtype()), (event.shape(), event.dtype()));
        for i in 0..event.n_voxels() {
            let (true_value, value) = (event.samples().get(i), decoded.samples().get(i));
            assert_eq!(true_value == 0.0, value == 0.0, "voxel {i}: {true_value} became {value}");
            let kept = match self.settings.bound {
                None | Some(Bound::Exact) => true_value == value,
                Some(Bound::Absolute(e)) => (true_value - value).abs() <= e,
                // Two logarithms and their difference are rounded.
                Some(Bound::Log2(e)) => {
                    ((1.0 + true_value) / (1.0 + value)).log2().abs() <= e * (1.0 + 1e-12) + 1e-13
                }
            };
            assert!(kept, "voxel {i}: {true_value} became {value}");
        }
        let n_tiles = TileGrid::new(event.shape(), self.settings.tile).unwrap().n_tiles();
        let n_plain = event.n_voxels() * event.dtype().n_bytes();
        assert!(made.bytes.len() <= n_plain + 1024 + 32 * n_tiles, "{} of {n_plain} bytes", made.bytes.len());
        assert!(n_tiles > 1 || made.report.layers.other <= 96, "{:?}", made.report.layers);
        made.bytes
    }
}

/// Cases with up to `most` voxels along each axis, and occupancies up to `fullest`.
fn cases(most: usize, fullest: f64) -> impl Strategy<Value = Case> {
    let extent = prop_oneof![1 => Just(1usize), 6 => 1..=most];
    let shape = [extent.clone(), extent.clone(), extent];
    let share = prop_oneof![Just(1e-4), Just(1e-3), 0.0..fullest];
    let places = prop_oneof![
        1 => Just(Places::None),
        1 => Just(if fullest >= 1.0 { Places::All } else { Places::Scattered(fullest) }),
        3 => share.clone().prop_map(Places::Scattered),
        6 => (0usize..3, prop_oneof![Just(5usize), 1usize..40], share)
            .prop_map(|(axis, longest, share)| Places::Runs(axis, longest, share)),
    ];
    let values = prop_oneof![
        Just(Values::Constant),
        Just(Values::Noise),
        Just(Values::Saturated),
        Just(Values::Smooth),
        Just(Values::Negative),
    ];
    let dtype = prop_oneof![
        3 => Just(DType::U16),
        1 => Just(DType::U8),
        1 => Just(DType::I16),
        1 => Just(DType::I32),
        2 => Just(DType::F32),
    ];
    let absolute = (-2.0f64..3.0).prop_map(|e| Some(Bound::Absolute(10f64.powf(e))));
    let log = (-3.0f64..1.0).prop_map(|e| Some(Bound::Log2(10f64.powf(e))));
    let bound = prop_oneof![2 => Just(None), 1 => Just(Some(Bound::Exact)), 3 => absolute, 3 => log];
    let effort = prop_oneof![Just(Effort::Fast), Just(Effort::Balanced)];
    let tile = prop_oneof![2 => Just(None), 1 => [1..=most, 1..=most, 1..=most].prop_map(Some)];
    (shape, dtype, places, values, any::<u64>(), bound, effort, tile).prop_map(
        move |(shape, dtype, places, values, seed, bound, effort, tile)| {
            // Floats have no bound but an absolute one.
            let bound = match (dtype, bound) {
                (DType::F32, Some(Bound::Absolute(e))) => Some(Bound::Absolute(e * 0.01)),
                (DType::F32, _) => Some(Bound::Absolute(0.02)),
                (_, bound) => bound,
            };
            // Tiles of a few voxels are tried, but not by the thousand.
            let tile =
                tile.map(|tile: [usize; 3]| std::array::from_fn(|a| tile[a].max(shape[a].div_ceil(3))));
            let mode = if bound.is_none() { Mode::Lossless } else { Mode::Bounded };
            let settings = Settings { mode, bound, effort, tile, ..Settings::default() };
            Case { shape, dtype, places, values, seed, settings }
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_voxel_keeps_its_bound(case in cases(24, 1.0)) {
        case.check();
    }

    #[test]
    fn bytes_do_not_depend_on_threads(case in cases(14, 0.3)) {
        let event = case.event();
        let with = |n_threads| InrCodec { n_threads, ..codec(case.settings.clone()) }.encode(&event).unwrap();
        prop_assert!(with(1) == with(3));
    }

    #[test]
    fn a_field_below_a_bound_changes_nothing_but_the_bytes(case in cases(9, 0.5), best in any::<bool>()) {
        let effort = if best { Effort::Best } else { Effort::Balanced };
        let settings = Settings { keep_field: true, effort, hidden: Some(3), n_steps: Some(5), ..case.settings };
        Case { settings, ..case }.check();
    }
}

/// More than 10^8 voxels in events up to the size of a wedge, most of them sparse.
#[test]
#[ignore = "minutes in a release build"]
fn long_every_voxel_keeps_its_bound() {
    let mut runner = TestRunner::deterministic();
    let strategy = cases(200, 0.12);
    let (mut n_voxels, mut n_cases) = (0u64, 0);
    while n_voxels < 101_000_000 {
        let case = strategy.new_tree(&mut runner).unwrap().current();
        let checked = std::panic::catch_unwind(|| case.check());
        assert!(checked.is_ok(), "{case:?}");
        n_voxels += case.shape.iter().product::<usize>() as u64;
        n_cases += 1;
    }
    println!("{n_voxels} voxels of {n_cases} events kept their bounds");
}

#[test]
fn noise_is_kept_as_it_is() {
    let mut random = Random(99);
    let noise: Vec<u16> = (0..8000).map(|_| random.next() as u16).collect();
    let lossless = Settings { mode: Mode::Lossless, ..Settings::default() };
    let made = codec(lossless.clone())
        .compress(&Event::new([20, 20, 20], Samples::from(noise)).unwrap(), &Silent)
        .unwrap();
    let layers = made.report.layers;
    assert!(layers.raw >= 15_000 && layers.support == 0 && layers.residual == 0, "{layers:?}");

    // Too many bins, and bins finer than floats are.
    let event = common::event([8, 9, 10], DType::I32);
    let made = codec(lossless).compress(&event, &Silent).unwrap();
    assert!(made.report.layers.raw > 0 && made.decoded == event);
    let event = common::event([8, 9, 10], DType::F32);
    let fine = Settings { mode: Mode::Bounded, bound: Some(Bound::Absolute(1e-12)), ..Settings::default() };
    let made = codec(fine).compress(&event, &Silent).unwrap();
    assert!(made.report.layers.raw > 0 && made.decoded == event);
}

/// Shuffling destroys all structure: what is left is the entropy of the samples, one by one.
#[test]
fn shuffled_events_take_little_more_than_their_entropy() {
    let event = common::event([20, 24, 30], DType::U16);
    let mut samples: Vec<u16> = (0..event.n_voxels()).map(|i| event.samples().get(i) as u16).collect();
    let mut random = Random(5);
    for i in (1..samples.len()).rev() {
        samples.swap(i, random.next() as usize % (i + 1));
    }
    let mut counts = std::collections::BTreeMap::new();
    samples.iter().for_each(|v| *counts.entry(*v).or_insert(0u32) += 1);
    let n = samples.len() as f64;
    let entropy: f64 = counts.values().map(|&c| -f64::from(c) * (f64::from(c) / n).log2()).sum::<f64>() / 8.0;
    let shuffled = Event::new(event.shape(), Samples::from(samples)).unwrap();
    for effort in [Effort::Fast, Effort::Balanced] {
        let settings = Settings { mode: Mode::Lossless, effort, ..Settings::default() };
        let made = codec(settings).compress(&shuffled, &Silent).unwrap();
        let ratio = made.bytes.len() as f64 / entropy;
        assert!((0.95..1.2).contains(&ratio), "{effort}: {} bytes for {entropy:.0}", made.bytes.len());
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let bounded = |bound| Settings { mode: Mode::Bounded, bound: Some(bound), ..Settings::default() };
    let lossless = Settings { mode: Mode::Lossless, ..Settings::default() };
    let refused = |settings: Settings, dtype: DType, word: &str| {
        let what = format!("{settings:?} of {}", dtype.name());
        let error = codec(settings).compress(&common::event([4, 5, 6], dtype), &Silent).expect_err(&what);
        assert!(error.kind() == ErrorKind::Argument && error.to_string().contains(word), "{what}: {error}");
    };
    for e in [-1.0, 0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300] {
        refused(bounded(Bound::Absolute(e)), DType::U16, "error bound");
        refused(bounded(Bound::Absolute(e)), DType::F32, "error bound");
        refused(bounded(Bound::Log2(e)), DType::U16, "log bound");
    }
    refused(bounded(Bound::Log2(0.1)), DType::F32, "non-negative integer");
    refused(bounded(Bound::Log2(0.1)), DType::I16, "non-negative integer");
    refused(lossless.clone(), DType::F32, "non-negative integer");
    refused(lossless.clone(), DType::I16, "non-negative integer");
    refused(Settings { mode: Mode::Bounded, ..Settings::default() }, DType::U16, "needs a bound");
    for mode in [Mode::Field, Mode::Masked, Mode::Lossless] {
        refused(Settings { mode, ..bounded(Bound::Absolute(1.0)) }, DType::U16, "no meaning in mode");
    }
    let kept = Settings { mode: Mode::Masked, keep_field: true, ..Settings::default() };
    refused(kept, DType::U16, "no meaning in mode");
}
