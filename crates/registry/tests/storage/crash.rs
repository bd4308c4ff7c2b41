//! A process that dies at any point between two durable steps, as by `kill -9`: what was answered is
//! there, nothing is there by half, and what was asked for can be asked for again.
//!
//! The test binary runs itself: the child does one operation with one fault point armed.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use plura_oci::{Algorithm, Digest};
use plura_registry::{CheckOptions, CollectRequest, Error, Registry, Settings};

use crate::support::*;

type Operations = [(&'static str, &'static [&'static str])];

/// Each operation with the points that it passes. A point in no list fails the test below.
const OPERATIONS: &Operations = &[
    ("mount", &["meta.commit", "meta.committed"]),
    ("tag", &["meta.commit", "meta.committed"]),
    ("delete", &["meta.commit", "meta.committed"]),
    ("backup", &["backup.copied"]),
    ("restore", &["restore.aside"]),
];
/// The same, where bytes are kept in a directory.
const IN_DIRECTORY: &Operations = &[
    (
        "push",
        &[
            "blob.upload.open",
            "blob.append",
            "blob.seal.sync",
            "blob.seal.linked",
            "meta.commit",
            "meta.committed",
            "upload.committed",
        ],
    ),
    (
        "session",
        &[
            "blob.upload.open",
            "blob.append",
            "upload.appended",
            "upload.advanced",
            "blob.seal.sync",
            "blob.seal.linked",
            "meta.commit",
            "meta.committed",
            "upload.committed",
        ],
    ),
    ("large", &["blob.append"]),
    (
        "collect",
        &["meta.commit", "meta.committed", "collect.decided", "blob.delete", "collect.deleted"],
    ),
];
/// The same, where bytes are kept in a bucket.
const IN_BUCKET: &Operations = &[
    ("push", &["bucket.put", "bucket.sealed", "meta.commit", "meta.committed", "upload.committed"]),
    (
        "session",
        &[
            "bucket.put",
            "upload.appended",
            "upload.advanced",
            "bucket.get",
            "bucket.sealed",
            "meta.commit",
            "meta.committed",
            "upload.committed",
            "bucket.delete",
            "collect.deleted",
        ],
    ),
    ("large", &["bucket.multipart", "bucket.part", "bucket.complete", "bucket.sealed"]),
    ("cancel", &["meta.commit", "meta.committed", "bucket.delete", "upload.discarded"]),
    (
        "collect",
        &["meta.commit", "meta.committed", "collect.decided", "bucket.delete", "collect.deleted"],
    ),
];
/// Points that lie in no change of anything.
const READING: [&str; 3] = ["blob.open", "blob.probe", "bucket.probe"];
/// Points of the log beside blobs, which dies in tests of its own.
const IN_LOG: [&str; 1] = ["records.write"];
/// Points of plans that are carried out, which die in tests of the whole server.
const IN_RETENTION: [&str; 1] = ["retention.retired"];

const DIRECTORY: &str = "PLURA_CRASH_DIRECTORY";
fn operations() -> impl Iterator<Item = &'static (&'static str, &'static [&'static str])> {
    OPERATIONS.iter().chain(if crate::IN_BUCKET { IN_BUCKET } else { IN_DIRECTORY })
}
const BYTES: &[u8] = b"what the dying process was pushing";

/// One test for each, so that they run side by side; the child runs the test of its operation.
macro_rules! every_operation {
    ($($test:ident = $operation:literal;)*) => {$(
        #[tokio::test]
        async fn $test() {
            at_every_point($operation, stringify!($test)).await;
        }
    )*};
}

every_operation! {
    a_push_may_die_anywhere = "push";
    a_session_may_die_anywhere = "session";
    a_large_push_may_die_anywhere = "large";
    a_mount_may_die_anywhere = "mount";
    a_tag_may_die_anywhere = "tag";
    a_deletion_may_die_anywhere = "delete";
    a_collection_may_die_anywhere = "collect";
    a_cancellation_may_die_anywhere = "cancel";
    a_backup_may_die_anywhere = "backup";
    a_restore_may_die_anywhere = "restore";
}

async fn at_every_point(operation: &str, test: &str) {
    if let Ok(directory) = std::env::var(DIRECTORY) {
        let directory = Path::new(&directory);
        let settings = of_installation(directory, no_grace());
        return operate(operation, directory, &settings).await;
    }
    // In a directory, a cancellation passes no point but those of a commit.
    let points: &[&str] = operations()
        .find(|(name, _)| *name == operation)
        .map_or(&["meta.commit", "meta.committed"], |(_, points)| points);
    for point in points {
        let mut deaths = 0;
        while die(operation, test, point, deaths + 1).await {
            deaths += 1;
        }
        assert!(deaths > 0, "{operation} does not pass {point}");
        eprintln!("{operation} died {deaths} times at {point}");
    }
}

#[test]
fn no_point_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut in_source = BTreeSet::new();
    for name in ["blob", "meta", "registry"] {
        for (_, text) in files(&root.join(name).join("src")) {
            let text = String::from_utf8(text).unwrap();
            let calls = text.split("plura_fault::point(\"").skip(1);
            in_source.extend(calls.map(|rest| rest.split('"').next().unwrap().to_owned()));
        }
    }
    let listed = OPERATIONS
        .iter()
        .chain(IN_DIRECTORY)
        .chain(IN_BUCKET)
        .flat_map(|(_, points)| *points)
        .chain(&READING)
        .chain(&IN_LOG)
        .chain(&IN_RETENTION);
    assert_eq!(in_source, listed.map(|point| (*point).to_owned()).collect());
}

