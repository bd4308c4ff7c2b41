//! What is sent to webhooks, was sent, and was given up.

use crate::{Connection, Error, Timestamp, Tx, audit::Entry};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is still to be sent, or to be sent again.
    Waiting,
    /// It was accepted.
    Delivered,
    /// It was given up.
    Dead,
}

impl State {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

/// A delivery as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct StoredDelivery {
    /// The event: an entry of the audit.
    pub audit_id: i64,
    /// What happened.
    pub action: String,
    /// On what.
    pub target: String,
    /// `waiting`, `delivered` or `dead`.
    pub state: String,
    /// How often it was sent.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is sent next, if it is waiting.
    pub next_at: Timestamp,
    /// When it was accepted or given up.
    pub ended_at: Option<Timestamp>,
    /// What the last answer was.
    pub status: Option<i64>,
    /// Why the last attempt failed.
    pub error: Option<String>,
}

/// The delivery of a webhook that is sent next.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct NextDelivery {
    /// How often it was sent.
    pub attempts: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Not before.
    pub next_at: Timestamp,
    /// The event.
    #[sqlx(flatten)]
    pub entry: Entry,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt<'a> {
    /// What the delivery is from now on.
    pub state: State,
    /// The status of the answer, if there was one.
    pub status: Option<i64>,
    /// Why it failed.
    pub error: Option<&'a str>,
    /// When it is sent again, if it is waiting.
    pub next_at: Timestamp,
}

/// Adds deliveries of these entries of the audit to a webhook; those that are there stay.
pub async fn add(tx: &mut Tx, webhook: i64, audit: &[i64], now: Timestamp) -> Result<(), Error> {
    // `where true` keeps `on conflict` from being read as a join condition.
    const SQL: &str = "
        insert into webhook_delivery (webhook_id, audit_id, state, attempts, created_at, next_at)
        select $1, cast(wanted.value as bigint), 'waiting', 0, $3, $3
        from json_each($2) as wanted where true
        on conflict (webhook_id, audit_id) do nothing";
    tx.query(SQL).bind(webhook).bind(list_text(audit)).bind(now).execute().await?;
    Ok(())
}

/// What is to be sent to a webhook next: the oldest that waits, since they arrive in their order.
pub async fn next(
    connection: &mut Connection,
    webhook: i64,
) -> Result<Option<NextDelivery>, Error> {
    const SQL: &str = "
        select attempts, created_at, next_at, audit.id, at, request_id, actor_kind, actor, method,
            address, action, target, project, outcome, rule, detail
        from webhook_delivery join audit on audit.id = webhook_delivery.audit_id
        where state = 'waiting' and webhook_id = $1
          and exists (select 1 from webhook where id = $1 and enabled)
        order by audit_id limit 1";
    connection.query_as(SQL).bind(webhook).fetch_optional().await
}

/// The webhooks for which something waits.
pub async fn webhooks_waiting(connection: &mut Connection) -> Result<Vec<i64>, Error> {
    const SQL: &str = "
        select id from webhook
        where enabled and exists (
            select 1 from webhook_delivery where state = 'waiting' and webhook_id = webhook.id
        )
        order by id";
    connection.query_scalar(SQL).fetch_all().await
}

/// Records how an attempt ended.
pub async fn record(
    tx: &mut Tx,
    (webhook, audit): (i64, i64),
    attempt: &Attempt<'_>,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        update webhook_delivery
        set state = $3, attempts = attempts + 1, status = $4, error = $5, next_at = $6, ended_at = $7
        where webhook_id = $1 and audit_id = $2 and state = 'waiting'";
    let ended = (attempt.state != State::Waiting).then_some(now);
    let update = tx.query(SQL).bind(webhook).bind(audit).bind(attempt.state.as_str());
    let update = update.bind(attempt.status).bind(attempt.error).bind(attempt.next_at);
    update.bind(ended).execute().await?;
    Ok(())
}

/// Deliveries of a webhook before that of an entry, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    webhook: i64,
    state: Option<State>,
    before: i64,
    limit: u32,
) -> Result<Vec<StoredDelivery>, Error> {
    const SQL: &str = "
        select audit_id, action, target, state, attempts, created_at, next_at, ended_at, status, error
        from webhook_delivery join audit on audit.id = webhook_delivery.audit_id
        where webhook_id = $1 and audit_id < $2 and (cast($3 as text) is null or state = $3)
        order by audit_id desc limit $4";
    let list = connection.query_as(SQL).bind(webhook).bind(before);
    list.bind(state.map(State::as_str)).bind(i64::from(limit)).fetch_all().await
}

/// Sends what was given up again: all of it, or that of one entry. How many there were.
pub async fn replay(
    tx: &mut Tx,
    webhook: i64,
    audit: Option<i64>,
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        update webhook_delivery
        set state = 'waiting', attempts = 0, created_at = $3, next_at = $3, ended_at = null
        where webhook_id = $1 and state = 'dead'
          and (cast($2 as bigint) is null or audit_id = $2)";
    tx.query(SQL).bind(webhook).bind(audit).bind(now).execute().await
}

/// How many deliveries of each state there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Counts {
    /// To be sent.
    pub waiting: i64,
    /// Given up.
    pub dead: i64,
}

/// How many deliveries to all webhooks wait and were given up.
pub async fn count(connection: &mut Connection) -> Result<Counts, Error> {
    const SQL: &str = "
        select (select count(*) from webhook_delivery where state = 'waiting') as waiting,
            (select count(*) from webhook_delivery where state = 'dead') as dead";
    connection.query_as(SQL).fetch_one().await
}

/// Forgets what ended, but for the newest `kept` of that state of a webhook; at most `limit` at a time.
/// How many there were.
pub async fn forget(
    tx: &mut Tx,
    webhook: i64,
    state: State,
    (kept, limit): (u32, u32),
) -> Result<u64, Error> {
    const SQL: &str = "
        delete from webhook_delivery
        where webhook_id = $1 and audit_id in (
            select audit_id from webhook_delivery
            where webhook_id = $1 and state = $2
            order by audit_id desc limit $3 offset $4
        )";
    let delete = tx.query(SQL).bind(webhook).bind(state.as_str()).bind(i64::from(limit));
    delete.bind(i64::from(kept)).execute().await
}

/// Gives up what waits beside the newest `kept` of a webhook; at most `limit` at a time.
pub async fn give_up(
    tx: &mut Tx,
    webhook: i64,
    (kept, limit): (u32, u32),
    now: Timestamp,
) -> Result<u64, Error> {
    const SQL: &str = "
        update webhook_delivery
        set state = 'dead', ended_at = $2, error = 'too many waited'
        where webhook_id = $1 and audit_id in (
            select audit_id from webhook_delivery
            where webhook_id = $1 and state = 'waiting'
            order by audit_id desc limit $3 offset $4
        )";
    let update = tx.query(SQL).bind(webhook).bind(now).bind(i64::from(limit));
    update.bind(i64::from(kept)).execute().await
}

fn list_text(ids: &[i64]) -> String {
    let texts: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", texts.join(","))
}
