//! Plans of retention: how they are kept, and what they are made from.

mod inventory;

use plura_oci::{Digest, RepositoryName, Tag};

use crate::{Connection, Error, Timestamp, Tx, db::parse};

pub use inventory::{
    InventoriedManifest, InventoriedTag, Referenced, Stay, channels, manifests, moved_since,
    parents, promoted, referenced, stays, tags,
};

/// The key of a plan's row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct PlanId(pub(crate) i64);

/// A plan, and how far it is carried out.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredPlan {
    /// The key of its row.
    pub id: PlanId,
    /// Its digest; nothing as long as it is being made.
    pub digest: Option<String>,
    /// The repository; empty where it is about all.
    pub repository: String,
    /// The digest of the rules.
    pub rules: String,
    /// `making`, `planned`, `running`, `done`, `cancelled`.
    pub state: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Who made it.
    pub made_by: String,
    /// How many tags go.
    pub tags: i64,
    /// How many of them are immutable.
    pub immutable_tags: i64,
    /// How many manifests go.
    pub manifests: i64,
    /// How many bytes of blobs that frees.
    pub bytes: i64,
    /// Whether there was more than fits into one plan.
    pub truncated: bool,
    /// Who has it carried out.
    pub run_by: Option<String>,
    /// Since when.
    pub started_at: Option<Timestamp>,
    /// When that ended.
    pub ended_at: Option<Timestamp>,
    /// How many tags were deleted.
    pub deleted_tags: i64,
    /// How many manifests were deleted.
    pub deleted_manifests: i64,
    /// How many bytes that frees.
    pub deleted_bytes: i64,
    /// How much was not deleted, since it did not hold any more.
    pub refused: i64,
}

/// One thing that a plan deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// Its place in the plan.
    pub position: i64,
    /// The repository.
    pub repository: RepositoryName,
    /// The tag; nothing for a manifest.
    pub tag: Option<Tag>,
    /// The manifest, or what the tag points at.
    pub digest: Digest,
    /// What it belongs to, which goes before.
    pub owner: Option<Digest>,
    /// By which rule.
    pub rule: String,
    /// Why.
    pub reason: String,
    /// How many bytes that frees.
    pub bytes: u64,
    /// Whether it is a tag that may not be pointed elsewhere.
    pub immutable: bool,
    /// When it was last pushed or tagged, as the plan saw it.
    pub seen: Timestamp,
    /// `planned`, `deleted`, `refused`.
    pub state: String,
    /// Why it was refused.
    pub problem: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    position: i64,
    repository: String,
    tag: Option<String>,
    digest: String,
    owner: Option<String>,
    rule: String,
    reason: String,
    bytes: i64,
    immutable: bool,
    seen: Timestamp,
    state: String,
    problem: Option<String>,
}

/// Begins a plan, which has nothing in it yet.
pub async fn begin(
    tx: &mut Tx,
    repository: Option<&RepositoryName>,
    rules: &Digest,
    by: &str,
    now: Timestamp,
) -> Result<PlanId, Error> {
    const SQL: &str = "
        insert into retention_plan (repository, rules, state, made_at, made_by, tags,
            immutable_tags, manifests, bytes, truncated, deleted_tags, deleted_manifests,
            deleted_bytes, refused)
        values ($1, $2, 'making', $3, $4, 0, 0, 0, 0, false, 0, 0, 0, 0)
        returning id";
    let query = tx.query_scalar(SQL).bind(repository.map_or("", RepositoryName::as_str));
    query.bind(rules.to_string()).bind(now).bind(by).fetch_one().await
}

/// Adds to a plan that is being made; whether it still is.
pub async fn add(tx: &mut Tx, plan: PlanId, items: &[Item]) -> Result<bool, Error> {
    const STILL: &str = "select exists (select 1 from retention_plan where id = $1)";
    const SQL: &str = "
        insert into retention_item (plan_id, position, repository, tag, digest, owner, rule,
            reason, bytes, immutable, seen, state)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'planned')";
    let is_there: bool = tx.query_scalar(STILL).bind(plan).fetch_one().await?;
    if !is_there {
        return Ok(false);
    }
    for item in items {
        tx.query(SQL)
            .bind(plan)
            .bind(item.position)
            .bind(item.repository.as_str())
            .bind(item.tag.as_ref().map(Tag::as_str))
            .bind(item.digest.to_string())
            .bind(item.owner.as_ref().map(ToString::to_string))
            .bind(&item.rule)
            .bind(&item.reason)
            .bind(i64::try_from(item.bytes).unwrap_or(i64::MAX))
            .bind(item.immutable)
            .bind(item.seen)
            .execute()
            .await?;
    }
    Ok(true)
}

