//! Draws are pure, stable for ever, and defined for every event that has a site.

use inrfit_sampling::{
    Balanced, DrawTable, Entropy, Importance, Residual, Sampler, SamplerKind, SamplingError, Sites, Sparse,
    Uniform, UniformOnce,
};

fn samplers() -> [Box<dyn Sampler>; 7] {
    [
        Box::new(Uniform),
        Box::new(Importance::default()),
        Box::new(Balanced::default()),
        Box::new(UniformOnce),
        Box::new(Sparse::default()),
        Box::new(Entropy::default()),
        Box::new(Residual::default()),
    ]
}

/// Every seventh site occupied.
fn sparse_table() -> DrawTable {
    let occupied: Vec<bool> = (0..1000).map(|site| site % 7 == 0).collect();
    Sparse::default().plan(&Sites { magnitude: &[0.5; 1000], occupied: &occupied }).unwrap()
}

/// A table with every kind of weight; whole numbers, so that the golden draws can be checked by hand.
fn fixed_table() -> DrawTable {
    let weights: Vec<f64> = (0..1000u32).map(|s| f64::from(s * s % 17 * (s % 3))).collect();
    DrawTable::from_weights(&weights).unwrap()
}

#[test]
fn draws_do_not_depend_on_order_or_batching() {
    let once = DrawTable::once(13).unwrap().with_draws_per_step(100);
    for table in [fixed_table(), DrawTable::uniform(1000).unwrap(), once, sparse_table()] {
        for (seed, step, first) in [(1, 2, 0), (1, 2, 1), (u64::MAX, u64::MAX, 7), (0, 0, u64::MAX - 10)] {
            for len in [0, 1, 2, 7, 8, 9, 15, 16, 17, 100] {
                let mut batch = vec![u32::MAX; len];
                table.draw_into(seed, step, first, &mut batch);
                for (k, &site) in batch.iter().enumerate().rev() {
                    assert_eq!(site, table.draw(seed, step, first.wrapping_add(k as u64)));
                }
            }
        }
        let mut halves = [0; 64];
        let (left, right) = halves.split_at_mut(31);
        table.draw_into(9, 9, 31, right);
        table.draw_into(9, 9, 0, left);
        let mut whole = [0; 64];
        table.draw_into(9, 9, 0, &mut whole);
        assert_eq!(whole, halves);
    }
}

#[test]
fn seed_step_and_index_all_matter() {
    let table = fixed_table();
    let draws = |seed: u64, step: u64, first: u64| {
        let mut out = [0; 32];
        table.draw_into(seed, step, first, &mut out);
        out
    };
    let reference = draws(1, 1, 0);
    for bit in [0, 31, 32, 63] {
        assert_ne!(draws(1 ^ (1 << bit), 1, 0), reference);
        assert_ne!(draws(1, 1 ^ (1 << bit), 0), reference);
    }
    for bit in [6, 32, 33, 63] {
        assert_ne!(draws(1, 1, 1 << bit), reference);
    }
}

#[test]
fn golden_draws_never_change() {
    let mut out = [0; 12];
    fixed_table().draw_into(20_241_201, 754, 0, &mut out);
    assert_eq!(out, [874, 962, 766, 353, 970, 106, 208, 727, 626, 871, 166, 683]);
    fixed_table().draw_into(u64::MAX - 5, 1 << 40, (1 << 35) + 1, &mut out);
    assert_eq!(out, [191, 557, 29, 857, 602, 413, 242, 251, 758, 722, 383, 634]);
    DrawTable::uniform(764_928).unwrap().draw_into(20_241_201, 754, 0, &mut out);
    assert_eq!(
        out,
        [668733, 740421, 586021, 272105, 741992, 79838, 157505, 556388, 478568, 668419, 129927, 518527]
    );
}

#[test]
fn golden_table_never_changes() {
    let table = fixed_table();
    let fold = |hash: u64, cell: &u64| (hash ^ cell).wrapping_mul(0x0000_0100_0000_01b3);
    assert_eq!(table.cells().unwrap().iter().fold(0xcbf2_9ce4_8422_2325, fold), 0x007a_23ba_f1b7_bc3a);
    assert_eq!(table.cells().unwrap()[..4], [0x2_0000_0000, 0x4_2015_8f84, 0x4_00ac_7c1b, 0x5_0000_0000]);
}

