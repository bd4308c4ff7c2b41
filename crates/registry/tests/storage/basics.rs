//! Uploads and mounts: what is answered is there, what is refused changed nothing.

use bytes::Bytes;
use futures_util::StreamExt;
use plura_oci::{Algorithm, Digest, UploadId};
use plura_registry::{Chunk, Claim, Error, Settings, StartedUpload};
use tokio::sync::mpsc;

use crate::support::*;

async fn start(store: &Store, repository: &str) -> UploadId {
    store.registry().start_upload(&name(repository), Algorithm::Sha256).await.unwrap()
}

async fn append(store: &Store, id: &UploadId, chunk: Chunk) -> Result<u64, Error> {
    store.registry().append_upload(&name("app"), id, chunk).await
}

async fn finish(store: &Store, id: &UploadId, digest: &Digest, chunk: Chunk) -> Result<(), Error> {
    store.registry().finish_upload(&name("app"), id, digest, chunk).await
}

async fn offset(store: &Store, id: &UploadId) -> Result<u64, Error> {
    store.registry().upload_offset(&name("app"), id).await
}

#[tokio::test]
async fn a_blob_arrives_in_chunks_with_and_without_offsets() {
    let store = Store::new(settings()).await;
    let bytes = content(1, 3_000_000);
    let id = start(&store, "app").await;
    assert_eq!(append(&store, &id, chunk_at(0, &bytes[..10])).await.unwrap(), 10);
    assert_eq!(append(&store, &id, chunk(&bytes[10..2_500_000])).await.unwrap(), 2_500_000);
    let last = chunk_at(2_500_000, &bytes[2_500_000..]);
    let digest = Digest::sha256(&bytes);
    finish(&store, &id, &digest, last).await.unwrap();
    assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
    assert_refused!(offset(&store, &id).await, Error::UploadUnknown);
    assert_eq!(store.files("uploads"), [""; 0]);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_changes_nothing() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    append(&store, &id, chunk_at(0, b"01234")).await.unwrap();
    for start in [0, 4, 6] {
        let refused = append(&store, &id, chunk_at(start, b"xyz")).await;
        assert_refused!(refused, Error::UploadOutOfOrder { offset: 5, .. });
    }
    assert_eq!(offset(&store, &id).await.unwrap(), 5);
    finish(&store, &id, &Digest::sha256(b"0123456789"), chunk(b"56789")).await.unwrap();
}

#[tokio::test]
async fn a_session_goes_on_after_a_restart_and_after_a_crash() {
    let mut store = Store::new(settings()).await;
    let bytes = content(2, 2_200_000);
    let id = start(&store, "app").await;
    append(&store, &id, chunk(&bytes[..1_100_001])).await.unwrap();
    store.reopen().await;
    assert_eq!(offset(&store, &id).await.unwrap(), 1_100_001);
    append(&store, &id, chunk(&bytes[1_100_001..2_000_000])).await.unwrap();
    store.crash().await;
    let digest = Digest::sha256(&bytes);
    finish(&store, &id, &digest, chunk(&bytes[2_000_000..])).await.unwrap();
    assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
}

#[tokio::test]
async fn content_of_another_digest_ends_the_session() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    append(&store, &id, chunk(b"some")).await.unwrap();
    let refused = finish(&store, &id, &Digest::sha256(b"something"), chunk(b"body")).await;
    assert_refused!(refused, Error::DigestMismatch { computed, .. }
        if *computed == Digest::sha256(b"somebody"));
    assert_refused!(offset(&store, &id).await, Error::UploadUnknown);
    let refused = store.try_push("app", &Digest::sha256(b"a"), b"b").await;
    assert_refused!(refused, Error::DigestMismatch { .. });
    store.assert_empty().await;
}

