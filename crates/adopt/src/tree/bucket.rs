//! A tree in a bucket: directories are prefixes that other keys begin with.
//!
//! An object store that fails says nothing about the object that was asked for, so that ends the scan;
//! an object that it refuses for itself (one that is archived, say) is damage of the tree.

use std::io;

use plura_blob::{ForeignObject, ForeignPrefix};
use plura_oci::{Algorithm, Digest};

use crate::{Entry, EntryKind, Error, Object, Stat};

/// What is directly below a prefix, a page at a time.
#[derive(Debug)]
pub struct PrefixListing {
    root: ForeignPrefix,
    path: String,
    next: Next,
}

/// The page to be asked for.
#[derive(Debug)]
enum Next {
    First,
    Behind(String),
    None,
}

impl PrefixListing {
    pub(super) fn new(root: &ForeignPrefix, path: &str) -> Self {
        Self { root: root.clone(), path: path.to_owned(), next: Next::First }
    }

    pub(super) async fn page(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        loop {
            let next = match std::mem::replace(&mut self.next, Next::None) {
                Next::First => None,
                Next::Behind(token) => Some(token),
                Next::None => return Ok(None),
            };
            let page = self.root.list(&self.path, next).await?;
            self.next = page.next.map_or(Next::None, Next::Behind);
            let entry = |kind| move |name| Entry { name, kind };
            let directories = page.directories.into_iter().map(entry(EntryKind::Directory));
            let objects = page.objects.into_iter().map(entry(EntryKind::File));
            let entries: Vec<_> = directories.chain(objects).collect();
            if !entries.is_empty() {
                return Ok(Some(entries));
            }
        }
    }
}

pub(super) async fn read(
    root: &ForeignPrefix,
    path: &str,
    limit: u64,
) -> Result<Option<Object>, Error> {
    match root.read(path, limit).await.map_err(of_object(path))? {
        None => Ok(None),
        Some((_, None)) => Err(Error::TooLarge { path: path.to_owned(), limit }),
        Some((found, Some(bytes))) => Ok(Some(Object { bytes, modified: Some(found.modified) })),
    }
}

pub(super) async fn chunk(
    root: &ForeignPrefix,
    path: &str,
    offset: u64,
    count: usize,
) -> Result<Option<Vec<u8>>, Error> {
    root.read_range(path, offset, count as u64).await.map_err(of_object(path))
}

pub(super) async fn stat(root: &ForeignPrefix, path: &str) -> Result<Option<Stat>, Error> {
    let found = root.inspect(path).await.map_err(of_object(path))?;
    let stat = |ForeignObject { size, modified }| Stat { size, modified: Some(modified) };
    Ok(found.map(stat))
}

pub(super) async fn digest(
    root: &ForeignPrefix,
    path: &str,
    algorithm: Algorithm,
) -> Result<Digest, Error> {
    root.digest(path, algorithm).await.map_err(of_object(path))
}

/// Whether it is the one object that cannot be read, or all of them.
fn of_object(path: &str) -> impl FnOnce(plura_blob::Error) -> Error {
    let path = path.to_owned();
    move |error| {
        if error.is_missing() || error.is_of_object() {
            Error::Unreadable { path, source: io::Error::other(error) }
        } else {
            Error::Root(error)
        }
    }
}
