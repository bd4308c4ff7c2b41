//! An installation in a temporary directory, and ways to look behind it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::StreamExt;
use plura_oci::Digest;
use plura_registry::{
    AdoptReport, AdoptRequest, CheckOptions, CheckReport, CollectReport, CollectRequest,
    DatabaseServer, Error, Finding, FindingKind, KeepUntagged, Opened, PushedManifest, PutManifest,
    Registry, Settings, Timestamp,
};
use plura_testkit::postgres::{Database, Postgres};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(crate) use crate::content::*;
use crate::{behind::Behind, bucket::Bucket};

/// The result is this error, or the test fails with what it is.
macro_rules! assert_refused {
    ($result:expr, $pattern:pat $(if $guard:expr)?) => {
        match $result {
            Err($pattern) $(if $guard)? => {}
            other => panic!("expected {}, got {other:?}", stringify!($pattern)),
        }
    };
}

pub(crate) const HOUR: Duration = Duration::from_hours(1);

/// Fault points are the whole process's: whoever arms one has the process for himself.
static FAULTS: RwLock<()> = RwLock::const_new(());

enum Share {
    All { _guard: RwLockReadGuard<'static, ()> },
    Alone { _guard: RwLockWriteGuard<'static, ()> },
}

/// An installation in a directory that goes away with it.
pub(crate) struct Store {
    bucket: Option<Bucket>,
    directory: TempDir,
    settings: Settings,
    registry: Option<Registry>,
    share: Share,
    /// Ends after everything that may be connected to it.
    database: Option<Database>,
}

/// Names the engine that has the metadata, if it is not SQLite: `postgres`. Then every store has a
/// database of its own on a server that the tests start.
const ENGINE: &str = "PLURA_TEST_DATABASE";
/// Beside the files of an installation: which database it has, for processes that find only those.
const URL: &str = "plura.db.url";
/// The same of its bucket.
const BUCKET: &str = "plura.db.bucket";

/// Short times, all different, so that a test can stand between any two of them.
pub(crate) fn settings() -> Settings {
    Settings {
        grace: HOUR,
        keep_untagged: KeepUntagged::For(10 * HOUR),
        upload_expiry: 5 * HOUR,
        ..Settings::default()
    }
}

/// Everything that nothing needs goes with the next collection.
pub(crate) fn no_grace() -> Settings {
    Settings {
        grace: Duration::ZERO,
        keep_untagged: KeepUntagged::For(Duration::ZERO),
        ..settings()
    }
}

/// A directory in memory, if the machine has that and nobody chose another place: thousands of syncs
/// to a disk would be most of the time of these tests, and none of them cuts the power.
pub(crate) fn temporary() -> TempDir {
    let memory = Path::new("/dev/shm");
    if std::env::var_os("TMPDIR").is_none() && memory.is_dir() {
        return tempfile::tempdir_in(memory).unwrap();
    }
    tempfile::tempdir().unwrap()
}

impl Store {
    pub(crate) async fn new(settings: Settings) -> Self {
        Self::open(settings, Share::All { _guard: FAULTS.read().await }).await
    }

    /// For tests that arm fault points.
    pub(crate) async fn alone(settings: Settings) -> Self {
        Self::open(settings, Share::Alone { _guard: FAULTS.write().await }).await
    }

    /// For tests of what only a file can suffer, whatever the others are run on.
    pub(crate) async fn in_file(settings: Settings) -> Self {
        Self::with(settings, Share::All { _guard: FAULTS.read().await }, None).await
    }

    /// For tests of what several processes on one database do, whatever the others are run on.
    pub(crate) async fn on_server(settings: Settings) -> Self {
        let database = Postgres::shared().database(migrate).await;
        Self::with(settings, Share::All { _guard: FAULTS.read().await }, Some(database)).await
    }

    /// The database, of a store that is [`Store::on_server`].
    pub(crate) fn database(&self) -> &Database {
        self.database.as_ref().expect("the store is on a server")
    }

    async fn open(settings: Settings, share: Share) -> Self {
        Self::with(settings, share, database().await).await
    }

    async fn with(settings: Settings, share: Share, database: Option<Database>) -> Self {
        let directory = temporary();
        if let Some(database) = &database {
            fs::write(directory.path().join(URL), database.url()).unwrap();
        }
        let bucket = crate::IN_BUCKET.then(|| Bucket::beside(directory.path()));
        if let Some(bucket) = &bucket {
            fs::write(directory.path().join(BUCKET), bucket.address()).unwrap();
        }
        let settings = of_installation(directory.path(), settings);
        let registry = Registry::open(directory.path(), settings.clone()).await.unwrap();
        Self { bucket, directory, settings, registry: Some(registry), share, database }
    }

    /// The bucket, where bytes are kept in one.
    pub(crate) fn bucket(&self) -> Option<&Bucket> {
        self.bucket.as_ref()
    }

    pub(crate) fn registry(&self) -> &Registry {
        self.registry.as_ref().expect("the registry is open")
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Arms a fault point until the guard is dropped.
    pub(crate) fn fault(&self, name: &'static str) -> Armed {
        assert!(
            matches!(self.share, Share::Alone { .. }),
            "only a store that is alone may arm faults"
        );
        plura_fault::arm(name, Some(plura_fault::Fault::Error));
        Armed(name)
    }

    /// Ends the registry in order.
    pub(crate) async fn close(&mut self) {
        if let Some(registry) = self.registry.take() {
            registry.close().await;
        }
    }

    /// Lets go of the registry without closing anything, and opens the directory again.
    pub(crate) async fn crash(&mut self) {
        drop(self.registry.take());
        self.pass_time().await;
        self.reopen().await;
    }

    /// Stops listening to an adoption after so many reports, which stops its scan, and crashes.
    pub(crate) async fn crash_while_adopting(&mut self, request: AdoptRequest, after: usize) {
        let registry = self.registry().clone();
        let mut steps = 0;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let mut stop = Some(stop);
        let mut progress = move |_: &AdoptReport| {
            steps += 1;
            if steps == after {
                drop(stop.take());
            }
        };
        tokio::select! {
            biased;
            _ = stopped => {}
            report = registry.adopt(request, &mut progress) => { report.unwrap(); }
        }
        drop(registry);
        self.crash().await;
    }

    /// As it is when some time has passed after a process died: what it held alone is free.
    pub(crate) async fn pass_time(&self) {
        self.execute("delete from lease").await;
        self.execute("update upload set claimed_until = 0 where claim is not null").await;
    }

    /// Opens the directory again; another clone may still be on its way out.
    pub(crate) async fn reopen(&mut self) {
        self.close().await;
        let opened =
            eventually(async || match Registry::open(self.path(), self.settings.clone()).await {
                Err(Error::InUse(_)) => None,
                opened => Some(opened),
            });
        self.registry = Some(opened.await.expect("the installation opens again"));
    }

    /// Opens the directory again with other settings.
    pub(crate) async fn reopen_with(&mut self, settings: Settings) {
        self.settings = Settings { database: self.settings.database.clone(), ..settings };
        self.reopen().await;
    }

    pub(crate) async fn push(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = Digest::sha256(bytes);
        self.try_push(repository, &digest, bytes).await.expect("the blob is taken");
        digest
    }

    pub(crate) async fn try_push(
        &self,
        repository: &str,
        digest: &Digest,
        bytes: &[u8],
    ) -> Result<(), Error> {
        self.registry().push_blob(&name(repository), digest, chunk(bytes)).await
    }

    pub(crate) async fn put(
        &self,
        repository: &str,
        reference: impl ToString,
        manifest: &[u8],
    ) -> Result<PushedManifest, Error> {
        put(self.registry(), repository, reference, manifest).await
    }

    /// Pushes the blobs of an image and then its manifest.
    pub(crate) async fn push_image(
        &self,
        repository: &str,
        reference: impl ToString,
        image: &Image,
    ) -> Digest {
        for blob in &image.blobs {
            self.push(repository, blob).await;
        }
        self.put(repository, reference, &image.manifest)
            .await
            .expect("the manifest is taken")
            .digest
    }

    pub(crate) async fn delete(&self, repository: &str, what: impl ToString) {
        let reference = reference(what);
        let deleted = self.registry().delete_manifest(&name(repository), &reference).await;
        deleted.expect("the manifest or tag is deleted");
    }

    pub(crate) async fn read(&self, repository: &str, digest: &Digest) -> Result<Vec<u8>, Error> {
        read(self.registry(), repository, digest).await
    }

    /// Reads a manifest and everything that an image of it needs, and compares all digests.
    pub(crate) async fn pull(
        &self,
        repository: &str,
        reference: impl ToString,
    ) -> Result<Digest, Error> {
        pull(self.registry(), repository, reference).await
    }

    pub(crate) async fn has(&self, repository: &str, reference: impl ToString) -> bool {
        match self.pull(repository, reference).await {
            Ok(_) => true,
            Err(Error::ManifestUnknown(_)) => false,
            Err(error) => panic!("the manifest is neither there nor gone: {error}"),
        }
    }

    /// Collects as if it were `later` from now, after a dry run that must change nothing and foresee
    /// everything.
    pub(crate) async fn collect_as_planned(
        &self,
        repository: Option<&str>,
        later: Duration,
    ) -> CollectReport {
        let now = now_plus(later);
        let request = |dry_run| CollectRequest { repository: repository.map(name), dry_run, now };
        let before = self.snapshot().await;
        let mut planned = self.registry().collect(request(true)).await.expect("the dry run runs");
        assert_eq!(before.differences(&self.snapshot().await), [""; 0], "a dry run changed this");
        let done = self.registry().collect(request(false)).await.expect("the collection runs");
        assert!(planned.dry_run && !done.dry_run);
        planned.dry_run = false;
        assert_eq!(planned, done, "the dry run and the run");
        assert_eq!(self.rows("removal").await, [""; 0], "everything queued is deleted");
        done
    }

    /// Collects as if it were `later` from now.
    pub(crate) async fn collect(&self, later: Duration) -> CollectReport {
        let request = CollectRequest { repository: None, dry_run: false, now: now_plus(later) };
        self.registry().collect(request).await.expect("the collection runs")
    }

    pub(crate) async fn check(&self, options: CheckOptions) -> CheckReport {
        check(self.path(), &self.settings, options).await.expect("the check runs")
    }

    /// Nothing is wrong, and all content is what its digest says.
    pub(crate) async fn assert_sound(&self) {
        let report = self.check(CheckOptions { rehash: true, repair: false }).await;
        assert_eq!(report.findings, Vec::<Finding>::new());
    }

    /// Nothing at all is stored, neither as rows nor as files.
    pub(crate) async fn assert_empty(&self) {
        let tables =
            ["repository", "blob", "blob_link", "manifest", "tag", "upload", "review", "removal"];
        for table in tables {
            assert_eq!(self.rows(table).await, Vec::<String>::new(), "table {table}");
        }
        assert_eq!(self.files("blobs"), Vec::<String>::new());
        assert_eq!(self.files("uploads"), Vec::<String>::new());
        let totals = self.registry().totals().await.unwrap();
        assert_eq!((totals.blobs, totals.blob_bytes), (0, 0));
    }

    /// Files below a directory of the installation, by name; or what stands for them in a bucket.
    pub(crate) fn files(&self, below: &str) -> Vec<String> {
        match (&self.bucket, below) {
            (Some(bucket), "blobs") => bucket.blobs(),
            (Some(bucket), "uploads") => bucket.unfinished(),
            _ => files(&self.path().join(below)).into_keys().collect(),
        }
    }

    /// The file of a blob that is stored once.
    pub(crate) async fn blob_file(&self, digest: &Digest) -> PathBuf {
        let key = format!("select '', '', storage_key from blob where digest = '{digest}'");
        let (_, _, key) = self.select(&key).await.pop().expect("the blob is known");
        self.blobs_path().join(key)
    }

    /// The file of the one session that there is.
    pub(crate) async fn session_file(&self) -> PathBuf {
        if self.bucket.is_none() {
            return self.path().join("uploads").join(&self.files("uploads")[0]);
        }
        let tail = match self.database {
            Some(_) => "select '', '', parts::json -> 'tail' ->> 'key' from upload",
            None => "select '', '', json_extract(parts, '$.tail.key') from upload",
        };
        let (_, _, key) = self.select(tail).await.pop().expect("a session with a tail");
        self.blobs_path().join(key)
    }

    /// The directory that keys are below.
    pub(crate) fn blobs_path(&self) -> PathBuf {
        match &self.bucket {
            Some(_) => Bucket::blobs_path(self.path()),
            None => self.path().join("blobs"),
        }
    }

    /// The rows of a table as text, in the order of their text.
    pub(crate) async fn rows(&self, table: &str) -> Vec<String> {
        self.behind().await.rows(table).await
    }

    /// Three columns of text.
    pub(crate) async fn select(&self, sql: &str) -> Vec<(String, String, String)> {
        self.behind().await.select(sql).await
    }

    /// Changes the database behind plura's back.
    pub(crate) async fn execute(&self, sql: &str) -> u64 {
        self.behind().await.execute(sql).await
    }

    /// Bytes, as the engine writes them in a statement.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> String {
        let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
        if self.database.is_some() { format!("'\\x{hex}'") } else { format!("x'{hex}'") }
    }

    /// A number, as the engine thinks of one.
    pub(crate) fn random_below(&self, limit: u32) -> String {
        match self.database {
            Some(_) => format!("cast(floor(random() * {limit}) as bigint)"),
            None => format!("(abs(random()) % {limit})"),
        }
    }

    async fn behind(&self) -> Behind {
        match &self.database {
            Some(database) => Behind::server(&database.url()).await,
            None => Behind::file(&plura_registry::database_path(self.path())).await,
        }
    }

    /// Every table, and every file that is not the database's: what a change can be seen in.
    pub(crate) async fn snapshot(&self) -> Snapshot {
        let mut behind = self.behind().await;
        let mut tables = BTreeMap::new();
        for table in TABLES {
            tables.insert((*table).to_owned(), behind.rows(table).await);
        }
        let mut files = files(self.path());
        // What the object store keeps for itself is not plura's.
        files.retain(|file, _| !file.starts_with("plura.db") && !file.starts_with("s3/."));
        Snapshot { tables, files }
    }
}

pub(crate) const TABLES: &[&str] = &[
    "repository",
    "blob",
    "blob_link",
    "manifest",
    "manifest_reference",
    "tag",
    "upload",
    "review",
    "removal",
    "total",
    "project",
    "project_blob",
];

impl Drop for Store {
    fn drop(&mut self) {
        if let Some(bucket) = &self.bucket
            && !std::thread::panicking()
        {
            let (url, path) = (self.database.as_ref().map(Database::url), self.path());
            let path = plura_registry::database_path(path);
            bucket.assert_nothing_leaked(async || match &url {
                Some(url) => Behind::server(url).await,
                None => Behind::file(&path).await,
            });
        }
    }
}

/// What is stored, for comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    pub(crate) tables: BTreeMap<String, Vec<String>>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Snapshot {
    /// The names of the tables and files that differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<String> {
        let mut found = differing(&self.tables, &other.tables);
        found.extend(differing(&self.files, &other.files));
        found
    }
}

