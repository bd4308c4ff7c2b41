//! Scanners that images may be shown to.

use crate::{Connection, Error, Timestamp, Tx};

/// A scanner as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredScanner {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub url: String,
    /// When it was added.
    pub added_at: Timestamp,
}

/// All scanners, by name.
pub async fn list(connection: &mut Connection) -> Result<Vec<StoredScanner>, Error> {
    const SQL: &str = "select name, url, added_at from scanner order by name";
    connection.query_as(SQL).fetch_all().await
}

/// Adds a scanner, unless there is one of its name; whether there was none.
pub async fn add(tx: &mut Tx, scanner: &StoredScanner) -> Result<bool, Error> {
    const SQL: &str = "
        insert into scanner (name, url, added_at) values ($1, $2, $3)
        on conflict (name) do nothing";
    let query = tx.query(SQL).bind(&scanner.name).bind(&scanner.url).bind(scanner.added_at);
    Ok(query.execute().await? > 0)
}

/// Forgets a scanner; whether there was one.
pub async fn remove(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from scanner where name = $1";
    Ok(tx.query(SQL).bind(name).execute().await? > 0)
}
