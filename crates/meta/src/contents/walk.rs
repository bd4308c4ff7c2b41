//! The walk over manifests that were there before anybody read images, or before this version did.

use plura_oci::media_types;

use crate::{Connection, Error, Tx};

/// Whether the walk for a reader is over, or a later reader's.
pub async fn is_over(connection: &mut Connection, reader: i64) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (
            select 1 from contents_walk
            where reader > $1 or (reader = $1 and manifest_id is null)
        )";
    connection.query_scalar(SQL).bind(reader).fetch_one().await
}

/// Takes the next step of the walk for a reader, over at most `limit` manifests: asks for images that
/// nobody or an older one read. Whether there may be more.
pub async fn step(tx: &mut Tx, reader: i64, limit: u32) -> Result<bool, Error> {
    const BEGIN: &str = "
        insert into contents_walk (id, manifest_id, reader) values (1, 0, $1)
        on conflict (id) do update
            set manifest_id = 0, reader = excluded.reader
            where contents_walk.reader < excluded.reader";
    const POSITION: &str = "
        select manifest_id from contents_walk where reader = $1 and manifest_id is not null";
    const LAST: &str = "
        select max(next.id) from (
            select id from manifest where id > $1 order by id limit $2
        ) as next";
    const PASSED: &str = "update contents_walk set manifest_id = $1";
    tx.query(BEGIN).bind(reader).execute().await?;
    let position: Option<i64> = tx.query_scalar(POSITION).bind(reader).fetch_optional().await?;
    let Some(position) = position else { return Ok(false) };
    let query = tx.query_scalar(LAST).bind(position).bind(i64::from(limit));
    let last: Option<i64> = query.fetch_one().await?;
    if let Some(last) = last {
        ask_between(tx, reader, position, last).await?;
    }
    tx.query(PASSED).bind(last).execute().await?;
    Ok(last.is_some())
}

async fn ask_between(tx: &mut Tx, reader: i64, after: i64, last: i64) -> Result<(), Error> {
    const SQL: &str = "
        insert into image_review (digest, repository_id, asked, claimed_until)
        select manifest.digest, min(manifest.repository_id), 1, 0
        from manifest
        left join image on image.digest = manifest.digest
        where manifest.id > $1 and manifest.id <= $2
          and manifest.media_type in ($4, $5) and manifest.artifact_type in ($6, $7)
          and coalesce(cast(image.basis as bigint), -1) < $3
        group by manifest.digest
        on conflict (digest) do nothing";
    tx.query(SQL)
        .bind(after)
        .bind(last)
        .bind(reader)
        .bind(media_types::OCI_MANIFEST)
        .bind(media_types::DOCKER_MANIFEST)
        .bind(media_types::OCI_CONFIG)
        .bind(media_types::DOCKER_CONFIG)
        .execute()
        .await?;
    Ok(())
}
