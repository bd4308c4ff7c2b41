//! Damage that real trees were seen to have: every kind is tolerated, told, and takes nothing else with it.

use std::{fs, time::Duration};

use plura_adopt::{FindingKind, Format, Options, Outcome};
use plura_oci::Digest;
use serde_json::json;

use crate::{
    Found, OPTIONS,
    fixture::{CONFIG, Distribution, LAYER, MANIFEST, age, descriptor, image, write},
    scan, scan_directory,
};

const HOUR: Duration = Duration::from_hours(1);

/// Scans a tree that has a sound image beside the damage, which must be found whatever happens.
async fn damaged(tree: &Distribution) -> Found {
    let sound = tree.push("apps/sound", "v1", "sound");
    let found = scan(tree.directory.path(), Format::Distribution, OPTIONS).await;
    assert_eq!(found.tags["apps/sound:v1"], sound.manifest.to_string());
    assert!(found.manifests.contains_key(&format!("apps/sound@{}", sound.manifest)));
    assert!(found.blobs.contains_key(&format!("apps/sound@{}", sound.layer)));
    found
}

#[tokio::test]
async fn a_manifest_that_is_none() {
    let tree = Distribution::new();
    let digest = tree.manifest("apps/web", b"not json at all");
    tree.tag("apps/web", "v1", &digest);
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::BadManifest, Outcome::Lost)]);
    // That the tag now points at nothing is seen where it is to be written.
    assert!(found.manifests.keys().all(|name| !name.starts_with("apps/web")));
}

#[tokio::test]
async fn a_manifest_whose_file_is_empty() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    write(&tree.data(&image.manifest), b"");
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::WrongDigest, Outcome::Lost)]);
}

#[tokio::test]
async fn a_manifest_of_the_first_schema() {
    let tree = Distribution::new();
    let bytes = br#"{"schemaVersion":1,"name":"apps/web","tag":"v1","fsLayers":[]}"#;
    let digest = tree.manifest("apps/web", bytes);
    tree.tag("apps/web", "v1", &digest);
    damaged(&tree).await.expect(&[(FindingKind::SchemaOne, Outcome::Lost)]);
}

#[tokio::test]
async fn a_manifest_whose_bytes_are_gone() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    fs::remove_file(tree.data(&image.manifest)).unwrap();
    damaged(&tree).await.expect(&[(FindingKind::MissingManifest, Outcome::Lost)]);
}

/// Empty link files are what a power cut leaves. The place of the link still says what it was.
#[tokio::test]
async fn empty_links_of_layers_and_manifests_are_read_by_their_place() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    write(&tree.layer_link("apps/web", &image.layer), b"");
    write(&tree.revision("apps/web", &image.manifest), b"");
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::BadLink, Outcome::Mended); 2]);
    assert!(found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
    assert_eq!(found.tags["apps/web:v1"], image.manifest.to_string());
}

#[tokio::test]
async fn a_link_that_names_another_digest_than_its_place() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let link = tree.layer_link("apps/web", &image.layer);
    write(&link, image.config.to_string().as_bytes());
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::WrongLink, Outcome::Mended)]);
    assert!(found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
}

#[tokio::test]
async fn a_tag_whose_link_is_empty_or_gone_or_nonsense_is_what_it_became_last() {
    for content in [Some(&b""[..]), None, Some(b"sha256:../../../../etc/passwd")] {
        let tree = Distribution::new();
        let old = tree.push("apps/web", "v1", "old");
        let new = tree.push("apps/web", "v1", "new");
        age(&tree.history("apps/web", "v1", &old.manifest), HOUR);
        match content {
            Some(content) => write(&tree.tag_link("apps/web", "v1"), content),
            None => fs::remove_file(tree.tag_link("apps/web", "v1")).unwrap(),
        }
        let found = damaged(&tree).await;
        found.expect(&[(FindingKind::MissingTagLink, Outcome::Mended)]);
        assert_eq!(found.tags["apps/web:v1"], new.manifest.to_string());
    }
}

#[tokio::test]
async fn a_tag_that_nothing_tells_about_is_lost() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    fs::remove_dir_all(tree.tag_directory("apps/web", "v1")).unwrap();
    fs::create_dir_all(tree.tag_directory("apps/web", "v1").join("current")).unwrap();
    // In a bucket, there are no directories without files: such a tag is not there at all.
    let found = scan_directory(tree.directory.path(), Format::Distribution, OPTIONS).await;
    found.expect(&[(FindingKind::MissingTagLink, Outcome::Lost)]);
    assert!(!found.tags.contains_key("apps/web:v1"));
}

#[tokio::test]
async fn revisions_that_are_gone_are_known_by_their_tags() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    fs::remove_dir_all(tree.v2().join("repositories/apps/web/_manifests/revisions")).unwrap();
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::MissingRevision, Outcome::Mended)]);
    assert_eq!(found.manifests[&format!("apps/web@{}", image.manifest)], image.bytes);
}

#[tokio::test]
async fn a_tag_of_something_that_never_was() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    tree.tag("apps/web", "ghost", &Digest::sha256(b"never pushed"));
    let found = damaged(&tree).await;
    found.expect(&[
        (FindingKind::MissingManifest, Outcome::Lost),
        (FindingKind::DanglingTag, Outcome::Lost),
    ]);
}

