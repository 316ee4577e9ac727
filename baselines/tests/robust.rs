//! Events that no rival was made for: tiny ones, constant ones, any counts. An error is fine, an abort is not.
#![cfg(all(feature = "plain", feature = "sz3", feature = "zfp", feature = "mgard"))]

use inrfit_baselines::{Array, Error, NAMES, rival};

const SPECS: [(&str, &str); 27] = [
    ("sz3", "abs=0.5"),
    ("sz3", "interp,abs=3,z"),
    ("sz3", "lorenzo_reg,abs=2"),
    ("sz3", "nopred,log2,abs=0.4,threshold=best"),
    ("sz3", "log2,abs=0.1"),
    ("sz3", "interp,log2,abs=1e-7"),
    ("sz3", "lorenzo_reg,abs=1e-12"),
    ("sz3", "nopred,abs=1e-300"),
    ("sz3", "nopred,abs=1e300"),
    ("sz3", "abs=1e30"),
    ("zfp", "tolerance=2"),
    ("zfp", "tolerance=1e-300,log2"),
    ("zfp", "tolerance=1e300"),
    ("zfp", "rate=0.1,z"),
    ("zfp", "rate=32"),
    ("zfp", "precision=6,log2,threshold=30"),
    ("mgard", "tolerance=2"),
    ("mgard", "s=0,log2,tolerance=0.1,z,threshold=best"),
    ("mgard", "s=-1,tolerance=1e300"),
    ("mgard", "tolerance=1e-300"),
    ("bzip2", ""),
    ("bzip2", "sparse,level=1"),
    ("zstd", "log2,step=0.1"),
    ("zstd", "level=3,step=7,z"),
    ("xz", "sparse,log2,step=0.4,z"),
    ("xz", "level=0,log2,step=0.001"),
    ("xz", "step=0.001,sparse"),
];

/// Settings that keep every count.
const EXACT: [(&str, &str); 3] = [("bzip2", "level=9"), ("zstd", "sparse,z"), ("xz", "level=2,z")];

fn events() -> Vec<Array> {
    let shapes = [
        [1, 1, 1],
        [1, 1, 2],
        [1, 1, 7],
        [1, 300, 1],
        [2, 2, 2],
        [3, 3, 3],
        [2, 1, 2],
        [1, 4, 5],
        [6, 1, 6],
        [7, 2, 1],
        [5, 9, 4],
        [13, 40, 3],
    ];
    let mut state = 1u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state >> 16
    };
    let mut out = vec![];
    for shape in shapes {
        let n = shape.iter().product();
        for kind in 0..6 {
            let count = |_| match kind {
                0 => 0,
                1 => 70,
                2 => u16::MAX,
                3 => noise() as u16,
                4 => (noise() % 8 / 7 * (64 + noise() % 960)) as u16,
                _ => (noise() % 2) as u16,
            };
            out.push(Array::new(shape, (0..n).map(count).collect()).expect("an event"));
        }
    }
    out
}

#[test]
fn tiny_and_constant_events_give_bytes_or_errors() {
    assert!(SPECS.iter().all(|(name, _)| NAMES.contains(name)));
    for (name, options) in SPECS {
        let codec = rival(name, options).unwrap_or_else(|e| panic!("{name}:{options}: {e}"));
        let (mut n_done, mut refusals) = (0, vec![]);
        for event in events() {
            if std::env::var_os("INRFIT_LOUD").is_some() {
                println!("{name}:{options} {:?} {:?}", event.shape(), event.counts().first());
            }
            match codec.encode(&event) {
                Ok(bytes) => {
                    let back = codec.decode(&bytes).unwrap_or_else(|e| panic!("{name}:{options}: {e}"));
                    assert_eq!(back.shape(), event.shape(), "{name}:{options}");
                    n_done += 1;
                }
                Err(error) => refusals.push(error.to_string()),
            }
        }
        refusals.sort();
        refusals.dedup();
        println!("{name}:{options}: {n_done} of {}; {refusals:?}", events().len());
    }
}

#[test]
fn exact_settings_keep_every_count() {
    for (name, options) in EXACT {
        let codec = rival(name, options).unwrap();
        for event in events() {
            assert_eq!(codec.decode(&codec.encode(&event).unwrap()).unwrap(), event, "{name}:{options}");
        }
    }
}

#[test]
fn bounds_of_sz3_zfp_and_mgard_hold() {
    let bounds = [
        ("sz3", "abs=3"),
        ("sz3", "nopred,abs=3,z"),
        ("sz3", "interp,abs=3"),
        ("sz3", "lorenzo_reg,abs=3"),
        ("zfp", "tolerance=3"),
        ("mgard", "tolerance=3"),
        ("mgard", "tolerance=3,z"),
    ];
    for (name, options) in bounds {
        let codec = rival(name, options).unwrap();
        for event in events() {
            let Ok(bytes) = codec.encode(&event) else { continue };
            let reals = codec.decode_reals(&bytes).unwrap();
            let worst =
                event.counts().iter().zip(&reals).map(|(&c, r)| (f64::from(c) - r).abs()).fold(0.0, f64::max);
            // Single precision at the largest counts.
            assert!(worst <= 3.0 + 0.01, "{name}:{options} {:?}: {worst}", event.shape());
        }
    }
}

#[test]
fn damaged_bytes_are_an_error() {
    let event = &events()[60];
    for (name, options) in [("sz3", "abs=2"), ("zfp", "rate=4"), ("mgard", "tolerance=2"), ("xz", "sparse")] {
        let codec = rival(name, options).unwrap();
        let bytes = codec.encode(event).unwrap();
        for i in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[i] ^= 16;
            assert!(matches!(codec.decode(&bad), Err(Error::Corrupt(_))), "{name}: byte {i}");
            assert!(matches!(codec.decode(&bytes[..i]), Err(Error::Corrupt(_))), "{name}: length {i}");
        }
    }
}

#[test]
fn settings_that_make_no_sense_are_named() {
    let wrong = [
        ("sz4", "abs=1", "no rival 'sz4'"),
        ("sz3", "", "abs=E"),
        ("sz3", "abs=0", "more than 0"),
        ("sz3", "abs=nan", "more than 0"),
        ("sz3", "abs=x", "not a number"),
        ("sz3", "abs=1,abs=2", "given twice"),
        ("sz3", "interp,nopred,abs=1", "exclude"),
        ("sz3", "adc,log2,abs=1", "exclude"),
        ("sz3", "abs=1,colour=red", "no option 'colour'"),
        ("zfp", "rate=1,precision=3", "exactly one"),
        ("zfp", "rate=99", "0.1 to 32"),
        ("zfp", "precision=0", "1 to 32"),
        ("mgard", "s=7,tolerance=1", "-2 to 2"),
        ("mgard", "s=0", "tolerance=E is needed"),
        ("mgard", "tolerance=1,threshold=-3", "threshold=-3"),
        ("bzip2", "level=10", "1 to 9"),
        ("xz", "log2", "step=S"),
        ("zstd", "threshold=best", "threshold"),
    ];
    for (name, options, part) in wrong {
        let Err(Error::Argument(message)) = rival(name, options) else {
            panic!("{name}:{options} was taken")
        };
        assert!(message.contains(part), "{name}:{options}: {message}");
    }
}
