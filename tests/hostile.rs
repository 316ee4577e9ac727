//! Damaged and malicious files: an error or the same values, never a panic, never memory beyond the limits.

mod common;

use common::{codec, event, noisy};
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::container::{Limits, frame, kind};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::residual::Bound;
use inrfit::settings::{Bits, Effort, Mode, ModelKind, Settings};

fn small_file(n_steps: u64) -> (Event, Vec<u8>) {
    file_of(ModelKind::Siren, n_steps)
}

fn file_of(model: ModelKind, n_steps: u64) -> (Event, Vec<u8>) {
    let event = event([8, 9, 7], DType::U16);
    let settings = Settings {
        mode: Mode::Field,
        model: Some(model),
        hidden: Some(4),
        n_layers: Some(1),
        bits: Some(Bits::Fixed(3)),
        n_steps: Some(n_steps),
        tile: Some([4, 9, 7]),
        ..Settings::default()
    };
    let made = codec(settings).compress(&event, &Silent).unwrap();
    assert!(made.report.layers.field > 0, "the file under test must hold fields");
    (made.decoded, made.bytes)
}

#[test]
fn every_flipped_bit_is_an_error_or_changes_nothing() {
    let (decoded, bytes) = small_file(4);
    let codec = codec(Settings::default());
    let mut n_errors = 0;
    for bit in 0..bytes.len() * 8 {
        let mut bad = bytes.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        match codec.decode(&bad) {
            Ok(event) => assert!(event == decoded, "bit {bit} changed the samples silently"),
            Err(_) => n_errors += 1,
        }
    }
    assert_eq!(n_errors, bytes.len() * 8, "every byte is under a checksum, the magic or the version");
}

#[test]
fn every_truncation_is_named() {
    let (_, bytes) = small_file(4);
    for n in 0..bytes.len() {
        let error = codec(Settings::default()).decode(&bytes[..n]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{n} bytes: {error}");
    }
}

/// The records of a file, unframed.
fn records(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut reader = inrfit::container::Reader::new(bytes).unwrap();
    let mut out = vec![];
    while let Some(record) = reader.next().unwrap() {
        out.push((record.kind, record.payload.to_vec()));
    }
    out
}

/// A file of these records, with right checksums.
fn seal(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = b"\x89INRF\r\n\x1a\x01".to_vec();
    records.iter().for_each(|(kind, payload)| bytes.extend(frame(*kind, payload)));
    bytes
}

fn strict() -> InrCodec {
    let limits = Limits { max_event_bytes: 1 << 20, max_weights: 1 << 14, max_operations: 1 << 28 };
    InrCodec { limits, ..codec(Settings::default()) }
}

#[test]
fn payloads_with_right_checksums_never_panic() {
    for model in [ModelKind::Siren, ModelKind::Ffnet, ModelKind::Mfn, ModelKind::Wire, ModelKind::WireReal] {
        payloads_of(model);
    }
}

fn payloads_of(model: ModelKind) {
    // What checksums cannot catch: nonsense written on purpose. Every byte of every payload takes several values.
    let (_, bytes) = file_of(model, 4);
    let parts = records(&bytes);
    let mut n_refused = 0;
    for (i, (_, payload)) in parts.iter().enumerate() {
        for at in 0..payload.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff, payload[at].wrapping_add(1), payload[at] ^ 0x10] {
                let mut bad = parts.clone();
                bad[i].1[at] = value;
                n_refused += usize::from(strict().decode(&seal(&bad)).is_err());
            }
        }
        for n in 0..payload.len() {
            let mut bad = parts.clone();
            bad[i].1.truncate(n);
            n_refused += usize::from(strict().decode(&seal(&bad)).is_err());
        }
    }
    assert!(n_refused > 300, "{model:?}: {n_refused}");
}

