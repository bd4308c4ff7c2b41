//! Which crate may know which: read from `cargo metadata`.

use std::process::Command;

use serde::Deserialize;

use crate::{assert_none, read, root};

/// The edges between our crates, in one direction. A crate that is not here must be added, below
/// everything that it may know.
const MAY_KNOW: &[(&str, &[&str])] = &[
    ("plura-oci", &[]),
    ("plura-fault", &[]),
    ("plura-policy", &["plura-oci"]),
    ("plura-trust", &["plura-oci"]),
    ("plura-tlog", &["plura-oci"]),
    ("plura-advisories", &["plura-oci"]),
    ("plura-inventory", &["plura-oci"]),
    ("plura-blob", &["plura-oci", "plura-fault"]),
    ("plura-meta", &["plura-oci", "plura-fault"]),
    // `plura-blob` only for the way to open what is below a directory of somebody else.
    ("plura-adopt", &["plura-blob", "plura-oci"]),
    // `plura-trust` only for how signatures under one tag are put together, `plura-policy` for what may be
    // pushed under which tags.
    (
        "plura-registry",
        &[
            "plura-adopt",
            "plura-blob",
            "plura-meta",
            "plura-policy",
            "plura-trust",
            "plura-oci",
            "plura-fault",
        ],
    ),
    ("plura-evidence", &["plura-registry", "plura-meta", "plura-trust", "plura-oci"]),
    ("plura-contents", &["plura-registry", "plura-meta", "plura-inventory", "plura-oci"]),
    (
        "plura-vulnerabilities",
        &[
            "plura-registry",
            "plura-contents",
            "plura-evidence",
            "plura-meta",
            "plura-advisories",
            "plura-inventory",
            "plura-oci",
        ],
    ),
    // `plura-blob` only for where tiles are written.
    (
        "plura-transparency",
        &["plura-registry", "plura-blob", "plura-meta", "plura-tlog", "plura-oci", "plura-fault"],
    ),
    ("plura-rollout", &["plura-policy", "plura-oci"]),
    ("plura-access", &["plura-meta", "plura-policy", "plura-oci", "plura-fault"]),
    (
        "plura-governance",
        &[
            "plura-registry",
            "plura-evidence",
            "plura-contents",
            "plura-vulnerabilities",
            "plura-rollout",
            "plura-transparency",
            // Only for the form of secrets: a rollback key is one.
            "plura-access",
            "plura-meta",
            "plura-policy",
            "plura-trust",
            "plura-tlog",
            "plura-oci",
            "plura-fault",
        ],
    ),
    ("plura-events", &["plura-registry", "plura-meta", "plura-oci"]),
    // `plura-blob` only for what a body is sent from: `BlobFile`, `BlobObject`.
    (
        "plura-http",
        &[
            "plura-access",
            "plura-contents",
            "plura-events",
            "plura-evidence",
            "plura-vulnerabilities",
            "plura-governance",
            "plura-transparency",
            "plura-registry",
            "plura-policy",
            "plura-blob",
            "plura-oci",
        ],
    ),
    (
        "plura",
        &[
            "plura-http",
            "plura-access",
            "plura-contents",
            "plura-events",
            "plura-evidence",
            "plura-vulnerabilities",
            "plura-governance",
            "plura-rollout",
            "plura-transparency",
            "plura-registry",
            "plura-adopt",
            // What the layers of an image layout say, where there is no server.
            "plura-inventory",
            "plura-policy",
            "plura-trust",
            "plura-tlog",
            "plura-oci",
        ],
    ),
    // It starts the binary as a process and speaks to it as a client: what it tests it must not share.
    ("plura-testkit", &[]),
    ("plura-bench", &[]),
];

/// Libraries that shape what they touch, and the only crates that may name them.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("axum", &["plura-http"]),
    // An object store for tests is a server, too.
    ("http", &["plura-http", "plura-testkit"]),
    ("http-body", &["plura-http"]),
    ("http-body-util", &["plura-http", "plura-testkit"]),
    ("hyper", &["plura-http", "plura-testkit"]),
    ("hyper-util", &["plura-http", "plura-testkit"]),
    ("tower", &["plura-http"]),
    ("tokio-rustls", &["plura-http"]),
    ("sqlx", &["plura-meta"]),
    ("object_store", &["plura-blob"]),
    ("clap", &["plura", "plura-bench"]),
    ("anyhow", &["plura", "plura-bench"]),
    // Access asks issuers for their keys, rollout asks for figures and has traffic moved, events are sent to
    // webhooks; nothing else below the commands speaks to other servers.
    ("reqwest", &["plura", "plura-access", "plura-events", "plura-rollout", "plura-testkit"]),
    ("jsonwebtoken", &["plura-access"]),
    ("argon2", &["plura-access"]),
];

/// Vocabulary: no clock, no I/O, no runtime, so that everything may depend on it.
const PURE: &[&str] = &[
    "plura-oci",
    "plura-policy",
    "plura-trust",
    "plura-tlog",
    "plura-advisories",
    "plura-inventory",
];
const IMPURE: &[&str] = &["tokio", "futures-util", "rustix", "tracing", "bytes"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    license: Option<String>,
    publish: Option<Vec<String>>,
    dependencies: Vec<Dependency>,
    targets: Vec<Target>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// `dev` or `build`; nothing for an ordinary dependency.
    kind: Option<String>,
}

