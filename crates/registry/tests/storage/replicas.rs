//! Several processes on one database: none answers from what it remembers, and one collects. Each has
//! a directory of its own here, in which the blobs of all are found by a link.

use std::time::Duration;

use plura_oci::{Digest, Page};
use plura_registry::{
    CheckOptions, CollectRequest, DatabaseError, DatabaseServer, Error, Finding, Registry,
};
use plura_testkit::{Passage, Proxy, postgres::PASSWORD};
use tempfile::TempDir;

use crate::support::*;

/// Another process on the database of the store.
async fn another(store: &Store) -> (TempDir, Registry) {
    let directory = temporary();
    let blobs = directory.path().join("blobs");
    std::os::unix::fs::symlink(store.path().join("blobs"), blobs).unwrap();
    let registry = Registry::open(directory.path(), store.settings().clone()).await.unwrap();
    (directory, registry)
}

async fn pulled(registry: &Registry, what: impl ToString) -> Option<Digest> {
    match registry.manifest(&name("app"), &reference(what)).await {
        Ok(found) => Some(found.digest),
        Err(Error::ManifestUnknown(_)) => None,
        Err(error) => panic!("neither there nor gone: {error}"),
    }
}

#[tokio::test]
async fn what_another_process_changed_is_seen_at_once() {
    let store = Store::on_server(settings()).await;
    let (_directory, other) = another(&store).await;
    let images: Vec<Image> = (0..3).map(|seed| Image::new(&[&content(seed, 10)])).collect();
    for image in &images {
        store.push_image("app", image.digest(), image).await;
    }
    let both = [store.registry(), &other];
    for round in 0..30 {
        let image = &images[round % 3];
        let (writer, reader) = (both[round % 2], both[(round + 1) % 2]);
        put(writer, "app", "moving", &image.manifest).await.unwrap();
        // Twice: the second time from whatever the first left in memory.
        for registry in [reader, writer, reader] {
            assert_eq!(pulled(registry, "moving").await, Some(image.digest()), "round {round}");
            assert_eq!(pulled(registry, image.digest()).await, Some(image.digest()));
        }
        if round % 4 == 3 {
            reader.delete_manifest(&name("app"), &reference(image.digest())).await.unwrap();
            for registry in both {
                assert_eq!(pulled(registry, "moving").await, None, "round {round}");
                assert_eq!(pulled(registry, image.digest()).await, None, "round {round}");
            }
            put(writer, "app", image.digest(), &image.manifest).await.unwrap();
        }
    }
    put(&other, "app", "new", &images[0].manifest).await.unwrap();
    let tags = store.registry().tags(&name("app"), &Page::default()).await.unwrap();
    assert!(tags.names.contains(&"new".to_owned()), "{tags:?}");
    let layer = Digest::sha256(&images[0].blobs[0]);
    store.registry().delete_blob(&name("app"), &layer).await.unwrap();
    assert_refused!(other.blob(&name("app"), &layer).await, Error::BlobUnknown(_));
    other.close().await;
}

#[tokio::test]
async fn one_process_collects_and_another_takes_over_from_one_that_is_gone() {
    let store = Store::on_server(no_grace()).await;
    store.push_image("app", "v1", &Image::new(&[b"layer"])).await;
    store.delete("app", "v1").await;
    let request = || CollectRequest { repository: None, dry_run: false, now: now_plus(HOUR) };
    let until = now_plus(Duration::from_secs(30)).0;
    store.execute(&format!("insert into lease values ('collection', 'other', {until})")).await;
    assert_refused!(store.registry().collect(request()).await, Error::CollectingElsewhere);
    assert_eq!(store.rows("manifest").await.len(), 1);
    store.execute("update lease set until = 1").await;
    store.registry().collect(request()).await.unwrap();
    assert_eq!(store.rows("lease").await, [""; 0], "it is given back");
    store.assert_empty().await;
}

