//! What is in repositories, as plans see it.

use plura_oci::{Digest, RepositoryName, Tag};

use crate::{
    Connection, Error, RepositoryId, Timestamp,
    db::{json_array, parse},
};

/// A manifest as plans see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoriedManifest {
    /// Its digest.
    pub digest: Digest,
    /// What it is about.
    pub subject: Option<Digest>,
    /// When it was last pushed.
    pub pushed_at: Timestamp,
    /// When it was last pulled, to the hour.
    pub pulled_at: Option<Timestamp>,
    /// When it last lost a tag.
    pub untagged_at: Option<Timestamp>,
}

/// A tag as plans see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InventoriedTag {
    /// Its name.
    pub tag: Tag,
    /// What it points at.
    pub digest: Digest,
    /// Since when.
    pub moved_at: Timestamp,
}

/// That a channel points at a manifest, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stay {
    /// The channel, `environment:tag`.
    pub channel: String,
    /// The manifest.
    pub digest: Digest,
    /// When the channel left it; nothing while it is there.
    pub until: Option<Timestamp>,
}

/// A blob that a manifest references, and who else does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referenced {
    /// The manifest.
    pub manifest: Digest,
    /// The key of the blob.
    pub blob: i64,
    /// Its length in bytes.
    pub size: u64,
    /// How many manifests of the repository reference it.
    pub references: u64,
}

#[derive(sqlx::FromRow)]
struct ManifestRow {
    digest: String,
    subject: Option<String>,
    pushed_at: Timestamp,
    again_at: Option<Timestamp>,
    pulled_at: Option<Timestamp>,
    untagged_at: Option<Timestamp>,
}

