//! Sums that are kept up with every change, so that no figure needs a scan.

use crate::{Connection, Error, Tx};

/// What the store holds, and what collection gave back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Totals {
    /// Blobs in the store.
    pub blobs: i64,
    /// Their bytes.
    pub blob_bytes: i64,
    /// Blobs that collection removed, ever.
    pub collected_blobs: i64,
    /// Their bytes.
    pub collected_bytes: i64,
}

/// The sums as they are now.
pub async fn read(connection: &mut Connection) -> Result<Totals, Error> {
    let rows: Vec<(String, i64)> =
        connection.query_as("select name, value from total").fetch_all().await?;
    let value =
        |wanted| rows.iter().find(|(name, _)| name == wanted).map_or(0, |(_, value)| *value);
    Ok(Totals {
        blobs: value("blobs"),
        blob_bytes: value("blob_bytes"),
        collected_blobs: value("collected_blobs"),
        collected_bytes: value("collected_bytes"),
    })
}

/// What the sums should be, counted row by row: for `check`.
pub async fn count(connection: &mut Connection) -> Result<(i64, i64), Error> {
    let sql = "select count(*), cast(coalesce(sum(size), 0) as bigint) from blob";
    connection.query_as(sql).fetch_one().await
}

/// Sets the sums of what is stored to what was counted.
pub async fn repair(tx: &mut Tx) -> Result<(), Error> {
    let (blobs, bytes) = count(tx).await?;
    set(tx, "blobs", blobs).await?;
    set(tx, "blob_bytes", bytes).await
}

pub(crate) async fn add_blob(tx: &mut Tx, size: u64) -> Result<(), Error> {
    add(tx, [("blobs", 1), ("blob_bytes", signed(size))]).await
}

pub(crate) async fn remove_blob(tx: &mut Tx, size: u64) -> Result<(), Error> {
    add(tx, [("blobs", -1), ("blob_bytes", -signed(size))]).await
}

pub(crate) async fn collected(tx: &mut Tx, size: u64) -> Result<(), Error> {
    add(tx, [("collected_blobs", 1), ("collected_bytes", signed(size))]).await
}

async fn add(tx: &mut Tx, changes: [(&str, i64); 2]) -> Result<(), Error> {
    const SQL: &str = "
        update total set value = value
            + case name when $1 then cast($2 as bigint) else cast($4 as bigint) end
        where name in ($1, $3)";
    let [(first, by), (second, by_second)] = changes;
    tx.query(SQL).bind(first).bind(by).bind(second).bind(by_second).execute().await?;
    Ok(())
}

async fn set(tx: &mut Tx, name: &str, value: i64) -> Result<(), Error> {
    const SQL: &str = "update total set value = $2 where name = $1";
    tx.query(SQL).bind(name).bind(value).execute().await?;
    Ok(())
}

fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}
