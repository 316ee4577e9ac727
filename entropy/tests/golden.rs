//! Fixed bytes for fixed input: the coder and its models are part of a file format.

mod common;

use common::{pack, unpack};

fn check(n_columns: usize, values: &[i32], expected: &str) {
    let bytes = pack(n_columns, values);
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, expected);
    assert_eq!(unpack(n_columns, values.len(), &bytes), values);
}

#[test]
fn small_tensors() {
    check(4, &[3, -1, 0, 2, -5, 4, 1, -2, 0, 7, -3, 1], "c66998e15744f9");
    check(1, &[0], "fd");
    check(1, &[-12_345], "fc0000000008");
    check(2, &[i32::MIN, i32::MAX, 0, 1, -1], "0040000000240f04a9dd4c5f1fa2638c");
    check(8, &[100, 103, 98, 101, 99, 100, 97, 104, 102, 100], "cc19c20003a3907644c3");
}

#[test]
fn a_larger_tensor() {
    // Four uniform numbers make about a bell curve; odd rows are three times as wide as even ones.
    let mut state = 1u32;
    let mut uniform = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as i32 - 128
    };
    let values: Vec<i32> = (0..64 * 48)
        .map(|i| {
            let sum: i32 = (0..4).map(|_| uniform()).sum();
            sum * if i / 48 % 2 == 1 { 3 } else { 1 } / 32
        })
        .collect();
    let bytes = pack(48, &values);
    // FNV-1a, 64 bits.
    let hash =
        bytes.iter().fold(0xCBF2_9CE4_8422_2325u64, |h, &b| (h ^ u64::from(b)).wrapping_mul(0x100_0000_01B3));
    assert_eq!((bytes.len(), hash), (1941, 10_809_571_755_006_440_271));
    assert_eq!(unpack(48, values.len(), &bytes), values);
}
