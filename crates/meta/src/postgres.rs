//! PostgreSQL: how it is reached, and connections that are lent.

mod pool;
mod server;
mod writing;

use std::time::Duration;

use sqlx::{PgConnection, postgres::PgQueryResult};

use crate::Error;

pub(crate) use pool::Pool;
pub use server::Server;
pub(crate) use server::Use;
pub(crate) use writing::Writing;

/// What the lock is called that every writing transaction holds: writes are serial on this engine,
/// too, so that every use case has the isolation that it was written for. The number is "plura" in
/// ASCII; it must never change, or two versions would write at the same time.
const WRITERS: &str = "begin; select pg_advisory_xact_lock(482855973473)";

/// A connection, and the pool that it goes back to if it is from one and in order.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: Option<PgConnection>,
    home: Option<pool::Place>,
    limit: Duration,
    /// A statement was sent and its answer is not known: so it stays when a caller goes away.
    waiting: bool,
    /// A transaction is open.
    inside: bool,
}

impl Lent {
    /// A connection that belongs to nobody's pool.
    pub(crate) fn own(connection: PgConnection, limit: Duration) -> Self {
        Self::new(connection, None, limit)
    }

    fn new(connection: PgConnection, home: Option<pool::Place>, limit: Duration) -> Self {
        Self { connection: Some(connection), home, limit, waiting: false, inside: false }
    }

    /// How long to wait for an answer; the server itself gives up before.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether nothing more can be asked through it.
    pub(crate) fn is_broken(&self) -> bool {
        self.connection.is_none() || self.waiting
    }

    /// The connection, for one statement; [`Lent::end`] takes its answer.
    pub(crate) fn begin(&mut self) -> Result<&mut PgConnection, Error> {
        let lost = || Error::Unavailable("the connection was lost".into());
        if self.waiting {
            return Err(lost());
        }
        self.waiting = true;
        self.connection.as_mut().ok_or_else(lost)
    }

    /// What became of the statement. Whatever is not an answer of the server ends the connection.
    pub(crate) fn end<T>(&mut self, answer: Result<T, sqlx::Error>) -> Result<T, Error> {
        self.waiting = false;
        answer.map_err(|error| {
            if ends_connection(&error) {
                self.connection = None;
                if let Some(home) = &self.home {
                    home.distrust();
                }
            }
            error.into()
        })
    }

    /// Executes statements without values, all in one message.
    pub(crate) async fn run(&mut self, sql: &'static str) -> Result<PgQueryResult, Error> {
        let limit = self.limit;
        let done = in_time(limit, sqlx::raw_sql(sql).execute(self.begin()?)).await;
        self.end(done)
    }

    /// The connection, for rows that are taken one by one inside of a transaction, which keeps it from
    /// being lent to others when they are not taken to their end.
    pub(crate) fn stream(&mut self) -> Result<&mut PgConnection, Error> {
        let lost = || Error::Unavailable("the connection was lost".into());
        self.connection.as_mut().filter(|_| !self.waiting).ok_or_else(lost)
    }

    /// Begins a transaction that is alone in writing.
    pub(crate) async fn begin_writing(&mut self) -> Result<(), Error> {
        self.inside = true;
        self.run(WRITERS).await.map(drop)
    }

    /// Lets all that is read be of one instant, until [`Lent::end_snapshot`].
    pub(crate) async fn begin_snapshot(&mut self) -> Result<(), Error> {
        self.inside = true;
        self.run("begin isolation level repeatable read, read only").await.map(drop)
    }

    /// Lets each statement see what was committed when it began, as usual.
    pub(crate) async fn end_snapshot(&mut self) -> Result<(), Error> {
        self.run("commit").await?;
        self.inside = false;
        Ok(())
    }

    /// Ends it in order, if that is still possible.
    pub(crate) async fn close(mut self) {
        self.home = None;
        if let Some(connection) = self.connection.take().filter(|_| !self.waiting) {
            // Nothing depends on the server's hearing of it.
            let _ = in_time(self.limit, sqlx::Connection::close(connection)).await;
        }
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let in_order = !self.waiting && !self.inside;
        if let (Some(home), Some(connection), true) =
            (self.home.take(), self.connection.take(), in_order)
        {
            home.give_back(connection);
        }
    }
}

/// Waits for an answer as long as one may be expected.
pub(crate) async fn in_time<T>(
    limit: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    match tokio::time::timeout(limit, answer).await {
        Ok(answer) => answer,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

/// Whether the error leaves nothing to ask through: anything but a refusal of the server's that keeps
/// the session, or a row that is not as expected.
fn ends_connection(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code();
            // Classes 08 and 57P: the connection, and the server's being stopped. 25P03: it waited too
            // long inside of a transaction. 25006: the server became one that only reads.
            let code = code.as_deref().unwrap_or_default();
            code.starts_with("08") || code.starts_with("57P") || ["25P03", "25006"].contains(&code)
        }
        sqlx::Error::RowNotFound
        | sqlx::Error::ColumnDecode { .. }
        | sqlx::Error::ColumnNotFound(_)
        | sqlx::Error::ColumnIndexOutOfBounds { .. }
        | sqlx::Error::TypeNotFound { .. }
        | sqlx::Error::Decode(_)
        | sqlx::Error::Encode(_) => false,
        _ => true,
    }
}
