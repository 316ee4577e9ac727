//! Task 2: error against the size of the network.

use super::runs::{NETWORKS, Runs, STEPS, network};
use super::{Common, Run};
use clap::Args;
use inrfit::error::Result;
use inrfit::settings::Bits;
use std::num::NonZeroUsize;

/// Rate: error against weights and against bytes on disk
///
/// Every network with every width and number of hidden layers, its weights stored in each of the ways asked for. siren,
/// mfn and wire-real are the authors'; ffnet and wire, which their code does not have, are this program's with one head,
/// trained on all voxels a step by its own rates and schedule. A unit of wire is a complex one: its widths are divided by
/// the square root of 2, which keeps the number of weights.
#[derive(Debug, Args)]
pub struct Task2 {
    #[command(flatten)]
    pub(super) common: Common,
    /// Steps of a fit
    #[arg(long, value_name = "N", default_value_t = STEPS)]
    steps: u64,
    /// Networks
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_values_t = NETWORKS.map(str::to_owned))]
    models: Vec<String>,
    /// Units of a hidden layer
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "128,96,72")]
    widths: Vec<NonZeroUsize>,
    /// Hidden layers
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "3,4,5")]
    depths: Vec<NonZeroUsize>,
    /// Bits of a weight on disk, as in `compress --bits`: float = as published
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "float,6")]
    bits: Vec<Bits>,
}

/// Settings that the task says itself.
pub const FIXED: [&str; 8] = ["steps", "seed", "device", "preset", "model", "hidden", "layers", "bits"];

impl Task2 {
    /// Runs the task.
    ///
    /// # Errors
    /// As [`super::run`].
    pub fn rows(&self, runs: &mut Runs<'_>) -> Result<()> {
        let mut fits: Vec<(&String, Run)> = Vec::new();
        for name in &self.models {
            for bits in &self.bits {
                for depth in &self.depths {
                    for width in &self.widths {
                        let hidden = match name.as_str() {
                            "wire" => ((width.get() as f64 / 2f64.sqrt()).round() as usize).max(1),
                            _ => width.get(),
                        };
                        let network = network(name)?;
                        let sizes = format!("{network},hidden={hidden},layers={depth},bits={bits}");
                        fits.push((name, runs.run(&sizes, self.steps)?));
                    }
                }
            }
        }
        for i in 0..runs.n_events() {
            let (input, event) = runs.event(i)?;
            for (model, run) in &fits {
                let fitted = runs.fit(run, &event, &input)?;
                let row = Runs::row(&input, (*model).clone(), run.spec.clone(), &fitted);
                runs.add(row, &event, &fitted.decoded)?;
            }
        }
        Ok(())
    }
}
