//! What one connection is doing, and when it has done nothing for too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

use super::Options;

/// Shared by the socket, the service and the watch of one connection. Times are milliseconds
/// since the connection began; orderings are relaxed because each value stands alone.
pub(super) struct Activity {
    began: Instant,
    /// Whether a request has ever arrived.
    used: AtomicBool,
    http2: AtomicBool,
    under_way: AtomicUsize,
    /// Response bodies whose last frame was taken and whose next was not asked for yet: they
    /// wait for the peer.
    withheld: AtomicUsize,
    /// A write waits for the socket; the socket's own timer watches that.
    write_pending: AtomicBool,
    last_read: AtomicU64,
    last_write: AtomicU64,
    last_end: AtomicU64,
    last_frame: AtomicU64,
    /// When the head of the next request began to arrive; `NEVER` while none does.
    head_began: AtomicU64,
    /// A request body was dropped unread, so the peer may still be sending it.
    unread: AtomicBool,
}

const NEVER: u64 = u64::MAX;

/// Why a connection is ended by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Overdue {
    /// No request was under way.
    Idle,
    /// A request head did not arrive in full.
    Head,
    /// The peer took nothing of its responses.
    Stalled,
}

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            used: AtomicBool::new(false),
            http2: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            withheld: AtomicUsize::new(0),
            write_pending: AtomicBool::new(false),
            last_read: AtomicU64::new(0),
            last_write: AtomicU64::new(0),
            last_end: AtomicU64::new(0),
            last_frame: AtomicU64::new(0),
            head_began: AtomicU64::new(0),
            unread: AtomicBool::new(false),
        })
    }

    pub(super) fn read(&self) {
        let now = self.now();
        self.last_read.store(now, Relaxed);
        if self.under_way.load(Relaxed) == 0 && self.head_began.load(Relaxed) == NEVER {
            self.head_began.store(now, Relaxed);
        }
    }

    pub(super) fn wrote(&self) {
        self.last_write.store(self.now(), Relaxed);
        self.write_pending.store(false, Relaxed);
    }

    pub(super) fn write_pending(&self) {
        self.write_pending.store(true, Relaxed);
    }

    pub(super) fn last_read(&self) -> Instant {
        self.began + Duration::from_millis(self.last_read.load(Relaxed))
    }

    /// When a byte was last read or written.
    pub(super) fn last_moved(&self) -> Instant {
        let moved = self.last_read.load(Relaxed).max(self.last_write.load(Relaxed));
        self.began + Duration::from_millis(moved)
    }

    /// A request body will not be read to its end.
    pub(super) fn left_unread(&self) {
        self.unread.store(true, Relaxed);
    }

    pub(super) fn may_be_sending(&self) -> bool {
        self.unread.load(Relaxed)
    }

    /// Nothing is under way and nothing waits to be written.
    pub(super) fn is_quiet(&self) -> bool {
        self.under_way.load(Relaxed) == 0 && !self.write_pending.load(Relaxed)
    }

    /// Ends when the connection has done nothing for longer than it may.
    pub(super) async fn overdue(&self, options: &Options) -> Overdue {
        // A state that has changed meanwhile can be overdue no sooner than this from now.
        let nap = options.header_timeout.min(options.idle_timeout).min(options.stall_timeout) / 2;
        loop {
            let now = Instant::now();
            let deadline = self.deadline(options);
            if let Some((deadline, reason)) = deadline
                && deadline <= now
            {
                return reason;
            }
            let next = deadline.map_or(now + nap, |(deadline, _)| deadline.min(now + nap));
            tokio::time::sleep_until(next).await;
        }
    }

    fn deadline(&self, options: &Options) -> Option<(Instant, Overdue)> {
        let (since, limit, reason) = match self.under_way.load(Relaxed) {
            0 if self.write_pending.load(Relaxed) => return None,
            0 => match self.head_began.load(Relaxed) {
                // Between requests HTTP/2 exchanges frames that are no head.
                began
                    if began != NEVER && !(self.http2.load(Relaxed) && self.used.load(Relaxed)) =>
                {
                    (began, options.header_timeout, Overdue::Head)
                }
                _ => {
                    let quiet = self.last_end.load(Relaxed).max(self.last_write.load(Relaxed));
                    (quiet, options.idle_timeout, Overdue::Idle)
                }
            },
            // Under HTTP/2 a peer can stop a response while the socket stays writable.
            running if self.http2.load(Relaxed) && self.withheld.load(Relaxed) == running => {
                let moved = self.last_frame.load(Relaxed).max(self.last_write.load(Relaxed));
                (moved, options.stall_timeout, Overdue::Stalled)
            }
            _ => return None,
        };
        Some((self.began + Duration::from_millis(since) + limit, reason))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(NEVER - 1)
    }
}

/// One request under way, from its head to the end of its response body.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    withheld: bool,
}

impl UnderWay {
    pub(super) fn new(activity: &Arc<Activity>, http2: bool) -> Self {
        activity.used.store(true, Relaxed);
        activity.http2.store(http2, Relaxed);
        activity.head_began.store(NEVER, Relaxed);
        activity.under_way.fetch_add(1, Relaxed);
        Self { activity: Arc::clone(activity), withheld: false }
    }

    /// The next frame of the response was asked for.
    pub(super) fn asked(&mut self) {
        if std::mem::take(&mut self.withheld) {
            self.activity.withheld.fetch_sub(1, Relaxed);
        }
    }

    /// A frame was handed over.
    pub(super) fn handed_over(&mut self) {
        self.withheld = true;
        self.activity.withheld.fetch_add(1, Relaxed);
        self.activity.last_frame.store(self.activity.now(), Relaxed);
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.asked();
        self.activity.last_end.store(self.activity.now(), Relaxed);
        self.activity.under_way.fetch_sub(1, Relaxed);
    }
}
