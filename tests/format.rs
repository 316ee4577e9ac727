//! Files that were written once decode to the same bits for ever: at every lane width, and by a decoder in another
//! language written from `docs/format.md`.
//!
//! `INRFIT_WRITE_GOLDEN=1 cargo test --test format` writes files that do not exist yet, and changes none.

mod common;

use common::{codec, event, noisy};
use inrfit::backend::cpu::Cpu;
use inrfit::codec::{InrCodec, Lessons, Silent};
use inrfit::container::Limits;
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::lane::Level;
use inrfit::prior::{Priors, StartPrior};
use inrfit::residual::Bound;
use inrfit::settings::{Bits, Effort, Mode, ModelKind, OptimizerKind, Preset, Settings};
use inrfit::synth::SynthSettings;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Names and makers of the golden files: every layer, coding and sample type that the format has.
fn cases() -> Vec<(&'static str, Event, Settings, bool)> {
    // As it was when the files were written.
    let by_adam = |settings| Settings { optimizer: Some(OptimizerKind::Adam), ..settings };
    let plain = Settings { mode: Mode::Field, n_steps: Some(500), hidden: Some(12), ..Settings::default() };
    let bits = |bits| Settings { bits: Some(bits), ..plain.clone() };
    let tiles = |tile| Settings { tile: Some(tile), ..bits(Bits::Fixed(4)) };
    let paper = Settings { preset: Preset::PaperSiren, n_steps: Some(60), ..plain.clone() };
    let one_head = Settings { n_heads: Some(1), n_layers: Some(2), ..bits(Bits::Fixed(6)) };
    let small = Settings { n_layers: Some(1), hidden: Some(20), ..bits(Bits::Fixed(4)) };
    let paper_integers = Settings { bits: Some(Bits::Fixed(6)), ..paper.clone() };
    let bounded = |bound| Settings { mode: Mode::Bounded, bound: Some(bound), ..Settings::default() };
    let bounded = |bound| Settings { prior: false, ..bounded(bound) };
    let lossless = Settings { mode: Mode::Lossless, prior: false, ..Settings::default() };
    let with_prior = |settings| Settings { prior: true, ..settings };
    let log_with_prior = with_prior(bounded(Bound::Log2(0.05)));
    let all = with_prior(Settings { keep_field: true, hidden: Some(3), ..bounded(Bound::Absolute(3.0)) });
    let all = by_adam(Settings { bits: Some(Bits::Fixed(3)), ..all });
    let quick = |settings| Settings { effort: Effort::Fast, ..settings };
    let by_muon = Settings { hidden: Some(3), bits: Some(Bits::Fixed(3)), ..Settings::default() };
    let masked = by_adam(by_muon.clone());
    let with_field = Settings { keep_field: true, ..bounded(Bound::Absolute(3.0)) };
    let with_field = by_adam(Settings { hidden: Some(3), bits: Some(Bits::Fixed(3)), ..with_field });
    let in_tiles = Settings { tile: Some([4, 18, 25]), ..bounded(Bound::Log2(0.2)) };
    // All said, so that no default has a part in it.
    let network = |model, constants: &str, settings: &Settings| Settings {
        model: Some(model),
        constants: Some(constants.parse().expect("constants")),
        learning_rate: Some(3e-3),
        ..settings.clone()
    };
    let two_heads =
        Settings { n_layers: Some(2), hidden: Some(8), n_steps: Some(2000), ..bits(Bits::Fixed(6)) };
    let published =
        |preset| Settings { preset, hidden: Some(6), n_layers: Some(2), ..paper_integers.clone() };
    // (name, event, settings, readable without zstd)
    vec![
        ("two_heads_u16", event([12, 14, 9], DType::U16), bits(Bits::Fixed(5)), true),
        ("one_head_u8", event([14, 12, 11], DType::U8), one_head, true),
        ("tiles_i16", event([20, 9, 16], DType::I16), tiles([10, 9, 8]), true),
        ("small_f32", event([12, 13, 14], DType::F32), small, true),
        ("paper_integers_u16", event([13, 12, 11], DType::U16), paper_integers.clone(), true),
        ("paper_u16", event([16, 15, 14], DType::U16), paper, false),
        ("constant_i32", Event::new([2, 3, 4], Samples::I32(vec![-7; 24])).unwrap(), plain.clone(), true),
        (
            "raw_i32",
            Event::new([1, 2, 2], Samples::I32(vec![0x1234_5678, -1_985_229_329, 0, 65_537])).unwrap(),
            plain,
            true,
        ),
        ("masked_u16", noisy([16, 18, 9], DType::U16, 1), masked.clone(), true),
        (
            "masked_muon_u16",
            noisy([16, 18, 9], DType::U16, 1),
            Settings { n_steps: Some(1000), ..by_muon },
            true,
        ),
        ("lossless_u16", noisy([7, 18, 25], DType::U16, 2), lossless.clone(), true),
        ("lossless_quick_u8", noisy([9, 13, 25], DType::U8, 3), quick(lossless.clone()), true),
        ("log_bound_tiles_u16", noisy([8, 18, 25], DType::U16, 4), in_tiles, true),
        ("bound_with_field_u16", noisy([11, 17, 13], DType::U16, 5), with_field, true),
        ("bound_i16", noisy([11, 17, 13], DType::I16, 6), bounded(Bound::Absolute(8.0)), true),
        ("bound_f32", noisy([9, 14, 21], DType::F32, 7), bounded(Bound::Absolute(0.004)), true),
        ("lossless_prior_u16", tracks([40, 40, 3]), with_prior(lossless), true),
        ("log_bound_prior_u16", tracks([48, 30, 3]), log_with_prior, true),
        ("bound_field_prior_u16", tracks([30, 50, 4]), all, true),
        ("bound_quick_f32", noisy([6, 14, 21], DType::F32, 8), quick(bounded(Bound::Absolute(0.02))), true),
        ("ffnet_u16", event([14, 13, 12], DType::U16), network(ModelKind::Ffnet, "1.5", &two_heads), true),
        ("mfn_u16", event([14, 13, 12], DType::U16), network(ModelKind::Mfn, "12", &two_heads), true),
        ("wire_u16", event([14, 13, 12], DType::U16), network(ModelKind::Wire, "4:2:4", &two_heads), true),
        (
            "wire_real_u16",
            event([10, 11, 9], DType::U16),
            network(ModelKind::WireReal, "6:3:4", &two_heads),
            true,
        ),
        (
            "masked_ffnet_u16",
            noisy([14, 16, 9], DType::U16, 1),
            network(ModelKind::Ffnet, "0.8", &masked),
            true,
        ),
        ("masked_mfn_i16", noisy([14, 16, 9], DType::I16, 2), network(ModelKind::Mfn, "8", &masked), true),
        (
            "masked_wire_u16",
            noisy([14, 16, 9], DType::U16, 3),
            network(ModelKind::Wire, "6:3:3", &masked),
            true,
        ),
        (
            "masked_wire_real_f32",
            noisy([14, 16, 9], DType::F32, 4),
            network(ModelKind::WireReal, "6:3:3", &masked),
            true,
        ),
        ("paper_ffnet_u16", event([14, 13, 12], DType::U16), published(Preset::PaperFfnet), true),
        ("paper_wire_u16", event([14, 13, 12], DType::U16), published(Preset::PaperWire), true),
    ]
}

