//! Codecs in words: which there are, with which settings, and sweeps of a number.

use super::super::args::FitArgs;
use super::super::device;
use super::super::inside::NO_LIMITS;
use inrfit::codec::{Codec, InrCodec};
use inrfit::error::{Error, Result};
use inrfit::rate::Goal;
use inrfit::settings::Mode;

/// A codec with its settings.
#[derive(Debug)]
pub struct Choice {
    /// In words; with the input it names a row.
    pub settings: String,
    /// What encodes.
    pub coder: Coder,
}

/// This program's codec, or a rival.
#[derive(Debug)]
pub enum Coder {
    /// This program's codec, and the size or error that its network is chosen for.
    Inr(Box<InrCodec>, Option<Goal>),
    /// One of the systems that it is measured against.
    #[cfg(feature = "baselines")]
    Rival(inrfit::rivals::RivalCodec),
}

impl Choice {
    /// This program's codec with settings such as `hidden=96,bits=5`.
    ///
    /// # Errors
    /// `Argument`, naming the setting; as `FitArgs::priors`.
    pub fn of_settings(spec: &str, n_threads: usize) -> Result<Choice> {
        let fit = FitArgs::from_spec(spec)?;
        device::prepare(&fit.settings());
        let codec =
            InrCodec { settings: fit.settings(), limits: NO_LIMITS, n_threads, priors: fit.priors()? };
        Ok(Choice { settings: spec.to_owned(), coder: Coder::Inr(Box::new(codec), fit.goal()) })
    }

    /// The codec of `name:options`; of `inr`, a mode may stand without its key.
    ///
    /// # Errors
    /// `Argument` for a codec or an option that there is not.
    pub fn of_codec(spec: &str, n_threads: usize) -> Result<Choice> {
        let (name, options) = spec.split_once(':').unwrap_or((spec, ""));
        if name == "inr" {
            let with_key = |word: &str| match Mode::NAMES.contains(&word.trim()) {
                true => format!("mode={}", word.trim()),
                false => word.trim().to_owned(),
            };
            let words: Vec<String> =
                options.split(',').map(with_key).filter(|word| !word.is_empty()).collect();
            let settings = if words.is_empty() { "default".to_owned() } else { words.join(",") };
            return Choice::of_settings(&settings, n_threads);
        }
        rival(spec, name, n_threads)
    }

    /// What rows and pictures call the codec.
    pub fn codec(&self) -> String {
        match &self.coder {
            Coder::Inr(codec, _) => codec.name(),
            #[cfg(feature = "baselines")]
            Coder::Rival(rival) => rival.name(),
        }
    }

    /// Threads that it runs on.
    pub fn n_threads(&self) -> usize {
        match &self.coder {
            Coder::Inr(codec, _) => codec.n_threads,
            #[cfg(feature = "baselines")]
            Coder::Rival(rival) => rival.n_threads(),
        }
    }
}

/// Names of the rivals in this build.
pub fn rivals() -> &'static [&'static str] {
    #[cfg(feature = "baselines")]
    return inrfit::rivals::NAMES;
    #[cfg(not(feature = "baselines"))]
    return &[];
}

#[cfg(feature = "baselines")]
fn rival(spec: &str, _: &str, n_threads: usize) -> Result<Choice> {
    Ok(Choice {
        settings: spec.to_owned(),
        coder: Coder::Rival(inrfit::rivals::RivalCodec::from_spec(spec, n_threads)?),
    })
}

#[cfg(not(feature = "baselines"))]
fn rival(spec: &str, name: &str, _: usize) -> Result<Choice> {
    Err(Error::argument(format!(
        "codec '{spec}': there is no codec '{name}' in this build but inr; rivals come with `cargo build --features rivals`"
    )))
}

