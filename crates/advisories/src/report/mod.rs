//! Reports of other scanners read, and reports for other tools written.

pub mod harbor;
pub mod sarif;
pub mod trivy;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Match;

/// What another scanner says about an image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ScannerReport {
    /// Who says it.
    pub scanner: Scanner,
    /// From which data, if the report says so.
    pub database: Option<Database>,
    /// When it was said.
    pub created_at: Option<Timestamp>,
    /// What it was said about, as the scanner was told.
    pub artifact: Box<str>,
    /// The digests that the scanner saw.
    pub digests: Vec<Box<str>>,
    /// The operating system of the image.
    pub system: Option<System>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// A scanner, as it names itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scanner {
    /// Its name.
    #[serde(default)]
    pub name: Box<str>,
    /// Who makes it.
    #[serde(default)]
    pub vendor: Box<str>,
    /// Which version it is.
    #[serde(default)]
    pub version: Box<str>,
}

/// The data that a scanner had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Database {
    /// Which version of the data or its schema.
    pub version: Box<str>,
    /// When it was made.
    pub updated_at: Option<Timestamp>,
}

/// An operating system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// Its name.
    pub family: Box<str>,
    /// Its release.
    pub release: Box<str>,
    /// Whether nobody publishes advisories of it any more, so that finding nothing means nothing.
    pub end_of_life: bool,
}

/// A finding of another scanner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The same as if it had been found here.
    pub found: Match,
    /// What the vendor does about it: `affected`, `will_not_fix`, `end_of_life`.
    pub status: Box<str>,
    /// Why the scanner left it out, if it did.
    pub suppressed: Option<Box<str>>,
}