#[test]
fn networks_of_impossible_sizes_are_refused() {
    // (model as it is written up to the features, kind of error); no features, 4 units, 2 layers, 1 head.
    let f32s = |x: &[f32]| x.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let model = |number: u8, constants: &[f32], rest: &[u8]| [&[number][..], &f32s(constants), rest].concat();
    let (units, many, too_many): (&[u8], &[u8], &[u8]) = (&[3, 3], &[0x80, 0x20, 0], &[0x81, 0x20, 0]);
    let cases = [
        (model(2, &[2.0], &[[7].as_slice(), units].concat()), None),
        (model(2, &[2.0], &[[7].as_slice(), many].concat()), Some(ErrorKind::Limit)),
        (model(2, &[2.0], &[[7].as_slice(), too_many].concat()), Some(ErrorKind::Corrupt)),
        (model(2, &[2.0], &[7, 0, 0]), Some(ErrorKind::Corrupt)),
        (model(2, &[-2.0], &[7, 3, 3]), Some(ErrorKind::Corrupt)),
        (model(2, &[2.0], &[[0xff; 5].as_slice(), units].concat()), Some(ErrorKind::Corrupt)),
        (model(3, &[f32::NAN], units), Some(ErrorKind::Corrupt)),
        (model(3, &[2.0], too_many), Some(ErrorKind::Corrupt)),
        (model(3, &[2.0], many), Some(ErrorKind::Limit)),
        (model(4, &[2.0, 0.0], units), Some(ErrorKind::Corrupt)),
        (model(4, &[2.0, 1.0], units), None),
        (model(4, &[2.0, 1.0], many), Some(ErrorKind::Limit)),
        (model(5, &[f32::INFINITY, 1.0], units), Some(ErrorKind::Corrupt)),
        (model(5, &[2.0, 1.0], units), None),
        (model(6, &[2.0, 1.0], units), Some(ErrorKind::Unsupported)),
    ];
    let (_, bytes) = file_of(ModelKind::WireReal, 4);
    let parts = records(&bytes);
    for (model, kind) in cases {
        let payload =
            [&model[..], &[0, 4, 2, 1, 0], &f32s(&[-1.0, 1.0]), &[0, 0], &f32s(&[0.0, 1.0])].concat();
        let limits = Limits { max_weights: 1 << 13, ..Limits::default() };
        let read = inrfit::container::NetworkHeader::from_payload(&payload, 0, &limits);
        assert_eq!(read.err().map(|e| e.kind()), kind, "{model:?}");
        // A field of another network.
        let mut bad = parts.clone();
        bad[1].1 = payload;
        assert!(strict().decode(&seal(&bad)).is_err(), "{model:?}");
    }
}

