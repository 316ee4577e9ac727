//! Synthetic events: charged tracks through one section of a time projection chamber, as its front end stores them.
//!
//! A simple model for demonstrations and tests, not a simulation to draw physics from. Tracks are helices from
//! the beam line; along each, collisions with the gas free electrons whose number has the 1/n^2 spectrum of
//! Rutherford scattering, so that the charge of a layer fluctuates as L. Landau described (*J. Phys. USSR* 8, 1944,
//! 201); electrons spread over neighbouring pads as they drift; the shaper stretches them over time bins; the
//! front end digitises to ten bits and keeps windows of five samples from where a threshold is crossed.
//!
//! The same settings give the same event on every machine and in every version: all random numbers come from the
//! counter-based generator, and all arithmetic is `+ - * /` and square roots, which IEEE 754 rounds one way only.

use crate::error::{Error, Result};
use crate::event::{Event, Samples};
use inrfit_sampling::rng::{Stream, block};

/// Radius of the inner edge of the first layer, cm.
const INNER_RADIUS: f64 = 58.9;
/// Radial extent of a layer, cm.
const LAYER_PITCH: f64 = 1.07;
/// Pads in a radian: 2304 around the circle.
const PADS_PER_RADIAN: f64 = 2304.0 / std::f64::consts::TAU;
/// Drift length that a time bin stands for, cm.
const BIN_LENGTH: f64 = 0.42;
/// Radius of a track of 1 GeV transverse momentum in 1.4 T, cm.
const RADIUS_PER_GEV: f64 = 238.0;
/// Lowest transverse momentum, GeV: a track that just reaches the outer radius of a 16-layer section.
const MIN_MOMENTUM: f64 = 0.2;
/// Tracks leave the beam line at pseudorapidities up to this.
const MAX_RAPIDITY: f64 = 1.1;
/// How far outside the section the middle of a track may pass: pads, time bins. Half of what the steepest span.
const MARGIN: [f64; 2] = [48.0, 28.0];
/// Tracks for each (pad, time bin) of the section and its margins; gives a wedge an occupancy of about 0.1.
const TRACK_DENSITY: f64 = 0.0042;
/// Length along the track in which at most one collision happens, cm, and its probability.
const STEP: (f64, f64) = (0.02, 0.5);
/// Most electrons that one collision frees.
const MAX_ELECTRONS: f64 = 4000.0;
/// ADC counts at the peak of the pulse of one electron, if one pad took all.
const GAIN: f64 = 0.85;
/// Half width of the charge on the pads: without drift, and what the longest drift adds in quadrature.
const PAD_SPREAD: (f64, f64) = (1.3, 1.3);
/// Length of the shaped pulse, time bins.
const PULSE_LENGTH: f64 = 5.0;
/// What the digitiser gives without charge.
const PEDESTAL: f32 = 74.0;
/// A window opens at a sample above this.
const THRESHOLD: u16 = 77;
/// Samples of a window.
const WINDOW: usize = 5;
/// Full scale of the ten-bit digitiser.
const FULL_SCALE: f32 = 1023.0;
/// Upper half of the counters of the electronic noise, "noise" as a number; tracks have streams of their own.
const NOISE_COUNTER: [u32; 2] = [0x6F69_7365, 0x6E];

/// Most voxels of an event; takes 34 GB of memory.
const MAX_VOXELS: u64 = 1 << 32;

/// What event to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SynthSettings {
    /// Pads along azimuth, time bins along the drift, radial layers.
    pub shape: [usize; 3],
    /// Which event of that kind.
    pub seed: u64,
    /// Tracks; `None` for as many as give an occupancy of about a tenth.
    pub n_tracks: Option<u32>,
}

impl Default for SynthSettings {
    /// One section of 192 pads, 249 time bins and 16 layers.
    fn default() -> Self {
        SynthSettings { shape: [192, 249, 16], seed: 0, n_tracks: None }
    }
}