/// Makes a plan known by its digest.
pub async fn finish(tx: &mut Tx, plan: &StoredPlan) -> Result<(), Error> {
    const SQL: &str = "
        update retention_plan
        set digest = $2, state = 'planned', tags = $3, immutable_tags = $4, manifests = $5,
            bytes = $6, truncated = $7
        where id = $1 and state = 'making'";
    tx.query(SQL)
        .bind(plan.id)
        .bind(&plan.digest)
        .bind(plan.tags)
        .bind(plan.immutable_tags)
        .bind(plan.manifests)
        .bind(plan.bytes)
        .bind(plan.truncated)
        .execute()
        .await?;
    Ok(())
}

/// The plan of that digest that was made last, if it is not being made.
pub async fn find(
    connection: &mut Connection,
    digest: &Digest,
) -> Result<Option<StoredPlan>, Error> {
    const SQL: &str = "
        select id, digest, repository, rules, state, made_at, made_by, tags, immutable_tags,
            manifests, bytes, truncated, run_by, started_at, ended_at, deleted_tags,
            deleted_manifests, deleted_bytes, refused
        from retention_plan where digest = $1 order by id desc limit 1";
    connection.query_as(SQL).bind(digest.to_string()).fetch_optional().await
}

/// The plan of that row.
pub async fn of(connection: &mut Connection, id: PlanId) -> Result<Option<StoredPlan>, Error> {
    const SQL: &str = "
        select id, digest, repository, rules, state, made_at, made_by, tags, immutable_tags,
            manifests, bytes, truncated, run_by, started_at, ended_at, deleted_tags,
            deleted_manifests, deleted_bytes, refused
        from retention_plan where id = $1";
    connection.query_as(SQL).bind(id).fetch_optional().await
}

/// Plans that were carried out, or are, the last first; at most `limit`.
pub async fn history(connection: &mut Connection, limit: u32) -> Result<Vec<StoredPlan>, Error> {
    const SQL: &str = "
        select id, digest, repository, rules, state, made_at, made_by, tags, immutable_tags,
            manifests, bytes, truncated, run_by, started_at, ended_at, deleted_tags,
            deleted_manifests, deleted_bytes, refused
        from retention_plan where started_at is not null
        order by started_at desc, id desc limit $1";
    connection.query_as(SQL).bind(i64::from(limit)).fetch_all().await
}

/// Has a plan carried out, unless it was already; whether it is to be.
pub async fn start(tx: &mut Tx, id: PlanId, by: &str, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        update retention_plan
        set state = 'running', run_by = coalesce(run_by, $2),
            started_at = coalesce(started_at, $3), ended_at = null
        where id = $1 and state in ('planned', 'running', 'cancelled')";
    Ok(tx.query(SQL).bind(id).bind(by).bind(now).execute().await? > 0)
}

/// Has a plan that is carried out stopped; whether it was.
pub async fn cancel(tx: &mut Tx, id: PlanId, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        update retention_plan set state = 'cancelled', ended_at = $2
        where id = $1 and state in ('planned', 'running')";
    Ok(tx.query(SQL).bind(id).bind(now).execute().await? > 0)
}

/// Ends a plan of which nothing is left to be done; whether it was running.
pub async fn end(tx: &mut Tx, id: PlanId, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        update retention_plan set state = 'done', ended_at = $2 where id = $1 and state = 'running'";
    Ok(tx.query(SQL).bind(id).bind(now).execute().await? > 0)
}

/// Whether a plan is to be carried out.
pub async fn is_running(connection: &mut Connection, id: PlanId) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (select 1 from retention_plan where id = $1 and state = 'running')";
    connection.query_scalar(SQL).bind(id).fetch_one().await
}

/// What is in a plan behind `after`, in its order; all of it, or what is in that state; at most `limit`.
pub async fn items(
    connection: &mut Connection,
    id: PlanId,
    state: Option<&str>,
    after: i64,
    limit: u32,
) -> Result<Vec<Item>, Error> {
    const SQL: &str = "
        select position, repository, tag, digest, owner, rule, reason, bytes, immutable, seen,
            state, problem
        from retention_item
        where plan_id = $1 and (cast($2 as text) is null or state = $2) and position > $3
        order by position limit $4";
    let query = connection.query_as::<ItemRow>(SQL).bind(id).bind(state).bind(after);
    let rows = query.bind(i64::from(limit)).fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether something of a repository was deleted by a plan.
pub async fn is_begun(
    connection: &mut Connection,
    id: PlanId,
    repository: &RepositoryName,
) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (
            select 1 from retention_item
            where plan_id = $1 and state = 'deleted' and repository = $2
        )";
    connection.query_scalar(SQL).bind(id).bind(repository.as_str()).fetch_one().await
}

