//! Logins at an issuer.
//!
//! A login that was begun is kept by the browser that began it, in a cookie that is signed as tokens
//! are: nothing of it is in a process, so that the browser may come back to another one, and logins that
//! nobody finishes take no room. What is in the cookie (`nonce`, PKCE's verifier) proves that who
//! finishes is who began, and is no secret from that one. That it is finished once is in the database.

use plura_meta::{Timestamp, Tx, trust};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::{
    Access, Caller, Error, ISSUER, Method, OidcLogin, authenticate,
    oidc::{Begun, LONGEST_LOGIN, same},
    secret::Secret,
};

/// For whom a login is kept: no token of ours has this audience, so that neither passes for the other.
const AUDIENCE: &str = "plura:login";

/// Where somebody goes after a login is not kept if it is longer: browsers drop large cookies.
const LONGEST_NEXT: usize = 1024;

/// A login that was begun at the issuer.
#[derive(Clone)]
pub struct BegunLogin {
    /// Where to send the browser.
    pub authorization_url: String,
    /// What the browser has to bring back in a cookie.
    pub kept: String,
}

/// What the cookie says.
#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    iss: String,
    aud: String,
    exp: i64,
    iat: i64,
    state: String,
    nonce: String,
    verifier: String,
    next: String,
}

impl Access {
    /// Begins a login at the issuer. `next` is where the browser goes afterwards.
    pub async fn begin_oidc(&self, next: &str) -> Result<BegunLogin, Error> {
        let OidcLogin { provider, .. } = self.oidc()?;
        let now = Timestamp::now().0 / 1000;
        let begun = provider.begin(&self.shared.issuers, now).await?;
        let kept = Kept {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            exp: now.saturating_add(LONGEST_LOGIN),
            iat: now,
            state: begun.state,
            nonce: begun.nonce,
            verifier: begun.verifier,
            next: if next.len() <= LONGEST_NEXT { next.to_owned() } else { "/".to_owned() },
        };
        let kept = self.sign(&kept).await?;
        Ok(BegunLogin { authorization_url: begun.authorization_url, kept })
    }

    /// Finishes the login that is `kept`, with the state and code that the browser brought: the
    /// session's secret, and where the browser wanted to go.
    pub async fn finish_oidc(
        &self,
        caller: &Caller,
        kept: &str,
        state: &str,
        code: &str,
    ) -> Result<(Secret, String), Error> {
        let login = self.oidc()?;
        let now = Timestamp::now();
        let kept = self.kept(kept, now).await?;
        if !same(&kept.state, state) {
            return Err(unknown("this login was begun in another browser; begin again"));
        }
        self.use_once(&kept).await?;
        let begun = Begun {
            authorization_url: String::new(),
            state: kept.state,
            nonce: kept.nonce,
            verifier: kept.verifier,
            started_at: kept.iat,
        };
        let issuers = &self.shared.issuers;
        let person = login.provider.finish(issuers, code, state, begun, now.0 / 1000).await?;
        let account = self.federated(caller, login, person).await?;
        Ok((self.begin_session(caller, &account, Method::Oidc).await?, kept.next))
    }

    async fn kept(&self, text: &str, now: Timestamp) -> Result<Kept, Error> {
        let begun_elsewhere = "this login was not begun here; begin again";
        let (_, kept) = self.open_signed::<Kept>(text, now).await.map_err(|error| match error {
            Error::BadToken(_) => unknown(begun_elsewhere),
            other => other,
        })?;
        if kept.iss != ISSUER || kept.aud != AUDIENCE {
            return Err(unknown(begun_elsewhere));
        }
        if now.0 / 1000 >= kept.exp {
            return Err(unknown("this login was begun too long ago; begin again"));
        }
        Ok(kept)
    }

    async fn use_once(&self, kept: &Kept) -> Result<(), Error> {
        let used = authenticate::hex(&Sha256::digest(kept.state.as_bytes()));
        let until = Timestamp(kept.exp.saturating_mul(1000));
        let work = async move |tx: &mut Tx| {
            if trust::use_nonce(tx, AUDIENCE, &used, until).await? {
                return Ok(());
            }
            Err(unknown("this login was finished before; begin again"))
        };
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    fn oidc(&self) -> Result<&OidcLogin, Error> {
        let login = self.shared.settings.oidc.as_ref();
        login.ok_or(Error::NotConfigured(
            "login at an issuer is not set up (settings `access.oidc`)",
        ))
    }
}

fn unknown(reason: &str) -> Error {
    Error::invalid("state", reason)
}

impl std::fmt::Debug for BegunLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BegunLogin(..)")
    }
}
