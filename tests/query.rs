//! Continuous queries: voxels as decoded, values and derivatives between them against a network in double precision
//! written here from the definitions, and what is refused.

mod common;
mod network;

use common::{codec, noisy};
use inrfit::backend::cpu::Cpu;
use inrfit::codec::{Compressed, InrCodec, Observer, Progress, Silent, Stage};
use inrfit::container::{Contents, FieldLayer, Limits, SupportLayer};
use inrfit::domain::Transform;
use inrfit::error::ErrorKind;
use inrfit::event::{DType, Event, Samples, unravel};
use inrfit::net::{Model, NetSpec, Weights};
use inrfit::pattern::Support;
use inrfit::query::{Alignment, Answer, Asked, Grid};
use inrfit::residual::Bound;
use inrfit::settings::{Bits, Mode, ModelKind, Preset, Settings};
use inrfit::tile::Tile;
use inrfit_sampling::rng::Stream;
use std::sync::atomic::{AtomicUsize, Ordering};

const SHAPE: [usize; 3] = [40, 34, 24];
/// Six tiles, cut at 13 and 26 of the first axis and 12 of the last.
const TILE: [usize; 3] = [16, 34, 14];

fn whole(shape: [usize; 3]) -> Tile {
    Tile { start: [0; 3], shape }
}

/// Every mode that has a network, in one tile and in several.
fn made(dtype: DType, tile: Option<[usize; 3]>) -> Vec<(&'static str, Compressed)> {
    // Noise, which no other coding makes smaller than a network does.
    let event = noisy(SHAPE, dtype, 4);
    let of = |settings: Settings| {
        // A small tile is worth a small network.
        let hidden = tile.map(|_| 4);
        let settings = Settings { tile, hidden, n_steps: Some(300), batch: Some(512), ..settings };
        codec(settings).compress(&event, &Silent).unwrap()
    };
    let default = Settings::default;
    let mut out = vec![
        ("field", of(Settings { mode: Mode::Field, ..default() })),
        ("masked", of(default())),
        (
            "bounded",
            of(Settings {
                mode: Mode::Bounded,
                bound: Some(Bound::Absolute(if dtype == DType::F32 { 0.02 } else { 3.0 })),
                keep_field: true,
                ..default()
            }),
        ),
    ];
    // Its weights of 32 bits take more than the samples of a small tile.
    if dtype == DType::U16 && tile.is_none() {
        let paper = Settings { mode: Mode::Field, preset: Preset::PaperSiren, ..default() };
        out.push(("paper", of(paper)));
    }
    out
}

fn resample(codec: &InrCodec, bytes: &[u8], grid: &Grid) -> Event {
    let mut all = Vec::new();
    let mut dtype = DType::U8;
    let done = codec.resample(bytes, grid, &Silent, &mut |part| {
        // A grid is never held whole.
        assert!(part.len() <= 1 << 18);
        dtype = part.dtype();
        all.extend(part.to_le_bytes());
        Ok(())
    });
    done.unwrap();
    Event::new(grid.shape(), Samples::from_le_bytes(dtype, &all).unwrap()).unwrap()
}

fn points_of(grid: &Grid) -> Vec<[f64; 3]> {
    let shape = grid.shape();
    (0..shape.iter().product())
        .map(|i| {
            let at = unravel(i, shape);
            [0, 1, 2].map(|a| grid.at(a, at[a]))
        })
        .collect()
}