/// The plan that somebody had carried out last.
pub async fn last_run_by(
    connection: &mut Connection,
    by: &str,
) -> Result<Option<StoredPlan>, Error> {
    const SQL: &str = "
        select id, digest, repository, rules, state, made_at, made_by, tags, immutable_tags,
            manifests, bytes, truncated, run_by, started_at, ended_at, deleted_tags,
            deleted_manifests, deleted_bytes, refused
        from retention_plan where started_at is not null and run_by = $1
        order by started_at desc, id desc limit 1";
    connection.query_as(SQL).bind(by).fetch_optional().await
}

/// Notes that a plan had nothing in it, and so is done.
pub async fn finish_empty(tx: &mut Tx, id: PlanId, by: &str, now: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        update retention_plan
        set state = 'done', digest = '', run_by = $2, started_at = $3, ended_at = $3
        where id = $1";
    tx.query(SQL).bind(id).bind(by).bind(now).execute().await?;
    Ok(())
}

/// Notes that something of a plan was deleted.
pub async fn deleted(tx: &mut Tx, id: PlanId, item: &Item) -> Result<(), Error> {
    const ITEM: &str = "
        update retention_item set state = 'deleted' where plan_id = $1 and position = $2";
    const PLAN: &str = "
        update retention_plan
        set deleted_tags = deleted_tags + $2, deleted_manifests = deleted_manifests + $3,
            deleted_bytes = deleted_bytes + $4
        where id = $1";
    tx.query(ITEM).bind(id).bind(item.position).execute().await?;
    let query = tx.query(PLAN).bind(id).bind(i64::from(item.tag.is_some()));
    let query = query.bind(i64::from(item.tag.is_none()));
    query.bind(i64::try_from(item.bytes).unwrap_or(i64::MAX)).execute().await?;
    Ok(())
}

/// Notes that something of a plan was not deleted, and why.
pub async fn refuse(tx: &mut Tx, id: PlanId, position: i64, problem: &str) -> Result<(), Error> {
    const ITEM: &str = "
        update retention_item set state = 'refused', problem = $3
        where plan_id = $1 and position = $2";
    const PLAN: &str = "update retention_plan set refused = refused + 1 where id = $1";
    tx.query(ITEM).bind(id).bind(position).bind(problem).execute().await?;
    tx.query(PLAN).bind(id).execute().await?;
    Ok(())
}

/// The plans that nobody needs any more: those that were begun before and are not finished, those that were
/// not carried out, but for the newest `keep`, and those that were before `before`.
pub async fn outdated(
    connection: &mut Connection,
    (unfinished, before): (Timestamp, Timestamp),
    keep: u32,
) -> Result<Vec<PlanId>, Error> {
    const SQL: &str = "
        select id from retention_plan
        where state = 'making' and made_at < $1
           or state in ('done', 'cancelled') and made_at < $2
           or state = 'planned' and id not in (
                select id from retention_plan where state = 'planned' order by id desc limit $3
           )
        order by id";
    let query = connection.query_scalar(SQL).bind(unfinished).bind(before);
    query.bind(i64::from(keep)).fetch_all().await
}

/// Forgets a part of a plan, or the plan once nothing is in it; whether something was left.
pub async fn forget(tx: &mut Tx, id: PlanId, limit: u32) -> Result<bool, Error> {
    const ITEMS: &str = "
        delete from retention_item where plan_id = $1 and position in (
            select position from retention_item where plan_id = $1 order by position limit $2
        )";
    if tx.query(ITEMS).bind(id).bind(i64::from(limit)).execute().await? > 0 {
        return Ok(true);
    }
    tx.query("delete from retention_plan where id = $1").bind(id).execute().await?;
    Ok(false)
}

/// Forgets a part of what was deleted by a plan, which its numbers tell of; whether something was left.
pub async fn forget_deleted(tx: &mut Tx, id: PlanId, limit: u32) -> Result<bool, Error> {
    const SQL: &str = "
        delete from retention_item where plan_id = $1 and position in (
            select position from retention_item
            where plan_id = $1 and state = 'deleted' order by position limit $2
        )";
    Ok(tx.query(SQL).bind(id).bind(i64::from(limit)).execute().await? > 0)
}

impl TryFrom<ItemRow> for Item {
    type Error = Error;

    fn try_from(row: ItemRow) -> Result<Self, Error> {
        Ok(Self {
            position: row.position,
            repository: parse("retention_item.repository", &row.repository)?,
            tag: row.tag.map(|tag| parse("retention_item.tag", &tag)).transpose()?,
            digest: parse("retention_item.digest", &row.digest)?,
            owner: row.owner.map(|owner| parse("retention_item.owner", &owner)).transpose()?,
            rule: row.rule,
            reason: row.reason,
            bytes: row.bytes.unsigned_abs(),
            immutable: row.immutable,
            seen: row.seen,
            state: row.state,
            problem: row.problem,
        })
    }
}
