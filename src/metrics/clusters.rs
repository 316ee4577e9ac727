//! Clusters: the hits of a detector plane, as a hit finder sees them.
//!
//! # Definition
//!
//! A plane is what an event holds at one index of its third axis: (azimuth, z) of one layer in a TPC wedge. Clusters
//! never reach over planes.
//!
//! 1. The signal of a voxel of value v is q = max(|v| - pedestal, 0).
//! 2. The voxels of a plane with q > 0 have an order: larger q first, smaller position (C order) first among equals. A
//!    voxel has up to eight neighbours, corners included.
//! 3. A voxel belongs with the first of its neighbours in that order, if that one comes before the voxel itself; else
//!    the voxel is a summit.
//! 4. Two neighbours that belong to different summits are a pass, as high as the later of the two. Passes are taken
//!    by the order of their later voxel, then of their earlier one; each joins the two clusters that it lies between
//!    into one if the later summit rises above the pass by less than the prominence. The joint cluster keeps the
//!    earlier summit.
//! 5. A cluster whose summit has q below the prominence is none: ripples of the pedestal stay out.
//!
//! So two tracks that touch are two clusters where there is a valley of at least the prominence between their peaks,
//! and noise on a slope makes no clusters of its own.

use crate::error::{Error, Result};
use crate::event::Event;
use serde::Serialize;

/// What makes a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Clustering {
    /// What a sample without charge reads, ADC: charge is counted from here.
    pub pedestal: f64,
    /// How far the peak of a cluster rises above the valley between it and a higher one, and above the pedestal, ADC.
    pub prominence: f64,
}

impl Clustering {
    /// Share of the full scale that a peak must rise by.
    const PROMINENCE: f64 = 0.01;

    /// What suits `original`, whose readout has full scale `peak`: one below its smallest occupied magnitude where all
    /// samples are whole numbers (what zero suppression leaves as the floor of the data), else 0; and peaks of 1 % of
    /// full scale.
    pub fn of(original: &Event, peak: f64) -> Clustering {
        let magnitudes = || (0..original.n_voxels()).map(|i| original.samples().get(i).abs());
        let lowest = magnitudes().filter(|v| *v > 0.0).fold(f64::INFINITY, f64::min);
        let whole = lowest.is_finite() && magnitudes().all(|v| v.fract() == 0.0);
        Clustering { pedestal: if whole { lowest - 1.0 } else { 0.0 }, prominence: Self::PROMINENCE * peak }
    }

    /// Checks that both are finite and not negative, and that voxels of a plane of `event` can be numbered.
    pub(super) fn validate(&self, event: &Event) -> Result<()> {
        let [n_rows, n_columns, _] = event.shape();
        if u32::try_from(n_rows as u64 * n_columns as u64).is_err() {
            return Err(Error::argument(format!("a plane of {n_rows} x {n_columns} voxels is too large")));
        }
        for (name, value) in [("pedestal", self.pedestal), ("prominence", self.prominence)] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::argument(format!("the {name} must be 0 ADC or more, not {value}")));
            }
        }
        Ok(())
    }

    /// Charge of a sample of value `v`, ADC.
    fn signal(&self, v: f64) -> f64 {
        (v.abs() - self.pedestal).max(0.0)
    }
}

/// One cluster.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Cluster {
    /// Index of its plane.
    pub layer: usize,
    /// Indices of its highest voxel on the first two axes.
    pub summit: [usize; 2],
    /// Magnitude of the sample there, pedestal included, ADC.
    pub amplitude: f64,
    /// Sum of the signals of its voxels, ADC.
    pub charge: f64,
    /// Mean index on the first two axes, weighted by signal, in bins.
    pub centroid: [f64; 2],
    /// Its voxels.
    pub n_voxels: usize,
}

/// The clusters of an event, plane by plane, in the order of their summits (see the module's definition).
///
/// # Errors
/// `Argument` where pedestal or prominence is negative or not finite, or a plane has 2^32 voxels or more.
pub fn clusters(event: &Event, clustering: &Clustering) -> Result<Vec<Cluster>> {
    clustering.validate(event)?;
    let planes = 0..event.shape()[2];
    Ok(planes.flat_map(|layer| Plane::new(event, layer, clustering).clusters).collect())
}

/// Marks a voxel without cluster.
pub(super) const NONE: u32 = u32::MAX;

/// One plane of an event, split into clusters.
pub(super) struct Plane {
    /// Signal of each voxel, C order over the first two axes.
    pub signals: Vec<f64>,
    /// Number of each voxel's cluster, or [`NONE`].
    pub labels: Vec<u32>,
    pub clusters: Vec<Cluster>,
}

