//! The library as other programs use it: shared between threads, watched, cancelled.

mod common;

use common::{codec, event};
use inrfit::codec::{Codec, Compressed, InrCodec, Observer, Progress, Silent, Stage};
use inrfit::container::{Limits, PackReader, PackWriter};
use inrfit::error::{Error, ErrorKind};
use inrfit::event::{DType, Event};
use inrfit::settings::{Mode, Settings};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn types_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Event>();
    shared::<InrCodec>();
    shared::<Compressed>();
    shared::<Settings>();
    shared::<Limits>();
    shared::<Error>();
    shared::<Silent>();
    shared::<inrfit::field::NetField>();
    shared::<inrfit::backend::cpu::Cpu>();
    shared::<inrfit::synth::SynthSettings>();
    shared::<PackReader<std::fs::File>>();
    shared::<PackWriter<std::fs::File>>();
    shared::<Box<dyn Codec + Send + Sync>>();
    sent::<inrfit::io::Events>();
}

#[test]
fn work_on_many_threads_is_what_it_is_alone() {
    let events = [DType::U16, DType::F32, DType::I16].map(|dtype| event([12, 11, 10], dtype));
    let codec = codec(Settings::default());
    let alone: Vec<Vec<u8>> = events.iter().map(|e| codec.encode(e).unwrap()).collect();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            for (event, want) in events.iter().zip(&alone) {
                let codec = &codec;
                scope.spawn(move || {
                    let bytes = codec.encode(event).unwrap();
                    assert!(bytes == *want);
                    assert_eq!(codec.decode(&bytes).unwrap().shape(), event.shape());
                });
            }
        }
    });
}

/// Keeps what it hears, and stops at a step.
struct Watcher {
    heard: Mutex<Vec<Progress>>,
    stop_after: u64,
    step: AtomicU64,
}

impl Observer for Watcher {
    fn progress(&self, p: &Progress) {
        self.step.store(p.step, Ordering::Relaxed);
        self.heard.lock().unwrap().push(*p);
    }

    fn cancelled(&self) -> bool {
        self.step.load(Ordering::Relaxed) >= self.stop_after
    }
}

fn watched(stop_after: u64) -> (Result<Compressed, Error>, Vec<Progress>) {
    let watcher = Watcher { heard: Mutex::default(), stop_after, step: AtomicU64::new(0) };
    let settings =
        Settings { mode: Mode::Field, tile: Some([8, 16, 16]), n_steps: Some(2000), ..Settings::default() };
    let made = codec(settings).compress(&event([16, 16, 16], DType::U16), &watcher);
    (made, watcher.heard.into_inner().unwrap())
}

#[test]
fn progress_goes_forward_through_the_stages() {
    let (made, heard) = watched(u64::MAX);
    assert!(made.is_ok());
    let fits: Vec<(usize, u64)> =
        heard.iter().filter(|p| p.stage == Stage::Fit).map(|p| (p.tile, p.step)).collect();
    assert!(fits.len() > 4 && fits.is_sorted(), "{fits:?}");
    assert!(heard.iter().all(|p| p.n_tiles == 2 && p.tile < 2 && p.step <= p.n_steps));
    assert!(heard.iter().any(|p| p.error.is_some_and(|e| e > 0.0)));
    assert_eq!(heard.last().map(|p| p.stage), Some(Stage::Verify));
}

#[test]
fn a_fit_can_be_cancelled_halfway() {
    let (_, all) = watched(u64::MAX);
    let (made, heard) = watched(500);
    assert_eq!(made.unwrap_err().kind(), ErrorKind::Interrupted);
    let last = heard.last().unwrap();
    assert!(last.stage == Stage::Fit && last.tile == 0 && last.step < 1900, "{last:?}");
    assert!(heard.len() < all.len());
}
