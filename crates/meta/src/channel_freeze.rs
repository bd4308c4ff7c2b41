//! Times in which nothing moves into channels, beside those of the document.

use crate::{Connection, Error, Timestamp, Tx, policy_version};

/// A freeze as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredFreeze {
    /// Its name.
    pub id: String,
    /// The pattern of the channels.
    pub channels: String,
    /// Why.
    pub reason: String,
    /// Who decided so.
    pub author: String,
    /// When it begins.
    pub begins_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// When somebody ended it.
    pub ended_at: Option<Timestamp>,
    /// Who ended it.
    pub ended_by: Option<String>,
}

/// Begins a freeze.
pub async fn add(tx: &mut Tx, freeze: &StoredFreeze) -> Result<(), Error> {
    const SQL: &str = "
        insert into channel_freeze (id, channels, reason, author, begins_at, ends_at)
        values ($1, $2, $3, $4, $5, $6)";
    tx.query(SQL)
        .bind(&freeze.id)
        .bind(&freeze.channels)
        .bind(&freeze.reason)
        .bind(&freeze.author)
        .bind(freeze.begins_at)
        .bind(freeze.ends_at)
        .execute()
        .await?;
    policy_version::revise(tx).await
}

/// Ends a freeze; the one that it was, if it was not over.
pub async fn end(
    tx: &mut Tx,
    id: &str,
    by: &str,
    now: Timestamp,
) -> Result<Option<StoredFreeze>, Error> {
    const SQL: &str = "
        update channel_freeze set ended_at = $2, ended_by = $3
        where id = $1 and ended_at is null and ends_at > $2
        returning id, channels, reason, author, begins_at, ends_at, ended_at, ended_by";
    let ended = tx.query_as(SQL).bind(id).bind(now).bind(by).fetch_optional().await?;
    policy_version::revise(tx).await?;
    Ok(ended)
}

/// The freezes that are not over, the oldest first.
pub async fn in_force(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<Vec<StoredFreeze>, Error> {
    const SQL: &str = "
        select id, channels, reason, author, begins_at, ends_at, ended_at, ended_by
        from channel_freeze where ended_at is null and ends_at > $1 order by begins_at, id";
    connection.query_as(SQL).bind(now).fetch_all().await
}
