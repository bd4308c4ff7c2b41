//! `plura user`: people who may log in.

use clap::{Args, Subcommand};

use super::{OutputArgs, PasswordArgs, ServerArgs};

/// What can be done about users.
#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// List the users
    #[command(after_help = LIST_HELP)]
    List(UserListArgs),

    /// Create a user
    #[command(after_help = CREATE_HELP)]
    Create(UserCreateArgs),

    /// Show a user
    #[command(after_help = SHOW_HELP)]
    Show(UserArgs),

    /// Change what is known about a user
    #[command(after_help = UPDATE_HELP)]
    Update(UserUpdateArgs),

    /// Keep a user from logging in, and end what they are logged in to
    #[command(after_help = DISABLE_HELP)]
    Disable(UserArgs),

    /// Let a user log in again
    #[command(after_help = ENABLE_HELP)]
    Enable(UserArgs),

    /// Delete a user, with their tokens and what they are allowed
    #[command(after_help = DELETE_HELP)]
    Delete(UserArgs),

    /// Set a password: your own, or as an administrator that of another
    #[command(after_help = PASSWORD_HELP)]
    Password(UserPasswordArgs),

    /// End all sessions of a user, on every device
    #[command(after_help = LOGOUT_HELP)]
    Logout(UserArgs),
}

const LIST_HELP: &str = "\
Examples:
  plura user list
  plura user list --json | jq -r '.[] | select(.administrator).name'";

/// How to list the users
#[derive(Debug, Args)]
pub(crate) struct UserListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura user show alice";

const DISABLE_HELP: &str = "\
Example:
  plura user disable alice";

const ENABLE_HELP: &str = "\
Example:
  plura user enable alice";

const DELETE_HELP: &str = "\
Example:
  plura user delete alice";

const LOGOUT_HELP: &str = "\
Example:
  plura user logout alice";

/// Which user
#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CREATE_HELP: &str = "\
The password is asked for.

Examples:
  plura user create alice --email alice@example.com
  plura user create root --administrator --password-stdin < password
  plura user create bob@example.com --without-password     Logs in with OIDC only";

/// Whom to create
#[derive(Debug, Args)]
pub(crate) struct UserCreateArgs {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Their address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,

    /// Their name as people write it
    #[arg(long, value_name = "TEXT")]
    pub(crate) display_name: Option<String>,

    /// Let them do everything
    #[arg(long)]
    pub(crate) administrator: bool,

    /// Set no password: there are other ways to log in
    #[arg(long, conflicts_with = "password_stdin")]
    pub(crate) without_password: bool,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const UPDATE_HELP: &str = "\
Examples:
  plura user update alice --email alice@example.org
  plura user update alice --administrator=false";

/// What to change
#[derive(Debug, Args)]
pub(crate) struct UserUpdateArgs {
    /// The user
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) change: UserChange,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be changed about a user.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct UserChange {
    /// Their address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,

    /// Their name as people write it
    #[arg(long, value_name = "TEXT")]
    pub(crate) display_name: Option<String>,

    /// Whether they may do everything
    #[arg(long, value_name = "BOOL")]
    pub(crate) administrator: Option<bool>,
}

const PASSWORD_HELP: &str = "\
Your own password is only changed along with the one that you have now: it is asked for, or is the first \
of two lines on standard input.

Examples:
  plura user password                               Your own
  plura user password alice                         As an administrator
  plura user password alice --password-stdin < new";

/// Whose password
#[derive(Debug, Args)]
pub(crate) struct UserPasswordArgs {
    /// The user; otherwise yourself
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<String>,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
