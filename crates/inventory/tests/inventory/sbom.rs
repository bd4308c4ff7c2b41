use plura_inventory::{
    ImageFacts, ImageLayer, Limits, SbomError, SbomSubject, combine, cyclonedx, difference,
    read_layer, read_sbom, spdx,
};
use plura_oci::Digest;
use serde::Serialize;
use serde_json::{Value, json};

use crate::archive::Archive;

fn image() -> ImageFacts {
    let archive = Archive::default()
        .file("etc/os-release", "ID=debian\nVERSION_ID=12\n")
        .file("var/lib/dpkg/status", "Package: libc6\nSource: glibc\nVersion: 1:2.36+x\n")
        .file("usr/share/doc/libc6/copyright", "License: LGPL-2.1+\nLicense: MIT\n")
        .file("lib/apk/db/installed", "P:a\nV:1\nL:MIT AND (Apache-2.0 OR ISC)\n")
        .file("a/package.json", r#"{"name": "@s/n", "version": "1.0.0", "license": "MIT"}"#)
        .file("b/package.json", r#"{"name": "@s/n", "version": "1.0.0"}"#);
    let facts = read_layer(&archive.finish()[..], &Limits::default()).expect("it is read");
    combine(&[ImageLayer { digest: Digest::sha256(b"layer"), facts: &facts }])
}

fn subject() -> SbomSubject<'static> {
    SbomSubject {
        name: "team/app",
        digest: Digest::sha256(b"manifest"),
        created: "2026-01-02T03:04:05Z",
        tool_version: "0.1.0",
    }
}

fn json(document: &impl Serialize) -> Value {
    serde_json::to_value(document).expect("it is JSON")
}

#[test]
fn cyclonedx_says_what_is_in_the_image() {
    let document = json(&cyclonedx(&image(), &subject()));
    assert_eq!(document["bomFormat"], "CycloneDX");
    let component = |purl: &str| {
        let components = document["components"].as_array().unwrap();
        components.iter().find(|c| c["purl"] == purl).unwrap_or_else(|| panic!("{document:#}"))
    };
    let npm = component("pkg:npm/%40s/n@1.0.0");
    assert_eq!((&npm["group"], &npm["name"]), (&json!("@s"), &json!("n")));
    let libc = component("pkg:deb/debian/libc6@1:2.36%2Bx?distro=debian-12&upstream=glibc");
    assert_eq!(
        libc["licenses"],
        json!([{"license": {"name": "LGPL-2.1+"}}, {"license": {"id": "MIT"}}])
    );
    let apk = component("pkg:apk/debian/a@1?distro=debian-12");
    assert_eq!(apk["licenses"], json!([{"expression": "MIT AND (Apache-2.0 OR ISC)"}]));
}

#[test]
fn spdx_says_what_is_in_the_image() {
    let document = json(&spdx(&image(), &subject()));
    assert_eq!(document["spdxVersion"], "SPDX-2.3");
    let packages = document["packages"].as_array().unwrap();
    let libc = packages.iter().find(|package| package["name"] == "libc6").unwrap();
    let reference = &document["hasExtractedLicensingInfos"][0];
    assert_eq!(reference["extractedText"], "LGPL-2.1+");
    let reference = reference["licenseId"].as_str().unwrap();
    assert_eq!(libc["licenseDeclared"], format!("{reference} AND MIT"));
    let relationships = document["relationships"].as_array().unwrap();
    assert_eq!(relationships.len(), packages.len());
}

#[test]
fn the_same_image_has_the_same_document() {
    let text = |facts: &ImageFacts, subject| {
        let cyclonedx = serde_json::to_string(&cyclonedx(facts, &subject)).unwrap();
        (cyclonedx, serde_json::to_string(&spdx(facts, &subject)).unwrap())
    };
    let first = text(&image(), subject());
    assert_eq!(first, text(&image(), subject()));
    let other = SbomSubject { digest: Digest::sha256(b"other"), ..subject() };
    assert_ne!(first.0[..100], text(&image(), other).0[..100], "serial numbers differ");
}

#[test]
fn references_inside_of_a_document_are_unique() {
    let document = json(&cyclonedx(&image(), &subject()));
    let components = document["components"].as_array().unwrap();
    let mut references: Vec<_> =
        components.iter().map(|c| c["bom-ref"].as_str().unwrap()).collect();
    references.sort_unstable();
    references.dedup();
    assert_eq!(references.len(), components.len());
}

#[test]
fn our_own_documents_read_back_without_a_difference() {
    let image = image();
    for document in [json(&cyclonedx(&image, &subject())), json(&spdx(&image, &subject()))] {
        let read = read_sbom(document.to_string().as_bytes()).unwrap();
        let difference = difference(&image.packages, &read);
        assert_eq!(difference.same, 3, "{difference:?}");
        assert!(difference.only_own.is_empty() && difference.only_theirs.is_empty());
        assert!(difference.versions.is_empty(), "{difference:?}");
    }
}

#[test]
fn documents_of_others_are_read_leniently() {
    let read = |document: Value| read_sbom(document.to_string().as_bytes());
    let component = json!({"type": "library", "group": "g", "name": "n", "version": "1",
        "purl": "pkg:maven/g/n@1", "licenses": [{"license": {"id": "MIT"}}, {"expression": "ISC"}]});
    let nested = json!({"type": "application", "name": "outer", "components": [component]});
    let document = json!({"bomFormat": "CycloneDX", "components":
        [nested, 5, {"name": 7}, {"type": "file", "name": "f"}, {"type": "library", "name": "v", "version": 2}]});
    let packages = read(document.clone()).unwrap();
    let names: Vec<_> = packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
    assert_eq!(names, [("g/n", "1"), ("outer", ""), ("v", "")]);
    assert_eq!(packages[0].licenses, ["MIT", "ISC"]);

    let statement =
        json!({"_type": "https://in-toto.io/Statement/v1", "predicate": {"Data": document}});
    assert_eq!(read(statement).unwrap(), packages);

    let spdx = json!({"spdxVersion": "SPDX-2.3", "packages": [
        {"name": "a", "versionInfo": "1", "licenseDeclared": "MIT", "externalRefs": [
            {"referenceType": "cpe23Type", "referenceLocator": "x"},
            {"referenceType": "purl", "referenceLocator": "pkg:npm/a@1"}]},
        {"name": "image", "primaryPackagePurpose": "CONTAINER"}, null]});
    let packages = read(spdx).unwrap();
    assert_eq!(packages.len(), 1);
    assert_eq!(packages[0].purl.as_deref(), Some("pkg:npm/a@1"));
}

#[test]
fn what_is_no_sbom_is_refused() {
    assert_eq!(read_sbom(b"{}"), Err(SbomError::UnknownFormat));
    assert_eq!(read_sbom(b"[]"), Err(SbomError::Malformed));
    assert_eq!(read_sbom(b"<bom/>"), Err(SbomError::Malformed));
    let deep = r#"{"predicate":"#.repeat(100_000);
    assert!(read_sbom(deep.as_bytes()).is_err());
    let deep =
        format!("{}{}", r#"{"predicate":"#.repeat(1000), "{}".to_owned() + &"}".repeat(1000));
    assert_eq!(read_sbom(deep.as_bytes()), Err(SbomError::UnknownFormat));
}