#[test]
fn voxels_are_those_of_the_decoded_event() {
    for dtype in [DType::U16, DType::F32] {
        for tile in [None, Some(TILE)] {
            for (name, made) in made(dtype, tile) {
                let codec = codec(Settings::default());
                let native = Grid::scaled(whole(SHAPE), [1.0; 3], Alignment::Cells).unwrap();
                assert!(resample(&codec, &made.bytes, &native) == made.decoded, "{name} {dtype:?} {tile:?}");
                let ends = Grid::new(whole(SHAPE), SHAPE, Alignment::Ends).unwrap();
                assert!(resample(&codec, &made.bytes, &ends) == made.decoded, "{name}, end-aligned");
                let asked = Asked::default();
                let answers = codec.query(&made.bytes, &points_of(&native), &asked, &Silent).unwrap();
                for (i, answer) in answers.iter().enumerate() {
                    assert_eq!(answer.value, made.decoded.samples().get(i), "{name}: voxel {i}");
                }
                // An odd scale has the voxels among its points.
                let region = Tile { start: [5, 3, 2], shape: [9, 4, 6] };
                let fine = resample(
                    &codec,
                    &made.bytes,
                    &Grid::scaled(region, [3.0, 1.0, 5.0], Alignment::Cells).unwrap(),
                );
                for i in 0..region.n_voxels() {
                    let [a, b, c] = unravel(i, region.shape);
                    let got = fine.samples().get(((3 * a + 1) * 4 + b) * 30 + 5 * c + 2);
                    let want = made.decoded.samples().get(((a + 5) * SHAPE[1] + b + 3) * SHAPE[2] + c + 2);
                    assert_eq!(got, want, "{name}: voxel {i} of the region");
                }
            }
        }
    }
}

#[test]
fn a_grid_has_the_rounded_values_of_its_points() {
    for tile in [None, Some(TILE)] {
        for (name, made) in made(DType::U16, tile) {
            let contents = Contents::read(&made.bytes, &Limits::default()).unwrap();
            let (lo, hi) = contents.header.range;
            let codec = codec(Settings::default());
            let region = Tile { start: [8, 0, 6], shape: [11, 17, 9] };
            for (scale, alignment) in [([2.0; 3], Alignment::Cells), ([1.7, 0.6, 2.9], Alignment::Ends)] {
                let grid = Grid::scaled(region, scale, alignment).unwrap();
                let fine = resample(&codec, &made.bytes, &grid);
                let answers =
                    codec.query(&made.bytes, &points_of(&grid), &Asked::default(), &Silent).unwrap();
                let mut n_occupied = 0;
                for (i, answer) in answers.iter().enumerate() {
                    let rounded = match name {
                        "paper" => answer.value.trunc(),
                        _ => answer.value.round_ties_even(),
                    };
                    assert_eq!(fine.samples().get(i), rounded, "{name}: point {i}");
                    assert!(answer.value == 0.0 || (lo..=hi).contains(&answer.value));
                    n_occupied += usize::from(answer.value != 0.0);
                }
                // A sixth of the event is occupied; the networks are poor, but not that poor.
                assert!(n_occupied > 0 && n_occupied < answers.len(), "{name}: {n_occupied}");
            }
        }
    }
}

#[test]
fn occupancy_between_voxels_is_that_of_the_nearest_where_it_is_exact() {
    let event = noisy(SHAPE, DType::U16, 3);
    let codec = codec(Settings::default());
    let made = codec.compress(&event, &Silent).unwrap();
    let grid = Grid::scaled(whole(SHAPE), [4.0; 3], Alignment::Cells).unwrap();
    let fine = resample(&codec, &made.bytes, &grid);
    for i in 0..fine.n_voxels() {
        let [a, b, c] = unravel(i, grid.shape()).map(|x| x / 4);
        let parent = event.samples().get((a * SHAPE[1] + b) * SHAPE[2] + c);
        assert_eq!(fine.samples().get(i) == 0.0, parent == 0.0, "point {i}");
    }
}

/// The field of a one-tile file.
struct Reference {
    weights: Weights,
    transform: Transform,
    shape: [usize; 3],
    threshold: f64,
    coords: inrfit::domain::CoordMap,
    pattern: Option<inrfit::pattern::Pattern>,
    occupied: Option<Vec<bool>>,
    range: (f64, f64),
}

