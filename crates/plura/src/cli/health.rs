use clap::Args;

use super::{AuthorityArgs, InstallationArgs, OutputArgs};
use crate::settings::BaseUrl;

const HELP: &str = "\
For health checks of containers and scripts: it needs no login, and nothing but this program. Exit \
status: 0 ready, 1 not ready, 2 nobody answered.

Without URL the server is asked that the settings here describe, over loopback; its certificate is not \
checked then, since nothing secret is told to it.

Examples:
  plura health
  plura health https://registry.example.com --json";

/// Which server, if not the one of the settings here
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct HealthArgs {
    /// The address of the server
    #[arg(value_name = "URL")]
    pub(crate) server: Option<BaseUrl>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}
