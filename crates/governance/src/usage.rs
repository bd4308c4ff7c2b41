//! How much is stored, by repository.

use plura_meta::{
    total,
    usage::{self, Usage},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, Governance};

/// Of what to tell.
#[derive(Clone, Debug, Default)]
pub struct UsageFilter {
    /// Repositories of this project.
    pub project: Option<String>,
    /// This repository.
    pub repository: Option<String>,
}

/// How much is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct UsagePage {
    /// By repository, in the order of their names.
    pub repositories: Vec<RepositoryUsage>,
    /// Bytes of all blobs of the installation, each counted once.
    pub total_bytes: i64,
    /// What the next page begins behind.
    pub next: Option<String>,
}

/// How much is stored in a repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RepositoryUsage {
    /// Its name.
    pub repository: String,
    /// How many tags it has.
    pub tags: i64,
    /// How many manifests it has.
    pub manifests: i64,
    /// Bytes of blobs that it alone has: so much is freed without it.
    pub exclusive_bytes: i64,
    /// Bytes of blobs that others have, too. They are in the sums of all of those, and once in the total.
    pub shared_bytes: i64,
}

impl Governance {
    /// How much is stored in the repositories behind `after`; at most `limit`.
    pub async fn usage(
        &self,
        filter: &UsageFilter,
        after: Option<&str>,
        limit: u32,
    ) -> Result<UsagePage, Error> {
        let mut connection = self.db().read().await?;
        let only = (filter.project.as_deref(), filter.repository.as_deref());
        let mut found = usage::list(&mut connection, only, after, limit + 1).await?;
        let more = found.len() > limit as usize;
        found.truncate(limit as usize);
        let next = found.last().filter(|_| more).map(|last| last.repository.clone());
        let total_bytes = total::read(&mut connection).await?.blob_bytes;
        let repositories = found.into_iter().map(RepositoryUsage::of).collect();
        Ok(UsagePage { repositories, total_bytes, next })
    }
}

impl RepositoryUsage {
    fn of(usage: Usage) -> Self {
        let Usage { repository, tags, manifests, bytes, shared_bytes } = usage;
        Self { repository, tags, manifests, exclusive_bytes: bytes - shared_bytes, shared_bytes }
    }
}
