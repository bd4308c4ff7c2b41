//! What is known of manifests, through the public API of the registry and of evidence.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod changes;
mod forms;
mod support;
