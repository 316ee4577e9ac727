//! Any bytes as a compressed file: a named error or samples, whole or by region, within the limits.
//!
//! The mutator works on the payloads of records and puts the right checksums around them, so that what lies behind
//! the checksums is reached; now and then it changes the file as it is.

#![no_main]

use inrfit::backend::cpu::Cpu;
use inrfit::codec::{InrCodec, Silent};
use inrfit::container::{Limits, PackReader, Reader, Writer, frame, is_pack, kind};
use inrfit::error::ErrorKind;
use inrfit::prior::{ContextPrior, Priors};
use inrfit::event::{Event, Samples};
use inrfit::settings::{Mode, Settings};
use inrfit::tile::Tile;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use std::io::Cursor;
use std::sync::{Arc, LazyLock};

/// Small enough that no input takes long.
const LIMITS: Limits = Limits { max_event_bytes: 1 << 16, max_weights: 1 << 12, max_operations: 1 << 29 };

static CPU: LazyLock<Cpu> = LazyLock::new(|| Cpu::new(1).expect("one thread"));

fuzz_target!(|bytes: &[u8]| {
    if is_pack(bytes) {
        let Ok(mut pack) = PackReader::open(Cursor::new(bytes)) else { return };
        for i in 0..pack.n_events() {
            if let Ok(event) = pack.read(i) {
                decode(&event.file);
            }
        }
    } else {
        decode(bytes);
    }
});

fn decode(bytes: &[u8]) {
    if let Ok(prior) = ContextPrior::from_bytes(bytes) {
        use_prior(prior);
    }
    let codec =
        InrCodec { settings: Settings::default(), limits: LIMITS, n_threads: 1, priors: Priors::default() };
    let event = match codec.decompress_on(&CPU, bytes, &Silent) {
        Ok(event) => event,
        Err(error) => {
            let bytes_fault =
                [ErrorKind::Corrupt, ErrorKind::Truncated, ErrorKind::Unsupported, ErrorKind::Limit];
            assert!(bytes_fault.contains(&error.kind()), "{:?}: {error}", error.kind());
            return;
        }
    };
    assert!(event.raw_bytes() as u64 <= LIMITS.max_event_bytes);
    // A region is the same samples; the corner farthest from the first voxel is in the last tile.
    let corner = Tile { start: event.shape().map(|n| n - 1), shape: [1; 3] };
    let region = codec.decompress_region(bytes, &corner, &Silent).expect("a region of what can be decoded");
    assert_eq!(region.samples().get(0), event.samples().get(event.n_voxels() - 1));
}

/// Whatever weights a prior has, values coded with it come back.
fn use_prior(prior: ContextPrior) {
    let samples: Vec<u16> = (0..4 * 6 * 20).map(|i| if i / 20 % 3 == 0 { 70 + (i * i % 91) as u16 } else { 0 }).collect();
    let event = Event::new([4, 6, 20], Samples::U16(samples)).expect("an event");
    let settings = Settings { mode: Mode::Lossless, ..Settings::default() };
    let priors = Priors { contexts: Some(Arc::new(prior)), ..Priors::default() };
    let codec = InrCodec { settings, limits: LIMITS, n_threads: 1, priors };
    // It checks what it wrote.
    codec.compress(&event, &Silent).expect("a lossless file");
}

/// Kinds and payloads of the records of a file up to the first that cannot be read.
fn records(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let Ok(mut reader) = Reader::new(bytes) else { return Vec::new() };
    let mut records = Vec::new();
    while let Ok(Some(record)) = reader.next() {
        if record.kind != kind::END {
            records.push((record.kind, record.payload.to_vec()));
        }
    }
    records
}

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut records = records(&data[..size]);
    if records.is_empty() || seed.is_multiple_of(16) {
        return fuzzer_mutate(data, size, max_size);
    }
    let chosen = (seed >> 8) as usize % records.len();
    match (seed >> 4) % 16 {
        0 => {
            records.remove(chosen);
        }
        1 => records.insert(chosen, records[(seed >> 16) as usize % records.len()].clone()),
        2 => records[chosen].0 ^= 1 << (seed >> 16 & 7),
        _ => {
            let payload = &mut records[chosen].1;
            let length = payload.len();
            // As much longer as a mutation may make it.
            payload.resize(length + 64, 0);
            let length = fuzzer_mutate(payload, length, length + 64);
            payload.truncate(length);
        }
    }
    // The index would give every payload of another length away.
    if seed >> 12 & 3 != 0 {
        records.retain(|(kind, _)| *kind != kind::INDEX);
    }
    let mut writer = Writer::new();
    records.iter().for_each(|(kind, payload)| writer.framed(&frame(*kind, payload)));
    let file = writer.finish();
    // One too long would be cut: its last record then lacks its checksum, which is an input as good as others.
    let n = file.len().min(max_size);
    data[..n].copy_from_slice(&file[..n]);
    n
});