/// Runs `operation` in a process that dies at the `pass`th pass of `point`; whether it died. Then
/// looks at what it left.
async fn die(operation: &str, test: &str, point: &str, pass: u32) -> bool {
    let mut store = Store::new(no_grace()).await;
    let image = prepare(&mut store).await;
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("crash::{test}"), "--nocapture"])
        .env(DIRECTORY, store.path())
        .env("FAULT_POINTS", format!("{point}={pass}*abort"))
        .output()
        .unwrap();
    let died = child.status.code().is_none();
    let said = String::from_utf8_lossy(&child.stderr).into_owned();
    assert!(died || child.status.success(), "{operation} at {point}: {said}");

    store.pass_time().await;
    store.reopen().await;
    let place = format!("{operation} at pass {pass} of {point}");
    store.assert_sound().await;
    store.pull("app", "kept").await.unwrap_or_else(|error| panic!("{place}: {error}"));
    acknowledged(&store, operation, died, &image).await;
    store.close().await;
    let report = store.check(CheckOptions { rehash: true, repair: true }).await;
    assert_eq!(kinds(&report), [], "{place}: opening clears everything away");

    operate(operation, store.path(), store.settings()).await;
    store.reopen().await;
    acknowledged(&store, operation, false, &image).await;
    store.assert_sound().await;
    for tag in store.select("select '', '', name from tag").await {
        store.delete("app", tag.2).await;
    }
    // Beyond the expiry of sessions.
    for _ in 0..2 {
        store.collect_as_planned(None, HOUR * 6).await;
    }
    store.assert_empty().await;
    died
}

/// What every child finds: an image that stays, an image that goes, and a backup.
async fn prepare(store: &mut Store) -> Image {
    store.push_image("app", "kept", &Image::new(&[b"kept"])).await;
    let image = Image::new(&[b"one", b"two"]);
    store.push_image("app", "moving", &image).await;
    let next = Image::new(&[b"next"]);
    store.push_image("app", "garbage", &next).await;
    store.delete("app", "garbage").await;
    plura_registry::backup(store.path(), store.settings(), &store.path().join("old.backup"))
        .await
        .unwrap();
    store.close().await;
    image
}

/// What must be there and what may not be there, by half least of all.
async fn acknowledged(store: &Store, operation: &str, died: bool, image: &Image) {
    let acknowledged = fs::read_to_string(store.path().join("acknowledged")).unwrap_or_default();
    match operation {
        "push" | "large" | "session" | "mount" => {
            let (repository, digest) = match operation {
                "mount" => ("new", Digest::sha256(b"kept")),
                "large" => ("new", Digest::sha256(&large())),
                _ => ("new", Digest::sha256(BYTES)),
            };
            match store.read(repository, &digest).await {
                Ok(_) => {}
                Err(Error::BlobUnknown(_)) => assert!(died),
                Err(error) => panic!("the blob is there by half: {error}"),
            }
            if let (Some((id, offset)), true) = (acknowledged.split_once(' '), died) {
                let found =
                    store.registry().upload_offset(&name("new"), &id.parse().unwrap()).await;
                match found {
                    // The answer got lost, or was given.
                    Ok(found) => {
                        assert!(found >= offset.parse().unwrap(), "acknowledged, and lost");
                    }
                    Err(Error::UploadUnknown) => drop(store.read("new", &digest).await.unwrap()),
                    Err(error) => panic!("the session is there by half: {error}"),
                }
            }
        }
        "tag" => {
            let found = store.pull("app", "moving").await.unwrap();
            let moved = Image::new(&[b"kept"]).digest();
            assert!(found == moved || (died && found == image.digest()));
        }
        "delete" => match store.pull("app", "moving").await {
            Ok(found) => assert!(died && found == image.digest()),
            Err(Error::ManifestUnknown(_)) => {}
            Err(error) => panic!("the image is there by half: {error}"),
        },
        _ => {
            store.pull("app", "moving").await.unwrap();
        }
    }
}

