//! Mode masked: occupancy is exact whatever the event, and the features are what the format document says.

mod common;

use common::codec;
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::container::{Limits, Reader, frame, kind};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::pattern::{Pattern, Support, run_axis};
use inrfit::settings::{Bits, Mode, Optimise, Preset, Settings};
use proptest::prelude::*;

fn masked() -> Settings {
    Settings { mode: Mode::Masked, ..Settings::default() }
}

/// Xorshift.
fn numbers(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}

fn occupancy(n: usize, share: f64, seed: u64) -> Vec<bool> {
    let mut next = numbers(seed);
    (0..n).map(|_| ((next() % 1000) as f64) < 1000.0 * share).collect()
}

fn events() -> impl Strategy<Value = Event> {
    let shape = (1usize..14, 1usize..14, 1usize..14);
    (shape, 0usize..5, 0.0f64..1.0, any::<u64>()).prop_map(|((a, b, c), dtype, share, seed)| {
        let mut next = numbers(seed ^ 0x5555);
        let words: Vec<Option<i32>> = occupancy(a * b * c, share, seed)
            .iter()
            .map(|&o| o.then(|| (next() >> 20) as i32))
            .map(|w| w.map(|w| if w as u8 == 0 { w + 1 } else { w }))
            .collect();
        let samples = match dtype {
            0 => Samples::U8(words.iter().map(|w| w.unwrap_or(0) as u8).collect()),
            1 => Samples::U16(words.iter().map(|w| w.unwrap_or(0) as u16).collect()),
            2 => Samples::I16(words.iter().map(|w| w.unwrap_or(0) as i16).collect()),
            3 => Samples::I32(words.iter().map(|w| w.unwrap_or(0)).collect()),
            _ => Samples::F32(words.iter().map(|w| w.unwrap_or(0) as f32 * 1e-4).collect()),
        };
        Event::new([a, b, c], samples).expect("a valid event")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn support_is_exact_and_values_are_in_range(
        event in events(),
        bits in prop_oneof![Just(Bits::Auto), (2u8..=16).prop_map(Bits::Fixed), Just(Bits::Float)],
        optimise in prop_oneof![Just(Optimise::LogMae), Just(Optimise::Mse)],
        hidden in 1usize..4,
        tile in 1usize..16,
    ) {
        let settings = Settings {
            bits: Some(bits),
            optimise: Some(optimise),
            hidden: Some(hidden),
            n_steps: Some(3),
            tile: Some([tile, 16, 7]),
            ..masked()
        };
        let codec = codec(settings);
        let made = codec.compress(&event, &Silent).unwrap();
        let decoded = codec.decode(&made.bytes).unwrap();
        prop_assert!(decoded == made.decoded);
        let other_threads = InrCodec { n_threads: 3, ..codec };
        prop_assert!(other_threads.encode(&event).unwrap() == made.bytes, "bytes depend on the threads");
        let n_tiles = event.shape()[0].div_ceil(tile) * event.shape()[2].div_ceil(7);
        prop_assert!(made.bytes.len() <= event.raw_bytes() + 1024 + 32 * n_tiles);
        let parts = made.report.layers;
        prop_assert_eq!(parts.field + parts.support + parts.raw + parts.other, made.bytes.len() as u64);
        if n_tiles == 1 {
            prop_assert!(parts.other <= 96, "{} bytes of overhead", parts.other);
        }
        let at = |e: &Event, i: usize| e.samples().get(i);
        let values = (0..event.n_voxels()).map(|i| at(&event, i)).filter(|v| *v != 0.0);
        let (lo, hi) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), v| (lo.min(v), hi.max(v)));
        for i in 0..event.n_voxels() {
            let (was, is) = (at(&event, i), at(&decoded, i));
            prop_assert_eq!(was == 0.0, is == 0.0, "occupancy of voxel {}", i);
            prop_assert!(is == 0.0 || (lo..=hi).contains(&is) || is.abs() <= 1.0, "{} outside {}..{}", is, lo, hi);
        }
    }

    #[test]
    fn features_are_those_of_the_definition(
        shape in (1usize..9, 1usize..9, 1usize..9),
        share in 0.0f64..1.0,
        seed in any::<u64>(),
        sizes in (0usize..3, 0usize..6, 0usize..4, 0usize..3, 0usize..3, 0usize..5),
        fold in (any::<bool>(), any::<bool>()),
        window in (0usize..3, 0usize..3, 0usize..3),
    ) {
        let shape = [shape.0, shape.1, shape.2];
        let occupied = occupancy(shape.iter().product(), share, seed);
        let support = Support { shape, occupied: &occupied };
        let (axis, max_run, reach, du, dv, distance) = sizes;
        let pattern = Pattern {
            axis, max_run, reach, distance,
            spread: [du, dv],
            fold: [fold.0, fold.1],
            window: [window.0, window.1, window.2],
        };
        let plan = pattern.plan();
        let n = shape.iter().product::<usize>();
        let positions: Vec<u32> = (0..n as u32).collect();
        let features = plan.native(&support, &positions);
        prop_assert_eq!(features.len(), n * pattern.n_features());
        let mut between = vec![0.0; pattern.n_features()];
        for (i, got) in features.chunks_exact(pattern.n_features()).enumerate() {
            let voxel = inrfit::event::unravel(i, shape);
            prop_assert_eq!(got, &naive(&pattern, shape, &occupied, voxel)[..], "voxel {:?}", voxel);
            plan.between(&support, voxel.map(|x| x as f32), &mut between);
            prop_assert_eq!(got, &between[..], "between voxels, at voxel {:?}", voxel);
        }
    }
}

