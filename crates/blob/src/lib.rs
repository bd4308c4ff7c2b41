//! Content-addressed bytes: a directory, upload sessions, the hashing pipeline.
//!
//! This crate knows keys, offsets and hashes. What a key means, and to whom, is metadata's business:
//! nothing here answers "does this blob exist".

mod adopted;
mod directory;
mod error;
mod ingest;
mod key;

pub use adopted::{AdoptedRoot, ForeignDirectory};
pub use directory::{BlobFile, Directory, Leftover, StoredFile};
pub use error::Error;
pub use ingest::{Appended, Progress};
pub use key::BlobKey;
