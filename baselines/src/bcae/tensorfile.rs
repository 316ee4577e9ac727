//! Safetensors files with one JSON object as metadata.

use super::weights::Named;
use crate::error::{Error, Result};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, HashMap};

/// A file of `f32` tensors. One entry of metadata: several would be written in any order.
pub(super) fn write<'a, M: Serialize>(
    key: &str,
    metadata: &M,
    tensors: impl Iterator<Item = (String, &'a [usize], &'a [f32])>,
) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Failed(format!("writing a model: {e}"));
    let metadata = serde_json::to_string(metadata).map_err(|e| failed(&e))?;
    let raw: Vec<(String, Vec<usize>, Vec<u8>)> = tensors
        .map(|(name, shape, values)| {
            (name, shape.to_vec(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
        })
        .collect();
    let mut views = Vec::with_capacity(raw.len());
    for (name, shape, bytes) in &raw {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(|e| failed(&e))?));
    }
    let metadata = HashMap::from([(key.to_owned(), metadata)]);
    safetensors::serialize(views, Some(metadata)).map_err(|e| failed(&e))
}

/// The metadata under `key` and all tensors of a file that [`write`] wrote.
pub(super) fn read<M: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<(M, BTreeMap<String, Named>)> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| corrupt(&e))?;
    let text = header.metadata().as_ref().and_then(|entries| entries.get(key));
    let text = text
        .ok_or_else(|| Error::Corrupt(format!("no metadata entry `{key}`: this is another kind of file")))?;
    let metadata =
        serde_json::from_str(text).map_err(|e| Error::Corrupt(format!("metadata `{key}`: {e}")))?;
    Ok((metadata, tensors(bytes)?))
}

/// All tensors of a safetensors file, which must be `f32`.
pub(super) fn tensors(bytes: &[u8]) -> Result<BTreeMap<String, Named>> {
    let file = SafeTensors::deserialize(bytes).map_err(|e| corrupt(&e))?;
    let mut named = BTreeMap::new();
    for (name, view) in file.iter() {
        if view.dtype() != Dtype::F32 {
            return Err(Error::Corrupt(format!("tensor {name} is {:?}; weights are F32", view.dtype())));
        }
        let (chunks, _) = view.data().as_chunks::<4>();
        let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        named.insert(name.to_owned(), Named { shape: view.shape().to_vec(), values });
    }
    Ok(named)
}

fn corrupt(e: &dyn std::fmt::Display) -> Error {
    Error::Corrupt(format!("not a safetensors file, or a damaged one: {e}"))
}
