//! What an analysis would notice: clusters, their charge and place, ratios between pads, saturation.

use super::clusters::{Cluster, Clustering, NONE, Plane};
use crate::error::Result;
use crate::event::Event;
use serde::Serialize;

/// How clusters and pads of a decoded event differ from the original's, in all and by bins.
///
/// Clusters are those of [`mod@super::clusters`], found in both events by the same rule. The charge that an original and a
/// decoded cluster share is the sum over their common voxels of the smaller of the two signals. Two clusters are
/// matched where each is the one that the other shares most with (the first such, in the order of summits); an original
/// cluster without match is lost, a decoded one is fake. A cluster that was split is one match and one fake; two that
/// became one are one match and one lost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Physics {
    /// How clusters were found.
    #[serde(flatten)]
    pub clustering: Clustering,
    /// Everything.
    pub all: PhysicsFigures,
    /// By magnitude of the sample, ADC: of the original's at the summit of a cluster (the decoded one of a fake), the
    /// larger of a pair, the voxel's own.
    pub by_amplitude: Vec<PhysicsBin>,
    /// By local occupancy of the original: the share of occupied voxels among those of the plane at most 8 bins
    /// away on either axis from the summit of a cluster, the first of a pair, the voxel.
    pub by_occupancy: Vec<PhysicsBin>,
}

/// The figures of one bin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PhysicsBin {
    /// Least value in it.
    pub from: f64,
    /// The value from which on the next bin counts; none for the last.
    pub to: Option<f64>,
    /// What is in it.
    #[serde(flatten)]
    pub figures: PhysicsFigures,
}

/// What became of clusters, pairs of pads and saturated voxels.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PhysicsFigures {
    /// Clusters of the original.
    pub n_clusters: u64,
    /// Those of them without a match in the decoded event.
    pub n_lost: u64,
    /// Clusters of the decoded event without a match in the original.
    pub n_fake: u64,
    /// Charge of a matched cluster, decoded / original - 1: its mean is the bias.
    pub charge: Option<Spread>,
    /// Centroid of a matched cluster on the first axis (azimuth), decoded - original, in bins.
    pub residual_axis0: Option<Spread>,
    /// The same on the second axis (z).
    pub residual_axis1: Option<Spread>,
    /// Pairs of neighbours on the first axis (pads) that are both occupied in the original.
    pub n_pairs: u64,
    /// Those of them of which a voxel is decoded as empty.
    pub n_pairs_lost: u64,
    /// log2 of the ratio between the two samples of the other pairs (magnitudes, pedestal included), decoded -
    /// original: what interpolation between pads sees, and why errors are counted on a logarithmic scale
    /// (arXiv 2111.05423).
    pub pad_ratio: Option<Spread>,
    /// Voxels of the original at full scale or above.
    pub n_saturated: u64,
    /// Those of them that are decoded so.
    pub n_saturated_kept: u64,
}

/// How numbers are spread.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub n: u64,
    /// Mean.
    pub mean: f64,
    /// Root of the mean squared distance from the mean.
    pub deviation: f64,
    /// Median.
    pub median: f64,
    /// Half the distance between the 15.865 % and the 84.135 % quantile, interpolated linearly: one standard deviation
    /// of a normal distribution, whatever its tails.
    pub half_width: f64,
}

impl Spread {
    /// The spread of `values`; none where there are none.
    fn of(mut values: Vec<f64>) -> Option<Spread> {
        let n = values.len();
        if n == 0 {
            return None;
        }
        let mean = values.iter().sum::<f64>() / n as f64;
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / n as f64;
        values.sort_unstable_by(f64::total_cmp);
        let quantile = |share: f64| {
            let at = share * (n - 1) as f64;
            let below = at.floor() as usize;
            let above = (below + 1).min(n - 1);
            values[below] + (values[above] - values[below]) * (at - below as f64)
        };
        Some(Spread {
            n: n as u64,
            mean,
            deviation: variance.sqrt(),
            median: quantile(0.5),
            half_width: (quantile(0.84135) - quantile(0.15865)) / 2.0,
        })
    }
}

/// Edges between bins of amplitude, as shares of full scale.
const AMPLITUDE_EDGES: [f64; 5] = [1.0 / 16.0, 1.0 / 8.0, 1.0 / 4.0, 1.0 / 2.0, 1.0];
/// Edges between bins of local occupancy.
const OCCUPANCY_EDGES: [f64; 4] = [0.05, 0.1, 0.2, 0.4];
/// Local occupancy is that of the voxels at most so many bins away on either axis.
const REACH: usize = 8;

