//! Export: OCI layouts that are complete, can be gone on with, and come back by adoption.

use std::{fs, path::Path};

use plura_adopt::{Format, Tree};
use plura_oci::Digest;
use plura_registry::{
    AdoptRequest, Error, ExportReport, ExportRequest, Exported, HandOver, export,
};
use serde_json::{Value, json};

use crate::{
    fixture::{INDEX, MANIFEST, descriptor},
    support::*,
};

async fn run(
    store: &Store,
    wanted: &[&str],
    target: &Path,
    referrers: bool,
) -> Result<ExportReport, Error> {
    let wanted = wanted.iter().map(|text| text.parse().unwrap()).collect();
    let request = ExportRequest { wanted, target: target.to_owned(), referrers };
    export(store.path(), store.settings(), request, &mut |_| {}).await
}

fn entries(layout: &Path) -> Vec<Value> {
    let index = fs::read(layout.join("index.json")).unwrap();
    let index: Value = serde_json::from_slice(&index).unwrap();
    index["manifests"].as_array().unwrap().clone()
}

fn tags(layout: &Path) -> Vec<String> {
    let name = |entry: &Value| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str()?;
        Some(tag.to_owned())
    };
    let mut tags: Vec<_> = entries(layout).iter().filter_map(name).collect();
    tags.sort();
    tags
}

fn blobs(layout: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(layout.join("blobs/sha256"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in &names {
        let bytes = fs::read(layout.join("blobs/sha256").join(name)).unwrap();
        assert_eq!(Digest::sha256(&bytes).hex(), *name);
    }
    names.sort();
    names
}

#[tokio::test]
async fn a_repository_becomes_a_layout_with_all_its_tags() {
    let store = Store::new(settings()).await;
    let (one, two) = (Image::new(&[b"shared", b"one"]), Image::new(&[b"shared", b"two"]));
    store.push_image("apps/web", "v1", &one).await;
    store.push_image("apps/web", "v2", &two).await;
    store.push_image("apps/web", "latest", &two).await;
    let target = tempfile::tempdir().unwrap();
    let report = run(&store, &["apps/web"], target.path(), false).await.unwrap();
    assert_eq!((report.tags, report.manifests, report.missing.len()), (3, 2, 0));
    assert_eq!(tags(target.path()), ["latest", "v1", "v2"]);
    assert!(target.path().join("oci-layout").exists());
    let names: Vec<_> =
        fs::read_dir(target.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names.len(), 3, "nothing else is left: {names:?}");
    let before = blobs(target.path());
    // Once more copies nothing.
    let again = run(&store, &["apps/web"], target.path(), false).await.unwrap();
    assert_eq!((again.blobs, again.present), (0, report.blobs));
    assert_eq!((blobs(target.path()), entries(target.path()).len()), (before, 3));
}

#[tokio::test]
async fn an_interrupted_export_goes_on() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"one", b"two", b"three"]);
    store.push_image("apps/web", "v1", &image).await;
    let target = tempfile::tempdir().unwrap();
    run(&store, &["apps/web"], target.path(), false).await.unwrap();
    let whole = blobs(target.path());
    // What a crash leaves: no index, blobs missing, and a partial file.
    fs::remove_file(target.path().join("index.json")).unwrap();
    fs::remove_file(target.path().join("blobs/sha256").join(&whole[0])).unwrap();
    fs::create_dir(target.path().join(".plura-export")).unwrap();
    fs::write(target.path().join(".plura-export").join(&whole[0]), b"half").unwrap();
    run(&store, &["apps/web:v1"], target.path(), false).await.unwrap();
    assert_eq!((blobs(target.path()), tags(target.path())), (whole, vec!["v1".to_owned()]));
    assert!(!target.path().join(".plura-export").exists());
}

