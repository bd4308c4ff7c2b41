use std::fmt::Write;

use jiff::Timestamp;

use crate::Digest;

/// Which part of a tag's history is wanted, the newest first (draft of the distribution specification,
/// `extensions/_oci.md`, "Component: `tag-history`").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryPage {
    /// `n`: how many entries the client wants at most.
    pub limit: Option<u32>,
    /// Only entries that are older.
    pub before: Option<Timestamp>,
    /// Only entries that are newer.
    pub since: Option<Timestamp>,
    /// Only entries about this manifest.
    pub digest: Option<Digest>,
}

impl HistoryPage {
    /// The most entries in one answer.
    pub const MAX: u32 = 1000;
    /// How many are answered to a client that does not say.
    pub const USUAL: u32 = 100;

    /// How many entries to answer, at most [`HistoryPage::MAX`].
    pub fn size(&self) -> u32 {
        self.limit.unwrap_or(Self::USUAL).min(Self::MAX)
    }

    /// Entries of this millisecond and later ones are not wanted: what has milliseconds is older than a part
    /// of one if it is not newer than its beginning.
    pub fn before_millisecond(&self) -> Option<i64> {
        let is_within = |at: Timestamp| at.subsec_nanosecond() % 1_000_000 > 0;
        self.before.map(|at| at.as_millisecond() + i64::from(is_within(at)))
    }

    /// Entries of this millisecond and earlier ones are not wanted.
    pub fn since_millisecond(&self) -> Option<i64> {
        self.since.map(Timestamp::as_millisecond)
    }

    /// The parameters of a query that asks for it; the other direction of what a request is read from.
    pub fn to_query(&self) -> String {
        let mut query = String::new();
        let mut add = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                let separator = if query.is_empty() { "" } else { "&" };
                // Writing to a string cannot fail, and nothing of it has to be escaped.
                let _ = write!(query, "{separator}{name}={value}");
            }
        };
        add("n", self.limit.map(|limit| limit.to_string()));
        add("before", self.before.map(|before| before.to_string()));
        add("since", self.since.map(|since| since.to_string()));
        add("digest", self.digest.map(|digest| digest.to_string()));
        query
    }
}
