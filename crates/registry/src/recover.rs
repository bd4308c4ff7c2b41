use std::time::Instant;

use plura_blob::{BlobKey, Blobs, Bucket, Directory};
use plura_meta::{Timestamp, Tx, removal, upload};
use plura_oci::UploadId;
use tracing::{info, warn};

use crate::{Error, Registry, blocking, detached};

impl Registry {
    /// Makes up for how the last process ended.
    pub(crate) async fn recover(&self) -> Result<(), Error> {
        match self.blobs() {
            Blobs::Directory(directory) => self.clear_files(directory).await,
            // Among several, claims tell whose session was left how.
            Blobs::Bucket(_) if self.settings().shares_uploads() => Ok(()),
            Blobs::Bucket(_) => {
                // What it was writing, nobody knows.
                for id in upload::all(&mut self.db().read().await?).await? {
                    self.shared.uploads.note_unsettled(&id);
                }
                Ok(())
            }
        }
    }

    /// Clears away what no session has: files of uploads, or uploads of the object store.
    pub(crate) async fn clear_leftovers(&self) -> Result<(), Error> {
        match self.blobs() {
            Blobs::Directory(directory) => self.clear_files(directory).await,
            Blobs::Bucket(bucket) => self.clear_unfinished(bucket).await,
        }
    }

    /// Clears away what a crash, or a commit that failed, left in the upload directory: files without
    /// a session, and second names of files under `blobs` that were never committed. The directory
    /// holds what is under way, not what is stored, so this takes no longer when more is stored.
    async fn clear_files(&self, directory: &Directory) -> Result<(), Error> {
        let started = Instant::now();
        let files = directory.clone();
        let mut removed = 0;
        for leftover in blocking(move || files.leftovers()).await? {
            // A session that goes on is not to be kept from its client, even for a moment.
            if !leftover.sealed && self.is_session(&leftover.upload).await? {
                continue;
            }
            // What a request is writing is no leftover.
            let Ok(_active) = self.shared.uploads.begin(&leftover.upload) else { continue };
            if self.is_session(&leftover.upload).await? {
                self.disown_sealed(directory, &leftover.upload).await?;
            } else {
                self.remove_leftover(directory, &leftover.upload).await?;
                removed += 1;
            }
        }
        if removed > 0 {
            info!(removed, took = ?started.elapsed(), "removed what was left of uploads");
        }
        Ok(())
    }

    /// Ends what the object store takes for under way and no session does. A session has its row
    /// before the object store hears of it, so whatever is listed without one has ended.
    async fn clear_unfinished(&self, bucket: &Bucket) -> Result<(), Error> {
        for (id, unfinished) in bucket.unfinished().await? {
            if !self.is_session(&id).await? {
                info!(upload = %id, "ending what was left of an upload");
                bucket.abandon(&unfinished).await?;
            }
        }
        Ok(())
    }

    async fn is_session(&self, id: &UploadId) -> Result<bool, Error> {
        Ok(upload::exists(&mut self.db().read().await?, id).await?)
    }

    /// Ends the sessions that were not touched within the expiry; returns how many.
    pub(crate) async fn expire_uploads(&self, now: Timestamp) -> Result<u64, Error> {
        let limit = now.before(self.settings().upload_expiry);
        let mut ended = 0;
        for id in self.stale_uploads(now).await? {
            let registry = self.clone();
            ended += u64::from(detached(async move { registry.expire(&id, limit).await }).await?);
        }
        Ok(ended)
    }

    /// The sessions that were not touched within the expiry and that nobody is writing to.
    pub(crate) async fn stale_uploads(&self, now: Timestamp) -> Result<Vec<UploadId>, Error> {
        let limit = now.before(self.settings().upload_expiry);
        let mut stale = upload::stale(&mut self.db().read().await?, limit).await?;
        stale.retain(|id| !self.shared.uploads.contains(id));
        Ok(stale)
    }

    async fn expire(&self, id: &UploadId, limit: Timestamp) -> Result<bool, Error> {
        let Ok(_active) = self.shared.uploads.begin(id) else { return Ok(false) };
        match self.blobs() {
            Blobs::Directory(directory) => {
                let session = id.clone();
                let work = async move |tx: &mut Tx| {
                    Ok::<_, Error>(upload::delete_stale(tx, &session, limit).await?)
                };
                let ended =
                    self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
                if ended {
                    self.remove_leftover(directory, id).await?;
                }
                Ok(ended)
            }
            Blobs::Bucket(bucket) => self.expire_in(bucket, id, limit).await,
        }
    }

    /// Removes the file of an upload that has no session, under all its names but a committed one.
    pub(crate) async fn remove_leftover(
        &self,
        directory: &Directory,
        id: &UploadId,
    ) -> Result<(), Error> {
        self.disown_sealed(directory, id).await?;
        let (directory, id) = (directory.clone(), id.clone());
        Ok(blocking(move || directory.remove_upload(&id)).await?)
    }

    /// Removes the names under `blobs` that an upload's file has without being committed.
    pub(crate) async fn disown_sealed(
        &self,
        directory: &Directory,
        id: &UploadId,
    ) -> Result<(), Error> {
        let (directory, upload) = (directory.clone(), id.clone());
        let sealed = blocking(move || match directory.leftover(&upload)? {
            Some(leftover) => directory.sealed_keys(&leftover),
            None => Ok(Vec::new()),
        });
        self.disown(sealed.await?).await?;
        self.shared.uploads.note_settled(id);
        Ok(())
    }

    /// Deletes bytes that were never committed as a blob's, and tells whether that was all of `keys`.
    pub(crate) async fn disown(&self, keys: Vec<BlobKey>) -> Result<bool, Error> {
        if keys.is_empty() {
            return Ok(true);
        }
        let (now, all) = (Timestamp::now(), keys.len());
        let queue = async move |tx: &mut Tx| {
            let mut nobodys = Vec::new();
            for key in keys {
                let Some(digest) = key.digest() else { continue };
                if removal::queue_uncommitted(tx, key.as_str(), &digest, now).await? {
                    nobodys.push(key);
                }
            }
            Ok::<_, Error>(nobodys)
        };
        let nobodys = self.db().write(move |tx| Box::pin(async move { queue(tx).await })).await?;
        for key in &nobodys {
            warn!(%key, "removing content that was stored and never committed");
        }
        let were_all = nobodys.len() == all;
        self.remove_bytes(nobodys).await?;
        Ok(were_all)
    }
}
