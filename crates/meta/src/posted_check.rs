//! What was found out elsewhere about manifests: the last result of each check, by each who posts it.

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, Timestamp, Tx};

/// A result as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct PostedCheck {
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: String,
    /// What the check is called.
    pub name: String,
    /// Who posted it.
    pub poster: String,
    /// How it went: `success`, `failure`, `pending`.
    pub state: String,
    /// More about it; empty where nothing was said.
    pub detail: String,
    /// When it was posted.
    pub posted_at: Timestamp,
}

/// Keeps a result, in the place of the one before.
pub async fn post(tx: &mut Tx, check: &PostedCheck) -> Result<(), Error> {
    const SQL: &str = "
        insert into posted_check (repository, digest, name, poster, state, detail, posted_at)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (repository, digest, name, poster) do update
            set state = excluded.state, detail = excluded.detail, posted_at = excluded.posted_at";
    tx.query(SQL)
        .bind(&check.repository)
        .bind(&check.digest)
        .bind(&check.name)
        .bind(&check.poster)
        .bind(&check.state)
        .bind(&check.detail)
        .bind(check.posted_at)
        .execute()
        .await?;
    Ok(())
}

/// The results about a manifest, by name; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    repository: &RepositoryName,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<PostedCheck>, Error> {
    const SQL: &str = "
        select repository, digest, name, poster, state, detail, posted_at from posted_check
        where repository = $1 and digest = $2 order by name, poster limit $3";
    let query = connection.query_as(SQL).bind(repository.as_str()).bind(digest.to_string());
    query.bind(i64::from(limit)).fetch_all().await
}

/// How many checks there are of a manifest, and whether this is one of them.
pub async fn count(connection: &mut Connection, check: &PostedCheck) -> Result<(i64, bool), Error> {
    const SQL: &str = "
        select count(*), count(case when name = $3 and poster = $4 then 1 end)
        from posted_check where repository = $1 and digest = $2";
    let query = connection.query_as(SQL).bind(&check.repository).bind(&check.digest);
    let (count, known): (i64, i64) =
        query.bind(&check.name).bind(&check.poster).fetch_one().await?;
    Ok((count, known > 0))
}
