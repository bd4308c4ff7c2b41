//! Connections: accepting, TLS, timeouts, draining, and what a service learns about them.
//!
//! hyper speaks HTTP; everything around it is here, because the accept loop decides three things
//! that a library cannot: when a certificate is reloaded, when a silent peer is cut, and how a
//! file reaches the socket.
//!
//! **No transfer that makes progress is ever cut**, however long it takes. Every timeout here
//! counts from the last byte that moved.

mod accept;
mod activity;
mod client_certificate;
mod connection;
mod metrics;
mod request_body;
mod service;
mod stall;
mod tls;
mod watched;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use accept::{Drained, serve};
pub use client_certificate::{ClientCertificate, ClientCertificates};
pub use metrics::Metrics;
pub use request_body::RequestBody;
pub use tls::{Tls, TlsError, TlsFiles};

/// What a request's connection is; in the extensions of every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The other end of the socket.
    pub peer: SocketAddr,
    /// Whether the bytes are encrypted between that end and this process.
    pub tls: bool,
    /// What that end has proved to be, if it was asked and had a certificate to show.
    pub client: Option<Arc<ClientCertificate>>,
}

/// How connections are treated.
#[derive(Clone, Debug)]
pub struct Options {
    /// Certificate and key; without them connections are plain.
    pub tls: Option<Tls>,
    /// Beyond this many open connections nothing is accepted until one ends.
    pub max_connections: usize,
    /// From the first byte of a request, or from accepting the connection, to the end of its
    /// head.
    pub header_timeout: Duration,
    /// For a TLS handshake.
    pub handshake_timeout: Duration,
    /// How long a connection may be open with no request under way.
    pub idle_timeout: Duration,
    /// How long a wanted request body or a pending write may make no progress at all.
    pub stall_timeout: Duration,
    /// How long running requests may take to finish after the shutdown was asked for.
    pub drain_timeout: Duration,
    /// Whether the kernel may send files itself on plain HTTP/1.1.
    pub zero_copy: bool,
    /// Counts of everything that happens.
    pub metrics: Arc<Metrics>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            tls: None,
            max_connections: 10_000,
            header_timeout: Duration::from_secs(15),
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(90),
            stall_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            zero_copy: true,
            metrics: Arc::default(),
        }
    }
}
