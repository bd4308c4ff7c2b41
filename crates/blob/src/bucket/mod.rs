//! Bytes in a bucket of an object store that speaks S3.
//!
//! ```text
//! blobs/ab/<upload>.<attempt>   below the prefix: sealed content, and what has arrived of an upload
//! log/<name>                    records, written whole
//! ```
//!
//! An object is written once, under the key that it keeps, before its digest is known; it is never
//! copied. Every attempt to write has a key of its own, so that a request which the object store
//! carries out late overwrites nothing. Which of the objects are needed stands in the upload's row
//! ([`Parts`]) or in a blob's.
//!
//! Correctness rests on reading what was written, and never on conditional writes, which some object
//! stores ignore.

mod append;
mod examine;
mod foreign;
mod memory;
mod multiparts;
mod named;
mod options;
mod parts;
mod read;
mod records;

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt};
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutMode, PutMultipartOptions, PutOptions,
    PutPayload, aws::AmazonS3, client::HttpClient, multipart::MultipartStore, path::Path,
};
use plura_oci::{Digest, UploadId};

pub use self::examine::{Fitness, Requirement};
pub(crate) use self::foreign::place_of;
pub use self::foreign::{ForeignObject, ForeignPage, ForeignPrefix};
pub use self::options::{AccessKeys, BucketOptions, Encryption, Retries};
pub use self::parts::Parts;
pub use self::read::{BlobObject, ObjectStream};
use self::{memory::Memory, multiparts::connect, options::LEAST_PART, parts::PartSizes};
use crate::{BlobKey, Error, Progress, StoredFile, adopted::AdoptedRoots};

/// Bytes in a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Bucket(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: AmazonS3,
    /// For addresses that clients are given.
    signer: AmazonS3,
    /// For what the library has no function for.
    http: HttpClient,
    options: BucketOptions,
    sizes: PartSizes,
    memory: Memory,
    /// Trees of other registries, below other prefixes, that hold some of the blobs.
    adopted: AdoptedRoots<Path>,
}

