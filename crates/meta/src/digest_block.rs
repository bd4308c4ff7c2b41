//! Digests that must not be run.

use plura_oci::Digest;

use crate::{Connection, Error, Timestamp, Tx, policy_version};

/// A block as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredBlock {
    /// Its name.
    pub id: String,
    /// The manifest.
    pub digest: String,
    /// The repository; empty where it is everywhere.
    pub repository: String,
    /// Who decides: `manual` or `policy`.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Who did.
    pub blocker: String,
    /// When.
    pub blocked_at: Timestamp,
    /// When it was lifted.
    pub lifted_at: Option<Timestamp>,
    /// Who lifted it.
    pub lifted_by: Option<String>,
    /// Why it was lifted.
    pub lifted_because: Option<String>,
}

/// Keeps a block, unless the digest is blocked there already; whether it was not.
pub async fn add(tx: &mut Tx, block: &StoredBlock) -> Result<bool, Error> {
    const SQL: &str = "
        insert into digest_block (id, digest, repository, kind, reason, blocker, blocked_at)
        select $1, $2, $3, $4, $5, $6, $7
        where not exists (
            select 1 from digest_block
            where digest = $2 and repository = $3 and lifted_at is null
        )";
    let added = tx
        .query(SQL)
        .bind(&block.id)
        .bind(&block.digest)
        .bind(&block.repository)
        .bind(&block.kind)
        .bind(&block.reason)
        .bind(&block.blocker)
        .bind(block.blocked_at)
        .execute()
        .await?;
    policy_version::revise(tx).await?;
    Ok(added > 0)
}

/// Lifts the block of a digest, in one repository or everywhere; what was lifted.
pub async fn lift(
    tx: &mut Tx,
    digest: &Digest,
    repository: &str,
    (by, because): (&str, &str),
    now: Timestamp,
) -> Result<Option<String>, Error> {
    const SQL: &str = "
        update digest_block set lifted_at = $3, lifted_by = $4, lifted_because = $5
        where digest = $1 and repository = $2 and lifted_at is null
        returning id";
    let query = tx.query_scalar(SQL).bind(digest.to_string()).bind(repository).bind(now);
    let lifted = query.bind(by).bind(because).fetch_optional().await?;
    policy_version::revise(tx).await?;
    Ok(lifted)
}

/// The blocks that hold, by digest.
pub async fn in_force(connection: &mut Connection) -> Result<Vec<StoredBlock>, Error> {
    const SQL: &str = "
        select id, digest, repository, kind, reason, blocker, blocked_at, lifted_at, lifted_by,
            lifted_because
        from digest_block where lifted_at is null order by digest, repository";
    connection.query_as(SQL).fetch_all().await
}

/// The blocks of a digest, the oldest first, with those that were lifted; at most `limit`.
pub async fn of(
    connection: &mut Connection,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<StoredBlock>, Error> {
    const SQL: &str = "
        select id, digest, repository, kind, reason, blocker, blocked_at, lifted_at, lifted_by,
            lifted_because
        from digest_block where digest = $1 order by blocked_at, id limit $2";
    connection.query_as(SQL).bind(digest.to_string()).bind(i64::from(limit)).fetch_all().await
}