#[tokio::test]
async fn children_and_referrers_come_along() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    let child = store.push_image("apps/multi", "amd64", &image).await;
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [
            descriptor(MANIFEST, &child, image.manifest.len()),
            descriptor(MANIFEST, &Digest::sha256(b"of another platform"), 1),
        ],
    });
    let index = store.put("apps/multi", "v1", index.to_string().as_bytes()).await.unwrap().digest;
    let empty = store.push("apps/multi", b"{}").await;
    let signature = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "artifactType": "application/vnd.example.signature",
        "config": descriptor("application/vnd.oci.empty.v1+json", &empty, 2), "layers": [],
        "subject": descriptor(INDEX, &index, 1),
    });
    let bytes = signature.to_string();
    let signature = Digest::sha256(bytes.as_bytes());
    store.put("apps/multi", signature, bytes.as_bytes()).await.unwrap();

    let (plain, whole) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let report = run(&store, &["apps/multi:v1"], plain.path(), false).await.unwrap();
    assert_eq!((report.manifests, report.missing.len()), (2, 1));
    assert!(blobs(plain.path()).contains(&child.hex()));
    assert!(!blobs(plain.path()).contains(&signature.hex()));
    run(&store, &["apps/multi:v1"], whole.path(), true).await.unwrap();
    assert!(blobs(whole.path()).contains(&signature.hex()));
    let entry = entries(whole.path()).into_iter().find(|e| e["digest"] == signature.to_string());
    assert_eq!(entry.unwrap()["artifactType"], "application/vnd.example.signature");
}

#[tokio::test]
async fn what_was_exported_can_be_adopted() {
    let store = Store::new(settings()).await;
    let (web, api) = (Image::new(&[b"web"]), Image::new(&[b"api"]));
    let web = store.push_image("apps/web", "v1", &web).await;
    let api = store.push_image("apps/web/api", "v1", &api).await;
    let target = tempfile::tempdir().unwrap();
    run(&store, &["apps/web", "apps/web/api:v1"], target.path(), false).await.unwrap();
    let other = Store::new(settings()).await;
    let tree = Tree::directory(target.path()).unwrap();
    let request = AdoptRequest {
        tree,
        location: target.path().to_str().unwrap().to_owned(),
        moved_from: None,
        format: Format::Layouts,
        verify: true,
        relink: false,
        rehearse: false,
        hand_over: HandOver::No,
    };
    let report = other.registry().adopt(request, &mut |_| {}).await.unwrap();
    assert_eq!((report.findings.len(), report.added.tags), (0, 2));
    assert_eq!(other.pull("apps/web", "v1").await.unwrap(), web);
    assert_eq!(other.pull("apps/web/api", "v1").await.unwrap(), api);
    other.assert_sound().await;
}

#[tokio::test]
async fn what_is_not_there_is_said_and_damage_is_not_passed_on() {
    let store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("apps/web", "v1", &image).await;
    let target = tempfile::tempdir().unwrap();
    for (wanted, digest) in [("apps/none", false), ("apps/web:v2", true)] {
        let error = run(&store, &[wanted], target.path(), false).await.unwrap_err();
        let manifest = matches!(error, Error::ManifestUnknown(_));
        let repository = matches!(error, Error::RepositoryUnknown(_));
        assert_eq!((manifest, repository), (digest, !digest), "{error}");
    }
    let layer = Digest::sha256(b"layer");
    fs::write(store.blob_file(&layer).await, b"LAYER").unwrap();
    let error = run(&store, &["apps/web:v1"], target.path(), false).await.unwrap_err();
    assert!(error.to_string().contains("other bytes"), "{error}");
    assert!(!target.path().join("blobs/sha256").join(layer.hex()).exists());
    assert!(!target.path().join("index.json").exists());
}

#[test]
fn what_is_to_be_exported_is_a_repository_with_or_without_a_reference() {
    let digest = Digest::sha256(b"x");
    for text in ["apps/web", "apps/web:v1.0", &format!("apps/web@{digest}")] {
        let parsed: Exported = text.parse().unwrap();
        assert_eq!(parsed.repository.as_str(), "apps/web");
        assert_eq!(parsed.reference.is_some(), text != "apps/web");
    }
    for text in ["", "Apps", "apps/web:", "apps/web@v1", "apps/web@sha256:x", ":v1"] {
        text.parse::<Exported>().unwrap_err();
    }
}
