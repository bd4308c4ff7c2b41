//! Decisions as pure functions: no I/O, no clock, no async.
//!
//! A decision is a value with its reasons. What `plura access explain` prints, what the audit keeps
//! and what the refused caller reads are the same [`Decision`]; whether an image may be in a channel,
//! and why, is one [`gate::GateDecision`].

mod access;
mod calendar;
pub mod change;
mod channel;
mod decision;
pub mod document;
mod expression;
pub mod facts;
pub mod gate;
mod glob;
mod name;
mod pattern;
mod permission;
pub mod pull;
pub mod retention;
mod scope;
mod severity;
mod spiffe;
pub mod tags;
mod time_span;

pub use access::{
    Asked, BEYOND_CEILING, Grant, Realm, Rights, allows, decide, decide_role, granted_by, roles_in,
};
pub use channel::{ChannelName, ParseChannelError};
pub use decision::{Decision, Effect};
pub use document::{Governance, GovernanceDocument};
pub use glob::{Glob, ParseGlobError};
pub use name::{AccountName, ParseAccountNameError, ParseProjectNameError, ProjectName};
pub use pattern::{ParsePatternError, Pattern};
pub use permission::{ParsePermissionError, ParseRoleError, Permission, Role};
pub use scope::{ParseScopeError, Scope, ScopeAction};
pub use severity::Severity;
pub use spiffe::{ParseSpiffeError, SpiffeId, SpiffePattern};
pub use time_span::{ParseTimeSpanError, TimeSpan};