impl SynthSettings {
    /// Makes the event: `uint16`, values 0 (suppressed) or 72 to 1023.
    ///
    /// # Errors
    /// `Argument` for a shape that an event cannot have.
    pub fn generate(&self) -> Result<Event> {
        let [n_pads, n_bins, n_layers] = self.shape;
        let n = self.shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        let n = n.filter(|n| (1..=MAX_VOXELS).contains(&(*n as u64))).ok_or_else(|| {
            Error::argument(format!(
                "a synthetic event has 1 to {MAX_VOXELS} voxels, not a shape of {:?}",
                self.shape
            ))
        })?;
        let area = (n_pads as f64 + 2.0 * MARGIN[0]) * (n_bins as f64 + 2.0 * MARGIN[1]);
        let n_tracks = self.n_tracks.map_or((area * TRACK_DENSITY) as u64, u64::from);
        let mut charge = Charge { shape: self.shape, counts: vec![0.0; n] };
        for i in 0..n_tracks {
            let mut stream = Stream::new(self.seed, i);
            Track::draw(&mut stream, self.shape).ionise(n_layers, &mut stream, &mut charge);
        }
        Event::new(self.shape, Samples::U16(read_out(self.seed, &charge)))
    }
}

/// A helix around a line along the beam, from the beam line outwards.
struct Track {
    /// Radius of the circle in the transverse plane, cm.
    radius: f64,
    /// Sense of rotation, +1 or -1.
    charge: f64,
    /// Along the drift over the transverse path: cm a cm.
    slope: f64,
    /// Pad and time bin of the track at zero azimuth and zero path.
    origin: [f64; 2],
}

impl Track {
    fn draw(stream: &mut Stream, shape: [usize; 3]) -> Track {
        // Momenta with a spectrum p^-3, at most 100 times the lowest.
        let momentum = MIN_MOMENTUM / stream.unit().max(1e-4).sqrt();
        let eta = MAX_RAPIDITY * (2.0 * stream.unit() - 1.0);
        // The first terms of the hyperbolic sine: right to 0.1 % here.
        let slope = eta * (1.0 + eta * eta / 6.0 * (1.0 + eta * eta / 20.0));
        let charge = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
        let mut track = Track { radius: RADIUS_PER_GEV * momentum, charge, slope, origin: [0.0; 2] };
        let place = |u: f64, n: usize, margin: f64| u * (n as f64 + 2.0 * margin) - margin;
        let at = [place(stream.unit(), shape[0], MARGIN[0]), place(stream.unit(), shape[1], MARGIN[1])];
        let middle = INNER_RADIUS + LAYER_PITCH * shape[2] as f64 / 2.0;
        if let Some((from_origin, _)) = track.at(middle) {
            track.origin = [at[0] - from_origin[0], at[1] - from_origin[1]];
        }
        track
    }

    /// Pad and time bin where the track crosses the cylinder of radius `r` (cm), and its transverse path to there
    /// (cm); `None` where it turns back before.
    fn at(&self, r: f64) -> Option<([f64; 2], f64)> {
        let half_chord = r / (2.0 * self.radius);
        if half_chord >= 1.0 {
            return None;
        }
        let angle = arc_sine(half_chord);
        let path = 2.0 * self.radius * angle;
        let pad = self.origin[0] + self.charge * angle * PADS_PER_RADIAN;
        Some(([pad, self.origin[1] + path * self.slope / BIN_LENGTH], path))
    }

    /// Leaves the track's charge in every layer that it crosses.
    fn ionise(&self, n_layers: usize, stream: &mut Stream, charge: &mut Charge) {
        let mut inner = self.at(INNER_RADIUS);
        for layer in 0..n_layers {
            let outer = self.at(INNER_RADIUS + LAYER_PITCH * (layer + 1) as f64);
            let (Some((from, path_from)), Some((to, path_to))) = (inner, outer) else {
                return;
            };
            inner = outer;
            if !charge.may_reach(from, to) {
                continue;
            }
            let length = (path_to - path_from) * (1.0 + self.slope * self.slope).sqrt();
            let n_steps = (length / STEP.0).ceil();
            let mut step = 0.0;
            while step < n_steps {
                if stream.unit() < STEP.1 {
                    // P(at least n electrons) = 1 / n.
                    let n_electrons = (1.0 / stream.unit().max(1.0 / MAX_ELECTRONS)).floor();
                    let along = (step + 0.5) / n_steps;
                    let at = [0, 1].map(|a| from[a] + (to[a] - from[a]) * along);
                    charge.add(layer, at, GAIN * n_electrons);
                }
                step += 1.0;
            }
        }
    }
}

