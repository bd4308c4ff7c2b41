//! Accounts: people and robots.

use crate::{Connection, Error, Timestamp, Tx, project::ProjectId};

/// The key of an account, never used again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct AccountId(String);

impl AccountId {
    /// A new key.
    pub fn new() -> Self {
        Self(uuid::Uuid::now_v7().to_string())
    }

    /// As text; the subject of tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that a token of ours names.
    pub fn from_token(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl Default for AccountId {
    fn default() -> Self {
        Self::new()
    }
}

/// What kind of account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A person.
    User,
    /// A machine.
    Robot,
}

impl Kind {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Robot => "robot",
        }
    }
}

/// An account.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Account {
    /// Its key.
    pub id: AccountId,
    kind: String,
    /// What it goes by.
    pub name: String,
    /// A person's full name, or what a robot is for.
    pub display_name: String,
    /// A person's address.
    pub email: Option<String>,
    /// The argon2id hash of a local user's password.
    pub password_hash: Option<String>,
    /// May do everything.
    pub administrator: bool,
    /// May do nothing.
    pub disabled: bool,
    /// The project that a robot belongs to; none for one of the whole installation.
    pub project_id: Option<ProjectId>,
    /// Who vouches for a person that logs in elsewhere.
    pub issuer: Option<String>,
    /// What that issuer calls them.
    pub subject: Option<String>,
    /// The groups that the issuer last named, as a JSON array.
    pub groups: String,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when; for robots.
    pub expires_at: Option<Timestamp>,
    /// When it last showed a credential, to the minute.
    pub last_used_at: Option<Timestamp>,
}

impl Account {
    /// An account that can do nothing yet.
    pub fn new(kind: Kind, name: &str, now: Timestamp) -> Self {
        Self {
            id: AccountId::new(),
            kind: kind.as_str().to_owned(),
            name: name.to_owned(),
            display_name: String::new(),
            email: None,
            password_hash: None,
            administrator: false,
            disabled: false,
            project_id: None,
            issuer: None,
            subject: None,
            groups: "[]".to_owned(),
            created_at: now,
            expires_at: None,
            last_used_at: None,
        }
    }

    /// What kind of account.
    pub fn kind(&self) -> Kind {
        if self.kind == Kind::Robot.as_str() { Kind::Robot } else { Kind::User }
    }

    /// Whether it may do anything at that time.
    pub fn is_active(&self, now: Timestamp) -> bool {
        !self.disabled && self.expires_at.is_none_or(|until| now < until)
    }
}

macro_rules! columns {
    ($rest:literal) => {
        concat!(
            "select id, kind, name, display_name, email, password_hash, administrator, disabled,
                    project_id, issuer, subject, groups, created_at, expires_at, last_used_at
             from account ",
            $rest
        )
    };
}

/// The account of that key.
pub async fn find(connection: &mut Connection, id: &AccountId) -> Result<Option<Account>, Error> {
    const SQL: &str = columns!("where id = $1");
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// The account of that name.
pub async fn find_named(connection: &mut Connection, name: &str) -> Result<Option<Account>, Error> {
    const SQL: &str = columns!("where name = $1");
    connection.query_as(SQL).bind(name).fetch_optional().await
}

/// The account of a person that an issuer knows.
pub async fn find_federated(
    connection: &mut Connection,
    issuer: &str,
    subject: &str,
) -> Result<Option<Account>, Error> {
    const SQL: &str = columns!("where issuer = $1 and subject = $2");
    let query = connection.query_as(SQL).bind(issuer).bind(subject);
    query.fetch_optional().await
}

/// The accounts of a kind behind `after`, by name; at most `limit`; of one project, if it is given.
pub async fn list(
    connection: &mut Connection,
    kind: Kind,
    project: Option<ProjectId>,
    after: Option<&str>,
    limit: u32,
) -> Result<Vec<Account>, Error> {
    const SQL: &str = columns!(
        "where kind = $1 and name > $2 and (cast($3 as bigint) is null or project_id = $3) order by name limit $4"
    );
    connection
        .query_as(SQL)
        .bind(kind.as_str())
        .bind(after.unwrap_or_default())
        .bind(project)
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// Whether there is a user that may do everything and can log in.
pub async fn has_administrator(connection: &mut Connection) -> Result<bool, Error> {
    const SQL: &str = "select exists (select 1 from account where administrator and not disabled)";
    connection.query_scalar(SQL).fetch_one().await
}

/// Records a new account; `false` if the name is taken.
pub async fn insert(tx: &mut Tx, account: &Account) -> Result<bool, Error> {
    const SQL: &str = "
        insert into account (
            id, kind, name, display_name, email, password_hash, administrator, disabled,
            project_id, issuer, subject, groups, created_at, expires_at
        ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        on conflict (name) do nothing";
    let query = tx
        .query(SQL)
        .bind(&account.id)
        .bind(&account.kind)
        .bind(&account.name)
        .bind(&account.display_name)
        .bind(&account.email)
        .bind(&account.password_hash)
        .bind(account.administrator)
        .bind(account.disabled)
        .bind(account.project_id)
        .bind(&account.issuer)
        .bind(&account.subject)
        .bind(&account.groups)
        .bind(account.created_at)
        .bind(account.expires_at);
    Ok(query.execute().await? > 0)
}

/// Changes what can change of an account.
pub async fn update(tx: &mut Tx, account: &Account) -> Result<(), Error> {
    const SQL: &str = "
        update account set
            display_name = $2, email = $3, password_hash = $4, administrator = $5, disabled = $6,
            groups = $7, expires_at = $8
        where id = $1";
    tx.query(SQL)
        .bind(&account.id)
        .bind(&account.display_name)
        .bind(&account.email)
        .bind(&account.password_hash)
        .bind(account.administrator)
        .bind(account.disabled)
        .bind(&account.groups)
        .bind(account.expires_at)
        .execute()
        .await?;
    Ok(())
}

/// Notes that the account was used.
pub async fn touch(tx: &mut Tx, id: &AccountId, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "update account set last_used_at = $2 where id = $1";
    tx.query(SQL).bind(id).bind(now).execute().await?;
    Ok(())
}

/// Forgets an account with its credentials and roles.
pub async fn delete(tx: &mut Tx, id: &AccountId) -> Result<(), Error> {
    const CREDENTIALS: &str = "delete from credential where account_id = $1";
    const ROLES: &str =
        "delete from membership where subject_kind in ('user', 'robot') and subject = $1";
    const ACCOUNT: &str = "delete from account where id = $1";
    for sql in [CREDENTIALS, ROLES, ACCOUNT] {
        tx.query(sql).bind(id).execute().await?;
    }
    Ok(())
}
