//! Leases: who does what only one may do at a time. A holder that is gone loses its lease by time, so
//! what is done under one must bear to be done twice.

use crate::{Connection, Error, Timestamp, Tx};

/// A lease that was taken.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Lease {
    /// Who holds it.
    pub holder: String,
    /// Until when, unless it is taken again.
    pub until: Timestamp,
}

/// Takes the lease of that name, or keeps it; `false` if another has it at `now`.
pub async fn take(
    tx: &mut Tx,
    name: &str,
    holder: &str,
    now: Timestamp,
    until: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into lease (name, holder, until) values ($1, $2, $3)
        on conflict (name) do update set holder = excluded.holder, until = excluded.until
            where lease.holder = excluded.holder or lease.until <= $4";
    Ok(tx.query(SQL).bind(name).bind(holder).bind(until).bind(now).execute().await? > 0)
}

/// Gives the lease back; whether the holder still had it.
pub async fn release(tx: &mut Tx, name: &str, holder: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from lease where name = $1 and holder = $2";
    Ok(tx.query(SQL).bind(name).bind(holder).execute().await? > 0)
}

/// The lease of that name, if it was taken and not given back; it may have ended.
pub async fn find(connection: &mut Connection, name: &str) -> Result<Option<Lease>, Error> {
    const SQL: &str = "select holder, until from lease where name = $1";
    connection.query_as(SQL).bind(name).fetch_optional().await
}