fn differing<V: PartialEq>(one: &BTreeMap<String, V>, other: &BTreeMap<String, V>) -> Vec<String> {
    let mut names: Vec<&String> = one.keys().chain(other.keys()).collect();
    names.sort();
    names.dedup();
    names.into_iter().filter(|name| one.get(*name) != other.get(*name)).cloned().collect()
}

/// A database for one store, if there is a server for them.
async fn database() -> Option<Database> {
    match std::env::var(ENGINE).as_deref() {
        Err(_) => None,
        Ok("postgres") => Some(Postgres::shared().database(migrate).await),
        Ok(other) => panic!("{ENGINE} is `{other}`, and may be `postgres`"),
    }
}

pub(crate) async fn migrate(url: &str) {
    let location = plura_meta::Location::Server(Box::new(DatabaseServer::new(url).unwrap()));
    plura_meta::migrations::migrate(&location).await.unwrap();
}

/// The settings with the database that the installation in the directory has.
pub(crate) fn of_installation(directory: &Path, mut settings: Settings) -> Settings {
    let url = fs::read_to_string(directory.join(URL)).ok();
    settings.database = url.map(|url| DatabaseServer::new(&url).unwrap().max_connections(4));
    if let Ok(bucket) = fs::read_to_string(directory.join(BUCKET)) {
        settings.storage = Bucket::storage_at(&bucket);
    }
    settings
}

