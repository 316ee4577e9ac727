//! Speed of a GPU: training samples a second of one network and of many at once, and decoding, beside the two floors
//! that the card sets (operations over rate, bytes over bandwidth).
//!
//! `gpu [--seconds 2] [--flops 67e12] [--bf16-flops 989e12] [--bandwidth 4.8e12]` prints rows; the defaults are the
//! published rates of an H200 in f32 and in dense bf16, and its bandwidth. A multiply-add is two operations; gradients are twice the forward pass, but for the layer that
//! reads the coordinates. Bytes are those that must cross the card's memory: the sites' coordinates, features, targets and
//! occupancy in, the heads out; weights stay on the chip.

use inrfit::backend::cpu::Cpu;
use inrfit::backend::cuda::Cuda;
use inrfit::backend::{
    Adam, Backend, Loss, Muon, Optimizer, Precision, Round, Schedule, SiteBlock, TrainingSet, ValueLoss,
};
use inrfit::error::Result;
use inrfit::net::{Model, NetSpec, Source, Weights};
use inrfit_sampling::DrawTable;
use std::sync::Barrier;
use std::time::Instant;

fn argument(name: &str, default: f64) -> f64 {
    let args: Vec<String> = std::env::args().collect();
    args.windows(2).find(|w| w[0] == name).and_then(|w| w[1].parse().ok()).unwrap_or(default)
}

/// A wedge of a detector's size.
const SHAPE: [usize; 3] = [192, 249, 16];
/// Occupied voxels of one.
const N_OCCUPIED: usize = 76_000;

fn siren() -> NetSpec {
    let model = Model::Siren { omega_first: 30.0, omega_hidden: 30.0 };
    NetSpec { model, n_coords: 3, n_features: 0, hidden: 128, n_layers: 3, n_heads: 1 }
}

/// The default network beside an exact occupancy.
fn conditioned() -> NetSpec {
    let model = Model::Conditioned { omega_first: 60, omega_hidden: 3, coord_units: 16, feature_units: 16 };
    NetSpec { model, n_coords: 3, n_features: 81, hidden: 16, n_layers: 3, n_heads: 1 }
}

/// Operations of a training step on one site.
fn step_flops(spec: &NetSpec) -> f64 {
    let flops = |l: &inrfit::net::Dense| {
        let reads_layers = l.sources.iter().any(|s| matches!(s, Source::Layer(_)));
        (if reads_layers { 6 } else { 4 }) * l.n_in * l.n_out
    };
    spec.layers().iter().map(flops).sum::<usize>() as f64
}

struct Data {
    axes: [Vec<f32>; 3],
    positions: Option<Vec<u32>>,
    features: Vec<f32>,
    targets: Vec<f32>,
    occupied: Vec<bool>,
}

impl Data {
    fn new(spec: &NetSpec) -> Data {
        let n_grid: usize = SHAPE.iter().product();
        let axis = |n: usize| (0..n).map(|i| 2.0 * i as f32 / (n - 1) as f32 - 1.0).collect();
        let n = if spec.n_features > 0 { N_OCCUPIED } else { n_grid };
        let positions = (0..n as u32).map(|i| (u64::from(i) * n_grid as u64 / n as u64) as u32).collect();
        Data {
            axes: SHAPE.map(axis),
            positions: (spec.n_features > 0).then_some(positions),
            features: (0..n * spec.n_features).map(|i| (i * i % 7 == 1) as u8 as f32).collect(),
            targets: (0..n).map(|i| (i % 97) as f32 / 97.0).collect(),
            occupied: vec![true; n],
        }
    }

    fn set(&self) -> TrainingSet<'_> {
        let [a, b, c] = &self.axes;
        let sites =
            SiteBlock { axes: [a, b, c], positions: self.positions.as_deref(), features: &self.features };
        TrainingSet { sites, targets: &self.targets, occupied: &self.occupied }
    }
}

#[derive(Clone, Copy)]
struct Card {
    flops: f64,
    bandwidth: f64,
}

impl Card {
    /// A row: what, how much a second, both floors as rates, and the share of the nearer one.
    fn row(&self, what: &str, rate: f64, flops: f64, bytes: f64) {
        let (by_flops, by_bytes) = (self.flops / flops, self.bandwidth / bytes);
        println!("{what},{rate:.4e},{by_flops:.4e},{by_bytes:.4e},{:.4}", rate / by_flops.min(by_bytes));
    }
}

fn round<'a>(
    table: &'a DrawTable,
    batch: usize,
    optimizer: Optimizer,
    first: u64,
    n_steps: u64,
) -> Round<'a> {
    Round {
        first_step: first,
        n_steps,
        batch,
        seed: 0,
        table: Some(table),
        loss: Loss { value: ValueLoss::L1, value_scale: 1.0, correct: false },
        schedule: Schedule { initial: 1e-3, last: 0.01, n_steps: 100_000 },
        optimizer,
        rounding: None,
    }
}

