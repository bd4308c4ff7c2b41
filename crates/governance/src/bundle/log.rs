//! What the log has about an image: its entries, each with the proof that it is part of what was signed.

use std::{collections::BTreeSet, time::Duration};

use plura_meta::log::{self, Filter, LoggedEntry};
use plura_oci::{Digest, RepositoryName};
use plura_vulnerabilities::{ImageVulnerabilities, SuppressionKind};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Governance, ReportError};

/// The keys that the log was ever signed with, as lines that verifiers read.
pub(super) const LOG_KEYS: &str = "log/keys";
/// The most entries; older ones are not told.
const MOST: u32 = 1000;
/// How long is waited for the newest entry to become part of the tree.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which entries of the log are in the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogIndex {
    /// The name of the log, once it has one.
    pub(super) origin: Option<String>,
    /// How many entries its head has.
    pub(super) size: u64,
    /// Those that are proved, in ascending order: `log/<index>.json`.
    pub(super) entries: Vec<u64>,
    /// Those that were not part of the tree yet.
    pub(super) pending: Vec<u64>,
    /// Whether there are older ones that are not told.
    pub(super) more: bool,
}

/// Where the proof of an entry is.
pub(super) fn proof_path(index: u64) -> String {
    format!("log/{index}.json")
}

impl Governance {
    /// The proofs of what the log has about the images and whatever those were decided by: documents and
    /// exceptions.
    pub(super) async fn proofs(
        &self,
        repository: &RepositoryName,
        digests: &[Digest],
        vulnerabilities: &ImageVulnerabilities,
        policy: &Digest,
    ) -> Result<(LogIndex, Vec<(String, Vec<u8>)>), ReportError> {
        let (indexes, more) = self.entries(repository, digests, vulnerabilities, policy).await?;
        let transparency = &self.shared.sources.transparency;
        if let Some(last) = indexes.last() {
            transparency.wait_for(*last, PATIENCE).await?;
        }
        let proved = transparency.proofs(&indexes).await?;
        let keys = transparency.keys().await?;
        let is_proved = |index: &u64| proved.proofs.iter().any(|proof| proof.index == *index);
        let (entries, pending) = indexes.into_iter().partition(is_proved);
        let head = proved.head.as_ref();
        let index = LogIndex {
            origin: head.map(|head| head.origin.to_string()),
            size: head.map_or(0, |head| head.size),
            entries,
            pending,
            more,
        };
        let lines = keys.join("\n");
        let files = proved.proofs.iter().map(|one| (proof_path(one.index), super::json_of(one)));
        Ok((index, files.chain([(LOG_KEYS.to_owned(), lines.into_bytes())]).collect()))
    }

    /// The entries, in ascending order, and whether there are more.
    async fn entries(
        &self,
        repository: &RepositoryName,
        digests: &[Digest],
        vulnerabilities: &ImageVulnerabilities,
        policy: &Digest,
    ) -> Result<(Vec<u64>, bool), ReportError> {
        let mut connection = self.db().read().await?;
        let (mut indexes, mut more) = (BTreeSet::new(), false);
        let mut policies = BTreeSet::from([policy.to_string()]);
        for digest in digests {
            let found = log::about(&mut connection, digest, MOST).await?;
            more |= found.len() == MOST as usize;
            for entry in &found {
                let document = document_of(entry);
                if is_elsewhere(&document, repository) {
                    continue;
                }
                policies.extend(document["policy"].as_str().map(str::to_owned));
                indexes.extend(u64::try_from(entry.position).ok());
            }
        }
        let applied = policies.into_iter().map(|digest| (digest, "policy.applied", None));
        let excepted = exceptions(vulnerabilities);
        let excepted = excepted.into_iter().map(|(subject, id)| (subject, "exception.", Some(id)));
        for (subject, kind, exception) in applied.chain(excepted) {
            let (subject, kind) = (Some(subject), Some(kind.to_owned()));
            let filter = Filter { subject, kind, before: None };
            let found = log::list(&mut connection, &filter, MOST).await?;
            let wanted = found.iter().filter(|entry| {
                let id = |id: &String| document_of(entry)["exception"]["id"] == id.as_str();
                exception.as_ref().is_none_or(id)
            });
            indexes.extend(wanted.filter_map(|entry| u64::try_from(entry.position).ok()));
        }
        while indexes.len() > MOST as usize {
            indexes.pop_first();
            more = true;
        }
        Ok((indexes.into_iter().collect(), more))
    }
}

/// Whether an entry is about the same bytes in another repository, which is nobody's business here.
fn is_elsewhere(document: &Value, repository: &RepositoryName) -> bool {
    document["repository"].as_str().is_some_and(|other| other != repository.as_str())
}

fn document_of(entry: &LoggedEntry) -> Value {
    serde_json::from_slice(&entry.document).unwrap_or_default()
}

/// The exceptions that hold for the image: what their entries may be found by, and their names.
fn exceptions(vulnerabilities: &ImageVulnerabilities) -> BTreeSet<(String, String)> {
    let mut found = BTreeSet::new();
    for one in &vulnerabilities.vulnerabilities {
        let Some(suppressed) = &one.suppressed else { continue };
        if suppressed.by == SuppressionKind::Exception {
            let names = [&one.id, &one.package.name].into_iter().chain(&one.aliases);
            found.extend(names.map(|name| (name.clone(), suppressed.name.clone())));
        }
    }
    found
}
