//! Synthetic events: charged tracks through one section of a time projection chamber, as its front end stores them.
//!
//! A model for demonstrations, tests and the tuning of what compresses events, not a simulation to draw physics
//! from. The chain is that of a real chamber. One collision of the beams triggers, others pile up within the drift
//! time before and after; their particles fly on helices in a solenoid field, slow electrons from the gas curl up
//! in it. Each collision with the gas frees electrons whose number has the 1/n^2 tail of Rutherford scattering, so
//! that the charge of a layer fluctuates as L. Landau described (*J. Phys. USSR* 8, 1944, 201). Every electron
//! diffuses as it drifts and starts an avalanche of exponentially distributed size; pads share its charge, a shaper
//! stretches it in time, ten bits digitise it with noise on a pedestal. A sample above the threshold opens a window
//! of fixed length, at whose end the next may open; all else is suppressed. With the defaults the events have the
//! statistics of simulated sPHENIX wedges in central Au+Au collisions (`tests/synth.rs` compares them).
//!
//! The same settings give the same event on every machine and in every version: all random numbers come from the
//! counter-based generator, and all arithmetic is `+ - * /` and square roots, which IEEE 754 rounds one way only.

mod arith;
mod read_out;
mod track;

use crate::error::{Error, ErrorKind, Result};
use crate::event::{Event, Samples};
use inrfit_sampling::rng::Stream;
use read_out::{Charge, FrontEnd};
use track::{Collision, Section, Track, collisions};

/// Most voxels of an event; takes 43 GB of memory.
const MAX_VOXELS: u64 = 1 << 32;
/// The stream that collisions, side and the last track's fate are drawn from; tracks have those from 0 on.
const EVENT_STREAM: u64 = u64::MAX;
/// Most tracks that an event is tried with.
const MAX_TRACKS: u64 = 300_000;

/// Which end of the z axis the readout is at, and so the direction in which windows open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Time runs along z: index 0 arrives first.
    Low,
    /// Time runs against z: the last index arrives first.
    High,
}

/// What event to make.
#[derive(Debug, Clone, PartialEq)]
pub struct SynthSettings {
    /// Pads along azimuth (2304 make a circle), time bins along z (0.42 cm each), radial layers (1.07 cm each).
    pub shape: [usize; 3],
    /// Which event of that kind.
    pub seed: u64,
    /// Share of the voxels to be occupied, 0 to 0.5. Tracks are added until it is reached; the last one is kept
    /// with the probability that makes the mean over seeds right, so that small shares come out as many empty
    /// events and few with one track.
    pub occupancy: f64,
    /// A window opens at a sample above this, ADC counts, 1 to 1022. The pedestal is at 74 and the noise stays
    /// within 3.4, so at 77 or more it opens none by itself.
    pub threshold: u16,
    /// Samples of a window along z, at least 1.
    pub window: usize,
    /// Where the readout is; `None` draws it from the seed.
    pub side: Option<Side>,
}

impl Default for SynthSettings {
    /// A wedge: 192 pads, 249 time bins, 16 layers; an occupancy of 0.096; windows of 5 samples above 77 counts.
    fn default() -> Self {
        SynthSettings {
            shape: [192, 249, 16],
            seed: 0,
            occupancy: 0.096,
            threshold: 77,
            window: 5,
            side: None,
        }
    }
}

/// The chamber and what flies through it. Lengths, diffusion and front end are close to the real ones; spectra and
/// shares were set by hand, with all five wedges in view, so that events have their statistics.
#[derive(Debug, Clone)]
struct Model {
    /// Radius of the inner edge of the first layer, cm.
    inner_radius: f64,
    /// Radial extent of a layer, cm.
    layer_pitch: f64,
    /// Drift length that a time bin stands for, cm.
    bin_length: f64,
    /// Deviation of the height of collisions, cm.
    vertex_spread: f64,
    /// Collisions that pile up.
    n_pile_up: u32,
    /// Share of the particles from the collision that triggered.
    trigger_share: f64,
    /// Lowest transverse momentum, GeV.
    min_momentum: f64,
    /// Slope of the spectrum, p exp(-p / T), GeV.
    temperature: f64,
    /// Particles leave at pseudorapidities up to this.
    max_rapidity: f64,
    /// Mean path across the beam after the first 60 cm, cm.
    lifetime: f64,
    /// Share of the particles that are kaons, and that are protons; the others are pions.
    heavy_share: f64,
    /// The most that one ionises, fast ones being 1.
    most_ionising: f64,
    /// Share of the particles that are slow electrons from the gas.
    loose_share: f64,
    /// Their lowest momentum, GeV.
    loose_momentum: f64,
    /// Their mean path across the beam, cm.
    loose_path: f64,
    /// The most that one of them ionises beyond a fast particle.
    stopping: f64,
    /// Collisions of a fast particle with the gas on a centimetre.
    collision_density: f64,
    /// Most electrons of one collision with the gas; a knock-on electron of more would be a track of its own.
    most_electrons: f64,
    /// Deviation of an electron after a centimetre of drift, across the beam and along it, cm; grows as the root.
    diffusion: [f64; 2],
    /// Counts at the peak of the pulse of an average electron, if its pad took all.
    gain: f64,
    /// Deviation of the charge on the pads, pads.
    pad_width: f64,
    /// Deviations of the pulse before and after its peak, time bins.
    pulse_rise: f64,
    pulse_fall: f64,
    /// What the digitiser gives without charge, and the deviation of its noise, counts.
    pedestal: f32,
    noise: f32,
}

