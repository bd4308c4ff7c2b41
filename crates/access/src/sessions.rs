//! Sessions of people with a browser, who logged in with a password here, or at an issuer.

use std::sync::Arc;

use plura_meta::{
    Timestamp, Tx,
    account::{self, Account, Kind},
    audit::Event,
    credential::{self, Credential},
};
use plura_policy::AccountName;

use crate::{
    Access, Caller, Error, Method, OidcLogin,
    oidc::Identity,
    password::Password,
    secret::{Secret, SecretKind},
};

impl Access {
    /// Begins a session with a password; the secret goes into a cookie.
    pub async fn login(
        &self,
        caller: &Caller,
        name: &str,
        password: &Password,
        address: std::net::IpAddr,
    ) -> Result<Secret, Error> {
        let (id, _) = self.check_password(name, password, address).await?;
        let found = account::find(&mut self.read_db().await?, &id).await?;
        self.begin_session(caller, &found.ok_or(Error::BadCredentials)?, Method::Password).await
    }

    /// The account of a person that an issuer vouches for, made at the first login. The issuer's own
    /// key counts, not the name, which somebody else may have tomorrow.
    pub(crate) async fn federated(
        &self,
        caller: &Caller,
        login: &OidcLogin,
        person: Identity,
    ) -> Result<Account, Error> {
        let administrator = login.administrator_group.clone();
        let (origin, now) = (Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let found = account::find_federated(tx, &person.issuer, &person.subject).await?;
                let groups = serde_json::to_string(&person.groups).unwrap_or_default();
                let first = found.is_none();
                let mut account = match found {
                    Some(account) => account,
                    None => new_account(&person, now)?,
                };
                if account.disabled {
                    return Err(Error::BadCredentials);
                }
                account.groups = groups;
                account.email = person.email.or(account.email);
                if let Some(group) = administrator {
                    account.administrator = person.groups.contains(&group);
                }
                save(tx, &account, first).await?;
                if first {
                    let event = Event::done("user.create", format!("user:{}", account.name));
                    plura_meta::audit::record(tx, &origin, &event, now).await?;
                }
                Ok(account)
            })
        })
        .await
    }

    pub(crate) async fn begin_session(
        &self,
        caller: &Caller,
        account: &Account,
        method: Method,
    ) -> Result<Secret, Error> {
        let secret = Secret::generate(SecretKind::Session)?;
        let (hash, now) = (secret.hash().as_str().to_owned(), Timestamp::now());
        let mut row = Credential::new(account.id.clone(), credential::Kind::Session, "", now);
        row.expires_at = Some(now.after(self.shared.settings.session_life));
        let mut origin = (*caller.origin).clone();
        "user".clone_into(&mut origin.actor_kind);
        origin.actor.clone_from(&account.name);
        method.as_str().clone_into(&mut origin.method);
        self.change(move |tx| {
            Box::pin(async move {
                credential::insert(tx, &row, &hash).await?;
                let event = Event::done("login", format!("credential:{}", row.id));
                Ok(plura_meta::audit::record(tx, &origin, &event, now).await?)
            })
        })
        .await?;
        Ok(secret)
    }
}

async fn save(tx: &mut Tx, account: &Account, first: bool) -> Result<(), Error> {
    if !first {
        return Ok(account::update(tx, account).await?);
    }
    if account::insert(tx, account).await? {
        return Ok(());
    }
    let name = &account.name;
    Err(Error::Conflict(format!("there is another user `{name}`; ask an administrator")))
}

fn new_account(person: &Identity, now: Timestamp) -> Result<Account, Error> {
    let name = person.name.as_deref().unwrap_or(&person.subject).to_lowercase();
    let name: AccountName = name.parse().map_err(|_| {
        Error::Conflict(format!(
            "the issuer calls you `{name}`, which cannot be a user's name here"
        ))
    })?;
    if name.is_robot() {
        return Err(Error::Conflict("the issuer gives you a robot's name".to_owned()));
    }
    let mut account = Account::new(Kind::User, name.as_str(), now);
    account.issuer = Some(person.issuer.clone());
    account.subject = Some(person.subject.clone());
    account.display_name = person.name.clone().unwrap_or_default();
    Ok(account)
}
