//! Files sent by the kernel through a library that only knows bytes.
//!
//! hyper asks a body for [`Bytes`] and later hands the same slices to the connection's socket. A
//! file body on a plain HTTP/1.1 connection therefore yields a slice of a placeholder, memory
//! that is reserved but never touched, and notes in the connection's [`FileQueue`] which part of
//! which file the slice stands for. The socket recognises the slice by its address and calls
//! `sendfile` instead of writing it.
//!
//! The placeholder must never be sent as data. Hence **the rule checked before every write**:
//! the slices to be written show every outstanding piece of the queue, whole, in order and at its
//! own address. A copy made anywhere on the way leaves a piece outstanding that no slice shows,
//! so the write that would carry the copied zeros is refused and the connection is cut.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::os::fd::AsFd;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::io::{Errno, retry_on_intr};
use rustix::net::SendFlags;

use super::file::{CHUNK, cached_prefix};
use super::prefetch::Read;

/// The largest part of a file behind one frame. At least hyper's write buffer, so that it asks
/// for a piece only when the one before it is gone.
pub(super) const PIECE: u64 = SLOT as u64;

/// The placeholder of one piece.
const SLOT: usize = 1024 * 1024;

/// Consecutive pieces get different addresses, so that one cannot be taken for another. More than
/// the number of frames hyper queues.
const SLOTS: usize = 32;

/// Zeroed memory comes from the kernel untouched: this reserves addresses, not memory.
static PLACEHOLDER: LazyLock<&'static [u8]> = LazyLock::new(|| vec![0; SLOT * SLOTS].leak());

/// Bytes per system call where the kernel cannot send files.
const COPIED: usize = 64 * 1024;

/// The parts of files that one connection has still to send, oldest first.
#[derive(Clone, Default)]
pub(crate) struct FileQueue(Arc<Mutex<Queue>>);

#[derive(Default)]
struct Queue {
    pieces: VecDeque<Piece>,
    next_slot: usize,
}

struct Piece {
    file: Arc<File>,
    offset: u64,
    /// The part of the placeholder that stands for what is still to be sent.
    stand_in: &'static [u8],
    residence: Residence,
}

/// Whether a piece, cached when it was handed out, still is when the socket takes it.
enum Residence {
    Unknown,
    /// It was dropped from the page cache meanwhile and is read again.
    Reading(Read),
    /// It has been read again; should it be gone once more, the kernel reads it while sending.
    Known,
}

/// What the front of a vectored write is made of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// This many slices of true bytes; `more` when a file follows at once.
    Bytes { slices: usize, more: bool },
    /// The oldest piece of the queue.
    File,
}

impl FileQueue {
    /// Notes a part of a file and returns the frame that stands for it.
    pub(super) fn push(&self, file: &Arc<File>, offset: u64, length: u64) -> Bytes {
        let mut queue = self.lock();
        let slot = queue.next_slot * SLOT;
        queue.next_slot = (queue.next_slot + 1) % SLOTS;
        let length = usize::try_from(length.min(PIECE)).unwrap_or(SLOT);
        let stand_in = &PLACEHOLDER[slot..slot + length];
        let residence = Residence::Unknown;
        queue.pieces.push_back(Piece { file: Arc::clone(file), offset, stand_in, residence });
        Bytes::from_static(stand_in)
    }

