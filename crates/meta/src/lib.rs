//! Metadata: the only truth about what exists and who points at it.
//!
//! One module per aggregate: its rows, its SQL, its functions. Reads take a [`Connection`], writes a
//! [`Tx`], and [`Db::write`] is the only way to get one: a use case composes the functions of several
//! aggregates in one transaction.

pub mod account;
pub mod adopted_root;
pub mod advisory;
pub mod approval;
pub mod audit;
pub mod blob;
pub mod build;
pub mod channel;
pub mod channel_freeze;
pub mod check;
pub mod contents;
pub mod copy;
pub mod credential;
mod db;
pub mod decision;
pub mod digest_block;
mod error;
pub mod event;
pub mod evidence;
pub mod failed_login;
pub mod figures;
pub mod hold;
pub mod idempotency;
pub mod job;
pub mod lease;
pub mod log;
pub mod manifest;
pub mod manifest_author;
pub mod manifest_use;
pub mod membership;
pub mod migrations;
pub mod place;
pub mod policy_version;
pub mod posted_check;
mod postgres;
pub mod project;
pub mod promotion;
pub mod removal;
pub mod repository;
pub mod retention;
pub mod review;
pub mod rollback_key;
pub mod scanner;
pub mod signing_key;
mod statement;
pub mod summary_due;
pub mod tag;
pub mod tag_event;
mod time;
pub mod total;
pub mod trust;
pub mod trust_policy;
pub mod upload;
pub mod usage;
pub mod vulnerability;
pub mod vulnerability_statement;
pub mod webhook;
pub mod webhook_delivery;
pub mod whereabouts;
mod writer;

pub use contents::package::PackageId;
pub use db::{Connection, Db, Location, Tx};
pub use error::Error;
pub use postgres::Server;
pub use project::ProjectId;
pub use repository::RepositoryId;
pub use time::Timestamp;
pub use writer::Failure;
