//! Trees that another registry wrote, whose bytes are served from where they are.
//!
//! A key that begins with `~<n>/` is a path below adopted root `n`. Whatever stands in such a tree, a
//! path never leads out of it: not by `..`, not by a symbolic link.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};

use rustix::fs::{Dir, Mode, OFlags, ResolveFlags};

use crate::{BlobKey, Error};

/// A directory of somebody else, which is read without ever leaving it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForeignDirectory(Arc<Path>);

impl ForeignDirectory {
    /// The directory at `path`, which must be there; symbolic links on the way to it are followed once,
    /// now.
    ///
    /// Blocks on the disk.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let found = path.canonicalize().map_err(Error::io("open", path))?;
        fs::read_dir(&found).map_err(Error::io("list", &found))?;
        Ok(Self(found.into()))
    }

    /// A directory whose path was found out before; it may be away at the moment.
    pub fn at(path: &Path) -> Self {
        Self(path.into())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Opens a file below the directory. One that lies elsewhere behind a symbolic link is refused with
    /// [`io::ErrorKind::CrossesDevices`].
    ///
    /// Blocks on the disk.
    pub fn open_file(&self, below: &str) -> io::Result<File> {
        let file = File::from(self.open_below(below, OFlags::RDONLY | OFlags::NONBLOCK)?);
        // A pipe or a device would hold up its reader, or worse.
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }

    /// Opens a directory below the directory, or itself for an empty path.
    ///
    /// Blocks on the disk.
    pub fn open_directory(&self, below: &str) -> io::Result<Dir> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY;
        let directory = if below.is_empty() {
            rustix::fs::open(&*self.0, flags | OFlags::CLOEXEC, Mode::empty())?
        } else {
            self.open_below(below, flags)?
        };
        Ok(Dir::new(directory)?)
    }

    fn open_below(&self, below: &str, flags: OFlags) -> io::Result<OwnedFd> {
        if !is_below(below) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (flags, none) = (flags | OFlags::CLOEXEC, Mode::empty());
        let root = rustix::fs::open(&*self.0, OFlags::PATH | OFlags::CLOEXEC, none)?;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        match rustix::fs::openat2(&root, below, flags, none, resolve) {
            // Kernels before 5.6, and sandboxes.
            Err(rustix::io::Errno::NOSYS | rustix::io::Errno::PERM) => {
                let target = self.0.join(below).canonicalize()?;
                if !target.starts_with(&self.0) {
                    return Err(io::ErrorKind::CrossesDevices.into());
                }
                Ok(rustix::fs::open(target, flags | OFlags::NOFOLLOW, none)?)
            }
            opened => Ok(opened?),
        }
    }

    /// Deletes a file and its directory, if that is empty then. One that is gone is as good as deleted.
    fn remove(&self, below: &str) -> io::Result<()> {
        let gone = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(()),
            _ => Err(error),
        };
        let Some((directory, name)) = below.rsplit_once('/') else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let opened = match self.open_below(directory, OFlags::RDONLY | OFlags::DIRECTORY) {
            Err(error) => return gone(error),
            Ok(opened) => opened,
        };
        match rustix::fs::unlinkat(&opened, name, rustix::fs::AtFlags::empty()) {
            Err(errno) => gone(errno.into())?,
            Ok(()) => rustix::fs::fsync(&opened)?,
        }
        // registry:2 has a directory for each blob. Where others are left in it, the kernel refuses.
        if let (true, Some((above, name))) = (name == "data", directory.rsplit_once('/')) {
            let above = self.open_below(above, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let _ = rustix::fs::unlinkat(&above, name, rustix::fs::AtFlags::REMOVEDIR);
        }
        Ok(())
    }
}

/// Whether the path names something below a directory, by its text.
fn is_below(path: &str) -> bool {
    !path.contains('\0') && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A tree that was adopted: `P` says where it is.
#[derive(Clone, Debug)]
pub(crate) struct AdoptedRoot<P> {
    pub(crate) place: P,
    /// Whether it was handed over. Until then, nothing below it is changed or deleted.
    pub(crate) owned: bool,
}

/// The trees that were adopted, by their number.
#[derive(Clone, Debug)]
pub(crate) struct AdoptedRoots<P>(Arc<RwLock<BTreeMap<u32, AdoptedRoot<P>>>>);

impl<P> Default for AdoptedRoots<P> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<P: Clone> AdoptedRoots<P> {
    pub(crate) fn register(&self, number: u32, place: P, owned: bool) {
        let root = AdoptedRoot { place, owned };
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(number, root);
    }

    /// The tree that a key is in, and the path below it; `None` if the key is one of the store itself.
    pub(crate) fn find<'k>(
        &self,
        key: &'k BlobKey,
    ) -> Option<Result<(AdoptedRoot<P>, &'k str), Error>> {
        let (number, below) = key.adopted()?;
        Some(self.root(number).map(|root| (root, below)))
    }

    pub(crate) fn root(&self, number: u32) -> Result<AdoptedRoot<P>, Error> {
        let roots = self.0.read().unwrap_or_else(PoisonError::into_inner);
        roots.get(&number).cloned().ok_or_else(|| Error::Corrupt {
            path: PathBuf::from(format!("~{number}")),
            detail: "there is no such adopted root".to_owned(),
        })
    }
}

impl AdoptedRoots<ForeignDirectory> {
    /// The file of a key in an adopted tree; `None` if the key is one of the store itself.
    pub(crate) fn open(&self, key: &BlobKey) -> Option<Result<File, Error>> {
        Some(self.find(key)?.and_then(|(root, below)| {
            let path = root.place.path().join(below);
            root.place.open_file(below).map_err(Error::io("open", path))
        }))
    }

    /// Deletes the file of a key in an adopted tree, if that was handed over; `None` if the key is one
    /// of the store itself.
    pub(crate) fn remove(&self, key: &BlobKey) -> Option<Result<(), Error>> {
        Some(self.find(key)?.and_then(|(root, below)| {
            if !root.owned {
                return Ok(());
            }
            let path = root.place.path().join(below);
            root.place.remove(below).map_err(Error::io("remove", path))
        }))
    }
}

impl BlobKey {
    /// The key of what lies at `path` below adopted root `number`. A path that would leave it is `None`.
    pub fn in_adopted(number: u32, path: &str) -> Option<Self> {
        Self::from_stored(format!("~{number}/{path}"))
    }

    /// The number of the adopted root and the path below it, if the key is not one of the store itself.
    pub fn adopted(&self) -> Option<(u32, &str)> {
        let (number, path) = self.as_str().strip_prefix('~')?.split_once('/')?;
        Some((number.parse().ok()?, path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_in_an_adopted_tree_says_where() {
        let key = BlobKey::in_adopted(7, "docker/blobs/x/data").unwrap();
        assert_eq!(key.as_str(), "~7/docker/blobs/x/data");
        assert_eq!(key.adopted(), Some((7, "docker/blobs/x/data")));
        assert_eq!(key.digest(), None);
        assert_eq!(BlobKey::in_adopted(7, "../x"), None);
        let own = BlobKey::from_stored("sha256/ab/cd.0-1".to_owned()).unwrap();
        assert_eq!(own.adopted(), None);
    }

    #[test]
    fn paths_stay_below_by_their_text() {
        for path in ["a", "a/b", "..a/b.."] {
            assert!(is_below(path), "{path}");
        }
        for path in ["", "/", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b", "a\0b"] {
            assert!(!is_below(path), "{path}");
        }
    }
}
