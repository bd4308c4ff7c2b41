//! Tells the compiler what it is building: the commit, the target and the profile.

use std::env;
use std::path::Path;
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-env-changed=PLURA_BUILD_COMMIT");
    // Packagers build from an archive without history and name the commit themselves.
    let commit = env::var("PLURA_BUILD_COMMIT").ok().or_else(commit);
    if let Some(commit) = commit {
        println!("cargo::rustc-env=PLURA_BUILD_COMMIT={commit}");
    }
    for (name, variable) in [("PLURA_BUILD_TARGET", "TARGET"), ("PLURA_BUILD_PROFILE", "PROFILE")] {
        println!("cargo::rustc-env={name}={}", env::var(variable).unwrap_or_default());
    }
}

/// The commit checked out, if these sources are the working tree of a git repository.
fn commit() -> Option<String> {
    // The log of HEAD grows with every commit and checkout; HEAD itself mostly names a branch. Cargo
    // would rebuild every time if it were asked to watch a file that is not there.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    // Sources unpacked inside another project must not claim that project's commit.
    git(&["ls-files", "--error-unmatch", "build.rs"])?;
    git(&["rev-parse", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
