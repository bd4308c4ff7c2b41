//! The tests of `tests/storage` with the bytes in a bucket, and what only a bucket can do wrong.
//!
//! The object store is one in this process, or the one that `PLURA_TEST_S3_ENDPOINT`, `_REGION`,
//! `_BUCKET`, `_ACCESS_KEY` and `_SECRET_KEY` name. Wherever a test ends, nothing may be in the bucket that metadata
//! does not know.
#![expect(clippy::print_stderr, reason = "seeds and progress are for whoever reads a failure")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::needless_pass_by_value, reason = "names and references are written in place")]

/// Bytes are kept in a bucket.
const IN_BUCKET: bool = true;

#[macro_use]
#[expect(dead_code, reason = "some of it is for tests with a directory only")]
#[path = "../storage/support.rs"]
mod support;
mod adoption;
#[path = "../storage/basics.rs"]
mod basics;
#[path = "../storage/behind.rs"]
mod behind;
#[path = "../storage/bucket.rs"]
mod bucket;
#[path = "../storage/collection.rs"]
mod collection;
#[path = "../storage/commits.rs"]
mod commits;
#[path = "../storage/concurrent.rs"]
mod concurrent;
#[path = "../storage/content.rs"]
mod content;
#[path = "../storage/crash.rs"]
mod crash;
#[path = "../storage/defects.rs"]
mod defects;
mod faults;
#[expect(dead_code, reason = "some of it is for tests of scans")]
#[path = "../../../adopt/tests/scan/fixture.rs"]
mod fixture;
#[path = "../storage/model/mod.rs"]
mod model;
mod replicas;
mod sessions;
#[path = "../storage/universe.rs"]
mod universe;
