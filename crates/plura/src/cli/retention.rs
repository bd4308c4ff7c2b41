//! `plura reg hold`, `holds`, `release-hold` and `usage`.

use clap::Args;
use jiff::Timestamp;
use plura_oci::RepositoryName;

use super::vulnerabilities::end;
use super::{BlockedDigest, OutputArgs, ServerArgs};

pub(super) const HOLD_HELP: &str = "\
What is held is not deleted, by nobody and by no rule, and neither is what belongs to it: platforms, layers, \
signatures and whatever else is about it. A digest alone is meant in every repository, one behind a name \
there alone. It need not be there yet.

Examples:
  plura reg hold apps/web@sha256:4f53... --reason RCA-12
  plura reg hold sha256:4f53... --reason 'dispute 7' --until 2027-06-30
  plura reg holds
  plura reg release-hold 01997a62-5b0c-7d51-9a3e-6f6d2b1f2a11 --reason 'RCA-12 is closed'";

/// What to hold
#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    /// The digest
    #[arg(value_name = "[NAME@]DIGEST")]
    pub(crate) what: BlockedDigest,

    /// Why: the case that needs it
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    /// Until when: a time, or for how long, such as `90d`; otherwise until it is released
    #[arg(long, value_name = "TIME", value_parser = end)]
    pub(crate) until: Option<Timestamp>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// Which hold
#[derive(Debug, Args)]
pub(crate) struct ReleaseHoldArgs {
    /// The hold
    #[arg(value_name = "HOLD")]
    pub(crate) hold: String,

    /// Why it is needed no more
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

pub(super) const USAGE_HELP: &str = "\
Exclusive bytes are those of blobs that no other repository has: so much is freed without the repository. \
Shared ones are counted with each repository that has them, and once in the total.

Examples:
  plura reg usage
  plura reg usage --project apps";

/// Of what to tell
#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// Only repositories of this project
    #[arg(long, value_name = "NAME", conflicts_with = "repository")]
    pub(crate) project: Option<String>,

    /// Only this repository
    #[arg(long, value_name = "NAME")]
    pub(crate) repository: Option<RepositoryName>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
