//! The life of one connection.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use hyper::service::Service;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::activity::{Activity, Overdue};
use super::metrics::Metrics;
use super::service::PerConnection;
use super::tls::{Admission, Secured};
use super::wire::{self, Wire};
use super::{Connection, Options, RequestBody, Tls};
use crate::body::{Body, FileQueue};

const MIB: u32 = 1024 * 1024;

/// One connection reads at most this ahead of its handler, twice: 64 uploads in 32 MiB, which
/// leaves most of a 150 MiB budget to the storage side.
const READ_BUFFER: usize = 256 * 1024;

/// How long a peer may take to react when its idle connection is closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// A peer of which nothing is heard for this long during a drain will not say goodbye.
const SILENCE: Duration = Duration::from_secs(5);

/// The moment at which connections are cut; `None` until a shutdown is asked for.
pub(super) type Drain = watch::Receiver<Option<Instant>>;

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// In the ordinary way.
    Closed,
    /// By this side, because the peer took too long.
    Overdue,
    /// By this side, with a request under way when the time to drain was over.
    Cut,
}

/// What all connections of a listener share.
pub(super) struct Shared<S> {
    pub(super) service: S,
    pub(super) options: Arc<Options>,
    protocols: Builder<TokioExecutor>,
}

impl<S> Shared<S> {
    pub(super) fn new(service: S, options: Arc<Options>) -> Self {
        Self { service, options, protocols: protocols() }
    }
}

fn protocols() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    // The timeouts are kept by `Activity`: hyper's one for heads also runs between requests.
    builder.http1().header_read_timeout(None).max_buf_size(READ_BUFFER).writev(true);
    builder
        .http2()
        .max_frame_size(MIB)
        .initial_stream_window_size(4 * MIB)
        .initial_connection_window_size(16 * MIB)
        .max_concurrent_streams(250);
    builder
}

/// Serves the connection to its end.
pub(super) async fn run<S>(
    shared: Arc<Shared<S>>,
    stream: TcpStream,
    peer: SocketAddr,
    mut drain: Drain,
) -> End
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let options = &shared.options;
    if let Err(error) = wire::prepare(&stream) {
        tracing::debug!(%peer, %error, "the connection ended before it began");
        return End::Closed;
    }
    let activity = Activity::new();
    let queue = (options.zero_copy && options.tls.is_none()).then(FileQueue::default);
    let wire = Wire::new(
        stream,
        Arc::clone(&activity),
        Arc::clone(&options.metrics),
        options.stall_timeout,
        queue.clone(),
    );
    let connection = Connection { peer, tls: options.tls.is_some(), client: None };
    let mut service = PerConnection {
        service: shared.service.clone(),
        connection,
        activity: Arc::clone(&activity),
        options: Arc::clone(options),
        queue,
    };
    let Some(tls) = &options.tls else {
        return drive(&shared, wire, service, &activity, Admission::of_anyone(), drain).await;
    };
    let secured = tokio::select! {
        secured = handshake(tls, wire, peer, &activity, options) => secured,
        _ = draining(&mut drain) => None,
    };
    let Some(Secured { stream, client, admission }) = secured else { return End::Closed };
    service.connection.client = client;
    drive(&shared, stream, service, &activity, admission, drain).await
}

async fn handshake(
    tls: &Tls,
    wire: Wire,
    peer: SocketAddr,
    activity: &Activity,
    options: &Options,
) -> Option<Secured<Wire>> {
    let (error, wire) = match timeout(options.handshake_timeout, tls.accept(wire)).await {
        Ok(Ok(secured)) => return Some(secured),
        Ok(Err((error, wire))) => (error, Some(wire)),
        Err(elapsed) => (elapsed.into(), None),
    };
    tracing::debug!(%peer, %error, "the TLS handshake failed");
    Metrics::add(&options.metrics.refused, 1);
    if let Some(mut wire) = wire {
        // With TLS 1.3 a client sends its request before it knows that its certificate was
        // refused. Unread, that would answer the alert with a reset.
        activity.left_unread();
        // Whether the peer listens or not, the connection ends here.
        let _ = wire.shutdown().await;
    }
    None
}

async fn drive<S>(
    shared: &Shared<S>,
    io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: PerConnection<S>,
    activity: &Activity,
    mut admission: Admission,
    mut drain: Drain,
) -> End
where
    S: Service<Request<RequestBody>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + Sync + 'static,
    S::Future: Send,
{
    let peer = service.connection.peer;
    let mut conversation = pin!(shared.protocols.serve_connection(TokioIo::new(io), service));
    let mut overdue = pin!(activity.overdue(&shared.options));
    let reason = loop {
        tokio::select! {
            ended = conversation.as_mut() => return closed(peer, ended),
            reason = &mut overdue => break reason,
            () = admission.withdrawn() => {
                // What runs may finish; the next request needs a handshake of its own.
                conversation.as_mut().graceful_shutdown();
                admission = Admission::of_anyone();
            }
            deadline = draining(&mut drain) => {
                conversation.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = conversation.as_mut() => return closed(peer, ended),
                    () = quiet(activity) => return End::Closed,
                    () = sleep_until(deadline) => {
                        Metrics::add(&shared.options.metrics.cut, 1);
                        return End::Cut;
                    }
                    reason = &mut overdue => break reason,
                }
            }
        }
    };
    tracing::debug!(%peer, ?reason, "the connection is overdue");
    if reason == Overdue::Idle {
        conversation.as_mut().graceful_shutdown();
        // Whether the peer says goodbye or not, the connection ends here.
        let _ = timeout(FAREWELL, conversation).await;
    } else {
        Metrics::add(&shared.options.metrics.cut, 1);
    }
    End::Overdue
}

/// Ends when a shutdown is asked for, with the moment at which connections are cut.
async fn draining(drain: &mut Drain) -> Instant {
    let deadline = drain.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline);
    // Without a sender the listener is gone, and its time with it.
    deadline.unwrap_or_else(Instant::now)
}

fn closed<E: std::fmt::Display>(peer: SocketAddr, ended: Result<(), E>) -> End {
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "the connection ended with an error");
    }
    End::Closed
}

/// Ends when nothing is under way and nothing has moved for a while. HTTP/1 closes by itself; an
/// HTTP/2 peer has to acknowledge the shutdown first, and a vanished one never does. The end of
/// its last response may still wait for the peer's window, so what moves counts as well.
async fn quiet(activity: &Activity) {
    let mut since = Instant::now();
    loop {
        sleep_until(since + SILENCE).await;
        let moved = activity.last_moved();
        if activity.is_quiet() && moved <= since {
            return;
        }
        since = if activity.is_quiet() { moved } else { Instant::now() };
    }
}
