//! The log over a database and tiles, in a directory and in a bucket.
#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use plura_meta::{
    Error, Timestamp, Tx,
    log::{self, NewEntry},
};
use plura_registry::{AccessKeys, BucketOptions, Registry, Settings, Storage};
use plura_testkit::S3;
use plura_tlog::{Checkpoint, VerifierKey};
use plura_transparency::{EntryQuery, Transparency};
use tempfile::TempDir;

const ORIGIN: &str = "log.example.com";

/// An installation whose log is continued when a test says so.
struct Place {
    folder: TempDir,
    registry: Registry,
    log: Transparency,
}

impl Place {
    async fn new(storage: Storage) -> Self {
        let folder = TempDir::new().unwrap();
        let settings = Settings { storage, ..Settings::default() };
        let registry = Registry::open(folder.path(), settings).await.unwrap();
        let log = process(&registry, folder.path());
        Self { folder, registry, log }
    }

    /// Appends entries with one commit; the first is about the first number.
    async fn append(&self, numbers: std::ops::Range<u64>) {
        let work = async move |tx: &mut Tx| {
            for number in numbers {
                let (subject, document) = (format!("s{number}"), format!("{{\"n\":{number}}}"));
                let document = document.as_bytes();
                let entry =
                    NewEntry { kind: "test.entry", subject: &subject, digests: &[], document };
                log::append(tx, &entry, Timestamp(1_700_000_000_000)).await?;
            }
            Ok::<_, Error>(())
        };
        let db = self.registry.database();
        db.write(move |tx| Box::pin(async move { work(tx).await })).await.unwrap();
    }

    async fn integrate(&self) -> u64 {
        while self.log.work().await.unwrap() {}
        self.log.head().await.unwrap().unwrap().size
    }

    async fn keys(&self) -> Vec<VerifierKey> {
        self.log.keys().await.unwrap().iter().map(|key| key.parse().unwrap()).collect()
    }

    async fn assert_sound(&self, size: u64) {
        let check = self.log.check().await.unwrap();
        assert_eq!(
            (check.size, check.integrated, check.is_sound()),
            (size, size, true),
            "{check:?}"
        );
    }
}

/// The log as another process with a directory of its own has it.
fn process(registry: &Registry, directory: &Path) -> Transparency {
    let settings = plura_transparency::Settings {
        directory: directory.to_owned(),
        origin: Some(ORIGIN.parse().unwrap()),
        default_origin: None,
    };
    Transparency::new(registry.clone(), settings)
}

fn bucket(store: &S3) -> Storage {
    Storage::Bucket(Box::new(BucketOptions {
        endpoint: Some(store.endpoint()),
        region: "us-east-1".to_owned(),
        bucket: S3::BUCKET.to_owned(),
        keys: Some(AccessKeys { id: S3::ACCESS_KEY.to_owned(), secret: S3::SECRET_KEY.to_owned() }),
        path_style: true,
        allow_http: true,
        ..BucketOptions::default()
    }))
}

/// Grows, is proven and found sound, step by step.
async fn check_growth(place: &Place) {
    assert_eq!(place.integrate().await, 0);
    place.assert_sound(0).await;
    let mut size = 0;
    for more in [1, 2, 252, 1, 1, 300, 1000] {
        place.append(size..size + more).await;
        size += more;
        assert_eq!(place.log.size().await.unwrap(), size);
        assert_eq!(place.integrate().await, size);
        place.assert_sound(size).await;
        let keys = place.keys().await;
        for index in BTreeSet::from([0, size / 3, size - 1]) {
            let proof = place.log.proof(index).await.unwrap().unwrap();
            let proved = proof.verify(ORIGIN, &keys).unwrap();
            assert_eq!((proved.index, proved.checkpoint.size()), (index, size));
            assert!(proof.entry.to_string().contains(&format!("\"subject\":\"s{index}\"")));
        }
    }
    assert!(place.log.proof(size).await.is_err());
    let query = EntryQuery { kind: Some("test.".to_owned()), limit: 2, ..EntryQuery::default() };
    let page = place.log.entries(&query).await.unwrap();
    assert_eq!((page.entries[0].index, page.next), (size - 1, Some(size - 2)));
}