impl Physics {
    /// Compares `decoded` with `original`; types may differ, values count. `peak` is the full scale of the readout.
    /// About 0.2 s for a TPC wedge of 765 thousand voxels.
    ///
    /// # Errors
    /// `Argument` where the shapes differ, the peak is not positive, or `clustering` makes no sense.
    pub fn compare(original: &Event, decoded: &Event, peak: f64, clustering: &Clustering) -> Result<Physics> {
        super::check(original, decoded, peak)?;
        clustering.validate(original)?;
        let mut tallies = Tallies::new(peak);
        for layer in 0..original.shape()[2] {
            compare_layer(original, decoded, layer, clustering, peak, &mut tallies);
        }
        Ok(tallies.finish(*clustering))
    }
}

fn compare_layer(
    original: &Event,
    decoded: &Event,
    layer: usize,
    clustering: &Clustering,
    peak: f64,
    tallies: &mut Tallies,
) {
    let [n_rows, n_columns, n_layers] = original.shape();
    let at = |event: &Event, i: usize| event.samples().get(i * n_layers + layer);
    let n = n_rows * n_columns;
    let local = LocalOccupancy::new([n_rows, n_columns], |i| at(original, i) != 0.0);
    let (ours, theirs) = (Plane::new(original, layer, clustering), Plane::new(decoded, layer, clustering));
    let matches = matches(&ours, &theirs);
    let place = |cluster: &Cluster| local.around(cluster.summit);
    let mut is_matched = vec![false; theirs.clusters.len()];
    for (cluster, partner) in ours.clusters.iter().zip(matches) {
        let partner = partner.map(|number| {
            is_matched[number as usize] = true;
            &theirs.clusters[number as usize]
        });
        tallies.add(cluster.amplitude, place(cluster), |tally| {
            tally.figures.n_clusters += 1;
            match partner {
                Some(partner) => {
                    tally.charges.push(partner.charge / cluster.charge - 1.0);
                    for axis in 0..2 {
                        tally.residuals[axis].push(partner.centroid[axis] - cluster.centroid[axis]);
                    }
                }
                None => tally.figures.n_lost += 1,
            }
        });
    }
    for (cluster, _) in theirs.clusters.iter().zip(is_matched).filter(|(_, is_matched)| !is_matched) {
        tallies.add(cluster.amplitude, place(cluster), |tally| tally.figures.n_fake += 1);
    }
    for i in 0..n {
        let (a, b) = (at(original, i), at(decoded, i));
        if a >= peak {
            let kept = u64::from(b >= peak);
            tallies.add(a.abs(), local.around([i / n_columns, i % n_columns]), |tally| {
                tally.figures.n_saturated += 1;
                tally.figures.n_saturated_kept += kept;
            });
        }
        if a == 0.0 || i + n_columns >= n {
            continue;
        }
        let (next_a, next_b) = (at(original, i + n_columns), at(decoded, i + n_columns));
        if next_a == 0.0 {
            continue;
        }
        let ratio = |one: f64, two: f64| (one.abs() / two.abs()).log2();
        tallies.add(a.abs().max(next_a.abs()), local.around([i / n_columns, i % n_columns]), |tally| {
            tally.figures.n_pairs += 1;
            match b != 0.0 && next_b != 0.0 {
                true => tally.ratios.push(ratio(b, next_b) - ratio(a, next_a)),
                false => tally.figures.n_pairs_lost += 1,
            }
        });
    }
}

/// The cluster of `theirs` that each of `ours` is matched with.
fn matches(ours: &Plane, theirs: &Plane) -> Vec<Option<u32>> {
    // (ours, theirs, shared), one entry a common voxel, then one a pair.
    let mut shared: Vec<(u32, u32, f64)> = (0..ours.signals.len())
        .filter(|&i| ours.labels[i] != NONE && theirs.labels[i] != NONE)
        .map(|i| (ours.labels[i], theirs.labels[i], ours.signals[i].min(theirs.signals[i])))
        .collect();
    shared.sort_by_key(|&(a, b, _)| (a, b));
    shared.dedup_by(|next, kept| {
        let same = (next.0, next.1) == (kept.0, kept.1);
        if same {
            kept.2 += next.2;
        }
        same
    });
    let mut best_of_ours = vec![(NONE, 0.0); ours.clusters.len()];
    let mut best_of_theirs = vec![(NONE, 0.0); theirs.clusters.len()];
    for (a, b, charge) in shared {
        for (best, other) in [(&mut best_of_ours[a as usize], b), (&mut best_of_theirs[b as usize], a)] {
            if charge > best.1 {
                *best = (other, charge);
            }
        }
    }
    let mutual = |(a, &(b, _)): (usize, &(u32, f64))| {
        let back = best_of_theirs.get(b as usize)?.0;
        (back as usize == a).then_some(b)
    };
    best_of_ours.iter().enumerate().map(mutual).collect()
}

