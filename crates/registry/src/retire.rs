//! Carrying out a plan of retention: what it names is deleted, unless that does not hold any more.
//!
//! A plan was made from what was seen then. So each thing is looked at again in the transaction that deletes
//! it, and what somebody pushed, tagged, promoted or held meanwhile stays.

use std::time::Duration;

use plura_meta::{
    RepositoryId, Timestamp, Tx, hold, manifest, manifest_use, repository,
    retention::{self, Item, PlanId},
    review::{self, Kind},
    tag,
};
use plura_oci::{Digest, RepositoryName, Tag};
use plura_policy::retention::{History, Roots};

use crate::{Error, PushRules, Registry, detached, manifests::Delete};

/// A part of a plan that is carried out in one transaction.
#[derive(Clone, Debug)]
pub struct Retirement {
    /// The plan.
    pub plan: PlanId,
    /// The plan's digest, for the audit.
    pub digest: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// What to delete, in the order of the plan.
    pub items: Vec<Item>,
}

/// How a part of a plan was carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// How much was deleted.
    pub deleted: u64,
    /// How much stayed, since it did not hold any more.
    pub refused: u64,
    /// Whether somebody had the plan stopped, so that nothing was done.
    pub stopped: bool,
}

/// What is still there of what the plan lets go, or why it stays.
enum Look {
    Goes,
    Stays(String),
}

impl Registry {
    /// Deletes what a part of a plan names, in the name of whom this is done for.
    pub async fn retire(
        &self,
        rules: &PushRules,
        retirement: Retirement,
    ) -> Result<Retired, Error> {
        let delete = Delete {
            now: Timestamp::now(),
            grace: self.settings().grace,
            untagged_review: self.settings().untagged_review(),
        };
        let (registry, rules) = (self.clone(), rules.clone());
        detached(async move {
            let gone: Vec<_> = retirement.items.iter().map(forgettable).collect();
            let act = Act { registry: registry.clone(), rules, delete, retirement };
            let retired =
                registry.change_manifests(move |tx| Box::pin(async move { act.run(tx).await }));
            let retired = retired.await?;
            for (name, tags, digest) in &gone {
                registry.shared.caches.forget(name, tags, *digest);
            }
            plura_fault::point("retention.retired").map_err(Error::fault)?;
            Ok(retired)
        })
        .await
    }
}

impl Registry {
    /// Has a manifest looked at again once it is held no more, wherever it is.
    pub async fn review_later(
        &self,
        tx: &mut Tx,
        digest: &Digest,
        after: Timestamp,
    ) -> Result<(), Error> {
        let Some(wait) = self.settings().untagged_review() else { return Ok(()) };
        for id in manifest::repositories(tx, digest).await? {
            let due_at = after.after(wait);
            review::schedule_all(tx, Kind::Manifest, Some(id), [digest], due_at).await?;
        }
        Ok(())
    }
}

fn forgettable(item: &Item) -> (RepositoryName, Vec<Tag>, Option<Digest>) {
    let digest = item.tag.is_none().then_some(item.digest);
    (item.repository.clone(), item.tag.iter().cloned().collect(), digest)
}

struct Act {
    registry: Registry,
    rules: PushRules,
    delete: Delete,
    retirement: Retirement,
}

impl Act {
    async fn run(self, tx: &mut Tx) -> Result<Retired, Error> {
        let mut retired = Retired::default();
        let plan = self.retirement.plan;
        if !retention::is_running(tx, plan).await? {
            return Ok(Retired { stopped: true, ..retired });
        }
        self.rules.check_current(tx).await?;
        let items = &self.retirement.items;
        let [Some(first), Some(last)] = [items.first(), items.last()] else { return Ok(retired) };
        // Another process may have gone on with the same plan.
        let (after, limit) = (first.position - 1, items.len());
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        let pending = retention::items(tx, plan, Some("planned"), after, limit).await?;
        for item in pending.iter().filter(|item| item.position <= last.position) {
            let looked = match repository::find(tx, &item.repository).await? {
                None => Look::Stays("it is gone already".to_owned()),
                Some(id) => self.act(tx, id, item).await?,
            };
            match looked {
                Look::Goes => {
                    retention::deleted(tx, plan, item).await?;
                    retired.deleted += 1;
                }
                Look::Stays(problem) => {
                    retention::refuse(tx, plan, item.position, &problem).await?;
                    retired.refused += 1;
                }
            }
        }
        Ok(retired)
    }

