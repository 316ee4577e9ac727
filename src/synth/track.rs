//! Where charged particles go and what they free: helices in a solenoid field, and collisions with the gas.

use super::Model;
use super::arith::{angle, direction, exp, exponential, ln};
use inrfit_sampling::rng::Stream;

/// Radius of a circle of 1 GeV transverse momentum in 1.4 T, cm.
const RADIUS_PER_GEV: f64 = 238.0;
/// How far a particle moves at once where it cannot be seen, cm.
const BLIND_STEP: f64 = 0.8;
/// Masses of pion, kaon and proton, GeV.
const MASSES: [f64; 3] = [0.1396, 0.4937, 0.9383];

/// The part of the chamber that an event shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Section {
    /// Inner and outer radius, cm.
    pub radius: [f64; 2],
    /// Half of the azimuth covered, radians; the section's middle is at azimuth zero.
    pub half_azimuth: f64,
    /// Drift length, cm: the membrane is at height zero, the readout at this height.
    pub length: f64,
}

/// A collision of the beams: when and where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Collision {
    /// Height above the membrane, cm.
    pub height: f64,
    /// When, as the drift length of that time, cm: positive for later.
    pub delay: f64,
}

/// The collisions of an event: the one that triggered, and pile-up within a drift time before and after.
pub(super) fn collisions(model: &Model, section: &Section, stream: &mut Stream) -> Vec<Collision> {
    let mut all = vec![Collision { height: model.vertex_spread * super::arith::normal(stream), delay: 0.0 }];
    for _ in 0..model.n_pile_up {
        let height = model.vertex_spread * super::arith::normal(stream);
        all.push(Collision { height, delay: section.length * (2.0 * stream.unit() - 1.0) });
    }
    all
}

/// A charged particle on its way.
#[derive(Debug, Clone)]
pub(super) struct Track {
    /// Position across the beam, cm.
    at: [f64; 2],
    /// Height above the membrane, cm.
    height: f64,
    /// Direction across the beam, length 1.
    heading: [f64; 2],
    /// Signed curvature, 1/cm.
    curvature: f64,
    /// Height gained over the path across the beam.
    slope: f64,
    /// Path still to go, cm across the beam.
    left: f64,
    /// Collisions with the gas on a centimetre.
    density: f64,
    /// Drift length of the time at which the particle flew, cm.
    delay: f64,
}

/// Electrons freed in one place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cluster {
    /// Radius, cm.
    pub radius: f64,
    /// Azimuth from the middle of the section, radians.
    pub azimuth: f64,
    /// Height above the membrane, cm.
    pub height: f64,
    /// Time of flight as a drift length, cm.
    pub delay: f64,
    /// How many electrons.
    pub n_electrons: u32,
}

impl Track {
    /// Draws a particle: from a collision of the beams, or, for the model's share of them, a slow electron from
    /// somewhere in the gas.
    pub fn draw(model: &Model, section: &Section, collisions: &[Collision], stream: &mut Stream) -> Track {
        let is_loose = stream.unit() < model.loose_share;
        let trigger = stream.unit() < model.trigger_share || collisions.len() == 1;
        let which = if trigger { 0 } else { 1 + (stream.unit() * (collisions.len() - 1) as f64) as usize };
        let collision = collisions[which.min(collisions.len() - 1)];
        let heading = direction(stream.unit());
        let sign = if stream.unit() < 0.5 { -1.0 } else { 1.0 };
        if is_loose {
            return Track::loose(model, section, collision.delay, heading, sign, stream);
        }
        let momentum =
            model.min_momentum - model.temperature * ln((1.0 - stream.unit()) * (1.0 - stream.unit()));
        let eta = model.max_rapidity * (2.0 * stream.unit() - 1.0);
        let slope = (exp(eta) - exp(-eta)) / 2.0;
        let kind = stream.unit();
        let mass =
            MASSES[usize::from(kind < 2.0 * model.heavy_share) + usize::from(kind < model.heavy_share)];
        Track {
            at: [0.0, 0.0],
            height: collision.height,
            heading,
            curvature: sign / (RADIUS_PER_GEV * momentum),
            slope,
            left: 60.0 - model.lifetime * ln(1.0 - stream.unit()),
            density: model.collision_density * slowness(mass, momentum, slope).min(model.most_ionising),
            delay: collision.delay,
        }
    }

