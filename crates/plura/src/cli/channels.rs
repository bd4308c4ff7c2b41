//! `plura reg`: channels, promotion, rollback.

use clap::Args;
use plura_oci::RepositoryName;

use super::{ImageName, OutputArgs, ServerArgs};
use crate::secret::Secret;

pub(super) const PROMOTE_HELP: &str = "\
An image is in a channel when everything is true that the document in force asks for. The answer says what \
stands in the way; what only waits goes on by itself. Exit status: 0 if it is there or on its way, 1 if it \
may not be there.

Examples:
  plura reg promote apps/search:1.4 --to stg               Into the stable channel of stg
  plura reg promote apps/search:1.4 --to prod --wait       Until it has all of the traffic, or failed
  plura reg promote apps/search@sha256:... --to prod:candidate --dry-run
                                                           What would be decided, and why";

/// What to promote
#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The image
    #[arg(value_name = "IMAGE")]
    pub(crate) image: ImageName,

    /// The channel that it is to be in: `prod:candidate`, or `prod` for `prod:stable`
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) to: String,

    /// The channel that it comes from; without, what the document in force says
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) from: Option<String>,

    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Decide and say why; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// Wait until it is there, or is not going to be
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) wait: bool,

    /// A name for this request, with which it is carried out once however often it is sent
    #[arg(long, value_name = "NAME")]
    pub(crate) idempotency_key: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const ROLLBACK_HELP: &str = "\
The channel points at once at what was there before, or at what is named, if that was there before and may \
still be. Nothing is promoted into it then until `plura reg release` says that it may.

Examples:
  plura reg rollback apps/search --to prod                      To what was there before
  plura reg rollback apps/search --to prod:stable@sha256:...    To this
  plura reg rollback apps/search --to prod --key plura_rb_...   Without the role of a promoter";

/// What to take back
#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    /// The repository of the images
    #[arg(value_name = "REPOSITORY")]
    pub(crate) repo: RepositoryName,

    /// The channel, and perhaps the digest to go back to: `prod:stable@sha256:...`
    #[arg(long, value_name = "CHANNEL[@DIGEST]")]
    pub(crate) to: String,

    /// The key that the promotion answered with, instead of a role
    #[arg(long, value_name = "KEY", env = "PLURA_ROLLBACK_KEY", hide_env_values = true)]
    pub(crate) key: Option<Secret>,

    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    /// Go there even though it may not be, for this reason; for administrators
    #[arg(long, value_name = "REASON")]
    pub(crate) break_glass: Option<String>,

    /// Say what would be done; change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,

    /// A name for this request, with which it is carried out once however often it is sent
    #[arg(long, value_name = "NAME")]
    pub(crate) idempotency_key: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const STATUS_HELP: &str = "\
Examples:
  plura reg status                       All channels that you may pull from
  plura reg status prod:stable           One of all services
  plura reg status --service search      All of one service";

/// Which channels
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// Only this channel: `prod:stable`
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: Option<String>,

    /// Only of this service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const HISTORY_HELP: &str = "\
Examples:
  plura reg history prod:stable search                                Every move, the last first
  plura reg history prod:stable search --at 2026-11-01T12:00:00Z      What was there then";

/// Of which channel
#[derive(Debug, Args)]
pub(crate) struct ChannelHistoryArgs {
    /// The channel: `prod:stable`
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,

    /// The service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    /// Only what was there at this time
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<jiff::Timestamp>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const CANCEL_HELP: &str = "\
Examples:
  plura reg cancel 0190163d-8694-739b-aea5-966c26f8ad90 --reason 'the wrong image'";

/// What to cancel
#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The promotion, by its key
    #[arg(value_name = "PROMOTION")]
    pub(crate) promotion: String,

    /// Why, for the history
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const RELEASE_HELP: &str = "\
Examples:
  plura reg release prod:stable search";

/// Which channel to release
#[derive(Debug, Args)]
pub(crate) struct ReleaseArgs {
    /// The channel: `prod:stable`
    #[arg(value_name = "CHANNEL")]
    pub(crate) channel: String,

    /// The service
    #[arg(value_name = "SERVICE")]
    pub(crate) service: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const METRICS_HELP: &str = "\
Examples:
  plura reg metrics                      Of the whole registry
  plura reg metrics --repo apps/search   Of one repository";

/// Figures of what
#[derive(Debug, Args)]
pub(crate) struct FiguresArgs {
    /// Only of this repository
    #[arg(long, value_name = "NAME")]
    pub(crate) repo: Option<RepositoryName>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
