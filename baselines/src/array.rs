//! Events as arrays.

use crate::error::{Error, Result};

/// An event: ADC counts in C order, the last axis fastest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Array {
    shape: [usize; 3],
    counts: Vec<u16>,
}

impl Array {
    /// An event of `shape`.
    ///
    /// # Errors
    /// `Argument` where there are no counts, or not as many as the shape says.
    pub fn new(shape: [usize; 3], counts: Vec<u16>) -> Result<Array> {
        let n = shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent));
        if counts.is_empty() || n != Some(counts.len()) {
            return Err(Error::Argument(format!("{} counts do not fill the shape {shape:?}", counts.len())));
        }
        Ok(Array { shape, counts })
    }

    /// Extents of the axes.
    pub fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Counts, the last axis fastest.
    pub fn counts(&self) -> &[u16] {
        &self.counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_fill_the_shape() {
        assert!(Array::new([2, 3, 4], vec![0; 24]).is_ok());
        for shape in [[2, 3, 5], [0, 3, 4], [usize::MAX, usize::MAX, 4]] {
            assert!(Array::new(shape, vec![0; 24]).is_err(), "{shape:?}");
        }
        assert!(Array::new([0, 1, 1], vec![]).is_err());
    }
}