    async fn act(&self, tx: &mut Tx, id: RepositoryId, item: &Item) -> Result<Look, Error> {
        let looked = match &item.tag {
            Some(tag) => self.look_at_tag(tx, id, item, tag).await?,
            None => self.look_at_manifest(tx, id, item).await?,
        };
        if let Look::Stays(_) = looked {
            return Ok(looked);
        }
        if let Some(why) = self.needed(tx, id, item).await? {
            return Ok(Look::Stays(why));
        }
        let (action, name) = if let Some(tag) = &item.tag {
            self.delete.tag(tx, id, tag).await?;
            ("tag.delete", tag.to_string())
        } else {
            // The collector forgets the repository, if this was the last of it.
            let due_at = self.delete.now.after(self.delete.grace);
            review::schedule_all(tx, Kind::Manifest, Some(id), [&item.digest], due_at).await?;
            self.delete.manifest(tx, id, &item.digest, None).await?;
            ("manifest.delete", item.digest.to_string())
        };
        let mut audit = self.registry.audit(action, &item.repository, &name);
        let detail = serde_json::json!({
            "plan": self.retirement.digest,
            "rule": item.rule,
            "reason": item.reason,
            "digest": item.digest,
        });
        audit.event.detail = detail.to_string();
        audit.record(tx, self.delete.now).await?;
        Ok(Look::Goes)
    }

    async fn look_at_tag(
        &self,
        tx: &mut Tx,
        id: RepositoryId,
        item: &Item,
        tag: &Tag,
    ) -> Result<Look, Error> {
        let Some((digest, moved_at)) = tag::find_moved(tx, id, tag).await? else {
            return Ok(Look::Stays("it is gone already".to_owned()));
        };
        if digest != item.digest {
            return Ok(Look::Stays(format!("it points at {digest} now")));
        }
        let pushed_at = manifest_use::last_push(tx, id, &digest).await?.unwrap_or(moved_at);
        if pushed_at.max(moved_at) != item.seen {
            return Ok(Look::Stays("it was pushed or tagged again".to_owned()));
        }
        // What is attached goes after what it is attached to.
        for owner in tag.named_subject().iter().chain(&item.owner) {
            if *owner != digest && manifest::summary(tx, id, owner).await?.is_some() {
                return Ok(Look::Stays(format!("it is attached to {owner}, which stays")));
            }
        }
        Ok(Look::Goes)
    }

    async fn look_at_manifest(
        &self,
        tx: &mut Tx,
        id: RepositoryId,
        item: &Item,
    ) -> Result<Look, Error> {
        let digest = &item.digest;
        let Some(found) = manifest::summary(tx, id, digest).await? else {
            return Ok(Look::Stays("it is gone already".to_owned()));
        };
        if manifest_use::last_push(tx, id, digest).await? != Some(item.seen) {
            return Ok(Look::Stays("it was pushed again".to_owned()));
        }
        if let Some(tag) = tag::list_of(tx, id, digest, 1).await?.first() {
            return Ok(Look::Stays(format!("the tag `{tag}` points at it")));
        }
        let indexes = manifest::referencing(tx, id, digest, 2).await?;
        if let Some(index) = indexes.iter().find(|index| *index != digest) {
            return Ok(Look::Stays(format!("{index} contains it")));
        }
        for owner in found.subject.iter().chain(&item.owner) {
            if owner != digest && manifest::summary(tx, id, owner).await?.is_some() {
                return Ok(Look::Stays(format!("it belongs to {owner}, which stays")));
            }
        }
        Ok(Look::Goes)
    }

    /// What it must stay for, whatever rules say.
    async fn needed(
        &self,
        tx: &mut Tx,
        id: RepositoryId,
        item: &Item,
    ) -> Result<Option<String>, Error> {
        let (name, digest, now) = (&item.repository, &item.digest, self.delete.now);
        if let Some(hold) = hold::needing(tx, id, digest, now).await? {
            return Ok(Some(format!("{} holds {}: {}", hold.holder, hold.digest, hold.reason)));
        }
        if let Some((promotion, _)) =
            retention::promoted(tx, name, Some(digest)).await?.into_iter().next()
        {
            return Ok(Some(format!("the promotion {promotion} needs it")));
        }
        // A move has the time at which it was asked for, which may be before it was made.
        let since = self.retirement.made_at.before(Duration::from_mins(1));
        if let Some(channel) = retention::moved_since(tx, name, digest, since).await? {
            return Ok(Some(format!("{channel} has it in its history, and was moved meanwhile")));
        }
        let history = retention::stays(tx, name, Some(digest)).await?;
        let roots =
            Roots { history: history.into_iter().map(history_of).collect(), needed: vec![] };
        let root = self.rules.governance.retention.first_root(&roots, now.0);
        Ok(root.map(|root| format!("it is {}: {}", root.kind, root.detail)))
    }
}

fn history_of(stay: retention::Stay) -> History {
    History { channel: stay.channel, digest: stay.digest, until: stay.until.map(|until| until.0) }
}
