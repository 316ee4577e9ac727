//! Sizes and errors on fixed inputs, written down in `tests/ledger.csv`: they change on purpose or not at all.
//!
//! `INRFIT_WRITE_LEDGER=1 cargo test --test ledger` rewrites the file; the change then shows in the commit. Fits give
//! the same weights on every processor, so bytes are compared exactly.

mod common;

use common::{codec, event};
use inrfit::codec::Silent;
use inrfit::event::{DType, Event};
use inrfit::metrics::{Metrics, default_peak};
use inrfit::settings::{Bits, Mode, Settings};
use std::fmt::Write;
use std::path::Path;

fn cases() -> Vec<(&'static str, Event, Settings)> {
    let settings = |hidden, n_steps, bits| Settings {
        mode: Mode::Field,
        hidden: Some(hidden),
        n_steps: Some(n_steps),
        batch: Some(1024),
        bits: Some(bits),
        ..Settings::default()
    };
    let band = event([48, 40, 12], DType::U16);
    let one_head = Settings { n_heads: Some(1), ..settings(24, 800, Bits::Fixed(6)) };
    let tiles = Settings { tile: Some([24, 40, 12]), ..settings(16, 800, Bits::Auto) };
    vec![
        ("band, defaults but small", band.clone(), settings(24, 800, Bits::Auto)),
        ("band, 3 bits", band.clone(), settings(24, 800, Bits::Fixed(3))),
        ("band, one head", band.clone(), one_head),
        ("band, two tiles", band, tiles),
        ("floats", event([30, 30, 12], DType::F32), settings(16, 600, Bits::Fixed(5))),
    ]
}

#[test]
fn the_ledger_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ledger.csv");
    let mut now = String::from("case,bytes,field_bytes,log_mae,mse,precision,recall\n");
    for (name, event, settings) in cases() {
        let made = codec(settings).compress(&event, &Silent).unwrap();
        let m = Metrics::compare(&event, &made.decoded, default_peak(&event)).unwrap();
        writeln!(
            now,
            "\"{name}\",{},{},{:.6},{:.5e},{:.4},{:.4}",
            made.bytes.len(),
            made.report.layers.field,
            m.log_mae,
            m.mse,
            m.precision,
            m.recall
        )
        .unwrap();
    }
    if std::env::var_os("INRFIT_WRITE_LEDGER").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(
        written == now,
        "written down:\n{written}\nnow:\n{now}\nSet INRFIT_WRITE_LEDGER=1 if that is intended."
    );
}
