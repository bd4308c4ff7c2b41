//! Figures about what a registry, or one repository of it, holds and does.

use plura_oci::RepositoryName;

use crate::{Connection, Error, channel::MoveKind, total};

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
    /// How many manifests are signed by those whom policies trust.
    pub signed: i64,
    /// How many promotions were denied for vulnerabilities.
    pub denied_for_vulnerabilities: i64,
    /// How long the last promotions took, in milliseconds, in ascending order.
    pub promotions: Vec<i64>,
    /// How long the last rollbacks took, in milliseconds, in ascending order.
    pub rollbacks: Vec<i64>,
    /// How many bytes of blobs there are.
    pub bytes: i64,
    /// How many bytes were given back, by all repositories together.
    pub collected_bytes: i64,
}

/// How many moves are looked at.
const MOVES: i64 = 1000;

/// The figures of one repository, or of all.
pub async fn find(
    connection: &mut Connection,
    repository: Option<&RepositoryName>,
) -> Result<Figures, Error> {
    const ENVIRONMENTS: &str = "
        select environment, count(distinct digest) from channel
        where cast($1 as text) is null or repository = $1
        group by environment order by environment";
    const DENIED: &str = "
        select count(*) from promotion
        where state = 'denied' and problem like '%vulnerabilities%'
          and (cast($1 as text) is null or repository = $1)";
    let name = repository.map(RepositoryName::as_str);
    let environments = connection.query_as(ENVIRONMENTS).bind(name).fetch_all().await?;
    let (digests, images, read, signed, bytes) = counts(connection, name).await?;
    Ok(Figures {
        environments,
        digests,
        images,
        read,
        signed,
        denied_for_vulnerabilities: connection.query_scalar(DENIED).bind(name).fetch_one().await?,
        promotions: took(connection, MoveKind::Promotion, name).await?,
        rollbacks: took(connection, MoveKind::Rollback, name).await?,
        bytes,
        collected_bytes: total::read(connection).await?.collected_bytes,
    })
}

type Counts = (i64, i64, i64, i64, i64);

async fn counts(connection: &mut Connection, name: Option<&str>) -> Result<Counts, Error> {
    const OF_ALL: &str = "
        select (select count(distinct digest) from manifest where subject is null),
            (select count(*) from image),
            (select count(*) from image where problem is null),
            (select count(distinct digest) from evidence where verified = 1),
            (select value from total where name = 'blob_bytes')";
    const OF_ONE: &str = "
        select (select count(*) from manifest
             where repository_id = repository.id and subject is null),
            (select count(*) from manifest join image on image.digest = manifest.digest
             where manifest.repository_id = repository.id),
            (select count(*) from manifest join image on image.digest = manifest.digest
             where manifest.repository_id = repository.id and image.problem is null),
            (select count(*) from evidence
             where evidence.repository_id = repository.id and evidence.verified = 1),
            (select cast(coalesce(sum(blob.size), 0) as bigint) from blob_link
             join blob on blob.id = blob_link.blob_id
             where blob_link.repository_id = repository.id)
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
) -> Result<Vec<i64>, Error> {
    const SQL: &str = "
        select took from channel_move
        where kind = $1 and (cast($2 as text) is null or repository = $2)
        order by at desc limit $3";
    let query = connection.query_scalar(SQL).bind(kind.as_str()).bind(name);
    let mut took: Vec<i64> = query.bind(MOVES).fetch_all().await?;
    took.sort_unstable();
    Ok(took)
}
