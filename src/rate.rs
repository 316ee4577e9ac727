//! A size or an error instead of a width: choosing the network that a file of a given ratio, number of bytes or mean
//! error takes.
//!
//! **Size.** What a field does not take is known before any fit: one step of training gives a file with its headers and
//! its exact occupancy. What is left is shared by the fields of the tiles, each `weights * bits / 8` bytes and a
//! remainder. The width is the largest that the budget holds at the bits at which a byte of weights was worth
//! most in measurements (`docs/benchmarks.md`), and the mean bits a weight make up the difference. After the fit the
//! true remainder is known; where the file is off by more than 4.5 % it is made again with that.
//!
//! **Error.** Errors fall as a power of the width, whose exponent was measured; after two fits it is that of the event.
//! A fit that ends at or below the error, but not far below, is taken.
//!
//! What was measured was measured with SIREN: other families begin at the width that has as many weights. Depth is that
//! of the settings: more, narrower layers were no better at equal bytes. Choices depend on sizes
//! and errors alone, never on time, so that the same input gives the same bytes.

use crate::codec::{Compressed, InrCodec, Observer, Seconds};
use crate::container::{Contents, Limits};
use crate::domain::Transform;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::lane::{Scalar, Simd};
use crate::settings::{Bits, Mode, Settings};
use crate::tile::TileGrid;

/// What a file shall be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Bytes of the samples over bytes of the file, within 5 %.
    Ratio(f64),
    /// At most so many bytes, and at least 95 % of them.
    Bytes(u64),
    /// Mean |error| of `log2(1 + sample)` over all voxels, at most.
    LogMae(f64),
}

/// How far a file's size may be from what was asked: a little less than is promised.
const TOLERANCE: f64 = 0.045;
/// Fits for a size, and for an error, at the most.
const MAX_FITS_SIZE: usize = 4;
const MAX_FITS_ERROR: usize = 6;
/// A fit whose error is at least this share of what is allowed is taken.
const CLOSE_ENOUGH: f64 = 0.9;

/// What is known of the fields of a mode before a fit.
struct Model {
    /// Mean bits of a weight where a byte was worth most, and how far they may be moved to meet a size.
    bits: f64,
    least_bits: f64,
    most_bits: f64,
    /// Bytes of a field beside its weights.
    remainder: f64,
    /// Widths that are tried; above `fine` in steps of 8, which is what the kernels compute in.
    widest: usize,
    fine: usize,
    /// Width at which log-MAE over occupancy is `error`, and the exponent by which it falls with the width.
    width: f64,
    error: f64,
    exponent: f64,
}

impl Model {
    fn of(mode: Mode) -> Model {
        match mode {
            Mode::Masked => Model {
                bits: 4.0,
                least_bits: 2.5,
                most_bits: 8.0,
                remainder: 12.0,
                widest: 160,
                fine: 48,
                width: 14.0,
                error: 0.135,
                exponent: 0.25,
            },
            _ => Model {
                bits: 4.6,
                least_bits: 3.0,
                most_bits: 8.0,
                remainder: 40.0,
                widest: 512,
                fine: 32,
                width: 128.0,
                error: 0.6,
                exponent: 1.7,
            },
        }
    }

    /// The widths there are.
    fn widths(&self) -> impl Iterator<Item = usize> {
        (1..=self.fine).chain((self.fine + 8..=self.widest).step_by(8))
    }

    /// The width nearest to `width`.
    fn nearest(&self, width: f64) -> usize {
        self.widths().take_while(|w| *w as f64 <= width).last().unwrap_or(1)
    }
}

/// Compresses `event` to `goal`: as [`InrCodec::compress`], with width and bits of a weight chosen. The codec's settings
/// must leave these open.
///
/// A size takes one fit, two where the first is off, four at the most; an error takes up to six. The seconds of the
/// report are those of all of them.
///
/// # Errors
/// `Argument` for a goal that makes no sense or cannot be reached, with what can; otherwise as [`InrCodec::compress`].
pub fn compress(codec: &InrCodec, event: &Event, goal: Goal, observer: &dyn Observer) -> Result<Compressed> {
    let settings = &codec.settings;
    check(settings, goal)?;
    if codec.priors.start.is_some() && settings.prior {
        return Err(Error::argument(
            "a ratio, size or error to reach takes a width of its own, and a prior for fitting has one: leave one of \
             them away",
        ));
    }
    let model = Model::of(settings.mode);
    let mut search = Search { codec, event, observer, model, seconds: Seconds::default() };
    let made = match goal {
        Goal::Ratio(ratio) => search.size(event.raw_bytes() as f64 / ratio, f64::INFINITY),
        // Aim a little below what must not be exceeded.
        Goal::Bytes(n) => search.size(0.975 * n as f64, n as f64),
        Goal::LogMae(error) => search.error(error),
    }?;
    let report = crate::codec::EncodeReport { seconds: search.seconds, ..made.report };
    Ok(Compressed { report, ..made })
}

