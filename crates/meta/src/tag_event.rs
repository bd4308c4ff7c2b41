//! The history of tags: what they pointed at, and when they were deleted. Entries are only ever added.

use plura_oci::{Digest, Tag};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse};

/// An entry of a tag's history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagEvent {
    /// When, in milliseconds; each entry of a tag has a time of its own.
    pub at: Timestamp,
    /// What the tag was pointed at, or what it pointed at until then.
    pub digest: Digest,
    /// The media type of that manifest.
    pub media_type: String,
    /// The bytes of that manifest.
    pub size: i64,
    /// Whether the tag was deleted.
    pub deleted: bool,
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only older ones.
    pub before: Option<Timestamp>,
    /// Only newer ones.
    pub since: Option<Timestamp>,
    /// Only those about this manifest.
    pub digest: Option<String>,
}

/// Notes that the tag points at a manifest of the repository.
pub(crate) async fn created(
    tx: &mut Tx,
    repository: RepositoryId,
    tag: &Tag,
    digest: &Digest,
    now: Timestamp,
) -> Result<(), Error> {
    // The times of a tag's entries only ever grow, however the clock goes.
    const SQL: &str = "
        insert into tag_event (repository_id, tag, at, digest, media_type, size, deleted)
        select $1, $2, free.at, manifest.digest, manifest.media_type, manifest.size, false
        from manifest, (
            select max(at) as at
            from (
                select cast($3 as bigint) as at
                union all
                select at + 1 from tag_event where repository_id = $1 and tag = $2
            ) as places
        ) as free
        where manifest.repository_id = $1 and manifest.digest = $4";
    let query = tx.query(SQL).bind(repository).bind(tag.as_str()).bind(now);
    query.bind(digest.to_string()).execute().await.map(|_| ())
}

/// Notes that the tag was deleted: its last entry says what it pointed at.
pub(crate) async fn deleted(
    tx: &mut Tx,
    repository: RepositoryId,
    tag: &Tag,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into tag_event (repository_id, tag, at, digest, media_type, size, deleted)
        select repository_id, tag,
            case when at >= $3 then at + 1 else $3 end, digest, media_type, size, true
        from tag_event
        where repository_id = $1 and tag = $2
        order by at desc
        limit 1";
    tx.query(SQL).bind(repository).bind(tag.as_str()).bind(now).execute().await.map(|_| ())
}

/// The entries of a tag that the filter lets through, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    repository: RepositoryId,
    tag: &Tag,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<TagEvent>, Error> {
    // Walks the key downwards from where the page starts.
    const SQL: &str = "
        select at, digest, media_type, size, deleted from tag_event
        where repository_id = $1 and tag = $2 and at < $3 and at > $4
          and (cast($5 as text) is null or digest = $5)
        order by at desc
        limit $6";
    let rows: Vec<(Timestamp, String, String, i64, bool)> = connection
        .query_as(SQL)
        .bind(repository)
        .bind(tag.as_str())
        .bind(filter.before.unwrap_or(Timestamp(i64::MAX)))
        .bind(filter.since.unwrap_or(Timestamp(i64::MIN)))
        .bind(&filter.digest)
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    let read = |(at, digest, media_type, size, deleted): (_, String, _, _, _)| {
        let digest = parse("tag_event.digest", &digest)?;
        Ok(TagEvent { at, digest, media_type, size, deleted })
    };
    rows.into_iter().map(read).collect()
}

/// Forgets the history of a repository that is no more.
pub(crate) async fn forget(tx: &mut Tx, repository: RepositoryId) -> Result<(), Error> {
    const SQL: &str = "delete from tag_event where repository_id = $1";
    tx.query(SQL).bind(repository).execute().await.map(|_| ())
}
