//! Records of the Open Source Vulnerability format, schema 1.6 and 1.7, reduced to what decides.
//!
//! What is not known (fields, types of ranges and severities, ecosystems) is left out or kept as text
//! and never fails a record; what is used must have the type that the schema gives it.

mod event;
mod lenient;
mod vendor;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use event::Event;
use lenient::null_is_default;
pub use vendor::VendorWords;

use crate::Ecosystem;

/// One advisory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Advisory {
    /// Its name in its database: `GHSA-...`, `DSA-5532-1`.
    pub id: Box<str>,
    /// When it was last changed.
    pub modified: Timestamp,
    /// When it was published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published: Option<Timestamp>,
    /// When it was found to be wrong; it says nothing any more then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub withdrawn: Option<Timestamp>,
    /// Other names of the same vulnerability.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<Box<str>>,
    /// The vulnerabilities that a distribution's advisory is about.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub upstream: Vec<Box<str>>,
    /// Advisories that have something to do with it.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub related: Vec<Box<str>>,
    /// What it is about, in one line.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "str::is_empty")]
    pub summary: Box<str>,
    /// How severe it is, by several methods.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub severity: Vec<Rating>,
    /// Whom it affects.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub affected: Vec<Affected>,
    /// What its database says besides.
    #[serde(default, skip_serializing_if = "VendorWords::is_empty")]
    pub database_specific: VendorWords,
}

/// A severity as it is written down.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rating {
    /// `CVSS_V2`, `CVSS_V3`, `CVSS_V4`, `Ubuntu`.
    #[serde(rename = "type", default, deserialize_with = "null_is_default")]
    pub kind: Box<str>,
    /// A vector, or the vendor's word.
    #[serde(default, deserialize_with = "null_is_default")]
    pub score: Box<str>,
}

/// A package and which of its versions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Affected {
    /// The package; without it only commits are affected, which says nothing about packages.
    #[serde(default)]
    pub package: Option<AffectedPackage>,
    /// How severe it is there.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub severity: Vec<Rating>,
    /// From which version to which.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub ranges: Vec<Range>,
    /// Versions that are affected, one by one.
    #[serde(default, deserialize_with = "null_is_default", skip_serializing_if = "Vec::is_empty")]
    pub versions: Vec<Box<str>>,
    /// What its ecosystem says besides.
    #[serde(default, skip_serializing_if = "VendorWords::is_empty")]
    pub ecosystem_specific: VendorWords,
    /// What its database says besides.
    #[serde(default, skip_serializing_if = "VendorWords::is_empty")]
    pub database_specific: VendorWords,
}

/// The name of an affected package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AffectedPackage {
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Its name there.
    pub name: Box<str>,
}

/// Versions between events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    /// By what its versions are compared: `ECOSYSTEM`, `SEMVER` or `GIT`.
    #[serde(rename = "type")]
    pub kind: Box<str>,
    /// Where being affected begins and ends.
    #[serde(deserialize_with = "event::several")]
    pub events: Vec<Event>,
}

/// The bytes are not an advisory.
#[derive(Debug, thiserror::Error)]
pub enum ReadAdvisoryError {
    /// More bytes than an advisory has.
    #[error("an advisory has at most {most} bytes, this one has {0}", most = Advisory::MAX_BYTES)]
    TooLarge(usize),
    /// Not JSON, or a field that is used has another type than the schema gives it.
    #[error("expected a record of the OSV schema: {0}")]
    Malformed(#[from] serde_json::Error),
    /// An identifier that could not be shown or stored.
    #[error("an advisory's `id` has 1 to {most} characters, no spaces among them", most = Advisory::MAX_ID)]
    Identifier,
    /// A name that no package has.
    #[error("the name of a package has 1 to {most} bytes, no control characters among them", most = Advisory::MAX_NAME)]
    PackageName,
}

impl Advisory {
    /// The most bytes of a record. The largest genuine ones, about the Linux kernel, have some
    /// megabytes.
    pub const MAX_BYTES: usize = 16 << 20;

    /// The most characters of an identifier.
    pub const MAX_ID: usize = 128;

    /// The most bytes of a package's name.
    pub const MAX_NAME: usize = 1024;

    /// The most bytes of a summary; the rest is cut off.
    pub const MAX_SUMMARY: usize = 500;

    /// Reads a record and drops what says nothing about packages. What is left can be written as JSON
    /// again, which is a record of a fraction of the size that says the same.
    pub fn parse(json: &[u8]) -> Result<Self, ReadAdvisoryError> {
        if json.len() > Self::MAX_BYTES {
            return Err(ReadAdvisoryError::TooLarge(json.len()));
        }
        let mut advisory: Self = serde_json::from_slice(json)?;
        if !is_identifier(&advisory.id) {
            return Err(ReadAdvisoryError::Identifier);
        }
        let packages = advisory.affected.iter().filter_map(|affected| affected.package.as_ref());
        if !packages.into_iter().all(|package| is_name(&package.name)) {
            return Err(ReadAdvisoryError::PackageName);
        }
        advisory.summary = one_line(&advisory.summary);
        // Of other advisories only the names are known; one that is none refers to nothing.
        for names in [&mut advisory.aliases, &mut advisory.upstream, &mut advisory.related] {
            names.retain(|name| is_identifier(name) && **name != *advisory.id);
            names.sort_unstable();
            names.dedup();
        }
        for affected in &mut advisory.affected {
            affected.ranges.retain(|range| &*range.kind != "GIT");
            affected.end_where_known();
        }
        advisory.affected.retain(Affected::says_something);
        Ok(advisory)
    }
}

impl Affected {
    /// GitHub's advisories have no event for versions that nobody has fixed but that are not affected any
    /// more; they say it beside the events (`last_known_affected_version_range`).
    fn end_where_known(&mut self) {
        let Some(known) = self.database_specific.last_known_affected.take() else { return };
        let end = if let Some(version) = known.strip_prefix("<=") {
            Event::LastAffected(version.trim().into())
        } else if let Some(version) = known.strip_prefix('<') {
            Event::Limit(version.trim().into())
        } else {
            return;
        };
        let open = |range: &&mut Range| {
            range.events.iter().all(|event| matches!(event, Event::Introduced(_)))
        };
        for range in self.ranges.iter_mut().filter(open) {
            range.events.push(end.clone());
        }
    }

    fn says_something(&self) -> bool {
        self.package.is_some() && !(self.ranges.is_empty() && self.versions.is_empty())
    }
}

fn is_name(text: &str) -> bool {
    (1..=Advisory::MAX_NAME).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// It is shown in tables and terminals.
fn one_line(text: &str) -> Box<str> {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|w| !w.is_empty())
    {
        if line.len() + 1 + word.len() > Advisory::MAX_SUMMARY {
            break;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line.into()
}

fn is_identifier(text: &str) -> bool {
    (1..=Advisory::MAX_ID).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}
