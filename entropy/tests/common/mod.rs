//! Both directions of `code_matrix`.

use inrfit_entropy::{Decoder, Encoder, code_matrix};

/// Bytes of one tensor.
pub fn pack(n_columns: usize, values: &[i32]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    let mut copy = values.to_vec();
    code_matrix(&mut encoder, n_columns, &mut copy);
    assert_eq!(copy, values, "the encoder leaves the values alone");
    encoder.finish()
}

/// The integers in `bytes`; panics where the decoder reports that bytes are missing or left.
pub fn unpack(n_columns: usize, n: usize, bytes: &[u8]) -> Vec<i32> {
    let mut decoder = Decoder::new(bytes);
    // Nothing of what stood there before may show.
    let mut values: Vec<i32> = (0..n).map(|i| (i as i32).wrapping_mul(-77_777)).collect();
    code_matrix(&mut decoder, n_columns, &mut values);
    assert!(!decoder.overrun());
    assert_eq!(decoder.n_left(), 0);
    values
}
