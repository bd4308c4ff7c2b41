//! The bytes of a blob for who reads without a runtime.

use std::{
    fs::File,
    io::{self, Read},
    os::unix::fs::FileExt as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use bytes::{Buf, Bytes};
use futures_util::StreamExt as _;
use plura_oci::{Digest, Hasher};
use plura_registry::ObjectStream;
use tokio::runtime::Handle;

/// The bytes of a blob, from its first to its last.
pub(crate) enum Source {
    /// From its file.
    File { file: Arc<File>, at: u64, size: u64 },
    /// From its object: frames that are read ahead, a few at a time.
    Stream { runtime: Handle, stream: Box<ObjectStream>, frame: Bytes },
    /// There are none.
    Empty,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File { file, at, size } => {
                let left = usize::try_from(*size - *at).unwrap_or(usize::MAX);
                let wanted = left.min(buffer.len());
                let read = file.read_at(&mut buffer[..wanted], *at)?;
                if read == 0 && wanted > 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                *at += read as u64;
                Ok(read)
            }
            Self::Stream { runtime, stream, frame } => {
                while frame.is_empty() {
                    match runtime.block_on(stream.next()) {
                        Some(next) => *frame = next?,
                        None => return Ok(0),
                    }
                }
                let read = frame.len().min(buffer.len());
                frame.copy_to_slice(&mut buffer[..read]);
                Ok(read)
            }
            Self::Empty => Ok(0),
        }
    }
}

/// Says when nobody waits for what is read any more.
#[derive(Debug, Default)]
pub(crate) struct Waiting(Arc<AtomicBool>);

impl Waiting {
    /// What tells it.
    pub(crate) fn left(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Hashes and counts what is read through it, as long as somebody waits for it: a process that stops
/// must not wait for the end of a large layer.
pub(crate) struct Hashed {
    source: Source,
    hasher: Hasher,
    /// How many bytes were read.
    pub(crate) bytes: u64,
    left: Arc<AtomicBool>,
}

impl Hashed {
    pub(crate) fn new(source: Source, digest: &Digest, left: Arc<AtomicBool>) -> Self {
        Self { source, hasher: digest.algorithm().hasher(), bytes: 0, left }
    }

    /// The digest of what was read.
    pub(crate) fn digest(self) -> Digest {
        self.hasher.finish()
    }
}

impl Read for Hashed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left.load(Ordering::Relaxed) {
            return Err(io::Error::other("nobody waits for it any more"));
        }
        let read = self.source.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
