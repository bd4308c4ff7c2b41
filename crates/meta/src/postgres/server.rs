use std::{fmt, path::Path, str::FromStr, time::Duration};

use sqlx::{ConnectOptions, Connection, PgConnection, postgres::PgConnectOptions};

use super::in_time;
use crate::Error;

/// A PostgreSQL server, and how it is asked. Shown, it has no password.
#[derive(Clone)]
pub struct Server {
    options: PgConnectOptions,
    pub(super) max_connections: u32,
    pub(super) timeout: Duration,
}

/// What a connection is for, which decides how long the server lets it work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// Requests: what takes long is given up.
    Requests,
    /// Work of its own that goes through whole tables.
    LongWork,
}

/// What a connection is opened in.
const CONNECT: Duration = Duration::from_secs(5);
/// For work that goes through whole tables, until its end must be a mistake.
const LONG: Duration = Duration::from_hours(4);
/// Statements of plura, each prepared once on a connection.
const STATEMENTS: usize = 512;

impl Server {
    /// The server that a URL names, as `postgres://user@host/database`.
    pub fn new(url: &str) -> Result<Self, Error> {
        let named = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let invalid = |message: String| Error::Open { path: "by its URL".into(), message };
        if !named {
            return Err(invalid("it does not begin with `postgres://`".into()));
        }
        let options =
            PgConnectOptions::from_str(url).map_err(|error| invalid(error.to_string()))?;
        let options = options.statement_cache_capacity(STATEMENTS).application_name("plura");
        // Slow statements are the server's to log: it knows what they waited for.
        let options = options.disable_statement_logging();
        Ok(Self { options, max_connections: 16, timeout: Duration::from_secs(10) })
    }

    /// With this password.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.options = self.options.password(password);
        self
    }

    /// With at most so many connections for reading, beside the one that writes.
    #[must_use]
    pub fn max_connections(mut self, max_connections: u32) -> Self {
        self.max_connections = max_connections.max(1);
        self
    }

    /// Trusting certificates of these authorities, a file of PEM.
    #[must_use]
    pub fn certificate_authorities(mut self, file: &Path) -> Self {
        self.options = self.options.ssl_root_cert(file);
        self
    }

    /// Giving up a request's statement after so long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Opens a connection, and how long an answer through it is waited for.
    pub(crate) async fn connect(&self, use_for: Use) -> Result<(PgConnection, Duration), Error> {
        let limit = match use_for {
            Use::Requests => self.timeout,
            Use::LongWork => LONG,
        };
        let session = session(limit);
        let connect = async {
            let mut connection = PgConnection::connect_with(&self.options).await?;
            sqlx::raw_sql(sqlx::AssertSqlSafe(session)).execute(&mut connection).await?;
            Ok(connection)
        };
        let connection = in_time(CONNECT.min(self.timeout), connect)
            .await
            .map_err(|error| Error::Unavailable(format!("{self} cannot be reached: {error}")))?;
        // The server gives up first, which leaves the connection in order.
        Ok((connection, limit + limit / 4))
    }
}

/// What holds for every statement of a connection. What waits for a client that is gone holds up all
/// who write, so it may not be for long. A commit is answered when it is on disk.
fn session(limit: Duration) -> String {
    let limit = limit.as_millis();
    format!(
        "set statement_timeout = {limit};
         set lock_timeout = {limit};
         set idle_in_transaction_session_timeout = {limit};
         set default_transaction_isolation = 'read committed';
         set client_min_messages = warning;
         select set_config('synchronous_commit', 'on', false)
             where current_setting('synchronous_commit') = 'off'"
    )
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let database = self.options.get_database().unwrap_or(self.options.get_username());
        if let Some(socket) = self.options.get_socket() {
            return write!(f, "PostgreSQL at {}, database {database}", socket.display());
        }
        let (host, port) = (self.options.get_host(), self.options.get_port());
        write!(f, "PostgreSQL at {host}:{port}, database {database}")
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Server({self})")
    }
}
