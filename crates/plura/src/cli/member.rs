//! `plura member`: who may do what, in a project or everywhere.

use clap::{Args, Subcommand};

use super::{OutputArgs, RealmArgs, Role, ServerArgs};

/// What can be done about members.
#[derive(Debug, Subcommand)]
pub(crate) enum MemberCommand {
    /// List who may do what
    #[command(after_help = LIST_HELP)]
    List(MemberListArgs),

    /// Allow somebody something
    #[command(after_help = ADD_HELP)]
    Add(MemberAddArgs),

    /// Take back what somebody was allowed
    #[command(after_help = REMOVE_HELP)]
    Remove(MemberRemoveArgs),
}

const LIST_HELP: &str = "\
Examples:
  plura member list --project apps
  plura member list --everywhere";

/// Whose members to list
#[derive(Debug, Args)]
pub(crate) struct MemberListArgs {
    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const ADD_HELP: &str = "\
Subjects are `user:NAME`, `robot:NAME`, `group:NAME`, `trust:NAME`, `spiffe:PATTERN`, and `everyone` for \
anybody who is logged in.

Examples:
  plura member add user:alice --role developer --project apps
  plura member add group:sre --role maintainer --everywhere
  plura member add everyone --role reader --project apps --repositories 'apps/base-*'";

/// Whom to allow what
#[derive(Debug, Args)]
pub(crate) struct MemberAddArgs {
    /// Who: `user:alice`, `group:sre`, ...
    #[arg(value_name = "SUBJECT")]
    pub(crate) subject: String,

    /// What they may do
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Role,

    /// Only in repositories like this: `*` is any part of a name between slashes, `**` any part
    #[arg(long, value_name = "PATTERN")]
    pub(crate) repositories: Option<String>,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const REMOVE_HELP: &str = "\
Exit status: 1 if there is no such member.

Examples:
  plura member remove user:alice --project apps                     All that alice may do there
  plura member remove user:alice --role developer --project apps    Only that
  plura member remove 17 --everywhere                               An id that `list` shows";

/// From whom to take what
#[derive(Debug, Args)]
pub(crate) struct MemberRemoveArgs {
    /// Who, as it is listed, or the id of one entry of the list
    #[arg(value_name = "SUBJECT|ID")]
    pub(crate) member: String,

    /// Only this role
    #[arg(long, value_name = "ROLE")]
    pub(crate) role: Option<Role>,

    #[command(flatten)]
    pub(crate) realm: RealmArgs,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
