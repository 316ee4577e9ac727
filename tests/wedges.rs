//! The real data: a short fit of a real wedge comes out as such fits do.

mod common;

use inrfit::codec::{InrCodec, Silent};
use inrfit::container::Limits;
use inrfit::io::read_event;
use inrfit::metrics::{Metrics, default_peak};
use inrfit::prior::Priors;
use inrfit::settings::{DeviceRequest, Mode, Settings};

#[test]
fn a_short_fit_of_a_wedge_finds_its_tracks() {
    let Some(data) = common::data() else { return };
    let event = read_event(&data.join("wedges/wedge_3093_8_2-0.npy")).unwrap();
    assert_eq!(event.shape(), [192, 249, 16]);
    let settings = Settings {
        mode: Mode::Field,
        hidden: Some(64),
        n_steps: Some(2000),
        batch: Some(4096),
        device: DeviceRequest::Cpu,
        ..Settings::default()
    };
    let codec = InrCodec { settings, limits: Limits::default(), n_threads: 2, priors: Priors::default() };
    let made = codec.compress(&event, &Silent).unwrap();
    let metrics = Metrics::compare(&event, &made.decoded, default_peak(&event)).unwrap();
    assert!((0.07..0.12).contains(&metrics.occupancy), "{metrics:?}");
    assert!(made.bytes.len() < 8_000, "{} bytes", made.bytes.len());
    // An empty decoding has log-MAE 0.5 and more: the fit must be far better already.
    assert!(metrics.log_mae < 0.35 && metrics.precision > 0.7 && metrics.recall > 0.7, "{metrics:?}");
    assert!(codec.decompress(&made.bytes, &Silent).unwrap() == made.decoded);
}

#[test]
fn all_wedges_are_as_described() {
    let Some(data) = common::data() else { return };
    let mut n = 0;
    for entry in std::fs::read_dir(data.join("wedges")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|e| e == "npy") {
            let event = read_event(&path).unwrap();
            assert_eq!((event.raw_bytes(), default_peak(&event)), (1_529_856, 1023.0), "{path:?}");
            n += 1;
        }
    }
    assert_eq!(n, 5);
}
