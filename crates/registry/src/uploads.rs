use std::{io, pin::Pin};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use plura_blob::{Appended, BlobKey, Blobs, Parts, Progress};
use plura_meta::{
    Timestamp, Tx, blob, removal, repository,
    review::{self, Kind, Review},
    upload::{self, Upload},
};
use plura_oci::{Algorithm, ContentRange, Digest, RepositoryName, UploadId};
use tracing::{error, warn};

use crate::{
    Error, Registry,
    active::ActiveUpload,
    check_quota,
    claims::{RowClaim, check_claim},
    detached,
    ending::parts_of,
    limit::{is_too_large, limited},
    quota,
};

/// The body of a request.
pub type ByteStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// A piece of an upload, and what the client said about it.
pub struct Chunk {
    /// What the client said about it.
    pub claim: Claim,
    /// The bytes.
    pub body: ByteStream,
}

/// What a client says about a chunk before it comes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Claim {
    /// Where it belongs (`Content-Range`).
    pub range: Option<ContentRange>,
    /// How long it is (`Content-Length`).
    pub length: Option<u64>,
}

/// What asking for an upload led to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartedUpload {
    /// A session: the bytes are to follow.
    Session(UploadId),
    /// The blob is there; nothing is to follow.
    Mounted,
}

impl Registry {
    /// Starts an upload session whose digest will probably be of `algorithm`.
    pub async fn start_upload(
        &self,
        repository: &RepositoryName,
        algorithm: Algorithm,
    ) -> Result<UploadId, Error> {
        let id = new_upload_id()?;
        self.insert_upload(repository, &id, algorithm).await?;
        Ok(id)
    }

