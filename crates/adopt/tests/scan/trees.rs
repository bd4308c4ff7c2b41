//! Trees that are whole.

use std::{fs, os::unix::fs::symlink};

use plura_adopt::{Error, FindingKind, Format, Options, Outcome, Place, Scan, Tree};
use plura_oci::{Algorithm, Digest};
use serde_json::json;

use crate::{
    OPTIONS,
    fixture::{Distribution, INDEX, MANIFEST, descriptor, write},
    scan, scan_directory,
};

#[tokio::test]
async fn repositories_tags_manifests_and_blobs_are_found() {
    let tree = Distribution::new();
    let web = tree.push("apps/web", "v1", "web");
    tree.tag("apps/web", "v1.0", &web.manifest);
    tree.tag("apps/web", "v1.0-rc.1", &web.manifest);
    let below = tree.push("apps/web/below", "latest", "below");
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    let tags: Vec<_> =
        found.tags.iter().map(|(tag, digest)| (tag.as_str(), digest.as_str())).collect();
    let (web_digest, below_digest) = (web.manifest.to_string(), below.manifest.to_string());
    assert_eq!(
        tags,
        [
            ("apps/web/below:latest", below_digest.as_str()),
            ("apps/web:v1", &web_digest),
            ("apps/web:v1.0", &web_digest),
            ("apps/web:v1.0-rc.1", &web_digest),
        ]
    );
    assert_eq!(found.manifests[&format!("apps/web@{}", web.manifest)], web.bytes);
    let hex = web.layer.hex();
    let path = format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]);
    let size = "layer of web".len() as u64;
    assert_eq!(found.blobs[&format!("apps/web@{}", web.layer)], Place::Here { path, size });
    assert_eq!(found.blobs.len(), 4);
}

#[tokio::test]
async fn the_root_may_be_the_v2_directory_itself() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let found = scan(&tree.v2(), Format::Distribution, OPTIONS).await;
    assert_eq!(found.tags["apps/web:v1"], image.manifest.to_string());
    let hex = image.layer.hex();
    let expected = format!("blobs/sha256/{}/{hex}/data", &hex[..2]);
    let place = &found.blobs[&format!("apps/web@{}", image.layer)];
    assert!(matches!(place, Place::Here { path, .. } if *path == expected), "{place:?}");
}

#[tokio::test]
async fn what_is_no_tree_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for format in [Format::Distribution, Format::Layouts] {
        let tree = Tree::directory(directory.path()).unwrap();
        let refused = Scan::start(tree, format, OPTIONS).await.unwrap_err();
        assert!(matches!(refused, Error::NoTree { .. }), "{refused}");
    }
    Tree::directory(&directory.path().join("missing")).unwrap_err();
}

/// More than a page of names, and deleted links, which leave their directories behind.
#[tokio::test]
async fn many_names_and_deleted_links() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "latest", "web");
    for number in 0..700 {
        tree.tag("apps/web", &format!("build-{number}"), &image.manifest);
    }
    let deleted = tree.push("apps/web", "gone", "gone");
    fs::remove_dir_all(tree.tag_directory("apps/web", "gone")).unwrap();
    fs::remove_file(tree.revision("apps/web", &deleted.manifest)).unwrap();
    fs::remove_file(tree.layer_link("apps/web", &deleted.layer)).unwrap();
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!(found.tags.len(), 701);
    assert_eq!(found.manifests.len(), 1);
}

