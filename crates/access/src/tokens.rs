//! The token service of container clients.
//!
//! Sources: <https://distribution.github.io/distribution/spec/auth/token/> and `.../oauth/`.

use std::{sync::Arc, time::Duration};

use plura_meta::{Timestamp, account, audit::Event, credential};
use plura_oci::RepositoryName;
use plura_policy::{Asked, Permission, Scope, ScopeAction};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Access, Caller, Error, ISSUER, Identity, Method, Principal, SERVICE,
    secret::{Secret, SecretKind},
    signing::{AccessEntry, Expected, KeyId, TokenClaims},
};

/// What a client asks for.
#[derive(Clone, Debug, Default)]
pub struct TokenRequest {
    /// What it wants to do. What it may not do is left out of the token, without an error: the client
    /// learns when it tries.
    pub scopes: Vec<Scope>,
    /// Whether it wants a refresh token, too (`offline_token`).
    pub refresh: bool,
    /// What the client calls itself (`client_id`).
    pub client: String,
}

/// What it gets. `token` and `access_token` are the same, for clients of both protocols.
#[derive(Clone, Serialize, ToSchema)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// The same.
    pub access_token: String,
    /// How long it is valid, in seconds.
    pub expires_in: u64,
    /// Since when (RFC 3339).
    #[schema(value_type = crate::schema::Instant)]
    pub issued_at: String,
    /// What to get the next one with, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Beyond this many scopes a request is no request of a container client.
pub const MOST_SCOPES: usize = 64;

impl Access {
    /// Issues a token that allows what was asked for and the caller may do.
    pub async fn issue_token(
        &self,
        caller: &Caller,
        request: TokenRequest,
    ) -> Result<IssuedToken, Error> {
        if let Identity::Certificate(name) = &caller.principal.identity {
            let reason =
                format!("{name} shows its certificate with each request, and needs no token");
            return Err(Error::Conflict(reason));
        }
        if request.scopes.len() > MOST_SCOPES {
            return Err(Error::invalid("scope", format!("at most {MOST_SCOPES} of them")));
        }
        let entries = self.entries(&caller.principal, &request.scopes).await?;
        let refresh_token = if request.refresh && may_stay(&caller.principal) {
            Some(self.refresh_token(caller, &request.client).await?)
        } else {
            None
        };
        let life = life(&caller.principal, self.shared.settings.token_life);
        let token = self.mint(&caller.principal, entries, life).await?;
        Ok(issued(token, life, refresh_token))
    }

    /// The caller that a refresh token stands for.
    pub async fn refresh(&self, token: &str) -> Result<Arc<Principal>, Error> {
        let (proof, _) = Self::prove_secret(token, &[SecretKind::Refresh])?;
        Ok(Arc::new(self.read(&proof, Timestamp::now()).await?))
    }

    /// Ends a refresh token, as a logout does. One that is not known needs no end.
    pub async fn end_secret(&self, caller: &Caller, token: &str) -> Result<(), Error> {
        let Ok(secret) = token.parse::<Secret>() else { return Ok(()) };
        let hash = secret.hash().as_str().to_owned();
        let (origin, now) = (Arc::clone(&caller.origin), Timestamp::now());
        self.change(move |tx| {
            Box::pin(async move {
                let Some(found) = credential::find(tx, &hash).await? else { return Ok(()) };
                credential::delete(tx, &found.id).await?;
                let event = Event::done("logout", format!("credential:{}", found.id));
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                Ok(())
            })
        })
        .await
    }

    /// What of the scopes the caller may do; `None` for everything that they may.
    async fn entries(
        &self,
        principal: &Principal,
        scopes: &[Scope],
    ) -> Result<Option<Vec<AccessEntry>>, Error> {
        if scopes.contains(&Scope::Api) && principal.rights.ceiling.is_none() {
            return Ok(None);
        }
        let mut entries = Vec::new();
        for scope in scopes {
            entries.extend(self.granted(principal, scope).await?);
        }
        Ok(Some(entries))
    }

    /// What of a scope the caller may do.
    async fn granted(
        &self,
        principal: &Principal,
        scope: &Scope,
    ) -> Result<Option<AccessEntry>, Error> {
        let (pattern, wanted) = match scope {
            Scope::Repositories(pattern, wanted) => (pattern, wanted),
            Scope::Catalog => return Ok(catalog(principal)),
            Scope::Api => return Ok(None),
        };
        // A client names one repository; whoever wants more uses an API token.
        let Ok(name) = pattern.as_str().parse::<RepositoryName>() else { return Ok(None) };
        let mut actions = Vec::new();
        for action in [ScopeAction::Pull, ScopeAction::Push, ScopeAction::Delete] {
            let asked = wanted.contains(&action) || wanted.contains(&ScopeAction::All);
            if asked && self.may(principal, action.permissions(), &name).await? {
                actions.push(action.as_str().to_owned());
            }
        }
        let name = name.as_str().to_owned();
        Ok(Some(AccessEntry { resource: "repository".to_owned(), name, actions }))
    }

