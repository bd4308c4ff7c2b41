use std::collections::{BTreeMap, BTreeSet};

use plura_inventory::{ImageFacts, ImageLayer, LayerFacts, combine};
use plura_oci::Digest;
use proptest::prelude::*;

use crate::{archive::Archive, facts};

fn image(layers: Vec<Archive>) -> ImageFacts {
    let facts: Vec<LayerFacts> = layers.into_iter().map(facts).collect();
    let layer = |(number, facts)| ImageLayer { digest: digest(number), facts };
    let layers: Vec<_> = facts.iter().enumerate().map(layer).collect();
    combine(&layers)
}

fn digest(number: usize) -> Digest {
    Digest::sha256(number.to_string().as_bytes())
}

/// `layer purl`
fn listed(facts: &ImageFacts) -> Vec<String> {
    facts.packages.iter().map(|package| format!("{} {}", package.layer, package.purl)).collect()
}

fn dpkg(packages: &[(&str, &str)]) -> String {
    let paragraph = |(name, version): &(&str, &str)| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n")
    };
    packages.iter().map(paragraph).collect()
}

const STATUS: &str = "var/lib/dpkg/status";

#[test]
fn a_package_belongs_to_the_layer_that_brought_it() {
    let image = image(vec![
        Archive::default()
            .file("usr/lib/os-release", "ID=debian\nVERSION_ID=12\n")
            .file(STATUS, dpkg(&[("bash", "5.2"), ("curl", "7.0"), ("gone", "1")])),
        Archive::default().file("etc/motd", ""),
        Archive::default().file(STATUS, dpkg(&[("bash", "5.2"), ("curl", "7.1"), ("vim", "9")])),
        Archive::default().file(STATUS, dpkg(&[("bash", "5.2"), ("curl", "7.1"), ("vim", "9")])),
    ]);
    assert_eq!(image.os.as_ref().unwrap().id, "debian");
    assert_eq!(
        listed(&image),
        [
            "0 pkg:deb/debian/bash@5.2?distro=debian-12",
            "2 pkg:deb/debian/curl@7.1?distro=debian-12",
            "2 pkg:deb/debian/vim@9?distro=debian-12",
        ]
    );
}

#[test]
fn licenses_are_found_in_other_files_and_layers() {
    let image = image(vec![
        Archive::default().file("usr/share/doc/bash/copyright", "License: GPL-3+\n"),
        Archive::default().file(STATUS, dpkg(&[("bash", "5.2")])),
    ]);
    assert_eq!(image.packages[0].package.licenses, ["GPL-3+"]);
}

#[test]
fn what_is_put_in_place_of_evidence_hides_it() {
    let npm = r#"{"name": "a", "version": "1.0.0"}"#;
    let base = || Archive::default().file("app/node_modules/a/package.json", npm);
    let check = |upper: Archive, expected: usize| {
        assert_eq!(image(vec![base(), upper]).packages.len(), expected);
    };
    check(Archive::default().file("app/other", ""), 1);
    check(Archive::default().directory("app/node_modules"), 1);
    check(Archive::default().file("app/node_modules/a/package.json", "{}"), 0);
    check(Archive::default().link("app/node_modules", "/elsewhere"), 0);
    check(Archive::default().file("app/.wh.node_modules", ""), 0);
    check(Archive::default().file(".wh.app", ""), 0);
    check(Archive::default().file("app/node_modules/.wh..wh..opq", ""), 0);
    check(Archive::default().file(".wh..wh..opq", ""), 0);
    check(Archive::default().file(".wh.ap", ""), 1);
    check(Archive::default().file("app/node_modules/.wh.aa", ""), 1);
    check(base().file("app/.wh.node_modules", ""), 1);
}

#[test]
fn a_program_that_is_replaced_by_a_script_is_gone() {
    let program = [b"\x7fELF".to_vec(), vec![0; 508], crate::fixture("go.buildinfo")].concat();
    let base = Archive::default().program("usr/bin/tool", program);
    let script = Archive::default().program("usr/bin/tool", "#!/bin/sh\n");
    assert_eq!(image(vec![base.clone()]).packages.len(), 3);
    assert_eq!(image(vec![base, script]).packages.len(), 0);
}