    /// A slow electron from a converted photon or a knock-on, anywhere in the section's surroundings.
    fn loose(
        model: &Model,
        section: &Section,
        delay: f64,
        heading: [f64; 2],
        sign: f64,
        stream: &mut Stream,
    ) -> Track {
        let [inner, outer] = section.radius;
        let radius = inner - 5.0 + (outer - inner + 8.0) * stream.unit();
        let [c, s] = direction(stream.unit());
        // A spectrum of 1/p^2 from the lowest momentum on.
        let momentum = model.loose_momentum / (1.0 - stream.unit()).max(0.01);
        // Cosine of the polar angle, uniform short of the directions that never leave a pad.
        let cosine = 0.98 * (2.0 * stream.unit() - 1.0);
        let sine = (1.0 - cosine * cosine).sqrt();
        let slow = 1.0 + model.stopping * stream.unit() * stream.unit() * stream.unit() * stream.unit();
        Track {
            at: [radius * c, radius * s],
            height: section.length * (1.4 * stream.unit() - 0.2),
            heading,
            curvature: sign / (RADIUS_PER_GEV * momentum * sine),
            slope: cosine / sine,
            left: exponential(stream) * model.loose_path / slow,
            density: model.collision_density * slow,
            delay,
        }
    }

    /// Follows the particle and hands every cluster inside the section to `sink`.
    pub fn ionise(
        mut self,
        model: &Model,
        section: &Section,
        stream: &mut Stream,
        mut sink: impl FnMut(Cluster, &mut Stream),
    ) {
        let steepness = (1.0 + self.slope * self.slope).sqrt();
        let [inner, outer] = section.radius;
        while self.left > 0.0 {
            let radius = (self.at[0] * self.at[0] + self.at[1] * self.at[1]).sqrt();
            if radius > outer + 4.0 {
                return;
            }
            let above = self.height - section.length;
            if (above > 1.0 && self.slope > 0.0) || (self.height < -1.0 && self.slope < 0.0) {
                return;
            }
            let azimuth = angle(self.at[0], self.at[1]);
            // Beyond this the particle is not seen, nor after a blind step.
            let seen = radius > inner - 1.0
                && azimuth.abs() < section.half_azimuth + 0.03
                && self.height > -2.0 * BLIND_STEP * steepness
                && above < 2.0 * BLIND_STEP * steepness;
            if !seen {
                self.advance(BLIND_STEP);
                continue;
            }
            self.advance(exponential(stream) / (self.density * steepness));
            // P(more than k electrons) = 0.35 / (0.35 + k): mostly one, and the tail of Rutherford scattering.
            let n = 1.0 + 0.35 * (1.0 / (1.0 - stream.unit()) - 1.0);
            let cluster = Cluster {
                radius: (self.at[0] * self.at[0] + self.at[1] * self.at[1]).sqrt(),
                azimuth: angle(self.at[0], self.at[1]),
                height: self.height,
                delay: self.delay,
                n_electrons: n.min(model.most_electrons) as u32,
            };
            let inside = cluster.height > 0.0 && cluster.height < section.length;
            if inside && cluster.radius > inner - 0.5 && cluster.radius < outer + 0.5 {
                sink(cluster, stream);
            }
        }
    }

    /// Moves on by `path` cm across the beam: along the chord of the arc, turned by a rotation without rounding
    /// that adds up, since a quotient of polynomials in the tangent of the half angle has length 1.
    fn advance(&mut self, path: f64) {
        // Steps longer than a radian lose their way; slow electrons take them in pieces.
        let longest = 0.5 / self.curvature.abs();
        let mut left = path;
        while left > 0.0 {
            let step = left.min(longest);
            left -= step;
            let t = 0.25 * step * self.curvature;
            self.turn(t);
            self.at[0] += step * self.heading[0];
            self.at[1] += step * self.heading[1];
            self.turn(t);
            self.height += step * self.slope;
            self.left -= step;
        }
    }

    /// Turns by the angle whose half has the tangent `t`.
    fn turn(&mut self, t: f64) {
        let (c, s) = ((1.0 - t * t) / (1.0 + t * t), 2.0 * t / (1.0 + t * t));
        let [x, y] = self.heading;
        self.heading = [c * x - s * y, s * x + c * y];
    }
}

/// How much more a slow particle ionises: 1 / beta^2.
fn slowness(mass: f64, momentum: f64, slope: f64) -> f64 {
    let p2 = momentum * momentum * (1.0 + slope * slope);
    (p2 + mass * mass) / p2
}
