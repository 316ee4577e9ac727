//! A trained network as a codec of images, and as a file.

use super::code::{Entry, MAX_LATENT, pack, unpack};
use super::images::Images;
use super::net::{Penalty, Sizes};
use crate::error::{Error, Result};
use rayon::prelude::*;

/// First bytes of a model file, its version last.
const MODEL_MAGIC: [u8; 5] = *b"ISAM\x01";
/// First bytes of coded images, their version last.
const CODE_MAGIC: [u8; 5] = *b"ISAE\x01";
/// Bytes of a model file before the mean: magic, size, m, l, penalty, lambda, scale, step.
const MODEL_HEADER: usize = 5 + 4 * 4 + 1 + 8 + 4 + 4;
/// Bytes of coded images before the latents: magic, checksum of the model, number of images, checksum of the latents.
const CODE_HEADER: usize = 5 + 4 + 4 + 4;

/// A network and what it was trained for.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    pub(super) size: [usize; 2],
    pub(super) sizes: Sizes,
    pub(super) penalty: Penalty,
    pub(super) lambda: f64,
    /// Mean of the training images.
    pub(super) mean: Vec<f32>,
    /// What an image less the mean is multiplied by.
    pub(super) scale: f32,
    /// Latents are multiples of it.
    pub(super) step: f32,
    pub(super) weights: Vec<f32>,
}

impl Model {
    /// Rows and columns of its images.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Extents of its layers.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// What was kept sparse.
    pub fn penalty(&self) -> Penalty {
        self.penalty
    }

    /// The weight of the penalty in training.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// Latents are whole multiples of it.
    pub fn step(&self) -> f32 {
        self.step
    }

    /// One layer: biases, then input after input, each product rounded before it is added.
    fn layer(&self, layer: usize, inputs: &[f32]) -> Vec<f32> {
        let [weights, biases] = self.sizes.places()[layer].clone();
        let mut outputs = self.weights[biases].to_vec();
        for (&x, row) in inputs.iter().zip(self.weights[weights].chunks_exact(outputs.len())) {
            if x != 0.0 {
                outputs.iter_mut().zip(row).for_each(|(y, &w)| *y += x * w);
            }
        }
        outputs
    }

    /// A layer and ReLU.
    fn rectified(&self, layer: usize, inputs: &[f32]) -> Vec<f32> {
        let mut outputs = self.layer(layer, inputs);
        outputs.iter_mut().for_each(|y| *y = y.max(0.0));
        outputs
    }

    /// The latents of an image before rounding.
    pub(super) fn real_latents(&self, image: &[f32]) -> Vec<f32> {
        let image: Vec<f32> = image.iter().zip(&self.mean).map(|(x, mean)| (x - mean) * self.scale).collect();
        self.rectified(1, &self.rectified(0, &image))
    }

    /// The image of latents.
    pub(super) fn image(&self, latents: &[f32]) -> Vec<f32> {
        let mut image = self.layer(3, &self.rectified(2, latents));
        image.iter_mut().zip(&self.mean).for_each(|(y, mean)| *y = *y / self.scale + mean);
        image
    }

    /// Latents rounded to multiples of `step`.
    pub(super) fn rounded(latents: &[f32], step: f32) -> Vec<i32> {
        latents.iter().map(|z| (z / step).round_ties_even().min(MAX_LATENT as f32) as i32).collect()
    }

    /// The latents of each image, in multiples of [`Model::step`].
    ///
    /// # Errors
    /// `Argument` for images of another size.
    pub fn latents(&self, images: &Images) -> Result<Vec<Vec<i32>>> {
        if images.size() != self.size {
            let [found, wanted] = [images.size(), self.size];
            return Err(Error::Argument(format!("images of size {found:?}: the model is for {wanted:?}")));
        }
        let images: Vec<&[f32]> = images.iter().collect();
        Ok(images.par_iter().map(|image| Model::rounded(&self.real_latents(image), self.step)).collect())
    }

    /// What is stored of latents: those that are not zero, or their differences that are not.
    pub(super) fn entries(&self, latents: &[i32]) -> Vec<Entry> {
        let before = |i: usize| match (self.penalty, i) {
            (Penalty::Latent, _) | (_, 0) => 0,
            (Penalty::Gradient, _) => latents[i - 1],
        };
        let stored = latents.iter().enumerate().map(|(i, &z)| (i, z - before(i)));
        stored.filter(|&(_, value)| value != 0).collect()
    }

    /// The inverse of [`Model::entries`].
    fn dense(&self, entries: &[Entry]) -> Result<Vec<f32>> {
        let mut values = vec![0i64; self.sizes.l];
        for &(place, value) in entries {
            values[place] = i64::from(value);
        }
        let mut sum = 0;
        let mut latents = Vec::with_capacity(values.len());
        for value in values {
            sum = if self.penalty == Penalty::Gradient { sum + value } else { value };
            if !(0..=i64::from(MAX_LATENT)).contains(&sum) {
                return Err(Error::Corrupt(format!("damaged latents: {sum} is none")));
            }
            latents.push(sum as f32 * self.step);
        }
        Ok(latents)
    }

