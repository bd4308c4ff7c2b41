//! Figures about what a registry, or one repository of it, holds and does.

use plura_oci::RepositoryName;

use crate::{Connection, Error, Timestamp, channel::MoveKind, total};

/// Figures.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// How many different images are in the channels of each environment.
    pub environments: Vec<(String, i64)>,
    /// How many different manifests there are.
    pub digests: i64,
    /// How many images there are, by their digests.
    pub images: i64,
    /// Of how many of them it is known what is in them.
    pub read: i64,
    /// How many of them are signed by those whom policies trust.
    pub signed_images: i64,
    /// How many manifests are signed by those whom policies trust.
    pub signed: i64,
    /// How many promotions were denied for vulnerabilities.
    pub denied_for_vulnerabilities: i64,
    /// What was decided last about what is in channels and may not be there any more, as JSON.
    pub forbidden: Vec<String>,
    /// How long the last promotions took, in milliseconds, in ascending order.
    pub promotions: Vec<i64>,
    /// How long the last rollbacks took, in milliseconds, in ascending order.
    pub rollbacks: Vec<i64>,
    /// How many bytes of blobs there are.
    pub bytes: i64,
    /// How many bytes were given back, by all repositories together.
    pub collected_bytes: i64,
}

/// How many moves are looked at, and how many channels with what may not be there.
const MOVES: i64 = 1000;
const FORBIDDEN: i64 = 1000;

/// The figures of one repository, or of all, with the moves that were made since `since`.
///
/// Of all, that grows with how many manifests, images and signatures there are, of which it reads indexes
/// alone; of one repository, with what that has.
pub async fn find(
    connection: &mut Connection,
    repository: Option<&RepositoryName>,
    since: Timestamp,
) -> Result<Figures, Error> {
    const ENVIRONMENTS: &str = "
        select environment, count(distinct digest) from channel
        where cast($1 as text) is null or repository = $1
        group by environment order by environment";
    const DENIED: &str = "
        select count(*) from promotion
        where state = 'denied' and problem like '%vulnerabilities%'
          and (cast($1 as text) is null or repository = $1)";
    const FORBIDDEN_THERE: &str = "
        select decision from channel
        where effect = 'deny' and decision is not null
          and (cast($1 as text) is null or repository = $1)
        order by id limit $2";
    let name = repository.map(RepositoryName::as_str);
    let environments = connection.query_as(ENVIRONMENTS).bind(name).fetch_all().await?;
    let counts = counts(connection, name).await?;
    let forbidden = connection.query_scalar(FORBIDDEN_THERE).bind(name).bind(FORBIDDEN);
    let forbidden = forbidden.fetch_all().await?;
    Ok(Figures {
        environments,
        digests: counts.digests,
        images: counts.images,
        read: counts.images - counts.unread,
        signed_images: counts.signed_images,
        signed: counts.signed,
        denied_for_vulnerabilities: connection.query_scalar(DENIED).bind(name).fetch_one().await?,
        forbidden,
        promotions: took(connection, MoveKind::Promotion, name, since).await?,
        rollbacks: took(connection, MoveKind::Rollback, name, since).await?,
        bytes: counts.bytes,
        collected_bytes: total::read(connection).await?.collected_bytes,
    })
}

#[derive(Default, sqlx::FromRow)]
struct Counts {
    digests: i64,
    images: i64,
    unread: i64,
    signed_images: i64,
    signed: i64,
    bytes: i64,
}

async fn counts(connection: &mut Connection, name: Option<&str>) -> Result<Counts, Error> {
    const OF_ALL: &str = "
        select (select count(distinct digest) from manifest where subject is null) as digests,
            (select count(*) from image) as images,
            (select count(*) from image where problem is not null) as unread,
            (select count(*) from image where exists (
                 select 1 from evidence
                 where evidence.digest = image.digest and evidence.verified = 1)) as signed_images,
            (select count(distinct digest) from evidence where verified = 1) as signed,
            (select value from total where name = 'blob_bytes') as bytes";
    const OF_ONE: &str = "
        select (select count(*) from manifest
             where repository_id = repository.id and subject is null) as digests,
            (select count(*) from manifest join image on image.digest = manifest.digest
             where manifest.repository_id = repository.id) as images,
            (select count(*) from manifest join image on image.digest = manifest.digest
             where manifest.repository_id = repository.id
               and image.problem is not null) as unread,
            (select count(*) from manifest join image on image.digest = manifest.digest
             join evidence on evidence.digest = image.digest
                and evidence.repository_id = repository.id and evidence.verified = 1
             where manifest.repository_id = repository.id) as signed_images,
            (select count(*) from evidence
             where evidence.repository_id = repository.id and evidence.verified = 1) as signed,
            (select cast(coalesce(sum(blob.size), 0) as bigint) from blob_link
             join blob on blob.id = blob_link.blob_id
             where blob_link.repository_id = repository.id) as bytes
        from repository where repository.name = $1";
    match name {
        None => connection.query_as(OF_ALL).fetch_one().await,
        Some(name) => {
            let found = connection.query_as(OF_ONE).bind(name).fetch_optional().await?;
            Ok(found.unwrap_or_default())
        }
    }
}

async fn took(
    connection: &mut Connection,
    kind: MoveKind,
    name: Option<&str>,
    since: Timestamp,
) -> Result<Vec<i64>, Error> {
    const SQL: &str = "
        select took from channel_move
        where kind = $1 and at >= $2 and (cast($3 as text) is null or repository = $3)
        order by at desc limit $4";
    let query = connection.query_scalar(SQL).bind(kind.as_str()).bind(since).bind(name);
    let mut took: Vec<i64> = query.bind(MOVES).fetch_all().await?;
    took.sort_unstable();
    Ok(took)
}
