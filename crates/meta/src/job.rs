//! What goes on in the background: whether it may, and how it went, for all processes.

use crate::{Connection, Error, Timestamp, Tx};

/// A job as it is stored. One that was never paused and never failed has no row.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredJob {
    /// What it is called.
    pub name: String,
    /// Whether it is to stand still.
    pub paused: bool,
    /// When somebody changed it.
    pub changed_at: Timestamp,
    /// Who.
    pub changed_by: String,
    /// How often somebody asked that it begins again.
    pub woken: i64,
    /// When it failed, if it went well no more since.
    pub failed_at: Option<Timestamp>,
    /// Why.
    pub error: Option<String>,
    /// How much it does at a time, if somebody said.
    pub at_a_time: Option<i64>,
    /// How much it does in a minute, if somebody said.
    pub per_minute: Option<i64>,
}

/// All that have a row.
pub async fn all(connection: &mut Connection) -> Result<Vec<StoredJob>, Error> {
    const SQL: &str = "
        select name, paused, changed_at, changed_by, woken, failed_at, error, at_a_time, per_minute
        from job order by name";
    connection.query_as(SQL).fetch_all().await
}

/// Lets a job stand still, or go on.
pub async fn set_paused(
    tx: &mut Tx,
    name: &str,
    paused: bool,
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into job (name, paused, changed_at, changed_by, woken) values ($1, $2, $3, $4, 0)
        on conflict (name) do update
            set paused = excluded.paused, changed_at = excluded.changed_at,
                changed_by = excluded.changed_by";
    tx.query(SQL).bind(name).bind(paused).bind(now).bind(by).execute().await?;
    Ok(())
}

/// Says how much a job does at a time and in a minute; as it would by itself, where nothing is said.
pub async fn tune(
    tx: &mut Tx,
    name: &str,
    (at_a_time, per_minute): (Option<i64>, Option<i64>),
    by: &str,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into job (name, paused, changed_at, changed_by, woken, at_a_time, per_minute)
        values ($1, false, $2, $3, 0, $4, $5)
        on conflict (name) do update
            set at_a_time = excluded.at_a_time, per_minute = excluded.per_minute,
                changed_at = excluded.changed_at, changed_by = excluded.changed_by";
    let query = tx.query(SQL).bind(name).bind(now).bind(by);
    query.bind(at_a_time).bind(per_minute).execute().await?;
    Ok(())
}

/// Lets a job begin again at once, wherever it runs.
pub async fn wake(tx: &mut Tx, name: &str, by: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into job (name, paused, changed_at, changed_by, woken) values ($1, false, $2, $3, 1)
        on conflict (name) do update
            set woken = job.woken + 1, changed_at = excluded.changed_at,
                changed_by = excluded.changed_by";
    tx.query(SQL).bind(name).bind(now).bind(by).execute().await?;
    Ok(())
}

/// Records that a job failed, or, without an error, that it went well.
pub async fn record(
    tx: &mut Tx,
    name: &str,
    error: Option<&str>,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into job (name, paused, changed_at, changed_by, woken, failed_at, error)
        values ($1, false, cast($3 as bigint), '', 0,
            case when cast($2 as text) is not null then cast($3 as bigint) end, cast($2 as text))
        on conflict (name) do update set failed_at = excluded.failed_at, error = excluded.error";
    tx.query(SQL).bind(name).bind(error).bind(now).execute().await?;
    Ok(())
}
