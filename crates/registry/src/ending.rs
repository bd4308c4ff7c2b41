//! Ends of uploads: what is left in the store when a session is over, or has to be set right before it
//! goes on.
//!
//! In a bucket, nothing is found by looking. A session's row stays, marked as ended, until what the
//! session wrote is removed; whatever is interrupted is done again by the next collection.

use plura_blob::{Blobs, Bucket, Parts};
use plura_meta::{
    Timestamp, Tx,
    upload::{self, Recorded},
};
use plura_oci::UploadId;
use tracing::warn;

use crate::{Error, Registry, blocking, uploads::Came};

impl Registry {
    /// Whether every upload has a row, as long as the store has something of it.
    pub(crate) fn keeps_rows(&self) -> bool {
        match self.blobs() {
            Blobs::Directory(_) => false,
            Blobs::Bucket(_) => true,
        }
    }

    /// Ends a session that this request holds.
    pub(crate) async fn end_session(&self, id: &UploadId) -> Result<(), Error> {
        let upload = id.clone();
        match self.blobs() {
            Blobs::Directory(_) => {
                let work =
                    async move |tx: &mut Tx| Ok::<_, Error>(upload::delete(tx, &upload).await?);
                self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
                self.discard_file(id).await;
            }
            Blobs::Bucket(bucket) => {
                let now = Timestamp::now();
                let work = async move |tx: &mut Tx| {
                    Ok::<_, Error>(upload::mark_ended(tx, &upload, now).await?)
                };
                let ended =
                    self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
                if let Some(ended) = ended
                    && let Err(error) = self.finish_end(bucket, ended).await
                {
                    warn!(%error, upload = %id, "cannot remove what an upload wrote; trying again later");
                }
            }
        }
        Ok(())
    }

    /// Ends a push that has no session.
    pub(crate) async fn end_push(&self, id: &UploadId) {
        let ended = match self.blobs() {
            Blobs::Directory(_) => {
                self.discard_file(id).await;
                Ok(())
            }
            Blobs::Bucket(_) => self.end_session(id).await,
        };
        if let Err(error) = ended {
            // Its row will expire as that of a session.
            warn!(%error, "cannot end a push that failed");
        }
    }

    /// Ends the session if it was not touched since `limit`; whether it was ended.
    pub(crate) async fn expire_in(
        &self,
        bucket: &Bucket,
        id: &UploadId,
        limit: Timestamp,
    ) -> Result<bool, Error> {
        let (upload, now) = (id.clone(), Timestamp::now());
        let work = async move |tx: &mut Tx| {
            Ok::<_, Error>(upload::mark_stale_ended(tx, &upload, limit, now).await?)
        };
        let ended = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
        let Some(ended) = ended else { return Ok(false) };
        self.finish_end(bucket, ended).await?;
        Ok(true)
    }

    /// Removes what ended sessions left, where that was interrupted.
    pub(crate) async fn finish_ended(&self) -> Result<(), Error> {
        let Blobs::Bucket(bucket) = self.blobs() else { return Ok(()) };
        let ended = upload::ended(&mut self.db().read().await?).await?;
        for ended in ended {
            let Ok(_active) = self.shared.uploads.begin(&ended.id) else { continue };
            self.finish_end(bucket, ended).await?;
        }
        Ok(())
    }

    /// Removes what an ended session wrote, and then its row.
    async fn finish_end(&self, bucket: &Bucket, ended: Recorded) -> Result<(), Error> {
        let parts = ended.parts.as_deref().and_then(Parts::from_text);
        bucket.discard(&ended.id, parts.as_ref()).await?;
        plura_fault::point("upload.discarded").map_err(Error::fault)?;
        self.shared.uploads.note_settled(&ended.id);
        let work = async move |tx: &mut Tx| Ok::<_, Error>(upload::forget(tx, &ended.id).await?);
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    /// Removes what the store has of a session and metadata does not know.
    pub(crate) async fn settle(&self, id: &UploadId) -> Result<(), Error> {
        match self.blobs() {
            Blobs::Directory(directory) => self.disown_sealed(directory, id).await,
            Blobs::Bucket(bucket) => {
                // A commit that failed may be there all the same, and then the row is not.
                let upload = id.clone();
                let work =
                    async move |tx: &mut Tx| Ok::<_, Error>(upload::confirm(tx, &upload).await?);
                let recorded =
                    self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?;
                let recorded = recorded.ok_or(Error::UploadUnknown)?;
                let parts = parts_of(recorded.parts.as_deref())?.unwrap_or_default();
                bucket.sweep(id, Some(&parts)).await?;
                self.shared.uploads.note_settled(id);
                Ok(())
            }
        }
    }

    /// From here on, a bucket may hold more of the upload than metadata knows.
    pub(crate) fn unsettle_bucket(&self, id: &UploadId) {
        if self.keeps_rows() {
            self.shared.uploads.note_unsettled(id);
        }
    }

    /// Metadata knows `parts` now: what they replace can go.
    pub(crate) async fn settle_bucket(&self, id: &UploadId, parts: Option<&Parts>) {
        let Blobs::Bucket(bucket) = self.blobs() else { return };
        let strays = parts.map(Parts::strays).unwrap_or_default();
        match bucket.delete(&strays).await {
            Ok(()) => self.shared.uploads.note_settled(id),
            // The next request sweeps.
            Err(error) => warn!(%error, upload = %id, "cannot remove what an upload needs no more"),
        }
    }

    /// Removes what a request wrote that lost its claim: whoever has it now does not know of it.
    pub(crate) async fn undo(&self, made: Option<&Parts>, before: Option<&Parts>) {
        let (Blobs::Bucket(bucket), Some(made)) = (self.blobs(), made) else { return };
        if let Err(error) = bucket.undo(made, before).await {
            warn!(%error, "cannot remove what an upload wrote too late; `plura check` finds it");
        }
    }

    /// Clears up after the commit of an upload to a bucket. A session whose commit failed stays as it
    /// is, so that the client can try again.
    pub(crate) async fn clear_up_bucket(
        &self,
        id: &UploadId,
        kept: &Result<(String, Vec<plura_blob::BlobKey>), Error>,
        came: Came,
    ) -> Result<(), Error> {
        plura_fault::point("upload.committed").map_err(Error::fault)?;
        match (kept, came) {
            (Ok((_, unneeded)), _) => {
                self.shared.uploads.note_settled(id);
                if unneeded.is_empty() { Ok(()) } else { self.remove_bytes(unneeded.clone()).await }
            }
            (Err(_), Came::BySession) => Ok(()),
            (Err(_), Came::Whole) => self.end_session(id).await,
        }
    }

    async fn discard_file(&self, id: &UploadId) {
        let Blobs::Directory(directory) = self.blobs() else { return };
        if let Err(error) = self.remove_leftover(directory, id).await {
            warn!(%error, "cannot remove the file of an upload that ended");
        }
    }

    /// Removes an upload's own name.
    pub(crate) async fn remove_file(&self, id: &UploadId) -> Result<(), Error> {
        let Blobs::Directory(directory) = self.blobs() else { return Ok(()) };
        let (directory, id) = (directory.clone(), id.clone());
        Ok(blocking(move || directory.remove_upload(&id)).await?)
    }
}

/// What a row says about a bucket's objects.
pub(crate) fn parts_of(text: Option<&str>) -> Result<Option<Parts>, Error> {
    let Some(text) = text else { return Ok(None) };
    // Parts that cannot be read are a session that cannot go on: the client starts again.
    Parts::from_text(text).map(Some).ok_or(Error::UploadUnknown)
}
