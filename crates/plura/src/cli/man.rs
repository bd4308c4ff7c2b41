//! `plura man`.

use std::path::PathBuf;

use clap::Args;

/// Where the manual goes.
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct ManArgs {
    /// Write the pages of all commands into this directory; otherwise the main page is printed
    #[arg(long, value_name = "DIR")]
    pub(crate) directory: Option<PathBuf>,
}

const HELP: &str = "\
Examples:
  plura man | man -l -
  plura man --directory ~/.local/share/man/man1";
