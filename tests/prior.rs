//! Priors: learned, named by their hash, used where they pay, missed where they are not there.

mod common;

use common::{codec, noisy};
use inrfit::codec::{InrCodec, Lessons, Silent};
use inrfit::container::{Contents, Limits, Reader, Writer, kind};
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event};
use inrfit::prior::{ContextPrior, Prior, Priors, StartPrior, hex};
use inrfit::residual::{Bound, Learning};
use inrfit::settings::{Bits, Effort, Mode, ModelKind, Settings};
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

/// Kinds and payloads.
type Records = Vec<(u8, Vec<u8>)>;

#[test]
fn a_prior_has_its_place_in_a_file() {
    let made = codec(lossless()).compress(&tracks(5), &Silent).unwrap();
    let records = |bytes: &[u8]| {
        let mut reader = Reader::new(bytes).unwrap();
        let mut records = vec![];
        while let Some(record) = reader.next().unwrap() {
            records.push((record.kind, record.payload.to_vec()));
        }
        records
    };
    let error = |change: &dyn Fn(&mut Records)| {
        let mut changed = records(&made.bytes);
        change(&mut changed);
        let mut writer = Writer::new();
        changed.iter().filter(|r| r.0 != kind::END).for_each(|(kind, payload)| writer.record(*kind, payload));
        codec(lossless()).decompress(&writer.finish(), &Silent).unwrap_err().kind()
    };
    let at = records(&made.bytes).iter().position(|r| r.0 == kind::PRIOR).unwrap();
    let later = |r: &mut Records| {
        let prior = r.remove(at);
        r.insert(at + 2, prior);
    };
    assert_eq!(error(&later), ErrorKind::Corrupt, "after the values");
    assert_eq!(error(&|r| drop(r.remove(at))), ErrorKind::Corrupt, "left out");
    assert_eq!(error(&|r| r.insert(at, r[at].clone())), ErrorKind::Corrupt, "twice");
    assert_eq!(error(&|r| r[at].1.truncate(8)), ErrorKind::Corrupt, "cut");
    assert_eq!(error(&|r| r[at].1.clear()), ErrorKind::Corrupt, "empty");
    assert_eq!(error(&|r| r[at].1[0] = 9), ErrorKind::Unsupported, "of another kind");
    assert_eq!(error(&|r| r[at].1[5] ^= 1), ErrorKind::Unsupported, "another one");
}

#[test]
fn learning_ends_when_told_to() {
    let stop = || inrfit::error::Error::new(ErrorKind::Interrupted, "stopped on request");
    let learning = Learning { n_steps: 1_000_000, units: [16, 16], seed: 4 };
    let learned = ContextPrior::learn(&[tracks(1)], &learning, &mut |_, _| Err(stop()));
    assert_eq!(learned.unwrap_err().kind(), ErrorKind::Interrupted);
}

/// A mode for which fits start from a prior.
fn fitted(mode: Mode) -> Settings {
    Settings {
        mode,
        batch: Some(1024),
        hidden: Some(if mode == Mode::Masked { 8 } else { 16 }),
        ..Settings::default()
    }
}

fn learned(mode: Mode, n_threads: usize) -> StartPrior {
    let lessons = Lessons { n_steps: 100, n_passes: if mode == Mode::Masked { 8 } else { 2 } };
    let codec = InrCodec { n_threads, ..codec(fitted(mode)) };
    codec.learn_start(&[tracks(1), tracks(2)], &lessons, &Silent).unwrap()
}

/// A prior for fitting, learned in seconds.
fn small_start() -> Arc<StartPrior> {
    static PRIOR: OnceLock<Arc<StartPrior>> = OnceLock::new();
    PRIOR.get_or_init(|| Arc::new(learned(Mode::Masked, 2))).clone()
}

fn from(start: &Arc<StartPrior>, settings: Settings) -> InrCodec {
    InrCodec { priors: Priors { start: Some(start.clone()), ..Priors::default() }, ..codec(settings) }
}

#[test]
fn a_start_is_learned_alike_by_any_number_of_threads() {
    let limits = Limits::default();
    for mode in [Mode::Masked, Mode::Field] {
        let bytes = learned(mode, 1).to_bytes().unwrap();
        let again = learned(mode, 3);
        assert_eq!(again.to_bytes().unwrap(), bytes, "{mode}");
        assert_eq!(StartPrior::from_bytes(&bytes, &limits).unwrap(), again, "{mode}");
        assert_eq!(Prior::from_bytes(&bytes, &limits).unwrap(), Prior::Start(again), "{mode}");
    }
}

#[test]
fn fits_that_start_from_past_events_are_closer_in_fewer_steps() {
    let event = tracks(77);
    let error = |decoded: &Event| {
        let log = |e: &Event, i: usize| (1.0 + e.samples().get(i)).log2();
        (0..event.n_voxels()).map(|i| (log(decoded, i) - log(&event, i)).abs()).sum::<f64>()
    };
    let settings = |n_steps| Settings { n_steps: Some(n_steps), ..fitted(Mode::Masked) };
    let random = codec(settings(300)).compress(&event, &Silent).unwrap();
    let started = from(&small_start(), settings(100)).compress(&event, &Silent).unwrap();
    assert!(
        error(&started.decoded) < error(&random.decoded),
        "{} {}",
        error(&started.decoded),
        error(&random.decoded)
    );
    assert!(started.bytes.len() < random.bytes.len() + 60, "{} {}", started.bytes.len(), random.bytes.len());
}

