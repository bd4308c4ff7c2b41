//! How much is stored, by repository.

use crate::{Connection, Error};

/// What is stored in a repository.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Usage {
    /// The repository.
    pub repository: String,
    /// How many tags it has.
    pub tags: i64,
    /// How many manifests it has.
    pub manifests: i64,
    /// Bytes of blobs that it links.
    pub bytes: i64,
    /// Bytes of those of them that others link, too.
    pub shared_bytes: i64,
}

/// What is stored in repositories behind `after`, by name; those of one project, or one, where that is given;
/// at most `limit`.
pub async fn list(
    connection: &mut Connection,
    (project, repository): (Option<&str>, Option<&str>),
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Usage>, Error> {
    // The character behind `/` is `0`.
    const SQL: &str = "
        select page.name as repository,
            (select count(*) from tag where tag.repository_id = page.id) as tags,
            (select count(*) from manifest where manifest.repository_id = page.id) as manifests,
            cast(coalesce(sum(blob.size), 0) as bigint) as bytes,
            cast(coalesce(sum(case
                when exists (
                    select 1 from blob_link as other
                    where other.blob_id = blob_link.blob_id
                      and other.repository_id <> blob_link.repository_id
                ) then blob.size
            end), 0) as bigint) as shared_bytes
        from (
            select id, name from repository
            where name > $1
              and (cast($2 as text) is null or name = $2
                   or name > $2 || '/' and name < $2 || '0')
              and (cast($3 as text) is null or name = $3)
            order by name limit $4
        ) as page
        left join blob_link on blob_link.repository_id = page.id
        left join blob on blob.id = blob_link.blob_id
        group by page.id, page.name
        order by page.name";
    let query = connection.query_as(SQL).bind(after.unwrap_or_default()).bind(project);
    query.bind(repository).bind(i64::from(limit)).fetch_all().await
}
