//! Results of checks that were done elsewhere, such as synthetic tests.

use plura_meta::{
    Timestamp, Tx,
    audit::{self, Event, Origin},
    posted_check::{self, PostedCheck},
};
use plura_oci::{Reference, RepositoryName};
use plura_policy::facts::CheckState;
use serde::Serialize;

use crate::{Error, Governance, instant};

/// Checks of a digest that are kept.
const MOST: u32 = 1000;
/// The most characters of a check's name.
const LONGEST_NAME: usize = 128;
/// The most characters of what is said about a result.
const LONGEST_DETAIL: usize = 2000;

/// A result that somebody posts.
#[derive(Clone, Debug)]
pub struct NewCheck {
    /// The repository.
    pub repository: RepositoryName,
    /// The manifest.
    pub reference: Reference,
    /// What the check is called.
    pub name: String,
    /// How it went.
    pub state: CheckState,
    /// More about it; empty where nothing is said.
    pub detail: String,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = PostedCheck)]
pub struct ListedCheck {
    /// The repository.
    pub repository: String,
    /// The manifest.
    pub digest: String,
    /// What the check is called.
    pub name: String,
    /// How it went: `success`, `failure`, `pending`.
    pub state: String,
    /// More about it; empty where nothing was said.
    pub detail: String,
    /// Who says so.
    pub by: String,
    /// When.
    #[schema(value_type = String)]
    pub at: jiff::Timestamp,
}

impl Governance {
    /// Keeps the result of a check, in the place of the one that the same robot posted before.
    pub async fn post_check(&self, origin: &Origin, new: NewCheck) -> Result<ListedCheck, Error> {
        check_name(&new.name)?;
        if new.detail.chars().count() > LONGEST_DETAIL {
            let message = format!("detail: expected at most {LONGEST_DETAIL} characters");
            return Err(Error::Invalid(message));
        }
        let (digest, _) = self.authored(&new.repository, &new.reference).await?;
        let check = PostedCheck {
            repository: new.repository.to_string(),
            digest: digest.to_string(),
            name: new.name,
            poster: origin.actor.clone(),
            state: word(new.state).to_owned(),
            detail: new.detail.replace('\0', " "),
            posted_at: Timestamp::now(),
        };
        let event = Event::in_repository("check.post", &check.repository, &check.digest);
        let detail = serde_json::json!({ "name": check.name, "state": check.state });
        let event = Event { detail: detail.to_string(), ..event };
        let (origin, kept) = (origin.clone(), check.clone());
        let work = async move |tx: &mut Tx| {
            let (count, known) = posted_check::count(tx, &kept).await?;
            if count >= i64::from(MOST) && !known {
                return Err(Error::Invalid(format!("a digest has at most {MOST} checks")));
            }
            posted_check::post(tx, &kept).await?;
            audit::record(tx, &origin, &event, kept.posted_at).await?;
            Ok(())
        };
        self.change(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(ListedCheck::of(check))
    }

    /// The results about a manifest, by name.
    pub async fn checks(
        &self,
        repository: &RepositoryName,
        reference: &Reference,
    ) -> Result<Vec<ListedCheck>, Error> {
        let (digest, _) = self.authored(repository, reference).await?;
        let mut connection = self.db().read().await?;
        let found = posted_check::list(&mut connection, repository, &digest, MOST).await?;
        Ok(found.into_iter().map(ListedCheck::of).collect())
    }
}

impl ListedCheck {
    fn of(stored: PostedCheck) -> Self {
        Self {
            repository: stored.repository,
            digest: stored.digest,
            name: stored.name,
            state: stored.state,
            detail: stored.detail,
            by: stored.poster,
            at: instant(stored.posted_at),
        }
    }
}

fn word(state: CheckState) -> &'static str {
    match state {
        CheckState::Success => "success",
        CheckState::Failure => "failure",
        CheckState::Pending => "pending",
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let plain = name.chars().all(|c| !c.is_control());
    if plain && !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME {
        return Ok(());
    }
    Err(Error::Invalid(format!("name: expected 1 to {LONGEST_NAME} characters, such as `smoke`")))
}