#[test]
fn records_out_of_place_are_refused() {
    let (decoded, bytes) = small_file(4);
    let parts = records(&bytes);
    let kinds: Vec<u8> = parts.iter().map(|p| p.0).collect();
    assert_eq!(kinds, [kind::HEADER, kind::NETWORK, kind::INDEX, kind::FIELD, kind::FIELD, kind::END]);
    let refused = |order: &[usize]| {
        let chosen: Vec<_> = order.iter().map(|&i| parts[i].clone()).collect();
        codec(Settings::default()).decode(&seal(&chosen)).unwrap_err().kind()
    };
    for order in [
        &[1, 0, 2, 3, 4, 5][..],
        &[0, 2, 3, 4, 1, 5],
        &[0, 1, 2, 3, 5],
        &[0, 1, 2, 3, 3, 4, 5],
        &[0, 0, 1, 2, 3, 4, 5],
        &[0, 1, 1, 2, 3, 4, 5],
        &[0, 1, 2, 4, 3, 5],
        &[0, 1, 4, 3, 5],
        &[0, 1, 2, 3, 4, 5, 5],
        &[5],
    ] {
        assert_eq!(refused(order), ErrorKind::Corrupt, "{order:?}");
    }
    let with = |kind: u8| {
        let mut parts = parts.clone();
        parts.insert(3 - 1, (kind, b"from the future".to_vec()));
        codec(Settings::default()).decode(&seal(&parts))
    };
    assert_eq!(with(0x90).unwrap_err().kind(), ErrorKind::Unsupported);
    assert!(with(0x10).unwrap() == decoded, "an unknown record that is not critical is skipped");
    let mut newer = bytes;
    newer[8] = 2;
    assert_eq!(codec(Settings::default()).decode(&newer).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn limits_are_kept() {
    // A header of a few bytes that asks for a terabyte.
    let mut header = vec![];
    for n in [20_000u32, 20_000, 1_250] {
        header.extend(postcard::to_stdvec(&n).unwrap());
    }
    header.extend([1, 1, 1, 1, 0, 0, 0, 0]);
    let file = seal(&[(kind::HEADER, header), (kind::RAW, vec![0, 2, 0, 0]), (kind::END, vec![])]);
    let error = codec(Settings::default()).decode(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");

    let (_, bytes) = small_file(4);
    let limited = |limits| InrCodec { limits, ..codec(Settings::default()) }.decode(&bytes);
    let default = Limits::default();
    for limits in [
        Limits { max_event_bytes: 100, ..default },
        Limits { max_weights: 10, ..default },
        Limits { max_operations: 100, ..default },
    ] {
        assert_eq!(limited(limits).unwrap_err().kind(), ErrorKind::Limit, "{limits:?}");
    }

    // A raw tile whose zstd frame says that it is larger than the tile.
    let event = Event::new([4, 4, 4], Samples::U8((0..64).map(|i| i / 13).collect())).unwrap();
    let mut parts = records(&codec(Settings::default()).encode(&event).unwrap());
    parts[1].1 = [&[0u8, 1, 0xff, 0xff, 0x03][..], &[0; 20]].concat();
    assert_eq!(codec(Settings::default()).decode(&seal(&parts)).unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn other_files_are_named_as_such() {
    for bytes in [&b""[..], b"\x93NUMPY\x01\x00", b"\x89PNG\r\n\x1a\n0123", b"{}"] {
        let error = codec(Settings::default()).decode(bytes).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Truncated), "{error}");
    }
}

/// The exact layers count by the time they take, so that a few thousand voxels need more than [`strict`] allows.
fn exact() -> InrCodec {
    let limits = Limits { max_event_bytes: 1 << 20, max_weights: 1 << 14, max_operations: 1 << 31 };
    InrCodec { limits, ..codec(Settings::default()) }
}

/// A file of two tiles with a field, if asked for, below a bound.
fn bounded_file(effort: Effort, keep_field: bool) -> (Event, Vec<u8>) {
    let event = noisy([8, 12, 20], DType::U16, 21);
    let settings = Settings {
        mode: Mode::Bounded,
        bound: Some(Bound::Absolute(2.0)),
        effort,
        keep_field,
        hidden: Some(1),
        n_steps: Some(4),
        tile: Some([4, 12, 20]),
        ..Settings::default()
    };
    let made = codec(settings).compress(&event, &Silent).unwrap();
    (made.decoded, made.bytes)
}

#[test]
fn every_flipped_bit_and_truncation_of_exact_layers_is_an_error() {
    for (effort, keep_field) in [(Effort::Balanced, true), (Effort::Fast, false)] {
        let (decoded, bytes) = bounded_file(effort, keep_field);
        assert!(exact().decode(&bytes).unwrap() == decoded);
        for bit in 0..bytes.len() * 8 {
            let mut bad = bytes.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(exact().decode(&bad).is_err(), "{effort}: bit {bit}");
        }
        for n in 0..bytes.len() {
            assert_eq!(
                exact().decode(&bytes[..n]).unwrap_err().kind(),
                ErrorKind::Truncated,
                "{effort}: {n}"
            );
        }
    }
}

#[test]
fn exact_layers_of_nonsense_never_panic() {
    for (effort, keep_field) in [(Effort::Balanced, true), (Effort::Fast, false)] {
        let parts = records(&bounded_file(effort, keep_field).1);
        let (mut n_refused, mut n) = (0, 0);
        let mut tried = |bad: &[(u8, Vec<u8>)]| {
            n += 1;
            n_refused += usize::from(exact().decode(&seal(bad)).is_err());
        };
        for (i, (_, payload)) in parts.iter().enumerate() {
            for at in 0..payload.len() {
                for value in [0x00, 0xff, payload[at].wrapping_add(1), payload[at] ^ 0x40] {
                    let mut bad = parts.clone();
                    bad[i].1[at] = value;
                    tried(&bad);
                }
            }
            for cut in 0..payload.len() {
                let mut bad = parts.clone();
                bad[i].1.truncate(cut);
                tried(&bad);
            }
            for more in [1, 9, 300] {
                let mut bad = parts.clone();
                bad[i].1.extend(std::iter::repeat_n(0xa5, more));
                tried(&bad);
            }
        }
        // Many a change of a stream is another stream; lengths and headers give most of the others away.
        assert!(2 * n_refused > n, "{effort}: {n_refused} of {n}");
    }
}

#[test]
fn exact_layers_out_of_place_are_refused() {
    let (decoded, bytes) = bounded_file(Effort::Balanced, true);
    let parts = records(&bytes);
    let kinds: Vec<u8> = parts.iter().map(|p| p.0).collect();
    use kind::{END, FIELD, HEADER, INDEX, NETWORK, RESIDUAL, SUPPORT};
    assert_eq!(kinds, [HEADER, NETWORK, INDEX, SUPPORT, FIELD, RESIDUAL, SUPPORT, FIELD, RESIDUAL, END]);
    // Without the index, which would give every other order away.
    let decode = |order: &[usize]| {
        let chosen: Vec<_> = order.iter().map(|&i| parts[i].clone()).collect();
        codec(Settings::default()).decode(&seal(&chosen))
    };
    assert!(decode(&[0, 1, 3, 4, 5, 6, 7, 8, 9]).unwrap() == decoded);
    for order in [
        &[0, 1, 4, 3, 5, 6, 7, 8, 9][..],
        &[0, 1, 3, 5, 4, 6, 7, 8, 9],
        &[0, 1, 5, 3, 4, 6, 7, 8, 9],
        &[0, 1, 5, 6, 7, 8, 9],
        &[0, 1, 4, 5, 6, 7, 8, 9],
        &[0, 1, 3, 4, 5, 5, 6, 7, 8, 9],
        &[0, 1, 3, 3, 4, 5, 6, 7, 8, 9],
        &[0, 1, 3, 4, 8, 6, 7, 5, 9],
        &[0, 1, 6, 7, 8, 3, 4, 5, 9],
        &[0, 1, 3, 4, 5, 9],
        &[0, 1, 3, 4, 5, 8, 9],
        &[0, 3, 4, 5, 6, 7, 8, 9],
    ] {
        assert_eq!(decode(order).unwrap_err().kind(), ErrorKind::Corrupt, "{order:?}");
    }
    // Samples as they are beside a support.
    let mut both = parts.clone();
    both.remove(2);
    both.insert(3, (kind::RAW, vec![0, 2, 7, 0]));
    assert_eq!(codec(Settings::default()).decode(&seal(&both)).unwrap_err().kind(), ErrorKind::Corrupt);
}

/// An event of a few hundred occupied voxels; 32-bit samples are large.
fn scaled(dtype: DType) -> Event {
    let event = noisy([6, 18, 25], dtype, 22);
    let Samples::I32(samples) = event.samples() else { return event };
    Event::new(event.shape(), Samples::I32(samples.iter().map(|v| v * 1000).collect())).unwrap()
}

/// A file of one tile whose values have the rule `rule`; its stream is `stream`.
fn with_rule(dtype: DType, rule: &[u8], stream: &[u8]) -> Vec<u8> {
    let bound = match dtype {
        DType::F32 => 0.01,
        DType::I32 => 5e3,
        _ => 5.0,
    };
    let bound = Some(Bound::Absolute(bound));
    let settings = Settings { mode: Mode::Bounded, bound, ..Settings::default() };
    let mut parts = records(&codec(settings).encode(&scaled(dtype)).unwrap());
    let at = parts.iter().position(|p| p.0 == kind::RESIDUAL).expect("values");
    parts[at].1 = [&[0, 0], rule, stream].concat();
    seal(&parts)
}

#[test]
fn rules_of_nonsense_are_refused_at_once() {
    let eight = |tag: u8, bytes: [u8; 8]| [&[tag][..], &bytes].concat();
    let width = |w: f64| eight(1, w.to_le_bytes());
    let ratio = |r: u64| eight(2, r.to_le_bytes());
    let integer = |varint: &[u8]| [&[0][..], varint].concat();
    let kind = |dtype, rule: &[u8]| exact().decode(&with_rule(dtype, rule, &[])).map_err(|e| e.kind()).err();
    let corrupt = Some(ErrorKind::Corrupt);
    for w in [0.0, -0.0, -1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5e-324, 1e-300, 1e-17, 1e-9] {
        assert_eq!(kind(DType::F32, &width(w)), corrupt, "width {w}");
    }
    assert_eq!(kind(DType::U16, &width(1.0)), corrupt, "a width for integers");
    assert_eq!(kind(DType::F32, &integer(&[3])), corrupt, "a whole bound for floats");
    assert_eq!(kind(DType::F32, &ratio(1 << 33)), corrupt, "a ratio for floats");
    assert_eq!(kind(DType::I16, &ratio(1 << 33)), corrupt, "a ratio for negative samples");
    for r in [0, 1, (1 << 32) - 1] {
        assert_eq!(kind(DType::U16, &ratio(r)), corrupt, "ratio {r}");
    }
    assert_eq!(kind(DType::U16, &integer(&[0x80, 0x80, 0x80, 0x80, 0x10])), corrupt, "a bound of 2^32");
    assert_eq!(kind(DType::U16, &integer(&[0xff; 11])), corrupt, "a number without end");
    assert_eq!(kind(DType::I32, &integer(&[0])), corrupt, "millions of bins");
    for rule in [&[][..], &[0], &[1, 0, 0], &[2, 0, 0, 0, 0, 0, 0, 0]] {
        assert_eq!(kind(DType::U16, rule), corrupt, "{rule:?}");
    }
    assert_eq!(kind(DType::U16, &[3, 0, 0]), Some(ErrorKind::Unsupported));

    // What is coarse makes one bin of all samples: nothing is left to decode, and nothing may follow.
    let coarse = [
        (DType::U16, integer(&[0xff, 0xff, 0xff, 0xff, 0x0f])),
        (DType::U16, ratio(u64::MAX)),
        (DType::I16, integer(&[0xff, 0xff, 0xff, 0xff, 0x0f])),
        (DType::F32, width(1e308)),
        (DType::F32, width(f64::MAX)),
    ];
    for (dtype, rule) in coarse {
        let decoded = exact().decode(&with_rule(dtype, &rule, &[])).unwrap();
        let like = scaled(dtype);
        let same = |i| (like.samples().get(i) == 0.0) == (decoded.samples().get(i) == 0.0);
        assert!((0..like.n_voxels()).all(same), "{rule:?}");
        let error = exact().decode(&with_rule(dtype, &rule, &[7; 5])).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
    // The finest ratio is the identity.
    assert!(exact().decode(&with_rule(DType::U16, &ratio(1 << 32), &[1; 40])).is_err());
}

#[test]
fn supports_of_nonsense_are_refused() {
    let parts = records(&bounded_file(Effort::Balanced, false).1);
    let at = parts.iter().position(|p| p.0 == kind::SUPPORT).expect("a support");
    let decode = |body: &[u8]| {
        let mut parts = parts.clone();
        parts[at].1 = [&[0][..], body].concat();
        // Without the index, whose lengths would no longer be true, and without the values.
        parts.retain(|p| p.0 != kind::INDEX && p.0 != kind::RESIDUAL);
        exact().decode(&seal(&parts)).map_err(|e| e.kind())
    };
    let sound = parts[at].1[1..].to_vec();
    let decoded = decode(&sound).unwrap();
    for (i, value) in [(1, 6), (1, 255), (2, 251), (2, 255)] {
        let mut bad = sound.clone();
        bad[i] = value;
        assert_eq!(decode(&bad).unwrap_err(), ErrorKind::Corrupt, "byte {i} = {value}");
    }
    assert_eq!(decode(&[2, 0, 0]).unwrap_err(), ErrorKind::Unsupported);
    assert_eq!(decode(&[]).unwrap_err(), ErrorKind::Corrupt);
    for coding in [0, 1] {
        // One byte is no walk; none at all is an empty tile.
        assert_eq!(decode(&[coding, 0]).unwrap_err(), ErrorKind::Corrupt);
        let empty = decode(&[coding]).unwrap();
        assert!((0..4 * 12 * 20).all(|i| empty.samples().get(i) == 0.0) && empty != decoded);
        for order in 0..6 {
            for window in [0, 1, 2, 16, 250] {
                for stream in [&[][..], &[0xff; 3], &[0x55; 70], &[0; 3], &[0; 3000]] {
                    // Whatever it is, it ends.
                    let _ = decode(&[&[coding, order, window], stream].concat());
                }
                assert_eq!(
                    decode(&[&[coding, order, window], &[9; 3000][..]].concat()),
                    Err(ErrorKind::Corrupt)
                );
            }
        }
    }
}

#[test]
fn exact_layers_of_huge_tiles_are_refused_before_anything_is_allocated() {
    // A header of a few bytes, one slice of 2^31 voxels: what its values need is far beyond the samples themselves.
    let mut header = vec![];
    for n in [1u32, 1 << 15, 1 << 16] {
        header.extend(postcard::to_stdvec(&n).unwrap());
    }
    header.extend([0, 1, 1, 1, 2, 4, 4, 0]);
    let values = (kind::RESIDUAL, vec![0, 0, 0, 0]);
    let file = seal(&[(kind::HEADER, header), (kind::SUPPORT, vec![0, 0]), values, (kind::END, vec![])]);
    let limits = Limits { max_operations: u64::MAX, ..Limits::default() };
    let error = InrCodec { limits, ..codec(Settings::default()) }.decode(&file).unwrap_err();
    assert!(error.kind() == ErrorKind::Limit && error.to_string().contains("smaller tiles"), "{error}");
}
