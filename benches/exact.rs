//! Speed and size of the exact layers, in memory on one thread: whole compression (its own check included) and
//! decompression, MB of samples a second.
//!
//! `cargo bench --bench exact -- WEDGE.npy...`; without arguments a synthetic event. The best of several runs counts.

use inrfit::codec::InrCodec;
use inrfit::container::Limits;
use inrfit::event::Event;
use inrfit::prior::Priors;
use inrfit::residual::Bound;
use inrfit::settings::{Effort, Mode, Settings};
use inrfit::synth::SynthSettings;
use std::path::Path;
use std::time::Instant;

fn best_of<T>(n: usize, mut work: impl FnMut() -> T) -> (f64, T) {
    let mut best = f64::INFINITY;
    let mut last = None;
    for _ in 0..n {
        let start = Instant::now();
        last = Some(work());
        best = best.min(start.elapsed().as_secs_f64());
    }
    (best, last.expect("at least one run"))
}

fn main() {
    let paths: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with("--")).collect();
    let events: Vec<Event> = match paths.is_empty() {
        true => vec![SynthSettings::default().generate().expect("the synthetic event")],
        false => {
            paths.iter().map(|p| inrfit::io::read_event(Path::new(p)).expect("a readable event")).collect()
        }
    };
    println!("{:<22}{:>10}{:>14}{:>14}", "", "ratio", "in, MB/s", "out, MB/s");
    let cases = [
        (Effort::Fast, None),
        (Effort::Balanced, None),
        (Effort::Fast, Some(Bound::Log2(0.1))),
        (Effort::Balanced, Some(Bound::Log2(0.1))),
        (Effort::Balanced, Some(Bound::Log2(0.4))),
        (Effort::Balanced, Some(Bound::Absolute(8.0))),
    ];
    for (effort, bound) in cases {
        let mode = if bound.is_some() { Mode::Bounded } else { Mode::Lossless };
        let settings = Settings { mode, bound, effort, ..Settings::default() };
        let codec = InrCodec { settings, limits: Limits::default(), n_threads: 1, priors: Priors::default() };
        let (mut n_in, mut n_out, mut seconds) = (0, 0, [0.0; 2]);
        for event in &events {
            let (t, bytes) =
                best_of(7, || codec.compress(event, &inrfit::codec::Silent).expect("compressed").bytes);
            seconds[0] += t;
            seconds[1] +=
                best_of(7, || codec.decompress(&bytes, &inrfit::codec::Silent).expect("decompressed")).0;
            n_in += event.n_voxels() * event.dtype().n_bytes();
            n_out += bytes.len();
        }
        let bound = bound.map_or("lossless".to_owned(), |b| format!("{b:?}"));
        let speed = seconds.map(|s| n_in as f64 / 1e6 / s);
        let ratio = n_in as f64 / n_out as f64;
        println!("{:<22}{ratio:>10.2}{:>14.1}{:>14.1}", format!("{bound} {effort}"), speed[0], speed[1]);
    }
}
