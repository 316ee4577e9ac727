//! Images of one size.

use crate::error::{Error, Result};

/// Images of one size in C order; at least one.
#[derive(Debug, Clone, PartialEq)]
pub struct Images {
    size: [usize; 2],
    pixels: Vec<f32>,
}

impl Images {
    /// As many images of `size` (rows, columns) as `pixels` holds.
    ///
    /// # Errors
    /// `Argument` where there is none, where they are not whole or where a pixel is NaN or infinite.
    pub fn new(size: [usize; 2], pixels: Vec<f32>) -> Result<Images> {
        let n = size[0].checked_mul(size[1]).filter(|&n| n > 0);
        if !n.is_some_and(|n| !pixels.is_empty() && pixels.len().is_multiple_of(n)) {
            return Err(Error::Argument(format!("{} pixels are no images of size {size:?}", pixels.len())));
        }
        if let Some(i) = pixels.iter().position(|p| !p.is_finite()) {
            let image = i / (size[0] * size[1]);
            return Err(Error::Argument(format!(
                "image {image} has a pixel that is NaN or infinite: replace it"
            )));
        }
        Ok(Images { size, pixels })
    }

    /// Rows and columns of an image.
    pub fn size(&self) -> [usize; 2] {
        self.size
    }

    /// Pixels of an image.
    pub fn n_pixels(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// How many images there are; at least one.
    pub fn n_images(&self) -> usize {
        self.pixels.len() / self.n_pixels()
    }

    /// All pixels, image after image.
    pub fn pixels(&self) -> &[f32] {
        &self.pixels
    }

    /// The images, one after another.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f32]> {
        self.pixels.chunks_exact(self.n_pixels())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_whole_and_finite() {
        let images = Images::new([2, 3], (0..12).map(|i| i as f32).collect()).unwrap();
        assert_eq!((images.n_images(), images.n_pixels(), images.size()), (2, 6, [2, 3]));
        assert_eq!(images.iter().nth(1).unwrap(), [6.0, 7.0, 8.0, 9.0, 10.0, 11.0]);
        for (size, n) in [([2, 3], 11), ([2, 3], 0), ([0, 3], 6), ([usize::MAX, 2], 6)] {
            assert!(Images::new(size, vec![0.0; n]).is_err(), "{size:?} {n}");
        }
        for bad in [f32::NAN, f32::INFINITY] {
            assert!(
                Images::new([1, 2], vec![0.0, 1.0, bad, 2.0]).unwrap_err().to_string().contains("image 1")
            );
        }
    }
}
