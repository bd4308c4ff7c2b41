//! Many advisories, in a form in which matching them costs little.
//!
//! Looking up a package is one look into a hash table; each advisory about it costs one or a few
//! comparisons of byte strings. Nothing depends on how many advisories there are about other packages.

mod builder;
mod group;
mod interval;
mod matching;
mod pool;

use std::{collections::HashMap, ops::Range};

use jiff::Timestamp;
use plura_oci::Digest;

pub use builder::{AdvisorySetBuilder, Counts};
use group::Vulnerability;
use interval::Interval;
use pool::{Pool, Symbol};

use crate::{Severity, VersionOrder};

/// Advisories of one moment, pinned by a digest.
#[derive(Debug)]
pub struct AdvisorySet {
    digest: Digest,
    newest: Option<Timestamp>,
    counts: Counts,
    pool: Pool,
    /// By [`index_key`]: which rows are about a package.
    packages: HashMap<Box<str>, Span>,
    rows: Vec<Row>,
    intervals: Vec<Interval>,
    /// Keys of versions that are affected without being in an interval; those of each row are sorted.
    listed_keys: Vec<Symbol>,
    /// The same for what is no version.
    listed_texts: Vec<Symbol>,
    advisories: Vec<AdvisoryRow>,
    /// What the advisories are about; indexes into `vulnerabilities`.
    about: Vec<u32>,
    vulnerabilities: Vec<Vulnerability>,
    severities: Vec<Severity>,
    /// Every name of a vulnerability.
    names: HashMap<Box<str>, u32>,
}

/// A part of one of the lists of the set.
#[derive(Clone, Copy, Debug, Default)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    fn of<T>(self, list: &[T]) -> &[T] {
        list.get(self.range()).unwrap_or_default()
    }
}

/// What one advisory says about one package.
#[derive(Clone, Copy, Debug)]
struct Row {
    advisory: u32,
    order: Option<VersionOrder>,
    /// Why its ranges say nothing.
    undecidable: Option<Symbol>,
    intervals: Span,
    listed_keys: Span,
    listed_texts: Span,
    /// Index into `severities`.
    severity: u32,
}

#[derive(Clone, Copy, Debug)]
struct AdvisoryRow {
    id: Symbol,
    summary: Symbol,
    about: Span,
}

impl AdvisorySet {
    /// What the set consists of: two sets of the same advisories have the same digest, in whichever
    /// order they were read and however they were formatted.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// When the advisory was changed that was changed last: how old the set is.
    pub fn newest(&self) -> Option<Timestamp> {
        self.newest
    }

    /// How many of what there are.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// About how much memory the lists take, without the hash tables.
    pub fn size(&self) -> usize {
        self.pool.size()
            + self.rows.capacity() * size_of::<Row>()
            + self.intervals.capacity() * size_of::<Interval>()
            + self.advisories.capacity() * size_of::<AdvisoryRow>()
            + (self.listed_keys.capacity() + self.listed_texts.capacity()) * size_of::<Symbol>()
            + self.severities.capacity() * size_of::<Severity>()
    }

    /// The name under which a vulnerability is found, by any of its names: the CVE if it has one.
    pub fn canonical(&self, name: &str) -> Option<&str> {
        let index = *self.names.get(name)?;
        Some(self.pool.text(self.vulnerabilities.get(index as usize)?.id))
    }

    /// All names of a vulnerability, the canonical one first; empty for what is not known.
    pub fn names_of(&self, name: &str) -> Vec<&str> {
        let index = self.names.get(name).copied();
        let Some(found) = index.and_then(|index| self.vulnerabilities.get(index as usize)) else {
            return Vec::new();
        };
        let aliases = found.aliases.iter().map(|alias| self.pool.text(*alias));
        std::iter::once(self.pool.text(found.id)).chain(aliases).collect()
    }
}

/// Under which key packages of a name are indexed.
fn index_key(family: &str, release: &str, name: &str) -> String {
    // A control character is in no name, so that no two of them read alike.
    format!("{family}\u{1f}{release}\u{1f}{name}")
}
