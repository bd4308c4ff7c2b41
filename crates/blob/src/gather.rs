//! A request's body as pieces of a useful size.

use std::io;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

/// Frames are gathered to about this size: large enough that a system call and a hand-over between
/// threads cost nothing beside the bytes, small enough for many uploads at once.
pub(crate) const PIECE: usize = 256 << 10;

/// The body as pieces of a useful size.
pub(crate) struct Gather<S> {
    body: S,
    /// A body is not asked again once it has ended.
    ended: bool,
    /// Why the body ended before its end.
    pub(crate) interrupted: Option<io::Error>,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Gather<S> {
    pub(crate) fn new(body: S) -> Self {
        Self { body, ended: false, interrupted: None }
    }

    pub(crate) async fn next_frame(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        match self.body.next().await {
            Some(Ok(frame)) => return Some(frame),
            Some(Err(error)) => self.interrupted = Some(error),
            None => {}
        }
        self.ended = true;
        None
    }

    /// Large frames pass as they are; small ones are copied together.
    pub(crate) async fn next_piece(&mut self) -> Option<Bytes> {
        let first = self.next_frame().await?;
        if first.len() >= PIECE / 2 {
            return Some(first);
        }
        let mut piece = BytesMut::with_capacity(PIECE);
        piece.extend_from_slice(&first);
        while piece.len() < PIECE / 2 {
            match self.next_frame().await {
                Some(frame) => piece.extend_from_slice(&frame),
                None => break,
            }
        }
        Some(piece.freeze())
    }
}
