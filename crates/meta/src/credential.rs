//! Credentials: what stands for an account. The database knows their hashes only.

use crate::{Connection, Error, Timestamp, Tx, account::AccountId};

/// What kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A token that a person made for a program.
    Token,
    /// A robot's secret.
    Robot,
    /// What a container client keeps after a login, instead of a password.
    Refresh,
    /// A browser's session.
    Session,
}

impl Kind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Robot => "robot",
            Self::Refresh => "refresh",
            Self::Session => "session",
        }
    }
}

/// A credential.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Credential {
    /// Its key.
    pub id: String,
    /// Whose it is.
    pub account_id: AccountId,
    /// `token`, `robot`, `refresh` or `session`.
    pub kind: String,
    /// What its owner calls it.
    pub name: String,
    /// What it is limited to, as scopes separated by spaces; not limited without.
    pub scopes: Option<String>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl Credential {
    /// A credential of an account.
    pub fn new(account: AccountId, kind: Kind, name: &str, now: Timestamp) -> Self {
        Self {
            id: uuid::Uuid::now_v7().to_string(),
            account_id: account,
            kind: kind.as_str().to_owned(),
            name: name.to_owned(),
            scopes: None,
            created_at: now,
            expires_at: None,
            last_used_at: None,
        }
    }
}

/// Records a credential under the hash of its secret.
pub async fn insert(tx: &mut Tx, credential: &Credential, hash: &str) -> Result<(), Error> {
    const SQL: &str = "
        insert into credential (id, account_id, kind, name, hash, scopes, created_at, expires_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    tx.query(SQL)
        .bind(&credential.id)
        .bind(&credential.account_id)
        .bind(&credential.kind)
        .bind(&credential.name)
        .bind(hash)
        .bind(&credential.scopes)
        .bind(credential.created_at)
        .bind(credential.expires_at)
        .execute()
        .await?;
    Ok(())
}

/// The credential whose secret has that hash.
pub async fn find(connection: &mut Connection, hash: &str) -> Result<Option<Credential>, Error> {
    const SQL: &str = "
        select id, account_id, kind, name, scopes, created_at, expires_at, last_used_at
        from credential where hash = $1";
    connection.query_as(SQL).bind(hash).fetch_optional().await
}

/// The credential of that key.
pub async fn find_by_id(
    connection: &mut Connection,
    id: &str,
) -> Result<Option<Credential>, Error> {
    const SQL: &str = "
        select id, account_id, kind, name, scopes, created_at, expires_at, last_used_at
        from credential where id = $1";
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// The credentials of a kind that an account has, the oldest first.
pub async fn list(
    connection: &mut Connection,
    account: &AccountId,
    kind: Kind,
) -> Result<Vec<Credential>, Error> {
    const SQL: &str = "
        select id, account_id, kind, name, scopes, created_at, expires_at, last_used_at
        from credential where account_id = $1 and kind = $2 order by id";
    let query = connection.query_as(SQL).bind(account).bind(kind.as_str());
    query.fetch_all().await
}

/// Notes that the credential was used.
pub async fn touch(tx: &mut Tx, id: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "update credential set last_used_at = $2 where id = $1";
    tx.query(SQL).bind(id).bind(now).execute().await?;
    Ok(())
}

/// Ends a credential; whether there was one.
pub async fn delete(tx: &mut Tx, id: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from credential where id = $1";
    Ok(tx.query(SQL).bind(id).execute().await? > 0)
}

/// Ends all credentials of these kinds that an account has; how many there were.
pub async fn delete_all(tx: &mut Tx, account: &AccountId, kinds: &[Kind]) -> Result<u64, Error> {
    const SQL: &str = "delete from credential where account_id = $1 and kind = $2";
    let mut ended = 0;
    for kind in kinds {
        let query = tx.query(SQL).bind(account).bind(kind.as_str());
        ended += query.execute().await?;
    }
    Ok(ended)
}

/// Lets the live secrets of a robot end at `until`, if they do not end before.
pub async fn end_robot_secrets(
    tx: &mut Tx,
    account: &AccountId,
    until: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        update credential set expires_at = $2
        where account_id = $1 and kind = 'robot' and (expires_at is null or expires_at > $2)";
    tx.query(SQL).bind(account).bind(until).execute().await?;
    Ok(())
}

/// Forgets credentials that have ended before `limit`; how many.
pub async fn delete_expired(tx: &mut Tx, limit: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "delete from credential where expires_at < $1";
    tx.query(SQL).bind(limit).execute().await
}

/// Sets until when the newest secret of a robot is good.
pub async fn set_newest_expiry(
    tx: &mut Tx,
    account: &AccountId,
    until: Option<Timestamp>,
) -> Result<(), Error> {
    const SQL: &str = "
        update credential set expires_at = $2
        where id = (
            select id from credential where account_id = $1 and kind = 'robot'
            order by id desc limit 1
        )";
    tx.query(SQL).bind(account).bind(until).execute().await?;
    Ok(())
}

/// Robots whose newest secret ends from `from` on and before `until`, with when.
pub async fn robots_ending(
    connection: &mut Connection,
    from: Timestamp,
    until: Timestamp,
) -> Result<Vec<(String, Timestamp)>, Error> {
    const SQL: &str = "
        select account.name, credential.expires_at
        from credential join account on account.id = credential.account_id
        where credential.kind = 'robot' and not account.disabled
          and credential.expires_at >= $1 and credential.expires_at < $2
          and not exists (
            select 1 from credential as newer
            where newer.account_id = account.id and newer.kind = 'robot' and newer.id > credential.id
          )
        order by credential.expires_at";
    connection.query_as(SQL).bind(from).bind(until).fetch_all().await
}
