//! Group commit: what is committed together succeeds and fails alone, and as a whole.

use std::{
    future::Future,
    task::{Context, Waker},
};

use plura_oci::{Digest, Page};
use plura_registry::{Error, Registry};
use tokio::task::JoinSet;

use crate::support::*;

async fn tags(registry: &Registry, repository: &str) -> Vec<String> {
    match registry.tags(&name(repository), &Page::default()).await {
        Ok(tags) => tags.names,
        Err(Error::RepositoryUnknown(_)) => Vec::new(),
        Err(error) => panic!("the tags cannot be listed: {error}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_write_that_fails_takes_back_only_its_own() {
    let store = Store::new(settings()).await;
    store.push("app", b"layer").await;
    let whole = Image::new(&[b"layer"]);
    store.push("app", &whole.blobs[1]).await;
    let broken = Image::new(&[b"layer", b"never pushed"]);
    let mut writes = JoinSet::new();
    for number in 0..200 {
        let registry = store.registry().clone();
        let manifest =
            if number % 2 == 0 { whole.manifest.clone() } else { broken.manifest.clone() };
        writes.spawn(async move {
            // Refused writes to new repositories must not leave these either.
            let repository =
                if number % 4 == 1 { format!("new{number}") } else { "app".to_owned() };
            let answer = put(&registry, &repository, format!("t{number}"), &manifest).await;
            (number, answer)
        });
    }
    while let Some(done) = writes.join_next().await {
        let (number, answer) = done.unwrap();
        match answer {
            Ok(_) => assert!(number % 2 == 0, "{number}"),
            Err(Error::ManifestReferences { .. }) => assert!(number % 2 == 1, "{number}"),
            Err(error) => panic!("{number}: {error}"),
        }
    }
    assert_eq!(tags(store.registry(), "app").await.len(), 100);
    assert_eq!(store.rows("repository").await.len(), 1);
    store.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_fails_takes_back_everything_in_it_and_the_next_goes_through() {
    let store = Store::alone(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "before", &image).await;
    let other = Image::new(&[b"other"]);
    store.push_image("app", "other", &other).await;
    for fault in ["meta.commit", "meta.committed"] {
        let before = tags(store.registry(), "app").await;
        // In the cache from here on.
        let held = store.pull("app", "before").await.unwrap();
        let armed = store.fault(fault);
        let moved = store.put("app", "before", &other.manifest).await;
        assert_refused!(moved, Error::Metadata(_));
        let mut writes = JoinSet::new();
        for number in 0..50 {
            let (registry, manifest) = (store.registry().clone(), image.manifest.clone());
            writes.spawn(async move {
                put(&registry, "app", format!("{fault}{number}"), &manifest).await
            });
        }
        while let Some(done) = writes.join_next().await {
            assert_refused!(done.unwrap(), Error::Metadata(_));
        }
        drop(armed);
        let after = tags(store.registry(), "app").await.len() - before.len();
        // Once committed, it is there, whatever was answered.
        assert_eq!(after, if fault == "meta.commit" { 0 } else { 50 });
        let expected = if fault == "meta.commit" { held } else { other.digest() };
        assert_eq!(store.pull("app", "before").await.unwrap(), expected);
        store.put("app", fault, &image.manifest).await.unwrap();
    }
    store.assert_sound().await;
}

/// Polls once and goes away: what has been asked for then is under way.
fn start<T>(future: impl Future<Output = T>) {
    let mut future = Box::pin(future);
    let _under_way = future.as_mut().poll(&mut Context::from_waker(Waker::noop()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_caller_that_goes_away_leaves_a_whole_or_nothing_and_no_stale_answer() {
    let store = Store::new(settings()).await;
    let images: Vec<Image> = (0..10).map(|seed| Image::new(&[&content(seed, 10)])).collect();
    for image in &images {
        store.push_image("app", image.digest(), image).await;
    }
    for round in 0..30 {
        let tag = format!("t{}", round % 3);
        let image = &images[round % 10];
        // From here on, the cache has an answer that the write will make wrong.
        let _before = store.has("app", &tag).await;
        if round % 5 == 4 {
            start(store.registry().delete_manifest(&name("app"), &reference(&tag)));
        } else {
            start(store.put("app", &tag, &image.manifest));
        }
        // Whatever of it happens has happened when a later write is through.
        let expected = eventually(async || {
            store.put("app", "flush", &image.manifest).await.unwrap();
            let rows = store.select("select '', digest, name from tag").await;
            let found = rows.into_iter().find(|(_, _, name)| *name == tag);
            let wanted = if round % 5 == 4 { None } else { Some(image.digest().to_string()) };
            (found.map(|(_, digest, _)| digest) == wanted).then_some(wanted)
        });
        let expected: Option<Digest> = expected.await.map(|digest| digest.parse().unwrap());
        let answered = eventually(async || {
            let found = store.pull("app", &tag).await.ok();
            (found == expected).then_some(found)
        });
        assert_eq!(answered.await, expected);
    }
    store.assert_sound().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upload_whose_client_goes_away_is_done_or_leaves_nothing() {
    let store = Store::new(settings()).await;
    let bytes = content(1, 5000);
    let digest = Digest::sha256(&bytes);
    let idle = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    let all_done = async || {
        let alive = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        // Connections to an object store are tasks that stay; its last request ends with the removals.
        let settled = crate::IN_BUCKET
            && store.registry().active_uploads() == 0
            && store.rows("upload").await.is_empty()
            && store.rows("removal").await.is_empty()
            && store.rows("blob").await.len() == 1;
        (alive <= idle || settled).then_some(())
    };
    for _ in 0..10 {
        start(store.try_push("app", &digest, &bytes));
        let id = store.registry().start_upload(&name("app"), digest.algorithm()).await.unwrap();
        start(store.registry().finish_upload(&name("app"), &id, &digest, chunk(&bytes)));
    }
    eventually(all_done).await;
    store.read("app", &digest).await.unwrap();
    // A task that was counted as idle may have ended instead of the last of these.
    let nothing_left = async || store.files("uploads").is_empty().then_some(());
    eventually(nothing_left).await;
    assert_eq!(store.files("blobs").len(), 1);
    let id = store.registry().start_upload(&name("app"), digest.algorithm()).await.unwrap();
    store.registry().append_upload(&name("app"), &id, chunk(b"part")).await.unwrap();
    start(store.registry().cancel_upload(&name("app"), &id));
    eventually(all_done).await;
    eventually(nothing_left).await;
    eventually(async || store.rows("upload").await.is_empty().then_some(())).await;
    store.assert_sound().await;
}

#[tokio::test]
async fn closing_lets_finish_what_was_queued() {
    let mut store = Store::new(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v0", &image).await;
    let mut writes = JoinSet::new();
    for number in 0..20 {
        let (registry, manifest) = (store.registry().clone(), image.manifest.clone());
        writes.spawn(async move { put(&registry, "app", format!("t{number}"), &manifest).await });
    }
    tokio::task::yield_now().await;
    store.close().await;
    let mut done = 0;
    while let Some(write) = writes.join_next().await {
        match write.unwrap() {
            Ok(_) => done += 1,
            Err(Error::Metadata(plura_meta::Error::Closed)) => {}
            Err(error) => panic!("neither done nor refused: {error}"),
        }
    }
    store.reopen().await;
    assert_eq!(tags(store.registry(), "app").await.len(), done + 1);
}