#[test]
fn a_file_names_the_start_that_its_weights_are_told_from() {
    let (event, start) = (tracks(5), small_start());
    let other = Arc::new(learned_from(&tracks(9)));
    let short = |settings: Settings| Settings { n_steps: Some(40), ..settings };
    for settings in [
        fitted(Mode::Masked),
        Settings { tile: Some([48, 60, 12]), ..fitted(Mode::Masked) },
        Settings { keep_field: true, ..fitted(Mode::Lossless) },
    ] {
        let settings = Settings { hidden: Some(8), ..short(settings) };
        let codec_with = from(&start, settings.clone());
        let made = codec_with.compress(&event, &Silent).unwrap();
        let again = InrCodec { n_threads: 1, ..codec_with.clone() }.compress(&event, &Silent).unwrap();
        assert_eq!(made.bytes, again.bytes);
        let contents = Contents::read(&made.bytes, &Limits::default()).unwrap();
        assert_eq!(contents.start, Some(start.short_hash()));
        assert_eq!(codec_with.decompress(&made.bytes, &Silent).unwrap(), made.decoded);
        let part = Tile { start: [10, 20, 3], shape: [5, 50, 2] };
        let region = codec_with.decompress_region(&made.bytes, &part, &Silent).unwrap();
        let at = |i: usize| ((10 + i / 100) * 120 + 20 + i / 2 % 50) * 12 + 3 + i % 2;
        assert!((0..500).all(|i| region.samples().get(i) == made.decoded.samples().get(at(i))));
        for codec in [codec(settings.clone()), from(&other, settings)] {
            let error = codec.decompress(&made.bytes, &Silent).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let text = error.to_string();
            assert!(text.contains("for fitting") && text.contains("--prior"), "{text}");
            assert!(text.contains(&hex(&start.short_hash())), "{text}");
        }
    }
    // Weights in full need no prior, and no prior can be asked for.
    for settings in [
        Settings { bits: Some(Bits::Float), ..short(fitted(Mode::Masked)) },
        Settings { prior: false, ..short(fitted(Mode::Masked)) },
    ] {
        let made = from(&start, settings.clone()).compress(&event, &Silent).unwrap();
        assert_eq!(codec(settings).decompress(&made.bytes, &Silent).unwrap(), made.decoded);
    }
}

fn learned_from(event: &Event) -> StartPrior {
    let lessons = Lessons { n_steps: 20, n_passes: 1 };
    codec(fitted(Mode::Masked)).learn_start(std::slice::from_ref(event), &lessons, &Silent).unwrap()
}

#[test]
fn a_start_of_another_network_is_refused() {
    let (event, start) = (tracks(5), small_start());
    for (settings, named) in [
        (Settings { hidden: Some(9), ..fitted(Mode::Masked) }, "9 units"),
        (Settings { n_layers: Some(2), ..fitted(Mode::Masked) }, "2 hidden layers"),
        (Settings { model: Some(ModelKind::Mfn), ..fitted(Mode::Masked) }, "mfn"),
        (Settings { hidden: Some(8), ..fitted(Mode::Field) }, "0 features"),
    ] {
        let error = from(&start, settings).compress(&event, &Silent).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        let text = error.to_string();
        assert!(text.contains("another network") && text.contains(named), "{text}");
    }
}

#[test]
fn damage_to_a_start_is_an_error() {
    let limits = Limits::default();
    let bytes = small_start().to_bytes().unwrap();
    for n in 0..bytes.len() {
        let error = Prior::from_bytes(&bytes[..n], &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Truncated, "{n} bytes: {error}");
    }
    for i in (0..bytes.len() * 8).step_by(7) {
        let mut bad = bytes.clone();
        bad[i / 8] ^= 1 << (i % 8);
        assert!(Prior::from_bytes(&bad, &limits).is_err(), "bit {i}");
    }
    let narrow = Limits { max_weights: 10, ..limits };
    assert_eq!(Prior::from_bytes(&bytes, &narrow).unwrap_err().kind(), ErrorKind::Limit);
    // Neither kind is the other, nor an event.
    assert_eq!(ContextPrior::from_bytes(&bytes).unwrap_err().kind(), ErrorKind::Unsupported);
    let contexts = small_prior().to_bytes();
    assert_eq!(StartPrior::from_bytes(&contexts, &limits).unwrap_err().kind(), ErrorKind::Unsupported);
    assert_eq!(codec(lossless()).decompress(&bytes, &Silent).unwrap_err().kind(), ErrorKind::Unsupported);
}

#[test]
fn nothing_can_be_learned_from_nothing() {
    let empty = Event::new([3, 4, 5], inrfit::event::Samples::U16(vec![0; 60])).unwrap();
    let learned = codec(fitted(Mode::Masked)).learn_start(&[empty], &Lessons::default(), &Silent);
    assert_eq!(learned.unwrap_err().kind(), ErrorKind::Argument);
}