    async fn may(
        &self,
        principal: &Principal,
        permissions: &[Permission],
        name: &RepositoryName,
    ) -> Result<bool, Error> {
        let public = self.is_public(name).await?;
        let asked = Asked::Repository { name, public };
        Ok(permissions
            .iter()
            .all(|permission| self.decide(principal, *permission, asked).is_allowed()))
    }

    /// A token of ours for somebody; limited to `entries`, or to nothing but what they may do.
    pub(crate) async fn mint(
        &self,
        principal: &Principal,
        entries: Option<Vec<AccessEntry>>,
        life: u64,
    ) -> Result<String, Error> {
        let now = Timestamp::now().0 / 1000;
        let claims = TokenClaims {
            iss: ISSUER.to_owned(),
            sub: principal.identity.subject(),
            aud: SERVICE.to_owned(),
            exp: now.saturating_add(i64::try_from(life).unwrap_or(i64::MAX)),
            nbf: now,
            iat: now,
            jti: uuid::Uuid::now_v7().to_string(),
            access: entries,
            kind: principal.identity.kind().to_owned(),
            credential: principal.credential.clone(),
            build: principal.build.clone(),
        };
        self.sign(&claims).await
    }

    /// The claims of a token of ours, and the key that signed it.
    pub(crate) async fn verify_own(&self, text: &str) -> Result<(KeyId, TokenClaims), Error> {
        let expected = Expected { issuer: ISSUER, audience: SERVICE, now: Timestamp::now() };
        let (key, claims) = self.open_signed::<TokenClaims>(text, expected.now).await?;
        claims.check(&expected).map_err(|error| Error::BadToken(error.to_string()))?;
        Ok((key, claims))
    }

    async fn refresh_token(&self, caller: &Caller, client: &str) -> Result<String, Error> {
        let Some(id) = caller.principal.identity.account().cloned() else {
            return Err(Error::LoginRequired);
        };
        let secret = Secret::generate(SecretKind::Refresh)?;
        let hash = secret.hash().as_str().to_owned();
        let (origin, now) = (Arc::clone(&caller.origin), Timestamp::now());
        let client: String = client.chars().filter(|c| !c.is_control()).take(64).collect();
        let mut row = credential::Credential::new(id, credential::Kind::Refresh, &client, now);
        row.expires_at = Some(now.after(self.shared.settings.refresh_life));
        row.scopes =
            caller.principal.rights.ceiling.as_ref().map(|ceiling| {
                ceiling.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
            });
        self.change(move |tx| {
            Box::pin(async move {
                // An account that was deleted meanwhile gets none.
                account::find(tx, &row.account_id).await?.ok_or(Error::BadCredentials)?;
                credential::insert(tx, &row, &hash).await?;
                let event = Event::done("login", format!("credential:{}", row.id));
                plura_meta::audit::record(tx, &origin, &event, now).await?;
                Ok(())
            })
        })
        .await?;
        Ok(secret.expose().to_owned())
    }
}

/// The list of repositories, for who is not limited to something else.
fn catalog(principal: &Principal) -> Option<AccessEntry> {
    let ceiling = principal.rights.ceiling.as_ref();
    let within = ceiling.is_none_or(|ceiling| ceiling.contains(&Scope::Catalog));
    within.then(|| AccessEntry {
        resource: "registry".to_owned(),
        name: "catalog".to_owned(),
        actions: vec!["*".to_owned()],
    })
}

/// Whether a refresh token is given for what was shown: for a password, which the client need not keep
/// then. Other credentials have an end of their own, which a refresh token would outlive.
fn may_stay(principal: &Principal) -> bool {
    principal.method == Method::Password && principal.identity.is_account()
}

/// How long a token is good, in seconds: not longer than what it is got with. Otherwise one that was
/// stolen would be good for ever.
fn life(principal: &Principal, wanted: Duration) -> u64 {
    let wanted = wanted.as_secs();
    let Some(until) = principal.until else { return wanted };
    let left = until.0.saturating_sub(Timestamp::now().0).max(0) / 1000;
    wanted.min(left.unsigned_abs())
}

pub(crate) fn issued(token: String, life: u64, refresh_token: Option<String>) -> IssuedToken {
    let issued_at = crate::time::rfc3339(Timestamp::now());
    IssuedToken { access_token: token.clone(), token, expires_in: life, issued_at, refresh_token }
}

impl TokenClaims {
    /// What the token is limited to; `None` for one that is not.
    pub(crate) fn ceiling(&self) -> Option<Vec<Scope>> {
        let entries = self.access.as_ref()?;
        let scopes = entries.iter().filter_map(|entry| {
            let actions = entry.actions.join(",");
            format!("{}:{}:{actions}", entry.resource, entry.name).parse().ok()
        });
        Some(scopes.collect())
    }
}

impl Identity {
    /// Whether tokens can be made for it.
    pub fn is_account(&self) -> bool {
        self.account().is_some()
    }
}