#[derive(Deserialize)]
struct Target {
    kind: Vec<String>,
    src_path: String,
}

impl Package {
    /// What the crate is built from; its tests may use anything.
    fn known(&self) -> impl Iterator<Item = &str> {
        let built = self.dependencies.iter().filter(|d| d.kind.as_deref() != Some("dev"));
        built.map(|dependency| dependency.name.as_str())
    }
}

/// Our packages. `--no-deps` reads the manifests alone, so that neither the network nor a crate of
/// another operating system is asked for.
fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    assert!(!metadata.packages.is_empty());
    metadata.packages
}

fn allowed<'a>(table: &[(&str, &'a [&'a str])], key: &str) -> Option<&'a [&'a str]> {
    table.iter().find(|(name, _)| *name == key).map(|(_, allowed)| *allowed)
}

#[test]
fn crates_know_each_other_in_one_direction() {
    let packages = packages();
    let ours = |name: &&str| packages.iter().any(|package| package.name == **name);
    let mut violations = Vec::new();
    for package in &packages {
        let Some(allowed) = allowed(MAY_KNOW, &package.name) else {
            violations.push(format!("{} is not in MAY_KNOW", package.name));
            continue;
        };
        let wrong = package.known().filter(ours).filter(|name| !allowed.contains(name));
        violations.extend(wrong.map(|name| format!("{} depends on {name}", package.name)));
    }
    assert_none(
        &violations,
        "move what is shared downwards, or, if the direction itself is wrong, change MAY_KNOW in \
         crates/plura/tests/architecture/crates.rs and the crate map in ARCHITECTURE.md",
    );
}

#[test]
fn the_allowed_directions_have_no_cycle() {
    // It has none if each crate is listed below all that it may know.
    let mut seen = Vec::new();
    for (name, allowed) in MAY_KNOW {
        let later: Vec<_> = allowed.iter().filter(|known| !seen.contains(*known)).collect();
        assert!(later.is_empty(), "{name} is listed above {later:?}");
        seen.push(*name);
    }
}

#[test]
fn frameworks_stay_in_the_crate_that_hides_them() {
    let mut violations = Vec::new();
    for package in packages() {
        let hidden = |name: &&str| {
            allowed(ONLY_IN, name).is_some_and(|crates| !crates.contains(&package.name.as_str()))
        };
        violations
            .extend(package.known().filter(hidden).map(|n| format!("{} names {n}", package.name)));
    }
    assert_none(
        &violations,
        "return a type of ours from the crate that may name the library (ONLY_IN in \
         crates/plura/tests/architecture/crates.rs)",
    );
}

#[test]
fn the_vocabulary_is_pure() {
    let mut violations = Vec::new();
    for package in packages().iter().filter(|p| PURE.contains(&p.name.as_str())) {
        let impure = package.known().filter(|name| IMPURE.contains(name));
        violations.extend(impure.map(|name| format!("{} names {name}", package.name)));
    }
    assert_none(&violations, "do the I/O in the caller and pass bytes in");
}

#[test]
fn the_test_kit_is_in_no_build() {
    let packages = packages();
    let users = packages.iter().filter(|p| p.known().any(|name| name == "plura-testkit"));
    let violations: Vec<_> = users.map(|p| format!("{} is built from it", p.name)).collect();
    assert_none(&violations, "name plura-testkit under [dev-dependencies]");
}

#[test]
fn every_crate_says_what_it_is_for() {
    let mut violations = Vec::new();
    for package in packages() {
        let main = |target: &&Target| target.kind.iter().any(|kind| kind == "lib" || kind == "bin");
        for target in package.targets.iter().filter(main) {
            if !read(target.src_path.as_ref()).starts_with("//! ") {
                violations.push(target.src_path.clone());
            }
        }
    }
    assert_none(
        &violations,
        "begin the file with a `//!` sentence: what the crate does, and what not",
    );
}

#[test]
fn every_crate_takes_the_settings_of_the_workspace() {
    let mut violations = Vec::new();
    for package in packages() {
        let manifest = read(package.manifest_path.as_ref());
        if !manifest.contains("[lints]\nworkspace = true") {
            violations.push(format!("{} has lints of its own", package.name));
        }
        if package.license.as_deref() != Some("Apache-2.0") || package.publish != Some(Vec::new()) {
            violations.push(format!("{} has no licence, or could be published", package.name));
        }
    }
    assert_none(&violations, "copy the [package] and [lints] tables of crates/oci/Cargo.toml");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read(&root().join("ARCHITECTURE.md"));
    let missing = |p: &Package| {
        let short = p.name.strip_prefix("plura-").unwrap_or(&p.name);
        !map.contains(&format!("| `{short}` |"))
    };
    let violations: Vec<_> = packages().into_iter().filter(missing).map(|p| p.name).collect();
    assert_none(&violations, "add a row to the crate map in ARCHITECTURE.md");
}
