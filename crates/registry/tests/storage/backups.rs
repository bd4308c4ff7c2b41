//! Backup while others write, and restore into whatever is there.

use std::{fs, path::PathBuf};

use plura_oci::Digest;
use plura_registry::{CheckOptions, Error, Registry, backup, restore};

use crate::support::*;

fn target(store: &Store) -> PathBuf {
    store.path().join("metadata.backup")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_backup_among_writes_is_of_one_instant() {
    let mut store = Store::in_file(settings()).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let registry = store.registry().clone();
    let writer = tokio::spawn(async move {
        let mut pushed = 0;
        while !*stopped.borrow() {
            let image = Image::new(&[&content(pushed, 100)]);
            for blob in &image.blobs {
                registry.push_blob(&name("app"), &Digest::sha256(blob), chunk(blob)).await.unwrap();
            }
            put(&registry, "app", format!("t{pushed}"), &image.manifest).await.unwrap();
            pushed += 1;
        }
        pushed
    });
    let mut backups = Vec::new();
    for number in 0..5 {
        let path = store.path().join(format!("{number}.backup"));
        let tags = store.rows("tag").await.len();
        assert_eq!(
            backup(store.path(), &settings(), &path).await.unwrap(),
            fs::metadata(&path).unwrap().len()
        );
        backups.push((path, tags));
    }
    stop.send(true).unwrap();
    writer.await.unwrap();
    store.close().await;
    // The bytes of blobs never change: those of later complete any earlier backup.
    for (path, tags) in backups {
        restore(&path, store.path()).await.unwrap();
        store.reopen().await;
        let held = store.rows("tag").await.len();
        assert!(held >= tags);
        for number in 0..held {
            store.pull("app", format!("t{number}")).await.unwrap();
        }
        store.close().await;
        let report = store.check(CheckOptions { rehash: true, repair: false }).await;
        let orphans = |kind: &_| *kind == plura_registry::FindingKind::OrphanFile;
        assert!(kinds(&report).iter().all(orphans), "{:?}", report.findings);
    }
}

#[tokio::test]
async fn a_backup_is_restored_into_a_new_and_into_an_existing_directory() {
    let mut store = Store::in_file(settings()).await;
    let old = Image::new(&[b"old"]);
    store.push_image("app", "v1", &old).await;
    backup(store.path(), &settings(), &target(&store)).await.unwrap();
    let again = backup(store.path(), &settings(), &target(&store)).await;
    assert_refused!(again, Error::Directory { .. });
    let new = Image::new(&[b"new"]);
    store.push_image("app", "v1", &new).await;
    assert_refused!(restore(&target(&store), store.path()).await, Error::InUse(_));
    store.pull("app", "v1").await.unwrap();
    store.close().await;

    let fresh = temporary();
    let directory = fresh.path().join("made");
    assert_eq!(restore(&target(&store), &directory).await.unwrap(), None);
    let registry = Registry::open(&directory, settings()).await.unwrap();
    let found = registry.manifest(&name("app"), &reference("v1")).await.unwrap();
    assert_eq!(found.digest, old.digest());
    registry.close().await;

    let aside = restore(&target(&store), store.path()).await.unwrap().unwrap();
    store.reopen().await;
    assert_eq!(store.pull("app", "v1").await.unwrap(), old.digest());
    store.close().await;
    // And back again: what was set aside is a backup, too.
    restore(&aside, store.path()).await.unwrap();
    store.reopen().await;
    assert_eq!(store.pull("app", "v1").await.unwrap(), new.digest());
    store.assert_sound().await;
}

#[tokio::test]
async fn a_database_with_a_log_is_copied_and_set_aside_with_it() {
    let store = Store::in_file(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v1", &image).await;
    // As a crash leaves it: everything is in the log.
    let crashed = temporary();
    for file in ["plura.db", "plura.db-wal"] {
        fs::copy(store.path().join(file), crashed.path().join(file)).unwrap();
    }
    let fresh = temporary();
    restore(&crashed.path().join("plura.db"), fresh.path()).await.unwrap();
    let registry = Registry::open(fresh.path(), settings()).await.unwrap();
    registry.manifest(&name("app"), &reference("v1")).await.unwrap();
    backup(fresh.path(), &settings(), &target(&store)).await.unwrap();
    registry.close().await;

    let aside = restore(&target(&store), crashed.path()).await.unwrap().unwrap();
    assert!(!crashed.path().join("plura.db-wal").exists());
    let other = temporary();
    restore(&aside, other.path()).await.unwrap();
    let registry = Registry::open(other.path(), settings()).await.unwrap();
    registry.manifest(&name("app"), &reference("v1")).await.unwrap();
    registry.close().await;
}

#[tokio::test]
async fn a_damaged_backup_is_refused_and_changes_nothing() {
    let mut store = Store::in_file(settings()).await;
    store.push_image("app", "v1", &Image::new(&[b"layer"])).await;
    backup(store.path(), &settings(), &target(&store)).await.unwrap();
    store.close().await;
    let good = fs::read(target(&store)).unwrap();
    let mut zeroed = good.clone();
    zeroed[2 * 4096..3 * 4096].fill(0);
    let cases = [
        ("empty", Vec::new()),
        ("no database", b"once upon a time".repeat(500)),
        ("cut short", good[..good.len() / 2].to_vec()),
        ("a page is gone", zeroed),
    ];
    for (damage, bytes) in cases {
        fs::write(target(&store), bytes).unwrap();
        let before = (store.snapshot().await, files(store.path()));
        assert!(restore(&target(&store), store.path()).await.is_err(), "{damage}");
        assert_eq!(before.0.differences(&store.snapshot().await), [""; 0], "{damage}");
        let fresh = temporary();
        assert!(restore(&target(&store), &fresh.path().join("new")).await.is_err(), "{damage}");
        assert!(!fresh.path().join("new").exists(), "{damage}");
    }
    fs::remove_file(target(&store)).unwrap();
    assert!(restore(&target(&store), store.path()).await.is_err(), "no file");
    assert!(backup(&store.path().join("nowhere"), &settings(), &target(&store)).await.is_err());
    assert!(!target(&store).exists());
    store.reopen().await;
    store.pull("app", "v1").await.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn a_backup_that_fails_leaves_no_file() {
    let store = Store::alone(settings()).await;
    store.push_image("app", "v1", &Image::new(&[b"layer"])).await;
    let armed = store.fault("backup.copied");
    let before = files(store.path());
    assert!(backup(store.path(), store.settings(), &target(&store)).await.is_err());
    assert_eq!(files(store.path()).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    drop(armed);
    backup(store.path(), store.settings(), &target(&store)).await.unwrap();
}

#[tokio::test]
async fn a_backup_of_any_engine_is_restored_into_a_file() {
    let mut store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v1", &image).await;
    let id = store.registry().start_upload(&name("app"), plura_oci::Algorithm::Sha256).await;
    id.unwrap();
    backup(store.path(), store.settings(), &target(&store)).await.unwrap();
    let fresh = temporary();
    restore(&target(&store), fresh.path()).await.unwrap();
    store.close().await;
    fs::rename(store.path().join("blobs"), fresh.path().join("blobs")).unwrap();
    let registry = Registry::open(fresh.path(), settings()).await.unwrap();
    assert_eq!(pull(&registry, "app", "v1").await.unwrap(), image.digest());
    assert_eq!(pull(&registry, "app", image.digest()).await.unwrap(), image.digest());
    // What was recorded goes on being counted behind what there was.
    put(&registry, "app", "v2", &Image::about(Some(&image.manifest), &[b"layer"]).manifest)
        .await
        .unwrap();
    registry.close().await;
}
