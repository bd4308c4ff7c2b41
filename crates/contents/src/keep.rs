//! Keeping what was read of images.

use std::collections::BTreeMap;

use plura_meta::{
    Tx,
    audit::{self, Event, Origin},
    contents::{
        image::{self, Kept, NewImage},
        package::{self, NewPackage, PackageId},
        review::{self, Review},
    },
};
use plura_oci::RepositoryName;

use crate::{
    Contents, Error,
    image::{Document, ReadImage},
};

/// Packages that are looked for at a time, and that are added with one transaction: others wait for it.
const LOOKED_FOR: usize = 1000;
const ADDED: usize = 200;
/// How often is tried again what somebody else's deletion came between.
const TRIES: u32 = 3;

impl Contents {
    /// Keeps what was read of an image, and ends the review that asked for it.
    pub(crate) async fn keep(
        &self,
        repository: &RepositoryName,
        read: &ReadImage,
        review: Option<Review>,
    ) -> Result<(), Error> {
        let events = [Some(told(repository, read)), secrets(repository, read)];
        let events: Vec<Event> = events.into_iter().flatten().collect();
        for _ in 0..TRIES {
            let packages = self.intern(&read.packages).await?;
            let (new, events) = (read.new.clone(), events.clone());
            let work = async move |tx: &mut Tx| keep(tx, &new, &packages, review, &events).await;
            let kept = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
            if kept != Kept::PackagesGone {
                break;
            }
        }
        Ok(())
    }

    /// The keys of packages, which are made known if they are not.
    async fn intern(&self, packages: &[NewPackage]) -> Result<Vec<PackageId>, Error> {
        let mut keys = Vec::with_capacity(packages.len());
        for some in packages.chunks(LOOKED_FOR) {
            let mut known = self.known_packages(some).await?;
            let missing: Vec<NewPackage> = some
                .iter()
                .filter(|package| !known.contains_key(package.identity.as_str()))
                .cloned()
                .collect();
            if !missing.is_empty() {
                self.add_packages(missing).await?;
                known = self.known_packages(some).await?;
            }
            keys.extend(known.into_values());
        }
        Ok(keys)
    }

    async fn known_packages(
        &self,
        packages: &[NewPackage],
    ) -> Result<BTreeMap<String, PackageId>, Error> {
        let identities: Vec<&str> =
            packages.iter().map(|package| package.identity.as_str()).collect();
        let found = package::find(&mut self.db().read().await?, &identities).await?;
        Ok(found.into_iter().map(|(key, identity)| (identity, key)).collect())
    }

    async fn add_packages(&self, packages: Vec<NewPackage>) -> Result<(), Error> {
        for some in packages.chunks(ADDED) {
            let some = some.to_vec();
            let work = async move |tx: &mut Tx| package::intern(tx, &some).await;
            self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        }
        Ok(())
    }

    /// Ends a review, unless it was asked for again.
    pub(crate) async fn finish(&self, review: Review) -> Result<(), Error> {
        let work = async move |tx: &mut Tx| review::finish(tx, &review).await;
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }
}

async fn keep(
    tx: &mut Tx,
    new: &NewImage,
    packages: &[PackageId],
    review: Option<Review>,
    events: &[Event],
) -> Result<Kept, Error> {
    let kept = image::keep(tx, new, packages).await?;
    if kept == Kept::PackagesGone {
        return Ok(kept);
    }
    if let Some(review) = review {
        review::finish(tx, &review).await?;
    }
    if kept == Kept::First {
        for event in events {
            audit::record(tx, &Origin::system(), event, new.read_at).await?;
        }
    }
    Ok(kept)
}

/// What is told when an image was read for the first time.
fn told(repository: &RepositoryName, read: &ReadImage) -> Event {
    let digest = read.new.digest.to_string();
    let mut event = Event::in_repository("contents.read", repository.as_str(), &digest);
    let (packages, complete) = (read.packages.len(), read.new.problem.is_none());
    event.detail = serde_json::json!({ "packages": packages, "complete": complete }).to_string();
    event
}

/// What is told when an image turns out to hold secrets: how many of which kind, and no more.
fn secrets(repository: &RepositoryName, read: &ReadImage) -> Option<Event> {
    let Document { facts, configuration, .. } = &read.document;
    let found = facts.findings.iter().map(|found| &found.finding);
    let mut rules = BTreeMap::<String, u64>::new();
    for finding in found.chain(&configuration.findings) {
        *rules.entry(finding.rule.to_string()).or_default() += 1;
    }
    if rules.is_empty() {
        return None;
    }
    let digest = read.new.digest.to_string();
    let mut event = Event::in_repository("contents.secrets", repository.as_str(), &digest);
    event.detail = serde_json::json!({ "rules": rules }).to_string();
    Some(event)
}
