//! Adoption of a tree that lies in the bucket already: rows alone, and not one object is written.

use std::{collections::BTreeMap, fs, path::PathBuf, time::SystemTime};

use futures_util::TryStreamExt;
use plura_adopt::{Finding, FindingKind, Format, Tree};
use plura_registry::{
    AdoptError, AdoptReport, AdoptRequest, CheckOptions, Counts, Error, FindingKind as Damage,
    HandOver, Opened, Registry, Storage,
};
use plura_testkit::{S3, S3Mishap, S3Request};

use crate::{
    fixture::{Distribution, Image as Pushed, Layouts, age, image, write},
    support::*,
};

const PREFIX: &str = "old/registry";

/// The directory in which the object store has what is below a prefix.
fn objects(store: &Store, prefix: &str) -> PathBuf {
    store.path().join("s3").join(S3::BUCKET).join(prefix)
}

/// A tree of a registry:2 that has the same bucket.
fn distribution(store: &Store) -> Distribution {
    Distribution::below(objects(store, PREFIX))
}

fn request_at(store: &Store, prefix: &str) -> AdoptRequest {
    let tree = Tree::bucket(&store.settings().storage, S3::BUCKET, prefix).unwrap();
    AdoptRequest {
        location: tree.location().unwrap(),
        tree,
        moved_from: None,
        format: Format::Distribution,
        verify: false,
        relink: false,
        rehearse: false,
        hand_over: HandOver::No,
    }
}

fn request(store: &Store) -> AdoptRequest {
    request_at(store, PREFIX)
}

async fn try_run(registry: &Registry, request: AdoptRequest) -> Result<AdoptReport, AdoptError> {
    registry.adopt(request, &mut |_| {}).await
}

async fn run(store: &Store, request: AdoptRequest) -> AdoptReport {
    try_run(store.registry(), request).await.expect("the tree is adopted")
}

/// All objects of a tree, with their times: a bucket gives a new one to what is written again.
fn content(tree: &Distribution) -> BTreeMap<PathBuf, (Vec<u8>, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut pending = vec![tree.directory.path().to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
            } else {
                let modified = fs::metadata(&path).unwrap().modified().unwrap();
                found.insert(path.clone(), (fs::read(path).unwrap(), modified));
            }
        }
    }
    found
}

fn age_all(tree: &Distribution) {
    for path in content(tree).keys() {
        age(path, HOUR);
    }
}

async fn check_pulls(store: &Store, repository: &str, tag: &str, image: &Pushed) {
    assert_eq!(store.pull(repository, tag).await.unwrap(), image.manifest);
    assert_eq!(store.pull(repository, image.manifest).await.unwrap(), image.manifest);
    let found = store.registry().manifest(&name(repository), &reference(tag)).await.unwrap();
    assert_eq!((found.bytes, found.digest), (image.bytes.clone().into(), image.manifest));
}

fn assert_only_reads(store: &Store) {
    let requests = store.bucket().unwrap().own().take_requests();
    let reads = [S3Request::List, S3Request::Get, S3Request::Head];
    let others: Vec<_> = requests.iter().filter(|kind| !reads.contains(kind)).collect();
    assert!(others.is_empty(), "{others:?}");
}

#[tokio::test]
async fn everything_pulls_and_no_object_is_written() {
    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    let (web, api) = (tree.push("apps/web", "v1", "web"), tree.push("apps/api", "v1", "api"));
    tree.tag("apps/web", "latest", &web.manifest);
    let before = content(&tree);
    store.bucket().unwrap().own().take_requests();
    let report = run(&store, AdoptRequest { verify: true, ..request(&store) }).await;
    assert_only_reads(&store);
    let expected = Counts { repositories: 2, blobs: 4, manifests: 2, tags: 3, ..report.added };
    assert_eq!((report.added, report.found), (expected, expected));
    assert_eq!(report.findings, Vec::<Finding>::new());
    assert_eq!(report.location, format!("s3://{}/{PREFIX}", S3::BUCKET));
    for _ in 0..2 {
        for (repository, tag, image) in
            [("apps/web", "v1", &web), ("apps/web", "latest", &web), ("apps/api", "v1", &api)]
        {
            check_pulls(&store, repository, tag, image).await;
        }
        store.assert_sound().await;
        store.reopen().await;
    }
    assert_eq!((store.files("blobs"), content(&tree)), (Vec::new(), before));
    // A blob is readable through the repositories that linked it, and no other.
    assert_refused!(store.read("apps/api", &web.layer).await, Error::BlobUnknown(_));
}

