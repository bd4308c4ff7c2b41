//! Which images stand on which: those whose first layers are all layers of another.

use plura_oci::{Digest, RepositoryName, Tag};

use crate::{
    Connection, Error, Timestamp,
    db::{json_array, parse},
};

/// An image that another stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its digest.
    pub digest: Digest,
    /// The chain of its topmost layer.
    pub chain: Digest,
    /// When it was built, as it says.
    pub created_at: Option<Timestamp>,
}

/// Where a manifest can be found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// A tag that points at it, or at an index of it.
    pub tag: Option<String>,
}

/// A tag that pointed at a manifest and points at another one now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MovedTag {
    /// The repository.
    pub repository: RepositoryName,
    /// The tag.
    pub tag: Tag,
    /// What it points at now.
    pub digest: Digest,
    /// When it left.
    pub since: Timestamp,
}

/// The images whose layers are those of one of the chains, at most `limit`. Of those with the same layers,
/// the ones that were built first come first.
pub async fn of_chains(
    connection: &mut Connection,
    chains: &[Digest],
    limit: u32,
) -> Result<Vec<Base>, Error> {
    const SQL: &str = "
        select image.digest, image.chain, image.created_at from image
        where image.chain in (select wanted.value from json_each($1) as wanted)
        order by coalesce(image.created_at, 0), image.digest limit $2";
    let rows: Vec<(String, String, Option<Timestamp>)> = connection
        .query_as(SQL)
        .bind(json_array(chains))
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    let base = |(digest, chain, created_at): (String, String, Option<Timestamp>)| {
        let (digest, chain) = (parse("image.digest", &digest)?, parse("image.chain", &chain)?);
        Ok(Base { digest, chain, created_at })
    };
    rows.into_iter().map(base).collect()
}

/// The chains of an image's layers, lowest first; the last one is its own.
pub async fn chains(connection: &mut Connection, image: &Digest) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select image_layer.chain from image
        join image_layer on image_layer.image_id = image.id
        where image.digest = $1 order by image_layer.position";
    let chains: Vec<String> =
        connection.query_scalar(SQL).bind(image.to_string()).fetch_all().await?;
    chains.iter().map(|chain| parse("image_layer.chain", chain)).collect()
}

/// When the image was built, as it says.
pub async fn created_at(
    connection: &mut Connection,
    image: &Digest,
) -> Result<Option<Timestamp>, Error> {
    const SQL: &str = "select created_at from image where digest = $1";
    let found: Option<Option<Timestamp>> =
        connection.query_scalar(SQL).bind(image.to_string()).fetch_optional().await?;
    Ok(found.flatten())
}

/// What the manifests of that digest point at: the children, where it is an index; at most `limit`.
pub async fn children(
    connection: &mut Connection,
    index: &Digest,
    limit: u32,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select distinct manifest_reference.digest from manifest
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        where manifest.digest = $1 limit $2";
    let query = connection.query_scalar(SQL).bind(index.to_string()).bind(i64::from(limit));
    let found: Vec<String> = query.fetch_all().await?;
    found.iter().map(|digest| parse("manifest_reference.digest", digest)).collect()
}

/// The images behind `after` that stand on one of others: those that declare it, and those with all of its
/// layers and more. By digest, at most `limit`.
pub async fn standing_on(
    connection: &mut Connection,
    bases: &[Digest],
    after: Option<&Digest>,
    limit: u32,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select image.digest from image
        where image.base_digest in (select declared.value from json_each($1) as declared)
          and image.digest > $2
        union
        select upper_image.digest from image as lower_image
        join image_layer on image_layer.chain = lower_image.chain
        join image as upper_image on upper_image.id = image_layer.image_id
        where lower_image.digest in (select wanted.value from json_each($1) as wanted)
          and upper_image.chain <> lower_image.chain and upper_image.digest > $2
        order by 1 limit $3";
    let found: Vec<String> = connection
        .query_scalar(SQL)
        .bind(json_array(bases))
        .bind(after.map(ToString::to_string).unwrap_or_default())
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    found.iter().map(|digest| parse("image.digest", digest)).collect()
}

