//! What a repository keeps and what it lets go, as a pure function of rules, an inventory, what must not
//! go, and the time.
//!
//! - Keep beats expire, and what must not go ([`Roots`]) beats both. What no rule names is kept.
//! - A tag is decided about by itself; an image goes when all its tags go, an untagged one by a rule for
//!   untagged images.
//! - An index keeps its children, a subject its referrers, and a referrer that is kept keeps its subject:
//!   signatures, attestations and children go with what they belong to, never before it and never after
//!   it. Tags in the name of another manifest (`sha256-<hex>.sig`) follow that manifest, so that a signed
//!   untagged image can be collected.
//! - That a tag is immutable forbids pointing it elsewhere, not its deletion; plans count such tags.
//! - A [`Plan`] says what goes and why, in an order that can be stopped anywhere; it holds as long as
//!   everything in it would still be deleted.

mod attachment;
mod decisions;
mod document;
mod glob;
mod graph;
mod import;
mod inventory;
mod plan;
mod problem;
mod ranking;
mod roots;
mod rules;
mod span;
mod tagged;
mod version;

pub use decisions::{Decisions, Verdict, decide};
pub use document::{ChannelWindow, ExpireRule, KeepRule, Order, RetentionDocument};
pub use import::{
    ImportError, Imported, Untranslated, import_artifact_registry, import_ecr, import_harbor,
};
pub use inventory::{Inventory, ManifestFacts, TagFacts};
pub use plan::{Cause, Change, Deletion, Kept, Object, Plan, Totals, Withdrawn, plan, still_holds};
pub use problem::RetentionProblem;
pub use roots::{History, Root, RootKind, Roots};
pub use rules::RetentionRules;
