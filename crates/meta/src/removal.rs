//! Bytes that no blob points at any more and that are still to be deleted from the store.

use plura_oci::Digest;

use crate::{
    Connection, Error, Timestamp, Tx,
    blob::{self, Blob},
    total,
};

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
    // Found in the queue already, the key is damage that `check` knows; it must not stop collection.
    const SQL: &str = "
        insert into removal (storage_key, digest, size, queued_at) values ($1, $2, $3, $4)
        on conflict (storage_key) do nothing";
    tx.query(SQL)
        .bind(&blob.storage_key)
        .bind(blob.digest.to_string())
        .bind(i64::try_from(blob.size).unwrap_or(i64::MAX))
        .bind(now)
        .execute()
        .await?;
    total::collected(tx, blob.size).await
}

/// Queues bytes that were stored for a blob that was never recorded; `false` if it was recorded.
///
/// That a commit failed does not say that it is not there after a crash. The commit of this row,
/// which comes after it in the database's log, does.
pub async fn queue_uncommitted(
    tx: &mut Tx,
    storage_key: &str,
    digest: &Digest,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into removal (storage_key, digest, size, queued_at)
        select $1, $2, 0, $3 where true
        on conflict (storage_key) do update set queued_at = excluded.queued_at";
    if blob::is_key_known(tx, storage_key).await? {
        return Ok(false);
    }
    let query = tx.query(SQL).bind(storage_key).bind(digest.to_string()).bind(now);
    query.execute().await?;
    Ok(true)
}

/// Removals that are queued, behind `after` by key.
pub async fn list(
    connection: &mut Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Removal>, Error> {
    const SQL: &str = "
        select storage_key, size from removal where storage_key > $1 order by storage_key limit $2";
    connection
        .query_as(SQL)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// Whether the removal of the bytes under the key is queued.
pub async fn is_queued(connection: &mut Connection, storage_key: &str) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from removal where storage_key = $1)";
    connection.query_scalar(SQL).bind(storage_key).fetch_one().await
}

/// Ends a removal: the bytes are gone.
pub async fn done(tx: &mut Tx, storage_key: &str) -> Result<(), Error> {
    const SQL: &str = "delete from removal where storage_key = $1";
    tx.query(SQL).bind(storage_key).execute().await?;
    Ok(())
}
