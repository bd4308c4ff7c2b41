//! Advisories, by the sources that they came from. An import is written block by block and put in force
//! in one step, so that nobody sees half of it and no other write waits for all of it.

use crate::{Connection, Error, Timestamp, Tx};

/// The key of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct ImportId(pub(crate) i64);

/// Where advisories came from, and what of it is in force.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Source {
    /// Its name.
    pub name: String,
    /// The import that is in force.
    pub import_id: ImportId,
    /// Where it was read.
    pub location: String,
    /// What it consists of, whatever form it was read in.
    pub digest: String,
    /// Since when it is in force.
    pub imported_at: Timestamp,
    /// When the advisory was changed that was changed last.
    pub newest: Option<Timestamp>,
    /// How many advisories it has.
    pub advisories: i64,
    /// What was counted when it was read, as JSON.
    pub document: String,
}

/// All sources, by name. There are a few.
pub async fn sources(connection: &mut Connection) -> Result<Vec<Source>, Error> {
    const SQL: &str = "
        select name, import_id, location, digest, imported_at, newest, advisories, document
        from advisory_source order by name";
    connection.query_as(SQL).fetch_all().await
}

/// Begins an import.
pub async fn begin_import(tx: &mut Tx, source: &str, now: Timestamp) -> Result<ImportId, Error> {
    const SQL: &str =
        "insert into advisory_import (source, started_at) values ($1, $2) returning id";
    tx.query_scalar(SQL).bind(source).bind(now).fetch_one().await
}

/// Writes a block of an import that is not in force yet.
pub async fn add_block(
    tx: &mut Tx,
    import: ImportId,
    position: i64,
    document: &[u8],
) -> Result<(), Error> {
    const SQL: &str =
        "insert into advisory_block (import_id, position, document) values ($1, $2, $3)";
    tx.query(SQL).bind(import).bind(position).bind(document).execute().await?;
    Ok(())
}

/// The block at a position of an import, if there is one.
pub async fn block(
    connection: &mut Connection,
    import: ImportId,
    position: i64,
) -> Result<Option<Vec<u8>>, Error> {
    const SQL: &str = "
        select document from advisory_block where import_id = $1 and position = $2";
    connection.query_scalar(SQL).bind(import).bind(position).fetch_optional().await
}

/// Puts an import in force, in the place of what its source had.
pub async fn put_in_force(tx: &mut Tx, source: &Source) -> Result<(), Error> {
    const SQL: &str = "
        insert into advisory_source
            (name, import_id, location, digest, imported_at, newest, advisories, document)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (name) do update
            set import_id = excluded.import_id, location = excluded.location,
                digest = excluded.digest, imported_at = excluded.imported_at,
                newest = excluded.newest, advisories = excluded.advisories,
                document = excluded.document";
    tx.query(SQL)
        .bind(&source.name)
        .bind(source.import_id)
        .bind(&source.location)
        .bind(&source.digest)
        .bind(source.imported_at)
        .bind(source.newest)
        .bind(source.advisories)
        .bind(&source.document)
        .execute()
        .await?;
    Ok(())
}

/// Takes the advisories of a source out of force; whether there was such a source.
pub async fn remove(tx: &mut Tx, source: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from advisory_source where name = $1";
    Ok(tx.query(SQL).bind(source).execute().await? > 0)
}

/// The first import that is not in force and began before `$1`, or that another import of the same source
/// came after.
const STALE: &str = "
    select advisory_import.id from advisory_import
    left join advisory_source as own on own.import_id = advisory_import.id
    left join advisory_source as next on next.name = advisory_import.source
    where own.name is null
      and (advisory_import.started_at < $1 or next.import_id > advisory_import.id)
    order by advisory_import.id limit 1";

/// Whether there are imports that are not in force and either began before `before`, or had another import
/// of the same source come after them.
pub async fn has_stale(connection: &mut Connection, before: Timestamp) -> Result<bool, Error> {
    let stale: Option<ImportId> =
        connection.query_scalar(STALE).bind(before).fetch_optional().await?;
    Ok(stale.is_some())
}

/// Removes some blocks of the first such import; whether there may be more.
pub async fn remove_stale(tx: &mut Tx, before: Timestamp, limit: u32) -> Result<bool, Error> {
    const BLOCKS: &str = "
        delete from advisory_block
        where import_id = $1 and position in (
            select position from advisory_block where import_id = $1 order by position limit $2
        )";
    const IMPORT: &str = "delete from advisory_import where id = $1";
    let stale: Option<ImportId> = tx.query_scalar(STALE).bind(before).fetch_optional().await?;
    let Some(stale) = stale else { return Ok(false) };
    let removed = tx.query(BLOCKS).bind(stale).bind(i64::from(limit)).execute().await?;
    if removed < u64::from(limit) {
        tx.query(IMPORT).bind(stale).execute().await?;
    }
    Ok(true)
}
