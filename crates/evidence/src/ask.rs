//! Asking what is known, and finding it out.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use plura_meta::{
    RepositoryId, Timestamp,
    audit::{self, Event, Origin},
    evidence::{self, Change, Known, NewEvidence, Review},
};
use plura_oci::{Digest, Reference, RepositoryName};
use plura_trust::{PolicyDocument, Question, TrustPolicy, Verdict, judge};

use crate::{
    Error, Evidence, ManifestEvidence,
    decide::decide,
    gather::{Gathered, gather, instant},
    trusted::Trusted,
};

/// How deep indexes are looked for: an index in an index is rare, and deeper ones are made to tire.
const MAX_DEPTH: usize = 4;

/// Evidence that was found out, and is to be kept.
#[derive(Clone, Debug)]
pub(crate) struct Renewed {
    pub(crate) evidence: ManifestEvidence,
    review: Option<Review>,
    repository: RepositoryId,
    /// Whether it is about something that is itself only about another manifest: nobody waits to hear
    /// that a signature is not signed.
    is_attached: bool,
    children: Vec<Digest>,
    new: NewEvidence,
}

impl Evidence {
    /// What is known of a manifest.
    ///
    /// Usually that is one look into one index. If something changed since, it is found out first.
    pub async fn of(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<ManifestEvidence, Error> {
        let trusted = self.trusted().await?;
        let known = self.known(repository, reference).await?;
        if let Some(current) = current(&known, &trusted.basis(repository), Timestamp::now()) {
            return Ok(current);
        }
        if is_nothing_said(&known) {
            let nothing = Gathered::default();
            return Ok(decide(repository, known.digest, &nothing, &[], &trusted).0);
        }
        let renewed = self.find_out(repository, &known, &trusted).await?;
        let evidence = renewed.evidence.clone();
        self.keep(vec![renewed]).await?;
        Ok(evidence)
    }

    /// What a policy would say about a manifest, whether it is in force or not. Nothing is kept.
    pub async fn judge_by(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
        document: &PolicyDocument,
    ) -> Result<Verdict, Error> {
        let policy = TrustPolicy::new(document)?;
        let trusted = self.trusted().await?;
        let known = self.known(repository, reference).await?;
        let _permit = self.shared.gathering.acquire().await;
        let (id, digest) = (known.repository, known.digest);
        let gathered = gather(&self.shared.registry, (id, repository), digest).await?;
        let verdict = move || {
            let question = Question {
                digest: &digest,
                children: &gathered.children,
                policy: &policy,
                root: &trusted.root,
                now: instant(Timestamp::now()),
            };
            judge(&gathered.presented, &question)
        };
        Ok(blocking(verdict).await)
    }

    pub(crate) async fn trusted(&self) -> Result<Arc<Trusted>, Error> {
        self.shared.trusted.get(self.db()).await
    }

    pub(crate) async fn known(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Known, Error> {
        let known = evidence::find(&mut self.db().read().await?, repository, reference).await?;
        known.ok_or_else(|| Error::ManifestUnknown(reference.clone()))
    }

    /// Finds out what is known of a manifest.
    pub(crate) async fn find_out(
        &self,
        repository: &RepositoryName,
        known: &Known,
        trusted: &Arc<Trusted>,
    ) -> Result<Renewed, Error> {
        let _permit = self.shared.gathering.acquire().await;
        self.look_into(repository, known, trusted, 0).await
    }

    fn look_into<'a>(
        &'a self,
        repository: &'a RepositoryName,
        known: &'a Known,
        trusted: &'a Arc<Trusted>,
        depth: usize,
    ) -> BoxFuture<'a, Result<Renewed, Error>> {
        Box::pin(async move {
            let (id, digest) = (known.repository, known.digest);
            let gathered = gather(&self.shared.registry, (id, repository), digest).await?;
            let mut indexes = Vec::new();
            if depth < MAX_DEPTH {
                for index in &gathered.indexes {
                    indexes.extend(self.of_index(repository, *index, trusted, depth + 1).await?);
                }
            }
            let (children, is_attached) = (gathered.children.clone(), gathered.is_attached);
            let (name, deciding) = (repository.clone(), Arc::clone(trusted));
            let decide = move || decide(&name, digest, &gathered, &indexes, &deciding);
            let (evidence, until) = blocking(decide).await;
            let new = NewEvidence {
                basis: trusted.basis(repository),
                verified: evidence.verified,
                document: serde_json::to_string(&evidence).unwrap_or_default(),
                gathered_at: Timestamp(evidence.gathered_at.as_millisecond()),
                until,
            };
            let review = known.asked.map(|asked| Review { repository: id, digest, asked });
            Ok(Renewed { evidence, review, repository: id, is_attached, children, new })
        })
    }

