//! `plura config`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{InstallationArgs, OutputArgs};

/// What can be asked about settings.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the settings in force, and where each value came from
    ///
    /// Values come from, the later the stronger: defaults, the settings file, the environment, and
    /// flags. What is printed is itself a settings file.
    #[command(after_help = SHOW_HELP)]
    Show(ShowArgs),

    /// Check the settings and print everything that is wrong with them
    ///
    /// The answer is the exit status: 0 when they are valid, 1 when they are not.
    #[command(after_help = CHECK_HELP)]
    Check(CheckSettingsArgs),

    /// Print every setting: what it does, its type, its default, its environment variable
    #[command(after_help = REFERENCE_HELP)]
    Reference(OutputArgs),

    /// Print the configuration of a registry:2 as settings
    ///
    /// What has an equivalent is printed as a settings file; everything else has a line that says so.
    /// Secrets are never printed: settings name files to put them into.
    #[command(after_help = IMPORT_HELP)]
    Import(ImportArgs),
}

/// What to import.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// The configuration file, often /etc/docker/registry/config.yml
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// Let the variables `REGISTRY_...` replace what the file says, as they do for the registry
    #[arg(long)]
    pub(crate) environment: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which settings, and how to print them.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) installation: InstallationArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// Which settings, and how far to look.
#[derive(Debug, Args)]
pub(crate) struct CheckSettingsArgs {
    /// Look at the settings only, and ask no object store
    #[arg(long)]
    pub(crate) offline: bool,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

const SHOW_HELP: &str = "\
Examples:
  plura config show
  PLURA_REGISTRY__SPARSE=all plura config show
  plura config show > new.toml      Start a settings file from what is in force";

const CHECK_HELP: &str = "\
Examples:
  plura config check --config /etc/plura/plura.toml
  plura config check --offline      Before the object store is there
  plura config check --json         The problems as data";

const IMPORT_HELP: &str = "\
Example:
  plura config import /etc/docker/registry/config.yml > plura.toml";

const REFERENCE_HELP: &str = "\
Examples:
  plura config reference | less
  plura config reference --json";