    /// Images as bytes: a header of 17 bytes and the nonzero latents of all images, or the nonzero differences,
    /// arithmetic-coded one after another with models that learn on the way.
    ///
    /// # Errors
    /// `Argument` for images of another size, or 2^32 of them.
    pub fn encode(&self, images: &Images) -> Result<Vec<u8>> {
        let n_images = u32::try_from(images.n_images());
        let n_images =
            n_images.map_err(|_| Error::Argument("2^32 images or more: code them in parts".into()))?;
        let lists: Vec<_> = self.latents(images)?.iter().map(|z| self.entries(z)).collect();
        let latents = pack(&lists, self.sizes.l)?;
        let mut bytes = CODE_MAGIC.to_vec();
        bytes.extend(self.checksum().to_le_bytes());
        bytes.extend(n_images.to_le_bytes());
        bytes.extend(crc32fast::hash(&latents).to_le_bytes());
        bytes.extend(latents);
        Ok(bytes)
    }

    /// The images that [`Model::encode`] wrote with the same model, at most `max_images`. The same bits on every machine.
    ///
    /// # Errors
    /// `Corrupt` for bytes that it did not write, or wrote with another model; `Argument` for more images than
    /// `max_images`.
    pub fn decode(&self, bytes: &[u8], max_images: usize) -> Result<Images> {
        let Some((header, latents)) = bytes.split_at_checked(CODE_HEADER) else {
            return Err(Error::Corrupt("no images of a sparse autoencoder: too short".into()));
        };
        if header[..5] != CODE_MAGIC {
            return Err(Error::Corrupt("no images of a sparse autoencoder".into()));
        }
        if word(header, 5) != self.checksum() {
            return Err(Error::Corrupt("images coded with another model: decode them with that one".into()));
        }
        let n_images = word(header, 9) as usize;
        if n_images > max_images {
            return Err(Error::Argument(format!("{n_images} images: the limit is {max_images}")));
        }
        if word(header, 13) != crc32fast::hash(latents) {
            return Err(Error::Corrupt("damaged latents: wrong checksum".into()));
        }
        let latents: Result<Vec<_>> =
            unpack(latents, n_images, self.sizes.l)?.iter().map(|list| self.dense(list)).collect();
        let images: Vec<Vec<f32>> = latents?.par_iter().map(|z| self.image(z)).collect();
        Images::new(self.size, images.concat()).map_err(|e| Error::Corrupt(e.to_string()))
    }

    /// Names the model in what it codes: the checksum at the end of its file. (That of a whole file, its own checksum
    /// included, is the same for all.)
    fn checksum(&self) -> u32 {
        let bytes = self.to_bytes();
        word(&bytes, bytes.len() - 4)
    }

    /// The model as a file: everything in little-endian order, single precision, with a checksum at the end.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = MODEL_MAGIC.to_vec();
        for extent in [self.size[0], self.size[1], self.sizes.m, self.sizes.l] {
            // Below 2^31: sizes were checked.
            bytes.extend((extent as u32).to_le_bytes());
        }
        bytes.push(u8::from(self.penalty == Penalty::Gradient));
        bytes.extend(self.lambda.to_le_bytes());
        for number in [self.scale, self.step].iter().chain(&self.mean).chain(&self.weights) {
            bytes.extend(number.to_le_bytes());
        }
        let checksum = crc32fast::hash(&bytes);
        bytes.extend(checksum.to_le_bytes());
        bytes
    }

    /// The inverse of [`Model::to_bytes`].
    ///
    /// # Errors
    /// `Corrupt` for bytes that are no model.
    pub fn from_bytes(bytes: &[u8]) -> Result<Model> {
        let corrupt = |why: &str| Error::Corrupt(format!("no model of a sparse autoencoder: {why}"));
        if bytes.len() < MODEL_HEADER + 4 || bytes[..5] != MODEL_MAGIC {
            return Err(corrupt("other first bytes"));
        }
        let (content, checksum) = bytes.split_at(bytes.len() - 4);
        let extent = |i: usize| word(content, 5 + 4 * i) as usize;
        let size = [extent(0), extent(1)];
        let sizes = Sizes { n: size[0].saturating_mul(size[1]), m: extent(2), l: extent(3) };
        sizes.check().map_err(|e| corrupt(&e.to_string()))?;
        if content.len() != MODEL_HEADER + 4 * (sizes.n + sizes.n_weights()) {
            return Err(corrupt("its length is not that of its sizes"));
        }
        if word(checksum, 0) != crc32fast::hash(content) {
            return Err(corrupt("wrong checksum"));
        }
        let penalty = match content[21] {
            0 => Penalty::Latent,
            1 => Penalty::Gradient,
            _ => return Err(corrupt("an unknown penalty")),
        };
        let mut lambda = [0; 8];
        lambda.copy_from_slice(&content[22..30]);
        let numbers = content[30..].as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b));
        let numbers: Vec<f32> = numbers.collect();
        let [scale, step] = [numbers[0], numbers[1]];
        let positive = |x: f32| x.is_finite() && x > 0.0;
        if !positive(scale) || !positive(step) || !numbers.iter().all(|x| x.is_finite()) {
            return Err(corrupt("a number that is none"));
        }
        let (mean, weights) = (numbers[2..2 + sizes.n].to_vec(), numbers[2 + sizes.n..].to_vec());
        Ok(Model { size, sizes, penalty, lambda: f64::from_le_bytes(lambda), mean, scale, step, weights })
    }
}

