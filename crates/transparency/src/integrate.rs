//! Makes new entries part of the tree.

use std::time::Duration;

use plura_meta::{Timestamp, Tx, lease, log, log::LoggedEntry};
use plura_registry::{did, work_at_least_every};
use plura_tlog::{Entry, Frontier, Resource, SigningKey, TILE_WIDTH};
use tracing::{error, warn};

use crate::{Error, Head, Transparency, entry::entry_of, signed, tiles::Tiles, unsigned};

/// How long entries of other processes wait at most.
const PAUSE: Duration = Duration::from_secs(1);
/// Entries that are read and integrated together: they are in memory, and none is larger than a bundle's.
const BATCH: u32 = TILE_WIDTH as u32;
/// One process integrates at a time, so that work is not done twice. What two do at once is the same.
const LEASE: &str = "log";
/// How long a process that is gone keeps others from taking over.
const LIFE: Duration = Duration::from_secs(10);

impl Transparency {
    /// Integrates entries as they come, for ever.
    pub async fn watch(&self) {
        let failed = |error: Error| error!(%error, "the log cannot be continued; trying again");
        let asked = || self.shared.registry.log_asked();
        work_at_least_every(PAUSE, || self.work(), asked, failed).await;
    }

    /// How many entries are not part of the tree yet.
    pub async fn waiting(&self) -> Result<u64, Error> {
        let head = self.head().await?;
        Ok(self.size().await?.saturating_sub(head.map_or(0, |head| head.size)))
    }

    /// Integrates some of the new entries; whether there may be more.
    pub async fn work(&self) -> Result<bool, Error> {
        let (head, key) = self.ready().await?;
        if self.size().await? <= head.size || !self.take_lease().await? {
            return Ok(false);
        }
        // Whoever had the lease may have gone on meanwhile.
        let mut connection = self.db().read().await?;
        let rows = log::entries(&mut connection, signed(head.size), BATCH).await?;
        drop(connection);
        check_order(&rows, head.size)?;
        let entries: Vec<_> =
            rows.iter().map(entry_of).collect::<Result<_, _>>().map_err(plura_tlog::Error::from)?;
        self.integrate(&head, key, &entries).await?;
        did(rows.len() as u64).await;
        Ok(rows.len() == BATCH as usize)
    }

    /// Continues the tree: tiles first, then the head, in one transaction.
    async fn integrate(
        &self,
        head: &Head,
        key: &SigningKey,
        entries: &[Entry],
    ) -> Result<(), Error> {
        let mut known = self.shared.frontier.lock().await;
        let fits = |it: &Frontier| it.size() == head.size && it.root() == head.root;
        let frontier = match known.take().filter(fits) {
            Some(frontier) => frontier,
            None => self.frontier(head).await?,
        };
        let (next, writes) = frontier.append(entries)?;
        self.shared.tiles.write(writes).await?;
        fault("transparency.tiles")?;
        let signed_head = Head::sign(&head.origin, next.size(), next.root(), key)?;
        if self.replace(head, &signed_head, key).await? {
            fault("transparency.head")?;
            *known = Some(next);
            self.publish(&signed_head).await?;
        }
        self.shared.integrated.notify_waiters();
        Ok(())
    }

    /// What has to be known of the tree to continue it. Tiles that are gone, or are not those that were
    /// signed, are written again, if the entries lead to the root that was signed.
    async fn frontier(&self, head: &Head) -> Result<Frontier, Error> {
        let tiles = &self.shared.tiles;
        let found = tiles.read_all(partial(head.size)).await?;
        match Frontier::load(&found, head.size, &head.root) {
            Ok(frontier) => Ok(frontier),
            Err(error) => {
                warn!(%error, "tiles of the log are not what was signed; they are made again");
                let frontier = self.follow(head, None).await?;
                if frontier.root() != head.root {
                    return Err(Error::Tampered(head.size));
                }
                self.follow(head, Some(tiles)).await
            }
        }
    }

