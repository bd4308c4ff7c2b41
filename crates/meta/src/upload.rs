//! Upload sessions: how far each is.

use plura_oci::{RepositoryName, SavedHash, UploadId};

use crate::{Connection, Error, Timestamp, Tx, db::parse};

/// An upload session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its identifier.
    pub id: UploadId,
    /// The repository that it was started in.
    pub repository: RepositoryName,
    /// Who started it: nobody else finds it.
    pub owner: String,
    /// How many bytes have arrived and are on disk.
    pub offset: u64,
    /// The hash over them.
    pub hash: SavedHash,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    repository: String,
    owner: String,
    byte_offset: i64,
    hash_state: Vec<u8>,
}

/// Records a new session.
pub async fn insert(tx: &mut Tx, upload: &Upload, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into upload (id, repository, byte_offset, hash_state, started_at, touched_at, owner)
        values ($1, $2, $3, $4, $5, $5, $6)";
    tx.query(SQL)
        .bind(upload.id.as_str())
        .bind(upload.repository.as_str())
        .bind(signed(upload.offset))
        .bind(&upload.hash.0)
        .bind(now)
        .bind(&upload.owner)
        .execute()
        .await?;
    Ok(())
}

/// The session of that name in that repository that `owner` started; another's is not found.
pub async fn find(
    connection: &mut Connection,
    repository: &RepositoryName,
    owner: &str,
    id: &UploadId,
) -> Result<Option<Upload>, Error> {
    const SQL: &str = "
        select id, repository, owner, byte_offset, hash_state from upload
        where id = $1 and repository = $2 and owner = $3";
    let row: Option<Row> = connection
        .query_as(SQL)
        .bind(id.as_str())
        .bind(repository.as_str())
        .bind(owner)
        .fetch_optional()
        .await?;
    row.map(TryInto::try_into).transpose()
}

/// Moves the session on from `before` to what `upload` says; `false` if it was not at `before`, since
/// another request moved or ended it.
pub async fn advance(
    tx: &mut Tx,
    upload: &Upload,
    before: u64,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        update upload set byte_offset = $3, hash_state = $4, touched_at = $5
        where id = $1 and byte_offset = $2";
    let query = tx
        .query(SQL)
        .bind(upload.id.as_str())
        .bind(signed(before))
        .bind(signed(upload.offset))
        .bind(&upload.hash.0)
        .bind(now);
    Ok(query.execute().await? > 0)
}

/// Ends the session; whether there was one.
pub async fn delete(tx: &mut Tx, id: &UploadId) -> Result<bool, Error> {
    const SQL: &str = "delete from upload where id = $1";
    let query = tx.query(SQL).bind(id.as_str());
    Ok(query.execute().await? > 0)
}

/// Ends the session if it was not touched since `limit`; whether it was ended.
pub async fn delete_stale(tx: &mut Tx, id: &UploadId, limit: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "delete from upload where id = $1 and touched_at <= $2";
    let query = tx.query(SQL).bind(id.as_str()).bind(limit);
    Ok(query.execute().await? > 0)
}

/// Sessions that were not touched since `limit`, the oldest first.
pub async fn stale(connection: &mut Connection, limit: Timestamp) -> Result<Vec<UploadId>, Error> {
    const SQL: &str = "select id from upload where touched_at <= $1 order by touched_at";
    let ids: Vec<String> = connection.query_scalar(SQL).bind(limit).fetch_all().await?;
    ids.iter().map(|id| parse("upload.id", id)).collect()
}

/// Whether there is a session of that name, in whatever repository.
pub async fn exists(connection: &mut Connection, id: &UploadId) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from upload where id = $1)";
    connection.query_scalar(SQL).bind(id.as_str()).fetch_one().await
}

/// How many sessions there are.
pub async fn count(connection: &mut Connection) -> Result<i64, Error> {
    connection.query_scalar("select count(*) from upload").fetch_one().await
}

impl TryFrom<Row> for Upload {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: parse("upload.id", &row.id)?,
            repository: parse("upload.repository", &row.repository)?,
            owner: row.owner,
            offset: u64::try_from(row.byte_offset).map_err(|_| {
                Error::Corrupt(format!("upload.byte_offset is {}", row.byte_offset))
            })?,
            hash: SavedHash(row.hash_state),
        })
    }
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
