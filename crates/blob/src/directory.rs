mod records;

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use plura_oci::{Algorithm, Digest, UploadId};

use crate::{BlobKey, Error, ForeignDirectory, Progress, adopted::AdoptedRoots, records::RECORDS};

/// Bytes in a directory of a local file system.
///
/// ```text
/// blobs/sha256/ab/<hex>.<upload>   sealed content, never changed again
/// uploads/<upload>                 what has arrived of an upload session
/// log/<name>                       records, written whole
/// ```
///
/// Sealing gives the upload's file a second name under `blobs` (a hard link), so that between the
/// link and the commit of the metadata a crash leaves both names, and [`Directory::leftovers`] finds
/// them without a walk over the store.
#[derive(Clone, Debug)]
pub struct Directory {
    root: Arc<Path>,
    /// The shards that this process made sure of.
    shards: Arc<Mutex<HashSet<PathBuf>>>,
    /// Trees of other registries that hold some of the blobs.
    adopted: AdoptedRoots<ForeignDirectory>,
}

/// A sealed blob, open for reading; it stays readable when the blob is collected meanwhile.
#[derive(Clone, Debug)]
pub struct BlobFile {
    /// The file.
    pub file: Arc<File>,
    /// Its length in bytes.
    pub size: u64,
}

/// A file under `blobs`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    /// Its key.
    pub key: BlobKey,
    /// Its length in bytes.
    pub size: u64,
}

/// A file under `uploads`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftover {
    /// The session that it belongs, or belonged, to.
    pub upload: UploadId,
    /// Whether it was linked under `blobs`, too.
    pub sealed: bool,
    /// Its length in bytes.
    pub size: u64,
}

impl Directory {
    /// Opens the store below `root`, creating what is missing.
    pub fn open(root: &Path) -> Result<Self, Error> {
        for directory in ["blobs", "uploads", RECORDS] {
            let path = root.join(directory);
            fs::create_dir_all(&path).map_err(Error::io("create", &path))?;
        }
        sync_directory(root)?;
        Self::existing(root)
    }

    /// The store below `root`, which must be complete: a store that is not mounted is not an empty
    /// one.
    pub fn existing(root: &Path) -> Result<Self, Error> {
        for directory in ["blobs", "uploads"] {
            let path = root.join(directory);
            fs::read_dir(&path).map_err(Error::io("list", &path))?;
        }
        let (shards, adopted) = (Arc::default(), AdoptedRoots::default());
        Ok(Self { root: root.into(), shards, adopted })
    }

    /// Lets keys that begin with `~number/` stand for what is below `root`, which may be away now; what
    /// is deleted by such a key goes only if the root is `owned`.
    pub fn register_adopted(&self, number: u32, root: ForeignDirectory, owned: bool) {
        self.adopted.register(number, root, owned);
    }

    /// Whether an adopted root is there, and can be read.
    ///
    /// Blocks on the disk.
    pub fn find_adopted(&self, number: u32) -> Result<(), Error> {
        ForeignDirectory::open(self.adopted.root(number)?.place.path()).map(drop)
    }

    /// Opens a sealed blob whose size is known to be `size`; another size is damage.
    ///
    /// Blocks on the disk.
    pub fn open_blob(&self, key: &BlobKey, size: u64) -> Result<BlobFile, Error> {
        let path = self.blob_path(key);
        plura_fault::point("blob.open").map_err(Error::io("open", &path))?;
        let file = self.open_key(key)?;
        let found = file.metadata().map_err(Error::io("read the size of", &path))?.len();
        if found != size {
            let detail = format!("it has {found} bytes, and metadata says {size}");
            return Err(Error::Corrupt { path, detail });
        }
        Ok(BlobFile { file: Arc::new(file), size })
    }

    /// Makes what has arrived of an upload the content of `digest`, durably: when this returns, file
    /// and directory entry survive power loss. The upload's own name stays until
    /// [`Directory::remove_upload`], which is called when metadata knows the key.
    ///
    /// Blocks on the disk.
    pub fn seal(
        &self,
        upload: &UploadId,
        progress: Progress,
        digest: &Digest,
    ) -> Result<BlobKey, Error> {
        let path = self.upload_path(upload);
        // A body that was refused, or a process that died, may have written behind the offset.
        let file = self.open_upload(upload, progress.offset)?;
        let computed = if progress.hasher.algorithm() == digest.algorithm() {
            progress.hasher.finish()
        } else {
            // The client said the algorithm only now; a `digest-algorithm` at the start avoids this.
            hash_file(&file, digest.algorithm()).map_err(Error::io("read", &path))?
        };
        if computed != *digest {
            return Err(Error::DigestMismatch { computed });
        }
        plura_fault::point("blob.seal.sync").map_err(Error::io("sync", &path))?;
        rustix::fs::fdatasync(&file).map_err(|e| Error::io("sync", &path)(e.into()))?;
        let key = BlobKey::new(digest, upload);
        self.link(&path, &key)?;
        plura_fault::point("blob.seal.linked").map_err(Error::io("sync", &path))?;
        Ok(key)
    }

