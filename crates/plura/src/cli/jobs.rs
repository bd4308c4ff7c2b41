//! `plura jobs`: what goes on in the background.

use clap::{Args, Subcommand};

use super::{OutputArgs, ServerArgs};

/// What can be done about jobs.
#[derive(Debug, Subcommand)]
pub(crate) enum JobsCommand {
    /// List what goes on, how much waits, and what failed
    #[command(after_help = LIST_HELP)]
    List(JobsListArgs),

    /// Let a job stand still, in all processes
    #[command(after_help = ONE_HELP)]
    Pause(JobArgs),

    /// Let a job go on
    #[command(after_help = ONE_HELP)]
    Resume(JobArgs),

    /// Let a job begin again at once
    #[command(after_help = ONE_HELP)]
    Retry(JobArgs),
}

const LIST_HELP: &str = "\
Examples:
  plura jobs list
  plura jobs list --json";

/// How to print them
#[derive(Debug, Args)]
pub(crate) struct JobsListArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}

const ONE_HELP: &str = "\
Exit status: 1 if there is no such job.

Examples:
  plura jobs pause collection
  plura jobs resume collection
  plura jobs retry webhooks";

/// Which job
#[derive(Debug, Args)]
pub(crate) struct JobArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