/// Samples a second of `n` networks at once.
fn training(
    cuda: &Cuda,
    spec: NetSpec,
    data: &Data,
    n: usize,
    batch: usize,
    optimizer: Optimizer,
    precision: Precision,
    seconds: f64,
) -> Result<f64> {
    let table = DrawTable::once(data.targets.len()).expect("a table").with_draws_per_step(batch as u64);
    let weights = Weights::initial(spec, 0)?;
    let together = Barrier::new(n);
    let one = || -> Result<f64> {
        let trainer = cuda.trainer(&weights, data.set(), precision);
        // All are there before any is timed: how many there are decides how rounds are cut up.
        together.wait();
        let mut trainer = trainer?;
        let n_steps = ((1 << 18) / batch).max(1) as u64;
        trainer.run(&round(&table, batch, optimizer, 0, n_steps))?;
        let (start, mut step) = (Instant::now(), n_steps);
        while start.elapsed().as_secs_f64() < seconds {
            trainer.run(&round(&table, batch, optimizer, step, n_steps))?;
            step += n_steps;
        }
        Ok((step - n_steps) as f64 * batch as f64 / start.elapsed().as_secs_f64())
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..n).map(|_| scope.spawn(one)).collect();
        running.into_iter().map(|r| r.join().expect("a thread")).sum()
    })
}

fn main() -> Result<()> {
    let card = Card { flops: argument("--flops", 67e12), bandwidth: argument("--bandwidth", 4.8e12) };
    let tensor_cores = Card { flops: argument("--bf16-flops", 989e12), ..card };
    let seconds = argument("--seconds", 2.0);
    let start = Instant::now();
    let cuda = Cuda::shared(None)?;
    let (compiled, found) = (start.elapsed().as_secs_f64(), cuda.found());
    eprintln!("{found:?}, open and compiled in {compiled:.2} s");
    println!("what,per_second,by_operations,by_bytes,share_of_the_nearer");
    let adam = Optimizer::from(Adam::default());
    let muon = Optimizer { muon: Some(Muon { momentum: 0.95, step: 0.2 }), ..adam };
    let (siren, conditioned) = (siren(), conditioned());
    let [of_siren, of_conditioned] = [&siren, &conditioned].map(Data::new);
    // Coordinates are looked up; a draw, a target, an occupancy and the features cross the memory.
    let bytes = |spec: &NetSpec| 4.0 + 4.0 + 1.0 + 4.0 * spec.n_features as f64;
    for batch in [8_192, 65_536, 262_144] {
        for (card, precision) in [(&card, Precision::F32), (&tensor_cores, Precision::Bf16)] {
            let rate = training(&cuda, siren, &of_siren, 1, batch, adam, precision, seconds)?;
            let what = format!("train siren 128x3 {precision:?} batch {batch}");
            card.row(&what, rate, step_flops(&siren), bytes(&siren));
        }
    }
    for n in [1, found.n_multiprocessors as usize] {
        for (name, optimizer, precision) in
            [("adam", adam, Precision::F32), ("muon", muon, Precision::F32), ("adam", adam, Precision::Bf16)]
        {
            let rate = training(&cuda, conditioned, &of_conditioned, n, 4096, optimizer, precision, seconds)?;
            let what = format!("train conditioned 16x3 {n} at once {name} {precision:?} batch 4096");
            let card = if precision == Precision::F32 { &card } else { &tensor_cores };
            card.row(&what, rate, step_flops(&conditioned), bytes(&conditioned));
        }
    }
    let cpu = Cpu::new(std::thread::available_parallelism().map_or(1, usize::from))?;
    for (name, spec, data) in
        [("siren 128x3", siren, &of_siren), ("conditioned 16x3", conditioned, &of_conditioned)]
    {
        let weights = Weights::initial(spec, 1)?;
        let sites = data.set().sites;
        let [mut got, mut expected] = [f32::NAN, 0.0].map(|v| vec![v; sites.n_sites() * spec.n_heads]);
        cpu.evaluate(&weights, &sites, &mut expected)?;
        cuda.evaluate(&weights, &sites, &mut got)?;
        let same = got.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "decoding {name} differs from the CPU");
        let (start, mut n) = (Instant::now(), 0);
        while start.elapsed().as_secs_f64() < seconds {
            cuda.evaluate(&weights, &sites, &mut got)?;
            n += 1;
        }
        let rate = f64::from(n) / start.elapsed().as_secs_f64();
        let n_sites = sites.n_sites() as f64;
        let bytes = n_sites * 4.0 * (spec.n_features + spec.n_heads) as f64;
        card.row(
            &format!("decode a wedge {name} copies included"),
            rate,
            n_sites * spec.flops() as f64,
            bytes,
        );
    }
    Ok(())
}
