//! Signing keys: what the processes on one database sign tokens with. Only the public halves are here.

use crate::{Connection, Error, Timestamp, Tx};

/// The public half of a key.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct SigningKey {
    /// What tokens name it by.
    pub kid: String,
    /// The key, as whoever publishes it writes it.
    pub public_key: String,
    /// Since when it is used.
    pub created_at: Timestamp,
    /// When no token that was signed with it is good any more.
    pub expires_at: Timestamp,
}

/// Publishes a key, or says again until when it is needed.
pub async fn publish(tx: &mut Tx, key: &SigningKey) -> Result<(), Error> {
    const SQL: &str = "
        insert into signing_key (kid, public_key, created_at, expires_at) values ($1, $2, $3, $4)
        on conflict (kid) do update set expires_at = excluded.expires_at
            where signing_key.public_key = excluded.public_key";
    tx.query(SQL)
        .bind(&key.kid)
        .bind(&key.public_key)
        .bind(key.created_at)
        .bind(key.expires_at)
        .execute()
        .await?;
    Ok(())
}

/// The key of that name, if a token may still be signed with it.
pub async fn find(
    connection: &mut Connection,
    kid: &str,
    now: Timestamp,
) -> Result<Option<SigningKey>, Error> {
    const SQL: &str = "
        select kid, public_key, created_at, expires_at from signing_key
        where kid = $1 and expires_at > $2";
    connection.query_as(SQL).bind(kid).bind(now).fetch_optional().await
}

/// All keys that tokens may still be signed with, the oldest first.
pub async fn list(connection: &mut Connection, now: Timestamp) -> Result<Vec<SigningKey>, Error> {
    const SQL: &str = "
        select kid, public_key, created_at, expires_at from signing_key
        where expires_at > $1
        order by created_at, kid";
    connection.query_as(SQL).bind(now).fetch_all().await
}

/// Says until when a key is needed; `false` if it is not published any more, which this does not undo.
pub async fn set_expiry(tx: &mut Tx, kid: &str, expires_at: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "update signing_key set expires_at = $2 where kid = $1";
    Ok(tx.query(SQL).bind(kid).bind(expires_at).execute().await? > 0)
}

/// Takes a key back: nothing that was signed with it counts any more. `false` if there is none.
pub async fn delete(tx: &mut Tx, kid: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from signing_key where kid = $1";
    Ok(tx.query(SQL).bind(kid).execute().await? > 0)
}

/// Forgets keys that no token is signed with any more; how many.
pub async fn delete_expired(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "delete from signing_key where expires_at <= $1";
    tx.query(SQL).bind(now).execute().await
}
