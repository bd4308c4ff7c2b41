//! Both engines side by side: the same tables, the same statements, the same promises, and what each
//! has to itself. Needs PostgreSQL's server, see `scripts/install-test-tools`.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod alone;
mod contents;
mod copies;
mod events;
mod log;
mod outage;
mod promises;
mod schema;
mod statements;

use std::time::Duration;

use plura_meta::{Db, Location, Server, migrations};
use plura_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;

/// A database on the server with the tables of today.
async fn on_server() -> (Database, Location) {
    let database = Postgres::shared().database(migrate).await;
    let location = location(&database.url());
    (database, location)
}

/// A database on the server with nothing in it.
fn nothing_on_server() -> (Database, Location) {
    let database = Postgres::shared().empty_database();
    let location = location(&database.url());
    (database, location)
}

/// A file that goes away with its directory.
async fn in_file() -> (TempDir, Location) {
    let directory = tempfile::tempdir().unwrap();
    let location = Location::File(directory.path().join("plura.db"));
    migrations::migrate(&location).await.unwrap();
    (directory, location)
}

async fn migrate(url: &str) {
    migrations::migrate(&location(url)).await.unwrap();
}

fn location(url: &str) -> Location {
    let server = Server::new(url).unwrap().max_connections(4).timeout(Duration::from_secs(30));
    Location::Server(Box::new(server))
}

/// A database of each engine, open.
async fn both() -> [(&'static str, Db, Keep); 2] {
    let (directory, file) = in_file().await;
    let (database, server) = on_server().await;
    [
        ("SQLite", Db::connect(&file).await.unwrap(), Keep::Directory { _directory: directory }),
        ("PostgreSQL", Db::connect(&server).await.unwrap(), Keep::Database { _database: database }),
    ]
}

/// What must not go before the test is done.
enum Keep {
    Directory { _directory: TempDir },
    Database { _database: Database },
}
