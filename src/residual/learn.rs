//! Learning a context network from past events.

mod gradient;
mod lesson;

pub use lesson::teaches;

use super::network::{BLOCK, ContextNetwork, MAX_UNITS, N_OUTPUTS, N_PARTS};
use crate::error::{Error, Result};
use crate::event::Event;
use crate::lane::{Level, Scalar, Simd, dispatch};
use gradient::{Gradients, Layout, transposed};
use inrfit_sampling::rng::Stream;
use lesson::{Lesson, Teacher, below, deal};
use rayon::prelude::*;

/// How a context network is learned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Learning {
    /// Steps of the optimiser.
    pub n_steps: u64,
    /// Units of the hidden layers, multiples of 16 up to 256.
    pub units: [usize; 2],
    /// Of the weights at the start and of the voxels drawn.
    pub seed: u64,
}

impl Default for Learning {
    fn default() -> Self {
        Learning { n_steps: 60_000, units: [128, 64], seed: 0 }
    }
}

/// Voxels a step.
const BATCH: usize = 1024;
/// Voxels whose gradients are summed one after the other.
const CHUNK: usize = 64;
/// Steps that lessons in hand are kept for.
const STEPS_A_HAND: u64 = 100;
/// Highest learning rate, the part of the steps that leads up to it, and what the first and last are of it.
const RATE: f32 = 4e-3;
const RISING: f32 = 0.3;
const FIRST: f32 = 1.0 / 25.0;
const DECAY: f32 = 1e-2;

/// Learns a context network from `events`, on the threads of the current rayon pool. `told` hears of every hundred
/// steps: how many are done, and the bits a voxel of the last of them; its error ends the work.
///
/// # Errors
/// `Argument` where no event has anything to learn from, or for sizes that no network has; what `told` returns.
pub fn learn(
    events: &[Event],
    learning: &Learning,
    told: &mut (dyn FnMut(u64, f64) -> Result<()> + Send),
) -> Result<ContextNetwork> {
    let teachers: Vec<Teacher<'_>> = events.iter().filter_map(Teacher::new).collect();
    if teachers.is_empty() {
        return Err(Error::argument(
            "nothing to learn from: events are needed whose occupied voxels have more than one value, and few enough of \
             them for bins",
        ));
    }
    let layout = Layout::new(learning.units);
    // Refuses bad sizes before anything is done.
    let mut parameters = start(&layout, learning.seed);
    network(&layout, learning.units, &parameters)
        .map_err(|e| Error::argument(format!("{e}; units come in multiples of {BLOCK} up to {MAX_UNITS}")))?;
    let mut draws = Stream::new(learning.seed, 1);
    let (mut first, mut second) = (vec![0.0f32; layout.n], vec![0.0f32; layout.n]);
    let mut gradients = vec![vec![0.0f32; layout.n]; BATCH / CHUNK];
    let (mut step, mut hand) = (0, vec![]);
    while step < learning.n_steps {
        if step % STEPS_A_HAND == 0 {
            hand = deal(&teachers, &mut draws);
        }
        let voxels: Vec<_> = (0..BATCH)
            .map(|_| {
                let lesson: &Lesson = &hand[below(&mut draws, hand.len())];
                let (place, bin) = lesson.voxels[below(&mut draws, lesson.voxels.len())];
                (lesson, place, bin)
            })
            .collect();
        let transposed = transposed(&layout, &parameters);
        let parts = gradients.par_iter_mut().zip(voxels.par_chunks(CHUNK));
        let costs: Vec<f64> = parts
            .map(|(gradient, voxels)| {
                gradient.fill(0.0);
                let voxels: Vec<_> = voxels
                    .iter()
                    .map(|(lesson, place, bin)| {
                        (lesson.features(*place), usize::from(*bin), &lesson.edges[..])
                    })
                    .collect();
                let (parameters, transposed) = (&parameters[..], &transposed);
                let kernel = Gradients { layout, parameters, transposed, voxels: &voxels, gradient };
                dispatch(Level::detect(), kernel)
            })
            .collect();
        let rate = rate(step, learning.n_steps);
        let t = (step + 1).min(1 << 20) as i32;
        let unbias = [1.0 - 0.9f32.powi(t), 1.0 - 0.999f32.powi(t)];
        let moments = first.par_chunks_mut(4096).zip(second.par_chunks_mut(4096));
        parameters.par_chunks_mut(4096).zip(moments).enumerate().for_each(|(c, (parameters, (m, v)))| {
            for i in 0..parameters.len() {
                // In this order whatever the threads.
                let sum: f32 = gradients.iter().map(|g| g[c * 4096 + i]).sum();
                let g = sum / BATCH as f32;
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let towards = m[i] / unbias[0] / ((v[i] / unbias[1]).sqrt() + 1e-8);
                parameters[i] -= rate * (towards + DECAY * parameters[i]);
            }
        });
        step += 1;
        if step % STEPS_A_HAND == 0 || step == learning.n_steps {
            told(step, costs.iter().sum::<f64>() / BATCH as f64)?;
        }
    }
    network(&layout, learning.units, &parameters)
}

