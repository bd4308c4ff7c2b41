//! Where advisories are from, and how old they are.

use std::collections::BTreeMap;

use plura_meta::{
    Timestamp,
    advisory::{self, Source},
    audit::{self, Event, Origin},
};
use serde::{Deserialize, Serialize};

use crate::{Error, Skipped, Vulnerabilities, import::check_name, instant};

/// The advisories that are in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct AdvisoriesStatus {
    /// What to call all of them together: another one means other answers.
    pub digest: String,
    /// When the advisory was changed that was changed last.
    #[schema(value_type = Option<String>)]
    pub newest: Option<jiff::Timestamp>,
    /// How many seconds ago that was.
    pub age_seconds: Option<i64>,
    /// How many there are, those of several sources counted for each.
    pub advisories: u64,
    /// Packages of images that are still to be matched with them.
    pub waiting: u64,
    /// Where they are from, by name.
    pub sources: Vec<SourceStatus>,
}

/// A source of advisories.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// Where they were read.
    pub location: String,
    /// What it consists of.
    pub digest: String,
    /// Since when it is in force.
    #[schema(value_type = String)]
    pub imported_at: jiff::Timestamp,
    /// When the advisory was changed that was changed last.
    #[schema(value_type = Option<String>)]
    pub newest: Option<jiff::Timestamp>,
    /// How many it has, those that were withdrawn among them.
    pub advisories: u64,
    /// What was counted when it was read.
    #[serde(flatten)]
    pub counts: SourceCounts,
}

/// What was counted when a source was read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SourceCounts {
    /// Advisories that were withdrawn.
    #[serde(default)]
    pub withdrawn: u64,
    /// Advisories by ecosystem. One may be about several.
    #[serde(default)]
    pub ecosystems: BTreeMap<String, u64>,
    /// What was left out, and why.
    #[serde(default)]
    pub skipped: Skipped,
}

impl Vulnerabilities {
    /// The advisories that are in force.
    pub async fn status(&self) -> Result<AdvisoriesStatus, Error> {
        let in_force = self.in_force().await?;
        let newest = in_force.newest().map(instant);
        let now = instant(Timestamp::now());
        Ok(AdvisoriesStatus {
            newest,
            age_seconds: newest.map(|newest| now.duration_since(newest).as_secs().max(0)),
            advisories: in_force.sources.iter().map(|one| one.advisories.unsigned_abs()).sum(),
            waiting: self.waiting().await?,
            sources: in_force.sources.into_iter().map(SourceStatus::of).collect(),
            digest: in_force.basis,
        })
    }

    /// Takes the advisories of a source out of force.
    pub async fn remove_source(&self, origin: &Origin, name: &str) -> Result<(), Error> {
        if check_name(name).is_err() {
            return Err(Error::SourceUnknown(name.to_owned()));
        }
        let (origin, owned) = (origin.clone(), name.to_owned());
        let work = async move |tx: &mut plura_meta::Tx| {
            if !advisory::remove(tx, &owned).await? {
                return Err(Error::SourceUnknown(owned));
            }
            let event = Event::done("advisories.remove", format!("advisories:{owned}"));
            audit::record(tx, &origin, &event, Timestamp::now()).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.ask();
        Ok(())
    }
}

impl SourceStatus {
    pub(crate) fn of(source: Source) -> Self {
        Self {
            counts: serde_json::from_str(&source.document).unwrap_or_default(),
            name: source.name,
            location: source.location,
            digest: source.digest,
            imported_at: instant(source.imported_at),
            newest: source.newest.map(instant),
            advisories: source.advisories.unsigned_abs(),
        }
    }
}