/// Disarms its fault point.
pub(crate) struct Armed(&'static str);

impl Drop for Armed {
    fn drop(&mut self) {
        plura_fault::arm(self.0, None);
    }
}

pub(crate) fn now_plus(later: Duration) -> Timestamp {
    Timestamp::now().after(later)
}

pub(crate) async fn put(
    registry: &Registry,
    repository: &str,
    what: impl ToString,
    manifest: &[u8],
) -> Result<PushedManifest, Error> {
    let put = PutManifest {
        repository: name(repository),
        reference: reference(what),
        tags: Vec::new(),
        content_type: None,
        bytes: Bytes::copy_from_slice(manifest),
    };
    registry.put_manifest(put).await
}

pub(crate) async fn read(
    registry: &Registry,
    repository: &str,
    digest: &Digest,
) -> Result<Vec<u8>, Error> {
    let content = registry.blob(&name(repository), digest).await?;
    let mut bytes = Vec::new();
    match registry.open_blob(&content).await? {
        Opened::File(opened) => {
            bytes.resize(usize::try_from(opened.size).unwrap(), 0);
            std::os::unix::fs::FileExt::read_exact_at(&*opened.file, &mut bytes, 0).unwrap();
        }
        Opened::Object(object) => {
            let mut stream = registry.read_object(&content, &object, 0..content.size).await?;
            while let Some(frame) = stream.next().await {
                bytes.extend_from_slice(&frame.unwrap());
            }
        }
    }
    assert_eq!(Digest::of(digest.algorithm(), &bytes), *digest, "a blob has its digest");
    Ok(bytes)
}

pub(crate) async fn pull(
    registry: &Registry,
    repository: &str,
    what: impl ToString,
) -> Result<Digest, Error> {
    let found = registry.manifest(&name(repository), &reference(what)).await?;
    let digest = Digest::of(found.digest.algorithm(), &found.bytes);
    assert_eq!(digest, found.digest, "a manifest has its digest");
    let manifest = plura_oci::Manifest::parse(&found.bytes, None).unwrap();
    for blob in manifest.required_blobs() {
        read(registry, repository, &blob.digest).await?;
    }
    Ok(digest)
}

pub(crate) async fn check(
    directory: &Path,
    settings: &Settings,
    options: CheckOptions,
) -> Result<CheckReport, Error> {
    plura_registry::check(directory, settings, options, &mut |_| {}).await
}

pub(crate) fn kinds(report: &CheckReport) -> Vec<FindingKind> {
    report.findings.iter().map(|finding| finding.kind).collect()
}

/// Asks again until there is an answer.
pub(crate) async fn eventually<T>(mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "what was waited for did not happen");
        tokio::task::yield_now().await;
    }
}

/// The files below a directory with their content; what ends while it is looked at is not there.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                pending.push(path);
                continue;
            }
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            match fs::read(&path) {
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                bytes => drop(found.insert(relative, bytes.unwrap())),
            }
        }
    }
    found
}