/// The arc sine of `x` in [0, 1) to 3e-6, a thousandth of a pad: two halvings of the angle, then its series.
fn arc_sine(x: f64) -> f64 {
    let half = |x: f64| x / (2.0 + 2.0 * (1.0 - x * x).sqrt()).sqrt();
    let x = half(half(x));
    let q = x * x;
    let series = 1.0 + q * (1.0 / 6.0 + q * (3.0 / 40.0 + q * (5.0 / 112.0 + q * (35.0 / 1152.0))));
    4.0 * x * series
}

/// ADC counts above the pedestal that the pads see, C order.
struct Charge {
    shape: [usize; 3],
    counts: Vec<f32>,
}

impl Charge {
    /// Half width on the pads of charge that arrives in time bin `bin`: diffusion grows as the root of the drift.
    fn half_width(&self, bin: f64) -> f64 {
        let drift = (bin / self.shape[1] as f64).clamp(0.0, 1.0);
        (PAD_SPREAD.0 * PAD_SPREAD.0 + PAD_SPREAD.1 * PAD_SPREAD.1 * drift).sqrt()
    }

    /// Whether charge between two points (pad, time bin) can be seen inside.
    fn may_reach(&self, from: [f64; 2], to: [f64; 2]) -> bool {
        let reach = [PAD_SPREAD.0 + PAD_SPREAD.1, PULSE_LENGTH];
        (0..2).all(|a| from[a].max(to[a]) > -reach[a] && from[a].min(to[a]) < self.shape[a] as f64 + reach[a])
    }

    /// Adds electrons that arrive at `[pad, bin]` with `counts` in all: a bell on the pads, the shaper's pulse in time.
    fn add(&mut self, layer: usize, [pad, bin]: [f64; 2], counts: f64) {
        let width = self.half_width(bin);
        // The integral of (1 - x^2)^3 over [-1, 1] is 32/35.
        let norm = counts / (width * 32.0 / 35.0);
        let stride = self.shape[2];
        for p in indices(pad - width, pad + width, self.shape[0]) {
            let x = (p as f64 - pad) / width;
            let on_pad = norm * cube((1.0 - x * x).max(0.0));
            let row = p * self.shape[1] * stride + layer;
            for b in indices(bin, bin + PULSE_LENGTH, self.shape[1]) {
                let x = ((b as f64 - bin) / PULSE_LENGTH).clamp(0.0, 1.0);
                // x^2 (1 - x)^3 has its peak, 108/3125, at 2/5.
                let pulse = x * x * cube(1.0 - x) * (3125.0 / 108.0);
                self.counts[row + b * stride] += (on_pad * pulse) as f32;
            }
        }
    }
}

fn cube(x: f64) -> f64 {
    x * x * x
}

/// The indices below `n` in [from, to].
fn indices(from: f64, to: f64, n: usize) -> std::ops::Range<usize> {
    // Float-to-integer casts saturate: what lies before the first index becomes 0.
    let end = (to + 1.0).floor() as usize;
    from.ceil() as usize..if to < 0.0 { 0 } else { end.min(n) }
}

