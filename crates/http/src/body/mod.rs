//! Response bodies: one type for everything the server sends.
//!
//! A body made from a file range stays recognisable as such until the connection layer takes it,
//! so that layer alone decides whether its bytes are copied or sent by the kernel. A handler or
//! a middleware that reads a [`Body`] itself always reads the true bytes.

mod file;
mod object;
mod prefetch;
mod zero_copy;

use std::error::Error;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;
use plura_registry::ObjectStream;

pub use file::{FileBody, FileSlice};
pub(crate) use zero_copy::{FileQueue, Next};

/// The body of every response.
#[derive(Default)]
pub struct Body(Kind);

#[derive(Default)]
enum Kind {
    #[default]
    Empty,
    Full(Bytes),
    File(FileBody),
    Object(object::ObjectBody),
    Boxed(UnsyncBoxBody<Bytes, io::Error>),
}

impl Body {
    /// A body of no bytes.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A range of a file.
    pub fn file(slice: FileSlice) -> Self {
        Self(Kind::File(FileBody::new(slice)))
    }

    /// So many bytes that an object store sends.
    pub fn object(stream: ObjectStream, length: u64) -> Self {
        Self(Kind::Object(object::ObjectBody::new(stream, length)))
    }

    /// Any other body: a stream, or what another framework made.
    pub fn boxed<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        Self(Kind::Boxed(body.map_err(io::Error::other).boxed_unsync()))
    }

    /// Lets the kernel send the bytes of a file body; every other body is left as it is.
    ///
    /// Only the connection layer may call this, as the last step before hyper takes the body:
    /// from here on the frames are placeholders that nobody but that connection understands.
    pub(crate) fn send_through(&mut self, queue: FileQueue) {
        if let Kind::File(file) = &mut self.0 {
            file.send_through(queue);
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        if bytes.is_empty() { Self::empty() } else { Self(Kind::Full(bytes)) }
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.0 {
            Kind::Empty => Poll::Ready(None),
            Kind::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                self.0 = Kind::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Kind::File(file) => Pin::new(file).poll_frame(cx),
            Kind::Object(object) => Pin::new(object).poll_frame(cx),
            Kind::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Empty => true,
            Kind::Full(_) => false,
            Kind::File(file) => file.is_end_stream(),
            Kind::Object(object) => object.is_end_stream(),
            Kind::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Empty => SizeHint::with_exact(0),
            Kind::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File(file) => file.size_hint(),
            Kind::Object(object) => object.size_hint(),
            Kind::Boxed(body) => body.size_hint(),
        }
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kind = match &self.0 {
            Kind::Empty => "empty",
            Kind::Full(_) => "full",
            Kind::File(_) => "file",
            Kind::Object(_) => "object",
            Kind::Boxed(_) => "boxed",
        };
        write!(formatter, "Body({kind})")
    }
}
