//! Where a registry keeps its files: a directory, or a prefix in a bucket, by the same few questions.

mod bucket;
mod directory;

use std::{path::Path, time::SystemTime};

use plura_blob::{Bucket, ForeignDirectory, ForeignPrefix, Storage};
use plura_oci::{Algorithm, Digest};

use self::{bucket::PrefixListing, directory::DirectoryListing};
use crate::Error;

/// A tree of files that is only read, by paths below its root.
///
/// What another store needs to be one: list a prefix page by page, read a small object, tell the size
/// of an object, hash an object. It is another variant here, and of [`Listing`].
#[derive(Clone, Debug)]
pub enum Tree {
    /// A directory.
    Directory(ForeignDirectory),
    /// A prefix in the bucket that blobs are kept in.
    Bucket(ForeignPrefix),
}

/// Something directly below a prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its last name.
    pub name: String,
    /// What it is.
    pub kind: EntryKind,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// Something with other things below it.
    Directory,
    /// A file.
    File,
    /// Neither, or a link that leads out of the tree.
    Other,
}

/// A small object.
#[derive(Clone, Debug)]
pub struct Object {
    /// All of it.
    pub bytes: Vec<u8>,
    /// When it was written.
    pub modified: Option<SystemTime>,
}

/// What is known of an object without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// Its length in bytes.
    pub size: u64,
    /// When it was written.
    pub modified: Option<SystemTime>,
}

/// What is directly below a prefix, page by page, in no particular order.
#[derive(Debug)]
pub enum Listing {
    /// Of a directory; nothing, if there is none.
    Directory(Option<DirectoryListing>),
    /// Of a prefix.
    Bucket(PrefixListing),
}

impl Tree {
    /// The tree in a directory, which must be there.
    pub fn directory(path: &Path) -> Result<Self, Error> {
        Ok(Self::Directory(ForeignDirectory::open(path)?))
    }

    /// The tree below a prefix of a bucket, which must be the one that `storage` is. It is not asked for
    /// anything yet.
    pub fn bucket(storage: &Storage, bucket: &str, prefix: &str) -> Result<Self, Error> {
        match storage {
            Storage::Bucket(options) => {
                Ok(Self::Bucket(Bucket::open(options)?.foreign(bucket, prefix)?))
            }
            Storage::Directory => {
                let message = format!("blobs are not kept in the bucket `{bucket}`");
                Err(plura_blob::Error::Options(message).into())
            }
        }
    }

    /// Where it is: the path of a directory, or `s3://BUCKET/PREFIX`; `None`, if the path is not UTF-8.
    pub fn location(&self) -> Option<String> {
        match self {
            Self::Directory(root) => root.path().to_str().map(ToOwned::to_owned),
            Self::Bucket(root) => Some(root.location()),
        }
    }

    /// The last part of where it is.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Directory(root) => {
                root.path().file_name().and_then(|name| name.to_str()).unwrap_or_default()
            }
            Self::Bucket(root) => root.name(),
        }
    }

    /// How many things are worth asking for at once: waiting is most of what a bucket costs, and a disk
    /// is quickest with one thing after the other.
    pub(crate) fn at_once(&self) -> usize {
        match self {
            Self::Directory(_) => 1,
            Self::Bucket(_) => 16,
        }
    }

    /// Refuses a tree of which the part below `path` is not apart from plura's own objects.
    pub(crate) fn check_apart(&self, path: &str) -> Result<(), Error> {
        match self {
            Self::Directory(_) => Ok(()),
            Self::Bucket(root) => Ok(root.check_apart(path)?),
        }
    }

    /// Begins a list of what is directly below `prefix`; empty, if nothing is.
    pub async fn list(&self, prefix: &str) -> Result<Listing, Error> {
        match self {
            Self::Directory(root) => {
                Ok(Listing::Directory(DirectoryListing::open(root, prefix).await?))
            }
            Self::Bucket(root) => Ok(Listing::Bucket(PrefixListing::new(root, prefix))),
        }
    }

    /// Reads an object of at most `limit` bytes, if it is there.
    pub async fn read(&self, path: &str, limit: u64) -> Result<Option<Object>, Error> {
        match self {
            Self::Directory(root) => directory::read(root, path, limit).await,
            Self::Bucket(root) => bucket::read(root, path, limit).await,
        }
    }

    /// At most `count` bytes of an object from `offset` on, if it is there; none at its end.
    pub async fn chunk(
        &self,
        path: &str,
        offset: u64,
        count: usize,
    ) -> Result<Option<Vec<u8>>, Error> {
        match self {
            Self::Directory(root) => directory::chunk(root, path, offset, count).await,
            Self::Bucket(root) => bucket::chunk(root, path, offset, count).await,
        }
    }

    /// Size and time of an object, if it is there. It can be read.
    pub async fn stat(&self, path: &str) -> Result<Option<Stat>, Error> {
        match self {
            Self::Directory(root) => directory::stat(root, path).await,
            Self::Bucket(root) => bucket::stat(root, path).await,
        }
    }

    /// The digest of an object's bytes.
    pub async fn digest(&self, path: &str, algorithm: Algorithm) -> Result<Digest, Error> {
        match self {
            Self::Directory(root) => directory::digest(root, path, algorithm).await,
            Self::Bucket(root) => bucket::digest(root, path, algorithm).await,
        }
    }
}

impl Listing {
    /// The next few entries; `None` when there are no more.
    pub async fn page(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        match self {
            Self::Directory(None) => Ok(None),
            Self::Directory(Some(listing)) => listing.page().await,
            Self::Bucket(listing) => listing.page().await,
        }
    }
}
