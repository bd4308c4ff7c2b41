//! From the wire to the disk: bytes are hashed and written in one pass, each by its own thread, with
//! bounded memory between them.

use std::{fs::File, io, os::unix::fs::FileExt, sync::Arc};

use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use plura_oci::{Algorithm, Hasher, UploadId};
use tokio::{runtime::Handle, sync::mpsc, task::JoinHandle};

use crate::{Directory, Error, Parts, gather::Gather};

/// How far an upload is: bytes that are stored, and the hash over exactly these.
#[derive(Clone, Debug)]
pub struct Progress {
    /// How many bytes have arrived.
    pub offset: u64,
    /// The hash over them.
    pub hasher: Hasher,
    /// Where they are, in a bucket.
    pub parts: Option<Parts>,
}

/// What came of appending: how far the upload is now, and why it went no further, if it should have.
#[derive(Debug)]
pub struct Appended {
    /// The new state; durable.
    pub progress: Progress,
    /// The body ended before its end: the client went away, or sent too much.
    pub interrupted: Option<io::Error>,
}

/// Bodies up to this size are gathered whole and take one trip to a blocking thread.
const SMALL: usize = 1 << 20;
/// Pieces in flight to each of the two threads.
const DEPTH: usize = 4;
/// Written bytes after which the kernel is asked to start writing them out, so that the final sync
/// is short.
const FLUSH: u64 = 8 << 20;

impl Progress {
    /// Nothing has arrived yet.
    pub fn start(algorithm: Algorithm) -> Self {
        Self { offset: 0, hasher: algorithm.hasher(), parts: None }
    }
}

impl Directory {
    /// Appends `body` to an upload. What arrived before an error of the body is kept.
    ///
    /// When this returns `Ok`, the bytes up to the new offset are on disk, synced.
    pub async fn append(
        &self,
        upload: &UploadId,
        progress: Progress,
        body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Appended, Error> {
        let mut body = Gather::new(body);
        let mut first = BytesMut::new();
        while first.len() < SMALL {
            let Some(frame) = body.next_frame().await else {
                let progress = self.append_small(upload, progress, first.freeze()).await?;
                return Ok(Appended { progress, interrupted: body.interrupted });
            };
            first.extend_from_slice(&frame);
        }
        let progress = self.append_large(upload, progress, first.freeze(), &mut body).await?;
        Ok(Appended { progress, interrupted: body.interrupted })
    }

    async fn append_small(
        &self,
        upload: &UploadId,
        mut progress: Progress,
        bytes: Bytes,
    ) -> Result<Progress, Error> {
        if bytes.is_empty() {
            return Ok(progress);
        }
        let (directory, upload) = (self.clone(), upload.clone());
        blocking(move || {
            let file = directory.open_upload(&upload, progress.offset)?;
            let failed = |action| Error::io(action, directory.upload_path(&upload));
            plura_fault::point("blob.append").map_err(failed("write"))?;
            file.write_all_at(&bytes, progress.offset).map_err(failed("write"))?;
            progress.hasher.update(&bytes);
            progress.offset += bytes.len() as u64;
            file.sync_data().map_err(failed("sync"))?;
            Ok(progress)
        })
        .await
    }

    async fn append_large(
        &self,
        upload: &UploadId,
        progress: Progress,
        first: Bytes,
        body: &mut Gather<impl Stream<Item = io::Result<Bytes>> + Unpin>,
    ) -> Result<Progress, Error> {
        let (directory, id, offset) = (self.clone(), upload.clone(), progress.offset);
        let file = Arc::new(blocking(move || directory.open_upload(&id, offset)).await?);

        let (to_hash, hash_end) = spawn_hasher(progress.hasher);
        let (to_disk, disk_end) = spawn_writer(Arc::clone(&file), offset);
        let mut piece = Some(first);
        while let Some(bytes) = piece {
            // A closed channel means that the disk failed; the writer's result says how.
            if to_disk.send(bytes.clone()).await.is_err() || to_hash.send(bytes).await.is_err() {
                break;
            }
            piece = body.next_piece().await;
        }
        drop((to_hash, to_disk));
        let failed = |action| Error::io(action, self.upload_path(upload));
        let offset = join(disk_end).await.and_then(|end| end).map_err(failed("write"))?;
        let hasher = join(hash_end).await.map_err(failed("hash"))?;
        blocking(move || file.sync_data()).await.map_err(failed("sync"))?;
        Ok(Progress { offset, hasher, parts: None })
    }
}

pub(crate) fn spawn_hasher(mut hasher: Hasher) -> (mpsc::Sender<Bytes>, JoinHandle<Hasher>) {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(DEPTH);
    let task = tokio::task::spawn_blocking(move || {
        while let Some(piece) = pieces.blocking_recv() {
            hasher.update(&piece);
        }
        hasher
    });
    (sender, task)
}

fn spawn_writer(
    file: Arc<File>,
    mut offset: u64,
) -> (mpsc::Sender<Bytes>, JoinHandle<io::Result<u64>>) {
    let (sender, mut pieces) = mpsc::channel::<Bytes>(DEPTH);
    let task = tokio::task::spawn_blocking(move || {
        let mut flusher = Flusher { file: Arc::clone(&file), dirty: 0, running: None };
        while let Some(piece) = pieces.blocking_recv() {
            plura_fault::point("blob.append")?;
            file.write_all_at(&piece, offset)?;
            offset += piece.len() as u64;
            flusher.wrote(piece.len() as u64)?;
        }
        flusher.finish()?;
        Ok(offset)
    });
    (sender, task)
}

/// Starts writing out while more is still arriving. Its errors count: the kernel reports a failed
/// write-back once per open file, so the final sync would not see them again.
struct Flusher {
    file: Arc<File>,
    dirty: u64,
    running: Option<JoinHandle<io::Result<()>>>,
}

impl Flusher {
    fn wrote(&mut self, bytes: u64) -> io::Result<()> {
        self.dirty += bytes;
        let idle = self.running.as_ref().is_none_or(JoinHandle::is_finished);
        if self.dirty >= FLUSH && idle {
            self.finish()?;
            self.dirty = 0;
            let file = Arc::clone(&self.file);
            self.running = Some(tokio::task::spawn_blocking(move || file.sync_data()));
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        match self.running.take() {
            Some(running) => Handle::current().block_on(join(running))?,
            None => Ok(()),
        }
    }
}

/// Runs work that blocks where it does not hold up requests.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

pub(crate) async fn join<T>(task: JoinHandle<T>) -> io::Result<T> {
    task.await.map_err(io::Error::other)
}
