//! Disks that refuse, fill up and lose: the error says so, everything else is served, and when the
//! cause is gone the service goes on as it is, without being opened again.

use std::{fs, path::Path, process::Command};

use plura_oci::{Algorithm, Digest};
use plura_registry::{Error, Registry};
use tokio::task::JoinSet;

use crate::support::*;

#[tokio::test]
async fn a_directory_that_cannot_be_used_is_named() {
    for obstacle in ["blobs", "uploads"] {
        let directory = temporary();
        fs::write(directory.path().join(obstacle), b"in the way").unwrap();
        let opened = Registry::open(directory.path(), settings()).await;
        let error = opened.expect_err("a file is in the way").to_string();
        assert!(error.contains(obstacle), "{error}");
        fs::remove_file(directory.path().join(obstacle)).unwrap();
        Registry::open(directory.path(), settings()).await.unwrap().close().await;
    }
    for obstacle in ["plura.db", "lock"] {
        let directory = temporary();
        fs::create_dir(directory.path().join(obstacle)).unwrap();
        let opened = Registry::open(directory.path(), settings()).await;
        let error = opened.expect_err("a directory is in the way").to_string();
        assert!(error.contains(obstacle), "{error}");
        fs::remove_dir(directory.path().join(obstacle)).unwrap();
        Registry::open(directory.path(), settings()).await.unwrap().close().await;
    }
}