/// Digitises with noise and keeps windows of [`WINDOW`] samples along the time axis, each from the sample that
/// crosses the threshold on; all else is zero.
fn read_out(seed: u64, charge: &Charge) -> Vec<u16> {
    let key = [seed as u32, (seed >> 32) as u32];
    let mut digits = Vec::with_capacity(charge.counts.len());
    for (group, counts) in charge.counts.chunks(32).enumerate() {
        let group = group as u64;
        let noise = block(key, [group as u32, (group >> 32) as u32, NOISE_COUNTER[0], NOISE_COUNTER[1]]);
        for (i, &count) in counts.iter().enumerate() {
            // Four fair bits: -2 to 2, one count of standard deviation.
            let noise = (noise[i / 8] >> (i % 8 * 4) & 15).count_ones() as f32 - 2.0;
            // Rounds half up; charge is never negative, so the sum is at least 72.
            digits.push((PEDESTAL + count + noise + 0.5).min(FULL_SCALE) as u16);
        }
    }
    let [n_pads, n_bins, n_layers] = charge.shape;
    let mut kept = vec![0u16; digits.len()];
    // For each layer of a pad, the first bin after the open window.
    let mut open_until = vec![0usize; n_layers];
    for pad in 0..n_pads {
        open_until.fill(0);
        for bin in 0..n_bins {
            let row = (pad * n_bins + bin) * n_layers;
            for (layer, until) in open_until.iter_mut().enumerate() {
                let digit = digits[row + layer];
                if bin >= *until && digit > THRESHOLD {
                    *until = bin + WINDOW;
                }
                if bin < *until {
                    kept[row + layer] = digit;
                }
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn values(settings: &SynthSettings) -> Vec<u16> {
        match settings.generate().unwrap().samples() {
            Samples::U16(v) => v.clone(),
            other => panic!("{:?}", other.dtype()),
        }
    }

    #[test]
    fn the_event_of_a_seed_never_changes() {
        let checksum =
            |settings: SynthSettings| crc32fast::hash(&settings.generate().unwrap().samples().to_le_bytes());
        assert_eq!(checksum(SynthSettings::default()), 419_500_887);
        assert_eq!(
            checksum(SynthSettings { shape: [40, 50, 7], seed: u64::MAX, n_tracks: Some(30) }),
            1_842_259_935
        );
    }

    #[test]
    fn a_wedge_looks_like_one() {
        for seed in 0..3 {
            let settings = SynthSettings { seed, ..SynthSettings::default() };
            let v = values(&settings);
            let mut occupied: Vec<u16> = v.iter().copied().filter(|&s| s != 0).collect();
            occupied.sort_unstable();
            let occupancy = occupied.len() as f64 / v.len() as f64;
            assert!((0.08..0.12).contains(&occupancy), "{occupancy}");
            assert!((72..=74).contains(&occupied[0]));
            // Real ones have a median of 82 to 83 and a 99th percentile of 356 to 621.
            assert!((80..=88).contains(&occupied[occupied.len() / 2]));
            assert!((250..=650).contains(&occupied[occupied.len() / 100 * 99]));
            assert_eq!(occupied.last(), Some(&1023));
        }
    }

    #[test]
    fn windows_are_multiples_of_five_and_open_above_the_threshold() {
        let [n_pads, n_bins, n_layers] = SynthSettings::default().shape;
        let v = values(&SynthSettings::default());
        let mut n_runs = 0;
        for column in 0..n_pads * n_layers {
            let at = |bin: usize| v[(column / n_layers * n_bins + bin) * n_layers + column % n_layers];
            let mut bin = 0;
            while bin < n_bins {
                if at(bin) == 0 {
                    bin += 1;
                    continue;
                }
                let end = (bin..n_bins).find(|&b| at(b) == 0).unwrap_or(n_bins);
                assert!(end == n_bins || (end - bin) % WINDOW == 0, "a run from {bin} to {end}");
                assert!((bin..end).step_by(WINDOW).all(|b| at(b) > THRESHOLD));
                n_runs += 1;
                bin = end;
            }
        }
        assert!(n_runs > 5000, "{n_runs} runs");
    }

    #[test]
    fn settings_matter() {
        let small = SynthSettings { shape: [48, 60, 4], seed: 1, n_tracks: None };
        assert_eq!(values(&small), values(&small));
        assert_ne!(values(&small), values(&SynthSettings { seed: 2, ..small.clone() }));
        let n_occupied = |n_tracks| {
            let settings = SynthSettings { n_tracks: Some(n_tracks), ..small.clone() };
            values(&settings).iter().filter(|&&s| s != 0).count()
        };
        assert_eq!(n_occupied(0), 0);
        assert!(n_occupied(100) > n_occupied(20) && n_occupied(20) > 0);
        for shape in [[1, 1, 1], [1, 300, 1], [3, 2, 200]] {
            assert_eq!(SynthSettings { shape, seed: 3, n_tracks: None }.generate().unwrap().shape(), shape);
        }
    }

    #[test]
    fn shapes_that_no_event_has_are_refused() {
        for shape in [[0, 249, 16], [usize::MAX, 2, 1], [usize::MAX / 8, 1, 1]] {
            let error = SynthSettings { shape, ..SynthSettings::default() }.generate().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Argument);
        }
    }

    #[test]
    fn the_arc_sine_is_one() {
        for i in 0..1000 {
            let x = f64::from(i) / 1000.0;
            assert!((arc_sine(x) - x.asin()).abs() < 3e-6, "{x}");
        }
    }
}
