//! Draws are pure, stable for ever, and defined for every event that has a site.

use inrfit_sampling::{Balanced, DrawTable, Importance, Sampler, SamplerKind, SamplingError, Sites, Uniform};

fn samplers() -> [Box<dyn Sampler>; 3] {
    [Box::new(Uniform), Box::new(Importance::default()), Box::new(Balanced::default())]
}

/// A table with every kind of weight; whole numbers, so that the golden draws can be checked by hand.
fn fixed_table() -> DrawTable {
    let weights: Vec<f64> = (0..1000u32).map(|s| f64::from(s * s % 17 * (s % 3))).collect();
    DrawTable::from_weights(&weights).unwrap()
}

#[test]
fn draws_do_not_depend_on_order_or_batching() {
    for table in [fixed_table(), DrawTable::uniform(1000).unwrap()] {
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
        let error = Importance::default().plan(&sites).unwrap_err();
        assert!(matches!(error, SamplingError::BadWeight { site: 1, .. }));
        assert!(error.to_string().contains("site 1"));
    }
    assert!(Importance::new(f64::INFINITY).is_err());
    assert!("importance:-0.5".parse::<SamplerKind>().is_err());
}
