//! The draws follow the probabilities, and the probabilities correct the estimator.

use inrfit_sampling::rng::Stream;
use inrfit_sampling::{Balanced, DrawTable, Entropy, Importance, Residual, Sampler, Sites, Uniform};

const N_SITES: usize = 3000;

/// An event of about one occupied site in ten, magnitudes between 0.2 and 1.4.
fn event() -> (Vec<f32>, Vec<bool>) {
    let mut stream = Stream::new(7, 0);
    let mut value = || if stream.unit() < 0.1 { (0.2 + 1.2 * stream.unit()) as f32 } else { 0.0 };
    let magnitude: Vec<f32> = (0..N_SITES).map(|_| value()).collect();
    let occupied = magnitude.iter().map(|&m| m != 0.0).collect();
    (magnitude, occupied)
}

fn samplers() -> Vec<Box<dyn Sampler>> {
    vec![
        Box::new(Uniform),
        Box::new(Importance::default()),
        Box::new(Importance::new(0.0).unwrap()),
        Box::new(Balanced::default()),
        Box::new(Balanced::new(0.9).unwrap()),
        Box::new(Balanced::new(1.0).unwrap()),
        Box::new(Entropy::default()),
        Box::new(Residual::default()),
    ]
}

/// Pearson's statistic of `counts` against `probability`, as a standard normal number (E. B. Wilson, M. M.
/// Hilferty, 1931). Infinite where a class of probability zero was drawn.
fn chi_square_z(counts: &[u32], probability: impl Fn(usize) -> f64) -> f64 {
    let n_draws: f64 = counts.iter().map(|&c| f64::from(c)).sum();
    let (mut chi, mut degrees) = (0.0, -1.0);
    for (k, &count) in counts.iter().enumerate() {
        let expected = n_draws * probability(k);
        if expected > 0.0 {
            assert!(expected >= 5.0, "too few draws for the test: {expected} expected");
            chi += (f64::from(count) - expected).powi(2) / expected;
            degrees += 1.0;
        } else if count > 0 {
            return f64::INFINITY;
        }
    }
    let spread: f64 = 2.0 / (9.0 * degrees);
    ((chi / degrees).cbrt() - (1.0 - spread)) / spread.sqrt()
}

fn counts(table: &DrawTable, seed: u64, n_steps: u64, batch: usize) -> Vec<u32> {
    let mut counts = vec![0; table.n_sites()];
    let mut sites = vec![0; batch];
    for step in 0..n_steps {
        table.draw_into(seed, step, 0, &mut sites);
        sites.iter().for_each(|&s| counts[s as usize] += 1);
    }
    counts
}

#[test]
fn draws_follow_the_probabilities() {
    let (magnitude, occupied) = event();
    let sites = Sites { magnitude: &magnitude, occupied: &occupied };
    let uniform = Uniform.plan(&sites).unwrap();
    for (k, sampler) in samplers().iter().enumerate() {
        let table = sampler.plan(&sites).unwrap();
        let counts = counts(&table, 100 + k as u64, 500, 1001);
        let z = chi_square_z(&counts, |s| table.probability(s as u32));
        // One run in 16,000 of a right table is further out; the seeds are fixed.
        assert!(z.abs() < 4.0, "{}: {z} standard deviations", sampler.name());
        if !table.is_uniform() {
            let z = chi_square_z(&counts, |s| uniform.probability(s as u32));
            assert!(z > 50.0, "the test cannot tell {} from uniform: {z}", sampler.name());
        }
    }
}

