//! What the collector looks at again: everything that may just have become garbage.

use std::{collections::BTreeSet, str::FromStr};

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse};

/// What a review is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A manifest of a repository: is it tagged, part of an index, or about a kept subject?
    Manifest,
    /// A repository's link to a blob: does a manifest of the repository need it?
    Link,
    /// A blob: does any repository link it?
    Blob,
}

/// A pending review.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Review {
    /// What it is about.
    pub kind: Kind,
    /// In which repository; `None` for a blob, which is in none.
    pub repository: Option<RepositoryId>,
    /// Of what.
    pub digest: Digest,
    /// From when on.
    pub due_at: Timestamp,
}

/// What reviews are ordered by: when they are due, then as the database compares them.
pub type Order = (Timestamp, &'static str, Option<RepositoryId>, Digest);

impl Review {
    /// Its place in the order in which reviews are taken.
    pub fn order(&self) -> Order {
        (self.due_at, self.kind.as_str(), self.repository, self.digest)
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    kind: String,
    repository_id: i64,
    digest: String,
    due_at: Timestamp,
}

/// Asks for a review. One that is pending already moves to the later of the two instants: the newer
/// reason starts a new grace time.
pub async fn schedule(tx: &mut Tx, review: &Review) -> Result<(), Error> {
    schedule_all(tx, review.kind, review.repository, [&review.digest], review.due_at).await
}

/// Asks for a review of each digest.
pub async fn schedule_all(
    tx: &mut Tx,
    kind: Kind,
    repository: Option<RepositoryId>,
    digests: impl IntoIterator<Item = &Digest>,
    due_at: Timestamp,
) -> Result<(), Error> {
    // `where true` keeps `on conflict` from being read as a join condition.
    const SQL: &str = "
        insert into review (kind, repository_id, digest, due_at)
        select $1, $2, subject.value, $4 from json_each($3) as subject where true
        on conflict (kind, repository_id, digest) do update
            set due_at = case
                when review.due_at > excluded.due_at then review.due_at else excluded.due_at
            end";
    tx.query(SQL)
        .bind(kind.as_str())
        .bind(repository.map_or(0, |repository| repository.0))
        .bind(crate::db::json_array(digests))
        .bind(due_at)
        .execute()
        .await?;
    Ok(())
}

/// Which of the due reviews to take: all, or those of one repository and of some blobs, which are in
/// no repository.
#[derive(Clone, Debug)]
pub struct Only {
    /// The repository.
    pub repository: RepositoryId,
    /// The blobs.
    pub blobs: BTreeSet<Digest>,
}

/// Reviews that are due at `now`, behind `after` in the order of [`Review::order`].
pub async fn due(
    connection: &mut Connection,
    now: Timestamp,
    only: Option<&Only>,
    after: Option<&Review>,
    limit: u32,
) -> Result<Vec<Review>, Error> {
    const SQL: &str = "
        select kind, repository_id, digest, due_at from review
        where due_at <= $1
          and (due_at, kind, repository_id, digest) > ($2, $3, $4, $5)
          and ($6 = 0 or repository_id = $6
               or kind = 'blob' and digest in (select value from json_each($7)))
        order by due_at, kind, repository_id, digest
        limit $8";
    let rows: Vec<Row> = connection
        .query_as(SQL)
        .bind(now)
        .bind(after.map_or(Timestamp(i64::MIN), |review| review.due_at))
        .bind(after.map_or("", |review| review.kind.as_str()))
        .bind(after.and_then(|review| review.repository).map_or(0, |repository| repository.0))
        .bind(after.map(|review| review.digest.to_string()).unwrap_or_default())
        .bind(only.map_or(0, |only| only.repository.0))
        .bind(crate::db::json_array(only.into_iter().flat_map(|only| &only.blobs)))
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The pending review of that subject.
pub async fn find(
    connection: &mut Connection,
    kind: Kind,
    repository: Option<RepositoryId>,
    digest: &Digest,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str =
        "select due_at from review where kind = $1 and repository_id = $2 and digest = $3";
    connection
        .query_scalar(SQL)
        .bind(kind.as_str())
        .bind(repository.map_or(0, |repository| repository.0))
        .bind(digest.to_string())
        .fetch_optional()
        .await
}

/// Ends a review.
pub async fn delete(tx: &mut Tx, review: &Review) -> Result<(), Error> {
    const SQL: &str = "delete from review where kind = $1 and repository_id = $2 and digest = $3";
    tx.query(SQL)
        .bind(review.kind.as_str())
        .bind(review.repository.map_or(0, |repository| repository.0))
        .bind(review.digest.to_string())
        .execute()
        .await?;
    Ok(())
}

/// When something in a repository will be reviewed, if it will.
pub async fn due_at(
    connection: &mut Connection,
    kind: Kind,
    repository: &RepositoryName,
    digest: &Digest,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "
        select due_at from review
        where kind = $1 and digest = $2
          and repository_id = (select id from repository where name = $3)";
    connection
        .query_scalar(SQL)
        .bind(kind.as_str())
        .bind(digest.to_string())
        .bind(repository.as_str())
        .fetch_optional()
        .await
}

/// Extends the time until something in a repository is reviewed, if a review is pending.
pub async fn postpone(
    tx: &mut Tx,
    kind: Kind,
    repository: &RepositoryName,
    digest: &Digest,
    due_at: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        update review set due_at = case when due_at > $4 then due_at else $4 end
        where kind = $1 and digest = $2
          and repository_id = (select id from repository where name = $3)";
    let query = tx
        .query(SQL)
        .bind(kind.as_str())
        .bind(digest.to_string())
        .bind(repository.as_str())
        .bind(due_at);
    Ok(query.execute().await? > 0)
}

/// How many reviews are not due yet at `now`.
pub async fn count_waiting(connection: &mut Connection, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "select count(*) from review where due_at > $1";
    let count: i64 = connection.query_scalar(SQL).bind(now).fetch_one().await?;
    Ok(count.unsigned_abs())
}

/// How many reviews are due at `now`.
pub async fn count_due(connection: &mut Connection, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "select count(*) from review where due_at <= $1";
    let count: i64 = connection.query_scalar(SQL).bind(now).fetch_one().await?;
    Ok(count.unsigned_abs())
}

impl Kind {
    /// The name as it is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Link => "link",
            Self::Blob => "blob",
        }
    }
}

impl FromStr for Kind {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "manifest" => Ok(Self::Manifest),
            "link" => Ok(Self::Link),
            "blob" => Ok(Self::Blob),
            _ => Err("no such kind of review"),
        }
    }
}

impl TryFrom<Row> for Review {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            kind: parse("review.kind", &row.kind)?,
            repository: (row.repository_id != 0).then_some(RepositoryId(row.repository_id)),
            digest: parse("review.digest", &row.digest)?,
            due_at: row.due_at,
        })
    }
}
