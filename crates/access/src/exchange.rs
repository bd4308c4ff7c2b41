//! Tokens of other issuers, exchanged for tokens of ours: no secret in a CI job, none in a cluster.

use std::sync::Arc;

use plura_meta::{Connection, Timestamp, Tx, audit::Event, build::Build, trust};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Access, Caller, Error, Identity, Method, Principal,
    known::{Known, Proof},
    oidc::{Claims, TokenError, TrustKind, claimed_issuer},
    rights,
    signing::TokenClaims,
    trust::{Trust, parse},
};

/// What an exchange gives.
#[derive(Clone, Serialize, ToSchema)]
pub struct Exchanged {
    /// A token of ours.
    pub token: String,
    /// How long it is valid, in seconds.
    pub expires_in: u64,
    /// Whom it stands for.
    pub identity: String,
    /// The trust entry that allowed it.
    pub trust: String,
}

/// An exchange that was refused.
#[derive(Debug)]
pub struct RefusedExchange {
    /// Why.
    pub error: Error,
    /// Whom the token names, for the audit: only where its issuer signed it, and it is an issuer that
    /// an entry trusts. Otherwise anybody may have written it.
    pub subject: Option<String>,
}

/// Longer subjects are cut in the audit.
const LONGEST_SUBJECT: usize = 256;

impl RefusedExchange {
    fn of_signed(error: impl Into<Error>, claims: &Claims) -> Self {
        let plain = claims.subject.chars().filter(|character| !character.is_control());
        Self { error: error.into(), subject: Some(plain.take(LONGEST_SUBJECT).collect()) }
    }
}

impl<E: Into<Error>> From<E> for RefusedExchange {
    fn from(error: E) -> Self {
        Self { error: error.into(), subject: None }
    }
}

impl Access {
    /// Exchanges a token of another issuer. `name` picks a trust entry where several would do.
    pub async fn exchange(
        &self,
        caller: &Caller,
        token: &str,
        name: Option<&str>,
    ) -> Result<Exchanged, RefusedExchange> {
        let now = Timestamp::now();
        let fault = |error: std::io::Error| Error::System(error.to_string());
        plura_fault::point("access.exchange").map_err(fault)?;
        let (entry, claims) = self.trusted(token, name, now).await?;
        let subject = claims.subject.clone();
        let identity = Identity::Workload { trust: entry.name.clone(), subject };
        let mut principal =
            Principal::without_credential(identity, Method::Oidc, plura_policy::Rights::default());
        let noted = self.note_exchange(caller, &principal, (&entry, &claims), now).await;
        noted.map_err(|error| RefusedExchange::of_signed(error, &claims))?;
        // Changing the entry ends the tokens that it has led to.
        principal.credential = Some(entry.mark());
        principal.build = build_of(entry.kind(), &claims).map(Arc::new);
        let token = self.mint(&principal, None, entry.token_seconds).await?;
        Ok(Exchanged {
            token,
            expires_in: entry.token_seconds,
            identity: principal.identity.name().to_owned(),
            trust: entry.name,
        })
    }

    /// A token as a password: one of ours as it is; one of a cluster's service account, which may be
    /// shown many times, is exchanged on the way.
    pub(crate) async fn foreign_or_own(&self, text: &str) -> Result<Arc<Principal>, Error> {
        if claimed_issuer(text).is_ok_and(|issuer| issuer == crate::ISSUER) {
            return self.bearer(text).await;
        }
        let (memory, now) = (&self.shared.memory, Timestamp::now());
        let key = [b"foreign ", text.as_bytes()].concat();
        if let Known::Fresh(principal) = memory.look(&key, now) {
            return Ok(principal);
        }
        let generation = memory.generation();
        // Failures are not counted as those of passwords are: nobody guesses a signature, and one pod
        // with a token that has ended must not lock out the others behind the same address.
        let trusted = self.trusted(text, None, now).await;
        let (entry, claims) = trusted.map_err(|refused| refused.error)?;
        if entry.kind() != TrustKind::Kubernetes {
            let reason = "such a token is used once: exchange it at /auth/exchange";
            return Err(Error::NotTrusted(reason.to_owned()));
        }
        let subject = claims.subject.clone();
        let identity = Identity::Workload { trust: entry.name.clone(), subject };
        let rights = rights::of_trust(&mut self.read_db().await?, &entry.name).await?;
        let mut principal = Principal::without_credential(identity, Method::Oidc, rights);
        principal.credential = Some(entry.mark());
        let until = Timestamp(claims.expires_at.saturating_mul(1000));
        principal.until = Some(until);
        let proof = Proof::Secret { hash: String::new() };
        Ok(memory.keep(&key, generation, (proof, until), principal))
    }

