use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
};

use plura_blob::ForeignDirectory;
use plura_oci::{Algorithm, Digest};
use rustix::fs::{Dir, FileType};

use crate::{Entry, EntryKind, Error, Object, Stat};

/// Entries told at a time.
const PAGE: usize = 256;

/// The entries of a directory that is open.
#[derive(Debug)]
pub struct DirectoryListing {
    root: ForeignDirectory,
    prefix: String,
    /// Lent to the thread that reads from it.
    entries: Option<Dir>,
}

impl DirectoryListing {
    pub(super) async fn open(root: &ForeignDirectory, prefix: &str) -> Result<Option<Self>, Error> {
        let (opened, below) = (root.clone(), prefix.to_owned());
        let entries = blocking(move || opened.open_directory(&below)).await;
        let entries = found(entries).map_err(unreadable(prefix))?;
        let listing = |entries| Self {
            root: root.clone(),
            prefix: prefix.to_owned(),
            entries: Some(entries),
        };
        Ok(entries.map(listing))
    }

    pub(super) async fn page(&mut self) -> Result<Option<Vec<Entry>>, Error> {
        let Some(mut entries) = self.entries.take() else { return Ok(None) };
        let (root, prefix) = (self.root.clone(), self.prefix.clone());
        let read = blocking(move || {
            let page = read_page(&root, &prefix, &mut entries)?;
            Ok((entries, page))
        });
        let (entries, page) = read.await.map_err(unreadable(&self.prefix))?;
        self.entries = Some(entries);
        Ok((!page.is_empty()).then_some(page))
    }
}

fn read_page(root: &ForeignDirectory, prefix: &str, entries: &mut Dir) -> io::Result<Vec<Entry>> {
    let mut page = Vec::new();
    while page.len() < PAGE {
        let Some(entry) = entries.next() else { break };
        let entry = entry?;
        // What is not UTF-8 is the name of nothing that a registry writes.
        let Ok(name) = entry.file_name().to_str() else { continue };
        if matches!(name, "." | "..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Directory => EntryKind::Directory,
            FileType::RegularFile => EntryKind::File,
            FileType::Symlink | FileType::Unknown => resolve(root, &join(prefix, name)),
            _ => EntryKind::Other,
        };
        page.push(Entry { name: name.to_owned(), kind });
    }
    Ok(page)
}

/// What lies behind a symbolic link that stays in the tree.
fn resolve(root: &ForeignDirectory, path: &str) -> EntryKind {
    if root.open_directory(path).is_ok() {
        EntryKind::Directory
    } else if root.open_file(path).is_ok() {
        EntryKind::File
    } else {
        EntryKind::Other
    }
}

fn join(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

pub(super) async fn read(
    root: &ForeignDirectory,
    path: &str,
    limit: u64,
) -> Result<Option<Object>, Error> {
    let read = with_file(root, path, move |mut file| {
        let modified = file.metadata()?.modified().ok();
        let mut bytes = Vec::new();
        // One more than allowed tells that there is more, however long the file grows meanwhile.
        file.by_ref().take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
        Ok(Object { bytes, modified })
    });
    let object = read.await?;
    match object {
        Some(object) if object.bytes.len() as u64 > limit => {
            Err(Error::TooLarge { path: path.to_owned(), limit })
        }
        object => Ok(object),
    }
}

pub(super) async fn chunk(
    root: &ForeignDirectory,
    path: &str,
    offset: u64,
    count: usize,
) -> Result<Option<Vec<u8>>, Error> {
    let read = with_file(root, path, move |mut file| {
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(count as u64).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    read.await
}

pub(super) async fn stat(root: &ForeignDirectory, path: &str) -> Result<Option<Stat>, Error> {
    let stat = with_file(root, path, |file| {
        let metadata = file.metadata()?;
        Ok(Stat { size: metadata.len(), modified: metadata.modified().ok() })
    });
    stat.await
}

pub(super) async fn digest(
    root: &ForeignDirectory,
    path: &str,
    algorithm: Algorithm,
) -> Result<Digest, Error> {
    let hash = with_file(root, path, move |mut file| {
        let mut hasher = algorithm.hasher();
        let mut buffer = vec![0; 1 << 20];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(hasher.finish()),
                read => hasher.update(&buffer[..read]),
            }
        }
    });
    let gone = || unreadable(path)(io::ErrorKind::NotFound.into());
    hash.await?.ok_or_else(gone)
}

/// Works on a file, if it is there.
async fn with_file<T: Send + 'static>(
    root: &ForeignDirectory,
    path: &str,
    work: impl FnOnce(File) -> io::Result<T> + Send + 'static,
) -> Result<Option<T>, Error> {
    let (root, below) = (root.clone(), path.to_owned());
    let done = blocking(move || root.open_file(&below).and_then(work)).await;
    found(done).map_err(unreadable(path))
}

fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn unreadable(path: &str) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Unreadable { path, source }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