#[test]
fn one_site_is_always_drawn() {
    for occupied in [true, false] {
        let sites = Sites { magnitude: &[if occupied { 0.5 } else { 0.0 }], occupied: &[occupied] };
        for sampler in samplers() {
            let table = sampler.plan(&sites).unwrap();
            assert_eq!((table.n_sites(), table.probability(0), table.inverse_weight(0)), (1, 1.0, 1.0));
            assert!((0..100).all(|i| table.draw(1, 2, i) == 0));
        }
    }
}

#[test]
fn events_all_empty_or_all_alike_are_drawn_uniformly() {
    for (magnitude, occupied) in [(0.0, false), (0.7, true)] {
        let sites = Sites { magnitude: &[magnitude; 20], occupied: &[occupied; 20] };
        for sampler in samplers() {
            assert!(sampler.plan(&sites).unwrap().is_uniform(), "{} {occupied}", sampler.name());
        }
    }
    let empty = Sites { magnitude: &[0.0; 20], occupied: &[false; 20] };
    assert!(Balanced::new(1.0).unwrap().plan(&empty).unwrap().is_uniform());
    assert_eq!(Importance::new(0.0).unwrap().plan(&empty), Err(SamplingError::NoWeight));
}

#[test]
fn occupied_site_of_magnitude_zero_is_still_drawn() {
    let sites = Sites { magnitude: &[0.0, 0.3], occupied: &[true, true] };
    let table = Importance::default().plan(&sites).unwrap();
    assert!((table.probability(0) - 0.25).abs() < 1e-7);
    let sites = Sites { magnitude: &[0.0, 0.0, 0.0, 0.0], occupied: &[true, false, false, false] };
    let table = Balanced::default().plan(&sites).unwrap();
    assert!((table.probability(0) - 0.5).abs() < 1e-9);
}

#[test]
fn events_without_meaning_are_refused() {
    for sampler in samplers() {
        let plan = |magnitude: &[f32], occupied: &[bool]| sampler.plan(&Sites { magnitude, occupied });
        assert_eq!(plan(&[], &[]), Err(SamplingError::NoSites));
        let mismatch = SamplingError::LengthMismatch { n_magnitude: 2, n_occupied: 1 };
        assert_eq!(plan(&[0.0, 1.0], &[true]), Err(mismatch));
    }
    for value in [f32::NAN, f32::INFINITY, -0.5] {
        let sites = Sites { magnitude: &[0.0, value], occupied: &[false, true] };
        let by_magnitude: [Box<dyn Sampler>; 3] =
            [Box::new(Importance::default()), Box::new(Entropy::default()), Box::new(Residual::default())];
        for sampler in by_magnitude {
            let error = sampler.plan(&sites).unwrap_err();
            assert!(matches!(error, SamplingError::BadWeight { site: 1, .. }), "{}", sampler.name());
            assert!(error.to_string().contains("site 1"));
        }
    }
    let empty = Sites { magnitude: &[0.0; 20], occupied: &[false; 20] };
    assert_eq!(Sparse::new(0.0).unwrap().plan(&empty), Err(SamplingError::NoWeight));
    let count = SamplingError::ErrorCount { n_errors: 3, n_sites: 20 };
    assert_eq!(Residual::default().refresh(&empty, &[1.0; 3]), Err(count));
    assert!(Importance::new(f64::INFINITY).is_err());
    assert!("importance:-0.5".parse::<SamplerKind>().is_err());
}

#[test]
fn an_epoch_has_every_site_once() {
    // 97 sites in steps of 10: an epoch ends within a step.
    let table = UniformOnce.plan(&Sites { magnitude: &[0.0; 97], occupied: &[false; 97] }).unwrap();
    let table = table.with_draws_per_step(10);
    assert_eq!((table.epoch_len(), table.is_uniform()), (Some(97), true));
    let draws: Vec<u32> = (0..97)
        .flat_map(|step| (0..10).map(move |i| (step, i)))
        .map(|(step, i)| table.draw(5, step, i))
        .collect();
    let (mut epochs, mut orders) = (draws.chunks_exact(97), std::collections::BTreeSet::new());
    for epoch in epochs.by_ref() {
        let mut sorted = epoch.to_vec();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..97));
        orders.insert(epoch.to_vec());
    }
    assert_eq!(orders.len(), 10, "every epoch has its own order");
    // A step of the plain plan is an epoch.
    let plain = DrawTable::once(97).unwrap();
    assert!((0..97).all(|i| plain.draw(5, 3, i) == draws[3 * 97 + i as usize]));
    assert_eq!((plain.probability(96), plain.probability(97)), (1.0 / 97.0, 0.0));
    assert_eq!((plain.inverse_weight(96), plain.inverse_weight(97)), (1.0, 0.0));
}

