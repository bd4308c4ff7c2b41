//! Tokens of other issuers, exchanged for tokens of ours: no secret in a CI job, none in a cluster.

use std::sync::Arc;

use plura_meta::{Connection, Timestamp, Tx, audit::Event, trust};
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

impl Access {
    /// Exchanges a token of another issuer. `name` picks a trust entry where several would do.
    pub async fn exchange(
        &self,
        caller: &Caller,
        token: &str,
        name: Option<&str>,
    ) -> Result<Exchanged, Error> {
        let now = Timestamp::now();
        let (entry, claims) = self.trusted(token, name, now).await?;
        self.note_exchange(caller, &entry, &claims, now).await?;
        let identity = Identity::Workload { trust: entry.name.clone(), subject: claims.subject };
        let mut principal =
            Principal::without_credential(identity, Method::Oidc, plura_policy::Rights::default());
        // Changing the entry ends the tokens that it has led to.
        principal.credential = Some(entry.mark());
        let token = self.mint(&principal, None, entry.token_seconds)?;
        Ok(Exchanged {
            token,
            expires_in: entry.token_seconds,
            identity: principal.identity.name().to_owned(),
            trust: entry.name,
        })
    }

    /// A token as a password: one of ours as it is; one of a cluster's service account, which may be
    /// shown many times, is exchanged on the way.
    pub(crate) async fn foreign_or_own(
        &self,
        text: &str,
        address: std::net::IpAddr,
    ) -> Result<Arc<Principal>, Error> {
        if claimed_issuer(text).is_ok_and(|issuer| issuer == crate::ISSUER) {
            return self.bearer(text).await;
        }
        let (memory, now) = (&self.shared.memory, Timestamp::now());
        let key = [b"foreign ", text.as_bytes()].concat();
        if let Known::Fresh(principal) = memory.look(&key, now) {
            return Ok(principal);
        }
        let lockout = &self.shared.lockout;
        let instant = std::time::Instant::now();
        lockout.check("", address, instant).map_err(|locked| Error::Locked(locked.retry_after))?;
        let generation = memory.generation();
        let trusted = self.trusted(text, None, now).await;
        let (entry, claims) = trusted.inspect_err(|_| lockout.failed("", address, instant))?;
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
    ) -> Result<(Trust, Claims), Error> {
        let issuer = claimed_issuer(token)?;
        let rows = trust::list(&mut self.read_db().await?).await?;
        let mut refused = Error::NotTrusted(match name {
            Some(name) => format!("there is no entry `{name}` for its issuer"),
            None => "none is for its issuer".to_owned(),
        });
        for row in rows {
            let entry = parse(&row)?;
            if entry.rule.issuer != issuer || name.is_some_and(|name| name != entry.name) {
                continue;
            }
            match self.shared.issuers.verify(token, &entry.expected(), now.0 / 1000).await {
                Err(error @ TokenError::NoKeys { .. }) => return Err(error.into()),
                Err(error) => refused = error.into(),
                Ok(claims) => match entry.rule.matches(&claims) {
                    Ok(()) => return Ok((entry, claims)),
                    Err(mismatch) => refused = Error::NotTrusted(mismatch.to_string()),
                },
            }
        }
        Err(refused)
    }

    /// Records the exchange, and that the token was used: once, where its issuer numbers them.
    async fn note_exchange(
        &self,
        caller: &Caller,
        entry: &Trust,
        claims: &Claims,
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
        let origin = Arc::clone(&caller.origin);
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
