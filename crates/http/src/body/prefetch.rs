//! Reads ahead of a body on the blocking pool.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::fs::Advice;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

const PIECE: u64 = 1024 * 1024;

/// Pieces read or being read and not yet taken; bounds the memory of one body.
const AHEAD: usize = 2;

/// Reads at once in the whole process, so that a slow disk cannot take every blocking thread.
static READERS: Semaphore = Semaphore::const_new(64);

/// The pieces of `next..until`, in order.
///
/// A thread is held only while it reads: a slow client costs memory for two pieces, never a place
/// among the readers.
pub(super) struct Prefetch {
    file: Arc<File>,
    next: u64,
    until: u64,
    reads: VecDeque<Read>,
}

impl Prefetch {
    pub(super) fn start(file: &Arc<File>, next: u64, until: u64) -> Self {
        // Advice only: a file system that has none loses nothing but speed.
        let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
        let mut prefetch = Self { file: Arc::clone(file), next, until, reads: VecDeque::new() };
        prefetch.fill();
        prefetch
    }

    /// The next piece; `None` when `until` is reached.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        let Some(front) = self.reads.front_mut() else { return Poll::Ready(None) };
        let piece = ready!(front.poll(cx));
        self.reads.pop_front();
        self.fill();
        Poll::Ready(Some(piece))
    }

    fn fill(&mut self) {
        while self.reads.len() < AHEAD && self.next < self.until {
            let length = PIECE.min(self.until - self.next);
            self.reads.push_back(Read::start(Arc::clone(&self.file), self.next, length));
            self.next += length;
        }
    }
}

/// One read under way; dropping it takes it out of the queue for a reader.
pub(super) struct Read(JoinHandle<io::Result<Bytes>>);

impl Read {
    pub(super) fn start(file: Arc<File>, offset: u64, length: u64) -> Self {
        // A task of its own, because a body that is not polled must not sit on a permit.
        Self(tokio::spawn(async move {
            let permit = READERS.acquire().await.map_err(io::Error::other)?;
            let read = move || {
                let _permit = permit;
                read_exactly(&file, offset, length)
            };
            tokio::task::spawn_blocking(read).await.map_err(io::Error::other).flatten()
        }))
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        Pin::new(&mut self.0).poll(cx).map(|read| read.map_err(io::Error::other).flatten())
    }
}

impl Drop for Read {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn read_exactly(file: &File, offset: u64, length: u64) -> io::Result<Bytes> {
    let mut buffer = vec![0; usize::try_from(length).map_err(io::Error::other)?];
    file.read_exact_at(&mut buffer, offset)?;
    Ok(buffer.into())
}
