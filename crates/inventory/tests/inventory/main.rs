//! The crate as its callers see it: layers in, facts out.

mod archive;
mod combine;
mod configuration;
mod databases;
mod hostile;
mod languages;
mod layers;
mod sbom;
mod secrets;

use archive::Archive;
use plura_inventory::{LayerFacts, Limits, Package, read_layer};

/// The facts of a good layer.
#[track_caller]
fn facts(archive: Archive) -> LayerFacts {
    read_layer(&archive.finish()[..], &Limits::default()).expect("the layer is read")
}

/// The packages of a good layer, each as `kind name version`.
#[track_caller]
fn packages(archive: Archive) -> Vec<String> {
    let facts = facts(archive);
    assert_eq!(facts.notes, [], "all of it is read");
    let all = facts.evidence.iter().flat_map(|evidence| &evidence.packages);
    all.map(words).collect()
}

fn words(package: &Package) -> String {
    format!("{:?} {} {}", package.kind, package.name, package.version).to_lowercase()
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}
