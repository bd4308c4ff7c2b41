use std::time::SystemTime;

use plura_adopt::{Finding, Outcome};
use plura_oci::RepositoryName;
use serde::Serialize;

/// What a run found and did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AdoptReport {
    /// Where the tree is.
    pub location: String,
    /// What is in the tree.
    pub found: Counts,
    /// What of it was not known here before.
    pub added: Counts,
    /// Tags that were known here and moved, since the tree is newer.
    pub tags_moved: u64,
    /// Bytes that were compared with their digests.
    pub verified_bytes: u64,
    /// Bytes that had to be copied, since one file cannot be two blobs.
    pub copied_bytes: u64,
    /// Whether the tree was handed over.
    pub finalised: bool,
    /// Why it was not, although that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// What is not as it should be: the first [`AdoptReport::FINDINGS`].
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub findings_total: u64,
    /// How many of them say that something cannot be pulled.
    pub lost: u64,
    /// When the tree was written to last, as far as it was seen.
    #[serde(skip)]
    pub last_write: Option<SystemTime>,
    #[serde(skip)]
    last_repository: Option<RepositoryName>,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Repositories that have manifests.
    pub repositories: u64,
    /// Blobs; found, once for each repository that links one.
    pub blobs: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Manifests.
    pub manifests: u64,
    /// Tags.
    pub tags: u64,
}

/// What a transaction did.
#[derive(Debug, Default)]
pub(super) struct Committed {
    pub(super) added: Counts,
    pub(super) tags_moved: u64,
    pub(super) findings: Vec<Finding>,
}

impl AdoptReport {
    /// The most findings that are listed one by one.
    pub const FINDINGS: usize = 10_000;

    pub(super) fn new(location: &str) -> Self {
        Self { location: location.to_owned(), ..Self::default() }
    }

    pub(super) fn find(&mut self, finding: Finding) {
        self.findings_total += 1;
        self.lost += u64::from(finding.outcome == Outcome::Lost);
        if self.findings.len() < Self::FINDINGS {
            self.findings.push(finding);
        }
    }

    /// Counts a manifest, and its repository with the first of them: those of one come together.
    pub(super) fn manifest_of(&mut self, repository: &RepositoryName) {
        self.found.manifests += 1;
        if self.last_repository.as_ref() != Some(repository) {
            self.found.repositories += 1;
            self.last_repository = Some(repository.clone());
        }
    }

    pub(super) fn active(&mut self, at: SystemTime) {
        self.last_write = self.last_write.max(Some(at));
    }

    pub(super) fn add(&mut self, committed: Committed) {
        let Committed { added, tags_moved, findings } = committed;
        self.added.repositories += added.repositories;
        self.added.blobs += added.blobs;
        self.added.bytes += added.bytes;
        self.added.manifests += added.manifests;
        self.added.tags += added.tags;
        self.tags_moved += tags_moved;
        for finding in findings {
            self.find(finding);
        }
    }
}
