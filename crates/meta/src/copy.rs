//! Moving a whole database from one place to another, of whichever engines.
//!
//! What is read is of one instant, and what is written is one transaction, which is committed only
//! if every table, read again, is what was read first.

mod cell;
mod table;

use std::path::Path;

use plura_oci::Digest;
use sqlx::{Connection as _, SqliteConnection};

pub use table::TABLES;

use crate::{
    Connection, Db, Error, Location, Tx,
    db::{ConnectionKind, open_error, options},
    migrations,
    postgres::{Lent, Use},
};

use table::Table;

/// A table that was copied.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Copied {
    /// Its name.
    pub table: &'static str,
    /// How many rows it has.
    pub rows: u64,
    /// The digest of its rows, the same on both sides.
    pub digest: Digest,
}

/// Copies the database at `from` to `to`, which must be empty. Nobody may write to either meanwhile.
pub async fn copy(
    from: &Location,
    to: &Location,
    progress: &mut (dyn FnMut(&Copied) + Send),
) -> Result<Vec<Copied>, Error> {
    let steps = migrations::status(from).await?;
    if steps.iter().any(|step| !step.applied || !step.known) {
        let message = "its schema is not that of this version of plura".to_owned();
        return Err(Error::Open { path: from.to_string(), message });
    }
    migrations::migrate(to).await?;
    let mut source = Db::connect_read_only(from).await?;
    let mut target = writer(to).await?;
    source.begin_snapshot().await?;
    let copied = transfer(&mut source, &mut target, &to.to_string(), progress).await;
    source.close().await;
    target.0.close().await;
    copied
}

/// Copies what the connection sees, as of one instant, into a new file of SQLite.
pub(crate) async fn to_file(source: &mut Connection, path: &Path) -> Result<(), Error> {
    let to = Location::File(path.to_owned());
    migrations::migrate(&to).await?;
    let mut target = writer(&to).await?;
    source.begin_snapshot().await?;
    let copied = transfer(source, &mut target, &to.to_string(), &mut |_| {}).await;
    source.end_snapshot().await?;
    target.0.close().await;
    copied.map(drop)
}

async fn writer(to: &Location) -> Result<Tx, Error> {
    let kind = match to {
        Location::File(path) => {
            let opened = SqliteConnection::connect_with(&options(path)).await;
            ConnectionKind::Own(opened.map_err(|error| open_error(path, &error))?)
        }
        Location::Server(server) => {
            let (connection, limit) = server.connect(Use::LongWork).await?;
            ConnectionKind::Postgres(Lent::own(connection, limit))
        }
    };
    Ok(Tx(Connection(kind)))
}

async fn transfer(
    source: &mut Connection,
    target: &mut Tx,
    name: &str,
    progress: &mut (dyn FnMut(&Copied) + Send),
) -> Result<Vec<Copied>, Error> {
    let refused = |message: String| Error::Open { path: name.to_owned(), message };
    target.begin().await?;
    let mut done = Vec::new();
    for (table, _) in TABLES {
        if table::holds_anything(target, table).await? {
            return Err(refused(format!("it is not empty: `{table}` has rows")));
        }
    }
    for (name, key) in TABLES {
        let table = Table::on_both(name, key, source, target).await?;
        let copied = table.copy(source, target).await?;
        let written = table.digest(target).await?;
        if copied != written {
            return Err(refused(format!("`{name}` holds something else than was copied")));
        }
        let (rows, digest) = copied;
        let copied = Copied { table: name, rows, digest };
        progress(&copied);
        done.push(copied);
    }
    table::go_on_counting(target).await?;
    target.run("commit").await?;
    Ok(done)
}

/// The tables of a database as [`copy`] would report them.
pub async fn digests(location: &Location) -> Result<Vec<Copied>, Error> {
    let mut connection = Db::connect_read_only(location).await?;
    connection.begin_snapshot().await?;
    let mut found = Vec::new();
    for (name, key) in TABLES {
        let (rows, digest) =
            Table::of(name, key, &mut connection).await?.digest(&mut connection).await?;
        found.push(Copied { table: name, rows, digest });
    }
    connection.close().await;
    Ok(found)
}
