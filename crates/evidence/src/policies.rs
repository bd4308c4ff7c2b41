//! Changing whom to trust.

use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    evidence, trust_policy,
};
use plura_oci::Digest;
use plura_trust::{PolicyDocument, TrustPolicy, TrustRoot};

use crate::{Error, Evidence, gather::instant};

/// A trust policy that is in force.
#[derive(Clone, Debug)]
pub struct StoredTrustPolicy {
    /// What it says.
    pub document: PolicyDocument,
    /// Its SHA-256, as verdicts name it.
    pub source: Digest,
    /// Since when it is so.
    pub changed_at: jiff::Timestamp,
}

/// The trust root that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RootInForce {
    /// Whether it was set; else it is the one that plura brings along.
    pub is_set: bool,
    /// Its SHA-256, as verdicts name it.
    pub source: Option<Digest>,
    /// Who issues certificates for identities.
    pub authorities: Vec<String>,
    /// Who says when something was signed.
    pub timestamp_authorities: Vec<String>,
    /// Logs of signatures.
    pub logs: Vec<String>,
    /// Logs of certificates.
    pub certificate_logs: Vec<String>,
}

impl Evidence {
    /// All trust policies, by name.
    pub async fn policies(&self) -> Result<Vec<StoredTrustPolicy>, Error> {
        let stored = trust_policy::list(&mut self.db().read().await?).await?;
        stored.iter().map(read).collect()
    }

    /// The trust policy of that name.
    pub async fn policy(&self, name: &str) -> Result<StoredTrustPolicy, Error> {
        let all = self.policies().await?;
        let found = all.into_iter().find(|policy| policy.document.name == name);
        found.ok_or_else(|| Error::PolicyUnknown(name.to_owned()))
    }

    /// Puts a trust policy in force, in the place of the one with its name; whether there was none.
    pub async fn put_policy(
        &self,
        origin: &Origin,
        document: &PolicyDocument,
    ) -> Result<(StoredTrustPolicy, bool), Error> {
        let policy = TrustPolicy::new(document)?;
        let stored = trust_policy::StoredPolicy {
            name: document.name.clone(),
            document: serde_json::to_string(document).unwrap_or_default(),
            changed_at: Timestamp::now(),
        };
        let mut event = Event::done("trust-policy.put", format!("trust-policy:{}", policy.name));
        event.detail = serde_json::json!({ "policy": policy.source }).to_string();
        let result = read(&stored)?;
        let is_new = self.change(origin, event, Change::Put(stored)).await?;
        Ok((result, is_new))
    }

    /// Takes a trust policy out of force.
    pub async fn remove_policy(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        let event = Event::done("trust-policy.delete", format!("trust-policy:{name}"));
        if self.change(origin, event, Change::Remove(name.to_owned())).await? {
            return Ok(());
        }
        Err(Error::PolicyUnknown(name.to_owned()))
    }

    /// The trust root that is in force.
    pub async fn root(&self) -> Result<RootInForce, Error> {
        let is_set = trust_policy::root(&mut self.db().read().await?).await?.is_some();
        Ok(described(&self.trusted().await?.root, is_set))
    }

    /// Puts another trust root in force: a `trusted_root.json` of Sigstore's format.
    pub async fn set_root(&self, origin: &Origin, document: &str) -> Result<RootInForce, Error> {
        let root = TrustRoot::from_json(document.as_bytes())?;
        let mut event = Event::done("trust-root.put", "trust-root");
        event.detail = serde_json::json!({ "root": root.source }).to_string();
        self.change(origin, event, Change::SetRoot(document.to_owned())).await?;
        Ok(described(&root, true))
    }

    /// Puts the trust root in force again that plura brings along.
    pub async fn reset_root(&self, origin: &Origin) -> Result<RootInForce, Error> {
        let event = Event::done("trust-root.delete", "trust-root");
        self.change(origin, event, Change::ResetRoot).await?;
        Ok(described(&TrustRoot::sigstore()?, false))
    }

    /// Changes whom to trust, and has everything decided anew that was decided otherwise; what the change
    /// says of itself.
    async fn change(&self, origin: &Origin, event: Event, change: Change) -> Result<bool, Error> {
        let origin = origin.clone();
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let done = change.make(tx, now).await?;
            if done || !change.is_removal() {
                audit::record(tx, &origin, &event, now).await?;
                evidence::begin_walk(tx).await?;
            }
            Ok::<_, Error>(done)
        };
        let done = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await;
        self.shared.trusted.forget();
        self.shared.registry.ask_for_evidence();
        done
    }
}

/// A change of whom to trust.
#[derive(Debug)]
enum Change {
    Put(trust_policy::StoredPolicy),
    Remove(String),
    SetRoot(String),
    ResetRoot,
}

impl Change {
    /// Makes it; whether there was nothing in the place of what was put, or something to remove.
    async fn make(&self, tx: &mut Tx, now: Timestamp) -> Result<bool, Error> {
        Ok(match self {
            Self::Put(policy) => trust_policy::put(tx, policy).await?,
            Self::Remove(name) => trust_policy::delete(tx, name).await?,
            Self::SetRoot(document) => {
                trust_policy::set_root(tx, document, now).await?;
                true
            }
            Self::ResetRoot => trust_policy::unset_root(tx).await?,
        })
    }

    fn is_removal(&self) -> bool {
        matches!(self, Self::Remove(_) | Self::ResetRoot)
    }
}

fn read(stored: &trust_policy::StoredPolicy) -> Result<StoredTrustPolicy, Error> {
    let corrupt = |error: &dyn std::fmt::Display| {
        plura_meta::Error::Corrupt(format!("trust_policy.document of {}: {error}", stored.name))
    };
    let document: PolicyDocument =
        serde_json::from_str(&stored.document).map_err(|error| corrupt(&error))?;
    let source = TrustPolicy::new(&document).map_err(|refusal| corrupt(&refusal))?.source;
    Ok(StoredTrustPolicy { document, source, changed_at: instant(stored.changed_at) })
}

fn described(root: &TrustRoot, is_set: bool) -> RootInForce {
    let authorities = |authorities: &[plura_trust::Authority]| {
        authorities.iter().map(|authority| authority.name.clone()).collect()
    };
    let logs = |logs: &[plura_trust::LogKey]| logs.iter().map(|log| log.name.clone()).collect();
    RootInForce {
        is_set,
        source: root.source,
        authorities: authorities(&root.authorities),
        timestamp_authorities: authorities(&root.timestamp_authorities),
        logs: logs(&root.logs),
        certificate_logs: logs(&root.certificate_logs),
    }
}
