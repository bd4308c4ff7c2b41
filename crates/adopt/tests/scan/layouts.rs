//! Trees of OCI layouts.

use std::fs;

use plura_adopt::{FindingKind, Format, Options, Outcome, Place};
use plura_oci::Digest;

use crate::{
    OPTIONS,
    fixture::{Layouts, write},
    scan,
};

#[tokio::test]
async fn repositories_are_directories_with_an_index() {
    let tree = Layouts::new();
    let web = tree.push("apps/web", "web");
    tree.index("apps/web", &[(&web.manifest, Some("v1")), (&web.manifest, Some("host:5000/x:v2"))]);
    let below = tree.push("apps/web/below", "below");
    tree.index("apps/web/below", &[(&below.manifest, None)]);
    // What zot keeps beside its repositories.
    write(&tree.directory.path().join("_trivy/db/index.json"), b"{}");
    write(&tree.directory.path().join("apps/web/.uploads/1/data"), b"half");
    write(&tree.directory.path().join("cache.db"), b"bolt");
    let found = scan(tree.directory.path(), Format::Layouts, OPTIONS).await;
    found.expect(&[]);
    let tags: Vec<&str> = found.tags.keys().map(String::as_str).collect();
    assert_eq!(tags, ["apps/web:v1", "apps/web:v2"]);
    assert_eq!(found.manifests[&format!("apps/web@{}", web.manifest)], web.bytes);
    assert!(found.manifests.contains_key(&format!("apps/web/below@{}", below.manifest)));
    let path = format!("apps/web/blobs/sha256/{}", web.layer.hex());
    let place = &found.blobs[&format!("apps/web@{}", web.layer)];
    assert_eq!(*place, Place::Here { path, size: 12 });
    assert_eq!(found.blobs.len(), 4);
}

#[tokio::test]
async fn a_layout_alone_is_called_after_its_directory() {
    let tree = Layouts::new();
    let image = tree.push("web", "web");
    tree.index("web", &[(&image.manifest, Some("v1"))]);
    let found = scan(&tree.directory.path().join("web"), Format::Layouts, OPTIONS).await;
    found.expect(&[]);
    assert_eq!(found.tags["web:v1"], image.manifest.to_string());
}

/// Where the store cannot link files, all copies but one are empty.
#[tokio::test]
async fn empty_files_stand_for_bytes_elsewhere() {
    let tree = Layouts::new();
    let (one, two) = (tree.push("apps/one", "same"), tree.push("apps/two", "same"));
    tree.index("apps/one", &[(&one.manifest, Some("v1"))]);
    tree.index("apps/two", &[(&two.manifest, Some("v1"))]);
    write(&tree.file("apps/two", &two.layer), b"");
    // Of this, being empty is the content.
    let empty = tree.blob("apps/two", b"");
    let found = scan(tree.directory.path(), Format::Layouts, OPTIONS).await;
    found.expect(&[]);
    let place = |name: String| found.blobs[&name].clone();
    assert!(matches!(place(format!("apps/one@{}", one.layer)), Place::Here { size: 13, .. }));
    assert!(matches!(place(format!("apps/two@{}", two.layer)), Place::Elsewhere { .. }));
    assert!(matches!(place(format!("apps/two@{empty}")), Place::Here { size: 0, .. }));
}

#[tokio::test]
async fn manifests_that_the_index_lost_are_found() {
    let tree = Layouts::new();
    let (kept, lost) = (tree.push("apps/web", "kept"), tree.push("apps/web", "lost"));
    tree.index("apps/web", &[(&kept.manifest, Some("v1"))]);
    let found = scan(tree.directory.path(), Format::Layouts, OPTIONS).await;
    found.expect(&[]);
    assert!(found.manifests.contains_key(&format!("apps/web@{}", lost.manifest)));
}

#[tokio::test]
async fn damage_is_told_and_takes_nothing_else() {
    let tree = Layouts::new();
    let sound = tree.push("apps/sound", "sound");
    tree.index("apps/sound", &[(&sound.manifest, Some("v1")), (&sound.manifest, Some("no tag"))]);
    let cut = tree.push("apps/cut", "cut");
    tree.index("apps/cut", &[(&cut.manifest, Some("v1"))]);
    write(&tree.file("apps/cut", &cut.layer), b"layer");
    fs::remove_file(tree.file("apps/cut", &cut.config)).unwrap();
    let other = tree.push("apps/broken", "broken");
    write(&tree.directory.path().join("apps/broken/index.json"), b"{\"manifests\": [");
    write(&tree.directory.path().join("apps/broken/blobs/md5/abc"), b"x");
    write(&tree.directory.path().join("apps/broken/blobs/sha256/abc"), b"x");
    let twice = (tree.push("apps/twice", "first"), tree.push("apps/twice", "second"));
    tree.index("apps/twice", &[(&twice.0.manifest, Some("v1")), (&twice.1.manifest, Some("v1"))]);
    let found = scan(tree.directory.path(), Format::Layouts, OPTIONS).await;
    found.expect(&[
        (FindingKind::BadTag, Outcome::Lost),
        (FindingKind::MissingBlob, Outcome::Lost),
        (FindingKind::MissingBlob, Outcome::Lost),
        (FindingKind::BadIndex, Outcome::Lost),
        (FindingKind::UnsupportedDigest, Outcome::Lost),
        (FindingKind::BadPath, Outcome::LeftOut),
        (FindingKind::DuplicateTag, Outcome::Mended),
    ]);
    assert_eq!(found.tags["apps/sound:v1"], sound.manifest.to_string());
    assert_eq!(found.tags["apps/twice:v1"], twice.1.manifest.to_string());
    assert!(found.manifests.contains_key(&format!("apps/broken@{}", other.manifest)));
}

/// What looks like a manifest is read anyway.
#[tokio::test]
async fn a_manifest_with_other_bytes_is_left_out() {
    let tree = Layouts::new();
    let image = tree.push("apps/web", "web");
    tree.index("apps/web", &[(&image.manifest, Some("v1"))]);
    let mut bytes = image.bytes.clone();
    bytes.push(b' ');
    write(&tree.file("apps/web", &image.manifest), &bytes);
    let found = scan(tree.directory.path(), Format::Layouts, OPTIONS).await;
    found.expect(&[(FindingKind::WrongDigest, Outcome::Lost)]);
    assert_eq!((found.manifests.len(), found.blobs.len()), (0, 2));
}

#[tokio::test]
async fn verification_reads_every_file() {
    let tree = Layouts::new();
    let image = tree.push("apps/web", "web");
    tree.index("apps/web", &[(&image.manifest, Some("v1"))]);
    write(&tree.file("apps/web", &image.layer), b"LAYER OF WEB");
    let verify = Options { verify: true, ..OPTIONS };
    let found = scan(tree.directory.path(), Format::Layouts, verify).await;
    found.expect(&[(FindingKind::WrongDigest, Outcome::Lost)]);
    assert!(!found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
    assert_ne!(Digest::sha256(b"LAYER OF WEB"), image.layer);
}