impl Plane {
    /// Finds the clusters of plane `layer`; `clustering` is valid.
    pub fn new(event: &Event, layer: usize, clustering: &Clustering) -> Plane {
        let [n_rows, n_columns, n_layers] = event.shape();
        let at = |i: usize| event.samples().get(i * n_layers + layer);
        let signals: Vec<f64> = (0..n_rows * n_columns).map(|i| clustering.signal(at(i))).collect();
        let summits = Summits::find(&signals, [n_rows, n_columns], clustering.prominence);
        let mut labels = vec![NONE; signals.len()];
        let mut numbers = vec![NONE; summits.voxels.len()];
        let mut clusters: Vec<Cluster> = Vec::new();
        for (summit, &voxel) in summits.voxels.iter().enumerate() {
            let voxel = voxel as usize;
            if summits.parents[summit] == summit as u32 && signals[voxel] >= clustering.prominence {
                numbers[summit] = clusters.len() as u32;
                clusters.push(Cluster {
                    layer,
                    summit: [voxel / n_columns, voxel % n_columns],
                    amplitude: at(voxel).abs(),
                    charge: 0.0,
                    centroid: [0.0; 2],
                    n_voxels: 0,
                });
            }
        }
        for (i, &summit) in summits.of.iter().enumerate().filter(|(_, summit)| **summit != NONE) {
            let number = numbers[summits.root(summit) as usize];
            labels[i] = number;
            if let Some(cluster) = clusters.get_mut(number as usize) {
                let q = signals[i];
                cluster.charge += q;
                cluster.centroid[0] += q * (i / n_columns) as f64;
                cluster.centroid[1] += q * (i % n_columns) as f64;
                cluster.n_voxels += 1;
            }
        }
        for cluster in &mut clusters {
            cluster.centroid = cluster.centroid.map(|sum| sum / cluster.charge);
        }
        Plane { signals, labels, clusters }
    }
}

/// Summits of a plane, by their order, and which of them were joined.
struct Summits {
    /// Position of each.
    voxels: Vec<u32>,
    /// An earlier summit that it was joined to, or itself.
    parents: Vec<u32>,
    /// The summit that each voxel of the plane belongs to before joining; [`NONE`] where there is no signal.
    of: Vec<u32>,
}

impl Summits {
    fn find(signals: &[f64], shape: [usize; 2], prominence: f64) -> Summits {
        let mut order: Vec<u32> = (0..signals.len() as u32).filter(|i| signals[*i as usize] > 0.0).collect();
        let signal = |i: u32| signals[i as usize];
        order.sort_unstable_by(|&a, &b| signal(b).total_cmp(&signal(a)).then(a.cmp(&b)));
        let mut found = Summits { voxels: vec![], parents: vec![], of: vec![NONE; signals.len()] };
        for &voxel in &order {
            // The neighbours that come before this voxel are those that have a summit already.
            let mut earlier = [NONE; 8];
            let mut n_earlier = 0;
            for neighbour in neighbours(voxel as usize, shape) {
                if found.of[neighbour] != NONE {
                    earlier[n_earlier] = neighbour as u32;
                    n_earlier += 1;
                }
            }
            let earlier = &mut earlier[..n_earlier];
            earlier.sort_unstable_by(|&a, &b| signal(b).total_cmp(&signal(a)).then(a.cmp(&b)));
            let Some(&first) = earlier.first() else {
                let summit = found.voxels.len() as u32;
                found.of[voxel as usize] = summit;
                found.voxels.push(voxel);
                found.parents.push(summit);
                continue;
            };
            found.of[voxel as usize] = found.of[first as usize];
            for &other in earlier[1..].iter() {
                let a = found.root(found.of[voxel as usize]);
                let b = found.root(found.of[other as usize]);
                let (kept, joined) = (a.min(b), a.max(b));
                if kept != joined && signal(found.voxels[joined as usize]) - signal(voxel) < prominence {
                    found.parents[joined as usize] = kept;
                }
            }
        }
        found
    }

    /// The summit that `summit` was joined to in the end.
    fn root(&self, mut summit: u32) -> u32 {
        while self.parents[summit as usize] != summit {
            summit = self.parents[summit as usize];
        }
        summit
    }
}

