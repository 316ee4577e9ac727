//! Lines on standard output and standard error.

use inrfit::error::{Error, Result};
use std::io::{self, Write};

/// Standard output. Who reads it may stop at any time: later lines then go nowhere, and the work goes on.
#[derive(Debug, Default)]
pub struct Out {
    closed: bool,
    diverted: bool,
}

impl Out {
    /// Sends later lines to standard error: standard output is for the result itself.
    pub fn divert(&mut self) {
        self.diverted = true;
    }

    /// Prints a line.
    ///
    /// # Errors
    /// `Io` where standard output fails for another reason than a closed pipe.
    pub fn line(&mut self, text: &str) -> Result<()> {
        if self.diverted {
            note(text);
        }
        if self.closed || self.diverted {
            return Ok(());
        }
        let mut stdout = io::stdout().lock();
        match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
            Err(e) if e.kind() == io::ErrorKind::BrokenPipe => self.closed = true,
            Err(e) => return Err(Error::io("standard output", e)),
            Ok(()) => {}
        }
        Ok(())
    }
}

/// Prints a line on standard error; where that fails, there is nobody left to tell.
pub fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Rows under a header as lines; the first column to the left, numbers to the right.
pub fn table(header: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let width = |i: usize, name: &str| {
        rows.iter().filter_map(|r| r.get(i)).map(|c| c.chars().count()).fold(name.chars().count(), usize::max)
    };
    let widths: Vec<usize> = header.iter().enumerate().map(|(i, name)| width(i, name)).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (i, (cell, width)) in cells.zip(&widths).enumerate() {
            match i {
                0 => text.push_str(&format!("{cell:<width$}")),
                _ => text.push_str(&format!("  {cell:>width$}")),
            }
        }
        text.trim_end().to_owned()
    };
    let mut lines = vec![line(&mut header.iter().copied())];
    lines.extend(rows.iter().map(|r| line(&mut r.iter().map(String::as_str))));
    lines
}

/// `v` with four significant digits, without an exponent where that is readable.
pub fn digits(v: f64) -> String {
    let magnitude = v.abs();
    if !v.is_finite() {
        return v.to_string();
    }
    if magnitude != 0.0 && !(1e-4..1e7).contains(&magnitude) {
        return format!("{v:.3e}");
    }
    let n_decimals = match magnitude {
        0.0 => 0,
        m => (3 - m.log10().floor() as i32).max(0) as usize,
    };
    format!("{v:.n_decimals$}")
}

/// Extents as `192 x 249 x 16`.
pub fn extents(shape: [usize; 3]) -> String {
    let [a, b, c] = shape;
    format!("{a} x {b} x {c}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let pairs = [(0.0, "0"), (74.99, "74.99"), (0.12345, "0.1235"), (1.0, "1.000"), (1023.0, "1023")];
        for (v, text) in
            pairs.into_iter().chain([(12345.6, "12346"), (1e-9, "1.000e-9"), (f64::INFINITY, "inf")])
        {
            assert_eq!(digits(v), text);
        }
    }

    #[test]
    fn columns_line_up() {
        let rows = [vec!["a".to_owned(), "1.5".to_owned()], vec!["long".to_owned(), "12".to_owned()]];
        assert_eq!(table(&["", "ratio"], &rows), ["      ratio", "a       1.5", "long     12"]);
    }
}
