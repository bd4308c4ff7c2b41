//! Metadata against the files of the store.

use std::collections::BTreeMap;

use plura_blob::{BlobKey, Blobs, Bucket, Directory, Parts};
use plura_meta::{Tx, blob, check as queries, removal, upload};
use plura_oci::{Digest, UploadId};

use super::{Check, FindingKind};
use crate::{Error, blocking};

/// Rows read at a time.
const PAGE: u32 = 1000;

impl Check<'_> {
    pub(super) async fn removals(&mut self) -> Result<(), Error> {
        let in_use = queries::removals_in_use(&mut self.connection).await?;
        for key in queries::removal_keys(&mut self.connection).await? {
            let detail = if in_use.contains(&key) {
                "queued for deletion although a blob needs it"
            } else if BlobKey::from_stored(key.clone()).is_none() {
                "queued for deletion although it is no place in the store"
            } else {
                continue;
            };
            let subject = key.clone();
            let repaired = self
                .repair(|tx| Box::pin(async move { Ok(queries::unqueue_removal(tx, &key).await?) }))
                .await?;
            self.report.add(FindingKind::WrongRemoval, &subject, detail.to_owned(), repaired);
        }
        Ok(())
    }

    /// Refuses to take the wrong bucket, or the wrong prefix, for one that has lost everything.
    pub(super) async fn mounted(&mut self) -> Result<(), Error> {
        let Blobs::Bucket(bucket) = &self.blobs else { return Ok(()) };
        if bucket.is_empty().await? && blob::is_any_own(&mut self.connection).await? {
            let message = "there is nothing in the bucket, and metadata knows of blobs; see that \
                           `storage.s3.bucket` and `storage.s3.prefix` are right";
            return Err(plura_blob::Error::Options(message.to_owned()).into());
        }
        Ok(())
    }

    /// Every blob's row against its file.
    pub(super) async fn blobs(
        &mut self,
        rehash: bool,
        progress: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), Error> {
        let mut after: Option<Digest> = None;
        loop {
            let page = blob::scan(&mut self.connection, after.as_ref(), PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.digest);
            for row in page {
                self.report.blobs += 1;
                self.report.bytes += row.size;
                if let Some((kind, detail)) = self.damage(&row, rehash).await? {
                    self.forget(row, kind, detail).await?;
                }
                if rehash && self.report.blobs.is_multiple_of(100) {
                    progress(&format!("blobs: {} read", self.report.blobs));
                }
            }
        }
    }

    async fn damage(
        &mut self,
        row: &blob::Blob,
        rehash: bool,
    ) -> Result<Option<(FindingKind, String)>, Error> {
        let Some(key) = BlobKey::from_stored(row.storage_key.clone()) else {
            let detail = format!("`{}` is no place in the store", row.storage_key);
            return Ok(Some((FindingKind::MissingBytes, detail)));
        };
        let opened = match self.blobs.verify(&key, row.size).await {
            Ok(()) if rehash => self.blobs.rehash(&key, row.digest.algorithm()).await.map(Some),
            Ok(()) => Ok(None),
            Err(error) => Err(error),
        };
        match opened {
            Ok(None) => Ok(None),
            Ok(Some(found)) if found == row.digest => Ok(None),
            Ok(Some(found)) => {
                let detail = format!("{} holds content with the digest {found}", row.storage_key);
                Ok(Some((FindingKind::WrongDigest, detail)))
            }
            Err(plura_blob::Error::Corrupt { detail, .. }) => {
                let detail = format!("{}: {detail}", row.storage_key);
                Ok(Some((FindingKind::WrongSize, detail)))
            }
            Err(error) if error.is_missing() => {
                // A collection that runs meanwhile may have been faster.
                if blob::find(&mut self.connection, &row.digest).await?.as_ref() != Some(row) {
                    return Ok(None);
                }
                let detail = format!("{} does not exist", row.storage_key);
                Ok(Some((FindingKind::MissingBytes, detail)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Forgets a damaged blob: as long as it is known, clients are told that it is there, and do not
    /// push it again.
    async fn forget(
        &mut self,
        row: blob::Blob,
        kind: FindingKind,
        detail: String,
    ) -> Result<(), Error> {
        let subject = row.digest.to_string();
        let key = row.storage_key.clone();
        let repaired = self
            .repair(move |tx| Box::pin(async move { Ok(queries::forget_blob(tx, &row).await?) }))
            .await?;
        // What lies in an adopted tree stays where it is.
        let own = BlobKey::from_stored(key).filter(|key| key.adopted().is_none());
        if let (true, Some(key)) = (repaired, own)
            && kind != FindingKind::MissingBytes
        {
            self.blobs.set_aside(&key).await?;
        }
        let advice = if repaired { "; push it again" } else { "" };
        self.report.add(kind, &subject, format!("{detail}{advice}"), repaired);
        Ok(())
    }

    /// Every file in the store against the rows.
    pub(super) async fn files(&mut self) -> Result<(), Error> {
        let files: BTreeMap<BlobKey, u64> =
            self.blobs.walk().await?.into_iter().map(|file| (file.key, file.size)).collect();
        for (key, size) in files {
            // What plura did not put there is not plura's to judge.
            if key.upload().is_none() || self.is_known(&key).await? || !self.is_orphan(&key).await?
            {
                continue;
            }
            let repaired = self.delete_file(&key).await?;
            let detail = format!("{size} bytes that no blob points at");
            self.report.add(FindingKind::OrphanFile, key.as_str(), detail, repaired);
        }
        Ok(())
    }

    async fn is_known(&mut self, key: &BlobKey) -> Result<bool, Error> {
        Ok(blob::is_key_known(&mut self.connection, key.as_str()).await?
            || removal::is_queued(&mut self.connection, key.as_str()).await?)
    }

    /// Whether a file is really nobody's, in an installation that is in use. In this order: between
    /// sealing and commit, the upload's own name, or its row, stands beside the final one; once that is
    /// gone, a row is there; once the row is gone, a removal is queued; once that is done, the file is
    /// gone.
    async fn is_orphan(&mut self, key: &BlobKey) -> Result<bool, Error> {
        if self.db.is_some() && matches!(self.blobs, Blobs::Directory(_)) {
            return Ok(true);
        }
        if let Some(upload) = key.upload()
            && self.is_under_way(&upload).await?
        {
            return Ok(false);
        }
        if self.is_known(key).await? {
            return Ok(false);
        }
        Ok(self.blobs.contains(key).await?)
    }

    async fn is_under_way(&mut self, upload: &UploadId) -> Result<bool, Error> {
        match &self.blobs {
            Blobs::Directory(directory) => {
                let (directory, upload) = (directory.clone(), upload.clone());
                Ok(blocking(move || directory.leftover(&upload)).await?.is_some())
            }
            Blobs::Bucket(_) => {
                // What of it is not needed goes with the session, or with its next request.
                Ok(upload::recorded(&mut self.connection, upload).await?.is_some())
            }
        }
    }

    async fn delete_file(&self, key: &BlobKey) -> Result<bool, Error> {
        if self.db.is_none() {
            return Ok(false);
        }
        self.blobs.delete(vec![key.clone()]).await?;
        Ok(true)
    }

    pub(super) async fn uploads(&mut self) -> Result<(), Error> {
        let sessions: BTreeMap<String, i64> =
            queries::uploads(&mut self.connection).await?.into_iter().collect();
        match self.blobs.clone() {
            Blobs::Directory(directory) => self.upload_files(&directory, sessions).await,
            Blobs::Bucket(bucket) => self.upload_objects(&bucket, sessions).await,
        }
    }

    /// Sessions against the objects that they name, and writing in parts that no session knows.
    async fn upload_objects(
        &mut self,
        bucket: &Bucket,
        sessions: BTreeMap<String, i64>,
    ) -> Result<(), Error> {
        for (upload, unfinished) in bucket.unfinished().await? {
            let known = upload::recorded(&mut self.connection, &upload).await?.is_some();
            if known || self.db.is_none() {
                continue;
            }
            bucket.abandon(&unfinished).await?;
            let detail = "parts of an upload that has no session".to_owned();
            self.report.add(FindingKind::OrphanUpload, upload.as_str(), detail, true);
        }
        for (id, offset) in sessions {
            let Ok(upload) = id.parse::<UploadId>() else { continue };
            let row = upload::recorded(&mut self.connection, &upload).await?;
            let Some(parts) = row.and_then(|row| row.parts) else { continue };
            let offset = u64::try_from(offset).unwrap_or_default();
            let damage = match Parts::from_text(&parts) {
                Some(parts) => bucket.damage(&parts, offset).await?,
                None => Some("where they are cannot be read".to_owned()),
            };
            let Some(damage) = damage else { continue };
            // A request that goes on meanwhile has written another one down.
            let now = upload::recorded(&mut self.connection, &upload).await?;
            if now.and_then(|row| row.parts) != Some(parts) {
                continue;
            }
            let end = id.clone();
            let end = async move |tx: &mut Tx| Ok(queries::delete_upload(tx, &end).await?);
            let repaired = self.repair(|tx| Box::pin(async move { end(tx).await })).await?;
            if repaired {
                bucket.discard(&upload, None).await?;
            }
            let detail = format!("{offset} bytes were acknowledged, and {damage}");
            self.report.add(FindingKind::BrokenUpload, &id, detail, repaired);
        }
        Ok(())
    }

    async fn upload_files(
        &mut self,
        directory: &Directory,
        sessions: BTreeMap<String, i64>,
    ) -> Result<(), Error> {
        let blobs = directory.clone();
        let files = blocking(move || blobs.leftovers()).await?;
        for file in &files {
            let id = file.upload.as_str();
            // In use, it may be a push without a session.
            if sessions.contains_key(id) || self.db.is_none() {
                continue;
            }
            let (blobs, upload) = (directory.clone(), file.upload.clone());
            blocking(move || blobs.remove_upload(&upload)).await?;
            let detail = format!("{} bytes of an upload that has no session", file.size);
            self.report.add(FindingKind::OrphanUpload, id, detail, true);
        }
        for (id, _) in sessions {
            let Some((offset, size)) = self.shortfall(directory, &id).await? else { continue };
            let upload = id.clone();
            let end = async move |tx: &mut Tx| Ok(queries::delete_upload(tx, &upload).await?);
            let repaired = self.repair(|tx| Box::pin(async move { end(tx).await })).await?;
            if let (true, Ok(upload)) = (repaired, id.parse()) {
                let blobs = directory.clone();
                blocking(move || blobs.remove_upload(&upload)).await?;
            }
            let detail = format!("{offset} bytes were acknowledged, and the file has {size}");
            self.report.add(FindingKind::BrokenUpload, &id, detail, repaired);
        }
        Ok(())
    }

    /// How much of a session was acknowledged and how much is there, if that is less. Bytes come before
    /// their row, and go after it.
    async fn shortfall(
        &mut self,
        directory: &Directory,
        id: &str,
    ) -> Result<Option<(i64, i64)>, Error> {
        let offset = queries::upload_offset(&mut self.connection, id).await?.unwrap_or_default();
        let size = match id.parse() {
            Ok(upload) => {
                let blobs = directory.clone();
                blocking(move || blobs.leftover(&upload)).await?.map_or(0, |file| file.size)
            }
            Err(_) => 0,
        };
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        if size >= offset || queries::upload_offset(&mut self.connection, id).await?.is_none() {
            return Ok(None);
        }
        Ok(Some((offset, size)))
    }
}
