use std::io::{Error, ErrorKind};

use futures_util::StreamExt;

use crate::ByteStream;

/// The body, which breaks off when it has more than `left` bytes.
pub(crate) fn limited(body: ByteStream, mut left: u64) -> ByteStream {
    Box::pin(body.map(move |piece| {
        let piece = piece?;
        match left.checked_sub(piece.len() as u64) {
            Some(rest) => {
                left = rest;
                Ok(piece)
            }
            None => Err(ErrorKind::FileTooLarge.into()),
        }
    }))
}

/// Whether a body was broken off by [`limited`].
pub(crate) fn is_too_large(error: &Error) -> bool {
    error.kind() == ErrorKind::FileTooLarge
}