/// Where the manifests can be found, tagged or not; at most `limit`.
pub async fn places(
    connection: &mut Connection,
    digests: &[Digest],
    limit: u32,
) -> Result<Vec<Place>, Error> {
    const SQL: &str = "
        select repository.name, manifest.digest, tag.name from manifest
        join repository on repository.id = manifest.repository_id
        left join tag on tag.repository_id = manifest.repository_id
            and tag.digest = manifest.digest
        where manifest.digest in (select wanted.value from json_each($1) as wanted)
        union
        select repository.name, child.digest, tag.name from manifest as child
        join repository on repository.id = child.repository_id
        join manifest_reference on manifest_reference.repository_id = child.repository_id
            and manifest_reference.digest = child.digest
        join manifest as parent on parent.id = manifest_reference.manifest_id
        join tag on tag.repository_id = child.repository_id and tag.digest = parent.digest
        where child.digest in (select wanted.value from json_each($1) as wanted)
        order by 1, 2, 3 limit $2";
    let rows: Vec<(String, String, Option<String>)> = connection
        .query_as(SQL)
        .bind(json_array(digests))
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    let place = |(repository, digest, tag): (String, String, Option<String>)| {
        let repository = parse("repository.name", &repository)?;
        Ok(Place { repository, digest: parse("manifest.digest", &digest)?, tag })
    };
    rows.into_iter().map(place).collect()
}

/// The indexes that have the manifest, at most `limit`.
pub async fn parents(
    connection: &mut Connection,
    child: &Digest,
    limit: u32,
) -> Result<Vec<Digest>, Error> {
    const SQL: &str = "
        select distinct parent.digest from manifest as child
        join manifest_reference on manifest_reference.repository_id = child.repository_id
            and manifest_reference.digest = child.digest
        join manifest as parent on parent.id = manifest_reference.manifest_id
        where child.digest = $1 limit $2";
    let query = connection.query_scalar(SQL).bind(child.to_string()).bind(i64::from(limit));
    let found: Vec<String> = query.fetch_all().await?;
    found.iter().map(|digest| parse("manifest.digest", digest)).collect()
}

/// Tags that once pointed at one of the manifests, as the audit has it, and point at none of them now: in
/// the repositories that have one of them, of the tags that moved last; at most `limit`.
pub async fn moved_on(
    connection: &mut Connection,
    digests: &[Digest],
    limit: u32,
) -> Result<Vec<MovedTag>, Error> {
    const SQL: &str = "
        with moved as (
            select repository.name as repository, tag.name as tag, tag.digest as digest,
                   repository.name || ':' || tag.name as target
            from tag
            join repository on repository.id = tag.repository_id
            where tag.repository_id in (
                    select manifest.repository_id from manifest
                    where manifest.digest in (select wanted.value from json_each($1) as wanted)
                )
                and tag.digest not in (select wanted.value from json_each($1) as wanted)
            order by tag.moved_at desc limit 5000
        ), pointed as (
            select moved.repository, moved.tag, moved.digest, moved.target, max(audit.id) as last_id
            from moved
            join audit on audit.target = moved.target
            where audit.action = 'tag.set'
              and audit.detail in (select said.value from json_each($2) as said)
            group by moved.repository, moved.tag, moved.digest, moved.target
        )
        select pointed.repository, pointed.tag, pointed.digest, min(audit.at) from pointed
        join audit on audit.target = pointed.target
        where audit.id > pointed.last_id and audit.action = 'tag.set'
        group by pointed.repository, pointed.tag, pointed.digest
        order by 4 desc limit $3";
    // As a push writes it down.
    let said: Vec<String> =
        digests.iter().map(|digest| serde_json::json!({ "digest": digest }).to_string()).collect();
    let rows: Vec<(String, String, String, Timestamp)> = connection
        .query_as(SQL)
        .bind(json_array(digests))
        .bind(serde_json::json!(said).to_string())
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    let moved = |(repository, tag, digest, since): (String, String, String, Timestamp)| {
        Ok(MovedTag {
            repository: parse("repository.name", &repository)?,
            tag: parse("tag.name", &tag)?,
            digest: parse("tag.digest", &digest)?,
            since,
        })
    };
    rows.into_iter().map(moved).collect()
}
