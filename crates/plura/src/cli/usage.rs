//! `plura reg usage`.

use clap::Args;
use plura_oci::RepositoryName;

use super::{OutputArgs, ServerArgs};

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