#[tokio::test]
async fn a_session_may_be_finished_with_the_other_algorithm() {
    let store = Store::new(settings()).await;
    let bytes = content(3, 1_500_000);
    let id = start(&store, "app").await;
    append(&store, &id, chunk(&bytes[..700_000])).await.unwrap();
    let digest = Digest::of(Algorithm::Sha512, &bytes);
    finish(&store, &id, &digest, chunk(&bytes[700_000..])).await.unwrap();
    assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
    let whole = Digest::of(Algorithm::Sha512, b"whole");
    store.try_push("app", &whole, b"whole").await.unwrap();
    assert_eq!(store.read("app", &whole).await.unwrap(), b"whole");
    store.assert_sound().await;
}

#[tokio::test]
async fn an_empty_blob_is_a_blob() {
    let store = Store::new(settings()).await;
    let digest = store.push("app", b"").await;
    assert_eq!(store.read("app", &digest).await.unwrap(), b"");
    let id = store.registry().start_upload(&name("other"), Algorithm::Sha256).await.unwrap();
    store.registry().finish_upload(&name("other"), &id, &digest, chunk(b"")).await.unwrap();
    assert_eq!(store.read("other", &digest).await.unwrap(), b"");
    assert_eq!(store.files("blobs").len(), 1);
    store.assert_sound().await;
}

#[tokio::test]
async fn a_mount_needs_a_repository_that_links_the_blob() {
    let store = Store::new(settings()).await;
    let digest = store.push("app", b"layer").await;
    let mount = async |from: Option<&str>, target: &str, digest: &Digest| {
        let from = from.map(name);
        store.registry().mount(&name(target), digest, mount_from(from)).await.unwrap()
    };
    assert_eq!(mount(Some("app"), "copy", &digest).await, StartedUpload::Mounted);
    assert_eq!(mount(None, "second", &digest).await, StartedUpload::Mounted);
    for target in ["copy", "second"] {
        assert_eq!(store.read(target, &digest).await.unwrap(), b"layer");
    }
    assert!(matches!(mount(Some("nobody"), "third", &digest).await, StartedUpload::Session(_)));
    let unknown = Digest::sha256(b"unknown");
    let StartedUpload::Session(id) = mount(None, "third", &unknown).await else {
        panic!("an unknown blob cannot be mounted");
    };
    assert_refused!(store.read("third", &digest).await, Error::BlobUnknown(_));
    let (third, body) = (name("third"), chunk(b"unknown"));
    store.registry().finish_upload(&third, &id, &unknown, body).await.unwrap();
    assert_eq!(store.read("third", &unknown).await.unwrap(), b"unknown");
    // Unlinked everywhere, its bytes are still there, and nobody may learn that.
    for repository in ["app", "copy", "second"] {
        store.registry().delete_blob(&name(repository), &digest).await.unwrap();
    }
    assert!(matches!(mount(None, "fourth", &digest).await, StartedUpload::Session(_)));
}

#[tokio::test]
async fn what_was_never_pushed_is_unknown() {
    let store = Store::new(settings()).await;
    let digest = store.push("app", b"here").await;
    let registry = store.registry();
    assert_refused!(store.read("other", &digest).await, Error::BlobUnknown(_));
    assert_refused!(store.read("app", &Digest::sha256(b"x")).await, Error::BlobUnknown(_));
    assert_refused!(store.pull("nobody", "v1").await, Error::ManifestUnknown(_));
    let page = plura_oci::Page::default();
    assert_refused!(registry.tags(&name("nobody"), &page).await, Error::RepositoryUnknown(_));
    let deleted = registry.delete_blob(&name("nobody"), &digest).await;
    assert_refused!(deleted, Error::BlobUnknown(_));
    let id: UploadId = "0".parse().unwrap();
    assert_refused!(offset(&store, &id).await, Error::UploadUnknown);
    assert_refused!(append(&store, &id, chunk(b"x")).await, Error::UploadUnknown);
    let id = start(&store, "other").await;
    assert_refused!(append(&store, &id, chunk(b"x")).await, Error::UploadUnknown);
    assert_refused!(registry.cancel_upload(&name("app"), &id).await, Error::UploadUnknown);
}