#[test]
fn two_draws_of_one_block_are_independent() {
    let table = DrawTable::from_weights(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    for (name, distance) in [("neighbours", 1), ("blocks", 2), ("seeds", 0)] {
        let mut pairs = vec![0; 16];
        for i in 0..100_000u64 {
            let first = table.draw(3, 5, 2 * i);
            let second = table.draw(3 + u64::from(distance == 0), 5, 2 * i + distance);
            pairs[(4 * first + second) as usize] += 1;
        }
        let p = |site: usize| table.probability(site as u32);
        let z = chi_square_z(&pairs, |k| p(k / 4) * p(k % 4));
        assert!(z.abs() < 4.0, "{name}: {z} standard deviations");
    }
}

#[test]
fn probabilities_are_what_was_asked_for_and_sum_to_one() {
    let (magnitude, occupied) = event();
    let sites = Sites { magnitude: &magnitude, occupied: &occupied };
    for sampler in samplers() {
        let table = sampler.plan(&sites).unwrap();
        let sum: f64 = (0..N_SITES).map(|s| table.probability(s as u32)).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{}: {sum}", sampler.name());
        for site in 0..N_SITES as u32 {
            let p = table.probability(site);
            let w = if p > 0.0 { 1.0 / (N_SITES as f64 * p) } else { 0.0 };
            assert_eq!(table.inverse_weight(site), w as f32);
        }
    }

    let close = |p: f64, q: f64| (p - q).abs() < 1e-8 * q;
    let n_occupied = occupied.iter().filter(|&&o| o).count() as f64;
    let n_empty = N_SITES as f64 - n_occupied;
    let total: f64 = magnitude.iter().map(|&m| f64::from(m)).sum::<f64>() + 0.1 * n_empty;
    let importance = Importance::default().plan(&sites).unwrap();
    let balanced = Balanced::new(0.9).unwrap().plan(&sites).unwrap();
    for site in 0..N_SITES {
        let (m, o) = (f64::from(magnitude[site]), occupied[site]);
        assert!(close(importance.probability(site as u32), if o { m } else { 0.1 } / total));
        assert!(close(balanced.probability(site as u32), if o { 0.9 / n_occupied } else { 0.1 / n_empty }));
    }
}

/// Mean and standard error over many steps of the estimated mean loss, with and without correction.
fn estimates(table: &DrawTable, f: &[f64]) -> [(f64, f64); 2] {
    const N_STEPS: u64 = 4000;
    const BATCH: usize = 250;
    let mut sums = [(0.0, 0.0); 2];
    let mut sites = vec![0; BATCH];
    for step in 0..N_STEPS {
        table.draw_into(11, step, 0, &mut sites);
        let (mut corrected, mut plain) = (0.0, 0.0);
        for &s in &sites {
            corrected += f64::from(table.inverse_weight(s)) * f[s as usize] / BATCH as f64;
            plain += f[s as usize] / BATCH as f64;
        }
        for (sum, x) in sums.iter_mut().zip([corrected, plain]) {
            *sum = (sum.0 + x, sum.1 + x * x);
        }
    }
    let n = N_STEPS as f64;
    sums.map(|(sum, squares)| (sum / n, ((squares / n - (sum / n).powi(2)) / (n - 1.0)).sqrt()))
}

#[test]
fn corrected_estimator_is_unbiased_and_the_plain_one_is_not() {
    let (magnitude, occupied) = event();
    let sites = Sites { magnitude: &magnitude, occupied: &occupied };
    // A loss that differs from site to site, is large where sites are occupied, and zero nowhere.
    let f: Vec<f64> =
        magnitude.iter().enumerate().map(|(s, &m)| 0.02 + f64::from(m).powi(2) + 1e-5 * s as f64).collect();
    let truth = f.iter().sum::<f64>() / N_SITES as f64;
    for sampler in samplers() {
        let table = sampler.plan(&sites).unwrap();
        // Where empty sites are never drawn, only the others' part of the mean is estimated.
        let reached = |s: &usize| table.probability(*s as u32) > 0.0;
        let expected = (0..N_SITES).filter(reached).map(|s| f[s]).sum::<f64>() / N_SITES as f64;
        let [(corrected, error), (plain, plain_error)] = estimates(&table, &f);
        let z = (corrected - expected) / error;
        assert!(z.abs() < 4.0, "{}: {corrected} for {expected}, {z} standard errors", sampler.name());
        let bias = (plain - truth) / plain_error;
        if table.is_uniform() {
            assert!(bias.abs() < 4.0);
        } else {
            assert!(bias > 100.0, "{}: bias of {bias} standard errors only", sampler.name());
        }
    }
}