#[tokio::test]
async fn a_log_in_a_directory_grows_and_is_sound() {
    let place = Place::new(Storage::Directory).await;
    check_growth(&place).await;
    // Nothing that has grown out of itself is left.
    assert!(!place.folder.path().join("log/tile/0/000.p").exists());
    // Another process knows nothing of it by itself.
    let other = TempDir::new().unwrap();
    let again = process(&place.registry, other.path());
    place.append(5000..5001).await;
    again.work().await.unwrap();
    assert_eq!(again.check().await.unwrap().findings, []);
    assert_eq!(again.keys().await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_log_in_a_bucket_grows_and_is_sound() {
    let folder = TempDir::new().unwrap();
    let store = S3::start_in(folder.path());
    check_growth(&Place::new(bucket(&store)).await).await;
}

/// What two do at once is the same; one of them signs.
#[tokio::test]
async fn processes_that_integrate_at_once_sign_one_log() {
    let place = Place::new(Storage::Directory).await;
    let other = TempDir::new().unwrap();
    let second = process(&place.registry, other.path());
    let mut before: Option<Checkpoint> = None;
    for round in 0..20 {
        place.append(round * 30..round * 30 + 30).await;
        let (one, two) = tokio::join!(place.log.work(), second.work());
        one.unwrap();
        two.unwrap();
        let head = place.log.head().await.unwrap().unwrap();
        assert_eq!(head.size, round * 30 + 30);
        let keys = place.keys().await;
        let (checkpoint, _) = Checkpoint::open(head.checkpoint.as_bytes(), ORIGIN, &keys).unwrap();
        assert!(before.is_none_or(|before| before.size() < checkpoint.size()));
        before = Some(checkpoint);
        assert_eq!(place.log.check().await.unwrap().findings, []);
    }
    let written = std::fs::read_to_string(place.folder.path().join("log/checkpoint")).unwrap();
    assert_eq!(written, place.log.head().await.unwrap().unwrap().checkpoint);
}

#[tokio::test]
async fn who_waits_for_an_entry_gets_its_proof_as_soon_as_there_is_one() {
    let place = Place::new(Storage::Directory).await;
    place.append(0..1).await;
    let none = place.log.wait_for(0, Duration::from_millis(50)).await.unwrap();
    assert_eq!(none, None, "nobody integrates");
    let watching = place.log.clone();
    let worker = tokio::spawn(async move { watching.watch().await });
    let proof = place.log.wait_for(0, Duration::from_secs(20)).await.unwrap();
    assert_eq!(proof.unwrap().index, 0);
    worker.abort();
}

#[tokio::test]
async fn the_name_of_a_log_is_kept() {
    let folder = TempDir::new().unwrap();
    let registry = Registry::open(folder.path(), Settings::default()).await.unwrap();
    let named = |origin: Option<&str>, default: Option<&str>| {
        let settings = plura_transparency::Settings {
            directory: folder.path().to_owned(),
            origin: origin.map(|name| name.parse().unwrap()),
            default_origin: default.map(|name| name.parse().unwrap()),
        };
        Transparency::new(registry.clone(), settings)
    };
    for (origin, default, expected) in [
        (None, Some("one"), "one"),
        (None, Some("two"), "one"),
        (None, None, "one"),
        (Some("three"), None, "three"),
        (None, Some("two"), "three"),
    ] {
        let log = named(origin, default);
        log.prepare().await.unwrap();
        let head = log.head().await.unwrap().unwrap();
        assert_eq!(head.origin.as_str(), expected);
        let keys: Vec<VerifierKey> =
            log.keys().await.unwrap().iter().map(|key| key.parse().unwrap()).collect();
        Checkpoint::open(head.checkpoint.as_bytes(), expected, &keys).unwrap();
    }
}
