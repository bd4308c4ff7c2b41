//! `plura reg`: questions to a running registry.

use clap::{Args, Subcommand};

use super::{OutputArgs, ServerArgs};

/// What a running registry can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Collect what nothing needs any more
    #[command(name = "gc")]
    Collect(CollectArgs),
}

const COLLECT_HELP: &str = "\
The server does this by itself, every `collection.interval`. What is collected: blobs that no manifest of \
their repository references for longer than `collection.grace`, and manifests without a tag for longer \
than `collection.keep_untagged`.

Examples:
  plura reg gc --dry-run            What would go now, with the reason of each
  plura reg gc --repo apps/search   Only one repository";

/// What to collect
#[derive(Debug, Args)]
#[command(after_help = COLLECT_HELP)]
pub(crate) struct CollectArgs {
    /// Only this repository
    #[arg(long, value_name = "NAME")]
    pub(crate) repo: Option<plura_oci::RepositoryName>,

    /// Decide and report; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
