use std::{
    fmt,
    ops::DerefMut,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::BoxFuture;
use sqlx::{
    Connection as _, Sqlite, SqliteConnection,
    pool::PoolConnection,
    sqlite::{
        SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
    },
};

use crate::{
    Error, Failure, Server, migrations,
    postgres::{Lent, Pool, Use, Writing},
    writer::{Origin, Writer},
};

/// Where the metadata of an installation is.
#[derive(Clone, Debug)]
pub enum Location {
    /// In a file, by SQLite.
    File(PathBuf),
    /// With a PostgreSQL server.
    Server(Box<Server>),
}

/// The database of an installation. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    read: Readers,
    writer: Writer,
}

#[derive(Clone, Debug)]
enum Readers {
    Sqlite(SqlitePool),
    Postgres(Pool),
}

/// A connection that reads; inside a transaction it sees the transaction's own changes.
#[derive(Debug)]
pub struct Connection(pub(crate) ConnectionKind);

#[derive(Debug)]
pub(crate) enum ConnectionKind {
    Pooled(PoolConnection<Sqlite>),
    Own(SqliteConnection),
    Postgres(Lent),
}

/// A transaction: what is done through it happens as a whole or not at all.
#[derive(Debug)]
pub struct Tx(pub(crate) Connection);

/// Readers never wait for the writer (WAL), so a few connections serve many requests.
const READERS: u32 = 4;

impl Db {
    /// Opens the database of an installation and brings its schema up to date.
    pub async fn connect(location: &Location) -> Result<Self, Error> {
        match location {
            Location::File(path) => Self::open(path).await,
            Location::Server(server) => Self::open_server(server, Writing::Together).await,
        }
    }

    /// The same for a process that must be the only one; an error if there are others. A file is nobody
    /// else's, by the installation's lock.
    pub async fn connect_alone(location: &Location) -> Result<Self, Error> {
        match location {
            Location::File(path) => Self::open(path).await,
            Location::Server(server) => Self::open_server(server, Writing::Alone).await,
        }
    }

    /// Opens the database file, creates it if there is none, and brings its schema up to date.
    pub async fn open(path: &Path) -> Result<Self, Error> {
        let options = options(path).create_if_missing(true);
        let connection = migrations::migrated_file(path, &options).await?;
        let read = SqlitePoolOptions::new()
            .max_connections(READERS)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(10))
            .connect_lazy_with(self::options(path).read_only(true));
        let tx = Tx(Connection(ConnectionKind::Own(connection)));
        let writer = Writer::start(tx, Origin::File(Box::new(options)));
        Ok(Self { read: Readers::Sqlite(read), writer })
    }

    async fn open_server(server: &Server, writing: Writing) -> Result<Self, Error> {
        migrations::migrate_server(server).await?;
        let (connection, limit) = server.connect_writer(writing).await?;
        let tx = Tx(Connection(ConnectionKind::Postgres(Lent::own(connection, limit))));
        let writer = Writer::start(tx, Origin::Server(Box::new(server.clone()), writing));
        Ok(Self { read: Readers::Postgres(Pool::new(server.clone())), writer })
    }

    /// Whether other processes may have the database open, too, so that nothing that was read before
    /// may be believed.
    pub fn is_shared(&self) -> bool {
        matches!(self.read, Readers::Postgres(_))
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

    /// Opens an existing database for reading, for work that goes through whole tables.
    pub async fn connect_read_only(location: &Location) -> Result<Connection, Error> {
        let server = match location {
            Location::File(path) => return Self::open_read_only(path).await,
            Location::Server(server) => server,
        };
        let (connection, limit) = server.connect(Use::LongWork).await?;
        let mut lent = Lent::own(connection, limit);
        lent.run("set default_transaction_read_only = on").await?;
        Ok(Connection(ConnectionKind::Postgres(lent)))
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
        Ok(Connection(match &self.read {
            Readers::Sqlite(pool) => ConnectionKind::Pooled(pool.acquire().await?),
            Readers::Postgres(pool) => ConnectionKind::Postgres(pool.lend().await?),
        }))
    }

    /// Runs `work` in a transaction and commits it, durably, if it succeeds. If `work` fails, nothing
    /// of what it did remains.
    ///
    /// Transactions that wait for each other are committed together, with one sync of the disk. The
    /// work goes on when the caller stops waiting. Transactions are serial, whoever runs them: those of
    /// other processes on the same database, too.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: Failure,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        self.writer.run(work).await
    }

    /// Closes the database after everything that was queued is done.
    pub async fn close(self) {
        // The last connection to close moves SQLite's log into the file, which readers cannot.
        match self.read {
            Readers::Sqlite(pool) => pool.close().await,
            Readers::Postgres(pool) => pool.close().await,
        }
        self.writer.close().await;
    }
}

