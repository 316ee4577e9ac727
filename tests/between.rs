//! Error between native voxels: a field fitted to every second voxel, against the voxels left out.

mod common;

use common::data;
use inrfit::backend::cpu::Cpu;
use inrfit::codec::{InrCodec, Silent};
use inrfit::container::{Contents, FieldLayer, Limits, SupportLayer};
use inrfit::event::{Event, Samples, unravel};
use inrfit::field::NetField;
use inrfit::pattern::Support;
use inrfit::prior::Priors;
use inrfit::settings::{Mode, Settings};

/// A compressed event of one tile: its field and support.
fn parts(bytes: &[u8]) -> (NetField, Option<Vec<bool>>, [usize; 3]) {
    let contents = Contents::read(bytes, &Limits::default()).unwrap();
    let network = contents.network.expect("a network");
    let shape = contents.header.shape;
    let layers = contents.tiles[0];
    let field = layers.field.expect("a field");
    let field = FieldLayer::from_payload(field.payload, field.payload_offset, &network.spec).unwrap();
    let support =
        layers.support.map(|r| SupportLayer::from_payload(r.payload, r.payload_offset, shape).unwrap());
    let field = NetField {
        weights: field.weights(&network.spec, None).unwrap(),
        threshold: field.threshold,
        transform: network.transform,
        coords: network.coords,
        pattern: network.pattern,
    };
    (field, support.map(|s| s.occupied), shape)
}

#[test]
fn a_point_on_a_voxel_has_the_voxels_value() {
    // Values that no other coding makes smaller than a field does.
    let mut state = 1u32;
    let mut value = |i: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if i % 7 < 3 { 70 + (state >> 22) as u16 } else { 0 }
    };
    let event = Event::new([20, 21, 22], Samples::U16((0..20 * 21 * 22).map(&mut value).collect())).unwrap();
    for mode in [Mode::Field, Mode::Masked] {
        let made = common::codec(Settings { mode, ..Settings::default() }).compress(&event, &Silent).unwrap();
        let (field, occupied, shape) = parts(&made.bytes);
        let support = occupied.as_ref().map(|occupied| Support { shape, occupied });
        let at: Vec<usize> =
            (0..event.n_voxels()).filter(|&i| made.decoded.samples().get(i) != 0.0).collect();
        let points: Vec<[f32; 3]> = at.iter().map(|&i| unravel(i, shape).map(|x| x as f32)).collect();
        let cpu = Cpu::new(1).unwrap();
        let values = field.values_at(&cpu, shape, support.as_ref(), &points).unwrap();
        let range = Contents::read(&made.bytes, &Limits::default()).unwrap().header.range;
        for (&i, v) in at.iter().zip(values) {
            let sample = field.transform.sample(event.dtype(), range, v);
            assert_eq!(sample, Some(made.decoded.samples().get(i)), "{mode}: voxel {i}");
        }
        if mode == Mode::Masked {
            assert!(field.values_at(&cpu, shape, None, &points).is_err(), "features without a support");
        }
    }
}

/// Prints the mean error of log2(1 + ADC) at occupied voxels, those of the fit and those between, and, of those between
/// that have an occupied voxel of the fit next to them, the error of taking its value.
#[test]
#[ignore = "takes minutes; prints a table"]
fn error_between_voxels() {
    let Some(data) = data() else { return };
    let log = |v: f64| (1.0 + v).log2();
    println!(
        "every second voxel along,mode,ratio of the coarse file,error at its voxels,error between,nearest voxel"
    );
    for steps in [[1, 2, 1], [2, 2, 2]] {
        for mode in [Mode::Field, Mode::Masked] {
            let (mut on, mut off, mut near) = ((0.0, 0), (0.0, 0), (0.0, 0));
            let (mut n_in, mut n_out) = (0, 0);
            for name in ["wedge_3143_7_0-1"] {
                let event = inrfit::io::read_event(&data.join(format!("wedges/{name}.npy"))).unwrap();
                let full = event.shape();
                let shape = [0, 1, 2].map(|a| full[a].div_ceil(steps[a]));
                let at = |x: [usize; 3]| event.samples().get((x[0] * full[1] + x[1]) * full[2] + x[2]);
                let n = shape.iter().product();
                let fine = |i: usize| {
                    let x = unravel(i, shape);
                    [0, 1, 2].map(|a| x[a] * steps[a])
                };
                let coarse = Samples::U16((0..n).map(|i| at(fine(i)) as u16).collect());
                let coarse = Event::new(shape, coarse).unwrap();
                let settings = Settings { mode, ..Settings::default() };
                let codec =
                    InrCodec { settings, limits: Limits::default(), n_threads: 2, priors: Priors::default() };
                let made = codec.compress(&coarse, &Silent).unwrap();
                n_in += coarse.raw_bytes();
                n_out += made.bytes.len();
                let (field, occupied, _) = parts(&made.bytes);
                let support = occupied.as_ref().map(|occupied| Support { shape, occupied });
                let range = Contents::read(&made.bytes, &Limits::default()).unwrap().header.range;
                let voxels: Vec<[usize; 3]> = (0..event.n_voxels())
                    .map(|i| unravel(i, full))
                    .filter(|&x| at(x) != 0.0)
                    // Beyond the last coarse voxel nothing lies between two.
                    .filter(|x| (0..3).all(|a| x[a] <= (shape[a] - 1) * steps[a]))
                    .collect();
                let points: Vec<[f32; 3]> =
                    voxels.iter().map(|x| [0, 1, 2].map(|a| x[a] as f32 / steps[a] as f32)).collect();
                let values =
                    field.values_at(&Cpu::new(2).unwrap(), shape, support.as_ref(), &points).unwrap();
                for (x, v) in voxels.iter().zip(values) {
                    let decoded = field.transform.sample(event.dtype(), range, v).unwrap();
                    let error = (log(decoded) - log(at(*x))).abs();
                    let is_on = (0..3).all(|a| x[a].is_multiple_of(steps[a]));
                    let sum = if is_on { &mut on } else { &mut off };
                    *sum = (sum.0 + error, sum.1 + 1);
                    // The occupied coarse voxel next to it along the halved axes, where there is one.
                    let mut best = None;
                    for corner in 0..8usize {
                        let y = [0, 1, 2]
                            .map(|a| (x[a] + (corner >> a & 1) * (steps[a] - 1)) / steps[a] * steps[a]);
                        if (0..3).all(|a| y[a] < full[a]) && at(y) != 0.0 {
                            best = best.or(Some(at(y)));
                        }
                    }
                    if let (false, Some(v)) = (is_on, best) {
                        near = (near.0 + (log(v) - log(at(*x))).abs(), near.1 + 1);
                    }
                }
            }
            let mean = |(sum, n): (f64, u64)| sum / n as f64;
            println!(
                "{steps:?},{mode},{:.0},{:.4},{:.4},{:.4}",
                n_in as f64 / n_out as f64,
                mean(on),
                mean(off),
                mean(near)
            );
            assert!(mean(off) < 1.5, "no worse than noise");
        }
    }
}
