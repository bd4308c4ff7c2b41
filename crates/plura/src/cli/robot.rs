//! `plura robot`: accounts of programs.

use clap::{Args, Subcommand};

use super::{OutputArgs, Role, ServerArgs};
use crate::settings::Span;

/// What can be done about robots.
#[derive(Debug, Subcommand)]
pub(crate) enum RobotCommand {
    /// List the robots
    #[command(after_help = LIST_HELP)]
    List(RobotListArgs),

    /// Create a robot, and print its secret
    #[command(after_help = CREATE_HELP)]
    Create(RobotCreateArgs),

    /// Show a robot
    #[command(after_help = SHOW_HELP)]
    Show(RobotArgs),

    /// Change the description of a robot, or when it expires
    #[command(after_help = UPDATE_HELP)]
    Update(RobotUpdateArgs),

    /// Refuse a robot until it is enabled again
    #[command(after_help = DISABLE_HELP)]
    Disable(RobotArgs),

    /// Accept a robot again
    #[command(after_help = ENABLE_HELP)]
    Enable(RobotArgs),

    /// Give a robot a new secret, and print it
    #[command(after_help = ROTATE_HELP)]
    Rotate(RobotRotateArgs),

    /// Delete a robot, with what it is allowed
    #[command(after_help = DELETE_HELP)]
    Delete(RobotArgs),
}

const LIST_HELP: &str = "\
Examples:
  plura robot list --project apps
  plura robot list --json | jq -r '.[] | select(.expires_soon).name'";

/// Which robots to list
#[derive(Debug, Args)]
pub(crate) struct RobotListArgs {
    /// Only those of this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const SHOW_HELP: &str = "\
Example:
  plura robot show robot+apps+ci";

const DISABLE_HELP: &str = "\
Example:
  plura robot disable robot+apps+ci";

const ENABLE_HELP: &str = "\
Example:
  plura robot enable robot+apps+ci";

const DELETE_HELP: &str = "\
Example:
  plura robot delete robot+apps+ci";

/// Which robot
#[derive(Debug, Args)]
pub(crate) struct RobotArgs {
    /// The whole name of the robot: `robot+PROJECT+NAME`, or `robot+NAME` outside of projects
    #[arg(value_name = "ROBOT")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const CREATE_HELP: &str = "\
The secret is printed once, on standard output, and cannot be shown again. A robot of a project is \
allowed things in that project; one without a project, everywhere.

Examples:
  plura robot create ci --project apps --role developer > secret
  plura robot create ci --project apps --role developer --repositories 'apps/web-*'
  plura robot create mirror --role reader --expires-in-days 30";

/// Which robot to create
#[derive(Debug, Args)]
pub(crate) struct RobotCreateArgs {
    /// The name within the project: `ci` becomes `robot+PROJECT+ci`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// The project that it belongs to; otherwise it belongs to none
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// What it may do; can be repeated
    #[arg(long, value_name = "ROLE", required = true)]
    pub(crate) role: Vec<Role>,

    /// Only in repositories like this: `*` is any part of a name between slashes, `**` any part
    #[arg(long, value_name = "PATTERN")]
    pub(crate) repositories: Option<String>,

    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    /// When its secret expires: otherwise in 90 days; 0 is never, which only administrators may say
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<u32>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const UPDATE_HELP: &str = "\
Examples:
  plura robot update robot+apps+ci --description 'GitLab, group apps'
  plura robot update robot+apps+ci --expires-in-days 90";

/// What to change
#[derive(Debug, Args)]
pub(crate) struct RobotUpdateArgs {
    /// The whole name of the robot
    #[arg(value_name = "ROBOT")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) change: RobotChange,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

/// What can be changed about a robot.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct RobotChange {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,

    /// When its secret expires, counted from now; 0 is never, which only administrators may say
    #[arg(long, value_name = "DAYS")]
    pub(crate) expires_in_days: Option<u32>,
}

const ROTATE_HELP: &str = "\
The new secret is printed once, on standard output. The old one works for a while longer, so that it can \
be replaced where it is used.

Examples:
  plura robot rotate robot+apps+ci > secret
  plura robot rotate robot+apps+ci --overlap 0s > secret      The old one is known to others";

/// Whose secret to replace
#[derive(Debug, Args)]
pub(crate) struct RobotRotateArgs {
    /// The whole name of the robot
    #[arg(value_name = "ROBOT")]
    pub(crate) name: String,

    /// How long the old secret goes on working; otherwise an hour
    #[arg(long, value_name = "DURATION")]
    pub(crate) overlap: Option<Span>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
