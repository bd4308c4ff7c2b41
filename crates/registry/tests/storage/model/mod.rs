//! Random operations, crashes, failures and collections, against a model in memory.
//!
//! The model knows what must be there (whatever something needs, and whatever is younger than its
//! grace) and, when everything had time to settle, what must not. Time moves by making every pending
//! review older. `PLURA_MODEL_SEEDS=N` runs N seeds instead of a few; `PLURA_MODEL_SEED=S` one.

mod operations;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use plura_oci::{Algorithm, Digest};
use plura_registry::{CheckOptions, Error, FindingKind, KeepUntagged, Settings, Timestamp};

use crate::{support::*, universe::Universe};

const REPOSITORIES: [&str; 3] = ["red", "green", "blue"];
const TAGS: [&str; 3] = ["v1", "v2", "latest"];
/// A failure of each, wherever in an operation it comes, leaves the operation done or not done.
const FAULTS: [&str; 7] = [
    "meta.commit",
    "meta.committed",
    "upload.appended",
    "upload.advanced",
    "upload.committed",
    "collect.decided",
    "collect.deleted",
];
/// The same, of what keeps the bytes.
const FAULTS_OF_STORE: &[&str] = if crate::IN_BUCKET {
    &["bucket.put", "bucket.sealed", "bucket.get", "bucket.delete", "upload.discarded"]
} else {
    &["blob.append", "blob.upload.open", "blob.seal.sync", "blob.seal.linked", "blob.delete"]
};

/// What one repository holds, each with the instant until which it is young.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Repository {
    tags: BTreeMap<String, Digest>,
    manifests: BTreeMap<Digest, i64>,
    links: BTreeMap<Digest, i64>,
}

/// What a failed operation may have done or not.
#[derive(Clone, Debug, Default)]
struct Touched {
    repository: &'static str,
    digest: Option<Digest>,
    tag: Option<&'static str>,
}

struct Run {
    store: Store,
    universe: Universe,
    repositories: BTreeMap<&'static str, Repository>,
    random: Random,
    /// How far the clock is ahead of the machine's.
    ahead: i64,
}

#[tokio::test]
async fn any_sequence_keeps_what_is_needed_and_nothing_else() {
    for seed in seeds(8) {
        let grace = [Duration::ZERO, HOUR][usize::from(seed % 2 == 0)];
        eprintln!("model seed {seed}, grace {grace:?}");
        let keep_untagged = KeepUntagged::For(grace * 3);
        let store = Store::alone(Settings { grace, keep_untagged, ..settings() }).await;
        let mut run = Run {
            store,
            universe: Universe::new(),
            repositories: REPOSITORIES.map(|name| (name, Repository::default())).into(),
            random: Random::new(seed),
            ahead: 0,
        };
        for _ in 0..40 {
            run.step().await;
        }
        run.settle().await;
        run.delete_everything().await;
        run.settle().await;
        run.store.assert_empty().await;
    }
}

/// The seeds of this run: `few`, or what the environment asks for.
pub(crate) fn seeds(few: u64) -> Vec<u64> {
    let number =
        |name| std::env::var(name).ok().map(|text: String| text.parse().expect("a number"));
    match number("PLURA_MODEL_SEED") {
        Some(seed) => vec![seed],
        None => (1..=number("PLURA_MODEL_SEEDS").unwrap_or(few)).collect(),
    }
}

impl Run {
    fn now(&self) -> i64 {
        Timestamp::now().0 + self.ahead
    }

    fn keep(&self) -> i64 {
        self.grace() * 3
    }

    fn grace(&self) -> i64 {
        i64::try_from(self.store.settings().grace.as_millis()).unwrap()
    }

