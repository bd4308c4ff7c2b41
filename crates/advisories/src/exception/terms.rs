use jiff::{SignedDuration, Timestamp};
use plura_oci::Digest;
use serde::{Deserialize, Serialize};

use crate::{Ecosystem, Glob, ImageNames, Match, Package, normalised};

/// What somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExceptionTerms {
    /// Its name.
    pub id: Box<str>,
    /// The vulnerability, by any of its names; without it, all that the package has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vulnerability: Option<Box<str>>,
    /// The package; without it, all that have the vulnerability.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<PackagePattern>,
    /// In which images.
    pub scope: Scope,
    /// Why it may stay.
    pub reason: Box<str>,
    /// Who is responsible for it.
    pub owner: Box<str>,
    /// Who agreed.
    pub approver: Box<str>,
    /// From when on it holds.
    pub granted_at: Timestamp,
    /// Until when it holds.
    pub expires_at: Timestamp,
}

/// Packages by their names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackagePattern {
    /// Where they come from; one without a release covers all releases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ecosystem: Option<Ecosystem>,
    /// Their names, or the names of what they were built from.
    pub name: Glob,
    /// Exactly this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Box<str>>,
}

/// Which images an exception is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// One image, wherever it is.
    Digest(Digest),
    /// All images of some repositories.
    Repositories(Glob),
    /// All images of a project.
    Project(Box<str>),
}

/// An exception that was granted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Exception(ExceptionTerms);

/// What exceptions may be.
#[derive(Clone, Copy, Debug)]
pub struct ExceptionRules {
    /// How long one may hold.
    pub longest: SignedDuration,
}

/// Why an exception is not granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedException {
    /// It would be about everything.
    #[error("an exception names a vulnerability, a package, or both")]
    Everything,
    /// A field that must say something does not.
    #[error("an exception needs `{0}`")]
    Missing(&'static str),
    /// Nobody else agreed.
    #[error("`{0}` owns the exception and cannot approve it as well")]
    SelfApproved(Box<str>),
    /// It ends before it begins.
    #[error("the exception would expire at {0}, before it is granted")]
    Expired(Timestamp),
    /// It would hold for too long.
    #[error("an exception may hold until {latest} at most; this one would until {wanted}")]
    TooLong {
        /// What was asked for.
        wanted: Timestamp,
        /// What the rules allow.
        latest: Timestamp,
    },
}

impl Exception {
    /// Grants the exception if it is one and the rules allow it.
    pub fn grant(terms: ExceptionTerms, rules: ExceptionRules) -> Result<Self, RefusedException> {
        let latest = terms.granted_at.saturating_add(rules.longest).unwrap_or(Timestamp::MAX);
        if terms.expires_at > latest {
            return Err(RefusedException::TooLong { wanted: terms.expires_at, latest });
        }
        Self::restore(terms)
    }

    /// An exception that was granted before, when the rules may have been others.
    pub fn restore(terms: ExceptionTerms) -> Result<Self, RefusedException> {
        if terms.vulnerability.is_none() && terms.package.is_none() {
            return Err(RefusedException::Everything);
        }
        let fields = [
            ("id", &terms.id),
            ("reason", &terms.reason),
            ("owner", &terms.owner),
            ("approver", &terms.approver),
        ];
        if let Some((name, _)) = fields.into_iter().find(|(_, text)| text.trim().is_empty()) {
            return Err(RefusedException::Missing(name));
        }
        if terms.owner.trim() == terms.approver.trim() {
            return Err(RefusedException::SelfApproved(terms.owner));
        }
        if terms.expires_at <= terms.granted_at {
            return Err(RefusedException::Expired(terms.expires_at));
        }
        Ok(Self(terms))
    }

    /// What was granted.
    pub fn terms(&self) -> &ExceptionTerms {
        &self.0
    }

    /// Whether it holds at that time.
    pub fn holds(&self, at: Timestamp) -> bool {
        (self.0.granted_at..self.0.expires_at).contains(&at)
    }

    /// Whether it is over at that time.
    pub fn is_expired(&self, at: Timestamp) -> bool {
        self.0.expires_at <= at
    }

    /// Whether it is about the image.
    pub fn is_about(&self, image: &ImageNames<'_>) -> bool {
        self.0.scope.covers(image)
    }

    /// Whether it is about what was found.
    pub fn covers(&self, found: &Match) -> bool {
        self.0.vulnerability.as_ref().is_none_or(|name| found.is_called(name))
            && self.0.package.as_ref().is_none_or(|pattern| pattern.covers(&found.package))
    }
}

impl Scope {
    fn covers(&self, image: &ImageNames<'_>) -> bool {
        match self {
            Self::Digest(digest) => image.digests.contains(digest),
            Self::Repositories(pattern) => pattern.covers(image.repository),
            Self::Project(project) => **project == *image.project,
        }
    }
}

impl PackagePattern {
    /// Whether the package, or what it was built from, has such a name.
    pub fn covers(&self, package: &Package) -> bool {
        let family = package.ecosystem.family();
        let from_there = self.ecosystem.as_ref().is_none_or(|ecosystem| {
            let release = ecosystem.canonical_release();
            ecosystem.family() == family
                && (release.is_empty() || release == package.ecosystem.canonical_release())
        });
        let named = |name: &str, version: &str| {
            (self.name.covers(name) || self.name.covers(&normalised(family, name)))
                && self.version.as_deref().is_none_or(|wanted| wanted == version)
        };
        let source = package.source.as_ref();
        from_there
            && (named(&package.name, &package.version)
                || source.is_some_and(|source| named(&source.name, &source.version)))
    }
}
