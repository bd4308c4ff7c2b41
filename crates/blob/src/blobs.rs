use std::{io, path::Path};

use bytes::Bytes;
use futures_util::Stream;
use plura_oci::{Algorithm, Digest, UploadId};

use crate::{
    Appended, BlobFile, BlobKey, BlobObject, Bucket, BucketOptions, Directory, Error,
    ForeignDirectory, Progress, StoredFile, bucket::place_of, ingest::blocking,
};

/// Where an installation keeps its bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Storage {
    /// In its directory, beside the database.
    #[default]
    Directory,
    /// In a bucket of an object store.
    Bucket(Box<BucketOptions>),
}

/// The bytes of an installation. Cheap to clone.
///
/// What only one of the stores has (an upload's file with two names; objects of an upload that no row
/// knows) is asked of that one.
#[derive(Clone, Debug)]
pub enum Blobs {
    /// Files in a directory.
    Directory(Directory),
    /// Objects in a bucket.
    Bucket(Bucket),
}

/// A sealed blob, to be read.
#[derive(Clone, Debug)]
pub enum Opened {
    /// From its file; it stays readable when the blob is collected meanwhile.
    File(BlobFile),
    /// From its object, which is not asked for before it is read.
    Object(BlobObject),
}

impl Blobs {
    /// Opens the store of the installation in `directory`, creating what is missing.
    pub fn open(directory: &Path, storage: &Storage) -> Result<Self, Error> {
        match storage {
            Storage::Directory => Directory::open(directory).map(Self::Directory),
            Storage::Bucket(options) => Bucket::open(options).map(Self::Bucket),
        }
    }

    /// The store of the installation in `directory`, which must be complete: a store that is not
    /// mounted is not an empty one.
    pub fn existing(directory: &Path, storage: &Storage) -> Result<Self, Error> {
        match storage {
            Storage::Directory => Directory::existing(directory).map(Self::Directory),
            Storage::Bucket(options) => Bucket::open(options).map(Self::Bucket),
        }
    }

    /// Lets keys that begin with `~number/` stand for what is below `location`: the path of a directory,
    /// or `s3://BUCKET/PREFIX`. What is deleted by such a key goes only if the tree is `owned`. The store
    /// is not asked whether it is there.
    ///
    /// What is in another store than this one's own is refused.
    pub fn register_adopted(&self, number: u32, location: &str, owned: bool) -> Result<(), Error> {
        self.check_location(location)?;
        match (self, place_of(location)) {
            (Self::Bucket(bucket), Some((name, prefix))) => {
                bucket.register_adopted(number, bucket.foreign(name, prefix)?, owned);
            }
            (Self::Directory(directory), None) => {
                let root = ForeignDirectory::at(Path::new(location));
                directory.register_adopted(number, root, owned);
            }
            _ => {}
        }
        Ok(())
    }

    /// Whether this store can read what is at `location`.
    pub fn check_location(&self, location: &str) -> Result<(), Error> {
        let own = match (self, place_of(location)) {
            (Self::Directory(_), None) => true,
            (Self::Bucket(bucket), Some((name, prefix))) => bucket.foreign(name, prefix).is_ok(),
            _ => false,
        };
        let message = || format!("{location} is not in the store that blobs are kept in");
        if own { Ok(()) } else { Err(Error::Options(message())) }
    }

