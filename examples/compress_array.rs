//! Compresses an array with progress and a way to stop, and looks at what came of it.
//!
//! ```sh
//! cargo run --release --example compress_array            # a synthetic event
//! cargo run --release --example compress_array event.npy  # one of yours
//! ```
//! Enter stops the fit.

use inrfit::codec::{InrCodec, Observer, Progress, Silent, Stage};
use inrfit::container::Limits;
use inrfit::error::{Error, ErrorKind};
use inrfit::event::Event;
use inrfit::io::read_event;
use inrfit::metrics::{Metrics, default_peak};
use inrfit::prior::Priors;
use inrfit::settings::Settings;
use inrfit::synth::SynthSettings;
use inrfit::tile::Tile;
use std::sync::atomic::{AtomicBool, Ordering};

/// Hears of progress on whatever thread does the work, and asks it to stop when `stop` is set.
struct Watcher<'a> {
    stop: &'a AtomicBool,
}

impl Observer for Watcher<'_> {
    fn progress(&self, p: &Progress) {
        if p.stage == Stage::Fit {
            let error = p.error.map_or_else(String::new, |e| format!(", log-MAE about {e:.3}"));
            println!("tile {} of {}: step {} of {}{error}", p.tile + 1, p.n_tiles, p.step, p.n_steps);
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

fn main() -> Result<(), Error> {
    let event: Event = match std::env::args_os().nth(1) {
        Some(path) => read_event(path.as_ref())?,
        None => SynthSettings { shape: [48, 60, 16], ..SynthSettings::default() }.generate()?,
    };
    let stop = std::sync::Arc::new(AtomicBool::new(false));
    let asked = stop.clone();
    std::thread::spawn(move || {
        // A closed input is no wish to stop.
        if std::io::stdin().read_line(&mut String::new()).is_ok_and(|n| n > 0) {
            asked.store(true, Ordering::Relaxed);
        }
    });

    let settings = Settings { n_steps: Some(1500), ..Settings::default() };
    let codec = InrCodec { settings, limits: Limits::default(), n_threads: 2, priors: Priors::default() };
    let compressed = match codec.compress(&event, &Watcher { stop: &stop }) {
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            println!("stopped; nothing is left of it");
            return Ok(());
        }
        other => other?,
    };
    let metrics = Metrics::compare(&event, &compressed.decoded, default_peak(&event))?;
    println!(
        "{} bytes of samples in {} bytes: log-MAE {:.3}, precision {:.3}, recall {:.3}",
        event.raw_bytes(),
        compressed.bytes.len(),
        metrics.log_mae,
        metrics.precision,
        metrics.recall,
    );

    // Any box of voxels is decoded from these bytes alone; here one voxel in the middle.
    let middle = Tile { start: event.shape().map(|n| n / 2), shape: [1, 1, 1] };
    let value = codec.decompress_region(&compressed.bytes, &middle, &Silent)?;
    println!("the voxel at {:?} decodes to {}", middle.start, value.samples().get(0));
    Ok(())
}