/// The learning rate: up and down again, each along half a cosine.
fn rate(step: u64, n_steps: u64) -> f32 {
    let done = step as f32 / n_steps as f32;
    let (from, to, part) = match done < RISING {
        true => (FIRST, 1.0, done / RISING),
        false => (1.0, 0.0, (done - RISING) / (1.0 - RISING)),
    };
    let (_, cos) = Scalar::new().sin_cos(part * std::f32::consts::PI);
    RATE * (to + (from - to) * 0.5 * (1.0 + cos))
}

/// Parameters to start from: even ones of the size that keeps signals as they are.
fn start(layout: &Layout, seed: u64) -> Vec<f32> {
    let mut draws = Stream::new(seed, 0);
    let mut parameters = vec![0.0; layout.n];
    for l in 0..3 {
        let size = (layout.n_in[l] as f32).sqrt().recip() * if l == 2 { 0.3 } else { 1.0 };
        for i in 0..layout.n_in[l] {
            for w in &mut parameters[layout.row(l, i)] {
                *w = size * (2.0 * draws.unit() as f32 - 1.0);
            }
        }
    }
    // Three parts side by side, each a third of a unit wide.
    let outputs = &mut parameters[layout.bias(2)];
    outputs[..2 * N_PARTS].copy_from_slice(&[0.2, 1.0, 1.9, 1.5, 1.5, 1.5]);
    parameters
}

