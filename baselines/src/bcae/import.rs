//! Published checkpoints: PyTorch state dicts and safetensors files.

use super::arch::{Architecture, REGRESSION, SEGMENTATION};
use super::model::Model;
use super::tensorfile;
use super::weights::Named;
use crate::error::{Error, Result};
use pytorch_reader::{DType, PytorchError, PytorchReader};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Makes a model of the two checkpoints of a published BCAE (arXiv 2111.05423): encoder and decoder, each a PyTorch
/// state dict (`.pt`, `.pth`) or a safetensors file.
///
/// # Errors
/// `Io` for files that cannot be read; `Corrupt` for what is no checkpoint and for weights of another network;
/// `Argument` for an architecture without published checkpoints.
pub fn import(architecture: Architecture, encoder: &Path, decoder: &Path, threshold: f32) -> Result<Model> {
    if !architecture.takes_adc() {
        return Err(Error::Argument(format!(
            "{architecture} has no published layout of weights; those of bcae, bcae-wot and cae are read"
        )));
    }
    let mut named = BTreeMap::new();
    for (path, part) in [(encoder, Some("encoder")), (decoder, None)] {
        for (name, tensor) in checkpoint(path)? {
            let ours = rename(&name, part).ok_or_else(|| {
                Error::Corrupt(format!(
                    "{}: weights {name}, which {architecture} does not have",
                    path.display()
                ))
            })?;
            named.insert(ours, tensor);
        }
    }
    Model::from_named(architecture, threshold, named)
}

/// All tensors of a checkpoint.
pub(super) fn checkpoint(path: &Path) -> Result<BTreeMap<String, Named>> {
    let told = |e: &dyn std::fmt::Display| Error::Corrupt(format!("{}: {e}", path.display()));
    let unread = |e: std::io::Error| Error::Io(format!("{}: {e}", path.display()));
    if path.extension().is_some_and(|extension| extension == "safetensors") {
        return tensorfile::tensors(&std::fs::read(path).map_err(unread)?).map_err(|e| told(&e));
    }
    // One byte read here: what the reader of checkpoints then fails at is what the file holds.
    File::open(path).and_then(|mut file| file.read(&mut [0])).map_err(unread)?;
    let reader = PytorchReader::new(path).map_err(|e| match e {
        PytorchError::Zip(e) => told(&format!("cut short, or no PyTorch archive: {e}")),
        e => told(&format!("no PyTorch checkpoint: {e}")),
    })?;
    let mut named = BTreeMap::new();
    for (name, tensor) in reader.tensors() {
        // Counters of batches beside running statistics are integers: no weights.
        if tensor.dtype() != DType::F32 {
            continue;
        }
        let bytes = tensor.read().map_err(|e| told(&e))?;
        let (chunks, _) = bytes.as_chunks::<4>();
        let values = chunks.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        named.insert(name.clone(), Named { shape: tensor.shape().to_vec(), values });
    }
    Ok(named)
}

/// Our name of a published weight: `layers.encoder_block_0.main_block.3.weight` is `encoder.0.main.1.weight`.
fn rename(name: &str, part: Option<&str>) -> Option<String> {
    let (part, rest) = match part {
        Some(part) => (part, name),
        None => match name.split_once('.')? {
            ("decoder_c", rest) => (SEGMENTATION, rest),
            ("decoder_r", rest) => (REGRESSION, rest),
            _ => return None,
        },
    };
    let rest = rest.strip_prefix("layers.")?;
    let rest = rest.strip_prefix("encoder_").or_else(|| rest.strip_prefix("decoder_"))?;
    if let Some(rest) = rest.strip_prefix("output.0.") {
        return Some(format!("{part}.out.{rest}"));
    }
    let (block, layer) = rest.strip_prefix("block_")?.split_once('.')?;
    let layer = match layer.split_once('.') {
        None if layer == "rezero_alpha" => "alpha".to_owned(),
        Some(("main_block", rest)) => match rest.split_once('.')? {
            ("0", kind) => format!("main.0.{kind}"),
            ("3", kind) => format!("main.1.{kind}"),
            _ => return None,
        },
        Some(("side_block", rest)) => format!("side.{}", rest.strip_prefix("0.")?),
        _ => return None,
    };
    Some(format!("{part}.{block}.{layer}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_translated() {
        for (name, part, ours) in [
            ("layers.encoder_block_0.rezero_alpha", Some("encoder"), Some("encoder.0.alpha")),
            ("layers.encoder_block_2.main_block.3.bias", Some("encoder"), Some("encoder.2.main.1.bias")),
            ("layers.encoder_output.0.weight", Some("encoder"), Some("encoder.out.weight")),
            (
                "decoder_c.layers.decoder_block_1.side_block.0.weight",
                None,
                Some("segmentation.1.side.weight"),
            ),
            ("decoder_r.layers.decoder_output.0.bias", None, Some("regression.out.bias")),
            ("decoder_x.layers.decoder_output.0.bias", None, None),
            ("layers.encoder_block_0.main_block.1.weight", Some("encoder"), None),
            ("", None, None),
        ] {
            assert_eq!(rename(name, part).as_deref(), ours, "{name}");
        }
    }
}
