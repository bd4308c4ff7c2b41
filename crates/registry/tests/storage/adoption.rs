//! Adoption: what another registry stored is read from where it is, by rows alone.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, SystemTime},
};

use plura_adopt::{FindingKind, Format, Outcome, Tree};
use plura_oci::{Algorithm, Digest};
use plura_registry::{
    AdoptError, AdoptReport, AdoptRequest, CheckOptions, Counts, Error, FindingKind as Damage,
    HandOver, Registry,
};

use crate::{
    fixture::{Distribution, Image as Pushed, Layouts, age, image, write},
    support::*,
};

fn request(root: &Path, format: Format) -> AdoptRequest {
    let tree = Tree::directory(root).unwrap();
    let location = tree.location().unwrap();
    AdoptRequest {
        tree,
        location,
        moved_from: None,
        format,
        verify: false,
        relink: false,
        rehearse: false,
        hand_over: HandOver::No,
    }
}

fn distribution(tree: &Distribution) -> AdoptRequest {
    request(tree.directory.path(), Format::Distribution)
}

async fn run(registry: &Registry, request: AdoptRequest) -> AdoptReport {
    registry.adopt(request, &mut |_| {}).await.expect("the tree is adopted")
}

/// All files of a tree, which adoption must leave as they are.
fn content(root: &Path) -> Vec<(std::path::PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                found.push((path.clone(), fs::read(path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

async fn check_pulls(store: &Store, repository: &str, tag: &str, image: &Pushed) {
    assert_eq!(store.pull(repository, tag).await.unwrap(), image.manifest);
    assert_eq!(store.pull(repository, image.manifest).await.unwrap(), image.manifest);
    let found = store.registry().manifest(&name(repository), &reference(tag)).await.unwrap();
    assert_eq!((found.bytes, found.digest), (image.bytes.clone().into(), image.manifest));
}

#[tokio::test]
async fn everything_pulls_and_nothing_is_copied_or_changed() {
    let tree = Distribution::new();
    let (web, api) = (tree.push("apps/web", "v1", "web"), tree.push("apps/api", "v1", "api"));
    tree.tag("apps/web", "latest", &web.manifest);
    let before = content(tree.directory.path());
    let store = Store::new(settings()).await;
    let report = run(store.registry(), distribution(&tree)).await;
    let length = |digest| fs::metadata(tree.data(digest)).unwrap().len();
    let bytes = [&web.config, &web.layer, &api.config, &api.layer].map(length).iter().sum();
    let counts = Counts { repositories: 2, blobs: 4, bytes, manifests: 2, tags: 3 };
    assert_eq!((report.added, report.found, report.findings.len()), (counts, counts, 0));
    for (repository, tag, image) in
        [("apps/web", "v1", &web), ("apps/web", "latest", &web), ("apps/api", "v1", &api)]
    {
        check_pulls(&store, repository, tag, image).await;
    }
    assert_eq!(store.files("blobs"), [""; 0]);
    assert_eq!(content(tree.directory.path()), before);
    store.assert_sound().await;
    // A blob is readable through the repositories that linked it, and no other.
    assert_refused!(store.read("apps/api", &web.layer).await, Error::BlobUnknown(_));
}

#[tokio::test]
async fn what_was_adopted_is_still_there_after_a_start() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let mut store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    store.reopen().await;
    check_pulls(&store, "apps/web", "v1", &image).await;
    store.close().await;
    store.reopen().await;
    store.assert_sound().await;
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_a_later_one_catches_up() {
    let tree = Distribution::new();
    let old = tree.push("apps/web", "v1", "old");
    age(&tree.tag_link("apps/web", "v1"), HOUR);
    let store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    let before = store.snapshot().await;
    let again = run(store.registry(), distribution(&tree)).await;
    assert_eq!((again.added, again.tags_moved), (Counts::default(), 0));
    assert_eq!(before.differences(&store.snapshot().await), [""; 0]);

    let new = tree.push("apps/web", "v1", "new");
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!((report.added.manifests, report.added.tags, report.tags_moved), (1, 0, 1));
    check_pulls(&store, "apps/web", "v1", &new).await;
    // What lost its tag is kept as long as what loses one here.
    assert_eq!(store.pull("apps/web", old.manifest).await.unwrap(), old.manifest);
    store.collect_as_planned(None, HOUR * 11).await;
    assert_refused!(store.pull("apps/web", old.manifest).await, Error::ManifestUnknown(_));
    store.assert_sound().await;
}

#[tokio::test]
async fn a_tag_has_the_time_of_its_link() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let ago = Duration::from_hours(1000);
    age(&tree.tag_link("apps/web", "v1"), ago);
    let store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    let rows = store.select("select name, cast(moved_at as text), digest from tag").await;
    let moved_at: u128 = rows[0].1.parse().unwrap();
    let written = fs::metadata(tree.tag_link("apps/web", "v1")).unwrap().modified().unwrap();
    let expected = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis();
    assert_eq!(moved_at, expected);
}

#[tokio::test]
async fn a_tag_that_was_moved_here_since_stays() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "theirs");
    age(&tree.tag_link("apps/web", "v1"), HOUR);
    let store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    let ours = store.push_image("apps/web", "v1", &Image::new(&[b"ours"])).await;
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!(report.findings[0].kind, FindingKind::KeptTag);
    assert_eq!((report.findings.len(), report.lost), (1, 0));
    assert_eq!(store.pull("apps/web", "v1").await.unwrap(), ours);
}

#[tokio::test]
async fn collection_forgets_and_deletes_nothing_of_a_foreign_tree() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let before = content(tree.directory.path());
    let store = Store::new(no_grace()).await;
    run(store.registry(), distribution(&tree)).await;
    store.delete("apps/web", image.manifest).await;
    let report = store.collect_as_planned(None, HOUR).await;
    assert_eq!((report.links, report.blobs, report.bytes), (2, 2, 0));
    store.assert_empty().await;
    let totals = store.registry().totals().await.unwrap();
    assert_eq!((totals.collected_blobs, totals.collected_bytes), (0, 0));
    assert_eq!(content(tree.directory.path()), before);
    // It is still the other registry's to say, and comes back.
    run(store.registry(), distribution(&tree)).await;
    check_pulls(&store, "apps/web", "v1", &image).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn a_tree_that_was_handed_over_is_collected() {
    let tree = Distribution::new();
    let (web, api) = (tree.push("apps/web", "v1", "web"), tree.push("apps/api", "v1", "api"));
    let store = Store::new(no_grace()).await;
    let finalise = |hand_over| AdoptRequest { hand_over, ..distribution(&tree) };
    let report = run(store.registry(), finalise(HandOver::AtRest)).await;
    assert!(!report.finalised);
    assert!(report.refused.unwrap().contains("written to"), "it was written a moment ago");
    assert!(run(store.registry(), finalise(HandOver::Anyway)).await.finalised);
    let again = store.registry().adopt(distribution(&tree), &mut |_| {}).await;
    assert!(matches!(again, Err(AdoptError::HandedOver(_))), "{again:?}");

    store.delete("apps/web", web.manifest).await;
    let report = store.collect_as_planned(None, HOUR).await;
    assert_eq!(report.blobs, 2);
    assert!(report.bytes > 0);
    assert!(!tree.data(&web.layer).exists() && !tree.data(&web.layer).parent().unwrap().exists());
    assert!(tree.data(&api.layer).exists());
    check_pulls(&store, "apps/api", "v1", &api).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn a_tree_at_rest_is_handed_over_and_a_damaged_one_only_by_force() {
    for damaged in [false, true] {
        let tree = Distribution::new();
        let image = tree.push("apps/web", "v1", "web");
        if damaged {
            fs::remove_file(tree.data(&image.layer)).unwrap();
        }
        for (path, _) in content(tree.directory.path()) {
            age(&path, HOUR);
        }
        let store = Store::new(no_grace()).await;
        let finalise = AdoptRequest { hand_over: HandOver::AtRest, ..distribution(&tree) };
        let report = run(store.registry(), finalise.clone()).await;
        assert_eq!((report.finalised, report.lost > 0), (!damaged, damaged));
        if damaged {
            assert!(report.refused.unwrap().contains("lost"));
            assert!(
                run(store.registry(), AdoptRequest { hand_over: HandOver::Anyway, ..finalise })
                    .await
                    .finalised
            );
        }
    }
}

/// A run that fails in the middle, wherever, is simply run again.
#[tokio::test]
async fn an_interrupted_run_goes_on() {
    let tree = Distribution::new();
    for number in 0..400 {
        tree.push(&format!("apps/app-{}", number % 7), &format!("v{number}"), &number.to_string());
    }
    let mut store = Store::new(settings()).await;
    for after in [1, 300, 700] {
        // Who stops listening stops the scan; what was not committed is not there.
        store.crash_while_adopting(distribution(&tree), after).await;
    }
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!((report.found.tags, report.lost), (400, 0));
    for number in 0..400 {
        let repository = format!("apps/app-{}", number % 7);
        store.pull(&repository, format!("v{number}")).await.unwrap();
    }
    store.assert_sound().await;
}

#[tokio::test]
async fn a_second_digest_gets_bytes_of_its_own() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let bytes = b"known by two digests";
    let first = tree.layer("apps/web", bytes);
    let second = Digest::of(Algorithm::Sha512, bytes);
    write(&tree.layer_link("apps/web", &second), first.to_string().as_bytes());
    let false_one = Digest::of(Algorithm::Sha512, b"something else");
    write(&tree.layer_link("apps/web", &false_one), first.to_string().as_bytes());
    let store = Store::new(settings()).await;
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!((report.copied_bytes, report.lost), (20, 1));
    assert_eq!(store.read("apps/web", &first).await.unwrap(), bytes);
    assert_eq!(store.read("apps/web", &second).await.unwrap(), bytes);
    assert_refused!(store.read("apps/web", &false_one).await, Error::BlobUnknown(_));
    assert_eq!(store.files("blobs").len(), 1);
    store.assert_sound().await;
    // A rehearsal copies nothing, and says the same.
    let other = Store::new(settings()).await;
    let request = AdoptRequest { rehearse: true, ..distribution(&tree) };
    assert_eq!(run(other.registry(), request).await.lost, 1);
    assert_eq!(other.files("blobs"), [""; 0]);
}

#[tokio::test]
async fn content_that_is_here_already_is_not_adopted_twice() {
    let tree = Distribution::new();
    let pushed = tree.push("apps/web", "v1", "web");
    let (_, layer, _) = image("web");
    let store = Store::new(settings()).await;
    store.push("apps/own", &layer).await;
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!((report.added.blobs, report.found.blobs), (1, 2));
    fs::remove_file(tree.data(&pushed.layer)).unwrap();
    assert_eq!(store.read("apps/web", &pushed.layer).await.unwrap(), layer);
}

#[tokio::test]
async fn layouts_share_what_one_of_them_holds() {
    let tree = Layouts::new();
    let (one, two) = (tree.push("apps/one", "same"), tree.push("apps/two", "same"));
    tree.index("apps/one", &[(&one.manifest, Some("v1"))]);
    tree.index("apps/two", &[(&two.manifest, Some("v1")), (&one.layer, Some("no-manifest"))]);
    for digest in [&two.layer, &two.config] {
        write(&tree.file("apps/two", digest), b"");
    }
    let nowhere = Digest::sha256(b"nowhere at all");
    write(&tree.file("apps/two", &nowhere), b"");
    let store = Store::new(settings()).await;
    let request = request(tree.directory.path(), Format::Layouts);
    let report = run(store.registry(), request.clone()).await;
    check_pulls(&store, "apps/one", "v1", &one).await;
    check_pulls(&store, "apps/two", "v1", &two).await;
    let mut kinds: Vec<_> = report.findings.iter().map(|f| (f.kind, f.outcome)).collect();
    kinds.sort_unstable();
    let lost = Outcome::Lost;
    assert_eq!(kinds, [(FindingKind::DanglingTag, lost), (FindingKind::MissingBlob, lost)]);
    assert_eq!(run(store.registry(), request).await.added, Counts::default());
    store.assert_sound().await;
}

#[tokio::test]
async fn damaged_bytes_are_not_served() {
    let tree = Distribution::new();
    let (one, two) = (tree.push("apps/one", "v1", "same"), tree.push("apps/two", "v1", "same"));
    write(&tree.data(&one.layer), b"cut");
    let store = Store::new(settings()).await;
    let report = run(store.registry(), distribution(&tree)).await;
    assert_eq!(report.lost, 2);
    for repository in ["apps/one", "apps/two"] {
        assert_refused!(store.read(repository, &two.layer).await, Error::BlobUnknown(_));
    }
    // The manifest is there, so that the push of the one layer mends the image.
    let (_, layer, _) = image("same");
    store.push("apps/one", &layer).await;
    check_pulls(&store, "apps/one", "v1", &one).await;
}

#[tokio::test]
async fn a_link_that_was_put_in_place_of_a_file_does_not_lead_out() {
    let tree = Distribution::new();
    let pushed = tree.push("apps/web", "v1", "web");
    let (_, layer, _) = image("web");
    let outside = tempfile::tempdir().unwrap();
    write(&outside.path().join("secret"), &layer);
    let store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    fs::remove_file(tree.data(&pushed.layer)).unwrap();
    symlink(outside.path().join("secret"), tree.data(&pushed.layer)).unwrap();
    assert_refused!(store.read("apps/web", &pushed.layer).await, Error::Blobs(_));
}

/// A tree that is not mounted is not an empty one.
#[tokio::test]
async fn a_tree_that_is_away_loses_nothing() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let mut store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    let away = tree.directory.path().with_extension("away");
    fs::rename(tree.directory.path(), &away).unwrap();
    store.reopen().await;
    let refused = store.read("apps/web", &image.layer).await;
    assert!(matches!(&refused, Err(error) if error.is_damage()), "{refused:?}");
    let report = store.check(CheckOptions::default()).await;
    assert!(report.findings.iter().all(|finding| finding.kind == Damage::MissingBytes));
    store.close().await;
    let repair = CheckOptions { repair: true, ..CheckOptions::default() };
    assert_refused!(check(store.path(), store.settings(), repair).await, Error::Blobs(_));
    fs::rename(&away, tree.directory.path()).unwrap();
    store.reopen().await;
    check_pulls(&store, "apps/web", "v1", &image).await;
}

