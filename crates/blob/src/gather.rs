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
    /// The beginning of the next piece, of which the rest has not come yet.
    begun: BytesMut,
    /// A body is not asked again once it has ended.
    ended: bool,
    /// Why the body ended before its end.
    pub(crate) interrupted: Option<io::Error>,
}

impl<S: Stream<Item = io::Result<Bytes>> + Unpin> Gather<S> {
    pub(crate) fn new(body: S) -> Self {
        Self { body, begun: BytesMut::new(), ended: false, interrupted: None }
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

    /// Large frames pass as they are; small ones are copied together. Who stops waiting for a piece
    /// loses nothing of it.
    pub(crate) async fn next_piece(&mut self) -> Option<Bytes> {
        while self.begun.len() < PIECE / 2 {
            let Some(frame) = self.next_frame().await else { break };
            if self.begun.is_empty() && frame.len() >= PIECE / 2 {
                return Some(frame);
            }
            if self.begun.is_empty() {
                self.begun.reserve(PIECE);
            }
            self.begun.extend_from_slice(&frame);
        }
        self.take_begun()
    }

    /// What has come of the next piece.
    pub(crate) fn take_begun(&mut self) -> Option<Bytes> {
        let piece = std::mem::take(&mut self.begun);
        (!piece.is_empty()).then(|| piece.freeze())
    }
}
