use std::{ops::Range, os::unix::fs::FileExt as _};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, stream::BoxStream};
use plura_blob::{BlobKey, BlobObject, ObjectStream, Opened};
use plura_meta::{
    Timestamp, blob,
    review::{self, Kind, Review},
};
use plura_oci::{Digest, RepositoryName};

use crate::{Error, Registry, blocking};

/// A blob that a repository links: known from metadata alone, opened only when its bytes are wanted.
#[derive(Clone, Debug)]
pub struct BlobContent {
    /// The content.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What the repository's project says about sending clients to the object store, if anything.
    pub redirect: Option<bool>,
    key: BlobKey,
}

/// What there is to read of a blob that should be small.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SmallBlob {
    /// All of it.
    Bytes(Bytes),
    /// Nothing: it has this many bytes.
    TooLarge(u64),
    /// Nothing: the repository does not link it.
    Unknown,
}

impl Registry {
    /// Finds a blob through a repository that links it.
    ///
    /// A client that is told "it is here" will rely on it in the manifest that it pushes next. So if
    /// nothing references the blob yet and its review is near, it is put off, and that is durable
    /// before the answer.
    pub async fn blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<BlobContent, Error> {
        let linked = blob::find_linked(&mut self.db().read().await?, repository, digest).await?;
        let linked = linked.ok_or(Error::BlobUnknown(*digest))?;
        let (now, grace) = (Timestamp::now(), self.settings().grace);
        if linked.review_due.is_some_and(|due| due < now.after(grace / 2)) {
            self.postpone_review(repository, digest, now.after(grace)).await?;
        }
        let key = stored_key(linked.blob.storage_key)?;
        let (size, redirect) = (linked.blob.size, linked.redirect);
        Ok(BlobContent { digest: *digest, size, redirect, key })
    }

    /// Opens the bytes of a blob. From a file they stay readable when the blob is deleted meanwhile.
    pub async fn open_blob(&self, content: &BlobContent) -> Result<Opened, Error> {
        if let Some(file) = self.shared.caches.files.get(&content.key) {
            return Ok(Opened::File(file));
        }
        let opened = self.blobs().open_blob(&content.key, content.size).await;
        let opened = match opened {
            Err(error) => return Err(self.missing_or(content, error).await?),
            Ok(opened) => opened,
        };
        if let Opened::File(file) = &opened {
            self.shared.caches.files.insert(content.key.clone(), file.clone());
        }
        Ok(opened)
    }

    /// Reads a range of a blob that a bucket keeps. Nothing is read if the object store says no.
    pub async fn read_object(
        &self,
        content: &BlobContent,
        object: &BlobObject,
        range: Range<u64>,
    ) -> Result<ObjectStream, Error> {
        match object.read(range).await {
            Err(error) => Err(self.missing_or(content, error).await?),
            Ok(stream) => Ok(stream),
        }
    }

