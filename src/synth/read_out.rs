//! From electrons to what the front end stores: pads, shaping, digitising, zero suppression.

use super::arith::exp;
use super::{Model, Side};
use inrfit_sampling::rng::block;

/// Full scale of the ten-bit digitiser.
const FULL_SCALE: f32 = 1023.0;
/// Upper half of the counters of the electronic noise, "noise" as a number; tracks have streams of their own.
const NOISE_COUNTER: [u32; 2] = [0x6F69_7365, 0x6E];
/// Voxels served by one block of 128 random bits, 12 bits each.
const NOISE_GROUP: usize = 10;
/// Positions within a pad or a time bin that responses are tabulated at.
const N_PHASES: usize = 32;

/// A response of neighbouring bins to a charge, tabulated by where in its bin the charge arrives.
#[derive(Debug, Clone)]
struct Response {
    /// Bins before the charge's own.
    n_before: usize,
    n_bins: usize,
    /// `n_bins` numbers for each phase.
    table: Vec<f32>,
}

impl Response {
    /// A bell of peak 1 with these deviations on its two sides, in bins, cut where it falls below 1/1000.
    fn bell(before: f64, after: f64) -> Response {
        const REACH: f64 = 3.7;
        let n_before = (REACH * before).ceil() as usize;
        let n_bins = n_before + 1 + (REACH * after).ceil() as usize;
        let mut table = Vec::with_capacity(N_PHASES * n_bins);
        for phase in 0..N_PHASES {
            let within = (phase as f64 + 0.5) / N_PHASES as f64;
            for bin in 0..n_bins {
                // From the charge to the middle of the bin.
                let x = bin as f64 + 0.5 - n_before as f64 - within;
                let scaled = x / if x < 0.0 { before } else { after };
                table.push(if scaled.abs() < REACH { exp(-0.5 * scaled * scaled) as f32 } else { 0.0 });
            }
        }
        Response { n_before, n_bins, table }
    }

    /// For a charge at `at` (bins): the bins of `0..n` that see it, and the response of each.
    fn of(&self, at: f64, n: usize) -> (usize, &[f32]) {
        let own = at.floor();
        let phase = (((at - own) * N_PHASES as f64) as usize).min(N_PHASES - 1);
        let first = own as i64 - self.n_before as i64;
        let skip = (-first).clamp(0, self.n_bins as i64) as usize;
        let first = first + skip as i64;
        let end = (n as i64 - first).clamp(0, (self.n_bins - skip) as i64) as usize;
        let row = &self.table[phase * self.n_bins..][..self.n_bins];
        (first as usize, &row[skip..skip + end])
    }
}

/// ADC counts above the pedestal, indexed (pad, layer, time bin).
#[derive(Debug, Clone)]
pub(super) struct Charge {
    /// Pads, layers, time bins.
    shape: [usize; 3],
    counts: Vec<f32>,
    pads: Response,
    pulse: Response,
}

impl Charge {
    pub fn new(model: &Model, [n_pads, n_bins, n_layers]: [usize; 3]) -> Charge {
        Charge {
            shape: [n_pads, n_layers, n_bins],
            counts: vec![0.0; n_pads * n_bins * n_layers],
            pads: Response::bell(model.pad_width, model.pad_width),
            pulse: Response::bell(model.pulse_rise, model.pulse_fall),
        }
    }

    /// Adds the avalanche of one electron of `size` counts at (pad, layer, time bin).
    pub fn add(&mut self, [pad, layer, bin]: [f64; 3], size: f64) {
        let [n_pads, n_layers, n_bins] = self.shape;
        if !(layer >= 0.0 && layer < n_layers as f64) {
            return;
        }
        let (first_pad, on_pads) = self.pads.of(pad, n_pads);
        let (first_bin, in_time) = self.pulse.of(bin, n_bins);
        for (p, share) in on_pads.iter().enumerate() {
            let column = ((first_pad + p) * n_layers + layer as usize) * n_bins;
            let scale = size as f32 * share;
            let samples = &mut self.counts[column + first_bin.min(n_bins)..][..in_time.len()];
            for (sample, response) in samples.iter_mut().zip(in_time) {
                *sample += scale * response;
            }
        }
    }

