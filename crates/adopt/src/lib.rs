//! Reads what other registries wrote: their storage trees, and their settings.
//!
//! A [`Scan`] goes through a [`Tree`] and tells what it finds: repositories with their blobs, manifests
//! and tags, and damage. It changes nothing, holds no more than a page of names and a few manifests at
//! a time, and takes no file for what its name says without looking.

mod config;
mod distribution;
mod error;
mod finding;
mod item;
mod layout;
mod scan;
mod source;
mod tree;

pub use config::{Configuration, ConfigurationError, Note, Setting, Translation};
pub use error::Error;
pub use finding::{Finding, FindingKind, Outcome};
pub use item::{FoundBlob, FoundManifest, FoundTag, Item, Place};
pub use scan::{Format, Options, Scan};
pub use source::{Location, ParseSourceError, Source};
pub use tree::{Entry, EntryKind, Listing, Object, Stat, Tree};
