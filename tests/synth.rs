//! Synthetic events beside the real wedges, and the streams that never change.

mod common;

use inrfit::event::{Event, Samples};
use inrfit::io::read_event;
use inrfit::synth::{Side, SynthSettings};

/// An axis by name, and its index.
const AXES: [(&str, usize); 3] = [("azimuth", 0), ("z", 1), ("layer", 2)];

fn values(event: &Event) -> &[u16] {
    match event.samples() {
        Samples::U16(v) => v,
        other => panic!("{:?}", other.dtype()),
    }
}

/// Pairs of samples that lie `lag` apart along `axis`.
fn pairs(event: &Event, axis: usize, lag: usize) -> Vec<(u16, u16)> {
    let (shape, v) = (event.shape(), values(event));
    let stride: usize = shape[axis + 1..].iter().product();
    (0..v.len())
        .filter(|i| i / stride % shape[axis] + lag < shape[axis])
        .map(|i| (v[i], v[i + lag * stride]))
        .collect()
}

fn pearson(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let n = pairs.clone().count() as f64;
    let (a, b) = pairs.clone().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in pairs {
        xy += (x - a) * (y - b);
        xx += (x - a) * (x - a);
        yy += (y - b) * (y - b);
    }
    xy / (xx * yy).sqrt()
}

/// Shares of the occupied runs along z that are 5, 10 and 15 samples long.
fn run_shares(event: &Event) -> [f64; 3] {
    let ([n_pads, n_bins, n_layers], v) = (event.shape(), values(event));
    let (mut counts, mut n_runs) = ([0.0; 3], 0.0);
    for column in 0..n_pads * n_layers {
        let mut length = 0;
        for bin in 0..=n_bins {
            let at = (column / n_layers * n_bins + bin) * n_layers + column % n_layers;
            if bin < n_bins && v[at] != 0 {
                length += 1;
            } else if length > 0 {
                n_runs += 1.0;
                if matches!(length, 5 | 10 | 15) {
                    counts[length / 5 - 1] += 1.0;
                }
                length = 0;
            }
        }
    }
    counts.map(|c| c / n_runs)
}

/// How many samples have each value from 1 on, cumulated, as a share.
fn cumulated(events: &[Event]) -> Vec<f64> {
    let mut counts = vec![0.0; 1024];
    for &value in events.iter().flat_map(values).filter(|&&v| v != 0) {
        counts[usize::from(value)] += 1.0;
    }
    let total: f64 = counts.iter().sum();
    let mut sum = 0.0;
    for count in &mut counts {
        sum += *count / total;
        *count = sum;
    }
    counts
}

/// What is compared of an event: name, value, largest difference of the means (infinite: shown only).
fn statistics(event: &Event) -> Vec<(String, f64, f64)> {
    let v = values(event);
    let n_occupied = v.iter().filter(|&&s| s != 0).count() as f64;
    let mut all = vec![];
    for (length, share) in [5, 10, 15].into_iter().zip(run_shares(event)) {
        all.push((format!("share of runs of {length}"), share, 0.05));
    }
    let share = |limit: u16| v.iter().filter(|&&s| s != 0 && s <= limit).count() as f64 / n_occupied;
    all.push(("nonzero values <= 77".into(), share(77), 0.05));
    all.push(("nonzero values <= 80".into(), share(80), 0.05));
    let n_saturated = v.iter().filter(|&&s| s == 1023).count() as f64;
    // The real ones lie between 0.005 % and 0.04 %.
    all.push(("saturated, % of all".into(), 100.0 * n_saturated / v.len() as f64, 0.02));
    for (name, axis) in AXES {
        for lag in [1, 2] {
            let pairs = pairs(event, axis, lag);
            let both = pairs.iter().filter(|(a, b)| *a != 0 && *b != 0);
            let log = |s: u16| (f64::from(s) + 1.0).log2();
            all.push((
                format!("values, {name} lag {lag}"),
                pearson(both.map(|&(a, b)| (log(a), log(b)))),
                0.05,
            ));
            let occupied = |s: u16| f64::from(u8::from(s != 0));
            let pairs = pairs.iter().map(|&(a, b)| (occupied(a), occupied(b)));
            all.push((format!("occupancy, {name} lag {lag}"), pearson(pairs), 0.05));
        }
    }
    all
}

/// Correlations: Pearson's, of log2(ADC + 1) over pairs of voxels that are both occupied, and of occupancy (0 or 1)
/// over all pairs; pairs lie one or two apart along an axis.
#[test]
fn synthetic_wedges_have_the_statistics_of_real_ones() {
    let Some(data) = common::data() else { return };
    let mut paths: Vec<_> =
        std::fs::read_dir(data.join("wedges")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "npy"));
    paths.sort();
    let real: Vec<Event> = paths.iter().map(|path| read_event(path).unwrap()).collect();
    assert_eq!(real.len(), 5);
    let synthetic: Vec<Event> = (100..110)
        .map(|seed| SynthSettings { seed, ..SynthSettings::default() }.generate().unwrap())
        .collect();
    let (real_shares, synthetic_shares) = (cumulated(&real), cumulated(&synthetic));
    let distance = real_shares.iter().zip(&synthetic_shares).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let occupancy = |events: &[Event]| {
        let n: usize = events.iter().map(Event::n_voxels).sum();
        events.iter().flat_map(values).filter(|&&v| v != 0).count() as f64 / n as f64
    };
    let occupancies = [occupancy(&real), occupancy(&synthetic)];
    let [real, synthetic] = [real, synthetic].map(|events| events.iter().map(statistics).collect::<Vec<_>>());
    println!("{:<28} {:>8} {:>8} {:>8}   real from to", "", "real", "synth", "diff");
    println!("{:<28} {:>8.4} {:>8.4}", "occupancy", occupancies[0], occupancies[1]);
    println!("{:<28} {:>26.4}", "Kolmogorov distance", distance);
    let mut failures = vec![];
    for (i, (name, _, tolerance)) in real[0].iter().enumerate() {
        let mean =
            |all: &[Vec<(String, f64, f64)>]| all.iter().map(|s| s[i].1).sum::<f64>() / all.len() as f64;
        let (a, b) = (mean(&real), mean(&synthetic));
        let (low, high) =
            real.iter().map(|s| s[i].1).fold((f64::MAX, f64::MIN), |(l, h), x| (l.min(x), h.max(x)));
        println!("{name:<28} {a:>8.4} {b:>8.4} {:>8.4}   {low:.4} {high:.4}", b - a);
        if (b - a).abs() > *tolerance {
            failures.push(format!("{name}: {a:.4} real, {b:.4} synthetic"));
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
    assert!((occupancies[1] / occupancies[0] - 1.0).abs() <= 0.1, "{occupancies:?}");
    assert!(distance <= 0.05, "{distance}");
}

#[test]
fn the_event_of_a_seed_never_changes() {
    let checksum =
        |settings: SynthSettings| crc32fast::hash(&settings.generate().unwrap().samples().to_le_bytes());
    let other = SynthSettings {
        shape: [40, 50, 7],
        seed: u64::MAX,
        occupancy: 0.2,
        threshold: 80,
        window: 7,
        side: Some(Side::High),
    };
    assert_eq!([checksum(SynthSettings::default()), checksum(other)], GOLDEN);
}

/// CRC-32 of the samples, little-endian.
const GOLDEN: [u32; 2] = [87_049_788, 4_183_176_506];
