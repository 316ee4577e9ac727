//! Coefficients to bytes and back, without loss: by adaptive models that look at the neighbours, or by zstd, whichever
//! is smaller.

use super::grid::Hierarchy;
use crate::error::{Error, Result};
use crate::frame::Reader;
use inrfit_entropy::{Coder, Decoder, Encoder, IntModel};

/// First byte: how the rest is coded.
const MODELS: u8 = 0;
const ZSTD: u8 = 1;

/// Level of zstd.
const ZSTD_LEVEL: i32 = 9;

/// Sizes of neighbours that a context tells apart.
const N_SIZES: usize = 8;

/// Codes the coefficients of all levels, in both directions.
///
/// A level's model has a context for each set of axes along which a node is new (the directions of a wavelet) and each
/// size of the neighbours that are already known: those one and two nodes before it along each axis.
fn code<C: Coder>(coder: &mut C, hierarchy: &Hierarchy, levels: &mut [Vec<i32>]) {
    for (level, integers) in levels.iter_mut().enumerate() {
        let shape = hierarchy.shape(level);
        let strides = [shape[1] * shape[2], shape[2], 1];
        let mut sizes = vec![0u32; shape.iter().product()];
        let mut model = IntModel::new(8 * N_SIZES);
        let mut integers = integers.iter_mut();
        let mut one = |at: usize, class: usize| {
            // The coarsest level's nodes are all its own.
            if class == 0 && level > 0 {
                return;
            }
            let mut sum = 0u32;
            for (axis, stride) in strides.into_iter().enumerate() {
                let i = at / stride % shape[axis];
                for (distance, weight) in [(1, 2), (2, 1)] {
                    if i >= distance {
                        sum = sum.saturating_add(weight * sizes[at - distance * stride]);
                    }
                }
            }
            let size = match sum {
                0..=2 => sum as usize,
                3..=4 => 3,
                5..=8 => 4,
                9..=20 => 5,
                21..=80 => 6,
                _ => 7,
            };
            if let Some(integer) = integers.next() {
                *integer = model.code(coder, class * N_SIZES + size, *integer);
                sizes[at] = integer.unsigned_abs().min(1 << 20);
            }
        };
        hierarchy.nodes(level, &mut one);
    }
}

/// Integers of all levels, nothing known of them yet.
fn empty(hierarchy: &Hierarchy) -> Vec<Vec<i32>> {
    let n = |level: usize| hierarchy.shape(level).iter().product::<usize>();
    (0..hierarchy.n_levels())
        .map(|level| vec![0; if level == 0 { n(0) } else { n(level) - n(level - 1) }])
        .collect()
}

/// The bytes of a sign-folded integer, seven bits each, the lowest first.
fn push(out: &mut Vec<u8>, integer: i32) {
    let mut folded = (integer << 1 ^ integer >> 31) as u32;
    while folded >= 128 {
        out.push(folded as u8 | 128);
        folded >>= 7;
    }
    out.push(folded as u8);
}

fn pop(reader: &mut Reader<'_>) -> Result<i32> {
    let folded = reader.varint()? as u32;
    Ok((folded >> 1) as i32 ^ -((folded & 1) as i32))
}

/// The bytes of the integers of all levels.
pub(crate) fn write(hierarchy: &Hierarchy, levels: &[Vec<i32>]) -> Result<Vec<u8>> {
    let mut encoder = Encoder::new();
    code(&mut encoder, hierarchy, &mut levels.to_vec());
    let modelled = encoder.finish();
    let mut plain = vec![];
    levels.iter().flatten().for_each(|&integer| push(&mut plain, integer));
    let packed = zstd::bulk::compress(&plain, ZSTD_LEVEL).map_err(|e| Error::Failed(e.to_string()))?;
    let (how, bytes) = if packed.len() < modelled.len() { (ZSTD, packed) } else { (MODELS, modelled) };
    Ok([&[how], &bytes[..]].concat())
}

/// The integers of all levels.
pub(crate) fn read(hierarchy: &Hierarchy, bytes: &[u8]) -> Result<Vec<Vec<i32>>> {
    let (&how, bytes) =
        bytes.split_first().ok_or_else(|| Error::Corrupt("MGARD: no coefficients".to_owned()))?;
    let mut levels = empty(hierarchy);
    match how {
        MODELS => {
            let mut decoder = Decoder::new(bytes);
            code(&mut decoder, hierarchy, &mut levels);
            if decoder.overrun() || decoder.n_left() > 0 {
                return Err(Error::Corrupt("MGARD: too few or too many coefficients".to_owned()));
            }
        }
        ZSTD => {
            let n: usize = levels.iter().map(Vec::len).sum();
            let plain = zstd::bulk::decompress(bytes, 5 * n).map_err(|e| Error::Corrupt(e.to_string()))?;
            let mut reader = Reader(&plain);
            for integer in levels.iter_mut().flatten() {
                *integer = pop(&mut reader)?;
            }
            if !reader.0.is_empty() {
                return Err(Error::Corrupt("MGARD: too many coefficients".to_owned()));
            }
        }
        _ => return Err(Error::Corrupt(format!("MGARD: no coding {how}"))),
    }
    Ok(levels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_come_back_from_both_codings() {
        let hierarchy = Hierarchy::new([9, 4, 7]);
        let fill = |f: &dyn Fn(usize) -> i32| {
            let mut levels = empty(&hierarchy);
            levels.iter_mut().flatten().enumerate().for_each(|(i, v)| *v = f(i));
            levels
        };
        let mut used = vec![];
        // Long repetitions are for zstd, the rest for models.
        let wild = |i: usize| ((i as f64 * 78.233).sin() * 2e9) as i32 >> (i % 31);
        for levels in [fill(&|_| 0), fill(&wild), fill(&|i| [1_000_000_007, 5, -77_777, 123_456][i % 4])] {
            let bytes = write(&hierarchy, &levels).unwrap();
            used.push(bytes[0]);
            assert_eq!(read(&hierarchy, &bytes).unwrap(), levels);
        }
        assert!(used.contains(&MODELS) && used.contains(&ZSTD), "{used:?}");
    }
}
