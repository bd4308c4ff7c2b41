//! Putting an image of one repository into another one: rows alone, no bytes move.

use std::collections::BTreeSet;

use plura_oci::{AttachmentKind, Digest, Tag};

use crate::{
    Connection, Error, RepositoryId, Timestamp, Tx, blob,
    blob::BlobId,
    contents::{self, review as image_review},
    db::{json_array, parse},
    evidence, manifest, tag,
};

/// The most manifests that belong to one image: its platforms, and what is about all of them.
const MOST: usize = 2_000;

/// What became of an image that was to be put into another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placed {
    /// It is there. These tags came with it.
    Done(Vec<Tag>),
    /// The repository that it was to come from does not have it.
    Absent,
    /// More belongs to it than may.
    TooMuch,
}

/// Puts a manifest into another repository, with its children, with what is about any of them, and with
/// the blobs that they reference. What is there already stays as it is.
pub async fn place(
    tx: &mut Tx,
    from: RepositoryId,
    to: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<Placed, Error> {
    if manifest::summary(tx, from, digest).await?.is_none() {
        return Ok(Placed::Absent);
    }
    let Some((wanted, tags)) = belonging(tx, from, digest).await? else {
        return Ok(Placed::TooMuch);
    };
    let inserted = insert(tx, (from, to), &wanted, now).await?;
    if !inserted.is_empty() {
        for blob in blobs(tx, from, &inserted).await? {
            blob::link(tx, to, blob, now).await?;
        }
    }
    for (name, digest) in &tags {
        tag::set(tx, to, name, digest, now).await?;
    }
    Ok(Placed::Done(tags.into_iter().map(|(name, _)| name).collect()))
}

type Belonging = (BTreeSet<Digest>, Vec<(Tag, Digest)>);

/// A manifest and all that belongs to it; nothing, where that is too much.
async fn belonging(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Option<Belonging>, Error> {
    let mut found = BTreeSet::from([*digest]);
    let mut tags = Vec::new();
    let mut newest = vec![*digest];
    while !newest.is_empty() {
        let mut next = children(connection, repository, &newest).await?;
        next.extend(referrers(connection, repository, &newest).await?);
        let named = tagged(connection, repository, &newest).await?;
        next.extend(named.iter().map(|(_, digest)| *digest));
        tags.extend(named);
        newest = next.into_iter().filter(|digest| found.insert(*digest)).collect();
        if found.len() > MOST {
            return Ok(None);
        }
    }
    Ok(Some((found, tags)))
}

async fn children(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: &[Digest],
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select child.digest from manifest
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        join manifest as child on child.repository_id = manifest.repository_id
            and child.digest = manifest_reference.digest
        where manifest.repository_id = $1
          and manifest.digest in (select wanted.value from json_each($2) as wanted)";
    let query = connection.query_scalar::<String>(SQL).bind(repository);
    let digests = query.bind(json_array(digests)).fetch_all().await?;
    digests.iter().map(|digest| parse("manifest.digest", digest)).collect()
}

async fn referrers(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: &[Digest],
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select digest from manifest
        where repository_id = $1
          and subject in (select wanted.value from json_each($2) as wanted)
        limit $3";
    let query = connection.query_scalar::<String>(SQL).bind(repository).bind(json_array(digests));
    let limit = i64::try_from(MOST).unwrap_or(i64::MAX) + 1;
    let digests = query.bind(limit).fetch_all().await?;
    digests.iter().map(|digest| parse("manifest.digest", digest)).collect()
}

/// What stands under tags of the manifests' names.
async fn tagged(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: &[Digest],
) -> Result<Vec<(Tag, Digest)>, Error> {
    const SQL: &str = "
        select name, digest from tag
        where repository_id = $1
          and name in (select wanted.value from json_each($2) as wanted)";
    let mut names = Vec::new();
    for digest in digests {
        let kinds = AttachmentKind::ALL.into_iter();
        names.extend(kinds.filter_map(|kind| Tag::of_attachment(digest, kind)));
        names.push(Tag::of_referrers(digest));
    }
    let query = connection.query_as::<(String, String)>(SQL).bind(repository);
    let rows = query.bind(json_array(&names)).fetch_all().await?;
    let parsed = rows
        .iter()
        .map(|(name, digest)| Ok((parse("tag.name", name)?, parse("tag.digest", digest)?)));
    parsed.collect()
}

/// Inserts the manifests that are not there yet; which these are.
async fn insert(
    tx: &mut Tx,
    (from, to): (RepositoryId, RepositoryId),
    digests: &BTreeSet<Digest>,
    now: Timestamp,
) -> Result<Vec<Digest>, Error> {
    const MANIFESTS: &str = "
        insert into manifest (repository_id, digest, media_type, artifact_type, subject, annotations,
            size, pushed_at, bytes)
        select cast($2 as bigint), digest, media_type, artifact_type, subject, annotations, size,
            cast($3 as bigint), bytes
        from manifest
        where repository_id = $1
          and digest in (select wanted.value from json_each($4) as wanted)
        on conflict (repository_id, digest) do nothing
        returning digest, media_type, artifact_type, subject";
    const REFERENCES: &str = "
        insert into manifest_reference (manifest_id, digest, repository_id)
        select placed.id, manifest_reference.digest, cast($2 as bigint)
        from manifest
        join manifest as placed on placed.repository_id = $2 and placed.digest = manifest.digest
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        where manifest.repository_id = $1
          and manifest.digest in (select wanted.value from json_each($3) as wanted)";
    const BUILDS: &str = "
        insert into manifest_build (repository_id, digest, source, revision, run, pushed_at)
        select cast($2 as bigint), digest, source, revision, run, pushed_at
        from manifest_build
        where repository_id = $1
          and digest in (select wanted.value from json_each($3) as wanted)
        on conflict (repository_id, digest, source, revision, run) do nothing";
    let query = tx.query_as::<InsertedRow>(MANIFESTS).bind(from).bind(to).bind(now);
    let rows = query.bind(json_array(digests)).fetch_all().await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let inserted: Result<Vec<Digest>, Error> =
        rows.iter().map(|row| parse("manifest.digest", &row.digest)).collect();
    let inserted = inserted?;
    for sql in [REFERENCES, BUILDS] {
        tx.query(sql).bind(from).bind(to).bind(json_array(&inserted)).execute().await?;
    }
    for (row, digest) in rows.iter().zip(&inserted) {
        let subject = row.subject.as_deref().map(|text| parse("manifest.subject", text));
        evidence::arrived(tx, to, digest, subject.transpose()?.as_ref()).await?;
        if contents::may_be_image(&row.media_type, row.artifact_type.as_deref()) {
            image_review::ask(tx, to, digest).await?;
        }
    }
    Ok(inserted)
}

#[derive(sqlx::FromRow)]
struct InsertedRow {
    digest: String,
    media_type: String,
    artifact_type: Option<String>,
    subject: Option<String>,
}

/// The blobs that manifests of a repository reference, and that it links.
async fn blobs(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: &[Digest],
) -> Result<Vec<BlobId>, Error> {
    const SQL: &str = "
        select distinct blob.id from manifest
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        join blob on blob.digest = manifest_reference.digest
        join blob_link on blob_link.blob_id = blob.id
            and blob_link.repository_id = manifest.repository_id
        where manifest.repository_id = $1
          and manifest.digest in (select wanted.value from json_each($2) as wanted)";
    let query = connection.query_scalar(SQL).bind(repository);
    query.bind(json_array(digests)).fetch_all().await
}