#[tokio::test]
async fn a_missing_tags_directory_leaves_the_manifests() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    fs::remove_dir_all(tree.v2().join("repositories/apps/web/_manifests/tags")).unwrap();
    let found = damaged(&tree).await;
    found.expect(&[]);
    assert!(found.manifests.contains_key(&format!("apps/web@{}", image.manifest)));
}

#[tokio::test]
async fn layers_whose_bytes_are_gone_empty_or_cut_short() {
    for content in [None, Some(&b""[..]), Some(b"layer of")] {
        let tree = Distribution::new();
        let image = tree.push("apps/web", "v1", "web");
        let data = tree.data(&image.layer);
        match content {
            Some(content) => write(&data, content),
            None => fs::remove_file(&data).unwrap(),
        }
        let found = damaged(&tree).await;
        let lost = (FindingKind::MissingBlob, Outcome::Lost);
        if content == Some(b"layer of") {
            // Only what needs it knows how long it should be.
            found.expect(&[lost]);
            assert_eq!(found.damaged, [image.layer.to_string()]);
        } else {
            found.expect(&[(FindingKind::DanglingLink, Outcome::LeftOut), lost]);
            assert!(!found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
        }
        assert!(found.manifests.contains_key(&format!("apps/web@{}", image.manifest)));
    }
}

/// A descriptor may be wrong about the size, which nobody checked when it was pushed.
#[tokio::test]
async fn a_wrong_size_in_a_manifest_is_no_damage() {
    let tree = Distribution::new();
    let (config, layer) = (tree.layer("apps/web", b"{}"), tree.layer("apps/web", b"layer"));
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": descriptor(CONFIG, &config, 2), "layers": [descriptor(LAYER, &layer, 4711)],
    });
    tree.manifest("apps/web", manifest.to_string().as_bytes());
    damaged(&tree).await.expect(&[]);
}

/// The other registry did not serve what is not linked. Doing so here takes the operator's word, since
/// whoever knows a digest could name it in a manifest.
#[tokio::test]
async fn blobs_that_are_there_and_not_linked() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    for digest in [&image.layer, &image.config] {
        fs::remove_file(tree.layer_link("apps/web", digest)).unwrap();
    }
    let found = damaged(&tree).await;
    found.expect(&[(FindingKind::UnlinkedBlob, Outcome::Lost); 2]);
    assert!(!found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
    let relink = Options { relink: true, ..OPTIONS };
    let found = scan(tree.directory.path(), Format::Distribution, relink).await;
    found.expect(&[(FindingKind::UnlinkedBlob, Outcome::Mended); 2]);
    assert!(found.blobs.contains_key(&format!("apps/web@{}", image.layer)));
}

#[tokio::test]
async fn digests_of_other_algorithms_and_names_that_are_none() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let repository = tree.v2().join("repositories/apps/web");
    write(&repository.join("_layers/md5/d41d8cd98f00b204e9800998ecf8427e/link"), b"md5:x");
    write(&repository.join("_layers/sha256/nonsense/link"), b"sha256:nonsense");
    write(&repository.join("_manifests/tags/-bad/current/link"), b"");
    write(&tree.v2().join("repositories/Apps/Web/_manifests/tags/v1/current/link"), b"");
    let found = damaged(&tree).await;
    found.expect(&[
        (FindingKind::UnsupportedDigest, Outcome::Lost),
        (FindingKind::BadPath, Outcome::LeftOut),
        (FindingKind::BadTag, Outcome::Lost),
        (FindingKind::BadName, Outcome::Lost),
    ]);
    assert!(found.tags.contains_key("apps/web:v1"));
}

#[tokio::test]
async fn a_manifest_with_a_digest_that_is_none() {
    let tree = Distribution::new();
    let bytes = br#"{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"x","size":1}]}"#;
    tree.manifest("apps/web", bytes);
    damaged(&tree).await.expect(&[(FindingKind::BadManifest, Outcome::Lost)]);
}

#[tokio::test]
async fn verification_finds_changed_bytes_wherever_they_are_linked() {
    let tree = Distribution::new();
    let (one, two) = (tree.push("apps/one", "v1", "same"), tree.push("apps/two", "v1", "same"));
    assert_eq!(one.layer, two.layer);
    let (_, layer, _) = image("same");
    let changed: Vec<u8> = layer.iter().map(|byte| byte ^ 1).collect();
    write(&tree.data(&one.layer), &changed);
    damaged(&tree).await.expect(&[]);
    let verify = Options { verify: true, ..OPTIONS };
    let found = scan(tree.directory.path(), Format::Distribution, verify).await;
    let (dangling, lost) = (FindingKind::DanglingLink, FindingKind::MissingBlob);
    found.expect(&[
        (FindingKind::WrongDigest, Outcome::LeftOut),
        (dangling, Outcome::LeftOut),
        (dangling, Outcome::LeftOut),
        (lost, Outcome::Lost),
        (lost, Outcome::Lost),
    ]);
    assert!(found.blobs.keys().all(|name| !name.ends_with(&one.layer.to_string())));
}
