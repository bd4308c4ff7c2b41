//! `plura reg`: questions to a running registry.

use clap::{Args, Subcommand};

use super::channels::{
    CANCEL_HELP, CancelArgs, ChannelHistoryArgs, FiguresArgs, HISTORY_HELP, METRICS_HELP,
    PROMOTE_HELP, PromoteArgs, RELEASE_HELP, ROLLBACK_HELP, ReleaseArgs, RollbackArgs, STATUS_HELP,
    StatusArgs,
};
use super::reports::{EVIDENCE_HELP, EvidenceArgs, NOTES_HELP, NotesArgs};
use super::{OutputArgs, ServerArgs};

/// What a running registry can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Ask for an image to be in a channel
    #[command(after_help = PROMOTE_HELP)]
    Promote(Box<PromoteArgs>),

    /// Take a channel back to what was there before
    #[command(after_help = ROLLBACK_HELP)]
    Rollback(Box<RollbackArgs>),

    /// Show what is in channels, and what is on its way
    #[command(after_help = STATUS_HELP)]
    Status(StatusArgs),

    /// Show how a channel came to point at what it does
    #[command(after_help = HISTORY_HELP)]
    History(ChannelHistoryArgs),

    /// Cancel a promotion; the traffic that it has goes back
    #[command(after_help = CANCEL_HELP)]
    Cancel(CancelArgs),

    /// Let images be promoted again into a channel that went back
    #[command(after_help = RELEASE_HELP)]
    Release(ReleaseArgs),

    /// Show figures about images, promotions and rollbacks
    #[command(after_help = METRICS_HELP)]
    Metrics(FiguresArgs),

    /// Tell what is different in an image from the one before it
    #[command(after_help = NOTES_HELP)]
    Notes(NotesArgs),

    /// Write everything that is known of an image into one file, or check such a file
    #[command(after_help = EVIDENCE_HELP)]
    Evidence(EvidenceArgs),

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
