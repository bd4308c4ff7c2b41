//! `plura reg`: questions to a running registry.

use std::path::PathBuf;

use super::channels::{
    CANCEL_HELP, CancelArgs, ChannelHistoryArgs, FiguresArgs, HISTORY_HELP, METRICS_HELP,
    PROMOTE_HELP, PromoteArgs, RELEASE_HELP, ROLLBACK_HELP, ReleaseArgs, RollbackArgs, STATUS_HELP,
    StatusArgs,
};
use super::hold::{HOLD_HELP, HoldArgs, ReleaseHoldArgs};
use super::reports::{EVIDENCE_HELP, EvidenceArgs, NOTES_HELP, NotesArgs};
use super::usage::{USAGE_HELP, UsageArgs};
use clap::{Args, Subcommand};
use plura_oci::Reference;
use plura_policy::ChannelName;

use super::decisions::{
    ABOUT_HELP, APPROVE_HELP, ApproveArgs, BLOCK_HELP, BlockArgs, FREEZE_HELP, FreezeArgs,
    ImageAboutArgs, LIST_HELP, POST_HELP, PostCheckArgs, REVOKE_HELP, RevokeArgs, RulesArgs,
    UNFREEZE_HELP, UnfreezeArgs, WHY_HELP, WhyArgs,
};
use super::{ImageName, OutputArgs, ServerArgs};

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

    /// Ask what the policy would say of an image before it is pushed, without a server
    #[command(after_help = CHECK_HELP)]
    Check(LayoutCheckArgs),

    /// Say whether an image may be in a channel, and why
    #[command(after_help = WHY_HELP)]
    Why(WhyArgs),

    /// Stand for an image being in a channel
    #[command(after_help = APPROVE_HELP)]
    Approve(ApproveArgs),

    /// List who approved an image
    #[command(after_help = ABOUT_HELP)]
    Approvals(ImageAboutArgs),

    /// Take an approval back
    #[command(after_help = REVOKE_HELP)]
    Revoke(RevokeArgs),

    /// Post the result of a check of an image
    #[command(after_help = POST_HELP)]
    PostCheck(PostCheckArgs),

    /// List the results of checks of an image
    #[command(after_help = ABOUT_HELP)]
    Checks(ImageAboutArgs),

    /// Let nobody run a digest any more
    #[command(after_help = BLOCK_HELP)]
    Block(BlockArgs),

    /// Lift the block of a digest
    #[command(after_help = BLOCK_HELP)]
    Unblock(BlockArgs),

    /// List the digests that must not be run
    #[command(after_help = LIST_HELP)]
    Blocks(RulesArgs),

    /// Let nothing move into some channels for a time
    #[command(after_help = FREEZE_HELP)]
    Freeze(FreezeArgs),

    /// End a freeze before its time
    #[command(after_help = UNFREEZE_HELP)]
    Unfreeze(UnfreezeArgs),

    /// List the freezes beside those of the policy
    #[command(after_help = LIST_HELP)]
    Freezes(RulesArgs),

    /// Let nothing delete an image, nor what belongs to it
    #[command(after_help = HOLD_HELP)]
    Hold(HoldArgs),

    /// List what is held
    #[command(after_help = HOLD_HELP)]
    Holds(RulesArgs),

    /// Release what is held
    #[command(after_help = HOLD_HELP)]
    ReleaseHold(ReleaseHoldArgs),

    /// Say how much is stored in repositories
    #[command(after_help = USAGE_HELP)]
    Usage(UsageArgs),
}

const COLLECT_HELP: &str = "\
The server does this by itself, every `collection.interval`. What is collected: blobs that no manifest of \
their repository references for longer than `collection.grace`, and manifests without a tag for longer \
than `collection.keep_untagged`.

What the policy's rules of retention let go is planned by a dry run, under a digest, and deleted by naming that: \
exactly what was planned, but for what does not hold any more, which stays and is listed. A run that was \
interrupted goes on when it is run again. The server makes and carries out a plan of its own every \
`collection.retention_interval`.

Examples:
  plura reg gc --dry-run             What would go now, with the reason of each
  plura reg gc --plan sha256:9d1f... Delete what was planned
  plura reg gc --history             The plans that were carried out
  plura reg gc --repo apps/search    Only one repository";

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

    /// Delete what this plan of a dry run names
    #[arg(long, value_name = "DIGEST", conflicts_with_all = ["repo", "dry_run"])]
    pub(crate) plan: Option<plura_oci::Digest>,

    /// Stop the plan instead
    #[arg(long, requires = "plan")]
    pub(crate) cancel: bool,

    /// List the plans that were carried out
    #[arg(long, conflicts_with_all = ["repo", "dry_run", "plan", "cancel"])]
    pub(crate) history: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CHECK_HELP: &str = "\
The image is in an OCI image layout, a directory or a tar archive that is not compressed, as builders write \
it. The same gates as at the registry are asked what it can be known by now: configuration, labels, \
annotations, secrets in layers, the declared base; and whether it may be pushed under its tag. Signatures, \
attestations and vulnerabilities are known at the registry only: gates about them are waited for.

Exit status: 0 nothing stands in the way, 1 something does, 2 it could not be asked, 3 nothing does as far \
as it is known, and the registry decides the rest.

Examples:
  docker buildx build --output type=oci,dest=web.tar .
  plura reg check web.tar --as apps/web:1.0.0 --to prod:stable --policy policy.toml";

/// What to check
#[derive(Debug, Args)]
pub(crate) struct LayoutCheckArgs {
    /// The image layout
    #[arg(value_name = "LAYOUT")]
    pub(crate) layout: PathBuf,

    /// As what it will be pushed
    #[arg(long = "as", value_name = "NAME[:TAG]")]
    pub(crate) image: ImageName,

    /// The channel
    #[arg(long, value_name = "CHANNEL")]
    pub(crate) to: ChannelName,

    /// The document that governs, in TOML or JSON
    #[arg(long, value_name = "FILE", default_value = "policy.toml")]
    pub(crate) policy: PathBuf,

    /// Which image of the layout, if there are several
    #[arg(long, value_name = "TAG|DIGEST")]
    pub(crate) reference: Option<Reference>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
