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
    /// How many bytes have arrived and are stored.
    pub offset: u64,
    /// The hash over them.
    pub hash: SavedHash,
    /// Where they are, if an object store has them; what it says is the store's business.
    pub parts: Option<String>,
}

/// A session, and what the store has of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its identifier.
    pub id: UploadId,
    /// See [`Upload::parts`].
    pub parts: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    repository: String,
    owner: String,
    byte_offset: i64,
    hash_state: Vec<u8>,
    parts: Option<String>,
}

/// What came of claiming a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is ours, and its last request ended in order.
    Yes,
    /// It is ours; whoever had it did not give it back in time.
    TakenOver,
    /// Somebody else has it.
    Busy,
    /// There is none.
    Unknown,
}

/// Records a new session.
pub async fn insert(tx: &mut Tx, upload: &Upload, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into upload
            (id, repository, byte_offset, hash_state, started_at, touched_at, owner, parts)
        values ($1, $2, $3, $4, $5, $5, $6, $7)";
    tx.query(SQL)
        .bind(upload.id.as_str())
        .bind(upload.repository.as_str())
        .bind(signed(upload.offset))
        .bind(&upload.hash.0)
        .bind(now)
        .bind(&upload.owner)
        .bind(&upload.parts)
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
        select id, repository, owner, byte_offset, hash_state, parts from upload
        where id = $1 and repository = $2 and owner = $3 and ended_at is null";
    let row: Option<Row> = connection
        .query_as(SQL)
        .bind(id.as_str())
        .bind(repository.as_str())
        .bind(owner)
        .fetch_optional()
        .await?;
    row.map(TryInto::try_into).transpose()
}

/// Claims the session for one request, where several processes share the database; again, by the same
/// `claim`, to keep it.
pub async fn claim(
    tx: &mut Tx,
    id: &UploadId,
    claim: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<Claimed, Error> {
    const FIND: &str = "
        select claim, claimed_until from upload where id = $1 and ended_at is null";
    const TAKE: &str = "update upload set claim = $2, claimed_until = $3 where id = $1";
    let found: Option<(Option<String>, Option<Timestamp>)> =
        tx.query_as(FIND).bind(id.as_str()).fetch_optional().await?;
    let claimed = match found {
        None => return Ok(Claimed::Unknown),
        Some((None, _)) => Claimed::Yes,
        Some((Some(held), _)) if held == claim => Claimed::Yes,
        Some((Some(_), until)) if until.is_none_or(|until| until <= now) => Claimed::TakenOver,
        Some(_) => return Ok(Claimed::Busy),
    };
    tx.query(TAKE).bind(id.as_str()).bind(claim).bind(until).execute().await?;
    Ok(claimed)
}

/// Gives a claim back, if it is held still.
pub async fn release(tx: &mut Tx, id: &UploadId, claim: &str) -> Result<(), Error> {
    const SQL: &str = "
        update upload set claim = null, claimed_until = null where id = $1 and claim = $2";
    tx.query(SQL).bind(id.as_str()).bind(claim).execute().await?;
    Ok(())
}

/// Gives a claim back without having left everything in order: whoever claims the session next takes
/// it over.
pub async fn abandon(tx: &mut Tx, id: &UploadId, claim: &str) -> Result<(), Error> {
    const SQL: &str = "update upload set claimed_until = 0 where id = $1 and claim = $2";
    tx.query(SQL).bind(id.as_str()).bind(claim).execute().await?;
    Ok(())
}

/// Whether the session is claimed by `claim`, or by nobody where there is none.
pub async fn is_claimed(tx: &mut Tx, id: &UploadId, claim: Option<&str>) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (
            select 1 from upload where id = $1 and coalesce(claim, '') = $2 and ended_at is null
        )";
    tx.query_scalar(SQL).bind(id.as_str()).bind(claim.unwrap_or_default()).fetch_one().await
}

/// Moves the session on from `before` to what `upload` says, and gives it free unless it is `kept`
/// claimed; `false` if it was not at `before`, since another request moved or ended it.
pub async fn advance(
    tx: &mut Tx,
    upload: &Upload,
    before: u64,
    kept: bool,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        update upload
        set byte_offset = $3, hash_state = $4, touched_at = $5, parts = $6,
            claim = case when $7 = 1 then claim end,
            claimed_until = case when $7 = 1 then claimed_until end
        where id = $1 and byte_offset = $2 and ended_at is null";
    let query = tx
        .query(SQL)
        .bind(upload.id.as_str())
        .bind(signed(before))
        .bind(signed(upload.offset))
        .bind(&upload.hash.0)
        .bind(now)
        .bind(&upload.parts)
        .bind(i64::from(kept));
    Ok(query.execute().await? > 0)
}

