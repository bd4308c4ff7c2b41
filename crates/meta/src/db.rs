use std::{ops::DerefMut, path::Path, time::Duration};

use futures_util::future::BoxFuture;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection,
    pool::PoolConnection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::{Error, Failure, writer::Writer};

/// The database of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    read: SqlitePool,
    writer: Writer,
}

/// A connection that reads; inside a transaction it sees the transaction's own changes.
#[derive(Debug)]
pub struct Connection(pub(crate) ConnectionKind);

#[derive(Debug)]
pub(crate) enum ConnectionKind {
    Pooled(PoolConnection<Sqlite>),
    Own(SqliteConnection),
}

/// A transaction: what is done through it happens as a whole or not at all.
#[derive(Debug)]
pub struct Tx(pub(crate) Connection);

/// Readers never wait for the writer (WAL), so a few connections serve many requests.
const READERS: u32 = 4;

impl Db {
    /// Opens the database file, creates it if there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let failed = |error: sqlx::Error| open_error(path, &error);
        let options = options(path).create_if_missing(true);
        let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
        sqlx::migrate!("migrations/sqlite")
            .run(&mut connection)
            .await
            .map_err(|error| open_error(path, &error))?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(self::options(path).read_only(true));
        Ok(Self { read, writer: Writer::start(connection, options) })
    }

    /// Opens an existing database for reading only, whatever its state, and without migrating it.
    pub async fn open_read_only(path: &Path) -> Result<Connection, Error> {
        // No journal mode: asking for one would be a write to a file that has another, as backups do.
        let options = SqliteConnectOptions::new()
            .filename(path)
            .read_only(true)
            .busy_timeout(Duration::from_secs(5));
        let connection = SqliteConnection::connect_with(&options).await;
        let connection = connection.map_err(|error| match Error::from(error) {
            Error::Database { message, .. } => open_error(path, &message),
            damaged => damaged,
        })?;
        Ok(Connection(ConnectionKind::Own(connection)))
    }

    /// Moves all that is in the log of a database that nobody has open into its file, if it can be read.
    pub async fn empty_log(path: &Path) -> Result<(), Error> {
        let mut connection = SqliteConnection::connect_with(&options(path)).await?;
        let emptied = sqlx::query("pragma wal_checkpoint(truncate)").execute(&mut connection).await;
        connection.close().await?;
        emptied?;
        Ok(())
    }

    /// A connection to read with. Each statement sees what was committed when it began.
    pub async fn read(&self) -> Result<Connection, Error> {
        Ok(Connection(ConnectionKind::Pooled(self.read.acquire().await?)))
    }

    /// Runs `work` in a transaction and commits it, durably, if it succeeds. If `work` fails, nothing
    /// of what it did remains.
    ///
    /// Transactions that wait for each other are committed together, with one sync of the disk. The
    /// work goes on when the caller stops waiting.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.writer.run(work).await
    }

    /// Copies the whole database, as of one instant, into a new file, while others read and write.
    pub async fn backup(&self, target: &Path) -> Result<(), Error> {
        self.read().await?.backup(target).await
    }

    /// Closes the database after everything that was queued is done.
    pub async fn close(self) {
        // The last connection to close moves the log into the file, which readers cannot.
        self.read.close().await;
        self.writer.close().await;
    }
}

impl Connection {
    pub(crate) fn sqlite(&mut self) -> &mut SqliteConnection {
        match &mut self.0 {
            ConnectionKind::Pooled(connection) => connection,
            ConnectionKind::Own(connection) => connection,
        }
    }

    /// Copies the whole database, as of one instant, into a new file.
    pub async fn backup(&mut self, target: &Path) -> Result<(), Error> {
        let target = target.to_str().ok_or_else(|| Error::Open {
            path: target.display().to_string(),
            message: "the path is not UTF-8".into(),
        })?;
        sqlx::query("vacuum into $1").bind(target).execute(self.sqlite()).await?;
        Ok(())
    }

    /// Ends a connection of its own at once; dropped, it ends some time later.
    pub async fn close(self) {
        if let ConnectionKind::Own(connection) = self.0 {
            // It only read: there is nothing that could be lost.
            let _ = connection.close().await;
        }
    }

    /// Lets all that is read from here on be of one instant, until [`Connection::end_snapshot`].
    pub async fn begin_snapshot(&mut self) -> Result<(), Error> {
        sqlx::query("begin").execute(self.sqlite()).await?;
        Ok(())
    }

    /// Lets each statement see what was committed when it began, as usual.
    pub async fn end_snapshot(&mut self) -> Result<(), Error> {
        sqlx::query("commit").execute(self.sqlite()).await?;
        Ok(())
    }

    /// What the engine finds wrong with its own file; empty if nothing.
    pub async fn integrity_problems(&mut self) -> Result<Vec<String>, Error> {
        let mut found: Vec<String> =
            sqlx::query_scalar("pragma integrity_check").fetch_all(self.sqlite()).await?;
        found.retain(|line| line != "ok");
        Ok(found)
    }
}

impl std::ops::Deref for Tx {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.0
    }
}

impl DerefMut for Tx {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.0
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is answered when it is on disk, not when the operating system has it.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .optimize_on_close(true, None)
}

fn open_error(path: &Path, error: &dyn std::fmt::Display) -> Error {
    Error::Open { path: path.display().to_string(), message: error.to_string() }
}

/// Reads a stored text back into its type. What does not parse was not written by plura.
pub(crate) fn parse<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, Error>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error| Error::Corrupt(format!("{column} holds `{text}`: {error}")))
}

/// A set of digests as one parameter: a JSON array, unrolled by the database.
pub(crate) fn json_array<'d>(digests: impl IntoIterator<Item = &'d plura_oci::Digest>) -> String {
    let quoted = digests.into_iter().map(|digest| format!("\"{digest}\""));
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}