    /// What is known of an index, for the sake of its children.
    async fn of_index(
        &self,
        repository: &RepositoryName,
        digest: Digest,
        trusted: &Arc<Trusted>,
        depth: usize,
    ) -> Result<Option<ManifestEvidence>, Error> {
        let known = match self.known(repository, &Reference::Digest(digest)).await {
            Err(Error::ManifestUnknown(_)) => return Ok(None),
            known => known?,
        };
        if let Some(current) = current(&known, &trusted.basis(repository), Timestamp::now()) {
            return Ok(Some(current));
        }
        if is_nothing_said(&known) {
            return Ok(None);
        }
        Ok(Some(self.look_into(repository, &known, trusted, depth).await?.evidence))
    }

    /// Keeps what was found out, in one transaction with its events.
    pub(crate) async fn keep(&self, all: Vec<Renewed>) -> Result<(), Error> {
        let work = async move |tx: &mut plura_meta::Tx| {
            let mut asks = false;
            for one in &all {
                let digest = one.evidence.digest;
                let before = evidence::keep(tx, one.repository, &digest, &one.new).await?;
                if let Some(review) = &one.review {
                    evidence::finish(tx, review).await?;
                }
                let Some(event) = before.and_then(|before| event(&one.evidence, before)) else {
                    continue;
                };
                if !one.is_attached {
                    audit::record(tx, &Origin::system(), &event, one.new.gathered_at).await?;
                }
                // What the children have from it is another now.
                evidence::ask(tx, one.repository, &one.children).await?;
                asks |= !one.children.is_empty();
            }
            Ok::<_, Error>(asks)
        };
        if self.db().write(move |tx| Box::pin(async move { work(tx).await })).await? {
            self.shared.registry.ask_for_evidence();
        }
        Ok(())
    }
}

/// Whether nobody has said anything about it, which would have asked for a review.
fn is_nothing_said(known: &Known) -> bool {
    known.kept.is_none() && known.asked.is_none()
}

/// What is known, if it still holds.
fn current(known: &Known, basis: &str, now: Timestamp) -> Option<ManifestEvidence> {
    let kept = known.kept.as_ref().filter(|_| known.asked.is_none())?;
    let holds = kept.basis == basis && kept.until.is_none_or(|until| now < until);
    // What an older version wrote in another form is found out again.
    holds.then(|| serde_json::from_str(&kept.document).ok()).flatten()
}

/// What is to be told of a change; nothing where nothing became true or ceased to be.
fn event(evidence: &ManifestEvidence, before: Change) -> Option<Event> {
    let before = match before {
        // Before a manifest is looked at, nobody vouches for it.
        Change::First => evidence.verified.map(|_| false),
        Change::From(before) => before,
    };
    if before == evidence.verified {
        return None;
    }
    let (repository, digest) = (evidence.repository.as_str(), evidence.digest.to_string());
    let mut event = Event::in_repository("evidence.change", repository, &digest);
    let verdicts: Vec<_> = evidence
        .verdicts
        .iter()
        .map(|verdict| {
            serde_json::json!({
                "policy": verdict.policy,
                "verified": verdict.verified,
                "signers": verdict.signers,
                "reason": verdict.reason.as_ref().map(|refusal| refusal.reason),
            })
        })
        .collect();
    let detail = serde_json::json!({
        "verified": evidence.verified, "before": before, "verdicts": verdicts,
    });
    event.detail = detail.to_string();
    Some(event)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