/// Clients are sent to the object where it is, and ranges come from there.
#[tokio::test]
async fn an_adopted_blob_is_an_object_like_any_other() {
    let store = Store::new(settings()).await;
    let tree = distribution(&store);
    let pushed = tree.push("apps/web", "v1", "web");
    run(&store, request(&store)).await;
    let content = store.registry().blob(&name("apps/web"), &pushed.layer).await.unwrap();
    let Opened::Object(object) = store.registry().open_blob(&content).await.unwrap() else {
        panic!("it is in a bucket")
    };
    let address = object.signed_url(HOUR).await.unwrap();
    let hex = pushed.layer.hex();
    let key = format!("{PREFIX}/docker/registry/v2/blobs/sha256/{}/{hex}/data?", &hex[..2]);
    assert!(address.contains(&key), "{address}");
    let range = store.registry().read_object(&content, &object, 2..7).await.unwrap();
    let frames: Vec<_> = range.try_collect().await.unwrap();
    assert_eq!(frames.concat(), image("web").1[2..7]);
}

#[tokio::test]
async fn a_later_run_catches_up_by_the_times_of_objects() {
    let store = Store::new(settings()).await;
    let tree = distribution(&store);
    let old = tree.push("apps/web", "v1", "old");
    age_all(&tree);
    run(&store, request(&store)).await;
    let before = store.snapshot().await;
    let again = run(&store, request(&store)).await;
    assert_eq!((again.added, again.tags_moved), (Counts::default(), 0));
    assert_eq!(before.differences(&store.snapshot().await), [""; 0]);
    let written = fs::metadata(tree.tag_link("apps/web", "v1")).unwrap().modified().unwrap();
    let written = written.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let rows = store.select("select name, cast(moved_at / 1000 as text), digest from tag").await;
    assert_eq!(rows[0].1, written.to_string(), "a tag has the time of its link");

    let new = tree.push("apps/web", "v1", "new");
    let report = run(&store, request(&store)).await;
    assert_eq!((report.added.manifests, report.added.tags, report.tags_moved), (1, 0, 1));
    check_pulls(&store, "apps/web", "v1", &new).await;
    assert_eq!(store.pull("apps/web", old.manifest).await.unwrap(), old.manifest);
    // A tag that was moved here since stays.
    let ours = store.push_image("apps/web", "v1", &Image::new(&[b"ours"])).await;
    age(&tree.tag_link("apps/web", "v1"), HOUR);
    let report = run(&store, request(&store)).await;
    assert_eq!((report.findings.len(), report.findings[0].kind), (1, FindingKind::KeptTag));
    assert_eq!(store.pull("apps/web", "v1").await.unwrap(), ours);
    store.assert_sound().await;
}

