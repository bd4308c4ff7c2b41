//! Promotions, as far as they are. Whoever goes on with one claims it for a time, so that any process can
//! when another is gone.

use plura_oci::{Digest, RepositoryName};

use crate::{Connection, Error, Timestamp, Tx, channel::Name, db::parse};

/// A promotion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promotion {
    /// Its key, which sorts by when it was asked for.
    pub id: String,
    /// The channel that is to be moved.
    pub name: Name,
    /// The repository of the image.
    pub repository: RepositoryName,
    /// The manifest.
    pub digest: Digest,
    /// The repository in which it will be pulled.
    pub place: RepositoryName,
    /// The channel that it comes from, if that was said.
    pub origin: Option<String>,
    /// The first promotion of those that followed one another by themselves.
    pub chain: String,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// By whom, as JSON.
    pub requested_by: String,
    /// Why, as they said.
    pub reason: String,
    /// How far it is.
    pub state: String,
    /// What it waits for, or why it ended.
    pub problem: Option<String>,
    /// The step of its canary.
    pub step: i64,
    /// The part of the traffic that it has, in percent.
    pub weight: i64,
    /// The number of the move that it made.
    pub r#move: Option<i64>,
    /// Until when gates may wait.
    pub expires_at: Timestamp,
    /// When somebody looks at it again; never, where it has ended.
    pub due_at: Option<Timestamp>,
    /// When it came to where it is.
    pub changed_at: Timestamp,
    /// The version of the document that it was decided by.
    pub version: i64,
    /// What was decided, as JSON.
    pub decision: Option<String>,
    /// How its canary went so far, as JSON.
    pub progress: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    environment: String,
    tag: String,
    service: String,
    repository: String,
    digest: String,
    place: String,
    origin: Option<String>,
    chain: String,
    requested_at: Timestamp,
    requested_by: String,
    reason: String,
    state: String,
    problem: Option<String>,
    step: i64,
    weight: i64,
    r#move: Option<i64>,
    expires_at: Timestamp,
    due_at: Option<Timestamp>,
    changed_at: Timestamp,
    version: i64,
    decision: Option<String>,
    progress: Option<String>,
}

/// Which promotions to list; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Into channels of this environment.
    pub environment: Option<String>,
    /// Into channels with this tag.
    pub tag: Option<String>,
    /// Of this service.
    pub service: Option<String>,
    /// Only those that have not ended.
    pub running: bool,
    /// Asked for before the one with this key.
    pub before: Option<String>,
}

/// Records a promotion.
pub async fn insert(tx: &mut Tx, new: &Promotion) -> Result<(), Error> {
    const SQL: &str = "
        insert into promotion (id, environment, tag, service, repository, digest, place, origin,
            chain, requested_at, requested_by, reason, state, problem, step, weight, move,
            expires_at, due_at, claimed_until, changed_at, version, decision, progress)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
            $19, 0, $20, $21, $22, $23)";
    tx.query(SQL)
        .bind(&new.id)
        .bind(&new.name.environment)
        .bind(&new.name.tag)
        .bind(&new.name.service)
        .bind(new.repository.as_str())
        .bind(new.digest.to_string())
        .bind(new.place.as_str())
        .bind(&new.origin)
        .bind(&new.chain)
        .bind(new.requested_at)
        .bind(&new.requested_by)
        .bind(&new.reason)
        .bind(&new.state)
        .bind(&new.problem)
        .bind(new.step)
        .bind(new.weight)
        .bind(new.r#move)
        .bind(new.expires_at)
        .bind(new.due_at)
        .bind(new.changed_at)
        .bind(new.version)
        .bind(&new.decision)
        .bind(&new.progress)
        .execute()
        .await?;
    Ok(())
}

/// Writes how far a promotion is, and lets go of it; `false` if it is not any more where it was `before`.
/// What was asked for never changes.
pub async fn update(tx: &mut Tx, before: &Promotion, new: &Promotion) -> Result<bool, Error> {
    const SQL: &str = "
        update promotion
        set state = $3, problem = $4, step = $5, weight = $6, move = $7, due_at = $8,
            claimed_until = 0, changed_at = $9, version = $10, decision = $11, progress = $12,
            expires_at = $13
        where id = $1 and state = $2 and changed_at = $14";
    let query = tx
        .query(SQL)
        .bind(&new.id)
        .bind(&before.state)
        .bind(&new.state)
        .bind(&new.problem)
        .bind(new.step)
        .bind(new.weight)
        .bind(new.r#move)
        .bind(new.due_at)
        .bind(new.changed_at)
        .bind(new.version)
        .bind(&new.decision)
        .bind(&new.progress)
        .bind(new.expires_at)
        .bind(before.changed_at);
    Ok(query.execute().await? > 0)
}

/// The promotion of that key.
pub async fn find(connection: &mut Connection, id: &str) -> Result<Option<Promotion>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, digest, place, origin, chain,
            requested_at, requested_by, reason, state, problem, step, weight, move, expires_at,
            due_at, changed_at, version, decision, progress
        from promotion where id = $1";
    let row: Option<Row> = connection.query_as(SQL).bind(id).fetch_optional().await?;
    row.map(TryInto::try_into).transpose()
}

