//! What several test files share.
#![allow(dead_code, reason = "each test file uses its own part")]

use inrfit::codec::InrCodec;
use inrfit::container::Limits;
use inrfit::event::{DType, Event, Samples};
use inrfit::prior::Priors;
use inrfit::settings::{DeviceRequest, Settings};
use std::path::PathBuf;

/// A small event: slanted bands over a sixth of the voxels, with some structure in the values.
pub fn event(shape: [usize; 3], dtype: DType) -> Event {
    let n = shape.iter().product();
    let value = |i: usize| -> f64 {
        let [a, b, c] = inrfit::event::unravel(i, shape);
        let phase = (a + 2 * b + 3 * c) % 24;
        if phase < 4 { (70 + 5 * a + 3 * b + 31 * phase) as f64 } else { 0.0 }
    };
    let samples = match dtype {
        DType::U8 => Samples::U8((0..n).map(|i| value(i).min(255.0) as u8).collect()),
        DType::U16 => Samples::U16((0..n).map(|i| value(i).min(1023.0) as u16).collect()),
        DType::I16 => {
            Samples::I16((0..n).map(|i| value(i) as i16 * if i % 3 == 0 { -1 } else { 1 }).collect())
        }
        DType::I32 => Samples::I32((0..n).map(|i| value(i) as i32 * 100_000).collect()),
        DType::F32 => Samples::F32((0..n).map(|i| value(i) as f32 * 1e-3).collect()),
    };
    Event::new(shape, samples).expect("a valid event")
}

/// Events for the exact layers: noise in the places of [`event`], and a few voxels elsewhere.
pub fn noisy(shape: [usize; 3], dtype: DType, seed: u32) -> Event {
    let mut state = seed;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 16) / 65_536.0
    };
    let places = event(shape, dtype);
    let mut samples = places.samples().clone();
    for i in 0..samples.len() {
        let value = 70.0 + 200.0 * noise() * noise() + 40.0 * noise();
        let occupied = samples.get(i) != 0.0 || noise() < 0.003;
        let value = match dtype {
            DType::F32 => f64::from((value * 1e-3) as f32),
            DType::U8 => (value.min(255.0)).floor(),
            DType::I16 if noise() < 0.3 => -value.floor(),
            _ => value.floor(),
        };
        samples.set(i, if occupied { value } else { 0.0 });
    }
    Event::new(shape, samples).expect("a valid event")
}

/// A codec with a short fit of a small network.
pub fn codec(settings: Settings) -> InrCodec {
    let settings = Settings {
        n_steps: settings.n_steps.or(Some(60)),
        batch: settings.batch.or(Some(256)),
        hidden: settings.hidden.or(Some(8)),
        // Bytes that are compared with others are a processor's.
        device: DeviceRequest::Cpu,
        ..settings
    };
    InrCodec { settings, limits: Limits::default(), n_threads: 2, priors: Priors::default() }
}

/// The folder of real data, or `None` with a line that says so; where the data are required, absence is a failure.
pub fn data() -> Option<PathBuf> {
    let folder = match std::env::var_os("INRFIT_TEST_DATA") {
        Some(folder) => PathBuf::from(folder),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"),
    };
    if folder.join("wedges").is_dir() {
        return Some(folder);
    }
    assert!(
        std::env::var_os("INRFIT_REQUIRE_DATA").is_none(),
        "INRFIT_REQUIRE_DATA is set: no data in {folder:?}"
    );
    eprintln!("skipped: no wedges in {}; INRFIT_TEST_DATA names another folder", folder.display());
    None
}
