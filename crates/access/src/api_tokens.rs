use std::{sync::Arc, time::Duration};

use plura_meta::{
    Timestamp,
    account::{self, AccountId, Kind},
    audit::Event,
    credential::{self, Credential},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    Access, Caller, Error, schema,
    secret::{Secret, SecretKind},
    time, users,
};

/// A token that a person made for a program.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ApiToken {
    /// Its key.
    #[schema(value_type = schema::Key)]
    pub id: String,
    /// What its owner calls it.
    pub name: String,
    /// Whose it is.
    #[schema(value_type = schema::UserName)]
    pub user: String,
    /// What it is limited to; not limited if there is none.
    #[schema(value_type = Vec<schema::Scope>)]
    pub scopes: Vec<String>,
    /// Since when.
    #[schema(value_type = schema::Instant)]
    pub created_at: String,
    /// Until when.
    #[schema(value_type = Option<schema::Instant>)]
    pub expires_at: Option<String>,
    /// When it was last used, to the minute.
    #[schema(value_type = Option<schema::Instant>)]
    pub last_used_at: Option<String>,
}

/// A token to be made.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// What it is called.
    #[schema(value_type = schema::Label)]
    pub name: String,
    /// What it is limited to, as in `repository:apps/**:pull,push`; not limited if empty.
    #[serde(default)]
    #[schema(value_type = Vec<schema::Scope>, max_items = 32)]
    pub scopes: Vec<String>,
    /// For how many days it is good; for ever if not given.
    #[serde(default, deserialize_with = "crate::whole::optional")]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_in_days: Option<u32>,
}

const DAY: Duration = Duration::from_hours(24);
const MOST_SCOPES: usize = 32;
const LONGEST_LIFE: u32 = 3650;

impl Access {
    /// The tokens of a user, the oldest first.
    pub async fn api_tokens(&self, user: &str) -> Result<Vec<ApiToken>, Error> {
        let mut connection = self.read_db().await?;
        let account = account::find_named(&mut connection, user).await?;
        let account = account.filter(|account| account.kind() == Kind::User);
        let account = account.ok_or_else(|| Error::unknown("user", user))?;
        let found = credential::list(&mut connection, &account.id, credential::Kind::Token).await?;
        Ok(found.into_iter().map(|found| ApiToken::of(found, user)).collect())
    }

    /// Makes a token for the caller; it is told now and never again. Who came with a limited
    /// credential cannot make one that is not.
    pub async fn create_api_token(
        &self,
        caller: &Caller,
        new: NewApiToken,
    ) -> Result<(ApiToken, Secret), Error> {
        let user = caller.principal.identity.name().to_owned();
        let id = person(caller)?;
        users::check_text("name", Some(&new.name))?;
        if new.name.is_empty() {
            return Err(Error::invalid("name", "expected a name to know the token by"));
        }
        let now = Timestamp::now();
        let mut row = Credential::new(id, credential::Kind::Token, &new.name, now);
        row.scopes = scopes(&new.scopes)?;
        row.expires_at = expiry(new.expires_in_days, now)?;
        let secret = Secret::generate(SecretKind::ApiToken)?;
        let (hash, origin) = (secret.hash().as_str().to_owned(), Arc::clone(&caller.origin));
        let made = row.clone();
        self.change(move |tx| {
            Box::pin(async move {
                account::find(tx, &row.account_id).await?.ok_or(Error::LoginRequired)?;
                credential::insert(tx, &row, &hash).await?;
                let mut event = Event::done("token.create", format!("token:{}", row.id));
                event.detail =
                    serde_json::json!({ "name": row.name, "scopes": row.scopes }).to_string();
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await?;
        Ok((ApiToken::of(made, &user), secret))
    }

    /// Ends a token of the caller; an administrator may end anybody's.
    pub async fn delete_api_token(&self, caller: &Caller, id: &str) -> Result<(), Error> {
        let (id, caller, now) = (id.to_owned(), caller.clone(), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let found = credential::find_by_id(tx, &id).await?;
                let all = caller.principal.rights.unlimited.is_some();
                let own = caller.principal.identity.account();
                let found = found.filter(|found| {
                    found.kind == "token" && (all || Some(&found.account_id) == own)
                });
                let found = found.ok_or_else(|| Error::unknown("token", &id))?;
                credential::delete(tx, &found.id).await?;
                let mut event = Event::done("token.delete", format!("token:{id}"));
                event.detail = serde_json::json!({ "name": found.name }).to_string();
                Ok(plura_meta::audit::record(tx, &caller.origin, &event, now).await?)
            })
        })
        .await
    }
}

/// Tokens are for people; and a limited credential is not a way to one that is not.
fn person(caller: &Caller) -> Result<AccountId, Error> {
    let identity = &caller.principal.identity;
    match (identity, &caller.principal.rights.ceiling) {
        (crate::Identity::User(id, _), None) => Ok(id.clone()),
        (crate::Identity::User(..), Some(_)) => Err(Error::Conflict(
            "a token that is limited cannot make tokens; log in with the password".to_owned(),
        )),
        _ => Err(Error::Conflict(format!(
            "API tokens are for people, and {} is none; use a robot",
            identity.name()
        ))),
    }
}

fn scopes(given: &[String]) -> Result<Option<String>, Error> {
    if given.is_empty() {
        return Ok(None);
    }
    if given.len() > MOST_SCOPES {
        return Err(Error::invalid("scopes", format!("at most {MOST_SCOPES}")));
    }
    let parsed = given.iter().map(|text| {
        let scope: plura_policy::Scope =
            text.parse().map_err(|error| Error::invalid("scopes", error))?;
        if scope == plura_policy::Scope::Api {
            return Err(Error::invalid("scopes", "leave them out for a token that is not limited"));
        }
        Ok(scope.to_string())
    });
    Ok(Some(parsed.collect::<Result<Vec<_>, Error>>()?.join(" ")))
}

fn expiry(days: Option<u32>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    match days {
        None => Ok(None),
        Some(days) if (1..=LONGEST_LIFE).contains(&days) => Ok(Some(now.after(DAY * days))),
        Some(_) => Err(Error::invalid("expires_in_days", format!("expected 1 to {LONGEST_LIFE}"))),
    }
}

impl ApiToken {
    fn of(credential: Credential, user: &str) -> Self {
        let scopes = credential.scopes.unwrap_or_default();
        Self {
            id: credential.id,
            name: credential.name,
            user: user.to_owned(),
            scopes: scopes.split(' ').filter(|s| !s.is_empty()).map(ToOwned::to_owned).collect(),
            created_at: time::rfc3339(credential.created_at),
            expires_at: credential.expires_at.map(time::rfc3339),
            last_used_at: credential.last_used_at.map(time::rfc3339),
        }
    }
}
