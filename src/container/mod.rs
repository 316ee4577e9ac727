//! Bytes of a compressed event: magic, version, typed records with checksums. `docs/format.md` is the reference.

mod contents;
mod file;
mod header;
mod layer;
mod pack;

pub use contents::{Contents, TileRecords, index_payload, is_prior, parse_index};
pub use file::{Reader, Record, Writer, frame};
pub use header::{Header, NetworkHeader, PriorHash, PriorName};
pub use layer::{FieldLayer, RawTile, ResidualLayer, SupportLayer, WeightCoding, layer_bytes};
pub use pack::{MAX_NAME, PackReader, PackWriter, PackedEvent, is_name, is_pack};

/// How much decoding may use; what needs more is refused before anything is allocated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the decoded samples.
    pub max_event_bytes: u64,
    /// Weights of a network.
    pub max_weights: u64,
    /// Operations of evaluating the fields at every voxel: floating-point ones, and voxels looked at for features.
    pub max_operations: u64,
}

impl Default for Limits {
    /// 4 GiB of samples, 16 million weights, and 3e14 operations: minutes on a desktop processor.
    fn default() -> Self {
        Limits { max_event_bytes: 4 << 30, max_weights: 16 << 20, max_operations: 300_000_000_000_000 }
    }
}

/// Record types. Bit 7 marks those that a reader must know; it skips others.
pub mod kind {
    /// What the event is; the first record.
    pub const HEADER: u8 = 0x81;
    /// The network that all fields of the file share.
    pub const NETWORK: u8 = 0x82;
    /// The field of one tile.
    pub const FIELD: u8 = 0x83;
    /// The exact set of occupied voxels of one tile.
    pub const SUPPORT: u8 = 0x84;
    /// The values of the occupied voxels of one tile, within a bound.
    pub const RESIDUAL: u8 = 0x85;
    /// The samples of one tile as they are.
    pub const RAW: u8 = 0x86;
    /// Where each tile's records start.
    pub const INDEX: u8 = 0x08;
    /// One event of a pack: its name and its complete file.
    pub const EVENT: u8 = 0x87;
    /// A prior that the values or the fields of a file were coded with.
    pub const PRIOR: u8 = 0x88;
    /// A network of contexts: the only record of a prior's file, besides the last.
    pub const CONTEXT_NETWORK: u8 = 0x89;
    /// Weights that fits start from: the second record of a prior's file, after the network they belong to.
    pub const STARTING_WEIGHTS: u8 = 0x8a;
    /// Where each event of a pack starts.
    pub const PACK_INDEX: u8 = 0x09;
    /// The last record.
    pub const END: u8 = 0xff;
    /// Set in types that a reader must know.
    pub const CRITICAL: u8 = 0x80;
}
