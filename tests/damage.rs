//! Random damage of whole files: `cargo test --release --test damage -- --ignored --nocapture`.

mod common;

use common::{codec, data};
use inrfit::codec::{Codec, Silent};
use inrfit::event::Event;
use inrfit::io::read_event;
use inrfit::residual::Bound;
use inrfit::settings::{Effort, Mode, Settings};
use inrfit::synth::SynthSettings;
use std::collections::BTreeMap;

const N_DAMAGES: u64 = 10_000;

/// A generator of numbers that needs nothing but a seed.
struct Random(u64);

impl Random {
    /// Below `n`, which is not 0.
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0 ^ (self.0 >> 29)) * n as u128) >> 64) as usize
    }

    /// A place and a length of up to `most` within `n` bytes.
    fn piece(&mut self, n: usize, most: usize) -> (usize, usize) {
        let start = self.below(n);
        (start, 1 + self.below(most.min(n - start)))
    }
}

/// What can happen to a file: damages `bytes` and says how.
fn damage(bytes: &mut Vec<u8>, random: &mut Random) -> &'static str {
    let n = bytes.len();
    let (start, length) = random.piece(n, 600);
    match random.below(8) {
        0 => {
            bytes[start] ^= 1 << random.below(8);
            "one bit flipped"
        }
        1 => {
            for _ in 0..2 + random.below(30) {
                bytes[random.below(n)] ^= 1 << random.below(8);
            }
            "several bits flipped"
        }
        2 => {
            bytes[start..start + length].iter_mut().for_each(|b| *b = random.below(256) as u8);
            "a piece overwritten"
        }
        3 => {
            bytes[start..start + length].fill(0);
            "a piece zeroed"
        }
        4 => {
            bytes.truncate(start);
            "cut at the end"
        }
        5 => {
            bytes.drain(start..start + length);
            "a piece cut out"
        }
        6 => {
            let piece = bytes[start..start + length].to_vec();
            let at = random.below(n);
            bytes.splice(at..at, piece);
            "a piece repeated"
        }
        _ => {
            // Two neighbouring pieces change places.
            let middle = random.below(length);
            bytes[start..start + length].rotate_left(middle);
            "two pieces swapped"
        }
    }
}

/// Three events: wedges, where there are any.
fn events() -> Vec<Event> {
    let Some(folder) = data() else {
        return (0..3)
            .map(|seed| SynthSettings { seed, ..SynthSettings::default() }.generate().expect("an event"))
            .collect();
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder.join("wedges"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == "npy"))
        .collect();
    paths.sort();
    paths.iter().take(3).map(|path| read_event(path).expect("an event")).collect()
}

#[test]
#[ignore = "about a minute; part of `just long`"]
fn ten_thousand_random_damages_are_errors() {
    let plain = |mode| Settings { mode, n_steps: Some(20), tile: Some([96, 249, 16]), ..Settings::default() };
    let bound = Some(Bound::Log2(0.2));
    let variants = [
        plain(Mode::Field),
        plain(Mode::Masked),
        Settings { bound, ..plain(Mode::Bounded) },
        Settings { bound, keep_field: true, tile: None, ..plain(Mode::Bounded) },
        plain(Mode::Lossless),
        Settings { effort: Effort::Fast, tile: None, ..plain(Mode::Lossless) },
    ];
    let mut files = vec![];
    for event in events() {
        for settings in &variants {
            let made = codec(settings.clone()).compress(&event, &Silent).expect("a file");
            files.push((made.bytes, made.decoded));
        }
    }
    let codec = codec(Settings::default());
    let mut random = Random(20_260_301);
    let mut told: BTreeMap<String, u64> = BTreeMap::new();
    let (mut n, mut n_silent) = (0, 0);
    while n < N_DAMAGES {
        let (file, decoded) = &files[random.below(files.len())];
        let mut bad = file.clone();
        let how = damage(&mut bad, &mut random);
        if bad == *file {
            continue;
        }
        n += 1;
        match codec.decode(&bad) {
            Err(error) => *told.entry(format!("{how}: {:?}", error.kind())).or_default() += 1,
            // The bytes are others, so even the same samples mean that a byte is under no checksum.
            Ok(event) => {
                n_silent += 1;
                eprintln!(
                    "{how}: decoded, samples {}",
                    if event == *decoded { "the same" } else { "DIFFER" }
                );
            }
        }
    }
    told.iter().for_each(|(what, n)| println!("{n:6}  {what}"));
    println!("{n} damages of {} files: {n_silent} silent", files.len());
    assert_eq!(n_silent, 0);
}
