//! The exact layers: any samples below any bound keep it, whatever the effort; any bytes as a layer end in an error
//! or in what can be written again.

#![no_main]

use inrfit::codec::{InrCodec, Silent};
use inrfit::container::Limits;
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples};
use inrfit::residual::{self, Bins, Bound, Hints, Rule};
use inrfit::prior::{ContextPrior, Priors};
use inrfit::settings::{Effort, Mode, Settings};
use inrfit::support::{self, Coding};
use inrfit::tile::TileGrid;
use libfuzzer_sys::fuzz_target;

const TYPES: [DType; 5] = [DType::U8, DType::U16, DType::I16, DType::I32, DType::F32];
const MAX_VOXELS: usize = 2048;

/// Bytes 0 to 3: what to do and three extents. Bytes 4 to 7: a bound. The rest: samples or a stream.
fn split(bytes: &[u8]) -> Option<(u8, [usize; 3], f32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    let shape = [head[1], head[2], head[3]].map(|n| 1 + usize::from(n));
    let bound = f32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    (shape.iter().product::<usize>() <= MAX_VOXELS).then_some((head[0], shape, bound, rest))
}

fuzz_target!(|bytes: &[u8]| {
    let Some((how, shape, bound, rest)) = split(bytes) else { return };
    match how >> 7 {
        0 => keep_the_bound(how, shape, f64::from(bound), rest),
        _ => read_layers(how, shape, bound, rest),
    }
});

/// `how`: bits 0 to 2 the type, bits 3 and 4 the mode, bit 5 the effort, bit 6 tiles.
fn keep_the_bound(how: u8, shape: [usize; 3], bound: f64, bytes: &[u8]) {
    let dtype = TYPES[usize::from(how & 7) % TYPES.len()];
    let n = shape.iter().product::<usize>();
    let mut bytes = bytes.to_vec();
    bytes.resize(n * dtype.n_bytes(), 0);
    let samples = Samples::from_le_bytes(dtype, &bytes).expect("as many bytes as samples");
    // Samples that are not finite are no event.
    let Ok(event) = Event::new(shape, samples) else { return };
    let (mode, kept) = match how >> 3 & 3 {
        0 => (Mode::Lossless, Bound::Exact),
        1 => (Mode::Bounded, Bound::Log2(bound)),
        _ => (Mode::Bounded, Bound::Absolute(bound)),
    };
    let settings = Settings {
        mode,
        bound: (mode == Mode::Bounded).then_some(kept),
        effort: if how & 32 == 0 { Effort::Balanced } else { Effort::Fast },
        // Now and then with a field, of no use but allowed.
        keep_field: how >> 3 & 3 == 3 && bytes[0].is_multiple_of(16),
        hidden: Some(1),
        n_steps: Some(2),
        batch: Some(64),
        tile: (how & 64 != 0).then(|| shape.map(|n| n.div_ceil(2))),
        ..Settings::default()
    };
    let n_tiles = TileGrid::new(shape, settings.tile).expect("tiles of a valid event").n_tiles();
    let codec = InrCodec { settings, limits: Limits::default(), n_threads: 1, priors: Priors::default() };
    let made = match codec.compress(&event, &Silent) {
        Ok(made) => made,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Argument, "{error}");
            let sound =
                mode == Mode::Lossless && dtype.is_integer() && !(0..n).any(|i| event.samples().get(i) < 0.0);
            assert!(!sound, "refused: {error}");
            return;
        }
    };
    assert!(made.bytes.len() <= event.raw_bytes() + 1024 + 32 * n_tiles, "{} bytes", made.bytes.len());
    let decoded = codec.decompress(&made.bytes, &Silent).expect("our own file");
    assert!(decoded == made.decoded);
    for i in 0..n {
        let (a, b) = (event.samples().get(i), decoded.samples().get(i));
        assert!((a == 0.0) == (b == 0.0), "voxel {i}: {a} became {b}");
        let within = match kept {
            Bound::Exact => a == b,
            Bound::Absolute(e) => (a - b).abs() <= e,
            Bound::Log2(e) => ((1.0 + a) / (1.0 + b)).log2().abs() <= e + 1e-9,
        };
        assert!(within, "voxel {i}: {a} became {b}, bound {kept:?}");
    }
}

/// `how`: bit 0 the coding, bits 1 and 2 the rule, bit 3 a field, bit 4 a prior. First byte of the rest: bytes of the support.
fn read_layers(how: u8, shape: [usize; 3], bound: f32, bytes: &[u8]) {
    let coding = if how & 1 == 0 { Coding::Mixed } else { Coding::Quick };
    let [n, rest @ ..] = bytes else { return };
    let (code, values) = rest.split_at(rest.len().min(usize::from(*n)));
    let Ok((walk, occupied)) = support::decode(coding, shape, code) else { return };
    let again = support::encode(coding, walk, &occupied);
    assert!(support::decode(coding, shape, &again).expect("our own code").1 == occupied);

    let bits = bound.to_bits();
    let rule = match how >> 1 & 3 {
        0 => (Rule::Integer(bits & 0xff), DType::U16, (1.0, f64::from(bits >> 16 | 1))),
        1 => (
            Rule::Integer(bits & 0xff),
            DType::I16,
            (-f64::from(bits >> 16 & 0x7fff), f64::from(bits & 0x7fff)),
        ),
        2 => (
            Rule::Ratio((1 << 32) + (u64::from(bits & 0xffff) << 18)),
            DType::U16,
            (1.0, f64::from(bits >> 16 | 1)),
        ),
        _ => (Rule::Width(f64::from(bound)), DType::F32, (0.25, 77.5)),
    };
    let Some(bins) = Bins::new(rule.0, rule.1, rule.2) else { return };
    let predicted: Vec<i32> =
        (0..occupied.len() as i32).map(|i| i.wrapping_mul(40_503) % (1 << 17)).collect();
    let prior = ContextPrior::shipped();
    let hints = Hints {
        field: (how & 8 != 0 && coding == Coding::Mixed).then_some(&predicted[..]),
        network: (how & 16 != 0).then(|| prior.network()),
    };
    let Ok(symbols) = residual::decode(coding, walk, &occupied, &bins, hints, values) else { return };
    assert!(symbols.iter().all(|s| usize::from(*s) < bins.len()));
    let again = residual::encode(coding, walk, &occupied, &bins, hints, &symbols);
    let back = residual::decode(coding, walk, &occupied, &bins, hints, &again).expect("our own code");
    assert!(back == symbols);
}