    /// Makes the names of uploads durable. Needed once for each upload whose bytes are acknowledged
    /// before it is sealed.
    ///
    /// Blocks on the disk.
    pub fn sync_uploads(&self) -> Result<(), Error> {
        sync_directory(&self.root.join("uploads"))
    }

    /// Removes the upload's own name, sealed or not. One that is gone is as good as removed.
    ///
    /// Blocks on the disk.
    pub fn remove_upload(&self, upload: &UploadId) -> Result<(), Error> {
        remove(&self.upload_path(upload))
    }

    /// Deletes sealed blobs, durably. One that is gone is as good as deleted.
    ///
    /// Blocks on the disk.
    pub fn delete(&self, keys: &[BlobKey]) -> Result<(), Error> {
        let mut shards = BTreeSet::new();
        for key in keys {
            let path = self.blob_path(key);
            plura_fault::point("blob.delete").map_err(Error::io("remove", &path))?;
            if let Some(removed) = self.adopted.remove(key) {
                removed?;
                continue;
            }
            remove(&path)?;
            shards.extend(path.parent().map(Path::to_owned));
        }
        // A shard that is not there lost nothing that could come back.
        shards.iter().filter(|shard| shard.is_dir()).try_for_each(|shard| sync_directory(shard))
    }

    /// The names under `blobs` that sealing gave to an upload that died before the commit. The hash
    /// has to be computed again to know them; this happens after a crash only.
    ///
    /// Blocks on the disk.
    pub fn sealed_keys(&self, leftover: &Leftover) -> Result<Vec<BlobKey>, Error> {
        if !leftover.sealed {
            return Ok(Vec::new());
        }
        let path = self.upload_path(&leftover.upload);
        let file = File::open(&path).map_err(Error::io("open", &path))?;
        let key = |algorithm| {
            let digest = hash_file(&file, algorithm).map_err(Error::io("read", &path))?;
            Ok(BlobKey::new(&digest, &leftover.upload))
        };
        let keys = [Algorithm::Sha256, Algorithm::Sha512].into_iter().map(key);
        let keys = keys.collect::<Result<Vec<_>, Error>>()?;
        Ok(keys.into_iter().filter(|key| self.blob_path(key).exists()).collect())
    }

