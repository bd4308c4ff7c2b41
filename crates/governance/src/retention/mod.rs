//! Retention: plans of what rules let go, looked at and agreed to, then carried out.
//!
//! A plan is made from what is there, kept under the digest of what it says, and carried out as it is: what
//! does not hold any more when its turn comes stays, and nothing else goes. So whoever agrees to a plan has
//! seen all that it can delete. What a crash interrupts goes on where it was when the plan is run again.

mod carry_out;
mod inventory;
mod make;
mod schedule;

use plura_meta::{
    Timestamp,
    retention::{self, Item, StoredPlan},
};
use plura_oci::Digest;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{Error, Governance, instant};

/// Deletions that are listed with a plan.
const LISTED: u32 = 10_000;
/// Plans that were carried out which are listed.
const RUNS: u32 = 100;

/// What rules let go, and how far that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionPlan {
    /// The digest of what it says, by which it is carried out.
    pub id: String,
    /// The repository; nothing where it is about all.
    pub repository: Option<String>,
    /// The digest of the rules.
    pub rules: String,
    /// `planned`, `running`, `done` or `cancelled`.
    pub state: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub made_at: jiff::Timestamp,
    /// Who had it made.
    pub made_by: String,
    /// Tags that go.
    pub tags: i64,
    /// Those of them that are immutable, which forbids pointing them elsewhere and not their deletion.
    pub immutable_tags: i64,
    /// Manifests that go.
    pub manifests: i64,
    /// Bytes of blobs that nothing else needs, at least: blobs that go from several repositories at once are
    /// not counted.
    pub bytes: i64,
    /// Whether there is more to delete than fits into one plan: make another one behind it.
    pub truncated: bool,
    /// How it was carried out, or is.
    pub run: Option<RetentionRun>,
    /// What goes and why, in that order; of a plan that is carried out, what did not hold any more. The first
    /// 10,000.
    pub items: Vec<PlannedDeletion>,
}

/// How a plan was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionRun {
    /// Who had it carried out.
    pub by: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: jiff::Timestamp,
    /// When that ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<jiff::Timestamp>,
    /// Tags deleted.
    pub tags: i64,
    /// Manifests deleted.
    pub manifests: i64,
    /// Bytes that collection gives back for them, once `collection.grace` is over.
    pub gc_reclaim_bytes: i64,
    /// What stayed, since it did not hold any more.
    pub refused: i64,
}

/// Something that a plan deletes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PlannedDeletion {
    /// The repository.
    pub repository: String,
    /// The tag; nothing for a manifest.
    pub tag: Option<String>,
    /// The manifest, or what the tag points at.
    pub digest: String,
    /// By which rule.
    pub rule: String,
    /// Why the rule is about it.
    pub reason: String,
    /// Bytes of blobs that nothing needs without it.
    pub bytes: u64,
    /// Whether it is a tag that may not be pointed elsewhere.
    pub immutable: bool,
    /// Why it stayed.
    pub problem: Option<String>,
}

/// Plans that were carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct RetentionRuns {
    /// The last first, without their items.
    pub runs: Vec<RetentionPlan>,
}

impl Governance {
    /// The plans that were carried out, or are.
    pub async fn retention_runs(&self) -> Result<RetentionRuns, Error> {
        let stored = retention::history(&mut self.db().read().await?, RUNS).await?;
        Ok(RetentionRuns { runs: stored.into_iter().map(|plan| shown(plan, Vec::new())).collect() })
    }

    /// Has a plan stopped: nothing more of it is deleted until somebody has it carried out again.
    pub async fn cancel_retention(&self, id: Digest) -> Result<RetentionPlan, Error> {
        let plan = self.retention_plan(&id).await?;
        let key = plan.id;
        let work =
            async move |tx: &mut plura_meta::Tx| retention::cancel(tx, key, Timestamp::now()).await;
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.show(self.retention_plan(&id).await?).await
    }

    async fn retention_plan(&self, id: &Digest) -> Result<StoredPlan, Error> {
        let found = retention::find(&mut self.db().read().await?, id).await?;
        found.ok_or(Error::PlanUnknown(*id))
    }

    async fn show(&self, plan: StoredPlan) -> Result<RetentionPlan, Error> {
        let state = if plan.started_at.is_some() { "refused" } else { "planned" };
        let mut connection = self.db().read().await?;
        let items = retention::items(&mut connection, plan.id, Some(state), -1, LISTED).await?;
        Ok(shown(plan, items))
    }
}

fn shown(plan: StoredPlan, items: Vec<Item>) -> RetentionPlan {
    let run = plan.started_at.map(|started_at| RetentionRun {
        by: plan.run_by.unwrap_or_default(),
        started_at: instant(started_at),
        ended_at: plan.ended_at.map(instant),
        tags: plan.deleted_tags,
        manifests: plan.deleted_manifests,
        gc_reclaim_bytes: plan.deleted_bytes,
        refused: plan.refused,
    });
    RetentionPlan {
        id: plan.digest.unwrap_or_default(),
        repository: Some(plan.repository).filter(|name| !name.is_empty()),
        rules: plan.rules,
        state: plan.state,
        made_at: instant(plan.made_at),
        made_by: plan.made_by,
        tags: plan.tags,
        immutable_tags: plan.immutable_tags,
        manifests: plan.manifests,
        bytes: plan.bytes,
        truncated: plan.truncated,
        run,
        items: items.into_iter().map(deletion).collect(),
    }
}

fn deletion(item: Item) -> PlannedDeletion {
    PlannedDeletion {
        repository: item.repository.to_string(),
        tag: item.tag.map(|tag| tag.to_string()),
        digest: item.digest.to_string(),
        rule: item.rule,
        reason: item.reason,
        bytes: item.bytes,
        immutable: item.immutable,
        problem: item.problem,
    }
}
