//! Runs of codecs on inputs, and the figures they give.

use super::super::args::Talk;
use super::super::decompress::Decoding;
use super::super::device;
use super::super::output::{Out, note};
use super::super::parallel::in_order;
use super::super::progress::{Bar, go_on};
use super::super::report::json;
use super::super::{keep_failure, kind_of};
use super::choice::{Choice, Coder};
use super::rows::Rows;
use super::{host, to_line, with_metrics};
#[cfg(feature = "baselines")]
use inrfit::codec::Codec;
use inrfit::error::{Error, ErrorKind, Result};
use inrfit::event::Event;
use inrfit::io::{read_event, write_event};
use inrfit::metrics::{Clustering, Metrics, Physics, Spread, default_peak};
use inrfit::rate;
use inrfit::settings::DeviceRequest;
use inrfit_figures::Record;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Every input with every choice.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// Events.
    pub inputs: &'a [PathBuf],
    /// Codecs and their settings.
    pub choices: &'a [Choice],
    /// Runs at once.
    pub n_jobs: usize,
    /// Whether rows tell seconds.
    pub has_times: bool,
    /// The folder that keeps what was decoded, where one does, and whether files there are replaced.
    pub decoded: Option<(&'a Path, bool)>,
    /// What is said.
    pub talk: Talk,
}

impl Sweep<'_> {
    /// Makes the rows that are not there yet; tells what failed.
    ///
    /// # Errors
    /// `Argument`, before any work, for inputs or settings that rows could not tell apart, and for kept rows of another
    /// event of the same name; `Io` where rows cannot be written.
    pub fn run(&self, rows: &mut Rows, out: &mut Out) -> Result<Vec<ErrorKind>> {
        self.check_names()?;
        self.check_kept(rows)?;
        let all = self.inputs.iter().flat_map(|input| self.choices.iter().map(move |choice| (input, choice)));
        let missing: Vec<(&PathBuf, &Choice)> =
            all.filter(|(input, choice)| !rows.has(&name(input), &choice.settings)).collect();
        let machine = Record {
            host: host(),
            commit: option_env!("INRFIT_COMMIT").unwrap_or_default().to_owned(),
            ..Record::default()
        };
        let work = |(input, choice): (&PathBuf, &Choice)| {
            let mut row = Record {
                input: name(input),
                codec: choice.codec(),
                settings: choice.settings.clone(),
                threads: u32::try_from(choice.n_threads()).ok(),
                ..machine.clone()
            };
            let measured = go_on().and_then(|()| self.measure(choice, input, &mut row));
            if let Err(error) = &measured {
                row.error = Some(error.to_string());
            }
            (row, measured)
        };
        let mut failures = vec![];
        let made = in_order(self.n_jobs, missing.into_iter(), work, |(row, measured)| {
            if let Err(error) = measured {
                // A run that was stopped is no result.
                let is_stopped = kind_of(&error) == ErrorKind::Interrupted;
                if !keep_failure(&error, &mut failures) || is_stopped {
                    return Ok(false);
                }
            }
            if self.talk.json {
                out.line(&json(&row)?)?;
            } else if self.talk.is_human() {
                out.line(&to_line(&row))?;
            }
            rows.add(row)?;
            Ok(true)
        });
        made.and(rows.save())?;
        Ok(failures)
    }

    /// Whether rows can tell inputs and choices apart.
    fn check_names(&self) -> Result<()> {
        for (i, input) in self.inputs.iter().enumerate() {
            let others = &self.inputs[..i];
            if others.contains(input) {
                return Err(Error::argument(format!("{}: given twice", input.display())));
            }
            if let Some(other) = others.iter().find(|other| name(other) == name(input)) {
                return Err(Error::argument(format!(
                    "{}: rows would call it {}, as {}: rename one, or take it in a run and a file of its own",
                    input.display(),
                    name(input),
                    other.display()
                )));
            }
        }
        for (i, choice) in self.choices.iter().enumerate() {
            if self.choices[..i].iter().any(|other| other.settings == choice.settings) {
                return Err(Error::argument(format!("settings '{}' are given twice", choice.settings)));
            }
        }
        Ok(())
    }

    /// Whether the rows that are kept are of these very inputs, and have what is asked for.
    fn check_kept(&self, rows: &Rows) -> Result<()> {
        let is_asked = |row: &&Record| self.choices.iter().any(|choice| choice.settings == row.settings);
        let mut n_untimed = 0;
        for input in self.inputs {
            let name = name(input);
            n_untimed +=
                rows.of(&name).filter(is_asked).filter(|r| !r.failed() && r.encode_seconds.is_none()).count();
            let Some(kept) = rows.of(&name).find(|row| row.occupancy.is_some()) else { continue };
            // What cannot be read any more is told of by the runs that are left.
            let Ok(event) = read_event(input) else { continue };
            let occupancy = Metrics::compare(&event, &event, default_peak(&event))?.occupancy;
            if kept.raw_bytes != Some(event.raw_bytes() as u64) || kept.occupancy != Some(occupancy) {
                let file = rows.path().unwrap_or(Path::new("the rows")).display();
                return Err(Error::argument(format!(
                    "{file}: its rows of {name} are of another event than {}: keep the new ones elsewhere",
                    input.display()
                )));
            }
            if self.decoded.is_some() {
                note(&format!("{name}: events decoded for rows that are kept are not made again"));
            }
        }
        if self.has_times && n_untimed > 0 {
            note(&format!("{n_untimed} of the rows that are kept have no times"));
        }
        Ok(())
    }

    /// Fills the row of one run.
    fn measure(&self, choice: &Choice, input: &Path, row: &mut Record) -> Result<()> {
        let event = read_event(input)?;
        let named = input.display();
        let (decoded, times) = match &choice.coder {
            Coder::Inr(codec, goal) => {
                // Lines of several runs would overwrite each other.
                let shows_progress = !self.talk.quiet && self.n_jobs == 1;
                let bar = Bar::new(&format!("{named} {}", row.settings), shows_progress);
                let start = Instant::now();
                let compressed = device::or_on_cpu(codec, |codec| match goal {
                    Some(goal) => rate::compress(codec, &event, *goal, &bar),
                    None => codec.compress(&event, &bar),
                })
                .map_err(|e| e.context(&named))?;
                let encode = start.elapsed().as_secs_f64();
                drop(bar);
                let how = Decoding {
                    limits: codec.limits,
                    priors: codec.priors.clone(),
                    n_threads: codec.n_threads,
                    device: DeviceRequest::Cpu,
                    shows_progress,
                };
                let (decoded, seconds) = how.decode_whole(&named.to_string(), &compressed.bytes)?;
                if decoded != compressed.decoded {
                    return Err(Error::corrupt(format!("{named}: decoding twice gave different samples")));
                }
                row.bytes = Some(compressed.bytes.len() as u64);
                row.device = compressed.report.device;
                row.n_weights = Some(compressed.report.n_weights);
                (decoded, [Some(encode), seconds.decode])
            }
            #[cfg(feature = "baselines")]
            Coder::Rival(rival) => {
                let start = Instant::now();
                let bytes = rival.encode(&event).map_err(|e| e.context(&named))?;
                let encode = start.elapsed().as_secs_f64();
                let start = Instant::now();
                let decoded = rival.decode(&bytes).map_err(|e| e.context(&named))?;
                row.bytes = Some(bytes.len() as u64);
                row.device = "cpu".to_owned();
                (decoded, [Some(encode), Some(start.elapsed().as_secs_f64())])
            }
        };
        if let Some((folder, force)) = self.decoded {
            let name = format!("{}.{}.npy", row.input, as_file_name(&row.settings));
            write_event(&folder.join(name), &decoded, force)?;
        }
        if self.has_times {
            let speed = |seconds: Option<f64>| {
                seconds.filter(|s| *s > 0.0).map(|s| event.raw_bytes() as f64 / s / 1e6)
            };
            [row.encode_seconds, row.decode_seconds] = times;
            [row.encode_mb_per_s, row.decode_mb_per_s] = times.map(speed);
        }
        *row = figures(row.clone(), &event, &decoded).map_err(|e| e.context(&named))?;
        Ok(())
    }
}

