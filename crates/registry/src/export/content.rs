//! The bytes of a blob, for who reads them on a thread of its own.

use std::{
    io::{self, Read},
    os::unix::fs::FileExt as _,
};

use bytes::{Buf, Bytes};
use futures_util::StreamExt;
use plura_blob::{BlobFile, ObjectStream};
use tokio::runtime::Handle;

/// Bytes of a blob, from wherever it is kept.
pub(super) enum Content {
    /// A file, and how far it was read; others may have it open, too, and have read on.
    File(BlobFile, u64),
    /// An object, and what came of it and was not read yet.
    Object(ObjectStream, Bytes, Handle),
    /// Nothing, of which there is no range to ask for.
    Empty,
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Empty => Ok(0),
            Self::File(opened, at) => {
                let read = opened.file.read_at(buffer, *at)?;
                *at += read as u64;
                Ok(read)
            }
            Self::Object(stream, frame, runtime) => {
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
        }
    }
}
