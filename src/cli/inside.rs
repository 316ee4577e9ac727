//! What a compressed file holds, read from its records without decoding them.

use inrfit::codec::Layers;
use inrfit::container::{Contents, Limits, Record, ResidualLayer, kind, layer_bytes};
use inrfit::error::Result;
use inrfit::residual::Rule;

/// A reader that only looks refuses nothing for its size.
pub const NO_LIMITS: Limits =
    Limits { max_event_bytes: u64::MAX, max_weights: u64::MAX, max_operations: u64::MAX };

/// What a compressed file holds.
#[derive(Debug)]
pub struct Inside<'a> {
    /// Version of its format.
    pub version: u8,
    /// Its records.
    pub contents: Contents<'a>,
    /// Bytes of each layer.
    pub layers: Layers,
    /// Weights of all fields.
    pub n_weights: u64,
    /// How its values are kept within a bound, where they are: of its first tile that has any.
    rule: Option<Rule>,
}

impl<'a> Inside<'a> {
    /// Reads the records of a file.
    ///
    /// # Errors
    /// `Corrupt`, `Truncated`, `Unsupported`.
    pub fn read(bytes: &'a [u8]) -> Result<Inside<'a>> {
        let contents = Contents::read(bytes, &NO_LIMITS)?;
        let mut layers = Layers { other: bytes.len() as u64, ..Layers::default() };
        let mut n_fields = 0;
        for record in &contents.records {
            if !matches!(record.kind, kind::FIELD | kind::SUPPORT | kind::RESIDUAL | kind::RAW) {
                continue;
            }
            n_fields += u64::from(record.kind == kind::FIELD);
            let n_bytes = layer_bytes(record.payload) as u64;
            *layers.of(record.kind) += n_bytes;
            layers.other -= n_bytes;
        }
        let each = contents.network.map_or(0, |network| network.spec.n_weights() as u64);
        // The version is the byte after the magic, which reading has checked.
        let version = bytes.get(8).copied().unwrap_or_default();
        let residual = contents.tiles.iter().find_map(|layers| layers.residual);
        let rule = match residual {
            Some(record) => Some(ResidualLayer::from_payload(record.payload, record.payload_offset)?.rule),
            None => None,
        };
        Ok(Inside { version, layers, n_weights: n_fields * each, rule, contents })
    }

    /// The choice of layers by name; `raw` = none, the samples as they are.
    pub fn mode(&self) -> &'static str {
        let tiles = &self.contents.tiles;
        match self.layers.field {
            _ if self.rule == Some(Rule::Integer(0)) => "lossless",
            _ if self.rule.is_some() => "bounded",
            _ if self.is_told_by_support() => "lossless",
            _ if tiles.iter().any(|layers| layers.support.is_some()) => "masked",
            1.. => "field",
            0 => "raw",
        }
    }

    /// Whether occupancy says all there is to say: no voxel is occupied, or all that are have one value.
    fn is_told_by_support(&self) -> bool {
        self.layers.field == 0 && self.contents.tiles.iter().all(|layers| layers.support.is_some())
    }

    /// How far any voxel may be off, in words; `None` where nothing is promised.
    pub fn bound(&self) -> Option<String> {
        let whole = self.is_told_by_support().then_some(Rule::Integer(0));
        Some(match self.rule.or(whole)? {
            Rule::Integer(0) => "none, every voxel is as it was".to_owned(),
            Rule::Integer(bound) => format!("{bound} at every voxel"),
            Rule::Width(width) => format!("{} at every voxel", (width / 2.0) as f32),
            Rule::Ratio(ratio) => {
                format!("{:.6} of log2(1 + sample) at every voxel", (ratio as f64).log2() - 32.0)
            }
        })
    }

    /// What fitted the fields.
    pub fn device(&self) -> &'static str {
        match self.contents.header.device {
            0 => "cpu",
            1 => "cuda",
            2 => "cpu-bf16",
            3 => "cuda-bf16",
            _ => "unknown",
        }
    }
}

/// Bytes of a record from its type to its checksum.
pub fn record_bytes(record: &Record<'_>) -> u64 {
    record.payload_offset - record.offset + record.payload.len() as u64 + 4
}

/// The name of a type of record.
pub fn record_name(record: &Record<'_>) -> &'static str {
    match record.kind {
        kind::HEADER => "header",
        kind::NETWORK => "network",
        kind::FIELD => "field",
        kind::SUPPORT => "support",
        kind::RESIDUAL => "residual",
        kind::RAW => "raw",
        kind::PRIOR => "prior",
        kind::INDEX => "index",
        kind::END => "end",
        _ => "unknown",
    }
}