fn check(settings: &Settings, goal: Goal) -> Result<()> {
    let refuse = |why: String| Err(Error::argument(why));
    match goal {
        Goal::Ratio(r) if !(r.is_finite() && r >= 1.0) => {
            return refuse(format!("a ratio is a number from 1 on, not {r}"));
        }
        Goal::Bytes(0) => return refuse("a file has at least one byte".into()),
        Goal::LogMae(e) if !(e.is_finite() && e > 0.0) => {
            return refuse(format!(
                "a mean log error to reach is a positive number, not {e}; --mode lossless has none"
            ));
        }
        _ => {}
    }
    if settings.mode.is_bounded() {
        return refuse(format!(
            "in mode {} the bound decides on the size: a ratio, size or mean error goes with --mode masked or field",
            settings.mode
        ));
    }
    if settings.preset.family().is_some() || settings.hidden.is_some() || settings.bits.is_some() {
        return refuse(
            "a ratio, size or mean error chooses width and bits: leave --preset, --hidden and --bits away"
                .into(),
        );
    }
    Ok(())
}

struct Search<'a> {
    codec: &'a InrCodec,
    event: &'a Event,
    observer: &'a dyn Observer,
    model: Model,
    seconds: Seconds,
}

/// What a file takes beside the weights of its fields.
struct Frame {
    /// Bytes of everything but fields.
    fixed: f64,
    n_fields: f64,
    /// The file of the trial.
    trial: Compressed,
}

