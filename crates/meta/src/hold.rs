//! Holds: what must not be deleted for as long as it is held.

use std::collections::{BTreeSet, VecDeque};

use plura_oci::{Digest, RepositoryName, Tag};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse, manifest, repository, tag};

/// Manifests that are looked at to find out whether something held needs one of them.
const MOST: u32 = 10_000;
/// Tags of a manifest that are looked at.
const MOST_TAGS: u32 = 10_000;

/// A hold as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredHold {
    /// Its name.
    pub id: String,
    /// The manifest.
    pub digest: String,
    /// The repository; empty where it is everywhere.
    pub repository: String,
    /// Why.
    pub reason: String,
    /// Who holds it.
    pub holder: String,
    /// Since when.
    pub held_at: Timestamp,
    /// Until when; for ever without.
    pub until: Option<Timestamp>,
    /// When it was released.
    pub released_at: Option<Timestamp>,
    /// Who released it.
    pub released_by: Option<String>,
    /// Why it was released.
    pub released_because: Option<String>,
}

/// Keeps a hold.
pub async fn add(tx: &mut Tx, hold: &StoredHold) -> Result<(), Error> {
    const SQL: &str = "
        insert into hold (id, digest, repository, reason, holder, held_at, until)
        values ($1, $2, $3, $4, $5, $6, $7)";
    tx.query(SQL)
        .bind(&hold.id)
        .bind(&hold.digest)
        .bind(&hold.repository)
        .bind(&hold.reason)
        .bind(&hold.holder)
        .bind(hold.held_at)
        .bind(hold.until)
        .execute()
        .await?;
    Ok(())
}

/// Releases a hold; what it was, or nothing if there is none that holds.
pub async fn release(
    tx: &mut Tx,
    id: &str,
    (by, because): (&str, &str),
    now: Timestamp,
) -> Result<Option<StoredHold>, Error> {
    const SQL: &str = "
        update hold set released_at = $2, released_by = $3, released_because = $4
        where id = $1 and released_at is null and (until is null or until > $2)
        returning id, digest, repository, reason, holder, held_at, until, released_at, released_by,
            released_because";
    tx.query_as(SQL).bind(id).bind(now).bind(by).bind(because).fetch_optional().await
}

/// The holds behind `after`, the oldest first, that hold at `now`; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    after: Option<&str>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<StoredHold>, Error> {
    const SQL: &str = "
        select id, digest, repository, reason, holder, held_at, until, released_at, released_by,
            released_because
        from hold
        where id > $1 and released_at is null and (until is null or until > $2)
        order by id limit $3";
    let query = connection.query_as(SQL).bind(after.unwrap_or_default()).bind(now);
    query.bind(i64::from(limit)).fetch_all().await
}

/// What is held in a repository at `now`, there or everywhere.
pub async fn of_repository(
    connection: &mut Connection,
    repository: &RepositoryName,
    now: Timestamp,
) -> Result<Vec<StoredHold>, Error> {
    const SQL: &str = "
        select id, digest, repository, reason, holder, held_at, until, released_at, released_by,
            released_because
        from hold
        where released_at is null and (until is null or until > $2)
          and (repository = '' or repository = $1)
        order by digest, id";
    connection.query_as(SQL).bind(repository.as_str()).bind(now).fetch_all().await
}

/// The hold that needs a manifest or a blob of a repository at `now`: one of itself, of an index or a
/// manifest that it is part of, of what it is about, or of something that is about it.
pub async fn needing(
    connection: &mut Connection,
    id: RepositoryId,
    digest: &Digest,
    now: Timestamp,
) -> Result<Option<StoredHold>, Error> {
    let Some(name) = repository::name(connection, id).await? else { return Ok(None) };
    let holds = of_repository(connection, &name, now).await?;
    if holds.is_empty() {
        return Ok(None);
    }
    let held = |digest: &Digest| {
        let digest = digest.to_string();
        holds.iter().find(|hold| hold.digest == digest).cloned()
    };
    for referrer in manifest::referrer_digests(connection, id, digest).await? {
        if let Some(hold) = held(&referrer) {
            return Ok(Some(hold));
        }
    }
    let (mut seen, mut queue) = (BTreeSet::from([*digest]), VecDeque::from([*digest]));
    while let Some(next) = queue.pop_front() {
        if let Some(hold) = held(&next) {
            return Ok(Some(hold));
        }
        for owner in owners(connection, id, &next).await? {
            if seen.len() >= MOST as usize {
                // Nobody can say that nothing held needs it.
                return Ok(holds.into_iter().next());
            }
            if seen.insert(owner) {
                queue.push_back(owner);
            }
        }
    }
    Ok(None)
}

/// What a manifest or a blob is part of, or about.
async fn owners(
    connection: &mut Connection,
    id: RepositoryId,
    digest: &Digest,
) -> Result<Vec<Digest>, Error> {
    let mut owners = manifest::referencing(connection, id, digest, MOST).await?;
    if let Some(summary) = manifest::summary(connection, id, digest).await? {
        owners.extend(summary.subject);
        for name in tag::list_of(connection, id, digest, MOST_TAGS).await? {
            let name: Tag = parse("tag.name", &name)?;
            owners.extend(name.named_subject());
        }
    }
    Ok(owners)
}
