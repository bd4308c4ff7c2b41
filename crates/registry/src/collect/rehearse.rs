//! The dry run: decides as a run does, in the same order, and remembers what it would have changed
//! instead of changing it. A run that follows at once does exactly what it says.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use plura_meta::{
    Connection, RepositoryId, Timestamp, manifest,
    review::{self, Kind, Only, Order, Review},
};
use plura_oci::Digest;

use super::{
    BATCH, CollectReport, Decision, item,
    judge::{Gone, judge},
    unordered,
};
use crate::{Error, KeepUntagged, Registry, manifests::kept_by};

type Subject = (Kind, Option<RepositoryId>, Digest);

struct Rehearsal {
    connection: Connection,
    now: Timestamp,
    grace: std::time::Duration,
    reviews_manifests: bool,
    only: Option<Only>,
    gone: Gone,
    /// The reviews that a run would have moved, and to when, or decided.
    moved: HashMap<Subject, Option<Timestamp>>,
    /// Those of them that are due again.
    again: BTreeMap<Order, Review>,
    /// Reviews of the database that were read and not yet taken.
    page: VecDeque<Review>,
    /// Behind which the next page begins.
    after: Option<Review>,
    /// By how much the reviews that are not due become more.
    more_waiting: u64,
}

impl Registry {
    /// Decides as [`Registry::run`] does, without changing anything.
    pub(super) async fn rehearse(
        &self,
        repository: Option<RepositoryId>,
        now: Timestamp,
    ) -> Result<CollectReport, Error> {
        let mut report = CollectReport { dry_run: true, ..CollectReport::default() };
        if repository.is_none() {
            report.uploads = self.stale_uploads(now).await?.len() as u64;
        }
        let mut rehearsal = Rehearsal {
            connection: self.db().read().await?,
            now,
            grace: self.settings().grace,
            reviews_manifests: self.settings().untagged_review().is_some(),
            only: repository.map(|repository| Only { repository, blobs: BTreeSet::new() }),
            gone: Gone::default(),
            moved: HashMap::new(),
            again: BTreeMap::new(),
            page: VecDeque::new(),
            after: None,
            more_waiting: 0,
        };
        let keep = self.settings().keep_untagged;
        loop {
            let batch = rehearsal.batch().await?;
            if batch.is_empty() {
                let waiting = review::count_waiting(&mut rehearsal.connection, now).await?;
                report.waiting = waiting + rehearsal.more_waiting;
                return Ok(report);
            }
            for review in batch {
                rehearsal.decide(&review, keep, &mut report).await?;
            }
        }
    }
}

impl Rehearsal {
    /// The reviews that a run would take in its next transaction.
    async fn batch(&mut self) -> Result<Vec<Review>, Error> {
        let mut batch = Vec::new();
        while batch.len() < BATCH as usize {
            let stored = self.next_stored().await?.map(Review::order);
            let again = self.again.keys().next().copied();
            let next = match (stored, again) {
                (None, None) => break,
                (Some(stored), Some(again)) if again < stored => self.again.remove(&again),
                (None, Some(again)) => self.again.remove(&again),
                (Some(_), _) => self.page.pop_front(),
            };
            batch.extend(next);
        }
        Ok(batch)
    }

    /// The first review of the database that a run would still find there.
    async fn next_stored(&mut self) -> Result<Option<&Review>, Error> {
        loop {
            while self.page.front().is_some_and(|review| self.moved.contains_key(&subject(review)))
            {
                self.page.pop_front();
            }
            if !self.page.is_empty() {
                return Ok(self.page.front());
            }
            let (only, after) = (self.only.as_ref(), self.after.as_ref());
            let page = review::due(&mut self.connection, self.now, only, after, BATCH).await?;
            let Some(last) = page.last() else { return Ok(None) };
            if after.is_some_and(|after| last.order() <= after.order()) {
                return Err(unordered("review"));
            }
            self.after = Some(last.clone());
            self.page = page.into();
        }
    }

    async fn decide(
        &mut self,
        review: &Review,
        keep: KeepUntagged,
        report: &mut CollectReport,
    ) -> Result<(), Error> {
        let due_at = match self.moved.insert(subject(review), None) {
            None => Some(review.due_at),
            Some(moved) => moved,
        };
        let Some(due_at) = due_at else { return Ok(()) };
        if due_at > self.now {
            self.moved.insert(subject(review), Some(due_at));
            return Ok(());
        }
        self.again.remove(&Review { due_at, ..review.clone() }.order());
        let judged = judge(&mut self.connection, review, keep, &self.gone).await?;
        let Some(judgement) = judged else { return Ok(()) };
        report.add(item(&mut self.connection, review, &judgement).await?);
        if judgement.decision == Decision::Delete {
            self.gone.add(review);
            self.consequences(review).await?;
        }
        Ok(())
    }

    /// What deleting would have reviewed.
    async fn consequences(&mut self, review: &Review) -> Result<(), Error> {
        let Some(repository) = review.repository else { return Ok(()) };
        if review.kind == Kind::Link {
            return self.schedule((Kind::Blob, None, review.digest), self.now).await;
        }
        let connection = &mut self.connection;
        let references =
            manifest::reference_digests(connection, repository, &review.digest).await?;
        let mut kept = kept_by(connection, repository, &references).await?;
        let referrers = manifest::referrer_digests(connection, repository, &review.digest).await?;
        kept.manifests.extend(referrers);
        kept.links.retain(|digest| !self.gone.links.contains(&(repository, *digest)));
        kept.manifests.retain(|digest| !self.gone.manifests.contains(&(repository, *digest)));
        if !self.reviews_manifests {
            kept.manifests.clear();
        }
        let links = kept.links.into_iter().map(|digest| (Kind::Link, digest));
        let manifests = kept.manifests.into_iter().map(|digest| (Kind::Manifest, digest));
        for (kind, digest) in links.chain(manifests) {
            self.schedule((kind, Some(repository), digest), self.now.after(self.grace)).await?;
        }
        Ok(())
    }

    /// As [`review::schedule`]: a review that is pending moves to the later instant.
    async fn schedule(&mut self, subject: Subject, due_at: Timestamp) -> Result<(), Error> {
        let (kind, repository, digest) = subject;
        let before = match self.moved.get(&subject) {
            Some(moved) => *moved,
            None => review::find(&mut self.connection, kind, repository, &digest).await?,
        };
        let moved =
            Review { kind, repository, digest, due_at: before.map_or(due_at, |b| b.max(due_at)) };
        if let Some(before) = before {
            self.again.remove(&Review { due_at: before, ..moved.clone() }.order());
        }
        self.moved.insert(subject, Some(moved.due_at));
        if moved.due_at <= self.now {
            self.again.insert(moved.order(), moved);
        } else if before.is_none_or(|before| before <= self.now) {
            self.more_waiting += 1;
        }
        Ok(())
    }
}

fn subject(review: &Review) -> Subject {
    (review.kind, review.repository, review.digest)
}
