//! The same work on several connections at once.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::http::Connection;
use crate::peer::Peer;

/// Runs `work` once per client, each on a connection that is already open, and times from the
/// moment all are let go until the last is done.
pub(crate) fn timed<T: Send>(
    peer: &Peer,
    clients: usize,
    work: impl Fn(usize, &mut Connection) -> Result<T> + Sync,
) -> Result<(Duration, Vec<T>)> {
    let connections = (0..clients).map(|_| peer.connect()).collect::<Result<Vec<_>>>()?;
    let (start, work) = (&Barrier::new(clients + 1), &work);
    thread::scope(|scope| {
        let workers: Vec<_> = connections
            .into_iter()
            .enumerate()
            .map(|(client, mut connection)| {
                scope.spawn(move || {
                    start.wait();
                    work(client, &mut connection)
                })
            })
            .collect();
        start.wait();
        let started = Instant::now();
        let results: Result<Vec<_>> = workers
            .into_iter()
            .map(|worker| worker.join().ok().context("a client panicked")?)
            .collect();
        let elapsed = started.elapsed();
        Ok((elapsed, results.with_context(|| format!("against {}", peer.kind))?))
    })
}

/// Deals the numbers below `total` out to `clients` connections.
pub(crate) fn for_each(
    peer: &Peer,
    clients: usize,
    total: usize,
    work: impl Fn(usize, &mut Connection) -> Result<()> + Sync,
) -> Result<Duration> {
    let deal = |client: usize, connection: &mut Connection| {
        (client..total).step_by(clients).try_for_each(|number| work(number, connection))
    };
    Ok(timed(peer, clients, deal)?.0)
}
