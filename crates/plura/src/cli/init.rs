//! `plura init`: an installation gets its first administrator.

use std::path::PathBuf;

use clap::Args;

use super::{InstallationArgs, OutputArgs, PasswordArgs};

const HELP: &str = "\
There is no default password: it is asked for, and must have 12 characters or more. As long as there is no \
administrator, a server on loopback is open to everybody on the machine, and a server that others can \
reach does not start. Exit status 1 says that there is an administrator already.

Examples:
  plura init                                     Ask for the password of `admin`
  pass show registry | plura init --name alice --password-stdin
  plura init --if-none --password-file /run/secrets/administrator";

/// Whom to make the administrator
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct InitArgs {
    /// What the administrator goes by
    #[arg(long, value_name = "NAME", default_value = "admin")]
    pub(crate) name: String,

    #[command(flatten)]
    pub(crate) password: PasswordArgs,

    /// Read the password from this file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    pub(crate) password_file: Option<PathBuf>,

    /// Be content with an administrator who is there already: exit status 0
    #[arg(long)]
    pub(crate) if_none: bool,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}
