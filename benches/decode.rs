//! Decoding speed: a wedge of 192 x 249 x 16 voxels from a SIREN of 128 units and 3 layers, two heads.
//!
//! `cargo bench --bench decode` prints the seconds of the whole grid by lane width and threads (the fastest of
//! several runs: the machine may be shared), and checks that all of them give the same bits.

use inrfit::backend::cpu::Cpu;
use inrfit::domain::{CoordMap, Transform};
use inrfit::event::DType;
use inrfit::field::NetField;
use inrfit::lane::Level;
use inrfit::net::{Model, NetSpec, Weights};
use std::time::Instant;

fn main() {
    let model = Model::Siren { omega_first: 90.0, omega_hidden: 12.0 };
    let spec = NetSpec { model, n_coords: 3, n_features: 0, hidden: 128, n_layers: 3, n_heads: 2 };
    let field = NetField {
        weights: Weights::initial(spec, 1).expect("valid sizes"),
        threshold: 0.0,
        transform: Transform::Log2 { unit_exponent: 0, center: 6.5, scale: 1.0 },
        coords: CoordMap::cube(-1.0, 1.0),
        pattern: None,
    };
    let mut reference = None;
    println!("lanes,threads,seconds,gflops,same_bits");
    // One lane emulates the fused multiply-add where the build target has none: minutes for a wedge, so it decodes
    // a slab of it, and its time is scaled.
    for level in Level::available().into_iter().rev() {
        for n_threads in [1, 2] {
            let cpu = Cpu::at_level(n_threads, level).expect("threads");
            let (n, share) = if level == Level::Scalar { (4, 48.0) } else { (192, 1.0) };
            let runs = if level == Level::Scalar { 1 } else { 7 };
            let mut best = f64::INFINITY;
            let mut samples = None;
            for _ in 0..runs {
                let start = Instant::now();
                let decoded =
                    field.decode(&cpu, [n, 249, 16], DType::U16, (70.0, 1023.0)).expect("a decoded tile");
                best = best.min(start.elapsed().as_secs_f64() * share);
                samples = Some(decoded);
            }
            let same = if n == 192 {
                reference.get_or_insert_with(|| samples.clone()) == &samples
            } else {
                slab_matches(&field, level)
            };
            let gflops = (192 * 249 * 16 * spec.flops()) as f64 / best / 1e9;
            println!("{},{n_threads},{best:.3},{gflops:.1},{same}", level.n_lanes());
        }
    }
}

/// Whether a slab decodes to the same bits at `level` as at the widest.
fn slab_matches(field: &NetField, level: Level) -> bool {
    let decode = |level| {
        let cpu = Cpu::at_level(2, level).expect("threads");
        field.decode(&cpu, [4, 249, 16], DType::U16, (70.0, 1023.0)).expect("a decoded tile")
    };
    decode(level) == decode(Level::detect())
}
