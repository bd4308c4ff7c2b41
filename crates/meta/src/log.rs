//! The transparency log: entries without a gap, each in the transaction of what it is about.

use crate::{Connection, Error, Timestamp, Tx};

/// An entry to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry<'a> {
    /// What happened: `promotion.finished`, `block.created`.
    pub kind: &'a str,
    /// What it is about: a digest, or a channel of a service.
    pub subject: &'a str,
    /// The entry itself, as it is hashed.
    pub document: &'a [u8],
}

/// Adds an entry; its position, counted from zero. Writes are serial, so there is never a gap.
pub async fn append(tx: &mut Tx, entry: &NewEntry<'_>, now: Timestamp) -> Result<i64, Error> {
    const SQL: &str = "
        insert into log_entry (position, at, kind, subject, document)
        select coalesce(max(position) + 1, 0), $1, $2, $3, $4 from log_entry
        returning position";
    let insert = tx.query_scalar(SQL).bind(now).bind(entry.kind).bind(entry.subject);
    insert.bind(entry.document).fetch_one().await
}

/// How many entries there are.
pub async fn size(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select coalesce(max(position) + 1, 0) from log_entry";
    connection.query_scalar(SQL).fetch_one().await
}