/// The features by their definition: sets of voxels, written down without regard to speed.
fn naive(p: &Pattern, shape: [usize; 3], occupied: &[bool], voxel: [usize; 3]) -> Vec<f32> {
    let others: Vec<usize> = (0..3).filter(|a| *a != p.axis).collect();
    let at = |r: i64, u: i64, v: i64| -> bool {
        let mut x = [0i64; 3];
        x[p.axis] = voxel[p.axis] as i64 + r;
        x[others[0]] = voxel[others[0]] as i64 + u;
        x[others[1]] = voxel[others[1]] as i64 + v;
        let inside = (0..3).all(|a| x[a] >= 0 && x[a] < shape[a] as i64);
        inside && occupied[(x[0] as usize * shape[1] + x[1] as usize) * shape[2] + x[2] as usize]
    };
    let mut out = vec![];
    for sign in [-1, 1] {
        for q in 0..=p.max_run as i64 {
            let is_run = (1..=q).all(|d| at(sign * d, 0, 0)) && !at(sign * (q + 1), 0, 0);
            out.push(f32::from(u8::from(is_run)));
        }
    }
    let (nu, nv, reach) = (p.spread[0] as i64, p.spread[1] as i64, p.reach as i64);
    for u in -nu..=nu {
        for v in -nv..=nv {
            let folded_away = p.fold[0] && u < 0 || p.fold[1] && v < 0;
            if folded_away || u.abs() + v.abs() == 0 || u.abs() + v.abs() > p.distance as i64 {
                continue;
            }
            let mut members = std::collections::BTreeSet::from([(u, v)]);
            if p.fold[0] {
                members.extend(members.clone().iter().map(|(u, v)| (-u, *v)));
            }
            if p.fold[1] {
                members.extend(members.clone().iter().map(|(u, v)| (*u, -v)));
            }
            for r in -reach..=reach {
                out.push(members.iter().filter(|(u, v)| at(r, *u, *v)).count() as f32);
            }
        }
    }
    let [r, u, v] = p.window.map(|n| n as i64);
    let mut n_in = 0;
    let mut n_all = 0;
    for x in -r..=r {
        for y in -u..=u {
            for z in -v..=v {
                n_all += 1;
                n_in += i32::from(at(x, y, z));
            }
        }
    }
    out.push(n_in as f32 / n_all as f32);
    out
}