/// An event such as the shipped prior was learned from.
fn tracks(shape: [usize; 3]) -> Event {
    let settings = SynthSettings { shape, occupancy: 0.15, seed: 9, ..SynthSettings::default() };
    settings.generate().expect("an event")
}

fn golden(name: &str, ending: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("{name}.{ending}"))
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Writes a golden file and its samples where there are none yet.
fn write_missing(name: &str, event: &Event, settings: &Settings) {
    let (file, samples) = (golden(name, "inrfit"), golden(name, "samples"));
    if std::env::var_os("INRFIT_WRITE_GOLDEN").is_some() && !file.exists() {
        let made = codec(settings.clone()).compress(event, &Silent).expect("a golden file");
        let occupied = (0..event.n_voxels()).filter(|&i| made.decoded.samples().get(i) != 0.0).count();
        assert!(occupied > event.n_voxels() / 20, "{name}: too empty to tell anything, {occupied} voxels");
        std::fs::write(&file, &made.bytes).expect("a writable folder");
        std::fs::write(&samples, made.decoded.samples().to_le_bytes()).expect("a writable folder");
    }
}

/// The cases, their files written.
fn written_cases() -> Vec<(&'static str, Event, Settings, bool)> {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        cases().iter().for_each(|(name, event, settings, _)| write_missing(name, event, settings))
    });
    cases()
}

#[test]
fn golden_files_decode_to_the_same_bits_at_every_width() {
    for (name, event, _, _) in written_cases() {
        let (bytes, samples) = (read(&golden(name, "inrfit")), read(&golden(name, "samples")));
        for level in Level::available() {
            for n_threads in [1, 3] {
                let cpu = Cpu::at_level(n_threads, level).unwrap();
                let decoded = codec(Settings::default()).decompress_on(&cpu, &bytes, &Silent).unwrap();
                assert_eq!((decoded.shape(), decoded.dtype()), (event.shape(), event.dtype()), "{name}");
                assert!(
                    decoded.samples().to_le_bytes() == samples,
                    "{name} at {level:?}, {n_threads} threads"
                );
            }
        }
    }
}

