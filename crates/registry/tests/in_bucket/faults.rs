//! An object store that fails: the error says so, nothing is there by half, and when the cause is gone
//! the service goes on as it is.

use std::time::Duration;

use plura_blob::{BucketOptions, Retries};
use plura_oci::{Algorithm, Digest};
use plura_registry::{CheckOptions, Error, FindingKind, Settings, Storage};
use plura_testkit::{S3Mishap, S3Request};

use crate::support::*;

const MIB: usize = 1 << 20;

/// A store whose requests are given up soon.
async fn impatient() -> Store {
    let mut store = Store::new(settings()).await;
    let options = store.bucket().unwrap().options();
    let retries = Retries { silence: Duration::from_millis(300), count: 1, ..options.retries };
    let options = BucketOptions { retries, ..options };
    store.reopen_with(Settings { storage: Storage::Bucket(Box::new(options)), ..settings() }).await;
    store
}

/// Everything that can go wrong with a request that writes.
const MISHAPS: [S3Mishap; 5] = [
    S3Mishap::Refuse(500, "InternalError"),
    S3Mishap::Refuse(503, "SlowDown"),
    S3Mishap::Refuse(403, "AccessDenied"),
    S3Mishap::Cut,
    S3Mishap::Hang,
];

#[tokio::test]
async fn a_push_that_fails_is_an_error_and_may_be_repeated() {
    use S3Request::{Begin, Complete, Part, Put};

    let store = impatient().await;
    let object_store = store.bucket().unwrap().own();
    let app = name("app");
    let mut number = 0;
    for (kind, length) in [(Put, 1000), (Begin, 12 * MIB), (Part, 12 * MIB), (Complete, 12 * MIB)] {
        for mishap in MISHAPS {
            number += 1;
            let bytes = content(number, length);
            let digest = Digest::sha256(&bytes);
            object_store.order(kind, 100, mishap.clone());
            let pushed = store.try_push("app", &digest, &bytes).await;
            assert_refused!(pushed, Error::Blobs(plura_blob::Error::Store { .. }));
            let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
            let finished = store.registry().finish_upload(&app, &id, &digest, chunk(&bytes)).await;
            assert_refused!(finished, Error::Blobs(plura_blob::Error::Store { .. }));
            object_store.calm();
            assert_refused!(store.read("app", &digest).await, Error::BlobUnknown(_));
            assert_eq!(store.registry().upload_offset(&app, &id).await.unwrap(), 0);
            store.registry().finish_upload(&app, &id, &digest, chunk(&bytes)).await.unwrap();
            assert_eq!(store.read("app", &digest).await.unwrap(), bytes, "{kind:?} {mishap:?}");
        }
    }
    store.collect(Duration::ZERO).await;
    assert_eq!(store.files("uploads"), [""; 0]);
    assert_eq!(store.files("blobs").len(), store.rows("blob").await.len());
    store.assert_sound().await;
}

#[tokio::test]
async fn a_push_goes_through_a_few_refusals() {
    let store = Store::new(settings()).await;
    let object_store = store.bucket().unwrap().own();
    for kind in [S3Request::Begin, S3Request::Part, S3Request::Complete] {
        object_store.order(kind, 2, S3Mishap::Refuse(503, "SlowDown"));
    }
    let bytes = content(1, 17 * MIB);
    store.push("app", &bytes).await;
    object_store.order(S3Request::Get, 2, S3Mishap::Refuse(500, "InternalError"));
    assert_eq!(store.read("app", &Digest::sha256(&bytes)).await.unwrap(), bytes);
    store.assert_sound().await;
}

