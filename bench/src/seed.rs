//! A directory filled, through the API, with many tags in one repository and many repositories.

use std::path::Path;

use anyhow::Result;
use tempfile::TempDir;

use crate::image::{Addressed, config, manifest};
use crate::peer::{Kind, Launcher, Peer};
use crate::{parallel, progress, registry};

/// The repository that has all the tags; it sorts behind the others.
pub(crate) const TAGGED: &str = "zz/tags";

const CLIENTS: usize = 32;

/// A filled directory that a server can be started on.
pub(crate) struct Seeded {
    directory: TempDir,
    pub(crate) kind: Kind,
    /// How many tags [`TAGGED`] has, each of a manifest of its own, and how many repositories
    /// there are besides.
    pub(crate) stored: usize,
}

/// The name of a tag; names sort as their numbers do.
pub(crate) fn tag(number: usize) -> String {
    format!("t{number:06}")
}

/// The name of a repository; names sort as their numbers do.
pub(crate) fn repository(number: usize) -> String {
    format!("r/{number:06}")
}

impl Seeded {
    /// Starts a server on an empty directory, fills it, and stops the server.
    pub(crate) fn fill(launcher: &Launcher, kind: Kind, stored: usize) -> Result<Self> {
        progress(&format!("storing {stored} tags and {stored} repositories in {kind}"));
        let directory = launcher.temporary()?;
        let peer = launcher.start_on(kind, directory.path(), &[])?;
        let blobs = Blobs { config: config(0), layer: Addressed::unique(1024) };
        blobs.push(&peer)?;
        put_tags(&peer, &blobs, stored)?;
        put_repositories(&peer, &blobs, stored)?;
        peer.stop()?;
        Ok(Self { directory, kind, stored })
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Starts a server on what is stored.
    pub(crate) fn start(&self, launcher: &Launcher) -> Result<Peer> {
        launcher.start_on(self.kind, self.path(), &[])
    }
}

/// The two blobs that every manifest of the store is made of.
struct Blobs {
    config: Addressed,
    layer: Addressed,
}

impl Blobs {
    fn push(&self, peer: &Peer) -> Result<()> {
        let mut connection = peer.connect()?;
        for blob in [&self.config, &self.layer] {
            registry::push_bytes(&mut connection, TAGGED, &blob.digest, &blob.bytes)?;
        }
        Ok(())
    }

    fn manifest(&self, note: &str) -> Addressed {
        manifest(&self.config, &[&self.layer], note)
    }
}

fn put_tags(peer: &Peer, blobs: &Blobs, count: usize) -> Result<()> {
    parallel::for_each(peer, CLIENTS, count, |number, connection| {
        let tag = tag(number);
        registry::put_manifest(connection, TAGGED, &tag, &blobs.manifest(&tag).bytes)
    })?;
    Ok(())
}

/// Every repository has the same image: it is the number of names that matters.
fn put_repositories(peer: &Peer, blobs: &Blobs, count: usize) -> Result<()> {
    let shared = blobs.manifest("shared");
    parallel::for_each(peer, CLIENTS, count, |number, connection| {
        let repository = repository(number);
        for blob in [&blobs.config, &blobs.layer] {
            registry::mount(connection, &repository, TAGGED, &blob.digest)?;
        }
        registry::put_manifest(connection, &repository, "latest", &shared.bytes)
    })?;
    Ok(())
}