/// The network in whole numbers.
fn network(layout: &Layout, units: [usize; 2], parameters: &[f32]) -> Result<ContextNetwork> {
    let whole = |x: f32| (x * 256.0).round_ties_even() as i32;
    let n_out = [units[0], units[1], N_OUTPUTS];
    let weights: [Vec<i32>; 3] = std::array::from_fn(|l| {
        let by_output = (0..n_out[l]).flat_map(|o| (0..layout.n_in[l]).map(move |i| (o, i)));
        by_output.map(|(o, i)| whole(parameters[layout.row(l, i)][o])).collect()
    });
    let biases: [Vec<i32>; 3] =
        std::array::from_fn(|l| parameters[layout.bias(l)][..n_out[l]].iter().map(|b| whole(*b)).collect());
    ContextNetwork::new(units, [&weights[0], &weights[1], &weights[2]], [&biases[0], &biases[1], &biases[2]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Samples;

    /// Tracks of a few samples, brighter in the middle, with neighbours alike.
    fn event(seed: usize) -> Event {
        let shape = [6, 24, 40];
        let samples: Vec<u16> = (0..shape.iter().product())
            .map(|at: usize| {
                let (i, j, k) = (at / 40 / 24, at / 40 % 24, at % 40);
                let along = (k + 40 - (3 * j + seed) % 40) % 40;
                let noise = (at.wrapping_mul(2_654_435_761) >> 7) % 5;
                if along < 5 && i % 2 == 0 {
                    (80 + 30 * (2 - along.abs_diff(2)) + 4 * i + noise) as u16
                } else {
                    0
                }
            })
            .collect();
        Event::new(shape, Samples::U16(samples)).unwrap()
    }

    fn lesson() -> Lesson {
        Lesson::new(&event(0), false, (true, 0.1, 1.0)).unwrap()
    }

    #[test]
    fn the_gradient_is_that_of_the_code_length() {
        let lesson = lesson();
        let layout = Layout::new([16, 16]);
        let parameters = start(&layout, 3);
        let voxels: Vec<_> = lesson.voxels[40..47]
            .iter()
            .map(|(place, bin)| (lesson.features(*place), usize::from(*bin), &lesson.edges[..]))
            .collect();
        let cost = |parameters: &[f32], gradient: &mut [f32]| {
            let transposed = transposed(&layout, parameters);
            let kernel = Gradients { layout, parameters, transposed: &transposed, voxels: &voxels, gradient };
            dispatch(Level::detect(), kernel)
        };
        let mut gradient = vec![0.0; layout.n];
        let before = cost(&parameters, &mut gradient);
        assert!(before > 0.0);
        let mut n_checked = 0;
        for l in 0..3 {
            for at in
                [layout.weights[l] + 5, layout.weights[l] + 7 * layout.n_out[l] + 2, layout.biases[l] + 4]
            {
                let step = 2e-3;
                let moved = |by: f32| {
                    let mut p = parameters.clone();
                    p[at] += by;
                    cost(&p, &mut vec![0.0; layout.n])
                };
                let slope = (moved(step) - moved(-step)) / f64::from(2.0 * step);
                let ours = f64::from(gradient[at]);
                assert!((slope - ours).abs() < 1e-3 + 0.02 * slope.abs(), "{l} {at}: {ours} for {slope}");
                n_checked += usize::from(slope.abs() > 1e-3);
            }
        }
        assert!(n_checked > 4, "only {n_checked} slopes are more than nothing");
    }

    #[test]
    fn a_mirrored_lesson_has_the_same_voxels_in_another_order() {
        let of = |mirrored| {
            let mut bins: Vec<u16> = Lesson::new(&event(5), mirrored, (false, 0.0, 1.0))
                .unwrap()
                .voxels
                .into_iter()
                .map(|(_, bin)| bin)
                .collect();
            let in_order = bins.clone();
            bins.sort_unstable();
            (in_order, bins)
        };
        let ((a, sorted_a), (b, sorted_b)) = (of(false), of(true));
        assert!(sorted_a == sorted_b && a != b && !a.is_empty());
    }

    #[test]
    fn what_is_learned_is_the_same_on_any_threads() {
        let events = [event(1), event(2)];
        let learning = Learning { n_steps: 3, units: [16, 16], seed: 1 };
        let on = |n: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap();
            pool.install(|| learn(&events, &learning, &mut |_, _| Ok(())).unwrap())
        };
        assert_eq!(on(1), on(3));
    }

    #[test]
    fn events_that_teach_nothing_do_no_harm() {
        let empty = Event::new([2, 2, 2], Samples::U16(vec![0; 8])).unwrap();
        let wide = Samples::I32((0..8).map(|i| i * 100_000_000 - 300_000_000).collect());
        let wide = Event::new([2, 2, 2], wide).unwrap();
        let mut events = vec![empty; 60];
        events.extend([wide, event(1)]);
        assert_eq!(events.iter().filter(|e| teaches(e)).count(), 1);
        let learning = Learning { n_steps: 2 * STEPS_A_HAND, units: [16, 16], seed: 1 };
        let from = |events: &[Event]| learn(events, &learning, &mut |_, _| Ok(())).unwrap();
        assert_eq!(from(&events), from(&events[61..]));
    }

    #[test]
    fn nothing_to_learn_from_is_said() {
        let empty = Event::new([2, 2, 2], Samples::U16(vec![0; 8])).unwrap();
        let constant = Event::new([2, 2, 2], Samples::U16(vec![7; 8])).unwrap();
        for events in [&[][..], &[empty], &[constant]] {
            let learning = Learning { n_steps: 2, ..Learning::default() };
            assert!(learn(events, &learning, &mut |_, _| Ok(())).is_err());
        }
        for units in [[0, 16], [16, 17], [16, 272]] {
            let learning = Learning { n_steps: 1, units, seed: 0 };
            assert!(learn(&[event(0)], &learning, &mut |_, _| Ok(())).is_err(), "{units:?}");
        }
    }
}
