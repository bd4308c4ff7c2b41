//! A file range as a body.

use std::fs::File;
use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body::{Frame, SizeHint};
use rustix::io::{Errno, ReadWriteFlags};

use super::prefetch::Prefetch;
use super::zero_copy::{FileQueue, PIECE};

/// Copied per frame on the runtime thread: about 30 µs, and small enough to stay in the L2 cache
/// when many connections take turns.
pub(super) const CHUNK: u64 = 128 * 1024;

/// After a miss this much is read by the blocking pool before the page cache is asked again.
const RUN: u64 = 64 * 1024 * 1024;

/// Below this a system call per piece costs more than copying it.
const WORTH_SENDING: u64 = 64 * 1024;

/// The bytes `start..end` of a file that does not change while it is served.
#[derive(Clone, Debug)]
pub struct FileSlice {
    /// The open file; unlinking it does not disturb the transfer.
    pub file: Arc<File>,
    /// The first byte.
    pub start: u64,
    /// One past the last byte.
    pub end: u64,
}

/// Streams a [`FileSlice`]: what the page cache holds is copied at once, and a miss hands the
/// next stretch to readers on the blocking pool.
///
/// Reading through a mapping would be cheaper, but an I/O error would then kill the process.
pub struct FileBody {
    file: Arc<File>,
    position: u64,
    end: u64,
    source: Source,
    queue: Option<FileQueue>,
}

enum Source {
    PageCache,
    Disk(Prefetch),
}

impl FileBody {
    /// Starts at the beginning of the slice; nothing is read until the body is polled.
    pub fn new(FileSlice { file, start, end }: FileSlice) -> Self {
        let end = end.max(start);
        Self { file, position: start, end, source: Source::PageCache, queue: None }
    }

    pub(super) fn send_through(&mut self, queue: FileQueue) {
        if self.end - self.position >= WORTH_SENDING {
            self.queue = Some(queue);
        }
    }

    /// The next bytes if the page cache has them.
    fn cached(&self) -> io::Result<Option<Bytes>> {
        if let Some(queue) = &self.queue {
            let wanted = PIECE.min(self.end - self.position);
            let cached = cached_prefix(&self.file, self.position, wanted)?;
            return Ok((cached > 0).then(|| queue.push(&self.file, self.position, cached)));
        }
        cached_chunk(&self.file, self.position, CHUNK.min(self.end - self.position))
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        loop {
            match &mut self.source {
                Source::Disk(prefetch) => match ready!(prefetch.poll_next(cx)) {
                    Some(piece) => return Poll::Ready(piece),
                    None => self.source = Source::PageCache,
                },
                Source::PageCache => {
                    if let Some(bytes) = self.cached()? {
                        return Poll::Ready(Ok(bytes));
                    }
                    let until = self.end.min(self.position + RUN);
                    let prefetch = Prefetch::start(&self.file, self.position, until);
                    self.source = Source::Disk(prefetch);
                }
            }
        }
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        let bytes = ready!(self.poll_bytes(cx))?;
        self.position += bytes.len() as u64;
        Poll::Ready(Some(Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.position == self.end
    }

    /// Always exact, so HTTP/1.1 sends a `Content-Length` and never chunked encoding.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.end - self.position)
    }
}

/// Copies up to `length` bytes if they can be had without waiting for the disk.
fn cached_chunk(file: &File, offset: u64, length: u64) -> io::Result<Option<Bytes>> {
    let mut buffer = BytesMut::zeroed(usize::try_from(length).unwrap_or(usize::MAX));
    let read = read_without_waiting(file, &mut buffer, offset)?;
    buffer.truncate(read.unwrap_or(0));
    Ok(read.map(|_| buffer.freeze()))
}

/// How many of the `length` bytes at `offset` look cached, judged by one byte per chunk.
pub(super) fn cached_prefix(file: &File, offset: u64, length: u64) -> io::Result<u64> {
    let mut cached = 0;
    while cached < length {
        let stretch = CHUNK.min(length - cached);
        for probe in [offset + cached, offset + cached + stretch - 1] {
            if read_without_waiting(file, &mut [0], probe)?.is_none() {
                return Ok(cached);
            }
        }
        cached += stretch;
    }
    Ok(cached)
}

/// `None` when the bytes are not cached, or the file system cannot tell.
fn read_without_waiting(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<Option<usize>> {
    let mut slices = [IoSliceMut::new(buffer)];
    match rustix::io::preadv2(file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
        // The caller was promised these bytes: a shorter file must never look like success.
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(read) => Ok(Some(read)),
        Err(Errno::AGAIN | Errno::OPNOTSUPP | Errno::INTR | Errno::NOSYS | Errno::INVAL) => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}
