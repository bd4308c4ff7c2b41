//! Entries as people ask for them.

use jiff::Timestamp;
use plura_meta::log::{self, Filter, LoggedEntry};
use serde::Serialize;
use serde_json::Value;

use crate::{Error, Transparency, instant, signed, unsigned};

/// Which entries are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EntryQuery {
    /// Those about this.
    pub subject: Option<String>,
    /// Of this kind; one that ends with `.` stands for all that begin so.
    pub kind: Option<String>,
    /// Those before this one.
    pub before: Option<u64>,
    /// The most entries of the page.
    pub limit: u32,
}

/// A page of entries, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct EntryPage {
    /// The entries.
    pub entries: Vec<LogEntry>,
    /// What the next page is before, if there is more.
    pub next: Option<u64>,
}

/// An entry of the log.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
pub struct LogEntry {
    /// Its number, from zero.
    pub index: u64,
    /// When it was added.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// What happened: `exception.granted`.
    pub kind: String,
    /// What it is about.
    pub subject: String,
    /// What there is to say of it.
    #[schema(value_type = Object)]
    pub document: Value,
}

impl Transparency {
    /// Entries, the newest first, part of the tree or not yet.
    pub async fn entries(&self, query: &EntryQuery) -> Result<EntryPage, Error> {
        let filter = Filter {
            subject: query.subject.clone(),
            kind: query.kind.clone(),
            before: query.before.map(signed),
        };
        // One more than is answered tells whether there is more.
        let wanted = query.limit.saturating_add(1);
        let mut rows = log::list(&mut self.db().read().await?, &filter, wanted).await?;
        let is_more = rows.len() > query.limit as usize;
        rows.truncate(query.limit as usize);
        let entries: Vec<_> = rows.iter().map(LogEntry::read).collect();
        let next = entries.last().filter(|_| is_more).map(|last| last.index);
        Ok(EntryPage { entries, next })
    }
}

impl LogEntry {
    fn read(row: &LoggedEntry) -> Self {
        Self {
            index: unsigned(row.position),
            at: instant(row.at),
            kind: row.kind.clone(),
            subject: row.subject.clone(),
            document: serde_json::from_slice(&row.document).unwrap_or_default(),
        }
    }
}