    /// The share of samples that `front_end` keeps.
    pub fn occupancy(&self, front_end: &FrontEnd) -> f64 {
        let mut n_kept = 0u64;
        front_end.windows(self, |_, samples| n_kept += samples.len() as u64);
        n_kept as f64 / self.counts.len() as f64
    }

    /// What `front_end` keeps, as an event of (pads, time bins along z, layers), the rest 0.
    pub fn read_out(&self, front_end: &FrontEnd, side: Side) -> Vec<u16> {
        let [_, n_layers, n_bins] = self.shape;
        let mut kept = vec![0u16; self.counts.len()];
        front_end.windows(self, |first, samples| {
            let (column, bin) = (first / n_bins, first % n_bins);
            for (i, &sample) in samples.iter().enumerate() {
                let z = match side {
                    Side::Low => bin + i,
                    Side::High => n_bins - 1 - (bin + i),
                };
                kept[(column / n_layers * n_bins + z) * n_layers + column % n_layers] = sample;
            }
        });
        kept
    }
}

/// Digitiser and zero suppression.
#[derive(Debug, Clone)]
pub(super) struct FrontEnd {
    pub seed: u64,
    pub pedestal: f32,
    /// Deviation of the noise, counts.
    pub noise: f32,
    /// A window opens at a sample above this, counts.
    pub threshold: u16,
    /// Samples of a window.
    pub window: usize,
}

impl FrontEnd {
    /// Hands every window to `sink`: where its first sample is in the order of [`Charge`], and its samples. A window
    /// opens at the first sample above the threshold that is in none, and ends with the record.
    fn windows(&self, charge: &Charge, mut sink: impl FnMut(usize, &[u16])) {
        let n_bins = charge.shape[2];
        let key = [self.seed as u32, (self.seed >> 32) as u32];
        // Twelve fair bits have a deviation of the root of 3.
        let per_bit = self.noise / 1.732_050_8;
        let highest_noise = 6.0 * per_bit;
        // A sample that no noise could lift above the threshold is not worth a random number.
        let quiet = f32::from(self.threshold) + 0.5 - self.pedestal - highest_noise;
        let mut column_of = vec![0u16; n_bins];
        let mut group = (u64::MAX, [0u32; 4]);
        let mut digitise = |index: usize, count: f32| {
            let wanted = (index / NOISE_GROUP) as u64;
            if group.0 != wanted {
                let counter = [wanted as u32, (wanted >> 32) as u32, NOISE_COUNTER[0], NOISE_COUNTER[1]];
                group = (wanted, block(key, counter));
            }
            let bits = group.1.iter().rev().fold(0u128, |all, &word| all << 32 | u128::from(word));
            let bits = (bits >> (12 * (index % NOISE_GROUP))) as u32 & 0xfff;
            let noise = (bits.count_ones() as f32 - 6.0) * per_bit;
            // Rounds half up; 0 stands for suppressed.
            (self.pedestal + count + noise + 0.5).clamp(1.0, FULL_SCALE) as u16
        };
        for (column, counts) in charge.counts.chunks_exact(n_bins).enumerate() {
            let first = column * n_bins;
            let mut bin = 0;
            while bin < n_bins {
                if counts[bin] < quiet {
                    bin += 1;
                    continue;
                }
                let digit = digitise(first + bin, counts[bin]);
                if digit <= self.threshold {
                    bin += 1;
                    continue;
                }
                let end = (bin + self.window).min(n_bins);
                column_of[bin] = digit;
                for b in bin + 1..end {
                    column_of[b] = digitise(first + b, counts[b]);
                }
                sink(first + bin, &column_of[bin..end]);
                bin = end;
            }
        }
    }
}
