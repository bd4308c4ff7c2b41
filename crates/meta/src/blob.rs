//! Blobs: content that the store holds, and the repositories it can be read through.

use plura_oci::{Digest, RepositoryName};

use crate::{
    Connection, Error, RepositoryId, Timestamp, Tx,
    contents::layer,
    db::{json_array, parse},
    project, total,
};

/// A blob that the store holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// The key of its row.
    pub id: BlobId,
    /// The content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where the store keeps it.
    pub storage_key: String,
}

/// The key of a blob's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct BlobId(pub(crate) i64);

/// A blob as one repository sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedBlob {
    /// The blob.
    pub blob: Blob,
    /// When the collector will ask whether the repository still needs it, if it will.
    pub review_due: Option<Timestamp>,
    /// What the repository's project says about sending clients to the object store.
    pub redirect: Option<bool>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: BlobId,
    digest: String,
    size: i64,
    storage_key: String,
}

#[derive(sqlx::FromRow)]
struct LinkedRow {
    #[sqlx(flatten)]
    blob: Row,
    due_at: Option<Timestamp>,
    redirect: Option<bool>,
}

/// The blob, if the repository links it.
pub async fn find_linked(
    connection: &mut Connection,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<LinkedBlob>, Error> {
    const SQL: &str = "
        select blob.id, blob.digest, blob.size, blob.storage_key, review.due_at, project.redirect
        from repository
        join project on project.id = repository.project_id
        join blob on blob.digest = $2
        join blob_link on blob_link.repository_id = repository.id and blob_link.blob_id = blob.id
        left join review on review.kind = 'link'
            and review.repository_id = repository.id
            and review.digest = blob.digest
        where repository.name = $1";
    let row: Option<LinkedRow> = connection
        .query_as(SQL)
        .bind(repository.as_str())
        .bind(digest.to_string())
        .fetch_optional()
        .await?;
    let linked = |row: LinkedRow| {
        let LinkedRow { blob, due_at, redirect } = row;
        Ok(LinkedBlob { blob: blob.try_into()?, review_due: due_at, redirect })
    };
    row.map(linked).transpose()
}

/// The blob, whoever links it.
pub async fn find(connection: &mut Connection, digest: &Digest) -> Result<Option<Blob>, Error> {
    const SQL: &str = "select id, digest, size, storage_key from blob where digest = $1";
    let row: Option<Row> =
        connection.query_as(SQL).bind(digest.to_string()).fetch_optional().await?;
    row.map(TryInto::try_into).transpose()
}

/// Records content that the store now holds under `storage_key`. If another upload of the same
/// content was first, its row is returned and `storage_key` is nobody's.
pub async fn find_or_create(
    tx: &mut Tx,
    digest: &Digest,
    size: u64,
    storage_key: &str,
    now: Timestamp,
) -> Result<Blob, Error> {
    const SQL: &str = "
        insert into blob (digest, size, storage_key, created_at) values ($1, $2, $3, $4)
        returning id, digest, size, storage_key";
    if let Some(blob) = find(tx, digest).await? {
        return Ok(blob);
    }
    let row: Row = tx
        .query_as(SQL)
        .bind(digest.to_string())
        .bind(i64::try_from(size).unwrap_or(i64::MAX))
        .bind(storage_key)
        .bind(now)
        .fetch_one()
        .await?;
    total::add_blob(tx, size).await?;
    row.try_into()
}

/// Makes the blob readable through the repository; whether it was not before.
pub async fn link(
    tx: &mut Tx,
    repository: RepositoryId,
    blob: BlobId,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into blob_link (repository_id, blob_id, linked_at) values ($1, $2, $3)
        on conflict (repository_id, blob_id) do nothing";
    let query = tx.query(SQL).bind(repository).bind(blob).bind(now);
    let linked = query.execute().await? > 0;
    if linked {
        project::add_link(tx, repository, blob.0).await?;
    }
    Ok(linked)
}

/// Ends the blob's being readable through the repository; whether it was.
pub async fn unlink(tx: &mut Tx, repository: RepositoryId, digest: &Digest) -> Result<bool, Error> {
    const SQL: &str = "
        delete from blob_link
        where repository_id = $1 and blob_id = (select id from blob where digest = $2)
        returning blob_id";
    let query = tx.query_scalar(SQL).bind(repository).bind(digest.to_string());
    let unlinked: Option<i64> = query.fetch_optional().await?;
    if let Some(blob) = unlinked {
        project::remove_link(tx, repository, blob).await?;
    }
    Ok(unlinked.is_some())
}

/// Those of `digests` that the repository does not link.
pub async fn missing(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: impl IntoIterator<Item = &Digest>,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select wanted.value from json_each($2) as wanted
        where not exists (
            select 1 from blob
            join blob_link on blob_link.blob_id = blob.id and blob_link.repository_id = $1
            where blob.digest = wanted.value
        )
        order by wanted.key";
    let missing: Vec<String> =
        connection.query_scalar(SQL).bind(repository).bind(json_array(digests)).fetch_all().await?;
    missing.iter().map(|digest| parse("a digest", digest)).collect()
}

/// Whether any repository links the blob.
pub async fn is_linked(connection: &mut Connection, blob: BlobId) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from blob_link where blob_id = $1)";
    connection.query_scalar(SQL).bind(blob).fetch_one().await
}