#[tokio::test]
async fn a_repository_without_tags_or_manifests_is_nothing_unusual() {
    let tree = Distribution::new();
    tree.layer("apps/blobs-only", b"blob");
    fs::create_dir_all(tree.v2().join("repositories/apps/blobs-only/_manifests")).unwrap();
    let (_, _, bytes) = crate::fixture::image("untagged");
    let (config, layer, _) = crate::fixture::image("untagged");
    tree.layer("apps/untagged", &config);
    tree.layer("apps/untagged", &layer);
    tree.manifest("apps/untagged", &bytes);
    let found = scan_directory(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!((found.blobs.len(), found.manifests.len(), found.tags.len()), (3, 1, 0));
}

#[tokio::test]
async fn a_second_digest_of_the_same_bytes_is_an_alias() {
    let tree = Distribution::new();
    let canonical = tree.layer("apps/web", b"the bytes");
    let second = Digest::of(Algorithm::Sha512, b"the bytes");
    write(&tree.layer_link("apps/web", &second), canonical.to_string().as_bytes());
    fs::create_dir_all(tree.v2().join("repositories/apps/web/_manifests")).unwrap();
    let found = scan_directory(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    let place = &found.blobs[&format!("apps/web@{second}")];
    assert!(matches!(place, Place::Alias { size: 9, .. }), "{place:?}");
}

/// A cache that `BuildKit` exports is an index whose children are layers.
#[tokio::test]
async fn an_index_of_layers_lacks_nothing() {
    let tree = Distribution::new();
    let layer = tree.layer("apps/cache", b"a cached layer");
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.list.v2+json",
        "manifests": [descriptor("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer, 14)],
    });
    let digest = tree.manifest("apps/cache", index.to_string().as_bytes());
    tree.tag("apps/cache", "buildcache", &digest);
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!(found.tags["apps/cache:buildcache"], digest.to_string());
}

/// Media types that nobody has heard of are no damage, of manifests, configurations and layers.
#[tokio::test]
async fn unknown_media_types_are_taken() {
    let tree = Distribution::new();
    let blob = tree.layer("apps/odd", b"odd");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.example.odd",
        "config": descriptor("application/vnd.example.config", &blob, 3),
        "layers": [descriptor("application/vnd.example.layer", &blob, 3)],
    });
    tree.manifest("apps/odd", manifest.to_string().as_bytes());
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!(found.manifests.len(), 1);
}

#[tokio::test]
async fn an_index_that_was_copied_in_part_says_so_and_is_taken() {
    let tree = Distribution::new();
    let image = tree.push("apps/multi", "amd64", "amd64");
    let absent = Digest::sha256(b"another platform");
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [
            descriptor(MANIFEST, &image.manifest, image.bytes.len()),
            descriptor(MANIFEST, &absent, 100),
        ],
    });
    let digest = tree.manifest("apps/multi", index.to_string().as_bytes());
    tree.tag("apps/multi", "latest", &digest);
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[(FindingKind::MissingChild, Outcome::LeftOut)]);
    assert_eq!(found.tags["apps/multi:latest"], digest.to_string());
}

#[tokio::test]
async fn uploads_under_way_are_left_there() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let upload = tree.v2().join("repositories/apps/web/_uploads/0b1c/data");
    write(&upload, b"half a layer");
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[(FindingKind::Uploads, Outcome::LeftOut)]);
}

#[tokio::test]
async fn nothing_outside_of_the_root_is_read() {
    let outside = Distribution::new();
    let secret = outside.push("secret", "v1", "secret");
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let repositories = tree.v2().join("repositories");
    symlink(outside.v2().join("repositories/secret"), repositories.join("stolen")).unwrap();
    // A blob that is elsewhere, and a tag.
    let (config, layer, bytes) = crate::fixture::image("secret");
    tree.layer("apps/linked", &config);
    tree.layer("apps/linked", &layer);
    let manifest = tree.manifest("apps/linked", &bytes);
    fs::remove_file(tree.data(&secret.layer)).unwrap();
    symlink(outside.data(&secret.layer), tree.data(&secret.layer)).unwrap();
    fs::create_dir_all(tree.tag_directory("apps/linked", "v1").join("current")).unwrap();
    symlink(outside.tag_link("secret", "v1"), tree.tag_link("apps/linked", "v1")).unwrap();
    // Inside, a link is as good as what it stands for.
    symlink("apps/web", repositories.join("inside")).unwrap();

    let found = scan_directory(tree.directory.path(), Format::Distribution, OPTIONS).await;
    assert!(found.tags.contains_key("apps/web:v1") && found.tags.contains_key("inside:v1"));
    assert_eq!(found.tags.len(), 2, "{:?}", found.tags);
    assert!(!found.blobs.contains_key(&format!("apps/linked@{}", secret.layer)));
    assert!(found.manifests.contains_key(&format!("apps/linked@{manifest}")));
    let unreadable = found.findings.iter().filter(|f| f.kind == FindingKind::Unreadable).count();
    assert!(unreadable >= 3, "{:#?}", found.findings);
}

#[tokio::test]
async fn a_link_file_without_end_is_not_read_to_its_end() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let link = tree.tag_link("apps/web", "v1");
    fs::File::create(&link).unwrap().set_len(1 << 40).unwrap();
    let limited = Options { manifest_limit: 1000, ..OPTIONS };
    let big = tree.manifest("apps/web", &vec![b'x'; 2000]);
    let found = scan_directory(tree.directory.path(), Format::Distribution, limited).await;
    let unreadable = (FindingKind::Unreadable, Outcome::Lost);
    found.expect(&[unreadable, unreadable]);
    assert!(!found.manifests.contains_key(&format!("apps/web@{big}")));
}
