//! What kernels are handed, byte for byte as `kernels/*.cuh` declare it. Pointers are of the device, as whole numbers.

use bytemuck::{Pod, Zeroable};

/// Threads of a block; the kernels have the same number.
pub const THREADS: usize = 256;
/// Points of a tile at most, and what groups of draws are made of.
pub const POINTS: usize = 64;
/// Marks a place that lies in a block's scratch memory, and a second standing that is negated.
pub const HIGH: u32 = 0x8000_0000;
/// No place.
pub const NOWHERE: u32 = u32::MAX;

/// Of [`Layer::flags`].
pub const SUMS_ARE_REAL: u32 = 1;
pub const IS_FIXED: u32 = 2;
pub const IS_TENSOR: u32 = 4;

/// Of [`Table::law`].
pub const EVERY_SITE: u32 = 0;
pub const UNIFORM: u32 = 1;
pub const ALIAS: u32 = 2;
pub const EPOCHS: u32 = 3;

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Net {
    pub n_layers: u32,
    pub n_features: u32,
    pub n_heads: u32,
    pub n_rows: u32,
    pub n_forward: u32,
    pub n_back: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Layer {
    pub in_first: u32,
    pub n_in: u32,
    pub out_first: u32,
    pub n_out: u32,
    pub part: u32,
    pub part_places: u32,
    pub n_places: u32,
    pub matrix: u32,
    pub bias: u32,
    pub back: u32,
    pub n_back: u32,
    pub in_complex: u32,
    pub in_product: u32,
    pub in_factor: u32,
    pub factor: u32,
    pub activation: u32,
    pub flags: u32,
    pub tensor_forward: u32,
    pub tensor_back: u32,
    pub omega: f32,
    pub scale: f32,
    pub in_omega: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Places {
    pub values: u32,
    pub slopes: u32,
    pub forward: u32,
    pub back: u32,
    pub gradient: u32,
    pub total: u32,
    pub muon: u32,
    pub scratch_stride: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Sites {
    pub axes: u64,
    pub positions: u64,
    pub features: u64,
    pub n: [u32; 3],
    pub unused: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Table {
    pub cells: u64,
    pub order: u64,
    pub draws_per_step: u64,
    pub law: u32,
    pub n_sites: u32,
    pub n_first: u32,
    pub n_rest: u32,
    pub n_taken: u32,
    pub unused: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Start {
    pub epoch: u64,
    pub at: u64,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Step {
    pub number: u64,
    pub start: Start,
    pub rate: f32,
    pub corrected: f32,
    pub root2: f32,
    pub kept: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Pod, Zeroable)]
pub struct Standing {
    pub forward: u32,
    pub back: u32,
    pub forward_again: u32,
    pub back_again: u32,
    pub tensor_forward: u32,
    pub tensor_back: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Matrix {
    pub first: u32,
    pub n_rows: u32,
    pub n_cols: u32,
    pub unused: u32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Job {
    pub net: Net,
    pub n_stored: u32,
    pub n_matrices: u32,
    pub layers: u64,
    pub standings: u64,
    pub tensor_of: u64,
    pub stored: u64,
    pub moved: u64,
    pub moment1: u64,
    pub moment2: u64,
    pub average: u64,
    pub forward: u64,
    pub back: u64,
    pub tensor: u64,
    pub partial: u64,
    pub total: u64,
    pub clip: u64,
    pub losses: u64,
    pub matrices: u64,
    pub scratch: u64,
    pub targets: u64,
    pub occupied: u64,
    pub inverse: u64,
    pub sites: Sites,
    pub table: Table,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Round {
    pub seed: u64,
    pub steps: u64,
    pub rounding: u64,
    pub n_steps: u32,
    pub batch: u32,
    pub n_tiles: u32,
    pub n_groups: u32,
    pub squared: u32,
    pub is_clipped: u32,
    pub is_muon: u32,
    pub unused: u32,
    pub value_scale: f32,
    pub share: f32,
    pub beta1: f32,
    pub beta2: f32,
    pub epsilon: f32,
    pub longest: f32,
    pub momentum: f32,
    pub muon_step: f32,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Evaluation {
    pub net: Net,
    pub n_points: u32,
    pub stride: u32,
    pub layers: u64,
    pub forward: u64,
    pub scratch: u64,
    pub out: u64,
    pub sites: Sites,
    pub n_sites: u64,
    pub places: Places,
}

#[repr(C)]
#[derive(Debug, Clone, Copy, Default, Pod, Zeroable)]
pub struct Training {
    pub job: Job,
    pub round: Round,
    pub places: Places,
    pub step: u32,
    pub n_points: u32,
    pub stride: u32,
    pub n_partials: u32,
}
