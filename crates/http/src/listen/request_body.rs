//! Request bodies that notice when the peer stops sending.

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;

use super::activity::Activity;
use super::stall::Stall;

/// The body of every request.
///
/// Asking for a frame fails with [`io::ErrorKind::TimedOut`] when no byte has arrived for the
/// stall timeout. Time in which nobody asks does not count: a handler may think as long as it
/// likes.
pub struct RequestBody(Source);

enum Source {
    Peer(Box<FromPeer>),
    Other(UnsyncBoxBody<Bytes, io::Error>),
}

struct FromPeer {
    incoming: Incoming,
    activity: Arc<Activity>,
    stall: Stall,
    ended: bool,
}

impl RequestBody {
    /// A body that comes from no connection, for calling a service directly.
    pub fn detached<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Source::Other(body.map_err(io::Error::other).boxed_unsync()))
    }

    pub(super) fn new(
        incoming: Incoming,
        activity: Arc<Activity>,
        stall_timeout: Duration,
    ) -> Self {
        let ended = incoming.is_end_stream();
        let stall = Stall::new(stall_timeout);
        Self(Source::Peer(Box::new(FromPeer { incoming, activity, stall, ended })))
    }
}

impl FromPeer {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.incoming).poll_frame(cx) else {
            return self.poll_stalled(cx).map(|()| Some(Err(io::ErrorKind::TimedOut.into())));
        };
        self.stall.stop();
        self.ended = frame.is_none() || self.incoming.is_end_stream();
        Poll::Ready(frame.map(|frame| frame.map_err(io::Error::other)))
    }

    /// A large HTTP/2 frame may take longer than the timeout to arrive in full, so what counts
    /// is the last byte read, not the last frame.
    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let since = ready!(self.stall.poll_elapsed(cx));
            let last_read = self.activity.last_read();
            if last_read <= since {
                return Poll::Ready(());
            }
            self.stall.start(last_read);
        }
    }
}

impl Drop for FromPeer {
    fn drop(&mut self) {
        if !self.ended {
            self.activity.left_unread();
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Source::Peer(body) => body.poll_frame(cx),
            Source::Other(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Peer(body) => body.incoming.is_end_stream(),
            Source::Other(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Source::Peer(body) => body.incoming.size_hint(),
            Source::Other(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("RequestBody").finish_non_exhaustive()
    }
}
