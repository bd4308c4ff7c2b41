//! A range of an object as a body.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use plura_registry::ObjectStream;

/// Streams what an object store sends, which reads ahead of this body by itself.
pub(super) struct ObjectBody {
    stream: ObjectStream,
    left: u64,
}

impl ObjectBody {
    pub(super) fn new(stream: ObjectStream, length: u64) -> Self {
        Self { stream, left: length }
    }
}

impl http_body::Body for ObjectBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.is_end_stream() {
            return Poll::Ready(None);
        }
        // The client was promised these bytes: fewer must never look like success.
        let frame = ready!(Pin::new(&mut self.stream).poll_next(cx));
        let frame = frame.unwrap_or_else(|| Err(io::ErrorKind::UnexpectedEof.into()))?;
        self.left = self.left.saturating_sub(frame.len() as u64);
        Poll::Ready(Some(Ok(Frame::data(frame))))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    /// Always exact, so HTTP/1.1 sends a `Content-Length` and never chunked encoding.
    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}