#[tokio::test]
async fn the_service_goes_on_when_a_directory_is_back() {
    let store = Store::new(settings()).await;
    store.push_image("app", "v1", &Image::new(&[b"layer"])).await;
    let id = store.registry().start_upload(&name("app"), Algorithm::Sha256).await.unwrap();
    store.registry().append_upload(&name("app"), &id, chunk(b"01")).await.unwrap();
    for lost in ["uploads", "blobs"] {
        let (here, away) = (store.path().join(lost), store.path().join("away"));
        fs::rename(&here, &away).unwrap();
        fs::write(&here, b"in the way").unwrap();
        let pushed = store.try_push("app", &Digest::sha256(b"new"), b"new").await;
        assert_refused!(pushed, Error::Blobs(plura_blob::Error::Io { .. }));
        store.pull("app", "v1").await.expect("what is open or in the metadata is served");
        fs::remove_file(&here).unwrap();
        fs::rename(&away, &here).unwrap();
        store.push("app", lost.as_bytes()).await;
    }
    let digest = Digest::sha256(b"0123");
    store.registry().finish_upload(&name("app"), &id, &digest, chunk(b"23")).await.unwrap();
    store.collect(std::time::Duration::ZERO).await;
    assert_eq!(store.files("uploads"), [""; 0]);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_failing_disk_gives_an_error_and_nothing_by_half() {
    let store = Store::alone(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v1", &image).await;
    let points = [
        "blob.upload.open",
        "blob.append",
        "blob.seal.sync",
        "blob.seal.linked",
        "meta.commit",
        "meta.committed",
    ];
    for (number, point) in (0..).zip(points) {
        for length in [100, 2_000_000] {
            let bytes = content(number, length);
            let digest = Digest::sha256(&bytes);
            let id = store.registry().start_upload(&name("app"), Algorithm::Sha256).await.unwrap();
            let armed = store.fault(point);
            assert!(store.try_push("app", &digest, &bytes).await.is_err(), "{point}");
            let finished =
                store.registry().finish_upload(&name("app"), &id, &digest, chunk(&bytes)).await;
            assert!(finished.is_err(), "{point}");
            store.pull("app", "v1").await.unwrap();
            drop(armed);
            match store.read("app", &digest).await {
                Ok(_) => assert_eq!(point, "meta.committed"),
                Err(Error::BlobUnknown(_)) => assert_ne!(point, "meta.committed"),
                Err(error) => panic!("{point}: {error}"),
            }
            // The session is still there, or its commit was.
            match store.registry().upload_offset(&name("app"), &id).await {
                Ok(offset) => {
                    assert_eq!(offset, 0);
                    let body = chunk(&bytes);
                    store.registry().finish_upload(&name("app"), &id, &digest, body).await.unwrap();
                }
                Err(error) => assert_eq!(point, "meta.committed", "{error}"),
            }
            store.push("app", &bytes).await;
        }
    }
    store.collect(std::time::Duration::ZERO).await;
    assert_eq!(store.files("uploads"), [""; 0]);
    assert_eq!(store.files("blobs").len(), store.rows("blob").await.len());
    store.assert_sound().await;
}

#[tokio::test]
async fn a_cancelled_session_whose_commit_failed_leaves_nothing() {
    let mut store = Store::alone(settings()).await;
    let (app, digest) = (name("app"), Digest::sha256(b"content"));
    let mut sessions = Vec::new();
    for fault in ["blob.seal.linked", "meta.commit", "blob.seal.linked"] {
        let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
        let armed = store.fault(fault);
        let body = chunk(b"content");
        assert!(store.registry().finish_upload(&app, &id, &digest, body).await.is_err());
        drop(armed);
        sessions.push(id);
    }
    assert_eq!(store.files("uploads").len(), 3);
    store.registry().cancel_upload(&app, &sessions[0]).await.unwrap();
    let other = Digest::sha256(b"other");
    let finished = store.registry().finish_upload(&app, &sessions[1], &other, chunk(b"")).await;
    assert_refused!(finished, Error::DigestMismatch { .. });
    // A session that is left keeps what was acknowledged, but no name that was never committed.
    store.crash().await;
    assert_eq!(store.files("blobs"), [""; 0]);
    assert_eq!(store.files("uploads").len(), 1);
    store.collect(HOUR * 6).await;
    store.assert_empty().await;
}

#[tokio::test]
async fn a_damaged_blob_is_told_from_a_missing_one_and_others_are_served() {
    let store = Store::new(settings()).await;
    let [cut, gone, fine] = [
        store.push("app", b"cut").await,
        store.push("app", b"gone").await,
        store.push("app", b"fine").await,
    ];
    fs::OpenOptions::new()
        .write(true)
        .open(store.blob_file(&cut).await)
        .unwrap()
        .set_len(1)
        .unwrap();
    fs::remove_file(store.blob_file(&gone).await).unwrap();
    assert_refused!(store.read("app", &cut).await, Error::Blobs(plura_blob::Error::Corrupt { .. }));
    assert_refused!(
        store.read("app", &gone).await,
        Error::Blobs(error) if error.is_missing()
    );
    assert_eq!(store.read("app", &fine).await.unwrap(), b"fine");
    // Known from metadata alone, all three are still there.
    for digest in [cut, gone, fine] {
        store.registry().blob(&name("app"), &digest).await.unwrap();
    }
}

#[tokio::test]
async fn one_file_that_cannot_be_deleted_does_not_hold_up_the_others() {
    let store = Store::new(no_grace()).await;
    let mut digests = Vec::new();
    for seed in 0..5 {
        digests.push(store.push("app", &content(seed, 10)).await);
    }
    let stuck = store.blob_file(&digests[2]).await;
    fs::remove_file(&stuck).unwrap();
    fs::create_dir(&stuck).unwrap();
    let request =
        plura_registry::CollectRequest { repository: None, dry_run: false, now: now_plus(HOUR) };
    assert_refused!(store.registry().collect(request.clone()).await, Error::Blobs(_));
    assert_eq!(store.files("blobs"), [""; 0]);
    assert_eq!(store.rows("removal").await.len(), 1);
    fs::remove_dir(&stuck).unwrap();
    store.registry().collect(request).await.unwrap();
    store.assert_empty().await;
}

const CHILD: &str = "PLURA_FULL_DISK";

/// The disk is a small one in memory, mounted in a namespace of the child's own.
#[test]
fn a_full_disk_is_told_and_gone_when_there_is_room() {
    if let Ok(directory) = std::env::var(CHILD) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill(Path::new(&directory)));
    }
    let directory = temporary();
    let script = "mount -t tmpfs -o size=8m plura \"$0\" && exec \"$@\"";
    let child = Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
        .arg(directory.path())
        .arg(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "trouble::a_full_disk_is_told_and_gone_when_there_is_room",
            "--nocapture",
        ])
        .env(CHILD, directory.path())
        .output()
        .expect("`unshare` of util-linux runs");
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(
        child.status.success(),
        "this test needs user namespaces in which `mount -t tmpfs` is allowed, or found a defect: {said}"
    );
}

