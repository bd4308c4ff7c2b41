//! Work that one process does at a time, of all that are on the same database.

use std::time::Duration;

use plura_meta::{Db, Timestamp, lease};
use tokio::task::JoinHandle;
use tracing::warn;

use crate::{Error, Registry};

/// How long a process that is gone keeps others from taking over.
const LIFE: Duration = Duration::from_mins(1);
/// How often a process that is there says so.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// The right to do something alone, until it is given back or dropped.
///
/// Others take over from a process that seems to be gone, which may only be slow. So what is done under
/// a lease must bear to be done twice, and at the same time.
#[derive(Debug)]
pub(crate) struct Lease {
    /// Nothing to say, and nobody to say it to, where there is one process.
    held: Option<Held>,
}

#[derive(Debug)]
struct Held {
    db: Db,
    name: &'static str,
    holder: String,
    heartbeat: JoinHandle<()>,
}

impl Registry {
    /// Takes a lease; none if another process has it.
    pub(crate) async fn lease(&self, name: &'static str) -> Result<Option<Lease>, Error> {
        if !self.db().is_shared() {
            return Ok(Some(Lease { held: None }));
        }
        let (db, holder) = (self.db().clone(), self.shared.process.clone());
        if !take(&db, name, &holder).await? {
            return Ok(None);
        }
        let heartbeat = tokio::spawn(keep(db.clone(), name, holder.clone()));
        Ok(Some(Lease { held: Some(Held { db, name, holder, heartbeat }) }))
    }
}

impl Lease {
    /// Lets others have it.
    pub(crate) async fn give_back(mut self) {
        let Some(held) = self.held.take() else { return };
        held.heartbeat.abort();
        let (name, holder) = (held.name, held.holder.clone());
        let work = async move |tx: &mut plura_meta::Tx| lease::release(tx, name, &holder).await;
        let released = held.db.write(move |tx| Box::pin(async move { work(tx).await })).await;
        if let Err(error) = released {
            warn!(%error, name, "the lease is not given back; it ends by itself");
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.heartbeat.abort();
    }
}

async fn take(db: &Db, name: &'static str, holder: &str) -> Result<bool, plura_meta::Error> {
    let holder = holder.to_owned();
    let work = async move |tx: &mut plura_meta::Tx| {
        // The time of asking would be too early: this may have waited.
        let now = Timestamp::now();
        lease::take(tx, name, &holder, now, now.after(LIFE)).await
    };
    db.write(move |tx| Box::pin(async move { work(tx).await })).await
}

async fn keep(db: Db, name: &'static str, holder: String) {
    loop {
        tokio::time::sleep(HEARTBEAT).await;
        match take(&db, name, &holder).await {
            Ok(true) => {}
            Ok(false) => return warn!(name, "another process took the lease over"),
            Err(error) => warn!(%error, name, "the lease is not renewed; trying again"),
        }
    }
}
