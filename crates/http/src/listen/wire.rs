//! The socket as hyper sees it: counted, watched for stalls, and able to send files.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use rustix::io::retry_on_intr;
use rustix::net::{SendAncillaryBuffer, SendFlags};
use tokio::io::{AsyncRead, AsyncWrite, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Sleep;

use super::activity::Activity;
use super::metrics::Metrics;
use super::stall::Stall;
use crate::body::{FileQueue, Next};

/// How long what a peer still sends is thrown away after the last response, so that the response
/// is not lost to a reset.
const LINGER: Duration = Duration::from_secs(2);

/// A TCP connection; under TLS it carries the encrypted bytes.
pub(super) struct Wire {
    stream: TcpStream,
    activity: Arc<Activity>,
    metrics: Arc<Metrics>,
    stall: Stall,
    /// Absent under TLS, where the kernel cannot send the file's own bytes.
    queue: Option<FileQueue>,
    linger: Option<Pin<Box<Sleep>>>,
}

impl Wire {
    pub(super) fn new(
        stream: TcpStream,
        activity: Arc<Activity>,
        metrics: Arc<Metrics>,
        stall_timeout: Duration,
        queue: Option<FileQueue>,
    ) -> Self {
        let stall = Stall::new(stall_timeout);
        Self { stream, activity, metrics, stall, queue, linger: None }
    }

    fn next(&self, slices: &[IoSlice<'_>]) -> io::Result<Next> {
        match &self.queue {
            Some(queue) => queue.next(slices),
            None => Ok(Next::Bytes { slices: slices.len(), more: false }),
        }
    }

    /// One system call.
    fn attempt(&self, slices: &[IoSlice<'_>], next: &Next) -> io::Result<usize> {
        match (next, &self.queue) {
            (Next::File, Some(queue)) => {
                let sent = queue.send(&self.stream)?;
                Metrics::add(&self.metrics.bytes_out_zero_copy, sent);
                Ok(sent)
            }
            (Next::Bytes { slices: count, more }, _) => {
                send(&self.stream, &slices[..*count], *more)
            }
            (Next::File, None) => Err(io::Error::other("a file without a queue")),
        }
    }

    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let next = self.next(slices)?;
        if let (Next::File, Some(queue)) = (&next, &self.queue) {
            // Not a stall: it is the disk that is waited for.
            ready!(queue.poll_resident(cx))?;
        }
        loop {
            if let Poll::Ready(ready) = self.stream.poll_write_ready(cx) {
                ready?;
                let attempt = || self.attempt(slices, &next);
                match self.stream.try_io(Interest::WRITABLE, attempt) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return Poll::Ready(done),
                }
            } else {
                ready!(self.stall.poll_elapsed(cx));
                // The kernel reports a socket writable only when a third of its buffer is free,
                // which a slow reader may take minutes to reach. Whether anything moved shows
                // when writing is tried.
                return Poll::Ready(match self.attempt(slices, &next) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        Metrics::add(&self.metrics.cut, 1);
                        Err(io::ErrorKind::TimedOut.into())
                    }
                    done => done,
                });
            }
        }
    }

    /// Throws away what the peer still sends, until it stops or has had long enough.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.linger.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if sleep.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [MaybeUninit::uninit(); 16 * 1024];
        loop {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

/// `more` keeps a short head back for the file that follows, so that they share a packet.
fn send(stream: &TcpStream, slices: &[IoSlice<'_>], more: bool) -> io::Result<usize> {
    let more = if more { SendFlags::MORE } else { SendFlags::empty() };
    let mut control = SendAncillaryBuffer::default();
    let flags = SendFlags::NOSIGNAL | more;
    Ok(retry_on_intr(|| rustix::net::sendmsg(stream, slices, &mut control, flags))?)
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.activity.read();
            Metrics::add(&self.metrics.bytes_in, read);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(bytes)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let Poll::Ready(result) = self.poll_send(cx, slices) else {
            self.activity.write_pending();
            return Poll::Pending;
        };
        let sent = result?;
        self.stall.stop();
        self.activity.wrote();
        Metrics::add(&self.metrics.bytes_out, sent);
        Poll::Ready(Ok(sent))
    }

    /// hyper then queues the slices of bodies instead of copying them.
    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.stream).poll_shutdown(cx))?;
        }
        if self.activity.may_be_sending() {
            ready!(self.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

/// Lets the kernel find out about peers that vanished while a handler is thinking.
pub(super) fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    rustix::net::sockopt::set_socket_keepalive(stream, true)?;
    rustix::net::sockopt::set_tcp_keepidle(stream, Duration::from_mins(1))?;
    rustix::net::sockopt::set_tcp_keepintvl(stream, Duration::from_secs(15))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::fs::File;

    use http::{Request, Response};
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::body::{Body, FileSlice};
    use crate::listen::service::PerConnection;
    use crate::listen::{Connection, Options, RequestBody};

    static CONTENTS: [u8; 200_000] = [b'x'; 200_000];

    fn file() -> Arc<File> {
        let mut file = tempfile::tempfile().unwrap();
        io::Write::write_all(&mut file, &CONTENTS).unwrap();
        Arc::new(file)
    }

    async fn answer(_: Request<RequestBody>) -> Result<Response<Body>, Infallible> {
        let slice = FileSlice { file: file(), start: 0, end: CONTENTS.len() as u64 };
        Ok(Response::new(Body::file(slice)))
    }

    /// What a client receives when hyper copies the slices of bodies, or does not.
    async fn received(writev: bool) -> Vec<u8> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let options = Arc::new(Options::default());
        let activity = Activity::new();
        let queue = Some(FileQueue::default());
        let metrics = Arc::clone(&options.metrics);
        let stall = options.stall_timeout;
        let wire = Wire::new(stream, Arc::clone(&activity), metrics, stall, queue.clone());
        let connection = Connection { peer, tls: false, client: None };
        let service = service_fn(answer);
        let service = PerConnection { service, connection, activity, options, queue };
        client.write_all(b"GET / HTTP/1.1\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut builder = http1::Builder::new();
        let served = builder.writev(writev).serve_connection(TokioIo::new(wire), service).await;
        assert_eq!(served.is_ok(), writev);
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.unwrap();
        received
    }

    /// Nothing of such a response is sent, so that no zero can pass for contents.
    #[tokio::test]
    async fn a_copied_placeholder_never_leaves() {
        assert!(received(true).await.ends_with(&CONTENTS));
        assert_eq!(received(false).await, b"");
    }
}
