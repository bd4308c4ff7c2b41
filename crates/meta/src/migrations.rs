//! The schema, and how it is brought up to date.
//!
//! Several versions of plura may be on one server while replicas are replaced one by one. So a migration
//! of PostgreSQL only adds what the version before can ignore; what is not needed any more goes with a
//! later version. That is why one which this version does not know is no error there.

use std::path::Path;

use sqlx::{
    Connection as _, SqliteConnection,
    migrate::{MigrateError, Migrator},
    sqlite::SqliteConnectOptions,
};

use crate::{
    Db, Error, Location, Server,
    db::open_error,
    postgres::{Use, in_time},
};

/// A step of the schema.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Migration {
    /// Its number.
    pub version: i64,
    /// What it is about.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
    /// Whether this version of plura has it; one without was made by a later version.
    pub known: bool,
}

/// Brings the schema up to date. Whoever else does that waits.
pub async fn migrate(location: &Location) -> Result<(), Error> {
    match location {
        Location::File(path) => {
            Db::open(path).await?.close().await;
            Ok(())
        }
        Location::Server(server) => migrate_server(server).await,
    }
}

/// The steps that the database has, and those that this version of plura would take.
pub async fn status(location: &Location) -> Result<Vec<Migration>, Error> {
    let (migrator, applied) = match location {
        Location::File(path) if !path.exists() => (sqlite(), Vec::new()),
        Location::File(_) => (sqlite(), applied(location).await?),
        Location::Server(_) => (postgres(), applied(location).await?),
    };
    let mut steps: Vec<Migration> = migrator
        .iter()
        .map(|step| Migration {
            version: step.version,
            name: step.description.to_string(),
            applied: applied.iter().any(|(version, _)| *version == step.version),
            known: true,
        })
        .collect();
    for (version, name) in applied {
        if steps.iter().all(|step| step.version != version) {
            steps.push(Migration { version, name, applied: true, known: false });
        }
    }
    Ok(steps)
}

async fn applied(location: &Location) -> Result<Vec<(i64, String)>, Error> {
    const HERE: &str =
        "select exists (select 1 from sqlite_master where name = '_sqlx_migrations')";
    const THERE: &str = "select to_regclass('_sqlx_migrations') is not null";
    const LIST: &str = "select version, description from _sqlx_migrations order by version";
    let mut connection = Db::connect_read_only(location).await?;
    let question = if connection.is_postgres() { THERE } else { HERE };
    let steps = if connection.query_scalar(question).fetch_one().await? {
        connection.query_as(LIST).fetch_all().await?
    } else {
        Vec::new()
    };
    connection.close().await;
    Ok(steps)
}

pub(crate) async fn migrated_file(
    path: &Path,
    options: &SqliteConnectOptions,
) -> Result<SqliteConnection, Error> {
    let failed = |error: sqlx::Error| open_error(path, &error);
    let mut connection = SqliteConnection::connect_with(options).await.map_err(failed)?;
    sqlite().run(&mut connection).await.map_err(|error| open_error(path, &error))?;
    Ok(connection)
}

pub(crate) async fn migrate_server(server: &Server) -> Result<(), Error> {
    let (mut connection, limit) = server.connect(Use::LongWork).await?;
    let migrator = postgres();
    let run = async { Ok(migrator.run(&mut connection).await) };
    match in_time(limit, run).await? {
        Ok(()) => {
            // Nothing depends on the server's hearing of it.
            let _ = connection.close().await;
            Ok(())
        }
        Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) => {
            let error = Error::from(error);
            let path = server.to_string();
            match error {
                Error::Unavailable(_) => Err(error),
                error => Err(Error::Open { path, message: error.to_string() }),
            }
        }
        Err(error) => Err(Error::Open { path: server.to_string(), message: error.to_string() }),
    }
}

fn sqlite() -> Migrator {
    sqlx::migrate!("migrations/sqlite")
}

fn postgres() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.set_ignore_missing(true);
    migrator
}
