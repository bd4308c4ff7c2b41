//! What `check` asks of the metadata: rows that should not be there, and rows that should.
//!
//! These go through whole tables; no request and no background work uses them.

use crate::{
    Connection, Error, RepositoryId, Tx,
    blob::{self, Blob},
    manifest, project, repository,
};

/// A row of a repository, named for people.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Named {
    /// The repository's key.
    pub repository_id: RepositoryId,
    /// The repository's name.
    pub repository: String,
    /// A tag, or a digest.
    pub name: String,
}

/// Tags that point at no manifest.
pub async fn dangling_tags(connection: &mut Connection) -> Result<Vec<Named>, Error> {
    const SQL: &str = "
        select tag.repository_id, repository.name as repository, tag.name
        from tag join repository on repository.id = tag.repository_id
        where not exists (
            select 1 from manifest
            where manifest.repository_id = tag.repository_id and manifest.digest = tag.digest
        )
        order by repository.name, tag.name";
    connection.query_as(SQL).fetch_all().await
}

/// Links that no manifest needs and that nobody will review.
pub async fn forgotten_links(connection: &mut Connection) -> Result<Vec<Named>, Error> {
    const SQL: &str = "
        select blob_link.repository_id, repository.name as repository, blob.digest as name
        from blob_link
        join blob on blob.id = blob_link.blob_id
        join repository on repository.id = blob_link.repository_id
        where not exists (
            select 1 from manifest_reference
            where manifest_reference.repository_id = blob_link.repository_id
              and manifest_reference.digest = blob.digest
        ) and not exists (
            select 1 from review
            where review.kind = 'link' and review.repository_id = blob_link.repository_id
              and review.digest = blob.digest
        )
        order by repository.name, blob.digest";
    connection.query_as(SQL).fetch_all().await
}

/// Digests of blobs that no repository links and that nobody will review.
pub async fn forgotten_blobs(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select digest from blob
        where not exists (select 1 from blob_link where blob_link.blob_id = blob.id)
          and not exists (
            select 1 from review where review.kind = 'blob' and review.digest = blob.digest
        )
        order by digest";
    connection.query_scalar(SQL).fetch_all().await
}

/// Storage keys that are queued for removal although a blob's bytes are kept there.
pub async fn removals_in_use(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select removal.storage_key from removal
        join blob on blob.storage_key = removal.storage_key
        order by removal.storage_key";
    connection.query_scalar(SQL).fetch_all().await
}

/// Takes a storage key off the removal queue.
pub async fn unqueue_removal(tx: &mut Tx, storage_key: &str) -> Result<(), Error> {
    const SQL: &str = "delete from removal where storage_key = $1";
    tx.query(SQL).bind(storage_key).execute().await?;
    Ok(())
}

/// Rows that point at rows that are not there.
pub async fn broken_foreign_keys(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "pragma foreign_key_check";
    if connection.is_postgres() {
        return broken_on_server(connection).await;
    }
    let rows: Vec<(String, Option<i64>, String, i64)> =
        connection.query_as(SQL).fetch_all().await?;
    let describe = |(table, row, parent, _)| match row {
        Some(row) => format!("row {row} of `{table}` points at no row of `{parent}`"),
        None => format!("a row of `{table}` points at no row of `{parent}`"),
    };
    Ok(rows.into_iter().map(describe).collect())
}

/// The server keeps them whole, unless somebody has told it not to. All keys that point have one column.
async fn broken_on_server(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select cast(child.relname as text), cast(child_column.attname as text),
            cast(parent.relname as text), cast(parent_column.attname as text)
        from pg_constraint
        join pg_class as child on child.oid = pg_constraint.conrelid
        join pg_class as parent on parent.oid = pg_constraint.confrelid
        join pg_attribute as child_column
            on child_column.attrelid = child.oid and child_column.attnum = conkey[1]
        join pg_attribute as parent_column
            on parent_column.attrelid = parent.oid and parent_column.attnum = confkey[1]
        where contype = 'f' and connamespace = cast(current_schema() as regnamespace)
        order by conname";
    let keys: Vec<(String, String, String, String)> = connection.query_as(SQL).fetch_all().await?;
    let mut found = Vec::new();
    for (child, column, parent, key) in keys {
        let sql = format!(
            "select exists (
                select 1 from {child}
                where {column} is not null
                  and not exists (select 1 from {parent} where {parent}.{key} = {child}.{column})
            )"
        );
        if connection.ask(sql).await? {
            found.push(format!("a row of `{child}` points at no row of `{parent}`"));
        }
    }
    Ok(found)
}

