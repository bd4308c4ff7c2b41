//! A timer that runs only while somebody waits.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// Elapses when nothing has moved for `limit`.
pub(super) struct Stall {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl Stall {
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, since: None }
    }

    /// Something moved.
    pub(super) fn stop(&mut self) {
        self.since = None;
    }

    /// Waits on; yields the moment the waiting began once that is `limit` ago.
    pub(super) fn poll_elapsed(&mut self, cx: &mut Context<'_>) -> Poll<Instant> {
        let since = match self.since {
            Some(since) => since,
            None => self.start(Instant::now()),
        };
        if let Some(sleep) = &mut self.sleep {
            ready!(sleep.as_mut().poll(cx));
        }
        self.since = None;
        Poll::Ready(since)
    }

    /// Waits as if the waiting had begun at `since`.
    pub(super) fn start(&mut self, since: Instant) -> Instant {
        let deadline = since + self.limit;
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(deadline),
            None => self.sleep = Some(Box::pin(tokio::time::sleep_until(deadline))),
        }
        self.since = Some(since);
        since
    }
}