/// Pads in a radian: 2304 around the circle.
const PADS_PER_RADIAN: f64 = 2304.0 / std::f64::consts::TAU;

const WEDGE: Model = Model {
    inner_radius: 58.9,
    layer_pitch: 1.07,
    bin_length: 0.42,
    vertex_spread: 5.0,
    n_pile_up: 5,
    trigger_share: 0.47,
    min_momentum: 0.07,
    temperature: 0.16,
    max_rapidity: 0.9,
    lifetime: 300.0,
    heavy_share: 0.06,
    most_ionising: 23.0,
    loose_share: 0.2,
    loose_momentum: 0.0015,
    loose_path: 15.0,
    stopping: 3.0,
    collision_density: 13.5,
    most_electrons: 3500.0,
    diffusion: [0.0085, 0.0158],
    gain: 1.48,
    pad_width: 0.645,
    pulse_rise: 0.79,
    pulse_fall: 1.06,
    pedestal: 74.08,
    noise: 0.98,
};

/// What all tracks of an event share.
struct Scene<'a> {
    model: &'a Model,
    section: Section,
    collisions: Vec<Collision>,
    front_end: FrontEnd,
}

impl SynthSettings {
    /// Makes the event: `uint16`, values 0 (suppressed) or from about 70 to 1023.
    ///
    /// # Errors
    /// `Argument` for a shape that an event cannot have, and for an occupancy, threshold or window out of range or
    /// out of reach.
    pub fn generate(&self) -> Result<Event> {
        self.generate_watched(&mut |_| true)
    }

    /// Makes the event, and tells `go_on` before every track which share of the occupancy asked for is reached, 0 to 1;
    /// an answer of `false` ends the work. A track takes milliseconds, a look at the occupancy of 50 million voxels
    /// half a second.
    ///
    /// # Errors
    /// As [`generate`](Self::generate), and `Interrupted`.
    pub fn generate_watched(&self, go_on: &mut dyn FnMut(f64) -> bool) -> Result<Event> {
        self.generate_with(&WEDGE, go_on)
    }

    fn generate_with(&self, model: &Model, go_on: &mut dyn FnMut(f64) -> bool) -> Result<Event> {
        self.check()?;
        let section = Section {
            radius: [model.inner_radius, model.inner_radius + model.layer_pitch * self.shape[2] as f64],
            half_azimuth: (0.5 * self.shape[0] as f64 / PADS_PER_RADIAN).min(std::f64::consts::PI),
            length: model.bin_length * self.shape[1] as f64,
        };
        let front_end = FrontEnd {
            seed: self.seed,
            pedestal: model.pedestal,
            noise: model.noise,
            threshold: self.threshold,
            window: self.window,
        };
        let mut stream = Stream::new(self.seed, EVENT_STREAM);
        let drawn = if stream.unit() < 0.5 { Side::Low } else { Side::High };
        let fate = stream.unit();
        let collisions = collisions(model, &section, &mut stream);
        let mut charge = Charge::new(model, self.shape);
        let scene = Scene { model, section, collisions, front_end };
        self.fill(&scene, fate, &mut charge, go_on)?;
        let samples = charge.read_out(&scene.front_end, self.side.unwrap_or(drawn));
        Event::new(self.shape, Samples::U16(samples))
    }

