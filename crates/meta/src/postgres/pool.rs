//! Connections to read with, kept open between requests.
//!
//! A connection is asked nothing when it comes and goes: a question costs one round trip. One that
//! waited long is tried before it is lent, and after one broke the others are not trusted either.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use sqlx::{Connection as _, PgConnection};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Lent, Server, Use, in_time};
use crate::Error;

/// A connection that waited longer is tried before it is used: something on the way to the server may
/// have forgotten it.
const TRUSTED: Duration = Duration::from_secs(10);

#[derive(Clone, Debug)]
pub(crate) struct Pool(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    server: Server,
    places: Arc<Semaphore>,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    connections: Vec<Waiting>,
    /// How often connections were distrusted; what was opened before is not taken back.
    generation: u64,
}

#[derive(Debug)]
struct Waiting {
    connection: PgConnection,
    limit: Duration,
    since: Instant,
}

/// A place in the pool, held as long as a connection is lent.
#[derive(Debug)]
pub(super) struct Place {
    pool: Arc<Shared>,
    limit: Duration,
    generation: u64,
    _permit: OwnedSemaphorePermit,
}

impl Pool {
    pub(crate) fn new(server: Server) -> Self {
        let places = usize::try_from(server.max_connections).unwrap_or(usize::MAX);
        let places = Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)));
        Self(Arc::new(Shared { server, places, idle: Mutex::default() }))
    }

    /// A connection that is believed to work.
    pub(crate) async fn lend(&self) -> Result<Lent, Error> {
        let waiting = Arc::clone(&self.0.places).acquire_owned();
        let permit = match tokio::time::timeout(self.0.server.timeout, waiting).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Error::Closed),
            Err(_) => return Err(Error::Unavailable("all connections are in use".into())),
        };
        let (taken, generation) = {
            let mut idle = self.0.idle();
            (idle.connections.pop(), idle.generation)
        };
        let (connection, limit) = match self.tried(taken).await {
            Some(tried) => tried,
            None => self.0.server.connect(Use::Requests).await?,
        };
        let place = Place { pool: Arc::clone(&self.0), limit, generation, _permit: permit };
        Ok(Lent::new(connection, Some(place), limit))
    }

    async fn tried(&self, taken: Option<Waiting>) -> Option<(PgConnection, Duration)> {
        let Waiting { mut connection, limit, since } = taken?;
        if since.elapsed() > TRUSTED && in_time(TRUSTED, connection.ping()).await.is_err() {
            self.0.distrust();
            return None;
        }
        Some((connection, limit))
    }

    /// Lends no more, and ends what waits.
    pub(crate) async fn close(&self) {
        self.0.places.close();
        let waiting = std::mem::take(&mut self.0.idle().connections);
        for Waiting { connection, limit, .. } in waiting {
            // Nothing depends on the server's hearing of it.
            let _ = in_time(limit, connection.close()).await;
        }
    }
}

impl Shared {
    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn distrust(&self) {
        let mut idle = self.idle();
        idle.generation += 1;
        idle.connections.clear();
    }
}

impl Place {
    /// A connection of the pool broke, and the others may have with it.
    pub(super) fn distrust(&self) {
        self.pool.distrust();
    }

    pub(super) fn give_back(self, connection: PgConnection) {
        let mut idle = self.pool.idle();
        if idle.generation == self.generation && !self.pool.places.is_closed() {
            let since = Instant::now();
            idle.connections.push(Waiting { connection, limit: self.limit, since });
        }
    }
}
