//! `plura access`: questions about what is allowed.

use clap::{Args, Subcommand};
use plura_oci::RepositoryName;

use super::{OutputArgs, ServerArgs};

/// What can be asked about access.
#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Say whether somebody may do something, and why
    #[command(after_help = EXPLAIN_HELP)]
    Explain(ExplainArgs),

    /// Say who you are to the server, and what you may do
    #[command(after_help = WHOAMI_HELP)]
    Whoami(WhoamiArgs),
}

const EXPLAIN_HELP: &str = "\
The answer is that of the rules by which requests are decided. Exit status: 0 allowed, 1 denied.

Examples:
  plura access explain --as user:alice --action push --repo apps/web
  plura access explain --as trust:github-main --action pull --repo base/debian --json
  plura access explain --as anonymous --action pull --repo base/debian";

/// Who wants to do what
#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// Who: `user:NAME`, `robot:NAME`, `trust:NAME`, `spiffe://...`, `anonymous`
    #[arg(long = "as", value_name = "SUBJECT")]
    pub(crate) subject: String,

    /// What: `pull`, `push`, `delete`, `promote`, ...
    #[arg(long, value_name = "ACTION")]
    pub(crate) action: String,

    /// In which repository; otherwise, on the whole installation
    #[arg(long, value_name = "NAME")]
    pub(crate) repo: Option<RepositoryName>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const WHOAMI_HELP: &str = "\
Example:
  plura access whoami";

/// How to print who you are
#[derive(Debug, Args)]
pub(crate) struct WhoamiArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
