//! Projects: who owns repositories, how much they may hold, and how much they do.

use plura_oci::Digest;

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, blob::Blob};

/// The key of a project's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct ProjectId(pub(crate) i64);

/// A project.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Project {
    /// Its key.
    pub id: ProjectId,
    /// Its name: the first path segment of its repositories.
    pub name: String,
    /// Whether everybody may pull.
    pub is_public: bool,
    /// The most bytes of blobs, each counted once; no limit without.
    pub quota_bytes: Option<i64>,
    /// The most tags; no limit without.
    pub quota_tags: Option<i64>,
    /// Whether clients are sent to the object store for blobs; as the settings say without.
    pub redirect: Option<bool>,
    /// Bytes of blobs that its repositories link, each counted once.
    pub used_bytes: i64,
    /// Tags.
    pub used_tags: i64,
    /// Since when.
    pub created_at: Timestamp,
}

/// What can be changed of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Whether everybody may pull.
    pub is_public: bool,
    /// The most bytes of blobs.
    pub quota_bytes: Option<i64>,
    /// The most tags.
    pub quota_tags: Option<i64>,
    /// Whether clients are sent to the object store for blobs; as the settings say without.
    pub redirect: Option<bool>,
}

/// A change would take the project beyond its quota.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverQuota {
    /// The project.
    pub project: String,
    /// What there is too much of: `bytes` or `tags`.
    pub what: &'static str,
    /// How much it may hold.
    pub quota: i64,
    /// How much it would hold.
    pub wanted: i64,
}

/// The project of that name.
pub async fn find(connection: &mut Connection, name: &str) -> Result<Option<Project>, Error> {
    const SQL: &str = "
        select id, name, is_public, quota_bytes, quota_tags, redirect, used_bytes, used_tags,
               created_at
        from project where name = $1";
    connection.query_as(SQL).bind(name).fetch_optional().await
}

/// The name of a project.
pub async fn name(connection: &mut Connection, id: ProjectId) -> Result<Option<String>, Error> {
    const SQL: &str = "select name from project where id = $1";
    connection.query_scalar(SQL).bind(id).fetch_optional().await
}

/// The projects behind `after`, by name; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Project>, Error> {
    const SQL: &str = "
        select id, name, is_public, quota_bytes, quota_tags, redirect, used_bytes, used_tags,
               created_at
        from project where name > $1 order by name limit $2";
    connection
        .query_as(SQL)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// The names of all projects that everybody may pull from.
pub async fn public(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "select name from project where is_public order by name";
    connection.query_scalar(SQL).fetch_all().await
}

/// Makes a project; `false` if there is one of that name.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    settings: Settings,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into project (name, is_public, quota_bytes, quota_tags, redirect, created_at)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (name) do nothing";
    let query = tx
        .query(SQL)
        .bind(name)
        .bind(settings.is_public)
        .bind(settings.quota_bytes)
        .bind(settings.quota_tags)
        .bind(settings.redirect)
        .bind(now);
    Ok(query.execute().await? > 0)
}

/// Changes a project; `false` if there is none.
pub async fn update(tx: &mut Tx, name: &str, settings: Settings) -> Result<bool, Error> {
    const SQL: &str = "
        update project set is_public = $2, quota_bytes = $3, quota_tags = $4, redirect = $5
        where name = $1";
    let query = tx
        .query(SQL)
        .bind(name)
        .bind(settings.is_public)
        .bind(settings.quota_bytes)
        .bind(settings.quota_tags)
        .bind(settings.redirect);
    Ok(query.execute().await? > 0)
}

/// Forgets a project that has no repositories; `false` if it has some. Its members and robots must be
/// gone before.
pub async fn delete_if_empty(tx: &mut Tx, id: ProjectId) -> Result<bool, Error> {
    const SQL: &str = "
        delete from project
        where id = $1 and not exists (select 1 from repository where project_id = $1)";
    Ok(tx.query(SQL).bind(id).execute().await? > 0)
}

/// The project of that name, made if there is none: private, and without quotas.
pub(crate) async fn find_or_create(
    tx: &mut Tx,
    name: &str,
    now: Timestamp,
) -> Result<ProjectId, Error> {
    const SQL: &str = "
        insert into project (name, created_at) values ($1, $2)
        on conflict (name) do update set name = excluded.name
        returning id";
    tx.query_scalar(SQL).bind(name).bind(now).fetch_one().await
}

/// Whether the project of a repository holds more than it may. To be asked in the transaction that
/// added something, which is then not committed.
pub async fn over_quota(tx: &mut Tx, repository: RepositoryId) -> Result<Option<OverQuota>, Error> {
    const SQL: &str = "
        select project.id, project.name, is_public, quota_bytes, quota_tags, redirect, used_bytes,
               used_tags, project.created_at
        from project join repository on repository.project_id = project.id
        where repository.id = $1";
    let project: Option<Project> = tx.query_as(SQL).bind(repository).fetch_optional().await?;
    Ok(project.and_then(Project::excess))
}

impl Project {
    fn excess(self) -> Option<OverQuota> {
        let over = |what, quota: Option<i64>, wanted: i64| {
            let quota = quota.filter(|quota| wanted > *quota)?;
            Some(OverQuota { project: self.name.clone(), what, quota, wanted })
        };
        over("bytes", self.quota_bytes, self.used_bytes)
            .or_else(|| over("tags", self.quota_tags, self.used_tags))
    }
}

