use serde::{Deserialize, Serialize};

use crate::Ecosystem;

/// A package that is installed somewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Package {
    /// Where it comes from, with the release of an operating system.
    pub ecosystem: Ecosystem,
    /// Its name, in any spelling that the ecosystem takes.
    pub name: Box<str>,
    /// Its version, as its package manager prints it.
    pub version: Box<str>,
    /// What it was built from, if that has another name or version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
}

/// What a package of an operating system was built from: Debian's `Source`, Alpine's origin, rpm's
/// source package.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Source {
    /// The source's name.
    pub name: Box<str>,
    /// The source's version.
    pub version: Box<str>,
}

impl Package {
    /// A package that was built from a source of the same name and version.
    pub fn new(ecosystem: impl Into<Ecosystem>, name: &str, version: &str) -> Self {
        let ecosystem = ecosystem.into();
        Self { ecosystem, name: name.into(), version: version.into(), source: None }
    }

    /// The same, built from another source.
    #[must_use]
    pub fn built_from(mut self, name: &str, version: &str) -> Self {
        self.source = Some(Source { name: name.into(), version: version.into() });
        self
    }
}