#[test]
fn features_between_voxels_are_linear_in_each_direction() {
    let shape = [4, 5, 6];
    let occupied = occupancy(120, 0.4, 7);
    let support = Support { shape, occupied: &occupied };
    let pattern = Pattern {
        axis: 1,
        max_run: 2,
        reach: 2,
        spread: [1, 1],
        distance: 2,
        fold: [false; 2],
        window: [1, 1, 1],
    };
    let plan = pattern.plan();
    let at = |point: [f32; 3]| {
        let mut out = vec![0.0; plan.n_features()];
        plan.between(&support, point, &mut out);
        out
    };
    for (i, point) in [[0.25f32, 1.5, 2.75], [2.0, 3.125, 4.5], [2.5, 3.0, 0.0]].into_iter().enumerate() {
        let mut want = vec![0.0f64; plan.n_features()];
        for corner in 0..8 {
            let mut weight = 1.0;
            let mut voxel = [0.0f32; 3];
            for a in 0..3 {
                let share = point[a] - point[a].floor();
                let high = corner >> a & 1 == 1;
                weight *= f64::from(if high { share } else { 1.0 - share });
                voxel[a] = point[a].floor() + if high { 1.0 } else { 0.0 };
            }
            if weight > 0.0 {
                for (w, v) in want.iter_mut().zip(at(voxel)) {
                    *w += weight * f64::from(v);
                }
            }
        }
        for (g, w) in at(point).iter().zip(&want) {
            assert!((f64::from(*g) - w).abs() < 1e-6, "point {i}: {g} instead of {w}");
        }
    }
    // Outside, the nearest point inside counts.
    assert_eq!(at([-3.0, 9.0, 2.0]), at([0.0, 4.0, 2.0]));
}

#[test]
fn the_runs_axis_is_that_of_the_longest_runs() {
    for axis in 0..3 {
        let shape = [7, 8, 9];
        let along = |i: usize| inrfit::event::unravel(i, shape);
        let occupied: Vec<bool> = (0..504)
            .map(|i| {
                let x = along(i);
                let others: usize = (0..3).filter(|a| *a != axis).map(|a| x[a] * (2 * a + 3)).sum();
                others.is_multiple_of(4) && x[axis] % 6 < 4
            })
            .collect();
        assert_eq!(run_axis(&Support { shape, occupied: &occupied }), axis);
    }
}

#[test]
fn tiles_without_values_to_fit_cost_almost_nothing() {
    let n = 40 * 30 * 20;
    for (samples, name) in [
        (Samples::U16(vec![0; n]), "empty"),
        (Samples::U16((0..n).map(|i| u16::from(i % 97 < 5) * 700).collect()), "one value"),
    ] {
        let event = Event::new([40, 30, 20], samples).unwrap();
        let made = codec(masked()).compress(&event, &Silent).unwrap();
        assert!(made.decoded == event, "{name}");
        assert_eq!(made.report.layers.field, 0, "{name}");
        assert!(made.bytes.len() < 400, "{name}: {} bytes", made.bytes.len());
    }
    let mut next = numbers(11);
    let half: Vec<u16> =
        (0..n).map(|i| if i >= n / 2 && i % 11 < 4 { 70 + (next() >> 30) as u16 % 900 } else { 0 }).collect();
    let event = Event::new([40, 30, 20], Samples::U16(half)).unwrap();
    let made = codec(Settings { tile: Some([20, 30, 20]), ..masked() }).compress(&event, &Silent).unwrap();
    let counted = made.report.layers;
    assert!(counted.field > 0 && counted.support > 0, "{counted:?}");
}

#[test]
fn noise_becomes_raw_samples() {
    let mut next = numbers(3);
    let samples: Vec<u16> = (0..16 * 16 * 16).map(|_| (next() >> 30) as u16).collect();
    let event = Event::new([16; 3], Samples::U16(samples)).unwrap();
    let settings = Settings { hidden: Some(64), bits: Some(Bits::Float), ..masked() };
    let made = codec(settings).compress(&event, &Silent).unwrap();
    assert!(made.decoded == event && made.report.layers.raw > 0);
}