impl Reference {
    fn new(bytes: &[u8]) -> Reference {
        let contents = Contents::read(bytes, &Limits::default()).unwrap();
        let network = contents.network.unwrap();
        let shape = contents.header.shape;
        let tile = contents.tiles[0];
        let record = tile.field.unwrap();
        let layer = FieldLayer::from_payload(record.payload, record.payload_offset, &network.spec).unwrap();
        let occupied = tile.support.map(|record| {
            SupportLayer::from_payload(record.payload, record.payload_offset, shape).unwrap().occupied
        });
        Reference {
            weights: layer.weights(&network.spec, None).unwrap(),
            transform: network.transform,
            shape,
            threshold: f64::from(layer.threshold),
            coords: network.coords,
            pattern: network.pattern,
            occupied,
            range: contents.header.range,
        }
    }

    /// Features in the cell whose lowest voxel is `low`, interpolated, or beyond it extrapolated, linearly.
    fn features(&self, x: [f64; 3], low: [usize; 3]) -> Vec<f64> {
        let (Some(pattern), Some(occupied)) = (self.pattern, &self.occupied) else { return Vec::new() };
        let plan = pattern.plan();
        let support = Support { shape: self.shape, occupied };
        let mut out = vec![0.0; plan.n_features()];
        let mut corner = vec![0.0f32; plan.n_features()];
        for c in 0..8usize {
            let mut weight = 1.0;
            let mut voxel = low;
            for a in 0..3 {
                let t = x[a] - low[a] as f64;
                let is_high = c >> a & 1 == 1;
                weight *= if is_high { t } else { 1.0 - t };
                voxel[a] += usize::from(is_high);
            }
            if weight != 0.0 {
                plan.at(&support, voxel, &mut corner);
                out.iter_mut().zip(&corner).for_each(|(o, c)| *o += weight * f64::from(*c));
            }
        }
        out
    }

    /// First head and value at `x`.
    fn at(&self, x: [f64; 3], low: [usize; 3]) -> (f64, f64) {
        let (score, value, _) = self.at_with_kink(x, low);
        (score, value)
    }

    /// And how near the sums of rectifiers come to their kink.
    fn at_with_kink(&self, x: [f64; 3], low: [usize; 3]) -> (f64, f64, f64) {
        let coords: Vec<f64> = (0..3)
            .map(|a| {
                let (lo, hi) = (f64::from(self.coords.lo[a]), f64::from(self.coords.hi[a]));
                lo + (hi - lo) * x[a] / (self.shape[a] - 1) as f64
            })
            .collect();
        let said = network::evaluate(&self.weights, &coords, &self.features(x, low));
        let heads = &said.heads;
        let t = heads[heads.len() - 1];
        let value = match self.transform {
            Transform::Log2 { unit_exponent, center, scale } => {
                let y = t * f64::from(scale) + f64::from(center);
                (y.abs().exp2() - 1.0).copysign(y) * f64::from(unit_exponent).exp2()
            }
            Transform::Ln { offset, scale, .. } => (t * f64::from(scale)).exp() + f64::from(offset),
        };
        (heads[0], value, said.kink)
    }

    /// The derivative along `axis` in the cell above `low`: towards higher indices, or lower ones where there are none.
    fn slope(&self, x: [f64; 3], low: [usize; 3], axis: usize) -> f64 {
        let is_last = x[axis] == (self.shape[axis] - 1) as f64;
        let h = if is_last { -1e-7 } else { 1e-7 };
        let mut moved = x;
        moved[axis] += h;
        (self.at(moved, low).1 - self.at(x, low).1) / h
    }
}