#[test]
fn a_sparse_epoch_has_all_occupied_sites_and_a_share_of_the_rest() {
    let table = sparse_table();
    // 143 occupied sites, and a tenth of 857 others, rounded up.
    let len = 143 + 86;
    assert_eq!(table.epoch_len(), Some(len));
    let (mut counts, n_epochs) = (vec![0u32; 1000], 2000);
    for step in 0..n_epochs {
        let mut epoch = vec![0; len as usize];
        table.draw_into(1, step, 0, &mut epoch);
        epoch.iter().for_each(|&site| counts[site as usize] += 1);
        epoch.sort_unstable();
        epoch.dedup();
        assert_eq!(epoch.len() as u64, len, "no site comes twice");
        assert_eq!(epoch.iter().filter(|&&site| site % 7 == 0).count(), 143);
    }
    // An empty site is in an epoch with probability 86 / 857: six standard deviations.
    let share: f64 = 86.0 / 857.0;
    let (mean, deviation) = (share * 2000.0, (2000.0 * share * (1.0 - share)).sqrt());
    for (site, &count) in counts.iter().enumerate().filter(|(site, _)| site % 7 != 0) {
        assert!((f64::from(count) - mean).abs() < 6.0 * deviation, "site {site}: {count}");
    }
    assert_eq!((table.probability(0), table.probability(1)), (1.0 / 229.0, share / 229.0));
    let sum: f64 = (0..1000).map(|site| table.probability(site)).sum();
    assert!((sum - 1.0).abs() < 1e-12, "{sum}");
    assert_eq!(table.inverse_weight(7), 0.229);
    assert_eq!(table.inverse_weight(8), (229.0 / (1000.0 * share)) as f32);
    assert_eq!(table.inverse_weight(1000), 0.0);
    // Shares of nothing and of everything.
    let occupied = [true, false, true];
    let plan = |share| {
        let sites = Sites { magnitude: &[1.0; 3], occupied: &occupied };
        Sparse::new(share).unwrap().plan(&sites).unwrap()
    };
    assert_eq!((plan(0.0).epoch_len(), plan(0.0).inverse_weight(1)), (Some(2), 0.0));
    assert_eq!(plan(1.0), DrawTable::once(3).unwrap());
}

#[test]
fn golden_epochs_never_change() {
    let table = sparse_table().with_draws_per_step(50);
    let draws: Vec<u32> = (0..8).map(|i| table.draw(20_241_201, 754, i)).collect();
    assert_eq!(draws, [327, 210, 147, 560, 427, 959, 32, 169]);
}

#[test]
fn residual_draws_follow_the_errors() {
    let sites = Sites { magnitude: &[0.0, 3.0, 0.0, 1.0], occupied: &[false, true, false, true] };
    let sampler = Residual::new(0.2).unwrap();
    let p = |table: DrawTable| [0, 1, 2, 3].map(|site| (table.probability(site) * 1e6).round() / 1e6);
    assert_eq!(p(sampler.plan(&sites).unwrap()), [0.05, 0.65, 0.05, 0.25]);
    let errors = [0.0, 0.5, 1.5, 0.0];
    assert_eq!(p(sampler.refresh(&sites, &errors).unwrap().unwrap()), [0.05, 0.25, 0.65, 0.05]);
    assert!(sampler.refresh(&sites, &[0.0; 4]).unwrap().unwrap().is_uniform());
    assert_eq!(Balanced::default().refresh(&sites, &errors), Ok(None));
    let refreshed = ["residual", "balanced"].map(|name| name.parse::<SamplerKind>().unwrap().is_refreshed());
    assert_eq!(refreshed, [true, false]);
}

#[test]
fn entropy_draws_bins_alike() {
    // Four bins of width 1: three sites, none, one, two (the largest magnitude belongs to the last).
    let magnitude = [0.0, 0.5, 0.0, 2.5, 3.5, 4.0];
    let sites = Sites { magnitude: &magnitude, occupied: &magnitude.map(|m| m > 0.0) };
    let table = Entropy::new(4).unwrap().plan(&sites).unwrap();
    for (site, p) in [(0, 9), (1, 9), (2, 9), (3, 3), (4, 6), (5, 6)] {
        assert!((table.probability(site) - 1.0 / f64::from(p)).abs() < 1e-9, "{site}");
    }
}