    /// The whole of a blob that has at most `limit` bytes, for plura's own use: nobody is told that it is
    /// there, so that its review stays as it is. The bytes are what the digest says.
    pub async fn small_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        limit: u64,
    ) -> Result<SmallBlob, Error> {
        let content = self.own_blob(repository, digest).await?;
        let Some(content) = content else { return Ok(SmallBlob::Unknown) };
        if content.size > limit {
            return Ok(SmallBlob::TooLarge(content.size));
        }
        let bytes = match self.open_blob(&content).await {
            Err(Error::BlobUnknown(_)) => return Ok(SmallBlob::Unknown),
            Err(error) => return Err(error),
            Ok(opened) => self.read_whole(&content, opened).await?,
        };
        if Digest::of(digest.algorithm(), &bytes) == *digest {
            return Ok(SmallBlob::Bytes(bytes));
        }
        let damage = plura_meta::Error::Corrupt(format!("the bytes of {digest} are others"));
        Err(damage.into())
    }

    /// A blob that the repository links, for plura's own use: nobody is told that it is there, so that its
    /// review stays as it is.
    pub async fn own_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<Option<BlobContent>, Error> {
        let linked = blob::find_linked(&mut self.db().read().await?, repository, digest).await?;
        let Some(linked) = linked else { return Ok(None) };
        let (size, redirect) = (linked.blob.size, linked.redirect);
        let key = stored_key(linked.blob.storage_key)?;
        Ok(Some(BlobContent { digest: *digest, size, redirect, key }))
    }

    /// The bytes of a blob, a piece at a time, for plura's own use.
    pub async fn blob_stream(
        &self,
        content: &BlobContent,
    ) -> Result<BoxStream<'static, std::io::Result<Bytes>>, Error> {
        const PIECE: u64 = 1 << 20;
        let size = content.size;
        match self.open_blob(content).await? {
            Opened::Object(_) if size == 0 => Ok(futures_util::stream::empty().boxed()),
            Opened::Object(object) => {
                Ok(self.read_object(content, &object, 0..size).await?.boxed())
            }
            Opened::File(file) => {
                let pieces = futures_util::stream::try_unfold(0, move |at: u64| {
                    let (file, length) = (file.clone(), PIECE.min(size - at));
                    async move {
                        if length == 0 {
                            return Ok(None);
                        }
                        let piece = blocking(move || {
                            let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
                            file.file.read_exact_at(&mut bytes, at)?;
                            Ok::<_, std::io::Error>(Bytes::from(bytes))
                        });
                        Ok(Some((piece.await?, at + length)))
                    }
                });
                Ok(pieces.boxed())
            }
        }
    }

    async fn read_whole(&self, content: &BlobContent, opened: Opened) -> Result<Bytes, Error> {
        let length = usize::try_from(content.size).unwrap_or(usize::MAX);
        match opened {
            Opened::File(file) => {
                let read = blocking(move || {
                    let mut bytes = vec![0; length];
                    file.file.read_exact_at(&mut bytes, 0)?;
                    Ok(bytes)
                });
                let read: std::io::Result<Vec<u8>> = read.await;
                Ok(read.map_err(Error::reading(content.key.as_str()))?.into())
            }
            Opened::Object(_) if content.size == 0 => Ok(Bytes::new()),
            Opened::Object(object) => {
                let mut stream = self.read_object(content, &object, 0..content.size).await?;
                let mut bytes = BytesMut::with_capacity(length);
                while let Some(frame) = stream.next().await {
                    bytes.extend_from_slice(&frame.map_err(Error::reading(content.key.as_str()))?);
                }
                Ok(bytes.freeze())
            }
        }
    }

    /// The error; bytes that are gone because the blob was collected are no damage.
    async fn missing_or(
        &self,
        content: &BlobContent,
        error: plura_blob::Error,
    ) -> Result<Error, Error> {
        if error.is_missing() && !self.is_known(content).await? {
            return Ok(Error::BlobUnknown(content.digest));
        }
        Ok(error.into())
    }

    /// Whether the blob was not collected since it was found.
    async fn is_known(&self, content: &BlobContent) -> Result<bool, Error> {
        Ok(blob::is_key_known(&mut self.db().read().await?, content.key.as_str()).await?)
    }

    /// Ends the blob's being readable through the repository. Its bytes go when no other repository
    /// links it.
    pub async fn delete_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
    ) -> Result<(), Error> {
        self.check_delete_enabled()?;
        let audit = self.audit("blob.delete", repository, &digest.to_string());
        let (repository, digest) = (repository.clone(), *digest);
        let (now, grace) = (Timestamp::now(), self.settings().grace);
        let work = async move |tx: &mut plura_meta::Tx| {
            let id = plura_meta::repository::find(tx, &repository).await?;
            let id = id.ok_or(Error::BlobUnknown(digest))?;
            crate::manifests::check_not_held(tx, id, &digest, now).await?;
            if !blob::unlink(tx, id, &digest).await? {
                return Err(Error::BlobUnknown(digest));
            }
            let due_at = now.after(grace);
            let review = Review { kind: Kind::Blob, repository: None, digest, due_at };
            review::schedule(tx, &review).await?;
            // The collector forgets the repository, if this was the last of it.
            review::schedule_all(tx, Kind::Link, Some(id), [&digest], due_at).await?;
            audit.record(tx, now).await?;
            Ok(())
        };
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    pub(crate) fn check_delete_enabled(&self) -> Result<(), Error> {
        if self.settings().delete { Ok(()) } else { Err(Error::DeleteDisabled) }
    }

    async fn postpone_review(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        until: Timestamp,
    ) -> Result<(), Error> {
        let (repository, digest) = (repository.clone(), *digest);
        self.db()
            .write(move |tx| {
                Box::pin(async move {
                    // The collector may have been faster; then the blob is gone, and so says the answer.
                    if review::postpone(tx, Kind::Link, &repository, &digest, until).await?
                        || blob::find_linked(tx, &repository, &digest).await?.is_some()
                    {
                        return Ok(());
                    }
                    Err(Error::BlobUnknown(digest))
                })
            })
            .await
    }
}

/// A key as metadata holds it.
pub(crate) fn stored_key(text: String) -> Result<BlobKey, Error> {
    let corrupt = plura_meta::Error::Corrupt(format!("blob.storage_key holds `{text}`"));
    BlobKey::from_stored(text).ok_or(Error::Metadata(corrupt))
}