/// Answers and derivatives at points in cells, on planes of voxels and on voxels against the reference; returns how
/// many were occupied, and how many of those held within the range of the samples.
fn check(name: &str, bytes: &[u8], asked: Asked) -> (usize, usize) {
    let reference = Reference::new(bytes);
    let mut random = Stream::new(5, 1);
    let mut points = Vec::new();
    for i in 0..600 {
        let mut x = SHAPE.map(|n| (n - 1) as f64 * random.unit());
        // Some on planes, edges, voxels, and the last of each axis.
        for a in 0..3 {
            if i >> (a + 2) & 1 == 1 {
                x[a] = x[a].round();
            }
            if i >> (a + 5) & 3 == 3 {
                x[a] = (SHAPE[a] - 1) as f64;
            }
        }
        // As the network sees it.
        points.push(x.map(|x| f64::from(x as f32)));
    }
    let codec = codec(Settings::default());
    let answers = codec.query(bytes, &points, &Asked { gradient: true, ..asked }, &Silent).unwrap();
    let (mut n_occupied, mut n_held, mut n_kinks) = (0, 0, 0);
    let mut errors = Vec::new();
    let mut sizes = Vec::new();
    for (x, answer) in points.iter().zip(&answers) {
        let low = [0, 1, 2].map(|a| (x[a].floor() as usize).min(SHAPE[a] - 2));
        let (score, value, kink) = reference.at_with_kink(*x, low);
        let nearest = x.map(|x| (x + 0.5).floor() as usize);
        let is_occupied = match &reference.occupied {
            Some(_) if asked.field_only => true,
            Some(occupied) => occupied[(nearest[0] * SHAPE[1] + nearest[1]) * SHAPE[2] + nearest[2]],
            None if (score - reference.threshold).abs() < 1e-3 => continue,
            None => match reference.transform {
                Transform::Ln { cut, .. } if (value / f64::from(cut) - 1.0).abs() < 1e-4 => continue,
                Transform::Ln { cut, .. } if value < f64::from(cut) => false,
                _ => score > reference.threshold,
            },
        };
        let gradient = answer.gradient.unwrap();
        if !is_occupied {
            assert_eq!((answer.value, gradient), (0.0, [0.0; 3]), "{name} at {x:?}");
            continue;
        }
        n_occupied += 1;
        let (lo, hi) = reference.range;
        let is_native = x.iter().all(|x| x.fract() == 0.0);
        let shown = if asked.field_only { value } else { value.clamp(lo, hi) };
        // Voxels are rounded, or truncated.
        let count = if matches!(reference.transform, Transform::Ln { .. }) { 1.0 } else { 0.5 };
        let tolerance = 1e-3 * value.abs() + if is_native && !asked.field_only { count } else { 0.0 };
        assert!((answer.value - shown).abs() <= tolerance, "{name} at {x:?}: {} not {shown}", answer.value);
        if !asked.field_only && (value - value.clamp(lo, hi)).abs() > 1e-3 * value.abs() {
            n_held += 1;
            assert_eq!(gradient, [0.0; 3], "{name} at {x:?}");
        } else if kink < 1e-5 {
            // Small integers as weights put kinks of rectifiers on voxels: rounding decides which side is seen.
            n_kinks += 1;
        } else if asked.field_only || (lo * 1.001..hi * 0.999).contains(&value) {
            for a in 0..3 {
                let want = reference.slope(*x, low, a);
                errors.push((f64::from(gradient[a]) - want).abs());
                sizes.push(want.abs());
            }
        }
    }
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    let mean = sizes.iter().sum::<f64>() / sizes.len() as f64;
    let worst = errors.iter().copied().fold(0.0, f64::max);
    assert!(mean > 0.01, "{name}: derivatives that say something: {mean}");
    // Rounding grows through three layers of wavelets whose phases and slopes are dozens.
    let tolerance = if name.contains("paper-wire") { 5e-3 } else { 1e-3 };
    assert!(worst < tolerance * mean.max(0.1 * largest), "{name}: off by {worst}; {mean} in the mean");
    assert!(n_kinks < n_occupied / 10, "{name}: {n_kinks} of {n_occupied}");
    (n_occupied, n_held)
}

#[test]
fn values_and_derivatives_are_those_of_the_network() {
    for (name, made) in made(DType::U16, None) {
        if name == "bounded" {
            // Its voxels are no values of the network.
            continue;
        }
        let (n_occupied, _) = check(name, &made.bytes, Asked::default());
        assert!(n_occupied > 10, "{name}: {n_occupied}");
        let (n, n_held) = check(name, &made.bytes, Asked { field_only: true, ..Asked::default() });
        assert!(n_held == 0 && n >= n_occupied);
    }
}