/// The manifests of a repository behind `after`, by digest; at most `limit`.
pub async fn manifests(
    connection: &mut Connection,
    repository: RepositoryId,
    after: Option<&Digest>,
    limit: u32,
) -> Result<Vec<InventoriedManifest>, Error> {
    const SQL: &str = "
        select manifest.digest, manifest.subject, manifest.pushed_at,
            manifest_use.pushed_at as again_at, manifest_use.pulled_at, manifest_use.untagged_at
        from manifest
        left join manifest_use on manifest_use.repository_id = manifest.repository_id
            and manifest_use.digest = manifest.digest
        where manifest.repository_id = $1 and manifest.digest > $2
        order by manifest.digest limit $3";
    let after = after.map(ToString::to_string).unwrap_or_default();
    let query = connection.query_as::<ManifestRow>(SQL).bind(repository).bind(after);
    let rows = query.bind(i64::from(limit)).fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Which manifests reference the given ones, as pairs of a manifest and what it references.
pub async fn parents(
    connection: &mut Connection,
    repository: RepositoryId,
    of: impl IntoIterator<Item = &Digest>,
) -> Result<Vec<(Digest, Digest)>, Error> {
    const SQL: &str = "
        select manifest.digest, manifest_reference.digest
        from json_each($2) as wanted
        join manifest_reference on manifest_reference.repository_id = $1
            and manifest_reference.digest = wanted.value
        join manifest on manifest.id = manifest_reference.manifest_id";
    let rows: Vec<(String, String)> =
        connection.query_as(SQL).bind(repository).bind(json_array(of)).fetch_all().await?;
    let pair = |(parent, child): (String, String)| {
        Ok((parse("manifest.digest", &parent)?, parse("manifest_reference.digest", &child)?))
    };
    rows.into_iter().map(pair).collect()
}

/// The tags of a repository behind `after`, by name; at most `limit`.
pub async fn tags(
    connection: &mut Connection,
    repository: RepositoryId,
    after: Option<&Tag>,
    limit: u32,
) -> Result<Vec<InventoriedTag>, Error> {
    const SQL: &str = "
        select name, digest, moved_at from tag
        where repository_id = $1 and name > $2 order by name limit $3";
    let query = connection.query_as::<(String, String, Timestamp)>(SQL).bind(repository);
    let query = query.bind(after.map_or("", Tag::as_str)).bind(i64::from(limit));
    let tag = |(name, digest, moved_at): (String, String, Timestamp)| {
        let (tag, digest) = (parse("tag.name", &name)?, parse("tag.digest", &digest)?);
        Ok(InventoriedTag { tag, digest, moved_at })
    };
    query.fetch_all().await?.into_iter().map(tag).collect()
}

/// What channels that are pulled from a repository point at, and did. Of a channel that came back to the
/// same manifest there are several.
pub async fn stays(
    connection: &mut Connection,
    place: &RepositoryName,
    digest: Option<&Digest>,
) -> Result<Vec<Stay>, Error> {
    const SQL: &str = "
        select channel.environment, channel.tag, made.digest, next.at
        from channel_move as made
        join channel on channel.id = made.channel_id
        left join channel_move as next
            on next.channel_id = made.channel_id and next.number = made.number + 1
        where made.place = $1 and (cast($2 as text) is null or made.digest = $2)";
    type Row = (String, String, String, Option<Timestamp>);
    let query = connection.query_as::<Row>(SQL).bind(place.as_str());
    let rows = query.bind(digest.map(ToString::to_string)).fetch_all().await?;
    let stay = |(environment, tag, digest, until): Row| {
        let digest = parse("channel_move.digest", &digest)?;
        Ok(Stay { channel: format!("{environment}:{tag}"), digest, until })
    };
    rows.into_iter().map(stay).collect()
}

/// The channel that has a manifest in its history and was moved since then, if there is one.
pub async fn moved_since(
    connection: &mut Connection,
    place: &RepositoryName,
    digest: &Digest,
    since: Timestamp,
) -> Result<Option<String>, Error> {
    const SQL: &str = "
        select channel.environment || ':' || channel.tag
        from channel_move as made
        join channel on channel.id = made.channel_id
        join channel_move as last
            on last.channel_id = made.channel_id and last.number = channel.moves
        where made.place = $1 and made.digest = $2 and last.at >= $3
        limit 1";
    let query = connection.query_scalar(SQL).bind(place.as_str()).bind(digest.to_string());
    query.bind(since).fetch_optional().await
}

/// The channels that are pulled from a repository.
pub async fn channels(
    connection: &mut Connection,
    place: &RepositoryName,
) -> Result<Vec<crate::channel::ChannelId>, Error> {
    const SQL: &str = "
        select id from channel
        where id in (select channel_id from channel_move where place = $1) order by id";
    connection.query_scalar(SQL).bind(place.as_str()).fetch_all().await
}

/// What is being promoted from a repository, or into it: the promotion and the manifest.
pub async fn promoted(
    connection: &mut Connection,
    repository: &RepositoryName,
    digest: Option<&Digest>,
) -> Result<Vec<(String, Digest)>, Error> {
    const SQL: &str = "
        select id, digest from promotion
        where due_at is not null and (repository = $1 or place = $1)
          and (cast($2 as text) is null or digest = $2)";
    let query = connection.query_as::<(String, String)>(SQL).bind(repository.as_str());
    let rows = query.bind(digest.map(ToString::to_string)).fetch_all().await?;
    rows.into_iter().map(|(id, digest)| Ok((id, parse("promotion.digest", &digest)?))).collect()
}

/// The blobs of manifests that no other repository links.
pub async fn referenced(
    connection: &mut Connection,
    repository: RepositoryId,
    of: impl IntoIterator<Item = &Digest>,
) -> Result<Vec<Referenced>, Error> {
    const SQL: &str = "
        select manifest.digest, blob.id, blob.size,
            (select count(*) from manifest_reference as other
             where other.repository_id = $1 and other.digest = blob.digest)
        from json_each($2) as wanted
        join manifest on manifest.repository_id = $1 and manifest.digest = wanted.value
        join manifest_reference on manifest_reference.manifest_id = manifest.id
        join blob on blob.digest = manifest_reference.digest
        where not exists (
            select 1 from blob_link
            where blob_link.blob_id = blob.id and blob_link.repository_id <> $1
        )";
    type Row = (String, i64, i64, i64);
    let query = connection.query_as::<Row>(SQL).bind(repository).bind(json_array(of));
    let referenced = |(manifest, blob, size, references): Row| {
        Ok(Referenced {
            manifest: parse("manifest.digest", &manifest)?,
            blob,
            size: size.unsigned_abs(),
            references: references.unsigned_abs(),
        })
    };
    query.fetch_all().await?.into_iter().map(referenced).collect()
}

impl TryFrom<ManifestRow> for InventoriedManifest {
    type Error = Error;

    fn try_from(row: ManifestRow) -> Result<Self, Error> {
        let subject = row.subject.map(|subject| parse("manifest.subject", &subject)).transpose()?;
        Ok(Self {
            digest: parse("manifest.digest", &row.digest)?,
            subject,
            pushed_at: row.again_at.map_or(row.pushed_at, |again| again.max(row.pushed_at)),
            pulled_at: row.pulled_at,
            untagged_at: row.untagged_at,
        })
    }
}
