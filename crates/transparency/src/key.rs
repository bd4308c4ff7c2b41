//! The key that this process signs with: `keys/log.key` in its data directory, readable by its owner alone.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{ErrorKind, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::Path,
};

use plura_tlog::{KeyError, KeyName, SigningKey};
use zeroize::Zeroizing;

use crate::Error;

/// The name of the file.
const FILE: &str = "log.key";
/// The longest file that is read; a key has some hundred bytes.
const LONGEST: u64 = 4096;

/// The key in the directory, or a new one of that name.
///
/// Blocks on the disk.
pub(crate) fn load_or_make(directory: &Path, name: &KeyName) -> Result<SigningKey, Error> {
    let keys = directory.join("keys");
    let path = keys.join(FILE);
    let failed = |action| {
        let path = path.clone();
        move |source| Error::KeyFile { action, path, source }
    };
    match File::open(&path) {
        Ok(file) => return read(file, &path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed("open")(error)),
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&keys).map_err(failed("create"))?;
    let key = SigningKey::generate(name.clone())?;
    write(&keys, &path, &key).map_err(failed("write"))?;
    Ok(key)
}

fn read(file: File, path: &Path) -> Result<SigningKey, Error> {
    let failed = |source| Error::KeyFile { action: "read", path: path.to_owned(), source };
    if file.metadata().map_err(failed)?.permissions().mode() & 0o077 != 0 {
        return Err(Error::KeyExposed(path.to_owned()));
    }
    let mut text = Zeroizing::new(String::new());
    file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
    Ok(SigningKey::from_text(text.trim_end()).map_err(|_| KeyError::Malformed)?)
}

/// Writes a key so that it is there whole or not at all, also after a power cut.
fn write(keys: &Path, path: &Path, key: &SigningKey) -> std::io::Result<()> {
    let unfinished = keys.join(format!(".{FILE}.unfinished"));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(&unfinished)?;
    file.write_all(key.to_text().as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    File::open(keys)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let name: KeyName = "log.example.com".parse().unwrap();
        let made = load_or_make(folder.path(), &name).unwrap();
        let again = load_or_make(folder.path(), &"other".parse().unwrap()).unwrap();
        assert_eq!(made.verifier(), again.verifier());
        let path = folder.path().join("keys").join(FILE);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = load_or_make(folder.path(), &name).unwrap_err();
        assert!(matches!(error, Error::KeyExposed(_)), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "PRIVATE+KEY+what").unwrap();
        let error = load_or_make(folder.path(), &name).unwrap_err();
        assert!(!error.to_string().contains("what"), "{error}");
    }
}