#[test]
fn every_family_is_answered_by_its_own_network() {
    // A slab that a short fit of any family finds, of waves and of noise, which no other coding makes smaller.
    let mut random = Stream::new(6, 6);
    let value = |i: usize| {
        let [a, b, c] = unravel(i, SHAPE);
        let wave = 40.0 * (a as f64 / 4.0 + b as f64 / 9.0).sin() + 3.0 * c as f64;
        if (8..30).contains(&a) { (120.0 + wave + 60.0 * random.unit()) as u16 } else { 0 }
    };
    let samples: Vec<u16> = (0..SHAPE.iter().product()).map(value).collect();
    let event = Event::new(SHAPE, Samples::from(samples)).unwrap();
    let plain = Settings::default;
    let mut all = Vec::new();
    for model in [ModelKind::Siren, ModelKind::Ffnet, ModelKind::Mfn, ModelKind::Wire, ModelKind::WireReal] {
        for (mode, n_heads) in [(Mode::Field, None), (Mode::Field, Some(1)), (Mode::Masked, None)] {
            let bits = Some(Bits::Fixed(8));
            all.push(Settings { mode, n_heads, bits, model: Some(model), ..plain() });
        }
    }
    for preset in [Preset::PaperFfnet, Preset::PaperWire] {
        all.push(Settings { mode: Mode::Field, preset, ..plain() });
    }
    for settings in all {
        let Settings { mode, n_heads, model, preset, .. } = settings;
        let name = format!("{model:?} {preset} {mode} {n_heads:?}");
        // Enough of a fit that some voxels are occupied, and that values vary.
        let codec = codec(Settings { hidden: Some(16), n_steps: Some(600), batch: Some(512), ..settings });
        let made = codec.compress(&event, &Silent).unwrap();
        for asked in [Asked::default(), Asked { field_only: true, ..Asked::default() }] {
            let (n_occupied, n_held) = check(&name, &made.bytes, asked);
            assert!(n_occupied > n_held + 100, "{name}: {n_occupied}, {n_held}");
        }
        // On grids too, voxels are those of the decoded event, and what lies between them is what points are told.
        let native = Grid::scaled(whole(SHAPE), [1.0; 3], Alignment::Cells).unwrap();
        assert!(resample(&codec, &made.bytes, &native) == made.decoded, "{name}");
        let region = Tile { start: [8, 0, 6], shape: [5, 7, 6] };
        let grid = Grid::scaled(region, [2.0, 1.7, 3.0], Alignment::Cells).unwrap();
        let fine = resample(&codec, &made.bytes, &grid);
        let answers = codec.query(&made.bytes, &points_of(&grid), &Asked::default(), &Silent).unwrap();
        for (i, answer) in answers.iter().enumerate() {
            let rounded = match model {
                None => answer.value.trunc(),
                Some(_) => answer.value.round_ties_even(),
            };
            assert_eq!(fine.samples().get(i), rounded, "{name}: point {i}");
        }
    }
}

#[test]
fn held_values_have_no_slope() {
    // A narrow range and a fit of a few steps: much lies beyond.
    let mut random = Stream::new(3, 3);
    let samples: Vec<u16> = (0..SHAPE.iter().product::<usize>())
        .map(|i| if i / 6 % 4 > 0 { 80 + (16.0 * random.unit()) as u16 } else { 0 })
        .collect();
    let event = Event::new(SHAPE, Samples::from(samples)).unwrap();
    let mut n_all = 0;
    for mode in [Mode::Field, Mode::Masked] {
        let settings = Settings { mode, n_steps: Some(20), ..Settings::default() };
        let made = codec(settings).compress(&event, &Silent).unwrap();
        n_all += check(&mode.to_string(), &made.bytes, Asked::default()).1;
    }
    assert!(n_all > 10, "{n_all}");
}

