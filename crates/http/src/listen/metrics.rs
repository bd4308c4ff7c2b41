//! Counts kept by the connection layer, to be read by whoever exposes them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counters since start, and the number of connections open now.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Connections open now.
    pub open: AtomicU64,
    /// Connections accepted.
    pub accepted: AtomicU64,
    /// Connections that got no further: failed handshakes and failed accepts.
    pub refused: AtomicU64,
    /// Times that the connection limit stopped the accepting.
    pub limited: AtomicU64,
    /// Connections cut in the middle of something: a head, a transfer, a drain. Closing an idle
    /// connection is not one of them.
    pub cut: AtomicU64,
    /// Bytes read from sockets.
    pub bytes_in: AtomicU64,
    /// Bytes written to sockets, by this process or by the kernel for it.
    pub bytes_out: AtomicU64,
    /// The part of `bytes_out` that the kernel sent from files.
    pub bytes_out_zero_copy: AtomicU64,
    /// Requests that ended in a panic.
    pub panics: AtomicU64,
}

impl Metrics {
    /// Reads one counter: `Metrics::get(&metrics.open)`.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(super) fn add(counter: &AtomicU64, amount: usize) {
        counter.fetch_add(amount as u64, Ordering::Relaxed);
    }
}

/// Counts one connection as open for as long as it lives.
pub(super) struct Open(Arc<Metrics>);

impl Open {
    pub(super) fn new(metrics: &Arc<Metrics>) -> Self {
        Metrics::add(&metrics.accepted, 1);
        Metrics::add(&metrics.open, 1);
        Self(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
