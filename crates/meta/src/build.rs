//! Builds that pushed manifests, as their tokens named them.

use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, evidence};

/// A run of a build, as the issuer of its token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Build {
    /// The repository of its source, as a URL.
    pub source: String,
    /// The commit that it built.
    pub revision: String,
    /// The number of the run, which its URL contains; empty where that is not told.
    pub run: String,
}

/// Notes that the build pushed the manifest. Builds that can be repeated may all push the same; what is
/// said about it already is then compared with one more of them.
pub async fn note(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    build: &Build,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_build (repository_id, digest, source, revision, run, pushed_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (repository_id, digest, source, revision, run) do nothing";
    let noted = tx
        .query(SQL)
        .bind(repository)
        .bind(digest.to_string())
        .bind(&build.source)
        .bind(&build.revision)
        .bind(&build.run)
        .bind(now)
        .execute()
        .await?;
    if noted == 0 { Ok(()) } else { evidence::ask_again(tx, repository, digest).await }
}

/// The builds that pushed the manifest, the first of them first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<Build>, Error> {
    const SQL: &str = "
        select source, revision, run from manifest_build
        where repository_id = $1 and digest = $2 order by pushed_at limit $3";
    connection
        .query_as(SQL)
        .bind(repository)
        .bind(digest.to_string())
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// Forgets who pushed a manifest that goes.
pub(crate) async fn forget(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), Error> {
    const SQL: &str = "delete from manifest_build where repository_id = $1 and digest = $2";
    tx.query(SQL).bind(repository).bind(digest.to_string()).execute().await?;
    Ok(())
}