impl Search<'_> {
    /// Compresses with other settings.
    fn run(&mut self, settings: Settings) -> Result<Compressed> {
        let codec = InrCodec { settings, ..self.codec.clone() };
        let made = codec.compress(self.event, self.observer)?;
        let Seconds { fit, pack, verify } = made.report.seconds;
        self.seconds.fit += fit;
        self.seconds.pack += pack;
        self.seconds.verify += verify;
        Ok(made)
    }

    fn fit(&mut self, width: usize, bits: Option<f64>) -> Result<Compressed> {
        let bits = bits.map(|b| Bits::Hundredths((b * 100.0).round_ties_even() as u16));
        self.run(Settings { hidden: Some(width), bits, ..self.codec.settings.clone() })
    }

    fn ratio_of(&self, n_bytes: f64) -> f64 {
        self.event.raw_bytes() as f64 / n_bytes
    }

    /// Weights of a field of this width.
    fn n_weights(&self, width: usize) -> Result<f64> {
        self.n_weights_of(&self.codec.settings, width)
    }

    fn n_weights_of(&self, settings: &Settings, width: usize) -> Result<f64> {
        let settings = Settings { hidden: Some(width), ..settings.clone() };
        let grid = TileGrid::new(self.event.shape(), settings.tile)?;
        // How full the fullest tile is plays no part where the width is given.
        Ok(settings.resolve(self.event, &grid, 1)?.fit.spec.n_weights() as f64)
    }

    fn n_occupied(&self) -> usize {
        (0..self.event.n_voxels()).filter(|&i| self.event.samples().get(i) != 0.0).count()
    }

    /// A trial of one step, for what does not depend on the fit.
    fn frame(&mut self) -> Result<Frame> {
        let settings = Settings {
            hidden: Some(1),
            n_steps: Some(1),
            batch: Some(64),
            time_limit: None,
            ..self.codec.settings.clone()
        };
        let trial = self.run(settings)?;
        let contents = Contents::read(
            &trial.bytes,
            &Limits { max_event_bytes: u64::MAX, max_weights: u64::MAX, max_operations: u64::MAX },
        )?;
        let n_fields = contents.tiles.iter().filter(|tile| tile.field.is_some()).count() as f64;
        let fixed = (trial.bytes.len() as u64 - trial.report.layers.field) as f64;
        Ok(Frame { fixed, n_fields, trial })
    }

    /// The size of a file without loss, where there can be one.
    fn lossless_bytes(&mut self) -> Option<f64> {
        let settings =
            Settings { mode: Mode::Lossless, n_heads: None, optimise: None, ..self.codec.settings.clone() };
        self.run(settings).ok().map(|made| made.bytes.len() as f64)
    }

    /// A file of `target` bytes, never more than `most`.
    fn size(&mut self, target: f64, most: f64) -> Result<Compressed> {
        let frame = self.frame()?;
        let close = |n: f64| n <= most && (target / n - 1.0).abs() <= TOLERANCE;
        if frame.n_fields == 0.0 || self.n_occupied() == 0 {
            // Nothing to fit, so nothing to choose; what needs no network is exact.
            let made = match frame.n_fields == 0.0 {
                true => frame.trial,
                false => self.run(self.codec.settings.clone())?,
            };
            let n = made.bytes.len() as f64;
            return match n <= most && n <= target * (1.0 + TOLERANCE) {
                true => Ok(made),
                false => Err(self.unreachable(target, n, "has no network to choose: it takes", "")),
            };
        }
        if self.codec.settings.mode == Mode::Masked
            && target > 2.0 * frame.fixed
            && let Some(lossless) = self.lossless_bytes().filter(|n| *n <= target)
        {
            return Err(self.unreachable(
                target,
                lossless,
                "needs no network: --mode lossless takes",
                " and keeps every voxel",
            ));
        }
        let mut remainder = self.model.remainder;
        let mut tried: Vec<f64> = Vec::new();
        let mut width = None;
        for _ in 0..MAX_FITS_SIZE {
            let budget = (target - frame.fixed) / frame.n_fields - remainder;
            let mut chosen = self.choose(budget, width)?;
            let bytes_at =
                |weights: f64, bits: f64| frame.fixed + frame.n_fields * (remainder + weights * bits / 8.0);
            let least = bytes_at(self.n_weights(1)?, self.model.least_bits);
            if chosen.is_none() && (target..target * (1.0 + 0.8 * TOLERANCE)).contains(&least) {
                // Just within what is close enough.
                chosen = Some((1, self.model.least_bits));
            }
            let Some((chosen, bits)) = chosen else {
                let most = bytes_at(self.n_weights(self.model.widest)?, self.model.most_bits);
                return Err(match target < least {
                    true if self.codec.settings.mode == Mode::Masked => self.unreachable(
                        target,
                        least,
                        "takes at least about",
                        " in mode masked, most of it for exact occupancy; --mode field takes less",
                    ),
                    true => self.unreachable(target, least, "takes at least about", ""),
                    false => {
                        self.unreachable(target, most, "takes at most about", " with the widest network")
                    }
                });
            };
            let made = self.fit(chosen, Some(bits))?;
            let n = made.bytes.len() as f64;
            if close(n) {
                return Ok(made);
            }
            tried.push(n);
            // What the fields took beyond what was foreseen.
            let weights = self.n_weights(chosen)?;
            let n_fields = made.report.n_weights as f64 / weights;
            if n_fields != frame.n_fields {
                // Tiles whose samples take less than such a field: it would not be kept, nor a wider one.
                let what = "takes less as it is, without loss, or in part so:";
                return Err(self.unreachable(
                    target,
                    n,
                    what,
                    "; ask for more than that, or for --mode masked",
                ));
            }
            remainder = made.report.layers.field as f64 / n_fields - weights * bits / 8.0;
            width = Some(chosen);
        }
        let nearest = tried.into_iter().min_by(|a, b| (a - target).abs().total_cmp(&(b - target).abs()));
        Err(self.unreachable(
            target,
            nearest.unwrap_or(frame.fixed),
            "takes, at the nearest,",
            "; try a ratio near that or another mode",
        ))
    }

    /// Width and bits a weight for fields of `budget` bytes; the width stays at `kept` where the bits allow.
    fn choose(&self, budget: f64, kept: Option<usize>) -> Result<Option<(usize, f64)>> {
        let Model { bits, least_bits, most_bits, .. } = self.model;
        let bits_at = |width: usize| Ok::<f64, Error>(budget * 8.0 / self.n_weights(width)?);
        if let Some(width) = kept {
            let b = bits_at(width)?;
            if (0.75 * bits..=1.5 * bits).contains(&b) {
                return Ok(Some((width, b)));
            }
        }
        // The widest that has the bits it should have, or, where those would be too many and the next has enough, that.
        let widths: Vec<usize> = self.model.widths().collect();
        let widest = self.widest(&widths, budget * 8.0 / bits)?;
        for &width in widths[widest..].iter().take(2) {
            let b = bits_at(width)?;
            if (least_bits..=most_bits).contains(&b) {
                return Ok(Some((width, b)));
            }
        }
        Ok(None)
    }

    /// The place among `widths` of the widest network of at most `n_weights`; the first where none is.
    fn widest(&self, widths: &[usize], n_weights: f64) -> Result<usize> {
        let (mut low, mut high) = (0, widths.len());
        while high - low > 1 {
            let middle = (low + high) / 2;
            if self.n_weights(widths[middle])? <= n_weights { low = middle } else { high = middle }
        }
        Ok(low)
    }

    /// The width that has as many weights as the SIREN of `width`, of which the errors are known.
    fn as_many_weights(&self, width: usize) -> Result<usize> {
        let siren = Settings { model: None, constants: None, ..self.codec.settings.clone() };
        let widths: Vec<usize> = self.model.widths().collect();
        Ok(widths[self.widest(&widths, self.n_weights_of(&siren, width)?)?])
    }

    /// The smallest file found whose mean log error is at most `most`.
    fn error(&mut self, most: f64) -> Result<Compressed> {
        // Decided in the lane's arithmetic, so that every machine decides alike; reports have the system's logarithms.
        let most = most * (1.0 - 1e-6);
        let s = Scalar::new();
        let log2 = |x: f64| f64::from(s.log2((x as f32).max(f32::MIN_POSITIVE)));
        let exp2 = |x: f64| f64::from(s.exp2(x as f32));
        let n_occupied = self.n_occupied();
        if n_occupied == 0 {
            return self.run(self.codec.settings.clone());
        }
        let occupancy = n_occupied as f64 / self.event.n_voxels() as f64;
        let (mut exponent, widest) = (self.model.exponent, self.model.widest);
        let first = self.model.width * exp2(log2(self.model.error * occupancy / most) / exponent);
        let mut width = self.as_many_weights(self.model.nearest(first.clamp(1.0, widest as f64)))?;
        // Width and error of every fit, and the smallest file that will do.
        let mut tried: Vec<(usize, f64)> = Vec::new();
        let mut found: Option<(usize, Compressed)> = None;
        while tried.len() < MAX_FITS_ERROR {
            let made = self.fit(width, None)?;
            if made.report.n_weights == 0 && made.report.layers.raw > 0 {
                // The samples as they are take less than this network: no wider one would be kept.
                break;
            }
            let error = log_mae(self.event, &made.decoded);
            tried.push((width, error));
            if error <= most {
                let is_enough = error >= CLOSE_ENOUGH * most || width == 1 || made.report.n_weights == 0;
                if found.as_ref().is_none_or(|(_, best)| made.bytes.len() < best.bytes.len()) {
                    found = Some((width, made));
                }
                if is_enough {
                    break;
                }
            }
            // The exponent of the event, from the two fits around the error, or the two last.
            if let [.., (w1, e1), (w2, e2)] = tried[..]
                && w1 != w2
            {
                let measured = (log2(e1) - log2(e2)) / (log2(w2 as f64) - log2(w1 as f64));
                exponent = measured.clamp(0.3 * self.model.exponent, 2.0 * self.model.exponent);
            }
            let wanted = width as f64 * exp2(log2(error / (0.97 * most)) / exponent);
            let below = tried.iter().filter(|t| t.1 > most).map(|t| t.0).max();
            let above = tried.iter().filter(|t| t.1 <= most).map(|t| t.0).min();
            // Within what is known, and always another one.
            let inside = |w: &usize| below.is_none_or(|b| *w > b) && above.is_none_or(|a| *w < a);
            let nearest = self
                .model
                .widths()
                .filter(inside)
                .min_by(|a, b| (*a as f64 - wanted).abs().total_cmp(&(*b as f64 - wanted).abs()));
            match nearest {
                Some(next) => width = next,
                None => break,
            }
        }
        if let Some((_, made)) = found {
            return Ok(made);
        }
        let found = match tried.iter().min_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((width, least)) => format!("{least:.5} with {width} units is the least that was found"),
            None => "no network that is smaller than the samples has it".to_owned(),
        };
        Err(Error::argument(format!(
            "a mean log error of {most:.5} is out of reach here: {found}; --mode bounded --max-log-error and --mode \
             lossless go below, and so may more --steps"
        )))
    }

    fn unreachable(&self, target: f64, n: f64, what: &str, more: &str) -> Error {
        Error::new(
            ErrorKind::Argument,
            format!(
                "a ratio of {:.4} ({:.0} bytes) is out of reach: this event {what} {:.0} bytes, ratio {:.4}{more}",
                self.ratio_of(target),
                target,
                n,
                self.ratio_of(n)
            ),
        )
    }
}

/// Mean |error| of `log2(1 + sample)`, by the lane's logarithm.
fn log_mae(a: &Event, b: &Event) -> f64 {
    let s = Scalar::new();
    let plain = Transform::Log2 { unit_exponent: 0, center: 0.0, scale: 1.0 };
    let log = |v: f64| if v == 0.0 { 0.0 } else { f64::from(plain.target(s, v as f32)) };
    let sum: f64 = (0..a.n_voxels()).map(|i| (log(a.samples().get(i)) - log(b.samples().get(i))).abs()).sum();
    sum / a.n_voxels() as f64
}