/// Counts of occupied voxels in rectangles of a plane.
struct LocalOccupancy {
    shape: [usize; 2],
    /// Occupied voxels before row r and column c, at r (n_columns + 1) + c.
    sums: Vec<u32>,
}

impl LocalOccupancy {
    fn new(shape: [usize; 2], is_occupied: impl Fn(usize) -> bool) -> LocalOccupancy {
        let [n_rows, n_columns] = shape;
        let width = n_columns + 1;
        let mut sums = vec![0; (n_rows + 1) * width];
        for row in 0..n_rows {
            let mut in_row = 0;
            for column in 0..n_columns {
                in_row += u32::from(is_occupied(row * n_columns + column));
                sums[(row + 1) * width + column + 1] = sums[row * width + column + 1] + in_row;
            }
        }
        LocalOccupancy { shape, sums }
    }

    /// The share of occupied voxels around `place`.
    fn around(&self, place: [usize; 2]) -> f64 {
        let [rows, columns] = [0, 1]
            .map(|axis| (place[axis].saturating_sub(REACH), self.shape[axis].min(place[axis] + REACH + 1)));
        let sum = |row: usize, column: usize| i64::from(self.sums[row * (self.shape[1] + 1) + column]);
        let inside =
            sum(rows.1, columns.1) - sum(rows.0, columns.1) - sum(rows.1, columns.0) + sum(rows.0, columns.0);
        inside as f64 / ((rows.1 - rows.0) * (columns.1 - columns.0)) as f64
    }
}

/// What was seen in one bin so far.
#[derive(Default)]
struct Tally {
    figures: PhysicsFigures,
    charges: Vec<f64>,
    residuals: [Vec<f64>; 2],
    ratios: Vec<f64>,
}

impl Tally {
    fn finish(self) -> PhysicsFigures {
        let [axis0, axis1] = self.residuals;
        PhysicsFigures {
            charge: Spread::of(self.charges),
            residual_axis0: Spread::of(axis0),
            residual_axis1: Spread::of(axis1),
            pad_ratio: Spread::of(self.ratios),
            ..self.figures
        }
    }
}

/// Everything, and every bin.
struct Tallies {
    amplitude_edges: Vec<f64>,
    all: Tally,
    by_amplitude: Vec<Tally>,
    by_occupancy: Vec<Tally>,
}

impl Tallies {
    fn new(peak: f64) -> Tallies {
        let empty = |n_edges: usize| (0..=n_edges).map(|_| Tally::default()).collect();
        Tallies {
            amplitude_edges: AMPLITUDE_EDGES.iter().map(|share| share * peak).collect(),
            all: Tally::default(),
            by_amplitude: empty(AMPLITUDE_EDGES.len()),
            by_occupancy: empty(OCCUPANCY_EDGES.len()),
        }
    }

    /// Adds to everything and to the bins of `amplitude` and of `occupancy`.
    fn add(&mut self, amplitude: f64, occupancy: f64, add: impl Fn(&mut Tally)) {
        let bin = |edges: &[f64], v: f64| edges.partition_point(|edge| *edge <= v);
        add(&mut self.all);
        add(&mut self.by_amplitude[bin(&self.amplitude_edges, amplitude)]);
        add(&mut self.by_occupancy[bin(&OCCUPANCY_EDGES, occupancy)]);
    }