/// The promotions that the filter lets through, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Promotion>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, digest, place, origin, chain,
            requested_at, requested_by, reason, state, problem, step, weight, move, expires_at,
            due_at, changed_at, version, decision, progress
        from promotion
        where (cast($1 as text) is null or id < $1)
          and (cast($2 as text) is null or environment = $2)
          and (cast($3 as text) is null or tag = $3)
          and (cast($4 as text) is null or service = $4)
          and ($5 = 0 or due_at is not null)
        order by id desc
        limit $6";
    let rows: Vec<Row> = connection
        .query_as(SQL)
        .bind(&filter.before)
        .bind(&filter.environment)
        .bind(&filter.tag)
        .bind(&filter.service)
        .bind(i64::from(filter.running))
        .bind(i64::from(limit))
        .fetch_all()
        .await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The promotions into a channel that have not ended, the oldest first.
pub async fn running(connection: &mut Connection, name: &Name) -> Result<Vec<Promotion>, Error> {
    const SQL: &str = "
        select id, environment, tag, service, repository, digest, place, origin, chain,
            requested_at, requested_by, reason, state, problem, step, weight, move, expires_at,
            due_at, changed_at, version, decision, progress
        from promotion
        where service = $1 and environment = $2 and tag = $3 and due_at is not null
        order by id";
    let query = connection.query_as::<Row>(SQL).bind(&name.service).bind(&name.environment);
    let rows = query.bind(&name.tag).fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Promotions that are due and that nobody else has taken, for as long as `until`; at most `limit`.
pub async fn take(
    tx: &mut Tx,
    now: Timestamp,
    until: Timestamp,
    limit: u32,
) -> Result<Vec<Promotion>, Error> {
    const SQL: &str = "
        update promotion set claimed_until = $2
        where id in (
            select id from promotion
            where due_at is not null and due_at <= $1 and claimed_until <= $1
            order by due_at limit $3
        )
        returning id, environment, tag, service, repository, digest, place, origin, chain,
            requested_at, requested_by, reason, state, problem, step, weight, move, expires_at,
            due_at, changed_at, version, decision, progress";
    let query = tx.query_as::<Row>(SQL).bind(now).bind(until).bind(i64::from(limit));
    let rows = query.fetch_all().await?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Whether a promotion is due that nobody has taken.
pub async fn is_any_due(connection: &mut Connection, now: Timestamp) -> Result<bool, Error> {
    const SQL: &str = "
        select exists (
            select 1 from promotion
            where due_at is not null and due_at <= $1 and claimed_until <= $1
        )";
    connection.query_scalar(SQL).bind(now).fetch_one().await
}

/// How many promotions have not ended, how many of them are due at `now`, and since when the first is.
pub async fn count_running(
    connection: &mut Connection,
    now: Timestamp,
) -> Result<(i64, i64, Option<Timestamp>), Error> {
    const SQL: &str = "
        select (select count(*) from promotion where due_at is not null),
            (select count(*) from promotion where due_at is not null and due_at <= $1),
            (select min(due_at) from promotion where due_at is not null and due_at <= $1)";
    connection.query_as(SQL).bind(now).fetch_one().await
}

/// Has everything looked at that waits for gates: something changed that they look at.
pub async fn wake(tx: &mut Tx, state: &str, now: Timestamp) -> Result<u64, Error> {
    const SQL: &str = "
        update promotion set due_at = $2 where state = $1 and due_at is not null and due_at > $2";
    tx.query(SQL).bind(state).bind(now).execute().await
}

/// Lets go of everything that was taken.
pub async fn release_all(tx: &mut Tx) -> Result<(), Error> {
    const SQL: &str = "update promotion set claimed_until = 0 where due_at is not null";
    tx.query(SQL).execute().await?;
    Ok(())
}

/// Lets go of what was taken.
pub async fn release(tx: &mut Tx, id: &str, due_at: Timestamp) -> Result<(), Error> {
    const SQL: &str = "
        update promotion set claimed_until = 0, due_at = $2 where id = $1 and due_at is not null";
    tx.query(SQL).bind(id).bind(due_at).execute().await?;
    Ok(())
}

impl TryFrom<Row> for Promotion {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            name: Name { environment: row.environment, tag: row.tag, service: row.service },
            repository: parse("promotion.repository", &row.repository)?,
            digest: parse("promotion.digest", &row.digest)?,
            place: parse("promotion.place", &row.place)?,
            origin: row.origin,
            chain: row.chain,
            requested_at: row.requested_at,
            requested_by: row.requested_by,
            reason: row.reason,
            state: row.state,
            problem: row.problem,
            step: row.step,
            weight: row.weight,
            r#move: row.r#move,
            expires_at: row.expires_at,
            due_at: row.due_at,
            changed_at: row.changed_at,
            version: row.version,
            decision: row.decision,
            progress: row.progress,
        })
    }
}
