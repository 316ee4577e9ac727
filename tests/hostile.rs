//! Damaged and malicious files: an error or the same values, never a panic, never memory beyond the limits.

mod common;

use common::{codec, event};
use inrfit::codec::{Codec, InrCodec, Silent};
use inrfit::container::{Limits, frame, kind};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::settings::{Bits, Mode, Settings};

fn small_file(n_steps: u64) -> (Event, Vec<u8>) {
    let event = event([8, 9, 7], DType::U16);
    let settings = Settings {
        mode: Mode::Field,
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
    // What checksums cannot catch: nonsense written on purpose. Every byte of every payload takes several values.
    let (_, bytes) = small_file(4);
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
    assert!(n_refused > 300, "{n_refused}");
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
