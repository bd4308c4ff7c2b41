//! Versions of the document that governs, and whether what is remembered of them still holds.

use crate::{Connection, Error, Timestamp, Tx};

/// A version of the document.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PolicyVersion {
    /// Its number, counted from one.
    pub id: i64,
    /// The SHA-256 of what it says.
    pub digest: String,
    /// The document, as it was written.
    pub document: String,
    /// Who applied it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    pub applied_at: Timestamp,
}

/// What is remembered of the document, of blocks and of freezes is right as long as this is the same;
/// zero, where there never were any.
pub async fn revision(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select revision from governance_state where id = 1";
    Ok(connection.query_scalar(SQL).fetch_optional().await?.unwrap_or(0))
}

/// Lets nothing that is remembered be right any more.
pub async fn revise(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "
        insert into governance_state (id, revision) values (1, 1)
        on conflict (id) do update set revision = governance_state.revision + 1";
    tx.query(SQL).execute().await?;
    Ok(())
}

/// The version that is in force, if any was ever applied.
pub async fn current(connection: &mut Connection) -> Result<Option<PolicyVersion>, Error> {
    const SQL: &str = "
        select id, digest, document, author, reason, applied_at from policy_version
        order by id desc limit 1";
    connection.query_as(SQL).fetch_optional().await
}

/// A version.
pub async fn find(connection: &mut Connection, id: i64) -> Result<Option<PolicyVersion>, Error> {
    const SQL: &str = "
        select id, digest, document, author, reason, applied_at from policy_version
        where id = $1";
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// Versions before `before`, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    before: i64,
    limit: u32,
) -> Result<Vec<PolicyVersion>, Error> {
    const SQL: &str = "
        select id, digest, document, author, reason, applied_at from policy_version
        where id < $1 order by id desc limit $2";
    connection.query_as(SQL).bind(before).bind(i64::from(limit)).fetch_all().await
}

/// Puts a version in force.
pub async fn add(tx: &mut Tx, version: &PolicyVersion) -> Result<(), Error> {
    const SQL: &str = "
        insert into policy_version (id, digest, document, author, reason, applied_at)
        values ($1, $2, $3, $4, $5, $6)";
    tx.query(SQL)
        .bind(version.id)
        .bind(&version.digest)
        .bind(&version.document)
        .bind(&version.author)
        .bind(&version.reason)
        .bind(version.applied_at)
        .execute()
        .await?;
    revise(tx).await
}
