//! Repositories: names that manifests and blobs are found under.

use plura_oci::RepositoryName;

use crate::{Connection, Error, Timestamp, Tx, db, project, tag_event};

/// No character of a name sorts behind `z`.
const BEHIND_ALL: &str = "{";

/// The key of a repository's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct RepositoryId(pub(crate) i64);

/// The repository of that name.
pub async fn find(
    connection: &mut Connection,
    name: &RepositoryName,
) -> Result<Option<RepositoryId>, Error> {
    const SQL: &str = "select id from repository where name = $1";
    connection.query_scalar(SQL).bind(name.as_str()).fetch_optional().await
}

/// The name of a repository.
pub async fn name(
    connection: &mut Connection,
    id: RepositoryId,
) -> Result<Option<RepositoryName>, Error> {
    const SQL: &str = "select name from repository where id = $1";
    let name: Option<String> = connection.query_scalar(SQL).bind(id).fetch_optional().await?;
    name.map(|name| db::parse("repository.name", &name)).transpose()
}

/// The repository of that name, made if there is none, and its project with it.
pub async fn find_or_create(
    tx: &mut Tx,
    name: &RepositoryName,
    now: Timestamp,
) -> Result<RepositoryId, Error> {
    const SQL: &str = "
        insert into repository (name, created_at, project_id) values ($1, $2, $3)
        on conflict (name) do update set name = excluded.name
        returning id";
    if let Some(id) = find(tx, name).await? {
        return Ok(id);
    }
    let owner = name.as_str().split('/').next().unwrap_or_default();
    let owner = project::find_or_create(tx, owner, now).await?;
    let query = tx.query_scalar(SQL).bind(name.as_str()).bind(now).bind(owner);
    query.fetch_one().await
}

/// The repositories from `start` on and before `end`, by name; at most `limit`. One that was emptied is listed until the
/// collector has looked at it.
pub async fn list(
    connection: &mut Connection,
    start: &str,
    end: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, Error> {
    // Walks the unique index on `name` from where the page starts.
    const SQL: &str = "
        select name from repository
        where name >= $1 and name < $2
        order by name
        limit $3";
    connection
        .query_scalar(SQL)
        .bind(start)
        .bind(end.unwrap_or(BEHIND_ALL))
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// Forgets a repository that holds nothing any more. One that holds something stays.
pub async fn delete_if_empty(tx: &mut Tx, id: RepositoryId) -> Result<bool, Error> {
    const SQL: &str = "
        delete from repository
        where id = $1
          and not exists (select 1 from manifest where repository_id = $1)
          and not exists (select 1 from blob_link where repository_id = $1)
          and not exists (select 1 from tag where repository_id = $1)";
    let gone = tx.query(SQL).bind(id).execute().await? > 0;
    if gone {
        // Another repository may get its number.
        tag_event::forget(tx, id).await?;
    }
    Ok(gone)
}