/// A file whose weights are told from those of a prior for fitting, and that prior.
fn from_a_start() -> InrCodec {
    let (file, samples, start_file) = (
        golden("masked_from_prior_u16", "inrfit"),
        golden("masked_from_prior_u16", "samples"),
        golden("start", "prior"),
    );
    let event = noisy([16, 18, 9], DType::U16, 7);
    let settings = Settings { hidden: Some(3), bits: Some(Bits::Fixed(3)), ..Settings::default() };
    let mut codec = codec(settings);
    let is_missing = !file.exists() && std::env::var_os("INRFIT_WRITE_GOLDEN").is_some();
    if is_missing {
        let lessons = Lessons { n_steps: 30, n_passes: 2 };
        let start = codec.learn_start(std::slice::from_ref(&event), &lessons, &Silent).unwrap();
        std::fs::write(&start_file, start.to_bytes().unwrap()).unwrap();
    }
    let start = StartPrior::from_bytes(&read(&start_file), &Limits::default()).expect("a prior for fitting");
    codec.priors.start = Some(std::sync::Arc::new(start));
    if is_missing {
        let made = codec.compress(&event, &Silent).unwrap();
        assert!(made.report.layers.field > 0);
        std::fs::write(&file, &made.bytes).unwrap();
        std::fs::write(&samples, made.decoded.samples().to_le_bytes()).unwrap();
    }
    codec
}

#[test]
fn weights_told_from_a_prior_still_decode() {
    let codec = from_a_start();
    let bytes = read(&golden("masked_from_prior_u16", "inrfit"));
    let decoded = codec.decompress(&bytes, &Silent).unwrap();
    assert!(decoded.samples().to_le_bytes() == read(&golden("masked_from_prior_u16", "samples")));
    let without = InrCodec { priors: Priors::default(), ..codec.clone() };
    assert_eq!(without.decompress(&bytes, &Silent).unwrap_err().kind(), ErrorKind::Unsupported);
    // The same input, prior and settings still give the same bytes.
    assert!(codec.compress(&noisy([16, 18, 9], DType::U16, 7), &Silent).unwrap().bytes == bytes);
}

#[test]
fn the_same_input_still_gives_the_same_bytes() {
    // zstd promises no bytes; every file without it must come out as it was written.
    for (name, event, settings, no_zstd) in written_cases() {
        if no_zstd {
            let made = codec(settings).compress(&event, &Silent).unwrap();
            assert!(made.bytes == read(&golden(name, "inrfit")), "{name}: {} bytes now", made.bytes.len());
        }
    }
}

#[test]
fn a_decoder_written_from_the_document_agrees() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/format_decoder.py");
    if Command::new("python3").arg("--version").output().is_err() {
        assert!(
            std::env::var_os("INRFIT_REQUIRE_PYTHON").is_none(),
            "INRFIT_REQUIRE_PYTHON is set: no python3"
        );
        eprintln!("skipped: no python3");
        return;
    }
    // (name, file, its samples): the golden files, and whatever this program writes beside a support today.
    let folder = tempfile::tempdir().unwrap();
    let mut files: Vec<(String, PathBuf, Vec<u8>)> = written_cases()
        .into_iter()
        .filter(|(.., no_zstd)| *no_zstd)
        .map(|(name, ..)| (name.to_owned(), golden(name, "inrfit"), read(&golden(name, "samples"))))
        .collect();
    for (dtype, tile) in [(DType::U16, None), (DType::I16, Some([8, 18, 9])), (DType::F32, None)] {
        let settings = Settings {
            mode: Mode::Masked,
            hidden: Some(2),
            tile,
            bits: Some(Bits::Fixed(3)),
            ..Settings::default()
        };
        let made = codec(settings).compress(&noisy([16, 18, 9], dtype, 7), &Silent).unwrap();
        assert!(made.report.layers.field > 0, "{dtype:?}: the file under test must hold a field");
        let file = folder.path().join(format!("{}.inrfit", dtype.name()));
        std::fs::write(&file, &made.bytes).unwrap();
        files.push((format!("masked {}", dtype.name()), file, made.decoded.samples().to_le_bytes()));
    }
    // Weights told from those of a prior.
    from_a_start();
    let name = "masked_from_prior_u16";
    files.push((name.to_owned(), golden(name, "inrfit"), read(&golden(name, "samples"))));
    let start_file = golden("start", "prior");
    // Two at a time: each takes seconds.
    for pair in files.chunks(2) {
        std::thread::scope(|scope| {
            for (name, file, samples) in pair {
                let (script, start_file) = (&script, &start_file);
                scope.spawn(move || {
                    let prior = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/prior/contexts.prior");
                    let files = [script.as_path(), file, &prior, start_file];
                    let run = Command::new("python3").arg("-B").args(files).output().unwrap();
                    assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
                    assert!(run.stdout == *samples, "{name}: other samples");
                });
            }
        });
    }
}
