//! Trust entries: which issuers' tokens are exchanged, and tokens that were.

use crate::{Connection, Error, Timestamp, Tx};

/// A trust entry.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Trust {
    /// Its name.
    pub name: String,
    /// The rule, as JSON.
    pub document: String,
    /// Since when.
    pub created_at: Timestamp,
}

/// The entry of that name.
pub async fn find(connection: &mut Connection, name: &str) -> Result<Option<Trust>, Error> {
    const SQL: &str = "select name, document, created_at from trust where name = $1";
    connection.query_as(SQL).bind(name).fetch_optional().await
}

/// All entries, by name. There are as many as there are kinds of jobs, not as there are jobs.
pub async fn list(connection: &mut Connection) -> Result<Vec<Trust>, Error> {
    const SQL: &str = "select name, document, created_at from trust order by name";
    connection.query_as(SQL).fetch_all().await
}

/// Records an entry; `false` if the name is taken.
pub async fn insert(
    tx: &mut Tx,
    name: &str,
    document: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into trust (name, document, created_at) values ($1, $2, $3)
        on conflict (name) do nothing";
    let query = tx.query(SQL).bind(name).bind(document).bind(now);
    Ok(query.execute().await? > 0)
}

/// Changes an entry; `false` if there is none.
pub async fn update(tx: &mut Tx, name: &str, document: &str) -> Result<bool, Error> {
    const SQL: &str = "update trust set document = $2 where name = $1";
    let query = tx.query(SQL).bind(name).bind(document);
    Ok(query.execute().await? > 0)
}

/// Forgets an entry; whether there was one.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from trust where name = $1";
    Ok(tx.query(SQL).bind(name).execute().await? > 0)
}

/// Notes that a token was exchanged; `false` if it was before.
pub async fn use_nonce(
    tx: &mut Tx,
    issuer: &str,
    nonce: &str,
    expires_at: Timestamp,
) -> Result<bool, Error> {
    const SQL: &str = "
        insert into used_nonce (issuer, nonce, expires_at) values ($1, $2, $3)
        on conflict (issuer, nonce) do nothing";
    let query = tx.query(SQL).bind(issuer).bind(nonce).bind(expires_at);
    Ok(query.execute().await? > 0)
}

/// Forgets tokens that nobody would accept any more.
pub async fn forget_nonces(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "delete from used_nonce where expires_at < $1";
    tx.query(SQL).bind(now).execute().await
}