    /// Whether an event can have these settings.
    ///
    /// # Errors
    /// `Argument`, naming the setting.
    pub fn check(&self) -> Result<()> {
        let n = self.shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        if !n.is_some_and(|n| (1..=MAX_VOXELS).contains(&(n as u64))) {
            let shape = self.shape;
            return Err(Error::argument(format!(
                "a synthetic event has 1 to {MAX_VOXELS} voxels, not a shape of {shape:?}"
            )));
        }
        if !(0.0..=0.5).contains(&self.occupancy) {
            let occupancy = self.occupancy;
            return Err(Error::argument(format!(
                "an occupancy of {occupancy}: synthetic events reach 0 to 0.5"
            )));
        }
        if !(1..=1022).contains(&self.threshold) {
            let threshold = self.threshold;
            return Err(Error::argument(format!(
                "a threshold of {threshold} ADC counts: 1 to 1022 can be crossed"
            )));
        }
        if self.window == 0 {
            return Err(Error::argument("windows have at least one sample"));
        }
        Ok(())
    }

    /// Adds tracks until the occupancy is reached: in batches of what seems to be missing; a batch that adds too
    /// much is taken back and tried smaller. The last track is kept if `fate`, uniform in [0, 1), falls below the
    /// share of it that is wanted.
    fn fill(
        &self,
        scene: &Scene,
        fate: f64,
        charge: &mut Charge,
        go_on: &mut dyn FnMut(f64) -> bool,
    ) -> Result<()> {
        let (mut n_tracks, mut reached) = (0u64, charge.occupancy(&scene.front_end));
        let mut batch = 1u64;
        while reached < self.occupancy {
            if n_tracks > MAX_TRACKS {
                return Err(Error::argument(format!(
                    "{n_tracks} tracks give an occupancy of {reached:.2e}, not {}: lower it or the threshold",
                    self.occupancy
                )));
            }
            let before = charge.clone();
            for i in n_tracks..n_tracks + batch {
                if !go_on(reached / self.occupancy) {
                    return Err(Error::new(ErrorKind::Interrupted, "stopped on request"));
                }
                self.add_track(i, scene, charge);
            }
            let with = charge.occupancy(&scene.front_end);
            if with > self.occupancy {
                let is_last = batch == 1;
                if !is_last || fate * (with - reached) >= self.occupancy - reached {
                    *charge = before;
                }
                if is_last {
                    break;
                }
                batch = (batch / 4).max(1);
                continue;
            }
            n_tracks += batch;
            // Two thirds of what the tracks so far suggest, but no leap in the dark.
            let rate = with / n_tracks as f64;
            let wanted = if rate > 0.0 { 0.66 * (self.occupancy - with) / rate } else { f64::INFINITY };
            batch = (wanted as u64).clamp(1, n_tracks);
            reached = with;
        }
        Ok(())
    }