/// Sessions with how far they should be.
pub async fn uploads(connection: &mut Connection) -> Result<Vec<(String, i64)>, Error> {
    const SQL: &str = "select id, byte_offset from upload where ended_at is null order by id";
    connection.query_as(SQL).fetch_all().await
}

/// How far a session should be, if there is one.
pub async fn upload_offset(connection: &mut Connection, id: &str) -> Result<Option<i64>, Error> {
    const SQL: &str = "select byte_offset from upload where id = $1";
    connection.query_scalar(SQL).bind(id).fetch_optional().await
}

/// Manifests that nothing needs and that nobody will review.
pub async fn forgotten_manifests(connection: &mut Connection) -> Result<Vec<Named>, Error> {
    const SQL: &str = "
        select manifest.repository_id, repository.name as repository, manifest.digest as name
        from manifest
        join repository on repository.id = manifest.repository_id
        where not exists (
            select 1 from tag
            where tag.repository_id = manifest.repository_id and tag.digest = manifest.digest
        ) and not exists (
            select 1 from manifest_reference
            where manifest_reference.repository_id = manifest.repository_id
              and manifest_reference.digest = manifest.digest
        ) and not exists (
            select 1 from manifest as subject
            where subject.repository_id = manifest.repository_id
              and subject.digest = manifest.subject
        ) and not exists (
            select 1 from review
            where review.kind = 'manifest' and review.repository_id = manifest.repository_id
              and review.digest = manifest.digest
        )
        order by repository.name, manifest.digest";
    connection.query_as(SQL).fetch_all().await
}

/// All storage keys that are queued for removal.
pub async fn removal_keys(connection: &mut Connection) -> Result<Vec<String>, Error> {
    const SQL: &str = "select storage_key from removal order by storage_key";
    connection.query_scalar(SQL).fetch_all().await
}

/// Deletes a tag whose name may be anything.
pub async fn delete_tag(tx: &mut Tx, repository: RepositoryId, name: &str) -> Result<(), Error> {
    const SQL: &str = "delete from tag where repository_id = $1 and name = $2";
    let query = tx.query(SQL).bind(repository).bind(name);
    let gone = query.execute().await?;
    project::add_tags(tx, repository, -signed(gone)).await
}

/// Deletes a session whose identifier may be anything.
pub async fn delete_upload(tx: &mut Tx, id: &str) -> Result<(), Error> {
    tx.query("delete from upload where id = $1").bind(id).execute().await?;
    Ok(())
}

/// Deletes a manifest and its tags, whose digest may be anything.
pub async fn delete_manifest(tx: &mut Tx, row: &manifest::Scanned) -> Result<(), Error> {
    const REFERENCES: &str = "delete from manifest_reference where manifest_id = $1";
    const TAGS: &str = "delete from tag where repository_id = $1 and digest = $2";
    const USES: &str = "delete from manifest_use where repository_id = $1 and digest = $2";
    tx.query(REFERENCES).bind(row.id).execute().await?;
    let query = tx.query(TAGS).bind(row.repository).bind(&row.digest);
    let gone = query.execute().await?;
    project::add_tags(tx, row.repository, -signed(gone)).await?;
    let query = tx.query(USES).bind(row.repository).bind(&row.digest);
    query.execute().await?;
    tx.query("delete from manifest where id = $1").bind(row.id).execute().await?;
    repository::delete_if_empty(tx, row.repository).await?;
    Ok(())
}

/// Forgets a blob and all links to it, so that it can be pushed again.
pub async fn forget_blob(tx: &mut Tx, blob: &Blob) -> Result<(), Error> {
    const SQL: &str = "delete from blob_link where blob_id = $1 returning repository_id";
    let repositories: Vec<RepositoryId> = tx.query_scalar(SQL).bind(blob.id).fetch_all().await?;
    project::forget_blob(tx, blob).await?;
    blob::delete(tx, blob).await?;
    for repository in repositories {
        repository::delete_if_empty(tx, repository).await?;
    }
    Ok(())
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
