//! What is remembered of logs: their keys, so that no others are believed later, and the checkpoint that was
//! seen last, so that a log that went back is found.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Context;
use plura_oci::Digest;
use plura_tlog::{Checkpoint, KeyName, VerifierKey};
use serde::{Deserialize, Serialize};

use crate::cache;
use crate::exit::Hint;
use crate::text_file;

/// The most bytes of what is remembered of a log.
const LONGEST: usize = 1 << 20;

/// What is remembered of a log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// Its name.
    pub(super) origin: KeyName,
    /// The keys that are believed.
    pub(super) keys: Vec<VerifierKey>,
    /// The checkpoint that was seen last.
    pub(super) checkpoint: String,
}

/// Where it is remembered: a file for each server. Nowhere, if nothing is said and there is no cache.
#[derive(Debug)]
pub(super) struct Memory(Option<PathBuf>);

impl Seen {
    /// The checkpoint, if it is still one.
    pub(super) fn checkpoint(&self) -> anyhow::Result<Checkpoint> {
        let opened = Checkpoint::open(self.checkpoint.as_bytes(), self.origin.as_str(), &self.keys);
        let (checkpoint, _) = opened.context("what is remembered of the log cannot be read")?;
        Ok(checkpoint)
    }
}

impl Memory {
    pub(super) fn new(given: Option<&Path>) -> Self {
        Self(given.map(Path::to_owned).or_else(|| cache::directory("log")))
    }

    /// What is remembered of the log of a server, which calls itself that now. What was seen of the same log
    /// elsewhere counts as well: a server may get another address.
    pub(super) fn of_server(&self, server: &str, origin: &KeyName) -> anyhow::Result<Option<Seen>> {
        let before = self.path(server).filter(|path| path.exists());
        match before.map(|path| read(&path)).transpose()? {
            Some(seen) => self.of_log(&seen.origin),
            None => self.of_log(origin),
        }
    }

    /// What is remembered of the log of that name: the largest that was seen.
    pub(super) fn of_log(&self, origin: &KeyName) -> anyhow::Result<Option<Seen>> {
        let Some(directory) = self.0.as_ref().filter(|directory| directory.is_dir()) else {
            return Ok(None);
        };
        let failed = || format!("cannot list `{}`", directory.display());
        let mut largest: Option<(u64, Seen)> = None;
        for entry in fs::read_dir(directory).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let seen = read(&path)?;
            let size = seen.checkpoint()?.size();
            if seen.origin == *origin && largest.as_ref().is_none_or(|(known, _)| *known < size) {
                largest = Some((size, seen));
            }
        }
        Ok(largest.map(|(_, seen)| seen))
    }

    /// Remembers a log; `false` if there is nowhere to.
    pub(super) fn remember(&self, server: &str, seen: &Seen) -> anyhow::Result<bool> {
        let Some(path) = self.path(server) else { return Ok(false) };
        let failed = || format!("cannot remember the log in `{}`", path.display());
        let hint = "name another directory with `--cache DIR`";
        write(&path, seen).with_context(failed).hint(hint)?;
        Ok(true)
    }

    fn path(&self, server: &str) -> Option<PathBuf> {
        let name = Digest::sha256(server.as_bytes()).hex();
        Some(self.0.as_ref()?.join(format!("{name}.json")))
    }
}

fn read(path: &Path) -> anyhow::Result<Seen> {
    let text = text_file::read(path, LONGEST)?;
    let failed = || format!("what is remembered in `{}` cannot be read", path.display());
    let hint = "if nobody else could write there, remove the file and verify again";
    serde_json::from_str(&text).with_context(failed).hint(hint)
}

/// Writes whole, or not at all: half of it would remember nothing.
fn write(path: &Path, seen: &Seen) -> anyhow::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    let unfinished = path.with_extension(format!("{}.unfinished", std::process::id()));
    let mut file = fs::File::create(&unfinished)?;
    file.write_all(serde_json::to_string_pretty(seen)?.as_bytes())?;
    file.sync_all()?;
    Ok(fs::rename(&unfinished, path)?)
}
