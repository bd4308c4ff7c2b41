//! Uploads to a bucket in chunks of all sizes, by one process after the other.

use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use plura_oci::{Algorithm, Digest, UploadId};
use plura_registry::{Chunk, Claim, Settings, Storage};
use tokio::task::JoinSet;

use crate::support::*;

const MIB: usize = 1 << 20;

/// A body that does not say how long it is, in small frames.
fn streamed(bytes: &[u8]) -> Chunk {
    let frames: Vec<_> = bytes.chunks(50_000).map(Bytes::copy_from_slice).map(Ok).collect();
    Chunk { claim: Claim::default(), body: futures_util::stream::iter(frames).boxed() }
}

async fn upload_in(store: &mut Store, chunks: &[usize], reopen: bool) {
    let bytes = content(chunks.len() as u64, chunks.iter().sum());
    let (app, digest) = (name("app"), Digest::sha256(&bytes));
    let id: UploadId = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
    let (mut offset, last) = (0, chunks.len() - 1);
    for (number, length) in chunks.iter().enumerate() {
        let piece = &bytes[offset..offset + length];
        offset += length;
        let body = if number % 2 == 0 { streamed(piece) } else { chunk(piece) };
        if number == last {
            store.registry().finish_upload(&app, &id, &digest, body).await.unwrap();
        } else {
            let found = store.registry().append_upload(&app, &id, body).await.unwrap();
            assert_eq!(found, offset as u64, "{chunks:?}");
        }
        if reopen {
            store.crash().await;
        }
    }
    assert_eq!(store.read("app", &digest).await.unwrap(), bytes, "{chunks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_any_size_make_the_same_blob() {
    for uniform in [false, true] {
        let mut store = Store::new(settings()).await;
        let options = store.bucket().unwrap().options();
        let options = plura_blob::BucketOptions { uniform_parts: uniform, ..options };
        store
            .reopen_with(Settings { storage: Storage::Bucket(Box::new(options)), ..settings() })
            .await;
        for chunks in [
            &[0][..],
            &[1],
            &[0, 0],
            &[1, 0],
            &[5 * MIB, 0],
            &[5 * MIB - 1, 1, 0],
            &[10 * MIB, 0],
            &[10 * MIB + 1, 0],
            &[11 * MIB, 1, 1, 0],
            &[11 * MIB, 3 * MIB, 9 * MIB + 7],
            &[MIB, MIB, MIB, MIB, MIB, MIB, MIB, MIB, MIB, MIB, MIB, MIB],
            &[100, 22 * MIB, 100, 6 * MIB, 5 * MIB],
        ] {
            upload_in(&mut store, chunks, false).await;
            upload_in(&mut store, chunks, true).await;
        }
        assert_eq!(store.files("uploads"), [""; 0]);
        assert_eq!(store.files("blobs").len(), store.rows("blob").await.len());
        store.assert_sound().await;
    }
}

#[tokio::test]
async fn a_session_may_end_by_another_algorithm_than_it_began_with() {
    let store = Store::new(settings()).await;
    for length in [10, 12 * MIB] {
        let bytes = content(length as u64, length);
        let (app, digest) = (name("app"), Digest::of(Algorithm::Sha512, &bytes));
        let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
        store.registry().append_upload(&app, &id, chunk(&bytes)).await.unwrap();
        store.registry().finish_upload(&app, &id, &digest, chunk(b"")).await.unwrap();
        assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
        let id = store.registry().start_upload(&app, Algorithm::Sha256).await.unwrap();
        let other = Digest::of(Algorithm::Sha512, b"other");
        let finished = store.registry().finish_upload(&app, &id, &other, chunk(&bytes)).await;
        assert_refused!(finished, plura_registry::Error::DigestMismatch { .. });
    }
    assert_eq!(store.files("blobs").len(), 2);
}

/// Whoever holds memory and sends nothing more makes way for those who do.
#[tokio::test(flavor = "multi_thread")]
async fn slow_clients_hold_up_nobody() {
    let mut store = Store::new(settings()).await;
    let options = store.bucket().unwrap().options();
    let options = plura_blob::BucketOptions {
        upload_memory: 24 << 20,
        patience: Duration::from_millis(50),
        ..options
    };
    store.reopen_with(Settings { storage: Storage::Bucket(Box::new(options)), ..settings() }).await;
    // Enough of them for all memory, with less and with more than is enough for a part.
    let lengths =
        [100_000, 900_000, 500_000, 2 * MIB, 3 * MIB, 9 * MIB, 14 * MIB, 4 * MIB, 700_000];
    let mut slow = Vec::new();
    for (number, length) in (0..).zip(lengths) {
        let bytes = content(number, length);
        let (sender, body) = crate::replicas::slow();
        for frame in bytes[..length * 9 / 10].chunks(50_000) {
            sender.send(Bytes::copy_from_slice(frame)).unwrap();
        }
        let (registry, digest) = (store.registry().clone(), Digest::sha256(&bytes));
        let push = tokio::spawn(async move {
            registry.push_blob(&name("app"), &digest, body).await.unwrap();
        });
        slow.push((bytes, sender, push));
    }
    for number in 100..104 {
        let bytes = content(number, 12 * MIB);
        let digest = Digest::sha256(&bytes);
        let app = name("app");
        let push = store.registry().push_blob(&app, &digest, chunk(&bytes));
        tokio::time::timeout(Duration::from_secs(30), push).await.unwrap().unwrap();
    }
    for (bytes, sender, push) in slow {
        for frame in bytes[bytes.len() * 9 / 10..].chunks(50_000) {
            sender.send(Bytes::copy_from_slice(frame)).unwrap();
        }
        drop(sender);
        push.await.unwrap();
        assert_eq!(store.read("app", &Digest::sha256(&bytes)).await.unwrap(), bytes);
    }
    store.assert_sound().await;
}

/// A bound on memory that all uploads share is no reason to wait for each other for ever.
#[tokio::test(flavor = "multi_thread")]
async fn many_uploads_share_little_memory() {
    let mut store = Store::new(settings()).await;
    let options = store.bucket().unwrap().options();
    let options = plura_blob::BucketOptions { upload_memory: 24 << 20, ..options };
    store.reopen_with(Settings { storage: Storage::Bucket(Box::new(options)), ..settings() }).await;
    let mut pushes = JoinSet::new();
    for number in 0..24_u64 {
        let registry = store.registry().clone();
        pushes.spawn(async move {
            let length = if number % 3 == 0 { 300_000 } else { 12 * MIB };
            let bytes = content(number, length);
            let digest = Digest::sha256(&bytes);
            let body = if number % 2 == 0 { streamed(&bytes) } else { chunk(&bytes) };
            registry.push_blob(&name("app"), &digest, body).await.unwrap();
        });
    }
    while let Some(done) = pushes.join_next().await {
        done.unwrap();
    }
    assert_eq!(store.files("blobs").len(), 24);
    store.assert_sound().await;
}
