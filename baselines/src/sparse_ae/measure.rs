//! What a model does to images that it has not seen.

use super::images::Images;
use super::model::Model;
use super::product::{Matrix, multiply};
use crate::error::{Error, Result};

/// Images that are compared with the references at a time.
const BLOCK: usize = 64;

/// Errors and sizes over a set of images, decoded from their bytes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Images.
    pub n_images: usize,
    /// Mean 2-norm of an image.
    pub norm: f64,
    /// Mean 2-norm of the difference between an image and its copy.
    pub error: f64,
    /// Mean absolute difference of a pixel.
    pub mae: f64,
    /// Mean number of stored numbers an image: nonzero latents, or nonzero differences of latents.
    pub nonzero: f64,
    /// Pixels of all images / stored numbers of all images.
    pub nonzero_ratio: f64,
    /// Bytes of all images together, headers included; the model's own are not among them.
    pub bytes: usize,
}

/// Codes and decodes `images`, and compares.
///
/// # Errors
/// `Argument` for images of another size than the model's.
pub fn measure(model: &Model, images: &Images) -> Result<Measured> {
    let bytes = model.encode(images)?;
    let decoded = model.decode(&bytes, images.n_images())?;
    let (mut norm, mut error, mut absolute) = (0.0, 0.0, 0.0);
    for (x, y) in images.iter().zip(decoded.iter()) {
        norm += x.iter().map(|&x| f64::from(x).powi(2)).sum::<f64>().sqrt();
        let differences = || x.iter().zip(y).map(|(&x, &y)| f64::from(x) - f64::from(y));
        error += differences().map(|d| d * d).sum::<f64>().sqrt();
        absolute += differences().map(f64::abs).sum::<f64>();
    }
    let stored: usize = model.latents(images)?.iter().map(|z| model.entries(z).len()).sum();
    let n_images = images.n_images();
    Ok(Measured {
        n_images,
        norm: norm / n_images as f64,
        error: error / n_images as f64,
        mae: absolute / images.pixels().len() as f64,
        nonzero: stored as f64 / n_images as f64,
        nonzero_ratio: images.pixels().len() as f64 / stored as f64,
        bytes: bytes.len(),
    })
}

/// Shares of images whose class is that of the nearest reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbours {
    /// Nearest by the latents as stored.
    pub latent: f64,
    /// Nearest by the pixels.
    pub image: f64,
}

/// Classifies `images` by the class of the nearest of `references` (Euclidean distance), in latents and in pixels, and
/// tells how often that is right. Each has one class an image.
///
/// # Errors
/// `Argument` for images of another size than the model's and where there is not one class an image.
pub fn nearest_neighbours(
    model: &Model,
    references: (&Images, &[usize]),
    images: (&Images, &[usize]),
) -> Result<Neighbours> {
    for (images, classes) in [references, images] {
        if images.n_images() != classes.len() {
            let why = format!("{} classes for {} images", classes.len(), images.n_images());
            return Err(Error::Argument(why));
        }
    }
    let latents = |images: &Images| -> Result<Vec<f32>> {
        Ok(model.latents(images)?.concat().iter().map(|&z| z as f32 * model.step).collect())
    };
    let right = |a: &[f32], b: &[f32], n: usize| right(a, b, n, references.1, images.1);
    Ok(Neighbours {
        latent: right(&latents(references.0)?, &latents(images.0)?, model.sizes().l),
        image: right(references.0.pixels(), images.0.pixels(), model.sizes().n),
    })
}

/// The share of the vectors of length `n` in `images` whose nearest in `references` has the same class.
fn right(
    references: &[f32],
    images: &[f32],
    n: usize,
    reference_classes: &[usize],
    classes: &[usize],
) -> f64 {
    // |a - b|^2 = |a|^2 - 2 a b + |b|^2, of which the last part is the same for all references.
    let squares: Vec<f32> = references.chunks_exact(n).map(|r| r.iter().map(|x| x * x).sum()).collect();
    let mut products = vec![0.0; BLOCK * squares.len()];
    let mut n_right = 0;
    for (block, classes) in images.chunks(BLOCK * n).zip(classes.chunks(BLOCK)) {
        let products = &mut products[..classes.len() * squares.len()];
        multiply(products, Matrix::new(block, n), Matrix::new(references, n).transposed());
        for (products, class) in products.chunks_exact(squares.len()).zip(classes) {
            let distances = products.iter().zip(&squares).map(|(p, s)| s - 2.0 * p);
            let nearest = distances.enumerate().min_by(|a, b| a.1.total_cmp(&b.1));
            n_right += usize::from(nearest.is_some_and(|(i, _)| reference_classes[i] == *class));
        }
    }
    n_right as f64 / classes.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sparse_ae::{Penalty, Sizes};

    /// A network that copies: each pixel through the layers by a weight of one.
    fn copier() -> Model {
        let sizes = Sizes { n: 4, m: 4, l: 5 };
        let mut weights = vec![0.0; sizes.n_weights()];
        for ([place, _], [_, outputs]) in sizes.places().into_iter().zip(sizes.layers()) {
            (0..4).for_each(|i| weights[place.start + i * outputs + i] = 1.0);
        }
        let (mean, penalty) = (vec![0.0; 4], Penalty::Latent);
        Model { size: [2, 2], sizes, penalty, lambda: 0.0, mean, scale: 1.0, step: 0.5, weights }
    }

    #[test]
    fn figures_are_those_of_the_differences() {
        // 0.6 is rounded to 0.5, -2 becomes 0.
        let images = Images::new([2, 2], vec![3.0, 0.0, 0.6, 0.0, 0.0, 0.0, -2.0, 1.0]).unwrap();
        let measured = measure(&copier(), &images).unwrap();
        let near = |a: f64, b: f64| assert!((a - b).abs() < 1e-6, "{a} {b}");
        near(measured.error, (0.1 + 2.0) / 2.0);
        near(measured.mae, 2.1 / 8.0);
        near(measured.norm, (9.36f64.sqrt() + 5.0f64.sqrt()) / 2.0);
        near(measured.nonzero, 1.5);
        near(measured.nonzero_ratio, 8.0 / 3.0);
        assert_eq!((measured.n_images, measured.bytes), (2, copier().encode(&images).unwrap().len()));
    }

    #[test]
    fn the_nearest_reference_gives_the_class() {
        let references = Images::new([2, 2], vec![1.0, 0.0, 0.0, 0.0, -9.0, 9.0, 0.0, 0.0]).unwrap();
        // Latents do not see the negative pixel.
        let images = [[1.5, 0.0, 0.0, 0.0], [-9.0, 0.0, 0.0, 0.0], [0.0, 9.0, 0.0, 0.0]];
        let images = Images::new([2, 2], images.concat()).unwrap();
        let found = nearest_neighbours(&copier(), (&references, &[7, 8]), (&images, &[7, 8, 8])).unwrap();
        assert_eq!(found, Neighbours { latent: 2.0 / 3.0, image: 1.0 });
        assert!(nearest_neighbours(&copier(), (&references, &[7]), (&images, &[7, 8, 8])).is_err());
    }
}
