//! Pushes, pulls, mounts and deletions of several clients while collections run without pause.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use plura_oci::Digest;
use plura_registry::{CollectRequest, Error, KeepUntagged, Registry, Settings, StartedUpload};
use tokio::task::JoinSet;

use crate::{
    model::seeds,
    support::*,
    universe::{Entry, Universe},
};

const CLIENTS: [&str; 4] = ["red", "green", "blue", "black"];

/// Collects until told to stop.
async fn collect_all_the_time(registry: Registry, later: Duration, stop: Arc<tokio::sync::Notify>) {
    let stopped = stop.notified();
    tokio::pin!(stopped);
    loop {
        let request = CollectRequest { repository: None, dry_run: false, now: now_plus(later) };
        registry.collect(request.clone()).await.expect("a collection runs among clients");
        let rehearsal = CollectRequest { dry_run: true, ..request };
        registry.collect(rehearsal).await.expect("a dry run runs among clients");
        tokio::select! {
            () = &mut stopped => return,
            () = tokio::task::yield_now() => {}
        }
    }
}

/// A client that is the only one to write to its repository, and so knows what its tags are.
struct Client {
    registry: Registry,
    universe: Arc<Universe>,
    repository: &'static str,
    random: Random,
    tags: BTreeMap<&'static str, Digest>,
    accepted: u32,
    refused: u32,
}

impl Client {
    async fn step(&mut self) {
        let entry =
            self.universe.manifests[self.random.below(self.universe.manifests.len())].clone();
        match self.random.below(10) {
            0..6 => self.push(&entry).await,
            6 => {
                if let Some((tag, _)) = self.tags.pop_first() {
                    self.delete(tag).await;
                }
            }
            7 => {
                let deleted = self.delete_manifest(&entry.digest).await;
                let held = self.tags.values().any(|digest| *digest == entry.digest);
                assert!(deleted || !held, "a tagged manifest was gone");
                self.tags.retain(|_, digest| *digest != entry.digest);
            }
            _ => self.pull_all().await,
        }
    }

    /// As clients push: asks, mounts or uploads what is missing, then sends the manifest, and again
    /// what the registry then says is missing.
    async fn push(&mut self, entry: &Entry) {
        let tag = ["v1", "v2", "v3"][self.random.below(3)];
        for bytes in &entry.payload {
            self.provide(bytes).await;
        }
        // Without grace, a collection may come before every manifest; a client gives up some time.
        for _ in 0..50 {
            match put(&self.registry, self.repository, tag, &entry.bytes).await {
                Ok(_) => {
                    self.accepted += 1;
                    self.tags.insert(tag, entry.digest);
                    return self.pull(tag).await;
                }
                Err(Error::ManifestReferences { missing }) => {
                    self.refused += 1;
                    for bytes in &entry.payload {
                        if missing.contains(&Digest::sha256(bytes)) {
                            self.upload(bytes).await;
                        }
                    }
                }
                Err(error) => panic!("a push failed: {error}"),
            }
        }
    }

    async fn provide(&mut self, bytes: &[u8]) {
        let (target, digest) = (name(self.repository), Digest::sha256(bytes));
        match self.registry.blob(&target, &digest).await {
            Ok(_) => return,
            Err(Error::BlobUnknown(_)) => {}
            Err(error) => panic!("a question failed: {error}"),
        }
        let from = self.random.chance(50).then(|| name(CLIENTS[self.random.below(CLIENTS.len())]));
        match self
            .registry
            .mount(&target, &digest, mount_from(from))
            .await
            .expect("a mount is answered")
        {
            StartedUpload::Mounted => {}
            StartedUpload::Session(id) => {
                let (half, rest) = bytes.split_at(bytes.len() / 2);
                let appended = self.registry.append_upload(&target, &id, chunk(half)).await;
                assert_eq!(appended.expect("half of it"), half.len() as u64);
                let finished = self.registry.finish_upload(&target, &id, &digest, chunk(rest));
                finished.await.expect("the other half");
            }
        }
    }

    async fn upload(&self, bytes: &[u8]) {
        let (target, digest) = (name(self.repository), Digest::sha256(bytes));
        self.registry.push_blob(&target, &digest, chunk(bytes)).await.expect("a blob is taken");
    }

    async fn delete(&self, tag: &str) {
        let deleted = self.registry.delete_manifest(&name(self.repository), &reference(tag)).await;
        deleted.expect("a tag that was pushed can be deleted");
    }

    async fn delete_manifest(&self, digest: &Digest) -> bool {
        let reference = reference(digest);
        match self.registry.delete_manifest(&name(self.repository), &reference).await {
            Ok(()) => true,
            Err(Error::ManifestUnknown(_)) => false,
            Err(error) => panic!("a deletion failed: {error}"),
        }
    }

    async fn pull_all(&self) {
        for tag in self.tags.keys() {
            self.pull(tag).await;
        }
    }