/// Whether a repository of the project links the content: then it takes no more room.
pub async fn holds(
    connection: &mut Connection,
    project: ProjectId,
    digest: &Digest,
) -> Result<bool, Error> {
    const SQL: &str = "
        select blob.id from blob join project_blob on project_blob.blob_id = blob.id
        where blob.digest = $1 and project_blob.project_id = $2";
    let found: Option<i64> = connection
        .query_scalar(SQL)
        .bind(digest.to_string())
        .bind(project)
        .fetch_optional()
        .await?;
    Ok(found.is_some())
}

/// Counts a blob that a repository links from now on.
pub(crate) async fn add_link(
    tx: &mut Tx,
    repository: RepositoryId,
    blob: i64,
) -> Result<(), Error> {
    const LINK: &str = "
        insert into project_blob (project_id, blob_id, links)
        select project_id, $2, 1 from repository where id = $1
        on conflict (project_id, blob_id) do update set links = project_blob.links + 1
        returning links";
    const BYTES: &str = "
        update project set used_bytes = used_bytes + (select size from blob where id = $2)
        where id = (select project_id from repository where id = $1)";
    let links: i64 = tx.query_scalar(LINK).bind(repository).bind(blob).fetch_one().await?;
    if links == 1 {
        tx.query(BYTES).bind(repository).bind(blob).execute().await?;
    }
    Ok(())
}

/// Counts a blob no more that a repository does not link any more.
pub(crate) async fn remove_link(
    tx: &mut Tx,
    repository: RepositoryId,
    blob: i64,
) -> Result<(), Error> {
    const LINK: &str = "
        update project_blob set links = links - 1
        where project_id = (select project_id from repository where id = $1) and blob_id = $2
        returning links";
    const BYTES: &str = "
        update project set used_bytes = used_bytes - (select size from blob where id = $2)
        where id = (select project_id from repository where id = $1)";
    const FORGET: &str = "
        delete from project_blob
        where project_id = (select project_id from repository where id = $1) and blob_id = $2";
    let links: Option<i64> =
        tx.query_scalar(LINK).bind(repository).bind(blob).fetch_optional().await?;
    if links.is_some_and(|links| links <= 0) {
        tx.query(BYTES).bind(repository).bind(blob).execute().await?;
        tx.query(FORGET).bind(repository).bind(blob).execute().await?;
    }
    Ok(())
}

/// Counts a blob no more in any project, whatever links it.
pub(crate) async fn forget_blob(tx: &mut Tx, blob: &Blob) -> Result<(), Error> {
    const BYTES: &str = "
        update project set used_bytes = used_bytes - (select size from blob where id = $1)
        where id in (select project_id from project_blob where blob_id = $1)";
    const FORGET: &str = "delete from project_blob where blob_id = $1";
    for sql in [BYTES, FORGET] {
        tx.query(sql).bind(blob.id).execute().await?;
    }
    Ok(())
}

/// Counts tags that came or went.
pub(crate) async fn add_tags(tx: &mut Tx, repository: RepositoryId, by: i64) -> Result<(), Error> {
    const SQL: &str = "
        update project set used_tags = used_tags + $2
        where id = (select project_id from repository where id = $1)";
    tx.query(SQL).bind(repository).bind(by).execute().await?;
    Ok(())
}

/// Projects whose sums are not what they should be, counted row by row: for `check`.
pub async fn miscounted(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select name from project
        where used_bytes <> (
            select coalesce(sum(size), 0) from blob where id in (
                select blob_link.blob_id from blob_link
                join repository on repository.id = blob_link.repository_id
                where repository.project_id = project.id
            )
        ) or used_tags <> (
            select count(*) from tag join repository on repository.id = tag.repository_id
            where repository.project_id = project.id
        ) or id in (
            select project_id from (
                select project_id, blob_id, links from project_blob
                except
                select repository.project_id, blob_link.blob_id, count(*)
                from blob_link join repository on repository.id = blob_link.repository_id
                group by 1, 2
            ) as too_much
        ) or id in (
            select project_id from (
                select repository.project_id as project_id, blob_link.blob_id, count(*)
                from blob_link join repository on repository.id = blob_link.repository_id
                group by 1, 2
                except
                select project_id, blob_id, links from project_blob
            ) as too_little
        )
        order by name";
    connection.query_scalar(SQL).fetch_all().await
}

/// Counts everything again.
pub async fn recount(tx: &mut Tx) -> Result<(), Error> {
    const FORGET: &str = "delete from project_blob";
    const LINKS: &str = "
        insert into project_blob (project_id, blob_id, links)
        select repository.project_id, blob_link.blob_id, count(*)
        from blob_link join repository on repository.id = blob_link.repository_id
        group by 1, 2";
    const SUMS: &str = "
        update project set
            used_bytes = (
                select coalesce(sum(blob.size), 0)
                from project_blob join blob on blob.id = project_blob.blob_id
                where project_blob.project_id = project.id
            ),
            used_tags = (
                select count(*) from tag join repository on repository.id = tag.repository_id
                where repository.project_id = project.id
            )";
    for sql in [FORGET, LINKS, SUMS] {
        tx.query(sql).execute().await?;
    }
    Ok(())
}