#[tokio::test]
async fn what_was_done_and_answered_with_an_error_is_done() {
    let store = Store::new(settings()).await;
    let object_store = store.bucket().unwrap().own();
    for kind in [S3Request::Put, S3Request::Begin, S3Request::Part, S3Request::Complete] {
        object_store.order(kind, 1, S3Mishap::DoneButFailed);
        let length = if kind == S3Request::Put { 100 } else { 12 * MIB };
        let bytes = content(length as u64, length);
        let digest = store.push("app", &bytes).await;
        assert_eq!(store.read("app", &digest).await.unwrap(), bytes, "{kind:?}");
    }
    // Begun twice, of which one is known.
    assert_eq!(store.files("uploads").len(), 1);
    store.collect(Duration::ZERO).await;
    assert_eq!(store.files("uploads"), [""; 0]);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_commit_that_failed_can_be_repeated_and_nothing_stays() {
    let mut store = Store::alone(settings()).await;
    let app = name("app");
    for (number, length) in [(1, 100), (2, 12 * MIB)] {
        for split in [0, length / 2, length] {
            let bytes = content(number + split as u64, length);
            let digest = Digest::sha256(&bytes);
            let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
            store.registry().append_upload(&app, &id, chunk(&bytes[..split])).await.unwrap();
            let rest = || chunk(&bytes[split..]);
            for fault in ["bucket.sealed", "meta.commit"] {
                let armed = store.fault(fault);
                let finished = store.registry().finish_upload(&app, &id, &digest, rest()).await;
                assert!(finished.is_err(), "{fault}");
                drop(armed);
            }
            store.registry().finish_upload(&app, &id, &digest, rest()).await.unwrap();
            assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
            let other = content(50 + number + split as u64, length);
            let armed = store.fault("meta.commit");
            assert!(store.try_push("app", &Digest::sha256(&other), &other).await.is_err());
            drop(armed);
        }
    }
    store.crash().await;
    store.collect(HOUR * 6).await;
    assert_eq!(store.files("blobs").len(), store.rows("blob").await.len());
    assert_eq!(store.rows("upload").await, [""; 0]);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_part_that_got_lost_ends_the_session() {
    let store = Store::new(settings()).await;
    let object_store = store.bucket().unwrap().own();
    let (app, bytes) = (name("app"), content(1, 17 * MIB));
    let digest = Digest::sha256(&bytes);
    object_store.order(S3Request::Part, 1, S3Mishap::Lose);
    let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
    store.registry().append_upload(&app, &id, chunk(&bytes)).await.unwrap();
    let finished = store.registry().finish_upload(&app, &id, &digest, chunk(b"")).await;
    assert_refused!(finished, Error::UploadUnknown);
    assert_refused!(store.registry().upload_offset(&app, &id).await, Error::UploadUnknown);
    store.push("app", &bytes).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn a_read_that_breaks_off_goes_on() {
    let store = impatient().await;
    let object_store = store.bucket().unwrap().own();
    let bytes = content(1, 3 * MIB);
    let digest = store.push("app", &bytes).await;
    for after in [0, 1, 100_000, 3 * MIB - 1] {
        object_store.order(S3Request::Get, 1, S3Mishap::CutAfter(after));
        assert_eq!(store.read("app", &digest).await.unwrap(), bytes, "cut after {after}");
    }
    for mishap in [S3Mishap::Refuse(500, "InternalError"), S3Mishap::Hang, S3Mishap::Cut] {
        object_store.order(S3Request::Get, 100, mishap);
        let read = store.read("app", &digest).await;
        assert_refused!(read, Error::Blobs(plura_blob::Error::Store { missing: false, .. }));
        object_store.calm();
    }
    assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn damage_is_told_from_an_object_store_that_is_away() {
    let store = Store::new(settings()).await;
    let [cut, gone] = [store.push("app", b"cut").await, store.push("app", b"gone").await];
    std::fs::write(store.blob_file(&cut).await, b"c").unwrap();
    std::fs::remove_file(store.blob_file(&gone).await).unwrap();
    assert_refused!(store.read("app", &cut).await, Error::Blobs(plura_blob::Error::Corrupt { .. }));
    assert_refused!(store.read("app", &gone).await, Error::Blobs(error) if error.is_missing());
    let object_store = store.bucket().unwrap().own();
    object_store.order(S3Request::Get, 100, S3Mishap::Refuse(404, "NoSuchBucket"));
    assert_refused!(store.read("app", &cut).await, Error::Blobs(error) if !error.is_missing());
    object_store.order(S3Request::Head, 100, S3Mishap::Refuse(500, "InternalError"));
    assert!(store.registry().probe().await.is_err());
    object_store.calm();
    store.registry().probe().await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_removed_is_removed_by_a_later_collection() {
    let store = impatient().await;
    let object_store = store.bucket().unwrap().own();
    let app = name("app");
    for length in [100, 12 * MIB] {
        let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
        let bytes = content(length as u64, length);
        store.registry().append_upload(&app, &id, chunk(&bytes)).await.unwrap();
        for kind in [S3Request::Delete, S3Request::Abort] {
            object_store.order(kind, 100, S3Mishap::Refuse(500, "InternalError"));
        }
        store.registry().cancel_upload(&app, &id).await.unwrap();
        assert_refused!(store.registry().upload_offset(&app, &id).await, Error::UploadUnknown);
        let append = store.registry().append_upload(&app, &id, chunk(b"more")).await;
        assert_refused!(append, Error::UploadUnknown);
        assert_eq!(store.rows("upload").await.len(), 1, "it is remembered");
        object_store.calm();
        store.collect(Duration::ZERO).await;
        assert_eq!(store.rows("upload").await, [""; 0]);
    }
    assert_eq!(store.files("blobs"), [""; 0]);
    assert_eq!(store.files("uploads"), [""; 0]);
}

#[tokio::test]
async fn parts_that_no_session_knows_are_found() {
    let mut store = Store::new(settings()).await;
    let app = name("app");
    let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
    store.registry().append_upload(&app, &id, chunk(&content(1, 12 * MIB))).await.unwrap();
    store.execute("delete from upload").await;
    store.close().await;
    let report = store.check(CheckOptions { rehash: false, repair: true }).await;
    assert_eq!(kinds(&report), [FindingKind::OrphanUpload]);
    assert_eq!(store.files("uploads"), [""; 0]);
}