#[tokio::test]
async fn a_cancelled_session_leaves_nothing() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    append(&store, &id, chunk(b"part")).await.unwrap();
    store.registry().cancel_upload(&name("app"), &id).await.unwrap();
    assert_refused!(append(&store, &id, chunk(b"more")).await, Error::UploadUnknown);
    store.assert_empty().await;
}

/// A chunk whose body comes through a channel.
fn slow_chunk() -> (mpsc::Sender<Bytes>, Chunk) {
    let (sender, receiver) = mpsc::channel::<Bytes>(1);
    let body = futures_util::stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|bytes| (Ok(bytes), receiver))
    });
    (sender, Chunk { claim: Claim::default(), body: body.boxed() })
}

#[tokio::test]
async fn one_writer_at_a_time_and_no_expiry_under_it() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    let (sender, slow) = slow_chunk();
    let (registry, session) = (store.registry().clone(), id.clone());
    let first =
        tokio::spawn(async move { registry.append_upload(&name("app"), &session, slow).await });
    eventually(async || (store.registry().active_uploads() == 1).then_some(())).await;

    assert_refused!(append(&store, &id, chunk(b"x")).await, Error::UploadBusy);
    let refused = finish(&store, &id, &Digest::sha256(b"x"), chunk(b"x")).await;
    assert_refused!(refused, Error::UploadBusy);
    let cancelled = store.registry().cancel_upload(&name("app"), &id).await;
    assert_refused!(cancelled, Error::UploadBusy);
    assert_eq!(store.collect(6 * HOUR).await.uploads, 0);

    sender.send(Bytes::from_static(b"slow")).await.unwrap();
    drop(sender);
    assert_eq!(first.await.unwrap().unwrap(), 4);
    finish(&store, &id, &Digest::sha256(b"slow"), chunk(b"")).await.unwrap();
}

#[tokio::test]
async fn an_interrupted_body_keeps_what_arrived() {
    for length in [7, 1_300_000] {
        let mut store = Store::new(settings()).await;
        let bytes = content(4, length);
        let half = length / 2;
        let id = start(&store, "app").await;
        let broken = append(&store, &id, broken_chunk(&bytes[..half], length as u64)).await;
        assert_refused!(broken, Error::UploadInterrupted { offset, .. } if offset == half as u64);
        let digest = Digest::sha256(&bytes);
        let broken = broken_chunk(&bytes[half..=half], (length - half) as u64);
        let broken = finish(&store, &id, &digest, broken).await;
        assert_refused!(broken, Error::UploadInterrupted { offset, .. } if offset == half as u64 + 1);
        store.crash().await;
        finish(&store, &id, &digest, chunk_at(half as u64 + 1, &bytes[half + 1..])).await.unwrap();
        assert_eq!(store.read("app", &digest).await.unwrap(), bytes);
    }
}

#[tokio::test]
async fn an_interrupted_whole_push_leaves_nothing() {
    let store = Store::new(settings()).await;
    let digest = Digest::sha256(b"whole");
    let pushed = store.registry().push_blob(&name("app"), &digest, broken_chunk(b"who", 5)).await;
    assert_refused!(pushed, Error::UploadInterrupted { .. });
    store.assert_empty().await;
}

