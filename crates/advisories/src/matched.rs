use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Package, Severity};

/// A package that a vulnerability affects, or may affect.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Match {
    /// The vulnerability by its canonical name: the CVE if it has one.
    pub vulnerability: Box<str>,
    /// Its other names, sorted.
    pub aliases: Vec<Box<str>>,
    /// The advisories that say so, sorted.
    pub advisories: Vec<Box<str>>,
    /// What it is about, in one line; may be empty.
    pub summary: Box<str>,
    /// What is affected.
    pub package: Package,
    /// Whether the advisories name the package itself or what it was built from.
    pub matched_as: MatchedAs,
    /// How severe it is, and who says so.
    pub severity: Severity,
    /// What decided.
    pub decision: Decision,
    /// Versions above the installed one that fix it, in ascending order, as far as the entries say so
    /// that made it a match.
    pub fixed: Vec<Box<str>>,
}

/// By which of a package's names an advisory knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchedAs {
    /// What it was built from.
    Source,
    /// Its own name.
    Binary,
}

/// Why a version is affected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Decision {
    /// It is in front of the version that fixes it.
    Before {
        /// The first version that has it, if not all versions before have.
        introduced: Option<Box<str>>,
        /// The first version that has it no more.
        fixed: Box<str>,
    },
    /// It is at or in front of the last version that has it.
    UpTo {
        /// The first version that has it, if not all versions before have.
        introduced: Option<Box<str>>,
        /// The last version that has it.
        last_affected: Box<str>,
    },
    /// It is in front of a version from which on nothing is said.
    Below {
        /// The first version that has it, if not all versions before have.
        introduced: Option<Box<str>>,
        /// Where the advisory ends.
        limit: Box<str>,
    },
    /// There is no end to it.
    Unfixed {
        /// The first version that has it, if not all versions have.
        introduced: Option<Box<str>>,
    },
    /// It is one of the versions that the advisory lists.
    Listed,
    /// Another scanner says so, without saying why.
    Reported,
    /// Nothing can be said, which is not the same as not being affected.
    Undecided {
        /// What is in the way.
        reason: Box<str>,
    },
}

impl Match {
    /// Whether it is certain that the package is affected.
    pub fn is_certain(&self) -> bool {
        !matches!(self.decision, Decision::Undecided { .. })
    }

    /// Whether an update helps.
    pub fn is_fixable(&self) -> bool {
        !self.fixed.is_empty()
    }

    /// Whether the vulnerability or one of its advisories is called that.
    pub fn is_called(&self, name: &str) -> bool {
        let names = self.aliases.iter().chain(&self.advisories);
        std::iter::once(&self.vulnerability).chain(names).any(|known| **known == *name)
    }

    /// The name and the version that were compared.
    pub fn compared(&self) -> (&str, &str) {
        match (&self.package.source, self.matched_as) {
            (Some(source), MatchedAs::Source) => (&source.name, &source.version),
            _ => (&self.package.name, &self.package.version),
        }
    }

    /// Why it is a match, in a sentence.
    pub fn reason(&self) -> String {
        let (name, version) = self.compared();
        let advisories = self.advisories.join(", ");
        let of = if name == &*self.package.name {
            String::new()
        } else {
            format!(" (the source of {})", self.package.name)
        };
        format!("{advisories}: {name} {version}{of} {}", self.decision)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let since = |introduced: &Option<Box<str>>| {
            introduced.as_ref().map(|from| format!(", which began with {from}")).unwrap_or_default()
        };
        match self {
            Self::Before { introduced, fixed } => {
                write!(f, "is before {fixed}, which fixes it{}", since(introduced))
            }
            Self::UpTo { introduced, last_affected } => {
                write!(f, "is not behind {last_affected}, the last affected{}", since(introduced))
            }
            Self::Below { introduced, limit } => {
                write!(f, "is before {limit}, where the advisory ends{}", since(introduced))
            }
            Self::Unfixed { introduced: None } => f.write_str("is affected as all versions are"),
            Self::Unfixed { introduced: Some(introduced) } => {
                write!(f, "is affected as all versions from {introduced} on are")
            }
            Self::Listed => f.write_str("is listed as affected"),
            Self::Reported => f.write_str("was reported as affected"),
            Self::Undecided { reason } => write!(f, "could not be judged: {reason}"),
        }
    }
}