    async fn insert_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        algorithm: Algorithm,
    ) -> Result<(), Error> {
        let hash = algorithm.hasher().save();
        let (repository, owner) = (repository.clone(), self.origin.subject.clone());
        let upload = Upload { id: id.clone(), repository, owner, offset: 0, hash, parts: None };
        let now = Timestamp::now();
        let work = async move |tx: &mut Tx| Ok(upload::insert(tx, &upload, now).await?);
        self.db().write(move |tx| Box::pin(async move { work(tx).await })).await
    }

    /// How many bytes of a session have arrived.
    pub async fn upload_offset(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<u64, Error> {
        Ok(self.find_session(repository, id).await?.offset)
    }

    /// Appends a chunk to a session; returns how many bytes it has then.
    ///
    /// What arrived before the client went away is kept, durably, so that it can go on from there.
    pub async fn append_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        chunk: Chunk,
    ) -> Result<u64, Error> {
        let (registry, repository, id) = (self.clone(), repository.clone(), id.clone());
        detached(async move {
            let mut session = registry.open_session(&repository, &id, chunk.claim).await?;
            let received = registry.append(&repository, &session, chunk).await;
            let freed = received.as_ref().is_ok_and(|progress| {
                progress.offset > session.progress.offset && !leaves_strays(progress)
            });
            // Otherwise the transaction that moved it did.
            if !freed {
                registry.release(&id, std::mem::take(&mut session.claim)).await;
            }
            received.map(|progress| progress.offset)
        })
        .await
    }

    async fn append(
        &self,
        repository: &RepositoryName,
        session: &Session,
        chunk: Chunk,
    ) -> Result<Progress, Error> {
        let chunk = self.within_quota(repository, None, session.progress.offset, chunk).await?;
        match self.receive(session, chunk).await {
            Ok(progress) => Ok(progress),
            Err(error) => Err(self.end_hopeless(&session.upload.id, error).await?),
        }
    }

    /// Appends the last chunk, which may be empty, and makes the whole a blob of the repository.
    ///
    /// Content of another digest ends the session: nothing that could be appended would make it right.
    pub async fn finish_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        digest: &Digest,
        chunk: Chunk,
    ) -> Result<(), Error> {
        let (registry, repository) = (self.clone(), repository.clone());
        let (id, digest) = (id.clone(), *digest);
        detached(async move {
            let mut session = registry.open_session(&repository, &id, chunk.claim).await?;
            let finished = registry.finish(&repository, &session, &digest, chunk).await;
            if finished.is_err() {
                registry.release(&id, std::mem::take(&mut session.claim)).await;
            }
            finished
        })
        .await
    }

    async fn finish(
        &self,
        repository: &RepositoryName,
        session: &Session,
        digest: &Digest,
        chunk: Chunk,
    ) -> Result<(), Error> {
        let (id, offset) = (&session.upload.id, session.progress.offset);
        let chunk = self.within_quota(repository, Some(digest), offset, chunk).await?;
        let progress = match self.receive_last(session, chunk).await {
            Ok(progress) => progress,
            Err(error) => return Err(self.end_hopeless(id, error).await?),
        };
        self.shared.uploads.note_unsettled(id);
        let made = progress.parts.clone();
        match self.seal(id, progress, digest).await {
            Ok(sealed) => {
                let (came, claim) = (Came::BySession, session.claim.value());
                let committed = self.commit(repository, digest, sealed, came, claim).await;
                if let Err(Error::UploadBusy) = &committed {
                    self.undo(made.as_ref(), session.progress.parts.as_ref()).await;
                }
                committed
            }
            Err(error) => Err(self.end_hopeless(id, error).await?),
        }
    }

    /// Takes a whole blob in one request, without a session.
    pub async fn push_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        chunk: Chunk,
    ) -> Result<(), Error> {
        let (registry, repository, digest) = (self.clone(), repository.clone(), *digest);
        detached(async move {
            let id = new_upload_id()?;
            let _active = registry.shared.uploads.begin(&id)?;
            let chunk = registry.within_quota(&repository, Some(&digest), 0, chunk).await?;
            let start = Progress::start(digest.algorithm());
            // What a crash leaves in a bucket is found by its row alone.
            let mut claim = RowClaim::default();
            if registry.keeps_rows() {
                registry.insert_upload(&repository, &id, digest.algorithm()).await?;
                claim = registry.claim(&id).await?;
            }
            match registry.receive_whole(&id, start, &digest, chunk).await {
                Ok(sealed) => {
                    registry.commit(&repository, &digest, sealed, Came::Whole, claim.value()).await
                }
                Err(error) => {
                    registry.end_push(&id).await;
                    Err(error)
                }
            }
        })
        .await
    }

    /// Ends a session; what arrived is deleted.
    pub async fn cancel_upload(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<(), Error> {
        let (registry, repository, id) = (self.clone(), repository.clone(), id.clone());
        detached(async move {
            let active = registry.shared.uploads.begin(&id);
            registry.find_session(&repository, &id).await?;
            let _active = active?;
            let _claim = registry.claim(&id).await?;
            registry.end_session(&id).await
        })
        .await
    }

    /// The session, if whom this is done for started it: nobody else learns that it exists.
    async fn find_session(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
    ) -> Result<Upload, Error> {
        let owner = &self.origin.subject;
        let found = upload::find(&mut self.db().read().await?, repository, owner, id).await?;
        found.ok_or(Error::UploadUnknown)
    }

    /// Takes the session for this request and checks that the chunk goes on where it stands.
    async fn open_session(
        &self,
        repository: &RepositoryName,
        id: &UploadId,
        claim: Claim,
    ) -> Result<Session, Error> {
        let active = self.shared.uploads.begin(id);
        let mut upload = self.find_session(repository, id).await?;
        // Only who may know of the session is told that it is busy.
        let active = active?;
        let row_claim = self.claim(id).await?;
        if row_claim.value().is_some() {
            // Another process may have moved it until then.
            upload = self.find_session(repository, id).await?;
        }
        match self.resume(upload, claim).await {
            Ok((upload, progress)) => {
                Ok(Session { upload, progress, claim: row_claim, _active: active })
            }
            Err(error) => {
                self.release(id, row_claim).await;
                Err(error)
            }
        }
    }

    /// Where a session goes on, if the chunk goes on there, too.
    async fn resume(&self, upload: Upload, claim: Claim) -> Result<(Upload, Progress), Error> {
        let id = &upload.id;
        // After a finish that failed, the file may have a second name under `blobs`: what is written to
        // it now must not change what a commit after all has there. In a bucket there may be more
        // than the row knows.
        if self.shared.uploads.is_unsettled(id) {
            self.settle(id).await?;
        }
        // A hash state that cannot be continued is a session that cannot: the client starts again.
        let hasher = upload.hash.restore().ok_or(Error::UploadUnknown)?;
        let parts = parts_of(upload.parts.as_deref())?;
        let progress = Progress { offset: upload.offset, hasher, parts };
        if let Some(range) = claim.range {
            let empty = claim.length == Some(0);
            if range.start != progress.offset {
                return Err(Error::UploadOutOfOrder {
                    start: range.start,
                    offset: progress.offset,
                });
            }
            if let Some(received) = claim.length.filter(|length| *length != range.length && !empty)
            {
                return Err(Error::Length { expected: range.length, received });
            }
        }
        Ok((upload, progress))
    }

    /// Writes a chunk and records how far the session is now.
    async fn receive(&self, session: &Session, chunk: Chunk) -> Result<Progress, Error> {
        let (before, expected) = (session.progress.offset, chunk.claim.expected());
        let body = self.bounded(before, chunk)?;
        let id = &session.upload.id;
        self.unsettle_bucket(id);
        let Appended { progress, interrupted } =
            self.blobs().append(id, session.progress.clone(), expected, body).await?;
        plura_fault::point("upload.appended").map_err(Error::fault)?;
        let received = progress.offset - before;
        if let (Some(expected), None) = (expected, &interrupted)
            && received != expected
        {
            return Err(Error::Length { expected, received });
        }
        if received > 0 {
            self.advance(session, before, &progress).await?;
        }
        match interrupted {
            None => Ok(progress),
            Some(source) => Err(self.interrupted(progress.offset, source)),
        }
    }

    /// As [`Registry::receive`], but the record is left to the commit that follows, unless the
    /// transfer breaks off.
    async fn receive_last(&self, session: &Session, chunk: Chunk) -> Result<Progress, Error> {
        let (before, expected) = (session.progress.offset, chunk.claim.expected());
        let body = self.bounded(before, chunk)?;
        let id = &session.upload.id;
        self.unsettle_bucket(id);
        let Appended { progress, interrupted } =
            self.blobs().append_last(id, session.progress.clone(), expected, body).await?;
        let received = progress.offset - before;
        if let Some(source) = interrupted {
            self.advance(session, before, &progress).await?;
            return Err(self.interrupted(progress.offset, source));
        }
        match expected {
            Some(expected) if received != expected => Err(Error::Length { expected, received }),
            _ => Ok(progress),
        }
    }

    async fn receive_whole(
        &self,
        id: &UploadId,
        start: Progress,
        digest: &Digest,
        chunk: Chunk,
    ) -> Result<Sealed, Error> {
        let expected = chunk.claim.expected();
        let body = self.bounded(0, chunk)?;
        let Appended { progress, interrupted } =
            self.blobs().append_last(id, start, expected, body).await?;
        if let Some(source) = interrupted {
            return Err(self.interrupted(0, source));
        }
        if let Some(expected) = expected.filter(|expected| *expected != progress.offset) {
            return Err(Error::Length { expected, received: progress.offset });
        }
        self.seal(id, progress, digest).await
    }

    async fn advance(
        &self,
        session: &Session,
        before: u64,
        progress: &Progress,
    ) -> Result<(), Error> {
        let upload = Upload {
            offset: progress.offset,
            hash: progress.hasher.save(),
            parts: progress.parts.as_ref().map(Parts::to_text),
            ..session.upload.clone()
        };
        if before == 0 {
            self.blobs().sync_uploads().await?;
        }
        let (now, claim) = (Timestamp::now(), session.claim.value());
        // Until they are removed, the claim says that there may be some.
        let kept = leaves_strays(progress);
        let work = async move |tx: &mut Tx| {
            check_claim(tx, &upload.id, claim.as_deref()).await?;
            if upload::advance(tx, &upload, before, kept, now).await? {
                return Ok(());
            }
            Err(Error::UploadUnknown)
        };
        let advanced = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await;
        match advanced {
            Ok(()) => {
                plura_fault::point("upload.advanced").map_err(Error::fault)?;
                self.settle_bucket(&session.upload.id, progress.parts.as_ref()).await;
            }
            Err(Error::UploadBusy) => {
                self.undo(progress.parts.as_ref(), session.progress.parts.as_ref()).await;
            }
            Err(_) => {}
        }
        advanced
    }

    async fn seal(
        &self,
        id: &UploadId,
        progress: Progress,
        digest: &Digest,
    ) -> Result<Sealed, Error> {
        let size = progress.offset;
        let strays = progress.parts.as_ref().map(Parts::strays).unwrap_or_default();
        match self.blobs().seal(id, progress, digest).await {
            Ok(key) => Ok(Sealed { upload: id.clone(), key, size, strays }),
            Err(plura_blob::Error::DigestMismatch { computed }) => {
                Err(Error::DigestMismatch { expected: *digest, computed: computed.into() })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Makes sealed content a blob of the repository, and ends the session if it came by one.
    async fn commit(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        sealed: Sealed,
        came: Came,
        claim: Option<String>,
    ) -> Result<(), Error> {
        let audit = self.audit("blob.push", repository, &digest.to_string());
        let (repository, digest) = (repository.clone(), *digest);
        let (now, grace) = (Timestamp::now(), self.settings().grace);
        let has_row = came == Came::BySession || self.keeps_rows();
        let (subject, in_bucket) = (sealed.clone(), self.keeps_rows());
        let work = async move |tx: &mut Tx| {
            let Sealed { upload: id, key, size, strays } = subject;
            check_claim(tx, &id, claim.as_deref()).await?;
            if has_row && !upload::delete(tx, &id).await? {
                return Err(Error::UploadUnknown);
            }
            let kept = blob::find_or_create(tx, &digest, size, key.as_str(), now).await?;
            link(tx, &repository, &kept, now, now.after(grace)).await?;
            audit.record(tx, now).await?;
            let second = (in_bucket && kept.storage_key != key.as_str()).then_some(key);
            // Without the row, nothing else knows of them.
            let unneeded: Vec<BlobKey> = strays.into_iter().chain(second).collect();
            for key in &unneeded {
                removal::queue_uncommitted(tx, key.as_str(), &digest, now).await?;
            }
            Ok::<_, Error>((kept.storage_key, unneeded))
        };
        let kept = self.db().write(move |tx| Box::pin(async move { work(tx).await })).await;
        let cleared = match self.blobs() {
            Blobs::Directory(_) => {
                self.clear_up(sealed, kept.as_ref().ok().map(|(key, _)| key.as_str()), came).await
            }
            Blobs::Bucket(_) => self.clear_up_bucket(&sealed.upload, &kept, came).await,
        };
        if let Err(error) = cleared {
            // Nothing is wrong with what was asked; the next collection finds what stays behind.
            warn!(%error, "cannot clear up after an upload");
        }
        kept.map(|_| ())
    }

    /// Removes the names of an upload's file that are nobody's after the commit, which kept the
    /// content under `kept`, or failed. A session that goes on keeps its file, so that the client can
    /// try again.
    async fn clear_up(&self, sealed: Sealed, kept: Option<&str>, came: Came) -> Result<(), Error> {
        plura_fault::point("upload.committed").map_err(Error::fault)?;
        let Sealed { upload, key, .. } = sealed;
        let goes_on = match kept {
            Some(kept) if kept == key.as_str() => false,
            Some(_) => {
                self.blobs().delete(vec![key]).await?;
                false
            }
            None => self.disown(vec![key]).await? && came == Came::BySession,
        };
        self.shared.uploads.note_settled(&upload);
        if goes_on { Ok(()) } else { self.remove_file(&upload).await }
    }

    /// Ends a session that nothing could be appended to that would make it right.
    async fn end_hopeless(&self, id: &UploadId, error: Error) -> Result<Error, Error> {
        let lost = self.keeps_rows() && error.is_damage();
        if lost {
            error!(%error, upload = %id, "an upload has lost bytes; the client has to start again");
        }
        let hopeless = matches!(
            error,
            Error::DigestMismatch { .. } | Error::BlobTooLarge { .. } | Error::OverQuota(_)
        );
        if lost || hopeless {
            self.end_session(id).await?;
        }
        Ok(if lost { Error::UploadUnknown } else { error })
    }

    /// The body of a chunk that goes on at `offset`, or that the blob would be too large with it.
    fn bounded(&self, offset: u64, chunk: Chunk) -> Result<ByteStream, Error> {
        let Some(limit) = self.settings().blob_limit else { return Ok(chunk.body) };
        let left = limit.checked_sub(offset).ok_or(Error::BlobTooLarge { limit })?;
        if chunk.claim.expected().is_some_and(|expected| expected > left) {
            return Err(Error::BlobTooLarge { limit });
        }
        Ok(limited(chunk.body, left))
    }

    fn interrupted(&self, offset: u64, source: io::Error) -> Error {
        if let Some(over_quota) = quota::exceeded(&source) {
            return over_quota;
        }
        match self.settings().blob_limit {
            Some(limit) if is_too_large(&source) => Error::BlobTooLarge { limit },
            _ => Error::UploadInterrupted { offset, source },
        }
    }
}

/// A session that this request may write to, and nobody else.
struct Session {
    upload: Upload,
    progress: Progress,
    claim: RowClaim,
    _active: ActiveUpload,
}

/// Content under its final key that metadata does not know yet.
#[derive(Clone, Debug)]
struct Sealed {
    upload: UploadId,
    key: BlobKey,
    size: u64,
    /// Objects on the way to it that nothing needs.
    strays: Vec<BlobKey>,
}

/// Whether there are objects that are not needed any more once the progress is recorded.
fn leaves_strays(progress: &Progress) -> bool {
    progress.parts.as_ref().is_some_and(|parts| !parts.strays().is_empty())
}

/// How content came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// By a session, which the client can go on with.
    BySession,
    /// In one request.
    Whole,
}

impl Claim {
    /// How many bytes the client said there are.
    pub(crate) fn expected(self) -> Option<u64> {
        self.length.or(self.range.map(|range| range.length))
    }
}

/// Links a blob to a repository and has the collector ask later whether something came to need it.
pub(crate) async fn link(
    tx: &mut Tx,
    name: &RepositoryName,
    blob: &blob::Blob,
    now: Timestamp,
    due_at: Timestamp,
) -> Result<(), Error> {
    let repository = repository::find_or_create(tx, name, now).await?;
    if blob::link(tx, repository, blob.id, now).await? {
        check_quota(tx, repository).await?;
    }
    let review =
        Review { kind: Kind::Link, repository: Some(repository), digest: blob.digest, due_at };
    Ok(review::schedule(tx, &review).await?)
}

fn new_upload_id() -> Result<UploadId, Error> {
    // Time-ordered, so that the rows of sessions that live at the same time stand together.
    let id = uuid::Uuid::now_v7().simple().to_string();
    id.parse().map_err(|_| Error::UploadUnknown)
}

/// A body that is all there already.
impl From<Bytes> for Chunk {
    fn from(bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        let body = futures_util::stream::once(async move { Ok(bytes) }).boxed();
        Self { claim: Claim { range: None, length }, body }
    }
}