#[tokio::test]
async fn a_blob_that_is_too_large_leaves_nothing() {
    let store = Store::new(Settings { blob_limit: Some(10), ..settings() }).await;
    let (fits, large) = (b"ten bytes!".as_slice(), b"eleven byte".as_slice());
    let push = async |bytes: &[u8], chunk| {
        store.registry().push_blob(&name("app"), &Digest::sha256(bytes), chunk).await
    };
    assert_refused!(push(large, chunk(large)).await, Error::BlobTooLarge { limit: 10 });
    assert_refused!(push(large, unannounced(large)).await, Error::BlobTooLarge { limit: 10 });

    let id = start(&store, "app").await;
    append(&store, &id, chunk(fits)).await.unwrap();
    let more = append(&store, &id, unannounced(b"!")).await;
    assert_refused!(more, Error::BlobTooLarge { limit: 10 });
    let gone = store.registry().upload_offset(&name("app"), &id).await;
    assert_refused!(gone, Error::UploadUnknown);
    let id = start(&store, "app").await;
    let finished = finish(&store, &id, &Digest::sha256(large), unannounced(large)).await;
    assert_refused!(finished, Error::BlobTooLarge { limit: 10 });
    store.assert_empty().await;

    push(fits, unannounced(fits)).await.unwrap();
    assert_eq!(store.read("app", &Digest::sha256(fits)).await.unwrap(), fits);
}

#[tokio::test]
async fn a_body_of_another_length_changes_nothing() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    append(&store, &id, chunk(b"0123")).await.unwrap();
    for (claimed, body) in [(4, &b"45678"[..]), (9, b"45678")] {
        let wrong = || Chunk {
            claim: Claim { range: None, length: Some(claimed) },
            body: chunk(body).body,
        };
        let refused = append(&store, &id, wrong()).await;
        assert_refused!(refused, Error::Length { received: 5, .. });
        let refused = finish(&store, &id, &Digest::sha256(b"012345678"), wrong()).await;
        assert_refused!(refused, Error::Length { received: 5, .. });
        let (app, digest) = (name("app"), Digest::sha256(body));
        let refused = store.registry().push_blob(&app, &digest, wrong()).await;
        assert_refused!(refused, Error::Length { received: 5, .. });
        assert_eq!(offset(&store, &id).await.unwrap(), 4);
    }
    let mut contradiction = chunk_at(4, b"4567");
    contradiction.claim.length = Some(3);
    let refused = append(&store, &id, contradiction).await;
    assert_refused!(refused, Error::Length { expected: 4, received: 3 });
    // What the refused bodies wrote behind the offset must not be in the way, nor in the blob.
    finish(&store, &id, &Digest::sha256(b"0123"), chunk(b"")).await.unwrap();
    store.assert_sound().await;
}

#[tokio::test]
async fn sessions_expire_with_their_files() {
    let store = Store::new(settings()).await;
    let id = start(&store, "app").await;
    append(&store, &id, chunk(b"part")).await.unwrap();
    let untouched = start(&store, "app").await;
    assert_eq!(store.collect(4 * HOUR).await.uploads, 0);
    assert_eq!(offset(&store, &id).await.unwrap(), 4);
    assert_eq!(store.collect(6 * HOUR).await.uploads, 2);
    for id in [id, untouched] {
        assert_refused!(offset(&store, &id).await, Error::UploadUnknown);
    }
    store.assert_empty().await;
}

#[tokio::test]
async fn the_same_content_twice_is_stored_once() {
    let store = Store::new(settings()).await;
    let bytes = content(5, 100_000);
    let digest = store.push("app", &bytes).await;
    store.push("app", &bytes).await;
    store.push("other", &bytes).await;
    assert_eq!(store.files("blobs").len(), 1);
    let totals = store.registry().totals().await.unwrap();
    assert_eq!((totals.blobs, totals.blob_bytes), (1, 100_000));
    assert_eq!(store.read("other", &digest).await.unwrap(), bytes);
    store.assert_sound().await;
}

#[tokio::test]
async fn one_process_at_a_time() {
    let mut store = Store::new(settings()).await;
    let second = plura_registry::Registry::open(store.path(), store.settings().clone()).await;
    assert_refused!(second, Error::InUse(_));
    store.close().await;
    let second =
        plura_registry::Registry::open(store.path(), store.settings().clone()).await.unwrap();
    second.close().await;
    store.reopen().await;
}