    fn repository(&mut self) -> &'static str {
        REPOSITORIES[self.random.below(REPOSITORIES.len())]
    }

    fn of(&mut self, name: &str) -> &mut Repository {
        self.repositories.get_mut(name).expect("one of the three")
    }

    async fn step(&mut self) {
        match self.random.below(100) {
            0..64 => {
                if let Err(error) = self.operation().await.1 {
                    panic!("without a fault, nothing fails: {error}");
                }
            }
            64..78 => self.fail_somewhere().await,
            78..84 => self.store.crash().await,
            84..90 => self.pass_time().await,
            _ => self.collect().await,
        }
        self.look(&Touched::default()).await;
    }

    /// An operation or a collection during which something fails: it is done, or not done.
    async fn fail_somewhere(&mut self) {
        // Where all depends on whether it was committed, more often.
        let fault = match self.random.below(3) {
            0 => "meta.committed",
            1 => FAULTS[self.random.below(FAULTS.len())],
            _ => FAULTS_OF_STORE[self.random.below(FAULTS_OF_STORE.len())],
        };
        let fault = self.store.fault(fault);
        if self.random.chance(30) {
            let request = plura_registry::CollectRequest {
                repository: None,
                dry_run: false,
                now: now_plus(Duration::from_secs(1)),
            };
            let _may_fail = self.store.registry().collect(request).await;
            drop(fault);
            return self.look(&Touched::default()).await;
        }
        let (touched, result) = self.operation().await;
        drop(fault);
        if result.is_err() {
            self.look(&touched).await;
        }
    }

    async fn pass_time(&mut self) {
        let minutes = [10, 40, 70, 200, 700][self.random.below(5)];
        self.age(Duration::from_mins(minutes)).await;
    }

    async fn age(&mut self, by: Duration) {
        let by = i64::try_from(by.as_millis()).unwrap();
        self.ahead += by;
        self.store.execute(&format!("update review set due_at = due_at - {by}")).await;
        self.store.execute(&format!("update upload set touched_at = touched_at - {by}")).await;
    }

    async fn collect(&mut self) {
        let only = self.random.chance(20).then(|| self.repository());
        let known = match only {
            Some(repository) => {
                self.store.rows("repository").await.iter().any(|row| row.contains(repository))
            }
            None => true,
        };
        if known {
            self.store.collect_as_planned(only, Duration::from_secs(1)).await;
        }
    }

    fn link(&mut self, repository: &str, digest: Digest) {
        let until = self.now() + self.grace();
        self.of(repository).links.insert(digest, until);
    }

    fn add_manifest(&mut self, repository: &'static str, digest: Digest, tag: Option<&str>) {
        let until = if tag.is_none() { self.now() + self.keep() } else { 0 };
        let mut after = self.repositories[repository].clone();
        let young = after.manifests.entry(digest).or_default();
        *young = until.max(*young);
        after.tags.extend(tag.map(|tag| (tag.to_owned(), digest)));
        self.replace(repository, after);
    }

    /// Puts `after` in place of what a repository held. What lost something that needed it is young
    /// again.
    fn replace(&mut self, repository: &'static str, mut after: Repository) {
        let (keep, grace) = (self.now() + self.keep(), self.now() + self.grace());
        let before = &self.repositories[repository];
        for (tag, digest) in &before.tags {
            if after.tags.get(tag) != Some(digest) {
                renew(&mut after.manifests, digest, keep);
            }
        }
        for digest in before.manifests.keys() {
            if after.manifests.contains_key(digest) {
                continue;
            }
            let manifest = self.universe.manifest(digest);
            for kept in &manifest.blobs {
                renew(&mut after.links, kept, grace);
            }
            let about = self.universe.manifests.iter().filter(|m| m.subject == Some(*digest));
            for kept in manifest.children.iter().chain(about.map(|m| &m.digest)) {
                renew(&mut after.manifests, kept, grace);
            }
        }
        self.repositories.insert(repository, after);
    }

    /// Compares the store with the model, and takes over what the collector was free to do.
    async fn look(&mut self, touched: &Touched) {
        let observed = self.observe().await;
        for repository in REPOSITORIES {
            let before = self.repositories[repository].clone();
            let mut after = observed.get(repository).cloned().unwrap_or_default();
            let here = touched.repository == repository;
            let free = |digest: &Digest| here && touched.digest == Some(*digest);
            self.compare_tags(repository, &before, &after, touched).await;
            for digest in after.manifests.keys() {
                assert!(before.manifests.contains_key(digest) || free(digest), "{digest} appeared");
            }
            for digest in after.links.keys() {
                assert!(before.links.contains_key(digest) || free(digest), "{digest} appeared");
            }
            for (digest, young) in &before.manifests {
                let kept = after.manifests.contains_key(digest);
                assert!(
                    kept || free(digest) || !self.must_keep(&before, &after, digest, *young),
                    "manifest {digest} of {repository} was collected, and is needed or young"
                );
            }
            for (digest, young) in &before.links {
                let needs = |held: &Repository| {
                    held.manifests.keys().any(|m| self.universe.manifest(m).blobs.contains(digest))
                };
                let needed = needs(&after) || (needs(&before) && self.grace() > 0);
                let kept = after.links.contains_key(digest);
                assert!(
                    kept || free(digest) || (!needed && self.is_old(*young)),
                    "blob {digest} was unlinked from {repository}, and is needed or young"
                );
            }
            carry_over(&mut after.manifests, &before.manifests, self.now() + self.keep());
            carry_over(&mut after.links, &before.links, self.now() + self.grace());
            self.replace(repository, after);
        }
    }

    async fn compare_tags(
        &self,
        repository: &str,
        before: &Repository,
        after: &Repository,
        touched: &Touched,
    ) {
        for tag in TAGS {
            let (was, is) = (before.tags.get(tag), after.tags.get(tag));
            let here = touched.repository == repository;
            let moved =
                here && touched.tag == Some(tag) && (is.is_none() || is == touched.digest.as_ref());
            let deleted = here && is.is_none() && was == touched.digest.as_ref();
            assert!(was == is || moved || deleted, "{repository}:{tag} was {was:?} and is {is:?}");
            // The cache, too, must have noticed.
            let found = self.store.registry().manifest(&name(repository), &reference(tag)).await;
            match is {
                None => assert_refused!(found, Error::ManifestUnknown(_)),
                Some(is) => assert_eq!(found.unwrap().digest, *is, "{repository}:{tag}"),
            }
        }
    }

    fn must_keep(
        &self,
        before: &Repository,
        after: &Repository,
        digest: &Digest,
        young: i64,
    ) -> bool {
        let needs = |held: &Repository| {
            let subject = self.universe.manifest(digest).subject;
            held.tags.values().any(|target| target == digest)
                || subject.is_some_and(|subject| held.manifests.contains_key(&subject))
                || held
                    .manifests
                    .keys()
                    .any(|m| self.universe.manifest(m).children.contains(digest))
        };
        // What was needed until this run has its own grace before it.
        needs(after) || (needs(before) && self.grace() > 0) || !self.is_old(young)
    }

    fn is_old(&self, young: i64) -> bool {
        const SLACK: i64 = 60_000;
        young - SLACK < self.now()
    }

    /// What the rows say; asking the registry would make everything young.
    async fn observe(&self) -> BTreeMap<String, Repository> {
        let mut found: BTreeMap<String, Repository> = BTreeMap::new();
        let tags = "select repository.name, tag.digest, tag.name from tag
            join repository on repository.id = repository_id";
        for (repository, digest, tag) in self.store.select(tags).await {
            found.entry(repository).or_default().tags.insert(tag, digest.parse().unwrap());
        }
        let manifests = "select repository.name, manifest.digest, '' from manifest
            join repository on repository.id = repository_id";
        for (repository, digest, _) in self.store.select(manifests).await {
            let held = found.entry(repository).or_default();
            held.manifests.insert(digest.parse().unwrap(), 0);
        }
        let links = "select repository.name, blob.digest, '' from blob_link
            join blob on blob.id = blob_id join repository on repository.id = repository_id";
        for (repository, digest, _) in self.store.select(links).await {
            found.entry(repository).or_default().links.insert(digest.parse().unwrap(), 0);
        }
        found
    }

    /// Lets everything become old and collects until nothing changes: what is left is what is needed,
    /// and all of it can be read.
    async fn settle(&mut self) {
        for _ in 0..6 {
            self.age(HOUR * 12).await;
            self.store.collect_as_planned(None, Duration::from_secs(1)).await;
            self.look(&Touched::default()).await;
        }
        let mut blobs = BTreeSet::new();
        let mut broken = 0;
        for repository in REPOSITORIES {
            let held = &self.repositories[repository];
            let needed = self.universe.reachable(&held.manifests, held.tags.values());
            assert_eq!(held.manifests.keys().copied().collect::<BTreeSet<_>>(), needed);
            let wanted: BTreeSet<Digest> =
                needed.iter().flat_map(|m| &self.universe.manifest(m).blobs).copied().collect();
            for digest in held.links.keys() {
                assert!(wanted.contains(digest), "{repository} links {digest} for nothing");
                self.store.read(repository, digest).await.expect("a linked blob can be read");
                blobs.insert(*digest);
            }
            for manifest in &needed {
                let required = &self.universe.manifest(manifest).blobs;
                let whole = required.iter().all(|blob| held.links.contains_key(blob));
                broken += required.iter().filter(|blob| !held.links.contains_key(*blob)).count();
                match self.store.pull(repository, manifest).await {
                    Ok(_) => assert!(whole),
                    Err(error) => assert!(!whole, "{manifest}: {error}"),
                }
            }
        }
        assert_eq!(self.store.files("blobs").len(), blobs.len());
        assert_eq!(self.store.files("uploads"), [""; 0]);
        let report = self.store.check(CheckOptions { rehash: true, repair: false }).await;
        // Only what a client deleted under a manifest may be missing.
        let expected = vec![FindingKind::MissingReference; broken];
        assert_eq!(kinds(&report), expected, "{:?}", report.findings);
    }

    async fn delete_everything(&mut self) {
        for repository in REPOSITORIES {
            for digest in self.repositories[repository].manifests.clone().keys() {
                self.store.delete(repository, digest).await;
                let mut after = self.repositories[repository].clone();
                after.manifests.remove(digest);
                after.tags.retain(|_, target| target != digest);
                self.replace(repository, after);
            }
            let id = self.store.registry().start_upload(&name(repository), Algorithm::Sha512).await;
            id.expect("a session is started, and left");
        }
    }
}

fn renew(held: &mut BTreeMap<Digest, i64>, digest: &Digest, until: i64) {
    if let Some(young) = held.get_mut(digest) {
        *young = until.max(*young);
    }
}

/// What was known keeps its age; what is new is new.
fn carry_over(after: &mut BTreeMap<Digest, i64>, before: &BTreeMap<Digest, i64>, new: i64) {
    for (digest, young) in after {
        *young = before.get(digest).copied().unwrap_or(new);
    }
}
