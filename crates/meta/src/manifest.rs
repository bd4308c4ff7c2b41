//! Manifests: what a repository can be pulled as.

use plura_oci::{Digest, Reference, RepositoryName};

use crate::{
    Connection, Error, RepositoryId, Timestamp, Tx, build,
    contents::{self, image, review as image_review},
    db::{json_array, parse},
    evidence, manifest_author, manifest_use, vulnerability_statement,
};

/// A manifest as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
    /// The bytes as they were pushed.
    pub bytes: Vec<u8>,
}

/// A manifest to be recorded.
#[derive(Clone, Debug)]
pub struct NewManifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type it is answered with.
    pub media_type: String,
    /// The artifact type as the referrers answer lists it.
    pub artifact_type: Option<String>,
    /// What it is about.
    pub subject: Option<Digest>,
    /// Its annotations, as a JSON object.
    pub annotations: String,
    /// What it keeps: configuration, layers, children.
    pub references: Vec<Digest>,
    /// The bytes as they were pushed.
    pub bytes: Vec<u8>,
}

/// A manifest as the referrers answer lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referrer {
    /// Its digest.
    pub digest: Digest,
    /// Its media type.
    pub media_type: String,
    /// Its artifact type.
    pub artifact_type: Option<String>,
    /// Its annotations, as a JSON object.
    pub annotations: String,
    /// Its length in bytes.
    pub size: u64,
}

/// What a deleted manifest kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    /// Configuration, layers, children.
    pub references: Vec<Digest>,
}

#[derive(sqlx::FromRow)]
struct Row {
    digest: String,
    media_type: String,
    bytes: Vec<u8>,
}

#[derive(sqlx::FromRow)]
struct ReferrerRow {
    digest: String,
    media_type: String,
    artifact_type: Option<String>,
    annotations: String,
    size: i64,
}

/// The manifest that the tag points at, or of that digest.
pub async fn find(
    connection: &mut Connection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<StoredManifest>, Error> {
    const BY_TAG: &str = "
        select manifest.digest, manifest.media_type, manifest.bytes
        from repository
        join tag on tag.repository_id = repository.id and tag.name = $2
        join manifest on manifest.repository_id = repository.id and manifest.digest = tag.digest
        where repository.name = $1";
    const BY_DIGEST: &str = "
        select manifest.digest, manifest.media_type, manifest.bytes
        from repository
        join manifest on manifest.repository_id = repository.id and manifest.digest = $2
        where repository.name = $1";
    let sql = match reference {
        Reference::Tag(_) => BY_TAG,
        Reference::Digest(_) => BY_DIGEST,
    };
    let row: Option<Row> = connection
        .query_as(sql)
        .bind(repository.as_str())
        .bind(reference.to_string())
        .fetch_optional()
        .await?;
    row.map(|row| {
        let digest = parse("manifest.digest", &row.digest)?;
        Ok(StoredManifest { digest, media_type: row.media_type, bytes: row.bytes })
    })
    .transpose()
}

/// What an answer about a manifest says beside its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its digest.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
    /// When the collector will ask whether the repository still needs it, if it will.
    pub review_due: Option<Timestamp>,
    /// What is to be the same for what is remembered of the document that governs to be right.
    pub revision: i64,
}

