use std::{path::Path, time::Duration};

use plura_meta::{Location, Server as DatabaseServer};

use crate::database_path;

/// What an operator decides about the registry; the binary fills it from its settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where bytes are kept.
    pub storage: plura_blob::Storage,
    /// The server that has the metadata; without, they are in a file of the installation's directory.
    pub database: Option<DatabaseServer>,
    /// Which content a manifest may reference that is not in its repository.
    pub sparse: Sparse,
    /// How long an upload session without progress is kept.
    pub upload_expiry: Duration,
    /// The least size of a chunk that is announced to clients, in bytes; 0 for none.
    pub minimum_chunk: u64,
    /// Whether clients may delete.
    pub delete: bool,
    /// The largest manifest, in bytes.
    pub manifest_limit: u64,
    /// The largest blob, in bytes; without, the disk is the limit.
    pub blob_limit: Option<u64>,
    /// How long content that nothing references is kept, so that a push that is under way finds it.
    pub grace: Duration,
    /// How long a manifest without a tag is kept.
    pub keep_untagged: KeepUntagged,
}

/// Which content a manifest may reference that is not in its repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sparse {
    /// Everything must be there.
    None,
    /// The children of an index may be missing.
    #[default]
    Index,
    /// Blobs may be missing, too.
    All,
}

/// How long a manifest without a tag is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeepUntagged {
    /// Until somebody deletes it.
    Forever,
    /// This long after it lost its last tag, or was pushed without one.
    For(Duration),
}

impl Default for Settings {
    fn default() -> Self {
        const DAY: Duration = Duration::from_hours(24);
        Self {
            storage: plura_blob::Storage::default(),
            database: None,
            sparse: Sparse::default(),
            upload_expiry: DAY,
            minimum_chunk: 0,
            delete: true,
            manifest_limit: 4 << 20,
            blob_limit: None,
            grace: DAY,
            keep_untagged: KeepUntagged::For(30 * DAY),
        }
    }
}

impl Settings {
    /// Where the metadata of the installation in `directory` are.
    pub fn database_location(&self, directory: &Path) -> Location {
        match &self.database {
            Some(server) => Location::Server(Box::new(server.clone())),
            None => Location::File(database_path(directory)),
        }
    }

    /// Whether other processes may write to the same uploads: they use the same database, and bytes
    /// are not in a directory, which one process has for itself.
    pub(crate) fn shares_uploads(&self) -> bool {
        self.database.is_some() && matches!(self.storage, plura_blob::Storage::Bucket(_))
    }

    /// How long after losing its last tag a manifest is reviewed; never, if it is kept anyway.
    pub(crate) fn untagged_review(&self) -> Option<Duration> {
        match self.keep_untagged {
            KeepUntagged::Forever => None,
            KeepUntagged::For(duration) => Some(duration.max(self.grace)),
        }
    }
}
