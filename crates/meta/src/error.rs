/// Why metadata could not be read or changed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// The database refused or failed. The text is for the log.
    #[error("database: {message}")]
    Database {
        /// What the database said.
        message: String,
        /// Whether the disk is full.
        full: bool,
    },
    /// The database is damaged, or a row holds what no version of plura writes: trying again will not
    /// help.
    #[error("metadata is damaged: {0}; restore a backup, or run `plura check`")]
    Corrupt(String),
    /// The database cannot be reached, or does not answer in time. Trying again later may help.
    #[error("database: {0}")]
    Unavailable(String),
    /// The database could not be opened or brought up to date.
    #[error("cannot open the database {path}: {message}")]
    Open {
        /// The file or server.
        path: String,
        /// What the database said.
        message: String,
    },
    /// The writer has ended, since the process is shutting down.
    #[error("metadata is closed")]
    Closed,
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let code = code.as_deref().unwrap_or_default();
        match &error {
            sqlx::Error::ColumnDecode { .. } => Self::Corrupt(error.to_string()),
            sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut => {
                Self::Unavailable(error.to_string())
            }
            sqlx::Error::Database(database) if is_postgres(&**database) => {
                of_postgres(code, &error)
            }
            _ => of_sqlite(code, &error),
        }
    }
}

fn is_postgres(error: &dyn sqlx::error::DatabaseError) -> bool {
    error.try_downcast_ref::<sqlx::postgres::PgDatabaseError>().is_some()
}

/// By SQLite's primary result codes: <https://www.sqlite.org/rescode.html>.
fn of_sqlite(code: &str, error: &sqlx::Error) -> Error {
    let primary = code.parse::<u32>().ok().map(|code| code & 0xff);
    match primary {
        Some(11 | 26) => Error::Corrupt(error.to_string()),
        primary => Error::Database { message: error.to_string(), full: primary == Some(13) },
    }
}

/// By PostgreSQL's codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>.
fn of_postgres(code: &str, error: &sqlx::Error) -> Error {
    let message = error.to_string();
    let class = code.get(..2).unwrap_or_default();
    match (class, code) {
        ("XX", "XX001" | "XX002") => Error::Corrupt(message),
        (_, "53100") => Error::Database { message, full: true },
        // The connection; resources; the server's being stopped or started; what took too long.
        ("08" | "53" | "57", _) | (_, "55P03" | "25P03" | "25006") => Error::Unavailable(message),
        _ => Error::Database { message, full: false },
    }
}
