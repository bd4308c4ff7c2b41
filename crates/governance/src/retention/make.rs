//! Making a plan: repository by repository, written down as it grows, known by its digest once it is whole.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use plura_meta::{
    Connection, RepositoryId, Timestamp, Tx,
    audit::Origin,
    repository,
    retention::{self, Item, PlanId, Referenced},
};
use plura_oci::{Algorithm, Digest, Hasher, RepositoryName};
use plura_policy::retention::{Cause, Object, Plan, decide};

use super::{RetentionPlan, inventory, inventory::Snapshot};
use crate::{Error, Governance, InForce, blocking};

/// Repositories whose names are read at once.
const NAMES: u32 = 100;
/// Manifests whose blobs are looked at in one statement.
const LOOKED_AT: usize = 200;
/// Items that are written in one transaction.
const WRITTEN: usize = 200;
/// The most items of a plan: the rest is for the next one.
const MOST: usize = 200_000;
/// Plans that are kept without being carried out.
const KEPT: u32 = 10;
/// For how long plans are kept that were carried out.
const REMEMBERED: Duration = Duration::from_hours(24 * 366);
/// After which time a plan that is still being made never will be.
const UNFINISHED: Duration = Duration::from_hours(6);

/// A plan as it grows.
struct Draft {
    id: PlanId,
    in_force: Arc<InForce>,
    now: Timestamp,
    hasher: Hasher,
    count: usize,
    tags: i64,
    immutable_tags: i64,
    manifests: i64,
    bytes: i64,
    truncated: bool,
}

impl Governance {
    /// Plans what the rules in force let go, of one repository or of all; nothing, if they let nothing go.
    pub async fn plan_retention(
        &self,
        origin: &Origin,
        repository: Option<&RepositoryName>,
    ) -> Result<Option<RetentionPlan>, Error> {
        let in_force = self.in_force().await?;
        if !in_force.governance.retention.may_expire() {
            return Ok(None);
        }
        self.shared.registry.write_pulls().await?;
        let now = Timestamp::now();
        self.forget_outdated_plans(now).await?;
        let rules = in_force.governance.retention.digest();
        let (by, name) = (origin.actor.clone(), repository.cloned());
        let work =
            async move |tx: &mut Tx| retention::begin(tx, name.as_ref(), &rules, &by, now).await;
        let id = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        let mut draft = Draft::new(id, in_force, repository, now);
        let filled = self.fill(&mut draft, repository).await;
        let finished = match filled {
            Ok(()) if draft.count > 0 => self.finish(draft).await.map(Some),
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        if !matches!(finished, Ok(Some(_))) {
            self.forget_plan(id).await?;
        }
        let Some(digest) = finished? else { return Ok(None) };
        Ok(Some(self.show(self.retention_plan(&digest).await?).await?))
    }

    async fn fill(
        &self,
        draft: &mut Draft,
        repository: Option<&RepositoryName>,
    ) -> Result<(), Error> {
        if let Some(name) = repository {
            return self.fill_from(draft, name).await;
        }
        let mut start = String::new();
        loop {
            let mut connection = self.db().read().await?;
            let names = repository::list(&mut connection, &start, None, NAMES).await?;
            drop(connection);
            let Some(last) = names.last() else { return Ok(()) };
            // No name stands between it and the same with the lowest character of names behind it.
            start = format!("{last}\u{1}");
            for name in names {
                let name = name.parse::<RepositoryName>();
                let name = name.map_err(|_| crate::in_force::corrupt("repository.name"))?;
                self.fill_from(draft, &name).await?;
                if draft.truncated {
                    return Ok(());
                }
            }
        }
    }

    async fn fill_from(&self, draft: &mut Draft, name: &RepositoryName) -> Result<(), Error> {
        if !draft.in_force.governance.retention.may_expire_in(name) {
            return Ok(());
        }
        let mut connection = self.db().read().await?;
        let Some(id) = repository::find(&mut connection, name).await? else { return Ok(()) };
        let (in_force, now) = (&draft.in_force, draft.now);
        let snapshot = inventory::read(&mut connection, (id, name), in_force, now).await?;
        let governance = Arc::clone(&draft.in_force.governance);
        let (snapshot, plan) = blocking(move || {
            let Snapshot { inventory, roots, .. } = &snapshot;
            let plan = decide(&governance.retention, inventory, roots, now.0).plan();
            (snapshot, plan)
        })
        .await;
        let freed = freed(&mut connection, id, &plan).await?;
        drop(connection);
        let items = draft.take(&plan, &snapshot, &freed);
        for batch in items.chunks(WRITTEN) {
            let (plan, batch) = (draft.id, batch.to_vec());
            let work = async move |tx: &mut Tx| retention::add(tx, plan, &batch).await;
            let is_there =
                self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
            if !is_there {
                return Err(Error::Changed);
            }
        }
        Ok(())
    }

    /// Makes the plan known, or takes the one that says the same and is waiting to be carried out.
    async fn finish(&self, draft: Draft) -> Result<Digest, Error> {
        let id = draft.id;
        let digest = draft.hasher.finish();
        let mut connection = self.db().read().await?;
        let same = retention::find(&mut connection, &digest).await?;
        if same.is_some_and(|same| same.state == "planned" || same.state == "running") {
            drop(connection);
            self.forget_plan(id).await?;
            return Ok(digest);
        }
        let plan = retention::of(&mut connection, id).await?.ok_or(Error::Changed)?;
        drop(connection);
        let plan = retention::StoredPlan {
            digest: Some(digest.to_string()),
            tags: draft.tags,
            immutable_tags: draft.immutable_tags,
            manifests: draft.manifests,
            bytes: draft.bytes,
            truncated: draft.truncated,
            ..plan
        };
        let work = async move |tx: &mut Tx| retention::finish(tx, &plan).await;
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        Ok(digest)
    }

    async fn forget_outdated_plans(&self, now: Timestamp) -> Result<(), Error> {
        let before = (now.before(UNFINISHED), now.before(REMEMBERED));
        let mut connection = self.db().read().await?;
        let outdated = retention::outdated(&mut connection, before, KEPT - 1).await?;
        drop(connection);
        for id in outdated {
            self.forget_plan(id).await?;
        }
        Ok(())
    }

    /// Forgets a plan, in small transactions.
    async fn forget_plan(&self, id: PlanId) -> Result<(), Error> {
        const AT_ONCE: u32 = 1000;
        loop {
            let work = async move |tx: &mut Tx| retention::forget(tx, id, AT_ONCE).await;
            if !self.db().write(move |tx| Box::pin(async move { work(tx).await })).await? {
                return Ok(());
            }
        }
    }
}

impl Draft {
    fn new(
        id: PlanId,
        in_force: Arc<InForce>,
        repository: Option<&RepositoryName>,
        now: Timestamp,
    ) -> Self {
        let mut hasher = Algorithm::Sha256.hasher();
        let about = repository.map_or("*", RepositoryName::as_str);
        hasher.update(format!("plura plan of deletions 1\n{about}\n").as_bytes());
        Self {
            id,
            in_force,
            now,
            hasher,
            count: 0,
            tags: 0,
            immutable_tags: 0,
            manifests: 0,
            bytes: 0,
            truncated: false,
        }
    }

