//! Matching packages with the advisories in force, and keeping what they have.

use plura_advisories::{Band, Match};
use plura_meta::{
    PackageId, Timestamp,
    audit::{self, Event, Origin},
    vulnerability::{self, Changes, NewMatch, Unmatched},
};

use crate::{
    Error, Vulnerabilities,
    package::PackageDocument,
    set::{InForce, Loaded},
};

/// Matches that are held in memory and written with one commit. The packages of a kernel have thousands.
const MOST_MATCHES: usize = 20_000;

/// What packages have, to be kept.
#[derive(Debug, Default)]
struct Matched {
    /// Packages that were never matched before.
    new: Vec<PackageId>,
    /// Packages that were matched with other advisories.
    again: Vec<PackageId>,
    matches: Vec<NewMatch>,
}

impl Vulnerabilities {
    /// Matches packages and keeps what they have; `false` if other advisories came in force meanwhile.
    pub(crate) async fn match_packages(
        &self,
        loaded: &Loaded,
        packages: Vec<Unmatched>,
    ) -> Result<bool, Error> {
        let (set, basis) = (std::sync::Arc::clone(&loaded.set), loaded.in_force.basis.clone());
        let matched = crate::blocking(move || {
            let mut matched = Matched::default();
            for package in packages {
                matched.add(&set, &package);
                // What is left is found the next time.
                if matched.matches.len() > MOST_MATCHES {
                    break;
                }
            }
            Ok(matched)
        });
        let matched = matched.await?;
        let work = async move |tx: &mut plura_meta::Tx| {
            if InForce::read(tx).await?.basis != basis {
                return Ok(false);
            }
            let now = Timestamp::now();
            vulnerability::replace(tx, &basis, &matched.new, &matched.matches, now).await?;
            let changes =
                vulnerability::replace(tx, &basis, &matched.again, &matched.matches, now).await?;
            if changes != Changes::default() {
                let event = changed(changes, matched.again.len());
                audit::record(tx, &Origin::system(), &event, now).await?;
            }
            Ok::<_, Error>(true)
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }
}

impl Matched {
    fn add(&mut self, set: &plura_advisories::AdvisorySet, package: &Unmatched) {
        let list = if package.matched.is_none() { &mut self.new } else { &mut self.again };
        list.push(package.id);
        let advised = match PackageDocument::read(&package.document) {
            Ok(document) => document.advised(),
            // Whoever asks about an image that has it is told so; the others need not wait for it.
            Err(error) => {
                tracing::error!(%error, "a package cannot be matched");
                None
            }
        };
        let Some(advised) = advised else { return };
        let found = set.match_package(&advised);
        self.matches.extend(found.iter().map(|found| kept(package.id, found)));
    }
}

fn kept(package: PackageId, found: &Match) -> NewMatch {
    NewMatch {
        package,
        vulnerability: found.vulnerability.to_string(),
        severity: rank(found.severity.band),
        fixed_in: found.fixed.first().map(|version| version.replace('\0', "\u{fffd}")),
        document: serde_json::to_string(found).unwrap_or_default(),
    }
}

/// As the database compares severities.
fn rank(band: Band) -> i64 {
    match band {
        Band::Unknown => 0,
        Band::Negligible => 1,
        Band::Low => 2,
        Band::Medium => 3,
        Band::High => 4,
        Band::Critical => 5,
    }
}

/// That what was known of packages is another now.
fn changed(changes: Changes, packages: usize) -> Event {
    let detail = serde_json::json!({
        "packages": packages,
        "added": changes.added,
        "changed": changes.changed,
        "removed": changes.removed,
    });
    let event = Event::done("vulnerabilities.change", "advisories");
    Event { detail: detail.to_string(), ..event }
}
