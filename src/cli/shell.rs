//! `inrfit completions` and `inrfit man`

use super::files::{check_output, write_bytes};
use super::output::Out;
use super::{Exit, Program};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use inrfit::error::{Error, Result};
use std::path::PathBuf;

/// Print completions for a shell
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  inrfit completions bash > ~/.local/share/bash-completion/completions/inrfit\n  \
    inrfit completions fish > ~/.config/fish/completions/inrfit.fish"
)]
pub struct Completions {
    /// Which shell
    shell: Shell,
}

/// Print the manual page, or write the pages of all commands
///
/// Without -o the page of the program itself goes to standard output.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  inrfit man | man -l -\n  inrfit man -o ~/.local/share/man/man1")]
pub struct Man {
    /// Existing folder to write inrfit.1, inrfit-compress.1 and so on into
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace existing files
    #[arg(short, long)]
    force: bool,
}

/// Prints completions.
///
/// # Errors
/// `Io` where standard output fails.
pub fn completions(args: &Completions, out: &mut Out) -> Result<Exit> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Program::command(), "inrfit", &mut text);
    out.line(String::from_utf8_lossy(&text).trim_end())?;
    Ok(Exit::Done)
}

/// Prints or writes manual pages.
///
/// # Errors
/// `Argument` where files exist already or there is no such folder, `Io`.
pub fn man(args: &Man, out: &mut Out) -> Result<Exit> {
    let mut program = Program::command();
    // Gives the commands their full names.
    program.build();
    let Some(folder) = &args.output else {
        out.line(String::from_utf8_lossy(&page(&program)?).trim_end())?;
        return Ok(Exit::Done);
    };
    let mut pages = vec![("inrfit.1".to_owned(), page(&program)?)];
    for command in program.get_subcommands().filter(|c| c.get_name() != "help") {
        pages.push((format!("inrfit-{}.1", command.get_name()), page(command)?));
    }
    for (name, _) in &pages {
        check_output(&folder.join(name), args.force)?;
    }
    for (name, text) in &pages {
        write_bytes(&folder.join(name), text, args.force)?;
    }
    Ok(Exit::Done)
}

fn page(command: &clap::Command) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut text).map_err(|e| Error::io("the manual page", e))?;
    Ok(text)
}
