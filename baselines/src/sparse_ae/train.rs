//! Training by Adam.

use super::images::Images;
use super::model::Model;
use super::net::{Batch, Loss, Penalty, Sizes};
use crate::error::{Error, Result};
use rand::SeedableRng;
use rand::rngs::ChaCha8Rng;
use rand::seq::SliceRandom;
use rayon::prelude::*;
use std::ops::ControlFlow;

/// Steps between two reports.
const REPORT_STEPS: u64 = 100;
/// Steps over which the learning rate rises at the start.
const RISE_STEPS: f64 = 100.0;
/// Weights that one thread updates at a time.
const CHUNK: usize = 1 << 16;
/// Training images that the step of the latents is chosen on.
const N_PROBES: usize = 512;
/// How much larger than without rounding the error may become by rounding latents.
const ROUNDING_COST: f64 = 1.02;

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Units of the hidden layers, m.
    pub hidden: usize,
    /// Latents, l.
    pub latents: usize,
    /// What is kept sparse.
    pub penalty: Penalty,
    /// The weight of the penalty.
    pub lambda: f64,
    /// Steps of Adam.
    pub n_steps: u64,
    /// Images a step.
    pub batch: usize,
    /// Learning rate: rises over the first 100 steps, then falls to zero as a cosine.
    pub learning_rate: f64,
    /// Seed of the starting weights and of the order of the images.
    pub seed: u64,
}

impl Default for Training {
    fn default() -> Self {
        Training {
            hidden: 256,
            latents: 4608,
            penalty: Penalty::Latent,
            lambda: 1e-3,
            n_steps: 4000,
            batch: 128,
            learning_rate: 1e-3,
            seed: 0,
        }
    }
}

/// How far a training has come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Steps done.
    pub step: u64,
    /// Mean over the last steps of |y' - y|^2 / n, the share of the pixels' variance that is lost.
    pub error: f64,
    /// Mean over the last steps of |f(z)|_1.
    pub penalty: f64,
}

