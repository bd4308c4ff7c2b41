//! Groups of options that several commands share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use crate::settings::{BaseUrl, Flag};

/// Which installation on this machine.
#[derive(Debug, Args)]
pub(crate) struct InstallationArgs {
    /// The directory that holds the installation; sets `data`, as `PLURA_DATA` does
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<OsString>,

    /// The settings file; otherwise `plura.toml` here, if there is one
    #[arg(long, value_name = "FILE", env = "PLURA_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
}

impl InstallationArgs {
    /// The settings these flags set.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let data = self.data.clone();
        data.map(|value| Flag { name: "--data", key: "data", value }).into_iter().collect()
    }
}

/// Which server to ask.
#[derive(Debug, Args)]
pub(crate) struct ServerArgs {
    /// The address of the server
    #[arg(
        long,
        value_name = "URL",
        env = "PLURA_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:5000"
    )]
    pub(crate) server: BaseUrl,
}

/// What a server is started with.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to accept connections; sets `server.listen`, as `PLURA_SERVER__LISTEN` does
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) listen: Option<OsString>,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

impl ServeArgs {
    /// The settings these flags set.
    pub(crate) fn flags(&self) -> Vec<Flag> {
        let mut flags = self.installation.flags();
        let listen = self.listen.clone();
        flags.extend(listen.map(|value| Flag { name: "--listen", key: "server.listen", value }));
        flags
    }
}

/// How data is printed.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
