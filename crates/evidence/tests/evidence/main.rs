//! What is known of manifests, through the public API of the registry and of evidence.

mod changes;
mod forms;
mod support;
