//! Who may write to a database: as many processes as there are, or one that has it alone.

use std::time::Duration;

use sqlx::{Connection, PgConnection};

use super::{Server, Use, in_time};
use crate::Error;

/// With whom a process writes to a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Writing {
    /// With all others that serve.
    Together,
    /// With nobody, for work that must not meet what others do.
    Alone,
}

// Locks of the session: they end with the connection that writes, however that ends, so nobody who died
// is waited for. The number is that of `WRITERS` and one more, and must never change either.
const TOGETHER: &str = "select pg_try_advisory_lock_shared(482855973474)";
const ALONE: &str = "select pg_try_advisory_lock(482855973474)";

/// How long the server may take to notice that those are gone who were just stopped.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long until it is asked again.
const PAUSE: Duration = Duration::from_millis(100);

impl Server {
    /// Opens the connection that writes. It is the one that holds the lock, so that a process which lost
    /// it cannot write until it has another: what it would write then might not fit any more.
    pub(crate) async fn connect_writer(
        &self,
        writing: Writing,
    ) -> Result<(PgConnection, Duration), Error> {
        let (mut connection, limit) = self.connect(Use::Requests).await?;
        let asked = tokio::time::Instant::now();
        while !ask(&mut connection, writing, limit).await? {
            if writing == Writing::Together || asked.elapsed() > PATIENCE {
                // Nothing depends on the server's hearing of it.
                let _ = connection.close().await;
                return Err(self.refused(writing));
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok((connection, limit))
    }

    fn refused(&self, writing: Writing) -> Error {
        match writing {
            Writing::Together => {
                Error::Unavailable(format!("{self} is being repaired by `plura check --repair`"))
            }
            Writing::Alone => {
                let message =
                    "other plura processes have it open; stop all of them first".to_owned();
                Error::Open { path: self.to_string(), message }
            }
        }
    }
}

async fn ask(
    connection: &mut PgConnection,
    writing: Writing,
    limit: Duration,
) -> Result<bool, Error> {
    let sql = match writing {
        Writing::Together => TOGETHER,
        Writing::Alone => ALONE,
    };
    Ok(in_time(limit, sqlx::query_scalar(sql).fetch_one(connection)).await?)
}
