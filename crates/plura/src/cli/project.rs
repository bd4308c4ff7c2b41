//! `plura project`: the first part of repository names, with its limits.

use std::str::FromStr;

use clap::{Args, Subcommand, ValueEnum};

use super::{OutputArgs, ServerArgs};
use crate::settings::ByteSize;

/// What can be done about projects.
#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// List the projects
    #[command(after_help = LIST_HELP)]
    List(ProjectListArgs),

    /// Create a project
    #[command(after_help = CREATE_HELP)]
    Create(ProjectCreateArgs),

    /// Show a project
    #[command(after_help = SHOW_HELP)]
    Show(ProjectArgs),

    /// Change who may pull from a project and how, or its limits
    #[command(after_help = UPDATE_HELP)]
    Update(ProjectUpdateArgs),

    /// Delete a project that has no repositories
    #[command(after_help = DELETE_HELP)]
    Delete(ProjectArgs),
}

const LIST_HELP: &str = "\
Example:
  plura project list";

/// How to list the projects
#[derive(Debug, Args)]
pub(crate) struct ProjectListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura project show apps";

const DELETE_HELP: &str = "\
Example:
  plura project delete apps";

/// Which project
#[derive(Debug, Args)]
pub(crate) struct ProjectArgs {
    /// The project
    #[arg(value_name = "PROJECT")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CREATE_HELP: &str = "\
A project is the first part of the names of its repositories: `apps/search/web` is in the project `apps`.

Examples:
  plura project create apps
  plura project create base --public --quota-bytes 50GiB --quota-tags 1000";

/// Which project to create
#[derive(Debug, Args)]
pub(crate) struct ProjectCreateArgs {
    /// The project
    #[arg(value_name = "PROJECT")]
    pub(crate) name: String,

    /// Let everybody pull, without a login
    #[arg(long)]
    pub(crate) public: bool,

    /// The most bytes that it may hold
    #[arg(long, value_name = "SIZE")]
    pub(crate) quota_bytes: Option<ByteSize>,

    /// The most tags that it may hold
    #[arg(long, value_name = "NUMBER")]
    pub(crate) quota_tags: Option<u64>,

    /// Whether clients are sent to the object store for blobs
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) redirect: Option<RedirectArg>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const UPDATE_HELP: &str = "\
Examples:
  plura project update apps --public=false
  plura project update apps --quota-bytes 100GiB --quota-tags none
  plura project update apps --redirect off";

/// What to change
#[derive(Debug, Args)]
pub(crate) struct ProjectUpdateArgs {
    /// The project
    #[arg(value_name = "PROJECT")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) change: ProjectChange,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be changed about a project.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct ProjectChange {
    /// Whether everybody may pull, without a login
    #[arg(long, value_name = "BOOL")]
    pub(crate) public: Option<bool>,

    /// The most bytes that it may hold, or `none`
    #[arg(long, value_name = "SIZE")]
    pub(crate) quota_bytes: Option<Limit<ByteSize>>,

    /// The most tags that it may hold, or `none`
    #[arg(long, value_name = "NUMBER")]
    pub(crate) quota_tags: Option<Limit<u64>>,

    /// Whether clients are sent to the object store for blobs
    #[arg(long, value_enum, value_name = "WHEN")]
    pub(crate) redirect: Option<RedirectArg>,
}

/// When clients are sent to the object store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RedirectArg {
    /// As the server's settings say.
    #[value(help = None)]
    Inherit,
    /// Whatever they say.
    #[value(help = None)]
    On,
    /// Never.
    #[value(help = None)]
    Off,
}

impl RedirectArg {
    /// As the API has it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Inherit => "inherit",
            Self::On => "on",
            Self::Off => "off",
        }
    }
}

/// A limit, or the wish that there be none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Limit<T> {
    /// No limit.
    None,
    /// At most this.
    At(T),
}

impl<T: FromStr> FromStr for Limit<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        if text == "none" { Ok(Self::None) } else { text.parse().map(Self::At) }
    }
}