    /// Makes the tree from the entries that are part of it, and writes it, if it is to be.
    async fn follow(&self, head: &Head, to: Option<&Tiles>) -> Result<Frontier, Error> {
        let mut frontier = Frontier::default();
        while frontier.size() < head.size {
            let from = frontier.size();
            let left = u32::try_from(head.size - from).unwrap_or(BATCH).min(BATCH);
            let rows = log::entries(&mut self.db().read().await?, signed(from), left).await?;
            check_order(&rows, from)?;
            if rows.is_empty() {
                return Err(Error::Tampered(head.size));
            }
            let entries: Vec<_> = rows
                .iter()
                .map(entry_of)
                .collect::<Result<_, _>>()
                .map_err(plura_tlog::Error::from)?;
            let (next, writes) = frontier.append(&entries)?;
            if let Some(tiles) = to {
                tiles.write(writes).await?;
            }
            frontier = next;
        }
        Ok(frontier)
    }

    /// Puts a head in the place of the one that it continues; `false` if there is another one.
    async fn replace(&self, before: &Head, head: &Head, key: &SigningKey) -> Result<bool, Error> {
        let (before, head, verifier) = (before.row(), head.row(), key.verifier().to_string());
        let holder = self.shared.registry.process().to_owned();
        let is_shared = self.db().is_shared();
        let work = async move |tx: &mut Tx| {
            log::add_key(tx, &verifier, head.signed_at).await?;
            if is_shared {
                lease::release(tx, LEASE, &holder).await?;
            }
            log::replace_head(tx, &before, &head).await
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    async fn take_lease(&self) -> Result<bool, Error> {
        if !self.db().is_shared() {
            return Ok(true);
        }
        let holder = self.shared.registry.process().to_owned();
        let work = async move |tx: &mut Tx| {
            // The time of asking would be too early: this may have waited.
            let now = Timestamp::now();
            lease::take(tx, LEASE, &holder, now, now.after(LIFE)).await
        };
        Ok(self.db().write(move |tx| Box::pin(async move { work(tx).await })).await?)
    }

    /// Writes the checkpoint beside the tiles, for those who read these without asking us. It never goes
    /// back: whoever was overtaken while it wrote writes what overtook it.
    async fn publish(&self, head: &Head) -> Result<(), Error> {
        let mut current = head.clone();
        loop {
            self.shared.tiles.write_checkpoint(&current.checkpoint).await?;
            match self.head().await? {
                Some(head) if head.checkpoint != current.checkpoint => current = head,
                _ => return Ok(()),
            }
        }
    }

    /// Writes the checkpoint beside the tiles, if it is not there.
    pub(crate) async fn publish_again(&self, head: &Head) -> Result<(), Error> {
        let written = self.shared.tiles.read_checkpoint().await?;
        if written.as_deref() == Some(head.checkpoint.as_bytes()) {
            return Ok(());
        }
        self.publish(head).await
    }
}

/// What is not full in a tree of that size.
fn partial(size: u64) -> impl Iterator<Item = Resource> {
    let width = u64::from(TILE_WIDTH);
    let tiles = (0..8).filter_map(move |level| {
        let hashes = size >> (8 * u32::from(level));
        let partial = !hashes.is_multiple_of(width);
        Resource::hashes(level, hashes / width, size).filter(|_| partial)
    });
    Resource::entries(size / width, size).into_iter().chain(tiles)
}

/// Writes are serial, so that there is no gap unless somebody made one.
fn check_order(rows: &[LoggedEntry], from: u64) -> Result<(), Error> {
    for (row, expected) in rows.iter().zip(from..) {
        if unsigned(row.position) != expected {
            return Err(Error::Gap(expected));
        }
    }
    Ok(())
}

fn fault(point: &'static str) -> Result<(), Error> {
    let failed =
        |source| Error::KeyFile { action: "continue the log at", path: point.into(), source };
    plura_fault::point(point).map_err(failed)
}