#[test]
fn rectifiers_have_a_derivative_towards_either_side_of_their_kink() {
    // One feature, one unit of each kind, and all weights 0 but those of the feature's way.
    let model = Model::Conditioned { omega_first: 1, omega_hidden: 1, coord_units: 1, feature_units: 1 };
    let spec = NetSpec { model, n_coords: 3, n_features: 1, hidden: 1, n_layers: 2, n_heads: 1 };
    let mut values = vec![0.0; spec.n_weights()];
    // Coordinates: 3 and a bias; feature: 1 and a bias; hidden: 2 and a bias; head: 1 and a bias.
    (values[4], values[7], values[9]) = (2.0, 3.0, 5.0);
    let weights = Weights::new(spec, values).unwrap();
    let rows = [[0.0; 4], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, -1.0], [1.0, 1.0, 1.0, 0.0]].concat();
    let heads = Cpu::new(1).unwrap().tangents(&weights, &rows).unwrap();
    assert_eq!(heads, [0.0, 30.0, 0.0, 0.0]);
    assert!(Cpu::new(1).unwrap().tangents(&weights, &rows[1..]).is_err());
}

#[test]
fn beyond_the_outermost_voxels_values_stay_and_the_network_goes_on_where_asked() {
    for (name, made) in made(DType::U16, None).into_iter().take(2) {
        let codec = codec(Settings::default());
        let asked = Asked { field_only: true, gradient: true, ..Asked::default() };
        let [last, ..] = SHAPE.map(|n| (n - 1) as f64);
        for (beyond, edge) in [(-0.4, 0.0), (last + 0.5, last)] {
            let points = [[beyond, 8.25, 5.5], [edge, 8.25, 5.5]];
            let [out, on] = codec.query(&made.bytes, &points, &asked, &Silent).unwrap()[..] else {
                panic!("two answers")
            };
            assert_eq!(out.value, on.value, "{name} at {beyond}");
            let (out, on) = (out.gradient.unwrap(), on.gradient.unwrap());
            assert_eq!((out[0], out[1..].to_vec()), (0.0, on[1..].to_vec()), "{name} at {beyond}");
        }
        // Farther out, the network itself: coordinates go on, features are those of the edge.
        let reference = Reference::new(&made.bytes);
        let asked = Asked { extrapolate: true, ..asked };
        let far = [-3.5, 8.25, 5.5];
        let answer = codec.query(&made.bytes, &[far], &asked, &Silent).unwrap()[0];
        if name == "field" {
            let (score, value) = reference.at(far, [0, 8, 5]);
            let value = if score > reference.threshold { value } else { 0.0 };
            assert!((answer.value - value).abs() <= 1e-3 * value, "{} instead of {value}", answer.value);
        }
        // Nothing is occupied outside of the event.
        let plain = Asked { field_only: false, ..asked };
        let answer = codec.query(&made.bytes, &[[-0.75, 3.0, 5.0]], &plain, &Silent).unwrap()[0];
        assert!(name == "field" || answer == Answer { value: 0.0, gradient: Some([0.0; 3]) });
    }
}

#[test]
fn normalised_points_are_the_same_points() {
    for (name, made) in made(DType::U16, Some(TILE)) {
        let codec = codec(Settings::default());
        let mut random = Stream::new(9, 2);
        let mut points: Vec<[f64; 3]> =
            (0..100).map(|_| SHAPE.map(|n| (n - 1) as f64 * random.unit())).collect();
        points.extend((0..100).map(|i| unravel(i * 320, SHAPE).map(|x| x as f64)));
        let normalised: Vec<[f64; 3]> =
            points.iter().map(|x| [0, 1, 2].map(|a| 2.0 * x[a] / (SHAPE[a] - 1) as f64 - 1.0)).collect();
        let asked = Asked { gradient: true, ..Asked::default() };
        let here = codec.query(&made.bytes, &points, &asked, &Silent).unwrap();
        let there = Asked { normalised: true, ..asked };
        let there = codec.query(&made.bytes, &normalised, &there, &Silent).unwrap();
        for (i, (a, b)) in here.iter().zip(&there).enumerate() {
            assert!((a.value - b.value).abs() <= 1e-3 * a.value, "{name}: point {i}: {a:?} {b:?}");
            for axis in 0..3 {
                let (a, b) = (a.gradient.unwrap()[axis], b.gradient.unwrap()[axis]);
                let a = a * (SHAPE[axis] - 1) as f32 / 2.0;
                // On a plane of voxels rounding decides which side a point is on.
                assert!((a - b).abs() <= 1e-2 * a.abs() + 1e-2 || i >= 100, "{name}: {i}: {a} {b}");
            }
        }
        // The voxels are found in spite of the rounding of their coordinates.
        for (i, answer) in there[100..].iter().enumerate() {
            assert_eq!(answer.value, made.decoded.samples().get(i * 320), "{name}");
        }
    }
}

