use std::time::Instant;

use plura_blob::{BlobKey, Leftover};
use plura_meta::{Timestamp, blob, upload};
use tracing::{info, warn};

use crate::{Error, Registry, blocking};

impl Registry {
    /// Clears away what a crash left in the upload directory: files of pushes without a session, and
    /// of sessions that were committed. The directory holds what is under way, not what is stored, so
    /// this takes no longer when more is stored.
    pub(crate) async fn recover(&self) -> Result<(), Error> {
        let started = Instant::now();
        let blobs = self.blobs().clone();
        let leftovers = blocking(move || blobs.leftovers()).await?;
        let mut removed = 0;
        for leftover in leftovers {
            if !upload::exists(&mut self.db().read().await?, &leftover.upload).await? {
                self.remove_leftover(leftover).await?;
                removed += 1;
            }
        }
        if removed > 0 {
            info!(removed, took = ?started.elapsed(), "removed what an earlier process left of uploads");
        }
        Ok(())
    }

    /// Ends the sessions that were not touched within the expiry; returns how many.
    pub(crate) async fn expire_uploads(&self, now: Timestamp) -> Result<u64, Error> {
        const AT_ONCE: u32 = 100;
        let limit = now.before(self.settings().upload_expiry);
        let mut ended = 0;
        loop {
            let stale = upload::stale(&mut self.db().read().await?, limit, AT_ONCE).await?;
            let before = ended;
            for session in &stale {
                ended += u64::from(self.expire(&session.id, limit).await?);
            }
            // What is left, if anything, is being written to right now.
            if ended == before {
                return Ok(ended);
            }
        }
    }

    async fn expire(&self, id: &plura_oci::UploadId, limit: Timestamp) -> Result<bool, Error> {
        let Ok(_active) = self.shared.uploads.begin(id) else { return Ok(false) };
        let session = id.clone();
        let ended = self
            .db()
            .write(move |tx| {
                Box::pin(
                    async move { Ok::<_, Error>(upload::delete_stale(tx, &session, limit).await?) },
                )
            })
            .await?;
        if ended {
            let (blobs, upload) = (self.blobs().clone(), id.clone());
            if let Some(leftover) = blocking(move || blobs.leftover(&upload)).await? {
                self.remove_leftover(leftover).await?;
            }
        }
        Ok(ended)
    }

    async fn remove_leftover(&self, leftover: Leftover) -> Result<(), Error> {
        let (blobs, subject) = (self.blobs().clone(), leftover.clone());
        let sealed = blocking(move || blobs.sealed_keys(&subject)).await?;
        let mut unknown: Vec<BlobKey> = Vec::new();
        for key in sealed {
            if !blob::is_key_known(&mut self.db().read().await?, key.as_str()).await? {
                warn!(%key, "removing content that was sealed and never committed");
                unknown.push(key);
            }
        }
        let blobs = self.blobs().clone();
        let removed = blocking(move || {
            blobs.delete(&unknown)?;
            blobs.remove_upload(&leftover.upload)
        });
        Ok(removed.await?)
    }
}