/// Both at the same time, many times: neither undoes what the other does.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn collections_of_two_processes_and_pushes_leave_a_sound_installation() {
    let mut store = Store::on_server(no_grace()).await;
    let (_directory, other) = another(&store).await;
    let mut work = tokio::task::JoinSet::new();
    for registry in [store.registry().clone(), other.clone()] {
        work.spawn(async move {
            for _ in 0..20 {
                let request =
                    CollectRequest { repository: None, dry_run: false, now: now_plus(HOUR) };
                match registry.collect(request).await {
                    Ok(_) | Err(Error::CollectingElsewhere) => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    for seed in 0..20 {
        let registry = store.registry().clone();
        work.spawn(async move {
            let image = Image::new(&[&content(seed % 5, 100)]);
            // What is collected between its push and its manifest is pushed again, as clients do.
            for attempt in 0.. {
                for blob in &image.blobs {
                    let digest = Digest::sha256(blob);
                    registry.push_blob(&name("app"), &digest, chunk(blob)).await.unwrap();
                }
                match put(&registry, "app", format!("t{seed}"), &image.manifest).await {
                    Ok(_) => break,
                    Err(Error::ManifestReferences { .. }) if attempt < 1000 => {}
                    Err(error) => panic!("{error}"),
                }
            }
        });
    }
    while let Some(done) = work.join_next().await {
        done.unwrap();
    }
    for seed in 0..20 {
        store.pull("app", format!("t{seed}")).await.unwrap();
    }
    other.close().await;
    store.close().await;
    let report = store.check(CheckOptions { rehash: true, repair: false }).await;
    assert_eq!(report.findings, Vec::<Finding>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_the_database_refuses_what_needs_it_and_leaves_nothing_half_done() {
    let store = Store::on_server(settings()).await;
    let image = Image::new(&[b"layer"]);
    store.push_image("app", "v1", &image).await;
    let proxy = Proxy::start(store.database().server().port()).await;
    let server = DatabaseServer::new(&store.database().tcp_url(proxy.port())).unwrap();
    let server = server.password(PASSWORD).timeout(Duration::from_secs(1)).max_connections(3);
    let directory = temporary();
    let through = plura_registry::Settings { database: Some(server), ..settings() };
    let registry = Registry::open(directory.path(), through).await.unwrap();
    let app = name("app");
    for how in [Passage::Cut, Passage::Reset, Passage::Stalled] {
        let id = registry.start_upload(&app, plura_oci::Algorithm::Sha256).await.unwrap();
        registry.append_upload(&app, &id, chunk(b"0123")).await.unwrap();
        // In memory, with whatever could be answered without the database.
        registry.manifest(&app, &reference("v1")).await.unwrap();
        proxy.set(how);
        let bytes = content(how as u64, 1000);
        let digest = Digest::sha256(&bytes);
        assert_unavailable(registry.push_blob(&app, &digest, chunk(&bytes)).await);
        assert_unavailable(registry.append_upload(&app, &id, chunk(b"4567")).await);
        assert_unavailable(put(&registry, "app", "v2", &image.manifest).await);
        assert_unavailable(registry.manifest(&app, &reference("v1")).await);
        assert_unavailable(registry.blob(&app, &Digest::sha256(b"layer")).await);
        assert_unavailable(registry.probe().await);
        proxy.set(Passage::Open);
        eventually(async || registry.probe().await.ok()).await;

        assert_eq!(pulled(&registry, "v2").await, None, "{how:?}");
        registry.push_blob(&app, &digest, chunk(&bytes)).await.unwrap();
        let offset = registry.upload_offset(&app, &id).await.unwrap();
        assert_eq!(offset, 4, "{how:?}: what was not acknowledged is sent again");
        let whole = Digest::sha256(b"01234567");
        registry.finish_upload(&app, &id, &whole, chunk(b"4567")).await.unwrap();
        registry.delete_blob(&app, &whole).await.unwrap();
        registry.delete_blob(&app, &digest).await.unwrap();
        let request = CollectRequest { repository: None, dry_run: false, now: now_plus(HOUR * 2) };
        registry.collect(request).await.unwrap();
        assert_eq!(files(&directory.path().join("uploads")).len(), 0, "{how:?}");
        assert_eq!(files(&directory.path().join("blobs")).len(), 0, "{how:?}");
    }
    registry.close().await;
}

fn assert_unavailable<T: std::fmt::Debug>(answer: Result<T, Error>) {
    assert_refused!(answer, Error::Metadata(DatabaseError::Unavailable(_)));
}
