//! Approvals of digests for channels.

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, Timestamp, Tx};

/// An approval as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredApproval {
    /// Its name.
    pub id: String,
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: String,
    /// For which channel.
    pub channel: String,
    /// Who approved it.
    pub approver: String,
    /// The roles that they had, as a JSON list.
    pub roles: String,
    /// Why; empty where nothing was said.
    pub reason: String,
    /// When.
    pub approved_at: Timestamp,
    /// When it ends, if somebody said so.
    pub expires_at: Option<Timestamp>,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// Who took it back.
    pub revoked_by: Option<String>,
}

/// Keeps an approval.
pub async fn add(tx: &mut Tx, approval: &StoredApproval) -> Result<(), Error> {
    const SQL: &str = "
        insert into approval (id, repository, digest, channel, approver, roles, reason,
            approved_at, expires_at, revoked_at, revoked_by)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    tx.query(SQL)
        .bind(&approval.id)
        .bind(&approval.repository)
        .bind(&approval.digest)
        .bind(&approval.channel)
        .bind(&approval.approver)
        .bind(&approval.roles)
        .bind(&approval.reason)
        .bind(approval.approved_at)
        .bind(approval.expires_at)
        .bind(approval.revoked_at)
        .bind(&approval.revoked_by)
        .execute()
        .await?;
    Ok(())
}

/// The approvals of a manifest, the oldest first, with those that were taken back; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    repository: &RepositoryName,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<StoredApproval>, Error> {
    const SQL: &str = "
        select id, repository, digest, channel, approver, roles, reason, approved_at, expires_at,
            revoked_at, revoked_by
        from approval where repository = $1 and digest = $2
        order by approved_at desc, id desc limit $3";
    let query = connection.query_as(SQL).bind(repository.as_str()).bind(digest.to_string());
    let mut found: Vec<StoredApproval> = query.bind(i64::from(limit)).fetch_all().await?;
    found.reverse();
    Ok(found)
}

/// An approval.
pub async fn find(connection: &mut Connection, id: &str) -> Result<Option<StoredApproval>, Error> {
    const SQL: &str = "
        select id, repository, digest, channel, approver, roles, reason, approved_at, expires_at,
            revoked_at, revoked_by
        from approval where id = $1";
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// Takes an approval back; whether it still counted.
pub async fn revoke(tx: &mut Tx, id: &str, by: &str, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        update approval set revoked_at = $2, revoked_by = $3
        where id = $1 and revoked_at is null";
    Ok(tx.query(SQL).bind(id).bind(now).bind(by).execute().await? > 0)
}