#[tokio::test]
async fn collection_deletes_from_a_tree_only_when_it_was_handed_over() {
    let store = Store::new(no_grace()).await;
    let tree = distribution(&store);
    let (web, api) = (tree.push("apps/web", "v1", "web"), tree.push("apps/api", "v1", "api"));
    let before = content(&tree);
    run(&store, request(&store)).await;
    store.delete("apps/web", web.manifest).await;
    let report = store.collect_as_planned(None, HOUR).await;
    assert_eq!((report.links, report.blobs, report.bytes), (2, 2, 0));
    assert_eq!(content(&tree), before);

    let finalise = |hand_over| AdoptRequest { hand_over, ..request(&store) };
    let report = run(&store, finalise(HandOver::AtRest)).await;
    assert!(report.refused.unwrap().contains("written to"), "it was written a moment ago");
    check_pulls(&store, "apps/web", "v1", &web).await;
    age_all(&tree);
    assert!(run(&store, finalise(HandOver::AtRest)).await.finalised);
    let again = try_run(store.registry(), request(&store)).await;
    assert!(matches!(again, Err(AdoptError::HandedOver(_))), "{again:?}");
    store.delete("apps/web", web.manifest).await;
    let report = store.collect_as_planned(None, HOUR).await;
    assert_eq!(report.blobs, 2);
    assert!(report.bytes > 0);
    assert_eq!(content(&tree).len(), before.len() - 2);
    assert!(!tree.data(&web.layer).exists() && !tree.data(&web.config).exists());
    check_pulls(&store, "apps/api", "v1", &api).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn a_run_that_the_object_store_or_a_crash_ends_is_run_again() {
    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    for number in 0..60 {
        tree.push(&format!("apps/app-{}", number % 7), &format!("v{number}"), &number.to_string());
    }
    for kind in [S3Request::List, S3Request::Get, S3Request::Head] {
        for mishap in [S3Mishap::Refuse(500, "InternalError"), S3Mishap::Cut] {
            store.bucket().unwrap().own().order(kind, 100_000, mishap);
            let failed = try_run(store.registry(), request(&store)).await;
            assert!(matches!(failed, Err(AdoptError::Tree(_))), "{kind:?}: {failed:?}");
            store.bucket().unwrap().own().calm();
        }
    }
    assert_eq!(store.rows("tag").await, [""; 0]);
    for after in [1, 50, 150] {
        let request = request(&store);
        store.crash_while_adopting(request, after).await;
    }
    let report = run(&store, request(&store)).await;
    assert_eq!((report.found.tags, report.lost), (60, 0));
    for number in 0..60 {
        let repository = format!("apps/app-{}", number % 7);
        store.pull(&repository, format!("v{number}")).await.unwrap();
    }
    store.assert_sound().await;
}

#[tokio::test]
async fn damage_is_told_and_not_served_and_an_outage_is_no_damage() {
    let store = Store::new(settings()).await;
    let tree = distribution(&store);
    let (one, two) = (tree.push("apps/one", "v1", "same"), tree.push("apps/two", "v1", "other"));
    write(&tree.data(&one.layer), b"cut");
    let report = run(&store, request(&store)).await;
    assert_eq!(report.lost, 1);
    assert_refused!(store.read("apps/one", &one.layer).await, Error::BlobUnknown(_));
    check_pulls(&store, "apps/two", "v1", &two).await;
    let (_, layer, _) = image("same");
    store.push("apps/one", &layer).await;
    check_pulls(&store, "apps/one", "v1", &one).await;

    let object_store = store.bucket().unwrap().own();
    object_store.order(S3Request::Get, 100, S3Mishap::Refuse(500, "InternalError"));
    let away = store.read("apps/two", &two.layer).await;
    assert_refused!(away, Error::Blobs(plura_blob::Error::Store { missing: false, .. }));
    object_store.calm();
    fs::remove_file(tree.data(&two.layer)).unwrap();
    assert_refused!(store.read("apps/two", &two.layer).await, Error::Blobs(error) if error.is_missing());
    let report = store.check(CheckOptions::default()).await;
    assert_eq!(kinds(&report), [Damage::MissingBytes]);
}

/// Nothing below a prefix, where there was a tree, is no tree that has lost everything.
#[tokio::test]
async fn repair_forgets_nothing_of_a_tree_that_is_away_and_moves_nothing_in_one() {
    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    let (web, api) = (tree.push("apps/web", "v1", "web"), tree.push("apps/api", "v1", "api"));
    run(&store, request(&store)).await;
    store.close().await;
    let (here, away) = (objects(&store, PREFIX), store.path().join("away"));
    fs::rename(&here, &away).unwrap();
    let repair = CheckOptions { rehash: true, repair: true };
    let refused = check(store.path(), store.settings(), repair).await;
    assert_refused!(refused, Error::Blobs(plura_blob::Error::Options(_)));
    fs::rename(&away, &here).unwrap();
    write(&tree.data(&api.layer), b"LAYER OF API");
    let before = content(&tree);
    let report = check(store.path(), store.settings(), repair).await.unwrap();
    assert_eq!(kinds(&report), [Damage::WrongDigest, Damage::MissingReference]);
    assert_eq!(content(&tree), before);
    store.reopen().await;
    check_pulls(&store, "apps/web", "v1", &web).await;
    assert_refused!(store.read("apps/api", &api.layer).await, Error::BlobUnknown(_));
}

#[tokio::test]
async fn a_tree_that_was_copied_to_another_prefix_is_found_again() {
    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    let image = tree.push("apps/web", "v1", "web");
    run(&store, request(&store)).await;
    let from = request(&store).location;
    fs::create_dir_all(objects(&store, "new")).unwrap();
    fs::rename(objects(&store, PREFIX), objects(&store, "new/place")).unwrap();
    let moved = |store: &Store| AdoptRequest {
        moved_from: Some(from.clone()),
        ..request_at(store, "new/place")
    };
    for _ in 0..2 {
        assert_eq!(run(&store, moved(&store)).await.added, Counts::default());
        check_pulls(&store, "apps/web", "v1", &image).await;
        store.reopen().await;
    }
    store.assert_sound().await;
}

#[tokio::test]
async fn a_tree_that_is_elsewhere_or_in_the_way_is_refused_and_leaves_no_trace() {
    let store = Store::new(settings()).await;
    let elsewhere = Distribution::new();
    elsewhere.push("apps/web", "v1", "web");
    let tree = Tree::directory(elsewhere.directory.path()).unwrap();
    let location = tree.location().unwrap();
    let other = AdoptRequest { tree, location, ..request(&store) };
    let refused = try_run(store.registry(), other).await;
    assert!(matches!(refused, Err(AdoptError::OtherStore(_))), "{refused:?}");
    assert!(Tree::bucket(&store.settings().storage, "another", "").is_err());
    assert!(Tree::bucket(&Storage::Directory, S3::BUCKET, "").is_err());

    let Storage::Bucket(options) = &store.settings().storage else { panic!("it is a bucket") };
    let inside = format!("{}/blobs/x", options.prefix);
    Distribution::below(objects(&store, &inside)).push("apps/web", "v1", "web");
    let refused = try_run(store.registry(), request_at(&store, &inside)).await;
    assert!(matches!(refused, Err(AdoptError::Tree(plura_adopt::Error::Root(_)))), "{refused:?}");
    let refused = try_run(store.registry(), request_at(&store, "nowhere")).await;
    assert!(matches!(refused, Err(AdoptError::Tree(plura_adopt::Error::NoTree { .. }))));
    assert_eq!(store.rows("adopted_root").await, [""; 0]);
    fs::remove_dir_all(objects(&store, &inside)).unwrap();
}

/// An installation whose blobs are in another store now cannot read the tree, and forgets nothing of it.
#[tokio::test]
async fn a_tree_that_the_store_cannot_read_is_not_taken_for_an_empty_one() {
    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    let image = tree.push("apps/web", "v1", "web");
    run(&store, request(&store)).await;
    store.close().await;
    store.execute("update adopted_root set location = '/srv/registry'").await;
    let repair = CheckOptions { repair: true, ..CheckOptions::default() };
    let refused = check(store.path(), store.settings(), repair).await;
    assert_refused!(refused, Error::Blobs(plura_blob::Error::Options(_)));
    let location = format!("s3://{}/{PREFIX}", S3::BUCKET);
    store.execute(&format!("update adopted_root set location = '{location}'")).await;
    store.reopen().await;
    check_pulls(&store, "apps/web", "v1", &image).await;
}

#[tokio::test]
async fn layouts_in_a_bucket_share_what_one_of_them_holds() {
    let store = Store::new(settings()).await;
    let tree = Layouts::below(objects(&store, "zot"));
    let (one, two) = (tree.push("apps/one", "same"), tree.push("apps/two", "same"));
    tree.index("apps/one", &[(&one.manifest, Some("v1"))]);
    tree.index("apps/two", &[(&two.manifest, Some("v1"))]);
    for digest in [&two.layer, &two.config] {
        write(&tree.file("apps/two", digest), b"");
    }
    let request = AdoptRequest { format: Format::Layouts, ..request_at(&store, "zot") };
    let report = run(&store, request).await;
    assert_eq!((report.findings.len(), report.added.tags), (0, 2));
    check_pulls(&store, "apps/one", "v1", &one).await;
    check_pulls(&store, "apps/two", "v1", &two).await;
    store.assert_sound().await;
}

/// A second digest of the same bytes gets an object of its own, which comes through a pull of the first.
#[tokio::test]
async fn a_second_digest_gets_bytes_of_its_own() {
    use plura_oci::{Algorithm, Digest};

    let store = Store::new(settings()).await;
    let tree = distribution(&store);
    tree.push("apps/web", "v1", "web");
    let bytes = crate::content::content(9, 3 << 20);
    let first = tree.layer("apps/web", &bytes);
    let second = Digest::of(Algorithm::Sha512, &bytes);
    write(&tree.layer_link("apps/web", &second), first.to_string().as_bytes());
    let report = run(&store, request(&store)).await;
    assert_eq!((report.copied_bytes, report.lost), (3 << 20, 0));
    for digest in [&first, &second] {
        assert_eq!(store.read("apps/web", digest).await.unwrap(), bytes);
    }
    assert_eq!(store.files("blobs").len(), 1);
    store.assert_sound().await;
}

/// What `export` writes, it reads from where it is.
#[tokio::test]
async fn adopted_images_are_exported() {
    use plura_registry::{ExportRequest, Exported, export};

    let mut store = Store::new(settings()).await;
    let tree = distribution(&store);
    let pushed = tree.push("apps/web", "v1", "web");
    run(&store, request(&store)).await;
    store.close().await;
    let target = store.path().join("layout");
    let wanted: Exported = "apps/web:v1".parse().unwrap();
    let request = ExportRequest { wanted: vec![wanted], target: target.clone(), referrers: false };
    let report = export(store.path(), store.settings(), request, &mut |_| {}).await.unwrap();
    assert_eq!((report.blobs, report.missing.len()), (2, 0));
    let layer = target.join("blobs/sha256").join(pushed.layer.hex());
    assert_eq!(fs::read(layer).unwrap(), image("web").1);
}
