//! Progress on a terminal.

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use inrfit::codec::{Observer, Progress, Stage};
use inrfit::error::{Error, ErrorKind, Result};
use std::fmt::Write;
use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Set by Ctrl-C: the work in progress then ends at its next report, and leaves nothing behind. Checked once more before
/// an output takes its name.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Makes Ctrl-C end the work in an orderly way; a second one kills the program.
pub fn catch_interrupts() {
    // Where no handler can be set, Ctrl-C kills as it always does.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
}

/// Whether the user has asked to stop.
pub fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::Relaxed)
}

/// Goes on unless the user has asked to stop.
///
/// # Errors
/// `Interrupted`.
pub fn go_on() -> Result<()> {
    match interrupted() {
        true => Err(Error::new(ErrorKind::Interrupted, "stopped on request")),
        false => Ok(()),
    }
}

const TEMPLATE: &str = "{prefix}  {msg}  [{bar:24}] {percent:>3}%  {left}";

/// A line on standard error with stage, tile, error and the time left; it disappears when dropped.
#[derive(Debug)]
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// The progress of work on `name`; nothing where it is not `wanted` or standard error is no terminal.
    pub fn new(name: &str, wanted: bool) -> Bar {
        if !wanted || !std::io::stderr().is_terminal() {
            return Bar { bar: ProgressBar::hidden() };
        }
        let bar = ProgressBar::with_draw_target(Some(1), ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style.with_key("left", time_left).progress_chars("=> "));
        }
        bar.set_prefix(name.to_owned());
        bar.set_message("fit");
        bar.enable_steady_tick(Duration::from_millis(250));
        Bar { bar }
    }
}

/// The time left; before the first report there is nothing to tell it from.
fn time_left(state: &ProgressState, w: &mut dyn Write) {
    let _ = match state.pos() {
        0 => write!(w, "ETA -"),
        _ => write!(w, "ETA {:#}", HumanDuration(state.eta())),
    };
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for Bar {
    fn cancelled(&self) -> bool {
        interrupted()
    }

    fn progress(&self, p: &Progress) {
        if self.bar.is_hidden() {
            return;
        }
        let (tile, n_tiles) = (p.tile as u64, p.n_tiles as u64);
        let mut message = match p.stage {
            Stage::Fit => "fit".to_owned(),
            Stage::Pack => "pack".to_owned(),
            Stage::Verify => "verify".to_owned(),
            Stage::Decode => "decode".to_owned(),
            Stage::Sample => "sample".to_owned(),
        };
        if n_tiles > 1 && !matches!(p.stage, Stage::Verify | Stage::Sample) {
            message.push_str(&format!(" tile {}/{n_tiles}", tile + 1));
        }
        if let Some(error) = p.error {
            message.push_str(&format!(", log-MAE {error:.3}"));
        }
        match p.stage {
            Stage::Fit => {
                self.bar.set_length(n_tiles * p.n_steps);
                self.bar.set_position(tile * p.n_steps + p.step);
            }
            Stage::Decode => {
                self.bar.set_length(n_tiles);
                self.bar.set_position(tile);
            }
            Stage::Sample => {
                self.bar.set_length(p.n_steps);
                self.bar.set_position(p.step);
            }
            Stage::Pack | Stage::Verify => {}
        }
        self.bar.set_message(message);
    }
}
