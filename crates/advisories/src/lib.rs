//! Which vulnerabilities a package has: OSV advisories, the version orders of ecosystems, matching,
//! exceptions and reports. No I/O, no clock, no async; time is an argument.

mod ecosystem;
mod exception;
mod family;
mod glob;
mod matched;
mod name;
pub mod openvex;
pub mod osv;
mod package;
mod purl;
pub mod report;
mod set;
mod severity;
pub mod trivyignore;
mod version;

pub use ecosystem::Ecosystem;
pub use exception::{
    Applied, Exception, ExceptionRules, ExceptionTerms, ImageNames, Noted, PackagePattern,
    RefusedException, Scope, Suppressed, SuppressedBy, apply,
};
pub use family::{Family, NamedBy};
pub use glob::{Glob, ParseGlobError};
pub use matched::{Decision, Match, MatchedAs};
pub use name::normalised;
pub use osv::{Advisory, Affected, ReadAdvisoryError};
pub use package::{Package, Source};
pub use set::{AdvisorySet, AdvisorySetBuilder, Counts};
pub use severity::{Band, CvssVersion, Score, Severity, SeveritySource};
pub use version::{UnparsableVersion, VersionKey, VersionOrder};
