//! Any bytes as an input file, `.npy`, `.npz` or raw samples: named errors or events, no more memory than allowed.

#![no_main]

use inrfit::io::array::Layout;
use inrfit::io::{Events, InputSettings, ReadSettings, npy};
use libfuzzer_sys::fuzz_target;
use std::io::Cursor;

const MAX_EVENT_BYTES: u64 = 1 << 16;
const TYPES: [&str; 8] = ["|u1", "<u2", ">u2", "<i2", ">i4", "<f4", ">f8", "<i8"];

// The first byte: what the rest is and whether floats are rounded. For raw samples four extents follow it.
fuzz_target!(|bytes: &[u8]| {
    let [how, rest @ ..] = bytes else { return };
    let read = ReadSettings { max_event_bytes: MAX_EVENT_BYTES, round: how & 1 == 1 };
    let mut settings = InputSettings { raw: None, read };
    let mut file = rest;
    if how & 2 == 2 {
        let [a, b, c, d, samples @ ..] = rest else { return };
        let n_axes = 1 + usize::from(how >> 3 & 3);
        let layout = Layout {
            encoding: TYPES[usize::from(how >> 5)].parse().expect("a type that is read"),
            fortran_order: how & 4 == 4,
            shape: [a, b, c, d].map(|n| usize::from(*n))[..n_axes].to_vec(),
        };
        settings.raw = Some(layout);
        file = samples;
    }
    let Ok(mut events) = Events::from_reader(Box::new(Cursor::new(file.to_vec())), &settings) else { return };
    let (mut n_read, mut n_errors) = (0u32, 0u32);
    while let Some(origin) = events.peek() {
        // An archive says which of its arrays fails; every event is read once or passed over.
        let outcome = match origin {
            Err(_) => Err(()),
            Ok(_) if n_read % 3 == 2 => events.skip().expect("what was announced").map_err(|_| ()),
            Ok(_) => events.read().expect("what was announced").map_err(|_| ()).map(|event| {
                assert!(event.raw_bytes() as u64 <= MAX_EVENT_BYTES);
                let mut written = Vec::new();
                npy::write(&mut written, &event).expect("memory takes it");
                assert!(npy::read(&mut &written[..], MAX_EVENT_BYTES).expect("our own file") == event);
            }),
        };
        n_read += 1;
        n_errors += u32::from(outcome.is_err());
        // No event is empty, so there are no more of them than bytes, unpacked a thousandfold; errors end an array.
        if n_read > 2000 || n_errors > 2000 {
            return;
        }
    }
});