#[test]
fn settings_that_contradict_the_mode_are_named() {
    let event = common::event([9, 8, 7], DType::U16);
    for settings in
        [Settings { n_heads: Some(2), ..masked() }, Settings { preset: Preset::PaperSiren, ..masked() }]
    {
        let error = codec(settings).compress(&event, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains("masked"), "{error}");
    }
}

/// Types and payloads of a file's records.
type Records = Vec<(u8, Vec<u8>)>;

/// A masked file of two tiles, what it decodes to, and its records.
fn two_tiles() -> (Event, Vec<u8>, Records) {
    let mut next = numbers(5);
    let samples: Vec<u16> =
        (0..16 * 15 * 14).map(|i| if i % 9 < 3 { 70 + (next() >> 30) as u16 % 900 } else { 0 }).collect();
    let event = Event::new([16, 15, 14], Samples::U16(samples)).unwrap();
    let settings = Settings { hidden: Some(1), n_steps: Some(4), tile: Some([8, 15, 14]), ..masked() };
    let made = codec(settings).compress(&event, &Silent).unwrap();
    let mut reader = Reader::new(&made.bytes).unwrap();
    let mut records = vec![];
    while let Some(record) = reader.next().unwrap() {
        records.push((record.kind, record.payload.to_vec()));
    }
    let kinds: Vec<u8> = records.iter().map(|r| r.0).collect();
    use kind::{END, FIELD, HEADER, INDEX, NETWORK, SUPPORT};
    assert_eq!(kinds, [HEADER, NETWORK, INDEX, SUPPORT, FIELD, SUPPORT, FIELD, END]);
    (made.decoded, made.bytes, records)
}

fn seal(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89INRF\r\n\x1a\x01".to_vec();
    records.iter().for_each(|(kind, payload)| bytes.extend(frame(*kind, payload)));
    bytes
}

#[test]
fn damaged_masked_files_are_errors_and_never_panic() {
    let (_, bytes, records) = two_tiles();
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(codec(masked()).decode(&bad).is_err(), "bit {bit}");
    }
    let limits = Limits { max_event_bytes: 1 << 20, max_weights: 1 << 14, max_operations: 1 << 28 };
    let strict = InrCodec { limits, ..codec(masked()) };
    let mut n_refused = 0;
    for (i, (_, payload)) in records.iter().enumerate() {
        for at in 0..payload.len() {
            for value in [0x00, 0x7f, 0xff, payload[at].wrapping_add(1)] {
                let mut bad = records.clone();
                bad[i].1[at] = value;
                n_refused += usize::from(strict.decode(&seal(&bad)).is_err());
            }
            let mut bad = records.clone();
            bad[i].1.truncate(at);
            n_refused += usize::from(strict.decode(&seal(&bad)).is_err());
        }
    }
    assert!(n_refused > 100, "{n_refused}");
}

#[test]
fn masked_records_out_of_place_are_refused() {
    let (decoded, bytes, records) = two_tiles();
    // Without the index, which would give every other order away.
    let of = |order: &[usize]| -> Vec<_> { order.iter().map(|&i| records[i].clone()).collect() };
    let decode = |order: &[usize]| codec(masked()).decode(&seal(&of(order)));
    assert!(decode(&[0, 1, 3, 4, 5, 6, 7]).unwrap() == decoded);
    for order in [
        &[0, 1, 4, 3, 5, 6, 7][..],
        &[0, 1, 4, 5, 6, 7],
        &[0, 1, 3, 4, 6, 7],
        &[0, 1, 3, 4, 4, 5, 6, 7],
        &[0, 1, 3, 3, 4, 5, 6, 7],
        &[0, 1, 3, 5, 4, 6, 7],
        &[0, 3, 4, 5, 6, 7],
    ] {
        assert_eq!(decode(order).unwrap_err().kind(), ErrorKind::Corrupt, "{order:?}");
    }
    let few = Limits { max_operations: 100_000, ..Limits::default() };
    let limited = InrCodec { limits: few, ..codec(masked()) };
    assert_eq!(limited.decode(&bytes).unwrap_err().kind(), ErrorKind::Limit);
}
