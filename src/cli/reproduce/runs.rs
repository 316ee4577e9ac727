//! Events, fits and rows.

use super::super::args::FitArgs;
use super::super::bench::{host, with_metrics};
use super::super::device;
use super::super::inside::NO_LIMITS;
use super::super::output::{Out, digits};
use super::super::progress::{Bar, go_on};
use super::super::report::json;
use super::{Common, spec};
use inrfit::codec::{Compressed, InrCodec};
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::io::read_event;
use inrfit::metrics::{Metrics, default_peak};
use inrfit::prior::Priors;
use inrfit::settings::Mode;
use inrfit::synth::SynthSettings;
use inrfit_figures::Record;
use std::path::PathBuf;

/// Steps of the authors' fits.
pub const STEPS: u64 = 3000;

/// Where events come from.
enum Source {
    File(PathBuf),
    Made(SynthSettings),
}

/// What a task runs on, and the rows it has so far.
pub struct Runs<'a> {
    common: &'a Common,
    out: &'a mut Out,
    n_threads: usize,
    /// Settings that are the task's own to say.
    fixed: &'static [&'static str],
    sources: Vec<Source>,
    /// The rows so far.
    pub rows: Vec<Record>,
    /// Pictures of the task's own, to be written with the rows.
    pub pictures: Vec<(PathBuf, Vec<u8>)>,
}

/// Settings of one fit.
pub struct Run {
    /// In words.
    pub spec: String,
    /// Fits and asks.
    pub codec: InrCodec,
}

impl<'a> Runs<'a> {
    /// Looks at every input, so that none is found to be broken after hours. The settings `fixed` are the task's own to
    /// say.
    ///
    /// # Errors
    /// As [`read_event`].
    pub fn new(common: &'a Common, fixed: &'static [&'static str], out: &'a mut Out) -> Result<Runs<'a>> {
        let n = common.n_events.map(usize::from);
        let sources: Vec<Source> = match common.inputs.as_slice() {
            [] => (0..n.unwrap_or(1) as u64)
                .map(|i| {
                    let seed = common.seed.wrapping_add(i);
                    Source::Made(SynthSettings { shape: common.shape, seed, ..SynthSettings::default() })
                })
                .collect(),
            inputs if n.is_some_and(|n| n > inputs.len()) => {
                return Err(Error::argument(format!(
                    "--events {} of {} that were given",
                    n.unwrap_or_default(),
                    inputs.len()
                )));
            }
            inputs => inputs.iter().take(n.unwrap_or(usize::MAX)).cloned().map(Source::File).collect(),
        };
        let runs = Runs {
            common,
            out,
            n_threads: common.threads.resolve(),
            fixed,
            sources,
            rows: Vec::new(),
            pictures: Vec::new(),
        };
        for i in 0..runs.n_events() {
            match &runs.sources[i] {
                Source::File(path) => drop(read_event(path)?),
                Source::Made(settings) => settings.check()?,
            }
        }
        Ok(runs)
    }

    /// How many events there are.
    pub fn n_events(&self) -> usize {
        self.sources.len()
    }

    /// Event `i` and its name.
    ///
    /// # Errors
    /// As [`read_event`]; `Interrupted`.
    pub fn event(&self, i: usize) -> Result<(String, Event)> {
        match &self.sources[i] {
            Source::File(path) => {
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                Ok((name, read_event(path)?))
            }
            Source::Made(settings) => {
                let event = settings.generate_watched(&mut |_| go_on().is_ok())?;
                Ok((format!("synth_{}", settings.seed), event))
            }
        }
    }