impl Bucket {
    /// A bucket, which is not asked for anything yet.
    pub fn open(options: &BucketOptions) -> Result<Self, Error> {
        // What is gathered, and one part more, must fit into the memory.
        let most = (options.upload_memory / 4).max(options.part_size);
        let sizes = PartSizes { first: options.part_size, uniform: options.uniform_parts, most };
        let store = options.client()?;
        let inner = Inner {
            signer: options.signer(&store)?,
            store,
            http: connect(options)?,
            memory: Memory::new(
                options.upload_memory,
                options.part_size + LEAST_PART,
                options.patience,
            ),
            options: options.clone(),
            sizes,
            adopted: AdoptedRoots::default(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Makes what has arrived of an upload the content of `digest`.
    ///
    /// The digest is compared before anything is asked of the object store, if the hash went along.
    pub(crate) async fn seal(&self, progress: Progress, digest: &Digest) -> Result<BlobKey, Error> {
        let goes_along = progress.hasher.algorithm() == digest.algorithm();
        if goes_along {
            expect(progress.hasher.finish(), digest)?;
        }
        let parts = progress.parts.unwrap_or_default();
        let key = match (&parts.multipart, &parts.tail) {
            (None, Some(tail)) if tail.length == progress.offset => stored(&tail.key)?,
            (Some(multipart), None) if parts.in_parts() == progress.offset => {
                self.complete(multipart, progress.offset).await?
            }
            _ => return Err(inconsistent(progress.offset, parts.length())),
        };
        if !goes_along {
            // The client said the algorithm only now; a `digest-algorithm` at the start avoids this.
            expect(self.rehash(&key, digest.algorithm()).await?, digest)?;
        }
        plura_fault::point("bucket.sealed").map_err(Error::io("complete", key.as_str()))?;
        Ok(key)
    }

    /// Deletes objects. One that is gone is as good as deleted; one that is another registry's stays.
    pub async fn delete(&self, keys: &[BlobKey]) -> Result<(), Error> {
        let ours = |key| self.deletable(key).transpose();
        let paths = keys.iter().filter_map(ours).collect::<Result<Vec<Path>, Error>>()?;
        let Some(first) = paths.first() else { return Ok(()) };
        plura_fault::point("bucket.delete").map_err(Error::io("delete", first.as_ref()))?;
        let failed = |error| failed("delete", first.as_ref(), error);
        if paths.len() == 1 {
            return match self.0.store.delete(first).await {
                Err(object_store::Error::NotFound { .. }) => Ok(()),
                deleted => deleted.map_err(failed),
            };
        }
        let paths: Vec<_> = paths.iter().cloned().map(Ok).collect();
        let deleted = self.0.store.delete_stream(futures_util::stream::iter(paths).boxed());
        let missing = |result: &Result<Path, object_store::Error>| {
            !matches!(result, Err(object_store::Error::NotFound { .. }))
        };
        let deleted = deleted.filter(|result| std::future::ready(missing(result)));
        deleted.try_for_each(|_| std::future::ready(Ok(()))).await.map_err(failed)
    }

    /// Removes what an upload wrote and `needed` does not name: after an attempt that failed, nobody
    /// knows what the object store carried out of it.
    pub async fn sweep(&self, upload: &UploadId, needed: Option<&Parts>) -> Result<(), Error> {
        let begin = BlobKey::of_upload(upload);
        let shard = begin.split('/').next().unwrap_or_default();
        let of_upload = |key: &BlobKey| key.as_str().starts_with(&begin);
        let kept = |key: &BlobKey| needed.is_some_and(|parts| parts.needs(key));
        let behind = self.full(&begin);
        let listed = self.list(Some(shard), Some(&behind), |key| !of_upload(key)).await?;
        let unneeded = listed.into_iter().map(|file| file.key).filter(|key| !kept(key));
        self.delete(&unneeded.collect::<Vec<_>>()).await?;
        let id = needed.and_then(|parts| parts.multipart.as_ref()).map(|multipart| &multipart.id);
        for (key, found) in self.multiparts(&begin).await?.unwrap_or_default() {
            if Some(&found) != id {
                self.abort(&key, &found).await?;
            }
        }
        Ok(())
    }

    /// Removes everything that an upload wrote, of which `known` stood in its row.
    pub async fn discard(&self, upload: &UploadId, known: Option<&Parts>) -> Result<(), Error> {
        if let Some(multipart) = known.and_then(|parts| parts.multipart.as_ref()) {
            self.abort(&stored(&multipart.key)?, &multipart.id).await?;
        }
        self.sweep(upload, None).await
    }

    /// Removes what one attempt wrote: what `made` has and `before` had not.
    pub async fn undo(&self, made: &Parts, before: Option<&Parts>) -> Result<(), Error> {
        let mut keys = Vec::new();
        if let Some(multipart) = &made.multipart {
            let key = stored(&multipart.key)?;
            if !before.is_some_and(|before| before.needs(&key)) {
                self.abort(&key, &multipart.id).await?;
                // Or it was completed.
                keys.push(key);
            }
        }
        if let Some(tail) = &made.tail {
            keys.push(stored(&tail.key)?);
        }
        keys.extend(made.strays());
        keys.retain(|key| !before.is_some_and(|before| before.needs(key)));
        self.delete(&keys).await
    }

    /// Multipart uploads that were begun and not completed, with the upload that each is of: as many
    /// as are under way, not as there are blobs. Nothing, where the object store cannot tell.
    pub async fn unfinished(&self) -> Result<Vec<(UploadId, Unfinished)>, Error> {
        let found = self.multiparts("").await?.unwrap_or_default();
        let of_upload =
            |(key, id): (BlobKey, String)| Some((key.upload()?, Unfinished { key, id }));
        Ok(found.into_iter().filter_map(of_upload).collect())
    }

    /// Ends a multipart upload.
    pub async fn abandon(&self, unfinished: &Unfinished) -> Result<(), Error> {
        self.abort(&unfinished.key, &unfinished.id).await
    }

    /// Whether what a row says of an upload is there, as far as the object store tells: nothing if so.
    pub async fn damage(&self, parts: &Parts, offset: u64) -> Result<Option<String>, Error> {
        if parts.length() != offset {
            return Ok(Some(format!("its parts have {} bytes", parts.length())));
        }
        let Some(tail) = &parts.tail else { return Ok(None) };
        let found = self.size_of(&stored(&tail.key)?).await?;
        let intact = found == Some(tail.length);
        Ok((!intact).then(|| format!("{} has {} bytes", tail.key, found.unwrap_or_default())))
    }

    /// The size of an object, if it is there.
    pub(crate) async fn size_of(&self, key: &BlobKey) -> Result<Option<u64>, Error> {
        match self.0.store.head(&self.place(key)?).await {
            Ok(found) => Ok(Some(found.size)),
            Err(error) => match failed("inspect", key.as_str(), error) {
                error if error.is_missing() => Ok(None),
                error => Err(error),
            },
        }
    }

    /// Whether there is no object at all below the prefix.
    pub async fn is_empty(&self) -> Result<bool, Error> {
        let below = self.below("blobs");
        let first = self.0.store.list(Some(&below)).try_next().await;
        Ok(first.map_err(|error| failed("list", below.as_ref(), error))?.is_none())
    }

    pub(crate) async fn walk(&self) -> Result<Vec<StoredFile>, Error> {
        self.list(None, None, |_| false).await
    }

    pub(crate) async fn set_aside(&self, key: &BlobKey) -> Result<(), Error> {
        let target = self.below(&format!("damaged/{key}"));
        let moved = self.0.store.copy(&self.path(key), &target).await;
        moved.map_err(|error| failed("set aside", key.as_str(), error))?;
        self.delete(std::slice::from_ref(key)).await
    }

    /// Whether the object store answers, and knows us: an object that is not there is asked for.
    pub(crate) async fn probe(&self) -> Result<(), Error> {
        plura_fault::point("bucket.probe").map_err(Error::io("probe", "probe"))?;
        match self.0.store.head(&self.below("probe")).await {
            Ok(_) => Ok(()),
            Err(error) => match failed("look for", "probe", error) {
                error if error.is_missing() => Ok(()),
                error => Err(error),
            },
        }
    }

    /// Objects below `blobs/`, of one shard or all, up to the first that `ends`.
    async fn list(
        &self,
        shard: Option<&str>,
        behind: Option<&Path>,
        ends: impl Fn(&BlobKey) -> bool,
    ) -> Result<Vec<StoredFile>, Error> {
        let below = match shard {
            Some(shard) => self.below(&format!("blobs/{shard}")),
            None => self.below("blobs"),
        };
        let root = format!("{}/", self.below("blobs"));
        let mut listed = match behind {
            Some(behind) => self.0.store.list_with_offset(Some(&below), behind),
            None => self.0.store.list(Some(&below)),
        };
        let mut found = Vec::new();
        while let Some(object) = listed.next().await {
            let object = object.map_err(|error| failed("list", below.as_ref(), error))?;
            let key = object.location.as_ref().strip_prefix(&root).map(ToOwned::to_owned);
            let Some(key) = key.and_then(BlobKey::from_stored) else { continue };
            if ends(&key) {
                break;
            }
            found.push(StoredFile { key, size: object.size });
        }
        Ok(found)
    }

    async fn put(&self, key: &BlobKey, payload: PutPayload) -> Result<(), Error> {
        plura_fault::point("bucket.put").map_err(Error::io("write", key.as_str()))?;
        let options = PutOptions {
            mode: PutMode::Overwrite,
            attributes: self.attributes(),
            ..PutOptions::default()
        };
        let put = self.0.store.put_opts(&self.path(key), payload, options).await;
        put.map(|_| ()).map_err(|error| failed("write", key.as_str(), error))
    }

    async fn begin_multipart(&self, key: &BlobKey) -> Result<String, Error> {
        plura_fault::point("bucket.multipart").map_err(Error::io("begin", key.as_str()))?;
        let options =
            PutMultipartOptions { attributes: self.attributes(), ..PutMultipartOptions::default() };
        let begun = self.0.store.create_multipart_opts(&self.path(key), options).await;
        begun.map_err(|error| failed("begin", key.as_str(), error))
    }

    async fn abort(&self, key: &BlobKey, id: &str) -> Result<(), Error> {
        match self.0.store.abort_multipart(&self.path(key), &id.to_owned()).await {
            Ok(()) => Ok(()),
            Err(error) => match failed("abort", key.as_str(), error) {
                error if error.is_missing() => Ok(()),
                error => Err(error),
            },
        }
    }

    fn attributes(&self) -> Attributes {
        let class = self.0.options.storage_class.clone();
        class.map(|class| (Attribute::StorageClass, class)).into_iter().collect()
    }

    /// What the object of a key is called in the bucket, whoever wrote it.
    fn place(&self, key: &BlobKey) -> Result<Path, Error> {
        match self.0.adopted.find(key) {
            None => Ok(self.path(key)),
            Some(found) => found.and_then(|(root, below)| foreign::below(&root.place, below)),
        }
    }

    /// The same, unless it is another registry's.
    fn deletable(&self, key: &BlobKey) -> Result<Option<Path>, Error> {
        match self.0.adopted.find(key) {
            Some(found) if !found.as_ref().is_ok_and(|(root, _)| root.owned) => found.map(|_| None),
            _ => self.place(key).map(Some),
        }
    }

    /// What the object of a key of ours is called in the bucket.
    fn path(&self, key: &BlobKey) -> Path {
        self.full(key.as_str())
    }

    /// What a key, or the beginning of one, is called in the bucket.
    fn full(&self, key: &str) -> Path {
        self.below(&format!("blobs/{key}"))
    }

    fn below(&self, name: &str) -> Path {
        match self.0.options.prefix.as_str() {
            "" => Path::from(name),
            prefix => Path::from(format!("{prefix}/{name}")),
        }
    }
}

/// A multipart upload that was begun and not completed.
#[derive(Clone, Debug)]
pub struct Unfinished {
    key: BlobKey,
    id: String,
}

/// What an error of the object store is to us.
fn failed(action: &'static str, key: &str, error: object_store::Error) -> Error {
    let missing = matches!(error, object_store::Error::NotFound { .. })
        && code_of(&error).as_deref() != Some("NoSuchBucket");
    Error::Store { action, key: key.to_owned(), missing, source: Box::new(error) }
}

/// What the object store calls an error, if it said.
pub(crate) fn code_of(error: &dyn std::error::Error) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        let text = error.to_string();
        if let Some((code, _)) =
            text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"))
        {
            return Some(code.trim().to_owned());
        }
        cause = error.source();
    }
    None
}

fn stored(key: &str) -> Result<BlobKey, Error> {
    BlobKey::from_stored(key.to_owned()).ok_or_else(|| Error::Corrupt {
        path: key.into(),
        detail: "it is no place in the store".to_owned(),
    })
}

fn inconsistent(offset: u64, length: u64) -> Error {
    let detail = format!("its parts have {length} bytes, and {offset} were acknowledged");
    Error::Corrupt { path: "an upload".into(), detail }
}

fn expect(computed: Digest, digest: &Digest) -> Result<(), Error> {
    if computed == *digest { Ok(()) } else { Err(Error::DigestMismatch { computed }) }
}