    /// What is left of one upload, if its file is there.
    ///
    /// Blocks on the disk.
    pub fn leftover(&self, upload: &UploadId) -> Result<Option<Leftover>, Error> {
        let path = self.upload_path(upload);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("inspect", &path)(error)),
            Ok(found) => Ok(Some(Leftover {
                upload: upload.clone(),
                sealed: found.nlink() > 1,
                size: found.len(),
            })),
        }
    }

    /// All files under `uploads`: as many as there are sessions, not blobs.
    ///
    /// Blocks on the disk.
    pub fn leftovers(&self) -> Result<Vec<Leftover>, Error> {
        let path = self.root.join("uploads");
        let mut found = Vec::new();
        for entry in fs::read_dir(&path).map_err(Error::io("list", &path))? {
            let entry = entry.map_err(Error::io("list", &path))?;
            let Some(metadata) = inspect(&entry)? else { continue };
            let name = entry.file_name();
            // What plura did not put there is not plura's to judge.
            if let Some(Ok(upload)) = name.to_str().map(str::parse) {
                let sealed = metadata.nlink() > 1;
                found.push(Leftover { upload, sealed, size: metadata.len() });
            }
        }
        Ok(found)
    }

    /// Visits every file under `blobs`, in no particular order. For `check` only: no request and no
    /// background work may walk the store.
    ///
    /// Blocks on the disk.
    pub fn walk(&self, visit: &mut dyn FnMut(StoredFile)) -> Result<(), Error> {
        let root = self.root.join("blobs");
        let mut pending = vec![root.clone()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory).map_err(Error::io("list", &directory))? {
                let entry = entry.map_err(Error::io("list", &directory))?;
                let path = entry.path();
                let Some(metadata) = inspect(&entry)? else { continue };
                if metadata.is_dir() {
                    pending.push(path);
                } else if let Some(key) = key_of(&root, &path) {
                    visit(StoredFile { key, size: metadata.len() });
                }
            }
        }
        Ok(())
    }

    /// Whether there are bytes under `key`.
    ///
    /// Blocks on the disk.
    pub fn contains(&self, key: &BlobKey) -> Result<bool, Error> {
        match self.open_key(key) {
            Err(error) if error.is_missing() => Ok(false),
            opened => opened.map(|_| true),
        }
    }

    /// The digest of the bytes under `key`.
    ///
    /// Blocks on the disk.
    pub fn rehash(&self, key: &BlobKey, algorithm: Algorithm) -> Result<Digest, Error> {
        let file = self.open_key(key)?;
        hash_file(&file, algorithm).map_err(Error::io("read", self.blob_path(key)))
    }

    /// Moves damaged bytes to `damaged`, beside the store: they may still be worth something to
    /// somebody.
    ///
    /// Blocks on the disk.
    pub fn set_aside(&self, key: &BlobKey) -> Result<(), Error> {
        let target = self.root.join("damaged").join(key.as_str());
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
        }
        fs::rename(self.blob_path(key), &target).map_err(Error::io("move to", &target))
    }

    /// Whether the store takes writes now: a file is written, synced and removed.
    ///
    /// Blocks on the disk.
    pub fn probe(&self) -> Result<(), Error> {
        let path = self.root.join("uploads").join(".probe");
        plura_fault::point("blob.probe").map_err(Error::io("write", &path))?;
        let write = || {
            let file = File::create(&path)?;
            rustix::io::write(&file, b"plura")?;
            file.sync_data()
        };
        write().map_err(Error::io("write", &path))?;
        remove(&path)
    }

    /// The file of an upload session, open for writing and exactly `offset` bytes long: what a crash
    /// left behind the offset that metadata knows is cut off.
    pub(crate) fn open_upload(&self, upload: &UploadId, offset: u64) -> Result<File, Error> {
        let path = self.upload_path(upload);
        plura_fault::point("blob.upload.open").map_err(Error::io("open", &path))?;
        let file = create(&path)?;
        let found = file.metadata().map_err(Error::io("read the size of", &path))?.len();
        if found < offset {
            let detail = format!("it has {found} bytes, and {offset} were acknowledged");
            return Err(Error::Corrupt { path, detail });
        }
        if found > offset {
            file.set_len(offset).map_err(Error::io("truncate", &path))?;
        }
        Ok(file)
    }

    pub(crate) fn upload_path(&self, upload: &UploadId) -> PathBuf {
        self.root.join("uploads").join(upload.as_str())
    }

    /// The file of a key, wherever it is.
    fn open_key(&self, key: &BlobKey) -> Result<File, Error> {
        let own = || {
            let path = self.blob_path(key);
            File::open(&path).map_err(Error::io("open", path))
        };
        self.adopted.open(key).unwrap_or_else(own)
    }

    fn blob_path(&self, key: &BlobKey) -> PathBuf {
        self.root.join("blobs").join(key.as_str())
    }

    fn link(&self, from: &Path, key: &BlobKey) -> Result<(), Error> {
        let target = self.blob_path(key);
        let Some(shard) = target.parent() else { return Ok(()) };
        self.make_shard(shard)?;
        match fs::hard_link(from, &target) {
            // A finish that failed behind this point is being repeated.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            linked => linked.map_err(Error::io("create", &target)),
        }?;
        sync_directory(shard)
    }

    /// Forgets that directories were made, which will not be there any more.
    fn forget_shards(&self, below: &Path) {
        let mut made = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        made.retain(|shard| !shard.starts_with(below));
    }

    /// Makes the directory of a blob, durably: a file survives power loss only where the whole path to
    /// it does. Once per process, since an earlier one may have died before its sync.
    fn make_shard(&self, shard: &Path) -> Result<(), Error> {
        let mut made = self.shards.lock().unwrap_or_else(PoisonError::into_inner);
        if made.contains(shard) {
            return Ok(());
        }
        fs::create_dir_all(shard).map_err(Error::io("create", shard))?;
        for above in shard.ancestors().skip(1).take_while(|above| *above != &*self.root) {
            sync_directory(above)?;
        }
        made.insert(shard.to_owned());
        Ok(())
    }
}

/// What the entry is; nothing if it was removed since the directory was read.
fn inspect(entry: &fs::DirEntry) -> Result<Option<fs::Metadata>, Error> {
    match entry.metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => found.map(Some).map_err(Error::io("inspect", entry.path())),
    }
}

fn create(path: &Path) -> Result<File, Error> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(Error::io("create", path))
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io("remove", path)),
    }
}

/// A new name is durable only when its directory is (the notes of `fsync(2)`).
fn sync_directory(path: &Path) -> Result<(), Error> {
    File::open(path).and_then(|directory| directory.sync_all()).map_err(Error::io("sync", path))
}

fn key_of(root: &Path, path: &Path) -> Option<BlobKey> {
    BlobKey::from_stored(path.strip_prefix(root).ok()?.to_str()?.to_owned())
}

fn hash_file(file: &File, algorithm: Algorithm) -> io::Result<Digest> {
    let mut hasher = algorithm.hasher();
    let mut file = io::BufReader::with_capacity(0, file);
    io::Seek::rewind(&mut file)?;
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finish()),
            read => hasher.update(&buffer[..read]),
        }
    }
}