/// What rows call an input.
pub fn name(input: &Path) -> String {
    input.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

/// `settings` with `_` for what has a meaning in paths.
fn as_file_name(settings: &str) -> String {
    let is_plain = |c: &char| c.is_alphanumeric() || "=,.-+".contains(*c);
    settings.chars().map(|c| if is_plain(&c) { c } else { '_' }).collect()
}

/// `row` with the errors of `decoded`.
fn figures(row: Record, event: &Event, decoded: &Event) -> Result<Record> {
    let peak = default_peak(event);
    let m = Metrics::compare(event, decoded, peak)?;
    let physics = Physics::compare(event, decoded, peak, &Clustering::of(event, peak))?.all;
    let share = |n: u64| (physics.n_clusters > 0).then(|| n as f64 / physics.n_clusters as f64);
    let deviation = |spread: Option<Spread>| spread.map(|s| s.deviation);
    Ok(Record {
        n_clusters: Some(physics.n_clusters),
        clusters_lost: share(physics.n_lost),
        clusters_fake: share(physics.n_fake),
        charge_bias: physics.charge.map(|s| s.mean),
        charge_spread: deviation(physics.charge),
        residual_axis0: deviation(physics.residual_axis0),
        residual_axis1: deviation(physics.residual_axis1),
        pad_ratio_spread: deviation(physics.pad_ratio),
        ..with_metrics(row, event.raw_bytes() as u64, &m)
    })
}
