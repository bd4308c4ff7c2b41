//! Matches that somebody decided to live with, for a time.

mod apply;
mod terms;

pub use apply::{Applied, ImageNames, Noted, Suppressed, SuppressedBy, apply};
pub use terms::{
    Exception, ExceptionRules, ExceptionTerms, PackagePattern, RefusedException, Scope,
};
