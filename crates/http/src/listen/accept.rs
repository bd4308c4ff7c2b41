//! The accept loop and the drain.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::service::Service;
use rustix::io::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::connection::{self, End, Shared};
use super::metrics::{Metrics, Open};
use super::{Options, RequestBody};
use crate::body::Body;

/// How long accepting pauses when the process or the system has run out of something.
const BACK_OFF: Duration = Duration::from_millis(100);

/// What became of the connections that were open when the shutdown was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Drained {
    /// Ended by themselves: idle, or their requests were finished.
    pub finished: usize,
    /// Cut with a request under way, because the time was over.
    pub cut: usize,
}

/// Serves connections until `shutdown` completes, then lets the running requests finish.
///
/// # Errors
/// Only if the listener itself is unusable; what happens to a connection is never an error here.
pub async fn serve<S>(
    listener: TcpListener,
    options: Options,
    service: S,
    shutdown: impl Future<Output = ()>,
) -> io::Result<Drained>
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let options = Arc::new(options);
    let shared = Arc::new(Shared::new(service, Arc::clone(&options)));
    let (start_drain, drain) = watch::channel(None);
    let mut connections = JoinSet::new();
    {
        let limit = Arc::new(Semaphore::new(options.max_connections));
        let mut gate = Gate { listener, limit, options: &options, last_complaint: None };
        let mut shutdown = pin!(shutdown);
        let mut reloading = pin!(keep_certificate_fresh(&options));
        loop {
            let (stream, peer, permit) = tokio::select! {
                accepted = gate.next() => accepted?,
                () = &mut shutdown => break,
                () = &mut reloading => continue,
            };
            while connections.try_join_next().is_some() {}
            let open = Open::new(&options.metrics);
            let conversation = connection::run(Arc::clone(&shared), stream, peer, drain.clone());
            connections.spawn(async move {
                let _held = (open, permit);
                conversation.await
            });
        }
    }
    let deadline = Instant::now() + options.drain_timeout;
    while connections.try_join_next().is_some() {}
    start_drain.send_replace(Some(deadline));
    Ok(drained(connections, deadline).await)
}

/// Never ends.
async fn keep_certificate_fresh(options: &Options) {
    match &options.tls {
        Some(tls) => tls.keep_fresh().await,
        None => std::future::pending().await,
    }
}

async fn drained(mut connections: JoinSet<End>, deadline: Instant) -> Drained {
    let mut drained = Drained::default();
    // Each connection watches the deadline itself; the margin is for a task that is not polled.
    let deadline = deadline + Duration::from_secs(1);
    while let Ok(Some(end)) = timeout_at(deadline, connections.join_next()).await {
        match end {
            Ok(End::Cut) => drained.cut += 1,
            _ => drained.finished += 1,
        }
    }
    drained.cut += connections.len();
    connections.shutdown().await;
    drained
}

/// Where connections come in, one at a time and never more than the limit.
struct Gate<'a> {
    listener: TcpListener,
    limit: Arc<Semaphore>,
    options: &'a Options,
    last_complaint: Option<Instant>,
}

impl Gate<'_> {
    async fn next(&mut self) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
        let permit = self.permit().await?;
        loop {
            let error = match self.listener.accept().await {
                Ok((stream, peer)) => return Ok((stream, peer, permit)),
                Err(error) => error,
            };
            match judge(&error) {
                Trouble::Peer => {}
                Trouble::Shortage => {
                    Metrics::add(&self.options.metrics.refused, 1);
                    if self.may_complain() {
                        tracing::error!(%error, "cannot accept connections; trying again");
                    }
                    sleep(BACK_OFF).await;
                }
                Trouble::Listener => return Err(error),
            }
        }
    }

    async fn permit(&mut self) -> io::Result<OwnedSemaphorePermit> {
        if let Ok(permit) = Arc::clone(&self.limit).try_acquire_owned() {
            return Ok(permit);
        }
        Metrics::add(&self.options.metrics.limited, 1);
        let limit = self.options.max_connections;
        if self.may_complain() {
            tracing::warn!(limit, "the connection limit is reached; accepting waits");
        }
        Arc::clone(&self.limit).acquire_owned().await.map_err(io::Error::other)
    }

    /// At most once a second: a shortage repeats itself at every attempt.
    fn may_complain(&mut self) -> bool {
        let now = Instant::now();
        let may = self.last_complaint.is_none_or(|last| now - last >= Duration::from_secs(1));
        if may {
            self.last_complaint = Some(now);
        }
        may
    }
}

/// Whose trouble a failed accept is.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// The peer was gone before it was accepted.
    Peer,
    /// Out of file descriptors or memory; passes when connections end.
    Shortage,
    /// The listener can never accept anything again.
    Listener,
}

fn judge(error: &io::Error) -> Trouble {
    match Errno::from_io_error(error) {
        Some(
            Errno::CONNABORTED | Errno::CONNRESET | Errno::CONNREFUSED | Errno::INTR | Errno::PROTO,
        ) => Trouble::Peer,
        Some(Errno::BADF | Errno::INVAL | Errno::NOTSOCK | Errno::OPNOTSUPP) => Trouble::Listener,
        _ => Trouble::Shortage,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_dead_listener_ends_the_loop() {
        let check = |errno: Errno, expected| assert_eq!(judge(&errno.into()), expected, "{errno}");
        check(Errno::MFILE, Trouble::Shortage);
        check(Errno::NFILE, Trouble::Shortage);
        check(Errno::NOBUFS, Trouble::Shortage);
        check(Errno::CONNABORTED, Trouble::Peer);
        check(Errno::NETDOWN, Trouble::Shortage);
        check(Errno::BADF, Trouble::Listener);
    }
}
