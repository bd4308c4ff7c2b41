//! Decisions whose signed summaries are to be attached to what they are about.

use crate::{Connection, Error, Timestamp, Tx};

/// A decision that is to be attached.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct DueSummary {
    /// Its key.
    pub id: String,
    /// The decision, as JSON.
    pub decision: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When somebody looks at it again.
    pub due_at: Timestamp,
}

/// Has a decision attached soon; in the transaction that decides.
pub async fn add(tx: &mut Tx, id: &str, decision: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into summary_due (id, decision, attempts, due_at) values ($1, $2, 0, $3)";
    tx.query(SQL).bind(id).bind(decision).bind(now).execute().await.map(|_| ())
}

/// Those that are due, the longest waiting first; at most `limit`.
pub async fn due(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<DueSummary>, Error> {
    // Walks the index from its beginning: what is not due is not read.
    const SQL: &str = "
        select id, decision, attempts, due_at from summary_due
        where due_at <= $1
        order by due_at, id
        limit $2";
    connection.query_as(SQL).bind(now).bind(i64::from(limit)).fetch_all().await
}

/// How many wait, due or not.
pub async fn count(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select count(*) from summary_due";
    connection.query_scalar(SQL).fetch_one().await
}

/// Takes one until then; `false` if somebody else did, or it is done.
pub async fn take(tx: &mut Tx, one: &DueSummary, until: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        update summary_due set due_at = $3, attempts = attempts + 1 where id = $1 and due_at = $2";
    let query = tx.query(SQL).bind(&one.id).bind(one.due_at).bind(until);
    Ok(query.execute().await? > 0)
}

/// Puts one off that could not be attached.
pub async fn put_off(tx: &mut Tx, id: &str, until: Timestamp) -> Result<(), Error> {
    const SQL: &str = "update summary_due set due_at = $2 where id = $1";
    tx.query(SQL).bind(id).bind(until).execute().await.map(|_| ())
}

/// Forgets one that is attached, or never will be.
pub async fn remove(tx: &mut Tx, id: &str) -> Result<(), Error> {
    const SQL: &str = "delete from summary_due where id = $1";
    tx.query(SQL).bind(id).execute().await.map(|_| ())
}

/// Has all that wait be due: whoever took some is not there any more.
pub async fn release_all(tx: &mut Tx, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "update summary_due set due_at = $1 where due_at > $1";
    tx.query(SQL).bind(now).execute().await.map(|_| ())
}