#[test]
fn what_comes_back_belongs_to_the_layer_that_brought_it_back() {
    let npm = || Archive::default().file("package.json", r#"{"name": "a", "version": "1.0.0"}"#);
    let image = image(vec![npm(), Archive::default().file(".wh.package.json", ""), npm()]);
    assert_eq!(listed(&image), ["2 pkg:npm/a@1.0.0"]);
}

#[test]
fn a_secret_stays_readable_under_a_whiteout() {
    let image = image(vec![
        Archive::default().file("root/.netrc", "machine a login b password hunter2\n"),
        Archive::default().file("root/.wh..netrc", ""),
    ]);
    assert_eq!(image.findings.len(), 1);
    assert_eq!(image.findings[0].layer, 0);
}

/// What a layer of the property test does.
#[derive(Clone, Debug)]
enum Change {
    Add {
        path: String,
        version: u8,
    },
    /// Not a package any more.
    Blank {
        path: String,
    },
    Remove {
        path: String,
    },
    Opaque {
        directory: String,
    },
}

fn components() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "c"]), 1..4)
        .prop_map(|parts| parts.into_iter().map(str::to_owned).collect())
}

fn change() -> impl Strategy<Value = Change> {
    let path = || components().prop_map(|parts| format!("{}/package.json", parts.join("/")));
    let directory = || components().prop_map(|parts| parts.join("/"));
    prop_oneof![
        5 => (path(), 0..3_u8).prop_map(|(path, version)| Change::Add { path, version }),
        1 => path().prop_map(|path| Change::Blank { path }),
        1 => path().prop_map(|path| Change::Remove { path }),
        1 => directory().prop_map(|path| Change::Remove { path }),
        1 => directory().prop_map(|directory| Change::Opaque { directory }),
    ]
}

fn written(layer: &[Change]) -> Archive {
    layer.iter().fold(Archive::default(), |archive, change| match change {
        Change::Add { path, version } => {
            archive.file(path, format!(r#"{{"name": "p", "version": "{version}.0.0"}}"#))
        }
        Change::Blank { path } => archive.file(path, "{}"),
        Change::Remove { path } => {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            archive.file(&format!("{directory}/.wh.{name}"), "")
        }
        Change::Opaque { directory } => archive.file(&format!("{directory}/.wh..wh..opq"), ""),
    })
}

/// A file system that is unpacked layer by layer: path to version and the layer that brought it.
fn unpacked(layers: &[Vec<Change>]) -> BTreeSet<(String, String, usize)> {
    let mut files: BTreeMap<String, Option<(u8, usize)>> = BTreeMap::new();
    for (number, layer) in layers.iter().enumerate() {
        let below = |path: &str, directory: &str| path.starts_with(&format!("{directory}/"));
        for change in layer {
            match change {
                Change::Remove { path } => files.retain(|p, _| p != path && !below(p, path)),
                Change::Opaque { directory } => files.retain(|p, _| !below(p, directory)),
                _ => {}
            }
        }
        let mut own: BTreeMap<&String, Option<u8>> = BTreeMap::new();
        for change in layer {
            match change {
                Change::Add { path, version } => drop(own.insert(path, Some(*version))),
                Change::Blank { path } => drop(own.insert(path, None)),
                _ => {}
            }
        }
        for (path, version) in own {
            let earlier = files.get(path).copied().flatten();
            let same = earlier.filter(|(earlier, _)| Some(*earlier) == version);
            let brought_by = same.map_or(number, |(_, brought_by)| brought_by);
            files.insert(path.clone(), version.map(|version| (version, brought_by)));
        }
    }
    let file = |(path, file): (String, Option<(u8, usize)>)| {
        file.map(|(version, layer)| (path, format!("{version}.0.0"), layer))
    };
    files.into_iter().filter_map(file).collect()
}

proptest! {
    #[test]
    fn an_image_has_the_packages_that_unpacking_it_leaves(
        layers in prop::collection::vec(prop::collection::vec(change(), 0..8), 1..6)
    ) {
        let image = image(layers.iter().map(|layer| written(layer)).collect());
        let found = image.packages.into_iter();
        let found: BTreeSet<_> =
            found.map(|package| (package.path, package.package.version, package.layer)).collect();
        prop_assert_eq!(found, unpacked(&layers));
    }
}