/// The manifest that the tag points at, or of that digest, without its bytes.
pub async fn head(
    connection: &mut Connection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<Head>, Error> {
    const BY_TAG: &str = "
        select manifest.digest, manifest.media_type, review.due_at,
            coalesce((select revision from governance_state where id = 1), 0)
        from repository
        join tag on tag.repository_id = repository.id and tag.name = $2
        join manifest on manifest.repository_id = repository.id and manifest.digest = tag.digest
        left join review on review.kind = 'manifest'
            and review.repository_id = repository.id
            and review.digest = manifest.digest
        where repository.name = $1";
    const BY_DIGEST: &str = "
        select manifest.digest, manifest.media_type, review.due_at,
            coalesce((select revision from governance_state where id = 1), 0)
        from repository
        join manifest on manifest.repository_id = repository.id and manifest.digest = $2
        left join review on review.kind = 'manifest'
            and review.repository_id = repository.id
            and review.digest = manifest.digest
        where repository.name = $1";
    let sql = match reference {
        Reference::Tag(_) => BY_TAG,
        Reference::Digest(_) => BY_DIGEST,
    };
    let row: Option<(String, String, Option<Timestamp>, i64)> = connection
        .query_as(sql)
        .bind(repository.as_str())
        .bind(reference.to_string())
        .fetch_optional()
        .await?;
    row.map(|(digest, media_type, review_due, revision)| {
        Ok(Head { digest: parse("manifest.digest", &digest)?, media_type, review_due, revision })
    })
    .transpose()
}

/// The media type and the bytes of the manifest of that digest.
pub async fn bytes(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<(String, Vec<u8>)>, Error> {
    const SQL: &str =
        "select media_type, bytes from manifest where repository_id = $1 and digest = $2";
    let query = connection.query_as(SQL).bind(repository).bind(digest.to_string());
    query.fetch_optional().await
}

/// Records a manifest; `false` if the repository has it already, which changes nothing.
pub async fn insert(
    tx: &mut Tx,
    repository: RepositoryId,
    manifest: &NewManifest,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into manifest (repository_id, digest, media_type, artifact_type, subject,
            annotations, size, pushed_at, bytes)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (repository_id, digest) do nothing
        returning id";
    let id: Option<i64> = tx
        .query_scalar(SQL)
        .bind(repository)
        .bind(manifest.digest.to_string())
        .bind(&manifest.media_type)
        .bind(&manifest.artifact_type)
        .bind(manifest.subject.map(|subject| subject.to_string()))
        .bind(&manifest.annotations)
        .bind(i64::try_from(manifest.bytes.len()).unwrap_or(i64::MAX))
        .bind(now)
        .bind(&manifest.bytes)
        .fetch_optional()
        .await?;
    let Some(id) = id else { return Ok(false) };
    insert_references(tx, id, repository, &manifest.references).await?;
    evidence::arrived(tx, repository, &manifest.digest, manifest.subject.as_ref()).await?;
    if contents::may_be_image(&manifest.media_type, manifest.artifact_type.as_deref()) {
        image_review::ask(tx, repository, &manifest.digest).await?;
    }
    Ok(true)
}

/// Deletes the manifest of that digest, if there is one. Its tags are the caller's to delete.
pub async fn delete(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Deleted>, Error> {
    const FIND: &str = "select id, subject from manifest where repository_id = $1 and digest = $2";
    const REFERENCES: &str =
        "delete from manifest_reference where manifest_id = $1 returning digest";
    let found: Option<(i64, Option<String>)> =
        tx.query_as(FIND).bind(repository).bind(digest.to_string()).fetch_optional().await?;
    let Some((id, subject)) = found else { return Ok(None) };
    evidence::forget(tx, repository, digest).await?;
    vulnerability_statement::forget(tx, repository, digest).await?;
    build::forget(tx, repository, digest).await?;
    manifest_author::forget(tx, repository, digest).await?;
    manifest_use::forget(tx, repository, digest).await?;
    let references: Vec<String> = tx.query_scalar(REFERENCES).bind(id).fetch_all().await?;
    tx.query("delete from manifest where id = $1").bind(id).execute().await?;
    image::forget_unless_anywhere(tx, digest).await?;
    let references: Result<Vec<Digest>, Error> =
        references.iter().map(|digest| parse("manifest_reference.digest", digest)).collect();
    let references = references?;
    let subject = subject.map(|subject| parse("manifest.subject", &subject)).transpose()?;
    // What it said about its subject, and what its children had from it, is said no more.
    evidence::ask(tx, repository, references.iter().chain(&subject)).await?;
    Ok(Some(Deleted { references }))
}

/// Those of `digests` that are no manifests of the repository.
pub async fn missing(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: impl IntoIterator<Item = &Digest>,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select wanted.value from json_each($2) as wanted
        where not exists (
            select 1 from manifest
            where manifest.repository_id = $1 and manifest.digest = wanted.value
        )
        order by wanted.key";
    let missing: Vec<String> =
        connection.query_scalar(SQL).bind(repository).bind(json_array(digests)).fetch_all().await?;
    missing.iter().map(|digest| parse("a digest", digest)).collect()
}

/// The manifests behind `after` that are about `subject`, by digest; at most `limit`.
pub async fn referrers(
    connection: &mut Connection,
    repository: &RepositoryName,
    subject: &Digest,
    artifact_type: Option<&str>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Referrer>, Error> {
    const SQL: &str = "
        select manifest.digest, manifest.media_type, manifest.artifact_type,
            manifest.annotations, manifest.size
        from repository
        join manifest on manifest.repository_id = repository.id
        where repository.name = $1 and manifest.subject = $2 and manifest.digest > $3
          and (cast($4 as text) is null or manifest.artifact_type = $4)
        order by manifest.digest
        limit $5";
    let rows: Vec<ReferrerRow> = connection
        .query_as(SQL)
        .bind(repository.as_str())
        .bind(subject.to_string())
        .bind(after.unwrap_or_default())
        .bind(artifact_type)
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The digests of the manifests that are about `subject`.
pub async fn referrer_digests(
    connection: &mut Connection,
    repository: RepositoryId,
    subject: &Digest,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "select digest from manifest where repository_id = $1 and subject = $2";
    let digests: Vec<String> =
        connection.query_scalar(SQL).bind(repository).bind(subject.to_string()).fetch_all().await?;
    digests.iter().map(|digest| parse("manifest.digest", digest)).collect()
}

/// The manifests of the repository that reference the digest, as blob or as child; at most `limit`.
pub async fn referencing(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select manifest.digest from manifest_reference
        join manifest on manifest.id = manifest_reference.manifest_id
        where manifest_reference.repository_id = $1 and manifest_reference.digest = $2
        limit $3";
    let digests: Vec<String> = connection
        .query_scalar(SQL)
        .bind(repository)
        .bind(digest.to_string())
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    digests.iter().map(|digest| parse("manifest.digest", digest)).collect()
}

/// What a manifest references.
pub async fn reference_digests(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select manifest_reference.digest from manifest
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        where manifest.repository_id = $1 and manifest.digest = $2";
    let digests: Vec<String> =
        connection.query_scalar(SQL).bind(repository).bind(digest.to_string()).fetch_all().await?;
    digests.iter().map(|digest| parse("manifest_reference.digest", digest)).collect()
}

/// The repositories that have a manifest.
pub async fn repositories(
    connection: &mut Connection,
    digest: &Digest,
) -> Result<Vec<RepositoryId>, Error> {
    const SQL: &str = "select repository_id from manifest where digest = $1";
    connection.query_scalar(SQL).bind(digest.to_string()).fetch_all().await
}

/// What a review needs to know about a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// What it is about.
    pub subject: Option<Digest>,
    /// Its length in bytes.
    pub size: u64,
}

/// The manifest of that digest, without its bytes.
pub async fn summary(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Summary>, Error> {
    const SQL: &str = "select subject, size from manifest where repository_id = $1 and digest = $2";
    let row: Option<(Option<String>, i64)> =
        connection.query_as(SQL).bind(repository).bind(digest.to_string()).fetch_optional().await?;
    row.map(|(subject, size)| {
        let subject = subject.map(|subject| parse("manifest.subject", &subject)).transpose()?;
        Ok(Summary { subject, size: size.unsigned_abs() })
    })
    .transpose()
}

/// A manifest row as `check` goes through them.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Scanned {
    /// The key of the row, and of the order.
    pub id: i64,
    /// The repository.
    #[sqlx(rename = "repository_id")]
    pub repository: RepositoryId,
    /// The digest it is found under.
    pub digest: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The media type that they are answered with.
    pub media_type: String,
    /// What is recorded as the artifact type.
    pub artifact_type: Option<String>,
    /// What is recorded as the subject.
    pub subject: Option<String>,
    /// What is recorded as the annotations.
    pub annotations: String,
    /// What is recorded as the size.
    pub size: i64,
    /// What the reference rows say it keeps.
    #[sqlx(skip)]
    pub references: Vec<String>,
}

/// The next manifest row behind `after`.
pub async fn scan(connection: &mut Connection, after: i64) -> Result<Option<Scanned>, Error> {
    const SQL: &str = "
        select id, repository_id, digest, bytes, media_type, artifact_type, subject, annotations,
            size
        from manifest where id > $1 order by id limit 1";
    // A row that names another repository keeps something there instead of here.
    const REFERENCES: &str = "
        select case when repository_id = $2 then digest else digest || ' elsewhere' end
        from manifest_reference where manifest_id = $1 order by digest";
    let row: Option<Scanned> = connection.query_as(SQL).bind(after).fetch_optional().await?;
    let Some(mut row) = row else { return Ok(None) };
    row.references =
        connection.query_scalar(REFERENCES).bind(row.id).bind(row.repository).fetch_all().await?;
    Ok(Some(row))
}

/// Records again what follows from a manifest's bytes.
pub async fn record_again(tx: &mut Tx, row: &Scanned, manifest: &NewManifest) -> Result<(), Error> {
    const SQL: &str = "
        update manifest
        set artifact_type = $2, subject = $3, annotations = $4, size = $5, media_type = $6
        where id = $1";
    const CLEAR: &str = "delete from manifest_reference where manifest_id = $1";
    tx.query(SQL)
        .bind(row.id)
        .bind(&manifest.artifact_type)
        .bind(manifest.subject.map(|subject| subject.to_string()))
        .bind(&manifest.annotations)
        .bind(i64::try_from(manifest.bytes.len()).unwrap_or(i64::MAX))
        .bind(&manifest.media_type)
        .execute()
        .await?;
    tx.query(CLEAR).bind(row.id).execute().await?;
    insert_references(tx, row.id, row.repository, &manifest.references).await
}

async fn insert_references(
    tx: &mut Tx,
    id: i64,
    repository: RepositoryId,
    references: &[Digest],
) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_reference (manifest_id, digest, repository_id)
        select distinct cast($1 as bigint), reference.value, cast($2 as bigint)
        from json_each($3) as reference";
    let query = tx.query(SQL).bind(id).bind(repository).bind(json_array(references));
    query.execute().await?;
    Ok(())
}

impl TryFrom<ReferrerRow> for Referrer {
    type Error = Error;

    fn try_from(row: ReferrerRow) -> Result<Self, Error> {
        Ok(Self {
            digest: parse("manifest.digest", &row.digest)?,
            media_type: row.media_type,
            artifact_type: row.artifact_type,
            annotations: row.annotations,
            size: row.size.unsigned_abs(),
        })
    }
}