    fn add_track(&self, i: u64, scene: &Scene, charge: &mut Charge) {
        let Scene { model, section, collisions, .. } = scene;
        let mut stream = Stream::new(self.seed, i);
        let track = Track::draw(model, section, collisions, &mut stream);
        let half = 0.5 * self.shape[0] as f64;
        track.ionise(model, section, &mut stream, |cluster, stream| {
            let drift = section.length - cluster.height;
            let root = drift.max(0.0).sqrt();
            let across = model.diffusion[0] * root;
            for _ in 0..cluster.n_electrons {
                let azimuth = cluster.azimuth + across * arith::normal(stream) / cluster.radius;
                let radius = cluster.radius + across * arith::normal(stream);
                let late = drift + cluster.delay + model.diffusion[1] * root * arith::normal(stream);
                let at = [
                    half + azimuth * PADS_PER_RADIAN,
                    (radius - section.radius[0]) / model.layer_pitch,
                    late / model.bin_length,
                ];
                charge.add(at, model.gain * arith::exponential(stream));
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(settings: &SynthSettings) -> Vec<u16> {
        match settings.generate().unwrap().samples() {
            Samples::U16(v) => v.clone(),
            other => panic!("{:?}", other.dtype()),
        }
    }

    fn small() -> SynthSettings {
        SynthSettings { shape: [48, 60, 4], seed: 1, ..SynthSettings::default() }
    }

    /// First index (in time) and length of every occupied run along z, with its samples.
    fn runs(settings: &SynthSettings, side: Side) -> Vec<(usize, Vec<u16>)> {
        let [n_pads, n_bins, n_layers] = settings.shape;
        let v = values(&SynthSettings { side: Some(side), ..settings.clone() });
        let mut all = Vec::new();
        for column in 0..n_pads * n_layers {
            let at = |bin: usize| {
                let z = if side == Side::Low { bin } else { n_bins - 1 - bin };
                v[(column / n_layers * n_bins + z) * n_layers + column % n_layers]
            };
            let mut bin = 0;
            while bin < n_bins {
                let run: Vec<u16> = (bin..n_bins).map(at).take_while(|&s| s != 0).collect();
                bin += run.len().max(1);
                if !run.is_empty() {
                    all.push((bin - run.len(), run));
                }
            }
        }
        all
    }

    #[test]
    fn windows_have_their_length_and_open_above_the_threshold() {
        for (window, threshold) in [(5, 77), (3, 85), (8, 79), (1, 100)] {
            let settings = SynthSettings {
                shape: [96, 120, 8],
                occupancy: 0.06,
                window,
                threshold,
                ..SynthSettings::default()
            };
            let low = runs(&settings, Side::Low);
            // The other side sees the same in the opposite order.
            assert_eq!(low, runs(&settings, Side::High));
            assert!(low.len() > 200, "{} runs", low.len());
            for (first, run) in &low {
                assert!(
                    run.len() % window == 0 || first + run.len() == settings.shape[1],
                    "{first}: {run:?}"
                );
                assert!(run.iter().step_by(window).all(|&s| s > threshold), "{first}: {run:?}");
            }
        }
    }

    #[test]
    fn the_occupancy_is_the_one_asked_for() {
        for occupancy in [1e-3, 0.02, 0.2] {
            let settings = SynthSettings { occupancy, ..SynthSettings::default() };
            let v = values(&settings);
            let reached = v.iter().filter(|&&s| s != 0).count() as f64 / v.len() as f64;
            // A track of a wedge is at most a percent of it.
            assert!((reached - occupancy).abs() < 0.02 * occupancy + 1e-3, "{reached} for {occupancy}");
        }
        assert!(values(&SynthSettings { occupancy: 0.0, ..small() }).iter().all(|&s| s == 0));
    }

    #[test]
    fn shares_below_that_of_a_track_are_right_on_average() {
        let settings = |seed| SynthSettings { seed, occupancy: 1e-3, ..small() };
        let events: Vec<Vec<u16>> = (0..400).map(|seed| values(&settings(seed))).collect();
        let n_occupied: usize = events.iter().flatten().filter(|&&s| s != 0).count();
        let mean = n_occupied as f64 / (400.0 * 48.0 * 60.0 * 4.0);
        assert!((mean / 1e-3 - 1.0).abs() < 0.3, "{mean}");
        assert!(events.iter().any(|v| v.iter().all(|&s| s == 0)));
    }

    #[test]
    fn seeds_matter_and_any_shape_will_do() {
        assert_eq!(values(&small()), values(&small()));
        assert_ne!(values(&small()), values(&SynthSettings { seed: 2, ..small() }));
        for shape in [[1, 1, 1], [1, 300, 1], [3, 2, 200], [2304, 20, 2]] {
            let event = SynthSettings { shape, ..small() }.generate().unwrap();
            assert_eq!(event.shape(), shape);
        }
    }

    #[test]
    fn making_an_event_can_be_watched_and_stopped() {
        let mut told = vec![];
        let event = small().generate_watched(&mut |share| {
            told.push(share);
            true
        });
        assert_eq!(event.unwrap(), small().generate().unwrap());
        assert!(told.len() > 4 && told.is_sorted() && told[0] == 0.0, "{told:?}");
        assert!(told.iter().any(|s| *s > 0.3) && told.iter().all(|s| *s < 1.0), "{told:?}");
        let mut n_left = 3;
        let stopped = small().generate_watched(&mut |_| {
            n_left -= 1;
            n_left > 0
        });
        assert_eq!((stopped.unwrap_err().kind(), n_left), (ErrorKind::Interrupted, 0));
    }

    #[test]
    fn settings_that_no_event_has_are_refused() {
        let shape = |shape| SynthSettings { shape, ..small() };
        for settings in [
            shape([0, 249, 16]),
            shape([usize::MAX, 2, 1]),
            shape([usize::MAX / 8, 1, 1]),
            SynthSettings { occupancy: 0.6, ..small() },
            SynthSettings { occupancy: f64::NAN, ..small() },
            SynthSettings { threshold: 0, ..small() },
            SynthSettings { threshold: 1023, ..small() },
            SynthSettings { window: 0, ..small() },
        ] {
            assert_eq!(settings.generate().unwrap_err().kind(), ErrorKind::Argument, "{settings:?}");
        }
    }
}