/// Counts the tiles that are decoded.
#[derive(Default)]
struct Count(AtomicUsize);

impl Observer for Count {
    fn progress(&self, p: &Progress) {
        self.0.fetch_add(usize::from(p.stage == Stage::Decode), Ordering::Relaxed);
    }
}

#[test]
fn only_touched_tiles_are_decoded() {
    for (name, made) in made(DType::U16, Some(TILE)) {
        let codec = codec(Settings::default());
        for (points, n_tiles) in [
            (&[[0.0, 0.0, 0.0]][..], 1),
            (&[[5.5, 3.0, 2.0], [12.25, 0.5, 11.4]], 1),
            (&[[12.4, 3.0, 2.0], [12.5, 3.0, 2.0], [12.6, 3.0, 11.7]], 3),
        ] {
            let count = Count::default();
            codec.query(&made.bytes, points, &Asked::default(), &count).unwrap();
            assert_eq!(count.0.into_inner(), n_tiles, "{name}: {points:?}");
        }
        let region = Tile { start: [14, 2, 0], shape: [5, 9, 6] };
        let grid = Grid::scaled(region, [2.0; 3], Alignment::Cells).unwrap();
        let count = Count::default();
        codec.resample(&made.bytes, &grid, &count, &mut |_| Ok(())).unwrap();
        assert_eq!(count.0.into_inner(), 1, "{name}");
    }
}

#[test]
fn tiles_without_a_field_are_answered_where_they_can_be() {
    // One tile of noise that no field makes smaller, empty ones, and one that a field fits.
    let shape = [32, 16, 16];
    let mut state = 1u32;
    let samples: Vec<u16> = (0..32 * 256)
        .map(|i| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c] = unravel(i, shape);
            match a / 8 {
                0 if (b + c) % 7 < 3 => 100 + (state >> 24) as u16,
                2 if b == 3 && c == 4 => 70,
                _ => 0,
            }
        })
        .collect();
    let event = Event::new(shape, Samples::from(samples)).unwrap();
    for mode in [Mode::Field, Mode::Masked] {
        let settings = Settings { mode, tile: Some([8, 16, 16]), hidden: Some(4), ..Settings::default() };
        let codec = codec(settings);
        let made = codec.compress(&event, &Silent).unwrap();
        let value = |x: [f64; 3]| codec.query(&made.bytes, &[x], &Asked::default(), &Silent);
        assert_eq!(value([12.3, 4.5, 6.0]).unwrap()[0].value, 0.0, "{mode}: an empty tile");
        let grid = Grid::scaled(Tile { start: [8, 0, 0], shape: [8, 16, 16] }, [2.0; 3], Alignment::Cells);
        let fine = resample(&codec, &made.bytes, &grid.unwrap());
        assert_eq!(fine.samples().occupied_range(), None);
        let contents = Contents::read(&made.bytes, &Limits::default()).unwrap();
        assert!(contents.tiles[0].field.is_some(), "{mode}");
        if contents.tiles[2].raw.is_some() {
            // Nothing tells what lies between the voxels of this one.
            assert_eq!(value([18.0, 3.0, 4.0]).unwrap()[0].value, 70.0);
            let error = value([18.5, 3.0, 4.0]).unwrap_err();
            assert!(error.kind() == ErrorKind::Argument && error.to_string().contains("tile 2"), "{error}");
        }
    }
    // An event that is empty throughout.
    let empty = Event::new(SHAPE, Samples::zeros(DType::U16, SHAPE.iter().product())).unwrap();
    for mode in [Mode::Field, Mode::Masked, Mode::Lossless] {
        let codec = codec(Settings { mode, ..Settings::default() });
        let bytes = codec.compress(&empty, &Silent).unwrap().bytes;
        let asked = Asked { gradient: true, ..Asked::default() };
        let answer = codec.query(&bytes, &[[1.5, 2.0, 3.0]], &asked, &Silent).unwrap()[0];
        assert_eq!(answer, Answer { value: 0.0, gradient: Some([0.0; 3]) }, "{mode}");
    }
}

