use std::sync::{Mutex, MutexGuard, PoisonError};

use plura_blob::{BlobFile, BlobKey};
use plura_meta::Timestamp;
use plura_oci::{Digest, Reference, RepositoryName, Tag};
use quick_cache::{Weighter, sync::Cache};

/// A manifest as it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CachedManifest {
    /// Its digest.
    pub digest: Digest,
    /// The media type it was pushed with.
    pub media_type: String,
    /// The bytes as they were pushed.
    pub bytes: bytes::Bytes,
    /// What is to be the same for what is remembered of the document that governs to be right, where other
    /// processes may have changed it.
    pub revision: Option<i64>,
}

type Name = (RepositoryName, Reference);

/// What is read again and again. Losing any of it changes no answer.
#[derive(Debug)]
pub(crate) struct Caches {
    manifests: Cache<Name, KeptManifest, BySize>,
    /// Bytes of manifests by what they are, which never changes. Whether a repository has them is
    /// asked for each time where other processes write to the same database.
    pub(crate) contents: Cache<Digest, bytes::Bytes, ByLength>,
    /// Counts the changes of what `manifests` holds copies of. A reader that looked into the database
    /// before a change must not put what it saw into the cache after it.
    changes: Mutex<u64>,
    /// Open files of blobs, with the key as identity: a key's content never changes.
    pub(crate) files: Cache<BlobKey, BlobFile>,
}

/// Bytes of manifests to keep.
const MANIFEST_BYTES: u64 = 16 << 20;
/// Files to keep open; far below the usual limit of 1024 for a process, which connections need.
const OPEN_FILES: usize = 256;

#[derive(Clone, Debug)]
struct KeptManifest {
    manifest: CachedManifest,
    until: Timestamp,
}

#[derive(Clone, Debug)]
struct BySize;

#[derive(Clone, Debug)]
pub(crate) struct ByLength;

/// Beside its texts, an entry costs about this much.
const OVERHEAD: usize = 300;

impl Weighter<Name, KeptManifest> for BySize {
    fn weight(&self, (repository, _): &Name, kept: &KeptManifest) -> u64 {
        (OVERHEAD + repository.as_str().len() + kept.manifest.bytes.len()) as u64
    }
}

impl Weighter<Digest, bytes::Bytes> for ByLength {
    fn weight(&self, _: &Digest, bytes: &bytes::Bytes) -> u64 {
        (OVERHEAD + bytes.len()) as u64
    }
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            manifests: Cache::with_weighter(8192, MANIFEST_BYTES, BySize),
            contents: Cache::with_weighter(8192, MANIFEST_BYTES, ByLength),
            changes: Mutex::new(0),
            files: Cache::new(OPEN_FILES),
        }
    }
}

impl Caches {
    pub(crate) fn manifest(&self, name: &Name, now: Timestamp) -> Option<CachedManifest> {
        self.manifests.get(name).filter(|kept| now < kept.until).map(|kept| kept.manifest)
    }

    /// To be called before the database is read for what [`Caches::keep_manifest`] will keep.
    pub(crate) fn changes(&self) -> u64 {
        *self.lock()
    }

    /// Keeps what was read for answers before `until`, unless something changed since `changes` was
    /// taken.
    pub(crate) fn keep_manifest(
        &self,
        changes: u64,
        name: Name,
        manifest: CachedManifest,
        until: Timestamp,
    ) {
        let now = self.lock();
        if *now == changes {
            self.manifests.insert(name, KeptManifest { manifest, until });
        }
    }

    /// Forgets references of a repository whose change was committed. Called before the change is
    /// answered, so that nobody who knows of it can see what was before.
    pub(crate) fn forget<'r>(
        &self,
        repository: &RepositoryName,
        tags: impl IntoIterator<Item = &'r Tag>,
        digest: Option<Digest>,
    ) {
        let mut changes = self.lock();
        *changes += 1;
        let tags = tags.into_iter().cloned().map(Reference::Tag);
        for reference in tags.chain(digest.map(Reference::Digest)) {
            self.manifests.remove(&(repository.clone(), reference));
        }
    }

    /// Forgets everything. A commit that failed may be there all the same, and what it changed is not
    /// known then.
    pub(crate) fn forget_all(&self) {
        let mut changes = self.lock();
        *changes += 1;
        self.manifests.clear();
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
