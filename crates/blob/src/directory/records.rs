//! Records in a directory: `log/<name>`. What is being written is in `log/.unfinished`, which no name
//! leads to.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Directory, sync_directory};
use crate::{
    Error,
    records::{RECORDS, too_large},
};

/// What names unfinished files apart. Those that a crash left are written over by the next process.
static UNFINISHED: AtomicU64 = AtomicU64::new(0);

impl Directory {
    pub(crate) fn write_record(&self, name: &Path, bytes: &[u8]) -> Result<(), Error> {
        let unfinished = self.records().join(".unfinished");
        let path = self.records().join(name);
        let folder = path.parent().unwrap_or(&path);
        self.make_shard(&unfinished)?;
        self.make_shard(folder)?;
        let unfinished = unfinished.join(UNFINISHED.fetch_add(1, Ordering::Relaxed).to_string());
        let write = || {
            let mut file = File::create(&unfinished)?;
            file.write_all(bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)
        };
        write().map_err(|source| {
            // The failure that matters is the one that is reported.
            let _ = fs::remove_file(&unfinished);
            Error::io("write", &path)(source)
        })?;
        sync_directory(folder)
    }

    pub(crate) fn read_record(&self, name: &Path, most: u64) -> Result<Vec<u8>, Error> {
        let path = self.records().join(name);
        let mut bytes = Vec::new();
        let read = File::open(&path)
            .and_then(|file| file.take(most.saturating_add(1)).read_to_end(&mut bytes));
        read.map_err(Error::io("read", &path))?;
        if bytes.len() as u64 > most { Err(too_large(path, most)) } else { Ok(bytes) }
    }

    pub(crate) fn delete_records(&self, below: &Path) -> Result<(), Error> {
        let path = self.records().join(below);
        // Directories below are gone with it, and have to be made again.
        self.forget_shards(&path);
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.map_err(Error::io("remove", &path)),
        }
    }

    fn records(&self) -> PathBuf {
        self.root.join(RECORDS)
    }
}