    /// Checks the rule of this module and says what to send first.
    pub(crate) fn next(&self, slices: &[IoSlice<'_>]) -> io::Result<Next> {
        let queue = self.lock();
        let mut outstanding = queue.pieces.iter();
        let mut first_file = None;
        for (index, slice) in slices.iter().enumerate().filter(|(_, slice)| is_stand_in(slice)) {
            let expected = outstanding.next().map(|piece| piece.stand_in);
            if !expected.is_some_and(|expected| same_memory(expected, slice)) {
                return Err(broken("a placeholder that was not expected"));
            }
            first_file.get_or_insert(index);
        }
        if outstanding.next().is_some() {
            return Err(broken("an outstanding file part is missing"));
        }
        Ok(match first_file {
            Some(0) => Next::File,
            Some(slices) => Next::Bytes { slices, more: true },
            None => Next::Bytes { slices: slices.len(), more: false },
        })
    }

    /// Waits until the oldest piece can be sent without waiting for the disk. A slow reader may
    /// take minutes over one piece, long enough for its pages to be needed elsewhere.
    pub(crate) fn poll_resident(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.lock().pieces.front_mut() {
            Some(piece) => piece.poll_resident(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// Sends as much of the oldest piece as the socket takes now.
    pub(crate) fn send(&self, socket: impl AsFd) -> io::Result<usize> {
        let mut queue = self.lock();
        let Some(piece) = queue.pieces.front_mut() else {
            return Err(broken("no file part is outstanding"));
        };
        let sent = match piece.send(&socket) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => piece.copy(&socket)?,
            sent => sent?,
        };
        if sent == 0 {
            // The file is shorter than promised: the transfer must not look complete.
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        piece.offset += sent as u64;
        piece.stand_in = &piece.stand_in[sent..];
        if piece.stand_in.is_empty() {
            queue.pieces.pop_front();
        }
        Ok(sent)
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Piece {
    fn poll_resident(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.residence, Residence::Unknown) {
            let left = self.stand_in.len() as u64;
            let near = left.min(CHUNK);
            if cached_prefix(&self.file, self.offset, near)? == near {
                return Poll::Ready(Ok(()));
            }
            let read = Read::start(Arc::clone(&self.file), self.offset, left);
            self.residence = Residence::Reading(read);
        }
        if let Residence::Reading(read) = &mut self.residence {
            ready!(read.poll(cx))?;
            self.residence = Residence::Known;
        }
        Poll::Ready(Ok(()))
    }

    fn send(&self, socket: impl AsFd) -> rustix::io::Result<usize> {
        retry_on_intr(|| {
            let mut offset = self.offset;
            rustix::fs::sendfile(&socket, &*self.file, Some(&mut offset), self.stand_in.len())
        })
    }

    /// For a file system from which the kernel cannot send.
    fn copy(&self, socket: impl AsFd) -> rustix::io::Result<usize> {
        let mut buffer = vec![0; self.stand_in.len().min(COPIED)];
        let read = retry_on_intr(|| rustix::io::pread(&*self.file, &mut buffer[..], self.offset))?;
        match read {
            0 => Ok(0),
            _ => retry_on_intr(|| rustix::net::send(&socket, &buffer[..read], SendFlags::NOSIGNAL)),
        }
    }
}

fn is_stand_in(slice: &[u8]) -> bool {
    PLACEHOLDER.as_ptr_range().contains(&slice.as_ptr()) && !slice.is_empty()
}

fn same_memory(expected: &[u8], slice: &[u8]) -> bool {
    std::ptr::eq(expected, slice)
}

fn broken(what: &'static str) -> io::Error {
    tracing::error!(what, "zero-copy bookkeeping is broken; the connection is cut");
    io::Error::other(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> Arc<File> {
        Arc::new(File::open("/dev/null").unwrap())
    }

    fn check(queue: &FileQueue, slices: &[&[u8]], expected: Option<&Next>) {
        let slices: Vec<_> = slices.iter().map(|slice| IoSlice::new(slice)).collect();
        assert_eq!(queue.next(&slices).ok().as_ref(), expected);
    }

    #[test]
    fn pieces_are_recognised_in_order_between_other_bytes() {
        let queue = FileQueue::default();
        check(&queue, &[b"head"], Some(&Next::Bytes { slices: 1, more: false }));
        let first = queue.push(&file(), 0, 100);
        let second = queue.push(&file(), 100, PIECE);
        check(
            &queue,
            &[b"he", b"ad", &first, &second],
            Some(&Next::Bytes { slices: 2, more: true }),
        );
        check(&queue, &[&first, &second, b"tail"], Some(&Next::File));
    }

    #[test]
    fn a_piece_can_be_copied_instead() {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, b"0123456789").unwrap();
        let (socket, mut peer) = std::os::unix::net::UnixStream::pair().unwrap();
        let stand_in = &PLACEHOLDER[..3];
        let residence = Residence::Unknown;
        let mut piece = Piece { file: Arc::new(file), offset: 4, stand_in, residence };
        assert_eq!(piece.copy(&socket).unwrap(), 3);
        let mut got = [0; 3];
        io::Read::read_exact(&mut peer, &mut got).unwrap();
        assert_eq!(&got, b"456");
        piece.offset = 10;
        assert_eq!(piece.copy(&socket).unwrap(), 0);
    }

    #[test]
    fn a_write_that_does_not_show_every_piece_is_refused() {
        let queue = FileQueue::default();
        let first = queue.push(&file(), 0, 100);
        let second = queue.push(&file(), 100, 100);
        let copy = second.to_vec();
        check(&queue, &[b"head"], None);
        check(&queue, &[&first], None);
        check(&queue, &[&first, &copy], None);
        check(&queue, &[&second, &first], None);
        check(&queue, &[&first, &second[..99]], None);
        check(&queue, &[&first[1..], &second], None);
        check(&queue, &[&first, &second, &second], None);
        check(&FileQueue::default(), &[&first], None);
    }
}
