//! Content-addressed bytes: a directory or a bucket, upload sessions, the hashing pipeline.
//!
//! This crate knows keys, offsets and hashes. What a key means, and to whom, is metadata's business:
//! nothing here answers "does this blob exist".

mod adopted;
mod blobs;
mod bucket;
mod directory;
mod error;
mod gather;
mod ingest;
mod key;
mod records;
mod request;

pub use adopted::ForeignDirectory;
pub use blobs::{Blobs, Opened, Storage};
pub use bucket::{
    AccessKeys, BlobObject, Bucket, BucketOptions, Encryption, Fitness, ForeignObject, ForeignPage,
    ForeignPrefix, ObjectStream, Parts, Requirement, Retries, Unfinished,
};
pub use directory::{BlobFile, Directory, Leftover, StoredFile};
pub use error::Error;
pub use ingest::{Appended, Progress};
pub use key::BlobKey;
pub use records::{ParseRecordNameError, RecordName, Records};
pub use request::{of_same_request, on_request};