/// Positions beside `i` in a plane of `shape`, corners included.
fn neighbours(i: usize, [n_rows, n_columns]: [usize; 2]) -> impl Iterator<Item = usize> {
    let (row, column) = (i / n_columns, i % n_columns);
    let rows = row.saturating_sub(1)..n_rows.min(row + 2);
    rows.flat_map(move |r| {
        let columns = column.saturating_sub(1)..n_columns.min(column + 2);
        columns.map(move |c| r * n_columns + c)
    })
    .filter(move |&j| j != i)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    /// An event of one plane.
    fn plane<const N: usize>(rows: &[[u16; N]]) -> Event {
        Event::new([rows.len(), N, 1], Samples::from(rows.concat())).unwrap()
    }

    fn summits(event: &Event, pedestal: f64, prominence: f64) -> Vec<([usize; 2], f64)> {
        let found = clusters(event, &Clustering { pedestal, prominence }).unwrap();
        found.iter().map(|c| (c.summit, c.charge)).collect()
    }

    #[test]
    fn one_cluster_is_as_by_hand() {
        let event = plane(&[[0, 0, 0, 0], [0, 80, 90, 0], [0, 70, 80, 0]]);
        let clustering = Clustering { pedestal: 60.0, prominence: 10.0 };
        let found = clusters(&event, &clustering).unwrap();
        let expected = Cluster {
            layer: 0,
            summit: [1, 2],
            amplitude: 90.0,
            charge: 80.0,
            centroid: [(50.0 + 2.0 * 30.0) / 80.0, (30.0 + 2.0 * 50.0) / 80.0],
            n_voxels: 4,
        };
        assert_eq!(found, [expected]);
    }

    #[test]
    fn a_valley_separates_and_a_ripple_does_not() {
        let event = plane(&[[10, 50, 20, 40, 10]]);
        assert_eq!(summits(&event, 0.0, 20.0), [([0, 1], 80.0), ([0, 3], 50.0)]);
        assert_eq!(summits(&event, 0.0, 20.5), [([0, 1], 130.0)]);
        // The valley is as far below the peaks with any pedestal below it.
        assert_eq!(summits(&event, 9.0, 20.0), [([0, 1], 53.0), ([0, 3], 32.0)]);
        // A pedestal above the valley parts them whatever the prominence.
        assert_eq!(summits(&event, 25.0, 15.0), [([0, 1], 25.0), ([0, 3], 15.0)]);
        assert_eq!(summits(&event, 25.0, 15.5), [([0, 1], 25.0)]);
    }

    #[test]
    fn a_join_is_with_the_cluster_across_the_pass() {
        // The ripple 31 is on the slope of the second peak, and its charge goes there.
        let event = plane(&[[50, 10, 40, 30, 31]]);
        assert_eq!(summits(&event, 0.0, 5.0), [([0, 0], 60.0), ([0, 2], 101.0)]);
    }

    #[test]
    fn corners_touch_and_layers_do_not() {
        let event = plane(&[[90, 0], [0, 70]]);
        assert_eq!(summits(&event, 0.0, 5.0), [([0, 0], 160.0)]);
        let deep = Event::new([1, 1, 2], Samples::from(vec![90u16, 80])).unwrap();
        let found = clusters(&deep, &Clustering { pedestal: 0.0, prominence: 5.0 }).unwrap();
        assert_eq!(found.iter().map(|c| (c.layer, c.charge)).collect::<Vec<_>>(), [(0, 90.0), (1, 80.0)]);
    }

    #[test]
    fn a_saturated_plateau_is_one_cluster() {
        // Both tips come before the middle, which has neighbours in either.
        let event = plane(&[[1023, 0, 1023], [0, 1023, 0]]);
        assert_eq!(summits(&event, 0.0, 10.0), [([0, 0], 3069.0)]);
        // With a prominence of 0 nothing is joined, as the definition has it.
        assert_eq!(summits(&event, 0.0, 0.0).len(), 2);
    }

    #[test]
    fn defaults_follow_the_data() {
        let event = plane(&[[0, 70, 1023]]);
        assert_eq!(Clustering::of(&event, 1023.0), Clustering { pedestal: 69.0, prominence: 10.23 });
        let signed = Event::new([1, 1, 3], Samples::from(vec![-5i16, 0, 7])).unwrap();
        assert_eq!(Clustering::of(&signed, 100.0).pedestal, 4.0);
        let floats = Event::new([1, 1, 3], Samples::from(vec![0.5f32, 0.0, 7.0])).unwrap();
        assert_eq!(Clustering::of(&floats, 100.0).pedestal, 0.0);
        let empty = plane(&[[0, 0]]);
        let clustering = Clustering::of(&empty, 1023.0);
        assert_eq!((clustering.pedestal, clusters(&empty, &clustering).unwrap()), (0.0, vec![]));
        for bad in [f64::NAN, -1.0, f64::INFINITY] {
            assert!(clusters(&event, &Clustering { pedestal: bad, prominence: 1.0 }).is_err());
            assert!(clusters(&event, &Clustering { pedestal: 1.0, prominence: bad }).is_err());
        }
    }
}
