//! Task 3: importance against random sampling.

use super::runs::{Run, Runs, STEPS, network};
use super::{Common, spec};
use clap::Args;
use inrfit::error::{Error, Result};

/// Sampling: importance against random, error and time by the fraction of voxels a step
///
/// SIREN with either sampler, a step drawing that share of the event's voxels: `importance` by |t| with replacement, empty
/// voxels by 0.1, uncorrected, as the authors draw; `uniform-once`, random without replacement, every voxel once an epoch. Times are those of the
/// fits alone: drawing, gathering and training, and 17 looks at 32,768 fixed voxels a fit, by which progress is told.
#[derive(Debug, Args)]
pub struct Task3 {
    #[command(flatten)]
    pub(super) common: Common,
    /// Steps of a fit; several, to see errors fall with time
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = STEPS_TEXT)]
    steps: Vec<u64>,
    /// Voxels a step / voxels of the event
    #[arg(
        long,
        value_name = "LIST",
        value_delimiter = ',',
        default_value = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"
    )]
    fractions: Vec<f64>,
    /// Samplers
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "importance,uniform-once")]
    samplers: Vec<String>,
    /// Network: siren, ffnet, mfn, wire or wire-real
    #[arg(long, value_name = "NAME", default_value = "siren")]
    model: String,
}

/// [`STEPS`] as a default.
const STEPS_TEXT: &str = "3000";

/// Settings that the task says itself.
pub const FIXED: [&str; 5] = ["steps", "seed", "device", "sampler", "batch"];

impl Task3 {
    /// Runs the task.
    ///
    /// # Errors
    /// As [`super::run`].
    pub fn rows(&self, runs: &mut Runs<'_>) -> Result<()> {
        if let Some(wrong) = self.fractions.iter().find(|f| !(**f > 0.0 && **f <= 1.0)) {
            return Err(Error::argument(format!(
                "a fraction of {wrong}: a step has more than 0 and at most 1"
            )));
        }
        let network = network(&self.model)?;
        let base =
            |sampler: &str, batch: usize| spec::merged(network, &format!("sampler={sampler},batch={batch}"));
        for sampler in &self.samplers {
            runs.run(&base(sampler, 1), STEPS)?;
        }
        for i in 0..runs.n_events() {
            let (input, event) = runs.event(i)?;
            for &n_steps in &self.steps {
                for sampler in &self.samplers {
                    for fraction in &self.fractions {
                        let batch = (fraction * event.n_voxels() as f64).round().max(1.0) as usize;
                        let run: Run = runs.run(&base(sampler, batch), n_steps)?;
                        let fitted = runs.fit(&run, &event, &input)?;
                        let settings = spec::merged(&format!("fraction={fraction}"), &run.spec);
                        let row = Runs::row(&input, sampler.clone(), settings, &fitted);
                        runs.add(row, &event, &fitted.decoded)?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_authors_number_of_steps() {
        assert_eq!(STEPS_TEXT, STEPS.to_string());
    }
}
