//! The audit: what was done and what was refused, by whom, from where. Rows are only ever added.

use std::sync::Arc;

use serde::Serialize;

use crate::{Connection, Error, Timestamp, Tx, build::Build};

/// Who does something, and from where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Origin {
    /// What the request is called in the log.
    pub request_id: String,
    /// What kind of identity: `user`, `robot`, `workload`, `certificate`, `local`, `anonymous`,
    /// `system`.
    pub actor_kind: String,
    /// Its name.
    pub actor: String,
    /// What stays the same when the name changes; whose an upload is.
    pub subject: String,
    /// How the identity was shown: `password`, `token`, `certificate`, ...
    pub method: String,
    /// The client's address; empty for what plura does by itself.
    pub address: String,
    /// The run of a build that it is, where its token named one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub build: Option<Arc<Build>>,
}

impl Origin {
    /// What plura does by itself: collection, schedules.
    pub fn system() -> Self {
        Self {
            request_id: String::new(),
            actor_kind: "system".into(),
            actor: "plura".into(),
            subject: String::new(),
            method: "none".into(),
            address: String::new(),
            build: None,
        }
    }
}

/// Whether it was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was done.
    Allowed,
    /// It was refused.
    Denied,
}

impl Outcome {
    /// As it is stored and asked for.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Denied => "denied",
        }
    }
}

/// Something to be recorded.
#[derive(Clone, Debug)]
pub struct Event {
    /// What: `manifest.push`, `user.create`, `login`.
    pub action: &'static str,
    /// On what: `apps/x:1.0`, `user:alice`.
    pub target: String,
    /// The project it is about; empty if none.
    pub project: String,
    /// Whether it was done.
    pub outcome: Outcome,
    /// The rule that decided; empty where none had to.
    pub rule: String,
    /// More about it, as JSON. Never a secret.
    pub detail: String,
}

impl Event {
    /// Something that was done.
    pub fn done(action: &'static str, target: impl Into<String>) -> Self {
        Self {
            action,
            target: target.into(),
            project: String::new(),
            outcome: Outcome::Allowed,
            rule: String::new(),
            detail: String::new(),
        }
    }

    /// Something in a repository that was done.
    pub fn in_repository(action: &'static str, repository: &str, reference: &str) -> Self {
        let project = repository.split('/').next().unwrap_or_default().to_owned();
        // A digest is told from its repository by `@`, a tag by `:`, as everywhere.
        let separator = if reference.contains(':') { '@' } else { ':' };
        Self { project, ..Self::done(action, format!("{repository}{separator}{reference}")) }
    }

    /// The same about a project.
    #[must_use]
    pub fn of_project(self, project: &str) -> Self {
        Self { project: project.to_owned(), ..self }
    }
}

/// Records an event; its place in the order of all.
pub async fn record(
    tx: &mut Tx,
    origin: &Origin,
    event: &Event,
    now: Timestamp,
) -> Result<(), Error> {
    const SQL: &str = "
        insert into audit (
            at, request_id, actor_kind, actor, method, address,
            action, target, project, outcome, rule, detail
        ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    tx.query(SQL)
        .bind(now)
        .bind(&origin.request_id)
        .bind(&origin.actor_kind)
        .bind(&origin.actor)
        .bind(&origin.method)
        .bind(&origin.address)
        .bind(event.action)
        .bind(&event.target)
        .bind(&event.project)
        .bind(event.outcome.as_str())
        .bind(&event.rule)
        .bind(&event.detail)
        .execute()
        .await?;
    Ok(())
}

/// What to look for; what is not given does not narrow.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By this name.
    pub actor: Option<String>,
    /// This action, or, with a dot at the end, all that begin so.
    pub action: Option<String>,
    /// On exactly this.
    pub target: Option<String>,
    /// About this project.
    pub project: Option<String>,
    /// With this outcome.
    pub outcome: Option<Outcome>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Older than the entry of this id: where the page before ended.
    pub before: Option<i64>,
}