/// Ends the session; whether there was one that had not ended.
pub async fn delete(tx: &mut Tx, id: &UploadId) -> Result<bool, Error> {
    const SQL: &str = "delete from upload where id = $1 and ended_at is null";
    let query = tx.query(SQL).bind(id.as_str());
    Ok(query.execute().await? > 0)
}

/// Ends the session if it was not touched since `limit`; whether it was ended.
pub async fn delete_stale(tx: &mut Tx, id: &UploadId, limit: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "delete from upload where id = $1 and touched_at <= $2";
    let query = tx.query(SQL).bind(id.as_str()).bind(limit);
    Ok(query.execute().await? > 0)
}

/// Ends the session and remembers it until its bytes are removed; nothing, if there is none that had
/// not ended.
pub async fn mark_ended(
    tx: &mut Tx,
    id: &UploadId,
    now: Timestamp,
) -> Result<Option<Recorded>, Error> {
    const SQL: &str = "
        update upload set ended_at = $2 where id = $1 and ended_at is null returning id, parts";
    let row: Option<(String, Option<String>)> =
        tx.query_as(SQL).bind(id.as_str()).bind(now).fetch_optional().await?;
    row.map(of_row).transpose()
}

/// As [`mark_ended`], if the session was not touched since `limit`.
pub async fn mark_stale_ended(
    tx: &mut Tx,
    id: &UploadId,
    limit: Timestamp,
    now: Timestamp,
) -> Result<Option<Recorded>, Error> {
    const SQL: &str = "
        update upload set ended_at = $3
        where id = $1 and touched_at <= $2 and ended_at is null
            and coalesce(claimed_until, 0) <= $3
        returning id, parts";
    let query = tx.query_as(SQL).bind(id.as_str()).bind(limit).bind(now);
    let row: Option<(String, Option<String>)> = query.fetch_optional().await?;
    row.map(of_row).transpose()
}

/// What is recorded of a session that goes on, as of an instant behind every transaction before this
/// one: one that failed may be done all the same, and is then seen.
pub async fn confirm(tx: &mut Tx, id: &UploadId) -> Result<Option<Recorded>, Error> {
    const SQL: &str = "
        update upload set touched_at = touched_at where id = $1 and ended_at is null
        returning id, parts";
    let row: Option<(String, Option<String>)> =
        tx.query_as(SQL).bind(id.as_str()).fetch_optional().await?;
    row.map(of_row).transpose()
}

/// Sessions that ended and whose bytes are not removed yet.
pub async fn ended(connection: &mut Connection) -> Result<Vec<Recorded>, Error> {
    const SQL: &str = "select id, parts from upload where ended_at is not null order by id";
    let rows: Vec<(String, Option<String>)> = connection.query_as(SQL).fetch_all().await?;
    rows.into_iter().map(of_row).collect()
}

/// Forgets a session that ended and whose bytes are removed.
pub async fn forget(tx: &mut Tx, id: &UploadId) -> Result<(), Error> {
    const SQL: &str = "delete from upload where id = $1 and ended_at is not null";
    tx.query(SQL).bind(id.as_str()).execute().await?;
    Ok(())
}

/// What is recorded of a session, ended or not.
pub async fn recorded(
    connection: &mut Connection,
    id: &UploadId,
) -> Result<Option<Recorded>, Error> {
    const SQL: &str = "select id, parts from upload where id = $1";
    let row: Option<(String, Option<String>)> =
        connection.query_as(SQL).bind(id.as_str()).fetch_optional().await?;
    row.map(of_row).transpose()
}

/// All sessions, ended or not.
pub async fn all(connection: &mut Connection) -> Result<Vec<UploadId>, Error> {
    const SQL: &str = "select id from upload order by id";
    let ids: Vec<String> = connection.query_scalar(SQL).fetch_all().await?;
    ids.iter().map(|id| parse("upload.id", id)).collect()
}

/// Sessions that were not touched since `limit`, the oldest first.
pub async fn stale(connection: &mut Connection, limit: Timestamp) -> Result<Vec<UploadId>, Error> {
    const SQL: &str = "
        select id from upload
        where touched_at <= $1 and ended_at is null
        order by touched_at";
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
            parts: row.parts,
        })
    }
}

fn of_row((id, parts): (String, Option<String>)) -> Result<Recorded, Error> {
    Ok(Recorded { id: parse("upload.id", &id)?, parts })
}

fn signed(offset: u64) -> i64 {
    i64::try_from(offset).unwrap_or(i64::MAX)
}
