//! A bucket for an installation under test: in an object store in this process, or in another one that
//! variables name. Nothing may be left in it that metadata does not know.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use plura_blob::{AccessKeys, BucketOptions, Retries, Storage};
use plura_testkit::S3;

use crate::behind::Behind;

pub(crate) struct Bucket {
    own: Option<S3>,
    options: BucketOptions,
}

const PREFIX: &str = "some/prefix";

impl Bucket {
    /// A bucket that is empty below its prefix.
    pub(crate) fn beside(directory: &Path) -> Self {
        let Ok(endpoint) = std::env::var("PLURA_TEST_S3_ENDPOINT") else {
            return Self::of(S3::start_in(&directory.join("s3")));
        };
        let unique = directory.file_name().unwrap().to_str().unwrap().trim_start_matches('.');
        let options = BucketOptions {
            endpoint: Some(endpoint),
            prefix: format!("test-{unique}-{}", std::process::id()),
            ..options()
        };
        Self { own: None, options }
    }

    fn of(store: S3) -> Self {
        let options = BucketOptions { endpoint: Some(store.endpoint()), ..options() };
        Self { own: Some(store), options }
    }

    pub(crate) fn storage(&self) -> Storage {
        Storage::Bucket(Box::new(self.options.clone()))
    }

    /// The bucket in words that [`Bucket::storage_at`] understands in another process.
    pub(crate) fn address(&self) -> String {
        format!("{} {}", self.options.endpoint.as_deref().unwrap_or_default(), self.options.prefix)
    }

    /// The storage at an address, or the directory at none.
    pub(crate) fn storage_at(address: &str) -> Storage {
        let Some((endpoint, prefix)) = address.split_once(' ') else { return Storage::Directory };
        let options = BucketOptions {
            endpoint: Some(endpoint.to_owned()),
            prefix: prefix.to_owned(),
            ..options()
        };
        Storage::Bucket(Box::new(options))
    }

    /// How the bucket is used; for changes.
    pub(crate) fn options(&self) -> BucketOptions {
        self.options.clone()
    }

    /// The object store, which must be in this process: it can be made to fail.
    pub(crate) fn own(&self) -> &S3 {
        self.own.as_ref().expect("an object store in this process")
    }

    pub(crate) fn blobs_path(directory: &Path) -> PathBuf {
        directory.join("s3").join(S3::BUCKET).join(PREFIX).join("blobs")
    }

    /// The keys of all objects.
    pub(crate) fn blobs(&self) -> Vec<String> {
        match &self.own {
            Some(store) => {
                let below = format!("{PREFIX}/blobs/");
                let keys = store.objects().into_iter();
                keys.filter_map(|key| key.strip_prefix(&below).map(ToOwned::to_owned)).collect()
            }
            None => self.ask(async |bucket| {
                let found = plura_blob::Blobs::Bucket(bucket).walk().await.unwrap();
                found.into_iter().map(|file| file.key.to_string()).collect()
            }),
        }
    }

    /// The uploads of unfinished writing in parts.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        match &self.own {
            Some(store) => store.unfinished().iter().map(|key| upload_of(key)).collect(),
            None => self.ask(async |bucket| {
                let found = bucket.unfinished().await.unwrap();
                found.into_iter().map(|(upload, _)| upload.to_string()).collect()
            }),
        }
    }

    /// Every object belongs to a blob, a removal or a session, and every write in parts to a session.
    pub(crate) fn assert_nothing_leaked(&self, database: impl AsyncFn() -> Behind + Sync) {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            // In this order: what goes away meanwhile is not missed.
            let (objects, unfinished) = (self.blobs(), self.unfinished());
            let (keys, sessions) = elsewhere(&database);
            let known = |key: &String| keys.contains(key) || sessions.contains(&upload_of(key));
            let leaked: Vec<_> = objects.iter().filter(|key| is_ours(key) && !known(key)).collect();
            let open: Vec<_> = unfinished.iter().filter(|id| !sessions.contains(*id)).collect();
            if leaked.is_empty() && open.is_empty() {
                return;
            }
            assert!(Instant::now() < deadline, "left in the bucket: {leaked:?}, begun: {open:?}");
        }
    }

    fn ask<T: Send>(&self, ask: impl AsyncFnOnce(plura_blob::Bucket) -> T + Send) -> T {
        let options = self.options.clone();
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                let runtime = tokio::runtime::Runtime::new().unwrap();
                runtime.block_on(async { ask(plura_blob::Bucket::open(&options).unwrap()).await })
            });
            thread.join().unwrap()
        })
    }
}

/// Small and quick.
fn options() -> BucketOptions {
    let variable = |name: &str, own: &str| {
        std::env::var(format!("PLURA_TEST_S3_{name}")).unwrap_or_else(|_| own.to_owned())
    };
    BucketOptions {
        region: variable("REGION", "us-east-1"),
        bucket: variable("BUCKET", S3::BUCKET),
        prefix: PREFIX.to_owned(),
        keys: Some(AccessKeys {
            id: variable("ACCESS_KEY", S3::ACCESS_KEY),
            secret: variable("SECRET_KEY", S3::SECRET_KEY),
        }),
        allow_http: true,
        part_size: 5 << 20,
        retries: Retries {
            count: 3,
            pause: Duration::from_millis(1),
            silence: Duration::from_secs(20),
        },
        ..BucketOptions::default()
    }
}

fn upload_of(key: &str) -> String {
    let file = key.rsplit('/').next().unwrap_or_default();
    file.split('.').next().unwrap_or_default().to_owned()
}

/// Whether plura gave the key; the tests put other things there, too.
fn is_ours(key: &str) -> bool {
    key.split('/').count() == 2
}

/// The keys and the sessions that metadata knows, asked on a thread that may block.
fn elsewhere(database: &(impl AsyncFn() -> Behind + Sync)) -> (Vec<String>, Vec<String>) {
    const SESSIONS: &str = "select '', '', id from upload";
    const KEYS: &str = "select '', '', storage_key from blob
        union select '', '', storage_key from removal";
    let column = |rows: Vec<(String, String, String)>| rows.into_iter().map(|row| row.2).collect();
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                // The session goes last in the transaction that makes its object a blob.
                let sessions = database().await.select(SESSIONS).await;
                (column(database().await.select(KEYS).await), column(sessions))
            })
        });
        thread.join().unwrap()
    })
}
