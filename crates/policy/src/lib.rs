//! Decisions as pure functions: no I/O, no clock, no async.
//!
//! A decision is a value with its reasons. What `plura access explain` prints, what the audit keeps
//! and what the refused caller reads are the same [`Decision`].

mod access;
mod decision;
mod name;
mod pattern;
mod permission;
pub mod retention;
mod scope;
mod spiffe;

pub use access::{
    Asked, BEYOND_CEILING, Grant, Realm, Rights, allows, decide, decide_role, granted_by,
};
pub use decision::{Decision, Effect};
pub use name::{AccountName, ParseAccountNameError, ParseProjectNameError, ProjectName};
pub use pattern::{ParsePatternError, Pattern};
pub use permission::{ParsePermissionError, ParseRoleError, Permission, Role};
pub use scope::{ParseScopeError, Scope, ScopeAction};
pub use spiffe::{ParseSpiffeError, SpiffeId, SpiffePattern};
