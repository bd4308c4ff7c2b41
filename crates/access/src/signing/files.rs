//! The directory of keys: `token-<seconds>-<id>.pem`, readable by their owner alone.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use plura_meta::Timestamp;
use zeroize::Zeroizing;

use super::KeyError;
use super::key::{Key, KeyId};

const DIRECTORY_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Longest file that is read; a key has 119 bytes.
const LONGEST_FILE: u64 = 4096;

/// Makes the directory if it is not there, and refuses one that others may look into.
pub(super) fn make_private(directory: &Path) -> Result<(), KeyError> {
    let made = DirBuilder::new().recursive(true).mode(DIRECTORY_MODE).create(directory);
    made.map_err(KeyError::io("create", directory))?;
    let metadata = fs::metadata(directory).map_err(KeyError::io("read", directory))?;
    check_mode(directory, metadata.permissions().mode(), DIRECTORY_MODE)
}

/// Every key of the directory. One that cannot be used is an error and not passed over: its tokens
/// would be refused without anybody knowing why.
pub(super) fn read_all(directory: &Path) -> Result<Vec<Key>, KeyError> {
    let mut keys = Vec::new();
    for entry in fs::read_dir(directory).map_err(KeyError::io("list", directory))? {
        let entry = entry.map_err(KeyError::io("list", directory))?;
        if let Some((made, id)) = entry.file_name().to_str().and_then(parse_name) {
            keys.extend(read(&entry.path(), made, &id)?);
        }
    }
    Ok(keys)
}

/// Writes a key so that it is there whole or not at all, also after a power cut.
pub(super) fn write(directory: &Path, key: &Key, pem: &str) -> Result<(), KeyError> {
    let path = path(directory, key);
    let unfinished = directory.join(format!(".{}.unfinished", key.id));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(FILE_MODE)
        .open(&unfinished)
        .map_err(KeyError::io("create", &unfinished))?;
    let written = file.write_all(pem.as_bytes()).and_then(|()| file.sync_all());
    let written = written.and_then(|()| fs::rename(&unfinished, &path));
    if let Err(source) = written {
        // The failure that matters is the one that is reported.
        let _ = fs::remove_file(&unfinished);
        return Err(KeyError::io("write", &path)(source));
    }
    sync(directory)
}

/// Removes the file of a key; another process may have done so before.
pub(super) fn remove(directory: &Path, key: &Key) -> Result<(), KeyError> {
    let path = path(directory, key);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(KeyError::io("remove", &path)(error))
        }
        _ => sync(directory),
    }
}

/// The key of one file; `None` if another process removed it since the directory was listed.
fn read(path: &Path, made: Timestamp, id: &KeyId) -> Result<Option<Key>, KeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(KeyError::io("open", path)(error)),
    };
    let metadata = file.metadata().map_err(KeyError::io("read", path))?;
    check_mode(path, metadata.permissions().mode(), FILE_MODE)?;
    let mut pem = Zeroizing::new(Vec::with_capacity(512));
    file.take(LONGEST_FILE).read_to_end(&mut pem).map_err(KeyError::io("read", path))?;
    let key = std::str::from_utf8(&pem).ok().and_then(|pem| Key::read(pem, made));
    let key = key.filter(|key| key.id == *id);
    key.map(Some).ok_or_else(|| KeyError::Damaged(path.to_owned()))
}

fn check_mode(path: &Path, mode: u32, wanted: u32) -> Result<(), KeyError> {
    let mode = mode & 0o7777;
    let of_others = mode & 0o077;
    if of_others == 0 {
        return Ok(());
    }
    Err(KeyError::Exposed { path: path.to_owned(), mode, wanted })
}

fn sync(directory: &Path) -> Result<(), KeyError> {
    let synced = File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(KeyError::io("sync", directory))
}

fn path(directory: &Path, key: &Key) -> PathBuf {
    directory.join(format!("token-{}-{}.pem", key.made.0.div_euclid(1000), key.id))
}

/// When a key was made and its id, from the name of its file. Other files are not ours.
fn parse_name(name: &str) -> Option<(Timestamp, KeyId)> {
    let (seconds, id) = name.strip_prefix("token-")?.strip_suffix(".pem")?.split_once('-')?;
    let seconds: i64 = seconds.parse().ok()?;
    Some((Timestamp(seconds.checked_mul(1000)?), KeyId::parse(id)?))
}
