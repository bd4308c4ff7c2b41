//! What requests bring: their id, and bodies.

use std::{
    fmt, io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, HeaderValue, header, request::Parts};
use http_body::Body as _;
use plura_registry::ByteStream;

use crate::listen::RequestBody;

/// What a request is called in the log and in its answer: what the client or a proxy named it, or a
/// new name.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(HeaderValue);

impl RequestId {
    const MAX_LENGTH: usize = 64;

    pub(crate) fn new(headers: &HeaderMap) -> Self {
        // What goes into the log must not be able to break a line of it.
        let usable = |id: &&HeaderValue| {
            !id.is_empty()
                && id.len() <= Self::MAX_LENGTH
                && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(b))
        };
        if let Some(given) = headers.get("x-request-id").filter(usable) {
            return Self(given.clone());
        }
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        let text = uuid::Uuid::now_v7().simple().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none")))
    }

    /// What the request was called when it came.
    pub(crate) fn of(head: &Parts) -> Self {
        head.extensions.get().cloned().unwrap_or_else(|| Self::new(&head.headers))
    }

    pub(crate) fn header(self) -> HeaderValue {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.to_str().unwrap_or_default())
    }
}

/// A request body that is lent to a use case. What the use case leaves unread, because it said no
/// first, can still be taken off the connection afterwards: a client that is sending sees the answer
/// only when it is done, and one whose connection is closed meanwhile never does.
#[derive(Clone)]
pub(crate) struct LentBody {
    body: Arc<Mutex<RequestBody>>,
    /// The client waits to be told to send (`Expect: 100-continue`), which reading does.
    waiting: Arc<AtomicBool>,
}

impl LentBody {
    /// The most that is read for the sake of an answer; a client that has more to send is cut off.
    const DRAINED: usize = 16 << 20;

    pub(crate) fn new(body: RequestBody, headers: &HeaderMap) -> Self {
        let waiting = headers
            .get(header::EXPECT)
            .is_some_and(|expected| expected.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        let waiting = Arc::new(AtomicBool::new(waiting));
        Self { body: Arc::new(Mutex::new(body)), waiting }
    }

    pub(crate) fn stream(&self) -> ByteStream {
        Box::pin(Frames(self.clone()))
    }

    /// The whole body, or `None` if it has more than `limit` bytes.
    pub(crate) async fn read(&self, limit: u64) -> io::Result<Option<Bytes>> {
        let mut frames = self.stream();
        let mut bytes = BytesMut::new();
        while let Some(frame) = frames.next().await {
            let frame = frame?;
            if (bytes.len() + frame.len()) as u64 > limit {
                return Ok(None);
            }
            bytes.extend_from_slice(&frame);
        }
        Ok(Some(bytes.freeze()))
    }

    pub(crate) async fn drain(&self) {
        // Told no before it sent anything, the client will not send.
        if self.waiting.load(Relaxed) {
            return;
        }
        let mut frames = self.stream();
        let mut left = Self::DRAINED;
        while let Some(Ok(frame)) = frames.next().await {
            match left.checked_sub(frame.len()) {
                Some(rest) => left = rest,
                None => return,
            }
        }
    }
}

struct Frames(LentBody);

impl Stream for Frames {
    type Item = io::Result<Bytes>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.waiting.store(false, Relaxed);
        let mut body = self.0.body.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            return match Pin::new(&mut *body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => Poll::Ready(Some(Ok(data))),
                    // Trailers say nothing that is asked here.
                    Err(_) => continue,
                },
                Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            };
        }
    }
}
