//! When manifests were used: pushed again, pulled, left by a tag. What is deleted for not being used is
//! decided from it.

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx};

/// A manifest that was pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pulled {
    /// From which repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// When.
    pub at: Timestamp,
}

/// Notes that a manifest which was there already was pushed.
pub async fn pushed_again(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_use (repository_id, digest, pushed_at) values ($1, $2, $3)
        on conflict (repository_id, digest) do update set pushed_at = excluded.pushed_at";
    tx.query(SQL).bind(repository).bind(digest.to_string()).bind(now).execute().await?;
    Ok(())
}

/// Notes that a tag points at a manifest no more.
pub(crate) async fn untagged(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_use (repository_id, digest, untagged_at)
        select $1, $2, $3 where exists (
            select 1 from manifest where repository_id = $1 and digest = $2
        )
        on conflict (repository_id, digest) do update set untagged_at = excluded.untagged_at";
    tx.query(SQL).bind(repository).bind(digest.to_string()).bind(now).execute().await?;
    Ok(())
}

/// Notes that manifests were pulled, those of them that are still there.
pub async fn pulled(tx: &mut Tx, pulled: &[Pulled]) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_use (repository_id, digest, pulled_at)
        select manifest.repository_id, manifest.digest, $3
        from repository
        join manifest on manifest.repository_id = repository.id and manifest.digest = $2
        where repository.name = $1
        on conflict (repository_id, digest) do update
            set pulled_at = case
                when manifest_use.pulled_at > excluded.pulled_at then manifest_use.pulled_at
                else excluded.pulled_at
            end";
    for Pulled { repository, digest, at } in pulled {
        let query = tx.query(SQL).bind(repository.as_str()).bind(digest.to_string());
        query.bind(*at).execute().await?;
    }
    Ok(())
}

/// When a manifest was last pushed.
pub async fn last_push(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "
        select case
            when manifest_use.pushed_at > manifest.pushed_at then manifest_use.pushed_at
            else manifest.pushed_at
        end
        from manifest
        left join manifest_use on manifest_use.repository_id = manifest.repository_id
            and manifest_use.digest = manifest.digest
        where manifest.repository_id = $1 and manifest.digest = $2";
    let query = connection.query_scalar(SQL).bind(repository).bind(digest.to_string());
    query.fetch_optional().await
}

/// Forgets a manifest that is deleted.
pub(crate) async fn forget(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), Error> {
    const SQL: &str = "delete from manifest_use where repository_id = $1 and digest = $2";
    tx.query(SQL).bind(repository).bind(digest.to_string()).execute().await?;
    Ok(())
}
