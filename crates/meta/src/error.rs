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
    /// The database could not be opened or brought up to date.
    #[error("cannot open the database {path}: {message}")]
    Open {
        /// The file.
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
        // SQLite's primary result codes: <https://www.sqlite.org/rescode.html>.
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let primary = code.and_then(|code| code.parse::<u32>().ok()).map(|code| code & 0xff);
        match (&error, primary) {
            (_, Some(11 | 26)) | (sqlx::Error::ColumnDecode { .. }, _) => {
                Self::Corrupt(error.to_string())
            }
            (_, primary) => {
                Self::Database { message: error.to_string(), full: primary == Some(13) }
            }
        }
    }
}
