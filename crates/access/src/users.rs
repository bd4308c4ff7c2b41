use std::sync::Arc;

use plura_meta::{
    Timestamp, Tx,
    account::{self, Account, Kind},
    audit::Event,
    credential,
};
use plura_policy::AccountName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Access, Caller, Change, Error,
    password::{Password, check_strength},
    schema::{self, LONGEST_TEXT},
    secret::Secret,
    time,
};

/// A person.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct User {
    /// What they go by.
    #[schema(value_type = schema::UserName)]
    pub name: String,
    /// Their full name.
    pub display_name: String,
    /// Their address.
    pub email: Option<String>,
    /// May do everything.
    pub administrator: bool,
    /// May do nothing.
    pub disabled: bool,
    /// `local`, or `oidc` for people who log in elsewhere.
    #[schema(value_type = schema::UserSource)]
    pub source: &'static str,
    /// Since when.
    #[schema(value_type = schema::Instant)]
    pub created_at: String,
    /// When they last showed a credential, to the minute.
    #[schema(value_type = Option<schema::Instant>)]
    pub last_used_at: Option<String>,
}

/// A person to be added.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// What they go by.
    #[schema(value_type = schema::UserName)]
    pub name: AccountName,
    /// Their password; without one they cannot log in here.
    #[schema(value_type = Option<schema::NewPassword>)]
    pub password: Option<Password>,
    /// Their address.
    #[schema(value_type = Option<schema::Text>)]
    pub email: Option<String>,
    /// Their full name.
    #[schema(value_type = Option<schema::Text>)]
    pub display_name: Option<String>,
    /// May do everything.
    #[serde(default)]
    pub administrator: bool,
}

/// What is to be different; what is not given stays.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Their address; `null` for none.
    #[serde(default)]
    #[schema(value_type = Option<schema::Text>)]
    pub email: Change<String>,
    /// Their full name.
    #[schema(value_type = Option<schema::Text>)]
    pub display_name: Option<String>,
    /// May do everything.
    pub administrator: Option<bool>,
    /// May do nothing.
    pub disabled: Option<bool>,
}

impl Access {
    /// Users behind `after`, by name; at most `limit`.
    pub async fn users(&self, after: Option<&str>, limit: u32) -> Result<Vec<User>, Error> {
        let mut connection = self.read_db().await?;
        let found = account::list(&mut connection, Kind::User, None, after, limit).await?;
        Ok(found.iter().map(User::of).collect())
    }

    /// One user.
    pub async fn user(&self, name: &str) -> Result<User, Error> {
        let found = account::find_named(&mut self.read_db().await?, name).await?;
        let found = found.filter(|account| account.kind() == Kind::User);
        Ok(User::of(&found.ok_or_else(|| Error::unknown("user", name))?))
    }

    /// Adds a user. With the first administrator an open server closes.
    pub async fn create_user(&self, caller: &Caller, new: NewUser) -> Result<User, Error> {
        if new.name.is_robot() {
            return Err(Error::invalid("name", "names of people have no `+`"));
        }
        check_text("email", new.email.as_deref())?;
        check_text("display_name", new.display_name.as_deref())?;
        let now = Timestamp::now();
        let mut account = Account::new(Kind::User, new.name.as_str(), now);
        account.email = new.email;
        account.display_name = new.display_name.unwrap_or_default();
        account.administrator = new.administrator;
        if let Some(password) = &new.password {
            account.password_hash = Some(self.hash(password, new.name.as_str()).await?);
        }
        let origin = Arc::clone(&caller.origin);
        self.change(move |tx| {
            Box::pin(async move {
                if !account::insert(tx, &account).await? {
                    let taken = format!("the name `{}` is taken", account.name);
                    return Err(Error::Conflict(taken));
                }
                let mut event = Event::done("user.create", format!("user:{}", account.name));
                event.detail =
                    serde_json::json!({ "administrator": account.administrator }).to_string();
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                Ok(User::of(&account))
            })
        })
        .await
    }