/// Four bytes at `at`, which the caller knows to be there.
fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(penalty: Penalty) -> Model {
        let sizes = Sizes { n: 12, m: 7, l: 20 };
        Model {
            size: [3, 4],
            sizes,
            penalty,
            lambda: 0.01,
            mean: (0..12).map(|i| i as f32 / 24.0).collect(),
            scale: 3.0,
            step: 0.03,
            weights: sizes.start(3),
        }
    }

    fn images() -> Images {
        Images::new([3, 4], (0..12 * 9).map(|i| ((i * 29 + 3) % 31) as f32 / 31.0).collect()).unwrap()
    }

    #[test]
    fn images_come_back_as_the_latents_say() {
        for penalty in [Penalty::Latent, Penalty::Gradient] {
            let model = model(penalty);
            let bytes = model.encode(&images()).unwrap();
            let decoded = model.decode(&bytes, 9).unwrap();
            let latents = model.latents(&images()).unwrap();
            assert!(latents.iter().flatten().filter(|&&z| z > 0).count() > 20);
            for (image, latents) in decoded.iter().zip(latents) {
                let latents: Vec<f32> = latents.iter().map(|&z| z as f32 * model.step).collect();
                assert_eq!(image, model.image(&latents));
            }
            assert!(matches!(model.decode(&bytes, 8), Err(Error::Argument(_))));
        }
    }

    #[test]
    fn images_of_another_size_are_refused() {
        let other = Images::new([4, 3], vec![0.0; 12]).unwrap();
        assert!(matches!(model(Penalty::Latent).encode(&other), Err(Error::Argument(_))));
    }

    #[test]
    fn models_come_back() {
        for penalty in [Penalty::Latent, Penalty::Gradient] {
            let model = model(penalty);
            assert_eq!(Model::from_bytes(&model.to_bytes()).unwrap(), model);
        }
    }

    #[test]
    fn damage_is_an_error() {
        let model = model(Penalty::Gradient);
        let (file, code) = (model.to_bytes(), model.encode(&images()).unwrap());
        let damaged = |bytes: &[u8], bit: usize| {
            let mut bytes = bytes.to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        for n in 0..file.len() {
            assert!(matches!(Model::from_bytes(&file[..n]), Err(Error::Corrupt(_))), "{n}");
        }
        for bit in 0..file.len() * 8 {
            assert!(matches!(Model::from_bytes(&damaged(&file, bit)), Err(Error::Corrupt(_))), "{bit}");
        }
        for n in 0..code.len() {
            assert!(matches!(model.decode(&code[..n], 9), Err(Error::Corrupt(_))), "{n}");
        }
        for bit in 0..code.len() * 8 {
            assert!(model.decode(&damaged(&code, bit), 9).is_err(), "{bit}");
        }
        let mut other = model.clone();
        other.step = 0.04;
        assert!(other.decode(&code, 9).unwrap_err().to_string().contains("another model"));
    }

    #[test]
    fn well_formed_nonsense_is_an_error() {
        let model = model(Penalty::Gradient);
        // A first difference below zero; checksums as they should be.
        for list in [vec![(0, -1)], vec![(0, MAX_LATENT), (1, 1)], vec![(3, i32::MAX), (4, i32::MAX)]] {
            let latents = pack(&[list], 20).unwrap();
            let mut bytes = CODE_MAGIC.to_vec();
            bytes.extend(model.checksum().to_le_bytes());
            bytes.extend(1u32.to_le_bytes());
            bytes.extend(crc32fast::hash(&latents).to_le_bytes());
            bytes.extend(latents);
            assert!(matches!(model.decode(&bytes, 1), Err(Error::Corrupt(_))));
        }
        // Sizes that no file can hold.
        let mut file = model.to_bytes();
        file[5..21].fill(0xff);
        assert!(matches!(Model::from_bytes(&file), Err(Error::Corrupt(_))));
    }
}
