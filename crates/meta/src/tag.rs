//! Tags: names that point at one manifest of their repository, and move.

use plura_oci::{Digest, Tag};

use crate::{
    Connection, Error, RepositoryId, Timestamp, Tx,
    db::{json_array, parse},
    evidence, manifest_use, project, tag_event,
};

/// Points the tag at a manifest; returns the digest it pointed at before.
pub async fn set(
    tx: &mut Tx,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<Digest>, Error> {
    const SQL: &str = "
        insert into tag (repository_id, name, digest, moved_at) values ($1, $2, $3, $4)
        on conflict (repository_id, name) do update
            set digest = excluded.digest, moved_at = excluded.moved_at";
    let before = find(tx, repository, tag).await?;
    if before != Some(*digest) {
        tx.query(SQL)
            .bind(repository)
            .bind(tag.as_str())
            .bind(digest.to_string())
            .bind(now)
            .execute()
            .await?;
        tag_event::created(tx, repository, tag, digest, now).await?;
        ask_for_subject(tx, repository, tag).await?;
    }
    if let Some(left) = before.filter(|before| before != digest) {
        manifest_use::untagged(tx, repository, &left, now).await?;
    }
    if before.is_none() {
        project::add_tags(tx, repository, 1).await?;
    }
    Ok(before)
}

/// What the tag points at.
pub async fn find(
    connection: &mut Connection,
    repository: RepositoryId,
    tag: &Tag,
) -> Result<Option<Digest>, Error> {
    const SQL: &str = "select digest from tag where repository_id = $1 and name = $2";
    let digest: Option<String> =
        connection.query_scalar(SQL).bind(repository).bind(tag.as_str()).fetch_optional().await?;
    digest.map(|digest| parse("tag.digest", &digest)).transpose()
}

/// What the tag points at, and since when.
pub async fn find_moved(
    connection: &mut Connection,
    repository: RepositoryId,
    tag: &Tag,
) -> Result<Option<(Digest, Timestamp)>, Error> {
    const SQL: &str = "select digest, moved_at from tag where repository_id = $1 and name = $2";
    let row: Option<(String, Timestamp)> =
        connection.query_as(SQL).bind(repository).bind(tag.as_str()).fetch_optional().await?;
    row.map(|(digest, moved_at)| Ok((parse("tag.digest", &digest)?, moved_at))).transpose()
}

/// Removes the tag; returns the digest it pointed at, if there was one.
pub async fn delete(
    tx: &mut Tx,
    repository: RepositoryId,
    tag: &Tag,
) -> Result<Option<Digest>, Error> {
    const SQL: &str = "delete from tag where repository_id = $1 and name = $2 returning digest";
    let digest: Option<String> =
        tx.query_scalar(SQL).bind(repository).bind(tag.as_str()).fetch_optional().await?;
    if digest.is_some() {
        project::add_tags(tx, repository, -1).await?;
        tag_event::deleted(tx, repository, tag, Timestamp::now()).await?;
        ask_for_subject(tx, repository, tag).await?;
    }
    let digest = digest.map(|digest| parse("tag.digest", &digest)).transpose()?;
    if let Some(left) = &digest {
        manifest_use::untagged(tx, repository, left, Timestamp::now()).await?;
    }
    Ok(digest)
}

/// Removes all tags that point at the digest; returns their names.
pub async fn delete_all_of(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<Vec<Tag>, Error> {
    const SQL: &str = "delete from tag where repository_id = $1 and digest = $2 returning name";
    let names: Vec<String> =
        tx.query_scalar(SQL).bind(repository).bind(digest.to_string()).fetch_all().await?;
    if !names.is_empty() {
        let gone = i64::try_from(names.len()).unwrap_or(i64::MAX);
        project::add_tags(tx, repository, -gone).await?;
    }
    let names: Result<Vec<Tag>, Error> = names.iter().map(|name| parse("tag.name", name)).collect();
    let names = names?;
    for name in &names {
        tag_event::deleted(tx, repository, name, Timestamp::now()).await?;
        ask_for_subject(tx, repository, name).await?;
    }
    Ok(names)
}

/// What stands under a tag of a manifest's name says something about it.
async fn ask_for_subject(tx: &mut Tx, repository: RepositoryId, tag: &Tag) -> Result<(), Error> {
    match tag.attachment() {
        Some(attachment) => evidence::ask(tx, repository, [&attachment.subject]).await,
        None => Ok(()),
    }
}

/// The tags of a repository behind `after`, by name in byte order; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    repository: RepositoryId,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select name from tag where repository_id = $1 and name > $2 order by name limit $3";
    connection
        .query_scalar(SQL)
        .bind(repository)
        .bind(after.unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// The tags of a repository before `before`, the nearest first; at most `limit`.
pub async fn list_before(
    connection: &mut Connection,
    repository: RepositoryId,
    before: &str,
    limit: u32,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select name from tag where repository_id = $1 and name < $2 order by name desc limit $3";
    let query = connection.query_scalar(SQL).bind(repository).bind(before);
    query.bind(i64::from(limit)).fetch_all().await
}

/// The tags that point at the digest, by name; at most `limit`.
pub async fn list_of(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
    limit: u32,
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select name from tag where repository_id = $1 and digest = $2 order by name limit $3";
    let query = connection.query_scalar(SQL).bind(repository).bind(digest.to_string());
    query.bind(i64::from(limit)).fetch_all().await
}

/// The tags that point at one of the digests.
pub async fn pointing_at(
    connection: &mut Connection,
    repository: RepositoryId,
    digests: &[Digest],
) -> Result<Vec<String>, Error> {
    const SQL: &str = "
        select name from tag
        where repository_id = $1
          and digest in (select wanted.value from json_each($2) as wanted)";
    connection.query_scalar(SQL).bind(repository).bind(json_array(digests)).fetch_all().await
}

/// Whether any tag points at the digest.
pub async fn points_at(
    connection: &mut Connection,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from tag where repository_id = $1 and digest = $2)";
    let query = connection.query_scalar(SQL).bind(repository).bind(digest.to_string());
    query.fetch_one().await
}
