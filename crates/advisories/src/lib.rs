//! Which vulnerabilities a package has: OSV advisories, the version orders of ecosystems, matching,
//! exceptions and reports. No I/O, no clock, no async; time is an argument.

mod ecosystem;
mod family;
mod matched;
mod name;
pub mod osv;
mod package;
mod set;
mod severity;
mod version;

pub use ecosystem::Ecosystem;
pub use family::{Family, NamedBy};
pub use matched::{Decision, Match, MatchedAs};
pub use name::normalised;
pub use osv::{Advisory, Affected, ReadAdvisoryError};
pub use package::{Package, Source};
pub use set::{AdvisorySet, AdvisorySetBuilder, Counts};
pub use severity::{Band, CvssVersion, Score, Severity, SeveritySource};
pub use version::{UnparsableVersion, VersionKey, VersionOrder};
