//! Priors: learned, named by their hash, used where they pay, missed where they are not there.

mod common;

use common::{codec, noisy};
use inrfit::codec::{InrCodec, Silent};
use inrfit::container::{Contents, Limits};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event};
use inrfit::prior::{ContextPrior, Priors, hex};
use inrfit::residual::{Bound, Learning};
use inrfit::settings::{Effort, Mode, Settings};
use inrfit::synth::SynthSettings;
use inrfit::tile::Tile;
use std::sync::{Arc, OnceLock};

fn tracks(seed: u64) -> Event {
    let settings = SynthSettings { seed, shape: [96, 120, 12], occupancy: 0.12, ..SynthSettings::default() };
    settings.generate().unwrap()
}

/// A prior that knows little, learned in a second or two.
fn small_prior() -> Arc<ContextPrior> {
    static PRIOR: OnceLock<Arc<ContextPrior>> = OnceLock::new();
    let learning = Learning { n_steps: 250, units: [16, 16], seed: 4 };
    let learn =
        || Arc::new(ContextPrior::learn(&[tracks(1), tracks(2)], &learning, &mut |_, _| Ok(())).unwrap());
    PRIOR.get_or_init(learn).clone()
}

fn lossless() -> Settings {
    Settings { mode: Mode::Lossless, ..Settings::default() }
}

fn with(prior: &Arc<ContextPrior>, settings: Settings) -> InrCodec {
    InrCodec { priors: Priors { contexts: Some(prior.clone()), ..Priors::default() }, ..codec(settings) }
}

#[test]
fn what_past_events_tell_makes_others_smaller() {
    let event = tracks(77);
    for (bound, gain) in [(None, 0.97), (Some(Bound::Log2(0.1)), 0.95), (Some(Bound::Absolute(8.0)), 0.95)] {
        let mode = if bound.is_some() { Mode::Bounded } else { Mode::Lossless };
        let settings = Settings { mode, bound, ..Settings::default() };
        let size = |prior| {
            let made = codec(Settings { prior, ..settings.clone() }).compress(&event, &Silent).unwrap();
            made.report.layers.residual as f64
        };
        let (without, shipped) = (size(false), size(true));
        assert!(shipped < gain * without, "{bound:?}: {shipped} bytes of values, {without} without a prior");
    }
    let own = with(&small_prior(), lossless()).compress(&event, &Silent).unwrap();
    let without = codec(Settings { prior: false, ..lossless() }).compress(&event, &Silent).unwrap();
    assert!(own.report.layers.residual < without.report.layers.residual);
    assert_eq!(own.decoded, event);
}

#[test]
fn a_prior_is_not_used_where_it_does_not_pay() {
    for (event, settings) in [
        // Nothing like tracks, and too little of it for a name to pay.
        (noisy([4, 9, 12], DType::U16, 3), lossless()),
        (tracks(3), Settings { effort: Effort::Fast, ..lossless() }),
        (tracks(3), Settings { prior: false, ..lossless() }),
        (tracks(3), Settings { mode: Mode::Masked, ..Settings::default() }),
    ] {
        let made = codec(settings).compress(&event, &Silent).unwrap();
        let contents = Contents::read(&made.bytes, &Limits::default()).unwrap();
        assert_eq!(contents.prior, None);
    }
}

#[test]
fn a_file_names_the_prior_it_needs() {
    let (event, prior) = (tracks(5), small_prior());
    for settings in [lossless(), Settings { tile: Some([48, 60, 12]), ..lossless() }] {
        let made = with(&prior, settings.clone()).compress(&event, &Silent).unwrap();
        let contents = Contents::read(&made.bytes, &Limits::default()).unwrap();
        assert_eq!(contents.prior, Some(prior.short_hash()));
        let whole = with(&prior, Settings::default()).decompress(&made.bytes, &Silent).unwrap();
        assert_eq!(whole, event);
        let part = Tile { start: [10, 20, 3], shape: [5, 50, 2] };
        let region = with(&prior, lossless()).decompress_region(&made.bytes, &part, &Silent).unwrap();
        let at = |i: usize| ((10 + i / 100) * 120 + 20 + i / 2 % 50) * 12 + 3 + i % 2;
        assert!((0..500).all(|i| region.samples().get(i) == event.samples().get(at(i))));

        // The one that comes with the program is another.
        let other = Arc::new(ContextPrior::shipped().as_ref().clone());
        for codec in [codec(lossless()), with(&other, lossless())] {
            for error in [
                codec.decompress(&made.bytes, &Silent).unwrap_err(),
                codec.decompress_region(&made.bytes, &part, &Silent).unwrap_err(),
            ] {
                assert_eq!(error.kind(), ErrorKind::Unsupported);
                let text = error.to_string();
                assert!(text.contains(&hex(&prior.short_hash())) && text.contains("--prior"), "{text}");
                let given = codec.priors.contexts.is_some();
                assert_eq!(text.contains(&hex(&other.short_hash())), given, "{text}");
            }
        }
    }
    // The shipped one is known whatever else is given.
    let made = codec(lossless()).compress(&event, &Silent).unwrap();
    assert_eq!(with(&prior, lossless()).decompress(&made.bytes, &Silent).unwrap(), event);
}

#[test]
fn damage_to_a_prior_is_an_error() {
    let bytes = small_prior().to_bytes();
    assert_eq!(ContextPrior::from_bytes(&bytes).unwrap(), *small_prior());
    for n in 0..bytes.len() {
        let error = ContextPrior::from_bytes(&bytes[..n]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{n} bytes: {error}");
    }
    for i in (0..bytes.len() * 8).step_by(7) {
        let mut bad = bytes.clone();
        bad[i / 8] ^= 1 << (i % 8);
        assert!(ContextPrior::from_bytes(&bad).is_err(), "bit {i}");
    }
    // An event is no prior, and a prior no event.
    let event = codec(lossless()).compress(&noisy([4, 9, 12], DType::U16, 3), &Silent).unwrap();
    assert_eq!(ContextPrior::from_bytes(&event.bytes).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(codec(lossless()).decompress(&bytes, &Silent).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn learning_ends_when_told_to() {
    let stop = || inrfit::error::Error::new(ErrorKind::Interrupted, "stopped on request");
    let learning = Learning { n_steps: 1_000_000, units: [16, 16], seed: 4 };
    let learned = ContextPrior::learn(&[tracks(1)], &learning, &mut |_, _| Err(stop()));
    assert_eq!(learned.unwrap_err().kind(), ErrorKind::Interrupted);
}
