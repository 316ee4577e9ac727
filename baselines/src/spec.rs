//! The options of a rival in words: `nopred,log2,abs=0.4`.

use crate::error::{Error, Result};
use std::str::FromStr;

/// Options that are taken one by one; what is left over is refused.
pub(crate) struct Options<'a> {
    left: Vec<(&'a str, Option<&'a str>)>,
    taken: Vec<&'a str>,
}

impl<'a> Options<'a> {
    /// The options of `text`, comma-separated, each `word` or `key=value`.
    pub fn new(text: &'a str) -> Options<'a> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let left =
            parts.map(|part| part.split_once('=').map_or((part, None), |(k, v)| (k, Some(v)))).collect();
        Options { left, taken: vec![] }
    }

    /// The value of `key=value`.
    pub fn text(&mut self, key: &str) -> Option<&'a str> {
        let at = self.left.iter().position(|(k, v)| *k == key && v.is_some())?;
        let (key, value) = self.left.remove(at);
        self.taken.push(key);
        value
    }

    /// The value of `key=value` as a number.
    pub fn number<T: FromStr>(&mut self, key: &str) -> Result<Option<T>> {
        let parse = |text: &str| {
            text.parse().map_err(|_| Error::Argument(format!("{key}={text}: not a number that it takes")))
        };
        self.text(key).map(parse).transpose()
    }

    /// Whether the word is there.
    pub fn word(&mut self, word: &str) -> bool {
        let at = self.left.iter().position(|option| *option == (word, None));
        at.map(|at| self.taken.push(self.left.remove(at).0)).is_some()
    }

    /// What the one of these words that is there stands for.
    pub fn one_of<T: Copy>(&mut self, words: &[(&str, T)]) -> Result<Option<T>> {
        let found: Vec<&(&str, T)> = words.iter().filter(|(word, _)| self.word(word)).collect();
        match found[..] {
            [] => Ok(None),
            [(_, choice)] => Ok(Some(*choice)),
            [(first, _), (second, _), ..] => {
                Err(Error::Argument(format!("'{first}' and '{second}' exclude each other")))
            }
        }
    }

    /// Refuses what was not taken; `known` says what there is.
    pub fn finish(self, known: &str) -> Result<()> {
        match self.left.first() {
            None => Ok(()),
            Some((option, _)) if self.taken.contains(option) => {
                Err(Error::Argument(format!("option '{option}' is given twice")))
            }
            Some((option, _)) => Err(Error::Argument(format!("no option '{option}'; there are {known}"))),
        }
    }
}

/// The one of `choices` that is given; an error says what there is where none or several are.
#[cfg(any(feature = "zfp", feature = "sz3"))]
pub(crate) fn exactly_one<T>(choices: impl IntoIterator<Item = Option<T>>, what: &str) -> Result<T> {
    let mut given = choices.into_iter().flatten();
    match (given.next(), given.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Error::Argument(format!("exactly one of {what} is needed"))),
    }
}

/// `value` where it is a finite number above 0.
pub(crate) fn positive(key: &str, value: f64) -> Result<f64> {
    match value.is_finite() && value > 0.0 {
        true => Ok(value),
        false => Err(Error::Argument(format!("{key}={value}: more than 0 is needed"))),
    }
}
