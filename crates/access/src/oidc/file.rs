//! Keys from a file, for clusters whose issuer nobody outside can ask. It is read again when it changes.

use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;
use tracing::warn;

use super::keys::KeySet;
use super::{FetchError, Options};

#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Of the file that was looked at last; `None` before that, or if there was none.
    stamp: Option<Stamp>,
    current: Option<(Arc<KeySet>, i64)>,
    failure: Option<FetchError>,
}

/// What is different when a file was written, or another one was moved to its place.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    /// Of the content, the owner or the permissions.
    changed: (i64, i64),
}

impl KeyFile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), state: Mutex::default() }
    }

    /// The keys in the file as it is now, or as it was when it could last be read.
    pub(super) async fn keys(
        &self,
        options: &Options,
        now: i64,
    ) -> Result<Arc<KeySet>, FetchError> {
        let mut state = self.state.lock().await;
        let stamp = self.stamp().await;
        if stamp.as_ref().ok() != state.stamp.as_ref() || state.nothing_known() {
            let read = match &stamp {
                Ok(_) => self.read(options.largest_answer).await,
                Err(error) => Err(self.unreadable(error)),
            };
            // A file that could not be read is tried again, one that is wrong when it changes.
            let tried = !matches!(read, Err(FetchError::File { .. }));
            state.stamp = stamp.ok().filter(|_| tried);
            state.keep(read.map(Arc::new), now);
        }
        state.answer(options.stale_for, now).ok_or_else(|| match &state.failure {
            Some(failure) => failure.clone(),
            None => self.unreadable(&io::ErrorKind::NotFound.into()),
        })
    }

    async fn stamp(&self) -> io::Result<Stamp> {
        let metadata = tokio::fs::metadata(&self.path).await?;
        if !metadata.is_file() {
            // Reading a pipe would wait for whoever writes to it.
            return Err(io::Error::other("not a file"));
        }
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Ok(Stamp { inode: metadata.ino(), length: metadata.len(), changed })
    }

    async fn read(&self, limit: usize) -> Result<KeySet, FetchError> {
        let address = self.path.display().to_string();
        let unreadable = |error: io::Error| self.unreadable(&error);
        let file = tokio::fs::File::open(&self.path).await.map_err(unreadable)?;
        let mut bytes = Vec::new();
        let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        file.take(most).read_to_end(&mut bytes).await.map_err(unreadable)?;
        if bytes.len() > limit {
            return Err(FetchError::TooLarge { address, limit });
        }
        KeySet::parse(&address, &bytes)
    }

    fn unreadable(&self, error: &io::Error) -> FetchError {
        FetchError::File { path: self.path.display().to_string(), reason: error.to_string() }
    }
}

impl State {
    fn nothing_known(&self) -> bool {
        self.current.is_none() && self.failure.is_none()
    }

    /// The keys, unless they are too old and the file cannot be used.
    fn answer(&mut self, stale_for: u64, now: i64) -> Option<Arc<KeySet>> {
        let (keys, good_at) = self.current.as_mut()?;
        if self.failure.is_none() {
            *good_at = now;
        }
        (now.abs_diff(*good_at) < stale_for).then(|| Arc::clone(keys))
    }

    fn keep(&mut self, read: Result<Arc<KeySet>, FetchError>, now: i64) {
        match read {
            Ok(keys) => (self.current, self.failure) = (Some((keys, now)), None),
            Err(error) => {
                let kept = self.current.as_ref().map(|(_, good_at)| now.abs_diff(*good_at));
                if self.failure.as_ref() != Some(&error) {
                    warn!(%error, age_of_kept_keys = kept, "cannot use a file with keys");
                }
                self.failure = Some(error);
            }
        }
    }
}
