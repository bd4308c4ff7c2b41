//! `plura token`: API tokens of a user.

use clap::{Args, Subcommand};

use super::{OutputArgs, ServerArgs};

/// What can be done about API tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// List your tokens
    #[command(after_help = LIST_HELP)]
    List(TokenListArgs),

    /// Create a token, and print it
    #[command(after_help = CREATE_HELP)]
    Create(TokenCreateArgs),

    /// Make a token useless
    #[command(after_help = REVOKE_HELP)]
    Revoke(TokenRevokeArgs),
}

const LIST_HELP: &str = "\
Examples:
  plura token list
  plura token list --user alice     As an administrator";

/// Whose tokens to list
#[derive(Debug, Args)]
pub(crate) struct TokenListArgs {
    /// Those of this user; otherwise your own
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CREATE_HELP: &str = "\
The token is printed once, on standard output, and cannot be shown again. It never allows more than its \
user is allowed. Use it as a password, or as PLURA_TOKEN.

Examples:
  plura token create laptop --scope 'repository:apps/**:pull' --expires-in-days 30 > token
  plura token create deploy --scope 'repository:apps/web:pull,push'";

/// Which token to create
#[derive(Debug, Args)]
pub(crate) struct TokenCreateArgs {
    /// What to call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// What it is limited to, as `repository:PATTERN:ACTIONS`; can be repeated; without one, it may
    /// do all that its user may
    #[arg(long, value_name = "SCOPE")]
    pub(crate) scope: Vec<String>,

    /// When it expires
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<u32>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const REVOKE_HELP: &str = "\
Example:
  plura token revoke 01981f6e-8a3b-7c61-9d2f-3f1f8f0f2a11     An id that `plura token list` shows";

/// Which token to revoke
#[derive(Debug, Args)]
pub(crate) struct TokenRevokeArgs {
    /// The id of the token
    #[arg(value_name = "ID")]
    pub(crate) id: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
