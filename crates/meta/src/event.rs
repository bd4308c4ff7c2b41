//! How far the audit was looked at for events that are to be sent.

use crate::{Connection, Error, Tx};

/// The id of the last entry of the audit that was looked at; 0 before the first.
pub async fn position(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select coalesce(max(position), 0) from event_cursor";
    connection.query_scalar(SQL).fetch_one().await
}

/// Goes on behind this entry; never back.
pub async fn advance(tx: &mut Tx, position: i64) -> Result<(), Error> {
    const SQL: &str = "
        insert into event_cursor (id, position) values (1, $1)
        on conflict (id) do update set position = excluded.position
            where event_cursor.position < excluded.position";
    tx.query(SQL).bind(position).execute().await?;
    Ok(())
}
