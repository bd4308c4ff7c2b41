//! `plura db`: the database of an installation.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand};
use plura_registry::{DatabaseLocation, DatabaseServer};

use super::{InstallationArgs, OutputArgs};

/// What can be done to a database.
#[derive(Debug, Subcommand)]
pub(crate) enum DbCommand {
    /// Bring the schema up to date, as a server does when it starts
    Migrate(DbArgs),

    /// Show which steps of the schema the database has
    Status(DbArgs),

    /// Move an installation to another database
    Copy(DbCopyArgs),
}

const HELP: &str = "\
Exit status of `status`: 0 the schema is up to date, 1 it is not.

Examples:
  plura db status
  PLURA_DATABASE__URL=postgres://plura@db/plura plura db migrate";

/// Which database
#[derive(Debug, Args)]
#[command(after_help = HELP)]
pub(crate) struct DbArgs {
    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

const COPY_HELP: &str = "\
Stop the servers first. The target must be empty; it is migrated, filled in one transaction, and read \
again before that is committed: each table has the same number of rows and the same digest on both \
sides, or nothing was copied. Blobs are not touched. A place is `sqlite:FILE` or a URL that begins with \
`postgres://`; its password comes from PGPASSWORD or ~/.pgpass, if it is not in the URL.

Examples:
  plura db copy --from sqlite:plura-data/plura.db --to postgres://plura@db/plura
  plura db copy --to postgres://plura@db/plura        From the configured one
  plura db copy --from postgres://plura@db/plura --to sqlite:monday.db";

/// From where to where
#[derive(Debug, Args)]
#[command(after_help = COPY_HELP)]
pub(crate) struct DbCopyArgs {
    /// The database to copy; without, that of the installation
    #[arg(long, value_name = "PLACE")]
    pub(crate) from: Option<DatabasePlace>,

    /// The empty database to fill
    #[arg(long, value_name = "PLACE")]
    pub(crate) to: DatabasePlace,

    #[command(flatten)]
    pub(crate) output: OutputArgs,

    #[command(flatten)]
    pub(crate) installation: InstallationArgs,
}

/// A database as it is written on the command line.
#[derive(Debug, Clone)]
pub(crate) struct DatabasePlace(pub(crate) DatabaseLocation);

impl FromStr for DatabasePlace {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const EXPECTED: &str = "expected `sqlite:FILE` or a URL that begins with `postgres://`";
        let location = if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            Some(DatabaseLocation::File(PathBuf::from(path))).filter(|_| !path.is_empty())
        } else {
            let server = DatabaseServer::new(text).ok();
            server.map(|server| DatabaseLocation::Server(Box::new(server)))
        };
        location.map(Self).ok_or(EXPECTED)
    }
}
