//! Failed logins, as all processes on one database count them. What is counted, and what follows from
//! it, is not for this crate to know.

use crate::{Connection, Error, Timestamp, Tx};

/// Failures that followed each other, or what else is kept under a key for a time.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct FailedLogins {
    /// Of whom.
    pub key: String,
    /// How many.
    pub failures: i64,
    /// Until when the next attempt has to wait.
    pub locked_until: Timestamp,
    /// When it is forgotten, if nothing is added.
    pub ends_at: Timestamp,
}

/// What is kept under these keys and not forgotten by now, in no order.
pub async fn find(
    connection: &mut Connection,
    keys: &[&str; 4],
    now: Timestamp,
) -> Result<Vec<FailedLogins>, Error> {
    const SQL: &str = "
        select key, failures, locked_until, ends_at from failed_login
        where key in ($1, $2, $3, $4) and ends_at > $5";
    let [first, second, third, fourth] = keys;
    let query = connection.query_as(SQL).bind(*first).bind(*second).bind(*third).bind(*fourth);
    query.bind(now).fetch_all().await
}

/// Keeps it instead of what was kept under the key.
pub async fn put(tx: &mut Tx, failed: &FailedLogins) -> Result<(), Error> {
    const SQL: &str = "
        insert into failed_login (key, failures, locked_until, ends_at) values ($1, $2, $3, $4)
        on conflict (key) do update set failures = excluded.failures,
            locked_until = excluded.locked_until, ends_at = excluded.ends_at";
    tx.query(SQL)
        .bind(&failed.key)
        .bind(failed.failures)
        .bind(failed.locked_until)
        .bind(failed.ends_at)
        .execute()
        .await?;
    Ok(())
}

/// Forgets what is kept under a key.
pub async fn delete(tx: &mut Tx, key: &str) -> Result<(), Error> {
    const SQL: &str = "delete from failed_login where key = $1";
    tx.query(SQL).bind(key).execute().await?;
    Ok(())
}

/// Forgets what is over; how much.
pub async fn delete_ended(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "delete from failed_login where ends_at <= $1";
    tx.query(SQL).bind(now).execute().await
}
