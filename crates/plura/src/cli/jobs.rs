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

    /// Say how much a job does, in all processes
    #[command(after_help = TUNE_HELP)]
    Tune(TuneArgs),
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

const TUNE_HELP: &str = "\
What is not named is as the job would do it by itself.

Exit status: 1 if there is no such job.

Examples:
  plura jobs tune webhooks --at-a-time 4
  plura jobs tune contents --per-minute 30
  plura jobs tune contents                   As it would by itself";

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

/// How much a job does
#[derive(Debug, Args)]
pub(crate) struct TuneArgs {
    /// What it is called
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// How many things at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(crate) at_a_time: Option<u32>,

    /// How many things in a minute, at most
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(crate) per_minute: Option<u32>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) server: ServerArgs,
}
