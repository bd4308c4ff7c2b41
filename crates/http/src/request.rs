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

/// What a request is called in the log, in its answer, in the audit and by the object store: what the client
/// or a proxy named it, or else the trace that it is part of, or a new name.
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
        if let Some(trace) = headers.get("traceparent").and_then(trace_of) {
            return Self(trace);
        }
        let mut text = [0; uuid::fmt::Simple::LENGTH];
        let text = uuid::Uuid::now_v7().simple().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("none")))
    }

    /// What the request was called when it came.
    pub(crate) fn of(head: &Parts) -> Self {
        head.extensions.get().cloned().unwrap_or_else(|| Self::new(&head.headers))
    }

    /// As text.
    pub(crate) fn text(&self) -> Arc<str> {
        self.0.to_str().unwrap_or_default().into()
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

/// The trace that a request is part of (W3C Trace Context, section 3.2); nothing where it is not whole.
fn trace_of(header: &HeaderValue) -> Option<HeaderValue> {
    const TRACE: std::ops::Range<usize> = 3..35;
    const WHOLE: usize = 55;
    let bytes = header.as_bytes();
    let is_hexadecimal = |range: std::ops::Range<usize>| {
        let part = bytes.get(range).unwrap_or_default();
        !part.is_empty() && part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_any = |range: std::ops::Range<usize>| bytes[range].iter().any(|byte| *byte != b'0');
    // Later versions may add to it, behind another dash.
    let ends = match bytes.len() {
        WHOLE => true,
        length => length > WHOLE && bytes[WHOLE] == b'-' && !bytes.starts_with(b"00"),
    };
    let whole = ends
        && !bytes.starts_with(b"ff")
        && [2, 35, 52].iter().all(|dash| bytes[*dash] == b'-')
        && [0..2, TRACE, 36..52, 53..WHOLE].into_iter().all(is_hexadecimal)
        && is_any(TRACE)
        && is_any(36..52);
    whole.then(|| HeaderValue::from_bytes(&bytes[TRACE]).ok()).flatten()
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

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    /// Whether the request is called as its trace is.
    fn check(traceparent: &str, expected: bool) {
        let mut headers = HeaderMap::new();
        let value = HeaderValue::from_str(traceparent).expect("a header");
        headers.insert("traceparent", value);
        let name = RequestId::new(&headers).to_string();
        assert_eq!(name == TRACE, expected, "{traceparent}: {name}");
    }

    #[test]
    fn a_request_is_called_as_the_trace_that_it_is_part_of() {
        check(&format!("00-{TRACE}-00f067aa0ba902b7-01"), true);
        check(&format!("01-{TRACE}-00f067aa0ba902b7-01-more"), true);
        for not in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00_{TRACE}-00f067aa0ba902b7-01"),
            "-".repeat(55),
        ] {
            check(&not, false);
        }
    }

    #[test]
    fn what_a_request_is_called_by_its_sender_comes_before_its_trace() {
        let mut headers = HeaderMap::new();
        let trace = format!("00-{TRACE}-00f067aa0ba902b7-01");
        headers.insert("traceparent", HeaderValue::from_str(&trace).expect("a header"));
        headers.insert("x-request-id", HeaderValue::from_static("mine"));
        assert_eq!(RequestId::new(&headers).to_string(), "mine");
    }
}
