//! Derivatives with respect to the inputs of every family of networks, against differences in double precision.

mod oracle;

use inrfit::backend::cpu::Cpu;
use inrfit::backend::{Backend, SiteBlock};
use inrfit::lane::Level;
use inrfit::net::{Source, Weights};
use inrfit_sampling::rng::Stream;
use oracle::{FAMILIES, Problem};

#[test]
fn derivatives_are_those_of_every_network() {
    let mut random = Stream::new(7, 7);
    for family in FAMILIES {
        for (hidden, n_layers, n_heads, n_features) in [(8, 3, 2, 0), (19, 2, 1, 21), (20, 4, 2, 5)] {
            let problem = Problem::of(family, hidden, n_layers, n_heads, n_features);
            let name = format!("{family:?} {hidden} {n_layers} {n_heads} {n_features}");
            let weights = Weights::new(problem.spec, problem.weights.clone()).unwrap();
            let n_in = 3 + n_features;
            // More points than a tile has.
            let sites: Vec<usize> = (0..50).map(|i| i * 6 % problem.positions.len()).collect();
            let mut rows: Vec<f32> = Vec::new();
            for &site in &sites {
                let inputs = [problem.inputs(site, Source::Coords), problem.inputs(site, Source::Features)];
                rows.extend(inputs.concat().iter().map(|x| *x as f32));
                rows.extend((0..3 * n_in).map(|_| (2.0 * random.unit() - 1.0) as f32));
            }
            let heads = Cpu::new(2).unwrap().tangents(&weights, &rows).unwrap();
            // The same at every lane width, and the values are those of decoding.
            for level in Level::available() {
                let cpu = Cpu::at_level(1, level).unwrap();
                let again = cpu.tangents(&weights, &rows).unwrap();
                assert!(
                    heads.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits()),
                    "{name} {level:?}"
                );
            }
            let mut decoded = vec![0.0; problem.positions.len() * n_heads];
            let [a, b, c] = &problem.axes;
            let all = SiteBlock {
                axes: [a, b, c],
                positions: Some(&problem.positions),
                features: &problem.features,
            };
            Cpu::new(1).unwrap().evaluate(&weights, &all, &mut decoded).unwrap();
            let weights64 = problem.weights64();
            let (mut errors, mut size) = (Vec::new(), 0.0);
            for ((&site, rows), heads) in
                sites.iter().zip(rows.chunks(4 * n_in)).zip(heads.chunks(4 * n_heads))
            {
                assert_eq!(heads[..n_heads], decoded[site * n_heads..][..n_heads], "{name}");
                for direction in 1..4 {
                    let h = 1e-6;
                    let at = |h: f64| {
                        let moved: Vec<f64> = (0..n_in)
                            .map(|k| f64::from(rows[k]) + h * f64::from(rows[direction * n_in + k]))
                            .collect();
                        let inputs = |source| match source {
                            Source::Coords => moved[..3].to_vec(),
                            _ => moved[3..].to_vec(),
                        };
                        problem.forward_from(&weights64, &inputs).pop().unwrap().outputs
                    };
                    for (n, (up, down)) in at(h).iter().zip(at(-h)).enumerate() {
                        let want = (up - down) / (2.0 * h);
                        errors.push((f64::from(heads[direction * n_heads + n]) - want).abs());
                        size += want.abs();
                    }
                }
            }
            let mean = size / errors.len() as f64;
            errors.sort_by(f64::total_cmp);
            // A step of the reference may cross a kink of a rectifier.
            let worst = errors[errors.len() * 99 / 100];
            assert!(mean > 1e-3 && worst < 1e-3 * mean, "{name}: off by {worst}, {mean} in the mean");
        }
    }
}