    /// Asks the store whether there is anything below an adopted root.
    pub async fn find_adopted(&self, number: u32) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.find_adopted(number)).await
            }
            Self::Bucket(bucket) => bucket.find_adopted(number).await,
        }
    }

    /// Appends `body`, of which `length` bytes are announced, to an upload that goes on after it. What
    /// arrived before an error of the body is kept.
    ///
    /// When this returns `Ok`, the bytes up to the new offset are stored, durably.
    pub async fn append(
        &self,
        upload: &UploadId,
        progress: Progress,
        length: Option<u64>,
        body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Appended, Error> {
        match self {
            Self::Directory(directory) => directory.append(upload, progress, body).await,
            Self::Bucket(bucket) => bucket.append(upload, progress, length, body).await,
        }
    }

    /// As [`Blobs::append`], but nothing comes after it: unless the body breaks off, the upload is
    /// ready to be sealed and to nothing else.
    pub async fn append_last(
        &self,
        upload: &UploadId,
        progress: Progress,
        length: Option<u64>,
        body: impl Stream<Item = io::Result<Bytes>> + Unpin,
    ) -> Result<Appended, Error> {
        match self {
            Self::Directory(directory) => directory.append(upload, progress, body).await,
            Self::Bucket(bucket) => bucket.append_last(upload, progress, length, body).await,
        }
    }

    /// Makes what has arrived of an upload the content of `digest`, durably.
    pub async fn seal(
        &self,
        upload: &UploadId,
        progress: Progress,
        digest: &Digest,
    ) -> Result<BlobKey, Error> {
        match self {
            Self::Directory(directory) => {
                let (directory, upload, digest) = (directory.clone(), upload.clone(), *digest);
                blocking(move || directory.seal(&upload, progress, &digest)).await
            }
            Self::Bucket(bucket) => bucket.seal(progress, digest).await,
        }
    }

    /// Makes the names of uploads durable. Needed once for each upload whose bytes are acknowledged
    /// before it is sealed.
    pub async fn sync_uploads(&self) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.sync_uploads()).await
            }
            // An object is durable when its writing was answered.
            Self::Bucket(_) => Ok(()),
        }
    }

    /// Opens a sealed blob whose size is known to be `size`; another size is damage, which a bucket
    /// shows only when it is read.
    pub async fn open_blob(&self, key: &BlobKey, size: u64) -> Result<Opened, Error> {
        match self {
            Self::Directory(directory) => {
                let (directory, key) = (directory.clone(), key.clone());
                blocking(move || directory.open_blob(&key, size)).await.map(Opened::File)
            }
            Self::Bucket(bucket) => Ok(Opened::Object(bucket.object(key, size))),
        }
    }

    /// Whether the bytes of a blob are there and as many as they should be.
    pub async fn verify(&self, key: &BlobKey, size: u64) -> Result<(), Error> {
        match self.open_blob(key, size).await? {
            Opened::File(_) => Ok(()),
            Opened::Object(object) => object.verify().await,
        }
    }

    /// Deletes sealed blobs, durably. One that is gone is as good as deleted.
    pub async fn delete(&self, keys: Vec<BlobKey>) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.delete(&keys)).await
            }
            Self::Bucket(bucket) => bucket.delete(&keys).await,
        }
    }

    /// Whether there are bytes under `key`.
    pub async fn contains(&self, key: &BlobKey) -> Result<bool, Error> {
        match self {
            Self::Directory(directory) => {
                let (directory, key) = (directory.clone(), key.clone());
                blocking(move || directory.contains(&key)).await
            }
            Self::Bucket(bucket) => Ok(bucket.size_of(key).await?.is_some()),
        }
    }

    /// The digest of the bytes under `key`.
    pub async fn rehash(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Digest, Error> {
        match self {
            Self::Directory(directory) => {
                let (directory, key) = (directory.clone(), key.clone());
                blocking(move || directory.rehash(&key, algorithm)).await
            }
            Self::Bucket(bucket) => bucket.rehash(key, algorithm).await,
        }
    }

    /// Everything that is stored. For `check` only: no request and no background work may walk the
    /// store.
    pub async fn walk(&self) -> Result<Vec<StoredFile>, Error> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || {
                    let mut files = Vec::new();
                    directory.walk(&mut |file| files.push(file))?;
                    Ok(files)
                })
                .await
            }
            Self::Bucket(bucket) => bucket.walk().await,
        }
    }

    /// Moves damaged bytes out of the way, to where a person can look at them.
    pub async fn set_aside(&self, key: &BlobKey) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let (directory, key) = (directory.clone(), key.clone());
                blocking(move || directory.set_aside(&key)).await
            }
            Self::Bucket(bucket) => bucket.set_aside(key).await,
        }
    }

    /// Whether the store answers now; a directory is also written to.
    pub async fn probe(&self) -> Result<(), Error> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.probe()).await
            }
            Self::Bucket(bucket) => bucket.probe().await,
        }
    }
}
