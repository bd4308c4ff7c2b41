//! What the log keeps of channels: every move, and every promotion that ended otherwise.

use plura_meta::{Timestamp, Tx, audit::Origin, channel::Name, log};
use plura_oci::{Digest, RepositoryName};
use plura_policy::gate::GateDecision;
use serde::Serialize;

use crate::{Error, instant};

/// An entry of the log.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Leaf<'a> {
    r#type: &'static str,
    at: jiff::Timestamp,
    actor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<&'a RepositoryName>,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous: Option<&'a Digest>,
    /// The number of the move.
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    promotion: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The digests of the document and of the facts that it was decided by and from.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a Digest>,
    /// What was put aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    break_glass: Option<&'a str>,
}

impl<'a> Leaf<'a> {
    pub(crate) fn new(r#type: &'static str, origin: &Origin, now: Timestamp) -> Self {
        Self {
            r#type,
            at: instant(now),
            actor: actor_of(origin),
            channel: None,
            service: None,
            digest: None,
            repository: None,
            previous: None,
            number: None,
            promotion: None,
            reason: None,
            policy: None,
            facts: None,
            break_glass: None,
        }
    }

    pub(crate) fn about(self, name: &'a Name, digest: &'a Digest) -> Self {
        let channel = Some(format!("{}:{}", name.environment, name.tag));
        Self { channel, service: Some(&name.service), digest: Some(digest), ..self }
    }

    pub(crate) fn from(self, repository: &'a RepositoryName) -> Self {
        Self { repository: Some(repository), ..self }
    }

    pub(crate) fn moved(self, number: i64, previous: Option<&'a Digest>) -> Self {
        Self { number: Some(number), previous, ..self }
    }

    pub(crate) fn of_promotion(self, id: &'a str) -> Self {
        Self { promotion: Some(id), ..self }
    }

    pub(crate) fn because(self, reason: &'a str) -> Self {
        Self { reason: Some(reason).filter(|reason| !reason.is_empty()), ..self }
    }

    pub(crate) fn decided(self, decision: Option<&'a GateDecision>) -> Self {
        let policy = decision.map(|decision| &decision.policy);
        Self { policy, facts: decision.map(|decision| &decision.facts), ..self }
    }

    pub(crate) fn breaking_glass(self, reason: Option<&'a str>) -> Self {
        Self { break_glass: reason, ..self }
    }
}

/// Who did it, with the kind of identity: names of different kinds may be alike.
pub(crate) fn actor_of(origin: &Origin) -> String {
    format!("{}:{}", origin.actor_kind, origin.actor)
}

/// Adds an entry to the log; its position.
pub(crate) async fn append(
    tx: &mut Tx,
    subject: &str,
    leaf: &Leaf<'_>,
    now: Timestamp,
) -> Result<i64, Error> {
    let document = serde_json::to_vec(leaf).unwrap_or_default();
    // What was there before is found by it as well: that it was taken away is about it.
    let digests: Vec<Digest> =
        [leaf.digest, leaf.previous].into_iter().flatten().copied().collect();
    let entry =
        log::NewEntry { kind: leaf.r#type, subject, digests: &digests, document: &document };
    Ok(log::append(tx, &entry, now).await?)
}
