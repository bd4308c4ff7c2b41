//! Applying the document that governs, and what was applied before.

use plura_meta::{
    Timestamp, Tx,
    audit::Origin,
    policy_version::{self, PolicyVersion},
};
use plura_oci::Digest;
use plura_policy::{
    GovernanceDocument,
    change::{self, DocumentChange},
};
use serde::Serialize;

use crate::{
    Error, Governance, blocking, instant,
    record::{Leaf, record},
};

/// The most characters of a reason.
pub(crate) const LONGEST_REASON: usize = 1000;
/// Versions that are listed at a time.
const PAGE: u32 = 100;

/// A version of the document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyVersion)]
pub struct AppliedPolicy {
    /// Its number; zero stands for the document that asks for nothing, before any was applied.
    pub version: i64,
    /// The SHA-256 of what it says.
    pub digest: String,
    /// The document in TOML, as it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// Who applied it.
    pub author: String,
    /// Why.
    pub reason: String,
    /// When.
    #[schema(value_type = Option<String>)]
    pub applied_at: Option<jiff::Timestamp>,
}

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct PolicyApplication {
    /// The version in force.
    #[serde(flatten)]
    pub policy: AppliedPolicy,
    /// What it changes.
    pub changes: DocumentChange,
    /// Its place in the log; nothing where the document in force says the same.
    pub leaf: Option<i64>,
}

impl Governance {
    /// The document in force.
    pub async fn policy(&self) -> Result<AppliedPolicy, Error> {
        let in_force = self.in_force().await?;
        Ok(match &in_force.applied {
            Some(version) => AppliedPolicy::of(version.clone()),
            None => AppliedPolicy::none(),
        })
    }

    /// A version of the document.
    pub async fn policy_version(&self, version: i64) -> Result<AppliedPolicy, Error> {
        let found = policy_version::find(&mut self.db().read().await?, version).await?;
        found.map(AppliedPolicy::of).ok_or(Error::VersionUnknown(version))
    }

    /// The versions before one, the newest first, without the documents themselves.
    pub async fn policy_history(&self, before: Option<i64>) -> Result<Vec<AppliedPolicy>, Error> {
        let before = before.unwrap_or(i64::MAX);
        let found = policy_version::list(&mut self.db().read().await?, before, PAGE).await?;
        let told = |version| AppliedPolicy { document: None, ..AppliedPolicy::of(version) };
        Ok(found.into_iter().map(told).collect())
    }

    /// What a document changes against the one in force, if it can govern.
    pub async fn compare(&self, text: String) -> Result<DocumentChange, Error> {
        let in_force = self.in_force().await?;
        let new = blocking(move || plura_policy::Governance::from_toml(&text)).await?;
        Ok(change::compare(&in_force.governance.document, &new.document))
    }

    /// Puts a document in force. If another one is expected to be in force than there is, nothing is done.
    pub async fn apply(
        &self,
        origin: &Origin,
        text: String,
        reason: &str,
        expected: Option<Digest>,
    ) -> Result<PolicyApplication, Error> {
        check_reason(reason)?;
        let (written, new) =
            blocking(move || plura_policy::Governance::from_toml(&text).map(|new| (text, new)))
                .await?;
        let before = self.in_force().await?;
        let changes = change::compare(&before.governance.document, &new.document);
        let (origin, reason, digest) = (origin.clone(), reason.to_owned(), new.source);
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let current = policy_version::current(tx).await?;
            let in_force = match &current {
                Some(current) => current.digest.clone(),
                None => GovernanceDocument::default().digest().to_string(),
            };
            if expected.is_some_and(|expected| expected.to_string() != in_force) {
                return Err(Error::PolicyChanged { in_force });
            }
            if let Some(current) = current.as_ref().filter(|one| one.digest == digest.to_string()) {
                return Ok((current.clone(), None));
            }
            let version = PolicyVersion {
                id: current.map_or(1, |current| current.id + 1),
                digest: digest.to_string(),
                document: written,
                author: origin.actor.clone(),
                reason: reason.clone(),
                applied_at: now,
            };
            policy_version::add(tx, &version).await?;
            let leaf = Leaf::PolicyApplied { version: version.id, digest, reason };
            let leaf = record(tx, &origin, &leaf, now).await?;
            Ok((version, Some(leaf)))
        };
        let (version, leaf) =
            self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(PolicyApplication { policy: AppliedPolicy::of(version), changes, leaf })
    }
}

impl AppliedPolicy {
    fn of(version: PolicyVersion) -> Self {
        Self {
            version: version.id,
            digest: version.digest,
            document: Some(version.document),
            author: version.author,
            reason: version.reason,
            applied_at: Some(instant(version.applied_at)),
        }
    }

    fn none() -> Self {
        let document = GovernanceDocument::default();
        Self {
            version: 0,
            digest: document.digest().to_string(),
            document: Some(document.to_toml()),
            author: String::new(),
            reason: String::new(),
            applied_at: None,
        }
    }
}

/// A reason is for people, and ends.
pub(crate) fn check_reason(reason: &str) -> Result<(), Error> {
    let length = reason.chars().count();
    let plain = !reason.chars().any(|c| c.is_control() && c != '\n');
    if !reason.trim().is_empty() && length <= LONGEST_REASON && plain {
        return Ok(());
    }
    Err(Error::Invalid(format!("reason: expected why, in 1 to {LONGEST_REASON} characters")))
}
