//! Who pushed a manifest first, and manifests with that.

use plura_oci::{Digest, Reference, RepositoryName};

use crate::{Connection, Error, RepositoryId, Timestamp, Tx, db::parse};

/// A manifest, and how it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthoredManifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
    /// The bytes as they were pushed.
    pub bytes: Vec<u8>,
    /// When it was pushed first.
    pub pushed_at: Timestamp,
    /// Who pushed it first, where that is known.
    pub author: Option<String>,
}

/// Notes who pushes a manifest, unless somebody did before.
pub async fn note(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
    author: &str,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into manifest_author (repository_id, digest, author) values ($1, $2, $3)
        on conflict (repository_id, digest) do nothing";
    tx.query(SQL).bind(repository).bind(digest.to_string()).bind(author).execute().await?;
    Ok(())
}

/// Forgets who pushed a manifest that goes.
pub(crate) async fn forget(
    tx: &mut Tx,
    repository: RepositoryId,
    digest: &Digest,
) -> Result<(), Error> {
    const SQL: &str = "delete from manifest_author where repository_id = $1 and digest = $2";
    tx.query(SQL).bind(repository).bind(digest.to_string()).execute().await?;
    Ok(())
}

/// The manifest that the tag points at, or of that digest.
pub async fn find(
    connection: &mut Connection,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Option<AuthoredManifest>, Error> {
    const BY_TAG: &str = "
        select manifest.digest, manifest.media_type, manifest.bytes, manifest.pushed_at,
            manifest_author.author
        from repository
        join tag on tag.repository_id = repository.id and tag.name = $2
        join manifest on manifest.repository_id = repository.id and manifest.digest = tag.digest
        left join manifest_author on manifest_author.repository_id = repository.id
            and manifest_author.digest = manifest.digest
        where repository.name = $1";
    const BY_DIGEST: &str = "
        select manifest.digest, manifest.media_type, manifest.bytes, manifest.pushed_at,
            manifest_author.author
        from repository
        join manifest on manifest.repository_id = repository.id and manifest.digest = $2
        left join manifest_author on manifest_author.repository_id = repository.id
            and manifest_author.digest = manifest.digest
        where repository.name = $1";
    type Row = (String, String, Vec<u8>, Timestamp, Option<String>);
    let sql = match reference {
        Reference::Tag(_) => BY_TAG,
        Reference::Digest(_) => BY_DIGEST,
    };
    let query = connection.query_as(sql).bind(repository.as_str()).bind(reference.to_string());
    let row: Option<Row> = query.fetch_optional().await?;
    row.map(|(digest, media_type, bytes, pushed_at, author)| {
        let digest = parse("manifest.digest", &digest)?;
        Ok(AuthoredManifest { digest, media_type, bytes, pushed_at, author })
    })
    .transpose()
}