#[tokio::test]
async fn a_tree_that_moved_is_found_again() {
    let (tree, elsewhere) = (Distribution::new(), tempfile::tempdir().unwrap());
    let image = tree.push("apps/web", "v1", "web");
    let store = Store::new(settings()).await;
    let from = distribution(&tree).location;
    run(store.registry(), distribution(&tree)).await;
    let new = elsewhere.path().join("tree");
    fs::rename(tree.directory.path(), &new).unwrap();
    let moved = |from: &str| AdoptRequest {
        moved_from: Some(from.to_owned()),
        ..request(&new, Format::Distribution)
    };
    let refused = store.registry().adopt(moved("/never"), &mut |_| {}).await;
    assert!(matches!(refused, Err(AdoptError::NotAdopted(_))), "{refused:?}");
    for _ in 0..2 {
        assert_eq!(run(store.registry(), moved(&from)).await.added, Counts::default());
        check_pulls(&store, "apps/web", "v1", &image).await;
    }
    store.assert_sound().await;
}

#[tokio::test]
async fn repair_leaves_the_files_of_a_tree_where_they_are() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "v1", "web");
    let mut store = Store::new(settings()).await;
    run(store.registry(), distribution(&tree)).await;
    write(&tree.data(&image.layer), b"LAYER OF WEB");
    store.close().await;
    let repair = CheckOptions { rehash: true, repair: true };
    let report = check(store.path(), store.settings(), repair).await.unwrap();
    assert_eq!(report.findings[0].kind, Damage::WrongDigest);
    assert_eq!(fs::read(tree.data(&image.layer)).unwrap(), b"LAYER OF WEB");
    assert!(!store.path().join("damaged").exists());
    store.reopen().await;
    assert_refused!(store.read("apps/web", &image.layer).await, Error::BlobUnknown(_));
}

#[tokio::test]
async fn what_is_no_tree_leaves_no_trace() {
    let empty = tempfile::tempdir().unwrap();
    let store = Store::new(settings()).await;
    let request = request(empty.path(), Format::Distribution);
    let refused = store.registry().adopt(request, &mut |_| {}).await;
    assert!(matches!(refused, Err(AdoptError::Tree(_))), "{refused:?}");
    assert_eq!(store.rows("adopted_root").await, [""; 0]);
}

#[tokio::test]
async fn adoption_is_in_the_audit_of_each_repository() {
    let tree = Distribution::new();
    tree.push("apps/web", "v1", "web");
    let store = Store::new(settings()).await;
    for _ in 0..2 {
        run(store.registry(), distribution(&tree)).await;
    }
    let rows = store.select("select action, target, detail from audit").await;
    let expected = r#"{"blobs":2,"manifests":1,"tags":1}"#;
    assert_eq!(rows, [("repository.adopt".into(), "apps/web".into(), expected.into())]);
}
