//! Groups of options that several commands share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::secret::Secret;
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

/// The options of every command that asks a server have a heading of their own in its help.
const SERVER: &str = "Server options";

/// Which server to ask.
#[derive(Debug, Clone, Args)]
pub(crate) struct ServerArgs {
    /// The address of the server
    #[arg(
        long,
        value_name = "URL",
        env = "PLURA_SERVER",
        hide_env_values = true,
        help_heading = SERVER,
        default_value = "http://127.0.0.1:5000"
    )]
    pub(crate) server: BaseUrl,

    /// An API token, instead of the login that `plura login` keeps; others on this machine can see
    /// flags, but not variables
    #[arg(
        long,
        value_name = "TOKEN",
        env = "PLURA_TOKEN",
        hide_env_values = true,
        help_heading = SERVER
    )]
    pub(crate) token: Option<Secret>,

    #[command(flatten)]
    pub(crate) authority: AuthorityArgs,
}

/// Whose certificates to trust.
#[derive(Debug, Clone, Args)]
pub(crate) struct AuthorityArgs {
    /// Trust the certificate authorities in this PEM file, and no others
    #[arg(
        long,
        value_name = "FILE",
        env = "PLURA_CA_FILE",
        hide_env_values = true,
        help_heading = SERVER
    )]
    pub(crate) ca_file: Option<PathBuf>,
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

/// How a password is given when there is nobody to ask.
#[derive(Debug, Args)]
pub(crate) struct PasswordArgs {
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

/// Where something holds.
#[derive(Debug, Args)]
#[group(id = "realm", required = true, multiple = false)]
pub(crate) struct RealmArgs {
    /// In this project
    #[arg(long, value_name = "PROJECT")]
    pub(crate) project: Option<String>,

    /// In every project
    #[arg(long)]
    pub(crate) everywhere: bool,
}

/// What is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Pull
    Reader,
    /// Pull and push
    Developer,
    /// Pull and promote
    Promoter,
    /// Also delete, change settings, and let others in
    Maintainer,
    /// Everything
    Administrator,
}

impl Role {
    /// The role as the server calls it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Developer => "developer",
            Self::Promoter => "promoter",
            Self::Maintainer => "maintainer",
            Self::Administrator => "administrator",
        }
    }
}