/// Several pieces, and in a bucket several parts.
fn large() -> Vec<u8> {
    content(99, if crate::IN_BUCKET { 16 << 20 } else { 3 << 20 })
}

/// Does one operation, from the beginning or from where an earlier process died.
async fn operate(operation: &str, directory: &Path, settings: &Settings) {
    let backup = directory.join("old.backup");
    match operation {
        "backup" => {
            let target = directory.join("new.backup");
            let _again = fs::remove_file(&target);
            plura_registry::backup(directory, settings, &target).await.unwrap();
            plura_registry::restore(&target, &directory.join("elsewhere")).await.unwrap();
            return fs::remove_dir_all(directory.join("elsewhere")).unwrap();
        }
        "restore" => {
            plura_registry::restore(&backup, directory).await.unwrap();
            return;
        }
        _ => {}
    }
    let registry = Registry::open(directory, settings.clone()).await.unwrap();
    let (new, app) = (name("new"), name("app"));
    match operation {
        "push" => registry.push_blob(&new, &Digest::sha256(BYTES), chunk(BYTES)).await.unwrap(),
        "large" => {
            let bytes = large();
            registry.push_blob(&new, &Digest::sha256(&bytes), chunk(&bytes)).await.unwrap();
        }
        "session" => upload(&registry, directory).await,
        "cancel" => {
            let id = registry.start_upload(&new, Algorithm::Sha256).await.unwrap();
            registry.append_upload(&new, &id, chunk(BYTES)).await.unwrap();
            registry.cancel_upload(&new, &id).await.unwrap();
        }
        "mount" => {
            let mounted = registry
                .mount(&new, &Digest::sha256(b"kept"), mount_from(Some(app.clone())))
                .await
                .unwrap();
            assert_eq!(mounted, plura_registry::StartedUpload::Mounted);
        }
        "tag" => {
            put(&registry, "app", "moving", &Image::new(&[b"kept"]).manifest).await.unwrap();
        }
        "delete" => match registry.delete_manifest(&app, &reference("moving")).await {
            Ok(()) | Err(Error::ManifestUnknown(_)) => {}
            Err(error) => panic!("{error}"),
        },
        "collect" => {
            let request = CollectRequest { repository: None, dry_run: false, now: now_plus(HOUR) };
            registry.collect(request).await.unwrap();
        }
        other => panic!("no such operation: {other}"),
    }
    registry.close().await;
}

/// Uploads in three steps, and notes after each answer how far it is.
async fn upload(registry: &Registry, directory: &Path) {
    let new = name("new");
    let note = directory.join("acknowledged");
    let known = fs::read_to_string(&note).unwrap_or_default();
    let mut session = None;
    if let Some((id, _)) = known.split_once(' ') {
        let id = id.parse().unwrap();
        session = registry.upload_offset(&new, &id).await.ok().map(|offset| (id, offset));
    }
    let (id, mut offset) = match session {
        Some(session) => session,
        None => (registry.start_upload(&new, Algorithm::Sha256).await.unwrap(), 0),
    };
    fs::write(&note, format!("{id} {offset}")).unwrap();
    if offset == 0 {
        offset = registry.append_upload(&new, &id, chunk(&BYTES[..10])).await.unwrap();
        fs::write(&note, format!("{id} {offset}")).unwrap();
    }
    let rest = chunk(&BYTES[usize::try_from(offset).unwrap()..]);
    registry.finish_upload(&new, &id, &Digest::sha256(BYTES), rest).await.unwrap();
    fs::remove_file(note).unwrap();
}
