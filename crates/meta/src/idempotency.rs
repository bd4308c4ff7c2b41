//! Requests that say who they are, so that one which is sent twice is carried out once.

use crate::{Connection, Error, Timestamp, Tx};

/// A request that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Done {
    /// What was asked for, as a digest.
    pub request: String,
    /// What was answered, as JSON, without what is told only once.
    pub answer: String,
}

/// What became of the request of that name.
pub async fn find(
    connection: &mut Connection,
    actor: &str,
    name: &str,
) -> Result<Option<Done>, Error> {
    const SQL: &str = "select request, answer from idempotency_key where actor = $1 and name = $2";
    connection.query_as(SQL).bind(actor).bind(name).fetch_optional().await
}

/// Keeps what became of a request; `false` if there is one of that name.
pub async fn keep(
    tx: &mut Tx,
    (actor, name): (&str, &str),
    done: &Done,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into idempotency_key (actor, name, request, answer, created_at)
        values ($1, $2, $3, $4, $5)
        on conflict (actor, name) do nothing";
    let query = tx.query(SQL).bind(actor).bind(name).bind(&done.request).bind(&done.answer);
    Ok(query.bind(now).execute().await? > 0)
}

/// Forgets requests from before that time.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    tx.query("delete from idempotency_key where created_at < $1").bind(before).execute().await
}