/// Trains a network on `images`, from the weights of `start` where it is given (its sizes and normalisation stay).
/// `observe` is told every 100 steps and after the last one, and may stop it: then there is no model.
///
/// Runs on the threads of the `rayon` pool that it is called in; the result does not depend on how many they are.
///
/// # Errors
/// `Argument` for settings out of range and for a `start` of other sizes; `Failed` where the loss stops being finite.
pub fn train(
    images: &Images,
    training: &Training,
    start: Option<&Model>,
    observe: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Option<Model>> {
    let sizes = Sizes { n: images.n_pixels(), m: training.hidden, l: training.latents };
    check(training, sizes, images, start)?;
    let mut model = start.cloned().unwrap_or_else(|| beginning(images, training, sizes));
    (model.penalty, model.lambda) = (training.penalty, training.lambda);
    let mut order = Order::new(images.n_images(), training.seed);
    let mut batch = Batch::<f32>::new(sizes, training.batch.min(images.n_images()));
    let mut adam = Adam::new(sizes.n_weights());
    let mut gradient = vec![0.0; sizes.n_weights()];
    let (mut sum, mut n_summed) = (Loss::default(), 0.0);
    for step in 1..=training.n_steps {
        for values in batch.values[0].chunks_exact_mut(sizes.n) {
            let at = order.next() * sizes.n;
            let image = images.pixels()[at..at + sizes.n].iter().zip(&model.mean);
            values.iter_mut().zip(image).for_each(|(y, (x, mean))| *y = (x - mean) * model.scale);
        }
        let loss = batch.gradient(&model.weights, training.penalty, training.lambda, &mut gradient);
        let rate = learning_rate(training, step);
        adam.update(&mut model.weights, &gradient, rate);
        sizes.cap(&mut model.weights);
        if !loss.error.is_finite() || !loss.penalty.is_finite() {
            return Err(Error::Argument(format!(
                "learning rate {:?}: the loss is no finite number any more at step {step}; choose a lower one",
                training.learning_rate
            )));
        }
        sum = Loss { error: sum.error + loss.error, penalty: sum.penalty + loss.penalty };
        n_summed += 1.0;
        if step % REPORT_STEPS == 0 || step == training.n_steps {
            let now = Progress { step, error: sum.error / n_summed, penalty: sum.penalty / n_summed };
            if observe(now).is_break() {
                return Ok(None);
            }
            (sum, n_summed) = (Loss::default(), 0.0);
        }
    }
    model.step = step_of_latents(&model, images);
    Ok(Some(model))
}

fn check(training: &Training, sizes: Sizes, images: &Images, start: Option<&Model>) -> Result<()> {
    sizes.check()?;
    let refused = |why: String| Err(Error::Argument(why));
    if training.batch == 0 || training.n_steps == 0 {
        return refused("a batch and a training have at least one image and one step".into());
    }
    if !(training.lambda.is_finite() && training.lambda >= 0.0) {
        return refused(format!("lambda {}: not a number of 0 or more", training.lambda));
    }
    if !(training.learning_rate > 0.0 && training.learning_rate <= 1.0) {
        return refused(format!("learning rate {:?}: not in 0 to 1", training.learning_rate));
    }
    match start {
        Some(start) if start.sizes != sizes || start.size != images.size() => refused(format!(
            "the model to start from has {} hidden units and {} latents for images of {} x {}, not {} and {} for {} x {}: \
             give it images of its size, and --hidden and --latents as it has them",
            start.sizes.m,
            start.sizes.l,
            start.size[0],
            start.size[1],
            sizes.m,
            sizes.l,
            images.size()[0],
            images.size()[1]
        )),
        _ => Ok(()),
    }
}

/// A model that has learned nothing but mean and variance.
fn beginning(images: &Images, training: &Training, sizes: Sizes) -> Model {
    let n_images = images.n_images() as f64;
    let mut sums = vec![0.0f64; sizes.n];
    for image in images.iter() {
        sums.iter_mut().zip(image).for_each(|(sum, &x)| *sum += f64::from(x));
    }
    let mean: Vec<f32> = sums.iter().map(|sum| (sum / n_images) as f32).collect();
    let square = |(x, mean): (&f32, &f32)| f64::from(x - mean).powi(2);
    let squares: f64 = images.iter().map(|image| image.iter().zip(&mean).map(square).sum::<f64>()).sum();
    let scale = (1.0 / (squares / images.pixels().len() as f64).sqrt()) as f32;
    Model {
        size: images.size(),
        sizes,
        penalty: training.penalty,
        lambda: training.lambda,
        mean,
        // Images that are all the same leave nothing to scale.
        scale: if scale.is_finite() { scale } else { 1.0 },
        step: 1.0,
        weights: sizes.start(training.seed),
    }
}

/// The learning rate of a step, counted from 1.
fn learning_rate(training: &Training, step: u64) -> f64 {
    let (step, n_steps) = (step as f64, training.n_steps as f64);
    let cosine = 0.5 + 0.5 * (std::f64::consts::PI * (step - 1.0) / n_steps).cos();
    training.learning_rate * cosine * (step / RISE_STEPS).min(1.0)
}

/// Images in random order, pass after pass.
struct Order {
    generator: ChaCha8Rng,
    images: Vec<usize>,
    at: usize,
}

impl Order {
    fn new(n: usize, seed: u64) -> Order {
        // A stream of its own beside that of the starting weights.
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(1);
        Order { generator, images: (0..n).collect(), at: n }
    }

    fn next(&mut self) -> usize {
        if self.at == self.images.len() {
            self.images.shuffle(&mut self.generator);
            self.at = 0;
        }
        self.at += 1;
        self.images[self.at - 1]
    }
}

/// Moments of Adam (Kingma and Ba, 2015), with their usual memories.
struct Adam {
    first: Vec<f32>,
    second: Vec<f32>,
    n_steps: i32,
}

impl Adam {
    fn new(n: usize) -> Adam {
        Adam { first: vec![0.0; n], second: vec![0.0; n], n_steps: 0 }
    }

    fn update(&mut self, weights: &mut [f32], gradient: &[f32], rate: f64) {
        const BETA: [f32; 2] = [0.9, 0.999];
        self.n_steps = self.n_steps.saturating_add(1);
        let correction = BETA.map(|beta| 1.0 - f64::from(beta).powi(self.n_steps));
        let rate = (rate / correction[0]) as f32;
        let spread = (1.0 / correction[1]) as f32;
        let moments = self.first.par_chunks_mut(CHUNK).zip(self.second.par_chunks_mut(CHUNK));
        let weights = weights.par_chunks_mut(CHUNK).zip(gradient.par_chunks(CHUNK));
        weights.zip(moments).for_each(|((weights, gradient), (first, second))| {
            for (((w, &g), m), v) in weights.iter_mut().zip(gradient).zip(first).zip(second) {
                *m = BETA[0] * *m + (1.0 - BETA[0]) * g;
                *v = BETA[1] * *v + (1.0 - BETA[1]) * g * g;
                *w -= rate * *m / ((*v * spread).sqrt() + 1e-8);
            }
        });
    }
}

/// The coarsest step, in halves of octaves below the latents' root mean square, whose rounding makes the mean 2-norm of
/// the error on some training images at most 2 % larger.
fn step_of_latents(model: &Model, images: &Images) -> f32 {
    let every = images.n_images().div_ceil(N_PROBES);
    let probes: Vec<&[f32]> = images.iter().step_by(every).collect();
    let latents: Vec<Vec<f32>> = probes.par_iter().map(|image| model.real_latents(image)).collect();
    let nonzero = latents.iter().flatten().filter(|&&z| z > 0.0);
    let (sum, n) = nonzero.fold((0.0, 0.0), |(sum, n), &z| (sum + f64::from(z).powi(2), n + 1.0));
    let size = (sum / n).sqrt();
    if !(size.is_finite() && size > 0.0) {
        return 1.0;
    }
    let error = |step: Option<f32>| -> f64 {
        let pairs = probes.par_iter().zip(&latents);
        let errors = pairs.map(|(image, z)| {
            let rounded = |step| Model::rounded(z, step).iter().map(|&z| z as f32 * step).collect::<Vec<_>>();
            let decoded = step.map_or_else(|| model.image(z), |step| model.image(&rounded(step)));
            decoded.iter().zip(*image).map(|(y, x)| f64::from(y - x).powi(2)).sum::<f64>().sqrt()
        });
        errors.collect::<Vec<_>>().iter().sum()
    };
    let allowed = ROUNDING_COST * error(None);
    let steps = (0..32).map(|k| (size * 2f64.powf(-0.5 * f64::from(k))) as f32);
    let mut finest = 1.0;
    for step in steps {
        finest = step;
        if error(Some(step)) <= allowed {
            break;
        }
    }
    finest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Spots of random place, size and height: four numbers an image.
    fn spots(n: usize) -> Images {
        let number = |i: usize| (i.wrapping_mul(2_654_435_761) >> 7) % 1000;
        let pixel = |i: usize| {
            let (image, y, x) = (i / 64, (i / 8 % 8) as f32, (i % 8) as f32);
            let at = |k| number(image * 4 + k) as f32 / 1000.0;
            let distance = (y - 7.0 * at(0)).powi(2) + (x - 7.0 * at(1)).powi(2);
            (0.5 + at(2)) * (-distance / (1.0 + 4.0 * at(3))).exp()
        };
        Images::new([8, 8], (0..n * 64).map(pixel).collect()).unwrap()
    }

    fn small() -> Training {
        Training {
            hidden: 24,
            latents: 80,
            lambda: 3e-3,
            n_steps: 300,
            batch: 32,
            learning_rate: 4e-3,
            ..Training::default()
        }
    }

    fn quietly(images: &Images, training: &Training, start: Option<&Model>) -> Model {
        train(images, training, start, &mut |_| ControlFlow::Continue(())).unwrap().unwrap()
    }

    fn on_threads<T: Send>(n: usize, work: impl FnOnce() -> T + Send) -> T {
        rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(work)
    }

    #[test]
    fn losses_fall_and_latents_are_sparse() {
        let images = spots(500);
        for penalty in [Penalty::Latent, Penalty::Gradient] {
            let mut told = vec![];
            let training = Training { penalty, ..small() };
            let model = train(&images, &training, None, &mut |p| {
                told.push(p);
                ControlFlow::Continue(())
            });
            let model = model.unwrap().unwrap();
            assert_eq!(told.iter().map(|p| p.step).collect::<Vec<_>>(), [100, 200, 300]);
            // Of a variance of 1, and over the first hundred steps already.
            assert!(told[0].error > 2.0 * told[2].error && told[2].error < 0.2, "{penalty}: {told:?}");
            let entries = |model: &Model| -> usize {
                model.latents(&images).unwrap().iter().map(|z| model.entries(z).len()).sum()
            };
            let free = quietly(&images, &Training { lambda: 0.0, ..training }, None);
            let (n, n_free) = (entries(&model), entries(&free));
            assert!(3 * n < 2 * n_free, "{penalty}: {n} of {n_free}");
        }
    }

    #[test]
    fn weights_do_not_depend_on_threads_but_on_the_seed() {
        let images = spots(100);
        let training = Training { n_steps: 20, ..small() };
        let one = on_threads(1, || quietly(&images, &training, None));
        let three = on_threads(3, || quietly(&images, &training, None));
        assert_eq!(one.to_bytes(), three.to_bytes());
        let other = quietly(&images, &Training { seed: 1, ..training }, None);
        assert_ne!(one.weights, other.weights);
    }

    #[test]
    fn training_goes_on_from_a_model() {
        let images = spots(200);
        let first = quietly(&images, &small(), None);
        let mut told = vec![];
        let further = Training { n_steps: 100, learning_rate: 5e-4, ..small() };
        let second = train(&images, &further, Some(&first), &mut |p| {
            told.push(p.error);
            ControlFlow::Continue(())
        });
        assert!(told[0] < 0.2, "{told:?}");
        assert_eq!(second.unwrap().unwrap().mean, first.mean);
        let wider = Training { hidden: 25, ..small() };
        assert!(train(&images, &wider, Some(&first), &mut |_| ControlFlow::Continue(())).is_err());
    }

    #[test]
    fn it_can_be_stopped_and_refuses_nonsense() {
        let images = spots(50);
        let stopped = train(&images, &small(), None, &mut |_| ControlFlow::Break(()));
        assert_eq!(stopped.unwrap(), None);
        let refused = [
            Training { hidden: 0, ..small() },
            Training { latents: usize::MAX, ..small() },
            Training { n_steps: 0, ..small() },
            Training { batch: 0, ..small() },
            Training { lambda: f64::NAN, ..small() },
            Training { lambda: -1.0, ..small() },
            Training { learning_rate: 0.0, ..small() },
        ];
        for training in refused {
            let result = train(&images, &training, None, &mut |_| ControlFlow::Continue(()));
            assert!(matches!(result, Err(Error::Argument(_))), "{training:?}");
        }
        // A batch larger than there are images; images that are all the same.
        let flat = Images::new([8, 8], vec![0.5; 64 * 3]).unwrap();
        let model = quietly(&flat, &Training { n_steps: 5, ..small() }, None);
        assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
    }
}
