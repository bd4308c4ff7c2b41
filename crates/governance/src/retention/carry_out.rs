//! Carrying a plan out: in small transactions with pauses between them, so that no request waits for it.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use plura_meta::{
    RepositoryId, Timestamp, Tx,
    audit::Origin,
    repository,
    retention::{self, Item, StoredPlan},
};
use plura_oci::{Digest, RepositoryName};
use plura_policy::retention::{Object, decide};
use plura_registry::{Error as RegistryError, PushRules, Retirement};

use super::{RetentionPlan, inventory, inventory::Snapshot};
use crate::{
    Error, Governance, InForce, blocking,
    record::{Leaf, record},
};

/// Items that are deleted in one transaction.
const BATCH: usize = 32;
/// Items that are read at once.
const PAGE: u32 = 512;
/// The longest pause between two transactions: as long as one took.
const LONGEST_PAUSE: Duration = Duration::from_millis(250);
/// Why nothing of a plan holds whose rules are not in force.
const OTHER_RULES: &str = "the rules of retention were changed since it was planned";

/// Why something stays that a rule let go when it was planned.
const NOT_ANY_MORE: &str = "it would be kept by now, or is not there any more";

impl Governance {
    /// Carries out a plan in somebody's name, or goes on with it. It goes on when whoever asked goes away.
    pub async fn carry_out_retention(
        &self,
        origin: &Origin,
        id: Digest,
    ) -> Result<RetentionPlan, Error> {
        let (governance, origin) = (self.clone(), origin.clone());
        let done = tokio::spawn(async move { governance.run_plan(&origin, &id).await });
        match done.await {
            Ok(done) => done?,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
        self.show(self.retention_plan(&id).await?).await
    }

    pub(super) async fn run_plan(&self, origin: &Origin, id: &Digest) -> Result<(), Error> {
        let _only_run = self.shared.retaining.lock().await;
        let plan = self.retention_plan(id).await?;
        let (key, by) = (plan.id, origin.actor.clone());
        let work = async move |tx: &mut Tx| retention::start(tx, key, &by, Timestamp::now()).await;
        if !self.db().write(move |tx| Box::pin(async move { work(tx).await })).await? {
            // It was carried out, and is as it will stay.
            return Ok(());
        }
        let mut looked_at = None;
        loop {
            let mut connection = self.db().read().await?;
            let mut items =
                retention::items(&mut connection, plan.id, Some("planned"), -1, PAGE).await?;
            drop(connection);
            let Some(first) = items.first() else { break };
            let name = first.repository.clone();
            items.retain(|item| item.repository == name);
            if looked_at.as_ref() != Some(&name) {
                self.withdraw(&plan, &name).await?;
                looked_at = Some(name);
                continue;
            }
            if !self.delete_all(origin, &plan, items).await? {
                return Ok(());
            }
        }
        self.end_run(origin, &plan).await
    }

    /// Deletes what is named, a few things at a time; `false` if somebody had the plan stopped.
    async fn delete_all(
        &self,
        origin: &Origin,
        plan: &StoredPlan,
        items: Vec<Item>,
    ) -> Result<bool, Error> {
        let registry = self.shared.registry.on_behalf_of(Arc::new(origin.clone()));
        for batch in items.chunks(BATCH) {
            let started = tokio::time::Instant::now();
            let in_force = self.in_force().await?;
            if in_force.governance.retention.digest().to_string() != plan.rules {
                let all = batch.iter().map(|item| (item.position, OTHER_RULES.to_owned()));
                self.refuse(plan, all.collect()).await?;
                continue;
            }
            let rules = PushRules {
                governance: Arc::clone(&in_force.governance),
                revision: in_force.revision,
            };
            let retirement = Retirement {
                plan: plan.id,
                digest: plan.digest.clone().unwrap_or_default(),
                made_at: plan.made_at,
                items: batch.to_vec(),
            };
            match registry.retire(&rules, retirement).await {
                Ok(retired) if retired.stopped => return Ok(false),
                Ok(_) => {}
                // What is left of the page is read again.
                Err(RegistryError::RulesChanged) => {
                    self.forget_in_force();
                    return Ok(true);
                }
                Err(error) => return Err(error.into()),
            }
            tokio::time::sleep(started.elapsed().min(LONGEST_PAUSE)).await;
        }
        Ok(true)
    }

    /// Takes out of the plan what the rules would keep by now. Once something of the repository was deleted,
    /// the rules cannot be asked any more, since they would see images without the names that they had: then
    /// what is looked at in each transaction decides alone.
    async fn withdraw(&self, plan: &StoredPlan, name: &RepositoryName) -> Result<(), Error> {
        let mut connection = self.db().read().await?;
        let begun = retention::is_begun(&mut connection, plan.id, name).await?;
        let found = repository::find(&mut connection, name).await?;
        drop(connection);
        let Some(id) = found.filter(|_| !begun) else { return Ok(()) };
        let in_force = self.in_force().await?;
        if in_force.governance.retention.digest().to_string() != plan.rules {
            return Ok(());
        }
        self.shared.registry.write_pulls().await?;
        let goes = self.let_go_now(&in_force, (id, name)).await?;
        let mut after = -1;
        loop {
            let mut connection = self.db().read().await?;
            let state = Some("planned");
            let items = retention::items(&mut connection, plan.id, state, after, PAGE).await?;
            drop(connection);
            let Some(last) = items.last() else { return Ok(()) };
            after = last.position;
            let is_over = last.repository != *name;
            let kept = items.iter().filter(|item| item.repository == *name);
            let kept = kept.filter(|item| !goes.contains(&object(item)));
            let kept: Vec<_> = kept.map(|item| (item.position, NOT_ANY_MORE.to_owned())).collect();
            for batch in kept.chunks(PAGE as usize) {
                self.refuse(plan, batch.to_vec()).await?;
            }
            if is_over {
                return Ok(());
            }
        }
    }

    /// What rules let go of a repository now.
    async fn let_go_now(
        &self,
        in_force: &Arc<InForce>,
        (id, name): (RepositoryId, &RepositoryName),
    ) -> Result<BTreeSet<Object>, Error> {
        let now = Timestamp::now();
        let mut connection = self.db().read().await?;
        let Snapshot { inventory, roots, .. } =
            inventory::read(&mut connection, (id, name), in_force, now).await?;
        drop(connection);
        let governance = Arc::clone(&in_force.governance);
        let goes = blocking(move || {
            let plan = decide(&governance.retention, &inventory, &roots, now.0).plan();
            plan.delete.into_iter().map(|deletion| deletion.object).collect()
        });
        Ok(goes.await)
    }

    async fn refuse(&self, plan: &StoredPlan, all: Vec<(i64, String)>) -> Result<(), Error> {
        if all.is_empty() {
            return Ok(());
        }
        let id = plan.id;
        let work = async move |tx: &mut Tx| {
            for (position, problem) in &all {
                retention::refuse(tx, id, *position, problem).await?;
            }
            Ok::<_, Error>(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    async fn end_run(&self, origin: &Origin, plan: &StoredPlan) -> Result<(), Error> {
        const AT_ONCE: u32 = 1000;
        let (id, origin) = (plan.id, origin.clone());
        let work = async move |tx: &mut Tx| {
            let now = Timestamp::now();
            if !retention::end(tx, id, now).await? {
                return Ok::<_, Error>(None);
            }
            let Some(plan) = retention::of(tx, id).await? else { return Ok(None) };
            let leaf = Leaf::RetentionRun {
                plan: plan.digest.clone().unwrap_or_default(),
                repository: plan.repository.clone(),
                rules: plan.rules.clone(),
                tags: plan.deleted_tags,
                manifests: plan.deleted_manifests,
                bytes: plan.deleted_bytes,
                refused: plan.refused,
            };
            record(tx, &origin, &leaf, now).await?;
            Ok(Some(plan))
        };
        let ended = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        self.shared.registry.ask_for_log();
        let Some(plan) = ended else { return Ok(()) };
        tracing::info!(
            plan = plan.digest.as_deref().unwrap_or_default(),
            tags = plan.deleted_tags,
            manifests = plan.deleted_manifests,
            bytes = plan.deleted_bytes,
            refused = plan.refused,
            "carried out a plan of retention"
        );
        loop {
            let work = async move |tx: &mut Tx| retention::forget_deleted(tx, id, AT_ONCE).await;
            if !self.db().write(move |tx| Box::pin(async move { work(tx).await })).await? {
                return Ok(());
            }
        }
    }
}

fn object(item: &Item) -> Object {
    match &item.tag {
        Some(tag) => Object::Tag { tag: tag.clone(), digest: item.digest },
        None => Object::Manifest { digest: item.digest },
    }
}
