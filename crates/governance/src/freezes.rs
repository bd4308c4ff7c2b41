//! Freezes beside those of the document: that nothing moves into some channels for now.

use plura_meta::{
    Timestamp, Tx,
    audit::Origin,
    channel_freeze::{self, StoredFreeze},
};
use plura_policy::Glob;
use serde::Serialize;

use crate::{
    Error, Governance,
    document::check_reason,
    instant,
    record::{Leaf, record},
};

/// Freezes that hold at a time.
const MOST: usize = 500;
/// The most characters of a pattern.
const LONGEST_PATTERN: usize = 128;

/// A freeze that somebody wants.
#[derive(Clone, Debug)]
pub struct NewFreeze {
    /// The pattern of the channels: `prod:*`.
    pub channels: String,
    /// Why.
    pub reason: String,
    /// When it begins; at once, if nothing is said.
    pub begins: Option<jiff::Timestamp>,
    /// When it ends.
    pub ends: jiff::Timestamp,
}

/// A freeze.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = ChannelFreeze)]
pub struct ListedFreeze {
    /// Its name.
    pub id: String,
    /// The pattern of the channels.
    pub channels: String,
    /// Why.
    pub reason: String,
    /// Who decided so.
    pub by: String,
    /// When it begins.
    #[schema(value_type = String)]
    pub begins: jiff::Timestamp,
    /// When it ends.
    #[schema(value_type = String)]
    pub ends: jiff::Timestamp,
}

impl Governance {
    /// Begins a freeze.
    pub async fn freeze(&self, origin: &Origin, new: NewFreeze) -> Result<ListedFreeze, Error> {
        check_reason(&new.reason)?;
        check_pattern(&new.channels)?;
        let now = Timestamp::now();
        let begins = new.begins.unwrap_or(instant(now)).max(instant(now));
        if new.ends <= begins {
            return Err(Error::Invalid("until: expected an instant in the future".to_owned()));
        }
        let stored = StoredFreeze {
            id: uuid::Uuid::now_v7().to_string(),
            channels: new.channels.clone(),
            reason: new.reason.clone(),
            author: origin.actor.clone(),
            begins_at: Timestamp(begins.as_millisecond()),
            ends_at: Timestamp(new.ends.as_millisecond()),
            ended_at: None,
            ended_by: None,
        };
        let leaf = Leaf::FreezeBegun {
            freeze: stored.id.clone(),
            channels: new.channels,
            reason: new.reason,
            begins,
            ends: new.ends,
        };
        let (origin, kept) = (origin.clone(), stored.clone());
        let work = async move |tx: &mut Tx| {
            if channel_freeze::in_force(tx, now).await?.len() >= MOST {
                return Err(Error::Invalid(format!("at most {MOST} freezes hold at a time")));
            }
            channel_freeze::add(tx, &kept).await?;
            record(tx, &origin, &leaf, now).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(ListedFreeze::of(stored))
    }

    /// Ends a freeze before its time.
    pub async fn unfreeze(&self, origin: &Origin, id: &str) -> Result<(), Error> {
        let (origin, id) = (origin.clone(), id.to_owned());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            let ended = channel_freeze::end(tx, &id, &origin.actor, now).await?;
            let Some(ended) = ended else { return Err(Error::FreezeUnknown(id)) };
            let leaf = Leaf::FreezeEnded { freeze: id, channels: ended.channels };
            record(tx, &origin, &leaf, now).await
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(())
    }

    /// The freezes that are not over, the oldest first.
    pub async fn freezes(&self) -> Result<Vec<ListedFreeze>, Error> {
        let mut connection = self.db().read().await?;
        let found = channel_freeze::in_force(&mut connection, Timestamp::now()).await?;
        Ok(found.into_iter().map(ListedFreeze::of).collect())
    }
}

impl ListedFreeze {
    fn of(stored: StoredFreeze) -> Self {
        Self {
            id: stored.id,
            channels: stored.channels,
            reason: stored.reason,
            by: stored.author,
            begins: instant(stored.begins_at),
            ends: instant(stored.ends_at),
        }
    }
}

fn check_pattern(pattern: &str) -> Result<(), Error> {
    if pattern.chars().count() > LONGEST_PATTERN {
        let message = format!("channels: expected at most {LONGEST_PATTERN} characters");
        return Err(Error::Invalid(message));
    }
    let parsed = pattern.parse::<Glob>();
    parsed.map(drop).map_err(|error| Error::Invalid(format!("channels: {error}")))
}
