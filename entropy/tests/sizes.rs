//! Bytes of generated tensors against their order-0 entropy. `--nocapture` prints the table.

mod common;
#[path = "common/random.rs"]
mod random;

use common::{pack, unpack};
use random::Random;
use std::collections::HashMap;

/// Bytes that an ideal coder needs which knows the frequency of every integer but not the order.
fn order_0_bytes(values: &[i32]) -> f64 {
    let mut counts = HashMap::new();
    values.iter().for_each(|v| *counts.entry(v).or_insert(0u32) += 1);
    let n = values.len() as f64;
    counts.values().map(|&c| -f64::from(c) * (f64::from(c) / n).log2()).sum::<f64>() / 8.0
}

/// Mean order-0 entropy and mean size, in bytes, of `n` tensors made by `make`.
fn measure(
    name: &str,
    shape: [usize; 2],
    n: u64,
    mut make: impl FnMut(&mut Random, usize, usize) -> f64,
) -> (f64, f64) {
    let (mut entropy, mut size) = (0.0, 0.0);
    for seed in 0..n {
        let mut random = Random::new(seed + 1);
        let mut values = Vec::new();
        for row in 0..shape[0] {
            values.extend((0..shape[1]).map(|column| make(&mut random, row, column).round() as i32));
        }
        let bytes = pack(shape[1], &values);
        assert_eq!(unpack(shape[1], values.len(), &bytes), values);
        entropy += order_0_bytes(&values) / n as f64;
        size += bytes.len() as f64 / n as f64;
    }
    let excess = 100.0 * (size / entropy - 1.0);
    println!(
        "{name:<28} {:>3} x {:<3} entropy {entropy:>8.1} B  coded {size:>8.1} B  {excess:>+6.2} %",
        shape[0], shape[1]
    );
    (entropy, size)
}

/// By how much the deviation differs at a row and column.
type Factor<'a> = &'a dyn Fn(usize, usize) -> f64;

const DEVIATIONS: [f64; 5] = [1.5, 3.0, 6.0, 12.0, 20.0];

#[test]
fn independent_integers_cost_their_entropy() {
    for deviation in DEVIATIONS {
        let name = format!("normal, deviation {deviation}");
        let (entropy, size) = measure(&name, [128, 128], 4, |r, _, _| deviation * r.normal());
        assert!(size < 1.005 * entropy + 10.0, "{size} B for {entropy} B");
    }
    let uniform = |r: &mut Random| 60.0 * (r.uniform() - 0.5);
    let (entropy, size) = measure("uniform, width 60", [128, 128], 4, |r, _, _| uniform(r));
    assert!(size < 1.007 * entropy + 10.0, "{size} B for {entropy} B");
    let (entropy, size) = measure("two-sided exponential, 6", [128, 128], 4, |r, _, _| {
        (r.uniform().ln() - r.uniform().ln()) * 6.0 / std::f64::consts::SQRT_2
    });
    assert!(size < 1.005 * entropy + 10.0, "{size} B for {entropy} B");
    let (entropy, size) = measure("normal, 0.4: mostly zero", [128, 128], 4, |r, _, _| 0.4 * r.normal());
    assert!(size < 1.005 * entropy + 10.0, "{size} B for {entropy} B");
    let (entropy, size) = measure("normal, 6, mean 15", [128, 128], 4, |r, _, _| 15.0 + 6.0 * r.normal());
    assert!(size < 1.005 * entropy + 10.0, "{size} B for {entropy} B");
}

#[test]
fn small_tensors_cost_little_more() {
    for shape in [[3, 128], [128, 2], [128, 1]] {
        for deviation in DEVIATIONS {
            // The entropy of few integers lies below that of their distribution: the frequencies come for free.
            let name = format!("normal, deviation {deviation}");
            let (entropy, size) = measure(&name, shape, 50, |r, _, _| deviation * r.normal());
            assert!(size < 1.015 * entropy + 13.0, "{size} B for {entropy} B");
            let name = format!("deviation {deviation}, off zero");
            let (entropy, size) = measure(&name, shape, 50, |r, _, _| deviation * (r.normal() + 2.0));
            assert!(size < 1.015 * entropy + 14.0, "{size} B for {entropy} B");
        }
    }
}

#[test]
fn rows_and_columns_of_different_size_cost_less_than_entropy() {
    // Deviations of rows and columns spread by a factor of e^0.6 = 1.8.
    let factors: Vec<f64> = {
        let mut random = Random::new(99);
        (0..256).map(|_| (0.6 * random.normal()).exp()).collect()
    };
    let (rows, columns) = factors.split_at(128);
    for deviation in DEVIATIONS {
        // Shares of the order-0 entropy; at deviation 1.5 there is twice as much to gain as at 20.
        let cases: [(&str, Factor<'_>, f64); 3] = [
            ("rows differ", &|row, _| rows[row], 0.97),
            ("columns differ", &|_, column| columns[column], 0.97),
            ("rows and columns differ", &|row, column| rows[row] * columns[column], 0.95),
        ];
        for (what, factor, share) in cases {
            // A smaller tensor learns less about each of its rows and columns.
            for (side, share) in [(128, share), (64, share + 0.015)] {
                let name = format!("{what}, {deviation}");
                let make = |r: &mut Random, row, column| deviation * factor(row, column) * r.normal();
                let (entropy, size) = measure(&name, [side, side], 4, make);
                assert!(size < share * entropy, "{size} B for {entropy} B");
            }
        }
    }
}
