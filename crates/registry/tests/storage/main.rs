//! What the registry promises about storage, asked through its public API, with crashes, damage, full
//! disks and concurrency. Seeds are printed; `PLURA_MODEL_SEEDS=N` runs more of them.
#![expect(clippy::print_stderr, reason = "seeds and progress are for whoever reads a failure")]
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]
#![expect(clippy::needless_pass_by_value, reason = "names and references are written in place")]

/// Bytes are kept in a directory; `tests/bucket` runs the same tests with a bucket.
const IN_BUCKET: bool = false;

#[macro_use]
#[expect(dead_code, reason = "some of it is for tests with a bucket only")]
mod support;
mod adoption;
mod backups;
mod basics;
mod behind;
#[expect(dead_code, reason = "some of it is for tests with a bucket only")]
mod bucket;
mod collection;
mod commits;
mod concurrent;
mod content;
mod crash;
mod database;
mod defects;
mod export;
#[expect(dead_code, reason = "some of it is for tests with a bucket only")]
#[path = "../../../adopt/tests/scan/fixture.rs"]
mod fixture;
mod model;
mod replicas;
mod trouble;
mod universe;