#[test]
fn what_makes_no_sense_is_named() {
    let event = noisy(SHAPE, DType::U16, 1);
    let lossless = codec(Settings { mode: Mode::Lossless, ..Settings::default() });
    let without = lossless.compress(&event, &Silent).unwrap().bytes;
    let codec = codec(Settings::default());
    let with = codec.compress(&event, &Silent).unwrap().bytes;
    let ask = |bytes: &[u8], x: [f64; 3], asked: Asked| {
        codec.query(bytes, &[[1.0; 3], x], &asked, &Silent).map_err(|e| (e.kind(), e.to_string()))
    };
    let plain = Asked::default();
    for x in [[f64::NAN, 0.0, 0.0], [0.0, f64::INFINITY, 0.0], [39.6, 0.0, 0.0], [0.0, 0.0, -0.51]] {
        let (kind, text) = ask(&with, x, plain).unwrap_err();
        assert!(kind == ErrorKind::Argument && text.contains("point 1"), "{text}");
    }
    let normalised = Asked { normalised: true, ..plain };
    assert!(ask(&with, [1.0, -1.0, 0.0], normalised).is_ok());
    assert!(ask(&with, [1.1, -1.0, 0.0], normalised).unwrap_err().1.contains("-1 to 1"));
    let extrapolate = Asked { extrapolate: true, ..plain };
    assert!(ask(&with, [1e6, 0.0, 0.0], extrapolate).is_ok());
    assert!(
        ask(&with, [1e8, 0.0, 0.0], extrapolate).is_err() && ask(&with, [f64::NAN; 3], extrapolate).is_err()
    );
    // Not even at voxels, so that a script does not find out in the middle of its work.
    let (kind, text) = ask(&without, [2.0; 3], plain).unwrap_err();
    assert!(kind == ErrorKind::Argument && text.contains("--keep-field"), "{text}");
    let grid = Grid::scaled(whole(SHAPE), [2.0; 3], Alignment::Cells).unwrap();
    let mut n_parts = 0;
    let mut sink = |_: &Samples| {
        n_parts += 1;
        Ok(())
    };
    let error = codec.resample(&without, &grid, &Silent, &mut sink).unwrap_err();
    assert!(error.to_string().contains("--keep-field"), "{error}");
    let outside = Grid::scaled(whole([41, 34, 24]), [1.0; 3], Alignment::Cells).unwrap();
    let error = codec.resample(&with, &outside, &Silent, &mut sink).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Argument);
    let limited = |limits: Limits| InrCodec { limits, ..codec.clone() };
    let bytes = limited(Limits { max_event_bytes: 500_000, ..Limits::default() });
    let error = bytes.resample(&with, &grid, &Silent, &mut sink).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    let work = limited(Limits { max_operations: 200_000_000, ..Limits::default() });
    assert!(work.query(&with, &[[1.0; 3]], &plain, &Silent).is_ok());
    let error = work.resample(&with, &grid, &Silent, &mut sink).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert_eq!(n_parts, 0, "nothing is handed on before an error");
}

#[test]
fn threads_change_nothing() {
    for (name, made) in made(DType::F32, Some(TILE)) {
        let grid = Grid::scaled(whole(SHAPE), [2.5, 3.0, 1.5], Alignment::Cells).unwrap();
        let of = |n_threads| {
            let codec = InrCodec { n_threads, ..codec(Settings::default()) };
            let asked = Asked { gradient: true, ..Asked::default() };
            let answers = codec.query(&made.bytes, &points_of(&grid), &asked, &Silent).unwrap();
            (resample(&codec, &made.bytes, &grid), answers)
        };
        assert!(of(1) == of(3), "{name}");
    }
}