    /// Changes a user. The last administrator stays one.
    pub async fn change_user(
        &self,
        caller: &Caller,
        name: &str,
        change: ChangeUser,
    ) -> Result<User, Error> {
        check_text("email", change.email.value().map(String::as_str))?;
        check_text("display_name", change.display_name.as_deref())?;
        let (name, origin, now) = (name.to_owned(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let mut account = find(tx, &name).await?;
                let detail = serde_json::json!({
                    "administrator": change.administrator,
                    "disabled": change.disabled,
                });
                account.email = change.email.apply(account.email);
                account.display_name = change.display_name.unwrap_or(account.display_name);
                account.administrator = change.administrator.unwrap_or(account.administrator);
                account.disabled = change.disabled.unwrap_or(account.disabled);
                account::update(tx, &account).await?;
                if account.disabled {
                    // So that they log in again when they may.
                    end_logins(tx, &account).await?;
                }
                check_administrator(tx).await?;
                let event = Event::done("user.update", format!("user:{name}"));
                let event = Event { detail: detail.to_string(), ..event };
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                Ok(User::of(&account))
            })
        })
        .await
    }

    /// Removes a user with their tokens and roles. What they did stays in the audit.
    pub async fn delete_user(&self, caller: &Caller, name: &str) -> Result<(), Error> {
        let (name, origin, now) = (name.to_owned(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let account = find(tx, &name).await?;
                account::delete(tx, &account.id).await?;
                check_administrator(tx).await?;
                let event = Event::done("user.delete", format!("user:{name}"));
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await
    }

    /// Sets a password, and ends every session and refresh token. Who sets their own shows the one
    /// that they had.
    pub async fn set_password(
        &self,
        caller: &Caller,
        name: &str,
        current: Option<&Password>,
        new: &Password,
        address: std::net::IpAddr,
    ) -> Result<(), Error> {
        if caller.principal.identity.name() == name {
            let current = current.ok_or_else(|| Error::invalid("current", "expected"))?;
            self.check_password(name, current, address).await?;
        }
        let hash = self.hash(new, name).await?;
        let (name, origin, now) = (name.to_owned(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let mut account = find(tx, &name).await?;
                if account.issuer.is_some() {
                    let reason = format!("{name} logs in elsewhere and has no password here");
                    return Err(Error::Conflict(reason));
                }
                account.password_hash = Some(hash);
                account::update(tx, &account).await?;
                end_logins(tx, &account).await?;
                let event = Event::done("user.password", format!("user:{name}"));
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await
    }

    /// Ends every session and refresh token of a user; how many there were.
    pub async fn end_sessions(&self, caller: &Caller, name: &str) -> Result<u64, Error> {
        let (name, origin, now) = (name.to_owned(), Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let account = find(tx, &name).await?;
                let ended = end_logins(tx, &account).await?;
                let event = Event::done("user.logout", format!("user:{name}"));
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                Ok(ended)
            })
        })
        .await
    }

    async fn hash(&self, password: &Password, name: &str) -> Result<String, Error> {
        check_strength(password, name).map_err(|weak| Error::invalid("password", weak))?;
        // Where a password is asked for, these are taken for what they look like.
        if Secret::is_one(password.expose()) || password.expose().starts_with("eyJ") {
            let reason = "it looks like a token; choose one that does not begin like that";
            return Err(Error::invalid("password", reason));
        }
        Ok(self.shared.hasher.hash(password).await?)
    }
}

async fn find(tx: &mut Tx, name: &str) -> Result<Account, Error> {
    let found = account::find_named(tx, name).await?;
    let found = found.filter(|account| account.kind() == Kind::User);
    found.ok_or_else(|| Error::unknown("user", name))
}

async fn end_logins(tx: &mut Tx, account: &Account) -> Result<u64, Error> {
    let kinds = [credential::Kind::Session, credential::Kind::Refresh];
    Ok(credential::delete_all(tx, &account.id, &kinds).await?)
}

/// Without an administrator nobody could let anybody in again, and an open server would open.
async fn check_administrator(tx: &mut Tx) -> Result<(), Error> {
    if account::has_administrator(tx).await? {
        return Ok(());
    }
    Err(Error::Conflict("this is the last administrator; make another one first".to_owned()))
}

pub(crate) fn check_text(field: &'static str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    if text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
        let reason =
            format!("expected at most {LONGEST_TEXT} characters without control characters");
        return Err(Error::invalid(field, reason));
    }
    Ok(())
}

impl User {
    pub(crate) fn of(account: &Account) -> Self {
        Self {
            name: account.name.clone(),
            display_name: account.display_name.clone(),
            email: account.email.clone(),
            administrator: account.administrator,
            disabled: account.disabled,
            source: if account.issuer.is_some() { "oidc" } else { "local" },
            created_at: time::rfc3339(account.created_at),
            last_used_at: account.last_used_at.map(time::rfc3339),
        }
    }
}