/// Leaves no byte free.
fn fill_up(directory: &Path) {
    use std::io::Write;
    let mut ballast = fs::File::create(directory.join("ballast")).unwrap();
    for size in [1 << 16, 1 << 12, 1 << 8, 1] {
        while ballast.write_all(&vec![0; size]).is_ok() {}
    }
}

async fn fill(directory: &Path) {
    let registry = Registry::open(directory, settings()).await.unwrap();
    let app = name("app");
    let image = Image::new(&[b"layer"]);
    for blob in &image.blobs {
        registry.push_blob(&app, &Digest::sha256(blob), chunk(blob)).await.unwrap();
    }
    put(&registry, "app", "v1", &image.manifest).await.unwrap();
    for _ in 0..3 {
        let id = registry.start_upload(&app, Algorithm::Sha256).await.unwrap();
        registry.append_upload(&app, &id, chunk(b"0123")).await.unwrap();
        fill_up(directory);
        let bytes = content(1, 2 << 20);
        let digest = Digest::sha256(&bytes);
        let pushed = registry.push_blob(&app, &digest, chunk(&bytes)).await;
        assert!(pushed.as_ref().is_err_and(Error::is_storage_full), "{pushed:?}");
        let appended = registry.append_upload(&app, &id, chunk(&bytes)).await;
        assert!(appended.as_ref().is_err_and(Error::is_storage_full), "{appended:?}");
        assert!(registry.probe().await.is_err_and(|error| error.is_storage_full()));

        let (taken, refused) = put_many(&registry, &image).await;
        assert!(refused > 0, "the database must have become full, too");
        pull(&registry, "app", "v1").await.expect("reading goes on");
        fs::remove_file(directory.join("ballast")).unwrap();

        for tag in taken {
            pull(&registry, "app", tag).await.expect("what was taken is there");
        }
        registry.probe().await.unwrap();
        assert_eq!(registry.upload_offset(&app, &id).await.unwrap(), 4);
        let whole = Digest::sha256(b"01234567");
        registry.finish_upload(&app, &id, &whole, chunk(b"4567")).await.unwrap();
        registry.push_blob(&app, &digest, chunk(&bytes)).await.unwrap();
        put(&registry, "app", "v2", &image.manifest).await.unwrap();
        let tags = registry.tags(&app, &plura_oci::Page::default()).await.unwrap();
        for tag in tags.names {
            pull(&registry, "app", &tag).await.unwrap();
            registry.delete_manifest(&app, &reference(tag)).await.unwrap();
        }
        put(&registry, "app", "v1", &image.manifest).await.unwrap();
        for later in [HOUR * 20, HOUR * 40] {
            let request = plura_registry::CollectRequest {
                repository: None,
                dry_run: false,
                now: now_plus(later),
            };
            registry.collect(request).await.unwrap();
        }
        assert_eq!(files(&directory.join("uploads")).len(), 0);
        let options = plura_registry::CheckOptions { rehash: true, repair: false };
        let report = check(directory, &settings(), options).await.unwrap();
        assert_eq!(kinds(&report), []);
    }
    registry.close().await;
}

/// Pushes large manifests at the same time; the tags that were taken, and how many were refused.
async fn put_many(registry: &Registry, image: &Image) -> (Vec<String>, usize) {
    let mut writes = JoinSet::new();
    for number in 0..60 {
        let registry = registry.clone();
        let mut manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        manifest["annotations"] =
            serde_json::json!({ "number": format!("{number}"), "large": "x".repeat(60_000) });
        writes.spawn(async move {
            let tag = format!("t{number}");
            let answer = put(&registry, "app", &tag, manifest.to_string().as_bytes()).await;
            (tag, answer)
        });
    }
    let (mut taken, mut refused) = (Vec::new(), 0);
    while let Some(done) = writes.join_next().await {
        match done.unwrap() {
            (tag, Ok(_)) => taken.push(tag),
            (_, Err(error)) => {
                assert!(error.is_storage_full(), "{error}");
                refused += 1;
            }
        }
    }
    (taken, refused)
}