    /// The entry that accepts a token, and what the token says. All entries of the token's issuer are
    /// asked; the reason of the last is told, since most installations have one.
    async fn trusted(
        &self,
        token: &str,
        name: Option<&str>,
        now: Timestamp,
    ) -> Result<(Trust, Claims), RefusedExchange> {
        let issuer = claimed_issuer(token)?;
        let rows = trust::list(&mut self.read_db().await?).await?;
        let nobody = Error::NotTrusted(match name {
            Some(name) => format!("there is no entry `{name}` for its issuer"),
            None => "none is for its issuer".to_owned(),
        });
        let mut refused = RefusedExchange::from(nobody);
        for row in rows {
            let entry = parse(&row)?;
            if entry.rule.issuer != issuer || name.is_some_and(|name| name != entry.name) {
                continue;
            }
            let (expected, seconds) = (entry.expected(), now.0 / 1000);
            let claims = match self.shared.issuers.signed(token, &expected, seconds).await {
                Err(error @ TokenError::NoKeys { .. }) => return Err(error.into()),
                Err(error) => {
                    refused = error.into();
                    continue;
                }
                Ok(claims) => claims,
            };
            let valid = claims.check(&expected, seconds).map_err(Error::from);
            let matches = |()| {
                let matched = entry.rule.matches(&claims);
                matched.map_err(|mismatch| Error::NotTrusted(mismatch.to_string()))
            };
            match valid.and_then(matches) {
                Ok(()) => return Ok((entry, claims)),
                Err(error) => refused = RefusedExchange::of_signed(error, &claims),
            }
        }
        Err(refused)
    }

    /// Records the exchange, and that the token was used: once, where its issuer numbers them.
    async fn note_exchange(
        &self,
        caller: &Caller,
        principal: &Principal,
        (entry, claims): (&Trust, &Claims),
        now: Timestamp,
    ) -> Result<(), Error> {
        let nonce = match entry.kind() {
            // A pod shows the same token until the kubelet brings the next.
            TrustKind::Kubernetes => None,
            _ => claims.nonce(),
        };
        let issuer = claims.issuer.clone();
        let mut event = Event::done("token.exchange", format!("trust:{}", entry.name));
        event.detail = serde_json::json!({
            "subject": claims.subject,
            "jti": claims.jwt_id,
            "run_id": claims.get("run_id"),
            "sha": claims.get("sha"),
        })
        .to_string();
        // Who asks is what the token says.
        let origin = principal.origin(&caller.origin);
        let work = async move |tx: &mut Tx| {
            if let Some(nonce) = nonce {
                let until = Timestamp(nonce.keep_until.saturating_mul(1000));
                if !trust::use_nonce(tx, &issuer, &nonce.value, until).await? {
                    return Err(Error::NotTrusted("it was used before (`jti`)".to_owned()));
                }
            }
            plura_meta::audit::record(tx, &origin, &event, now).await?;
            Ok(())
        };
        self.shared.db.write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    pub(crate) async fn read_workload(
        &self,
        connection: &mut Connection,
        claims: &TokenClaims,
    ) -> Result<Principal, Error> {
        let ended = || Error::BadToken("its trust entry was changed or removed".to_owned());
        let rest = claims.sub.strip_prefix("trust:").ok_or_else(ended)?;
        let (name, subject) = rest.split_once(':').ok_or_else(ended)?;
        let row = trust::find(connection, name).await?.ok_or_else(ended)?;
        let entry = parse(&row)?;
        if claims.credential.as_deref() != Some(entry.mark().as_str()) {
            return Err(ended());
        }
        let (trust, subject) = (name.to_owned(), subject.to_owned());
        let identity = Identity::Workload { trust, subject };
        let rights = rights::of_trust(connection, name).await?;
        Ok(Principal::without_credential(identity, Method::Bearer, rights))
    }
}

/// The run of a build that a token was given to: what those kinds of issuers say of it. Provenance
/// names the same.
fn build_of(kind: TrustKind, claims: &Claims) -> Option<Build> {
    let text = |name: &str| match claims.get(name) {
        Some(serde_json::Value::String(text)) => Some(text.clone()),
        Some(serde_json::Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    let (repository, run) = match kind {
        TrustKind::GitHub => (text("repository")?, text("run_id")?),
        // The job that pushes may be another than the one that built, which provenance names.
        TrustKind::GitLab => (text("project_path")?, String::new()),
        TrustKind::Kubernetes | TrustKind::Generic => return None,
    };
    let host = match kind {
        // What runs on github.com has an issuer of its own; elsewhere it is a path of the server.
        TrustKind::GitHub => {
            claims.issuer.strip_suffix("/_services/token").unwrap_or("https://github.com")
        }
        _ => claims.issuer.trim_end_matches('/'),
    };
    Some(Build { source: format!("{host}/{repository}"), revision: text("sha")?, run })
}
