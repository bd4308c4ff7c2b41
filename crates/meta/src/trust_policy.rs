//! Whose signatures count: policies by name, and the root that is trusted about identities and times.

use crate::{Connection, Error, Timestamp, Tx};

/// A policy as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredPolicy {
    /// Its name.
    pub name: String,
    /// The policy, as JSON.
    pub document: String,
    /// Since when it is so.
    pub changed_at: Timestamp,
}

/// All policies, by name. There are as many as there are kinds of repositories.
pub async fn list(connection: &mut Connection) -> Result<Vec<StoredPolicy>, Error> {
    const SQL: &str = "select name, document, changed_at from trust_policy order by name";
    connection.query_as(SQL).fetch_all().await
}

/// Records a policy, in the place of the one with its name if there is one; whether there was none.
pub async fn put(tx: &mut Tx, policy: &StoredPolicy) -> Result<bool, Error> {
    const UPDATE: &str = "update trust_policy set document = $2, changed_at = $3 where name = $1";
    const INSERT: &str =
        "insert into trust_policy (name, document, changed_at) values ($1, $2, $3)";
    for (sql, is_new) in [(UPDATE, false), (INSERT, true)] {
        let query = tx.query(sql).bind(&policy.name).bind(&policy.document).bind(policy.changed_at);
        if query.execute().await? > 0 {
            return Ok(is_new);
        }
    }
    Ok(true)
}

/// Forgets a policy; whether there was one.
pub async fn delete(tx: &mut Tx, name: &str) -> Result<bool, Error> {
    const SQL: &str = "delete from trust_policy where name = $1";
    Ok(tx.query(SQL).bind(name).execute().await? > 0)
}

/// The root, as JSON, if one was set.
pub async fn root(connection: &mut Connection) -> Result<Option<String>, Error> {
    const SQL: &str = "select document from trust_root";
    connection.query_scalar(SQL).fetch_optional().await
}

/// Sets the root.
pub async fn set_root(tx: &mut Tx, document: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        insert into trust_root (id, document, changed_at) values (1, $1, $2)
        on conflict (id) do update
            set document = excluded.document, changed_at = excluded.changed_at";
    tx.query(SQL).bind(document).bind(now).execute().await?;
    Ok(())
}

/// Forgets the root that was set; whether there was one.
pub async fn unset_root(tx: &mut Tx) -> Result<bool, Error> {
    Ok(tx.query("delete from trust_root").execute().await? > 0)
}