    fn finish(self, clustering: Clustering) -> Physics {
        let bins = |edges: &[f64], tallies: Vec<Tally>| {
            let from = std::iter::once(0.0).chain(edges.iter().copied());
            let to = edges.iter().copied().map(Some).chain([None]);
            let ends = from.zip(to);
            ends.zip(tallies)
                .map(|((from, to), tally)| PhysicsBin { from, to, figures: tally.finish() })
                .collect()
        };
        Physics {
            clustering,
            by_amplitude: bins(&self.amplitude_edges, self.by_amplitude),
            by_occupancy: bins(&OCCUPANCY_EDGES, self.by_occupancy),
            all: self.all.finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    const RULE: Clustering = Clustering { pedestal: 0.0, prominence: 10.0 };

    fn compare<const N: usize>(original: &[[u16; N]], decoded: &[[u16; N]]) -> Physics {
        let event = |rows: &[[u16; N]]| Event::new([rows.len(), N, 1], Samples::from(rows.concat())).unwrap();
        Physics::compare(&event(original), &event(decoded), 1023.0, &RULE).unwrap()
    }

    #[test]
    fn charge_and_place_are_as_by_hand() {
        let physics = compare(&[[0, 40, 0], [0, 60, 0]], &[[0, 60, 0], [0, 40, 20]]);
        let all = &physics.all;
        assert_eq!((all.n_clusters, all.n_lost, all.n_fake), (1, 0, 0));
        let one = |v: f64| Spread { n: 1, mean: v, deviation: 0.0, median: v, half_width: 0.0 };
        assert_eq!(all.charge, Some(one(120.0 / 100.0 - 1.0)));
        assert_eq!(all.residual_axis0, Some(one(60.0 / 120.0 - 0.6)));
        assert_eq!(all.residual_axis1, Some(one(140.0 / 120.0 - 1.0)));
        assert_eq!((all.n_pairs, all.n_pairs_lost), (1, 0));
        assert_eq!(all.pad_ratio, Some(one(1.5f64.log2() - (2.0f64 / 3.0).log2())));
    }

    #[test]
    fn splits_merges_and_losses_are_counted() {
        let apart = [[50, 5, 50, 0, 0, 90]];
        let joint = [[50, 45, 50, 0, 0, 0]];
        let merged = compare(&apart, &joint).all;
        assert_eq!((merged.n_clusters, merged.n_lost, merged.n_fake), (3, 2, 0));
        let split = compare(&joint, &apart).all;
        assert_eq!((split.n_clusters, split.n_lost, split.n_fake), (1, 0, 2));
        let nothing = compare(&joint, &[[0; 6]]).all;
        assert_eq!((nothing.n_clusters, nothing.n_lost, nothing.n_fake), (1, 1, 0));
        assert_eq!((nothing.charge, nothing.residual_axis0), (None, None));
    }

    #[test]
    fn a_match_is_mutual() {
        // The decoded cluster shares 55 with the first original and 60 with the second, whose it is.
        let all = compare(&[[55, 0, 60]], &[[55, 54, 60]]).all;
        assert_eq!((all.n_clusters, all.n_lost, all.n_fake), (2, 1, 0));
        assert_eq!(all.charge.unwrap().mean, 169.0 / 60.0 - 1.0);
    }

    #[test]
    fn bins_are_by_the_original() {
        let physics = compare(&[[1023, 0, 0, 70]], &[[1023, 0, 0, 300]]);
        let n = |bins: &[PhysicsBin]| bins.iter().map(|b| b.figures.n_clusters).collect::<Vec<_>>();
        assert_eq!(n(&physics.by_amplitude), [0, 1, 0, 0, 0, 1]);
        assert_eq!(n(&physics.by_occupancy), [0, 0, 0, 0, 2]);
        assert_eq!((physics.by_amplitude[5].from, physics.by_amplitude[5].to), (1023.0, None));
        assert_eq!((physics.all.n_saturated, physics.all.n_saturated_kept), (1, 1));
        assert_eq!(physics.by_amplitude[5].figures.n_saturated_kept, 1);
        // Alone in a corner of 9 x 9 voxels, and one of the two at the other end of 17.
        let mut row = [0u16; 40];
        (row[0], row[30], row[36]) = (80, 80, 80);
        let physics = compare(&[row], &[row]);
        assert_eq!(n(&physics.by_occupancy), [0, 0, 3, 0, 0]);
    }

    #[test]
    fn pairs_of_pads_are_on_the_first_axis_alone() {
        let original = [[80, 90], [70, 0], [0, 60]];
        let all = compare(&original, &[[80, 90], [0, 0], [0, 60]]).all;
        assert_eq!((all.n_pairs, all.n_pairs_lost, all.pad_ratio), (1, 1, None));
    }

    #[test]
    fn spreads_are_as_by_hand() {
        let spread = Spread::of(vec![4.0, 1.0, 2.0, 3.0, 10.0]).unwrap();
        assert_eq!((spread.n, spread.mean, spread.median), (5, 4.0, 3.0));
        assert_eq!(spread.deviation, 10.0f64.sqrt());
        let expected = (4.0 + 6.0 * (4.0 * 0.84135 - 3.0) - (1.0 + 4.0 * 0.15865)) / 2.0;
        assert!((spread.half_width - expected).abs() < 1e-12);
        assert_eq!(Spread::of(vec![]), None);
    }
}