/// Forgets a blob that nothing links. Its bytes are the caller's to queue for removal.
pub async fn delete(tx: &mut Tx, blob: &Blob) -> Result<(), Error> {
    layer::forget(tx, &blob.digest.to_string()).await?;
    tx.query("delete from blob where id = $1").bind(blob.id).execute().await?;
    total::remove_blob(tx, blob.size).await
}

/// Blobs behind `after`, by digest: for `check`, which goes through all of them.
pub async fn scan(
    connection: &mut Connection,
    after: Option<&Digest>,
    limit: u32,
) -> Result<Vec<Blob>, Error> {
    const SQL: &str = "
        select id, digest, size, storage_key from blob where digest > $1 order by digest limit $2";
    let rows: Vec<Row> = connection
        .query_as(SQL)
        .bind(after.map(ToString::to_string).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether some blob's bytes are kept under the key.
pub async fn is_key_known(connection: &mut Connection, storage_key: &str) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from blob where storage_key = $1)";
    connection.query_scalar(SQL).bind(storage_key).fetch_one().await
}

/// Whether there is a blob whose bytes are plura's own, and not in an adopted tree.
pub async fn is_any_own(connection: &mut Connection) -> Result<bool, Error> {
    // Keys in adopted trees begin with `~`, and all others with a letter or a digit, which come before it.
    const SQL: &str = "select exists (select 1 from blob where storage_key < '~')";
    connection.query_scalar(SQL).fetch_one().await
}

/// The names of repositories that link the blob; at most `limit`.
pub async fn holders(
    connection: &mut Connection,
    blob: BlobId,
    limit: u32,
) -> Result<Vec<RepositoryName>, Error> {
    const SQL: &str = "
        select repository.name
        from blob_link join repository on repository.id = blob_link.repository_id
        where blob_link.blob_id = $1
        limit $2";
    let names: Vec<String> =
        connection.query_scalar(SQL).bind(blob).bind(i64::from(limit)).fetch_all().await?;
    names.iter().map(|name| parse("repository.name", name)).collect()
}

/// The repositories that link the blob; at most `limit`.
pub async fn repositories(
    connection: &mut Connection,
    blob: BlobId,
    limit: u32,
) -> Result<Vec<RepositoryId>, Error> {
    const SQL: &str = "select repository_id from blob_link where blob_id = $1 limit $2";
    connection.query_scalar(SQL).bind(blob).bind(i64::from(limit)).fetch_all().await
}

impl TryFrom<Row> for Blob {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let size = u64::try_from(row.size)
            .map_err(|_| Error::Corrupt(format!("blob.size holds {}", row.size)))?;
        let digest = parse("blob.digest", &row.digest)?;
        Ok(Self { id: row.id, digest, size, storage_key: row.storage_key })
    }
}
