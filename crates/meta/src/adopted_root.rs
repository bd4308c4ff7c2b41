//! Trees that another registry wrote, whose bytes are served from where they are.

use std::str::FromStr;

use crate::{Connection, Error, Timestamp, Tx, db::parse};

/// A tree that was adopted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdoptedRoot {
    /// Its number: what storage keys of blobs below it begin with, behind a `~`.
    pub id: u32,
    /// Where it is.
    pub location: String,
    /// Whose it is.
    pub state: State,
}

/// Whose an adopted tree is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The other registry's: nothing in it is changed.
    Foreign,
    /// Ours: what nothing needs any more is deleted.
    Owned,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    location: String,
    state: String,
}

/// All of them.
pub async fn list(connection: &mut Connection) -> Result<Vec<AdoptedRoot>, Error> {
    const SQL: &str = "select id, location, state from adopted_root order by id";
    let rows: Vec<Row> = connection.query_as(SQL).fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The tree at a location, if it was adopted.
pub async fn find(
    connection: &mut Connection,
    location: &str,
) -> Result<Option<AdoptedRoot>, Error> {
    const SQL: &str = "select id, location, state from adopted_root where location = $1";
    let row: Option<Row> = connection.query_as(SQL).bind(location).fetch_optional().await?;
    row.map(TryInto::try_into).transpose()
}

/// The tree at a location, recorded as another registry's if it was not known.
pub async fn find_or_create(
    tx: &mut Tx,
    location: &str,
    now: Timestamp,
) -> Result<AdoptedRoot, Error> {
    const SQL: &str = "
        insert into adopted_root (location, state, added_at) values ($1, $2, $3)
        returning id, location, state";
    if let Some(found) = find(tx, location).await? {
        return Ok(found);
    }
    let state = State::Foreign.as_str();
    let query = tx.query_as(SQL).bind(location).bind(state).bind(now);
    let row: Row = query.fetch_one().await?;
    row.try_into()
}

/// Whether bytes are another registry's, by their storage key.
pub async fn is_foreign(connection: &mut Connection, storage_key: &str) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from adopted_root where id = $1 and state = $2)";
    let number = storage_key.strip_prefix('~').and_then(|rest| rest.split('/').next());
    let Some(id) = number.and_then(|number| number.parse::<u32>().ok()) else { return Ok(false) };
    let query = connection.query_scalar(SQL).bind(i64::from(id)).bind(State::Foreign.as_str());
    query.fetch_one().await
}

/// Whether the bytes of any blob are in a tree.
pub async fn holds_blobs(connection: &mut Connection, id: u32) -> Result<bool, Error> {
    // `0` is what comes behind `/`.
    const SQL: &str = "
        select exists (select 1 from blob where storage_key >= $1 and storage_key < $2)";
    let query = connection.query_scalar(SQL).bind(format!("~{id}/")).bind(format!("~{id}0"));
    query.fetch_one().await
}

/// Says where a tree is from now on. There must be none at that location.
pub async fn set_location(tx: &mut Tx, id: u32, location: &str) -> Result<(), Error> {
    const SQL: &str = "update adopted_root set location = $2 where id = $1";
    tx.query(SQL).bind(i64::from(id)).bind(location).execute().await?;
    Ok(())
}

/// Says whose a tree is from now on.
pub async fn set_state(tx: &mut Tx, id: u32, state: State) -> Result<(), Error> {
    const SQL: &str = "update adopted_root set state = $2 where id = $1";
    tx.query(SQL).bind(i64::from(id)).bind(state.as_str()).execute().await?;
    Ok(())
}

impl State {
    fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::Owned => "owned",
        }
    }
}

impl FromStr for State {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "foreign" => Ok(Self::Foreign),
            "owned" => Ok(Self::Owned),
            _ => Err("no such state of an adopted root"),
        }
    }
}

impl TryFrom<Row> for AdoptedRoot {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        let id = u32::try_from(row.id)
            .map_err(|_| Error::Corrupt(format!("adopted_root.id holds {}", row.id)))?;
        let state = parse("adopted_root.state", &row.state)?;
        Ok(Self { id, location: row.location, state })
    }
}
