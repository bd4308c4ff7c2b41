//! Rules about the source tree itself: what ARCHITECTURE.md and CONTRIBUTING.md promise.

mod crates;
mod tree;

use std::path::{Path, PathBuf};

/// Where the workspace is.
fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2);
    root.expect("this crate is at crates/plura").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Fails with every violation at once and with the way out of them.
#[track_caller]
fn assert_none(violations: &[String], hint: &str) {
    assert!(violations.is_empty(), "\n  {}\nhint: {hint}\n", violations.join("\n  "));
}
