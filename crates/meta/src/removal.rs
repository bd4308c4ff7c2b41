//! Bytes that no blob points at any more and that are still to be deleted from the store.

use crate::{Connection, Error, Timestamp, Tx, blob::Blob, total};

/// Bytes to delete.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Removal {
    /// Where the store keeps them.
    pub storage_key: String,
    /// How many there are.
    pub size: i64,
}

/// Queues the bytes of a blob that is being forgotten in the same transaction.
pub async fn queue(tx: &mut Tx, blob: &Blob, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into removal (storage_key, digest, size, queued_at) values ($1, $2, $3, $4)";
    sqlx::query(SQL)
        .bind(&blob.storage_key)
        .bind(blob.digest.to_string())
        .bind(i64::try_from(blob.size).unwrap_or(i64::MAX))
        .bind(now)
        .execute(tx.sqlite())
        .await?;
    Ok(())
}

/// Removals that are queued, behind `after` by key.
pub async fn list(
    connection: &mut Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Removal>, Error> {
    const SQL: &str = "
        select storage_key, size from removal where storage_key > $1 order by storage_key limit $2";
    Ok(sqlx::query_as(SQL)
        .bind(after.unwrap_or_default())
        .bind(limit)
        .fetch_all(connection.sqlite())
        .await?)
}

/// Whether the removal of the bytes under the key is queued.
pub async fn is_queued(connection: &mut Connection, storage_key: &str) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from removal where storage_key = $1)";
    Ok(sqlx::query_scalar(SQL).bind(storage_key).fetch_one(connection.sqlite()).await?)
}

/// Ends a removal: the bytes are gone.
pub async fn done(tx: &mut Tx, removal: &Removal) -> Result<(), Error> {
    const SQL: &str = "delete from removal where storage_key = $1";
    let query = sqlx::query(SQL).bind(&removal.storage_key);
    if query.execute(tx.sqlite()).await?.rows_affected() > 0 {
        total::collected(tx, removal.size.unsigned_abs()).await?;
    }
    Ok(())
}
