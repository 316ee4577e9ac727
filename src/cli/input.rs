//! Which events an input holds, and how inputs that do not say what they are are read.

use super::files::{STDIN, is_stdin};
use super::stdin::Stdin;
use clap::Args;
use inrfit::error::{Error, Result};
use inrfit::event::Event;
use inrfit::io::array::{Encoding, Layout};
use inrfit::io::{Events, InputSettings, Origin, ReadSettings};
use std::path::Path;
use std::str::FromStr;

/// How inputs are read.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Extents of raw samples in C order: A,B or A,B,C for one event, N,A,B,C for a stack of N; with --dtype
    #[arg(long, value_name = "A,B,C", requires = "dtype")]
    shape: Option<Extents>,
    /// Type of raw samples by NumPy's name: uint16, float32, or >u2 for the most significant byte first
    #[arg(long, value_name = "TYPE", requires = "shape")]
    dtype: Option<Encoding>,
    /// Round float64 samples to float32; else those that float32 does not hold exactly are refused
    #[arg(long)]
    round: bool,
    /// Refuse events with samples outside this range, such as 0:1023
    #[arg(long, value_name = "LO:HI", allow_hyphen_values = true)]
    adc_range: Option<AdcRange>,
}

/// Two to four positive extents.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Extents(Vec<usize>);

impl FromStr for Extents {
    type Err = Error;

    fn from_str(text: &str) -> Result<Extents> {
        let extents: Option<Vec<usize>> =
            text.split([',', 'x']).map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
        extents
            .filter(|e| (2..=4).contains(&e.len()))
            .map(Extents)
            .ok_or_else(|| Error::argument("not two to four positive numbers such as 192,249,16"))
    }
}

/// Lowest and highest sample of a readout.
#[derive(Debug, Clone, Copy, PartialEq)]
struct AdcRange(f64, f64);

impl FromStr for AdcRange {
    type Err = Error;

    fn from_str(text: &str) -> Result<AdcRange> {
        text.split_once(':')
            .and_then(|(lo, hi)| Some((lo.trim().parse().ok()?, hi.trim().parse().ok()?)))
            .filter(|(lo, hi): &(f64, f64)| lo <= hi)
            .map(|(lo, hi)| AdcRange(lo, hi))
            .ok_or_else(|| Error::argument("not a range such as 0:1023"))
    }
}

impl InputArgs {
    fn settings(&self) -> InputSettings {
        let raw = self.shape.as_ref().zip(self.dtype).map(|(shape, encoding)| Layout {
            encoding,
            fortran_order: false,
            shape: shape.0.clone(),
        });
        InputSettings { raw, read: ReadSettings { round: self.round, ..ReadSettings::default() } }
    }

    /// The events of a file, or of standard input where its name is `-`.
    ///
    /// # Errors
    /// As [`Events::open`], with the name.
    pub fn open(&self, input: &Path) -> Result<Events> {
        match is_stdin(input) {
            true => {
                Events::from_reader(Box::new(Stdin::new()), &self.settings()).map_err(|e| e.context(STDIN))
            }
            false => Events::open(input, &self.settings()),
        }
    }

    /// Reads the next event of `events`, called `name`, and checks its range.
    ///
    /// # Errors
    /// As [`Events::read`], and `Argument` for samples outside the range that was given; with the name.
    pub fn read(&self, events: &mut Events, name: &str) -> Option<Result<Event>> {
        let event = events.read()?.and_then(|event| match self.adc_range {
            Some(AdcRange(lo, hi)) => event.check_range(lo, hi).map(|()| event),
            None => Ok(event),
        });
        Some(event.map_err(|e| e.context(name)))
    }
}

/// What an event is called in messages and reports: `run.npy`, `run.npy[3]`, `run.npz:hits[3]`.
pub fn name_of(input: &Path, origin: &Origin) -> String {
    format!("{}{origin}", input.display())
}

/// A file name for an event, without folder: that of its file, or for one of several `run.hits.00003.npy`.
pub fn file_name_of(input: &Path, origin: &Origin) -> String {
    let name = match is_stdin(input) {
        true => "stdin.npy".into(),
        false => input.file_name().unwrap_or_default().to_string_lossy(),
    };
    if origin.is_whole() {
        return name.into_owned();
    }
    let stem = [".npy", ".npz"].iter().find_map(|ending| name.strip_suffix(ending)).unwrap_or(&name);
    let mut out = stem.to_owned();
    if let Some(array) = &origin.array {
        out.push('.');
        // Arrays of an archive may have any name.
        out.extend(array.chars().map(|c| if c.is_control() || "/\\".contains(c) { '_' } else { c }));
    }
    if let Some(index) = origin.index {
        out.push_str(&format!(".{index:05}"));
    }
    out + ".npy"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_names() {
        let origin = |array: Option<&str>, index| Origin { array: array.map(str::to_owned), index };
        let names = |input: &str, o: &Origin| (name_of(input.as_ref(), o), file_name_of(input.as_ref(), o));
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(names("d/run.npy", &Origin::default()), pair("d/run.npy", "run.npy"));
        assert_eq!(names("run.npy", &origin(None, Some(3))), pair("run.npy[3]", "run.00003.npy"));
        assert_eq!(names("a.npz", &origin(Some("x/y"), None)), pair("a.npz:x/y", "a.x_y.npy"));
        assert_eq!(names("-", &origin(None, Some(0))), pair("-[0]", "stdin.00000.npy"));
        assert_eq!(names("s.raw", &origin(None, Some(1))).1, "s.raw.00001.npy");
    }

    #[test]
    fn extents_and_ranges_are_read() {
        assert_eq!("192,249, 16".parse::<Extents>().unwrap().0, [192, 249, 16]);
        assert_eq!("2x3".parse::<Extents>().unwrap().0, [2, 3]);
        for wrong in ["", "5", "1,0,2", "1,2,3,4,5", "a,b", "-1,2,3"] {
            assert!(wrong.parse::<Extents>().is_err(), "{wrong}");
        }
        assert_eq!("-5:1023".parse::<AdcRange>().unwrap(), AdcRange(-5.0, 1023.0));
        for wrong in ["", "5", "5:4", "nan:3", "1:2:3"] {
            assert!(wrong.parse::<AdcRange>().is_err(), "{wrong}");
        }
    }
}
