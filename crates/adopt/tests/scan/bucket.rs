//! Trees in a bucket.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use plura_adopt::{Error, FindingKind, Format, Outcome, Scan, Tree};
use plura_blob::{AccessKeys, BucketOptions, Retries, Storage};
use plura_testkit::{S3, S3Mishap, S3Request};
use tempfile::TempDir;

use crate::{
    OPTIONS,
    fixture::{Distribution, write},
    scan_tree,
};

/// An object store with a copy of a tree below a prefix that is called as its directory.
pub(crate) struct Copy {
    directory: TempDir,
    prefix: String,
    store: S3,
}

impl Copy {
    pub(crate) fn of(root: &Path) -> Self {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let directory = tempfile::tempdir_in(place).unwrap();
        let name = root.file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let prefix = format!("trees/{name}");
        copy(root, &directory.path().join(S3::BUCKET).join(&prefix));
        let store = S3::start_in(directory.path());
        Self { directory, prefix, store }
    }

    pub(crate) fn tree(&self) -> Tree {
        self.tree_at(&self.prefix).unwrap()
    }

    fn tree_at(&self, prefix: &str) -> Result<Tree, Error> {
        let options = BucketOptions {
            endpoint: Some(self.store.endpoint()),
            bucket: S3::BUCKET.to_owned(),
            prefix: "own".to_owned(),
            keys: Some(AccessKeys {
                id: S3::ACCESS_KEY.to_owned(),
                secret: S3::SECRET_KEY.to_owned(),
            }),
            allow_http: true,
            retries: Retries {
                count: 2,
                pause: Duration::from_millis(1),
                silence: Duration::from_secs(20),
            },
            ..BucketOptions::default()
        };
        Tree::bucket(&Storage::Bucket(Box::new(options)), S3::BUCKET, prefix)
    }

    /// The file of an object below the prefix.
    fn file(&self, path: &str) -> PathBuf {
        self.directory.path().join(S3::BUCKET).join(&self.prefix).join(path)
    }
}

/// Files with their times; directories without files are not in a bucket.
fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            write(&to, &fs::read(&from).unwrap());
            let modified = entry.metadata().unwrap().modified().unwrap();
            fs::File::options().write(true).open(&to).unwrap().set_modified(modified).unwrap();
        }
    }
}

fn sound() -> (Distribution, Copy) {
    let tree = Distribution::new();
    for name in ["one", "two", "three"] {
        tree.push(&format!("apps/{name}"), "v1", name);
    }
    let copy = Copy::of(tree.directory.path());
    (tree, copy)
}

/// That an object store fails says nothing about what is in it.
#[tokio::test]
async fn an_object_store_that_fails_ends_the_scan_and_finds_nothing_missing() {
    let (_, copy) = sound();
    for kind in [S3Request::List, S3Request::Get, S3Request::Head] {
        for mishap in [
            S3Mishap::Refuse(500, "InternalError"),
            S3Mishap::Refuse(503, "SlowDown"),
            S3Mishap::Refuse(403, "AccessDenied"),
            S3Mishap::Cut,
        ] {
            copy.store.order(kind, 10_000, mishap.clone());
            let mut error = None;
            match Scan::start(copy.tree(), Format::Distribution, OPTIONS).await {
                Err(refused) => error = Some(refused),
                Ok(mut scan) => {
                    while let Some(item) = scan.next().await {
                        match item {
                            Ok(plura_adopt::Item::Finding(finding)) => panic!("{finding:?}"),
                            Ok(_) => {}
                            Err(failed) => error = Some(failed),
                        }
                    }
                }
            }
            copy.store.calm();
            assert!(matches!(error, Some(Error::Root(_))), "{kind:?} {mishap:?}: {error:?}");
        }
    }
    scan_tree(copy.tree(), Format::Distribution, OPTIONS).await.expect(&[]);
}

#[tokio::test]
async fn a_few_failures_are_asked_for_again() {
    let (_, copy) = sound();
    for kind in [S3Request::List, S3Request::Get, S3Request::Head] {
        copy.store.order(kind, 2, S3Mishap::Refuse(500, "InternalError"));
    }
    copy.store.order(S3Request::Get, 2, S3Mishap::CutAfter(10));
    let found = scan_tree(copy.tree(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!((found.tags.len(), found.manifests.len(), found.blobs.len()), (3, 3, 6));
}

/// An object in an archive has to be restored before anybody can read it.
#[tokio::test]
async fn an_object_that_is_refused_for_itself_is_a_finding() {
    let (_, copy) = sound();
    copy.store.order(S3Request::Get, 1, S3Mishap::Refuse(403, "InvalidObjectState"));
    let found = scan_tree(copy.tree(), Format::Distribution, OPTIONS).await;
    assert!(found.kinds().contains(&(FindingKind::Unreadable, Outcome::Lost)), "{found:?}");
    assert_eq!(found.manifests.len(), 3);
}

/// More than a page of names, and objects that stand for directories, as some tools write them.
#[tokio::test]
async fn lists_are_read_page_by_page() {
    let tree = Distribution::new();
    let image = tree.push("apps/web", "latest", "web");
    let copy = Copy::of(tree.directory.path());
    for number in 0..1_100 {
        let link = copy.file(&format!(
            "docker/registry/v2/repositories/apps/web/_manifests/tags/build-{number}/current/link"
        ));
        write(&link, image.manifest.to_string().as_bytes());
    }
    copy.store.take_requests();
    let found = scan_tree(copy.tree(), Format::Distribution, OPTIONS).await;
    found.expect(&[]);
    assert_eq!(found.tags.len(), 1_101);
    let requests = copy.store.take_requests();
    let reads = [S3Request::List, S3Request::Get, S3Request::Head];
    assert!(requests.iter().all(|kind| reads.contains(kind)), "nothing is written");
}

#[tokio::test]
async fn what_is_no_tree_or_not_apart_is_refused() {
    let (_, copy) = sound();
    for (prefix, format) in [("nowhere", Format::Distribution), ("nowhere", Format::Layouts)] {
        let refused =
            Scan::start(copy.tree_at(prefix).unwrap(), format, OPTIONS).await.unwrap_err();
        assert!(matches!(refused, Error::NoTree { .. }), "{refused}");
    }
    for prefix in ["", "own", "own/blobs/x"] {
        let refused = Scan::start(copy.tree_at(prefix).unwrap(), Format::Layouts, OPTIONS).await;
        assert!(matches!(refused, Err(Error::Root(_))), "{prefix}: {refused:?}");
    }
    for prefix in ["..", "a/../b", "a//b", "a\nb"] {
        assert!(copy.tree_at(prefix).is_err(), "{prefix:?}");
    }
}
