//! What was decided, and what it was decided from.

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, Timestamp, Tx};

/// A decision to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewDecision {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// The channel.
    pub channel: String,
    /// `allow`, `wait` or `deny`.
    pub effect: &'static str,
    /// What it was asked for: `promotion`, `review`.
    pub cause: &'static str,
    /// The SHA-256 of the document.
    pub policy: Digest,
    /// The SHA-256 of the facts.
    pub facts: Digest,
    /// When.
    pub decided_at: Timestamp,
    /// The decision, as JSON.
    pub document: String,
    /// The facts, packed.
    pub packed_facts: Vec<u8>,
}

/// A decision as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredDecision {
    /// Its place in the order.
    pub id: i64,
    /// What it was asked for.
    pub cause: String,
    /// The SHA-256 of the facts.
    pub facts: String,
    /// When.
    pub decided_at: Timestamp,
    /// The decision, as JSON.
    pub document: String,
}

/// What to look for; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In this repository.
    pub repository: Option<String>,
    /// About this manifest.
    pub digest: Option<String>,
    /// About this channel.
    pub channel: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Older than the one of this place.
    pub before: Option<i64>,
}

/// Keeps a decision; its place in the order.
pub async fn keep(tx: &mut Tx, decision: &NewDecision) -> Result<i64, Error> {
    const FACTS: &str = "
        insert into decision_facts (digest, document) values ($1, $2)
        on conflict (digest) do nothing";
    const SQL: &str = "
        insert into decision (id, repository, digest, channel, effect, cause, policy, facts,
            decided_at, document)
        select coalesce(max(id) + 1, 1), $1, $2, $3, $4, $5, $6, $7, $8, $9 from decision
        returning id";
    let facts = tx.query(FACTS).bind(decision.facts.to_string()).bind(&decision.packed_facts);
    facts.execute().await?;
    tx.query_scalar(SQL)
        .bind(decision.repository.as_str())
        .bind(decision.digest.to_string())
        .bind(&decision.channel)
        .bind(decision.effect)
        .bind(decision.cause)
        .bind(decision.policy.to_string())
        .bind(decision.facts.to_string())
        .bind(decision.decided_at)
        .bind(&decision.document)
        .fetch_one()
        .await
}

/// The decisions that the filter lets through, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<StoredDecision>, Error> {
    const SQL: &str = "
        select id, cause, facts, decided_at, document from decision
        where id < $1 and decided_at >= $2
          and (cast($3 as text) is null or repository = $3)
          and (cast($4 as text) is null or channel = $4)
          and (cast($5 as text) is null or digest = $5)
        order by id desc limit $6";
    connection
        .query_as(SQL)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.since.unwrap_or(Timestamp(0)))
        .bind(&filter.repository)
        .bind(&filter.channel)
        .bind(&filter.digest)
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// A decision.
pub async fn find(connection: &mut Connection, id: i64) -> Result<Option<StoredDecision>, Error> {
    const SQL: &str = "
        select id, cause, facts, decided_at, document from decision where id = $1";
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// What decisions were made from, packed.
pub async fn facts(connection: &mut Connection, digest: &str) -> Result<Option<Vec<u8>>, Error> {
    const SQL: &str = "select document from decision_facts where digest = $1";
    connection.query_scalar(SQL).bind(digest).fetch_optional().await
}
