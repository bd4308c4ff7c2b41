//! Holds: that an image must not be deleted, with everything that belongs to it, whatever rules say.

use std::time::Duration;

use plura_meta::{
    Timestamp, Tx,
    audit::Origin,
    hold::{self, StoredHold},
};
use plura_oci::{Digest, RepositoryName};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    Error, Governance,
    document::check_reason,
    instant,
    record::{Leaf, record},
};

/// How long before its end a hold is shown as one that ends soon.
const SOON: Duration = Duration::from_hours(14 * 24);

/// A hold that somebody wants.
#[derive(Clone, Debug)]
pub struct NewHold {
    /// The manifest, which need not be here yet.
    pub digest: Digest,
    /// The repository; without, everywhere.
    pub repository: Option<RepositoryName>,
    /// Why: a case, a dispute.
    pub reason: String,
    /// Until when; without, until somebody releases it.
    pub until: Option<jiff::Timestamp>,
}

/// A hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DigestHold)]
pub struct ListedHold {
    /// Its name.
    pub id: String,
    /// The manifest.
    pub digest: String,
    /// The repository; nothing where it is everywhere.
    pub repository: Option<String>,
    /// Why.
    pub reason: String,
    /// Who holds it.
    pub by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub at: jiff::Timestamp,
    /// Until when; nothing where it is until somebody releases it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<jiff::Timestamp>,
    /// Whether it ends within 14 days.
    pub ends_soon: bool,
}

/// Holds, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = DigestHolds)]
pub struct HoldsPage {
    /// The holds.
    pub holds: Vec<ListedHold>,
    /// What the next page begins behind.
    pub next: Option<String>,
}

impl Governance {
    /// Holds a digest.
    pub async fn hold(&self, origin: &Origin, new: NewHold) -> Result<ListedHold, Error> {
        check_reason(&new.reason)?;
        let now = Timestamp::now();
        if new.until.is_some_and(|until| until <= instant(now)) {
            return Err(Error::Invalid("until: expected an instant in the future".to_owned()));
        }
        let NewHold { digest, repository, reason, until } = new;
        let stored = StoredHold {
            id: uuid::Uuid::now_v7().to_string(),
            digest: digest.to_string(),
            repository: repository.as_ref().map(ToString::to_string).unwrap_or_default(),
            reason: reason.clone(),
            holder: origin.actor.clone(),
            held_at: now,
            until: until.map(|until| Timestamp(until.as_millisecond())),
            released_at: None,
            released_by: None,
            released_because: None,
        };
        let leaf = Leaf::HoldPlaced { hold: stored.id.clone(), digest, repository, reason, until };
        let (origin, kept) = (origin.clone(), stored.clone());
        let registry = self.shared.registry.clone();
        let work = async move |tx: &mut Tx| {
            hold::add(tx, &kept).await?;
            // What loses its last tag meanwhile is looked at again when nobody holds it any more.
            if let Some(until) = kept.until {
                registry.review_later(tx, &digest, until).await?;
            }
            record(tx, &origin, &leaf, now).await
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.shared.registry.ask_for_log();
        Ok(ListedHold::of(stored, now))
    }

    /// Releases what is held before its time.
    pub async fn release_hold(
        &self,
        origin: &Origin,
        id: &str,
        reason: &str,
    ) -> Result<ListedHold, Error> {
        check_reason(reason)?;
        let (origin, id, reason) = (origin.clone(), id.to_owned(), reason.to_owned());
        let registry = self.shared.registry.clone();
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let by = (origin.actor.as_str(), reason.as_str());
            let released = hold::release(tx, &id, by, now).await?;
            let Some(released) = released else { return Err(Error::HoldUnknown(id)) };
            let digest: Digest =
                released.digest.parse().map_err(|_| crate::in_force::corrupt("hold.digest"))?;
            registry.review_later(tx, &digest, now).await?;
            let repository = released.repository.parse().ok();
            let leaf = Leaf::HoldReleased { hold: id, digest, repository, reason: reason.clone() };
            record(tx, &origin, &leaf, now).await?;
            Ok(ListedHold::of(released, now))
        };
        let released = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.shared.registry.ask_for_log();
        Ok(released)
    }

    /// What is held now, behind `after`; at most `limit`.
    pub async fn holds(&self, after: Option<&str>, limit: u32) -> Result<HoldsPage, Error> {
        let now = Timestamp::now();
        let mut connection = self.db().read().await?;
        let mut found = hold::list(&mut connection, after, now, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|last| last.id.clone());
        let holds = found.into_iter().map(|hold| ListedHold::of(hold, now)).collect();
        Ok(HoldsPage { holds, next })
    }
}

impl ListedHold {
    fn of(stored: StoredHold, now: Timestamp) -> Self {
        Self {
            id: stored.id,
            digest: stored.digest,
            repository: Some(stored.repository).filter(|name| !name.is_empty()),
            reason: stored.reason,
            by: stored.holder,
            at: instant(stored.held_at),
            until: stored.until.map(instant),
            ends_soon: stored.until.is_some_and(|until| until <= now.after(SOON)),
        }
    }
}
