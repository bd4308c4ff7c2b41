use plura_meta::audit::{self, Filter, Outcome};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{Access, Error, schema, time};

/// Which entries are wanted; what is not given does not narrow.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// By this name.
    pub actor: Option<String>,
    /// This action; with a dot at the end, all that begin so.
    pub action: Option<String>,
    /// On exactly this.
    pub target: Option<String>,
    /// About this project.
    #[param(value_type = Option<schema::ProjectName>)]
    pub project: Option<String>,
    /// `allowed` or `denied`.
    #[param(value_type = Option<schema::Outcome>)]
    pub outcome: Option<String>,
    /// Not before: a date, or an instant in RFC 3339.
    #[param(value_type = Option<schema::Since>)]
    pub since: Option<String>,
    /// Before: a date, or an instant in RFC 3339.
    #[param(value_type = Option<schema::Since>)]
    pub until: Option<String>,
    /// Older than the entry of this id.
    pub before: Option<i64>,
    /// At most this many: 100 if not given.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u32>,
}

/// An entry.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the order.
    pub id: i64,
    /// When, to the millisecond.
    #[schema(value_type = schema::Instant)]
    pub at: String,
    /// What the request is called in the log.
    pub request_id: String,
    /// Who.
    pub actor: Actor,
    /// How that was shown.
    pub method: String,
    /// From where.
    pub address: String,
    /// What.
    pub action: String,
    /// On what.
    pub target: String,
    /// `allowed` or `denied`.
    #[schema(value_type = schema::Outcome)]
    pub outcome: String,
    /// The rule that decided; empty where none had to.
    pub rule: String,
    /// More.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// Who did something.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Actor {
    /// What kind of identity.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A page, the newest entry first.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct AuditPage {
    /// The entries.
    pub entries: Vec<AuditEntry>,
    /// `before` of the next page, if there may be one.
    pub next: Option<i64>,
}

/// Entries of a page, if nobody says.
const PAGE: u32 = 100;
/// The most entries of a page.
const LARGEST_PAGE: u32 = 1000;

impl Access {
    /// What was done and refused.
    pub async fn audit(&self, query: &AuditQuery) -> Result<AuditPage, Error> {
        let limit = query.limit.unwrap_or(PAGE);
        if !(1..=LARGEST_PAGE).contains(&limit) {
            return Err(Error::invalid("limit", format!("expected 1 to {LARGEST_PAGE}")));
        }
        let filter = filter(query)?;
        let found = audit::list(&mut self.read_db().await?, &filter, limit).await?;
        let full = found.len() == limit as usize;
        let next = found.last().filter(|_| full).map(|last| last.id);
        Ok(AuditPage { entries: found.into_iter().map(AuditEntry::of).collect(), next })
    }
}

fn filter(query: &AuditQuery) -> Result<Filter, Error> {
    let instant = |field, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => match time::parse(text) {
            Some(at) => Ok(Some(at)),
            None => Err(Error::invalid(
                field,
                "expected a date as 2026-01-31 or an instant as 2026-01-31T12:00:00Z",
            )),
        },
    };
    let outcome = match query.outcome.as_deref() {
        None => None,
        Some("allowed") => Some(Outcome::Allowed),
        Some("denied") => Some(Outcome::Denied),
        Some(_) => return Err(Error::invalid("outcome", "expected allowed or denied")),
    };
    Ok(Filter {
        actor: query.actor.clone(),
        action: query.action.clone(),
        target: query.target.clone(),
        project: query.project.clone(),
        outcome,
        since: instant("since", &query.since)?,
        until: instant("until", &query.until)?,
        before: query.before,
    })
}

impl AuditEntry {
    fn of(entry: audit::Entry) -> Self {
        Self {
            id: entry.id,
            at: time::rfc3339_millis(entry.at),
            request_id: entry.request_id,
            actor: Actor { kind: entry.actor_kind, name: entry.actor },
            method: entry.method,
            address: entry.address,
            action: entry.action,
            target: entry.target,
            outcome: entry.outcome,
            rule: entry.rule,
            detail: serde_json::from_str(&entry.detail).unwrap_or(serde_json::json!({})),
        }
    }
}
