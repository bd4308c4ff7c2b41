//! `plura reg`: questions to a running registry.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plura_oci::Reference;
use plura_policy::ChannelName;

use super::{ImageName, OutputArgs, ServerArgs};

/// What a running registry can be asked.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Collect what nothing needs any more
    #[command(name = "gc")]
    Collect(CollectArgs),

    /// Ask what the policy would say of an image before it is pushed, without a server
    #[command(after_help = CHECK_HELP)]
    Check(LayoutCheckArgs),
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
