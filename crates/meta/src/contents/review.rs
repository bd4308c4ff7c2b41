//! Images that are to be read.

use plura_oci::Digest;

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse};

/// An image that is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Review {
    /// A repository that had its manifest when it was asked for.
    pub repository: RepositoryId,
    /// Its digest.
    pub digest: Digest,
    /// The count of what asked for it.
    pub asked: i64,
}

/// Asks for the image of that digest to be read.
pub async fn ask(tx: &mut Tx, repository: RepositoryId, digest: &Digest) -> Result<(), Error> {
    const SQL: &str = "
        insert into image_review (digest, repository_id, asked, claimed_until)
        values ($1, $2, 1, 0)
        on conflict (digest) do update
            set asked = image_review.asked + 1, repository_id = excluded.repository_id,
                claimed_until = 0";
    tx.query(SQL).bind(digest.to_string()).bind(repository).execute().await?;
    Ok(())
}

/// Images that wait and that nobody has taken; at most `limit`.
pub async fn waiting(
    connection: &mut Connection,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<Review>, Error> {
    const SQL: &str = "
        select repository_id, digest, asked from image_review
        where claimed_until <= $1 order by claimed_until limit $2";
    let query = connection.query_as(SQL).bind(now).bind(i64::from(limit));
    query.fetch_all().await?.into_iter().map(review).collect()
}

/// Takes images that nobody has taken, for as long as `until`; at most `limit`.
pub async fn take(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Review>, Error> {
    const SQL: &str = "
        update image_review set claimed_until = $2
        where digest in (
            select digest from image_review
            where claimed_until <= $1 order by claimed_until limit $3
        )
        returning repository_id, digest, asked";
    let query = tx.query_as(SQL).bind(now).bind(until).bind(i64::from(limit));
    query.fetch_all().await?.into_iter().map(review).collect()
}

fn review((repository, digest, asked): (RepositoryId, String, i64)) -> Result<Review, Error> {
    let digest = parse("image_review.digest", &digest)?;
    Ok(Review { repository, digest, asked })
}

/// Ends a review, unless it was asked for again since.
pub async fn finish(tx: &mut Tx, review: &Review) -> Result<(), Error> {
    const DONE: &str = "delete from image_review where digest = $1 and asked = $2";
    const AGAIN: &str = "update image_review set claimed_until = 0 where digest = $1";
    let digest = review.digest.to_string();
    if tx.query(DONE).bind(&digest).bind(review.asked).execute().await? == 0 {
        tx.query(AGAIN).bind(&digest).execute().await?;
    }
    Ok(())
}

/// Puts a review off that could not be done now.
pub async fn postpone(tx: &mut Tx, review: &Review, until: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        update image_review set claimed_until = $3 where digest = $1 and asked = $2";
    let query = tx.query(SQL).bind(review.digest.to_string()).bind(review.asked).bind(until);
    query.execute().await?;
    Ok(())
}

/// How many images wait.
pub async fn count_waiting(connection: &mut Connection) -> Result<u64, Error> {
    let count: i64 =
        connection.query_scalar("select count(*) from image_review").fetch_one().await?;
    Ok(count.unsigned_abs())
}

/// A repository that has the manifest: the one that asked, if it still does.
pub async fn holder(
    connection: &mut Connection,
    review: &Review,
) -> Result<Option<RepositoryId>, Error> {
    const SQL: &str = "
        select repository_id from manifest where digest = $1
        order by case when repository_id = $2 then 0 else 1 end limit 1";
    let query = connection.query_scalar(SQL).bind(review.digest.to_string());
    query.bind(review.repository).fetch_optional().await
}