    /// Takes over what goes from a repository, with what that rests on.
    fn take(
        &mut self,
        plan: &Plan,
        snapshot: &Snapshot,
        freed: &BTreeMap<Digest, u64>,
    ) -> Vec<Item> {
        if plan.delete.is_empty() {
            return Vec::new();
        }
        self.hasher.update(format!("{}\n", plan.id).as_bytes());
        let room = MOST - self.count;
        self.truncated |= plan.delete.len() > room;
        let mut items = Vec::new();
        for (place, deletion) in plan.delete.iter().take(room).enumerate() {
            let (tag, digest) = match &deletion.object {
                Object::Tag { tag, digest } => (Some(tag), *digest),
                Object::Manifest { digest } => (None, *digest),
            };
            let tagged = tag.and_then(|tag| snapshot.inventory.tag(tag));
            let tagged = tagged.map(|tag| Timestamp(tag.tagged_at));
            let seen = snapshot.pushed.get(&digest).copied().max(tagged).unwrap_or_default();
            self.hasher.update(format!("{}\n", seen.0).as_bytes());
            let bytes = freed.get(&digest).copied().filter(|_| tag.is_none()).unwrap_or(0);
            let owner = match deletion.cause {
                Cause::With { digest } => Some(digest),
                _ => None,
            };
            self.tags += i64::from(tag.is_some());
            self.manifests += i64::from(tag.is_none());
            self.immutable_tags += i64::from(deletion.immutable);
            self.bytes = self.bytes.saturating_add(i64::try_from(bytes).unwrap_or(i64::MAX));
            items.push(Item {
                position: i64::try_from(self.count + place).unwrap_or(i64::MAX),
                repository: plan.repository.clone(),
                tag: tag.cloned(),
                digest,
                owner,
                rule: deletion.rule.clone(),
                reason: deletion.cause.to_string(),
                bytes,
                immutable: deletion.immutable,
                seen,
                state: "planned".to_owned(),
                problem: None,
            });
        }
        self.count += items.len();
        items
    }
}

/// How many bytes each manifest of a plan frees: those of the blobs of which it is the last that needs them.
async fn freed(
    connection: &mut Connection,
    id: RepositoryId,
    plan: &Plan,
) -> Result<BTreeMap<Digest, u64>, Error> {
    let digests = plan.delete.iter().filter_map(|deletion| match &deletion.object {
        Object::Manifest { digest } => Some(*digest),
        Object::Tag { .. } => None,
    });
    let digests: Vec<Digest> = digests.collect();
    let (mut freed, mut left) = (BTreeMap::new(), BTreeMap::new());
    for chunk in digests.chunks(LOOKED_AT) {
        let mut blobs: BTreeMap<Digest, Vec<Referenced>> = BTreeMap::new();
        for referenced in retention::referenced(connection, id, chunk).await? {
            blobs.entry(referenced.manifest).or_default().push(referenced);
        }
        for digest in chunk {
            for Referenced { blob, size, references, .. } in
                blobs.remove(digest).unwrap_or_default()
            {
                let left: &mut u64 = left.entry(blob).or_insert(references);
                *left = left.saturating_sub(1);
                if *left == 0 {
                    *freed.entry(*digest).or_insert(0) += size;
                }
            }
        }
    }
    Ok(freed)
}