/// The settings that a spec stands for: `key=A..B` is every doubling from A up to B, `key=A..BxN` are N values from A to
/// B at equal ratios. Where both ends are whole numbers, so are the values.
///
/// # Errors
/// `Argument` for a range that is none.
pub fn expand(spec: &str) -> Result<Vec<String>> {
    let Some((at, range)) = spec.match_indices("..").next().map(|(at, _)| {
        let start = spec[..at].rfind('=').map_or(0, |i| i + 1);
        let end = spec[at..].find(',').map_or(spec.len(), |i| at + i);
        (start..end, &spec[start..end])
    }) else {
        return Ok(vec![spec.to_owned()]);
    };
    let mut specs = vec![];
    for value in values(range).ok_or_else(|| {
        Error::argument(format!(
            "'{range}' in '{spec}': a sweep is A..B or A..BxN with 0 < A < B < 1e30 A and N from 2 to 1000"
        ))
    })? {
        specs.extend(expand(&format!("{}{value}{}", &spec[..at.start], &spec[at.end..]))?);
    }
    Ok(specs)
}

/// The values of `A..B` or `A..BxN`.
fn values(range: &str) -> Option<Vec<String>> {
    let (from, to) = range.split_once("..")?;
    let (to, n) = match to.split_once('x') {
        Some((to, n)) => (to, Some(n.trim().parse::<u32>().ok().filter(|n| (2..=1000).contains(n))?)),
        None => (to, None),
    };
    let is_whole = from.trim().parse::<u64>().is_ok() && to.trim().parse::<u64>().is_ok();
    let (from, to) = (from.trim().parse::<f64>().ok()?, to.trim().parse::<f64>().ok()?);
    if !(from > 0.0 && from < to && to.is_finite() && to / from < 1e30) {
        return None;
    }
    let numbers: Vec<f64> = match n {
        Some(n) => (0..n).map(|i| from * (to / from).powf(f64::from(i) / f64::from(n - 1))).collect(),
        None => std::iter::successors(Some(from), |v| Some(2.0 * v))
            .take_while(|v| *v <= to * (1.0 + 1e-9))
            .collect(),
    };
    let text = |v: f64| match is_whole {
        true => v.round().to_string(),
        // Six digits say enough.
        false => format!("{v:.5e}").parse::<f64>().unwrap_or(v).to_string(),
    };
    let mut texts: Vec<String> = numbers.into_iter().map(text).collect();
    texts.dedup();
    Some(texts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sweeps_double_or_take_so_many_points() {
        let all = |spec: &str| expand(spec).unwrap().join(" ");
        assert_eq!(all("hidden=8"), "hidden=8");
        assert_eq!(all("sz3:abs=0.05..0.4,z"), "sz3:abs=0.05,z sz3:abs=0.1,z sz3:abs=0.2,z sz3:abs=0.4,z");
        assert_eq!(all("hidden=8..40"), "hidden=8 hidden=16 hidden=32");
        assert_eq!(all("a=1..100x3"), "a=1 a=10 a=100");
        assert_eq!(all("a=0.1..0.9x3"), "a=0.1 a=0.3 a=0.9");
        assert_eq!(all("a=1..3x9"), "a=1 a=2 a=3", "whole numbers once each");
        assert_eq!(all("a=1..2,b=3..6"), "a=1,b=3 a=1,b=6 a=2,b=3 a=2,b=6");
        for wrong in ["a=2..1", "a=0..1", "a=..3", "a=1..2x1", "a=1..2x", "a=x..y", "a=-1..1", "a=1..inf"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn modes_may_stand_alone() {
        let choice = Choice::of_codec("inr:masked,hidden=16", 1).unwrap();
        assert_eq!(
            (choice.settings.as_str(), choice.codec().as_str()),
            ("mode=masked,hidden=16", "inr:masked")
        );
        assert_eq!(Choice::of_codec("inr", 1).unwrap().settings, "default");
        assert!(Choice::of_codec("inr:colour=red", 1).is_err());
        assert!(Choice::of_codec("mp3:rate=1", 1).is_err());
    }
}