/// An entry.
#[derive(Clone, Debug, sqlx::FromRow)]
pub struct Entry {
    /// Its place in the order.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// What the request is called in the log.
    pub request_id: String,
    /// What kind of identity.
    pub actor_kind: String,
    /// Its name.
    pub actor: String,
    /// How it was shown.
    pub method: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// About which project; empty if none.
    pub project: String,
    /// `allowed` or `denied`.
    pub outcome: String,
    /// The rule that decided.
    pub rule: String,
    /// More, as JSON; empty if none.
    pub detail: String,
}

/// The entries that the filter lets through, the newest first; at most `limit`.
pub async fn list(
    connection: &mut Connection,
    filter: &Filter,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    // Walks the key downwards from where the page starts, or the index of actor, target or project.
    const SQL: &str = "
        select id, at, request_id, actor_kind, actor, method, address,
               action, target, project, outcome, rule, detail
        from audit
        where id < $1 and at >= $2 and at < $3
          and (cast($4 as text) is null or actor = $4)
          and (cast($5 as text) is null or action = $5 or ($5 like '%.' and substr(action, 1, length($5)) = $5))
          and (cast($6 as text) is null or target = $6)
          and (cast($7 as text) is null or project = $7)
          and (cast($8 as text) is null or outcome = $8)
        order by id desc
        limit $9";
    let texts = [&filter.actor, &filter.action, &filter.target, &filter.project];
    if texts.into_iter().flatten().any(|text| text.contains('\0')) {
        // No entry has a zero byte, and PostgreSQL takes no text with one.
        return Ok(Vec::new());
    }
    connection
        .query_as(SQL)
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.since.unwrap_or(Timestamp(0)))
        .bind(filter.until.unwrap_or(Timestamp(i64::MAX)))
        .bind(&filter.actor)
        .bind(&filter.action)
        .bind(&filter.target)
        .bind(&filter.project)
        .bind(filter.outcome.map(Outcome::as_str))
        .bind(i64::from(limit))
        .fetch_all()
        .await
}

/// Entries behind the one of this id, in their order; at most `limit`.
pub async fn after(connection: &mut Connection, id: i64, limit: u32) -> Result<Vec<Entry>, Error> {
    const SQL: &str = "
        select id, at, request_id, actor_kind, actor, method, address,
               action, target, project, outcome, rule, detail
        from audit
        where id > $1
        order by id
        limit $2";
    connection.query_as(SQL).bind(id).bind(i64::from(limit)).fetch_all().await
}

/// The same of one project.
pub async fn after_in_project(
    connection: &mut Connection,
    project: &str,
    id: i64,
    limit: u32,
) -> Result<Vec<Entry>, Error> {
    const SQL: &str = "
        select id, at, request_id, actor_kind, actor, method, address,
               action, target, project, outcome, rule, detail
        from audit
        where project = $1 and id > $2
        order by id
        limit $3";
    connection.query_as(SQL).bind(project).bind(id).bind(i64::from(limit)).fetch_all().await
}

/// The id of the newest entry; 0 if there is none.
pub async fn newest(connection: &mut Connection) -> Result<i64, Error> {
    const SQL: &str = "select coalesce(max(id), 0) from audit";
    connection.query_scalar(SQL).fetch_one().await
}

/// The id behind which all entries are that are not older than `since`.
pub async fn position_before(connection: &mut Connection, since: Timestamp) -> Result<i64, Error> {
    // Ids are given in the order of time, and there is no index of times: halving finds the place.
    const SQL: &str = "select at from audit where id > $1 order by id limit 1";
    let (mut before, mut end) = (0, newest(connection).await?);
    while before < end {
        let middle = before + (end - before) / 2;
        let at: Option<Timestamp> =
            connection.query_scalar(SQL).bind(middle).fetch_optional().await?;
        if at.is_none_or(|at| at >= since) {
            end = middle;
        } else {
            before = middle + 1;
        }
    }
    Ok(before)
}