    /// A fit with the settings of `base` and what the user says instead of them.
    ///
    /// # Errors
    /// `Argument` for settings that do not go together or are not those of a field that reads coordinates alone.
    pub fn run(&self, base: &str, n_steps: u64) -> Result<Run> {
        let common = self.common;
        if let Some(key) = self.fixed.iter().find(|key| spec::has(&common.fit, key)) {
            return Err(Error::argument(format!(
                "--fit {}: {key} is what this task sets by itself",
                common.fit
            )));
        }
        let base = format!("mode=field,keep-field,steps={n_steps},seed={},{base}", common.seed);
        let spec = spec::merged(&base, &format!("device={},{}", common.device, common.fit));
        let args = FitArgs::from_spec(&spec)?;
        let settings = args.settings();
        if settings.mode != Mode::Field || args.goal().is_some() || settings.time_limit.is_some() {
            return Err(Error::argument(format!(
                "--fit {}: these tasks have fields of a given width and length, so no mode but field, no ratio, bytes, \
                 log-mae or time-limit",
                common.fit
            )));
        }
        let priors = Priors::default();
        device::prepare(&settings);
        let codec = InrCodec { settings, limits: NO_LIMITS, n_threads: self.n_threads, priors };
        Ok(Run { spec, codec })
    }

    /// Fits `event`, called `name`.
    ///
    /// # Errors
    /// As [`InrCodec::compress`], with the event and the settings.
    pub fn fit(&self, run: &Run, event: &Event, name: &str) -> Result<Compressed> {
        let bar = self.bar(name, &run.spec);
        let fitted = device::or_on_cpu(&run.codec, |codec| codec.compress(event, &bar));
        fitted.map_err(|e| e.context(format!("{name}, {}", run.spec)))
    }

    /// The progress of work on an event.
    pub fn bar(&self, name: &str, what: &str) -> Bar {
        Bar::new(&format!("{name} {what}"), !self.common.talk.quiet)
    }

    /// Compares `decoded` with `event` and keeps the row, whose other figures `row` has.
    ///
    /// # Errors
    /// As [`Metrics::compare`].
    pub fn add(&mut self, row: Record, event: &Event, decoded: &Event) -> Result<()> {
        let m = Metrics::compare(event, decoded, default_peak(event)).map_err(|e| e.context(&row.input))?;
        let row = Record {
            host: host(),
            commit: option_env!("INRFIT_COMMIT").unwrap_or_default().to_owned(),
            threads: u32::try_from(self.n_threads).ok(),
            ..with_metrics(row, event.raw_bytes() as u64, &m)
        };
        if self.common.talk.json {
            self.out.line(&json(&row)?)?;
        } else if self.common.talk.is_human() {
            let seconds = row.encode_seconds.map_or_else(String::new, |s| format!(", fit {s:.1} s"));
            self.out.line(&format!(
                "{} {} {}: {} bytes, MSE {}, log-MAE {}{seconds}",
                row.input,
                row.codec,
                row.settings,
                row.bytes.unwrap_or_default(),
                digits(m.mse),
                digits(m.log_mae),
            ))?;
        }
        self.rows.push(row);
        go_on()
    }

    /// The row of a fit without the figures of what it decodes to; `codec` is what a figure calls it.
    pub fn row(name: &str, codec: String, settings: String, fitted: &Compressed) -> Record {
        Record {
            device: fitted.report.device.clone(),
            bytes: Some(fitted.bytes.len() as u64),
            n_weights: Some(fitted.report.n_weights),
            encode_seconds: Some(fitted.report.seconds.fit),
            ..Record::new(name, codec, settings)
        }
    }
}

/// The preset or family of a network by the name of its family: the authors' settings where their code has it, else one
/// head, all voxels a step and float weights with the rate and constants of this program.
///
/// # Errors
/// `Argument` for a name that is none.
pub fn network(name: &str) -> Result<&'static str> {
    Ok(match name {
        "siren" => "preset=paper-siren",
        "mfn" => "preset=paper-ffnet",
        "wire-real" => "preset=paper-wire",
        "ffnet" => "model=ffnet,heads=1,sampler=full,bits=float",
        "wire" => "model=wire,heads=1,sampler=full,bits=float",
        _ => return Err(Error::argument(format!("'{name}' is none of: {}", NETWORKS.join(", ")))),
    })
}

/// All networks.
pub const NETWORKS: [&str; 5] = ["siren", "ffnet", "mfn", "wire", "wire-real"];