    /// What was accepted is whole, at every moment.
    async fn pull(&self, tag: &str) {
        let pulled = pull(&self.registry, self.repository, tag).await;
        let pulled = pulled.expect("what was accepted and is tagged can be pulled");
        assert_eq!(pulled, self.tags[tag]);
        let entry = self.universe.manifest(&pulled);
        if self.tags.values().any(|digest| *digest == entry.digest) {
            pull(&self.registry, self.repository, pulled).await.expect("also by digest");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_accepted_is_whole_however_clients_and_collections_meet() {
    for seed in seeds(3) {
        // Without grace, whatever is not referenced yet goes at any moment.
        let mut store = Store::new(no_grace()).await;
        eprintln!("concurrent seed {seed}");
        let universe = Arc::new(Universe::new());
        let mut tags = BTreeMap::new();
        let mut accepted = 0;
        for round in 0..2 {
            let stop = Arc::new(tokio::sync::Notify::new());
            let collecting = collect_all_the_time(store.registry().clone(), HOUR, stop.clone());
            let collector = tokio::spawn(collecting);
            let mut clients = JoinSet::new();
            for (number, repository) in (0..).zip(CLIENTS) {
                let mut client = Client {
                    registry: store.registry().clone(),
                    universe: universe.clone(),
                    repository,
                    random: Random::new(seed * 100 + round * 10 + number),
                    tags: tags.remove(repository).unwrap_or_default(),
                    accepted: 0,
                    refused: 0,
                };
                clients.spawn(async move {
                    for _ in 0..20 {
                        client.step().await;
                    }
                    client
                });
            }
            while let Some(done) = clients.join_next().await {
                let client = done.unwrap();
                accepted += client.accepted;
                eprintln!("{}: refused {} times", client.repository, client.refused);
                tags.insert(client.repository, client.tags);
            }
            stop.notify_one();
            collector.await.unwrap();
            store.crash().await;
        }
        assert!(accepted > 0, "collections never let a push through");
        settle(&store, &universe, &tags).await;
    }
}

async fn settle(
    store: &Store,
    universe: &Universe,
    tags: &BTreeMap<&str, BTreeMap<&'static str, Digest>>,
) {
    for _ in 0..3 {
        store.collect_as_planned(None, HOUR).await;
    }
    let mut blobs = BTreeSet::new();
    for (repository, tags) in tags {
        for (tag, digest) in tags {
            assert_eq!(store.pull(repository, tag).await.unwrap(), *digest);
            blobs.extend(universe.manifest(digest).blobs.iter().copied());
        }
        let all: BTreeMap<Digest, i64> = universe.manifests.iter().map(|m| (m.digest, 0)).collect();
        for digest in universe.reachable(&all, tags.values()) {
            blobs.extend(universe.manifest(&digest).blobs.iter().copied());
        }
    }
    let stored = store.files("blobs");
    assert!(stored.len() <= blobs.len(), "{} of at most {} blobs", stored.len(), blobs.len());
    assert_eq!(store.files("uploads"), [""; 0]);
    store.assert_sound().await;
    for (repository, tags) in tags {
        for digest in tags.values().collect::<BTreeSet<_>>() {
            store.delete(repository, digest).await;
        }
    }
    for _ in 0..3 {
        store.collect_as_planned(None, HOUR).await;
    }
    store.assert_empty().await;
}

/// A blob whose review is due is asked for, and the collector comes at the same moment: either the
/// answer is no, or the manifest that follows is accepted.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_blob_that_was_said_to_be_there_is_there_for_the_manifest() {
    let settings = Settings { keep_untagged: KeepUntagged::For(HOUR), ..settings() };
    let store = Store::new(settings).await;
    let images: Vec<Image> = (0..120).map(|seed| Image::new(&[&content(seed, 64)])).collect();
    for image in &images {
        for blob in &image.blobs {
            store.push("app", blob).await;
        }
    }
    store.execute("update review set due_at = due_at - 2 * 3600000").await;

    let stop = Arc::new(tokio::sync::Notify::new());
    let collecting = collect_all_the_time(store.registry().clone(), Duration::ZERO, stop.clone());
    let mut clients = JoinSet::new();
    // From the back, so that clients and collector meet.
    for (number, image) in images.into_iter().rev().enumerate() {
        let registry = store.registry().clone();
        clients.spawn(async move {
            for blob in &image.blobs {
                let digest = Digest::sha256(blob);
                match (number % 3, registry.blob(&name("app"), &digest).await) {
                    (0, Ok(_)) => {}
                    (1, Ok(_)) => {
                        let mount =
                            registry.mount(&name("app"), &digest, mount_from(None)).await.unwrap();
                        if mount != StartedUpload::Mounted {
                            registry.push_blob(&name("app"), &digest, chunk(blob)).await.unwrap();
                        }
                    }
                    _ => registry.push_blob(&name("app"), &digest, chunk(blob)).await.unwrap(),
                }
            }
            let tag = format!("t{number}");
            put(&registry, "app", &tag, &image.manifest).await.expect("nothing went missing");
            pull(&registry, "app", &tag).await.expect("it is whole");
        });
    }
    let collector = tokio::spawn(collecting);
    while let Some(done) = clients.join_next().await {
        done.unwrap();
    }
    stop.notify_one();
    collector.await.unwrap();
    for number in 0..120 {
        store.pull("app", format!("t{number}")).await.unwrap();
    }
    store.assert_sound().await;
}
