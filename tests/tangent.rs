//! Derivatives of networks of every family by their inputs, in forward mode: the values beside them are those of
//! decoding, bit for bit, and they are the differences of a network in double precision.

mod network;

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Backend, SiteBlock};
use inrfit::lane::Level;
use inrfit::net::{Model, NetSpec, Weights};
use inrfit_sampling::rng::Stream;

/// More than one tile, and not a whole number of them.
const N_POINTS: usize = 53;

/// Every family at a width, its input layers as wide or of widths of their own.
fn models(hidden: usize) -> Vec<Model> {
    let mut out = vec![Model::Siren { omega_first: 20.0, omega_hidden: 12.0 }];
    for [coord_units, feature_units] in [[hidden; 2], [hidden + 13, hidden / 2 + 1]] {
        out.extend([
            Model::Conditioned { omega_first: 20, omega_hidden: 12, coord_units, feature_units },
            Model::Fourier { scale: 1.5, seed: 3, n_frequencies: coord_units, feature_units },
            Model::Filters { omega: 9.0, coord_units, feature_units },
            Model::Gabor { omega: 3.0, scale: 2.0, coord_units, feature_units },
            Model::RealGabor { omega: 8.0, scale: 2.5, coord_units, feature_units },
        ]);
    }
    out
}

/// A network, and points with three directions each.
struct Problem {
    weights: Weights,
    /// Of a point its inputs, then the directions.
    rows: Vec<f32>,
}

impl Problem {
    fn new(spec: NetSpec) -> Problem {
        let mut random = Stream::new(7, (spec.hidden * 100 + spec.n_layers * 10 + spec.n_features) as u64);
        let n = N_POINTS * 4 * (3 + spec.n_features);
        let mut rows: Vec<f32> = (0..n).map(|_| (2.0 * random.unit() - 1.0) as f32).collect();
        // Directions in which some inputs stay.
        rows.iter_mut().step_by(7).for_each(|x| *x = 0.0);
        Problem { weights: Weights::initial(spec, 11).unwrap(), rows }
    }

    fn n_in(&self) -> usize {
        3 + self.weights.spec().n_features
    }

    fn tangents(&self, level: Level, n_threads: usize) -> Vec<f32> {
        Cpu::at_level(n_threads, level).unwrap().tangents(&self.weights, &self.rows).unwrap()
    }

    /// The heads at the points, one after the other, as decoding has them.
    fn evaluated(&self) -> Vec<f32> {
        let (cpu, n_heads) = (Cpu::new(1).unwrap(), self.weights.spec().n_heads);
        let mut out = vec![0.0; N_POINTS * n_heads];
        for (rows, out) in self.rows.chunks(4 * self.n_in()).zip(out.chunks_mut(n_heads)) {
            let (coords, features) = rows[..self.n_in()].split_at(3);
            let axes = [&coords[..1], &coords[1..2], &coords[2..]];
            let site = SiteBlock { axes, positions: None, features };
            cpu.evaluate(&self.weights, &site, out).unwrap();
        }
        out
    }

    /// All heads' derivatives in all directions at a point, by central differences in double precision; `None` where a
    /// rectifier's kink is near.
    fn differences(&self, point: &[f32]) -> Option<Vec<f64>> {
        const STEP: f64 = 1e-6;
        let (x, directions) = point.split_at(self.n_in());
        let at = |direction: &[f32], step: f64| {
            let moved: Vec<f64> =
                x.iter().zip(direction).map(|(x, d)| f64::from(*x) + step * f64::from(*d)).collect();
            network::evaluate(&self.weights, &moved[..3], &moved[3..])
        };
        if at(x, 0.0).kink < 1e-4 {
            return None;
        }
        let of = |direction: &[f32]| {
            let (above, below) = (at(direction, STEP), at(direction, -STEP));
            (above.heads.iter().zip(below.heads)).map(|(a, b)| (a - b) / (2.0 * STEP)).collect::<Vec<_>>()
        };
        Some(directions.chunks(self.n_in()).flat_map(of).collect())
    }
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

/// Widths below, at and above a block, every depth, one head and two, with and without features.
fn specs() -> Vec<NetSpec> {
    let mut out = Vec::new();
    for hidden in [5, 16, 35] {
        for model in models(hidden) {
            for n_layers in 1..=4 {
                for (n_heads, n_features) in [(1, 0), (2, 0), (1, 21), (2, 3)] {
                    out.push(NetSpec { model, n_coords: 3, n_features, hidden, n_layers, n_heads });
                }
            }
        }
    }
    out
}

#[test]
fn values_are_those_of_decoding_at_every_lane_width() {
    for spec in specs() {
        let p = Problem::new(spec);
        let reference = p.tangents(Level::Scalar, 1);
        let values: Vec<f32> = reference
            .chunks(4 * spec.n_heads)
            .flat_map(|point| point[..spec.n_heads].iter().copied())
            .collect();
        assert!(bits(&values) == bits(&p.evaluated()), "{spec:?}");
        for level in Level::available() {
            assert!(bits(&p.tangents(level, 2)) == bits(&reference), "{level:?} {spec:?}");
        }
    }
}

#[test]
fn derivatives_are_the_differences_of_every_family() {
    for spec in specs() {
        let p = Problem::new(spec);
        let heads = p.tangents(Level::detect(), 1);
        let (mut errors, mut sizes) = (Vec::new(), Vec::new());
        for (point, heads) in p.rows.chunks(4 * p.n_in()).zip(heads.chunks(4 * spec.n_heads)) {
            let Some(want) = p.differences(point) else { continue };
            for (got, want) in heads[spec.n_heads..].iter().zip(&want) {
                errors.push((f64::from(*got) - want).abs());
                sizes.push(want * want);
            }
        }
        // Near a kink of dozens of rectifiers are few points.
        assert!(errors.len() > 3 * spec.n_heads * N_POINTS * 3 / 4, "{spec:?}: {}", errors.len());
        let rms = (sizes.iter().sum::<f64>() / sizes.len() as f64).sqrt();
        let worst = errors.into_iter().fold(0.0, f64::max);
        assert!(rms > 1e-3 && worst < 2e-4 * rms, "{spec:?}: off by {worst}, rms {rms}");
    }
}
