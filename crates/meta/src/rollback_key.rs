//! Keys that give the right to undo one move, once. Only their hashes are here.

use crate::{Connection, Error, Timestamp, Tx, channel::ChannelId};

/// A key.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct RollbackKey {
    /// The promotion that it was made for.
    pub promotion: String,
    /// The channel that was moved, once it was.
    #[sqlx(rename = "channel_id")]
    pub channel: Option<ChannelId>,
    /// The move.
    pub r#move: Option<i64>,
    /// Until when it counts.
    pub expires_at: Option<Timestamp>,
    /// When it was used.
    pub used_at: Option<Timestamp>,
}

/// Records the key of a promotion, which is good for nothing yet.
pub async fn insert(tx: &mut Tx, hash: &str, promotion: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into rollback_key (hash, promotion, created_at) values ($1, $2, $3)";
    tx.query(SQL).bind(hash).bind(promotion).bind(now).execute().await?;
    Ok(())
}

/// Binds the key of a promotion to the move that it made.
pub async fn bind(
    tx: &mut Tx,
    promotion: &str,
    (channel, number): (ChannelId, i64),
    expires_at: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        update rollback_key set channel_id = $2, move = $3, expires_at = $4 where promotion = $1";
    let query = tx.query(SQL).bind(promotion).bind(channel).bind(number);
    query.bind(expires_at).execute().await?;
    Ok(())
}

/// The key of that hash.
pub async fn find(connection: &mut Connection, hash: &str) -> Result<Option<RollbackKey>, Error> {
    const SQL: &str = "
        select promotion, channel_id, move, expires_at, used_at from rollback_key where hash = $1";
    connection.query_as(SQL).bind(hash).fetch_optional().await
}

/// Uses the key; `false` if somebody did before.
pub async fn spend(tx: &mut Tx, hash: &str, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "update rollback_key set used_at = $2 where hash = $1 and used_at is null";
    Ok(tx.query(SQL).bind(hash).bind(now).execute().await? > 0)
}

/// Forgets the key of a promotion that moved nothing.
pub async fn forget_of(tx: &mut Tx, promotion: &str) -> Result<(), Error> {
    const SQL: &str = "delete from rollback_key where promotion = $1 and move is null";
    tx.query(SQL).bind(promotion).execute().await?;
    Ok(())
}

/// Forgets keys that ended before that time.
pub async fn forget(tx: &mut Tx, before: Timestamp) -> Result<u64, Error> {
    tx.query("delete from rollback_key where expires_at < $1").bind(before).execute().await
}
