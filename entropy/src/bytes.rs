//! The byte store under the range coder: a sink that can take back a carry, a source that never ends.

/// Bytes written so far, most significant first.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sink {
    bytes: Vec<u8>,
}

impl Sink {
    /// Appends one byte.
    pub(crate) fn push(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    /// Adds one unit to the last byte, and to those before it as long as they overflow.
    ///
    /// A byte that overflows becomes zero and can only overflow again after 255 further carries, so the walk costs a
    /// constant amount per byte on average.
    pub(crate) fn carry(&mut self) {
        for byte in self.bytes.iter_mut().rev() {
            *byte = byte.wrapping_add(1);
            if *byte != 0 {
                return;
            }
        }
    }

    /// The bytes, less at most `n` zeros at their end.
    pub(crate) fn into_bytes(mut self, n: usize) -> Vec<u8> {
        for _ in 0..n {
            if self.bytes.last() != Some(&0) {
                break;
            }
            self.bytes.pop();
        }
        self.bytes
    }
}

/// Bytes to read, followed by zeros without end.
#[derive(Debug, Clone)]
pub(crate) struct Source<'a> {
    bytes: &'a [u8],
    n_past_end: u64,
}

impl<'a> Source<'a> {
    /// Reads from the first byte of `bytes` on.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, n_past_end: 0 }
    }

    /// The next byte, or zero past the end.
    pub(crate) fn next(&mut self) -> u8 {
        match self.bytes.split_first() {
            Some((&byte, rest)) => {
                self.bytes = rest;
                byte
            }
            None => {
                self.n_past_end += 1;
                0
            }
        }
    }

    /// How many zeros were made up so far.
    pub(crate) fn n_past_end(&self) -> u64 {
        self.n_past_end
    }

    /// Bytes not yet read.
    pub(crate) fn n_left(&self) -> usize {
        self.bytes.len()
    }
}
