//! What is found in images, on both engines: advisories come and go, packages are matched once, exceptions
//! and vendors' statements count as of now. Needs PostgreSQL's server, see `scripts/install-test-tools`.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod importing;
mod matching;
mod searching;
mod statements;
mod support;