impl Connection {
    /// Copies the whole database, as of one instant, into a new file of SQLite.
    pub async fn backup(&mut self, target: &Path) -> Result<(), Error> {
        if let ConnectionKind::Postgres(_) = self.0 {
            return crate::copy::to_file(self, target).await;
        }
        let target = target.to_str().ok_or_else(|| Error::Open {
            path: target.display().to_string(),
            message: "the path is not UTF-8".into(),
        })?;
        // Not a statement that both engines know.
        let target = target.to_owned();
        self.query("vacuum into $1").bind(target).execute().await?;
        Ok(())
    }

    /// Ends a connection of its own at once; dropped, it ends some time later.
    pub async fn close(self) {
        match self.0 {
            ConnectionKind::Pooled(_) => {}
            // It only read: there is nothing that could be lost.
            ConnectionKind::Own(connection) => drop(connection.close().await),
            ConnectionKind::Postgres(lent) => lent.close().await,
        }
    }

    /// Lets all that is read from here on be of one instant, until [`Connection::end_snapshot`].
    pub async fn begin_snapshot(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            ConnectionKind::Postgres(lent) => lent.begin_snapshot().await,
            _ => self.run("begin").await,
        }
    }

    /// Lets each statement see what was committed when it began, as usual.
    pub async fn end_snapshot(&mut self) -> Result<(), Error> {
        match &mut self.0 {
            ConnectionKind::Postgres(lent) => lent.end_snapshot().await,
            _ => self.run("commit").await,
        }
    }

    /// What the engine finds wrong with its own file; empty if nothing. A server looks after its own.
    pub async fn integrity_problems(&mut self) -> Result<Vec<String>, Error> {
        if let ConnectionKind::Postgres(_) = self.0 {
            return Ok(Vec::new());
        }
        let mut found: Vec<String> =
            self.query_scalar("pragma integrity_check").fetch_all().await?;
        found.retain(|line| line != "ok");
        Ok(found)
    }

    /// Executes a statement without values that decides about the transaction.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<(), Error> {
        match &mut self.0 {
            ConnectionKind::Postgres(lent) => lent.run(sql).await.map(drop),
            _ => self.query(sql).execute().await.map(drop),
        }
    }

    pub(crate) fn is_postgres(&self) -> bool {
        matches!(self.0, ConnectionKind::Postgres(_))
    }

    /// Whether nothing more can be asked through it.
    pub(crate) fn is_broken(&self) -> bool {
        matches!(&self.0, ConnectionKind::Postgres(lent) if lent.is_broken())
    }
}

impl Tx {
    /// Begins, alone in writing.
    pub(crate) async fn begin(&mut self) -> Result<(), Error> {
        match &mut self.0.0 {
            ConnectionKind::Postgres(lent) => lent.begin_writing().await,
            _ => self.run("begin immediate").await,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Server(server) => server.fmt(f),
        }
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

pub(crate) fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        // A commit is answered when it is on disk, not when the operating system has it.
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(Duration::from_secs(5))
        .optimize_on_close(true, None)
}

pub(crate) fn open_error(path: &Path, error: &dyn fmt::Display) -> Error {
    Error::Open { path: path.display().to_string(), message: error.to_string() }
}

/// Reads a stored text back into its type. What does not parse was not written by plura.
pub(crate) fn parse<T: std::str::FromStr>(column: &str, text: &str) -> Result<T, Error>
where
    T::Err: fmt::Display,
{
    text.parse().map_err(|error| Error::Corrupt(format!("{column} holds `{text}`: {error}")))
}

/// A set of digests as one parameter: a JSON array, unrolled by the database.
pub(crate) fn json_array<'d, T: fmt::Display + 'd>(
    items: impl IntoIterator<Item = &'d T>,
) -> String {
    let quoted = items.into_iter().map(|item| format!("\"{item}\""));
    format!("[{}]", quoted.collect::<Vec<_>>().join(","))
}
